package agent_test

import (
	"errors"
	"testing"
	"time"

	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

const day = 24 * time.Hour

func TestTheEvaluationRunsOnlyForward(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		start           agent.Evaluation
		at              time.Time
		used, remaining time.Duration
	}{
		"never used":              {agent.Evaluation{}, epoch, 0, 90 * day},
		"paused":                  {agent.Evaluation{Used: 10 * day}, epoch.AddDate(1, 0, 0), 10 * day, 80 * day},
		"running":                 {agent.Evaluation{Used: 10 * day, RunningSince: epoch}, epoch.Add(5 * day), 15 * day, 75 * day},
		"a clock turned back":     {agent.Evaluation{Used: 10 * day, RunningSince: epoch}, epoch.Add(-5 * day), 10 * day, 80 * day},
		"a second before the end": {agent.Evaluation{RunningSince: epoch}, epoch.Add(90*day - time.Second), 90*day - time.Second, time.Second},
		"at the end":              {agent.Evaluation{RunningSince: epoch}, epoch.Add(90 * day), 90 * day, 0},
		"long after":              {agent.Evaluation{Used: 30 * day, RunningSince: epoch}, epoch.AddDate(200, 0, 0), 180 * day, 0},
	}
	for name, c := range cases {
		got := c.start.At(c.at)
		if got.Used != c.used || got.Remaining() != c.remaining || got.Running() != c.start.Running() {
			t.Errorf("%s: %+v, %s remain", name, got, got.Remaining())
		}
		if again := got.At(c.at); again != got {
			t.Errorf("%s: looking twice counts twice: %+v", name, again)
		}
	}
}

func TestOnlyADeviceThatIsNoProductInstanceEvaluates(t *testing.T) {
	t.Parallel()
	uses := map[string]int64{"A": 1, "B": 0}
	cases := map[string]struct {
		state agent.State
		want  bool
	}{
		"unregistered":           {agent.State{Registration: agent.Unregistered, Wanted: uses}, true},
		"registering":            {agent.State{Registration: agent.Registering, Wanted: uses}, true},
		"nothing used":           {agent.State{Registration: agent.Unregistered, Wanted: map[string]int64{"B": 0}}, false},
		"registered":             {agent.State{Registration: agent.Registered, PIID: "p", Wanted: uses}, false},
		"registration expired":   {agent.State{Registration: agent.RegistrationExpired, PIID: "p", Wanted: uses}, false},
		"registering once more":  {agent.State{Registration: agent.Registering, PIID: "p", Wanted: uses}, false},
		"nothing and unanswered": {agent.State{Registration: agent.Registering}, false},
	}
	for name, c := range cases {
		if got := c.state.Evaluating(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// checkEvaluation looks at the device as its owner does.
func checkEvaluation(t *testing.T, when string, s agent.State, state string, used time.Duration, mode wire.Mode) {
	t.Helper()
	if s.AuthorizationState != state || s.Evaluation.Used != used {
		t.Errorf("%s: %q after %s, want %q after %s", when, s.AuthorizationState, s.Evaluation.Used, state, used)
	}
	if licenses := s.Licenses(); mode != "" && (len(licenses) != 1 || licenses[0].Mode != mode || licenses[0].Count != 2) {
		t.Errorf("%s: %+v, want mode %q", when, licenses, mode)
	}
}

func TestTheEvaluationIsPausedAndResumedAndNeverReset(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	o := s.options()
	device := open(t, o)
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.days(10)
	checkEvaluation(t, "unused", device.State(), "", 0, "")
	step(device.Request(ctx, "A", 2))
	if len(s.messages) != 0 {
		t.Fatal("an unregistered device has sent something")
	}
	s.days(50)
	device = s.restart(device, o.Folder)
	checkEvaluation(t, "in use for 40 days", device.State(), agent.InEvaluation, 40*day, wire.ModeEvaluation)

	step(device.Register(ctx, "token", false))
	checkEvaluation(t, "registered", device.State(), agent.NoLicensesInUse, 40*day, wire.ModeWaiting)
	_, err := device.RenewDue(ctx)
	step(err)
	if got := s.last().Data.Entitlements; len(got) != 1 || got[0] != (wire.Entitlement{Tag: "A", Count: 2}) {
		t.Errorf("the first authorization asks for %+v", got)
	}
	s.days(100)
	checkEvaluation(t, "after 50 days as an instance", device.State(), "authorized", 40*day, wire.ModeInCompliance)

	step(device.Deregister(ctx))
	s.days(120)
	checkEvaluation(t, "20 days after the deregistration", device.State(), agent.InEvaluation, 60*day, wire.ModeEvaluation)
	step(device.Request(ctx, "A", 0))
	if wanted := device.State().Wanted; len(wanted) != 0 {
		t.Errorf("a release that nobody has to be told of is kept: %v", wanted)
	}
	s.days(150)
	checkEvaluation(t, "released", device.State(), "", 60*day, "")
	step(device.Request(ctx, "A", 2))
	s.days(179)
	device = s.restart(device, o.Folder)
	checkEvaluation(t, "one day left", device.State(), agent.InEvaluation, 89*day, wire.ModeEvaluation)
	checkEvaluation(t, "the day after", device.State().At(epoch.Add(180*day)), agent.EvaluationExpired, 90*day, wire.ModeEvaluationExpired)

	step(device.Register(ctx, "other", false))
	step(device.RenewAuthorization(ctx))
	checkEvaluation(t, "registered again", device.State(), "authorized", 89*day, wire.ModeInCompliance)
	step(device.Deregister(ctx))
	s.days(181)
	checkEvaluation(t, "the end", device.State(), agent.EvaluationExpired, 91*day, wire.ModeEvaluationExpired)
}

func TestADeviceThatWasRemovedGoesOnInEvaluation(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 2); err != nil {
		t.Fatal(err)
	}
	s.set(func() { clear(s.instances) })
	var refused *agent.Refused
	if err := device.RenewAuthorization(t.Context()); !errors.As(err, &refused) || refused.Code != "not-registered" {
		t.Fatal(err)
	}
	s.days(30)
	checkEvaluation(t, "after 30 days", device.State(), agent.InEvaluation, 30*day, wire.ModeEvaluation)
}

func TestAReleaseThatNobodyConfirmedEndsWithTheRegistration(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 2); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.lose = 2 })
	if err := device.Request(t.Context(), "A", 0); !errors.Is(err, agent.ErrConnection) {
		t.Fatal(err)
	}
	if err := device.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := device.State(); len(got.Wanted) != 0 || got.Evaluating() || got.Evaluation.Running() {
		t.Errorf("wanted %v, evaluation %+v", got.Wanted, got.Evaluation)
	}
}

func TestACorrectedClockIsNoTimeOfEvaluation(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.Now = func() time.Time { return s.time().AddDate(0, 0, -60) }
	device := open(t, o)
	if err := device.Request(t.Context(), "A", 2); err != nil {
		t.Fatal(err)
	}
	s.days(3)
	// The clock is corrected by 60 days before the registration is refused.
	if err := device.Register(t.Context(), "expired", false); err == nil || device.State().ClockOffset == 0 {
		t.Fatalf("%v, offset %d", err, device.State().ClockOffset)
	}
	s.days(5)
	checkEvaluation(t, "after five days", device.State(), agent.InEvaluation, 5*day, wire.ModeEvaluation)
}
