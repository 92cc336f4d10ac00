package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// programs is the folder of the three programs, built once for all stories;
// travelPrograms is that of the build that travels in time.
var (
	programs       = built()
	travelPrograms = built("-tags", "timetravel")
)

// builds are removed at the end.
var builds struct {
	sync.Mutex
	folders []string
}

func built(flags ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		folder, err := os.MkdirTemp("", "satellite-programs-")
		if err != nil {
			return "", err
		}
		builds.Lock()
		builds.folders = append(builds.folders, folder)
		builds.Unlock()
		build := exec.Command("go", append(append([]string{"build", "-o", folder + string(os.PathSeparator)}, flags...), "ssm/cmd/...")...)
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the programs: %w\n%s", err, output)
		}
		return folder, nil
	})
}

func TestMain(m *testing.M) {
	status := m.Run()
	builds.Lock()
	for _, folder := range builds.folders {
		_ = os.RemoveAll(folder)
	}
	os.Exit(status)
}

// TestStories runs testdata/script: what a person types, and what he sees.
func TestStories(t *testing.T) {
	tell(t, "testdata/script", programs)
}

// TestStoriesOverYears runs testdata/timetravel with the build that lives through years.
func TestStoriesOverYears(t *testing.T) {
	tell(t, "testdata/timetravel", travelPrograms)
}

func tell(t *testing.T, stories string, programs func() (string, error)) {
	t.Helper()
	folder, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 stories,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TMPDIR", e.WorkDir)
			e.Values[folderKey{}] = folder
			e.Values[runningKey{}] = map[string]*process{}
			e.Defer(func() {
				for _, p := range running(e.Values[runningKey{}]) {
					_ = p.end(syscall.SIGKILL)
				}
			})
			return copyFile(filepath.Join(e.WorkDir, "report.xml"), "testdata/report-c9800.xml")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": launchStory, "upstream": launchUpstreamStory, "halt": halt(syscall.SIGTERM), "sigkill": halt(syscall.SIGKILL), "capture": capture, "field": jsonField,
		},
	})
}

type (
	runningKey struct{}
	folderKey  struct{} // of the programs
)

func running(value any) map[string]*process { return value.(map[string]*process) }

// launchStory runs `start DIR [flags]`: a satellite on DIR; then $URL is its device
// URL, $CONSOLE its console, $CA its bundle, $SETUP its set-up link.
func launchStory(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: start DIR [flags of serve]")
	}
	p, err := launch(ts.Value(folderKey{}).(string), ts.MkAbs(args[0]), args[1:]...)
	ts.Check(err)
	running(ts.Value(runningKey{}))[args[0]] = p
	ts.Setenv("URL", p.ready.DeviceURL)
	ts.Setenv("CONSOLE", p.ready.ConsoleURL)
	ts.Setenv("CA", p.ready.CAFile)
	ts.Setenv("SETUP", p.ready.SetupURL)
}

// launchUpstreamStory runs `upstream DIR`: a reference upstream on DIR; then
// $UPSTREAM is its address and $UPSTREAM_CA what vouches for it.
func launchUpstreamStory(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: upstream DIR")
	}
	var ready struct {
		URL    string `json:"url"`
		CAFile string `json:"ca_file"`
	}
	p := &process{}
	ts.Check(p.begin(filepath.Join(ts.Value(folderKey{}).(string), "ssm"), ts.MkAbs(args[0]), &ready, nil))
	running(ts.Value(runningKey{}))[args[0]] = p
	ts.Setenv("UPSTREAM", ready.URL)
	ts.Setenv("UPSTREAM_CA", ready.CAFile)
}

func halt(signal syscall.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		p := running(ts.Value(runningKey{}))[args[0]]
		if neg || p == nil {
			ts.Fatalf("no satellite runs on %s", args[0])
		}
		if err := p.end(signal); err != nil && signal == syscall.SIGTERM {
			ts.Fatalf("the satellite on %s did not end well: %v\n%s", args[0], err, p.log.String())
		}
		delete(running(ts.Value(runningKey{})), args[0])
	}
}

// capture runs `capture NAME`: $NAME is the last standard output, without the newline.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// jsonField runs `field WHERE VALUE`: the JSON on standard output has VALUE at WHERE,
// keys and indexes joined by dots; with ! it has not.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: field WHERE VALUE")
	}
	got, err := lookup(ts.ReadFile("stdout"), args[0])
	ts.Check(err)
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func lookup(text, where string) (string, error) {
	var value any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("standard output is no JSON: %w\n%s", err, text)
	}
	for _, key := range strings.Split(where, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return "", fmt.Errorf("there is no key %q in %s", where, text)
			}
			value = next
		case []any:
			if key == "length" {
				return fmt.Sprint(len(v)), nil
			}
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(v) {
				return "", fmt.Errorf("there is no element %q in %s", where, text)
			}
			value = v[i]
		default:
			return "", fmt.Errorf("%q leads nowhere in %s", where, text)
		}
	}
	return fmt.Sprint(value), nil
}

// process is a satellite that runs as a program of its own.
type process struct {
	command *exec.Cmd
	ready   ready
	log     *strings.Builder
	ended   chan error
}

// launch starts a satellite of a folder of programs on a free port and waits until it answers.
func launch(folder, data string, flags ...string) (*process, error) {
	p := &process{}
	if err := p.begin(filepath.Join(folder, "satellite"), data, &p.ready, flags); err != nil {
		return nil, err
	}
	return p, nil
}

// begin runs `PROGRAM serve` on a data folder and reads what it says of itself once it answers.
func (p *process) begin(program, data string, ready any, flags []string) error {
	readyFile := data + ".ready"
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.log, p.ended = &strings.Builder{}, make(chan error, 1)
	p.command = exec.Command(program, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--ready-file", readyFile}, flags...)...)
	p.command.Stderr = p.log
	if err := p.command.Start(); err != nil {
		return err
	}
	go func() { p.ended <- p.command.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("%s ended: %w\n%s", program, err, p.log)
		case <-ctx.Done():
			_ = p.end(syscall.SIGKILL)
			return fmt.Errorf("%s was not ready within a minute\n%s", program, p.log)
		case <-tick.C:
			text, err := os.ReadFile(readyFile)
			if err != nil {
				continue
			}
			tick.Stop()
			return json.Unmarshal(text, ready)
		}
	}
}

// end sends a signal and waits; the error is how the program ended.
func (p *process) end(signal syscall.Signal) error {
	_ = p.command.Process.Signal(signal)
	err := <-p.ended
	p.ended <- err
	return err
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
