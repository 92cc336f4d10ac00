package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ssm/satellite/adminapi"
)

// automated is a satellite that runs as a program of its own, with a folder in
// which scripts run beside it.
type automated struct {
	*process
	bin, folder, data string
}

// automate starts a satellite.
func automate(t *testing.T) *automated {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	a := &automated{bin: bin, folder: t.TempDir()}
	a.data = filepath.Join(a.folder, "satellite-data")
	if a.process, err = launch(bin, a.data); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.end(syscall.SIGKILL) })
	return a
}

// url is where the satellite answers programs.
func (a *automated) url() string { return strings.TrimSuffix(a.ready.ConsoleURL, "/") }

// do runs one of our programs in the folder and returns what it prints.
func (a *automated) do(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	var messages strings.Builder
	command := exec.Command(filepath.Join(a.bin, program), args...)
	command.Dir, command.Stderr = a.folder, &messages
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, messages.String())
	}
	return output
}

// satellite runs a command of it and reads what it prints as JSON.
func satelliteSays[T any](t *testing.T, a *automated, args ...string) (answer T) {
	t.Helper()
	if err := json.Unmarshal(a.do(t, "satellite", append([]string{"--json"}, args...)...), &answer); err != nil {
		t.Fatalf("satellite %s: %v", strings.Join(args, " "), err)
	}
	return answer
}

// What each account has that open makes.
const (
	automatedLicense = "Network Advantage"
	automatedTag     = "NET-ADV"
	automatedBought  = 10
)

// office is an account of a satellite: a virtual account Lab beside the default
// one, ten licenses, and two devices in the default one that use one each.
type office struct {
	*automated
	name    string
	serials [2]string
	client  string // file with the secret of an API client that is an administrator of the account
}

func (a *automated) open(t *testing.T, name, prefix string) *office {
	t.Helper()
	o := &office{automated: a, name: name, client: filepath.Join(a.folder, prefix+"-client.json")}
	upstream := filepath.Join(a.folder, prefix+"-upstream")
	ssm := func(args ...string) { a.do(t, "ssm", append([]string{"--data", upstream}, args...)...) }
	do := func(args ...string) []byte { return a.do(t, "satellite", args...) }
	file := func(suffix string) string { return filepath.Join(a.folder, prefix+suffix) }

	ssm("account", "create", "--name", name, "--email", "admin@kanda.example")
	ssm("license", "add", "--account", name, "--virtual-account", "Satellite", "--tag", automatedTag, "--name", automatedLicense, "--quantity", fmt.Sprint(automatedBought))
	ssm("root", "--out", file("-root.pem"))
	do("account", "create", "--name", name, "--email", "admin@kanda.example")
	do("upstream", "trust", file("-root.pem"))
	do("sync", "request", "--account", name, "--out", file(".ssmreq"))
	ssm("sync", "answer", file(".ssmreq"), "--out", file(".ssmres"))
	do("sync", "apply", file(".ssmres"))
	do("virtual-account", "create", "--account", name, "--name", "Lab")
	token := strings.TrimSpace(string(do("token", "create", "--account", name, "--accept-agreement")))
	for n := range o.serials {
		o.serials[n] = fmt.Sprintf("%s%d", strings.ToUpper(prefix), n+1)
		o.register(t, o.serials[n], token)
		o.use(t, o.serials[n], 1)
	}
	secret := do("--json", "api-client", "create", "--name", prefix, "--account", name)
	if err := os.WriteFile(o.client, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// register registers a device with a token.
func (o *office) register(t *testing.T, serial, token string) {
	t.Helper()
	o.do(t, "smartagent", "--state", filepath.Join(o.folder, serial), "--url", o.ready.DeviceURL, "--ca", o.ready.CAFile, "--pid", "EX-8500",
		"--serial", serial, "--hostname", "edge-"+strings.ToLower(serial), "license", "smart", "register", "idtoken", token)
}

// use lets a device use so many licenses.
func (o *office) use(t *testing.T, serial string, count int) {
	t.Helper()
	o.do(t, "smartagent", "--state", filepath.Join(o.folder, serial), "license", "smart", "request", automatedTag, fmt.Sprint(count))
}

// secret is the API client of the office.
func (o *office) secret(t *testing.T) (client adminapi.APIClientWithSecret) {
	t.Helper()
	text, err := os.ReadFile(o.client)
	if err == nil {
		err = json.Unmarshal(text, &client)
	}
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// device is a device as the satellite itself shows it.
func (o *office) device(t *testing.T, serial string) adminapi.DeviceDetails {
	t.Helper()
	return satelliteSays[adminapi.DeviceDetails](t, o.automated, "device", "show", "--pid", "EX-8500", "--serial", serial)
}

// license is the license of a virtual account as the satellite itself shows it.
func (o *office) license(t *testing.T, virtual string) (license adminapi.License) {
	t.Helper()
	for _, row := range satelliteSays[[]adminapi.License](t, o.automated, "license", "list", "--account", o.name) {
		if row.VirtualAccount == virtual && row.Name == automatedLicense {
			return row
		}
	}
	return license
}

// tokens are the registration tokens, newest first.
func (o *office) tokens(t *testing.T) []adminapi.Token {
	t.Helper()
	return satelliteSays[[]adminapi.Token](t, o.automated, "token", "list", "--account", o.name)
}

// program finds a program that the tests need and Go does not bring.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; .ci/need.sh and .ci/newman.sh install what the tests need: %v", name, err)
	}
	return path
}

// script runs a program in the folder with additional environment.
func (a *automated) script(t *testing.T, environment []string, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, messages bytes.Buffer
	command := exec.Command(program(t, name), args...)
	command.Dir, command.Stdout, command.Stderr = a.folder, &out, &messages
	command.Env = append(os.Environ(), "PATH="+a.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+a.folder, "LC_ALL=C.UTF-8")
	command.Env = append(command.Env, environment...)
	err = command.Run()
	return out.String(), messages.String(), err
}
