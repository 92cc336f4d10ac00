package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ssm/satellite/telemetry"
)

func TestNoLogHoldsASecret(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{true, false} {
		out := new(bytes.Buffer)
		log := telemetry.NewLogger(out, slog.LevelInfo, asJSON)
		log.Info("sign-in",
			"token", "hush", "password", "hush", "secret", "hush", "Authorization", "hush", "cookie", "hush", "code", "hush", "client_secret", "hush",
			"Set-Cookie", "hush", "access_token", "hush", "setup_code", "hush", "user_password", []string{"hush"},
			slog.Group("request", slog.String("Client-Secret", "hush")), "key", telemetry.Secret("hush"),
			"token_id", 7, "status", 200, "route", "/tokens/:id")
		log.With("token", "hush").WithGroup("g").Warn("again", "code", "hush")
		text := out.String()
		if strings.Contains(text, "hush") {
			t.Errorf("json %v: %s", asJSON, text)
		}
		for _, plain := range []string{"sign-in", "200", "/tokens/:id", "***"} {
			if !strings.Contains(text, plain) {
				t.Errorf("json %v: no %s in %s", asJSON, plain, text)
			}
		}
	}
}

func TestTheLevelDecidesWhatIsWritten(t *testing.T) {
	t.Parallel()
	out := new(bytes.Buffer)
	log := telemetry.NewLogger(out, slog.LevelWarn, true)
	log.Info("too quiet")
	log.Warn("loud")
	var line struct{ Time, Msg string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Msg != "loud" || !strings.HasSuffix(line.Time, "Z") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestASecretPrintsAsStarsUntilItIsRevealed(t *testing.T) {
	t.Parallel()
	secret := telemetry.Secret("hush")
	holder := struct {
		Name   string
		Secret telemetry.Secret
		Any    any
	}{"n", secret, &secret}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s"} {
		for _, value := range []any{secret, holder} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "hush") || strings.Contains(strings.ToLower(text), "68757368") || !strings.Contains(text, "***") {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
	encoded, err := json.Marshal([]any{secret, &secret, holder})
	if err != nil || strings.Contains(string(encoded), "hush") {
		t.Errorf("%s, %v", encoded, err)
	}
	if secret.String() != "***" || secret.Reveal() != "hush" {
		t.Errorf("%s, %s", secret.String(), secret.Reveal())
	}
	var read struct{ Secret telemetry.Secret }
	if err := json.Unmarshal([]byte(`{"Secret":"hush"}`), &read); err != nil || read.Secret.Reveal() != "hush" {
		t.Errorf("a configuration with a secret reads as %q, %v", read.Secret.Reveal(), err)
	}
}
