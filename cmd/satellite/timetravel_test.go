package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestANormalBuildCannotTravelInTime(t *testing.T) {
	t.Parallel()
	folder, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "satellite")
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"/debug/clock", "+timetravel", "travels in time", "clock-offset"} {
		if bytes.Contains(binary, []byte(word)) {
			t.Errorf("the program contains %q", word)
		}
	}
	status, _, stderr := execute(t, "debug", "clock", "advance", "91d")
	if status != statusUsage || !strings.Contains(stderr, `There is no command "debug"`) {
		t.Errorf("status %d: %s", status, stderr)
	}
	status, _, stderr = execute(t, "serve", "--clock-offset", "91d")
	if status != statusUsage || !strings.Contains(stderr, "Unknown flag: --clock-offset") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if out, err := exec.CommandContext(t.Context(), program, "version").Output(); err != nil || strings.Contains(string(out), "timetravel") {
		t.Errorf("the version is %s (%v)", out, err)
	}
	// Who asks for the route by the program for tests is told that there is none.
	data := filepath.Join(t.TempDir(), "sat")
	p, err := launch(folder, data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.end(syscall.SIGTERM) }()
	travelers, err := travelPrograms()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(travelers, "satellite"), "--data", data, "debug", "clock", "advance", "91d").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "it does not travel in time") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestABuildThatTravelsInTimeSaysSo(t *testing.T) {
	t.Parallel()
	// Read here, because a cached result of this test has to notice when it changes.
	if source, err := os.ReadFile("timetravel.go"); err != nil || !bytes.HasPrefix(source, []byte("//go:build timetravel\n")) {
		t.Fatalf("timetravel.go is not for that build alone: %v", err)
	}
	travelers, err := travelPrograms()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(travelers, "satellite")
	if out, err := exec.CommandContext(t.Context(), program, "version").Output(); err != nil || !strings.Contains(string(out), version+"+timetravel,") {
		t.Errorf("the version is %s (%v)", out, err)
	}
	for _, duration := range []string{"", "d", "0d", "-1d", "999ms", "3651d", "1.5d", "99999999999999999999d", "soon"} {
		out, err := exec.CommandContext(t.Context(), program, "debug", "clock", "advance", "--", duration).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Usage:") {
			t.Errorf("an advance of %q: %v, %s", duration, err, out)
		}
	}
	p, err := launch(travelers, filepath.Join(t.TempDir(), "sat"))
	if err != nil {
		t.Fatal(err)
	}
	_ = p.end(syscall.SIGTERM)
	if log := p.log.String(); !strings.Contains(log, "this build travels in time") {
		t.Errorf("the log does not say what build it is:\n%s", log)
	}
}
