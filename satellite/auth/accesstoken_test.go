package auth_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

func TestAnAccessTokenComesBackAsItWasSigned(t *testing.T) {
	t.Parallel()
	tokens, _ := tokensOf(t, "k3v9q2wd", "abcd")
	issued := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	for name, claims := range map[string]satellite.AccessClaims{
		"of a client": {Issuer: "k3v9q2wd", ID: "x", APIClientID: 7, ClientGeneration: 3, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)},
		"of a user":   {Issuer: "k3v9q2wd", ID: "x", APIClientID: 7, UserID: 5, UserGeneration: 2, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)},
	} {
		text, err := tokens.SignAccess(claims)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tokens.VerifyAccess(text); err != nil || got != claims {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := tokens.Verify(text); !errors.Is(err, satellite.ErrTokenInvalid) {
			t.Errorf("%s registers a device: %v", name, err)
		}
		other, _ := tokensOf(t, "zzzzzzzz", "abcd")
		if got, err := other.VerifyAccess(text); !errors.Is(err, satellite.ErrTokenForeign) || got.Issuer != "k3v9q2wd" {
			t.Errorf("%s, elsewhere: %+v, %v", name, got, err)
		}
	}
	if _, err := tokens.SignAccess(satellite.AccessClaims{Issuer: "k3v9q2wd", ID: "x", IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}); err == nil {
		t.Error("a token of no client is signed")
	}
}

func TestTextThatIsNoAccessTokenOfOursIsRefused(t *testing.T) {
	t.Parallel()
	tokens, keys := tokensOf(t, "k3v9q2wd", "abcd")
	encode := base64.RawURLEncoding.EncodeToString
	parsed, err := x509.ParsePKCS8PrivateKey(keys[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	// signed is any claims under our own key, as nobody else can.
	signed := func(claims string) string {
		text := encode([]byte(`{"alg":"ES256","kid":"abcd"}`)) + "." + encode([]byte(claims))
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, parsed.(*ecdsa.PrivateKey), sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + encode(append(fill(r), fill(s)...))
	}
	const good = `{"exp":1804136767,"iat":1804133167,"iss":"k3v9q2wd","jti":"x","aud":"api","cli":7,"clg":0}`
	if _, err := tokens.VerifyAccess(signed(good)); err != nil {
		t.Fatalf("the test cannot sign: %v", err)
	}
	for name, change := range map[string][2]string{
		"the audience of registration": {`"aud":"api"`, `"aud":"registration"`}, "no audience": {`"aud":"api",`, ``},
		"no expiry": {`"exp":1804136767,`, ``}, "no time of issue": {`"iat":1804133167,`, ``}, "an end before the beginning": {`"iat":1804133167`, `"iat":1804136767`},
		"no client": {`"cli":7,`, ``}, "a client below zero": {`"cli":7`, `"cli":-7`}, "a client that is a word": {`"cli":7`, `"cli":"7"`},
		"no id": {`"jti":"x",`, ``}, "no issuer": {`"iss":"k3v9q2wd",`, ``}, "an id like a novel": {`"jti":"x"`, `"jti":"` + strings.Repeat("n", 65) + `"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if claims, err := tokens.VerifyAccess(signed(bad)); bad == good || !errors.Is(err, satellite.ErrTokenInvalid) || claims != (satellite.AccessClaims{}) {
			t.Errorf("%s: %+v, %v", name, claims, err)
		}
	}
	if _, err := tokens.VerifyAccess(signed(strings.Replace(good, `"jti"`, `"more":"`+strings.Repeat("n", 900)+`","jti"`, 1))); !errors.Is(err, satellite.ErrTokenInvalid) {
		t.Errorf("a text of more than a thousand characters: %v", err)
	}
}
