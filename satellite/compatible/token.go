package compatible

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ssm/satellite"
)

// token is a registration token with the text that devices register by.
type token struct {
	Token            string `json:"token"`
	Description      string `json:"description"`
	ExpirationDate   string `json:"expirationDate"`
	ExportControlled string `json:"exportControlled"` // Allowed or Not Allowed
	NumberOfUses     int64  `json:"numberofUses"`     // 0: unlimited
	UsesRemaining    *int64 `json:"usesRemaining"`    // null: unlimited
	CreatedBy        string `json:"createdBy"`
	CreationDate     string `json:"creationDate"`
}

func tokenOf(t satellite.Token, text string) token {
	shown := token{
		Token: text, Description: t.Description, ExpirationDate: t.ExpiresAt.UTC().Format(time.RFC3339), ExportControlled: "Not Allowed",
		NumberOfUses: t.MaxUses, CreatedBy: t.CreatedBy, CreationDate: t.CreatedAt.UTC().Format(time.RFC3339),
	}
	if t.ExportControlled {
		shown.ExportControlled = "Allowed"
	}
	if t.MaxUses > 0 {
		remaining := t.MaxUses - t.Uses
		shown.UsesRemaining = &remaining
	}
	return shown
}

type tokenList struct {
	outcome
	Tokens []token `json:"tokens"`
}

// listTokens lists the tokens that still work, the best one first: there are
// clients that take the first one without a look at it. Whoever has a text can
// register devices, so the list is refused to who may not make tokens.
func (a *api) listTokens(ctx context.Context, c *call) (any, error) {
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := a.service.WorkingTokens(ctx, c.actor, account.ID, virtual.Name)
	if err != nil {
		return nil, err
	}
	answer := tokenList{outcome: success, Tokens: []token{}}
	for _, t := range found {
		answer.Tokens = append(answer.Tokens, tokenOf(t.Token, t.Text))
	}
	return answer, nil
}

type createdToken struct {
	outcome
	TokenInfo token `json:"tokenInfo"`
}

func (a *api) createToken(ctx context.Context, c *call) (any, error) {
	n := satellite.NewToken{
		Description: c.in.text("description"), Days: int(c.in.number("expiresAfterDays", 0)),
		MaxUses: c.in.number("numberofUses", 0), ExportControlled: allowed(c.in, "exportControlled"),
	}
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	n.AccountID, n.VirtualAccount = account.ID, virtual.Name
	created, text, err := a.service.CreateToken(ctx, c.actor, n)
	if err != nil {
		return nil, byField(err, map[string]string{"token-days-invalid": "expiresAfterDays", "token-uses-invalid": "numberofUses"})
	}
	return createdToken{outcome: success, TokenInfo: tokenOf(created, text)}, nil
}

// allowed reads a field that is "Allowed" or "Not Allowed", or a boolean. What
// is not said is not allowed.
func allowed(in object, name string) bool {
	text, _ := in.fields[name].(string)
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "allowed":
		return true
	case "not allowed":
		return false
	}
	if _, isText := in.fields[name].(string); isText && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") && text != "" {
		in.wrong(name, `must be "Allowed" or "Not Allowed"`)
		return false
	}
	return in.flag(name, false)
}

// revokedToken is what became of one token.
type revokedToken struct {
	Token string `json:"token"`
	outcome
}

type revokedTokens struct {
	outcome
	Tokens []revokedToken `json:"tokensRevokeStatus"`
}

// revokeTokens revokes all tokens of a list, or none. One that is revoked
// already counts as revoked, so that the same request may be sent again.
func (a *api) revokeTokens(ctx context.Context, c *call) (any, error) {
	texts := tokenTexts(c.in)
	answer := func(whole outcome, err error) revokedTokens {
		answer := revokedTokens{outcome: whole, Tokens: []revokedToken{}}
		for i, o := range outcomes(len(texts), whole, "", err) {
			answer.Tokens = append(answer.Tokens, revokedToken{Token: texts[i], outcome: o})
		}
		return answer
	}
	err := c.in.err()
	if err == nil {
		err = a.revoke(ctx, c, texts)
	}
	if err != nil {
		return nil, &refusal{err, func(failed outcome) any { return answer(failed, err) }}
	}
	return answer(success, nil), nil
}

func (a *api) revoke(ctx context.Context, c *call, texts []string) error {
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return err
	}
	err = a.service.RevokeTokens(ctx, c.actor, account.ID, virtual.Name, texts)
	return byField(err, map[string]string{"token-revocation-invalid": "tokens"})
}

// tokenTexts reads the texts of tokens, each as it is or in an object.
func tokenTexts(in object) []string {
	texts := []string{}
	for i, value := range in.values("tokens") {
		name := fmt.Sprintf("tokens[%d]", i)
		var text string
		if _, isObject := value.(map[string]any); isObject {
			text = in.within(name, value).required("token")
		} else if text = in.asText(name, value); text == "" {
			in.wrong(name, "is empty")
		}
		texts = append(texts, strings.TrimSpace(text))
	}
	if len(texts) == 0 {
		in.wrong("tokens", "is missing")
	}
	return texts
}
