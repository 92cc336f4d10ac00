package deviceapi_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/satellite/deviceapi"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

func TestADeviceLivesItsLifeOverThePort(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	device := p.device()
	if err := device.Register(t.Context(), text, false); err != nil {
		t.Fatal(err)
	}
	if state := device.State(); state.SmartAccount != "Example" || device.Certificate() == nil {
		t.Errorf("registered as %+v", state)
	}
	list, err := p.service.Instances(t.Context(), admin, satellite.InstanceFilter{}, satellite.Page{})
	if err != nil || len(list) != 1 || list[0].Identity.UDISerialNumber != "SN1" || list[0].LastAddress != "127.0.0.1" {
		t.Fatalf("the satellite knows %+v, %v", list, err)
	}
	if uses, instances := p.counts(token); uses != 1 || instances != 1 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
	if err := device.Request(t.Context(), "tag-nobody-bought", 2); err != nil {
		t.Fatal(err)
	}
	if licenses := device.State().Licenses(); len(licenses) != 1 || licenses[0].Count != 2 || licenses[0].InCompliance() {
		t.Errorf("told of %+v", licenses)
	}
	if err := device.RenewCertificate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := device.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"REGISTRATION ok", "AUTHORIZATION ok", "ID_CERTIFICATE_RENEWAL ok", "DEREGISTRATION ok"}
	if got := p.seen.all(); !slices.Equal(got, want) {
		t.Errorf("observed %v", got)
	}
}

func TestARefusalReachesTheDeviceAsASentence(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	altered := text[:len(text)-2] + "AA"
	if altered == text {
		altered = text[:len(text)-2] + "QQ"
	}
	refuse := func(code, text string) {
		var refused *agent.Refused
		err := p.device().Register(t.Context(), text, false)
		if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(refused.Message, "The device was not registered.") {
			t.Errorf("%s: %v", code, err)
		}
	}
	refuse("token-invalid", altered)
	if err := p.service.RevokeToken(t.Context(), admin, token.ID); err != nil {
		t.Fatal(err)
	}
	refuse("token-revoked", text)
	if uses, instances := p.counts(token); uses != 0 || instances != 0 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
}

// registration is the message of a device with a key of its own, as it crosses the wire.
func (p *port) registration(token, nonce, version string) []byte {
	p.t.Helper()
	key := p.key()
	csr := must[[]byte](p.t)(certs.NewDeviceRequest(key, "ROUTER-9"))
	return must[[]byte](p.t)(wire.WriteRequest(key, nil, wire.Header{
		Version: version, SUDI: wire.SUDI{UDIPID: "ROUTER-9", UDISerialNumber: "SN9"}, Timestamp: wire.Milliseconds(epoch),
		Nonce: nonce, RequestType: wire.Registration,
	}, wire.RequestData{Token: token, CertificateRequest: base64.StdEncoding.EncodeToString(csr), SoftwareTag: "tag-of-the-software"}))
}

func (p *port) post(message []byte) *wire.Reply {
	p.t.Helper()
	response, body := p.send(http.MethodPost, deviceapi.Path, "application/json; charset=utf-8", bytes.NewReader(message))
	if response.status != http.StatusOK || response.header.Get("Content-Type") != "application/json" || response.header.Get("Cache-Control") != "no-store" {
		p.t.Fatalf("%d %v: %s", response.status, response.header, body)
	}
	return must[*wire.Reply](p.t)(wire.ReadReply([]byte(body)))
}

func TestTheSameMessageTwiceIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	message := p.registration(text, "4711", wire.MessageVersion)
	first, second := p.post(message), p.post(message)
	if first.Data.Status != wire.StatusOK || !first.Signed || first.Header.Nonce != "4711" {
		t.Errorf("answered %+v", first)
	}
	if a, b := asJSON(t, first.Data), asJSON(t, second.Data); a != b {
		t.Errorf("first %s, then %s", a, b)
	}
	if uses, instances := p.counts(token); uses != 1 || instances != 1 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	return string(must[[]byte](t)(json.Marshal(value)))
}

func TestMessagesThatCannotBeTrustedAreRefusedWithinTheProtocol(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	forged := bytes.ReplaceAll(p.registration(text, "1", wire.MessageVersion), []byte("SN9"), []byte("SN8"))
	if reply := p.post(forged); reply.Data.Status != wire.StatusFailed || reply.Data.Code != "signature-invalid" || reply.Header.Nonce != "1" {
		t.Errorf("forged: %+v", reply)
	}
	if reply := p.post(p.registration(text, "2", "9.9")); reply.Data.Code != "unknown-version" || !slices.Equal(reply.Data.Versions, wire.MessageVersions) {
		t.Errorf("of another version: %+v", reply)
	}
	if uses, instances := p.counts(token); uses != 0 || instances != 0 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
}

func TestWhatIsNoMessageIsAProblemAndChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	good := string(p.registration(text, "1", wire.MessageVersion))
	const js = "application/json"
	for _, scenario := range []struct {
		name, method, path, contentType string
		body                            io.Reader
		status                          int
		code                            string
	}{
		{"nothing", http.MethodPost, deviceapi.Path, js, nil, 400, "message-malformed"},
		{"garbage", http.MethodPost, deviceapi.Path, js, strings.NewReader("\x00\xff garbage"), 400, "message-malformed"},
		{"garbage as text", http.MethodPost, deviceapi.Path, "text/plain", strings.NewReader("hello"), 400, "message-malformed"},
		{"garbage as nothing", http.MethodPost, deviceapi.Path, "", strings.NewReader("hello"), 400, "message-malformed"},
		{"a list", http.MethodPost, deviceapi.Path, js, strings.NewReader("[]"), 400, "message-malformed"},
		{"half a message", http.MethodPost, deviceapi.Path, js, strings.NewReader(good[:len(good)/2]), 400, "message-malformed"},
		{"two messages", http.MethodPost, deviceapi.Path, js, strings.NewReader(good + good), 400, "message-malformed"},
		{"a nest", http.MethodPost, deviceapi.Path, js, strings.NewReader(strings.Repeat("[", 5000)), 413, "message-too-large"},
		{"10 MB", http.MethodPost, deviceapi.Path, js, bytes.NewReader(make([]byte, 10<<20)), 413, "request-too-large"},
		{"10 MB without a length", http.MethodPost, deviceapi.Path, js, io.MultiReader(bytes.NewReader(make([]byte, 10<<20))), 413, "request-too-large"},
		{"a form", http.MethodPost, deviceapi.Path, "application/x-www-form-urlencoded", strings.NewReader(good), 415, "content-type-unsupported"},
		{"a look", http.MethodGet, deviceapi.Path, "", nil, 405, "method-not-allowed"},
		{"a put", http.MethodPut, deviceapi.Path, js, strings.NewReader(good), 405, "method-not-allowed"},
		{"a delete", http.MethodDelete, deviceapi.Path, "", nil, 405, "method-not-allowed"},
		{"a method of another world", "PROPFIND", deviceapi.Path, "", nil, 405, "method-not-allowed"},
		{"another path", http.MethodPost, "/elsewhere", js, strings.NewReader(good), 404, "path-not-found"},
	} {
		response, body := p.send(scenario.method, scenario.path, scenario.contentType, scenario.body)
		var problem web.Problem
		if err := json.Unmarshal([]byte(body), &problem); err != nil {
			t.Errorf("%s: %s", scenario.name, body)
		}
		if response.status != scenario.status || problem.Code != scenario.code || problem.Detail == "" || response.header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s: %d %s", scenario.name, response.status, body)
		}
		if scenario.method == http.MethodGet && (!strings.Contains(problem.Detail, "This is where devices post") || response.header.Get("Allow") != "POST") {
			t.Errorf("%s: %s, allowed %q", scenario.name, body, response.header.Get("Allow"))
		}
	}
	if uses, instances := p.counts(token); uses != 0 || instances != 0 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
	if reply := p.post([]byte(good)); reply.Data.Status != wire.StatusOK {
		t.Errorf("afterwards a good message: %+v", reply)
	}
}

func TestAMessageCutShortOnItsWayIsNotRead(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	token, text := p.token()
	message := p.registration(text, "1", wire.MessageVersion)
	config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "127.0.0.1", nil
	conn, err := tls.Dial("tcp", p.address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", deviceapi.Path, len(message), message[:len(message)-1])
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(raw, []byte("HTTP/1.1 400 ")) || !bytes.Contains(raw, []byte("request-incomplete")) {
		t.Errorf("%s, %v", raw, err)
	}
	if uses, instances := p.counts(token); uses != 0 || instances != 0 {
		t.Errorf("%d uses, %d devices", uses, instances)
	}
}

func TestTheTrustBundleCanBeFetched(t *testing.T) {
	t.Parallel()
	p := newPort(t)
	response, body := p.send(http.MethodGet, deviceapi.BundlePath, "", nil)
	if response.status != http.StatusOK || response.header.Get("Content-Type") != "application/x-pem-file" || body != string(p.bundle) {
		t.Errorf("%d %v: %s", response.status, response.header, body)
	}
	for name, read := range map[string]func() []byte{"no bundle": nil, "an empty one": func() []byte { return nil }} {
		e := web.New(slog.New(slog.DiscardHandler))
		e.GET("/ca.pem", deviceapi.Bundle(read))
		recorder := httptest.NewRecorder()
		e.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/ca.pem", nil))
		if recorder.Code != http.StatusNotFound || !strings.Contains(recorder.Body.String(), `"code":"trust-bundle-not-found"`) {
			t.Errorf("%s: %d %s", name, recorder.Code, recorder.Body)
		}
	}
}
