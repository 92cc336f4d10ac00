package wire

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// The inner layers are what a signature covers, so every byte of them is fixed.
func TestTheInnerLayersOfEveryMessageAreGolden(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "device")
	for _, kind := range append(requestTypes, authorizationOfAPair) {
		name := strings.ToLower(string(kind))
		message, err := WriteRequest(key, nil, header(kind), requestData(kind, "AAAA"))
		if err != nil {
			t.Fatal(err)
		}
		var request requestEnvelope
		if err := json.Unmarshal(message, &request); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".request.json", []byte(request.Request))

		h, d := replyTo(kind)
		answer, err := WriteUnsignedReply(h, d)
		if err != nil {
			t.Fatal(err)
		}
		var reply replyEnvelope
		if err := json.Unmarshal(answer, &reply); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".reply.json", []byte(reply.Response))
	}
}

func TestStoredMessagesStayReadable(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "device")
	for _, kind := range append(requestTypes, authorizationOfAPair) {
		name := strings.ToLower(string(kind))
		message := stored(t, name+".signed-request.json", func() []byte {
			m, err := WriteRequest(key, certificate(t, key), header(kind), requestData(kind, base64.StdEncoding.EncodeToString(csr(t, key))))
			if err != nil {
				t.Fatal(err)
			}
			return m
		})
		request, err := ReadRequest(message)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := requestData(kind, request.Data.CertificateRequest)
		want.SUDI, want.Timestamp, want.Nonce = header(kind).SUDI, header(kind).Timestamp, header(kind).Nonce
		if !reflect.DeepEqual(request.Header, header(kind)) || !reflect.DeepEqual(request.Data, want) || !key.PublicKey.Equal(request.PublicKey) {
			t.Errorf("%s reads as %+v", name, request)
		}
		if hasCertificate := request.Credential != [sha256.Size]byte{}; hasCertificate != (kind != Registration) {
			t.Errorf("%s has the credential %x", name, request.Credential)
		}
		answer := stored(t, name+".signed-reply.json", func() []byte {
			h, d := replyTo(kind)
			m, err := NewReplyWriter(Signer{Key: key, Chain: [][]byte{certificate(t, key), certificate(t, key)}}).Write(h, d)
			if err != nil {
				t.Fatal(err)
			}
			return m
		})
		reply, err := ReadReply(answer)
		h, d := replyTo(kind)
		h.Version = MessageVersion
		if err != nil || !reply.Signed || len(reply.Chain) != 2 || reply.Header != h || !reflect.DeepEqual(reply.Data, d) {
			t.Errorf("the reply to %s reads as %+v (%v)", name, reply, err)
		}
	}
}

// A device names the reply that it had last by this digest, so it must not
// depend on when the reply was signed, and must tell any two answers apart.
func TestARepeatSignedAnewHasTheSameDigestAndNoOtherReply(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "satellite")
	read := func(h ReplyHeader, d ReplyData) *Reply {
		message, err := NewReplyWriter(Signer{Key: key, Chain: [][]byte{certificate(t, key)}}).Write(h, d)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := ReadReply(message)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	h, d := replyTo(Authorization)
	first := read(h, d).Digest
	h.Timestamp++ // a repeat, later and under another signature
	if again := read(h, d).Digest; again != first {
		t.Errorf("the repeat has the digest %s, the first %s", again, first)
	}
	if written, err := ReplyDigest(h.Nonce, d); err != nil || written != first {
		t.Errorf("the writer's digest is %s (%v), the reader's %s", written, err, first)
	}
	// By the words of the prose, and for the bytes of a reply that another program wrote.
	inner, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte(h.Nonce + "\n" + string(inner))); hex.EncodeToString(sum[:]) != first {
		t.Errorf("by hand the digest is %x, not %s", sum, first)
	}
	digests := map[string]string{first: "the first"}
	different := func(name, digest string) {
		if other, taken := digests[digest]; taken {
			t.Errorf("%s has the digest of %s", name, other)
		}
		digests[digest] = name
	}
	other := h
	other.Nonce = "5"
	different("another nonce", read(other, d).Digest)
	d.Licenses[0].Count--
	different("another count", read(h, d).Digest)
	d.Licenses[0].Requested, d.Licenses[0].Reason = 3, "Two are there."
	different("another reason", read(h, d).Digest)
}

func TestMessagesRoundTripUnderBothKindsOfKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{fixedKey(t, "a"), rsaKey(t)} {
		own := certificate(t, key)
		for _, kind := range requestTypes {
			message, err := WriteRequest(key, own, header(kind), requestData(kind, base64.StdEncoding.EncodeToString(csr(t, key))))
			if err != nil {
				t.Fatal(err)
			}
			request, err := ReadRequest(message)
			if err != nil || request.Header.RequestType != kind {
				t.Errorf("%T %s: %v", key, kind, err)
			}
			if kind != Registration && request.Credential != sha256.Sum256(own) {
				t.Errorf("%T %s: the credential is %x", key, kind, request.Credential)
			}
		}
	}
}

// Every byte of a message: altered, it is refused, or says the same in other letters.
func TestAnAlteredByteOfAMessageIsNeverAnotherMessage(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "device")
	message, err := WriteRequest(key, certificate(t, key), header(Authorization), requestData(Authorization, ""))
	if err != nil {
		t.Fatal(err)
	}
	genuine, err := ReadRequest(message)
	if err != nil {
		t.Fatal(err)
	}
	h, d := replyTo(Authorization)
	answer, err := NewReplyWriter(Signer{Key: key, Chain: [][]byte{certificate(t, key)}}).Write(h, d)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := ReadReply(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, mask := range []func(int) byte{func(i int) byte { return 1 << (i % 8) }, func(int) byte { return 1 << 5 }} {
		for i := range message {
			altered := bytes.Clone(message)
			altered[i] ^= mask(i)
			if got, err := ReadRequest(altered); err == nil && (!reflect.DeepEqual(got.Data, genuine.Data) || !reflect.DeepEqual(got.Header, genuine.Header)) {
				t.Fatalf("byte %d altered makes another request: %+v", i, got)
			}
		}
		for i := range answer {
			altered := bytes.Clone(answer)
			altered[i] ^= mask(i)
			if got, err := ReadReply(altered); err == nil && got.Signed && (!reflect.DeepEqual(got.Data, reply.Data) || got.Header != reply.Header) {
				t.Fatalf("byte %d altered makes another reply: %+v", i, got)
			}
		}
	}
}

// sign makes a message of any content, as somebody with a key could.
func sign(t *testing.T, change func(h *Header, d *RequestData, body *requestBody)) []byte {
	t.Helper()
	key := fixedKey(t, "device")
	h, d := header(Authorization), requestData(Authorization, "")
	d.SUDI, d.Timestamp, d.Nonce = h.SUDI, h.Timestamp, h.Nonce
	body := requestBody{}
	change(&h, &d, &body)
	if body.RequestData == "" {
		inner, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		body.RequestData = string(inner)
	}
	body.Header = h
	if body.Nonce == "" {
		body.Nonce = h.Nonce
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(key, string(text))
	if err != nil {
		t.Fatal(err)
	}
	message, err := json.Marshal(requestEnvelope{Signature: signature, Credential: encodeChain([][]byte{certificate(t, key)}), Request: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestMessagesOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxField+1)
	for _, c := range []struct {
		name   string
		change func(h *Header, d *RequestData, body *requestBody)
		want   error
	}{
		{"within all bounds", func(*Header, *RequestData, *requestBody) {}, nil},
		{"two nonces", func(_ *Header, _ *RequestData, b *requestBody) { b.Nonce = "5" }, ErrMalformed},
		{"another nonce inside", func(_ *Header, d *RequestData, _ *requestBody) { d.Nonce = "5" }, ErrMalformed},
		{"another time inside", func(_ *Header, d *RequestData, _ *requestBody) { d.Timestamp++ }, ErrMalformed},
		{"another identity inside", func(_ *Header, d *RequestData, _ *requestBody) { d.SUDI.UDISerialNumber = "x" }, ErrMalformed},
		{"a nonce that is no number", func(h *Header, d *RequestData, _ *requestBody) { h.Nonce, d.Nonce = "x", "x" }, ErrMalformed},
		{"a nonce of 65 bits", func(h *Header, d *RequestData, _ *requestBody) {
			h.Nonce, d.Nonce = "9223372036854775808", "9223372036854775808"
		}, ErrMalformed},
		{"a nonce in other letters", func(h *Header, d *RequestData, _ *requestBody) { h.Nonce, d.Nonce = "+5", "+5" }, ErrMalformed},
		{"no serial number", func(h *Header, d *RequestData, _ *requestBody) {
			h.SUDI.UDISerialNumber, d.SUDI.UDISerialNumber = "", ""
		}, ErrMalformed},
		{"a long serial number", func(h *Header, d *RequestData, _ *requestBody) {
			h.SUDI.UDISerialNumber, d.SUDI.UDISerialNumber = long, long
		}, ErrTooLarge},
		{"a long host name", func(_ *Header, d *RequestData, _ *requestBody) { d.Hostname = long }, ErrTooLarge},
		{"a long PIID", func(h *Header, _ *RequestData, _ *requestBody) { h.ProductInstanceIdentifier = long }, ErrTooLarge},
		{"a long digest of the last reply", func(h *Header, _ *RequestData, _ *requestBody) { h.LastReply = long }, ErrTooLarge},
		{"a pair of 64 characters", member(strings.Repeat("é", 64), RoleActive), nil},
		{"a pair of 65 characters", member(strings.Repeat("x", 65), RoleActive), ErrMalformed},
		{"a pair without name", member("", RoleStandby), ErrMalformed},
		{"a third role in a pair", member("pair", "witness"), ErrMalformed},
		{"no role in a pair", member("pair", ""), ErrMalformed},
		{"a negative count", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements[0].Count = -1 }, ErrMalformed},
		{"a count over the bound", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements[0].Count = 1<<31 + 1 }, ErrMalformed},
		{"a tag twice", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements[1].Tag = "base" }, ErrMalformed},
		{"no tag", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements[1].Tag = "" }, ErrMalformed},
		{"a thousand tags", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements = tags(maxEntitlements) }, nil},
		{"a thousand and one tags", func(_ *Header, d *RequestData, _ *requestBody) { d.Entitlements = tags(maxEntitlements + 1) }, ErrTooLarge},
		{"another version", func(h *Header, _ *RequestData, _ *requestBody) { h.Version = "2.0" }, ErrVersion},
		{"depth of 16", func(_ *Header, d *RequestData, b *requestBody) { b.RequestData = deep(t, d, maxDepth-1) }, nil},
		{"depth of 17", func(_ *Header, d *RequestData, b *requestBody) { b.RequestData = deep(t, d, maxDepth) }, ErrTooLarge},
		{"two values", func(_ *Header, d *RequestData, b *requestBody) { b.RequestData = deep(t, d, 1) + "{}" }, ErrMalformed},
		{"a message over the bound", func(_ *Header, _ *RequestData, b *requestBody) { b.RequestData = strings.Repeat(" ", MaxMessage) }, ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			request, err := ReadRequest(sign(t, c.change))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if returned := request != nil; returned != (c.want == nil || errors.Is(c.want, ErrVersion)) {
				t.Errorf("with %v the request is %v", err, request)
			}
		})
	}
}

func member(pair, role string) func(*Header, *RequestData, *requestBody) {
	return func(_ *Header, d *RequestData, _ *requestBody) {
		d.HighAvailability = &HighAvailability{ApplicationID: pair, Role: role}
	}
}

func tags(n int) (list []Entitlement) {
	for i := range n {
		list = append(list, Entitlement{Tag: fmt.Sprint(i), Count: 1})
	}
	return list
}

// deep is the data with an unknown field nested so deep.
func deep(t *testing.T, d *RequestData, levels int) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "}") + `,"unknown":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + "}"
}

func TestSignaturesOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	key, other := fixedKey(t, "device"), fixedKey(t, "other")
	own := certificate(t, key)
	// Signed by another key than the certificate's, or the certificate request's.
	message, err := WriteRequest(other, own, header(Authorization), RequestData{})
	if err != nil {
		t.Fatal(err)
	}
	if request, err := ReadRequest(message); !errors.Is(err, ErrSignature) || request == nil {
		t.Errorf("a stolen certificate: %v", err)
	}
	message, err = WriteRequest(other, nil, header(Registration), requestData(Registration, base64.StdEncoding.EncodeToString(csr(t, key))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRequest(message); !errors.Is(err, ErrSignature) {
		t.Errorf("a stolen certificate request: %v", err)
	}
	for _, s := range []Signature{{}, {Type: SignatureECDSA}, {Type: "none"}, {Type: SignatureRSA, Value: "AAAA"}, {Type: SignatureECDSA, Value: "?"}} {
		if err := s.Verify(key.Public(), "text"); !errors.Is(err, ErrSignature) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	signature, err := Sign(key, "text")
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(key.Public(), "text"); err != nil {
		t.Error(err)
	}
	for _, value := range []string{signature.Value + "\n", signature.Value + "=", strings.TrimRight(signature.Value, "=")} {
		if value == signature.Value {
			continue
		}
		if err := (Signature{Type: SignatureECDSA, Value: value}).Verify(key.Public(), "text"); err == nil && !strings.HasSuffix(value, "\n") {
			t.Errorf("%q verifies", value)
		}
	}
	if _, err := ReadRequest(mustWrite(t, header(Authorization), nil)); !errors.Is(err, ErrMalformed) {
		t.Errorf("an authorization without a certificate: %v", err)
	}
	h, d := replyTo(Authorization)
	answer, err := NewReplyWriter(Signer{Key: other, Chain: [][]byte{own}}).Write(h, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadReply(answer); !errors.Is(err, ErrSignature) {
		t.Errorf("a reply under a stolen certificate: %v", err)
	}
	var chain [][]byte
	for range maxChain + 1 {
		chain = append(chain, own)
	}
	if answer, err = NewReplyWriter(Signer{Key: key, Chain: chain}).Write(h, d); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadReply(answer); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a chain over the bound: %v", err)
	}
}

func mustWrite(t *testing.T, h Header, certificate []byte) []byte {
	t.Helper()
	message, err := WriteRequest(fixedKey(t, "device"), certificate, h, RequestData{})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// The key comes with the message: a huge one must not cost its reader ten seconds.
func TestASignatureUnderAHugeKeyIsNotTried(t *testing.T) {
	t.Parallel()
	for bits, want := range map[uint]bool{4096: true, 4097: false, 400_000: false} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		key := &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 1<<31 - 1}
		// One to the power of anything is one: what such a signature stands for.
		value := make([]byte, (bits+7)/8)
		value[len(value)-1] = 1
		s := Signature{Type: SignatureRSA, Value: base64.StdEncoding.EncodeToString(value)}
		if tried := verifiable(key); tried != want {
			t.Errorf("a key of %d bits is tried: %v", bits, tried)
		}
		if err := s.Verify(key, "text"); !errors.Is(err, ErrSignature) {
			t.Errorf("a key of %d bits: %v", bits, err)
		}
	}
}
