package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/agent"
)

// BenchmarkDevicePath measures registrations and authorizations over real TLS,
// server and fleet in one process:
//
//	go test ./cmd/satellite -run '^$' -bench DevicePath -benchtime 5s
//
// docs/performance.md is made with two processes; this is for profiles.
func BenchmarkDevicePath(b *testing.B) {
	for _, op := range []agent.Operation{agent.OpRegister, agent.OpAuthorize} {
		for _, concurrency := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", op, concurrency), func(b *testing.B) { benchmarkFleet(b, op, concurrency) })
		}
	}
}

func benchmarkFleet(b *testing.B, op agent.Operation, concurrency int) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	c, err := loadConfig("")
	if err != nil {
		b.Fatal(err)
	}
	folder := b.TempDir()
	c.Data, c.Listen.Address = filepath.Join(folder, "satellite"), "127.0.0.1:0"
	s, err := start(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	addresses, ended := make(chan ready, 1), make(chan error, 1)
	go func() {
		ended <- s.run(ctx, func(r ready) error {
			addresses <- r
			return nil
		})
	}()
	told := &story{out: b.Output(), folder: folder, now: s.machine.Now, service: s.service, bundle: s.bundle, addresses: <-addresses}
	for _, chapter := range []func(context.Context) error{told.order, told.registerAccount, told.createToken} {
		if err := chapter(ctx); err != nil {
			b.Fatal(err)
		}
	}
	fleet := agent.Fleet{
		URL: told.addresses.DeviceURL, Bundle: s.bundle.read(), Token: told.token, Tag: demoTag, Count: 1,
		Devices: 500, Concurrency: concurrency, Duration: 3 * time.Second, Op: op, Now: time.Now,
	}
	if op == agent.OpRegister {
		fleet.Devices = 20_000
	}
	b.ResetTimer()
	for b.Loop() {
		result, err := fleet.Run(ctx)
		if err != nil || result.Errors > 0 {
			b.Fatal(err, result)
		}
		b.ReportMetric(result.RatePerSecond, "ops/s")
		b.ReportMetric(result.P99, "p99-ms")
	}
	b.StopTimer()
	if audit, err := s.service.VerifyEvents(ctx); err != nil || audit.Problem != "" {
		b.Error(err, audit.Problem)
	}
	if _, err := s.service.Licenses(ctx, demoActor(), satellite.PoolFilter{}); err != nil {
		b.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
