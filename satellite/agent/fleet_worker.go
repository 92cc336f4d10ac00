package agent

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// player is a device of a fleet. One worker has it at a time.
type player struct {
	identity    Identity
	key         *ecdsa.PrivateKey
	request     string // base64 of its certificate request
	certificate []byte // DER
	piid        string
	lastReply   string // digest of the last accepted reply, see wire.ReplyDigest
	attempts    int
}

func newPlayer(serial string) (*player, error) {
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	request, err := certs.NewDeviceRequest(key, defaultPID)
	if err != nil {
		return nil, err
	}
	return &player{
		identity: Identity{UDIPID: defaultPID, UDISerialNumber: serial, SoftwareTag: defaultTag, Hostname: "fleet-" + serial},
		key:      key, request: base64.StdEncoding.EncodeToString(request),
	}, nil
}

// line is what the record says of an acknowledged device.
func (d *player) line() []byte {
	text, _ := json.Marshal(struct {
		UDIPID          string `json:"udi_pid"`
		UDISerialNumber string `json:"udi_serial_number"`
		PIID            string `json:"piid"`
	}{d.identity.UDIPID, d.identity.UDISerialNumber, d.piid}) // strings always encode
	return append(text, '\n')
}

// worker is one connection with the device that is at it.
type worker struct {
	run    *fleetRun
	config *tls.Config
	open   *connection // nil while there is none
	nonce  int64

	// The signer whose chain was verified last, by its credential as it stands
	// in the reply, byte for byte.
	credential []byte
	signer     crypto.PublicKey
}

func (w *worker) connect(ctx context.Context) (err error) {
	if w.open == nil {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		w.open, err = dial(ctx, w.run.address, w.config)
	}
	return err
}

func (w *worker) disconnect() {
	if w.open != nil {
		w.open.close()
		w.open = nil
	}
}

// work takes one device after the other until the phase has ended.
func (w *worker) work(ctx context.Context, p *phase, t *tally) {
	failures := 0 // of the connection, in a row
	for {
		select {
		case <-p.ended:
			return
		default:
		}
		select {
		case <-p.ended:
			return
		case d := <-p.queue:
			took, err := w.do(ctx, p.op, d)
			t.count(took, err)
			p.settle(d, err)
			if w.run.broken.Load() {
				p.end()
			}
			if err == nil || w.open != nil {
				failures = 0
				continue
			}
			p.pause(failures)
			failures++
		}
	}
}

// do is one operation of one device, with the time that the satellite took.
func (w *worker) do(ctx context.Context, op Operation, d *player) (time.Duration, error) {
	if err := w.connect(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	message, header, err := w.message(op, d)
	if err != nil {
		return 0, err
	}
	begin := w.run.Now()
	body, err := w.open.post(ctx, message, requestTimeout)
	took := w.run.Now().Sub(begin)
	if err != nil {
		w.disconnect()
		return took, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	data, digest, err := w.read(body, header)
	if err == nil && op == OpRegister {
		err = w.registered(d, data)
	}
	if err == nil {
		d.lastReply = digest
	}
	return took, err
}

func (w *worker) message(op Operation, d *player) ([]byte, wire.Header, error) {
	w.nonce++
	if op == OpRegister {
		header := w.header(wire.Registration, d)
		message, err := wire.WriteRequest(d.key, nil, header, wire.RequestData{
			Token: w.run.Token, CertificateRequest: d.request,
			SoftwareTag: d.identity.SoftwareTag, Hostname: d.identity.Hostname, EquipmentModel: d.identity.UDIPID,
		})
		return message, header, err
	}
	header := w.header(wire.Authorization, d)
	header.ProductInstanceIdentifier = d.piid
	message, err := wire.WriteRequest(d.key, d.certificate, header, wire.RequestData{
		Entitlements: []wire.Entitlement{{Tag: w.run.Tag, Count: w.run.Count}},
	})
	return message, header, err
}

func (w *worker) header(kind wire.RequestType, d *player) wire.Header {
	header := newHeader(kind, d.identity.SUDI(), w.nonce, w.run.Now())
	header.LastReply = d.lastReply
	return header
}

// registered keeps what a registration gave, and puts it on record.
func (w *worker) registered(d *player, data wire.ReplyData) (err error) {
	if d.certificate, err = base64.StdEncoding.DecodeString(data.Certificate); err != nil || data.ProductInstanceIdentifier == "" {
		return fmt.Errorf("%w: it carries no certificate or names no product instance", ErrUntrusted)
	}
	d.piid = data.ProductInstanceIdentifier
	return w.run.record(d.line())
}

// fleetReply are the layers of a reply as far as a fleet looks at them.
type fleetReply struct {
	Signature  wire.Signature  `json:"signature"`
	Credential json.RawMessage `json:"credential"`
	Response   string          `json:"response"`
}

// read checks a reply, all of it where the signer is a new one, else nonce and
// signature, and returns it with its digest.
func (w *worker) read(body []byte, sent wire.Header) (data wire.ReplyData, digest string, err error) {
	var reply fleetReply
	if err := json.Unmarshal(body, &reply); err != nil || !bytes.Equal(reply.Credential, w.credential) || w.signer == nil {
		return w.readAll(body, sent)
	}
	if err := reply.Signature.Verify(w.signer, reply.Response); err != nil {
		return data, "", fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	var response struct {
		Nonce        string `json:"nonce"`
		ResponseData string `json:"response_data"`
	}
	err = json.Unmarshal([]byte(reply.Response), &response)
	if err == nil {
		err = json.Unmarshal([]byte(response.ResponseData), &data)
	}
	if err == nil && response.Nonce != sent.Nonce {
		err = errors.New("its nonce is not the one that was sent")
	}
	if err != nil {
		return data, "", fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	// As wire.ReadReply makes it, of the text that is at hand here.
	digest = fmt.Sprintf("%x", sha256.Sum256([]byte(response.Nonce+"\n"+response.ResponseData)))
	return data, digest, refusal(data, sent.RequestType)
}

// readAll is the whole check of a single device, and remembers the signer.
func (w *worker) readAll(body []byte, sent wire.Header) (wire.ReplyData, string, error) {
	reply, err := readReply(body, 0, sent.RequestType)
	if err != nil {
		return wire.ReplyData{}, "", err
	}
	if err := w.run.trust.checkReply(reply, sent, w.run.Now()); err != nil {
		return wire.ReplyData{}, "", err
	}
	var raw fleetReply
	if err := json.Unmarshal(body, &raw); err == nil {
		w.credential, w.signer = bytes.Clone(raw.Credential), reply.Chain[0].PublicKey
	}
	return reply.Data, reply.Digest, refusal(reply.Data, sent.RequestType)
}

func refusal(data wire.ReplyData, kind wire.RequestType) error {
	if data.Status == wire.StatusOK {
		return nil
	}
	return &Refused{Request: kind, Code: data.Code, Message: data.Message, Signed: true}
}
