package satellite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/sync/scheduler"
)

// world is a satellite on real SQLite with real keys, a clock that the story
// sets, and an upstream that signs under its own root.
type world struct {
	testing.TB
	ctx     context.Context
	clock   *clock
	path    string
	store   *store.Store
	wrap    func(satellite.Store) satellite.Store // what the service sees of the store
	service *satellite.Service
	up      *upstream
	account satellite.Account
	options satellite.Options
	online  *lineToUpstream
}

type clock struct {
	mutex   sync.Mutex
	now     time.Time
	elapsed time.Duration // what no change of the clock moves
}

func (c *clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

func (c *clock) Monotonic() time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.elapsed
}

// advance lets time pass in which the satellite runs.
func (c *clock) advance(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.now, c.elapsed = c.now.Add(d), c.elapsed+d
}

// step sets the clock. While no satellite runs, that is the time that passes.
func (c *clock) step(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.now = c.now.Add(d)
}

// nobody listens to what is observed.
type nobody struct{}

func (nobody) DeviceMessage(string, string, time.Duration) {}
func (nobody) SyncDone(string, bool)                       {}

// twice runs every update a first time and rolls it back, as a batch does whose
// neighbor failed: each use case of these tests must not notice.
type twice struct{ satellite.Store }

var errRolledBack = errors.New("rolled back")

func (s twice) Update(ctx context.Context, f func(satellite.Tx) error) error {
	_ = s.Store.Update(ctx, func(tx satellite.Tx) error { return errors.Join(errRolledBack, f(tx)) })
	return s.Store.Update(ctx, f)
}

const day = 24 * time.Hour

var (
	admin = satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin, Source: "local"}
	// begin has nanoseconds, which no database keeps.
	begin = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
)

// newWorld has one account, "Plant", which is not registered upstream yet.
func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, func(s satellite.Store) satellite.Store { return twice{s} })
}

// newWorldOn is newWorld with a choice of what stands before the store.
func newWorldOn(t testing.TB, wrap func(satellite.Store) satellite.Store) *world {
	t.Helper()
	w := &world{TB: t, ctx: context.Background(), clock: &clock{now: begin}, path: filepath.Join(t.TempDir(), "satellite.db"), wrap: wrap}
	w.up = newUpstream(t, "Test Root", w.clock)
	w.online = &lineToUpstream{up: w.up}
	w.open()
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.account = w.newAccount(satellite.NewAccount{Name: "Plant", Email: "admin@plant.example"})
	return w
}

// open starts a service on the world's folder.
func (w *world) open() {
	w.Helper()
	folder := filepath.Dir(w.path)
	w.options.TemporaryFolder = folder
	keys, err := certs.LoadKeyFile(filepath.Join(folder, "key"))
	w.must(err)
	w.store, err = store.Open(w.ctx, store.Options{Path: w.path})
	w.must(err)
	w.service, err = satellite.New(w.ctx, satellite.Ports{
		Store: w.wrap(w.store), Issuer: issuer.New(keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(2), Secrets: keys, Observer: nobody{},
		Upstream: w.online, Timetable: scheduler.Next, Now: w.clock.Now, Monotonic: w.clock.Monotonic, Random: rand.Reader,
	}, w.options)
	w.must(err)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) newAccount(n satellite.NewAccount) satellite.Account {
	w.Helper()
	account, err := w.service.CreateAccount(w.ctx, admin, n)
	w.must(err)
	return account
}

// registered is newWorld with the account registered upstream and lots in it.
func registered(t testing.TB, lots ...lot) *world {
	t.Helper()
	w := newWorld(t)
	w.trust()
	w.up.lots[w.external(w.account)] = lots
	w.sync(w.account, false)
	return w
}

func (w *world) trust() {
	w.Helper()
	_, err := w.service.TrustRoots(w.ctx, admin, certs.EncodePEM(w.up.root.Certificate))
	w.must(err)
}

func (w *world) external(a satellite.Account) string {
	return fmt.Sprintf("%s-%d", w.service.ID(), a.ID)
}

// request writes a sync request.
func (w *world) request(account satellite.Account, full bool) []byte {
	w.Helper()
	var file bytes.Buffer
	_, err := w.service.WriteSyncRequest(w.ctx, admin, account.ID, full, &file)
	w.must(err)
	return file.Bytes()
}

func (w *world) apply(response []byte) (satellite.SyncResult, error) {
	return w.service.ApplySyncResponse(w.ctx, admin, bytes.NewReader(response), int64(len(response)), satellite.SyncOptions{})
}

// sync is one exchange by file.
func (w *world) sync(account satellite.Account, full bool) satellite.SyncResult {
	w.Helper()
	result, err := w.apply(w.up.answer(w.TB, w.request(account, full), nil))
	w.must(err)
	return result
}

func (w *world) token(n satellite.NewToken) (satellite.Token, string) {
	w.Helper()
	if n.AccountID == 0 {
		n.AccountID = w.account.ID
	}
	if n.AcceptAgreement == "" {
		agreement, err := w.service.Agreement(w.ctx, admin, n.AccountID)
		w.must(err)
		n.AcceptAgreement = agreement.Current.Version
	}
	token, text, err := w.service.CreateToken(w.ctx, admin, n)
	w.must(err)
	return token, text
}

// viewer is somebody who sees the world's account, and may change nothing.
func (w *world) viewer() satellite.Actor {
	return satellite.Actor{Name: "viewer", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: w.account.ID, Role: satellite.RoleAccountViewer}}}
}

// pool is the row of one tag in the default virtual account of the world's account.
func (w *world) pool(tag string) satellite.PoolRow {
	w.Helper()
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID, Tag: tag})
	w.must(err)
	if len(rows) != 1 {
		w.Fatalf("there are %d rows of %s", len(rows), tag)
	}
	return rows[0]
}

// pass lets time pass as it does where the satellite runs: it renews its
// signers, and what it holds of them in memory is read anew.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for ; d > 60*day; d -= 60 * day {
		w.clock.advance(60 * day)
		w.must(w.service.RenewSigners(w.ctx, w.service.Now()))
	}
	w.clock.advance(d)
	w.must(w.service.RenewSigners(w.ctx, w.service.Now()))
}

// dump is the content of every table.
func (w *world) dump() string {
	w.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path+"?mode=ro")
	w.must(err)
	defer func() { _ = db.Close() }()
	var text strings.Builder
	for _, name := range w.rows(db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		table := strings.TrimPrefix(name, " name=")
		lines := w.rows(db, "SELECT * FROM "+table)
		fmt.Fprintf(&text, "%s (%d)\n%s\n", table, len(lines), strings.Join(lines, "\n"))
	}
	return text.String()
}

// rows are the rows of a query as text, sorted.
func (w *world) rows(db *sql.DB, query string) (lines []string) {
	w.Helper()
	rows, err := db.QueryContext(w.ctx, query)
	w.must(err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	w.must(err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		w.must(rows.Scan(values...))
		var line strings.Builder
		for i, v := range values {
			fmt.Fprintf(&line, " %s=%v", columns[i], *v.(*any))
		}
		lines = append(lines, line.String())
	}
	w.must(rows.Err())
	slices.Sort(lines)
	return lines
}

// unchanged runs f and reports every line of the database that differs after it.
func (w *world) unchanged(what string, f func()) {
	w.Helper()
	before := w.dump()
	f()
	if after := w.dump(); before != after {
		was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
		for _, line := range is {
			if !slices.Contains(was, line) {
				w.Errorf("%s changed the database: %.400s", what, line)
			}
		}
		if len(is) < len(was) {
			w.Errorf("%s removed %d lines from the database", what, len(was)-len(is))
		}
	}
}

// audit holds the laws that must be true at any time.
func (w *world) audit() {
	w.Helper()
	result, err := w.service.VerifyEvents(w.ctx)
	w.must(err)
	if result.Problem != "" {
		w.Error(result.Problem)
	}
}

// refused judges an error: its kind, its code, and that it tells what was left as it was and what to do.
func refused(t testing.TB, err error, kind satellite.Kind, code string, words ...string) {
	t.Helper()
	if err == nil || satellite.KindOf(err) != kind || satellite.CodeOf(err) != code {
		t.Errorf("got %v (%s, %s), want %s, %s", err, satellite.KindOf(err), satellite.CodeOf(err), kind, code)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal does not say %q: %v", word, err)
		}
	}
}
