package wire

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// known are the errors that a reader may return; nothing else, and no panic.
func known(err error) bool {
	for _, e := range []error{ErrMalformed, ErrTooLarge, ErrSignature, ErrVersion, ErrAltered} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil
}

func seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds for %s: %v", pattern, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "{}", "[[[[", `{"request":"{}"}`, "null", "\x00", "\xff"} {
		f.Add([]byte(text))
	}
}

// FuzzReadRequest signs what it is given, too: otherwise nothing behind the signature would be tried.
func FuzzReadRequest(f *testing.F) {
	seed(f, "*.signed-request.json")
	seed(f, "*.request.json")
	key := fixedKey(f, "device")
	own := encodeChain([][]byte{certificate(f, key)})
	f.Fuzz(func(t *testing.T, text []byte) {
		check := func(message []byte) {
			request, err := ReadRequest(message)
			if !known(err) || (request == nil) != (err != nil && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrSignature)) {
				t.Errorf("request %v, error %v", request, err)
			}
			if err == nil && (request.Header.Nonce == "" || request.PublicKey == nil || len(request.Data.Entitlements) > maxEntitlements) {
				t.Errorf("accepted: %+v", request)
			}
		}
		check(text)
		check(envelopeOf(t, key, own, string(text)))
	})
}

func envelopeOf(t *testing.T, key crypto.Signer, credential, text string) []byte {
	t.Helper()
	signature, err := Sign(key, text)
	if err != nil {
		t.Fatal(err)
	}
	message, err := json.Marshal(requestEnvelope{Signature: signature, Credential: credential, Request: text})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func FuzzReadReply(f *testing.F) {
	seed(f, "*.signed-reply.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		reply, err := ReadReply(text)
		if !known(err) || (reply == nil) != (err != nil) {
			t.Errorf("reply %v, error %v", reply, err)
		}
		if err == nil && reply.Signed != (len(reply.Chain) > 0) {
			t.Errorf("signed %v by %d certificates", reply.Signed, len(reply.Chain))
		}
	})
}

func FuzzReadUsageFile(f *testing.F) {
	f.Add(realFile(f))
	for _, text := range []string{"", "<RUMReport/>", "<s><RUMReport><![CDATA[" + raw("1", "2") + "]]></RUMReport></s>", "<RUMReport>" + raw("1") + "</RUMReport>"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		reports, err := ReadUsageFile(text)
		if !known(err) || (len(reports) == 0) != (err != nil) {
			t.Errorf("%d reports, error %v", len(reports), err)
		}
		for _, r := range reports {
			if count, _ := r.Usage(); count < 0 || count > 1<<31 {
				t.Errorf("a count of %d", count)
			}
			if again, err := ReadUsageReport(r.Raw); err != nil || again.Digest() != r.Digest() {
				t.Errorf("a report does not read again: %v", err)
			}
		}
	})
}

// FuzzOpenContainer tries the file as it is, and its records under a genuine signature.
func FuzzOpenContainer(f *testing.F) {
	seed(f, "*"+RequestExtension)
	key := fixedKey(f, "upstream")
	f.Add(write(f, responseManifest(), Signer{Key: key, Chain: [][]byte{certificate(f, key)}}, records(2)))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, _, err := read(file)
		if !known(err) {
			t.Errorf("error %v", err)
		}
		stream := file[:min(len(file), 4096)]
		if _, _, err := read(seal(t, func(m *Manifest) { m.Records.Size, m.Records.Count = int64(len(stream)), 1 }, stream, genuine(t))); !known(err) {
			t.Errorf("signed: error %v", err)
		}
	})
}

// FuzzParseChain tries what stands in a credential.
func FuzzParseChain(f *testing.F) {
	f.Add(encodeChain([][]byte{certificate(f, fixedKey(f, "a"))}))
	f.Add(",,")
	f.Add(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x30}, 20)))
	f.Fuzz(func(t *testing.T, text string) {
		chain, err := parseChain(text)
		if !known(err) || len(chain) > maxChain {
			t.Errorf("%d certificates, error %v", len(chain), err)
		}
	})
}
