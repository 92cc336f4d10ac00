package wire_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ssm/satellite/wire"
)

// protocolFolder is where the published description of the formats lives.
const protocolFolder = "../../docs/protocol"

// The flag may be there already, for other files of this package that can be made anew.
func init() {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the files that tests compare with anew")
	}
}

func vectorPath(name string) string { return filepath.Join(protocolFolder, "vectors", name) }

// vector reads a published file.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(vectorPath(name))
	if err != nil {
		t.Fatalf("%v; `go test ./satellite/wire -run Vector -update` makes it", err)
	}
	return content
}

// The published vectors hold what this package writes from the same input: a
// change of the wire shows here, and is meant or is a mistake. Of the containers
// the meaning is compared, since another zstd may pack otherwise. It is not
// parallel: with -update it writes what the tests after it read.
func TestVectorsAreWhatThisPackageWrites(t *testing.T) {
	fresh := makeVectors(t)
	if flag.Lookup("update").Value.String() == "true" {
		for name, content := range fresh {
			if err := os.WriteFile(vectorPath(name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	published, err := filepath.Glob(vectorPath("*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(published) != len(fresh) {
		t.Errorf("%d files are published, %d are made: %v", len(published), len(fresh), published)
	}
	for name, content := range fresh {
		got, want := vector(t, name), content
		if strings.HasPrefix(filepath.Ext(name), ".ssm") {
			got, want = meaning(t, got), meaning(t, want)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is written today.\npublished: %s\ntoday:     %s", name, got, want)
		}
	}
}

// meaning is what a container says, without what depends on the compressor.
func meaning(t *testing.T, file []byte) []byte {
	t.Helper()
	container, lines := openVector(t, file)
	m := container.Manifest
	m.Records.Packed, m.Records.SHA256 = 0, ""
	if m.Response != nil {
		m.Response.RequestDigest = ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(string(text) + "\n" + strings.Join(lines, "\n"))
}

// openVector opens a container whose signer has to be the upstream under the
// published root, or the account's own key in a registration, and returns its lines.
func openVector(t *testing.T, file []byte) (*wire.Container, []string) {
	t.Helper()
	container, err := wire.OpenContainer(bytes.NewReader(file), int64(len(file)), func(m wire.Manifest, chain [][]byte) error {
		if m.Kind == wire.SyncRequest {
			return nil
		}
		return vectorTrust(t, parseAll(t, chain), usageUpstream)
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = container.Records(func(record wire.Record) error {
		line, err := record.Bytes()
		lines = append(lines, string(line))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return container, lines
}

func parseAll(t *testing.T, chain [][]byte) []*x509.Certificate {
	t.Helper()
	certificates := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		var err error
		if certificates[i], err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	return certificates
}

// vectorTrust judges a chain as a reader does: it leads to the published root,
// and every certificate on the way carries the usage.
func vectorTrust(t *testing.T, chain []*x509.Certificate, usage asn1.ObjectIdentifier) error {
	t.Helper()
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: vectorTime,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	root := vectorCertificates(t)["licensing root"]
	options.Roots.AddCert(root)
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return err
	}
	for _, c := range append(chain, root) {
		for _, want := range []asn1.ObjectIdentifier{usageLicensing, usage} {
			if !slices.ContainsFunc(c.UnknownExtKeyUsage, want.Equal) {
				return errors.New(c.Subject.CommonName + " lacks the usage " + want.String())
			}
		}
	}
	return nil
}

// vectorCertificates reads certificates.pem: each block is preceded by its name.
func vectorCertificates(t *testing.T) map[string]*x509.Certificate {
	t.Helper()
	certificates := map[string]*x509.Certificate{}
	for rest := vector(t, "certificates.pem"); ; {
		name, _, _ := bytes.Cut(rest, []byte("\n"))
		block, next := pem.Decode(rest)
		if block == nil {
			return certificates
		}
		certificates[string(name)], rest = parseAll(t, [][]byte{block.Bytes})[0], next
	}
}

func TestVectorRequestsAreReadAndTheirSignaturesHold(t *testing.T) {
	t.Parallel()
	device := vectorCertificates(t)["device"]
	registration, err := wire.ReadRequest(vector(t, "registration-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if registration.KeyHash != sha256.Sum256(device.RawSubjectPublicKeyInfo) || registration.Header.RequestType != wire.Registration {
		t.Error("the registration is not of the key that the device's certificate is for")
	}
	authorization, err := wire.ReadRequest(vector(t, "authorization-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if authorization.Credential != sha256.Sum256(device.Raw) || !device.PublicKey.(*ecdsa.PublicKey).Equal(authorization.PublicKey) {
		t.Error("the authorization was not sent under the device's certificate")
	}
	answered, err := wire.ReadReply(vector(t, "registration-reply.json"))
	if err != nil || authorization.Header.LastReply != answered.Digest {
		t.Errorf("the authorization names the last reply %s, the registration's reply is %+v (%v)", authorization.Header.LastReply, answered, err)
	}
	want := []wire.Entitlement{{Tag: vectorTag, Count: 3}, {Tag: vectorReleasedTag, Count: 0}}
	if !slices.Equal(authorization.Data.Entitlements, want) {
		t.Errorf("entitlements %v", authorization.Data.Entitlements)
	}
	for _, name := range []string{"registration-request.json", "authorization-request.json"} {
		altered := bytes.Replace(vector(t, name), []byte("en_US"), []byte("en_GB"), 1)
		if _, err := wire.ReadRequest(altered); !errors.Is(err, wire.ErrSignature) {
			t.Errorf("%s with another locale: %v", name, err)
		}
	}
}

func TestVectorRepliesLeadToThePublishedRoot(t *testing.T) {
	t.Parallel()
	for name, nonce := range map[string]string{
		"registration-reply.json": registrationNonce, "authorization-reply.json": authorizationNonce, "clock-refusal.json": authorizationNonce,
	} {
		reply, err := wire.ReadReply(vector(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reply.Signed || reply.Header.Nonce != nonce {
			t.Errorf("%s: signed %v, nonce %s", name, reply.Signed, reply.Header.Nonce)
		}
		if err := vectorTrust(t, reply.Chain, usageSatellite); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := vectorTrust(t, reply.Chain, usageUpstream); err == nil {
			t.Errorf("%s: the satellite passes for the upstream", name)
		}
		altered := bytes.Replace(vector(t, name), []byte(nonce), []byte("1"), 1)
		if _, err := wire.ReadReply(altered); err == nil {
			t.Errorf("%s is read with another nonce", name)
		}
	}
	unsigned, err := wire.ReadReply(vector(t, "unsigned-refusal.json"))
	if err != nil || unsigned.Signed || unsigned.Data.Code != "account-not-registered" {
		t.Errorf("unsigned refusal: %+v, %v", unsigned, err)
	}
}

func TestVectorContainersAreOpenedAndBelongTogether(t *testing.T) {
	t.Parallel()
	request, sent := openVector(t, vector(t, "registration.ssmreq"))
	response, _ := openVector(t, vector(t, "registration.ssmres"))
	if got := response.Manifest.Response.RequestDigest; got != request.Digest {
		t.Errorf("the response answers %s, the request is %s", got, request.Digest)
	}
	if len(request.Signer) != 0 || len(response.Signer) != 3 {
		t.Errorf("chains of %d and %d certificates, want 0 and 3", len(request.Signer), len(response.Signer))
	}
	parsed, err := x509.ParseCertificateRequest(request.Manifest.Request.CertificateRequest)
	if err != nil || !vectorCertificates(t)["account sub CA"].PublicKey.(*ecdsa.PublicKey).Equal(parsed.PublicKey) {
		t.Errorf("the certificate request is not for the account's key: %v", err)
	}
	sums := map[wire.RecordKind]*big.Int{}
	for _, line := range sent {
		var record wire.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(line))
		if sums[record.Kind] == nil {
			sums[record.Kind] = new(big.Int)
		}
		sums[record.Kind].Add(sums[record.Kind], new(big.Int).SetBytes(sum[:]))
	}
	for _, kind := range wire.StateKinds {
		if got, want := request.Manifest.StateDigest[kind].String(), digestText(sums[kind]); got != want {
			t.Errorf("digest of %s: the manifest says %s, the lines add up to %s", kind, got, want)
		}
		if response.Manifest.StateDigest[kind] != request.Manifest.StateDigest[kind] {
			t.Errorf("the upstream does not hold the %s records that the request leads to", kind)
		}
	}
}

// digestText writes a sum as a digest is written: modulo 2^256, 64 digits.
func digestText(sum *big.Int) string {
	wrapped := new(big.Int).Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256))
	return hex.EncodeToString(wrapped.FillBytes(make([]byte, 32)))
}

// The examples are checked with whole numbers of any size, so that the words of
// 64 bits in this package are not compared with themselves.
func TestVectorDigestsAreSumsModulo2To256(t *testing.T) {
	t.Parallel()
	var examples []digestExample
	if err := json.Unmarshal(vector(t, "digests.json"), &examples); err != nil {
		t.Fatal(err)
	}
	wrapped := false
	for _, example := range examples {
		sum, digest := new(big.Int), wire.Digest{}
		for _, r := range example.Records {
			hash := sha256.Sum256([]byte(r.Line))
			if hex.EncodeToString(hash[:]) != r.SHA256 {
				t.Errorf("%s: %s has the SHA-256 %x", example.Name, r.Line, hash)
			}
			var record wire.Record
			if err := json.Unmarshal([]byte(r.Line), &record); err != nil {
				t.Fatal(err)
			}
			if line, err := record.Bytes(); err != nil || string(line) != r.Line {
				t.Errorf("%s: %s is not in canonical form, which is %s (%v)", example.Name, r.Line, line, err)
			}
			sum.Add(sum, new(big.Int).SetBytes(hash[:]))
			digest = digest.Add(hash)
		}
		wrapped = wrapped || sum.BitLen() > 256
		if got := digestText(sum); got != example.Digest || digest.String() != got {
			t.Errorf("%s: published %s, by whole numbers %s, by this package %s", example.Name, example.Digest, got, digest)
		}
	}
	if !wrapped {
		t.Error("no example goes over 2^256")
	}
}
