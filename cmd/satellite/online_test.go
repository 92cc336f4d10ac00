package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/telemetry"
	"ssm/satellite/wire"
	"ssm/sync/ssm"
	"ssm/sync/upstream"
)

// onlineClock is the one clock of both sides.
type onlineClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *onlineClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *onlineClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// onlineWorld is a satellite and an upstream in one process, each on its own
// folder, with TLS between them and a proxy in the middle that may do its worst.
type onlineWorld struct {
	*testing.T
	clock   *onlineClock
	random  *mathrand.Rand
	folder  string // of the satellite
	up      *ssm.Upstream
	vendor  string // folder of the upstream
	ready   ssm.Ready
	proxy   *badProxy
	keys    *certs.KeyFile
	store   *store.Store
	service *satellite.Service
	account satellite.Account
	reports int
}

func newOnlineWorld(t *testing.T, seed uint64) *onlineWorld {
	t.Helper()
	w := &onlineWorld{T: t, clock: &onlineClock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, random: mathrand.New(mathrand.NewPCG(seed, 1)), folder: t.TempDir(), vendor: t.TempDir()}
	var err error
	w.up, err = ssm.Open(t.Context(), w.vendor, "", w.clock.now)
	w.must(err)
	_, err = w.up.CreateAccount(t.Context(), "Plant", "anna@plant.example", ssm.Standard)
	w.must(err)
	ready, ended := make(chan ssm.Ready, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- w.up.Serve(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler), func(r ssm.Ready) error { ready <- r; return nil })
	}()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, w.up.Close()); err != nil {
			t.Error(err)
		}
	})
	w.keys, err = certs.LoadKeyFile(filepath.Join(w.folder, "key"))
	w.must(err)
	w.ready = <-ready
	w.store, err = store.Open(t.Context(), store.Options{Path: filepath.Join(w.folder, databaseFile)})
	w.must(err)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.start()
	root := filepath.Join(w.folder, "root.pem")
	_, err = w.up.WriteRoot(root)
	w.must(err)
	text, err := os.ReadFile(root)
	w.must(err)
	_, err = w.service.TrustRoots(t.Context(), onlineAdmin, text)
	w.must(err)
	w.connect(seed)
	w.account, err = w.service.CreateAccount(t.Context(), onlineAdmin, satellite.NewAccount{Name: "Plant", Email: "anna@plant.example"})
	w.must(err)
	return w
}

// connect puts a new proxy between both, under a certificate that is good now.
func (w *onlineWorld) connect(seed uint64) {
	w.Helper()
	w.proxy = w.newBadProxy(w.ready, seed)
	_, err := w.service.SetUpstream(w.Context(), onlineAdmin, satellite.UpstreamSettings{URL: w.proxy.server.URL, CA: w.proxy.issuer, Proxy: []byte(upstream.Direct)})
	w.must(err)
}

var onlineAdmin = satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin, Source: "local"}

func (w *onlineWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// start starts the satellite, as after a crash.
func (w *onlineWorld) start() {
	w.Helper()
	line := carrier{now: w.clock.now, random: func() float64 { return 0.5 }, change: func(o *upstream.Options) {
		o.Piece, o.Patience = 1500, time.Minute
		o.Wait = func(ctx context.Context, _ time.Duration) error {
			select {
			case <-time.After(5 * time.Millisecond): // so that it does not ask without a pause
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}}
	var err error
	w.service, err = satellite.New(w.Context(), satellite.Ports{
		Store: w.store, Issuer: issuer.New(w.keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: w.keys, Observer: telemetry.NewMetrics(),
		Upstream: line, Now: w.clock.now, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: w.folder})
	w.must(err)
}

func (w *onlineWorld) synchronize(ctx context.Context, options satellite.SyncOptions) (satellite.SyncResult, error) {
	w.clock.advance(time.Minute)
	return w.service.Synchronize(ctx, onlineAdmin, w.account.ID, options, func(satellite.SyncProgress) {})
}

// change does something that goes upstream.
func (w *onlineWorld) change(step int) {
	w.Helper()
	ctx := w.Context()
	w.clock.advance(time.Minute)
	switch w.random.IntN(4) {
	case 0, 1:
		text, err := os.ReadFile("testdata/report-c9800.xml")
		w.must(err)
		_, err = w.service.ImportUsage(ctx, onlineAdmin, w.account.ID, bytes.ReplaceAll(text, []byte("9NTUEA8FIIH"), fmt.Appendf(nil, "SERIAL%05d", step)))
		w.must(err)
		w.reports++
	case 2:
		agreement, err := w.service.Agreement(ctx, onlineAdmin, w.account.ID)
		w.must(err)
		_, _, err = w.service.CreateToken(ctx, onlineAdmin, satellite.NewToken{AccountID: w.account.ID, AcceptAgreement: agreement.Current.Version})
		w.must(err)
	case 3:
		list, err := w.service.Instances(ctx, onlineAdmin, satellite.InstanceFilter{AccountID: w.account.ID}, satellite.Page{Limit: 1})
		w.must(err)
		for _, instance := range list {
			w.must(w.service.RemoveInstance(ctx, onlineAdmin, instance.PIID))
		}
	}
}

// equal compares both sides: the digests, and what they mean.
func (w *onlineWorld) equal() {
	w.Helper()
	statuses, err := w.service.SyncStatuses(w.Context(), onlineAdmin)
	w.must(err)
	for kind, held := range w.held() {
		if own := statuses[0].State.Digests[kind]; own.String() != held {
			w.Errorf("the upstream's digest of every %s is %s, the satellite's %s", kind, held, own)
		}
	}
	satellites, err := w.up.Satellites(w.Context())
	w.must(err)
	if len(satellites) != 1 {
		w.Fatalf("upstream there are %d satellites", len(satellites))
	}
	devices, err := w.service.CountInstances(w.Context(), onlineAdmin, satellite.InstanceFilter{AccountID: w.account.ID})
	w.must(err)
	if s := satellites[0]; s.Devices != devices || s.Reports != int64(w.reports) || s.VirtualAccount != "Satellite" {
		w.Errorf("upstream there are %d devices and %d reports in %s, here %d and %d", s.Devices, s.Reports, s.VirtualAccount, devices, w.reports)
	}
	rows, err := w.service.Licenses(w.Context(), onlineAdmin, satellite.PoolFilter{AccountID: w.account.ID})
	w.must(err)
	here, there := map[string]int64{}, map[string]int64{}
	for _, row := range rows {
		here[row.License.Tag] += row.InUse
	}
	licenses, err := w.up.Licenses(w.Context(), "Plant")
	w.must(err)
	for _, license := range licenses {
		there[license.Tag] += license.InUse
	}
	for tag, inUse := range here {
		if there[tag] != inUse {
			w.Errorf("of %s %d are in use here, upstream %d", tag, inUse, there[tag])
		}
	}
	audit, err := w.service.VerifyEvents(w.Context())
	w.must(err)
	if audit.Problem != "" {
		w.Error(audit.Problem)
	}
}

// held are the upstream's digests, as they stand in its database.
func (w *onlineWorld) held() map[wire.RecordKind]string {
	w.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.vendor, "ssm.db")+"?mode=ro")
	w.must(err)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(w.Context(), `SELECT kind, digest FROM states`)
	w.must(err)
	defer func() { _ = rows.Close() }()
	held := map[wire.RecordKind]string{}
	for rows.Next() {
		var kind string
		var digest []byte
		w.must(rows.Scan(&kind, &digest))
		held[wire.RecordKind(kind)] = fmt.Sprintf("%x", digest)
	}
	w.must(rows.Err())
	if len(held) == 0 {
		w.Error("the upstream holds nothing")
	}
	return held
}

// What the proxy does costs attempts and time, and nothing else: after the next
// good exchange both sides are equal, and nothing was counted twice.
func TestABadLineLosesNothingAndCountsNothingTwice(t *testing.T) {
	t.Parallel()
	seeds := 4
	if testing.Short() {
		seeds = 1
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newOnlineWorld(t, seed)
			code, err := w.up.CreateRegistrationCode(t.Context(), "Plant", "", 0)
			w.must(err)
			w.proxy.set(true, nil)
			for tries := 0; !w.registered(); tries++ {
				_, err := w.synchronize(t.Context(), satellite.SyncOptions{Code: code.Code})
				w.excused(err)
				if tries > 50 {
					t.Fatalf("after %d tries it is not registered: %v", tries, err)
				}
			}
			kills := 0
			for step := range 60 {
				w.change(step)
				switch action := w.random.IntN(6); action {
				case 0, 1:
					w.proxy.set(true, nil)
					_, err := w.synchronize(t.Context(), satellite.SyncOptions{Full: w.random.IntN(5) == 0})
					w.excused(err)
				case 2:
					// The satellite is killed at some call, and starts again.
					ctx, kill := context.WithCancel(t.Context())
					deadly := 1 + w.random.IntN(12)
					w.proxy.set(w.random.IntN(2) == 0, func(n int) {
						if n == deadly {
							kill()
						}
					})
					_, err := w.synchronize(ctx, satellite.SyncOptions{})
					if errors.Is(err, context.Canceled) {
						kills++
					} else {
						w.excused(err)
					}
					kill()
					w.start()
				case 3:
					w.good()
				}
			}
			w.good()
			w.proxy.mu.Lock()
			defer w.proxy.mu.Unlock()
			if len(w.proxy.faults) < 8 || kills == 0 {
				t.Errorf("the proxy did only %v, and %d times it was killed", w.proxy.faults, kills)
			}
		})
	}
}

func (w *onlineWorld) registered() bool {
	w.Helper()
	account, err := w.service.FindAccount(w.Context(), onlineAdmin, "Plant")
	w.must(err)
	return account.Registered()
}

// good is an exchange over a good line.
func (w *onlineWorld) good() {
	w.Helper()
	w.proxy.set(false, nil)
	result, err := w.synchronize(w.Context(), satellite.SyncOptions{})
	if err != nil || result.FullRequested {
		w.Fatalf("a good exchange ended with %+v (%v)", result, err)
	}
	w.equal()
}

// excused lets pass what a bad line may cause: no answer in time, and nothing else.
func (w *onlineWorld) excused(err error) {
	w.Helper()
	if err != nil && satellite.KindOf(err) != satellite.KindUnavailable {
		w.Errorf("a bad line caused %v", err)
	}
}

// An answer that was made and never arrived: the next request says all of it
// again, and the code that was used up by it is still good for this account.
func TestAKillBetweenUploadAndAnswerLosesNothing(t *testing.T) {
	t.Parallel()
	w := newOnlineWorld(t, 1)
	code, err := w.up.CreateRegistrationCode(t.Context(), "Plant", "", 0)
	w.must(err)
	sent := 0
	for n := 1; ; n++ {
		ctx, kill := context.WithCancel(t.Context())
		w.proxy.set(false, func(call int) {
			if call == n {
				kill()
			}
		})
		_, err := w.synchronize(ctx, satellite.SyncOptions{Code: code.Code})
		kill()
		w.start()
		if err == nil {
			break
		}
		sent++
		if !errors.Is(err, context.Canceled) || n > 500 {
			t.Fatalf("killed at call %d it ended with %v", n, err)
		}
		history, err := w.service.SyncHistory(t.Context(), onlineAdmin, w.account.ID, satellite.Page{})
		if err != nil || len(history) != sent || history[0].Outcome != satellite.ExchangeFailed || !strings.Contains(history[0].Reason, "interrupted") {
			t.Errorf("killed at call %d the history is %+v (%v)", n, history, err)
		}
	}
	if sent < 5 {
		t.Errorf("it was killed only %d times", sent)
	}
	w.good()
	if satellites, err := w.up.Satellites(t.Context()); err != nil || len(satellites) != 1 {
		t.Errorf("upstream there are %+v (%v)", satellites, err)
	}
}

// What comes back is judged like a file: zeros are none.
func TestAnUpstreamOfZerosIsRefused(t *testing.T) {
	t.Parallel()
	w := newOnlineWorld(t, 1)
	code, err := w.up.CreateRegistrationCode(t.Context(), "Plant", "", 0)
	w.must(err)
	_, err = w.synchronize(t.Context(), satellite.SyncOptions{Code: code.Code})
	w.must(err)
	w.proxy.set(false, nil)
	w.proxy.zeros = 64 << 20
	_, err = w.synchronize(t.Context(), satellite.SyncOptions{})
	if satellite.KindOf(err) != satellite.KindInvalid || !strings.Contains(err.Error(), "Nothing was changed") {
		t.Errorf("it ended with %v", err)
	}
	w.proxy.zeros = 0
	w.good()
}

// Law 9, over the network: after years without an exchange one of them brings the
// account back, without a code and with nothing lost.
func TestLaw9OverTheNetworkAnAccountComesBackAfterItsCertificateHasEnded(t *testing.T) {
	t.Parallel()
	w := newOnlineWorld(t, 1)
	code, err := w.up.CreateRegistrationCode(t.Context(), "Plant", "", 0)
	w.must(err)
	_, err = w.synchronize(t.Context(), satellite.SyncOptions{Code: code.Code})
	w.must(err)
	for step := range 5 {
		w.change(step)
	}
	w.good()
	w.clock.advance(3 * 365 * 24 * time.Hour) // the program was off
	w.start()
	w.connect(2)
	_, err = w.service.ConfirmClock(t.Context(), onlineAdmin)
	w.must(err)
	w.change(5)
	result, err := w.synchronize(t.Context(), satellite.SyncOptions{})
	if err != nil || result.FullRequested || result.Recovered != 0 {
		t.Fatalf("it came back with %+v (%v)", result, err)
	}
	history, err := w.service.SyncHistory(t.Context(), onlineAdmin, w.account.ID, satellite.Page{})
	if err != nil || history[0].Scope != wire.ScopeRegistration || history[0].Outcome != satellite.ExchangeApplied {
		t.Errorf("the history begins with %+v (%v)", history[0], err)
	}
	w.equal()
	w.change(6)
	w.good()
}
