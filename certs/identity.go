package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

var (
	// ErrRequest says that a certificate request (CSR) is not accepted.
	ErrRequest = errors.New("certificate request not accepted")
	// ErrKey says that a key is not of a type or size that is accepted.
	ErrKey = errors.New("key not accepted")
)

const (
	requestLimit = 16 << 10 // bytes of a CSR; one with an RSA-4096 key has about 1,700
	tagLimit     = 1024     // bytes of a software tag
	serialBits   = 159      // RFC 5280: at most 20 bytes, positive
)

// Device is what an ID certificate says about a device.
type Device struct {
	PID         string        // product id; becomes the CN, cut to 64 characters
	PIID        string        // product instance id; becomes the serialNumber of the subject, 1..64 characters
	SoftwareTag string        // becomes a SAN URI, at most 1,024 bytes; none where empty
	Serial      *big.Int      // serial number of the certificate; drawn where nil
	Life        time.Duration // 0 = DeviceLife
}

// NewDeviceRequest is the certificate request (DER) that a device sends. The
// satellite takes only the key from it: what the certificate says is what the
// satellite knows.
func NewDeviceRequest(key crypto.Signer, pid string) ([]byte, error) {
	return newRequest(key, pkix.Name{CommonName: clean(pid)})
}

func newRequest(key crypto.Signer, subject pkix.Name) ([]byte, error) {
	if err := CheckPublicKey(key.Public()); err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		return nil, fmt.Errorf("certificate request could not be made: %w", err)
	}
	return csr, nil
}

// ParseRequest reads a certificate request (DER, at most 16 KiB) and checks
// that its sender holds the key. ErrRequest where it is none or its signature
// does not hold, ErrKey where CheckPublicKey refuses the key.
func ParseRequest(csr []byte) (*x509.CertificateRequest, error) {
	if len(csr) > requestLimit {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrRequest, len(csr), requestLimit)
	}
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		if key := requestKey(csr); key != nil {
			if _, err := x509.ParsePKIXPublicKey(key); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrKey, err)
			}
		}
		return nil, fmt.Errorf("%w: it cannot be read: %w", ErrRequest, err)
	}
	// The key before the signature: a huge key would make the check slow.
	if err := CheckPublicKey(request.PublicKey); err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: its signature does not hold: %w", ErrRequest, err)
	}
	return request, nil
}

// requestKey finds the public key (SubjectPublicKeyInfo, DER) of a request that
// the library cannot read as a whole, as with a curve that it does not know;
// nil where it is no request either way. Layout: RFC 2986, section 4.
func requestKey(csr []byte) []byte {
	var request struct {
		Info struct {
			Version            int
			Subject, PublicKey asn1.RawValue
			Attributes         asn1.RawValue `asn1:"optional"`
		}
		Algorithm, Signature asn1.RawValue
	}
	if rest, err := asn1.Unmarshal(csr, &request); err != nil || len(rest) > 0 {
		return nil
	}
	return request.Info.PublicKey.FullBytes
}

// CheckPublicKey accepts ECDSA on P-256 and P-384, and RSA of 2048 to 4096
// bits; ErrKey for everything else.
func CheckPublicKey(pub crypto.PublicKey) error {
	const accepted = "accepted are ECDSA on P-256 or P-384, and RSA of 2048 to 4096 bits"
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return nil
		}
		return fmt.Errorf("%w: it is on the curve %s; %s", ErrKey, key.Curve.Params().Name, accepted)
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits < 2048 || bits > 4096 {
			return fmt.Errorf("%w: it is an RSA key of %d bits; %s", ErrKey, bits, accepted)
		}
		if key.E < 3 || key.E%2 == 0 {
			return fmt.Errorf("%w: it is an RSA key with the exponent %d, which is not safe", ErrKey, key.E)
		}
		return nil
	case nil:
		return fmt.Errorf("%w: its type is unknown; %s", ErrKey, accepted)
	default:
		return fmt.Errorf("%w: it is a %T; %s", ErrKey, pub, accepted)
	}
}

// IssueDevice makes the ID certificate of a device: CN is the product id,
// serialNumber the product instance id, a SAN URI the software tag. It never
// outlives the issuer. ErrRequest and ErrKey as ParseRequest; ErrRequest also
// where the device cannot be named in a certificate.
func (a *Authority) IssueDevice(csr []byte, d Device, now time.Time) (*x509.Certificate, error) {
	request, err := ParseRequest(csr)
	if err != nil {
		return nil, err
	}
	template, err := deviceTemplate(d)
	if err != nil {
		return nil, err
	}
	life := d.Life
	if life == 0 {
		life = DeviceLife
	}
	return a.sign(template, request.PublicKey, life, now)
}

func deviceTemplate(d Device) (*x509.Certificate, error) {
	refuse := func(reason string) (*x509.Certificate, error) {
		return nil, fmt.Errorf("%w: %s; nothing was issued", ErrRequest, reason)
	}
	template := leafTemplate(LicensingUsage, DeviceUsage)
	template.Subject = pkix.Name{CommonName: clean(d.PID), SerialNumber: d.PIID}
	template.SerialNumber = d.Serial
	switch {
	case template.Subject.CommonName == "":
		return refuse("the device has no product id")
	case d.PIID == "" || clean(d.PIID) != d.PIID: // never cut: it identifies
		return refuse(fmt.Sprintf("the product instance id has to be 1 to %d printable characters", textLimit))
	case len(d.SoftwareTag) > tagLimit:
		return refuse(fmt.Sprintf("the software tag is longer than %d bytes", tagLimit))
	case d.Life < 0:
		return refuse("the certificate would end before it begins")
	case d.Serial != nil && (d.Serial.Sign() <= 0 || d.Serial.BitLen() > serialBits):
		return refuse(fmt.Sprintf("the serial number has to be positive and at most %d bits", serialBits))
	}
	if d.SoftwareTag != "" {
		template.URIs = []*url.URL{tagURI(d.SoftwareTag)}
	}
	return template, nil
}

// tagURI writes a software tag as a "swid" URI (RFC 9393): everything that a
// URI cannot hold is percent-encoded, so that any tag gives one that parses,
// and url.PathUnescape of the part after "swid:" gives the tag back.
func tagURI(tag string) *url.URL {
	return &url.URL{Scheme: "swid", Opaque: url.PathEscape(tag)}
}
