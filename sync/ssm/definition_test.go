package ssm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"ssm/satellite/wire"
)

func define(t *testing.T, u *Upstream, c DefinitionChange) Definition {
	t.Helper()
	if c.Name == "" {
		c.Name = "Name of " + c.Tag
	}
	d, err := u.Define(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// under defines a tag below another one.
func under(tag, higher string) DefinitionChange {
	return DefinitionChange{Tag: tag, Name: tag, HigherTier: &higher}
}

func order(t *testing.T, u *Upstream, o Order) {
	t.Helper()
	if o.Name == "" {
		o.Name = "Name of " + o.Tag
	}
	if _, err := u.AddLicense(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func TestASatelliteIsToldWhatItsTagsMeanAndTheWholeHierarchyAroundThem(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	define(t, u, DefinitionChange{Tag: "premier"})
	define(t, u, under("advantage", "premier"))
	define(t, u, under("essentials", "advantage"))
	define(t, u, under("plus", "premier"))
	define(t, u, DefinitionChange{Tag: "elsewhere"})
	define(t, u, under("below elsewhere", "elsewhere"))
	end := c.now().Add(30 * day)
	order(t, u, Order{VirtualAccount: "V", Tag: "advantage", Quantity: 5, End: &end, Number: "PO-1", SubscriptionID: "SUB-7"})
	order(t, u, Order{VirtualAccount: "V", Tag: "trial", Quantity: 1, Type: Evaluation, End: &end})
	order(t, u, Order{VirtualAccount: "W", Tag: "elsewhere", Quantity: 1})

	p := newPeer(t, c, u.keys.root, "s1", "V")
	r := p.apply(answer(t, u, p.request(wire.ScopeRegistration)).Body)
	if want := []string{"premier", "trial", "advantage", "plus", "essentials"}; !slices.Equal(r.tags, want) {
		t.Errorf("the satellite is told of %q, want %q", r.tags, want)
	}
	if got := r.meanings["trial"]; got != (wire.EntitlementRecord{Name: "Name of trial", Type: "evaluation", Enforcement: "unenforced", Billing: "prepaid"}) {
		t.Errorf("the first order of a tag makes it %+v", got)
	}
	lot := r.lots[slices.IndexFunc(r.lots, func(l wire.LotRecord) bool { return l.Tag == "advantage" })]
	if lot.Order != "PO-1" || lot.SubscriptionID != "SUB-7" || lot.Type != "subscription" || !lot.End.Equal(end) {
		t.Errorf("the lot is told as %+v", lot)
	}

	// The next response tells a change; the order after it keeps it.
	description, kind, enforcement, billing, yes := "For every site.", Subscription, ExportControlled, ByUsage, true
	define(t, u, DefinitionChange{Tag: "advantage", Name: "Advantage", Description: &description, Type: &kind, Enforcement: &enforcement,
		Billing: &billing, ReportingOnly: &yes, Overage: &yes})
	order(t, u, Order{VirtualAccount: "V", Tag: "advantage", Name: "Network Advantage", Quantity: 1})
	want := wire.EntitlementRecord{Name: "Network Advantage", Description: description, Type: "subscription", Enforcement: "export-controlled",
		Billing: "usage", ReportingOnly: true, Overage: true, HigherTier: "premier"}
	if got := p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body).meanings["advantage"]; got != want {
		t.Errorf("after the change it is %+v, want %+v", got, want)
	}

	// A lot that has ended takes its tag along.
	c.advance(31 * day)
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body); slices.Contains(r.tags, "trial") || len(r.lots) != 1 {
		t.Errorf("after the end the satellite is told of %q and %+v", r.tags, r.lots)
	}
}

func TestAChangeLeavesWhatItDoesNotNameAndADefinitionOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	define(t, u, DefinitionChange{Tag: "top"})
	enforcement, yes, no, none := Enforced, true, false, ""
	before := define(t, u, DefinitionChange{Tag: " t ", Name: "T", Enforcement: &enforcement, Overage: &yes})
	if before.Tag != "t" || before.Type != Perpetual || before.Billing != Prepaid || before.ReportingOnly || before.HigherTier != "" {
		t.Errorf("a new definition is %+v", before)
	}
	again := define(t, u, DefinitionChange{Tag: "t", Name: "T2"})
	if before.Name = "T2"; again != before {
		t.Errorf("after another name it is %+v, want %+v", again, before)
	}
	define(t, u, under("t", "top"))
	out := define(t, u, DefinitionChange{Tag: "t", Name: "T2", HigherTier: &none, Overage: &no})
	if out.HigherTier != "" || out.Overage || out.Enforcement != Enforced {
		t.Errorf("taken out of the hierarchy it is %+v", out)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	reopened, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	*u = *reopened // closed at the end of the test
	list, err := u.Definitions(t.Context(), "")
	if err != nil || len(list) != 2 || list[0] != out || list[1].Tag != "top" {
		t.Errorf("after a restart the definitions are %+v, %v", list, err)
	}
}

func TestADefinitionThatMakesNoSenseIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	define(t, u, DefinitionChange{Tag: "a"})
	define(t, u, under("b", "a"))
	define(t, u, under("c", "b"))
	if _, err := u.CreateAccount(t.Context(), "Other", "o@other.example", Standard); err != nil {
		t.Fatal(err)
	}
	define(t, u, DefinitionChange{Account: "Other", Tag: "foreign"})
	rent, strict, barter, long := LicenseType("rent"), Enforcement("strict"), Billing("barter"), strings.Repeat("x", maxDescription+1)
	before, err := u.Definitions(t.Context(), "Example GmbH")
	if err != nil {
		t.Fatal(err)
	}
	mixed := Mixed
	for name, refused := range map[string]struct {
		change DefinitionChange
		says   string
	}{
		"no tag":                 {DefinitionChange{Name: "N"}, "tag"},
		"no name":                {DefinitionChange{Tag: "a"}, "name"},
		"a long tag":             {DefinitionChange{Tag: strings.Repeat("x", 256), Name: "N"}, "255"},
		"a tag in two lines":     {DefinitionChange{Tag: "a\nb", Name: "N"}, "control"},
		"a long description":     {DefinitionChange{Tag: "a", Name: "N", Description: &long}, "1000"},
		"an unknown type":        {DefinitionChange{Tag: "a", Name: "N", Type: &rent}, `"rent"`},
		"a type of lists":        {DefinitionChange{Tag: "a", Name: "N", Type: &mixed}, `"mixed"`},
		"an unknown enforcement": {DefinitionChange{Tag: "a", Name: "N", Enforcement: &strict}, `"strict"`},
		"an unknown billing":     {DefinitionChange{Tag: "a", Name: "N", Billing: &barter}, `"barter"`},
		"an unknown tier":        {under("a", "z"), "ssm license define --tag 'z'"},
		"a tier of another":      {under("a", "foreign"), `"foreign"`},
		"its own tier":           {under("a", "a"), "back to itself"},
		"a new tag as its own":   {under("new", "new"), `"new"`},
		"a cycle of two":         {under("a", "b"), "back to itself"},
		"a cycle of three":       {under("a", "c"), "back to itself"},
	} {
		refused.change.Account = "Example GmbH"
		if _, err := u.Define(t.Context(), refused.change); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := u.Definitions(t.Context(), "Example GmbH"); err != nil || !slices.Equal(after, before) {
		t.Errorf("a refused definition left %+v, want %+v (%v)", after, before, err)
	}
	if _, err := u.Define(t.Context(), under("a", "")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--account") {
		t.Errorf("with two accounts none was named: %v", err)
	}
	if _, err := u.Definitions(t.Context(), "Nobody"); !errors.Is(err, ErrRefused) {
		t.Errorf("the definitions of nobody: %v", err)
	}
}

func TestAHierarchyHasSixteenTiersWhereverItGrows(t *testing.T) {
	t.Parallel()
	chain := func(length int) tiers {
		built := tiers{"0": ""}
		for i := 1; i < length; i++ {
			built[fmt.Sprint(i)] = fmt.Sprint(i - 1)
		}
		return built
	}
	whole := chain(maxTiers)
	for name, refused := range map[string]struct{ tag, higher string }{
		"at the bottom": {"new", fmt.Sprint(maxTiers - 1)},
		"at the top":    {"0", "new"},
	} {
		grown := chain(maxTiers)
		grown["new"] = ""
		if err := grown.place(refused.tag, refused.higher); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "more than 16 tiers") {
			t.Errorf("one more %s: %v", name, err)
		}
	}
	shorter := chain(maxTiers - 1)
	shorter["new"] = ""
	if err := shorter.place("0", "new"); err != nil {
		t.Errorf("the sixteenth at the top: %v", err)
	}
	if got := len(shorter.family([]string{"7"})); got != maxTiers {
		t.Errorf("from the middle the hierarchy leads to %d tags", got)
	}
	if err := whole.place("15", "0"); err != nil {
		t.Errorf("from the bottom to below the top: %v", err)
	}
}

func TestWhatIsReservedIsToldBesideWhatIsInUse(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	for _, x := range []struct{ virtual, tag string }{{"Lab", "a"}, {"Plant", "a"}, {"Plant", "b"}} {
		p.set(wire.RecordUsage, x.virtual+"\t"+x.tag, wire.UsageRecord{VirtualAccount: x.virtual, Tag: x.tag, InUse: 2, Reserved: 5})
	}
	p.usage("Plant", "c", 1)
	if r := settle(t, u, p, p.everything()...); r.FullRequested {
		t.Fatal(r.Reason)
	}
	licenses, err := u.Licenses(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range licenses {
		got = append(got, fmt.Sprint(l.Tag, " ", l.InUse, " ", l.Reserved))
	}
	if want := []string{"a 4 10", "b 2 5", "c 1 0"}; !slices.Equal(got, want) {
		t.Errorf("in use and reserved are %q, want %q", got, want)
	}
}

// What a program of before this version left behind.
func TestAnOldDatabaseKeepsItsLicensesAndLearnsWhatTheyMean(t *testing.T) {
	t.Parallel()
	c := newClock()
	u, err := Open(t.Context(), t.TempDir(), "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(u.dir, "ssm.db"+end)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	old, err := connect(filepath.Join(u.dir, "ssm.db"), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := old.DB()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, os.DirFS("migrations/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO accounts VALUES (1, 'Old', 'limited', 'abc123.smb', 'o@mail.example', 'active', '2025-01-01 00:00:00+00:00')`,
		`INSERT INTO virtual_accounts VALUES (1, 1, 'V', '2025-01-01 00:00:00+00:00'), (2, 1, 'W', '2025-01-01 00:00:00+00:00')`,
		`INSERT INTO satellites VALUES (1, 's0', 'a0', 'Plant', 2, x'00', x'00', 3, '2025-01-01 00:00:00+00:00', '2025-04-01 00:00:00+00:00', '2025-01-01 00:00:00+00:00')`,
		`INSERT INTO entitlements VALUES (1, 1, 'bought', 'Bought'), (2, 1, 'rented', 'Rented'), (3, 1, 'both', 'Both'), (4, 1, 'none', 'None')`,
		`INSERT INTO lots VALUES ('l1', 1, 1, 'perpetual', 5, '2025-01-01 00:00:00+00:00', NULL, '2025-01-01 00:00:00+00:00'),
			('l2', 1, 2, 'subscription', 6, '2025-01-01 00:00:00+00:00', '2030-01-01 00:00:00+00:00', '2025-01-01 00:00:00+00:00'),
			('l3', 1, 3, 'subscription', 7, '2025-01-01 00:00:00+00:00', '2030-01-01 00:00:00+00:00', '2025-01-01 00:00:00+00:00'),
			('l4', 1, 3, 'perpetual', 8, '2025-01-01 00:00:00+00:00', NULL, '2025-01-01 00:00:00+00:00')`,
	} {
		if err := old.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}

	if u, err = Open(t.Context(), u.dir, "", c.now); err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	list, err := u.Definitions(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprint(d.Tag, " ", d.Type, " ", d.Enforcement, " ", d.Billing, " ", d.ReportingOnly, d.Overage, d.HigherTier))
	}
	if want := []string{"both perpetual unenforced prepaid false false", "bought perpetual unenforced prepaid false false",
		"none perpetual unenforced prepaid false false", "rented subscription unenforced prepaid false false"}; !slices.Equal(got, want) {
		t.Errorf("the definitions are %q, want %q", got, want)
	}
	licenses, err := u.Licenses(t.Context(), "")
	if err != nil || len(licenses) != 3 || licenses[0].Quantity+licenses[1].Quantity+licenses[2].Quantity != 26 {
		t.Errorf("the licenses are %+v, %v", licenses, err)
	}
	var kept satelliteRow
	if err := u.store.reader.Take(&kept).Error; err != nil || kept.LastSequence != 3 || kept.AgreementAccepted != "" {
		t.Errorf("the satellite is kept as %+v, %v", kept, err)
	}
	p := newPeer(t, c, u.keys.root, "s1", "V")
	m := p.manifest(wire.ScopeRegistration)
	m.Account.SmartAccount = "Old"
	if r := p.apply(answer(t, u, p.pack(m)).Body); len(r.lots) != 4 || r.Response.AgreementVersion != "1" || r.Response.Upgrade != nil {
		t.Errorf("a satellite is told %+v", r)
	}
}
