package certs

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	// ErrSealed says that sealed bytes cannot be opened with this key file:
	// it is another key file, another purpose, or the bytes were altered.
	ErrSealed = errors.New("cannot be opened with this key file")
	// ErrPEM says that a text is not the PEM that was expected.
	ErrPEM = errors.New("not a usable PEM file")
)

const (
	pemLimit         = 1 << 20 // bytes of a PEM file that are read
	pemCertificates  = 64      // certificates in one PEM file
	keyFileBytes     = 32      // AES-256
	sealVersion      = 1       // first byte of everything sealed
	certificateBlock = "CERTIFICATE"
	sealedKeyBlock   = "SEALED PRIVATE KEY"
	sealedKeyPurpose = "private key"
)

// KeyFile holds the 32 random bytes that encrypt private keys and secrets at
// rest. The file is one line of base64, mode 0600; it may live on another
// medium than the data, so that a copy of the data alone opens nothing.
// A KeyFile prints as ***.
type KeyFile struct{ aead cipher.AEAD }

// Format prints *** for every verb: fmt would otherwise print the key.
func (k *KeyFile) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// LoadKeyFile reads the key file at path and makes it when it is missing. Of
// two processes that start at once both get the same key. The folder must be
// there: a medium that is not mounted is an error, not a reason for a new key.
// A file of the wrong length, or one that others may read, is refused.
func LoadKeyFile(path string) (*KeyFile, error) {
	text, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKeyFile(path); err == nil {
			text, err = readKeyFile(path)
		}
	}
	if err != nil {
		return nil, err
	}
	key := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(key, bytes.TrimSpace(text))
	if err != nil || n != keyFileBytes {
		return nil, fmt.Errorf("key file %s does not hold %d bytes in base64; nothing was changed: restore it from its backup", path, keyFileBytes)
	}
	block, err := aes.NewCipher(key[:n])
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return &KeyFile{aead}, nil
}

func readKeyFile(path string) ([]byte, error) {
	text, info, err := readBounded(path, 1024)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o, so that others may use it; nothing was changed: run chmod 600 on it, and consider whether somebody has read it", path, mode)
	}
	return text, nil
}

// makeKeyFile writes a new key beside path and links it into place: a link
// never replaces a file, and a reader never sees half a key.
func makeKeyFile(path string) error {
	key := make([]byte, keyFileBytes)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	temp, err := writeTemp(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
	if err != nil {
		return fmt.Errorf("key file %s could not be made: %w", path, err)
	}
	defer func() { _ = os.Remove(temp) }()
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("key file %s could not be made (on a file system without hard links, write it yourself: 32 random bytes in base64, mode 0600): %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// Seal encrypts plain with AES-256-GCM under a random nonce. The purpose is
// authenticated, not stored: what was sealed for one purpose does not open for
// another. Layout: format version (1 byte), nonce (12), ciphertext, tag (16).
// One key file is good for 2^32 seals, the bound of GCM with random nonces.
func (k *KeyFile) Seal(purpose string, plain []byte) ([]byte, error) {
	if k == nil {
		return nil, errors.New("a key file is needed to seal; nothing was written")
	}
	sealed := make([]byte, 1, 1+k.aead.Overhead()+len(plain))
	sealed[0] = sealVersion
	return k.aead.Seal(sealed, nil, plain, []byte(purpose)), nil
}

// Open returns what Seal was given for the same purpose, else ErrSealed.
func (k *KeyFile) Open(purpose string, sealed []byte) ([]byte, error) {
	switch {
	case k == nil:
		return nil, fmt.Errorf("%w: there is no key file", ErrSealed)
	case len(sealed) == 0:
		return nil, fmt.Errorf("%w: there is nothing to open", ErrSealed)
	case sealed[0] != sealVersion:
		return nil, fmt.Errorf("%w: it has format version %d, this program knows %d", ErrSealed, sealed[0], sealVersion)
	}
	plain, err := k.aead.Open(nil, nil, sealed[1:], []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("%w: it was sealed under another key or for another purpose, or it was altered", ErrSealed)
	}
	return plain, nil
}

// NewKey makes a P-256 key: small certificates, and fast to sign with.
func NewKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// MarshalKey returns the private key as PKCS#8 DER, unencrypted.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return der, nil
}

// ParseKey reads PKCS#8 DER. ErrKey where it is none, or of a type or size that
// CheckPublicKey refuses.
func ParseKey(der []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a PKCS#8 private key: %w", ErrKey, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: a key of type %T cannot sign", ErrKey, parsed)
	}
	if err := CheckPublicKey(key.Public()); err != nil {
		return nil, err
	}
	return key, nil
}

// WriteKey writes the key sealed under k, in place of what was at path: either
// the old file or the new one is there after a crash. Mode 0600.
func WriteKey(path string, key crypto.Signer, k *KeyFile) error {
	der, err := MarshalKey(key)
	if err != nil {
		return err
	}
	sealed, err := k.Seal(sealedKeyPurpose, der)
	if err != nil {
		return fmt.Errorf("private key %s: %w", path, err)
	}
	return WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: sealedKeyBlock, Bytes: sealed}), 0o600)
}

// ReadKey reads what WriteKey wrote. ErrPEM where the file holds no sealed key,
// ErrSealed where k does not open it, ErrKey where a key of a type or size that
// is not accepted was in it; fs.ErrNotExist where there is no file.
func ReadKey(path string, k *KeyFile) (crypto.Signer, error) {
	text, _, err := readBounded(path, pemLimit)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != sealedKeyBlock {
		return nil, fmt.Errorf("private key %s: %w: it holds no block %q", path, ErrPEM, sealedKeyBlock)
	}
	der, err := k.Open(sealedKeyPurpose, block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key %s %w", path, err)
	}
	key, err := ParseKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", path, err)
	}
	return key, nil
}

// EncodePEM writes the certificates one after the other, as they are given.
func EncodePEM(certificates ...*x509.Certificate) []byte {
	var text bytes.Buffer
	for _, c := range certificates {
		_ = pem.Encode(&text, &pem.Block{Type: certificateBlock, Bytes: c.Raw}) // a Buffer takes everything
	}
	return text.Bytes()
}

// DecodePEM reads 1 to 64 certificates from at most 1 MiB; text between the
// blocks is ignored, as in common bundles. ErrPEM where there are none or too
// many, where a block is damaged (it would be dropped silently otherwise), is
// no certificate, or is something else, such as a private key.
func DecodePEM(data []byte) ([]*x509.Certificate, error) {
	if len(data) > pemLimit {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrPEM, pemLimit)
	}
	var certificates []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != certificateBlock {
			return nil, fmt.Errorf("%w: a block %.40q stands where only certificates may", ErrPEM, block.Type)
		}
		if len(certificates) == pemCertificates {
			return nil, fmt.Errorf("%w: it holds more than %d certificates", ErrPEM, pemCertificates)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d cannot be read: %w", ErrPEM, len(certificates)+1, err)
		}
		certificates = append(certificates, c)
	}
	begun := bytes.Count(data, []byte("-----BEGIN "))
	if begun == 0 {
		return nil, fmt.Errorf("%w: it holds no certificate", ErrPEM)
	}
	if begun != len(certificates) {
		return nil, fmt.Errorf("%w: %d blocks begin in it, but only %d can be read", ErrPEM, begun, len(certificates))
	}
	return certificates, nil
}

// WriteFile puts data at path, durable when it returns nil: either the old file
// or the new one is there after a crash, never a part. The folder must exist.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	temp, err := writeTemp(path, data, mode)
	if err == nil {
		if err = os.Rename(temp, path); err != nil {
			_ = os.Remove(temp)
		}
	}
	if err != nil {
		return fmt.Errorf("%s was not written, what was there is unchanged: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// writeTemp writes data to a new file in the folder of path, through to disk.
func writeTemp(path string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncFolder makes a new or renamed entry of the folder durable.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // only read: nothing to lose
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, info, err
}
