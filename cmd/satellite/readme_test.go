package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestTheReadmeCanBeTypedWordForWord runs the blocks of the README's second
// section in their order. Only the port differs, which may be taken here.
func TestTheReadmeCanBeTypedWordForWord(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## By hand")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("the README has no section By hand")
	}
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(bin, filepath.Join(folder, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "cmd", "satellite", "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(folder, "cmd", "satellite", "testdata", "report-c9800.xml"), "testdata/report-c9800.xml"); err != nil {
		t.Fatal(err)
	}
	server, err := launch(bin, filepath.Join(folder, "satellite-data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.end(syscall.SIGKILL) })
	var script strings.Builder
	script.WriteString("set -e\n")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		if text := block[1]; text != "make build\n" && text != "bin/satellite serve\n" {
			script.WriteString(strings.ReplaceAll(text, "https://localhost:8443", server.ready.DeviceURL))
		}
	}
	walk := exec.Command("bash", "-c", script.String())
	walk.Dir = folder
	output, err := walk.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{"OUT OF COMPLIANCE", "events verified", "device.pem: OK", "certificate revoked", "refused, as it must be"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("it does not say %q:\n%s", want, output)
		}
	}
}
