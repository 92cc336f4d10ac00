package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built is the program as the given build makes it.
func built(t *testing.T, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smartagent")
	command := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", path}, flags...), ".")...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func output(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

func TestANormalBuildKnowsNoOtherTime(t *testing.T) {
	t.Parallel()
	program := built(t)
	if out, err := output(t, program, "--state", filepath.Join(t.TempDir(), "state"), "--clock-offset", "91d", "show", "license", "all"); err == nil || !strings.Contains(out, "unknown flag: --clock-offset") {
		t.Errorf("%v: %s", err, out)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"clock-offset", " timetravel"} {
		if bytes.Contains(binary, []byte(word)) {
			t.Errorf("the program contains %q", word)
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if out, err := output(t, program, args...); err != nil || out != "smartagent 1.0\n" {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
}

func TestABuildForTestsTravelsInTime(t *testing.T) {
	t.Parallel()
	// Read here, because a cached result of this test has to notice when it changes.
	if source, err := os.ReadFile("timetravel.go"); err != nil || !bytes.HasPrefix(source, []byte("//go:build timetravel\n")) {
		t.Fatalf("timetravel.go is not for that build alone: %v", err)
	}
	program := built(t, "-tags", "timetravel")
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if out, err := output(t, program, args...); err != nil || out != "smartagent 1.0 timetravel\n" {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
	folder := filepath.Join(t.TempDir(), "state")
	if out, err := output(t, program, "--state", folder, "--serial", "S1", "license", "smart", "request", "A", "1"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cases := map[string]string{
		"0s": "evaluation", "89d": "evaluation", "2159h": "evaluation", "90d": "evaluation expired", "91d": "evaluation expired", "-400d": "evaluation",
	}
	for offset, want := range cases {
		out, err := output(t, program, "--state", folder, "--json", "--clock-offset", offset, "show", "license", "all")
		var document struct {
			State string `json:"authorization_state"`
		}
		if err != nil || json.Unmarshal([]byte(out), &document) != nil || document.State != want {
			t.Errorf("%s: %q, want %q (%v)", offset, document.State, want, err)
		}
	}
	for _, offset := range []string{"", "d", "1.5d", "91 days", "40000d", "99999999999999999999d", "soon"} {
		out, err := output(t, program, "--state", folder, "--clock-offset="+offset, "show", "license", "all")
		if err == nil || !strings.Contains(out, "clock-offset") {
			t.Errorf("%q was taken: %s", offset, out)
		}
	}
}
