package satellite_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"ssm/certs"
	"ssm/satellite"
	"ssm/sync/ssm"
)

// settled is a world that settles with a real upstream, with lots of "base".
type settled struct {
	*world
	upstream *ssm.Upstream
}

func newSettled(t *testing.T, quantity int64) settled {
	t.Helper()
	s := settled{world: newWorld(t)}
	s.upstream = openSSM(s.world, quantity)
	pemFile := filepath.Join(t.TempDir(), "root.pem")
	_, err := s.upstream.WriteRoot(pemFile)
	s.must(err)
	text, err := os.ReadFile(pemFile)
	s.must(err)
	_, err = s.service.TrustRoots(s.ctx, admin, text)
	s.must(err)
	block, _ := pem.Decode(text)
	root, err := x509.ParseCertificate(block.Bytes)
	s.must(err)
	s.up.root = &certs.Authority{Certificate: root} // by which the devices judge
	s.exchange(satellite.SyncResult{Registered: true})
	return s
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func openSSM(w *world, quantity int64) *ssm.Upstream {
	w.Helper()
	u, err := ssm.Open(w.ctx, filepath.Join(filepath.Dir(w.path), "ssm"), "", w.clock.Now)
	w.must(err)
	w.Cleanup(func() { _ = u.Close() })
	_, err = u.CreateAccount(w.ctx, "Plant", "admin@plant.example", ssm.Standard)
	w.must(err)
	_, err = u.AddLicense(w.ctx, ssm.Order{VirtualAccount: "Satellite", Tag: "base", Name: "Base", Quantity: quantity})
	w.must(err)
	return u
}

func (s settled) answered(request []byte) ssm.Answer {
	s.Helper()
	answer, err := s.upstream.Answer(s.ctx, bytes.NewReader(request), int64(len(request)), ssm.AnswerOptions{})
	s.must(err)
	return answer
}

// exchange is one exchange, whose result is compared in the fields that want sets.
func (s settled) exchange(want satellite.SyncResult) satellite.SyncResult {
	s.Helper()
	result, err := s.apply(s.answered(s.request(s.account, false)).Body)
	s.must(err)
	if result.FullRequested != want.FullRequested || result.Registered != want.Registered || result.Lineage != want.Lineage ||
		result.Recovered != want.Recovered || result.Revoked != want.Revoked {
		s.Errorf("the exchange did %+v, want %+v", result, want)
	}
	return result
}

// shut closes the satellite as a stop of the program does.
func (s settled) shut() {
	s.Helper()
	s.must(s.store.Close())
}

// copied is a copy of the data folder, taken while the satellite is stopped.
func (s settled) copied() string {
	s.Helper()
	to := s.TempDir()
	for _, name := range []string{"satellite.db", "satellite.db-wal", "key"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(s.path), name))
		if os.IsNotExist(err) {
			continue
		}
		s.must(err)
		s.must(os.WriteFile(filepath.Join(to, name), content, 0o600))
	}
	return to
}

// putBack replaces the data folder by a copy, and starts the satellite on it.
func (s settled) putBack(from string) {
	s.Helper()
	s.shut()
	for _, name := range []string{"satellite.db", "satellite.db-wal", "satellite.db-shm"} {
		_ = os.Remove(filepath.Join(filepath.Dir(s.path), name))
		if content, err := os.ReadFile(filepath.Join(from, name)); err == nil {
			s.must(os.WriteFile(filepath.Join(filepath.Dir(s.path), name), content, 0o600))
		}
	}
	s.open()
}

// eventsOf are the messages of the events of a type, newest first.
func (s settled) eventsOf(kind satellite.EventType) (messages []string) {
	s.Helper()
	events, err := s.service.Events(s.ctx, admin, satellite.EventFilter{Type: kind}, satellite.Page{Limit: 1000})
	s.must(err)
	for _, e := range events {
		messages = append(messages, e.Message)
	}
	return messages
}

func (s settled) equalSides() {
	s.Helper()
	statuses, err := s.service.SyncStatuses(s.ctx, admin)
	s.must(err)
	instances, err := s.service.CountInstances(s.ctx, admin, satellite.InstanceFilter{})
	s.must(err)
	list, err := s.upstream.Satellites(s.ctx)
	s.must(err)
	if list[0].Devices != instances || statuses[0].State.FullRequired {
		s.Errorf("the upstream knows %d devices, the satellite %d; full required: %v", list[0].Devices, instances, statuses[0].State.FullRequired)
	}
}
