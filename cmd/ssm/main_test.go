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
	"ssm/sync/ssm"
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

// registration writes the registration file of a new satellite, which asks for
// an upgrade at once if there is one.
func registration(t *testing.T, smartAccount string, upgrade *wire.UpgradeRequest) string {
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
			Request:     &wire.RequestPart{Scope: wire.ScopeRegistration, CertificateRequest: csr, Upgrade: upgrade, AgreementAccepted: "1"}}, wire.Signer{Key: key})
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

	request, response := registration(t, "Small", nil), filepath.Join(t.TempDir(), "plant.ssmres")
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

func TestAVendorDefinesLicensesAndPublishesAnAgreementFromTheCommandLine(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	data := filepath.Join(t.TempDir(), "data")
	result[object](t, data, "account", "create", "--name", "Big", "--email", "b@big.example")
	result[object](t, data, "license", "define", "--tag", "premier", "--name", "Premier")
	defined := result[object](t, data, "license", "define", "--tag", "base", "--name", "Base", "--description", "For all.", "--type", "evaluation",
		"--enforcement", "export-controlled", "--billing", "usage", "--reporting-only", "--overage", "--higher-tier", "premier")
	again := result[object](t, data, "license", "define", "--tag", "base", "--name", "Base 2", "--overage=false", "--higher-tier", "")
	for field, want := range map[string]any{"description": "For all.", "type": "evaluation", "enforcement": "export-controlled", "billing": "usage", "reporting_only": true} {
		if defined[field] != want || again[field] != want {
			t.Errorf("%s is %v, then %v, want %v", field, defined[field], again[field], want)
		}
	}
	if defined["overage"] != true || defined["higher_tier"] != "premier" || again["overage"] != false || again["higher_tier"] != nil || again["name"] != "Base 2" {
		t.Errorf("the definition is %v, then %v", defined, again)
	}
	if list := result[[]object](t, data, "license", "definitions"); len(list) != 2 || list[0]["tag"] != "base" {
		t.Errorf("the definitions are %v", list)
	}
	license := result[object](t, data, "license", "add", "--virtual-account", "V", "--tag", "base", "--name", "Base 3", "--quantity", "1",
		"--type", "evaluation", "--end", "2100-01-01", "--order", "PO-1", "--subscription-id", "SUB-1")
	if lot := license["lots"].([]any)[0].(object); lot["order"] != "PO-1" || lot["subscription_id"] != "SUB-1" || lot["type"] != "evaluation" {
		t.Errorf("the lot is %v", lot)
	}

	if first := result[object](t, data, "agreement", "show"); first["version"] != "1" || !strings.Contains(first["text"].(string), "Agreement") {
		t.Errorf("from the start there is %v", first)
	}
	file := filepath.Join(t.TempDir(), "agreement.txt")
	if err := os.WriteFile(file, []byte("Be fair.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if published := result[object](t, data, "agreement", "publish", "--version", "2", "--file", file); published["version"] != "2" || published["text"] != "Be fair.\n" {
		t.Errorf("published is %v", published)
	}
	if code, stdout, _ := command(t, "agreement", "show", "--data", data); code != done || !strings.HasPrefix(stdout, "Version 2, published ") || !strings.HasSuffix(stdout, "\n\nBe fair.\n") {
		t.Errorf("the agreement is shown as %q", stdout)
	}
	long := filepath.Join(t.TempDir(), "long.txt")
	if err := os.WriteFile(long, bytes.Repeat([]byte("x"), ssm.MaxAgreement+1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct{ says, version, file string }{
		{"262144", "3", long}, {"no such file", "3", long + ".none"}, {"published on", "1", file},
	} {
		code, _, stderr := command(t, "agreement", "publish", "--version", wrong.version, "--file", wrong.file, "--data", data)
		if code != refused || !strings.Contains(stderr, wrong.says) {
			t.Errorf("version %s of %s: exit %d: %s", wrong.version, wrong.file, code, stderr)
		}
	}
}

func TestAVendorDecidesUpgradesFromTheCommandLine(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for decision, c := range map[string]struct {
		args    []string
		account string
	}{
		"approved": {[]string{"approve", "1"}, "Grown AG"},
		"declined": {[]string{"decline", "1", "--reason", "It is not yours."}, "Small"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		result[object](t, data, "account", "create", "--name", "Small", "--email", "s@mail.example", "--limited")
		if list := result[[]object](t, data, "approval", "list"); len(list) != 0 {
			t.Errorf("nobody asked, and there is %v", list)
		}
		request := registration(t, "Small", &wire.UpgradeRequest{Name: "Grown AG", DomainIdentifier: "grown.example",
			Email: "s@mail.example", RequestedBy: "Anna", RequestedAt: time.Now()})
		if code, stdout, _ := command(t, "sync", "answer", request, "--out", filepath.Join(t.TempDir(), "x"), "--data", data); code != done || !strings.Contains(stdout, "ssm approval list") {
			t.Errorf("the answer is told as %q", stdout)
		}
		list := result[[]object](t, data, "approval", "list")
		if len(list) != 1 || list[0]["id"] != 1.0 || list[0]["status"] != "pending" || list[0]["domain_identifier"] != "grown.example" {
			t.Fatalf("what waits is %v", list)
		}
		if code, stdout, _ := command(t, "approval", "list", "--data", data); code != done || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, "grown.example") {
			t.Errorf("the list is %q", stdout)
		}
		if decided := result[object](t, data, append([]string{"approval"}, c.args...)...); decided["status"] != decision || decided["account"] != c.account {
			t.Errorf("%s is %v", decision, decided)
		}
		for _, wrong := range []struct {
			code int
			says string
			args []string
		}{
			{refused, "was " + decision + " on", []string{"approve", "1"}},
			{refused, "was " + decision + " on", []string{"decline", "1", "--reason", "No."}},
			{refused, "no approval 2", []string{"decline", "2", "--reason", "No."}},
			{refused, "reason", []string{"decline", "1", "--reason", ""}},
			{usage, "reason", []string{"decline", "1"}},
			{usage, "number", []string{"approve", "one"}},
			{usage, "arg", []string{"approve"}},
		} {
			if code, _, stderr := command(t, append([]string{"approval", "--data", data}, wrong.args...)...); code != wrong.code || !strings.Contains(stderr, wrong.says) {
				t.Errorf("ssm approval %v: exit %d: %s", wrong.args, code, stderr)
			}
		}
		if satellites := result[[]object](t, data, "satellite", "list"); satellites[0]["account"] != c.account || satellites[0]["agreement_accepted"] != "1" {
			t.Errorf("the satellites are %v", satellites)
		}
	}
}

func TestExitCodesTellARefusalFromAWrongCommandLine(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	request := registration(t, "Nobody", nil)
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
		{usage, "file", []string{"agreement", "publish", "--version", "2"}},
		{usage, "name", []string{"license", "define", "--tag", "t"}},
		{refused, "ssm account create", []string{"license", "define", "--tag", "t", "--name", "T"}},
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
