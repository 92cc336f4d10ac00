package satellite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"ssm/satellite"
)

// keyed sends a request with a key that creates a token, and tells what came of it.
func (w *world) keyed(actor satellite.Actor, key, request string) (kept string, err error) {
	w.Helper()
	answer, repeated, err := w.service.Once(w.ctx, actor, key, sha256.Sum256([]byte(request)), func(ctx context.Context) (satellite.Outcome, []byte) {
		token, _, err := w.service.CreateToken(ctx, actor, satellite.NewToken{AccountID: w.account.ID, Description: request})
		w.must(err)
		return satellite.OutcomeDone, fmt.Appendf(nil, "token %d", token.ID)
	})
	if !repeated {
		return "", err
	}
	return string(answer), err
}

func (w *world) tokenCount() int {
	w.Helper()
	tokens, err := w.service.Tokens(w.ctx, admin, satellite.TokenFilter{AccountID: w.account.ID}, satellite.Page{Limit: 1000})
	w.must(err)
	return len(tokens)
}

func TestAKeyCarriesARequestOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	expect := func(what string, actor satellite.Actor, key, request, wantKept, wantCode string, wantTokens int) {
		t.Helper()
		kept, err := w.keyed(actor, key, request)
		if kept != wantKept || (err != nil || wantCode != "") && satellite.CodeOf(err) != wantCode {
			t.Errorf("%s: the kept answer is %q, the error %v; want %q and %q", what, kept, err, wantKept, wantCode)
		}
		if got := w.tokenCount(); got != wantTokens {
			t.Errorf("%s: there are %d tokens, want %d", what, got, wantTokens)
		}
	}
	user := satellite.Actor{UserID: 7, Name: admin.Name, Role: satellite.RoleSystemAdmin}
	expect("the first time", admin, "a", "one", "", "", 1)
	expect("the second time", admin, "a", "one", "token 1", "", 1)
	w.restart(0)
	expect("after a restart", admin, "a", "one", "token 1", "", 1)
	expect("another request", admin, "a", "two", "", "idempotency-key-reused", 1)
	expect("another key", admin, "A", "one", "", "", 2)
	expect("a user of the same name", user, "a", "one", "", "", 3)
	expect("the user again", user, "a", "one", "token 3", "", 3)
	user.Name = "new@plant.example"
	expect("the user with another address", user, "a", "one", "token 3", "", 3)
	w.clock.advance(24*time.Hour - time.Second)
	expect("just before a day has passed", admin, "a", "one", "token 1", "", 3)
	w.clock.advance(time.Second)
	expect("after a day", admin, "a", "two", "", "", 4)
	expect("after a day, again", admin, "a", "two", "token 4", "", 4)
	if _, err := w.keyed(satellite.Actor{Name: "nobody"}, "a", "one"); satellite.KindOf(err) != satellite.KindUnauthenticated {
		t.Errorf("nobody has a key: %v", err)
	}
}

func TestARequestThatWasCutOffIsNotCarriedOutAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := sha256.Sum256([]byte("one"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it was not cut off")
			}
		}()
		_, _, _ = w.service.Once(w.ctx, admin, "a", request, func(ctx context.Context) (satellite.Outcome, []byte) {
			_, _, err := w.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: w.account.ID})
			w.must(err)
			panic("the power fails after the commit")
		})
	}()
	for range 2 {
		if kept, err := w.keyed(admin, "a", "one"); kept != "" || satellite.CodeOf(err) != "idempotency-outcome-unstored" || satellite.KindOf(err) != satellite.KindConflict {
			t.Errorf("after the crash: %q, %v", kept, err)
		}
		w.restart(0)
	}
	if _, err := w.keyed(admin, "a", "two"); satellite.CodeOf(err) != "idempotency-key-reused" {
		t.Errorf("another request with the key: %v", err)
	}
	if got := w.tokenCount(); got != 1 {
		t.Errorf("there are %d tokens, want 1", got)
	}
}

func TestWhatIsKeptFollowsFromTheOutcome(t *testing.T) {
	t.Parallel()
	changed := func(w *world, ctx context.Context) {
		_, _, err := w.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: w.account.ID})
		w.must(err)
	}
	refused := func(w *world, ctx context.Context) {
		if _, _, err := w.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: w.account.ID, Days: -1}); err == nil {
			w.Error("nothing was refused")
		}
	}
	byItself := func(w *world, ctx context.Context) {
		w.must(w.service.RotateTokenKey(ctx, w.clock.Now().AddDate(2, 0, 0)))
	}
	for _, c := range []struct {
		name     string
		act      func(*world, context.Context)
		outcome  satellite.Outcome
		answer   string
		repeated bool
		code     string // of the second time
	}{
		{"a success that changed nothing", func(*world, context.Context) {}, satellite.OutcomeDone, "done", true, ""},
		{"a success without a body", changed, satellite.OutcomeDone, "", true, ""},
		{"a refusal", refused, satellite.OutcomeRefused, "no", false, ""},
		{"a refusal after a change", changed, satellite.OutcomeRefused, "no", true, ""},
		{"a fault before a change", refused, satellite.OutcomeFailed, "broken", false, ""},
		{"a fault after a change", changed, satellite.OutcomeFailed, "broken", false, "idempotency-outcome-unstored"},
		{"a fault after what the satellite did by itself", byItself, satellite.OutcomeFailed, "broken", false, ""},
		{"a success with a huge answer", changed, satellite.OutcomeDone, string(make([]byte, satellite.MaxKeptAnswer+1)), false, "idempotency-outcome-unstored"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ran := 0
			send := func() (string, bool, error) {
				answer, repeated, err := w.service.Once(w.ctx, admin, "a", sha256.Sum256([]byte("one")), func(ctx context.Context) (satellite.Outcome, []byte) {
					ran++
					c.act(w, ctx)
					return c.outcome, []byte(c.answer)
				})
				return string(answer), repeated, err
			}
			if answer, repeated, err := send(); answer != c.answer || repeated || err != nil {
				t.Fatalf("the first time: %.80q, %t, %v", answer, repeated, err)
			}
			want, runs := c.answer, 1
			if c.code != "" {
				want = ""
			} else if !c.repeated {
				runs = 2
			}
			answer, repeated, err := send()
			if answer != want || repeated != c.repeated || ran != runs || (err != nil || c.code != "") && satellite.CodeOf(err) != c.code {
				t.Errorf("the second time: %.80q, %t, %v after %d runs; want %.80q, %t, %q after %d", answer, repeated, err, ran, want, c.repeated, c.code, runs)
			}
		})
	}
}

func TestASecondRequestWithAKeyWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, leave := context.WithCancel(w.ctx)
	_, _, err := w.service.Once(ctx, admin, "a", sha256.Sum256([]byte("one")), func(ctx context.Context) (satellite.Outcome, []byte) {
		if kept, err := w.keyed(admin, "a", "one"); kept != "" || satellite.CodeOf(err) != "idempotency-key-in-use" {
			t.Errorf("beside the first: %q, %v", kept, err)
		}
		if _, err := w.keyed(admin, "b", "one"); err != nil {
			t.Errorf("another key beside the first: %v", err)
		}
		leave()
		if ctx.Err() != nil {
			t.Error("the caller took the request along when he left")
		}
		return satellite.OutcomeDone, []byte("done")
	})
	w.must(err)
	if kept, err := w.keyed(admin, "a", "one"); kept != "done" || err != nil {
		t.Errorf("after the first: %q, %v", kept, err)
	}
}

func TestAKeyThatAnotherProcessClaimedFirstStopsTheChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.service.Once(w.ctx, admin, "a", sha256.Sum256([]byte("one")), func(ctx context.Context) (satellite.Outcome, []byte) {
		w.must(w.store.Update(ctx, func(tx satellite.Tx) error {
			return tx.SaveIdempotencyClaim(satellite.IdempotencyClaim{Actor: admin.Name, Key: "a", Request: "another", Fingerprint: []byte{1}, At: w.clock.Now()})
		}))
		_, _, err := w.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: w.account.ID})
		if satellite.CodeOf(err) != "idempotency-key-in-use" {
			t.Errorf("the change went on: %v", err)
		}
		return satellite.OutcomeDone, []byte("done")
	})
	if !errors.Is(err, satellite.ErrAnswerNotKept) {
		t.Errorf("the answer replaced that of another request: %v", err)
	}
	if got := w.tokenCount(); got != 0 {
		t.Errorf("there are %d tokens, want none", got)
	}
}

func TestTheKeysOfOneActorAreBoundedAndForgottenAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.keyed(admin, "known", "one"); err != nil {
		t.Fatal(err)
	}
	w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
		for n := range 9_999 {
			if err := tx.SaveIdempotencyClaim(satellite.IdempotencyClaim{Actor: admin.Name, Key: fmt.Sprint(n), Request: "r", Fingerprint: []byte{1}, At: w.clock.Now()}); err != nil {
				return err
			}
		}
		return nil
	}))
	if _, err := w.keyed(admin, "more", "one"); satellite.KindOf(err) != satellite.KindTooMany || satellite.CodeOf(err) != "idempotency-keys-too-many" {
		t.Errorf("over the bound: %v", err)
	}
	if kept, err := w.keyed(admin, "known", "one"); kept != "token 1" || err != nil {
		t.Errorf("a key that is known: %q, %v", kept, err)
	}
	if _, err := w.keyed(satellite.Actor{UserID: 7, Name: admin.Name, Role: satellite.RoleSystemAdmin}, "more", "one"); err != nil {
		t.Errorf("another actor: %v", err)
	}
	w.clock.advance(24*time.Hour + time.Second)
	w.must(w.service.ForgetReplies(w.ctx, w.clock.Now()))
	w.must(w.store.View(w.ctx, func(tx satellite.Tx) error {
		if n, err := tx.CountIdempotencyClaims(admin.Name); n != 0 || err != nil {
			t.Errorf("%d keys are left after a day, %v", n, err)
		}
		return nil
	}))
	if _, err := w.keyed(admin, "more", "one"); err != nil {
		t.Errorf("after a day: %v", err)
	}
}

func TestNothingOfARequestWithAKeyCanBeReadInTheDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fingerprint := sha256.Sum256([]byte("one"))
	if _, err := w.keyed(admin, "a", "one"); err != nil {
		t.Fatal(err)
	}
	w.must(w.store.View(w.ctx, func(tx satellite.Tx) error {
		claim, err := tx.IdempotencyClaim(admin.Name, "a")
		if err != nil || len(claim.Answer) == 0 || string(claim.Answer) == "token 1" || string(claim.Fingerprint) == string(fingerprint[:]) {
			t.Errorf("the row is %+v, %v", claim, err)
		}
		return nil
	}))
}
