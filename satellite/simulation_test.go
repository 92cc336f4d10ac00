package satellite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

const (
	simulatedDays    = 400
	simulatedDevices = 2000
)

// A plant of two thousand devices over thirteen months: they register, ask for
// more and less, fall silent and come back, renew their certificates or come too
// late for that, while terms begin and end and purchases arrive. Each day the
// satellite must say what a model of a hundred lines says.
func TestFourHundredDaysOfAPlant(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for day := range simulatedDays {
		s.dawn(day)
		s.compare(day)
		s.contacts(day)
		s.compare(day)
	}
	s.audit()
	t.Logf("%d returns, %d registrations after the end of the certificate, %d renewals, %d refusals, %d short days",
		s.model.returned, s.late, s.renewals, s.refusals, s.short)
	if s.model.returned < 300 || s.late < 20 || s.renewals < 1000 || s.refusals < 20 || s.short < 100 {
		t.Error("the year was too quiet")
	}
}

type simulation struct {
	*world
	model    *simpleModel
	devices  []*device
	store    *daily
	silences [][2]int // of each device: first and last day
	next     []int    // day on which each device speaks
	random   *rand.Rand
	token    string
	start    time.Time

	late, renewals, refusals, short, glances int
}

// daily lets what happens on one day share a transaction: every message would
// else wait for the disk.
type daily struct {
	satellite.Store
	tx satellite.Tx // of the day, nil between two days
}

func (s *daily) Update(ctx context.Context, f func(satellite.Tx) error) error {
	if s.tx != nil {
		return f(s.tx)
	}
	return s.Store.Update(ctx, f)
}

func (s *daily) View(ctx context.Context, f func(satellite.Tx) error) error {
	if s.tx != nil {
		return f(s.tx)
	}
	return s.Store.View(ctx, f)
}

func (s *daily) during(ctx context.Context, day func()) error {
	return s.Store.Update(ctx, func(tx satellite.Tx) error {
		s.tx = tx
		defer func() { s.tx = nil }()
		day()
		return nil
	})
}

var simulatedTags = []string{"advantage", "essentials", "premier", "security", "transit"}

func newSimulation(t *testing.T) *simulation {
	t.Helper()
	store := &daily{}
	w := newWorldOn(t, func(s satellite.Store) satellite.Store {
		store.Store = s
		return store
	})
	w.trust()
	s := &simulation{
		world: w, store: store, random: rand.New(rand.NewPCG(7, 11)), start: w.clock.Now(),
		model: &simpleModel{used: map[string]int{}, enforced: map[string]bool{"security": true}, above: map[string]string{"essentials": "advantage"}},
	}
	w.up.entitlements = map[string]wire.EntitlementRecord{"security": {Enforcement: "enforced"}, "essentials": {HigherTier: "advantage"}}
	for _, tag := range simulatedTags {
		s.model.lots = append(s.model.lots, simpleLot{tag: tag, quantity: 700, known: 0})
		for range 30 {
			begin := s.random.IntN(simulatedDays)
			s.model.lots = append(s.model.lots, simpleLot{tag: tag, quantity: 50 + s.random.IntN(250), known: max(0, begin-s.random.IntN(20)), start: begin, end: begin + 10 + s.random.IntN(120)})
		}
	}
	for i := range simulatedDevices {
		s.devices = append(s.devices, w.device(fmt.Sprintf("SN%05d", i)))
		s.model.devices = append(s.model.devices, &simpleDevice{wants: map[string]int{}, holds: map[string]int{}})
		silence := [2]int{simulatedDays, simulatedDays}
		switch s.random.IntN(20) {
		case 0, 1, 2, 3, 4, 5:
			silence[0] = s.random.IntN(simulatedDays)
			silence[1] = silence[0] + 20 + s.random.IntN(210)
		case 6: // longer than its certificate
			silence = [2]int{100 + s.random.IntN(120), 370 + s.random.IntN(30)}
		}
		s.silences, s.next = append(s.silences, silence), append(s.next, 0)
		s.plan(i, i%60)
	}
	s.settle(0)
	return s
}

// settle is a synchronization that brings what is known by that day.
func (s *simulation) settle(day int) {
	s.Helper()
	var lots []lot
	for i, l := range s.model.lots {
		if l.known > day {
			continue
		}
		bought := lot{id: fmt.Sprint("lot-", i), tag: l.tag, quantity: int64(l.quantity), start: s.start.Add(time.Duration(l.start) * day24)}
		if l.end > 0 {
			bought.end = s.start.Add(time.Duration(l.end) * day24)
		}
		lots = append(lots, bought)
	}
	s.up.lots[s.external(s.account)] = lots
	s.sync(s.account, false)
}

const day24 = 24 * time.Hour

// dawn is the beginning of a day: time has passed, and the jobs are due.
func (s *simulation) dawn(day int) {
	s.Helper()
	if day > 0 {
		s.clock.advance(day24)
	}
	now := s.service.Now()
	s.must(s.service.Tick(s.ctx))
	if day%30 == 0 {
		s.must(s.service.RenewSigners(s.ctx, now))
		s.up.renewSigner(s.TB)
	}
	s.must(s.service.CountLots(s.ctx, now))
	s.must(s.service.ReturnSilent(s.ctx, now))
	s.must(s.service.ForgetReplies(s.ctx, now))
	s.model.expire(day)
	if slices.ContainsFunc(s.model.lots, func(l simpleLot) bool { return l.known == day }) || day%30 == 0 {
		s.settle(day)
	}
	if day%300 == 0 {
		_, s.token = s.world.token(satellite.NewToken{})
	}
}

// plan lets a device speak on a day, or on the first one after its silence.
func (s *simulation) plan(i, day int) {
	if s.next[i] = day; s.silences[i][0] <= day && day <= s.silences[i][1] {
		s.next[i] = s.silences[i][1] + 1
	}
}

// contacts are all messages of a day.
func (s *simulation) contacts(day int) {
	s.Helper()
	s.must(s.store.during(s.ctx, func() {
		for i := range s.devices {
			if s.next[i] == day {
				s.contact(i, day)
				s.plan(i, day+30)
			}
		}
	}))
}

// contact lets a device say what it has to say on its day.
func (s *simulation) contact(i, day int) {
	s.Helper()
	d, m := s.devices[i], s.model.devices[i]
	if m.registered && day >= m.issued+simpleLife {
		reply := s.glance(d, d.authorization())
		if reply.Data.Code != "certificate-expired" {
			s.Errorf("day %d: device %d speaks under a certificate of day %d and is told %q", day, i, m.issued, reply.Data.Code)
		}
		s.late++
		m.registered = false
	}
	switch {
	case !m.registered:
		d.adopt(s.glance(d, d.registration(s.token, false)))
		m.registered, m.issued = true, day
	case 2*(day-m.issued) >= simpleLife:
		d.adopt(s.glance(d, d.renewal()))
		m.issued = day
		s.renewals++
	}
	counts := map[string]int{}
	if len(m.wants) == 0 || s.random.IntN(8) == 0 {
		counts[simulatedTags[s.random.IntN(len(simulatedTags))]] = s.random.IntN(4)
		counts[simulatedTags[s.random.IntN(len(simulatedTags))]] = s.random.IntN(4)
	}
	var named []any
	for _, tag := range slices.Sorted(maps.Keys(counts)) {
		named = append(named, tag, counts[tag])
	}
	reply := s.glance(d, d.authorization(named...)).Data
	s.model.ask(m, day, counts)
	if reply.AuthorizationState != m.state {
		s.Errorf("day %d: device %d is told %q, want %q", day, i, reply.AuthorizationState, m.state)
	}
	told := map[string]wire.LicenseAnswer{}
	for _, l := range reply.Licenses {
		told[l.Tag] = l
	}
	for tag, wanted := range m.wants {
		if held := told[tag].Count; held != int64(m.holds[tag]) {
			s.Errorf("day %d: device %d holds %d of %s, want %d", day, i, held, tag, m.holds[tag])
		}
		if m.holds[tag] < wanted {
			s.refusals++
		}
	}
}

// glance reads a reply without its signature, which a device judges and this
// simulation could not afford. Every hundredth one is judged.
func (s *simulation) glance(d *device, message []byte) *wire.Reply {
	s.Helper()
	if s.glances++; s.glances%100 == 0 {
		return d.deliver(message)
	}
	request, problem := wire.ReadRequest(message)
	answer, err := s.service.DeviceMessage(s.ctx, d.source, request, problem)
	s.must(err)
	var outer struct {
		Response string `json:"response"`
	}
	var inner struct {
		Data string `json:"response_data"`
	}
	var reply wire.Reply
	s.must(errors.Join(json.Unmarshal(answer, &outer), json.Unmarshal([]byte(outer.Response), &inner), json.Unmarshal([]byte(inner.Data), &reply.Data)))
	return &reply
}

// compare holds the pools, the alerts and the devices against the model.
func (s *simulation) compare(day int) {
	s.Helper()
	rows, err := s.service.Licenses(s.ctx, admin, satellite.PoolFilter{AccountID: s.account.ID})
	s.must(err)
	alerts, err := s.service.Alerts(s.ctx, admin, satellite.AlertFilter{AccountID: s.account.ID, Type: satellite.AlertInsufficientLicenses}, satellite.Page{})
	s.must(err)
	for _, row := range rows {
		tag := row.License.Tag
		purchased, used, balance := s.model.purchased(tag, day), s.model.used[tag], s.model.balance(tag, day)
		if row.Purchased != int64(purchased) || row.InUse != int64(used) || row.Balance() != int64(balance) {
			s.Errorf("day %d: %s has purchased %d, in use %d, balance %d; want %d, %d, %d", day, tag, row.Purchased, row.InUse, row.Balance(), purchased, used, balance)
		}
		open := slices.ContainsFunc(alerts, func(a satellite.Alert) bool { return strings.HasSuffix(a.Key, "\t"+tag) })
		if open != (balance < 0) {
			s.Errorf("day %d: the balance of %s is %d, and its alert is open: %v", day, tag, balance, open)
		}
		if balance < 0 {
			s.short++
		}
	}
	if len(rows) != len(simulatedTags) {
		s.Fatalf("day %d: there are %d licenses", day, len(rows))
	}
	if day%40 == 39 {
		s.compareDevices(day)
	}
	if s.Failed() {
		s.FailNow()
	}
}

func (s *simulation) compareDevices(day int) {
	s.Helper()
	want := map[string]string{}
	for i, m := range s.model.devices {
		if m.registered {
			want[s.devices[i].piid] = m.state
		}
	}
	seen := 0
	for page := (satellite.Page{Limit: 1000}); ; {
		list, err := s.service.Instances(s.ctx, admin, satellite.InstanceFilter{AccountID: s.account.ID}, page)
		s.must(err)
		for _, d := range list {
			if state := want[d.PIID]; state != string(d.AuthorizationState) {
				s.Errorf("day %d: %s is shown as %q, want %q", day, d.UDISerialNumber, d.AuthorizationState, state)
			}
			page.After = int64(d.ID)
			seen++
		}
		if len(list) < page.Limit {
			break
		}
	}
	if seen != len(want) {
		s.Errorf("day %d: %d devices are shown, want %d", day, seen, len(want))
	}
	result, err := s.service.VerifyEvents(s.ctx)
	s.must(err)
	if result.Problem != "" {
		s.Errorf("day %d: %s", day, result.Problem)
	}
}
