package ssm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"ssm/satellite/wire"
)

const (
	secretHost = "host-that-nobody-may-know"
	secretName = "name-in-a-report"
)

// onDisk counts a text in all files of the upstream.
func onDisk(t *testing.T, u *Upstream, text string) (count int) {
	t.Helper()
	err := filepath.WalkDir(u.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		count += bytes.Count(content, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// revealing registers a peer and tells the upstream many host names, and reports.
func revealing(t *testing.T, u *Upstream, c *clock, devices int) *peer {
	t.Helper()
	p := register(t, u, c, "s1", "V")
	var records []wire.Record
	random := rand.NewChaCha8([32]byte{})
	for i := range devices {
		piid := fmt.Sprintf("piid-%d", i)
		// Of very different length, so that some overflow their page.
		tail := make([]byte, i*37%3000)
		_, _ = random.Read(tail)
		records = append(records, p.set(wire.RecordDevice, piid, wire.DeviceRecord{PIID: piid, UDIPID: "R1", UDISerialNumber: fmt.Sprint(i),
			Hostname: secretHost + hex.EncodeToString(tail), VirtualAccount: "Default", RegistrationState: "registered"}))
	}
	for _, raw := range []string{`{"payload":"{\"meta\":{\"hostname\":\"` + secretName + `\"}}"}`, `{"payload":"{\"meta\":{\"harmless\":\"kept-report\"}}"}`} {
		sum := sha256.Sum256([]byte(raw))
		record, err := wire.NewRecord(wire.RecordReport, hex.EncodeToString(sum[:]), wire.ReportRecord{Report: []byte(raw)})
		p.must(err)
		records = append(records, record)
	}
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard, records...)).Body); r.Response.FullRequested {
		t.Fatal(r.Response.Reason)
	}
	return p
}

func TestAFullRequestErasesWhatPrivacyLeavesOutFromTheFile(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := revealing(t, u, c, 700)
	// Some are overwritten and some removed before.
	p.set(wire.RecordDevice, "piid-3", wire.DeviceRecord{PIID: "piid-3", UDIPID: "R1", UDISerialNumber: "3", Hostname: secretHost, VirtualAccount: "Default", RegistrationState: "registered"})
	p.apply(answer(t, u, p.request(wire.ScopeStandard, p.held[wire.RecordDevice]["piid-3"], p.remove(wire.RecordDevice, "piid-9"))).Body)
	if onDisk(t, u, secretHost) == 0 || onDisk(t, u, secretName) == 0 {
		t.Fatal("the host names cannot be found in the file in the first place")
	}
	p.omits = []string{"hostname"}
	for i := range 700 {
		if _, held := p.held[wire.RecordDevice][fmt.Sprintf("piid-%d", i)]; held {
			p.device(i)
		}
	}
	if r := p.apply(answer(t, u, p.request(wire.ScopeFull, p.everything()...)).Body); r.Response.FullRequested {
		t.Fatal(r.Response.Reason)
	}
	for _, text := range []string{secretHost, secretName} {
		if n := onDisk(t, u, text); n != 0 {
			t.Errorf("%q stands %d times in the files of the upstream after the full exchange", text, n)
		}
	}
	if onDisk(t, u, "kept-report") == 0 {
		t.Error("a report in which no host name stands was erased")
	}
	var kept int64
	if err := u.store.reader.Model(&answerRow{}).Count(&kept).Error; err != nil || kept != 1 {
		t.Errorf("%d answers are kept (%v), want only the one to the full request", kept, err)
	}
}
