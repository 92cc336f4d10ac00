package offline

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
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
	Size           int64                     `json:"size"`           // bytes of the file
	File           string                    `json:"file,omitempty"` // its name, where the reader knows that
	SHA256         string                    `json:"sha256"`         // of the file, hexadecimal
	Digest         string                    `json:"digest"`         // names the document; hexadecimal SHA-256 of its manifest
	Records        map[wire.RecordKind]int64 `json:"records"`
	// Fields are the names of the fields that occur in the records of each kind,
	// and FieldsCut says that there are more than are told.
	Fields    map[wire.RecordKind][]string `json:"fields"`
	FieldsCut bool                         `json:"fields_cut,omitempty"`
	// Says is what the manifest says beside that, in order.
	Says      []Statement `json:"says"`
	Signature Signature   `json:"signature"`
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

// Statement is one thing that a manifest says.
type Statement struct {
	Name string `json:"name"` // of the field, as in the documentation of the format
	Text string `json:"text"`
}

// statements are what the manifest says that stands nowhere else in a summary.
func statements(m wire.Manifest) []Statement {
	list := []Statement{}
	say := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			list = append(list, Statement{name, clipped(text)})
		}
	}
	if r := m.Request; r != nil {
		say("base_sequence", "%d", r.BaseSequence)
		say("requested_by", "%s", r.RequestedBy)
		say("agreement_accepted", "%s", r.AgreementAccepted)
		if r.LimitedAccount {
			say("limited_account", "true")
		}
		if len(r.CertificateRequest) > 0 {
			text := fmt.Sprintf("%d bytes", len(r.CertificateRequest))
			if request, err := certs.ParseRequest(r.CertificateRequest); err == nil {
				text = request.Subject.String()
			}
			say("certificate_request", "%s", text)
		}
		if u := r.Upgrade; u != nil {
			say("upgrade", "%s, %s, %s (%s, %s)", u.Name, u.DomainIdentifier, u.Email, u.RequestedBy, u.RequestedAt.UTC().Format(time.RFC3339))
		}
		say("event_heads", "%d", len(r.EventHeads))
		return list
	}
	r := m.Response
	say("request_digest", "%s", r.RequestDigest)
	say("next_sequence", "%d", r.NextSequence)
	say("deadline", "%s", r.Deadline.UTC().Format(time.RFC3339))
	say("account_type", "%s", r.AccountType)
	say("domain_identifier", "%s", r.DomainIdentifier)
	say("agreement_version", "%s", r.AgreementVersion)
	if len(r.AgreementText) > 0 {
		say("agreement_text", "%d bytes", len(r.AgreementText))
	}
	if u := r.Upgrade; u != nil {
		say("upgrade", "%s, %s %s", u.Status, u.DomainIdentifier, u.Reason)
	}
	say("certificates", "%d", len(r.Certificates))
	return list
}

// sum is the SHA-256 of the whole file.
func sum(file io.ReaderAt, size int64) (string, error) {
	hash := sha256.New()
	_, err := io.Copy(hash, io.NewSectionReader(file, 0, size))
	return hex.EncodeToString(hash.Sum(nil)), err
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
	found := search{fields: map[wire.RecordKind]map[string]bool{}}
	if err := found.manifest(m); err != nil {
		return Summary{}, err
	}
	if err := container.Records(found.record); err != nil {
		return Summary{}, err
	}
	s.Privacy, s.Fields, s.FieldsCut, s.Says = found.privacy, found.names(), found.cut, statements(m)
	s.SHA256, err = sum(file, size)
	return s, err
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
	if s.File != "" {
		line("File", "%s", s.File)
	}
	line("SHA-256", "%s", s.SHA256)
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
		line("Records", "%d %s: %s", s.Records[kind], kind, strings.Join(s.Fields[kind], ", "))
	}
	if s.FieldsCut {
		line("", "%s", "and further fields that are not told, because there are so many")
	}
	for _, said := range s.Says {
		line("Says", "%s: %s", said.Name, said.Text)
	}
	if s.Kind == wire.SyncRequest {
		if len(s.PrivacyOmits) > 0 {
			line("Left out", "%s", strings.Join(s.PrivacyOmits, ", "))
		}
		for _, field := range s.Privacy.fields() {
			line(field.name, "%s", found(field.number))
		}
		line("Pseudonyms", "%s", found(s.Privacy.Pseudonyms))
		for _, contradiction := range s.Contradictions() {
			line("WARNING", "the sender says that it left out %s", contradiction)
		}
		line("Searched", "the manifest and all records; what people called their virtual accounts, and what is encoded, cannot be judged")
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
