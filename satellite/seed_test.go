package satellite_test

import (
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// sown is a world with two virtual accounts and a seed for them: plenty of one
// tag, too few of an unenforced and of an enforced one.
func sown(t testing.TB) (*world, satellite.Seed) {
	t.Helper()
	w := licensed(t, map[string]wire.EntitlementRecord{"few": {}, "strict": {Enforcement: "enforced"}},
		lot{tag: "plenty", quantity: 1000}, lot{tag: "few", quantity: 5}, lot{tag: "strict", quantity: 7})
	w.part("Lab")
	w.must(w.move("plenty", "Default", "Lab", 400))
	seed := satellite.Seed{Tags: []string{"plenty", "few", "strict"}, Devices: 240, Until: w.service.Now().Add(150 * day), Number: 7}
	for _, name := range []string{"", "Lab"} {
		token, _ := w.token(satellite.NewToken{VirtualAccount: name})
		seed.Tokens = append(seed.Tokens, token.ID)
	}
	return w, seed
}

// grow makes a seed, and moves the clock along.
func (w *world) grow(seed satellite.Seed) (told []int) {
	w.Helper()
	w.must(w.service.Seed(w.ctx, admin, seed, func(at time.Time, devices int) {
		told = append(told, devices)
		w.clock.advance(at.Sub(w.service.Now()))
	}))
	return told
}

func TestASeedLivesByTheRulesOfRealDevices(t *testing.T) {
	t.Parallel()
	w, seed := sown(t)
	told := w.grow(seed)
	if len(told) < 60 || told[len(told)-1] != seed.Devices {
		t.Errorf("it told %v", told)
	}
	w.audit()
	if now := w.service.Now(); now.Before(seed.Until) || now.After(seed.Until.Add(time.Second)) {
		t.Errorf("the history ends on %v, not on %v", now, seed.Until)
	}
	w.sownDevices(seed)

	var uses int64
	for _, id := range seed.Tokens {
		w.must(w.store.View(w.ctx, func(tx satellite.Tx) error {
			token, err := tx.Token(id)
			uses += token.Uses
			return err
		}))
	}
	if uses != int64(seed.Devices) {
		t.Errorf("the tokens were used %d times", uses)
	}
	// An enforced license is refused, not overdrawn; another one is overdrawn.
	if strict := w.row("Default", "strict"); strict.InUse > 7 || strict.InUse == 0 || strict.Short() {
		t.Errorf("%d of strict are in use", strict.InUse)
	}
	if few := w.row("Default", "few"); few.InUse < 30 || !few.Short() {
		t.Errorf("%d of few are in use", few.InUse)
	}
	if short := w.alertsOf(satellite.AlertInsufficientLicenses); len(short) != 2 || !strings.Contains(short[0].Message+short[1].Message, "Lab") {
		t.Errorf("the shortages are %+v", short)
	}
	if refused := w.alertsOf(satellite.AlertRestrictedNotAvailable); len(refused) == 0 {
		t.Error("nobody was refused the enforced license")
	}
	w.sownEvents(seed)

	// The one that fell silent is treated like any other.
	w.must(w.service.WatchDevices(w.ctx, w.service.Now(), w.service.Served()))
	if silent := w.alertsOf(satellite.AlertFailedToConnect); len(silent) != 1 {
		t.Errorf("%d devices are silent", len(silent))
	}
	w.must(w.service.ReturnSilent(w.ctx, w.service.Now()))
	w.sync(w.account, false)
	w.audit()
}

// sownDevices holds that each device is what its holdings and its time make it.
func (w *world) sownDevices(seed satellite.Seed) {
	w.Helper()
	devices, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{Limit: 1000})
	w.must(err)
	if len(devices) != seed.Devices {
		w.Fatalf("there are %d devices", len(devices))
	}
	now, silent, states := w.service.Now(), 0, map[satellite.AuthorizationState]int{}
	for _, d := range devices {
		details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: d.PIID})
		w.must(err)
		certificate, err := w.service.InstanceCertificate(w.ctx, admin, d.PIID)
		w.must(err)
		if certificate.PIID != d.PIID || certificate.NotBefore.After(d.RegisteredAt) || certificate.NotAfter.Sub(d.RegisteredAt) < 364*day {
			w.Errorf("%s registered on %v with a certificate from %v to %v", d.Hostname, d.RegisteredAt, certificate.NotBefore, certificate.NotAfter)
		}
		age := now.Sub(d.LastContactAt)
		if quiet := w.service.Served() - d.LastServed; (quiet - age).Abs() > time.Second {
			w.Errorf("%s spoke %v ago, and has been silent for %v of served time", d.Hostname, age, quiet)
		}
		if age > 33*day {
			silent++
			continue
		}
		states[d.AuthorizationState]++
		want := satellite.NoLicensesInUse
		for _, h := range details.Licenses {
			if h.Usage.Count > 0 && want != satellite.OutOfCompliance {
				want = satellite.Authorized
			}
			if h.Usage.Count > 0 && h.Short() {
				want = satellite.OutOfCompliance
			}
		}
		if d.AuthorizationState != want || len(details.Licenses) == 0 {
			w.Errorf("%s is %s with %+v", d.Hostname, d.AuthorizationState, details.Licenses)
		}
	}
	if silent != 1 || len(states) != 3 {
		w.Errorf("%d devices are silent; the others are %v", silent, states)
	}
}

// sownEvents holds that the history is one, and has what the devices did.
func (w *world) sownEvents(seed satellite.Seed) {
	w.Helper()
	var last time.Time
	count := map[satellite.EventType]int{}
	for after := (satellite.EventKey{}); ; {
		var events []satellite.Event
		w.must(w.store.View(w.ctx, func(tx satellite.Tx) (err error) {
			events, err = tx.EventsAfter(after, 1000)
			return err
		}))
		for _, e := range events {
			if e.At.Before(last) {
				w.Fatalf("event %d, %s, is of %v, and the one before it of %v", e.Number, e.Type, e.At, last)
			}
			last, after = e.At, satellite.EventKey{Node: e.Node, Number: e.Number}
			count[e.Type]++
		}
		if len(events) < 1000 {
			break
		}
	}
	// In 150 days a device speaks once, and again every 30 days: three times on the average.
	if heard := count[satellite.EventDeviceAuthorized]; count[satellite.EventDeviceRegistered] != seed.Devices || heard < 2*seed.Devices || heard > 4*seed.Devices {
		w.Errorf("the events are %v", count)
	}
}

func TestASeedIsRefusedBesideWhatIsReal(t *testing.T) {
	t.Parallel()
	w, seed := sown(t)
	spent, _ := w.token(satellite.NewToken{MaxUses: 239})
	never := func(time.Time, int) { t.Error("it began") }
	with := func(change func(*satellite.Seed)) satellite.Seed {
		changed := seed
		change(&changed)
		return changed
	}
	w.unchanged("a refused seed", func() {
		for _, bad := range []satellite.Seed{
			with(func(s *satellite.Seed) { s.Devices = 0 }), with(func(s *satellite.Seed) { s.Devices = 1_000_001 }),
			with(func(s *satellite.Seed) { s.Tags = nil }), with(func(s *satellite.Seed) { s.Tokens = nil }),
			with(func(s *satellite.Seed) { s.Until = s.Until.Add(50 * day) }), with(func(s *satellite.Seed) { s.Until = begin.Add(-day) }),
		} {
			refused(t, w.service.Seed(w.ctx, admin, bad, never), satellite.KindInvalid, "seed-invalid", "Nothing was created")
		}
		refused(t, w.service.Seed(w.ctx, w.viewer(), seed, never), satellite.KindForbidden, "role-insufficient")
		refused(t, w.service.Seed(w.ctx, admin, with(func(s *satellite.Seed) { s.Tags = []string{"none"} }), never), satellite.KindNotFound, "license-not-found")
	})
	// A token that does not suffice ends it where it is used up.
	err := w.service.Seed(w.ctx, admin, with(func(s *satellite.Seed) { s.Tokens = []satellite.TokenID{spent.ID} }), func(time.Time, int) {})
	refused(t, err, satellite.KindConflict, "token-exhausted")
	w.audit()
	w.unchanged("a second seed", func() {
		refused(t, w.service.Seed(w.ctx, admin, seed, never), satellite.KindConflict, "seed-not-empty", "Nothing was created", "fresh")
	})
}
