package ssm

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// limited registers a satellite with a new limited account.
func limited(t *testing.T, u *Upstream, c *clock, account, id string) *peer {
	t.Helper()
	if _, err := u.CreateAccount(t.Context(), account, "owner@mail.example", Limited); err != nil {
		t.Fatal(err)
	}
	return inAccount(t, u, c, account, id)
}

// inAccount registers one more satellite with an account.
func inAccount(t *testing.T, u *Upstream, c *clock, account, id string) *peer {
	t.Helper()
	p := newPeer(t, c, u.keys.root, id, "of "+id)
	a, err := u.answerBytes(t.Context(), p.request(wire.ScopeRegistration), AnswerOptions{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	p.apply(a.Body)
	return p
}

// ask makes another request for an upgrade, later than those before.
func (p *peer) ask(name, domain, email string) {
	p.clock.advance(time.Minute)
	p.upgrade = &wire.UpgradeRequest{Name: name, DomainIdentifier: domain, Email: email, RequestedBy: "Anna", RequestedAt: p.clock.now().Add(123456789 * time.Nanosecond)}
}

// settle sends the next request and returns what the response says.
func settle(t *testing.T, u *Upstream, p *peer, records ...wire.Record) *wire.ResponsePart {
	t.Helper()
	return p.apply(answer(t, u, p.request(wire.ScopeStandard, records...)).Body).Response
}

// expect compares a response with the request for an upgrade and what must come of it.
func expect(t *testing.T, p *peer, r *wire.ResponsePart, status wire.UpgradeStatus, kind AccountType, domain, reason string) {
	t.Helper()
	if r.Upgrade == nil {
		t.Fatalf("the response says nothing of the upgrade: %+v", r)
	}
	if r.Upgrade.Status != status || r.Upgrade.DomainIdentifier != p.upgrade.DomainIdentifier || !r.Upgrade.RequestedAt.Equal(p.upgrade.RequestedAt) {
		t.Errorf("the upgrade %+v is answered by %+v, want %s", p.upgrade, r.Upgrade, status)
	}
	if (r.Upgrade.Reason == "") != (reason == "") || !strings.Contains(r.Upgrade.Reason, reason) {
		t.Errorf("the reason is %q, want one about %q", r.Upgrade.Reason, reason)
	}
	if r.AccountType != string(kind) || domain != "" && r.DomainIdentifier != domain {
		t.Errorf("the account is %s %s, want %s %s", r.AccountType, r.DomainIdentifier, kind, domain)
	}
}

// waiting is the one approval that waits to be decided.
func waiting(t *testing.T, u *Upstream) Approval {
	t.Helper()
	list, err := u.Approvals(t.Context())
	if err != nil || len(list) == 0 || list[0].Status != upgradePending || len(list) > 1 && list[1].Status == upgradePending {
		t.Fatalf("not one approval waits: %+v, %v", list, err)
	}
	return list[0]
}

func TestTheDomainOfTheEMailAddressMakesAStandardAccountAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := limited(t, u, c, "Small", "s1")
	if r := settle(t, u, p); r.Upgrade != nil || r.AccountType != "limited" {
		t.Errorf("who never asked is told %+v", r)
	}
	p.ask("Grown AG", "Grown.Example", "anna@gROWN.example")
	request := p.request(wire.ScopeStandard)
	a := answer(t, u, request)
	m := p.apply(a.Body)
	expect(t, p, m.Response, wire.UpgradeApproved, Standard, "grown.example", "")
	if a.Upgrade != "approved" || m.Account.SmartAccount != "Grown AG" {
		t.Errorf("the answer is %+v, for the account %q", a, m.Account.SmartAccount)
	}
	before := state(t, u)
	if again := answer(t, u, request); !again.Repeated || !bytes.Equal(again.Body, a.Body) || state(t, u) != before {
		t.Error("the same request changed something, or got other bytes")
	}
	accounts, err := u.Accounts(t.Context())
	if err != nil || accounts[1].Name != "Grown AG" || accounts[1].Type != Standard || accounts[1].Domain != "grown.example" {
		t.Errorf("the accounts are %+v, %v", accounts, err)
	}

	// The answer lasts, also for who asks no more, and for who asks anew.
	p.upgrade.RequestedAt = p.upgrade.RequestedAt.UTC()
	asked := p.upgrade
	p.upgrade = nil
	r := settle(t, u, p)
	p.upgrade = asked
	expect(t, p, r, wire.UpgradeApproved, Standard, "grown.example", "")
	for _, email := range []string{"anna@grown.example", "anna@another.example"} {
		p.ask("Another", "another.example", email)
		expect(t, p, settle(t, u, p), wire.UpgradeApproved, Standard, "grown.example", "")
		if list, err := u.Approvals(t.Context()); err != nil || list[0].Status != upgradeApproved {
			t.Errorf("the upgrade of a standard account is listed as %+v, %v", list, err)
		}
	}
	if accounts, err := u.Accounts(t.Context()); err != nil || accounts[1].Name != "Grown AG" {
		t.Errorf("the upgrade of a standard account made it %+v, %v", accounts, err)
	}
}

func TestAnotherDomainWaitsForTheAdministrator(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := limited(t, u, c, "Small", "s1")
	p.ask("Grown AG", "grown.example", "anna@mail.example")
	for range 3 { // repeated until it is answered
		r := settle(t, u, p)
		expect(t, p, r, wire.UpgradePending, Limited, "", "")
		if !strings.HasSuffix(r.DomainIdentifier, limitedSuffix) {
			t.Errorf("the pending account has the identifier %s", r.DomainIdentifier)
		}
	}
	first := waiting(t, u)
	if first.Account != "Small" || first.SatelliteID != "s1" || first.LocalAccount != "Plant" || first.Name != "Grown AG" || first.DomainIdentifier != "grown.example" ||
		first.Email != "anna@mail.example" || first.RequestedBy != "Anna" || !first.RequestedAt.Equal(p.upgrade.RequestedAt) {
		t.Errorf("what waits is %+v", first)
	}
	p.ask("Grown AG", "grown-up.example", "anna@mail.example") // takes its place
	expect(t, p, settle(t, u, p), wire.UpgradePending, Limited, "", "")
	second := waiting(t, u)
	if _, err := u.Approve(t.Context(), first.ID); second.ID == first.ID || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("what was replaced by %d is approved: %v", second.ID, err)
	}

	if err := u.Close(); err != nil { // decided by another process
		t.Fatal(err)
	}
	reopened, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	*u = *reopened
	c.advance(time.Hour)
	decided, err := u.Approve(t.Context(), second.ID)
	if err != nil || decided.Status != upgradeApproved || decided.Account != "Grown AG" || !decided.DecidedAt.Equal(c.now()) {
		t.Errorf("approved is %+v, %v", decided, err)
	}
	for range 2 {
		r := p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body)
		expect(t, p, r.Response, wire.UpgradeApproved, Standard, "grown-up.example", "")
		if r.Account.SmartAccount != "Grown AG" {
			t.Errorf("the account is called %q", r.Account.SmartAccount)
		}
	}
	before := state(t, u)
	if _, err := u.Approve(t.Context(), second.ID); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was approved on "+c.now().Format(time.RFC3339)) {
		t.Errorf("approved twice: %v", err)
	}
	if _, err := u.Decline(t.Context(), second.ID, "No."); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was approved") {
		t.Errorf("declined after it was approved: %v", err)
	}
	if _, err := u.Approve(t.Context(), 4711); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("approved what is not there: %v", err)
	}
	if state(t, u) != before {
		t.Error("a refused decision changed something")
	}
}

func TestADeclinedUpgradeSaysWhyAndAnotherMayBeAskedFor(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := limited(t, u, c, "Small", "s1")
	p.ask("Grown AG", "grown.example", "anna@mail.example")
	settle(t, u, p)
	id := waiting(t, u).ID
	for _, bad := range []string{"", " ", "a\nb", strings.Repeat("x", maxReason+1)} {
		if _, err := u.Decline(t.Context(), id, bad); !errors.Is(err, ErrRefused) {
			t.Errorf("declined for %q: %v", bad, err)
		}
	}
	if decided, err := u.Decline(t.Context(), id, "It belongs to another company."); err != nil || decided.Status != upgradeDeclined {
		t.Errorf("declined is %+v, %v", decided, err)
	}
	if _, err := u.Decline(t.Context(), id, "Still."); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "It belongs to another company.") {
		t.Errorf("declined twice: %v", err)
	}
	for range 2 {
		expect(t, p, settle(t, u, p), wire.UpgradeDeclined, Limited, "", "another company")
	}
	p.ask("Grown AG", "mail.example", "anna@mail.example")
	expect(t, p, settle(t, u, p), wire.UpgradeApproved, Standard, "mail.example", "")
}

func TestAnUpgradeThatCannotBeIsDeclinedAtOnceAndTheExchangeGoesOn(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	other := limited(t, u, c, "Neighbor", "s0")
	other.ask("Neighbor", "neighbor.example", "n@neighbor.example")
	settle(t, u, other)
	p := limited(t, u, c, "Small", "s1")
	for _, bad := range []struct{ name, domain, email, says string }{
		{"Grown AG", "Example.COM", "anna@example.com", "Another account has the identifier example.com"},
		{"Grown AG", "NEIGHBOR.example", "anna@mail.example", "Another account has the identifier neighbor.example"},
		{"EXAMPLE gmbh", "grown.example", "anna@grown.example", `Another account has the name "EXAMPLE gmbh"`},
		{"Grown AG", "abc123.SMB", "anna@abc123.smb", "limited"},
		{"Grown AG", "localhost", "anna@localhost", "no domain name"},
		{"Grown AG", "", "anna@grown.example", "no domain name"},
		{"Grown AG", "grown.example.", "anna@grown.example", "no domain name"},
		{"Grown AG", "-grown.example", "anna@grown.example", "no domain name"},
		{"Grown AG", "grown..example", "anna@grown.example", "no domain name"},
		{"Grown AG", "grown example.com", "anna@grown.example", "no domain name"},
		{"Grown AG", "192.168.7.1", "anna@grown.example", "no domain name"},
		{"Grown AG", strings.Repeat("x", 64) + ".example", "anna@grown.example", "no domain name"},
		{"Grown AG", strings.Repeat("x.", 126) + "example", "anna@grown.example", "no domain name"},
		{"Grown AG", "grown.example", "anna", "no e-mail address"},
		{"Grown AG", "grown.example", "Anna <anna@grown.example>", "no e-mail address"},
		{" ", "grown.example", "anna@grown.example", "name"},
		{strings.Repeat("x", maxName+1), "grown.example", "anna@grown.example", "name"},
	} {
		p.ask(bad.name, bad.domain, bad.email)
		expect(t, p, settle(t, u, p), wire.UpgradeDeclined, Limited, "", bad.says)
	}
	// The account keeps its own name in other letters, and the address tells its domain.
	p.ask("SMALL", "xn--grn-hoa.example", "anna@xn--grn-hoa.example")
	expect(t, p, settle(t, u, p), wire.UpgradeApproved, Standard, "xn--grn-hoa.example", "")
}

func TestAnUpgradeOutOfBoundsRefusesTheRequestWhole(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := limited(t, u, c, "Small", "s1")
	before := state(t, u)
	long := strings.Repeat("x", maxUpgradeField+1)
	sequence := p.sequence
	for name, change := range map[string]func(*wire.UpgradeRequest){
		"a long name":         func(r *wire.UpgradeRequest) { r.Name = long },
		"a long identifier":   func(r *wire.UpgradeRequest) { r.DomainIdentifier = long },
		"a long address":      func(r *wire.UpgradeRequest) { r.Email = long },
		"a long requester":    func(r *wire.UpgradeRequest) { r.RequestedBy = long },
		"a name in two lines": func(r *wire.UpgradeRequest) { r.Name = "a\nb" },
		"an escape sequence":  func(r *wire.UpgradeRequest) { r.RequestedBy = "\x1b[2J" },
		"no time":             func(r *wire.UpgradeRequest) { r.RequestedAt = time.Time{} },
	} {
		p.sequence = sequence
		p.ask("Grown AG", "grown.example", "anna@grown.example")
		change(p.upgrade)
		if _, err := u.answerBytes(t.Context(), p.request(wire.ScopeStandard), AnswerOptions{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if state(t, u) != before {
		t.Error("a refused request changed something")
	}
}

func TestOfARequestThatDoesNotFitNoUpgradeIsTaken(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := limited(t, u, c, "Small", "s1")
	p.ask("Grown AG", "grown.example", "anna@grown.example")
	p.device(1) // never sent
	if r := settle(t, u, p); !r.FullRequested || r.Upgrade != nil || r.AccountType != "limited" {
		t.Errorf("a request that does not fit is answered by %+v", r)
	}
	r := p.apply(answer(t, u, p.request(wire.ScopeFull, p.everything()...)).Body)
	expect(t, p, r.Response, wire.UpgradeApproved, Standard, "grown.example", "")
	// Nor of one that is older than the last: a copy of the satellite asks.
	p.ask("Copied AG", "copied.example", "anna@copied.example")
	p.sequence--
	if r := settle(t, u, p); !r.FullRequested || r.DomainIdentifier != "grown.example" {
		t.Errorf("a copy is answered by %+v", r)
	}
}

func TestSatellitesOfOneAccountAreUpgradedTogether(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	first := limited(t, u, c, "Small", "s1")
	second := inAccount(t, u, c, "Small", "s2")
	third := inAccount(t, u, c, "Small", "s3")
	stranger := limited(t, u, c, "Stranger", "s4")
	for i, p := range []*peer{first, second, third, stranger} {
		p.ask(fmt.Sprint("Grown ", i), fmt.Sprintf("grown%d.example", i), "anna@mail.example")
		expect(t, p, settle(t, u, p), wire.UpgradePending, Limited, "", "")
	}
	list, err := u.Approvals(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("%+v wait, %v", list, err)
	}
	if _, err := u.Decline(t.Context(), list[1].ID, "Ask with the other one."); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Approve(t.Context(), list[3].ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{first, second, third} {
		expect(t, p, settle(t, u, p), wire.UpgradeApproved, Standard, "grown0.example", "")
	}
	expect(t, stranger, settle(t, u, stranger), wire.UpgradePending, Limited, "", "")
	if got := waiting(t, u); got.SatelliteID != "s4" {
		t.Errorf("what waits is %+v", got)
	}

	// What became another's meanwhile cannot be approved, and says so.
	if _, err := u.CreateAccount(t.Context(), "Faster", "f@grown3.example", Standard); err != nil {
		t.Fatal(err)
	}
	before := state(t, u)
	if _, err := u.Approve(t.Context(), waiting(t, u).ID); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "grown3.example") || state(t, u) != before {
		t.Errorf("an identifier was given away twice: %v", err)
	}
}

func TestTheAdministratorDecidesUpgradesInThePortal(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	var peers []*peer
	for i := range 2 {
		p := limited(t, u, c, fmt.Sprint("Small ", i), fmt.Sprint("s", i))
		p.ask(fmt.Sprintf("Grown <%d>", i), fmt.Sprintf("grown%d.example", i), "anna@mail.example")
		settle(t, u, p)
		peers = append(peers, p)
	}
	v := visit(t, u)
	if _, path, _ := v.get("/portal/approvals"); path != "/portal/signin" {
		t.Errorf("a stranger came to %s", path)
	}
	if _, path, _ := v.post("/portal/approvals/1", url.Values{"decision": {"approve"}}); path != "/portal/signin" {
		t.Errorf("a stranger decided at %s", path)
	}
	v.post("/portal/setup", url.Values{"code": {v.portal.gate.code}, "email": {"anna@example.com"}, "password": {"a long enough password"}})
	status, _, page := v.get("/portal/approvals")
	if status != http.StatusOK || !strings.Contains(page, "Grown &lt;0&gt;") || !strings.Contains(page, "grown1.example") || strings.Count(page, "Pending") != 2 {
		t.Fatalf("the page shows %d: %s", status, page)
	}
	csrf := token(t, page)
	for name, form := range map[string]url.Values{
		"a forged form":          {"csrf": {"forged"}, "decision": {"approve"}},
		"no reason":              {"csrf": {csrf}, "decision": {"decline"}, "reason": {" "}},
		"neither yes nor no":     {"csrf": {csrf}, "decision": {"perhaps"}},
		"a form without content": {"csrf": {csrf}},
	} {
		if status, _, page := v.post("/portal/approvals/1", form); status != http.StatusUnprocessableEntity || !strings.Contains(page, "nothing was changed") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	for _, id := range []string{"4711", "x"} {
		if status, _, page := v.post("/portal/approvals/"+id, url.Values{"csrf": {csrf}, "decision": {"approve"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "no") {
			t.Errorf("approval %s: %d %s", id, status, page)
		}
	}
	if list, err := u.Approvals(t.Context()); err != nil || list[0].Status != upgradePending || list[1].Status != upgradePending {
		t.Errorf("a refused form decided %+v, %v", list, err)
	}
	if status, path, page := v.post("/portal/approvals/1", url.Values{"csrf": {csrf}, "decision": {"approve"}}); status != http.StatusOK || path != "/portal/approvals" || !strings.Contains(page, "Approved") {
		t.Errorf("approved: %d %s %s", status, path, page)
	}
	if status, _, page := v.post("/portal/approvals/1", url.Values{"csrf": {csrf}, "decision": {"approve"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "was approved on") {
		t.Errorf("approved twice: %d %s", status, page)
	}
	if status, _, page := v.post("/portal/approvals/2", url.Values{"csrf": {csrf}, "decision": {"decline"}, "reason": {"Not yours."}}); status != http.StatusOK || !strings.Contains(page, "Not yours.") {
		t.Errorf("declined: %d %s", status, page)
	}
	expect(t, peers[0], settle(t, u, peers[0]), wire.UpgradeApproved, Standard, "grown0.example", "")
	expect(t, peers[1], settle(t, u, peers[1]), wire.UpgradeDeclined, Limited, "", "Not yours.")
	if _, _, page := v.get("/portal/satellites"); !strings.Contains(page, "not accepted") {
		t.Errorf("the satellites' page does not say that nothing was accepted: %s", page)
	}
}
