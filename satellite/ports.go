package satellite

import (
	"context"
	"crypto"
	"errors"
	"io"
	"math/big"
	"time"

	"ssm/satellite/wire"
)

// Issuer makes and uses the keys and certificates of the accounts. Private
// keys go in and out sealed.
type Issuer interface {
	// NewKey makes a sealed private key.
	NewKey() ([]byte, error)
	// AuthorityRequest is the DER certificate request of an account's sub CA key.
	AuthorityRequest(key []byte, accountID, organization string) ([]byte, error)
	// Key opens a sealed key, so that the account can sign its registration.
	Key(sealed []byte) (crypto.Signer, error)
	// CheckAuthority checks a sub CA from the upstream: it belongs to the sealed
	// key, and its chain leads to a root that is trusted.
	CheckAuthority(key []byte, chain [][]byte, roots []Root, now time.Time) (notBefore, notAfter time.Time, err error)
	// IssueSigner makes the satellite's signer below the account's sub CA.
	IssueSigner(a Authority, satelliteID string, now time.Time) (sealedKey, certificate []byte, notAfter time.Time, err error)
	// Signer is the satellite's signer of an account with its chain up to below the root.
	Signer(a Authority) (wire.Signer, error)
	// IssueDevice makes a device ID certificate. ErrCertificateRequest where the
	// request is not signed by its own key, or its key is of no kind that is accepted.
	IssueDevice(a Authority, request []byte, device DeviceCertificate, now time.Time) (Certificate, error)
	// CRL is the DER list of an account's revoked certificates.
	CRL(a Authority, revoked []Certificate, number int64, now time.Time) ([]byte, error)
	// CheckChain checks that a chain leads to a trusted root; where it leads to
	// another root, it returns that root.
	CheckChain(chain [][]byte, roots []Root, now time.Time) (untrusted *Root, err error)
	// ParseRoots reads the licensing roots of a PEM file.
	ParseRoots(pem []byte) ([]Root, error)
}

// ErrCertificateRequest is the error of an Issuer for a request that it does not accept.
var ErrCertificateRequest = errors.New("the certificate request is not accepted")

// DeviceCertificate is what goes into a device ID certificate.
type DeviceCertificate struct {
	PID, PIID, SoftwareTag string
	Serial                 *big.Int
	Life                   time.Duration
}

// TokenSigner makes and checks the text of registration and access tokens.
type TokenSigner interface {
	// NewKey makes a signing key, not sealed.
	NewKey() ([]byte, error)
	// Use replaces the keys: the first signs, all verify.
	Use(issuer string, keys []TokenKey) error
	Sign(claims TokenClaims) (string, error)
	// Verify returns ErrTokenForeign with the claims of a token that another
	// satellite issued, ErrTokenInvalid for everything that is no token of ours.
	// It does not judge the expiry.
	Verify(text string) (TokenClaims, error)
	SignAccess(claims AccessClaims) (string, error)
	// VerifyAccess is Verify for access tokens: neither passes for the other.
	VerifyAccess(text string) (AccessClaims, error)
}

// Passwords hashes passwords slowly.
type Passwords interface {
	Hash(password string) (string, error)
	Matches(password, hash string) (bool, error)
}

// Secrets seals what must not be readable in the database.
type Secrets interface {
	Seal(purpose string, plain []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Upstream carries documents over the network. It judges nothing of them: a
// response is applied like one that came as a file.
type Upstream interface {
	// Check says which of the settings cannot work. It does not connect.
	Check(UpstreamSettings) error
	// Exchange sends a request, puts the response into a file, and returns its
	// size. What breaks off is resumed within bounds of time and attempts. It
	// calls progress from this goroutine. The error is an *UpstreamError, that of
	// the context, or one of the machine.
	Exchange(ctx context.Context, settings UpstreamSettings, request UpstreamRequest, response ResponseFile, progress func(SyncProgress)) (int64, error)
}

// UpstreamRequest is a sync request on its way.
type UpstreamRequest struct {
	Digest string
	File   io.ReaderAt
	Size   int64
	Code   string // registration code of a registration
}

// ResponseFile is where an Upstream puts a response.
type ResponseFile interface {
	io.WriterAt
	Truncate(size int64) error
}

// UpstreamFailure is why an Upstream brought no response.
type UpstreamFailure string

// The failures of an Upstream.
const (
	UpstreamUnreachable UpstreamFailure = "unreachable" // there was no answer at all
	UpstreamUntrusted   UpstreamFailure = "untrusted"   // its TLS certificate is not trusted
	UpstreamRefused     UpstreamFailure = "refused"     // it said no, and why
	UpstreamGaveUp      UpstreamFailure = "gave-up"     // there were answers, but none to the end
)

// UpstreamError is the error of an Upstream.
type UpstreamError struct {
	Failure             UpstreamFailure
	Reason              string // of a refusal: what the upstream says
	Fingerprint, Issuer string // of the certificate that was shown and is not trusted
}

func (e *UpstreamError) Error() string { return string(e.Failure) + ": " + e.Reason }

// Observer is told what happened, for metrics. Its methods must not block.
type Observer interface {
	DeviceMessage(requestType string, code string, took time.Duration)
	SyncDone(direction string, ok bool)
}
