package store

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssm/satellite"
)

// BenchmarkUpdate is the database's part of an authorization: find the device
// and what it holds, look for a kept reply, write contact, reply and event.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "satellite.db"))
			ctx := context.Background()
			at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			const devices = 10_000
			err := s.Update(ctx, func(tx satellite.Tx) error {
				account, err := tx.CreateAccount(satellite.Account{Name: "a"})
				if err != nil {
					return err
				}
				virtual, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: "Default"})
				if err != nil {
					return err
				}
				license, err := tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: "tag"})
				if err != nil {
					return err
				}
				if _, err := tx.SavePool(satellite.Pool{AccountID: account.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID, Purchased: 2 * devices, InUse: devices}); err != nil {
					return err
				}
				for n := range devices {
					i, err := tx.CreateInstance(satellite.Instance{PIID: fmt.Sprint(n), AccountID: account.ID, VirtualAccountID: virtual.ID, Identity: satellite.Identity{UDISerialNumber: fmt.Sprint(n)}})
					if err != nil {
						return err
					}
					if err := tx.SaveUsage(satellite.Usage{InstanceID: i.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID, Count: 1}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			reply := make([]byte, 800)
			var next atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						piid, nonce := fmt.Sprint(n%devices), fmt.Sprint(n)
						err := s.Update(ctx, func(tx satellite.Tx) error {
							instance, err := tx.Instance(piid)
							if err != nil {
								return err
							}
							if _, err := tx.Reply(piid, nonce); satellite.KindOf(err) != satellite.KindNotFound {
								return fmt.Errorf("a reply: %w", err)
							}
							if _, err := tx.Holdings(instance.ID); err != nil {
								return err
							}
							instance.LastContactAt = at
							if err := tx.TouchInstance(instance); err != nil {
								return err
							}
							if err := tx.SaveReply(piid, nonce, reply, at); err != nil {
								return err
							}
							return tx.Record(satellite.Event{At: at, Type: satellite.EventDeviceAuthorized, AccountID: instance.AccountID, PIID: piid, Message: "Device: authorized."})
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
