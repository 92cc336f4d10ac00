package deviceapi_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/satellite/auth"
	"ssm/satellite/deviceapi"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/web"
)

var epoch = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return epoch }

var admin = satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin, Source: "local"}

// port is a device port: the real service on a real database, over real TLS,
// with one account that the upstream vouches for.
type port struct {
	t       *testing.T
	service *satellite.Service
	account satellite.Account
	address string
	bundle  []byte // PEM: TLS issuer and licensing root
	client  *http.Client
	seen    *observer
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

func newPort(t *testing.T) *port {
	t.Helper()
	folder := t.TempDir()
	keys := must[*certs.KeyFile](t)(certs.LoadKeyFile(filepath.Join(folder, "key")))
	data := must[*store.Store](t)(store.Open(t.Context(), store.Options{Path: filepath.Join(folder, "satellite.db"), Node: "1"}))
	p := &port{t: t, seen: new(observer)}
	p.service = must[*satellite.Service](t)(satellite.New(t.Context(), satellite.Ports{
		Store: data, Issuer: issuer.New(keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: keys,
		Observer: p.seen, Now: now, Random: rand.Reader,
	}, satellite.Options{}))
	root := p.register(data, keys)

	server := must[*certs.Server](t)(certs.LoadServer(filepath.Join(folder, "tls"), keys, []string{"127.0.0.1"}, now))
	p.bundle = certs.EncodePEM(append(server.Issuer(), root)...)
	trusted := must[[]*x509.Certificate](t)(certs.DecodePEM(p.bundle))
	transport := &http.Transport{TLSClientConfig: certs.ClientConfig(trusted, now)}
	p.client = &http.Client{Transport: transport}

	var floor web.Server
	listener, err := floor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	e := web.New(log)
	deviceapi.Routes(e, p.service, func() []byte { return p.bundle })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- floor.Serve(ctx, listener, e, certs.ServerConfig(server), log) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := data.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// register does what the first answer of the upstream does: a sub CA for the
// account's key, and the satellite's signer below it. It returns the root.
func (p *port) register(data satellite.Store, keys *certs.KeyFile) *x509.Certificate {
	t := p.t
	t.Helper()
	authority, certificate, key := must[*certs.Authority](t), must[*x509.Certificate](t), issuer.New(keys)
	rootKey, issuingKey := p.key(), p.key()
	root := authority(certs.NewRoot("Licensing Root", rootKey, epoch))
	issuing := &certs.Authority{Key: issuingKey, Issuers: root.Chain(), Certificate: certificate(root.IssueIssuingCA("Issuing CA", issuingKey.Public(), epoch))}
	p.account = must[satellite.Account](t)(p.service.CreateAccount(t.Context(), admin, satellite.NewAccount{Name: "Example", Email: "ops@example.com"}))
	err := data.Update(t.Context(), func(tx satellite.Tx) error {
		a, err := tx.Authority(p.account.ID)
		if err != nil {
			return err
		}
		subKey := must[crypto.Signer](t)(key.Key(a.Key))
		request := must[[]byte](t)(certs.NewSubCARequest(subKey, "account-1", "Example"))
		sub := &certs.Authority{Key: subKey, Issuers: issuing.Chain(), Certificate: certificate(issuing.IssueSubCA(request, "account-1", "Example", epoch))}
		a.Chain, a.Root = [][]byte{sub.Certificate.Raw, issuing.Certificate.Raw}, root.Certificate.Raw
		a.SignerKey = must[[]byte](t)(key.NewKey())
		signer := certificate(sub.IssueSatelliteSigner(p.service.ID(), must[crypto.Signer](t)(key.Key(a.SignerKey)).Public(), epoch))
		a.SignerCertificate, a.SignerNotAfter = signer.Raw, signer.NotAfter
		a.SubCANotBefore, a.SubCANotAfter = sub.Certificate.NotBefore, sub.Certificate.NotAfter
		if err := tx.SaveAuthority(a); err != nil {
			return err
		}
		account := p.account
		account.UpstreamRegisteredAt = epoch
		return tx.SaveAccount(account)
	})
	if err != nil {
		t.Fatal(err)
	}
	return root.Certificate
}

func (p *port) key() crypto.Signer {
	p.t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

// token makes a registration token and returns it with its text.
func (p *port) token() (satellite.Token, string) {
	p.t.Helper()
	token, text, err := p.service.CreateToken(p.t.Context(), admin, satellite.NewToken{AccountID: p.account.ID})
	if err != nil {
		p.t.Fatal(err)
	}
	return token, text
}

// uses is how often the token was used, and instances how many devices there are.
func (p *port) counts(token satellite.Token) (uses, instances int64) {
	p.t.Helper()
	tokens, err := p.service.Tokens(p.t.Context(), admin, satellite.TokenFilter{AccountID: p.account.ID}, satellite.Page{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, listed := range tokens {
		if listed.ID == token.ID {
			uses = listed.Uses
		}
	}
	instances, err = p.service.CountInstances(p.t.Context(), admin, satellite.InstanceFilter{})
	if err != nil {
		p.t.Fatal(err)
	}
	return uses, instances
}

// device is a new device in a folder of its own that knows the address of the port.
func (p *port) device() *agent.Agent {
	p.t.Helper()
	device, err := agent.Open(agent.Options{
		Folder: filepath.Join(p.t.TempDir(), "state"), Now: now, URL: "https://" + p.address, Bundle: p.bundle,
		Identity: agent.Identity{UDIPID: "ROUTER-1", UDISerialNumber: "SN1", Hostname: "edge"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = device.Close() })
	return device
}

// answer is what came back beside the body.
type answer struct {
	status int
	header http.Header
}

// send makes a request and returns the answer with its body.
func (p *port) send(method, path, contentType string, body io.Reader) (answer, string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, "https://"+p.address+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header}, string(text)
}

// observer notes the codes of the answered messages.
type observer struct {
	mutex sync.Mutex
	codes []string
}

func (o *observer) DeviceMessage(requestType, code string, _ time.Duration) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.codes = append(o.codes, requestType+" "+code)
}

func (o *observer) SyncDone(string, bool) {}

func (o *observer) all() []string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return append([]string(nil), o.codes...)
}
