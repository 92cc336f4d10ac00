package certs_test

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ssm/certs"
)

func keyFile(t testing.TB) *certs.KeyFile {
	t.Helper()
	return must[*certs.KeyFile](t)(certs.LoadKeyFile(filepath.Join(t.TempDir(), "key")))
}

func write(t testing.TB, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyFileIsMadeOnceAndOpensWhatItSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	first := must[*certs.KeyFile](t)(certs.LoadKeyFile(path))
	sealed := must[[]byte](t)(first.Seal("token", []byte("secret")))
	if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
	again := must[*certs.KeyFile](t)(certs.LoadKeyFile(path))
	if plain, err := again.Open("token", sealed); string(plain) != "secret" || err != nil {
		t.Errorf("opened %q, %v", plain, err)
	}
	if entries := must[[]fs.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestManyWhoMakeTheKeyFileAtOnceGetTheSame(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	keys := make([]*certs.KeyFile, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = certs.LoadKeyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sealed := must[[]byte](t)(keys[0].Seal("x", []byte("secret")))
	for _, k := range keys {
		if _, err := k.Open("x", sealed); err != nil {
			t.Error(err)
		}
	}
}

func TestAKeyFileThatIsNotSafeOrNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	good := "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
	for _, c := range []struct {
		name, text string
		mode       fs.FileMode
		saying     string
	}{
		{"readable by the group", good, 0o640, "chmod 600"},
		{"readable by all", good, 0o604, "chmod 600"},
		{"empty", "", 0o600, "32 bytes"},
		{"short", "AAECAwQFBgcICQoLDA0ODw==\n", 0o600, "32 bytes"},
		{"long", "AAAA" + good, 0o600, "32 bytes"},
		{"no base64", strings.Repeat("*", 44), 0o600, "32 bytes"},
		{"huge", strings.Repeat(good, 100), 0o600, "longer"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, []byte(c.text), c.mode)
		if _, err := certs.LoadKeyFile(path); err == nil || !strings.Contains(err.Error(), c.saying) {
			t.Errorf("%s: %v", c.name, err)
		}
		if text := must[[]byte](t)(os.ReadFile(path)); string(text) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, []byte(good), 0o400)
	if _, err := certs.LoadKeyFile(path); err != nil {
		t.Errorf("a read-only key file: %v", err)
	}
	unmounted := filepath.Join(t.TempDir(), "medium", "key")
	if _, err := certs.LoadKeyFile(unmounted); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made a key where the medium is missing: %v", err)
	}
}

func TestSealedBytesOpenOnlyUnaltered(t *testing.T) {
	t.Parallel()
	k, other := keyFile(t), keyFile(t)
	sealed := must[[]byte](t)(k.Seal("token", []byte("secret")))
	if again := must[[]byte](t)(k.Seal("token", []byte("secret"))); bytes.Equal(sealed, again) {
		t.Error("two seals of one text are equal")
	}
	refused := func(name string, k *certs.KeyFile, purpose string, sealed []byte) {
		if plain, err := k.Open(purpose, sealed); !errors.Is(err, certs.ErrSealed) || plain != nil {
			t.Errorf("%s: opened %q, %v", name, plain, err)
		}
	}
	refused("another key file", other, "token", sealed)
	refused("another purpose", k, "password", sealed)
	refused("no key file", nil, "token", sealed)
	for i := range sealed {
		altered := slices.Clone(sealed)
		altered[i] ^= 1
		refused(fmt.Sprintf("byte %d altered", i), k, "token", altered)
		refused(fmt.Sprintf("cut after %d", i), k, "token", sealed[:i])
	}
}

func TestAKeyFilePrintsAsStars(t *testing.T) {
	t.Parallel()
	k := keyFile(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if got := fmt.Sprintf(verb, k); got != "***" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestPrivateKeysOnDiskAreSealed(t *testing.T) {
	t.Parallel()
	k, path := keyFile(t), filepath.Join(t.TempDir(), "signer.key")
	for name, key := range map[string]crypto.Signer{"P-256": newKey(t), "RSA-2048": rsaKey(t, 2048)} {
		if err := certs.WriteKey(path, key, k); err != nil {
			t.Fatal(err)
		}
		read := must[crypto.Signer](t)(certs.ReadKey(path, k))
		if !read.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%s: another key came back", name)
		}
		der := must[[]byte](t)(certs.MarshalKey(key))
		block, _ := pem.Decode(must[[]byte](t)(os.ReadFile(path)))
		if block.Type != "SEALED PRIVATE KEY" || bytes.Contains(block.Bytes, der[len(der)-32:]) {
			t.Errorf("%s: the file shows the key", name)
		}
		if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode() != 0o600 {
			t.Errorf("mode %s", info.Mode())
		}
	}
	if _, err := certs.ReadKey(path, keyFile(t)); !errors.Is(err, certs.ErrSealed) {
		t.Errorf("another key file: %v", err)
	}
	if _, err := certs.ReadKey(path+"x", k); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	plain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(certs.MarshalKey(newKey(t)))})
	for name, text := range map[string][]byte{"not sealed": plain, "no PEM": []byte("key"), "empty": nil} {
		write(t, path, text, 0o600)
		if _, err := certs.ReadKey(path, k); !errors.Is(err, certs.ErrPEM) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyPrivateKeysThatAreAcceptedAreRead(t *testing.T) {
	t.Parallel()
	weak := must[[]byte](t)(certs.MarshalKey(p224(t)))
	for name, der := range map[string][]byte{"P-224": weak, "garbage": []byte("key"), "empty": nil} {
		if _, err := certs.ParseKey(der); !errors.Is(err, certs.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteFileReplacesTheWholeFileOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"a long first text", "short"} {
		if err := certs.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if got := must[[]byte](t)(os.ReadFile(path)); string(got) != text {
			t.Errorf("read %q", got)
		}
	}
	if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode() != 0o640 {
		t.Errorf("mode %s", info.Mode())
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := certs.WriteFile(folder, []byte("x"), 0o600); err == nil {
		t.Error("replaced a folder by a file")
	}
	if entries := must[[]fs.DirEntry](t)(os.ReadDir(dir)); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestABundleIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chain := w.account.Chain()
	text := append([]byte("# a comment, as bundles have them\n"), certs.EncodePEM(chain...)...)
	read, err := certs.DecodePEM(text)
	if err != nil || len(read) != len(chain) {
		t.Fatalf("%d certificates, %v", len(read), err)
	}
	for i := range chain {
		if !read[i].Equal(chain[i]) {
			t.Errorf("certificate %d differs", i)
		}
	}
}

func TestABundleThatIsNotWhollyUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := string(certs.EncodePEM(w.root.Certificate))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	for name, text := range map[string]string{
		"empty":             "",
		"no PEM":            "hello",
		"private key":       one + key,
		"damaged first":     strings.Replace(one, "MII", "M!I", 1) + one,
		"cut last":          one + one[:len(one)/2],
		"not a certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
		"too many":          strings.Repeat(one, 65),
		"too long":          one + strings.Repeat("\n", 1<<20),
	} {
		if read, err := certs.DecodePEM([]byte(text)); !errors.Is(err, certs.ErrPEM) || read != nil {
			t.Errorf("%s: %d certificates, %v", name, len(read), err)
		}
	}
}

func FuzzDecodePEM(f *testing.F) {
	w := newWorld(f)
	one := certs.EncodePEM(w.root.Certificate)
	f.Add(one)
	f.Add(certs.EncodePEM(w.account.Chain()...))
	f.Add(one[:len(one)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nName: value\n\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN -----BEGIN "))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := certs.DecodePEM(data)
		if err != nil {
			if !errors.Is(err, certs.ErrPEM) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		again, err := certs.DecodePEM(certs.EncodePEM(read...))
		if err != nil || len(again) != len(read) || len(read) == 0 {
			t.Errorf("%d certificates came back as %d: %v", len(read), len(again), err)
		}
	})
}
