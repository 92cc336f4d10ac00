package ui

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/store"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

// begin is when every story starts.
var begin = time.Date(2026, 11, 23, 9, 40, 0, 0, time.UTC)

// site is a real console on a real service and store, served over TLS.
type site struct {
	t       *testing.T
	service *satellite.Service
	store   *store.Store
	server  *httptest.Server
	keys    *certs.KeyFile
	code    string // of the set-up link
	mutex   sync.Mutex
	now     time.Time
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, now: begin}
	folder := t.TempDir()
	keys, err := certs.LoadKeyFile(filepath.Join(folder, "key"))
	s.must(err)
	s.keys = keys
	s.store, err = store.Open(t.Context(), store.Options{Path: filepath.Join(folder, "satellite.db")})
	s.must(err)
	t.Cleanup(func() { _ = s.store.Close() })
	s.service, err = satellite.New(t.Context(), satellite.Ports{
		Store: s.store, Issuer: testIssuer{keys: keys}, Tokens: auth.NewTokens(), Passwords: quickPasswords{}, Secrets: keys,
		Observer: silent{}, Now: s.clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: folder})
	s.must(err)
	s.code, err = s.service.BeginSetup(t.Context())
	s.must(err)
	root := newRoot(t, "Satellite TLS")
	e := web.New(slog.New(slog.DiscardHandler))
	options := Options{
		Service: s.service, Sessions: auth.NewSessions(s.store, s.clock, time.Hour, 12*time.Hour), Limiter: auth.NewLimiter(s.clock),
		DeviceURL: func() string { return "https://sat-01.tsukishiro.example:8443/SmartTransport" },
		Bundle:    func() []byte { return certs.EncodePEM(root.Certificate) }, ServerNotAfter: func() time.Time { return begin.AddDate(0, 2, 5) },
		Version: "1.4.0", Host: "sat-01.tsukishiro.example",
	}
	Routes(e, options)
	resultPages(e, newConsole(options))
	s.server = httptest.NewUnstartedServer(e)
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) clock() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.now
}

func (s *site) advance(d time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.now = s.now.Add(d)
}

// admin is an actor for preparing data beside the console.
var admin = satellite.Actor{Name: "mika@tsukishiro.example", Role: satellite.RoleSystemAdmin, Source: "local"}

// user makes a user with a role, whom Setup alone cannot make.
func (s *site) user(email, name string, role satellite.Role) satellite.User {
	s.t.Helper()
	user := satellite.User{Email: email, Name: name, Role: role, CreatedAt: s.clock(), PasswordHash: "quick:" + password}
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) (err error) {
		user, err = tx.CreateUser(user)
		return err
	}))
	return user
}

// register makes an account one that the upstream vouches for.
func (s *site) register(account satellite.Account, synced, deadline time.Time) {
	s.t.Helper()
	root := newRoot(s.t, "Example Networks licensing root")
	signerKey, err := certs.NewKey()
	s.must(err)
	sealed, err := testIssuer{keys: s.keys}.seal(signerKey)
	s.must(err)
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		account.UpstreamRegisteredAt = synced
		authority, err := tx.Authority(account.ID)
		if err != nil {
			return err
		}
		if err := s.certify(&authority, account, root, sealed, signerKey.Public()); err != nil {
			return err
		}
		state, err := tx.SyncState(account.ID)
		if err != nil {
			return err
		}
		state.AppliedSequence, state.NextSequence, state.LastSyncAt, state.Deadline = 41, 42, synced, deadline
		return errors.Join(tx.SaveAccount(account), tx.SaveAuthority(authority), tx.SaveSyncState(state),
			tx.CreateSyncRequest(satellite.SyncRequestRow{
				AccountID: account.ID, Sequence: 41, Digest: strings.Repeat("9f3c21a8", 8), Scope: "standard", Records: 1717, CreatedAt: synced.Add(-time.Hour), CreatedBy: admin.Name, AppliedAt: synced,
			}))
	}))
}

// newRoot is a licensing root.
func newRoot(t *testing.T, name string) *certs.Authority {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	root, err := certs.NewRoot(name, key, begin)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// certify gives an account its sub CA and the satellite's signer below it.
func (s *site) certify(a *satellite.Authority, account satellite.Account, root *certs.Authority, sealed []byte, public crypto.PublicKey) error {
	issuer := testIssuer{keys: s.keys}
	key, err := issuer.Key(a.Key)
	if err != nil {
		return err
	}
	request, err := certs.NewSubCARequest(key, "k3v9q2wd-1", account.Name)
	if err != nil {
		return err
	}
	subCA, err := root.IssueSubCA(request, "k3v9q2wd-1", account.Name, begin)
	if err != nil {
		return err
	}
	signer, err := (&certs.Authority{Certificate: subCA, Key: key, Issuers: []*x509.Certificate{root.Certificate}}).IssueSatelliteSigner(s.service.ID(), public, begin)
	if err != nil {
		return err
	}
	a.Chain, a.Root, a.SignerKey, a.SignerCertificate = [][]byte{subCA.Raw}, root.Certificate.Raw, sealed, signer.Raw
	a.SubCANotBefore, a.SubCANotAfter = subCA.NotBefore, subCA.NotAfter
	return nil
}

const password = "correct horse battery"

// quickPasswords are no protection: tests sign in often.
type quickPasswords struct{}

func (quickPasswords) Hash(p string) (string, error)        { return "quick:" + p, nil }
func (quickPasswords) Matches(p, hash string) (bool, error) { return "quick:"+p == hash, nil }
func (silent) DeviceMessage(string, string, time.Duration)  {}
func (silent) SyncDone(string, bool)                        {}

type silent struct{}

// testIssuer has what these stories need of the real one: keys.
type testIssuer struct {
	satellite.Issuer
	keys *certs.KeyFile
}

func (i testIssuer) NewKey() ([]byte, error) {
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	return i.seal(key)
}

func (i testIssuer) seal(key crypto.Signer) ([]byte, error) {
	der, err := certs.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return i.keys.Seal("account-key", der)
}

func (i testIssuer) Signer(a satellite.Authority) (wire.Signer, error) {
	key, err := i.Key(a.SignerKey)
	return wire.Signer{Key: key, Chain: append([][]byte{a.SignerCertificate}, a.Chain...)}, err
}

func (i testIssuer) Key(sealed []byte) (crypto.Signer, error) {
	der, err := i.keys.Open("account-key", sealed)
	if err != nil {
		return nil, err
	}
	return certs.ParseKey(der)
}

func (i testIssuer) AuthorityRequest(key []byte, id, organization string) ([]byte, error) {
	opened, err := i.Key(key)
	if err != nil {
		return nil, err
	}
	return certs.NewSubCARequest(opened, id, organization)
}

func (i testIssuer) ParseRoots(pem []byte) ([]satellite.Root, error) {
	certificates, err := certs.DecodePEM(pem)
	var roots []satellite.Root
	for _, c := range certificates {
		roots = append(roots, satellite.Root{Fingerprint: certs.Fingerprint(c), Name: c.Subject.CommonName, DER: c.Raw, NotAfter: c.NotAfter})
	}
	return roots, err
}

// visitor is a browser without JavaScript.
type visitor struct {
	t      *testing.T
	site   *site
	client *http.Client
	header http.Header
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	s.must(err)
	client := *s.server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{t: s.t, site: s, client: &client, header: http.Header{}}
}

// reply is an answer with its text.
type reply struct {
	*http.Response
	text string
}

func (v *visitor) send(method, path, contentType string, body io.Reader) reply {
	v.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, v.site.server.URL+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	for name, values := range v.header {
		request.Header[name] = values
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{response, string(text)}
}

func (v *visitor) get(path string) reply {
	v.t.Helper()
	return v.send(http.MethodGet, path, "", nil)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of a page's forms.
func (v *visitor) csrf(page string) string {
	v.t.Helper()
	found := csrfField.FindStringSubmatch(v.get(page).text)
	if found == nil {
		v.t.Fatalf("the page %s has no form with a token", page)
	}
	return found[1]
}

// post fills in the form on a page and sends it.
func (v *visitor) post(page, action string, fields map[string]string) reply {
	v.t.Helper()
	values := url.Values{"csrf": {v.csrf(page)}}
	for name, value := range fields {
		values.Set(name, value)
	}
	return v.send(http.MethodPost, action, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// upload sends a file by the form on a page.
func (v *visitor) upload(page, action, name string, content []byte) reply {
	v.t.Helper()
	var body strings.Builder
	boundary := "a-boundary"
	fmt.Fprintf(&body, "--%s\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n%s\r\n", boundary, v.csrf(page))
	fmt.Fprintf(&body, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=%q\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n--%s--\r\n", boundary, name, content, boundary)
	return v.send(http.MethodPost, action, "multipart/form-data; boundary="+boundary, strings.NewReader(body.String()))
}

// expect fails the test unless the answer has the status and holds the texts.
func (r reply) expect(t *testing.T, status int, texts ...string) reply {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s answered %d, not %d:\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, visible(r.text))
	}
	for _, text := range texts {
		if !strings.Contains(r.text, text) {
			t.Errorf("%s %s does not say %q:\n%s", r.Request.Method, r.Request.URL.Path, text, visible(r.text))
		}
	}
	return r
}

// leadsTo fails the test unless the answer sends the browser to a page.
func (r reply) leadsTo(t *testing.T, target string) {
	t.Helper()
	if r.expect(t, http.StatusSeeOther).Header.Get("Location") != target {
		t.Fatalf("%s leads to %s, not %s", r.Request.URL.Path, r.Header.Get("Location"), target)
	}
}

var tags = regexp.MustCompile(`(?s)<(svg|script|style).*?</(svg|script|style)>|<[^>]*>`)

// visible is the text of a page, for messages.
func visible(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}

// signIn is a visitor who is signed in.
func (s *site) signIn(email string) *visitor {
	s.t.Helper()
	v := s.visitor()
	v.post("/sign-in", "/sign-in", map[string]string{"email": email, "password": password}).leadsTo(s.t, "/")
	return v
}

// administrator is signed in as the first user.
func (s *site) administrator() *visitor {
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	return s.signIn(admin.Name)
}

func (s *site) account(name string, limited bool) satellite.Account {
	s.t.Helper()
	account, err := s.service.CreateAccount(s.t.Context(), admin, satellite.NewAccount{Name: name, Email: admin.Name, Limited: limited})
	s.must(err)
	return account
}

// device puts a product instance into a virtual account, with what it holds.
func (s *site) device(account satellite.Account, virtual satellite.VirtualAccount, i int, tag string, count int64) satellite.Instance {
	s.t.Helper()
	places := []string{"edge-r", "camp-sw", "fw-", "wlc-"}
	models := []string{"EN-8500-24", "EN-9300-48", "EN-FW4200", "EN-W9800"}
	now := s.clock()
	instance := satellite.Instance{
		PIID: fmt.Sprintf("5a1c%04x-88e2-4d1c-9a3b-0c2f4e6d8b%02x", i, i%256), AccountID: account.ID, VirtualAccountID: virtual.ID,
		Identity: satellite.Identity{UDIPID: models[i%4], UDISerialNumber: fmt.Sprintf("ENW2305K%03d", i), SoftwareTag: "regid.2026-01.example.networks.OS,1.0_5a1c2f4e-88e2-4d1c-9a3b-0c2f4e6d8b10"},
		Hostname: fmt.Sprintf("osk-%s%03d", places[i%4], i), EquipmentModel: models[i%4], SoftwareVersion: "17.12.4", MACAddress: fmt.Sprintf("02:00:5e:00:01:%02x", i%256),
		RegistrationState: satellite.Registered, RegisteredAt: now.Add(-time.Duration(i) * 26 * time.Hour), CertificateNotAfter: now.AddDate(0, 9, 0),
		Credential: sha256.Sum256(fmt.Append(nil, i)), CertificateSerial: fmt.Sprintf("4f1a%08x", i),
		AuthorizationState: satellite.Authorized, AuthorizationRenewAt: now.AddDate(0, 0, 20), AuthorizationExpiresAt: now.AddDate(0, 0, 80),
		LastContactAt: now.Add(-time.Duration(i*i) * time.Minute), LastAddress: "192.0.2.17",
	}
	switch {
	case tag == "":
		instance.AuthorizationState = satellite.NoLicensesInUse
	case count < 0:
		instance.AuthorizationState, count = satellite.OutOfCompliance, -count
	case i%19 == 7:
		instance.AuthorizationExpiresAt = now.AddDate(0, 0, -3)
	}
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		created, err := tx.CreateInstance(instance)
		if err != nil {
			return err
		}
		instance = created
		if err := tx.SaveCertificate(satellite.Certificate{Fingerprint: instance.Credential, Serial: instance.CertificateSerial, AccountID: account.ID, PIID: instance.PIID, DER: []byte{0x30}, NotBefore: now, NotAfter: instance.CertificateNotAfter, Status: satellite.CertificateActive}); err != nil {
			return err
		}
		if err := tx.Record(satellite.Event{
			At: now, Type: satellite.EventDeviceRegistered, AccountID: account.ID, VirtualAccount: virtual.Name, PIID: instance.PIID, Actor: "device:" + instance.PIID, Source: "192.0.2.17",
			Message: fmt.Sprintf("Device %s (%s, %s) was registered in %q.", instance.Hostname, instance.UDIPID, instance.UDISerialNumber, virtual.Name),
		}); err != nil || tag == "" {
			return err
		}
		license, err := tx.LicenseByTag(account.ID, tag)
		if err != nil {
			return err
		}
		pool, err := tx.Pool(virtual.ID, license.ID)
		if err != nil {
			return err
		}
		pool.AccountID, pool.InUse = account.ID, pool.InUse+count
		if _, err := tx.SavePool(pool); err != nil {
			return err
		}
		return tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, LicenseID: license.ID, VirtualAccountID: virtual.ID, Count: count})
	}))
	return instance
}

// lot is what a virtual account bought of a license.
type lot struct {
	virtual    satellite.VirtualAccount
	tag, name  string
	quantity   int64
	start, end time.Time
	reserved   int64
	moved      int64
}

// buy gives an account its licenses.
func (s *site) buy(account satellite.Account, lots ...lot) {
	s.t.Helper()
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		var all []satellite.Lot
		for i, l := range lots {
			kind := satellite.LicensePerpetual
			if !l.end.IsZero() {
				kind = satellite.LicenseSubscription
			}
			license, err := tx.LicenseByTag(account.ID, l.tag)
			if err != nil {
				if license, err = tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: l.tag, Name: l.name, Type: kind}); err != nil {
					return err
				}
			}
			pool, err := tx.Pool(l.virtual.ID, license.ID)
			if err != nil {
				return err
			}
			one := satellite.Lot{UpstreamID: fmt.Sprintf("SO-104822%02d", i), AccountID: account.ID, VirtualAccountID: l.virtual.ID, LicenseID: license.ID, Type: kind, Quantity: l.quantity, Start: l.start, End: l.end}
			all = append(all, one)
			live, until := satellite.PurchasedAt([]satellite.Lot{one}, s.clock())
			pool.AccountID, pool.Purchased, pool.Reserved = account.ID, pool.Purchased+live, l.reserved
			if !until.IsZero() {
				pool.PurchasedUntil = until
			}
			if l.moved > 0 {
				pool.TransferredIn = l.moved
			} else {
				pool.TransferredOut = -l.moved
			}
			if _, err := tx.SavePool(pool); err != nil {
				return err
			}
		}
		return tx.ReplaceLots(account.ID, all)
	}))
}

func pemOf(a *certs.Authority) []byte { return certs.EncodePEM(a.Certificate) }
