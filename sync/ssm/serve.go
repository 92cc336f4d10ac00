package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"ssm/certs"
)

// Bounds of a connection. A request file of some gigabytes takes its time.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 20 * time.Second
	maxHeader     = 64 << 10 // bytes
)

// Ready says where a portal is reached that listens.
type Ready struct {
	URL       string `json:"url"` // what satellites are told, too
	PortalURL string `json:"portal_url"`
	CAFile    string `json:"ca_file"`   // what a client must trust, PEM
	SetupURL  string `json:"setup_url"` // one-time; "" where there is an administrator
}

// WriteFile writes it as JSON, for nobody but the user: the set-up link is a
// secret until it has been used.
func (r Ready) WriteFile(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return certs.WriteFile(path, append(text, '\n'), 0o600)
}

// Serve serves the portal and the door for satellites over HTTPS, under a certificate of a local CA, until
// the context ends; requests that are under way may then go on for a while.
// listen is HOST:PORT, where port 0 takes a free one. When it listens it calls
// ready, and stops if that fails.
func (u *Upstream) Serve(ctx context.Context, listen string, log *slog.Logger, ready func(Ready) error) error {
	// Answers go on while the server shuts down, as requests do.
	making, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	portal, err := NewPortal(making, u, log)
	if err != nil {
		giveUp()
		return err
	}
	defer portal.Wait()
	defer giveUp()
	certificate, err := certs.LoadServer(filepath.Join(u.dir, "tls"), u.keys.file, certs.LocalNames(listen, nil), u.now)
	if err != nil {
		return err
	}
	r := Ready{CAFile: filepath.Join(u.dir, "ca.pem")}
	if err := certs.WriteFile(r.CAFile, certs.EncodePEM(certificate.Issuer()...), 0o644); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: portal, TLSConfig: certs.ServerConfig(certificate),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()

	r.URL = "https://" + reachable(listener.Addr())
	r.PortalURL = r.URL + portalPath
	if path := portal.SetupPath(); path != "" {
		r.SetupURL = r.URL + path
	}
	if err := ready(r); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// reachable is an address that a client on this machine can use.
func reachable(address net.Addr) string {
	parsed, err := netip.ParseAddrPort(address.String())
	if err == nil && parsed.Addr().IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", parsed.Port())
	}
	return address.String()
}
