package wire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// update writes the golden files anew: go test ./satellite/wire -update.
var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixedKey is the same key in every run, so that stored messages stay readable.
func fixedKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	scalar := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func csr(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "R1000"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certificate(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "R1000"}, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// golden compares with a file of testdata, byte for byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n got %s\nwant %s", name, got, want)
	}
}

// stored is a file of testdata that carries a signature, which no two runs make
// alike: it is made once and read for ever.
func stored(t *testing.T, name string, make func() []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, make(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func header(kind RequestType) Header {
	h := Header{
		Version: MessageVersion, Locale: "en_US.UTF-8", Timestamp: Milliseconds(noon), Nonce: "-1234567890123456789", RequestType: kind,
		SUDI: SUDI{
			SUVI: "suvi", UUID: "564d1a5c-0000-4000-8000-000000000001", HostIdentifier: "host", MACAddress: "00:00:5e:00:53:01",
			UDIPID: "R1000", UDISerialNumber: "FOC0001", UDIVID: "V01",
		},
		AgentActions: []string{"renew"}, ConnectInfo: ConnectInfo{Name: "agent", Version: "1.0", Production: true},
	}
	if kind == authorizationOfAPair {
		h.RequestType, h.LastReply, h.ClockOffset = Authorization, strings.Repeat("0a", sha256.Size), -1500
	}
	if kind != Registration {
		h.ProductInstanceIdentifier, h.IDCertSerialNumber, h.SigningCertSerialNumber = "0f8fad5b-d9cb-469f-a165-70867728950e", "7", "8"
	}
	return h
}

func requestData(kind RequestType, csr string) (d RequestData) {
	switch kind {
	case Registration:
		d = RequestData{
			Token: "token", CertificateRequest: csr, SoftwareTag: "regid.2026-01.example.OS,1.0_x", Hostname: "core-1 <&> 日本",
			EquipmentModel: "Router", SoftwareVersion: "17.9", HardwareVersion: "1", Force: true,
		}
	case Renewal:
		d = RequestData{CertificateRequest: csr}
	case Authorization, authorizationOfAPair:
		d = RequestData{Hostname: "core-1", Entitlements: []Entitlement{{Tag: "base", Count: 3}, {Tag: "extra", Count: 0}}}
		if kind == authorizationOfAPair {
			d.HighAvailability = &HighAvailability{ApplicationID: "core pair", Role: RoleStandby}
		}
	}
	return d
}

func replyTo(kind RequestType) (ReplyHeader, ReplyData) {
	h := header(kind)
	r := ReplyHeader{Timestamp: Milliseconds(noon), Nonce: h.Nonce, RequestType: h.RequestType, SUDI: h.SUDI, ProductInstanceIdentifier: h.ProductInstanceIdentifier}
	d := ReplyData{Status: StatusOK, Message: "Done.", ProductInstanceIdentifier: "0f8fad5b-d9cb-469f-a165-70867728950e"}
	switch kind {
	case Registration, Renewal:
		d.SmartAccount, d.VirtualAccount, d.Certificate = "Plant", "Default", base64.StdEncoding.EncodeToString([]byte("DER"))
		d.CertificateRenewAt, d.CertificateExpiresAt = Milliseconds(noon.AddDate(0, 6, 0)), Milliseconds(noon.AddDate(1, 0, 0))
	case Authorization, authorizationOfAPair:
		d.AuthorizationState = "out of compliance"
		d.Licenses = []LicenseAnswer{{Tag: "base", Name: "Base", Description: "All", Count: 3, Mode: ModeOutOfCompliance}, {Tag: "x", Count: 1, Mode: ModeInvalidTag}}
		d.AuthorizationRenewAt, d.AuthorizationExpiresAt = Milliseconds(noon.AddDate(0, 0, 30)), Milliseconds(noon.AddDate(0, 0, 90))
		if kind == authorizationOfAPair {
			d.Licenses = []LicenseAnswer{{Tag: "crypto", Name: "Crypto", Count: 1, Mode: ModeDisabled, Requested: 3, Reason: "One is available."}}
		}
	case Deregistration:
		d = ReplyData{
			Status: StatusFailed, Code: "clock-skew", Message: "The clock is wrong. Nothing was changed.", Versions: MessageVersions, SatelliteTime: 1, DeviceTime: 2,
		}
	}
	return r, d
}

var requestTypes = []RequestType{Registration, Authorization, Renewal, Deregistration}

// authorizationOfAPair is an authorization with all that was added later.
const authorizationOfAPair RequestType = "AUTHORIZATION_PAIR"

// rawSignature is r and s side by side, as a JWS carries them.
func rawSignature(t testing.TB, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}
