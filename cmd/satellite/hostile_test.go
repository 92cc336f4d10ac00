package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"ssm/satellite/agent"
)

// TestEveryChangedCharacterOfATokenIsRefused changes each character of a token
// in turn and tries to register with it, through the front door.
func TestEveryChangedCharacterOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	token := w.satellite("token", "create", "--accept-agreement")
	device := w.agent("d")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	for i := range token {
		other := alphabet[(strings.IndexByte(alphabet, token[i])+1)%len(alphabet)]
		altered := token[:i] + string(other) + token[i+1:]
		var refused *agent.Refused
		if err := device.Register(context.Background(), altered, false); !errors.As(err, &refused) {
			t.Fatalf("with character %d changed: %v", i, err)
		}
	}
	var tokens []struct{ Uses int64 }
	if w.satelliteJSON(&tokens, "token", "list"); tokens[0].Uses != 0 || len(w.devices()) != 0 {
		t.Errorf("%d uses, %d devices", tokens[0].Uses, len(w.devices()))
	}
	if err := device.Register(context.Background(), token, false); err != nil {
		t.Errorf("the token itself: %v", err)
	}
}

// agent is a device of this world.
func (w *world) agent(name string) *agent.Agent {
	w.t.Helper()
	bundle, err := os.ReadFile(w.server.ready.CAFile)
	if err != nil {
		w.t.Fatal(err)
	}
	device, err := agent.Open(agent.Options{
		Folder: w.path(name), Now: time.Now, URL: w.server.ready.DeviceURL, Bundle: bundle,
		Identity: agent.Identity{UDIPID: "EX", UDISerialNumber: "S-" + name},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = device.Close() })
	return device
}

// TestTheDevicePortAnswersGarbageInASentence sends what is no message, and sees
// that the answer says so, nothing changes, and devices are still served.
func TestTheDevicePortAnswersGarbageInASentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	token := w.satellite("token", "create", "--accept-agreement")
	client := w.client()
	for name, test := range map[string]struct {
		body   io.Reader
		kind   string
		status int
	}{
		"nothing":             {strings.NewReader(""), "application/json", http.StatusBadRequest},
		"text":                {strings.NewReader("hello"), "application/json", http.StatusBadRequest},
		"null":                {strings.NewReader("null"), "application/json", http.StatusBadRequest},
		"an array":            {strings.NewReader("[]"), "application/json", http.StatusBadRequest},
		"an empty object":     {strings.NewReader("{}"), "application/json", http.StatusBadRequest},
		"deep nesting":        {strings.NewReader(strings.Repeat("[", 100_000)), "application/json", http.StatusRequestEntityTooLarge},
		"zeros":               {bytes.NewReader(make([]byte, 1000)), "application/json", http.StatusBadRequest},
		"ten megabytes":       {bytes.NewReader(make([]byte, 10<<20)), "application/json", http.StatusRequestEntityTooLarge},
		"ten megabytes, slow": {io.MultiReader(strings.NewReader(`{"request":"`), bytes.NewReader(bytes.Repeat([]byte("a"), 10<<20))), "application/json", http.StatusRequestEntityTooLarge},
		"another type":        {strings.NewReader("<xml/>"), "application/xml", http.StatusUnsupportedMediaType},
	} {
		response, err := client.Post(w.server.ready.DeviceURL, test.kind, test.body)
		if err != nil {
			// A server may close a connection whose body it does not want to read.
			if test.status == http.StatusRequestEntityTooLarge {
				continue
			}
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.status || !strings.Contains(string(text), `"detail"`) || strings.Contains(string(text), "goroutine") {
			t.Errorf("%s: %s %s", name, response.Status, text)
		}
	}
	if devices := w.devices(); len(devices) != 0 {
		t.Errorf("%d devices came of garbage", len(devices))
	}
	w.satellite("audit", "verify")
	if err := w.agent("d").Register(context.Background(), token, false); err != nil {
		t.Error(err)
	}
}

func (w *world) client() *http.Client {
	bundle, err := os.ReadFile(w.server.ready.CAFile)
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// TestHalfOpenConnectionsDoNotKeepDevicesOut opens hundreds of connections that
// say nothing, or stop in the middle, and registers a device beside them.
func TestHalfOpenConnectionsDoNotKeepDevicesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	token := w.satellite("token", "create", "--accept-agreement")
	address, err := url.Parse(w.server.ready.DeviceURL)
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	for i := range 300 {
		connection, err := net.Dial("tcp", address.Host)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, connection)
		if i%2 == 1 { // the beginning of a TLS record, and no more
			if _, err := connection.Write([]byte{0x16, 0x03, 0x01, 0x02, 0x00}); err != nil {
				t.Fatal(err)
			}
		}
	}
	device := w.agent("d")
	if err := device.Register(context.Background(), token, false); err != nil {
		t.Error(err)
	}
	// They are closed by the server: 10 seconds for a handshake.
	for _, connection := range open {
		_ = connection.SetReadDeadline(time.Now().Add(30 * time.Second))
		var timeout net.Error
		if _, err := io.Copy(io.Discard, connection); errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("a connection that says nothing stayed open for 30 seconds")
		}
		_ = connection.Close()
	}
}
