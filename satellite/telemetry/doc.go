// Package telemetry is what the satellite tells of itself: logs without
// secrets, metrics for Prometheus (the only package that knows it), health and
// readiness.
package telemetry
