package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func realFile(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/report-c9800.xml")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheReportOfARealDeviceIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	file := realFile(t)
	reports, err := ReadUsageFile(file)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	r := reports[0]
	cut := file[bytes.Index(file, []byte("[CDATA["))+7 : bytes.Index(file, []byte("]]>"))]
	if !bytes.Equal(r.Raw, cut) {
		t.Error("the bytes are not those of the file")
	}
	id := r.Payload.AssetIdentification
	if count, end := r.Usage(); count != 3 || end.Unix() != 1673790212 {
		t.Errorf("it counts %d until %v", count, end)
	}
	if id.ReportID != 1671840750 || id.Instance.SUDI.UDIPID != "C9800-CL-K9" || id.Instance.SUDI.UDISerialNumber != "9NTUEA8FIIH" || r.Payload.Meta.SoftwareVersion != "17.09.02" || len(r.Payload.Measurements) != 3 {
		t.Errorf("it reads as %+v", r.Payload)
	}
	if !strings.HasPrefix(r.Signature.Value, "Tq2q") || len(r.Digest()) != 64 {
		t.Errorf("its signature is %+v, its digest %s", r.Signature, r.Digest())
	}
	// The line ends of the file are the device's: the XML reader would change them.
	windows := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
	if reports, err = ReadUsageFile(windows); err != nil || !bytes.Equal(reports[0].Raw, bytes.ReplaceAll(cut, []byte("\n"), []byte("\r\n"))) {
		t.Errorf("with CR LF the bytes change (%v)", err)
	}
}

func raw(counts ...string) string {
	var list []string
	for i, c := range counts {
		list = append(list, fmt.Sprintf(`{"metric_name":"ENTITLEMENT","end_time":%d,"value":{"type":"COUNT","value":%q}}`, 1000+i/2, c))
	}
	payload := `{"asset_identification":{"report_id":1,"asset":{"name":"s"},"instance":{"sudi":{"udi_pid":"p","udi_serial_number":"n"}}},"meta":{"entitlement_tag":"t"},"measurements":[` + strings.Join(list, ",") + `]}`
	text, _ := json.Marshal(map[string]string{"payload": payload})
	return string(text)
}

func TestTheMeasurementThatEndedLastCounts(t *testing.T) {
	t.Parallel()
	report, err := ReadUsageReport([]byte(raw("1", "2", "3", "4"))) // two pairs that ended together
	if err != nil {
		t.Fatal(err)
	}
	if count, end := report.Usage(); count != 4 || end.Unix() != 1001 {
		t.Errorf("it counts %d until %v", count, end)
	}
}

func TestUsageFilesTakeSeveralForms(t *testing.T) {
	t.Parallel()
	one, two := raw("1"), raw("2")
	wrap := func(text string) string { return "<RUMReport><![CDATA[" + text + "]]></RUMReport>" }
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(one)
	for name, c := range map[string]struct {
		file string
		raw  []string
	}{
		"one":                     {wrap(one), []string{one}},
		"with a declaration":      {`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + wrap(one), []string{one}},
		"many":                    {"<smartLicense>\n" + wrap(one) + "\n" + wrap(two) + "<smartLicenseSystemInfo><a>x</a></smartLicenseSystemInfo></smartLicense>", []string{one, two}},
		"as text":                 {"<RUMReport> " + escaped + "\n</RUMReport>", []string{one}},
		"blanks around the CDATA": {"<RUMReport>\r\n <![CDATA[" + one + "]]>\r\n</RUMReport>", []string{one}},
		"in two sections":         {"<RUMReport><![CDATA[" + one[:20] + "]]><![CDATA[" + one[20:] + "]]></RUMReport>", []string{one}},
	} {
		reports, err := ReadUsageFile([]byte(c.file))
		if err != nil || len(reports) != len(c.raw) {
			t.Errorf("%s: %d reports, %v", name, len(reports), err)
			continue
		}
		for i, r := range reports {
			if string(r.Raw) != c.raw[i] {
				t.Errorf("%s: report %d is %s", name, i+1, r.Raw)
			}
		}
	}
}

func TestUsageFilesOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	wrap := func(text string) string { return "<RUMReport><![CDATA[" + text + "]]></RUMReport>" }
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for name, c := range map[string]struct {
		file string
		want error
	}{
		"nothing":              {"", ErrMalformed},
		"no report":            {"<smartLicense/>", ErrMalformed},
		"not closed":           {"<RUMReport>" + raw("1"), ErrMalformed},
		"an element inside":    {"<RUMReport><a/></RUMReport>", ErrMalformed},
		"no JSON":              {wrap("x"), ErrMalformed},
		"no payload":           {wrap("{}"), ErrMalformed},
		"no measurement":       {wrap(raw()), ErrMalformed},
		"a negative count":     {wrap(raw("-1")), ErrMalformed},
		"a count of words":     {wrap(raw("three")), ErrMalformed},
		"a count over 2^31":    {wrap(raw("2147483649")), ErrMalformed},
		"JSON nested deep":     {wrap(deep), ErrTooLarge},
		"XML nested deep":      {strings.Repeat("<a>", maxDepth+1), ErrTooLarge},
		"a report over bounds": {wrap(strings.Repeat(" ", maxReport) + raw("1")), ErrTooLarge},
		"a file over bounds":   {strings.Repeat(" ", MaxUsageFile+1), ErrTooLarge},
		"an entity":            {`<!DOCTYPE a [<!ENTITY b "bbbb">]><RUMReport>&b;</RUMReport>`, ErrMalformed},
		"another encoding":     {`<?xml version="1.0" encoding="UTF-16"?>` + wrap(raw("1")), ErrMalformed},
		"a bad one behind":     {"<s>" + wrap(raw("1")) + wrap("{}") + "</s>", ErrMalformed},
		"no serial number":     {wrap(strings.Replace(raw("1"), `\"n\"`, `\"\"`, 1)), ErrMalformed},
		"another metric":       {wrap(strings.Replace(raw("1"), "ENTITLEMENT", "DANCE", 1)), ErrMalformed},
		"too many values":      {wrap(raw(strings.Split(strings.Repeat("1,", maxMeasurements+1), ",")[:maxMeasurements+1]...)), ErrTooLarge},
	} {
		if reports, err := ReadUsageFile([]byte(c.file)); !errors.Is(err, c.want) || reports != nil {
			t.Errorf("%s: %d reports, %v, want %v", name, len(reports), err, c.want)
		}
	}
}
