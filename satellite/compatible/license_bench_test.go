package compatible_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
)

// BenchmarkLicenses is one answer with all licenses of an account: each with a
// lot in the first place, of which a part was moved to every other one, and
// every second one with a tier above it.
func BenchmarkLicenses(b *testing.B) {
	for _, size := range []struct{ licenses, places int }{{20, 10}, {100, 20}} {
		b.Run(fmt.Sprintf("rows=%d", size.licenses*size.places), func(b *testing.B) {
			handler, token := warehouse(b, size.licenses, size.places)
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/accounts/Depot/licenses", strings.NewReader(`{"limit":-1}`))
				request.Header.Set("Authorization", "Bearer "+token)
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, request)
				if answer.Code != http.StatusOK || strings.Count(answer.Body.String(), `"licenseDetails":[{`) != size.licenses*size.places {
					b.Fatalf("%d %.300s", answer.Code, answer.Body)
				}
			}
		})
	}
}

// warehouse is the API of a satellite with an account "Depot", and an access token.
func warehouse(b *testing.B, licenses, places int) (handler http.Handler, token string) {
	b.Helper()
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	folder := b.TempDir()
	keys, err := certs.LoadKeyFile(filepath.Join(folder, "key"))
	check(err)
	s, err := store.Open(b.Context(), store.Options{Path: filepath.Join(folder, "satellite.db")})
	check(err)
	b.Cleanup(func() { check(s.Close()) })
	service, err := satellite.New(b.Context(), satellite.Ports{
		Store: s, Issuer: issuer.New(keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: keys, Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: folder})
	check(err)
	admin := satellite.Actor{Name: "bench", Role: satellite.RoleSystemAdmin}
	account, err := service.CreateAccount(b.Context(), admin, satellite.NewAccount{Name: "Depot", Email: "a@depot.example"})
	check(err)
	check(s.Update(b.Context(), func(tx satellite.Tx) error { return stockUp(tx, account.ID, licenses, places) }))
	tick := now
	client, secret, err := service.CreateAPIClient(b.Context(), admin, "bench", satellite.Grant{Role: satellite.RoleSystemAdmin})
	check(err)
	access, err := service.ClientAccessToken(b.Context(), "", client.ClientID, secret)
	check(err)
	return compatible.Handler(compatible.Options{
		Service: service, Log: slog.New(slog.DiscardHandler),
		Now:     func() time.Time { tick = tick.Add(time.Second); return tick }, // no rate is ever exceeded
		SignIns: auth.NewLimiter(machine),
	}), access.Text
}

func stockUp(tx satellite.Tx, account satellite.AccountID, licenses, places int) error {
	virtual, err := tx.VirtualAccounts(account)
	if err != nil {
		return err
	}
	for n := 1; n < places; n++ {
		v, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account, Name: fmt.Sprintf("Floor %03d", n)})
		if err != nil {
			return err
		}
		virtual = append(virtual, v)
	}
	var lots []satellite.Lot
	var above satellite.License
	for n := range licenses {
		l := satellite.License{AccountID: account, Tag: fmt.Sprintf("regid.2026-01.com.example.L%03d,1.0", n), Name: fmt.Sprintf("License %03d", n), Type: satellite.LicenseSubscription, Enforcement: satellite.Unenforced, Billing: satellite.BillingPrepaid}
		if n%2 == 1 {
			l.HigherTier = above.Tag
		}
		if l, err = tx.CreateLicense(l); err != nil {
			return err
		}
		if n%2 == 1 {
			above.Family, l.Family = above.ID, above.ID
			if err := tx.SaveLicense(above); err != nil {
				return err
			}
			if err := tx.SaveLicense(l); err != nil {
				return err
			}
		}
		above = l
		lots = append(lots, satellite.Lot{
			UpstreamID: fmt.Sprint("lot-", n), AccountID: account, VirtualAccountID: virtual[0].ID, LicenseID: l.ID, Type: l.Type,
			Quantity: 10_000, Start: now.AddDate(0, -1, 0), End: now.AddDate(1, 0, 0), SubscriptionID: fmt.Sprint("Sub", n),
		})
	}
	if err := tx.ReplaceLots(account, lots); err != nil {
		return err
	}
	for _, lot := range lots {
		for i, v := range virtual {
			p := satellite.Pool{AccountID: account, VirtualAccountID: v.ID, LicenseID: lot.LicenseID, PurchasedUntil: lot.End, InUse: 5, TransferredIn: 100}
			if i == 0 {
				p.Purchased, p.TransferredIn, p.TransferredOut = lot.Quantity, 0, int64(100*(places-1))
			} else if err := tx.SaveLotTransfer(satellite.LotTransfer{Lot: lot, From: virtual[0].ID, To: v.ID, Quantity: 100, At: now}); err != nil {
				return err
			}
			if _, err := tx.SavePool(p); err != nil {
				return err
			}
		}
	}
	return nil
}
