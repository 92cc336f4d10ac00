package ssm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

func TestAnAccountIsRegisteredSuppliedAndSettledByFile(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	for _, quantity := range []int64{5, 3} {
		if _, err := u.AddLicense(t.Context(), Order{VirtualAccount: "Plant 1", Tag: "regid.a", Name: "A", Quantity: quantity}); err != nil {
			t.Fatal(err)
		}
	}
	p := newPeer(t, c, u.keys.root, "k3v9q2wd", "Plant 1")
	a := answer(t, u, p.request(wire.ScopeRegistration))
	if !a.Registered || a.Account != "Example GmbH" || a.VirtualAccount != "Plant 1" || a.FileName != "plant-1.ssmres" {
		t.Errorf("the registration was answered by %+v", a)
	}
	r := p.apply(a.Body)
	if r.Response.AccountType != "standard" || r.Response.DomainIdentifier != "example.com" || r.Response.AgreementVersion != "1" {
		t.Errorf("the response tells the account as %+v", r.Response)
	}
	if want := c.now().Add(90 * day); !r.Response.Deadline.Equal(want) {
		t.Errorf("the deadline is %s, want %s", r.Response.Deadline, want)
	}
	if len(r.lots) != 2 || r.lots[0].Quantity+r.lots[1].Quantity != 8 || r.lots[0].Type != "perpetual" {
		t.Errorf("the lots are %+v", r.lots)
	}

	c.advance(day)
	report := reportRecord(t, `{"payload":"…"}`)
	r = p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(1), p.device(2),
		p.usage("Default", "regid.a", 2), p.usage("Lab", "regid.a", 4), p.usage("Lab", "regid.never-bought", 1), report)).Body)
	if r.Response.FullRequested || !slices.Equal(r.acknowledged, []string{report.Key}) {
		t.Errorf("the usage was answered by %+v, acknowledged %v", r.Response, r.acknowledged)
	}
	if r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] {
		t.Error("the response tells another state than the satellite's")
	}
	licenses, err := u.Licenses(t.Context(), "example gmbh")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range licenses {
		got = append(got, fmt.Sprint(l.VirtualAccount, " ", l.Tag, " ", l.Quantity, " ", l.InUse))
	}
	if want := []string{"Plant 1 regid.a 8 6", "Plant 1 regid.never-bought 0 1"}; !slices.Equal(got, want) {
		t.Errorf("the licenses are %q, want %q", got, want)
	}
	satellites, err := u.Satellites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := satellites[0]; s.Devices != 2 || s.Sequence != 2 || s.Reports != 1 || !s.LastSyncAt.Equal(c.now()) || s.Status != "registered" {
		t.Errorf("the satellite is listed as %+v", s)
	}
	c.advance(90*day + time.Second)
	if satellites, err = u.Satellites(t.Context()); err != nil || satellites[0].Status != "lapsed" {
		t.Errorf("90 days after its last exchange the satellite is %+v, %v", satellites, err)
	}
}

func TestLaw1TheSameRequestGetsTheSameBytes(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	request := p.request(wire.ScopeStandard, p.device(1), p.usage("Default", "t", 1), reportRecord(t, "{}"))
	first := answer(t, u, request)
	c.advance(time.Hour)
	before := state(t, u)
	again := answer(t, u, request)
	if !again.Repeated || !bytes.Equal(first.Body, again.Body) {
		t.Error("a repeated request got other bytes")
	}
	if state(t, u) != before {
		t.Error("a repeated request changed something")
	}
}

func TestAReportIsKeptOnceAndAcknowledgedEachTime(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	report := reportRecord(t, "{\"raw\":  \"\r\n\"}")
	for range 2 {
		r := p.apply(answer(t, u, p.request(wire.ScopeStandard, report)).Body)
		if !slices.Equal(r.acknowledged, []string{report.Key}) {
			t.Errorf("acknowledged %v", r.acknowledged)
		}
	}
	var rows []reportRow
	if err := u.store.reader.Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || string(rows[0].Report) != "{\"raw\":  \"\r\n\"}" {
		t.Errorf("kept %+v", rows)
	}
}

func TestLaw3LostAndReorderedFilesConverge(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")

	changes := []wire.Record{p.device(1), p.device(2)}
	late := p.request(wire.ScopeStandard, changes...) // 2: written, and forgotten in a pocket
	changes = append(changes, p.remove(wire.RecordDevice, "piid-1"), p.device(3))
	lost := answer(t, u, p.request(wire.ScopeStandard, changes...)) // 3: its answer gets lost
	if lost.FullRequested {
		t.Fatalf("a gap in the numbers was answered by %q", lost.Reason)
	}
	before := state(t, u)
	stale := answer(t, u, late)
	if r := p.read(stale.Body); !r.Response.FullRequested || r.Response.NextSequence != 4 || !strings.Contains(r.Response.Reason, "the file is late") {
		t.Errorf("the late request was answered by %+v", r.Response)
	}
	if cut := strings.LastIndex(before, "\n"); state(t, u)[:cut] != before[:cut] {
		t.Error("the late request changed something")
	}
	changes = append(changes, p.device(4))
	r := p.apply(answer(t, u, p.request(wire.ScopeStandard, changes...)).Body)
	if r.Response.FullRequested || r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] {
		t.Errorf("the sides did not converge: %+v", r.Response)
	}
	if satellites, err := u.Satellites(t.Context()); err != nil || satellites[0].Devices != 3 {
		t.Errorf("the upstream holds %+v, %v", satellites, err)
	}
}

func TestARestoredSatelliteIsAskedForAFullRequest(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	answer(t, u, p.request(wire.ScopeStandard, p.device(1)))
	before := state(t, u)
	p.sequence-- // restored from a backup before that request
	p.remove(wire.RecordDevice, "piid-1")
	r := p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(7))).Body)
	if !r.Response.FullRequested || r.Response.NextSequence != 3 || !strings.Contains(r.Response.Reason, "restored or copied") {
		t.Fatalf("the restored satellite was answered by %+v", r.Response)
	}
	if cut := strings.LastIndex(before, "\n"); state(t, u)[:cut] != before[:cut] {
		t.Error("the request of the restored satellite changed something")
	}
	r = p.apply(answer(t, u, p.request(wire.ScopeFull, p.everything()...)).Body)
	if r.Response.FullRequested || r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] {
		t.Errorf("the full request did not heal it: %+v", r.Response)
	}
	if satellites, err := u.Satellites(t.Context()); err != nil || satellites[0].Devices != 1 {
		t.Errorf("the upstream holds %+v, %v", satellites, err)
	}
}

func TestLaw3ADigestMismatchKeepsNothingAndAsksForAFullRequest(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	if _, err := u.AddLicense(t.Context(), Order{VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 9}); err != nil {
		t.Fatal(err)
	}
	p := register(t, u, c, "s1", "V")
	p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(1), p.usage("Default", "t", 1))).Body)
	p.device(2) // never sent
	report := reportRecord(t, "{}")
	r := p.apply(answer(t, u, p.request(wire.ScopeStandard, p.usage("Default", "t", 5), report)).Body)
	if !r.Response.FullRequested || !strings.Contains(r.Response.Reason, "device") || r.Response.NextSequence != 4 {
		t.Fatalf("the mismatch was answered by %+v", r.Response)
	}
	if len(r.acknowledged) != 0 || len(r.lots) != 1 {
		t.Errorf("it acknowledged %v and told the lots %+v", r.acknowledged, r.lots)
	}
	licenses, err := u.Licenses(t.Context(), "")
	if err != nil || licenses[0].InUse != 1 {
		t.Errorf("something of the mismatching request was kept: %+v, %v", licenses, err)
	}
	r = p.apply(answer(t, u, p.request(wire.ScopeFull, append(p.everything(), report)...)).Body)
	if r.Response.FullRequested || !slices.Equal(r.acknowledged, []string{report.Key}) {
		t.Errorf("the full request was answered by %+v", r.Response)
	}
	if licenses, err = u.Licenses(t.Context(), ""); err != nil || licenses[0].InUse != 5 {
		t.Errorf("after the full request: %+v, %v", licenses, err)
	}
}

func TestAFullRequestReplacesAndAStandardOneOfManyBatchesKeepsTheDigest(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	var records []wire.Record
	for i := range 3*batchSize + 7 {
		records = append(records, p.device(i))
	}
	records = append(records, records[0], p.usage("Default", "t", 3)) // one stands twice
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard, records...)).Body); r.Response.FullRequested {
		t.Fatal(r.Response.Reason)
	}
	records = nil
	for i := range 2 * batchSize {
		records = append(records, p.remove(wire.RecordDevice, fmt.Sprintf("piid-%d", i)))
	}
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard, records...)).Body); r.Response.FullRequested {
		t.Fatal(r.Response.Reason)
	}
	clear(p.held[wire.RecordDevice])
	p.omits = []string{"hostname"}
	if r := p.apply(answer(t, u, p.request(wire.ScopeFull, append(p.everything(), p.device(1))...)).Body); r.Response.FullRequested {
		t.Fatal(r.Response.Reason)
	}
	var held []recordRow
	if err := u.store.reader.Find(&held).Error; err != nil || len(held) != 2 {
		t.Errorf("after the full request %d records are held, %v", len(held), err)
	}
}

func TestLaw2AnAlteredRequestIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	request := p.request(wire.ScopeStandard, p.device(1), p.usage("Default", "t", 1))
	before := state(t, u)
	for at := 0; at < len(request); at += 7 {
		altered := bytes.Clone(request)
		altered[at] ^= 1
		if _, err := u.answerBytes(t.Context(), altered, AnswerOptions{}); err == nil {
			t.Fatalf("a request with byte %d altered was answered", at)
		}
	}
	for _, cut := range []int{0, 1, 511, 512, len(request) / 2, len(request) - 1} {
		if _, err := u.answerBytes(t.Context(), request[:cut], AnswerOptions{}); err == nil {
			t.Fatalf("a request cut to %d bytes was answered", cut)
		}
	}
	if state(t, u) != before {
		t.Error("a refused request changed something")
	}
}

func TestARequestThatCannotBeKeptIsRefusedWhole(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(1))).Body)
	before := state(t, u)
	sequence := p.sequence
	for name, bad := range map[string]struct {
		record wire.Record
		want   error
		says   string
	}{
		"unknown kind":        {wire.Record{Kind: "policy", Key: "x", Value: []byte(`{}`)}, ErrRefused, `"policy"`},
		"foreign transfer":    {wire.Record{Kind: wire.RecordTransfer, Key: "lot\t1\t2", Value: []byte(`{"lot":"other","quantity":1}`)}, wire.ErrMalformed, "transfer"},
		"transfer of nothing": {wire.Record{Kind: wire.RecordTransfer, Key: "lot\t1\t2", Value: []byte(`{"lot":"lot","quantity":0}`)}, wire.ErrMalformed, "transfer"},
		"foreign reservation": {wire.Record{Kind: wire.RecordReservation, Key: "1", Value: []byte(`{"id":"2"}`)}, wire.ErrMalformed, "reservation"},
		"kind of a response":  {wire.Record{Kind: wire.RecordLot, Key: "x", Value: []byte(`{}`)}, ErrRefused, `"lot"`},
		"foreign key":         {wire.Record{Kind: wire.RecordDevice, Key: "x", Value: []byte(`{"piid":"y"}`)}, wire.ErrMalformed, "device"},
		"negative usage":      {wire.Record{Kind: wire.RecordUsage, Key: "v\tt", Value: []byte(`{"virtual_account":"v","tag":"t","in_use":-1}`)}, wire.ErrMalformed, "-1"},
		"negative reserve":    {wire.Record{Kind: wire.RecordUsage, Key: "v\tt", Value: []byte(`{"virtual_account":"v","tag":"t","in_use":1,"reserved":-2}`)}, wire.ErrMalformed, "-2"},
		"huge reserve":        {wire.Record{Kind: wire.RecordUsage, Key: "v\tt", Value: []byte(`{"virtual_account":"v","tag":"t","in_use":1,"reserved":9007199254740993}`)}, wire.ErrMalformed, "9007199254740993"},
		"a tag's meaning":     {wire.Record{Kind: wire.RecordEntitlement, Key: "t", Value: []byte(`{}`)}, ErrRefused, `"entitlement"`},
		"no value":            {wire.Record{Kind: wire.RecordToken, Key: "t"}, wire.ErrMalformed, "token"},
		"no key":              {wire.Record{Kind: wire.RecordToken, Removed: true}, wire.ErrMalformed, "key"},
		"foreign digest":      {wire.Record{Kind: wire.RecordReport, Key: "00", Value: []byte(`{"report":"e30="}`)}, wire.ErrMalformed, "digest"},
	} {
		p.sequence = sequence
		m := p.manifest(wire.ScopeFull) // which would erase what is held
		records := append(p.everything(), reportRecord(t, "{}"), bad.record)
		_, err := u.answerBytes(t.Context(), p.pack(m, records...), AnswerOptions{})
		if !errors.Is(err, bad.want) || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s: %v", name, err)
		}
		if state(t, u) != before {
			t.Fatalf("%s: a refused request changed something", name)
		}
	}
}

func TestOnlyTheAccountItselfSpeaksForIt(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	thief := newPeer(t, c, u.keys.root, "thief", "Other")
	thief.accountID = p.accountID // each satellite chooses its own ids
	thief.apply(answer(t, u, thief.request(wire.ScopeRegistration)).Body)
	thief.id, thief.sequence = p.id, p.sequence // and now speaks for the other one
	stranger := register(t, openUpstream(t, c), c, "s1", "V")
	nobody := register(t, u, c, "elsewhere", "W")
	nobody.id = "nobody"
	untouched := state(t, u)
	for name, request := range map[string][]byte{
		"another satellite's sub CA": thief.request(wire.ScopeStandard, thief.device(1)),
		"another upstream's root":    stranger.request(wire.ScopeStandard, stranger.device(1)),
	} {
		if _, err := u.answerBytes(t.Context(), request, AnswerOptions{}); !errors.Is(err, certs.ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := u.answerBytes(t.Context(), nobody.request(wire.ScopeStandard), AnswerOptions{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "registration") {
		t.Errorf("an unknown satellite: %v", err)
	}
	if state(t, u) != untouched {
		t.Error("a foreign request changed something")
	}
	response := answer(t, u, p.request(wire.ScopeStandard)).Body
	before := state(t, u)
	if _, err := u.answerBytes(t.Context(), response, AnswerOptions{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "response") {
		t.Errorf("a response in place of a request: %v", err)
	}
	if state(t, u) != before {
		t.Error("a refused request changed something")
	}
}
