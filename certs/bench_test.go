package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// The physical limits that docs/performance.md stands beside: one core each.

func BenchmarkSignP256(b *testing.B) {
	key, err := NewKey()
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("message"))
	for b.Loop() {
		if _, err := key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyP256(b *testing.B) {
	key, err := NewKey()
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("message"))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			b.Fatal("the signature does not verify")
		}
	}
}

// BenchmarkHandshake is a full TLS handshake, both ends.
func BenchmarkHandshake(b *testing.B) {
	folder := b.TempDir()
	keys, err := LoadKeyFile(filepath.Join(folder, "key"))
	if err != nil {
		b.Fatal(err)
	}
	clock := func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }
	server, err := LoadServer(folder, keys, []string{"localhost"}, clock)
	if err != nil {
		b.Fatal(err)
	}
	client := ClientConfig(server.Issuer(), clock)
	client.ServerName = "localhost"
	for b.Loop() {
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() {
			connection := tls.Server(far, ServerConfig(server))
			err := connection.Handshake()
			_, _ = connection.Write([]byte{1})
			done <- err
		}()
		connection := tls.Client(near, client)
		if _, err := connection.Read(make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		_ = near.Close()
		_ = far.Close()
	}
}
