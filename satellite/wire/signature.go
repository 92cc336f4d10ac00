package wire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
)

// Names of the signature algorithms of messages, as they stand in
// Signature.Type. ECDSA values are ASN.1 DER, RSA values PKCS #1 v1.5.
const (
	SignatureECDSA = "SHA256-ECDSA"
	SignatureRSA   = "SHA256-RSA"
)

// Signature covers the exact bytes of the string beside it.
type Signature struct {
	Type  string `json:"type"`
	Value string `json:"value"` // standard base64 with padding
}

// Signer is a key with the certificates that vouch for it: its own first, then
// each issuer, all as DER, without the root where the reader has it pinned.
type Signer struct {
	Key   crypto.Signer
	Chain [][]byte
}

// Sign signs the SHA-256 of text.
func Sign(key crypto.Signer, text string) (Signature, error) {
	name := SignatureECDSA
	if _, ok := key.Public().(*rsa.PublicKey); ok {
		name = SignatureRSA
	}
	sum := sha256.Sum256([]byte(text))
	value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	return Signature{Type: name, Value: base64.StdEncoding.EncodeToString(value)}, nil
}

// maxRSABits is the largest RSA key that is verified under. The key comes with
// the message: one of 400,000 bits, which a message has room for, would keep a
// core busy for ten seconds.
const maxRSABits = 4096

func verifiable(key *rsa.PublicKey) bool { return key.N.BitLen() <= maxRSABits }

// Verify checks that the holder of public signed text; ErrSignature otherwise.
func (s Signature) Verify(public crypto.PublicKey, text string) error {
	value, err := base64.StdEncoding.Strict().DecodeString(s.Value)
	if err != nil {
		return fmt.Errorf("%w: its value is not base64", ErrSignature)
	}
	sum := sha256.Sum256([]byte(text))
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if s.Type == SignatureECDSA && ecdsa.VerifyASN1(key, sum[:], value) {
			return nil
		}
	case *rsa.PublicKey:
		if s.Type == SignatureRSA && verifiable(key) && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], value) == nil {
			return nil
		}
	}
	return ErrSignature
}

// encodeChain writes certificates as they stand in a credential: standard
// base64 of each DER, joined by commas.
func encodeChain(chain [][]byte) string {
	var b bytes.Buffer
	for i, der := range chain {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(base64.StdEncoding.EncodeToString(der))
	}
	return b.String()
}

const maxChain = 8

// parseChain is the reverse of encodeChain.
func parseChain(text string) ([]*x509.Certificate, error) {
	if text == "" {
		return nil, nil
	}
	parts := bytes.Split([]byte(text), []byte{','})
	if len(parts) > maxChain {
		return nil, fmt.Errorf("%w: a credential of more than %d certificates", ErrTooLarge, maxChain)
	}
	chain := make([]*x509.Certificate, 0, len(parts))
	for _, part := range parts {
		der, err := base64.StdEncoding.Strict().DecodeString(string(part))
		if err != nil {
			return nil, fmt.Errorf("%w: the credential is not base64", ErrMalformed)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: the credential holds no certificate: %v", ErrMalformed, err)
		}
		chain = append(chain, certificate)
	}
	return chain, nil
}
