package ssm

import (
	"errors"
	"strings"
	"testing"

	"ssm/satellite/wire"
)

func TestTheNewestAgreementTravelsWithEachResponse(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	first, err := u.Agreement(t.Context())
	if err != nil || first.Version != "1" || first.Text != firstAgreementText || !first.PublishedAt.Equal(c.now()) {
		t.Fatalf("from the start there is %+v, %v", first, err)
	}
	p := newPeer(t, c, u.keys.root, "s1", "V")
	if r := p.apply(answer(t, u, p.request(wire.ScopeRegistration)).Body).Response; r.AgreementVersion != "1" || r.AgreementText != first.Text {
		t.Errorf("the satellite is told version %q: %q", r.AgreementVersion, r.AgreementText)
	}
	c.advance(day)
	text := "Zweite Fassung <für alle> & jeden.\r\n\tPunkt 1\n"
	second, err := u.PublishAgreement(t.Context(), " 2026-03 ", text)
	if err != nil || second.Version != "2026-03" || !second.PublishedAt.Equal(c.now()) {
		t.Fatalf("published is %+v, %v", second, err)
	}
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body).Response; r.AgreementVersion != "2026-03" || r.AgreementText != text {
		t.Errorf("the satellite is told version %q: %q", r.AgreementVersion, r.AgreementText)
	}
	c.advance(day)
	if again, err := u.PublishAgreement(t.Context(), "2026-03", text); err != nil || again != second {
		t.Errorf("the same again is %+v, %v, want %+v", again, err, second)
	}
	for name, refused := range map[string]struct{ version, text, says string }{
		"another text":      {"2026-03", text + "!", "2026-03-02"},
		"an older version":  {"1", first.Text, "2026-03-01"},
		"no version":        {" ", "text", "version"},
		"a long version":    {strings.Repeat("x", 33), "text", "32"},
		"a version in two":  {"a\nb", "text", "version"},
		"no text":           {"3", " \n", "empty"},
		"a long text":       {"3", strings.Repeat("x", MaxAgreement+1), "262144"},
		"no UTF-8":          {"3", "\xff\xfe", "UTF-8"},
		"a binary":          {"3", "a\x00b", "plain text"},
		"too many brackets": {"3", strings.Repeat("<", MaxAgreement), "< > &"},
	} {
		if _, err := u.PublishAgreement(t.Context(), refused.version, refused.text); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	reopened, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer reopened.Close()
	if now, err := reopened.Agreement(t.Context()); err != nil || now != second {
		t.Errorf("after the refusals and a restart %+v holds (%v), want %+v", now, err, second)
	}
}

// A manifest has at most 1 MiB, and an agreement is the largest thing in it.
func TestTheLargestAgreementFitsIntoAResponse(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := newPeer(t, c, u.keys.root, "s1", "V")
	for version, text := range map[string]string{
		"long": strings.Repeat("ü", MaxAgreement/2), "escaped": strings.Repeat("<", maxEncodedAgreement/6-1), "lines": strings.Repeat("a\n", MaxAgreement/2),
	} {
		if _, err := u.PublishAgreement(t.Context(), version, text); err != nil {
			t.Fatal(err)
		}
		if r := p.apply(answer(t, u, p.request(wire.ScopeRegistration)).Body); r.Response.AgreementText != text {
			t.Errorf("%s: the text arrived with %d bytes of %d", version, len(r.Response.AgreementText), len(text))
		}
	}
}

func TestTheAcceptedVersionIsKeptUntilAnotherIsAccepted(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	accepted := func() string {
		t.Helper()
		list, err := u.Satellites(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list[0].AgreementAccepted
	}
	if got := accepted(); got != "" {
		t.Errorf("before the first acceptance it is %q", got)
	}
	for _, step := range []struct{ told, kept string }{{"1", "1"}, {"", "1"}, {"2026-03", "2026-03"}} {
		p.accepted = step.told
		p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body)
		if got := accepted(); got != step.kept {
			t.Errorf("after %q was told it is %q, want %q", step.told, got, step.kept)
		}
	}
	p.accepted = "of a request that does not fit"
	p.device(1) // never sent
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body); !r.Response.FullRequested || accepted() != "2026-03" {
		t.Errorf("of a request that does not fit %q was kept", accepted())
	}
	before := state(t, u)
	for _, bad := range []string{strings.Repeat("x", 33), "a\nb", " "} {
		p.accepted = bad
		if _, err := u.answerBytes(t.Context(), p.request(wire.ScopeFull, p.everything()...), AnswerOptions{}); !errors.Is(err, ErrRefused) {
			t.Errorf("the acceptance of %q: %v", bad, err)
		}
	}
	if state(t, u) != before {
		t.Error("a refused request changed something")
	}
}
