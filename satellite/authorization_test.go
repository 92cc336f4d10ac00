package satellite_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

func TestFromRegistrationThroughShortageToHealing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10}, lot{tag: "extra", quantity: 1})
	_, text := w.token(satellite.NewToken{})
	a, b := w.device("A").register(text), w.device("B").register(text)

	reply := a.ok(a.authorization())
	if reply.Data.AuthorizationState != string(satellite.NoLicensesInUse) {
		t.Errorf("a device without licenses is %s", reply.Data.AuthorizationState)
	}
	reply = a.ok(a.authorization("base", 7, "extra", 1))
	if reply.Data.AuthorizationState != string(satellite.Authorized) || mode(reply, "base") != "in-compliance 7" || mode(reply, "extra") != "in-compliance 1" {
		t.Errorf("A: %+v", reply.Data)
	}
	now := w.service.Now()
	if renew, end := wire.Time(reply.Data.AuthorizationRenewAt), wire.Time(reply.Data.AuthorizationExpiresAt); renew.Sub(now).Round(time.Second) != 30*day || end.Sub(now).Round(time.Second) != 90*day {
		t.Errorf("A renews at %v and expires at %v", renew, end)
	}
	reply = b.ok(b.authorization("base", 4, "no-such-tag", 2))
	if reply.Data.AuthorizationState != string(satellite.OutOfCompliance) || mode(reply, "base") != "out-of-compliance 4" || mode(reply, "no-such-tag") != "invalid-tag 2" {
		t.Errorf("B: %+v", reply.Data)
	}
	if p := w.pool("base"); p.InUse != 11 || p.Balance() != -1 || p.Available() != 0 || p.Status() != satellite.PoolInsufficient {
		t.Errorf("the pool is %+v", p.Pool)
	}
	// A learns of it at its next contact; what it does not name stays as it is.
	reply = a.ok(a.authorization("extra", 0))
	if reply.Data.AuthorizationState != string(satellite.OutOfCompliance) || mode(reply, "base") != "out-of-compliance 7" || mode(reply, "extra") != "none" {
		t.Errorf("A during the shortage: %+v", reply.Data)
	}
	// A release heals both.
	if reply = b.ok(b.authorization("base", 3)); mode(reply, "base") != "in-compliance 3" {
		t.Errorf("B after the release: %+v", reply.Data)
	}
	if reply = a.ok(a.authorization()); reply.Data.AuthorizationState != string(satellite.Authorized) {
		t.Errorf("A after the release: %+v", reply.Data)
	}
	details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: a.piid})
	w.must(err)
	if len(details.Licenses) != 1 || details.Licenses[0].Usage.Count != 7 || details.AuthorizationState != satellite.Authorized {
		t.Errorf("A is on record with %+v", details)
	}
	w.clock.advance(90 * day)
	w.must(w.service.ReturnSilent(w.ctx, w.service.Now()))
	if details, err = w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: a.piid}); err != nil || details.AuthorizationState != satellite.AuthorizationExpired {
		t.Errorf("after 90 days A is %s (%v)", details.AuthorizationState, err)
	}
	w.audit()
}

func TestAuthorizationRepeatedWithTheSameNonceChangesNothing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	message := d.authorization("base", 7)
	first := d.ok(message)
	d.ok(d.authorization("base", 2)) // meanwhile it has asked for less
	w.clock.advance(time.Minute)
	d.unchanged("the message again", func() {
		if again := d.ok(message); !reflect.DeepEqual(first.Data, again.Data) {
			t.Errorf("the same message got %+v, before %+v", again.Data, first.Data)
		}
	})
	if in := w.pool("base").InUse; in != 2 {
		t.Errorf("%d are in use, want 2", in)
	}
}

func TestALotThatEndsLeavesThePoolShortByItself(t *testing.T) {
	t.Parallel()
	now := begin
	w := registered(t,
		lot{tag: "base", quantity: 5}, lot{tag: "base", quantity: 5, end: now.Add(10 * day)},
		lot{tag: "base", quantity: 100, start: now.Add(20 * day), end: now.Add(30 * day)})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 8))
	for _, step := range []struct {
		after     time.Duration
		purchased int64
		mode      string
	}{
		{0, 10, "in-compliance 8"}, {10*day - time.Second, 10, "in-compliance 8"}, {10*day + time.Second, 5, "out-of-compliance 8"},
		{20*day + time.Second, 105, "in-compliance 8"}, {30*day + time.Second, 5, "out-of-compliance 8"}, {300 * day, 5, "out-of-compliance 8"},
	} {
		w.pass(now.Add(step.after).Sub(w.clock.Now()))
		if p := w.pool("base"); p.Purchased != step.purchased {
			t.Errorf("after %v: %d purchased, want %d", step.after, p.Purchased, step.purchased)
		}
		if reply := d.ok(d.authorization()); mode(reply, "base") != step.mode {
			t.Errorf("after %v: %s, want %s", step.after, mode(reply, "base"), step.mode)
		}
	}
	w.audit()
}

func TestManyDevicesDrawExactlyWhatThereIs(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	replies := make(chan *wire.Reply, 30)
	for n := range 30 {
		d := w.device(fmt.Sprint("D", n)).register(text)
		message := d.authorization("base", 1)
		go func() {
			request, problem := wire.ReadRequest(message)
			answer, err := w.service.DeviceMessage(w.ctx, "192.0.2.1", request, problem)
			if err != nil {
				t.Error(err)
			}
			reply, err := wire.ReadReply(answer)
			if err != nil {
				t.Error(err)
			}
			replies <- reply
		}()
	}
	compliant := 0
	for range 30 {
		if reply := <-replies; reply != nil && mode(reply, "base") == "in-compliance 1" {
			compliant++
		}
	}
	if compliant != 10 || w.pool("base").InUse != 30 {
		t.Errorf("%d devices were in compliance and %d are counted, want 10 and 30", compliant, w.pool("base").InUse)
	}
	w.audit()
}
