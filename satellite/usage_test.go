package satellite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// The one file that a real device wrote.
func usageFile(t *testing.T) (file, raw []byte, tag string) {
	t.Helper()
	file, err := os.ReadFile("testdata/report-c9800.xml")
	if err != nil {
		t.Fatal(err)
	}
	start, end := bytes.Index(file, []byte("<![CDATA[")), bytes.Index(file, []byte("]]>"))
	return file, file[start+len("<![CDATA[") : end], "regid.2018-06.com.cisco.DNA_NWStack,1.0_e7244e71-3ad5-4608-8bf0-d12f67c80896"
}

func TestTheUsageFileOfARealDeviceIsCountedOnce(t *testing.T) {
	t.Parallel()
	file, raw, tag := usageFile(t)
	w := registered(t, lot{tag: tag, quantity: 5})
	result, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
	if err != nil || result != (satellite.ImportResult{Reports: 1, Counted: 1}) {
		t.Fatalf("the import says %+v (%v)", result, err)
	}
	if p := w.pool(tag); p.InUse != 3 || p.Available() != 2 {
		t.Errorf("the pool is %+v, want 3 in use", p.Pool)
	}
	reports, err := w.service.Reports(w.ctx, admin, w.account.ID, satellite.Page{})
	w.must(err)
	if len(reports) != 1 || !bytes.Equal(reports[0].Raw, raw) || reports[0].Count != 3 || reports[0].MeasuredUntil.Unix() != 1673790212 {
		t.Errorf("the report on record is %+v", reports)
	}
	w.unchanged("the same file again", func() {
		for range 3 {
			if result, err = w.service.ImportUsage(w.ctx, admin, w.account.ID, file); err != nil || result != (satellite.ImportResult{Reports: 1, Known: 1}) {
				t.Errorf("the import says %+v (%v)", result, err)
			}
		}
	})
	// The same report with other bytes contradicts it.
	other := bytes.Replace(file, []byte(`\"value\":\"3\"`), []byte(`\"value\":\"9\"`), 2)
	if result, err = w.service.ImportUsage(w.ctx, admin, w.account.ID, other); err != nil || result != (satellite.ImportResult{Reports: 1, Conflicts: 1}) {
		t.Errorf("the import says %+v (%v)", result, err)
	}
	if in := w.pool(tag).InUse; in != 3 {
		t.Errorf("%d are in use after the conflict", in)
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventUsageConflict}, satellite.Page{})
	if err != nil || len(events) != 1 {
		t.Errorf("there are %d events of the conflict (%v)", len(events), err)
	}
	// It goes up byte for byte, until it is acknowledged.
	first := w.request(w.account, false)
	w.up.take(t, first)
	if got := w.up.reports[reports[0].Digest]; !bytes.Equal(got, raw) {
		t.Errorf("the upstream got %d bytes, the device wrote %d", len(got), len(raw))
	}
	w.sync(w.account, false)
	w.up.reports = map[string][]byte{}
	w.up.take(t, w.request(w.account, false))
	if len(w.up.reports) != 0 {
		t.Error("an acknowledged report was sent again")
	}
	w.audit()
}

// report is one RUM report of a device for a tag.
func report(serial, tag string, id, until int64, counts ...int64) string {
	var p wire.ReportPayload
	p.Version = "2.0"
	p.AssetIdentification.ReportID = id
	p.AssetIdentification.Asset.Name = "software"
	p.AssetIdentification.Instance.SUDI = wire.SUDI{UDIPID: "R1000", UDISerialNumber: serial}
	p.Meta.EntitlementTag = tag
	for i, count := range counts {
		m := wire.Measurement{MetricName: "ENTITLEMENT", StartTime: until - 100, EndTime: until - int64(i)} // the first ends last
		m.Value.Type, m.Value.Value = "COUNT", strconv.FormatInt(count, 10)
		p.Measurements = append(p.Measurements, m)
	}
	payload, _ := json.Marshal(p)
	outer, _ := json.Marshal(map[string]any{"payload": string(payload), "signature": map[string]string{"value": "x"}})
	return "<RUMReport><![CDATA[" + string(outer) + "]]></RUMReport>"
}

func usage(reports ...string) []byte {
	return []byte("<smartLicense>" + strings.Join(reports, "\n") + "</smartLicense>")
}

// The newest measurement stands, in whichever order the reports arrive.
func TestTheOrderOfReportsDoesNotMatter(t *testing.T) {
	t.Parallel()
	reports := []string{report("A", "base", 1, 1000, 5, 9), report("A", "base", 2, 2000, 7), report("A", "base", 3, 3000, 0)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newWorld(t)
		for _, n := range order {
			if result, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(reports[n])); err != nil || result.Counted != 1 {
				t.Fatalf("%+v, %v", result, err)
			}
			w.audit()
		}
		if in := w.pool("base").InUse; in != 0 {
			t.Errorf("in the order %v, %d are in use; the newest report says 0", order, in)
		}
		list, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{})
		w.must(err)
		details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: list[0].PIID})
		if err != nil || len(list) != 1 || len(details.Licenses) != 0 {
			t.Errorf("the device is shown to hold %+v (%v)", details.Licenses, err)
		}
		// A newer one counts again.
		if _, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(report("A", "base", 4, 4000, 6, 1))); err != nil {
			t.Error(err)
		}
		if in := w.pool("base").InUse; in != 6 {
			t.Errorf("%d are in use, want 6", in)
		}
	}
}

func TestAUsageFileOfManyDevicesIsCountedInChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var reports []string
	for n := range 250 {
		reports = append(reports, report(fmt.Sprint("D", n%50), fmt.Sprint("tag", n%2), int64(n), int64(1000+n), 2))
	}
	file := usage(reports...)
	for _, want := range []satellite.ImportResult{{Reports: 250, Counted: 250}, {Reports: 250, Known: 250}} {
		if result, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file); err != nil || result != want {
			t.Errorf("%+v (%v), want %+v", result, err, want)
		}
	}
	if p := w.pool("tag0"); p.InUse != 50 || p.Balance() != -50 {
		t.Errorf("tag0 is %+v", p.Pool)
	}
	if n, err := w.service.CountInstances(w.ctx, admin, satellite.InstanceFilter{AccountID: w.account.ID}); n != 50 {
		t.Errorf("there are %d devices (%v), want 50", n, err)
	}
	w.audit()
}

func TestADeviceThatReportedKeepsItsRecordWhenItRegisters(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(strings.Replace(report("A", "base", 1, 1000, 4), "software", "regid.2026-01.example.OS,1.0_x", 1)))
	w.must(err)
	list, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{})
	if err != nil || len(list) != 1 || list[0].RegistrationState != satellite.Unregistered {
		t.Fatalf("%+v (%v)", list, err)
	}
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	if d.piid != list[0].PIID {
		t.Error("the device got another PIID")
	}
	if reply := d.ok(d.authorization()); mode(reply, "base") != "out-of-compliance 4" {
		t.Errorf("it is told %+v", reply.Data)
	}
	w.audit()
}

func TestFilesThatAreNoUsageFilesAreRefusedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.newAccount(satellite.NewAccount{Name: "Lab", Email: "admin@lab.example"})
	_, err := w.service.ImportUsage(w.ctx, admin, other.ID, usage(report("X", "base", 1, 1000, 4)))
	w.must(err)
	good := report("A", "base", 1, 1000, 4)
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "an empty list": []byte("<smartLicense></smartLicense>"), "cut short": usage(good)[:200],
		"a bad report behind a good one": usage(good, "<RUMReport><![CDATA[{}]]></RUMReport>"), "negative count": usage(report("A", "base", 1, 1000, -4)),
	} {
		w.unchanged(name, func() {
			_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
			refused(t, err, satellite.KindInvalid, "usage-file-invalid", "Nothing was imported")
		})
	}
	w.unchanged("a file over the bound", func() {
		_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, make([]byte, wire.MaxUsageFile+1))
		refused(t, err, satellite.KindTooLarge, "usage-file-too-large", "Nothing was imported")
	})
	w.unchanged("a device of another account", func() {
		_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(good, report("X", "base", 2, 2000, 4)))
		refused(t, err, satellite.KindConflict, "device-of-another-account")
	})
	viewer := w.viewer()
	w.unchanged("who may only read", func() {
		_, err := w.service.ImportUsage(w.ctx, viewer, w.account.ID, usage(good))
		refused(t, err, satellite.KindForbidden, "role-insufficient")
	})
}

func TestUsageOfOneLicenseIsListed(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10, end: begin.Add(50 * day)})
	_, text := w.token(satellite.NewToken{})
	for n := range 3 {
		d := w.device(fmt.Sprint("D", n)).register(text)
		d.ok(d.authorization("base", n))
	}
	details, err := w.service.License(w.ctx, admin, w.account.ID, "base")
	w.must(err)
	var counts []int64
	for _, u := range details[0].Usages {
		counts = append(counts, u.Count)
	}
	if len(details) != 1 || len(details[0].Lots) != 1 || details[0].Lots[0].End.Sub(begin).Round(time.Second) != 50*day || !slices.Equal(counts, []int64{1, 2}) {
		t.Errorf("the license is %+v", details)
	}
	_, err = w.service.License(w.ctx, admin, w.account.ID, "none")
	refused(t, err, satellite.KindNotFound, "license-not-found")
}

func TestWhatWasUsedCountsAlsoOfALicenseThatWouldBeRefused(t *testing.T) {
	t.Parallel()
	file, _, tag := usageFile(t)
	w := newWorld(t)
	w.trust()
	w.up.entitlements = map[string]wire.EntitlementRecord{tag: {Enforcement: "export-controlled"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: tag, quantity: 2}}
	w.sync(w.account, false)
	_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
	w.must(err)
	if p := w.pool(tag); p.InUse != 3 || !p.Short() {
		t.Errorf("the pool is %+v, want 3 in use", p.Pool)
	}
	w.audit()
}
