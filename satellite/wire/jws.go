package wire

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Algorithms of the signature over a manifest. Nothing else is accepted, in
// particular neither "none" nor a shared secret.
var jwsAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

// jwsType stands in the protected header, so that a signature made for
// something else cannot be used here.
const jwsType = "software-license-sync+jws"

// signDetached signs the manifest as a compact JWS without its payload, the
// chain in the protected header.
func signDetached(signer Signer, manifest []byte) ([]byte, error) {
	algorithm := jose.ES256
	if _, ok := signer.Key.Public().(*rsa.PublicKey); ok {
		algorithm = jose.RS256
	}
	options := (&jose.SignerOptions{}).WithType(jwsType)
	if len(signer.Chain) > 0 {
		options = options.WithHeader("x5c", signer.Chain)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: cryptosigner.Opaque(signer.Key)}, options)
	if err != nil {
		return nil, fmt.Errorf("sign the manifest: %w", err)
	}
	signed, err := s.Sign(manifest)
	if err != nil {
		return nil, fmt.Errorf("sign the manifest: %w", err)
	}
	text, err := signed.DetachedCompactSerialize()
	return []byte(text), err
}

// verifyDetached checks the signature over the manifest and returns the chain
// that made it. Without a chain, only a registration is accepted, under the
// key of its certificate request.
func verifyDetached(jws, manifest []byte, m Manifest) ([][]byte, error) {
	parts := bytes.Split(jws, []byte{'.'})
	if len(parts) != 3 || len(parts[1]) != 0 {
		return nil, fmt.Errorf("%w: the signature is no detached compact JWS", ErrMalformed)
	}
	protected, err := base64.RawURLEncoding.Strict().DecodeString(string(parts[0]))
	if err != nil || bytes.ContainsAny(jws, "\r\n") {
		return nil, fmt.Errorf("%w: the signature is not strict base64", ErrAltered)
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(string(parts[2])); err != nil {
		return nil, fmt.Errorf("%w: the signature is not strict base64", ErrAltered)
	}
	parsed, err := jose.ParseDetached(string(jws), manifest, jwsAlgorithms)
	if err != nil {
		return nil, fmt.Errorf("%w: the signature cannot be read: %v", ErrAltered, err)
	}
	var header jwsHeader
	if err := json.Unmarshal(protected, &header); err != nil || header.Type != jwsType {
		return nil, fmt.Errorf("%w: it was not made for a sync document", ErrSignature)
	}
	key, err := header.key(m)
	if err != nil {
		return nil, err
	}
	if _, err := parsed.Verify(key); err != nil {
		return nil, fmt.Errorf("%w: manifest.jws does not belong to manifest.json", ErrSignature)
	}
	return header.Chain, nil
}

// jwsHeader is the part of the protected header that is read here. JSON writes
// a []byte as standard base64, which is what x5c holds.
type jwsHeader struct {
	Type  string   `json:"typ"`
	Chain [][]byte `json:"x5c"`
}

// key is the one that the manifest must be signed by.
func (h jwsHeader) key(m Manifest) (crypto.PublicKey, error) {
	if m.Request != nil && m.Request.Scope == ScopeRegistration {
		request, err := x509.ParseCertificateRequest(m.Request.CertificateRequest)
		if err != nil || request.CheckSignature() != nil || len(h.Chain) > 0 {
			return nil, fmt.Errorf("%w: a registration is signed by the key of the certificate request in it", ErrMalformed)
		}
		return request.PublicKey, nil
	}
	if len(h.Chain) == 0 || len(h.Chain) > maxChain {
		return nil, fmt.Errorf("%w: the signature names no certificate", ErrMalformed)
	}
	certificate, err := x509.ParseCertificate(h.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: the signature's certificate cannot be read: %v", ErrMalformed, err)
	}
	return certificate.PublicKey, nil
}
