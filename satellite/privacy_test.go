package satellite_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// leaves is all that a request says: its manifest and its records, decompressed.
func (w *world) leaves(request []byte) string {
	w.Helper()
	var text strings.Builder
	c, err := wire.OpenContainer(bytes.NewReader(request), int64(len(request)), func(wire.Manifest, [][]byte) error { return nil })
	w.must(err)
	fmt.Fprintf(&text, "%+v\n", *c.Manifest.Request)
	w.must(c.Records(func(r wire.Record) error {
		line, err := r.Bytes()
		text.Write(line)
		if r.Kind == wire.RecordReport {
			var report wire.ReportRecord
			w.must(r.Decode(&report))
			text.Write(report.Report)
		}
		return err
	}))
	return strings.ToLower(text.String())
}

func (w *world) setPrivacy(account satellite.AccountID, change satellite.PrivacySettings) satellite.Privacy {
	w.Helper()
	p, err := w.service.SetPrivacy(w.ctx, admin, account, change)
	w.must(err)
	return p
}

// exchangeOf makes a request, lets it be answered, and tells its scope and what it says.
func (w *world) exchangeOf() (wire.Scope, string) {
	w.Helper()
	request := w.request(w.account, false)
	text := w.leaves(request)
	_, err := w.apply(w.up.answer(w.TB, request, nil))
	w.must(err)
	return w.up.manifest.Request.Scope, text
}

// revealing is a world with a device whose private details stand in places
// where nobody expects them.
func revealing(t *testing.T) *world {
	t.Helper()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "192.0.2.77", "")
	w.must(err)
	_, text := w.token(satellite.NewToken{VirtualAccount: "192.0.2.77"})
	d := w.device("SER-0011223344AA")
	d.hostname, d.sudi.MACAddress, d.sudi.UUID, d.sudi.UDIVID = "secret-host", "00:11:22:33:44:aa", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "V42.7"
	d.register(text)
	d.ok(d.authorization("base", 2))
	return w
}

func TestWhatPrivacyLeavesOutStandsNowhereInTheRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		set     satellite.PrivacySettings
		details []string
		omits   string
	}{
		{"host names", satellite.PrivacySettings{Hostname: satellite.PrivacyOn}, []string{"secret-host"}, "hostname"},
		{"IP addresses", satellite.PrivacySettings{IPAddress: satellite.PrivacyOn}, []string{"192.0.2.77"}, "ip_address"},
		{"MAC addresses", satellite.PrivacySettings{MACAddress: satellite.PrivacyOn}, []string{"00:11:22:33:44:aa", "0011223344aa", "00c04fd430c8"}, "mac_address"},
		{"versions", satellite.PrivacySettings{Version: satellite.PrivacyOn}, []string{"v42.7"}, "version"},
		{"everything", satellite.PrivacySettings{Hostname: "on", IPAddress: "on", MACAddress: "on", Version: "on"},
			[]string{"secret-host", "192.0.2.77", "0011223344aa", "00c04fd430c8", "v42.7"}, "hostname ip_address mac_address version"},
	} {
		w := revealing(t)
		_, before := w.exchangeOf()
		for _, detail := range c.details {
			if !strings.Contains(before, detail) {
				t.Fatalf("%s: %q does not leave even without privacy: %s", c.name, detail, before)
			}
		}
		w.setPrivacy(w.account.ID, c.set)
		scope, after := w.exchangeOf()
		if scope != wire.ScopeFull || strings.Join(w.up.manifest.Request.PrivacyOmits, " ") != c.omits {
			t.Errorf("%s: the next request is %s and says to leave out %v", c.name, scope, w.up.manifest.Request.PrivacyOmits)
		}
		for _, detail := range c.details {
			if strings.Contains(after, detail) {
				t.Errorf("%s: %q leaves all the same: %s", c.name, detail, after)
			}
		}
		if len(w.told(wire.RecordDevice)) != 1 || len(w.told(wire.RecordUsage)) != 2 { // the usage is also a row of the default one, that holds the lot
			t.Errorf("%s: the upstream holds %d devices and %d usages", c.name, len(w.told(wire.RecordDevice)), len(w.told(wire.RecordUsage)))
		}
		// From here on changes are enough, and the digests go on agreeing.
		d := w.device("second")
		_, text := w.token(satellite.NewToken{})
		d.register(text)
		if scope, _ := w.exchangeOf(); scope != wire.ScopeStandard {
			t.Errorf("%s: the request after that is %s", c.name, scope)
		}
		w.setPrivacy(w.account.ID, satellite.PrivacySettings{Hostname: "inherit", IPAddress: "inherit", MACAddress: "inherit", Version: "inherit"})
		scope, again := w.exchangeOf()
		for _, detail := range c.details {
			if scope != wire.ScopeFull || !strings.Contains(again, detail) {
				t.Errorf("%s: after it was taken back the request is %s, without %q", c.name, scope, detail)
			}
		}
		w.audit()
	}
}

func TestAnAccountInheritsTheDefaultOfPrivacyOrHasItsOwn(t *testing.T) {
	t.Parallel()
	w := revealing(t)
	w.sync(w.account, false)
	p := w.setPrivacy(0, satellite.PrivacySettings{Hostname: "on", Version: "on"})
	if p.Effective != (satellite.PrivacySettings{Hostname: "on", IPAddress: "off", MACAddress: "off", Version: "on"}) {
		t.Errorf("the default is %v", p.Effective)
	}
	if scope, text := w.exchangeOf(); scope != wire.ScopeFull || strings.Contains(text, "secret-host") || strings.Contains(text, "v42.7") {
		t.Errorf("the default does not hold for the account: %s", text)
	}
	p = w.setPrivacy(w.account.ID, satellite.PrivacySettings{Version: "off"})
	if p.Own != (satellite.PrivacySettings{Hostname: "inherit", IPAddress: "inherit", MACAddress: "inherit", Version: "off"}) ||
		p.Effective != (satellite.PrivacySettings{Hostname: "on", IPAddress: "off", MACAddress: "off", Version: "off"}) {
		t.Errorf("the account has %+v", p)
	}
	if scope, text := w.exchangeOf(); scope != wire.ScopeFull || strings.Contains(text, "secret-host") || !strings.Contains(text, "v42.7") {
		t.Errorf("the account's own does not hold: %s", text)
	}
	// What comes to the same leaves nothing to do, and setting it again is no event.
	w.setPrivacy(w.account.ID, satellite.PrivacySettings{Hostname: "on"})
	if scope, _ := w.exchangeOf(); scope != wire.ScopeStandard {
		t.Errorf("the same in other words makes the request %s", scope)
	}
	w.unchanged("the same again", func() { w.setPrivacy(w.account.ID, satellite.PrivacySettings{Hostname: "on"}) })
	if n := w.events(satellite.EventPrivacyChanged, "Privacy"); n != 3 {
		t.Errorf("%d events tell of it, want 3", n)
	}
	_, err := w.service.SetPrivacy(w.ctx, admin, w.account.ID, satellite.PrivacySettings{Hostname: "maybe"})
	refused(t, err, satellite.KindInvalid, "privacy-switch-invalid")
}

func TestOnlyWhoManagesTheAccountChangesItsPrivacy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	on := satellite.PrivacySettings{Hostname: "on"}
	owner := satellite.Actor{Name: "owner", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: w.account.ID, Role: satellite.RoleAccountAdmin}}}
	operator := satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}
	for _, c := range []struct {
		actor   satellite.Actor
		account satellite.AccountID
		kind    satellite.Kind
	}{
		{owner, 0, satellite.KindForbidden}, {operator, 0, satellite.KindForbidden}, {w.viewer(), w.account.ID, satellite.KindForbidden},
		{satellite.Actor{}, 0, satellite.KindUnauthenticated},
	} {
		if _, err := w.service.SetPrivacy(w.ctx, c.actor, c.account, on); satellite.KindOf(err) != c.kind {
			t.Errorf("%s in account %d: %v", c.actor.Name, c.account, err)
		}
	}
	if _, err := w.service.SetPrivacy(w.ctx, owner, w.account.ID, on); err != nil {
		t.Error(err)
	}
}

// A response to a request from before the change must not pass for one to the
// full request that the change calls for.
func TestAnAnswerFromBeforeTheChangeDoesNotEndTheNeedForAFullRequest(t *testing.T) {
	t.Parallel()
	w := revealing(t)
	w.sync(w.account, false)
	before := w.up.answer(t, w.request(w.account, false), nil)
	w.setPrivacy(w.account.ID, satellite.PrivacySettings{Hostname: "on"})
	lost := w.request(w.account, false)
	if w.up.take(t, lost); w.up.manifest.Request.Scope != wire.ScopeFull {
		t.Fatalf("the request after the change is %s", w.up.manifest.Request.Scope)
	}
	_, err := w.apply(before)
	w.must(err)
	if scope, text := w.exchangeOf(); scope != wire.ScopeFull || strings.Contains(text, "secret-host") {
		t.Errorf("after the old answer the request is %s", scope)
	}
}

func TestUsageReportsStayWhereVersionPrivacyIsAndTheirTotalsGoUp(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	w.setPrivacy(w.account.ID, satellite.PrivacySettings{Version: "on"})
	file := usage(report("A", "base", 1, 1000, 3), report("B", "base", 1, 1000, 4))
	_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
	w.must(err)
	w.exchangeOf()
	if len(w.up.reports) != 0 {
		t.Errorf("%d reports left", len(w.up.reports))
	}
	if record := w.told(wire.RecordUsage)["Default\tbase"]; !strings.Contains(string(record.Value), `"in_use":7`) {
		t.Errorf("the total is %s", record.Value)
	}
	reports, err := w.service.Reports(w.ctx, admin, w.account.ID, satellite.Page{})
	w.must(err)
	if len(reports) != 2 || slices.ContainsFunc(reports, func(r satellite.Report) bool { return r.State != satellite.ReportAcknowledged }) {
		t.Errorf("the reports are %+v", reports)
	}
	if n := w.events(satellite.EventUsageKept, "2 usage reports stay"); n != 1 {
		t.Errorf("%d events tell of it", n)
	}
	// What was acknowledged here does not leave later.
	w.setPrivacy(w.account.ID, satellite.PrivacySettings{Version: "off"})
	w.exchangeOf()
	if len(w.up.reports) != 0 {
		t.Error("a report left that the satellite had acknowledged")
	}
	// Another kind keeps only those reports in which such a detail stands.
	w.setPrivacy(w.account.ID, satellite.PrivacySettings{MACAddress: "on"})
	named := strings.Replace(report("D", "base", 1, 1000, 1), `\"sudi\":{`, `\"sudi\":{\"mac_address\":\"00:11:22:33:44:aa\",`, 1)
	_, err = w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(report("C", "base", 1, 1000, 1), named))
	w.must(err)
	if _, text := w.exchangeOf(); len(w.up.reports) != 1 || strings.Contains(text, "00:11:22:33:44:aa") {
		t.Errorf("%d reports left: %s", len(w.up.reports), text)
	}
	w.audit()
}
