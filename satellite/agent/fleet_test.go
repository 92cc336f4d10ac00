package agent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

// fleet is one whose clock advances a millisecond whenever somebody looks.
func (s *satellite) fleet(op agent.Operation, record *bytes.Buffer) *agent.Fleet {
	var looks atomic.Int64
	return &agent.Fleet{
		URL: s.server.URL + "/SmartTransport", Bundle: s.bundle(), Token: "token", Tag: "A", Count: 1,
		Devices: 20, Concurrency: 4, Duration: time.Minute, Op: op, Record: record,
		Now: func() time.Time { return epoch.Add(time.Duration(looks.Add(1)) * time.Millisecond) },
	}
}

// recorded are the devices on record, each line checked.
func recorded(t *testing.T, record *bytes.Buffer) map[wire.SUDI]string {
	t.Helper()
	devices := map[wire.SUDI]string{}
	for line := range strings.Lines(record.String()) {
		var device struct {
			UDIPID          string `json:"udi_pid"`
			UDISerialNumber string `json:"udi_serial_number"`
			PIID            string `json:"piid"`
		}
		if err := json.Unmarshal([]byte(line), &device); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sudi := wire.SUDI{UDIPID: device.UDIPID, UDISerialNumber: device.UDISerialNumber}
		if devices[sudi] != "" {
			t.Errorf("%v stands twice on record", sudi)
		}
		devices[sudi] = device.PIID
	}
	return devices
}

// checkRecord compares the record with what the satellite knows.
func (s *satellite) checkRecord(record *bytes.Buffer, want int) {
	s.t.Helper()
	devices := recorded(s.t, record)
	if len(devices) != want {
		s.t.Errorf("%d devices on record, want %d", len(devices), want)
	}
	for sudi, piid := range devices {
		if known := s.instances[sudi]; known == nil || known.piid != piid {
			s.t.Errorf("%v is on record as %s, the satellite has %+v", sudi, piid, known)
		}
	}
}

func TestAFleetRegistersEachDeviceOnce(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	var record bytes.Buffer
	fleet := s.fleet(agent.OpRegister, &record)
	result, err := fleet.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Operations != 20 || result.Errors != 0 || s.tokenUses != 20 || result.P50 < 1 || result.P99 < result.P50 || result.Max < result.P99 || result.RatePerSecond <= 0 {
		t.Errorf("%+v, %d uses", result, s.tokenUses)
	}
	s.checkRecord(&record, 20)
	if again, err := fleet.Run(t.Context()); err != nil || again.Operations != 20 {
		t.Errorf("a second run meets the first: %+v, %v", again, err)
	}
}

func TestAFleetRepeatsRegistrationsThatWereNotAnswered(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	s.lose = 7
	var record bytes.Buffer
	result, err := s.fleet(agent.OpRegister, &record).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Operations != 20 || result.Errors != 7 || result.ErrorReasons["connection"] != 7 || s.tokenUses != 20 {
		t.Errorf("%+v, %d uses", result, s.tokenUses)
	}
	s.checkRecord(&record, 20)
}

func TestAFleetAuthorizesInTurnUntilTheTimeIsOver(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	var record bytes.Buffer
	fleet := s.fleet(agent.OpAuthorize, &record)
	fleet.Duration = 3 * time.Second // on a busy machine, too, each has its turn
	result, err := fleet.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Operations < 20 || result.Errors != 0 || result.SetupErrors != 0 {
		t.Errorf("%+v", result)
	}
	s.checkRecord(&record, 20)
	for sudi, known := range s.instances {
		if known.counts["A"] != 1 {
			t.Errorf("%v was never authorized", sudi)
		}
	}
	digests := map[wire.SUDI]string{}
	for i, request := range s.requests {
		if sudi := request.Header.SUDI; request.Header.LastReply != digests[sudi] {
			t.Fatalf("message %d of %v names the reply %q, not %q", i, sudi, request.Header.LastReply, digests[sudi])
		}
		digests[request.Header.SUDI] = s.digests[i]
	}
	if got := int64(len(s.requests)); got != 20+result.Operations {
		t.Errorf("the satellite saw %d requests, the fleet counts 20 and %d", got, result.Operations)
	}
}

func TestAFleetOutlivesItsSatellite(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	answered := 0
	s.bend = func(*wire.ReplyHeader, *wire.ReplyData) {
		if answered++; answered == 40 { // 20 of them before the clock
			go s.server.Config.Close()
		}
	}
	var record bytes.Buffer
	fleet := s.fleet(agent.OpAuthorize, &record)
	fleet.Duration = 2 * time.Second
	result, err := fleet.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Operations == 0 || result.Errors == 0 || result.Errors > 400 || result.FirstError == "" {
		t.Errorf("%+v", result)
	}
	s.checkRecord(&record, 20)
}

func TestAFleetGivesUpRegistrationsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	fleet := s.fleet(agent.OpRegister, &bytes.Buffer{})
	fleet.Token = "expired"
	result, err := fleet.Run(t.Context())
	if err != nil || result.Operations != 0 || result.ErrorReasons["token-expired"] != 20 {
		t.Errorf("register: %+v, %v", result, err)
	}
	fleet.Op = agent.OpAuthorize
	if _, err := fleet.Run(t.Context()); !errors.Is(err, agent.ErrConnection) || !strings.Contains(err.Error(), "token expired yesterday") {
		t.Errorf("authorize: %v", err)
	}
}

func TestAFleetBelievesOnlyItsSatellite(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	registrations := 0
	foreign := newAuthorities(t, epoch).signer
	s.bend = func(header *wire.ReplyHeader, _ *wire.ReplyData) {
		switch registrations++; registrations {
		case 5:
			s.signer = foreign
		case 6:
			s.signer = s.ca.signer
		case 7:
			header.Nonce = "7"
		}
	}
	fleet := s.fleet(agent.OpRegister, &bytes.Buffer{})
	fleet.Concurrency = 1
	result, err := fleet.Run(t.Context())
	if err != nil || result.Operations != 20 || result.ErrorReasons["untrusted"] != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

type fullDisk struct{ after int }

func (d *fullDisk) Write(line []byte) (int, error) {
	if d.after--; d.after < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(line), nil
}

func TestAFleetEndsWhenItsRecordCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	fleet := s.fleet(agent.OpRegister, nil)
	fleet.Record = &fullDisk{after: 3}
	result, err := fleet.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no space left") || result.Operations != 3 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestAFleetThatCannotBeMeantSendsNothing(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	cases := map[string]struct {
		bend func(*agent.Fleet)
		want error
	}{
		"no devices":     {func(f *agent.Fleet) { f.Devices = 0 }, agent.ErrUsage},
		"no connections": {func(f *agent.Fleet) { f.Concurrency = 0 }, agent.ErrUsage},
		"no time":        {func(f *agent.Fleet) { f.Duration = 0 }, agent.ErrUsage},
		"no operation":   {func(f *agent.Fleet) { f.Op = "dance" }, agent.ErrUsage},
		"no token":       {func(f *agent.Fleet) { f.Token = "" }, agent.ErrUsage},
		"no tag":         {func(f *agent.Fleet) { f.Op, f.Tag = agent.OpAuthorize, "" }, agent.ErrUsage},
		"no address":     {func(f *agent.Fleet) { f.URL = "" }, agent.ErrUsage},
		"no root":        {func(f *agent.Fleet) { f.Bundle = certs.EncodePEM(s.tlsCA...) }, agent.ErrNoRoot},
		"another TLS CA": {func(f *agent.Fleet) { f.Bundle = newSatellite(t).bundle() }, agent.ErrConnection},
	}
	for name, c := range cases {
		fleet := s.fleet(agent.OpRegister, &bytes.Buffer{})
		c.bend(fleet)
		if _, err := fleet.Run(t.Context()); !errors.Is(err, c.want) || len(s.messages) != 0 {
			t.Errorf("%s: %v, %d messages", name, err, len(s.messages))
		}
	}
}
