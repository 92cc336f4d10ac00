package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of a connection. A half-open one is closed after the header time,
// which the TLS handshake has, too.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second  // of a whole request
	writeTimeout      = 120 * time.Second // from the header on, the answer included
	idleTimeout       = 3 * time.Minute   // between requests
	maxHeaderBytes    = 32 << 10
	maxConnections    = 10_000
	maxStreams        = 64 // requests at a time in one HTTP/2 connection
	shutdownTimeout   = 10 * time.Second
)

// Server serves HTTP/1.1 and HTTP/2 within bounds. The zero value is ready.
type Server struct {
	MaxConnections int           // open at a time; further ones wait. Default 10,000
	HeaderTimeout  time.Duration // for the TLS handshake, and for the header of a request. Default 10 s
	// ConnContext adds to the context of all requests of a connection what can
	// be told from the connection itself, such as the user at the other end of
	// a local socket. Optional.
	ConnContext func(context.Context, net.Conn) context.Context
}

// Listen opens a TCP address such as ":8443" or "127.0.0.1:0".
func (s *Server) Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s, choose another address or stop the program that has it: %w", address, err)
	}
	return listener, nil
}

// Serve answers on listener until ctx ends, over TLS where there is a
// configuration for it. Then it takes no more requests, gives those that run 10
// seconds to finish, and returns nil. It closes the listener in any case. The
// error is that of a listener that broke.
func (s *Server) Serve(ctx context.Context, listener net.Listener, handler http.Handler, config *tls.Config, logger *slog.Logger) error {
	listener = newLimitedListener(listener, cmp.Or(s.MaxConnections, maxConnections))
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: cmp.Or(s.HeaderTimeout, readHeaderTimeout), ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog: log.New(serverLog{logger}, "", 0),
		// Requests outlive ctx by the time of the shutdown.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if s.ConnContext != nil {
		server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context { return s.ConnContext(ctx, accepted(conn)) }
	}
	served := make(chan error, 1)
	go func() {
		if config == nil {
			served <- server.Serve(listener)
			return
		}
		server.TLSConfig = config.Clone()
		served <- server.ServeTLS(listener, "", "")
	}()
	select {
	case err := <-served:
		_ = server.Close()
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(graceful); err != nil {
		logger.Warn("requests were cut off at the shutdown", "address", listener.Addr().String(), "error", err)
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	return nil
}

// serverLog takes the lines of net/http. What any stranger can cause, such as a
// broken handshake, is for debugging only; the rest, such as too few file
// descriptors, is for the operator.
type serverLog struct{ logger *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	for _, noise := range []string{"http: TLS handshake error", "http2: ", "http: URL query contains semicolon"} {
		if bytes.HasPrefix(line, []byte(noise)) {
			level = slog.LevelDebug
		}
	}
	l.logger.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
