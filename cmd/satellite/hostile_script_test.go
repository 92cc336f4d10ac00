package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The doors of the APIs.
const (
	longPrefix = "/services/api/smart-accounts-and-licensing/v1"
	tokenPath  = "/oauth/token"
)

// script is a program that uses the APIs of a running satellite.
type script struct {
	*world
	host   string
	config *tls.Config
	id     string
	secret string
	token  string
}

// script makes an API client and gets its access token.
func (w *world) script(name string) *script {
	w.t.Helper()
	address, err := url.Parse(w.server.ready.DeviceURL)
	if err != nil {
		w.t.Fatal(err)
	}
	var made struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	w.satelliteJSON(&made, "api-client", "create", "--name", name)
	s := &script{world: w, host: address.Host, config: w.client().Transport.(*http.Transport).TLSClientConfig, id: made.ClientID, secret: made.ClientSecret}
	s.config.ServerName = address.Hostname()
	got := s.raw("POST", tokenPath, "Content-Type: application/x-www-form-urlencoded\r\n", "grant_type=client_credentials&client_id="+s.id+"&client_secret="+s.secret)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.AccessToken == "" {
		w.t.Fatalf("no access token: %d %s", got.status, got.body)
	}
	s.token = answer.AccessToken
	return s
}

// said is what the server said to a request.
type said struct {
	status int
	header http.Header
	body   string
	closed bool // the connection
}

// dial opens a connection of its own.
func (s *script) dial() *tls.Conn {
	s.t.Helper()
	connection, err := tls.Dial("tcp", s.host, s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	return connection
}

// raw sends a request as it is written, on a connection of its own: a client
// library would tidy it up.
func (s *script) raw(method, target, headers, body string) said {
	s.t.Helper()
	connection := s.dial()
	defer func() { _ = connection.Close() }()
	_, sent := io.WriteString(connection, s.request(method, target, headers, body))
	return s.hear(bufio.NewReader(connection), sent)
}

func (s *script) request(method, target, headers, body string) string {
	if s.token != "" && !strings.Contains(headers, "Authorization:") {
		headers += "Authorization: Bearer " + s.token + "\r\n"
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s", method, target, s.host, headers, len(body), body)
}

// conversation sends requests as raw does, without a body, one after the other
// on one connection as long as the server keeps it.
func (s *script) conversation() func(method, target string) said {
	var connection *tls.Conn
	var reader *bufio.Reader
	return func(method, target string) said {
		s.t.Helper()
		if connection == nil {
			connection = s.dial()
			reader = bufio.NewReader(connection)
		}
		_, sent := io.WriteString(connection, s.request(method, target, "Content-Type: application/json\r\n", ""))
		got := s.hear(reader, sent)
		if got.closed {
			_ = connection.Close()
			connection = nil
		}
		return got
	}
}

// hear reads an answer. It may come before the body of the request was sent, and
// the connection be closed then: sent is how the sending ended.
func (s *script) hear(from *bufio.Reader, sent error) said {
	s.t.Helper()
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		s.t.Fatalf("no answer: %v (the request: %v)", err, sent)
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return said{response.StatusCode, response.Header, string(text), response.Close}
}

// refusal is an answer that must be a refusal as programs read it.
func (s *script) refusal(what string, got said) {
	s.t.Helper()
	var fields map[string]any
	err := json.Unmarshal([]byte(got.body), &fields)
	compatible := fields["status"] == "ERROR" && fields["statusMessage"] != nil && fields["statusMessage"] != ""
	ofToken := fields["error"] != nil && fields["error_description"] != nil
	known := compatible || ofToken || fields["code"] != nil && fields["detail"] != nil && got.header.Get("Content-Type") == "application/problem+json"
	if err != nil || got.status < 400 || got.status >= 500 && got.status != 503 || !known || got.header.Get("Location") != "" {
		s.t.Errorf("%s is answered %d %v %.400s", what, got.status, got.header, got.body)
	}
	for _, leak := range []string{"goroutine", ".go:", "<html", "<!doctype"} {
		if strings.Contains(strings.ToLower(got.body), leak) {
			s.t.Errorf("%s is answered with %q: %.400s", what, leak, got.body)
		}
	}
}

// works sees that the script gets what it asks for, soon.
func (s *script) works() {
	s.t.Helper()
	begun := time.Now()
	got := s.raw("GET", longPrefix+"/accounts/A/virtual-accounts", "", "")
	if took := time.Since(begun); got.status != http.StatusOK || !strings.Contains(got.body, `"isDefault":"true"`) || took > 5*time.Second {
		s.t.Errorf("a good client is answered after %v: %d %s", took, got.status, got.body)
	}
}
