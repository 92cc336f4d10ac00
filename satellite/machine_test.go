package satellite_test

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// randomly makes failures of a world those of the run that rapid shrinks.
type randomly struct {
	testing.TB
	run *rapid.T
}

func (r randomly) Helper()                      {}
func (r randomly) Error(args ...any)            { r.run.Error(args...) }
func (r randomly) Errorf(f string, args ...any) { r.run.Errorf(f, args...) }
func (r randomly) Fatal(args ...any)            { r.run.Fatal(args...) }
func (r randomly) Fatalf(f string, args ...any) { r.run.Fatalf(f, args...) }

// meanings of the tags of the machine: two families, and every mode.
var meanings = map[string]wire.EntitlementRecord{
	"mid": {HigherTier: "top"}, "low": {HigherTier: "mid"}, "side": {HigherTier: "top", Enforcement: "enforced"},
	"fixed": {Enforcement: "enforced"}, "export": {Enforcement: "export-controlled", HigherTier: "fixed"},
	"over": {Overage: true}, "report": {ReportingOnly: true}, "plain": {},
}

var tags = slices.Sorted(maps.Keys(func() map[string]bool {
	all := map[string]bool{"top": true}
	for tag := range meanings {
		all[tag] = true
	}
	return all
}()))

// machine is a world on which random operations are carried out.
type machine struct {
	*world
	r       *rapid.T
	devices []*device
	places  []string
	lots    int

	reserved []kept
}

func newMachine(tb testing.TB, r *rapid.T) *machine {
	tb.Helper()
	w := licensed(tb, maps.Clone(meanings), lot{tag: "top", quantity: 9}, lot{tag: "fixed", quantity: 4}, lot{tag: "low", quantity: 1}, lot{tag: "mid", quantity: 0},
		lot{tag: "side", quantity: 0}, lot{tag: "export", quantity: 1}, lot{tag: "over", quantity: 1}, lot{tag: "report", quantity: 1}, lot{tag: "plain", quantity: 2})
	w.part("Lab")
	w.TB = randomly{tb, r}
	m := &machine{world: w, r: r, places: []string{"Default", "Lab"}, lots: 100}
	for n := range 4 {
		m.devices = append(m.devices, m.in(m.places[n%2], fmt.Sprint("D", n)))
	}
	return m
}

func (m *machine) device() *device {
	return m.devices[rapid.IntRange(0, len(m.devices)-1).Draw(m.r, "device")]
}
func (m *machine) tag() string { return rapid.SampledFrom(tags).Draw(m.r, "tag") }

// authorize asks for random counts of one to three tags.
func (m *machine) authorize(*rapid.T) {
	d := m.device()
	var counts []any
	for range rapid.IntRange(1, 3).Draw(m.r, "tags") {
		if tag := m.tag(); !slices.Contains(counts, any(tag)) {
			counts = append(counts, tag, rapid.IntRange(0, 6).Draw(m.r, "count"))
		}
	}
	reply := d.ok(d.authorization(counts...))
	for _, l := range reply.Data.Licenses {
		if l.Count < l.Requested && (l.Mode == wire.ModeOverage || l.Reason == "") || l.Count == 0 && l.Mode != wire.ModeDisabled {
			m.Errorf("the device is told %+v", l)
		}
	}
}

// replace removes a device, or lets it deregister, and registers another one.
func (m *machine) replace(*rapid.T) {
	i := rapid.IntRange(0, len(m.devices)-1).Draw(m.r, "device")
	d := m.devices[i]
	if rapid.Bool().Draw(m.r, "by itself") {
		d.ok(d.message(wire.Deregistration, wire.RequestData{}))
	} else {
		// Nobody removes a device that holds what is export-controlled.
		d.ok(d.authorization("export", 0))
		m.must(m.service.RemoveInstance(m.ctx, admin, d.piid))
	}
	m.lots++
	m.devices[i] = m.in(rapid.SampledFrom(m.places).Draw(m.r, "place"), fmt.Sprint("D", m.lots))
}

// purchase changes what the upstream says: lots that come, go, shrink and change
// their dates, and now and then what a tag means.
func (m *machine) purchase(*rapid.T) {
	account := m.external(m.account)
	lots := slices.Clone(m.up.lots[account])
	for i := range lots {
		if lots[i].id == "" {
			lots[i].id = fmt.Sprint("lot-", i)
		}
	}
	i := rapid.IntRange(0, len(lots)-1).Draw(m.r, "lot")
	switch rapid.IntRange(0, 4).Draw(m.r, "change") {
	case 0:
		lots[i].quantity = int64(rapid.IntRange(0, 8).Draw(m.r, "quantity"))
	case 1:
		if len(lots) > 1 {
			lots = slices.Delete(lots, i, i+1)
		}
	case 2:
		lots[i].end = m.clock.Now().Add(time.Duration(rapid.IntRange(-1, 60).Draw(m.r, "days")) * day)
	case 3:
		meaning := meanings[lots[i].tag]
		meaning.Overage = rapid.Bool().Draw(m.r, "overage")
		m.up.entitlements[lots[i].tag] = meaning
	default:
		m.lots++
		lots = append(lots, lot{
			id: fmt.Sprint("lot-", m.lots), tag: m.tag(), quantity: int64(rapid.IntRange(1, 8).Draw(m.r, "quantity")),
			start: m.clock.Now().Add(time.Duration(rapid.IntRange(-5, 5).Draw(m.r, "start")) * day),
			end:   m.clock.Now().Add(time.Duration(rapid.IntRange(6, 60).Draw(m.r, "days")) * day),
		})
	}
	m.buy(lots...)
}

// transfer moves some to the other virtual account; more than there is to spare is refused.
func (m *machine) transfer(*rapid.T) {
	from := rapid.IntRange(0, 1).Draw(m.r, "from")
	err := m.move(m.tag(), m.places[from], m.places[1-from], int64(rapid.IntRange(1, 4).Draw(m.r, "quantity")))
	if err != nil && satellite.CodeOf(err) != "license-surplus-too-small" {
		m.Error(err)
	}
}

func (m *machine) passTime(*rapid.T) {
	m.pass(time.Duration(rapid.IntRange(1, 200).Draw(m.r, "hours")) * time.Hour)
}

// counted is a pool as an independent reading of raw rows makes it.
type counted struct {
	place, tag                          string
	purchased, in, out, used            int64
	short                               bool
	enforced, reporting, overage, found bool
	higher                              string
	lent, borrowed, reserved            int64
}

func (c *counted) balance() int64 {
	return c.purchased + c.in - c.out - c.reserved - c.used - c.lent + c.borrowed
}

// recount reads the raw rows, and lends one license at a time.
func (m *machine) recount() map[string]*counted {
	m.Helper()
	db, err := sql.Open("sqlite3", "file:"+m.path+"?mode=ro")
	m.must(err)
	defer func() { _ = db.Close() }()
	now := m.service.Now().UnixMicro()
	pools := map[string]*counted{}
	read := func(query string, each func(place, tag string, values []int64, text string)) {
		rows, err := db.QueryContext(m.ctx, query)
		m.must(err)
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var place, tag, text string
			values := make([]int64, 4)
			m.must(rows.Scan(&place, &tag, &values[0], &values[1], &values[2], &values[3], &text))
			each(place, tag, values, text)
		}
		m.must(rows.Err())
	}
	live := func(start, end int64) bool { return start <= now && (end == 0 || now < end) }
	read(`SELECT v.name, l.tag, l.reporting_only, l.overage, l.enforcement <> 'unenforced', 0, l.higher_tier FROM licenses l, virtual_accounts v`,
		func(place, tag string, n []int64, text string) {
			pools[place+" "+tag] = &counted{place: place, tag: tag, reporting: n[0] == 1, overage: n[1] == 1, enforced: n[2] == 1, higher: text}
		})
	read(`SELECT v.name, l.tag, o.quantity, o.start_at, o.end_at, 0, '' FROM lots o JOIN licenses l ON l.id = o.license_id JOIN virtual_accounts v ON v.id = o.virtual_account_id`,
		func(place, tag string, n []int64, _ string) {
			if live(n[1], n[2]) {
				pools[place+" "+tag].purchased += n[0]
			}
		})
	read(`SELECT v.name, l.tag, t.quantity, o.start_at, o.end_at, 0, w.name FROM transfers t JOIN lots o ON o.upstream_id = t.lot JOIN licenses l ON l.id = t.license_id
		JOIN virtual_accounts v ON v.id = t.from_virtual_account_id JOIN virtual_accounts w ON w.id = t.to_virtual_account_id`,
		func(place, tag string, n []int64, to string) {
			if live(n[1], n[2]) {
				pools[place+" "+tag].out += n[0]
				pools[to+" "+tag].in += n[0]
			}
		})
	read(`SELECT v.name, l.tag, u.count, 0, 0, 0, '' FROM usages u JOIN licenses l ON l.id = u.license_id JOIN instances i ON i.id = u.instance_id JOIN virtual_accounts v ON v.id = i.virtual_account_id`,
		func(place, tag string, n []int64, _ string) { pools[place+" "+tag].used += n[0] })
	type key struct {
		place, tag  string
		reservation int64
	}
	larger := map[key][2]int64{}
	read(`SELECT v.name, l.tag, i.count, i.end_at, i.is_update, i.reservation_id, '' FROM reservation_items i JOIN reservations r ON r.id = i.reservation_id
		JOIN licenses l ON l.id = i.license_id JOIN virtual_accounts v ON v.id = r.virtual_account_id WHERE r.returned_at = 0`,
		func(place, tag string, n []int64, _ string) {
			if live(0, n[1]) {
				sides := larger[key{place, tag, n[3]}]
				sides[n[2]] += n[0]
				larger[key{place, tag, n[3]}] = sides
			}
		})
	for k, sides := range larger {
		pools[k.place+" "+k.tag].reserved += max(sides[0], sides[1])
	}
	lendOneByOne(pools)
	return pools
}

// lendOneByOne goes down the tiers and gives each license that is missing the
// nearest one that is to spare above it.
func lendOneByOne(pools map[string]*counted) {
	height := func(c *counted) (n int) {
		for above := pools[c.place+" "+c.higher]; above != nil; above = pools[c.place+" "+above.higher] {
			n++
		}
		return n
	}
	for step := range 4 {
		for _, key := range slices.Sorted(maps.Keys(pools)) {
			c := pools[key]
			if height(c) != step || c.reporting {
				continue
			}
			for above := pools[c.place+" "+c.higher]; above != nil; above = pools[c.place+" "+above.higher] {
				for c.balance() < 0 && above.balance() > 0 && !above.reporting {
					c.borrowed++
					above.lent++
				}
			}
		}
	}
	for _, c := range pools {
		c.short = c.balance() < 0 && !c.reporting && !c.overage
	}
}

// check holds the laws that are true after every step.
func (m *machine) check(*rapid.T) {
	now := m.service.Now()
	m.must(m.service.CountLots(m.ctx, now))
	m.must(m.store.View(m.ctx, func(tx satellite.Tx) error {
		list, err := tx.RecountPools(now)
		if len(list) > 0 {
			m.Errorf("the recount says %s", strings.Join(list, "; "))
		}
		return err
	}))
	pools := m.recount()
	rows, err := m.service.Licenses(m.ctx, admin, satellite.PoolFilter{AccountID: m.account.ID})
	m.must(err)
	var short, alerts []string
	for _, row := range rows {
		c := pools[row.VirtualAccount+" "+row.License.Tag]
		c.found = true
		if row.Purchased != c.purchased || row.TransferredIn != c.in || row.TransferredOut != c.out || row.InUse != c.used || row.Reserved != c.reserved || row.Lent != c.lent || row.Borrowed != c.borrowed {
			m.Errorf("%s in %s is %+v, the rows make %+v", c.tag, c.place, row.Pool, *c)
		}
		if c.short {
			short = append(short, "License "+c.tag+" in "+c.place)
		}
		m.explain(row.License.Tag, row.VirtualAccount)
	}
	for key, c := range pools {
		if !c.found && (c.purchased != 0 || c.used != 0 || c.in != 0) {
			m.Errorf("%s has no row, and its parts make %+v", key, *c)
		}
	}
	open, err := m.service.Alerts(m.ctx, admin, satellite.AlertFilter{AccountID: m.account.ID, Type: satellite.AlertInsufficientLicenses}, satellite.Page{Limit: 1000})
	m.must(err)
	for _, a := range open {
		alerts = append(alerts, a.Source)
	}
	slices.Sort(short)
	slices.Sort(alerts)
	if !slices.Equal(short, alerts) {
		m.Errorf("short are %v, the open alerts are about %v", short, alerts)
	}
}

// few runs a property some times instead of a hundred: each run is a world of
// its own. Once it has failed, it runs as often as rapid wants to shrink.
func few(t *testing.T, times int, property func(*rapid.T)) {
	t.Helper()
	runs, failed := 0, false
	rapid.Check(t, func(r *rapid.T) {
		if runs++; runs > times && !failed {
			return
		}
		defer func() { failed = failed || r.Failed() }()
		property(r)
	})
}

func TestNoSequenceOfOperationsMakesThePartsDifferFromTheWhole(t *testing.T) {
	t.Parallel()
	few(t, 6, func(r *rapid.T) {
		m := newMachine(t, r)
		r.Repeat(map[string]func(*rapid.T){
			"authorize": m.authorize, "authorize again": m.authorize, "and again": m.authorize, "replace a device": m.replace,
			"purchase": m.purchase, "transfer": m.transfer, "transfer again": m.transfer, "time": m.passTime, "reserve": m.reserve, "reserve again": m.reserve, "give back": m.giveBack, "": m.check,
		})
		m.audit()
	})
}

// What two devices ask for of licenses that are not refused, what is bought, and
// what is given back: in either order the same comes of it.
func TestTheOrderOfIndependentOperationsDoesNotMatter(t *testing.T) {
	t.Parallel()
	few(t, 4, func(r *rapid.T) {
		type operation struct {
			name string
			run  func(m *machine)
		}
		free := []string{"top", "mid", "low", "over", "report", "plain"}
		var operations []operation
		for n := range 4 {
			counts := []any{rapid.SampledFrom(free[:3]).Draw(r, "tag"), rapid.IntRange(0, 7).Draw(r, "count"), rapid.SampledFrom(free[3:]).Draw(r, "tag"), rapid.IntRange(0, 4).Draw(r, "count")}
			operations = append(operations, operation{fmt.Sprint("device ", n, " asks for ", counts), func(m *machine) {
				m.devices[n].ok(m.devices[n].authorization(counts...))
			}})
		}
		quantity := int64(rapid.IntRange(0, 9).Draw(r, "quantity"))
		operations = append(operations, operation{fmt.Sprint("buy ", quantity), func(m *machine) {
			m.buy(append(m.up.lots[m.external(m.account)], lot{id: "new", tag: "mid", quantity: quantity})...)
		}})
		outcome := func(operations []operation) string {
			m := newMachine(t, r)
			for _, o := range operations {
				o.run(m)
			}
			m.check(r)
			var lines []string
			rows, err := m.service.Licenses(m.ctx, admin, satellite.PoolFilter{AccountID: m.account.ID})
			m.must(err)
			for _, row := range rows {
				pool := row.Pool
				pool.ID, pool.ChangeNumber = 0, 0
				if pool.Quantity() != 0 || pool.InUse != 0 {
					lines = append(lines, fmt.Sprintf("%s %s %+v", row.VirtualAccount, row.License.Tag, pool))
				}
			}
			return strings.Join(append(lines, m.alertTexts(satellite.AlertInsufficientLicenses)), "\n")
		}
		other := rapid.Permutation(operations).Draw(r, "order")
		first, second := outcome(operations), outcome(other)
		sorted := func(text string) string {
			lines := strings.Split(text, "\n")
			slices.Sort(lines)
			return strings.Join(lines, "\n")
		}
		if sorted(first) != sorted(second) {
			r.Errorf("%v makes\n%s\n%v makes\n%s", operations, first, other, second)
		}
	})
}

// What is given back and asked for again is as it was.
func TestReturningAndAskingAgainIsTheIdentity(t *testing.T) {
	t.Parallel()
	few(t, 4, func(r *rapid.T) {
		m := newMachine(t, r)
		for range 4 {
			m.authorize(r)
		}
		d := m.device()
		held := func() string { return fmt.Sprintf("%+v", d.ok(d.authorization()).Data.Licenses) }
		before := held()
		details, err := m.service.FindInstance(m.ctx, admin, satellite.InstanceQuery{PIID: d.piid})
		m.must(err)
		var none, again []any
		for _, h := range details.Licenses {
			none, again = append(none, h.License.Tag, 0), append(again, h.License.Tag, int(h.Usage.Count))
		}
		numbers := func() (text string) {
			for _, tag := range tags {
				text += m.numbers(tag) + "\n"
			}
			return text
		}
		was := numbers()
		d.ok(d.authorization(none...))
		m.check(r)
		d.ok(d.authorization(again...))
		m.check(r)
		if is := numbers(); is != was && !strings.Contains(before, "disabled") {
			m.Errorf("before %s\n%safter %s\n%s", before, was, held(), is)
		}
	})
}
