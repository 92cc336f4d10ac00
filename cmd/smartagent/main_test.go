package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/satellite/agent"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// smartagent runs the program as the shell would.
func smartagent(t *testing.T, args ...string) (status int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(context.WithoutCancel(t.Context()), args, &stdout, &stderr, func() time.Time { return noon })
	return status, stdout.String(), stderr.String()
}

func TestShowHasTheFamiliarLayout(t *testing.T) {
	t.Parallel()
	identity := agent.Identity{UDIPID: "ROUTER-1", UDISerialNumber: "SN0001", SoftwareTag: "tag", Hostname: "edge-1"}
	registered := agent.State{
		Identity: identity, PIID: "0b8e0d6e-8f6a-4f7c-9a57-0f5b7d9f3a10", Registration: agent.Registered, RegisteredAt: noon,
		SmartAccount: "Example Corp", VirtualAccount: "Default",
		CertificateRenewAt: noon.AddDate(0, 0, 182), CertificateExpiresAt: noon.AddDate(0, 0, 365),
		AuthorizationState: agent.OutOfCompliance, AuthorizedAt: noon.Add(time.Minute), LastContact: noon.Add(time.Minute),
		AuthorizationRenewAt: noon.AddDate(0, 0, 30), AuthorizationExpiresAt: noon.AddDate(0, 0, 90),
		Wanted: map[string]int64{"throughput_1g": 1, "security": 3, "voice": 2, "nonsense": 1},
		Answers: []agent.License{
			{Tag: "throughput_1g", Name: "Throughput 1 Gbps", Description: "Forwarding at 1 Gbps", Count: 1, Mode: "in-compliance"},
			{Tag: "security", Name: "Security", Count: 3, Mode: "out-of-compliance"},
			{Tag: "nonsense", Count: 1, Mode: "invalid-tag"},
		},
	}
	failed := agent.State{
		Identity: identity, Registration: agent.Unregistered, Failure: "the token expired yesterday", FailureAt: noon,
		LastFailed: "the token expired yesterday", LastFailedAt: noon,
	}
	cases := map[string]agent.State{
		"registered": registered, "failed": failed,
		"fresh":   {Identity: identity, Registration: agent.Unregistered},
		"lost":    {Identity: identity, Registration: agent.Registering},
		"expired": registered.At(noon.AddDate(1, 0, 0)),
	}
	for name, state := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			got.WriteString("show license all\n\n")
			showAll(&got, state)
			got.WriteString("\nshow license summary\n\n")
			showSummary(&got, state)
			golden(t, name+".txt", got.Bytes())
		})
	}
	t.Run("json", func(t *testing.T) {
		t.Parallel()
		var got bytes.Buffer
		if err := (&program{out: &got}).printJSON(newDocument(registered)); err != nil {
			t.Fatal(err)
		}
		golden(t, "registered.json", got.Bytes())
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; after a look at it, run the test with -update. Got:\n%s", path, got)
	}
}

func TestWrongUsageIsStatus2AndSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cases := map[string]string{
		"":                                       "needs one of: license show fleet",
		"permit":                                 `unknown command "permit"`,
		"license smart":                          "needs one of: register request renew deregister",
		"license smart frobnicate":               `unknown command "frobnicate"`,
		"license smart register idtoken":         "usage: license smart register idtoken TOKEN [force]",
		"license smart register idtoken T fored": "usage: license smart register idtoken TOKEN [force]",
		"license smart request A":                "usage: license smart request TAG COUNT",
		"license smart request A many":           `"many" is not a whole number`,
		"license smart request A 9999999999":     "a count is 0 to 2147483648",
		"license smart renew":                    "needs one of: auth id",
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
		"license smart request A 1":                               "this device is not registered",
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
