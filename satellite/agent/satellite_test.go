package agent_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

var epoch = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// authorities are a licensing root with what a satellite has below it.
type authorities struct {
	root       *x509.Certificate
	issuingKey crypto.Signer
	subCA      *certs.Authority
	signer     wire.Signer
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func newAuthorities(t *testing.T, now time.Time) authorities {
	t.Helper()
	authority, certificate := must[*certs.Authority](t), must[*x509.Certificate](t)
	rootKey, _ := certs.NewKey()
	root := authority(certs.NewRoot("Licensing Root", rootKey, now))
	issuingKey, _ := certs.NewKey()
	issuing := &certs.Authority{Key: issuingKey, Issuers: root.Chain(),
		Certificate: certificate(root.IssueIssuingCA("Issuing CA", issuingKey.Public(), now))}
	subKey, _ := certs.NewKey()
	request := must[[]byte](t)(certs.NewSubCARequest(subKey, "account-1", "Example"))
	sub := &certs.Authority{Key: subKey, Issuers: issuing.Chain(),
		Certificate: certificate(issuing.IssueSubCA(request, "account-1", "Example", now))}
	signerKey, _ := certs.NewKey()
	signer := certificate(sub.IssueSatelliteSigner("satellite-1", signerKey.Public(), now))
	return authorities{root: root.Certificate, issuingKey: issuingKey, subCA: sub, signer: wire.Signer{
		Key: signerKey, Chain: [][]byte{signer.Raw, sub.Certificate.Raw, issuing.Certificate.Raw},
	}}
}

// instance is a device as the satellite knows it.
type instance struct {
	piid   string
	key    any
	token  string
	counts map[string]int64
}

// satellite answers devices over real TLS, as the protocol says, without rules
// of its own; a test bends what it needs.
type satellite struct {
	t      *testing.T
	server *httptest.Server
	tlsCA  []*x509.Certificate
	ca     authorities

	mu        sync.Mutex
	now       time.Time
	instances map[wire.SUDI]*instance
	tokenUses int
	requests  []*wire.Request
	digests   []string // of the answers to requests, one by one
	messages  [][]byte
	// What a test bends.
	lose     int // so many answers get lost after the work is done
	unsigned bool
	bend     func(*wire.ReplyHeader, *wire.ReplyData)
	signer   wire.Signer // who signs; the own one by default
}

func newSatellite(t *testing.T) *satellite {
	t.Helper()
	return newSatelliteAt(t, epoch)
}

func newSatelliteAt(t *testing.T, now time.Time) *satellite {
	t.Helper()
	s := &satellite{t: t, now: now, instances: map[wire.SUDI]*instance{}, ca: newAuthorities(t, now)}
	s.signer = s.ca.signer
	folder := t.TempDir()
	seal := must[*certs.KeyFile](t)(certs.LoadKeyFile(filepath.Join(folder, "key")))
	server := must[*certs.Server](t)(certs.LoadServer(folder, seal, []string{"127.0.0.1"}, s.time))
	s.tlsCA = server.Issuer()
	s.server = httptest.NewUnstartedServer(s)
	// As a list: httptest would put its own certificate there, for clients that name an address only.
	certificate := must[*tls.Certificate](t)(server.GetCertificate(nil))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *satellite) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// bundle is what the operator downloads.
func (s *satellite) bundle() []byte { return certs.EncodePEM(append(s.tlsCA, s.ca.root)...) }

func (s *satellite) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *satellite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/SmartTransport" {
		http.NotFound(w, r)
		return
	}
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxMessage))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, message)
	request, err := wire.ReadRequest(message)
	if err != nil {
		s.t.Errorf("the device sent %v: %s", err, message)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.requests = append(s.requests, request)
	header, data := s.answer(request)
	s.digests = append(s.digests, must[string](s.t)(wire.ReplyDigest(header.Nonce, data)))
	if s.lose > 0 {
		s.lose--
		panic(http.ErrAbortHandler)
	}
	var reply []byte
	if s.unsigned {
		reply, err = wire.WriteUnsignedReply(header, data)
	} else {
		reply, err = wire.NewReplyWriter(s.signer).Write(header, data)
	}
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(reply)
}

func (s *satellite) answer(request *wire.Request) (wire.ReplyHeader, wire.ReplyData) {
	h := request.Header
	header := wire.ReplyHeader{Timestamp: wire.Milliseconds(s.now), Nonce: h.Nonce, RequestType: h.RequestType,
		SUDI: h.SUDI, ProductInstanceIdentifier: h.ProductInstanceIdentifier}
	data := s.judge(request)
	if s.bend != nil {
		s.bend(&header, &data)
	}
	return header, data
}

func fail(code, message string) wire.ReplyData {
	return wire.ReplyData{Status: wire.StatusFailed, Code: code, Message: message}
}

func (s *satellite) judge(request *wire.Request) wire.ReplyData {
	sent := wire.Time(request.Header.Timestamp)
	if skew := s.now.Sub(sent).Abs(); skew > time.Hour {
		refused := fail("clock-skew", fmt.Sprintf("the clock of the device is off by %s", skew))
		refused.SatelliteTime, refused.DeviceTime = wire.Milliseconds(s.now), request.Header.Timestamp
		return refused
	}
	if request.Header.RequestType == wire.Registration {
		return s.register(request)
	}
	known := s.instances[request.Header.SUDI]
	if known == nil || known.piid != request.Header.ProductInstanceIdentifier {
		return fail("not-registered", "this product instance was removed")
	}
	switch request.Header.RequestType {
	case wire.Authorization:
		return s.authorize(known, request.Data)
	case wire.Renewal:
		return s.certify(known, request)
	default:
		delete(s.instances, request.Header.SUDI)
		return wire.ReplyData{Status: wire.StatusOK, Message: "gone"}
	}
}

func (s *satellite) register(request *wire.Request) wire.ReplyData {
	if request.Data.Token == "expired" {
		return fail("token-expired", "the token expired yesterday: create a new one")
	}
	public := request.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	known := s.instances[request.Header.SUDI]
	repeat := known != nil && known.token == request.Data.Token && public.Equal(known.key)
	if known != nil && !repeat && !request.Data.Force {
		return fail("already-registered", "this device is registered already: use force")
	}
	if !repeat {
		s.tokenUses++
		known = &instance{piid: fmt.Sprintf("piid-%d", s.tokenUses), key: request.PublicKey, token: request.Data.Token, counts: map[string]int64{}}
		s.instances[request.Header.SUDI] = known
	}
	return s.certify(known, request)
}

func (s *satellite) certify(known *instance, request *wire.Request) wire.ReplyData {
	certificate, err := s.ca.subCA.IssueDevice(request.CertificateRequest, certs.Device{PID: request.Header.SUDI.UDIPID, PIID: known.piid}, s.now)
	if err != nil {
		s.t.Error(err)
		return fail("internal", err.Error())
	}
	return wire.ReplyData{
		Status: wire.StatusOK, Message: "done", ProductInstanceIdentifier: known.piid, SmartAccount: "Example", VirtualAccount: "Default",
		Certificate: base64.StdEncoding.EncodeToString(certificate.Raw), CertificateExpiresAt: wire.Milliseconds(certificate.NotAfter),
	}
}

// authorize has 5 of each license; those of the tag "enforced" are refused beyond that.
func (s *satellite) authorize(known *instance, asked wire.RequestData) wire.ReplyData {
	for _, e := range asked.Entitlements {
		if known.counts[e.Tag] = e.Count; e.Count == 0 {
			delete(known.counts, e.Tag)
		}
	}
	reply := wire.ReplyData{Status: wire.StatusOK, Message: "done", AuthorizationState: "authorized",
		AuthorizationRenewAt: wire.Milliseconds(s.now.AddDate(0, 0, 30)), AuthorizationExpiresAt: wire.Milliseconds(s.now.AddDate(0, 0, 90))}
	if len(known.counts) == 0 {
		reply.AuthorizationState = agent.NoLicensesInUse
	}
	for tag, count := range known.counts {
		answer := wire.LicenseAnswer{Tag: tag, Name: "License " + tag, Count: count, Mode: wire.ModeInCompliance}
		switch {
		case count > 5 && tag == "enforced":
			answer.Count, answer.Requested, answer.Mode, answer.Reason = 0, count, wire.ModeDisabled, "5 are there, and this license is not overdrawn"
		case count > 5:
			answer.Mode, reply.AuthorizationState = wire.ModeOutOfCompliance, agent.OutOfCompliance
		}
		reply.Licenses = append(reply.Licenses, answer)
	}
	return reply
}
