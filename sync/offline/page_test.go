package offline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

func TestAPageSaysWhatAnOfficerSigns(t *testing.T) {
	t.Parallel()
	signer, fingerprint := satelliteSigner(t)
	m := manifest()
	m.Account.Name = `<script>alert("x")</script>`
	m.Request.PrivacyOmits = []string{"hostname", "version"}
	m.Request.AgreementAccepted = "2026-01"
	m.Request.Upgrade = &wire.UpgradeRequest{Name: "Plant", DomainIdentifier: "plant.example", Email: "a@plant.example", RequestedBy: "Anna", RequestedAt: now}
	var err error
	if m.Request.CertificateRequest, err = certs.NewSubCARequest(newKey(t), "account-1", "Plant"); err != nil {
		t.Fatal(err)
	}
	pseudonym := wire.Pseudonym([]byte("k"), wire.PrivateHostName, "h")
	file, size := write(t, signer, m, map[wire.RecordKind][]any{
		wire.RecordDevice: {
			wire.DeviceRecord{PIID: "1", UDIPID: "R1", UDISerialNumber: pseudonym, MACAddress: "0000.5e00.5302"},
			wire.DeviceRecord{PIID: "2", UDIPID: "R1", UDISerialNumber: "2", UDIVID: "V01"},
		},
	})
	s, err := Inspect(file, size)
	if err != nil {
		t.Fatal(err)
	}
	s.File = "plant-7.ssmreq"
	whole, err := io.ReadAll(io.NewSectionReader(file, 0, size))
	if sum := sha256.Sum256(whole); err != nil || s.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the SHA-256 of the file is said to be %s (%v)", s.SHA256, err)
	}
	pages := map[string]string{}
	for _, language := range Languages {
		var page bytes.Buffer
		if err := s.Page(&page, language); err != nil {
			t.Fatal(err)
		}
		pages[language] = page.String()
		for _, want := range []string{`lang="` + language + `"`, s.SHA256, s.File, fmt.Sprint(size), "k3v9q2wd", fingerprint, "udi_serial_number", "plant.example", "2026-01", "account-1", "@media print"} {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s: the page lacks %q", language, want)
			}
		}
		for _, bad := range []string{"<script", "http://", "https://", "<no value>", "%!"} {
			if strings.Contains(page.String(), bad) {
				t.Errorf("%s: the page holds %q", language, bad)
			}
		}
	}
	for _, want := range []string{"Left out, as the sender says. None found.", "1 in the file", "None found.", "it is in the file: version (1)", "The whole file was searched", "Released by"} {
		if !strings.Contains(pages["en"], want) {
			t.Errorf("the page lacks %q:\n%s", want, pages["en"])
		}
	}
	if s.Privacy.Pseudonyms != 1 {
		t.Errorf("%d pseudonyms were found", s.Privacy.Pseudonyms)
	}
	if err := s.Page(io.Discard, "xx"); err == nil {
		t.Error("a page was written in a language that there is not")
	}
	for word := range pageWords["en"] {
		if pageWords["ja"][word] == "" || len(pageWords["en"]) != len(pageWords["ja"]) {
			t.Errorf("the Japanese page lacks %q", word)
		}
	}
}

func TestInspectFindsWhatAHostileFileHides(t *testing.T) {
	t.Parallel()
	signer, _ := satelliteSigner(t)
	many := map[string]any{}
	for i := range 3 * maxFields {
		many[fmt.Sprintf("%d-%s", i, strings.Repeat("ü", 400))] = i
	}
	file, size := write(t, signer, manifest(), map[wire.RecordKind][]any{
		"dance":  {many, map[string]any{"10.9.8.7": true, "note": `{"inner":"{\"hostname\":\"h\"}"}`}},
		"twofer": {raw(`{"hostname":"first","hostname":""}`)},
	})
	s, err := Inspect(file, size)
	if err != nil {
		t.Fatal(err)
	}
	if s.Privacy != (Privacy{HostNames: 2, IPAddresses: 1}) {
		t.Errorf("found %+v", s.Privacy)
	}
	if !s.FieldsCut || len(s.Fields["dance"]) > maxFields {
		t.Errorf("%d fields are told, cut: %v", len(s.Fields["dance"]), s.FieldsCut)
	}
	for _, name := range s.Fields["dance"] {
		if len([]rune(name)) > maxFieldRunes+1 {
			t.Fatalf("a name of %d characters is told", len([]rune(name)))
		}
	}
	m := manifest()
	m.Account.VirtualAccount, m.CreatedAt = "192.0.2.9", now.Add(time.Hour)
	file, size = write(t, signer, m, nil)
	if s, err = Inspect(file, size); err != nil || s.Privacy.IPAddresses != 1 {
		t.Errorf("in the manifest: %+v (%v)", s.Privacy, err)
	}
}

// raw is JSON as it stands.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }
