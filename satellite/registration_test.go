package satellite_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/wire"
)

func TestRegistrationRepeatedWithTheSameNonceGetsTheSameContent(t *testing.T) {
	t.Parallel()
	w := registered(t)
	token, text := w.token(satellite.NewToken{MaxUses: 1})
	d := w.device("A")
	message := d.registration(text, false)
	first := d.ok(message)
	d.unchanged("the same message again", func() {
		if again := d.ok(message); !reflect.DeepEqual(again.Data, first.Data) {
			t.Errorf("the same message got another answer:\n%+v\n%+v", first.Data, again.Data)
		}
	})
	if found, err := w.service.FindToken(w.ctx, admin, fmt.Sprint(token.ID)); err != nil || found.Uses != 1 {
		t.Errorf("the token has %d uses (%v)", found.Uses, err)
	}
	w.audit()
}

func TestRegistrationRepeatedAfterALostReplyCostsNoSecondUse(t *testing.T) {
	t.Parallel()
	w := registered(t)
	token, text := w.token(satellite.NewToken{MaxUses: 1})
	d := w.device("A")
	first := d.ok(d.registration(text, false))
	again := d.ok(d.registration(text, false)) // a new nonce
	if again.Data.Certificate != first.Data.Certificate || again.Data.ProductInstanceIdentifier != first.Data.ProductInstanceIdentifier {
		t.Error("the repeat got another certificate or PIID")
	}
	if found, _ := w.service.FindToken(w.ctx, admin, text); found.ID != token.ID || found.Uses != 1 {
		t.Errorf("the token has %d uses", found.Uses)
	}
	if n, _ := w.service.CountInstances(w.ctx, admin, satellite.InstanceFilter{}); n != 1 {
		t.Errorf("there are %d devices", n)
	}
	// The same over many connections at once, with one nonce and with several.
	message := d.registration(text, false)
	var callers sync.WaitGroup
	for n := range 16 {
		m := message
		if n%2 == 0 {
			m = d.registration(text, false)
		}
		callers.Go(func() {
			request, problem := wire.ReadRequest(m)
			answer, err := w.service.DeviceMessage(w.ctx, "192.0.2.1", request, problem)
			if err != nil {
				t.Errorf("a repeat at the same time as others: %v", err)
				return
			}
			if reply, err := wire.ReadReply(answer); err != nil || reply.Data.Certificate != first.Data.Certificate {
				t.Errorf("a repeat got %+v (%v)", reply.Data, err)
			}
		})
	}
	callers.Wait()
	w.audit()
}

func TestConcurrentRegistrationsOfOneNewDeviceMakeOneDevice(t *testing.T) {
	t.Parallel()
	w := registered(t)
	token, text := w.token(satellite.NewToken{MaxUses: 1})
	d := w.device("A")
	message := d.registration(text, false)
	answers := make([]string, 12)
	var callers sync.WaitGroup
	for n := range answers {
		callers.Go(func() {
			request, problem := wire.ReadRequest(message)
			answer, err := w.service.DeviceMessage(w.ctx, "192.0.2.1", request, problem)
			if err != nil {
				t.Error(err)
				return
			}
			if reply, err := wire.ReadReply(answer); err == nil {
				answers[n] = fmt.Sprint(reply.Data.Status, reply.Data.Code, reply.Data.Certificate)
			}
		})
	}
	callers.Wait()
	for _, answer := range answers {
		if answer != answers[0] || !strings.HasPrefix(answer, "OK") {
			t.Errorf("two answers to one message: %.60s and %.60s", answers[0], answer)
		}
	}
	if found, _ := w.service.FindToken(w.ctx, admin, fmt.Sprint(token.ID)); found.Uses != 1 {
		t.Errorf("the token has %d uses", found.Uses)
	}
	w.audit()
}

func TestTokensThatMustNotRegisterChangeNothing(t *testing.T) {
	t.Parallel()
	w := registered(t)
	foreign := registered(t)
	_, theirs := foreign.token(satellite.NewToken{})
	_, short := w.token(satellite.NewToken{Days: 1})
	_, once := w.token(satellite.NewToken{MaxUses: 1})
	ended, revoked := w.token(satellite.NewToken{})
	w.device("first").register(once)
	w.must(w.service.RevokeToken(w.ctx, admin, ended.ID))

	d := w.device("A")
	d.refused(d.registration(revoked, false), "token-revoked", "was not registered", "another token")
	d.refused(d.registration(once, false), "token-exhausted", "1 times")
	d.refused(d.registration(theirs, false), "token-foreign", w.service.ID(), foreign.service.ID())
	d.refused(d.registration("", false), "token-invalid")
	d.refused(d.registration("text that is no token", false), "token-invalid", "Copy the token again")
	w.clock.advance(day - time.Second)
	expiring := w.device("B").register(short)
	w.clock.advance(time.Second)
	d.refused(d.registration(short, false), "token-expired", "expired on")
	// Who registered with a token that ended stays registered.
	expiring.ok(expiring.authorization())
	w.audit()
}

func TestEveryChangedCharacterOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A")
	d.unchanged("an altered token", func() {
		for i := range text {
			for _, c := range []byte("Aa0-_.") {
				if text[i] == c {
					continue
				}
				altered := text[:i] + string(c) + text[i+1:]
				reply := d.deliver(d.registration(altered, false))
				if reply.Data.Status != wire.StatusFailed || reply.Data.Code != "token-invalid" && reply.Data.Code != "token-foreign" {
					t.Fatalf("character %d changed to %c: %+v", i, c, reply.Data)
				}
			}
		}
	})
	if len(text) > 255 {
		t.Errorf("the token has %d characters", len(text))
	}
}

func TestForceRevokesTheOldCertificate(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	old := w.device("A").register(text)
	old.ok(old.authorization("base", 3))

	fresh := w.device("A") // the same identity, another key
	fresh.source = "198.51.100.7"
	fresh.refused(fresh.registration(text, false), "already-registered", "force", "192.0.2.1")
	fresh.adopt(fresh.ok(fresh.registration(text, true)))
	if fresh.piid != old.piid {
		t.Errorf("the device has another PIID: %s, before %s", fresh.piid, old.piid)
	}
	old.refused(old.authorization("base", 1), "certificate-revoked", "registered again", "register it again with a token")
	old.refused(old.renewal(), "certificate-revoked")
	old.refused(old.message(wire.Deregistration, wire.RequestData{}), "certificate-revoked")
	fresh.ok(fresh.authorization())
	if in := w.pool("base").InUse; in != 3 {
		t.Errorf("%d are in use, want the 3 of before", in)
	}
	crl, err := w.service.RevocationList(w.ctx, admin, w.account.ID)
	w.must(err)
	list, err := x509.ParseRevocationList(crl)
	w.must(err)
	revoked, err := x509.ParseCertificate(old.certificate)
	w.must(err)
	if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(revoked.SerialNumber) != 0 {
		t.Errorf("the revocation list names %+v, want %v", list.RevokedCertificateEntries, revoked.SerialNumber)
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventDeviceReplaced}, satellite.Page{})
	w.must(err)
	if len(events) != 1 || !strings.Contains(events[0].Message, "192.0.2.1") || !strings.Contains(events[0].Message, "198.51.100.7") {
		t.Errorf("the event does not name both addresses: %+v", events)
	}
	w.audit()
}

func TestAMessageUnderTheCertificateOfAnotherDeviceIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	victim, thief := w.device("A").register(text), w.device("B").register(text)
	own := thief.piid
	thief.piid = victim.piid
	thief.refused(thief.authorization("base", 9), "certificate-not-accepted")
	thief.refused(thief.renewal(), "certificate-not-accepted")
	thief.refused(thief.message(wire.Deregistration, wire.RequestData{}), "certificate-not-accepted")
	thief.piid = "no such device"
	thief.refused(thief.authorization("base", 9), "not-registered")
	// With the victim's certificate and his own key the signature is wrong.
	thief.piid, thief.certificate = victim.piid, victim.certificate
	thief.refused(thief.authorization("base", 9), "signature-invalid")
	thief.piid = own
	w.audit()
}

func TestTheClockOfADeviceMayBeAnHourOff(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	for offset, accepted := range map[time.Duration]bool{
		time.Hour: true, -time.Hour + time.Millisecond: true, time.Hour + time.Second: false, -time.Hour - time.Second: false, -56 * 365 * day: false,
	} {
		d := w.device(fmt.Sprint("D", offset))
		d.offset = offset
		message := d.registration(text, false)
		if accepted {
			d.ok(message)
			continue
		}
		reply := d.refused(message, "clock-skew", "Set the clock")
		if reply.Data.SatelliteTime != wire.Milliseconds(w.clock.Now()) || reply.Data.DeviceTime != wire.Milliseconds(w.clock.Now().Add(offset)) || !reply.Signed {
			t.Errorf("the refusal does not carry both times, signed: %+v", reply.Data)
		}
		// With the offset that it was told, the device is let in.
		d.offset = 0
		d.ok(d.registration(text, false))
	}
}

func TestTheOldCertificateIsAcceptedUntilTheFirstMessageUnderTheNewOne(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	before := d.certificate
	w.pass(180 * day)
	message := d.renewal()
	reply := d.ok(message)
	d.ok(d.authorization()) // the reply was lost: still under the old one
	d.unchanged("the same renewal again", func() {
		if again := d.ok(message); again.Data.Certificate != reply.Data.Certificate {
			t.Error("the repeat got another certificate")
		}
	})
	lost := reply.Data.Certificate
	reply = d.ok(d.renewal()) // a second try, with a new nonce
	if reply.Data.Certificate == lost {
		t.Error("a new renewal got the certificate of the lost one")
	}
	if expires := wire.Time(reply.Data.CertificateExpiresAt); expires.Sub(w.clock.Now()) < 364*day {
		t.Errorf("the new certificate ends on %v", expires)
	}
	d.adopt(reply)
	d.ok(d.authorization()) // the first under the new one
	fresh := d.certificate
	d.certificate = before
	d.refused(d.authorization(), "certificate-not-accepted")
	if stale, err := base64.StdEncoding.DecodeString(lost); err == nil {
		d.certificate = stale
		d.refused(d.authorization(), "certificate-not-accepted")
	}
	d.certificate = fresh
	w.pass(364 * day)
	d.ok(d.authorization())
	w.pass(2 * day)
	d.refused(d.authorization(), "certificate-expired", "Register the device again")
	w.audit()
}

// The record of the key follows the device: with a repeat it would get a
// certificate for a key that it does not hold any more.
func TestARegistrationUnderAnOldKeyAfterARenewalIsNoRepeat(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	old := d.key
	renewed := newKey(t)
	csr, err := certs.NewDeviceRequest(renewed, d.sudi.UDIPID)
	w.must(err)
	d.adopt(d.ok(d.message(wire.Renewal, wire.RequestData{CertificateRequest: base64.StdEncoding.EncodeToString(csr)})))
	d.key = old
	d.refused(d.registration(text, false), "already-registered", "force")
	d.key = renewed
	d.ok(d.authorization())
}

func TestDeregisteringTwiceSucceeds(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 4))
	message := d.message(wire.Deregistration, wire.RequestData{})
	first := d.ok(message)
	if in := w.pool("base").InUse; in != 0 {
		t.Errorf("%d are still in use", in)
	}
	d.unchanged("deregistering what is gone", func() {
		for _, m := range [][]byte{message, d.message(wire.Deregistration, wire.RequestData{})} {
			if again := d.ok(m); !reflect.DeepEqual(again.Data, first.Data) {
				t.Errorf("the second answer is %+v, the first was %+v", again.Data, first.Data)
			}
		}
	})
	d.refused(d.authorization("base", 1), "certificate-revoked")
	gone := d.piid
	d.register(text)
	if d.piid == gone {
		t.Error("the device came back under the PIID that was removed")
	}
	w.audit()
}

func TestARemovedDeviceIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 4))
	w.must(w.service.RemoveInstance(w.ctx, admin, d.piid))
	d.refused(d.authorization("base", 4), "certificate-revoked", "Register the device again with a token.")
	d.refused(d.renewal(), "certificate-revoked")
	if in := w.pool("base").InUse; in != 0 {
		t.Errorf("%d are still in use", in)
	}
	refused(t, w.service.RemoveInstance(w.ctx, admin, d.piid), satellite.KindNotFound, "device-not-found", "Nothing was changed")
	w.audit()
}

func TestARegistrationBeforeTheAccountIsRegisteredIsRefusedUnsigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, text := w.token(satellite.NewToken{MaxUses: 1})
	d := w.device("A")
	message := d.registration(text, false)
	reply := d.refused(message, "account-not-registered", `"Plant"`, "satellite sync request")
	if reply.Signed {
		t.Error("an account without a certificate signed")
	}
	w.trust()
	if !w.sync(w.account, false).Registered {
		t.Error("the sync did not register the account")
	}
	d.ok(message)
	w.audit()
}

func TestADeviceOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t)
	second := w.newAccount(satellite.NewAccount{Name: "Lab", Email: "admin@lab.example"})
	w.sync(second, false)
	_, first := w.token(satellite.NewToken{})
	_, text := w.token(satellite.NewToken{AccountID: second.ID})
	d := w.device("A").register(first)
	d.refused(d.registration(text, true), "device-of-another-account", "Deregister or remove it there first")
}

func TestMessagesThatCannotBeJudgedAreRefused(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	header := wire.Header{Version: "9.9", SUDI: d.sudi, Nonce: "1", RequestType: wire.Authorization}
	message, err := wire.WriteRequest(d.key, d.certificate, header, wire.RequestData{})
	w.must(err)
	if reply := d.refused(message, "unknown-version", "1.0"); !reflect.DeepEqual(reply.Data.Versions, wire.MessageVersions) {
		t.Errorf("the refusal names the versions %v", reply.Data.Versions)
	}
	d.refused(d.message("DANCE", wire.RequestData{}), "unknown-request-type")
	d.refused(d.message(wire.Renewal, wire.RequestData{CertificateRequest: "AAAA"}), "certificate-request-invalid", "ECDSA P-256")
	for _, garbage := range []string{"", "{}", "[]", "null", strings.Repeat("x", wire.MaxMessage+1), strings.Repeat("[", 1000)} {
		request, problem := wire.ReadRequest([]byte(garbage))
		w.unchanged("garbage", func() {
			if _, err := w.service.DeviceMessage(w.ctx, "192.0.2.1", request, problem); err == nil {
				t.Errorf("%.20q was answered", garbage)
			} else if kind := satellite.KindOf(err); kind != satellite.KindInvalid && kind != satellite.KindTooLarge {
				t.Errorf("%.20q: %v", garbage, err)
			}
		})
	}
}

func TestRepliesAreForgottenWhenNoRepeatCanCome(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	message := d.authorization()
	first := d.ok(message)
	w.clock.advance(time.Hour)
	w.must(w.service.ForgetReplies(w.ctx, w.service.Now()))
	if again := d.ok(message); !reflect.DeepEqual(first.Data, again.Data) {
		t.Error("a repeat within the allowed time got another answer")
	}
	w.clock.advance(time.Hour + 2*time.Minute)
	w.must(w.service.ForgetReplies(w.ctx, w.service.Now()))
	d.refused(message, "clock-skew")
}

func TestADeviceIsFoundAmongManyOfOnePrefix(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	for n := range 120 {
		w.device(fmt.Sprintf("1%03d", n)).register(text)
	}
	w.device("1").register(text)
	details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{UDIPID: "R1000", UDISerialNumber: "1"})
	w.must(err)
	if details.UDISerialNumber != "1" || details.Account != "Plant" || details.VirtualAccount != "Default" {
		t.Errorf("found %+v", details)
	}
	certificate, err := w.service.InstanceCertificate(w.ctx, admin, details.PIID)
	w.must(err)
	if sha256.Sum256(certificate.DER) != certificate.Fingerprint || certificate.Status != satellite.CertificateActive {
		t.Errorf("its certificate is %s, %x", certificate.Status, certificate.Fingerprint)
	}
	_, err = w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{UDIPID: "R1000", UDISerialNumber: "2"})
	refused(t, err, satellite.KindNotFound, "device-not-found")
}
