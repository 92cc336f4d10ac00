package ui

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

// Trusting the upstream's root takes two steps: the file is read and its
// fingerprint shown, and only who confirms that it is the right one trusts it.

type rootPage struct {
	Path  []kit.NavItem
	Roots []rootView
	PEM   string
}

type rootView struct {
	Name, Fingerprint string
	Facts             kit.Facts
}

// maxRoots bounds the certificates of an upload.
const maxRoots = 20

func checkRoots(r *request, upload uploaded) error {
	if !r.may(satellite.ActionManageTrust) {
		return r.forbidden(satellite.ActionManageTrust)
	}
	text, err := upload.read()
	var certificates []*x509.Certificate
	if err == nil {
		certificates, err = parseCertificates(text)
	}
	if _, ok := refusal(err); ok {
		return r.sync(err)
	}
	if err != nil {
		return err
	}
	page := rootPage{PEM: string(text), Path: []kit.NavItem{{Label: r.t("nav.synchronization"), URL: "/synchronization"}}}
	for _, c := range certificates {
		page.Roots = append(page.Roots, rootView{
			Name: c.Subject.CommonName, Fingerprint: fingerprint(c.Raw),
			Facts: kit.Facts{
				{Term: r.t("root.subject"), Value: c.Subject.String()}, {Term: r.t("root.from"), Value: r.words.date(c.NotBefore)},
				{Term: r.t("root.until"), Value: r.words.date(c.NotAfter)},
			},
		})
	}
	return r.show("root", r.t("root.title"), page)
}

// parseCertificates reads the certificates of a PEM text that are roots.
// KindInvalid where it holds none.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil && len(roots) < maxRoots; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err == nil && c.IsCA && c.CheckSignatureFrom(c) == nil {
			roots = append(roots, c)
		}
	}
	if len(roots) == 0 {
		return nil, &satellite.Error{
			Kind: satellite.KindInvalid, Code: "root-invalid", Message: "The file holds no root certificate. Nothing is trusted that was not before.",
			Hint: "Export it on the upstream with `ssm root --out FILE`.",
		}
	}
	return roots, nil
}

// fingerprint is the SHA-256 of a certificate as OpenSSL prints it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

func trustRoots(r *request) error {
	roots, err := r.Service.TrustRoots(r.context(), r.actor, []byte(r.FormValue("pem")))
	if _, ok := refusal(err); ok {
		return r.sync(err)
	}
	if err != nil {
		return err
	}
	return r.done("/synchronization", r.t("root.trusted", "Count", len(roots), "Name", roots[0].Name))
}

// ending is a certificate that ends one day.
type ending struct {
	name, note string
	at         time.Time
}

// certificateEndings are those that this satellite works with.
func (r *request) certificateEndings() ([]ending, error) {
	var list []ending
	if r.ServerNotAfter != nil {
		list = append(list, ending{r.t("ending.server"), r.t("ending.server.note"), r.ServerNotAfter()})
	}
	if r.account.Registered() {
		chain, err := r.Service.CertificateChain(r.context(), r.actor, r.account.ID)
		if err != nil {
			return nil, err
		}
		if c, err := x509.ParseCertificate(chain[0]); err == nil {
			list = append(list, ending{r.t("ending.subca"), r.t("ending.subca.note"), c.NotAfter})
		}
	}
	for rest := r.Bundle(); len(rest) > 0 && len(list) < 10; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, ending{c.Subject.CommonName, r.t("ending.trusted.note"), c.NotAfter})
		}
	}
	return list, nil
}
