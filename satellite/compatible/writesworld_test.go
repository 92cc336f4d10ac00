package compatible_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
)

const (
	labPath     = "/accounts/Acme%20東京/virtual-accounts/Lab%201"
	defaultPath = "/accounts/Acme%20東京/virtual-accounts/Default"
	licensing   = "/services/api/smart-accounts-and-licensing"
)

// dumpWrites is the content of every table.
func (w *world) dumpWrites() string {
	w.t.Helper()
	db := must(sql.Open("sqlite3", "file:"+filepath.Join(w.folder, "satellite.db")+"?mode=ro"))(w.t)
	defer func() { _ = db.Close() }()
	var text strings.Builder
	for _, name := range w.rowsOf(db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		table := strings.TrimPrefix(name, " name=")
		fmt.Fprintf(&text, "%s\n%s\n", table, strings.Join(w.rowsOf(db, "SELECT * FROM "+table), "\n"))
	}
	return text.String()
}

func (w *world) rowsOf(db *sql.DB, query string) (lines []string) {
	w.t.Helper()
	rows, err := db.QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns := must(rows.Columns())(w.t)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			w.t.Fatal(err)
		}
		var line strings.Builder
		for i, v := range values {
			fmt.Fprintf(&line, " %s=%v", columns[i], *v.(*any))
		}
		lines = append(lines, line.String())
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// writesNothing does something that must leave every table as it is.
func (w *world) writesNothing(what string, f func()) {
	w.t.Helper()
	before := w.dumpWrites()
	f()
	if before == w.dumpWrites() {
		return
	}
	was := strings.Split(before, "\n")
	for _, line := range strings.Split(w.dumpWrites(), "\n") {
		if !slices.Contains(was, line) {
			w.t.Errorf("%s changed the database: %.300s", what, line)
		}
	}
}

// refusedEach is an error that also says what became of each entry, in the list
// of that name: the one that is named was refused with the words of the whole,
// counted from 1; with 0 all were.
func (w *world) refusedEach(got reply, status int, words, list string, entries, entry int) {
	w.t.Helper()
	w.refused(got, status, words)
	var whole struct{ StatusMessage string }
	var lists map[string]json.RawMessage
	var each []struct{ Status, StatusMessage string }
	if err := json.Unmarshal([]byte(got.body), &whole); err != nil {
		w.t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(got.body), &lists)
	if err := json.Unmarshal(lists[list], &each); err != nil || len(each) != entries {
		w.t.Errorf("%s has %d entries, want %d (%v): %s", list, len(each), entries, err, got.body)
	}
	for i, one := range each {
		culprit := entry == 0 || entry == i+1
		if one.Status != "ERROR" || culprit != (one.StatusMessage == whole.StatusMessage) || !culprit && one.StatusMessage != fmt.Sprintf("This was not done, because number %d of the request was refused.", entry) {
			w.t.Errorf("entry %d says %+v: %s", i+1, one, got.body)
		}
	}
}

// where is the virtual account that a device is in; "" where there is none.
func (w *world) where(serial string) string {
	w.t.Helper()
	details, err := w.service.FindInstance(w.t.Context(), w.actors[administrator], satellite.InstanceQuery{UDIPID: "EX-8500", UDISerialNumber: serial})
	if err != nil && satellite.KindOf(err) != satellite.KindNotFound {
		w.t.Fatal(err)
	}
	return details.VirtualAccount
}

// stock is what a virtual account of tokyo has of a license.
func (w *world) stock(virtual, tag string) satellite.PoolRow {
	w.t.Helper()
	rows := must(w.service.Licenses(w.t.Context(), w.actors[administrator], satellite.PoolFilter{AccountID: w.accounts[tokyo].ID, Tag: tag}))(w.t)
	for _, row := range rows {
		if row.VirtualAccount == virtual {
			return row
		}
	}
	return satellite.PoolRow{}
}

// quietDevice is a device that never talks.
func (w *world) quietDevice(serial string) *agent.Agent {
	w.t.Helper()
	device := must(agent.Open(agent.Options{
		Folder: filepath.Join(w.folder, "quiet-"+serial), Now: clock, Root: certs.EncodePEM(w.upstream.root.Certificate),
		Identity: agent.Identity{UDIPID: "EX-8500", UDISerialNumber: serial},
	}))(w.t)
	w.t.Cleanup(func() { _ = device.Close() })
	return device
}

// withoutAgreement is an account whose agreement nobody has accepted.
func (w *world) withoutAgreement(name string) satellite.Account {
	w.t.Helper()
	ctx, admin := w.t.Context(), w.actors[administrator]
	created := must(w.service.CreateAccount(ctx, admin, satellite.NewAccount{Name: name, Email: "admin@works.example"}))(w.t)
	var request bytes.Buffer
	must(w.service.WriteSyncRequest(ctx, admin, created.ID, false, &request))(w.t)
	response := w.upstream.answer(request.Bytes())
	must(w.service.ApplySyncResponse(ctx, admin, bytes.NewReader(response), int64(len(response)), satellite.SyncOptions{}))(w.t)
	return created
}

// wherever asks with the world, so that the path and the body may come of it.
func wherever(token, path string, body func(*world) string) func(*world) reply {
	return func(w *world) reply { return w.send(token, http.MethodPost, licensing+path, body(w)) }
}

// quoted is a text in JSON.
func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}
