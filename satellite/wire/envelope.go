package wire

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Bounds of a device message, in bytes, and of the nesting of its JSON.
const (
	MaxMessage       = 256 << 10
	maxDepth         = 16
	maxEntitlements  = 1000
	maxField         = 1024 // of any text that is kept
	maxApplicationID = 64   // characters
)

// requestEnvelope is the outer layer of a request. The signature covers the
// exact bytes of Request.
type requestEnvelope struct {
	Signature  Signature `json:"signature"`
	Credential string    `json:"credential"`
	Request    string    `json:"request"`
}

// requestBody is the middle layer of a request.
type requestBody struct {
	Header      Header `json:"header"`
	Nonce       string `json:"nonce"`
	RequestData string `json:"request_data"`
}

type replyEnvelope struct {
	Signature  Signature `json:"signature"`
	Credential string    `json:"credential"`
	Response   string    `json:"response"`
}

type replyBody struct {
	Header       ReplyHeader `json:"header"`
	Nonce        string      `json:"nonce"`
	ResponseData string      `json:"response_data"`
}

// Request is a device message whose form and signature have been checked: the
// holder of PublicKey wrote it. Whether that key may speak for the product
// instance is for the reader to judge, by his own record.
type Request struct {
	Header    Header
	Data      RequestData
	PublicKey crypto.PublicKey
	// KeyHash is the SHA-256 of the public key (DER SubjectPublicKeyInfo) that a
	// registration or renewal asks a certificate for; zero where its request cannot be read.
	KeyHash [sha256.Size]byte
	// CertificateRequest is the decoded PKCS #10 of a registration or renewal.
	CertificateRequest []byte
	// Credential is the SHA-256 of the DER ID certificate that the message was
	// sent under; zero for a registration, which the key of its CSR signs.
	Credential [sha256.Size]byte
	// CredentialNotAfter is the end of that certificate.
	CredentialNotAfter time.Time
}

// WriteRequest signs a request. A registration goes out without certificate.
func WriteRequest(key crypto.Signer, certificate []byte, header Header, data RequestData) ([]byte, error) {
	data.SUDI, data.Timestamp, data.Nonce = header.SUDI, header.Timestamp, header.Nonce
	inner, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(requestBody{Header: header, Nonce: header.Nonce, RequestData: string(inner)})
	if err != nil {
		return nil, err
	}
	signature, err := Sign(key, string(body))
	if err != nil {
		return nil, err
	}
	envelope := requestEnvelope{Signature: signature, Request: string(body)}
	if certificate != nil {
		envelope.Credential = encodeChain([][]byte{certificate})
	}
	return json.Marshal(envelope)
}

// ReadRequest takes a message apart and checks its signature: under the
// certificate in it, or, for a registration, under the key of its CSR.
//
// It returns ErrTooLarge, ErrMalformed, ErrVersion or ErrSignature. With
// ErrVersion and ErrSignature the request is returned as well, so that the
// answer can echo its nonce.
func ReadRequest(message []byte) (*Request, error) {
	var envelope requestEnvelope
	if err := decode(message, &envelope, "message"); err != nil {
		return nil, err
	}
	var body requestBody
	if err := decode([]byte(envelope.Request), &body, "request"); err != nil {
		return nil, err
	}
	request := &Request{Header: body.Header}
	if body.Header.Version != MessageVersion {
		return request, fmt.Errorf("%w %q", ErrVersion, clip(body.Header.Version))
	}
	if err := decode([]byte(body.RequestData), &request.Data, "request_data"); err != nil {
		return nil, err
	}
	if err := request.check(body.Nonce); err != nil {
		return nil, err
	}
	if err := request.readKey(envelope.Credential); err != nil {
		return nil, err
	}
	if err := envelope.Signature.Verify(request.PublicKey, envelope.Request); err != nil {
		return request, err
	}
	return request, nil
}

// check compares what the layers repeat and bounds what will be kept.
func (r *Request) check(nonce string) error {
	h, d := r.Header, r.Data
	if h.Nonce != nonce || d.Nonce != nonce || d.SUDI != h.SUDI || d.Timestamp != h.Timestamp {
		return fmt.Errorf("%w: header, request and request_data differ in nonce, sudi or timestamp", ErrMalformed)
	}
	if n, err := strconv.ParseInt(nonce, 10, 64); err != nil || strconv.FormatInt(n, 10) != nonce {
		return fmt.Errorf("%w: the nonce is not a decimal 64-bit integer", ErrMalformed)
	}
	if h.SUDI.UDIPID == "" || h.SUDI.UDISerialNumber == "" {
		return fmt.Errorf("%w: sudi has no udi_pid or udi_serial_number", ErrMalformed)
	}
	for _, field := range []string{
		h.SUDI.UDIPID, h.SUDI.UDISerialNumber, h.SUDI.UDIVID, h.SUDI.SUVI, h.SUDI.UUID, h.SUDI.HostIdentifier, h.SUDI.MACAddress,
		h.ProductInstanceIdentifier, h.LastReply, d.SoftwareTag, d.Hostname, d.EquipmentModel, d.SoftwareVersion, d.HardwareVersion,
	} {
		if len(field) > maxField {
			return fmt.Errorf("%w: a field of more than %d bytes", ErrTooLarge, maxField)
		}
	}
	if pair := d.HighAvailability; pair != nil {
		length := utf8.RuneCountInString(pair.ApplicationID)
		if length == 0 || length > maxApplicationID || pair.Role != RoleActive && pair.Role != RoleStandby {
			return fmt.Errorf("%w: high_availability needs an application_id of 1 to %d characters, and the role %s or %s",
				ErrMalformed, maxApplicationID, RoleActive, RoleStandby)
		}
	}
	if len(d.Entitlements) > maxEntitlements {
		return fmt.Errorf("%w: more than %d entitlements in one message", ErrTooLarge, maxEntitlements)
	}
	seen := make(map[string]bool, len(d.Entitlements))
	for _, e := range d.Entitlements {
		if e.Tag == "" || len(e.Tag) > maxField || e.Count < 0 || e.Count > 1<<31 || seen[e.Tag] {
			return fmt.Errorf("%w: entitlement %q: a tag must be named once, with a count of 0 to 2^31", ErrMalformed, clip(e.Tag))
		}
		seen[e.Tag] = true
	}
	return nil
}

// readKey finds the key that the signature must verify under.
func (r *Request) readKey(credential string) error {
	if r.Data.CertificateRequest != "" {
		der, err := base64.StdEncoding.Strict().DecodeString(r.Data.CertificateRequest)
		if err != nil {
			return fmt.Errorf("%w: certificate_request is not base64", ErrMalformed)
		}
		r.CertificateRequest = der
		if request, err := x509.ParseCertificateRequest(der); err == nil {
			r.KeyHash = sha256.Sum256(request.RawSubjectPublicKeyInfo)
		}
	}
	if r.Header.RequestType == Registration {
		request, err := x509.ParseCertificateRequest(r.CertificateRequest)
		if err != nil {
			return fmt.Errorf("%w: certificate_request is no PKCS #10 request: %v", ErrMalformed, err)
		}
		r.PublicKey = request.PublicKey
		return nil
	}
	chain, err := parseChain(credential)
	if err != nil {
		return err
	}
	if len(chain) == 0 {
		return fmt.Errorf("%w: the message carries no ID certificate", ErrMalformed)
	}
	r.PublicKey = chain[0].PublicKey
	r.Credential, r.CredentialNotAfter = sha256.Sum256(chain[0].Raw), chain[0].NotAfter.UTC()
	return nil
}

// ReplyWriter writes replies under one signer. It is safe for concurrent use.
type ReplyWriter struct {
	key        crypto.Signer
	credential string
}

// NewReplyWriter encodes the chain once for all replies.
func NewReplyWriter(signer Signer) *ReplyWriter {
	return &ReplyWriter{key: signer.Key, credential: encodeChain(signer.Chain)}
}

// Write signs a reply.
func (w *ReplyWriter) Write(header ReplyHeader, data ReplyData) ([]byte, error) {
	body, err := marshalReply(header, data)
	if err != nil {
		return nil, err
	}
	signature, err := Sign(w.key, body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(replyEnvelope{Signature: signature, Credential: w.credential, Response: body})
}

// WriteUnsignedReply writes a reply of a satellite that has no signer yet. A
// device shows its message and changes nothing.
func WriteUnsignedReply(header ReplyHeader, data ReplyData) ([]byte, error) {
	body, err := marshalReply(header, data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(replyEnvelope{Response: body})
}

func marshalReply(header ReplyHeader, data ReplyData) (string, error) {
	header.Version = MessageVersion
	inner, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(replyBody{Header: header, Nonce: header.Nonce, ResponseData: string(inner)})
	return string(body), err
}

// ReplyDigest names a reply by what it says: the hexadecimal SHA-256 of the
// nonce, a line feed, and the exact text of response_data. A repeat of a reply,
// signed anew, has the same digest.
func ReplyDigest(nonce string, data ReplyData) (string, error) {
	inner, err := json.Marshal(data)
	return replyDigest(nonce, string(inner)), err
}

func replyDigest(nonce, data string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(nonce+"\n"+data)))
}

// Reply is a reply whose form has been checked. Signed tells whether the holder
// of Chain[0] signed it; that the chain leads to the pinned root is for the
// device to check.
type Reply struct {
	Header ReplyHeader
	Data   ReplyData
	Digest string // see ReplyDigest
	Signed bool
	Chain  []*x509.Certificate
}

// ReadReply takes a reply apart. ErrTooLarge, ErrMalformed, or ErrSignature
// where it carries a signature that is wrong.
func ReadReply(message []byte) (*Reply, error) {
	var envelope replyEnvelope
	if err := decode(message, &envelope, "reply"); err != nil {
		return nil, err
	}
	var body replyBody
	if err := decode([]byte(envelope.Response), &body, "response"); err != nil {
		return nil, err
	}
	reply := &Reply{Header: body.Header, Digest: replyDigest(body.Nonce, body.ResponseData)}
	if err := decode([]byte(body.ResponseData), &reply.Data, "response_data"); err != nil {
		return nil, err
	}
	if body.Nonce != body.Header.Nonce {
		return nil, fmt.Errorf("%w: the reply states two nonces", ErrMalformed)
	}
	chain, err := parseChain(envelope.Credential)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return reply, nil
	}
	if err := envelope.Signature.Verify(chain[0].PublicKey, envelope.Response); err != nil {
		return nil, err
	}
	reply.Chain, reply.Signed = chain, true
	return reply, nil
}

// decode reads one JSON value within the bounds of a message. Unknown fields
// are ignored: a newer sender may say more.
func decode(text []byte, into any, what string) error {
	if len(text) > MaxMessage {
		return fmt.Errorf("%w: %s of %d bytes, at most %d are read", ErrTooLarge, what, len(text), MaxMessage)
	}
	if depth(text) > maxDepth {
		return fmt.Errorf("%w: %s is nested deeper than %d", ErrTooLarge, what, maxDepth)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %s is not the JSON it must be: %v", ErrMalformed, what, err)
	}
	return nil
}

// depth is the deepest nesting of brackets outside of strings.
func depth(text []byte) int {
	deepest, level, inString, escaped := 0, 0, false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if level++; level > deepest {
				deepest = level
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// clip bounds text of a stranger that is quoted in a message.
func clip(text string) string {
	if len(text) > 64 {
		return text[:64] + "…"
	}
	return text
}
