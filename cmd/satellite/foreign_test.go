package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// TestForeignClientsNeedNoChange lets clients that others wrote walk through
// the API of one running satellite: each lists accounts, virtual accounts,
// licenses and devices, creates and revokes a token, transfers a device and two
// licenses, and reads the result back. What came of it the satellite's own
// command line tells.
func TestForeignClientsNeedNoChange(t *testing.T) {
	t.Parallel()
	a := automate(t)
	for _, foreign := range []struct {
		client, account string
		walk            func(*testing.T, *office)
	}{
		{"go", "Kanda Networks", walkInGo},
		{"ansible", "神田ネットワーク", walkWithAnsible},
		{"newman", "Kanda & Söhne (Tokyo)", walkWithNewman},
		{"curl", "Kanda Networks 2", walkWithCurl},
	} {
		t.Run(foreign.client, func(t *testing.T) {
			o := a.open(t, foreign.account, foreign.client)
			foreign.walk(t, o)
			o.checkWalk(t)
		})
	}
}

// walked is how many licenses a walk transfers.
const walked = 2

// checkWalk looks at what a walk must have left behind.
func (o *office) checkWalk(t *testing.T) {
	t.Helper()
	for serial, want := range map[string]string{o.serials[0]: "Lab", o.serials[1]: "Default"} {
		if got := o.device(t, serial).VirtualAccount; got != want {
			t.Errorf("device %s is in %s, want %s", serial, got, want)
		}
	}
	for virtual, want := range map[string][2]int64{"Default": {automatedBought - walked, 1}, "Lab": {walked, 1}} {
		if license := o.license(t, virtual); [2]int64{license.Quantity, license.InUse} != want {
			t.Errorf("%s has %d licenses with %d in use, want %d", virtual, license.Quantity, license.InUse, want)
		}
	}
	tokens := o.tokens(t)
	if len(tokens) < 2 || tokens[0].Status != "revoked" || tokens[len(tokens)-1].Status != "active" {
		t.Errorf("the token that was created is not revoked, or another one is: %+v", tokens)
	}
}

// walkInGo walks once with each grant: with the first to the end of the
// tokens, with the second, which acts as a user, through the transfers.
func walkInGo(t *testing.T, o *office) {
	pem, err := os.ReadFile(o.ready.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: transport})
	secret := o.secret(t)

	password := filepath.Join(o.folder, "password")
	if err := os.WriteFile(password, []byte("a sentence of some words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.do(t, "satellite", "user", "create", "--email", "ann@kanda.example", "--first-name", "Ann", "--password-file", password)
	o.do(t, "satellite", "user", "role", "ann@kanda.example", "account-user", "--account", o.name)

	// The grant of the client, with its secret in the header; without a style it tries that first.
	program := clientcredentials.Config{ClientID: secret.ClientID, ClientSecret: secret.ClientSecret, TokenURL: o.url() + "/oauth/token"}
	source := &goClient{t, program.Client(ctx), o.url(), o.name}
	source.list(o)
	source.tokens("Default")

	// The grant of a user, at another of the endpoint's names, with the secret among the parameters.
	user := oauth2.Config{ClientID: secret.ClientID, ClientSecret: secret.ClientSecret, Endpoint: oauth2.Endpoint{
		TokenURL: o.url() + "/as/token.oauth2", AuthStyle: oauth2.AuthStyleInParams,
	}}
	token, err := user.PasswordCredentialsToken(ctx, "ann@kanda.example", "a sentence of some words")
	if err != nil {
		t.Fatal(err)
	}
	if token.TokenType != "Bearer" || token.ExpiresIn != 3600 || token.AccessToken == "" {
		t.Errorf("the token is of type %q for %d seconds", token.TokenType, token.ExpiresIn)
	}
	ann := &goClient{t, user.Client(ctx, token), o.url(), o.name}
	ann.list(o)
	ann.tokens("Default")
	ann.transfer(o)

	var refusal *oauth2.RetrieveError
	if _, err := user.PasswordCredentialsToken(ctx, "ann@kanda.example", "another sentence"); !errors.As(err, &refusal) || refusal.ErrorCode != "invalid_grant" {
		t.Errorf("a wrong password is answered %v, want invalid_grant", err)
	}
	program.ClientSecret = secret.ClientID
	if _, err := program.Token(ctx); !errors.As(err, &refusal) || refusal.ErrorCode != "invalid_client" {
		t.Errorf("a wrong secret is answered %v, want invalid_client", err)
	}
}

// goClient is a program that somebody else wrote for such servers.
type goClient struct {
	t       *testing.T
	http    *http.Client
	url     string
	account string
}

// call asks and returns the answer, which must be a success. The path begins
// below the account where it has no slash in front.
func (c *goClient) call(method, path string, body any, into any) {
	c.t.Helper()
	if path[0] != '/' {
		path = "/api/v1/accounts/" + url.PathEscape(c.account) + "/" + path
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, c.url+path, content)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var outcome struct{ Status string }
	if err := json.Unmarshal(text, &outcome); err != nil || response.StatusCode != http.StatusOK || outcome.Status != "SUCCESS" {
		c.t.Fatalf("%s %s: %s\n%s", method, path, response.Status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			c.t.Fatalf("%s %s: %v\n%s", method, path, err, text)
		}
	}
}

type (
	goDevice struct {
		ProductTagName string `json:"productTagName"`
		Sudi           goSudi `json:"sudi"`
	}
	goSudi struct {
		PID    string `json:"udiPid"`
		Serial string `json:"udiSerialNumber"`
	}
)

func (c *goClient) devices(virtual string) (serials []string, devices []goDevice) {
	c.t.Helper()
	var answer struct {
		TotalRecords int
		Devices      []goDevice
	}
	c.call(http.MethodGet, "virtual-accounts/"+virtual+"/devices?limit=-1", nil, &answer)
	for _, device := range answer.Devices {
		serials = append(serials, device.Sudi.Serial)
	}
	if answer.TotalRecords != len(serials) {
		c.t.Errorf("%d devices are told of and %d there", answer.TotalRecords, len(serials))
	}
	return serials, answer.Devices
}

// quantities are quantity and use of the license by virtual account.
func (c *goClient) quantities() map[string][2]int64 {
	c.t.Helper()
	var answer struct {
		Licenses []struct {
			License, VirtualAccount string
			Quantity, InUse         int64
		}
	}
	c.call(http.MethodPost, "licenses", map[string]any{"virtualAccounts": []string{}, "limit": -1}, &answer)
	quantities := map[string][2]int64{}
	for _, row := range answer.Licenses {
		if row.License == automatedLicense {
			quantities[row.VirtualAccount] = [2]int64{row.Quantity, row.InUse}
		}
	}
	return quantities
}

func (c *goClient) list(o *office) {
	c.t.Helper()
	var accounts struct {
		Accounts []struct{ AccountName string }
	}
	c.call(http.MethodGet, "/services/api/smart-accounts-and-licensing/v2/accounts", nil, &accounts)
	if len(accounts.Accounts) != 1 || accounts.Accounts[0].AccountName != o.name {
		c.t.Errorf("the accounts are %v, want only %s", accounts.Accounts, o.name)
	}
	var virtual struct {
		VirtualAccounts []struct{ Name, IsDefault string }
	}
	c.call(http.MethodGet, "virtual-accounts", nil, &virtual)
	if got := fmt.Sprint(virtual.VirtualAccounts); got != "[{Default true} {Lab false}]" {
		c.t.Errorf("the virtual accounts are %s", got)
	}
	if got := c.quantities()["Default"]; got != [2]int64{automatedBought, 2} {
		c.t.Errorf("there are %d licenses, in use %d", got[0], got[1])
	}
	if serials, _ := c.devices("Default"); !slices.Equal(slices.Sorted(slices.Values(serials)), o.serials[:]) {
		c.t.Errorf("the devices are %v, want %v", serials, o.serials)
	}
}

func (c *goClient) tokens(virtual string) {
	c.t.Helper()
	type token struct{ Token string }
	var answer struct{ TokenInfo token }
	path := "virtual-accounts/" + virtual + "/tokens"
	c.call(http.MethodPost, path, map[string]any{"description": "Created in Go", "expiresAfterDays": 30, "exportControlled": "Not Allowed"}, &answer)
	works := func() bool {
		var all struct{ Tokens []token }
		c.call(http.MethodGet, path, nil, &all)
		return slices.Contains(all.Tokens, answer.TokenInfo)
	}
	if answer.TokenInfo.Token == "" || !works() {
		c.t.Error("a token that was created is not there")
	}
	c.call(http.MethodPost, path+"/revoke", map[string]any{"tokens": []string{answer.TokenInfo.Token}}, nil)
	if works() {
		c.t.Error("a token that was revoked is still there")
	}
}

func (c *goClient) transfer(o *office) {
	c.t.Helper()
	_, devices := c.devices("Default")
	for _, device := range devices {
		if device.Sudi.Serial == o.serials[0] {
			c.call(http.MethodPost, "virtual-accounts/Default/devices/transfer", map[string]any{"productInstances": []any{
				map[string]any{"sudi": device.Sudi, "productTagName": device.ProductTagName, "targetVirtualAccount": "Lab"},
			}}, nil)
		}
	}
	c.call(http.MethodPost, "virtual-accounts/Default/licenses/transfer", map[string]any{"licenses": []any{
		map[string]any{"license": automatedLicense, "licenseType": "PERPETUAL", "quantity": walked, "targetVirtualAccount": "Lab"},
	}}, nil)
	if serials, _ := c.devices("Lab"); !slices.Equal(serials, o.serials[:1]) {
		c.t.Errorf("Lab has the devices %v, want %s", serials, o.serials[0])
	}
	if got := c.quantities(); got["Default"] != [2]int64{automatedBought - walked, 1} || got["Lab"] != [2]int64{walked, 1} {
		c.t.Errorf("quantities and use are %v after the transfer", got)
	}
}

// walkWithAnsible plays docs/examples/playbook.yml.
func walkWithAnsible(t *testing.T, o *office) {
	variables := o.write(t, "variables.json", map[string]any{
		"satellite": o.url(), "ca_file": o.ready.CAFile, "client_file": o.client,
		"account": o.name, "device_serial": o.serials[0], "license": automatedLicense, "quantity": walked,
	})
	o.run(t, "ansible-playbook", "-i", "localhost,", "-e", "@"+variables, absolute(t, "../../docs/examples/playbook.yml"))
}

// walkWithNewman runs docs/examples/collection.json.
func walkWithNewman(t *testing.T, o *office) {
	secret := o.secret(t)
	var values []any
	for _, pair := range [][2]string{
		{"satellite", o.url()}, {"client_id", secret.ClientID}, {"client_secret", secret.ClientSecret},
		{"account", o.name}, {"serial", o.serials[0]}, {"license", automatedLicense}, {"quantity", fmt.Sprint(walked)},
	} {
		values = append(values, map[string]any{"key": pair[0], "value": pair[1], "enabled": true})
	}
	environment := o.write(t, "environment.json", map[string]any{"name": "test", "values": values})
	o.run(t, absolute(t, "../../.ci/newman/node_modules/.bin/newman"), "run", "--bail", "--color", "off",
		"--ssl-extra-ca-certs", o.ready.CAFile, "--environment", environment, absolute(t, "../../docs/examples/collection.json"))
}

// walkWithCurl runs testdata/foreign/walk.sh, which begins like the recipes of docs/api.md.
func walkWithCurl(t *testing.T, o *office) {
	program(t, "curl")
	program(t, "jq")
	o.save(t, apiExamples(t))
	if err := copyFile(filepath.Join(o.folder, "walk.sh"), "testdata/foreign/walk.sh"); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := o.script(t, []string{"SATELLITE=" + o.url(), "CA=" + o.ready.CAFile, "CLIENT=" + o.client},
		"bash", "walk.sh", o.name, o.serials[0], automatedLicense, fmt.Sprint(walked))
	if err != nil || stdout != "walked to the end\n" {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
}

// run runs a program that must end well.
func (a *automated) run(t *testing.T, name string, args ...string) {
	t.Helper()
	if stdout, stderr, err := a.script(t, nil, name, args...); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
}

// write makes a file of JSON in the folder.
func (a *automated) write(t *testing.T, name string, value any) (path string) {
	t.Helper()
	text, err := json.Marshal(value)
	path = filepath.Join(a.folder, name)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
