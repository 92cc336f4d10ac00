package main

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssm/satellite/adminapi"
)

// apiExamples are the blocks of shell in docs/api.md, by the file name above each.
func apiExamples(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)<!-- example: ([a-z-]+\\.sh) -->\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		examples[block[1]] = block[2]
	}
	if all := strings.Count(string(page), "```sh"); len(examples) == 0 || len(examples) != all {
		t.Fatalf("%d of the %d blocks of shell on the page have a name of their own; each needs one, so that it is run here", len(examples), all)
	}
	return examples
}

// save writes examples to their files, as a reader does.
func (a *automated) save(t *testing.T, examples map[string]string) {
	t.Helper()
	for name, text := range examples {
		if err := os.WriteFile(filepath.Join(a.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// recipe runs an example of the page and returns what it prints and its exit status.
func (o *office) recipe(t *testing.T, name string, args ...string) (output string, status int) {
	t.Helper()
	stdout, stderr, err := o.script(t, []string{"SATELLITE=" + o.url(), "CLIENT=" + o.client}, "bash", append([]string{name}, args...)...)
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of the command itself
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		t.Logf("%s ended with %d: %s%s", name, status, stdout, stderr)
	}
	return stdout, status
}

// TestTheExamplesOfTheAPIPageDoWhatItSays runs every block of shell in
// docs/api.md against a running satellite, and looks at what came of it.
func TestTheExamplesOfTheAPIPageDoWhatItSays(t *testing.T) {
	t.Parallel()
	examples := apiExamples(t)
	program(t, "curl")
	program(t, "jq")
	o := automate(t).open(t, "Kanda Networks", "docs")
	o.save(t, examples)
	// In the order in which they build on each other.
	checks := []struct {
		example string
		check   func(*testing.T, *office)
	}{
		{"create-client.sh", checkCreateClient}, {"first-call.sh", checkFirstCall}, {"satellite.sh", checkRefusedToken},
		{"all-devices.sh", checkAllDevices}, {"safe-to-repeat.sh", checkSafeToRepeat}, {"inventory.sh", checkInventory},
		{"roll-out.sh", checkRollOut}, {"transfer.sh", checkTransfer}, {"check-licenses.sh", checkMonitoring},
	}
	var checked []string
	for _, c := range checks {
		checked = append(checked, c.example)
	}
	if slices.Sort(checked); !slices.Equal(checked, slices.Sorted(maps.Keys(examples))) {
		t.Fatalf("the page has the examples %v, and here are checks for %v", slices.Sorted(maps.Keys(examples)), checked)
	}
	checkCalls(t, o)
	for _, c := range checks {
		t.Run(c.example, func(t *testing.T) { c.check(t, o) })
	}
}

// checkCalls asks for each call in the page's table of the compatible API: it
// is there, even if it refuses to do something with an empty object.
func checkCalls(t *testing.T, o *office) {
	t.Helper()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile("`(GET|POST) (/services[^`]*|upstream[^`]*|accounts[^`]*)`").FindAllStringSubmatch(string(page), -1)
	if len(calls) < 15 {
		t.Fatalf("the page has only %d calls in its table", len(calls))
	}
	script := "for call in \"$@\"; do api \"${call#* }\" -X \"${call%% *}\" --data '{}' -o answer -w '%{http_code} %{content_type}\\n' || true; done"
	arguments := []string{"-c", ". ./satellite.sh; " + script, "calls"}
	names := strings.NewReplacer("{a}", "Kanda%20Networks", "{va}", "Default")
	for _, call := range calls {
		path := names.Replace(call[2])
		if path[0] != '/' {
			path = "/api/v1/" + path
		}
		arguments = append(arguments, call[1]+" "+path)
	}
	stdout, stderr, err := o.script(t, []string{"SATELLITE=" + o.url(), "CLIENT=" + o.client}, "bash", arguments...)
	answers := strings.Split(strings.TrimSpace(stdout), "\n")
	if err != nil || len(answers) != len(calls) {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	for i, answer := range answers {
		if !slices.Contains([]string{"200", "400", "409"}, answer[:3]) || !strings.HasSuffix(answer, "application/json") {
			t.Errorf("%s is answered %s", arguments[i+3], answer)
		}
	}
}

func checkCreateClient(t *testing.T, o *office) {
	if _, status := o.recipe(t, "create-client.sh"); status != 0 {
		t.Fatal("no client was created")
	}
	o.client = filepath.Join(o.folder, "client.json")
	info, err := os.Stat(o.client)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the secret: %v, %v", info, err)
	}
	if client := o.secret(t); client.ClientID == "" || client.ClientSecret == "" || client.Role != "account-admin" {
		t.Errorf("the client is %q with the role %s", client.ClientID, client.Role)
	}
}

func checkFirstCall(t *testing.T, o *office) {
	output, status := o.recipe(t, "first-call.sh")
	name, err := lookup(output, "accounts.0.accountName")
	if status != 0 || err != nil || name != o.name {
		t.Errorf("it says %s", output)
	}
}

func checkRefusedToken(t *testing.T, o *office) {
	right := o.client
	defer func() { o.client = right }()
	wrong := o.secret(t)
	wrong.ClientSecret = "wrong"
	o.client = o.write(t, "wrong.json", wrong)
	if output, status := o.recipe(t, "inventory.sh", o.name); status == 0 || output != "" {
		t.Errorf("with a wrong secret it ends with %d and prints %s", status, output)
	}
	stdout, stderr, err := o.script(t, []string{"SATELLITE=" + o.url(), "CA=/etc/ssl/certs/ca-certificates.crt", "CLIENT=" + right}, "bash", "all-devices.sh")
	if err == nil || stdout != "" || !strings.Contains(stderr, "SSL") {
		t.Errorf("with a foreign authority it prints %s%s", stdout, stderr)
	}
}

func checkAllDevices(t *testing.T, o *office) {
	// In pages of one, so that there is more than one.
	script := strings.Replace(apiExamples(t)["all-devices.sh"], "limit=500", "limit=1", 1)
	o.save(t, map[string]string{"all-devices.sh": script})
	output, status := o.recipe(t, "all-devices.sh")
	var serials []string
	for line := range strings.Lines(output) {
		var device adminapi.Device
		if err := json.Unmarshal([]byte(line), &device); err != nil {
			t.Fatal(err)
		}
		serials = append(serials, device.UDISerialNumber)
	}
	if status != 0 || !strings.Contains(script, "limit=1&") || !slices.Equal(serials, o.serials[:]) {
		t.Errorf("the devices are %v", serials)
	}
}

func checkSafeToRepeat(t *testing.T, o *office) {
	before := len(o.tokens(t))
	output, status := o.recipe(t, "safe-to-repeat.sh")
	lines := strings.Fields(output)
	if status != 0 || len(lines) != 3 || lines[0] != lines[1] || lines[2] != "304" {
		t.Errorf("it prints %q, want one id twice and 304", lines)
	}
	if after := len(o.tokens(t)); after != before+1 {
		t.Errorf("%d tokens were made", after-before)
	}
}

func checkInventory(t *testing.T, o *office) {
	token := strings.TrimSpace(string(o.do(t, "satellite", "token", "create", "--account", o.name, "--virtual-account", "Lab")))
	o.do(t, "smartagent", "--state", filepath.Join(o.folder, "hostile"), "--url", o.ready.DeviceURL, "--ca", o.ready.CAFile, "--pid", "EX-8500",
		"--serial", "HOSTILE", "--hostname", `=HYPERLINK("x"),1`, "license", "smart", "register", "idtoken", token)
	output, status := o.recipe(t, "inventory.sh", o.name)
	rows, err := csv.NewReader(strings.NewReader(output)).ReadAll()
	if status != 0 || err != nil || len(rows) != 4 {
		t.Fatalf("%v: %s", err, output)
	}
	for i := range rows[1:] {
		device := o.device(t, rows[i+1][3])
		if seen, err := time.Parse(time.RFC3339, rows[i+1][5]); err != nil || !seen.Equal(device.LastContactAt.Truncate(time.Second)) {
			t.Errorf("the last contact of %s is %s, want %s", device.UDISerialNumber, rows[i+1][5], device.LastContactAt)
		}
		if rows[i+1][4] == "" {
			t.Errorf("%s has no status", device.UDISerialNumber)
		}
		rows[i+1] = append(slices.Clone(rows[i+1][:4]), rows[i+1][6])
	}
	want := [][]string{
		{"Virtual account", "Host name", "Product", "Serial number", "Status", "Last contact", "Licenses"},
		{"Default", "edge-docs1", "EX-8500", "DOCS1", "1 x Network Advantage"},
		{"Default", "edge-docs2", "EX-8500", "DOCS2", "1 x Network Advantage"},
		{"Lab", `'=HYPERLINK("x"),1`, "EX-8500", "HOSTILE", ""},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("the inventory is %q", rows)
	}
}

func checkRollOut(t *testing.T, o *office) {
	output, status := o.recipe(t, "roll-out.sh", o.name, "Lab", "1")
	token := o.tokens(t)[0]
	if days := time.Until(token.ExpiresAt).Hours() / 24; status != 0 || token.VirtualAccount != "Lab" || token.MaxUses != 1 || days < 6.9 || days > 7 || token.ExportControlled {
		t.Errorf("the token is %+v", token)
	}
	o.register(t, "ROLLED1", strings.TrimSpace(output))
	if got := o.device(t, "ROLLED1").VirtualAccount; got != "Lab" {
		t.Errorf("the device is in %s", got)
	}
	if token = o.tokens(t)[0]; token.Status != "exhausted" {
		t.Errorf("after its one use the token is %s", token.Status)
	}
	if output, status := o.recipe(t, "roll-out.sh", o.name, "Nowhere", "1"); status == 0 {
		t.Errorf("a token for no virtual account is %s", output)
	}
}

func checkTransfer(t *testing.T, o *office) {
	if output, status := o.recipe(t, "transfer.sh", o.name, "Default", "Lab", "NOBODY", automatedLicense, "3"); status == 0 {
		t.Errorf("a device that is not there was moved: %s", output)
	}
	if output, status := o.recipe(t, "transfer.sh", o.name, "Default", "Lab", o.serials[0], automatedLicense, "99"); status == 0 {
		t.Errorf("more than there are were moved: %s", output)
	}
	if got := o.license(t, "Lab"); got.Quantity != 0 || o.device(t, o.serials[0]).VirtualAccount != "Default" {
		t.Errorf("a refused transfer moved something: %+v", got)
	}
	if output, status := o.recipe(t, "transfer.sh", o.name, "Default", "Lab", o.serials[0], automatedLicense, "3"); status != 0 || output != "SUCCESS\nSUCCESS\n" {
		t.Errorf("it ends with %d: %s", status, output)
	}
	if got := o.license(t, "Lab"); got.Quantity != 3 || got.InUse != 1 || o.device(t, o.serials[0]).VirtualAccount != "Lab" {
		t.Errorf("Lab has %+v", got)
	}
}

// checkMonitoring ends the satellite, so it comes last.
func checkMonitoring(t *testing.T, o *office) {
	says := func(status int, beginning string, args ...string) {
		t.Helper()
		output, got := o.recipe(t, "check-licenses.sh", args...)
		if got != status || !strings.HasPrefix(output, "LICENSES "+beginning) || strings.Count(output, "\n") != 1 {
			t.Errorf("it ends with %d, want %d, and says %s", got, status, output)
		}
	}
	// Default has 7 of which 1 is in use, Lab 3 of which 1 is.
	says(0, "OK - 2 licenses in compliance", o.name)
	says(1, "WARNING - running out: Network Advantage in Lab: 1 of 3 in use", o.name, "70")
	o.use(t, o.serials[0], 4)
	says(2, "CRITICAL - out of compliance: Network Advantage in Lab: 4 of 3 in use", o.name)
	o.use(t, o.serials[0], 3)
	says(1, "WARNING - ", o.name)
	o.use(t, o.serials[0], 1)
	says(0, "OK - ", o.name)
	says(3, "UNKNOWN - ", "Nobody")
	says(3, "UNKNOWN - ")
	o.do(t, "satellite", "api-client", "revoke", "First steps")
	says(3, "UNKNOWN - ", o.name)
	if err := o.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	says(3, "UNKNOWN - ", o.name)
}
