package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crashRounds is how often the server is killed; each takes about three seconds.
const (
	crashRounds  = 6
	fleetDevices = 400
)

// TestNothingAcknowledgedIsLostWhenTheServerIsKilled kills the server with
// SIGKILL while a fleet registers and authorizes, again and again on the same
// data: every acknowledged device is there afterwards, the token was used once
// for each device, the counters equal a recount and the chain of events holds.
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w := newWorld(t)
	w.registerAccount("T", 1_000_000)
	token := w.satellite("token", "create", "--accept-agreement")
	for round := range crashRounds {
		record := filepath.Join(w.folder, fmt.Sprintf("record-%d", round))
		op := []string{"register", "authorize"}[round%2]
		var output bytes.Buffer
		fleet := exec.Command(w.program("smartagent"), "fleet", "--url", w.server.ready.DeviceURL, "--ca", w.server.ready.CAFile,
			"--token", token, "--tag", "T", "--devices", fmt.Sprint(fleetDevices), "--concurrency", "16", "--duration", "3s", "--op", op, "--record", record, "--json")
		fleet.Stdout, fleet.Stderr = &output, &output
		if err := fleet.Start(); err != nil {
			t.Fatal(err)
		}
		// Not before the fleet is at its work, then at any moment: registering
		// from the first answer on, authorizing once all devices are registered.
		begun := map[string]int{"register": 1, "authorize": fleetDevices}[op]
		w.await("the fleet's work", func() bool {
			text, err := os.ReadFile(record)
			return err == nil && bytes.Count(text, []byte("\n")) >= begun
		})
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		_ = w.server.end(syscall.SIGKILL)
		// Where the kill came before the first authorization was answered, every
		// operation failed, and the fleet says so by its exit status.
		if err := fleet.Wait(); err != nil && !strings.Contains(output.String(), "every operation failed") {
			t.Fatalf("round %d: the fleet: %v\n%s", round, err, output.String())
		}
		w.start()
		w.checkAcknowledged(record)
		w.satellite("audit", "verify")
	}
	var tokens []struct{ Uses int64 }
	w.satelliteJSON(&tokens, "token", "list")
	if devices := w.devices(); tokens[0].Uses != int64(len(devices)) {
		t.Errorf("the token was used %d times for %d devices", tokens[0].Uses, len(devices))
	}
}

// world is a satellite and an upstream as programs, in one folder.
type world struct {
	t      *testing.T
	folder string
	bin    string
	server *process
}

func newWorld(t *testing.T) *world {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, folder: t.TempDir(), bin: bin}
	w.start()
	t.Cleanup(func() { _ = w.server.end(syscall.SIGKILL) })
	return w
}

func (w *world) program(name string) string { return filepath.Join(w.bin, name) }
func (w *world) path(name string) string    { return filepath.Join(w.folder, name) }

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.server, err = launch(w.bin, w.path("sat")); err != nil {
		w.t.Fatal(err)
	}
}

// run executes a program and returns its standard output.
func (w *world) run(program string, args ...string) string {
	w.t.Helper()
	command := exec.Command(w.program(program), args...)
	var problems strings.Builder
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, problems.String())
	}
	return strings.TrimSpace(string(output))
}

func (w *world) satellite(args ...string) string {
	w.t.Helper()
	return w.run("satellite", append([]string{"--data", w.path("sat")}, args...)...)
}

func (w *world) satelliteJSON(into any, args ...string) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.satellite(append([]string{"--json"}, args...)...)), into); err != nil {
		w.t.Fatal(err)
	}
}

// registerAccount makes account A with an order of one tag, by one exchange of files.
func (w *world) registerAccount(tag string, quantity int) {
	w.t.Helper()
	up := func(args ...string) { w.run("ssm", append([]string{"--data", w.path("up")}, args...)...) }
	up("account", "create", "--name", "A", "--email", "a@a.example")
	up("license", "add", "--account", "A", "--virtual-account", "Satellite", "--tag", tag, "--name", tag, "--quantity", fmt.Sprint(quantity))
	up("root", "--out", w.path("root.pem"))
	w.satellite("account", "create", "--name", "A", "--email", "a@a.example")
	w.satellite("upstream", "trust", w.path("root.pem"))
	w.satellite("sync", "request", "--out", w.path("r.ssmreq"))
	up("sync", "answer", w.path("r.ssmreq"), "--out", w.path("r.ssmres"))
	w.satellite("sync", "apply", w.path("r.ssmres"))
}

type listedDevice struct {
	PIID            string `json:"piid"`
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
}

func (w *world) devices() []listedDevice {
	w.t.Helper()
	var devices []listedDevice
	w.satelliteJSON(&devices, "device", "list")
	return devices
}

// checkAcknowledged compares what the fleet noted with what the satellite has.
func (w *world) checkAcknowledged(record string) {
	w.t.Helper()
	text, err := os.ReadFile(record)
	if err != nil {
		w.t.Fatal(err)
	}
	known := map[listedDevice]bool{}
	for _, device := range w.devices() {
		known[device] = true
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		var device listedDevice
		if err := json.Unmarshal([]byte(line), &device); err != nil {
			w.t.Fatalf("%q: %v", line, err)
		}
		if !known[device] {
			w.t.Errorf("device %+v was acknowledged and is gone", device)
		}
	}
	w.t.Logf("%d acknowledged, %d known", len(lines), len(known))
}

func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s did not come within a minute\n%s", what, w.server.log)
		}
	}
}
