package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ssm/satellite/agent"
)

// embedded is the program of docs/embedding.md, built.
func embedded(t *testing.T) string {
	t.Helper()
	page := string(must[[]byte](t)(os.ReadFile("../../docs/embedding.md")))
	_, rest, found := strings.Cut(page, "```go\n")
	source, _, ended := strings.Cut(rest, "```")
	if !found || !ended || strings.Count(source, "\n") >= 40 {
		t.Fatalf("the page holds no program, or one of 40 lines or more:\n%s", source)
	}
	folder := t.TempDir()
	file, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	// From the folder of this package, so that the imports are those of this module.
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func TestTheEmbeddedProgramLicensesItself(t *testing.T) {
	t.Parallel()
	program := embedded(t)
	// The program lives by the clock of the machine, which the file system knows.
	s := newSatelliteAt(t, must[os.FileInfo](t)(os.Stat(program)).ModTime().UTC())
	folder := t.TempDir()
	bundle := filepath.Join(folder, "ca.pem")
	if err := os.WriteFile(bundle, s.bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(environment ...string) string {
		command := exec.CommandContext(t.Context(), program)
		command.Dir = folder
		command.Env = slices.Concat(environment, []string{"LICENSE_CA=" + bundle, "LICENSE_URL=" + s.server.URL, "NO_PROXY=*"})
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	const want = "EXAMPLE-PRO: 2, in-compliance, fine: true\nauthorized, next renewal in 720h0m0s\n"
	if got := run("LICENSE_TOKEN=token"); got != want {
		t.Errorf("the first run says %q", got)
	}
	if got := run(); got != want || s.tokenUses != 1 {
		t.Errorf("the second says %q, after %d uses of the token", got, s.tokenUses)
	}
	state := must[agent.State](t)(agent.Load(filepath.Join(folder, "license-state")))
	known := s.instances[state.Identity.SUDI()]
	if known == nil || known.piid != state.PIID || known.counts["EXAMPLE-PRO"] != 2 {
		t.Errorf("the satellite knows %+v of %+v", known, state.Identity)
	}
}
