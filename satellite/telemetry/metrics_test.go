package telemetry_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/telemetry"
	"ssm/satellite/wire"
)

var _ satellite.Observer = telemetry.NewMetrics()

func scrape(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	server := httptest.NewServer(metrics.Handler())
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	return string(body)
}

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics()
	metrics.DeviceMessage(string(wire.Registration), "ok", 3*time.Millisecond)
	metrics.DeviceMessage(string(wire.Registration), "ok", 3*time.Millisecond)
	metrics.DeviceMessage(string(wire.Authorization), "clock-skew", time.Millisecond)
	metrics.SyncDone("request", true)
	metrics.SyncDone("response", false)
	instances := 41.0
	metrics.Gauge("satellite_instances", "Product instances registered.", func() float64 { return instances })
	instances++
	text := scrape(t, metrics)
	for _, want := range []string{
		`satellite_device_messages_total{code="ok",type="REGISTRATION"} 2`,
		`satellite_device_messages_total{code="clock-skew",type="AUTHORIZATION"} 1`,
		`satellite_device_message_seconds_count{type="REGISTRATION"} 2`,
		`satellite_device_message_seconds_bucket{type="REGISTRATION",le="0.004"} 2`,
		`satellite_device_message_seconds_bucket{type="REGISTRATION",le="0.002"} 0`,
		`satellite_syncs_total{direction="request",result="ok"} 1`,
		`satellite_syncs_total{direction="response",result="failed"} 1`,
		"satellite_instances 42", "go_build_info{", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestStrangersCannotMakeTimeSeries(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics()
	for i := range 1000 {
		metrics.DeviceMessage(fmt.Sprint("INVENTED-", i), fmt.Sprint("code-", i), time.Millisecond)
	}
	text := scrape(t, metrics)
	if strings.Contains(text, "INVENTED") || !strings.Contains(text, `satellite_device_messages_total{code="other",type="other"} 900`) {
		t.Error("invented request types have time series")
	}
	if series := strings.Count(text, "satellite_device_messages_total{"); series != 101 {
		t.Errorf("%d time series of messages", series)
	}
}
