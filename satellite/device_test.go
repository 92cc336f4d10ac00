package satellite_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// device is the other end of the wire: it speaks, and keeps what it is told.
type device struct {
	*world
	key         crypto.Signer
	sudi        wire.SUDI
	hostname    string
	piid        string
	certificate []byte
	nonce       int64
	offset      time.Duration // of its clock
	adjusted    int64         // what it says it has added to its clock, milliseconds
	source      string
	token       string                 // that it registers with
	lastReply   string                 // digest of the last reply that it accepted
	pair        *wire.HighAvailability // that it says to be a member of
}

func (w *world) device(serial string) *device {
	w.Helper()
	return &device{world: w, key: newKey(w.TB), sudi: wire.SUDI{UDIPID: "R1000", UDISerialNumber: serial, UDIVID: "V01"}, hostname: "host-" + serial, source: "192.0.2.1"}
}

// message is the next message of the device, under a fresh nonce.
func (d *device) message(kind wire.RequestType, data wire.RequestData) []byte {
	d.Helper()
	d.nonce++
	header := wire.Header{
		Version: wire.MessageVersion, SUDI: d.sudi, Timestamp: wire.Milliseconds(d.clock.Now().Add(d.offset)), Nonce: fmt.Sprint(d.nonce), RequestType: kind, ProductInstanceIdentifier: d.piid,
		LastReply: d.lastReply, ClockOffset: d.adjusted,
	}
	if kind == wire.Registration || kind == wire.Authorization {
		data.HighAvailability = d.pair
	}
	certificate := d.certificate
	if kind == wire.Registration {
		certificate, header.ProductInstanceIdentifier = nil, ""
	}
	message, err := wire.WriteRequest(d.key, certificate, header, data)
	d.must(err)
	return message
}

func (d *device) csr() string {
	d.Helper()
	csr, err := certs.NewDeviceRequest(d.key, d.sudi.UDIPID)
	d.must(err)
	return base64.StdEncoding.EncodeToString(csr)
}

func (d *device) registration(token string, force bool) []byte {
	d.Helper()
	return d.message(wire.Registration, wire.RequestData{
		Token: token, CertificateRequest: d.csr(), SoftwareTag: "regid.2026-01.example.OS,1.0_x", Hostname: d.hostname, EquipmentModel: "Router", SoftwareVersion: "17.9", HardwareVersion: "1", Force: force,
	})
}

func (d *device) authorization(counts ...any) []byte {
	d.Helper()
	var data wire.RequestData
	for i := 0; i < len(counts); i += 2 {
		data.Entitlements = append(data.Entitlements, wire.Entitlement{Tag: counts[i].(string), Count: int64(counts[i+1].(int))})
	}
	return d.message(wire.Authorization, data)
}

func (d *device) renewal() []byte {
	d.Helper()
	return d.message(wire.Renewal, wire.RequestData{CertificateRequest: d.csr()})
}

// deliver hands a message to the satellite as a face does, and reads the reply.
func (d *device) deliver(message []byte) *wire.Reply {
	d.Helper()
	request, problem := wire.ReadRequest(message)
	answer, err := d.service.DeviceMessage(d.ctx, d.source, request, problem)
	d.must(err)
	reply, err := wire.ReadReply(answer)
	d.must(err)
	if reply.Header.Nonce != request.Header.Nonce || reply.Header.RequestType != request.Header.RequestType || reply.Header.SUDI != request.Header.SUDI {
		d.Errorf("the reply does not echo the request: %+v", reply.Header)
	}
	if reply.Signed {
		err := certs.VerifyUsage(reply.Chain[0], reply.Chain[1:], []*x509.Certificate{d.up.root.Certificate}, certs.SatelliteUsage, d.clock.Now())
		d.must(err)
	}
	return reply
}

// ok is deliver for what must be granted, and signed.
func (d *device) ok(message []byte) *wire.Reply {
	d.Helper()
	reply := d.deliver(message)
	if reply.Data.Status != wire.StatusOK || !reply.Signed {
		d.Fatalf("refused (signed: %v): %+v", reply.Signed, reply.Data)
	}
	return reply
}

// refused is deliver for what must be refused with the code, and change nothing.
func (d *device) refused(message []byte, code string, words ...string) *wire.Reply {
	d.Helper()
	var reply *wire.Reply
	d.unchanged("a refusal ("+code+")", func() { reply = d.deliver(message) })
	if reply.Data.Status != wire.StatusFailed || reply.Data.Code != code {
		d.Errorf("got %s %s: %s; want the refusal %s", reply.Data.Status, reply.Data.Code, reply.Data.Message, code)
	}
	for _, word := range words {
		if !strings.Contains(reply.Data.Message, word) {
			d.Errorf("the refusal does not say %q: %s", word, reply.Data.Message)
		}
	}
	return reply
}

// hears accepts a reply: the next message names it.
func (d *device) hears(reply *wire.Reply) *wire.Reply {
	d.lastReply = reply.Digest
	return reply
}

// copied is a copy of the device, as it is now, at another address.
func (d *device) copied(source string) *device {
	copied := *d
	copied.source, copied.nonce = source, d.nonce+1000*int64(len(source))
	return &copied
}

// in makes the device say that it is a member of a pair, in a role; "" for none.
func (d *device) in(application, role string) *device {
	if d.pair = nil; application != "" {
		d.pair = &wire.HighAvailability{ApplicationID: application, Role: role}
	}
	return d
}

// register registers the device and keeps what it is given.
func (d *device) register(token string) *device {
	d.Helper()
	d.adopt(d.ok(d.registration(token, false)))
	return d
}

func (d *device) adopt(reply *wire.Reply) {
	d.Helper()
	certificate, err := base64.StdEncoding.DecodeString(reply.Data.Certificate)
	d.must(err)
	d.certificate, d.piid = certificate, reply.Data.ProductInstanceIdentifier
}

// mode is what the reply says of one tag: its mode and count.
func mode(reply *wire.Reply, tag string) string {
	for _, l := range reply.Data.Licenses {
		if l.Tag == tag {
			return fmt.Sprint(l.Mode, " ", l.Count)
		}
	}
	return "none"
}
