package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// smartagent runs the program as the shell would.
func smartagent(t *testing.T, args ...string) (status int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(context.WithoutCancel(t.Context()), args, &stdout, &stderr, func() time.Time { return noon })
	return status, stdout.String(), stderr.String()
}

func TestWrongUsageIsStatus2AndSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cases := map[string]string{
		"":                                       "needs one of: license show fleet poll version",
		"permit":                                 `unknown command "permit"`,
		"license smart":                          "needs one of: register request renew ha deregister",
		"license smart frobnicate":               `unknown command "frobnicate"`,
		"license smart register idtoken":         "usage: license smart register idtoken TOKEN [force]",
		"license smart register idtoken T fored": "usage: license smart register idtoken TOKEN [force]",
		"license smart request A":                "usage: license smart request TAG COUNT",
		"license smart request A many":           `"many" is not a whole number`,
		"license smart request A 9999999999":     "a count is 0 to 2147483648",
		"license smart renew":                    "needs one of: auth id due",
		"license smart ha":                       "usage: license smart ha active|standby",
		"license smart ha spare":                 `"active" or "standby"`,
		"license smart ha active":                "give the application id",
		"show license udi --ha-role active":      "give the application id",
		"show license tech":                      "needs one of: support",
		"show license everything":                `unknown command "everything"`,
		"show license udi --nonsense":            "unknown flag: --nonsense",
		"show license udi --url http://sat":      "does not begin with https",
		"fleet --op dance --token T":             "the operation is",
		"license smart register idtoken T":       "give the device URL",
	}
	for line, says := range cases {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--state", filepath.Join(folder, strings.ReplaceAll(line, "/", "_"))}, strings.Fields(line)...)
			status, out, messages := smartagent(t, args...)
			if status != 2 || out != "" || !strings.Contains(messages, says) {
				t.Errorf("status %d, out %q, messages %q; want %q", status, out, messages, says)
			}
		})
	}
}

func TestTheIdentityIsSaidOnceAndKept(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	status, out, messages := smartagent(t, "--state", folder, "--hostname", "edge-1", "show", "license", "udi")
	if status != 0 || !strings.HasPrefix(out, "UDI: PID:SMARTAGENT,SN:") || !strings.Contains(messages, "No serial number was given") {
		t.Fatalf("status %d, out %q, messages %q", status, out, messages)
	}
	status, again, messages := smartagent(t, "--state", folder, "show", "license", "udi")
	if status != 0 || again != out || messages != "" {
		t.Fatalf("status %d, out %q, messages %q", status, again, messages)
	}
	status, text, _ := smartagent(t, "--state", folder, "--json", "show", "license", "all")
	var document struct {
		Serial   string `json:"udi_serial_number"`
		Hostname string `json:"hostname"`
		State    string `json:"registration_state"`
		Licenses []any  `json:"licenses"`
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}
	if !strings.HasSuffix(out, "SN:"+document.Serial+"\n") || document.Hostname != "edge-1" || document.State != "unregistered" || document.Licenses == nil {
		t.Errorf("%s", text)
	}
}

func TestAFailureIsStatus1AndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cases := map[string]string{
		"license smart renew due":                                 "this device is not registered",
		"license smart renew id":                                  "register it with a token first",
		"show license all --ca " + filepath.Join(folder, "no"):    "no such file",
		"license smart register idtoken T --key-file /dev/null/x": "key file",
		"fleet --op register --token T --ca " + folder:            "is a directory",
	}
	for line, says := range cases {
		args := append([]string{"--state", filepath.Join(t.TempDir(), "state")}, strings.Fields(line)...)
		if status, out, messages := smartagent(t, args...); status != 1 || out != "" || !strings.Contains(messages, says) {
			t.Errorf("%s: status %d, out %q, messages %q", line, status, out, messages)
		}
	}
	if status, out, _ := smartagent(t, "--state", filepath.Join(folder, "new"), "license", "smart", "deregister"); status != 0 || !strings.Contains(out, "not registered") {
		t.Errorf("deregistering what is not registered: status %d, %q", status, out)
	}
}

func TestAnUnregisteredDeviceIsToldOfItsEvaluation(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	status, out, messages := smartagent(t, "--state", folder, "--serial", "S1", "license", "smart", "request", "NET-ADV", "2")
	if status != 0 || messages != "" || !strings.Contains(out, "NET-ADV, count 2: EVALUATION\n") || !strings.Contains(out, "90 days, 0 hours") {
		t.Fatalf("status %d, out %q, messages %q", status, out, messages)
	}
	status, out, _ = smartagent(t, "--state", folder, "license", "smart", "request", "NET-ADV", "0")
	if status != 0 || out != "License authorization: NO LICENSES IN USE.\n" {
		t.Errorf("after the release: status %d, out %q", status, out)
	}
	status, out, _ = smartagent(t, "--state", folder, "--application", "core", "--ha-role", "standby", "license", "smart", "ha", "active")
	if status != 0 || !strings.Contains(out, `now the active member of application "core". Nothing was sent`) {
		t.Errorf("switch-over: status %d, out %q", status, out)
	}
	status, out, _ = smartagent(t, "--state", folder, "show", "license", "all")
	if status != 0 || !strings.Contains(out, "Active:PID:SMARTAGENT,SN:S1\n    Application: core\n") {
		t.Errorf("status %d, out %q", status, out)
	}
}
