package satellite_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/issuer"
	"ssm/satellite/wire"
)

func TestAnAccountRegistersByFileAndItsLotsArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trust()
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 7}, {tag: "base", quantity: 3, end: begin.Add(day)}, {tag: "later", quantity: 4, start: begin.Add(day)}}
	request := w.request(w.account, false)
	response := w.up.answer(t, request, nil)
	if m := w.up.manifest; m.Request.Scope != wire.ScopeRegistration || m.Sequence != 1 || m.Request.RequestedBy != "admin@plant.example" || m.Account.SmartAccount != "Plant" {
		t.Errorf("the first request says %+v", m)
	}
	result, err := w.apply(response)
	if err != nil || !result.Registered || result.Lots != 3 || result.Sequence != 1 || result.AlreadyApplied || result.Deadline.IsZero() {
		t.Fatalf("the response did %+v (%v)", result, err)
	}
	if p := w.pool("base"); p.Purchased != 10 || p.License.Name != "License base" {
		t.Errorf("base: %+v", p)
	}
	if p := w.pool("later"); p.Purchased != 0 {
		t.Errorf("a lot that has not begun counts: %+v", p)
	}
	w.unchanged("the same response again", func() {
		if result, err := w.apply(response); err != nil || !result.AlreadyApplied || result.Registered {
			t.Errorf("it did %+v (%v)", result, err)
		}
	})
	chain, err := w.service.CertificateChain(w.ctx, admin, w.account.ID)
	if err != nil || len(chain) != 3 || !bytes.Equal(chain[2], w.up.root.Certificate.Raw) {
		t.Errorf("the chain has %d certificates (%v)", len(chain), err)
	}
	// Fewer lots: what is gone upstream is gone here.
	w.up.lots[w.external(w.account)] = []lot{{tag: "later", quantity: 4}}
	w.sync(w.account, false)
	if w.up.manifest.Request.Scope != wire.ScopeStandard {
		t.Errorf("the second request is %s", w.up.manifest.Request.Scope)
	}
	if base, later := w.pool("base"), w.pool("later"); base.Purchased != 0 || later.Purchased != 4 {
		t.Errorf("base has %d, later %d", base.Purchased, later.Purchased)
	}
	w.audit()
}

func TestLaw2AResponseThatMustNotBeAppliedChangesNothing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 7})
	older := w.request(w.account, false)
	stale := w.up.answer(t, older, nil)
	w.sync(w.account, false)
	never := w.request(w.account, false)

	other := registered(t)
	stranger := newUpstream(t, "Stranger's Root", w.clock)
	manifest := w.up.respond(t, w.up.take(t, never))
	signed := func(change func(*wire.Manifest), signer wire.Signer) []byte {
		m := manifest
		part := *m.Response
		m.Response = &part
		change(&m)
		return w.up.write(t, m, w.up.records(t, m.Account.ID), signer)
	}
	own := w.up.signer
	same := func(*wire.Manifest) {}
	for _, c := range []struct {
		name     string
		response []byte
		kind     satellite.Kind
		code     string
		words    []string
	}{
		{"an older one", stale, satellite.KindConflict, "response-old", []string{"newest response"}},
		{"one for another satellite", signed(func(m *wire.Manifest) { m.SatelliteID = other.service.ID() }, own), satellite.KindConflict, "response-foreign", []string{w.service.ID(), other.service.ID()}},
		{"one for another account", signed(func(m *wire.Manifest) { m.Account.ID = "elsewhere" }, own), satellite.KindConflict, "response-foreign", nil},
		{"one that answers nothing", signed(func(m *wire.Manifest) { m.Sequence = 99 }, own), satellite.KindConflict, "response-unasked", nil},
		{"one that answers another request", signed(func(m *wire.Manifest) { m.Response.RequestDigest = "00" }, own), satellite.KindConflict, "response-unasked", []string{"backup"}},
		{"one under another root", signed(same, stranger.signer), satellite.KindConflict, "root-untrusted", []string{certs.Fingerprint(stranger.root.Certificate), "satellite upstream trust FILE"}},
		{"one that a satellite signed", signed(same, satelliteSigner(t, w)), satellite.KindConflict, "signer-not-accepted", nil},
		{"a request", never, satellite.KindInvalid, "not-a-response", []string{"ssm sync answer"}},
		{"one without certificates", signed(func(m *wire.Manifest) { m.Response.Certificates = nil }, own), satellite.KindInvalid, "sync-file-malformed", nil},
		{"one with the certificate of another key", signed(func(m *wire.Manifest) {
			m.Response.Certificates = [][]byte{w.up.issuing.Certificate.Raw, w.up.root.Certificate.Raw}
		}, own), satellite.KindConflict, "authority-not-accepted", nil},
		{"one of another version", w.up.write(t, manifest, []wire.Record{{Kind: "dance", Key: "1"}}, own), satellite.KindInvalid, "record-kind-unknown", []string{"Update the satellite"}},
		{"an empty file", nil, satellite.KindInvalid, "sync-file-altered", nil},
		{"some text", bytes.Repeat([]byte("hello "), 1000), satellite.KindInvalid, "sync-file-malformed", nil},
	} {
		w.unchanged(c.name, func() {
			_, err := w.apply(c.response)
			if err != nil && !strings.Contains(err.Error(), "Nothing was changed") {
				t.Errorf("%s: the refusal does not say that nothing was changed: %v", c.name, err)
			}
			refused(t, err, c.kind, c.code, c.words...)
		})
	}
	if _, err := w.apply(signed(same, own)); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
}

// satelliteSigner is a signer below the account's own sub CA: who steals it
// must not be able to make responses.
func satelliteSigner(t *testing.T, w *world) wire.Signer {
	t.Helper()
	var authority satellite.Authority
	err := w.store.View(w.ctx, func(tx satellite.Tx) (err error) {
		authority, err = tx.Authority(w.account.ID)
		return err
	})
	w.must(err)
	keys, err := certs.LoadKeyFile(strings.TrimSuffix(w.path, "satellite.db") + "key")
	w.must(err)
	signer, err := issuer.New(keys).Signer(authority)
	w.must(err)
	signer.Chain = append(signer.Chain, authority.Root)
	return signer
}

// Every byte of a small response, changed: none is accepted, and none changes anything.
func TestLaw2EveryAlteredByteOfAResponseIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 7})
	response := w.up.answer(t, w.request(w.account, false), nil)
	w.unchanged("an altered response", func() {
		for i := range response {
			altered := bytes.Clone(response)
			altered[i] ^= 1 << (i % 8)
			if _, err := w.apply(altered); err == nil {
				t.Fatalf("byte %d was altered, and the response was accepted", i)
			} else if satellite.KindOf(err) == satellite.KindInternal {
				t.Fatalf("byte %d altered is taken for a fault of the program: %v", i, err)
			}
		}
		for n := 0; n < len(response); n += 1 + n/100 {
			if _, err := w.apply(response[:n]); err == nil || satellite.KindOf(err) == satellite.KindInternal {
				t.Fatalf("the first %d bytes: %v", n, err)
			}
		}
	})
	if _, err := w.apply(response); err != nil {
		t.Error(err)
	}
}

func TestAFullRequestFollowsWhenTheUpstreamAsksForIt(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 7})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 2))
	result, err := w.apply(w.up.answer(t, w.request(w.account, false), func(m *wire.Manifest) {
		m.Response.FullRequested, m.Response.Reason, m.Response.NextSequence = true, "the digests differ", 9
	}))
	if err != nil || !result.FullRequested || result.Reason != "the digests differ" {
		t.Fatalf("%+v, %v", result, err)
	}
	w.up.state = map[string]map[wire.RecordKind]map[string]wire.Record{}
	w.sync(w.account, false)
	if m := w.up.manifest; m.Request.Scope != wire.ScopeFull || m.Sequence != 9 || m.Request.BaseSequence != 2 {
		t.Errorf("the next request is %s, number %d, base %d", m.Request.Scope, m.Sequence, m.Request.BaseSequence)
	}
	w.sync(w.account, false)
	if m := w.up.manifest; m.Request.Scope != wire.ScopeStandard || m.Records.Count != 0 {
		t.Errorf("then comes %s with %d records", m.Request.Scope, m.Records.Count)
	}
}

func TestLaw3LostAndLateFilesConverge(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 7})
	_, text := w.token(satellite.NewToken{})
	a, b := w.device("A").register(text), w.device("B").register(text)
	w.request(w.account, false) // lost
	w.must(w.service.RemoveInstance(w.ctx, admin, a.piid))
	late := w.request(w.account, false)
	response := w.up.answer(t, late, nil)
	b.ok(b.authorization("base", 5)) // between request and response
	c := w.device("C").register(text)
	if _, err := w.apply(response); err != nil {
		t.Fatal(err)
	}
	w.sync(w.account, false)
	devices := w.up.state[w.external(w.account)][wire.RecordDevice]
	if len(devices) != 2 || devices[b.piid].Key == "" || devices[c.piid].Key == "" {
		t.Errorf("the upstream knows %d devices", len(devices))
	}
	var usage wire.UsageRecord
	w.must(w.up.state[w.external(w.account)][wire.RecordUsage]["Default\tbase"].Decode(&usage))
	if usage.InUse != 5 {
		t.Errorf("the upstream sees %d in use", usage.InUse)
	}
}

func TestNothingIsHandedOutThatIsNotOnRecord(t *testing.T) {
	t.Parallel()
	w := registered(t)
	row, err := w.service.WriteSyncRequest(w.ctx, admin, w.account.ID, true, io.Discard)
	w.must(err)
	statuses, err := w.service.SyncStatuses(w.ctx, admin)
	if err != nil || len(statuses) != 1 || len(statuses[0].Requests) != 2 || statuses[0].Requests[0] != row || statuses[0].State.NextSequence != 3 {
		t.Errorf("on record is %+v (%v), handed out was %+v", statuses, err, row)
	}
	viewer := w.viewer()
	w.unchanged("a request of who may not", func() {
		_, err := w.service.WriteSyncRequest(w.ctx, viewer, w.account.ID, true, io.Discard)
		refused(t, err, satellite.KindForbidden, "role-insufficient")
		_, err = w.service.ApplySyncResponse(w.ctx, viewer, bytes.NewReader(nil), 0, satellite.SyncOptions{})
		refused(t, err, satellite.KindForbidden, "role-insufficient")
		_, err = w.service.TrustRoots(w.ctx, satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}, nil)
		refused(t, err, satellite.KindForbidden, "role-insufficient")
	})
	_, err = w.service.TrustRoots(w.ctx, admin, []byte("no certificate"))
	refused(t, err, satellite.KindInvalid, "root-invalid", "ssm root --out FILE")
	w.unchanged("trusting what is trusted", w.trust)
}

func TestLaw9TheSubCertificateIsRenewedPastHalfOfItsLife(t *testing.T) {
	t.Parallel()
	w := registered(t)
	before := w.up.subCA[w.external(w.account)]
	w.pass(364 * day)
	w.up.renewSigner(t)
	w.sync(w.account, false)
	if w.up.subCA[w.external(w.account)] != before {
		t.Error("the certificate was renewed before half of its life")
	}
	w.pass(2 * day)
	w.sync(w.account, false)
	after := w.up.subCA[w.external(w.account)]
	if after == before || !bytes.Equal(after.RawSubjectPublicKeyInfo, before.RawSubjectPublicKeyInfo) {
		t.Error("the certificate was not renewed for the same key")
	}
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization())
}

// Whatever happens between two requests, the records of a standard one lead
// to the digest that it states, and a full one states the same.
func TestAStandardRequestLeadsToTheDigestOfAFullOne(t *testing.T) {
	t.Parallel()
	// One world for all: what one check leaves behind is where the next begins.
	w := registered(t, lot{tag: "base", quantity: 7}, lot{tag: "extra", quantity: 2}, lot{tag: "spare", quantity: 1_000_000})
	w.part("Side")
	_, text := w.token(satellite.NewToken{})
	var devices []*device
	step := 0
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(5, 25).Draw(r, "steps") {
			step++
			w.clock.advance(time.Minute)
			switch action := rapid.SampledFrom([]string{"register", "draw", "draw", "remove", "token", "revoke", "report", "virtual", "move", "reserve", "standard", "lost", "full"}).Draw(r, "action"); {
			case action == "register":
				devices = append(devices, w.device(fmt.Sprint("D", step)).register(text))
			case action == "draw" && len(devices) > 0:
				d := devices[rapid.IntRange(0, len(devices)-1).Draw(r, "device")]
				d.ok(d.authorization(rapid.SampledFrom([]string{"base", "extra"}).Draw(r, "tag"), rapid.IntRange(0, 4).Draw(r, "count")))
			case action == "remove" && len(devices) > 0:
				n := rapid.IntRange(0, len(devices)-1).Draw(r, "device")
				w.must(w.service.RemoveInstance(w.ctx, admin, devices[n].piid))
				devices = append(devices[:n], devices[n+1:]...)
			case action == "token":
				w.token(satellite.NewToken{MaxUses: 5})
			case action == "revoke":
				token, _ := w.token(satellite.NewToken{})
				w.must(w.service.RevokeToken(w.ctx, admin, token.ID))
			case action == "report":
				serial := fmt.Sprint("D", rand.IntN(30))
				_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(report(serial, "reported", int64(step), int64(step), int64(step%3))))
				w.must(err)
			case action == "virtual":
				w.virtualAccount(step)
			case action == "move":
				from, to := "", "Side"
				if rapid.Bool().Draw(r, "back") {
					from, to = to, from
				}
				if err := w.move("extra", from, to, 1); err != nil && satellite.KindOf(err) != satellite.KindConflict {
					r.Fatal(err)
				}
			case action == "reserve":
				silent := w.silent(fmt.Sprint("S", step), wire.ReservationSpecific)
				reservation, err := silent.try("", "spare", 1)
				w.must(err)
				if _, back := silent.codes(reservation.Authorization); rapid.Bool().Draw(r, "return") {
					_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: reservation.ID}, back)
					w.must(err)
				}
			case action == "standard":
				w.sync(w.account, false)
			case action == "lost":
				w.request(w.account, false)
			case action == "full":
				w.sync(w.account, true)
			}
		}
		w.up.take(t, w.request(w.account, false)) // compares what it says with what its records lead to
		standard := w.up.manifest.StateDigest
		w.up.take(t, w.request(w.account, true))
		for _, kind := range wire.StateKinds {
			if full := w.up.manifest.StateDigest[kind]; full != standard[kind] {
				r.Fatalf("after a standard request %s is %s, after a full one %s", kind, standard[kind], full)
			}
		}
		w.audit()
	})
}

// virtualAccount makes one and deletes it again, with a token that has ended.
func (w *world) virtualAccount(step int) {
	w.Helper()
	name := fmt.Sprint("Annex ", step%2)
	created, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, name, "")
	w.must(err)
	token, _ := w.token(satellite.NewToken{VirtualAccount: created.Name})
	refused(w, w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, name, ""), satellite.KindConflict, "virtual-account-not-empty")
	w.must(w.service.RevokeToken(w.ctx, admin, token.ID))
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, name, ""))
}
