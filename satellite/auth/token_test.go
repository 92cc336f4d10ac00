package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/auth"
)

const urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// tokensOf is a satellite's signer with as many fresh keys as there are ids, the first signing.
func tokensOf(t *testing.T, issuer string, ids ...string) (*auth.Tokens, []satellite.TokenKey) {
	t.Helper()
	tokens := auth.NewTokens()
	var keys []satellite.TokenKey
	for _, id := range ids {
		key, err := tokens.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, satellite.TokenKey{ID: id, Key: key})
	}
	if err := tokens.Use(issuer, keys); err != nil {
		t.Fatal(err)
	}
	return tokens, keys
}

func claimsOf(issuer string) satellite.TokenClaims {
	return satellite.TokenClaims{
		ID: base64.RawURLEncoding.EncodeToString(make([]byte, 16)), Issuer: issuer,
		ExpiresAt: time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC),
	}
}

func sign(t *testing.T, tokens *auth.Tokens, claims satellite.TokenClaims) string {
	t.Helper()
	text, err := tokens.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestATokenFitsOnADeviceAndSaysOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	tokens, _ := tokensOf(t, "k3v9q2wd", "abcd")
	claims := claimsOf("k3v9q2wd")
	text := sign(t, tokens, claims)
	if len(text) > 255 || strings.Trim(text, urlAlphabet+".") != "" {
		t.Errorf("%d characters: %s", len(text), text)
	}
	parts := strings.Split(text, ".")
	for i, want := range []string{
		`{"alg":"ES256","kid":"abcd"}`,
		`{"exp":1804136767,"iss":"k3v9q2wd","jti":"AAAAAAAAAAAAAAAAAAAAAA","aud":"registration"}`,
	} {
		if got, err := base64.RawURLEncoding.DecodeString(parts[i]); err != nil || string(got) != want {
			t.Errorf("part %d is %s, %v; want %s", i, got, err, want)
		}
	}
	if got, err := tokens.Verify(text); err != nil || got != claims {
		t.Errorf("read back as %+v, %v; want %+v", got, err, claims)
	}
}

func TestEveryChangedCharacterOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	tokens, _ := tokensOf(t, "k3v9q2wd", "abcd", "efgh")
	text := sign(t, tokens, claimsOf("k3v9q2wd"))
	tried := 0
	for i := range text {
		for _, c := range urlAlphabet + ".=+/ \n\r" {
			if byte(c) == text[i] {
				continue
			}
			tried++
			changed := text[:i] + string(c) + text[i+1:]
			claims, err := tokens.Verify(changed)
			if !errors.Is(err, satellite.ErrTokenInvalid) && !errors.Is(err, satellite.ErrTokenForeign) {
				t.Fatalf("with %q at %d: %+v, %v", c, i, claims, err)
			}
			if errors.Is(err, satellite.ErrTokenForeign) && claims.Issuer == "k3v9q2wd" {
				t.Fatalf("with %q at %d it is said to be foreign and ours", c, i)
			}
		}
	}
	if tried < 64*len(text) {
		t.Errorf("only %d changes were tried", tried)
	}
}

func TestTextThatIsNoTokenOfOursIsRefused(t *testing.T) {
	t.Parallel()
	tokens, keys := tokensOf(t, "k3v9q2wd", "abcd")
	text := sign(t, tokens, claimsOf("k3v9q2wd"))
	parts := strings.Split(text, ".")
	encode := base64.RawURLEncoding.EncodeToString
	// resign signs any header and claims with our own key, as nobody else can.
	resign := func(header, claims string) string {
		parsed, err := x509.ParsePKCS8PrivateKey(keys[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		signed := encode([]byte(header)) + "." + encode([]byte(claims))
		sum := sha256.Sum256([]byte(signed))
		r, s, err := ecdsa.Sign(rand.Reader, parsed.(*ecdsa.PrivateKey), sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + encode(append(fill(r), fill(s)...))
	}
	const header = `{"alg":"ES256","kid":"abcd"}`
	const good = `{"exp":1804136767,"iss":"k3v9q2wd","jti":"x","aud":"registration"}`
	if _, err := tokens.Verify(resign(header, good)); err != nil {
		t.Fatalf("the test cannot sign: %v", err)
	}
	for name, bad := range map[string]string{
		"nothing":                   "",
		"a word":                    "hello",
		"dots":                      "..",
		"cut short":                 text[:len(text)-1],
		"one character more":        text + "A",
		"a line break":              text[:20] + "\n" + text[20:],
		"a part more":               text + "." + parts[2],
		"longer than devices read":  strings.Repeat("A", 256),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"another algorithm":         encode([]byte(`{"alg":"none","kid":"abcd"}`)) + "." + parts[1] + "." + parts[2],
		"a shared secret":           encode([]byte(`{"alg":"HS256","kid":"abcd"}`)) + "." + parts[1] + "." + parts[2],
		"an unknown key":            resign(`{"alg":"ES256","kid":"zzzz"}`, good),
		"no key id":                 resign(`{"alg":"ES256"}`, good),
		"a key id that is a number": resign(`{"alg":"ES256","kid":7}`, good),
		"another audience":          resign(header, `{"exp":1804136767,"iss":"k3v9q2wd","jti":"x","aud":"console"}`),
		"no audience":               resign(header, `{"exp":1804136767,"iss":"k3v9q2wd","jti":"x"}`),
		"no expiry":                 resign(header, `{"iss":"k3v9q2wd","jti":"x","aud":"registration"}`),
		"a fractional expiry":       resign(header, `{"exp":1.5,"iss":"k3v9q2wd","jti":"x","aud":"registration"}`),
		"no issuer":                 resign(header, `{"exp":1804136767,"jti":"x","aud":"registration"}`),
		"no id":                     resign(header, `{"exp":1804136767,"iss":"k3v9q2wd","aud":"registration"}`),
		"an issuer like a novel":    resign(header, `{"exp":1804136767,"iss":"`+strings.Repeat("n", 65)+`","jti":"x","aud":"registration"}`),
		"claims that are a list":    resign(header, `[]`),
	} {
		if claims, err := tokens.Verify(bad); !errors.Is(err, satellite.ErrTokenInvalid) || claims != (satellite.TokenClaims{}) {
			t.Errorf("%s: %+v, %v", name, claims, err)
		}
	}
}

func fill(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

func TestATokenOfAnotherSatelliteIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	ours, _ := tokensOf(t, "k3v9q2wd", "abcd")
	theirs, _ := tokensOf(t, "m8nn4xyz", "abcd") // the same key id by chance
	claims := claimsOf("m8nn4xyz")
	got, err := ours.Verify(sign(t, theirs, claims))
	if !errors.Is(err, satellite.ErrTokenForeign) || got != claims {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAfterARotationOldTokensStillVerify(t *testing.T) {
	t.Parallel()
	tokens, first := tokensOf(t, "k3v9q2wd", "old1")
	old := sign(t, tokens, claimsOf("k3v9q2wd"))
	fresh, err := tokens.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	rotated := append([]satellite.TokenKey{{ID: "new1", Key: fresh}}, first...)
	if err := tokens.Use("k3v9q2wd", rotated); err != nil {
		t.Fatal(err)
	}
	young := sign(t, tokens, claimsOf("k3v9q2wd"))
	for _, text := range []string{old, young} {
		if _, err := tokens.Verify(text); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
	}
	if err := tokens.Use("k3v9q2wd", rotated[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(old); !errors.Is(err, satellite.ErrTokenInvalid) {
		t.Errorf("once its key is gone: %v", err)
	}
	if _, err := tokens.Verify(young); err != nil {
		t.Errorf("under the key that stayed: %v", err)
	}
}

func TestTwoKeysOfTheSameIDBothVerify(t *testing.T) {
	t.Parallel()
	second, keys := tokensOf(t, "k3v9q2wd", "same")
	text := sign(t, second, claimsOf("k3v9q2wd"))
	tokens, more := tokensOf(t, "k3v9q2wd", "same")
	if err := tokens.Use("k3v9q2wd", append(more, keys...)); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(text); err != nil {
		t.Error(err)
	}
}

func TestKeysThatCannotSignChangeNothing(t *testing.T) {
	t.Parallel()
	tokens, good := tokensOf(t, "k3v9q2wd", "abcd")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]error{
		"no key":        tokens.Use("k3v9q2wd", nil),
		"no issuer":     tokens.Use("", good),
		"garbage":       tokens.Use("k3v9q2wd", []satellite.TokenKey{{ID: "x", Key: []byte("garbage")}}),
		"another curve": tokens.Use("k3v9q2wd", []satellite.TokenKey{{ID: "x", Key: large}}),
		"no id":         tokens.Use("k3v9q2wd", []satellite.TokenKey{{Key: good[0].Key}}),
	} {
		if use == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := tokens.Verify(sign(t, tokens, claimsOf("k3v9q2wd"))); err != nil {
		t.Errorf("the keys before are gone: %v", err)
	}
}

func TestBeforeItHasKeysASignerRefuses(t *testing.T) {
	t.Parallel()
	tokens := auth.NewTokens()
	if _, err := tokens.Sign(claimsOf("k3v9q2wd")); err == nil {
		t.Error("it signs without a key")
	}
	if _, err := tokens.Verify("a.b.c"); !errors.Is(err, satellite.ErrTokenInvalid) {
		t.Errorf("it verifies without a key: %v", err)
	}
}

func TestATokenThatDevicesCannotReadIsNotSigned(t *testing.T) {
	t.Parallel()
	tokens, _ := tokensOf(t, strings.Repeat("i", 40), "abcd")
	for name, claims := range map[string]satellite.TokenClaims{
		"too long":    claimsOf(strings.Repeat("i", 40)),
		"no expiry":   {ID: "x", Issuer: "k3v9q2wd"},
		"no id":       {Issuer: "k3v9q2wd", ExpiresAt: time.Unix(1, 0)},
		"without all": {},
	} {
		if text, err := tokens.Sign(claims); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestRotatingWhileVerifyingIsSafe(t *testing.T) {
	t.Parallel()
	tokens, keys := tokensOf(t, "k3v9q2wd", "abcd")
	text := sign(t, tokens, claimsOf("k3v9q2wd"))
	done := make(chan error)
	go func() {
		var failed error
		for i := range 50 {
			fresh, err := tokens.NewKey()
			failed = errors.Join(failed, err, tokens.Use("k3v9q2wd", append([]satellite.TokenKey{{ID: fmt.Sprint("k", i), Key: fresh}}, keys...)))
		}
		done <- failed
	}()
	for range 200 {
		if _, err := tokens.Verify(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
