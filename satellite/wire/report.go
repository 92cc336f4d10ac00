package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Bounds of a usage file.
const (
	MaxUsageFile    = 64 << 20
	maxReport       = 512 << 10
	maxReports      = 50_000
	maxMeasurements = 20_000
)

// UsageReport is one RUM report: what a device measured of one entitlement.
// Raw is kept byte for byte, because the device's signature covers the payload
// string in it.
type UsageReport struct {
	Raw       []byte
	Payload   ReportPayload
	Signature ReportSignature
}

// ReportPayload is the payload of a report.
type ReportPayload struct {
	Version             string `json:"version"`
	AssetIdentification struct {
		ReportID int64 `json:"report_id"` // Unix seconds
		Asset    struct {
			Name string `json:"name"` // software tag
		} `json:"asset"`
		Instance struct {
			SUDI                      SUDI   `json:"sudi"`
			ProductInstanceIdentifier string `json:"product_instance_identifier"`
		} `json:"instance"`
	} `json:"asset_identification"`
	Meta struct {
		EntitlementTag  string `json:"entitlement_tag"`
		UtilityEnabled  bool   `json:"utility_enabled"`
		SoftwareVersion string `json:"software_version"`
	} `json:"meta"`
	Measurements []Measurement `json:"measurements"`
}

// Measurement is the count of an entitlement over a span of time.
type Measurement struct {
	LogTime    int64  `json:"log_time"` // Unix seconds, like the two below
	MetricName string `json:"metric_name"`
	StartTime  int64  `json:"start_time"`
	EndTime    int64  `json:"end_time"`
	Value      struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"value"`
}

// ReportSignature is the device's signature over the payload string.
type ReportSignature struct {
	SUDI        SUDI   `json:"sudi"`
	SigningType string `json:"signing_type"`
	Key         string `json:"key"`
	Value       string `json:"value"`
}

// Digest names the report: the SHA-256 of its bytes, in hexadecimal.
func (r UsageReport) Digest() string {
	sum := sha256.Sum256(r.Raw)
	return hex.EncodeToString(sum[:])
}

// Usage is the count of the measurement that ended last, and when that was. Of
// two that ended together the later one in the report counts.
func (r UsageReport) Usage() (count int64, end time.Time) {
	var last *Measurement
	for i := range r.Payload.Measurements {
		if m := &r.Payload.Measurements[i]; last == nil || m.EndTime >= last.EndTime {
			last = m
		}
	}
	// ReadUsageReport has checked that there is one, and that it is a number.
	count, _ = strconv.ParseInt(last.Value.Value, 10, 64)
	return count, time.Unix(last.EndTime, 0).UTC()
}

// ReadUsageReport takes one report apart. ErrTooLarge, ErrMalformed.
func ReadUsageReport(raw []byte) (UsageReport, error) {
	report := UsageReport{Raw: raw}
	if len(raw) > maxReport {
		return report, fmt.Errorf("%w: a report of %d bytes, at most %d are read", ErrTooLarge, len(raw), maxReport)
	}
	var outer struct {
		Payload   string          `json:"payload"`
		Signature ReportSignature `json:"signature"`
	}
	if err := decodeReport(raw, &outer); err != nil {
		return report, err
	}
	if err := decodeReport([]byte(outer.Payload), &report.Payload); err != nil {
		return report, fmt.Errorf("payload: %w", err)
	}
	report.Signature = outer.Signature
	p := report.Payload
	id := p.AssetIdentification
	for name, field := range map[string]string{
		"asset.name": id.Asset.Name, "udi_pid": id.Instance.SUDI.UDIPID,
		"udi_serial_number": id.Instance.SUDI.UDISerialNumber, "entitlement_tag": p.Meta.EntitlementTag,
	} {
		if field == "" || len(field) > maxField {
			return report, fmt.Errorf("%w: the report has no %s, or one of more than %d bytes", ErrMalformed, name, maxField)
		}
	}
	if len(p.Measurements) == 0 || len(p.Measurements) > maxMeasurements {
		return report, fmt.Errorf("%w: the report has %d measurements, 1 to %d are read", ErrMalformed, len(p.Measurements), maxMeasurements)
	}
	for i, m := range p.Measurements {
		count, err := strconv.ParseInt(m.Value.Value, 10, 64)
		if m.MetricName != "ENTITLEMENT" || m.Value.Type != "COUNT" || err != nil || count < 0 || count > 1<<31 {
			return report, fmt.Errorf("%w: measurement %d is no entitlement count of 0 to 2^31", ErrMalformed, i+1)
		}
	}
	return report, nil
}

func decodeReport(text []byte, into any) error {
	if depth(text) > maxDepth {
		return fmt.Errorf("%w: the report is nested deeper than %d", ErrTooLarge, maxDepth)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: the report is not the JSON it must be: %v", ErrMalformed, err)
	}
	return nil
}

// ReadUsageFile reads a bare <RUMReport>, or a <smartLicense> with many of
// them. ErrTooLarge, ErrMalformed; a file with one bad report is refused whole,
// and the message says which one it is.
func ReadUsageFile(file []byte) ([]UsageReport, error) {
	if len(file) > MaxUsageFile {
		return nil, fmt.Errorf("%w: a usage file of %d bytes, at most %d are read", ErrTooLarge, len(file), MaxUsageFile)
	}
	var reports []UsageReport
	decoder := xml.NewDecoder(bytes.NewReader(file))
	for level := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: this is no usage file: %v", ErrMalformed, err)
		}
		switch t := token.(type) {
		case xml.EndElement:
			level--
		case xml.StartElement:
			if t.Name.Local != "RUMReport" {
				if level++; level > maxDepth {
					return nil, fmt.Errorf("%w: the usage file is nested deeper than %d", ErrTooLarge, maxDepth)
				}
				continue
			}
			raw, err := elementText(decoder, file)
			if err != nil {
				return nil, err
			}
			report, err := ReadUsageReport(raw)
			if err != nil {
				return nil, fmt.Errorf("report %d of the file: %w", len(reports)+1, err)
			}
			if reports = append(reports, report); len(reports) > maxReports {
				return nil, fmt.Errorf("%w: more than %d reports in one file", ErrTooLarge, maxReports)
			}
		}
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("%w: the file holds no <RUMReport>", ErrMalformed)
	}
	return reports, nil
}

// elementText is the text of the element that was just opened. A CDATA section
// is cut out of the file itself: the XML reader would turn CR LF into LF, and
// the bytes must stay as the device wrote them.
func elementText(decoder *xml.Decoder, file []byte) ([]byte, error) {
	start := decoder.InputOffset()
	var text strings.Builder
	for {
		end := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: a <RUMReport> is not closed: %v", ErrMalformed, err)
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			return nil, fmt.Errorf("%w: <%s> inside a <RUMReport>", ErrMalformed, clip(t.Name.Local))
		case xml.EndElement:
			inner := bytes.TrimSpace(file[start:end])
			if cut, ok := bytes.CutPrefix(inner, []byte("<![CDATA[")); ok {
				if cut, ok := bytes.CutSuffix(cut, []byte("]]>")); ok && !bytes.Contains(cut, []byte("]]>")) {
					return bytes.Clone(cut), nil
				}
			}
			return []byte(strings.TrimSpace(text.String())), nil
		}
	}
}
