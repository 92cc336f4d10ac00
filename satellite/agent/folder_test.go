package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/agent"
)

func TestTwoProcessesNeverWorkOnOneStateFolder(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	first := open(t, o)
	if _, err := agent.Open(o); !errors.Is(err, agent.ErrLocked) {
		t.Fatalf("a second one: %v", err)
	}
	if state, err := agent.Load(o.Folder); err != nil || state.Identity.UDISerialNumber != "SN1" {
		t.Errorf("showing it meanwhile: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, o)
}

// A child process that is just being started holds all files of its parent for a moment.
func TestAClosedFolderIsFreeEvenIfAChildStillHoldsItsFiles(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	device := open(t, o)
	duplicated := false
	for _, entry := range must[[]os.DirEntry](t)(os.ReadDir("/proc/self/fd")) {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || target != filepath.Join(o.Folder, "lock") {
			continue
		}
		held := must[int](t)(syscall.Dup(must[int](t)(strconv.Atoi(entry.Name()))))
		t.Cleanup(func() { _ = syscall.Close(held) })
		duplicated = true
		break
	}
	if err := device.Close(); err != nil || !duplicated {
		t.Fatalf("%v, duplicated %t", err, duplicated)
	}
	open(t, o)
}

func TestADamagedStateIsNamedAndLeftAlone(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ text, says string }{
		"cut":             {`{"version":1,"identity":{"udi_pid":"R`, "unexpected end"},
		"empty":           {``, "unexpected end"},
		"not a state":     {`{}`, "names no device"},
		"newer":           {`{"version":2}`, "update the program"},
		"without its key": {`{"version":1,"identity":{"udi_pid":"R","udi_serial_number":"S"},"registration_state":"registered"}`, "lacks PIID, key or certificate"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "state.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := agent.Open(agent.Options{Folder: folder, Now: func() time.Time { return epoch }})
			if !errors.Is(err, agent.ErrState) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("got %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
				t.Errorf("the file is now %q, %v", after, err)
			}
		})
	}
}

func TestTheKeysOpenOnlyWithTheirKeyFile(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.KeyFile = filepath.Join(t.TempDir(), "elsewhere.key")
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	without := agent.Options{Folder: o.Folder, Now: s.time}
	if _, err := agent.Open(without); !errors.Is(err, agent.ErrState) || !strings.Contains(err.Error(), "key file") {
		t.Fatalf("without: %v", err)
	}
	if _, err := os.Stat(filepath.Join(o.Folder, "seal.key")); err == nil {
		t.Error("a new key file was made, which opens nothing")
	}
	other := without
	other.KeyFile = filepath.Join(t.TempDir(), "other.key")
	must[*certs.KeyFile](t)(certs.LoadKeyFile(other.KeyFile))
	if _, err := agent.Open(other); !errors.Is(err, certs.ErrSealed) {
		t.Fatalf("with another: %v", err)
	}
	without.KeyFile = o.KeyFile
	open(t, without)
}

func TestTheIdentityIsDrawnOnceAndNeverChanges(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.Identity = agent.Identity{}
	first := open(t, o)
	drawn := first.State().Identity
	if !first.SerialDrawn() || drawn.UDIPID == "" || len(drawn.UDISerialNumber) != 11 {
		t.Fatalf("%+v", drawn)
	}
	again := s.restart(first, o.Folder)
	if again.SerialDrawn() || again.State().Identity != drawn {
		t.Fatalf("%+v", again.State().Identity)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	o.Identity.UDISerialNumber = "OTHER"
	if _, err := agent.Open(o); !errors.Is(err, agent.ErrUsage) || !strings.Contains(err.Error(), drawn.UDISerialNumber) {
		t.Fatalf("another serial number: %v", err)
	}
	o.Identity = agent.Identity{Hostname: "renamed"}
	if got := open(t, o).State().Identity.Hostname; got != "renamed" {
		t.Fatalf("host name %q", got)
	}
}

func TestTheAddressIsTakenAsItIsPrinted(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"https://sat.example:8443":                 "https://sat.example:8443/SmartTransport",
		"https://sat.example:8443/":                "https://sat.example:8443/SmartTransport",
		"https://sat.example:8443/SmartTransport":  "https://sat.example:8443/SmartTransport",
		"https://sat.example:8443/SmartTransport/": "https://sat.example:8443/SmartTransport",
		"https://proxy.example/licensing":          "https://proxy.example/licensing/SmartTransport",
		"http://sat.example":                       "",
		"sat.example:8443":                         "",
		"https://user:pass@sat.example":            "",
		"":                                         "",
	}
	for given, want := range cases {
		o := agent.Options{Folder: filepath.Join(t.TempDir(), "state"), Now: func() time.Time { return epoch }, URL: given}
		device, err := agent.Open(o)
		if want == "" && given != "" {
			if !errors.Is(err, agent.ErrUsage) {
				t.Errorf("%s: %v", given, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if got := device.State().URL; got != want {
			t.Errorf("%s: %s", given, got)
		}
		_ = device.Close()
	}
}
