package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
	"ssm/sync/offline"
)

// command runs the program and returns its exit code and both outputs.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, messages bytes.Buffer
	code = run(t.Context(), args, &out, &messages)
	return code, out.String(), messages.String()
}

// result runs the program with --json on the data folder and reads what it says.
func result[R any](t *testing.T, data string, args ...string) R {
	t.Helper()
	code, stdout, stderr := command(t, append(args, "--data", data, "--json")...)
	var read R
	if code != done {
		t.Fatalf("ssm %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &read); err != nil {
		t.Fatalf("ssm %s wrote no JSON document: %v\n%s", strings.Join(args, " "), err, stdout)
	}
	return read
}

// registration writes the registration file of a new satellite.
func registration(t *testing.T, smartAccount string) string {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := certs.NewSubCARequest(key, "account-1", "Plant")
	if err != nil {
		t.Fatal(err)
	}
	records, err := wire.NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	usage, err := wire.NewRecord(wire.RecordUsage, "Default\tregid.a", wire.UsageRecord{VirtualAccount: "Default", Tag: "regid.a", InUse: 3})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := usage.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if err := records.Add(usage); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plant.ssmreq")
	if err := offline.WriteFile(path, func(w io.Writer) error {
		_, err := records.WriteTo(w, wire.Manifest{Kind: wire.SyncRequest, CreatedAt: time.Now(), SatelliteID: "k3v9q2wd", Sequence: 1,
			Account:     wire.SyncAccount{ID: "account-1", Name: "Plant", SmartAccount: smartAccount, VirtualAccount: "Satellite"},
			StateDigest: map[wire.RecordKind]wire.Digest{wire.RecordUsage: hash},
			Request:     &wire.RequestPart{Scope: wire.ScopeRegistration, CertificateRequest: csr}}, wire.Signer{Key: key})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAVendorSuppliesASatelliteFromTheCommandLine(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	data := filepath.Join(t.TempDir(), "data")
	root := result[object](t, data, "setup")
	file := filepath.Join(t.TempDir(), "root.pem")
	if exported := result[object](t, data, "root", "--out", file); exported["fingerprint"] != root["fingerprint"] {
		t.Errorf("the exported root is %v, that of the set-up %v", exported, root)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(text, []byte("-----BEGIN CERTIFICATE-----")) {
		t.Errorf("the root was exported as %s, %v", text, err)
	}
	if account := result[object](t, data, "account", "create", "--name", "Small", "--email", "s@mail.example", "--limited"); account["type"] != "limited" {
		t.Errorf("the account is %v", account)
	}
	add := []string{"license", "add", "--account", "Small", "--virtual-account", "Satellite", "--tag", "regid.a", "--name", "A"}
	result[object](t, data, append(add, "--quantity", "5")...)
	result[object](t, data, append(add, "--quantity", "2", "--type", "subscription", "--start", "2020-01-01", "--end", "2100-01-01")...)

	request, response := registration(t, "Small"), filepath.Join(t.TempDir(), "plant.ssmres")
	if summary := result[object](t, data, "sync", "inspect", request); summary["scope"] != "registration" || summary["satellite_id"] != "k3v9q2wd" {
		t.Errorf("the request is described as %v", summary)
	}
	if answer := result[object](t, data, "sync", "answer", request, "--out", response); answer["registered"] != true || answer["file"] != response {
		t.Errorf("the answer is %v", answer)
	}
	first, err := os.ReadFile(response)
	if err != nil {
		t.Fatal(err)
	}
	if answer := result[object](t, data, "sync", "answer", request, "--out", response); answer["repeated"] != true {
		t.Errorf("the second answer is %v", answer)
	}
	if again, err := os.ReadFile(response); err != nil || !bytes.Equal(again, first) {
		t.Errorf("the same request got another response: %v", err)
	}
	if code, stdout, _ := command(t, "sync", "inspect", response, "--data", data); code != done || !strings.Contains(stdout, root["fingerprint"].(string)) {
		t.Errorf("the response is described as %s", stdout)
	}
	licenses := result[[]object](t, data, "license", "list")
	if len(licenses) != 1 || licenses[0]["quantity"] != 7.0 || licenses[0]["in_use"] != 3.0 || licenses[0]["virtual_account"] != "Satellite" || licenses[0]["type"] != "mixed" {
		t.Errorf("the licenses are %v", licenses)
	}
	if satellites := result[[]object](t, data, "satellite", "list"); len(satellites) != 1 || satellites[0]["satellite_id"] != "k3v9q2wd" || satellites[0]["devices"] != 0.0 {
		t.Errorf("the satellites are %v", satellites)
	}
	for _, list := range [][]string{{"account", "list"}, {"license", "list"}, {"satellite", "list"}} {
		if code, stdout, stderr := command(t, append(list, "--data", data)...); code != done || strings.Count(stdout, "\n") != 2 || stderr != "" {
			t.Errorf("ssm %v prints %q and %q", list, stdout, stderr)
		}
	}
}

func TestExitCodesTellARefusalFromAWrongCommandLine(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	request := registration(t, "Nobody")
	add := []string{"license", "add", "--virtual-account", "V", "--tag", "t", "--name", "T"}
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{done, "", []string{"version"}},
		{done, "", []string{"account", "list"}},
		{refused, "ssm account create", []string{"license", "list"}},
		{refused, "'Nobody'", []string{"sync", "answer", request, "--out", filepath.Join(t.TempDir(), "x")}},
		{refused, "no such file", []string{"sync", "inspect", "nowhere"}},
		{refused, "e-mail", []string{"account", "create", "--name", "A", "--email", "nobody"}},
		{usage, "which command", nil},
		{usage, "which command", []string{"account"}},
		{usage, "unknown command", []string{"acount"}},
		{usage, "unknown command", []string{"account", "delete"}},
		{usage, "name", []string{"account", "create"}},
		{usage, "unknown flag", []string{"account", "list", "--all"}},
		{usage, "arg", []string{"sync", "inspect"}},
		{usage, "quantity", append(add, "--quantity", "many")},
		{usage, "2026-12-31", append(add, "--quantity", "1", "--end", "tomorrow")},
	} {
		code, _, stderr := command(t, append(test.args, "--data", data)...)
		if code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("ssm %v: exit %d, want %d, and %q; it says %s", test.args, code, test.code, test.says, stderr)
		}
	}
}

func TestServeTellsWhereItIsAndStopsWhenTold(t *testing.T) {
	t.Parallel()
	data, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "ready.json")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	var messages bytes.Buffer // read only after the end
	go func() {
		ended <- run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--ready-file", file}, io.Discard, &messages)
	}()
	var ready map[string]string
	for ready == nil {
		select {
		case code := <-ended:
			t.Fatalf("serve ended with %d: %s", code, &messages)
		case <-time.After(10 * time.Millisecond):
		}
		if text, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(text, &ready); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ready["portal_url"] != ready["url"]+"/portal" || !strings.HasPrefix(ready["setup_url"], ready["portal_url"]+"/setup?code=") {
		t.Errorf("the ready file says %v", ready)
	}
	text, err := os.ReadFile(ready["ca_file"])
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := certs.DecodePEM(text)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: certs.ClientConfig(trusted, time.Now)}
	response, err := (&http.Client{Transport: transport}).Get(ready["url"] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("healthz: %d", response.StatusCode)
	}
	// The commands work beside it.
	if code, _, stderr := command(t, "account", "create", "--data", data, "--name", "A", "--email", "a@example.com"); code != done {
		t.Errorf("beside a server: exit %d: %s", code, stderr)
	}
	transport.CloseIdleConnections()
	stop()
	if code := <-ended; code != done {
		t.Errorf("serve ended with %d: %s", code, &messages)
	}
}
