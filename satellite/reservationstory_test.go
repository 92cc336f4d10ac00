package satellite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

// box is a real device that never talks, in a folder of its own, with the root
// of the upstream and a clock that nobody has set.
type box struct {
	*agent.Agent
	*world
	folder string
}

func (w *world) box(serial string) *box {
	w.Helper()
	b := &box{world: w, folder: filepath.Join(w.TempDir(), "device")}
	b.switchOn(agent.Options{
		Root:     certs.EncodePEM(w.up.root.Certificate),
		Identity: agent.Identity{UDIPID: "ROUTER-1/K9", UDISerialNumber: serial},
	})
	w.Cleanup(func() { _ = b.Agent.Close() })
	return b
}

var unset = time.Date(1993, 1, 1, 0, 0, 0, 0, time.UTC)

func (b *box) switchOn(o agent.Options) {
	b.Helper()
	o.Folder, o.Now = b.folder, func() time.Time { return unset }
	device, err := agent.Open(o)
	b.must(err)
	b.Agent = device
}

// restart switches the device off and on: what it knows it knows from its folder.
func (b *box) restart() {
	b.Helper()
	b.must(b.Agent.Close())
	b.switchOn(agent.Options{})
}

func (b *box) request(kind wire.ReservationKind) string {
	b.Helper()
	code, err := b.RequestReservation(kind)
	b.must(err)
	return code
}

func (b *box) reserved(code string, licenses ...any) satellite.Reservation {
	b.Helper()
	r, err := b.service.Reserve(b.ctx, admin, satellite.NewReservation{AccountID: b.account.ID, Code: code, Licenses: want(licenses...)})
	b.must(err)
	return r
}

func (b *box) fails(err, want error, words ...string) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("got %v, want %v", err, want)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			b.Errorf("the device does not say %q: %v", word, err)
		}
	}
}

func (b *box) install(text string) error {
	_, err := b.InstallReservation(text)
	return err
}

func TestADeviceThatNeverTalksGetsChangesAndReturnsItsLicenses(t *testing.T) {
	t.Parallel()
	end := begin.Add(300 * day).Truncate(time.Second)
	w := registered(t, lot{tag: "a", quantity: 5}, lot{tag: "b", quantity: 5, end: end})
	b := w.box("SN 1")
	b.fails(b.install("anything"), agent.ErrNoReservation, "request code first")
	code := b.request(wire.ReservationSpecific)
	b.restart()
	if again := b.request(wire.ReservationSpecific); again != code {
		t.Errorf("the second request code is %s, the first was %s", again, code)
	}
	_, err := b.RequestReservation(wire.ReservationUniversal)
	b.fails(err, agent.ErrUsage, "specific reservation is in progress", "cancel it")
	b.fails(b.Register(w.ctx, "token", false), agent.ErrReserved, "cancel the request")
	r := b.reserved(code, "a", 2, "b", 1)
	b.must(b.install(r.Authorization.Text + "\n"))
	b.restart()
	s := b.State()
	if s.AuthorizationState != agent.AuthorizedReserved || len(s.Licenses()) != 2 || s.Licenses()[0].Mode != wire.ModeReservation || s.Reservation.PIID != r.PIID {
		t.Errorf("the device is %s with %+v", s.AuthorizationState, s.Licenses())
	}
	b.fails(b.install(r.Authorization.Text), agent.ErrReservationInstalled, "this one")
	b.fails(b.Register(w.ctx, "token", false), agent.ErrReserved, "return the reservation")
	b.fails(b.CancelReservation(), agent.ErrReservationInstalled, "return it")
	_, err = b.RequestReservation(wire.ReservationSpecific)
	b.fails(err, agent.ErrReservationInstalled)

	first := r.Authorization.Text
	r, err = w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 1, "b", 3))
	b.must(err)
	confirmation, err := b.InstallReservation(r.Update.Text)
	b.must(err)
	b.fails(b.install(first), agent.ErrReservationInstalled, "newer")
	r, err = w.service.ConfirmReservation(w.ctx, admin, r.ID, strings.ReplaceAll(confirmation, "-", " "))
	b.must(err)
	w.counts("a", 1, 4)
	w.counts("b", 3, 2)

	// A term that ends is told by the device itself, as far as it knows the time.
	later := s.At(end)
	if mode := b.State().At(end).Licenses()[1].Mode; mode != wire.ModeAuthorizationExpired || later.Licenses()[0].Mode != wire.ModeReservation {
		t.Errorf("at the end of its term the license is %s", mode)
	}

	back, err := b.ReturnReservation()
	b.must(err)
	b.restart()
	again, err := b.ReturnReservation()
	if err != nil || again != back {
		t.Errorf("asked again, the return code is %q (%v), and was %q", again, err, back)
	}
	if s := b.State(); s.Reservation.Installed() || len(s.Licenses()) != 0 || s.AuthorizationState == agent.AuthorizedReserved {
		t.Errorf("after the return the device has %+v", s.Reservation)
	}
	b.fails(b.install(r.Authorization.Text), agent.ErrNoReservation)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
	b.must(err)
	w.counts("a", 0, 5)
	w.counts("b", 0, 5)

	// The old authorization does not fit the next request.
	next := b.request(wire.ReservationSpecific)
	b.fails(b.install(r.Authorization.Text), agent.ErrReservationMismatch, "another request")
	b.must(b.CancelReservation())
	b.fails(b.CancelReservation(), agent.ErrNoReservation)
	if other := b.request(wire.ReservationSpecific); other == next {
		t.Error("after it was canceled the request is the same")
	}
}

func TestADeviceTakesOnlyWhatIsSignedForItAndItsRequest(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 5})
	b, other := w.box("SN1"), w.box("SN2")
	code, foreign := b.request(wire.ReservationSpecific), other.request(wire.ReservationSpecific)
	r, theirs := b.reserved(code, "a", 1), other.reserved(foreign, "a", 1)
	b.fails(b.install(theirs.Authorization.Text), agent.ErrReservationMismatch, "SN:SN2", "SN:SN1")
	for what, text := range map[string]string{
		"a return code": "R9JLK8-SCY6FX-A4YLZX-DPD9CX", "a request code": code, "a confirmation code": "C7E4WG-8LBE7S-7UR5Z2-AWC3KA",
		"a universal authorization code": "UMXPYW-BZF5LC-6SYH5C-4R2QTF-VBLQB9-54FE5S-LF3V7S-4KCB97-SHSHKG-C9RSJ9-5GHFL8-QZXALE-BLNAEE",
	} {
		b.fails(b.install(text), agent.ErrReservationInvalid, "this is "+what+"; an authorization was expected")
	}
	// One that somebody signed who has no certificate of the licensing root, but looks like one.
	forged := newUpstream(t, "Test Root", w.clock)
	signed, err := wire.WriteAuthorization(forged.signer, wire.ReservationAuthorization{
		Kind: wire.ReservationSpecific, Key: r.Authorization.Key, DeviceKey: r.DeviceKey, PIID: r.PIID, Timestamp: wire.Milliseconds(begin), PID: "ROUTER-1/K9", SerialNumber: "SN1",
		Entitlements: []wire.ReservedEntitlement{{Tag: "a", Count: 1000}},
	})
	b.must(err)
	b.fails(b.install(signed), agent.ErrReservationInvalid, "licensing root")
	text := r.Authorization.Text
	for i := 0; i < len(text); i += 7 {
		typed := text[:i] + string(text[i]^1) + text[i+1:]
		if err := b.install(typed); !errors.Is(err, agent.ErrReservationInvalid) || !strings.Contains(err.Error(), "nothing was installed") {
			t.Fatalf("with character %d changed: %v", i+1, err)
		}
	}
	b.must(b.install(text))
}

func TestAUniversalCodeIsTypedIntoItsDevice(t *testing.T) {
	t.Parallel()
	w := registered(t)
	b, other := w.box("SN1"), w.box("SN2")
	r, theirs := b.reserved(b.request(wire.ReservationUniversal)), other.reserved(other.request(wire.ReservationUniversal))
	b.fails(b.install(theirs.Authorization.Text), agent.ErrReservationMismatch, "another device")
	text := r.Authorization.Text
	for i := range text {
		for _, c := range "A9Z" {
			if typed := text[:i] + string(c) + text[i+1:]; typed != text {
				b.fails(b.install(typed), agent.ErrReservationInvalid, "no universal authorization code", "nothing was installed")
			}
		}
	}
	b.must(b.install(strings.ToLower(strings.ReplaceAll(text, "-", " "))))
	b.fails(b.install(text), agent.ErrReservationInstalled)
	b.restart()
	back, err := b.ReturnReservation()
	b.must(err)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{UDIPID: "ROUTER-1/K9", UDISerialNumber: "SN1"}, back)
	b.must(err)
}

func TestADeviceWithoutItsKeyFileOrRootChangesNothing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 5})
	b := &box{world: w, folder: filepath.Join(t.TempDir(), "device")}
	b.switchOn(agent.Options{Identity: agent.Identity{UDIPID: "ROUTER-1/K9", UDISerialNumber: "SN1"}})
	t.Cleanup(func() { _ = b.Agent.Close() })
	r := b.reserved(b.request(wire.ReservationFactory), "a", 1)
	b.fails(b.install(r.Authorization.Text), agent.ErrNoRoot, "nothing was installed")
	b.must(b.Agent.Close())
	b.switchOn(agent.Options{Root: certs.EncodePEM(w.up.root.Certificate)})
	b.must(b.install(r.Authorization.Text))
	if s := b.State(); s.Reservation.Kind != wire.ReservationFactory || !s.Reservation.Installed() {
		t.Errorf("the reservation is %+v", s.Reservation)
	}
}
