package agent

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ssm/satellite/wire"
)

// connection is one kept HTTP/1.1 connection of the fleet. net/http's client
// would spend two goroutines and their switches on each, which the satellite
// under measurement, on the same machine, would be missing.
type connection struct {
	tls    *tls.Conn
	reader *bufio.Reader
	head   string // of every request, up to the length
	buffer []byte
}

// dial opens a connection up to the end of the TLS handshake.
func dial(ctx context.Context, address *url.URL, config *tls.Config) (*connection, error) {
	port := address.Port()
	if port == "" {
		port = "443"
	}
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), port))
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName = address.Hostname()
	secured := tls.Client(plain, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return &connection{
		tls: secured, reader: bufio.NewReaderSize(secured, 16<<10),
		head: fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: ",
			address.RequestURI(), address.Host, contentType),
	}, nil
}

// post sends a message and reads the body of the answer, at most
// wire.MaxMessage bytes. After an error the connection is of no more use.
func (c *connection) post(ctx context.Context, message []byte, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	c.buffer = append(c.buffer[:0], c.head...)
	c.buffer = strconv.AppendInt(c.buffer, int64(len(message)), 10)
	c.buffer = append(c.buffer, "\r\n\r\n"...)
	c.buffer = append(c.buffer, message...)
	if _, err := c.tls.Write(c.buffer); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, wire.MaxMessage+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > wire.MaxMessage:
		return nil, fmt.Errorf("an answer of more than %d bytes", wire.MaxMessage)
	case response.Close:
		c.close() // the next request finds it closed, and dials
	}
	return body, nil
}

// close drops the connection; what was on its way is lost either way.
func (c *connection) close() { _ = c.tls.NetConn().Close() }
