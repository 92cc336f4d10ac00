package telemetry

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ssm/satellite/wire"
)

// other is the label value for whatever has no name of its own, so that a
// stranger cannot make time series.
const other = "other"

// maxCodes is how many different codes get a time series. The domain has fewer.
const maxCodes = 100

var requestTypes = []string{string(wire.Registration), string(wire.Authorization), string(wire.Renewal), string(wire.Deregistration)}

// Metrics counts what happens, for Prometheus, in a registry of its own. It is
// the satellite.Observer of a server and safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	messages *prometheus.CounterVec
	duration *prometheus.HistogramVec
	syncs    *prometheus.CounterVec

	mutex sync.Mutex
	codes map[string]bool
}

// NewMetrics also tells of the Go runtime, the process and the build.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "satellite_device_messages_total", Help: "Device messages answered, by request type and code; the code is ok or that of the refusal.",
		}, []string{"type", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "satellite_device_message_seconds", Help: "Time from reading a device message to its signed answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15), // 0.5 ms to 8 s
		}, []string{"type"}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "satellite_syncs_total", Help: "Steps of synchronization with the upstream, by direction and result.",
		}, []string{"direction", "result"}),
		codes: map[string]bool{},
	}
	m.registry.MustRegister(m.messages, m.duration, m.syncs, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

// DeviceMessage counts an answered message.
func (m *Metrics) DeviceMessage(requestType, code string, took time.Duration) {
	if !slices.Contains(requestTypes, requestType) {
		requestType = other
	}
	m.messages.WithLabelValues(requestType, m.known(code)).Inc()
	m.duration.WithLabelValues(requestType).Observe(took.Seconds())
}

// SyncDone counts a step of synchronization.
func (m *Metrics) SyncDone(direction string, ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	m.syncs.WithLabelValues(m.known(direction), result).Inc()
}

// known is the value itself for the first maxCodes different ones, then other.
func (m *Metrics) known(value string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.codes[value] {
		return value
	}
	if len(m.codes) >= maxCodes {
		return other
	}
	m.codes[value] = true
	return value
}

// Gauge adds a value that is asked for whenever the metrics are read. It must
// be quick. A name that is taken or that Prometheus does not allow panics, as a
// fault of the program.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Handler serves the metrics in the formats of Prometheus, to a few readers at a time.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}
