package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ssm/satellite/agent"
)

func TestAReservationIsAskedForOnTheCommandLine(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	device := func(args ...string) (int, string, string) {
		return smartagent(t, append([]string{"--state", folder, "--pid", "ROUTER-1", "--serial", "SN0001"}, args...)...)
	}
	reservation := func(args ...string) (int, string, string) {
		return device(append([]string{"license", "smart", "reservation"}, args...)...)
	}
	for _, args := range [][]string{{}, {"request", "all"}, {"install"}, {"cancel", "now"}} {
		if status, _, messages := reservation(args...); status != 2 {
			t.Errorf("%v: status %d: %s", args, status, messages)
		}
	}
	for _, args := range [][]string{{"cancel"}, {"return"}, {"install", "R9JLK8-SCY6FX-A4YLZX-DPD9CX"}} {
		if status, _, messages := reservation(args...); status != 1 || !strings.Contains(messages, "no reservation is in progress") {
			t.Errorf("%v: status %d: %s", args, status, messages)
		}
	}
	status, out, messages := reservation("request", "universal", "--qr")
	lines := strings.Split(out, "\n")
	if status != 0 || len(lines) < 20 || !strings.HasPrefix(lines[1], "AU-ZROUTER-1:SN0001-") || !strings.Contains(out, "█▀") {
		t.Fatalf("the request: %d %s %s", status, out, messages)
	}
	if status, again, _ := reservation("request", "universal"); status != 0 || !strings.Contains(again, lines[1]) {
		t.Errorf("asked again: %d %s", status, again)
	}
	if status, _, messages := reservation("request"); status != 2 || !strings.Contains(messages, "cancel it first") {
		t.Errorf("another kind: %d %s", status, messages)
	}
	file := filepath.Join(t.TempDir(), "authorization")
	if err := os.WriteFile(file, []byte("C7E4WG-8LBE7S-7UR5Z2-AWC3KA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, argument := range []string{file, "c7e4wg8lbe7s7ur5z2awc3ka"} {
		if status, _, messages := reservation("install", argument); status != 1 || !strings.Contains(messages, "this is a confirmation code; a universal authorization code was expected") {
			t.Errorf("%s: %d %s", argument, status, messages)
		}
	}
	if status, out, _ := device("show", "license", "status"); status != 0 || !strings.Contains(out, "License Reservation is ENABLED\n  Reservation status: UNIVERSAL REQUESTED on") || !strings.Contains(out, lines[1]) {
		t.Errorf("show license status: %d %s", status, out)
	}
	status, out, _ = device("show", "license", "all", "--json")
	var document struct {
		Reservation agent.Reservation `json:"reservation"`
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || status != 0 || document.Reservation.RequestCode != lines[1] {
		t.Errorf("as JSON: %d %s (%v)", status, out, err)
	}
	if strings.Contains(out, "sealed") {
		t.Error("the document tells of the key")
	}
	if status, out, _ := reservation("cancel"); status != 0 || !strings.Contains(out, "canceled") {
		t.Errorf("cancel: %d %s", status, out)
	}
}

func TestShowTellsWhatIsReserved(t *testing.T) {
	t.Parallel()
	identity := agent.Identity{UDIPID: "ROUTER-1", UDISerialNumber: "SN0001", SoftwareTag: "tag"}
	installed := agent.Reservation{
		Kind: agent.ReservationSpecific, RequestCode: "AS-Z", Authorization: "<specificPLR>", InstalledAt: noon, ConfirmationCode: "C7E4WG-8LBE7S-7UR5Z2-AWC3KA",
		Licenses: []agent.ReservedLicense{
			{License: agent.License{Tag: "security", Name: "Security", Count: 2, Mode: agent.ModeReserved}},
			{License: agent.License{Tag: "voice", Name: "Voice", Count: 1, Mode: agent.ModeReserved}, End: noon.AddDate(0, 0, -1)},
			{License: agent.License{Tag: "wan", Count: 1, Mode: agent.ModeReserved}, End: noon.AddDate(1, 0, 0)},
		},
	}
	for name, state := range map[string]agent.State{
		"reserved":  {Reservation: installed},
		"universal": {Reservation: agent.Reservation{Kind: agent.ReservationUniversal, RequestCode: "AU-Z", Authorization: "U", InstalledAt: noon, ConfirmationCode: "C7E4WG-8LBE7S-7UR5Z2-AWC3KA"}},
		"given-up":  {Reservation: agent.Reservation{ReturnCode: "R9JLK8-SCY6FX-A4YLZX-DPD9CX", ReturnedAt: noon}},
	} {
		state.Identity, state.Registration = identity, agent.Unregistered
		state = state.At(noon)
		var got bytes.Buffer
		got.WriteString("show license all\n\n")
		showAll(&got, state)
		got.WriteString("\nshow license summary\n\n")
		showSummary(&got, state)
		golden(t, name+".txt", got.Bytes())
	}
}
