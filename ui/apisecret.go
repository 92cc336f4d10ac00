package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

// A client's secret is in the answer to the form that made it, and nowhere else:
// not in the session, not in an address, and in no page that can be opened
// again. A form that is sent a second time makes no second secret.

type secretPage struct {
	Title, ClientID, Secret string
	Path                    []kit.NavItem
	Message                 string // what was done, and until when the secret before is accepted
	Steps                   []lineStep
	URL                     string
}

func (r *request) secretPage(client satellite.APIClient, secret, message string) error {
	return r.show("api-client-secret", client.Name, secretPage{
		Title: client.Name, ClientID: client.ClientID, Secret: secret, Path: []kit.NavItem{{Label: r.t("nav.api"), URL: apiClientsURL}},
		Message: message, Steps: r.callLines(client.ClientID, secret), URL: apiClientURL(client.ClientID),
	})
}

// trustLines fetch what a machine must trust before it talks to this satellite.
func (r *request) trustLines() kit.Code {
	bundle := "/ca.pem"
	if parsed, err := url.Parse(r.DeviceURL()); err == nil {
		bundle = parsed.ResolveReference(&url.URL{Path: "/ca.pem"}).String()
	}
	return kit.Code{Lines: []kit.Line{
		{Prompt: "$", Text: "curl --insecure --output ca.pem " + bundle},
		{Prompt: "$", Text: fmt.Sprintf("echo '%x  ca.pem' | sha256sum --check", sha256.Sum256(r.Bundle()))},
	}}
}

// callLines lead from nothing to the first call, on the address by which the
// visitor came here.
func (r *request) callLines(clientID, secret string) []lineStep {
	base := "https://" + r.Request().Host
	token := kit.Code{Lines: []kit.Line{
		{Prompt: "$", Text: `TOKEN=$(curl --silent --show-error --fail --cacert ca.pem \`},
		{Text: "    --user " + shellWord(clientID+":"+secret) + ` \`},
		{Text: "    --data grant_type=client_credentials " + shellWord(base+"/oauth/token") + " |"},
		{Text: `    sed 's/.*"access_token":"\([^"]*\)".*/\1/')`},
	}}
	call := kit.Code{Lines: []kit.Line{{Prompt: "$", Text: `curl --cacert ca.pem --header "Authorization: Bearer $TOKEN" ` + shellWord(base+"/api/v2/accounts")}}}
	return []lineStep{
		{r.t("devices.lines.trust"), r.t("client.lines.trust.note"), r.trustLines()},
		{r.t("client.lines.token"), r.t("client.lines.token.note"), token},
		{r.t("client.lines.call"), r.t("client.lines.call.note"), call},
	}
}

// overlaps are how many hours the secret before may be accepted; Service takes
// any number up to thirty days, which the command line offers.
var overlaps = []struct {
	hours int
	key   string
}{{1, "client.overlap.hour"}, {24, "client.overlap.day"}, {7 * 24, "client.overlap.week"}, {0, "client.overlap.none"}}

func (r *request) rotateForm(client satellite.APIClient) *rotateForm {
	page := &rotateForm{URL: apiClientURL(client.ClientID) + "/rotate", Current: secretMark(client)}
	for _, o := range overlaps {
		page.Overlaps = append(page.Overlaps, roleChoice{Value: strconv.Itoa(o.hours), Name: r.t(o.key), Note: r.t(o.key + ".note"), Chosen: time.Duration(o.hours)*time.Hour == satellite.DefaultSecretOverlap})
	}
	if until := r.previousUntil(client); !until.IsZero() {
		page.Warning = &kit.Banner{Kind: "warn", Message: r.t("client.rotate.again", "Date", r.words.dateTime(until))}
	}
	return page
}

// secretMark changes with each new secret. The form carries it, so that one
// that is sent again, by a reload or a second click, does not rotate twice: that
// would end the secret that the program still uses.
func secretMark(client satellite.APIClient) string {
	mark := sha256.Sum256(client.SecretHash[:])
	return hex.EncodeToString(mark[:8])
}

func rotateAPIClient(r *request) error {
	client, err := r.apiClient()
	if err != nil {
		return err
	}
	hours, err := formNumber(r.FormValue("overlap"), int64(satellite.DefaultSecretOverlap/time.Hour))
	if err != nil {
		return r.apiClientDetail(err)
	}
	if client.RevokedAt.IsZero() && r.FormValue("current") != secretMark(client) {
		return r.apiClientDetail(&satellite.Error{
			Kind: satellite.KindConflict, Code: "secret-rotated-meanwhile",
			Message: "The client has got another secret since this form was opened. Nothing was changed.", Hint: "If that secret is lost, make another one below.",
		})
	}
	hours = max(min(hours, 1_000_000), -1) // what no duration overflows by; Service judges
	client, secret, err := r.Service.RotateAPIClient(r.context(), r.actor, client.ClientID, time.Duration(hours)*time.Hour)
	if _, ok := refusal(err); ok {
		return r.apiClientDetail(err)
	}
	if err != nil {
		return err
	}
	message := r.t("client.rotated.once")
	if until := r.previousUntil(client); !until.IsZero() {
		message = r.t("client.rotated", "Date", r.words.dateTime(until))
	}
	return r.secretPage(client, secret, message)
}

func revokeAPIClient(r *request) error {
	client, err := r.apiClient()
	if err != nil {
		return err
	}
	if strings.TrimSpace(r.FormValue("confirm")) != client.Name {
		return r.apiClientDetail(errNotConfirmed())
	}
	if _, err := r.Service.RevokeAPIClient(r.context(), r.actor, client.ClientID); err != nil {
		return err
	}
	return r.done(apiClientsURL, r.t("client.revoked.done", "Name", client.Name))
}
