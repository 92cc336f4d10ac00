package agent_test

import (
	"errors"
	"strings"
	"testing"

	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

func TestAPairIsToldAtRegistrationAndAuthorizationAndSwitchesOver(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	o := s.options()
	o.Pair = agent.Pair{ApplicationID: "core", Role: agent.RoleStandby}
	device := open(t, o)
	told := func(when, role string) {
		t.Helper()
		if got := s.last().Data.HighAvailability; got == nil || *got != (wire.HighAvailability{ApplicationID: "core", Role: role}) {
			t.Errorf("%s: %+v", when, got)
		}
	}
	if err := device.SwitchRole(ctx, agent.RoleActive); err != nil || len(s.messages) != 0 {
		t.Fatalf("while unregistered: %v, %d messages", err, len(s.messages))
	}
	if err := device.Register(ctx, "token", false); err != nil {
		t.Fatal(err)
	}
	told("registration", agent.RoleActive)
	device = s.restart(device, o.Folder)
	if err := device.Request(ctx, "A", 1); err != nil {
		t.Fatal(err)
	}
	told("authorization", agent.RoleActive)
	if err := device.SwitchRole(ctx, agent.RoleStandby); err != nil {
		t.Fatal(err)
	}
	told("switch-over", agent.RoleStandby)
	if got := s.last(); got.Header.RequestType != wire.Authorization || len(got.Data.Entitlements) != 1 {
		t.Errorf("the switch-over sent %+v", got.Data)
	}
	s.set(func() { s.lose = 2 })
	if err := device.SwitchRole(ctx, agent.RoleActive); !errors.Is(err, agent.ErrConnection) {
		t.Fatal(err)
	}
	if got := device.State(); got.Pair.Role != agent.RoleActive || !got.Unanswered {
		t.Errorf("a lost switch-over is not kept: %+v", got.Pair)
	}
	if _, err := device.RenewDue(ctx); err != nil || device.State().Unanswered {
		t.Fatal(err)
	}
	told("the repeat", agent.RoleActive)
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) { *d = fail("pair-full", "no") }
	})
	if err := device.SwitchRole(ctx, agent.RoleStandby); err == nil || device.State().Pair.Role != agent.RoleActive || device.State().Unanswered {
		t.Errorf("a refused switch-over: %v, %+v", err, device.State().Pair)
	}
}

func TestAMembershipThatIsChangedByOptionIsDueAtOnce(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	if s.last().Data.HighAvailability != nil {
		t.Error("a device on its own claims to be one of a pair")
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	o.Pair = agent.Pair{ApplicationID: "core", Role: agent.RoleActive}
	device = open(t, o)
	if _, err := device.RenewDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.last().Data.HighAvailability; s.last().Header.RequestType != wire.Authorization || got == nil || got.ApplicationID != "core" {
		t.Errorf("%s %+v", s.last().Header.RequestType, got)
	}
}

func TestAMembershipThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	cases := map[string]struct {
		given agent.Pair
		says  string
	}{
		"no role":        {agent.Pair{ApplicationID: "core"}, `"active" or "standby"`},
		"no application": {agent.Pair{Role: agent.RoleActive}, "give the application id"},
		"another role":   {agent.Pair{ApplicationID: "core", Role: "spare"}, `"active" or "standby"`},
		"too long":       {agent.Pair{ApplicationID: strings.Repeat("x", 65), Role: agent.RoleActive}, "1 to 64"},
		"a control mark": {agent.Pair{ApplicationID: "a\x1bb", Role: agent.RoleActive}, "printable"},
	}
	for name, c := range cases {
		o := s.options()
		o.Pair = c.given
		if _, err := agent.Open(o); !errors.Is(err, agent.ErrUsage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	device := s.registered()
	for role, says := range map[string]string{agent.RoleActive: "is no member", "spare": `"active" or "standby"`, "": `"active" or "standby"`} {
		if err := device.SwitchRole(t.Context(), role); !errors.Is(err, agent.ErrUsage) || !strings.Contains(err.Error(), says) {
			t.Errorf("role %q of a device on its own: %v", role, err)
		}
	}
}
