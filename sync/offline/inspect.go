package offline

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// Summary is what a person who is about to carry a sync document must know:
// from whom it comes, how much is in it, and what of it is private.
type Summary struct {
	Kind           wire.SyncKind             `json:"kind"`
	SatelliteID    string                    `json:"satellite_id"`
	AccountID      string                    `json:"account_id"`
	Account        string                    `json:"account"`
	SmartAccount   string                    `json:"smart_account"`
	VirtualAccount string                    `json:"virtual_account"`
	Sequence       int64                     `json:"sequence"`
	Scope          wire.Scope                `json:"scope,omitempty"`          // of a request
	FullRequested  bool                      `json:"full_requested,omitempty"` // in a response
	Reason         string                    `json:"reason,omitempty"`         // in a response that asks for a full request
	Lineage        wire.Lineage              `json:"lineage,omitempty"`        // in a response: what was noticed about its satellite
	CreatedAt      time.Time                 `json:"created_at"`
	Size           int64                     `json:"size"`   // bytes of the file
	Digest         string                    `json:"digest"` // names the document; hexadecimal SHA-256 of its manifest
	Records        map[wire.RecordKind]int64 `json:"records"`
	Signature      Signature                 `json:"signature"`
	// PrivacyOmits is what the sender says to have left out of a request;
	// Privacy is what is found in it all the same.
	PrivacyOmits []string `json:"privacy_omits"`
	Privacy      Privacy  `json:"privacy"`
}

// Signature is who signed a document. That it verifies means that nobody
// changed the file after him; whether he is to be trusted, the reader decides
// by the fingerprint of the root.
type Signature struct {
	Verified bool   `json:"verified"`
	Signer   string `json:"signer"` // subject of the certificate, or of the request in a registration
	// Root and RootFingerprint are those of the root certificate inside, and
	// empty where the sender left it out, as he may.
	Root            string `json:"root,omitempty"`
	RootFingerprint string `json:"root_fingerprint,omitempty"` // SHA-256, as OpenSSL prints it
	Note            string `json:"note"`                       // a sentence
}

// Inspect reads a document of size bytes without trusting who signed it. It
// checks every byte: the signature under the certificate inside, the chain up
// to the last certificate inside, and each record. The errors are those of
// wire.OpenContainer and wire.Container.Records, and certs.ErrChain.
func Inspect(file io.ReaderAt, size int64) (Summary, error) {
	container, err := wire.OpenContainer(file, size, func(wire.Manifest, [][]byte) error { return nil })
	if err != nil {
		return Summary{}, err
	}
	m := container.Manifest
	s := Summary{
		Kind: m.Kind, SatelliteID: m.SatelliteID, AccountID: m.Account.ID, Account: m.Account.Name,
		SmartAccount: m.Account.SmartAccount, VirtualAccount: m.Account.VirtualAccount,
		Sequence: m.Sequence, CreatedAt: m.CreatedAt, Size: size, Digest: container.Digest,
		Records: maps.Clone(m.Records.Counts), PrivacyOmits: []string{},
	}
	if s.Records == nil {
		s.Records = map[wire.RecordKind]int64{}
	}
	if m.Request != nil {
		s.Scope = m.Request.Scope
		s.PrivacyOmits = append(s.PrivacyOmits, m.Request.PrivacyOmits...)
	} else {
		s.FullRequested, s.Reason, s.Lineage = m.Response.FullRequested, m.Response.Reason, m.Response.Lineage
	}
	if s.Signature, err = signature(m, container.Signer); err != nil {
		return Summary{}, err
	}
	if err := container.Records(s.Privacy.look); err != nil {
		return Summary{}, err
	}
	return s, nil
}

// signature describes the chain that OpenContainer has checked the signature with.
func signature(m wire.Manifest, chain [][]byte) (Signature, error) {
	if len(chain) == 0 {
		request, err := certs.ParseRequest(m.Request.CertificateRequest)
		if err != nil {
			return Signature{}, err
		}
		return Signature{Verified: true, Signer: request.Subject.String(),
			Note: "verified under the key of the certificate request inside: nobody vouches for a registration yet"}, nil
	}
	parsed := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return Signature{}, fmt.Errorf("%w: certificate %d of the signature: %v", wire.ErrMalformed, i+1, err)
		}
		parsed[i] = certificate
	}
	s := Signature{Verified: true, Signer: parsed[0].Subject.String(),
		Note: "verified under the certificate inside, whose chain ends below its root: only who has the root can judge it"}
	last := parsed[len(parsed)-1]
	if !isRoot(last) {
		return s, nil
	}
	if err := certs.VerifyUsage(parsed[0], parsed[1:], []*x509.Certificate{last}, usage(m.Kind), m.CreatedAt); err != nil {
		return Signature{}, err
	}
	s.Root, s.RootFingerprint = last.Subject.String(), certs.Fingerprint(last)
	s.Note = "verified against the chain inside: compare the fingerprint of the root with the one you know"
	return s, nil
}

// isRoot says whether the certificate vouches for itself.
func isRoot(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil
}

func usage(kind wire.SyncKind) asn1.ObjectIdentifier {
	if kind == wire.SyncResponse {
		return certs.UpstreamUsage
	}
	return certs.SatelliteUsage
}

// Text writes the summary for people. What came from the file is written
// without control characters, which could rewrite a terminal.
func (s Summary) Text(w io.Writer) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-18s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	line("Document", "sync %s, %d bytes", s.Kind, s.Size)
	line("Digest", "%s", s.Digest)
	line("Satellite", "%s", s.SatelliteID)
	line("Account", "%s (%s)", s.Account, s.AccountID)
	line("Settles with", "%s / %s", s.SmartAccount, s.VirtualAccount)
	line("Sequence", "%d", s.Sequence)
	if s.Scope != "" {
		line("Scope", "%s", s.Scope)
	}
	if s.FullRequested {
		line("Asks for", "a full request next: %s", s.Reason)
	}
	if s.Lineage != "" {
		line("The satellite is", "%s", s.Lineage)
	}
	line("Created", "%s", s.CreatedAt.UTC().Format(time.RFC3339))
	line("Signed by", "%s", s.Signature.Signer)
	if s.Signature.RootFingerprint != "" {
		line("Root", "%s", s.Signature.Root)
		line("Root fingerprint", "%s", s.Signature.RootFingerprint)
	}
	line("Signature", "%s", s.Signature.Note)
	for _, kind := range slices.Sorted(maps.Keys(s.Records)) {
		line("Records", "%d %s", s.Records[kind], kind)
	}
	if s.Kind == wire.SyncRequest {
		if len(s.PrivacyOmits) > 0 {
			line("Left out", "%s", strings.Join(s.PrivacyOmits, ", "))
		}
		for _, field := range s.Privacy.fields() {
			line(field.name, "%s", found(field.number))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func found(number int64) string {
	if number == 0 {
		return "none in the file"
	}
	return fmt.Sprintf("%d in the file", number)
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) || (r >= 0x2028 && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '?'
		}
		return r
	}, text)
}
