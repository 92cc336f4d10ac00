package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// recorder notes every statement on its way to the database, from gorm and from
// the device path alike.
type recorder struct {
	gorm.ConnPool
	statements
	seen *[]statement
}

type statement struct {
	text string
	args []any
}

func (r recorder) exec(query string, args ...any) (sql.Result, error) {
	*r.seen = append(*r.seen, statement{query, args})
	return r.statements.exec(query, args...)
}

func (r recorder) query(query string, args ...any) (*sql.Rows, error) {
	*r.seen = append(*r.seen, statement{query, args})
	return r.statements.query(query, args...)
}

func (r recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	*r.seen = append(*r.seen, statement{query, args})
	return r.ConnPool.ExecContext(ctx, query, args...)
}

func (r recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*r.seen = append(*r.seen, statement{query, args})
	return r.ConnPool.QueryContext(ctx, query, args...)
}

// methods are those of Tx that run while a device waits or a person looks, with
// every filter of every listing. Not here: RecountPools, which reads everything
// because that is what it is for, and what reads one of a handful of rows.
func methods(account satellite.AccountID, virtual satellite.VirtualAccountID, license satellite.LicenseID, instance satellite.Instance, token satellite.Token) map[string]func(satellite.Tx) error {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	first, next := satellite.Page{Limit: 10}, satellite.Page{Limit: 10, After: 5}
	all := satellite.Scope{All: true}
	one := satellite.Scope{VirtualAccounts: []satellite.VirtualAccountID{virtual}}
	some := satellite.Scope{Accounts: []satellite.AccountID{account + 1, account + 2}, VirtualAccounts: []satellite.VirtualAccountID{virtual, virtual + 1}}
	m := map[string]func(satellite.Tx) error{
		"User":                func(tx satellite.Tx) error { _, err := tx.User(1); return err },
		"GrantsOf":            func(tx satellite.Tx) error { _, err := tx.GrantsOf(1); return err },
		"DeleteSessionsOf":    func(tx satellite.Tx) error { return tx.DeleteSessionsOf(1) },
		"APIClient":           func(tx satellite.Tx) error { _, err := tx.APIClient(1); return err },
		"APIClientByClientID": func(tx satellite.Tx) error { _, err := tx.APIClientByClientID("x"); return err },
		"APIClientByName":     func(tx satellite.Tx) error { _, err := tx.APIClientByName("x"); return err },
		"SaveAPIClient":       func(tx satellite.Tx) error { return tx.SaveAPIClient(satellite.APIClient{ID: 1}) },
		"Account":             func(tx satellite.Tx) error { _, err := tx.Account(account); return err },
		"Authority":           func(tx satellite.Tx) error { _, err := tx.Authority(account); return err },
		"VirtualAccounts":     func(tx satellite.Tx) error { _, err := tx.VirtualAccounts(account); return err },
		"VirtualAccountHolds": func(tx satellite.Tx) error { _, err := tx.VirtualAccountHolds(virtual, at); return err },
		"Token":               func(tx satellite.Tx) error { _, err := tx.Token(token.ID); return err },
		"TokenByHash":         func(tx satellite.Tx) error { _, err := tx.TokenByHash(token.Hash); return err },
		"SaveToken":           func(tx satellite.Tx) error { return tx.SaveToken(token) },
		"Instance":            func(tx satellite.Tx) error { _, err := tx.Instance(instance.PIID); return err },
		"InstanceByIdentity":  func(tx satellite.Tx) error { _, err := tx.InstanceByIdentity(instance.Identity); return err },
		"InstancesByUDI":      func(tx satellite.Tx) error { _, err := tx.InstancesByUDI("R1", "A"); return err },
		"SaveInstance":        func(tx satellite.Tx) error { return tx.SaveInstance(instance) },
		"TouchInstance":       func(tx satellite.Tx) error { return tx.TouchInstance(instance) },
		"Certificate":         func(tx satellite.Tx) error { _, err := tx.Certificate([32]byte{1}); return err },
		"SaveCertificate": func(tx satellite.Tx) error {
			return tx.SaveCertificate(satellite.Certificate{AccountID: account, DER: []byte{1}})
		},
		"RevokedCertificates": func(tx satellite.Tx) error { _, err := tx.RevokedCertificates(account); return err },
		"Reservation":         func(tx satellite.Tx) error { _, err := tx.Reservation(1); return err },
		"ReservationByUDI":    func(tx satellite.Tx) error { _, err := tx.ReservationByUDI("R1", "A"); return err },
		"ReservedItems":       func(tx satellite.Tx) error { _, err := tx.ReservedItems(virtual, license); return err },
		"EndedReservations":   func(tx satellite.Tx) error { _, err := tx.EndedReservations(at, 5, 10); return err },
		"CreateReservation": func(tx satellite.Tx) error {
			_, err := tx.CreateReservation(satellite.Reservation{AccountID: account, VirtualAccountID: virtual})
			return err
		},
		"SaveReservation": func(tx satellite.Tx) error { return tx.SaveReservation(satellite.Reservation{ID: 1}) },
		"Reservations": func(tx satellite.Tx) error {
			_, err := tx.Reservations(satellite.ReservationFilter{Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"Reservations of an account": func(tx satellite.Tx) error {
			_, err := tx.Reservations(satellite.ReservationFilter{AccountID: account, Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"Reservations of a virtual account": func(tx satellite.Tx) error {
			_, err := tx.Reservations(satellite.ReservationFilter{AccountID: account, VirtualAccountID: virtual, Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"Reply":               func(tx satellite.Tx) error { _, err := tx.Reply("device", "1"); return err },
		"SaveReply":           func(tx satellite.Tx) error { return tx.SaveReply("device", "1", []byte{1}, at) },
		"DeleteRepliesBefore": func(tx satellite.Tx) error { _, err := tx.DeleteRepliesBefore(at, 10); return err },
		"IdempotencyClaim":    func(tx satellite.Tx) error { _, err := tx.IdempotencyClaim("user:1", "a"); return err },
		"SaveIdempotencyClaim": func(tx satellite.Tx) error {
			return tx.SaveIdempotencyClaim(satellite.IdempotencyClaim{Actor: "user:1", Key: "a", Fingerprint: []byte{1}, At: at})
		},
		"CountIdempotencyClaims":        func(tx satellite.Tx) error { _, err := tx.CountIdempotencyClaims("user:1"); return err },
		"DeleteIdempotencyClaimsBefore": func(tx satellite.Tx) error { _, err := tx.DeleteIdempotencyClaimsBefore(at, 10); return err },
		"LicenseByTag":                  func(tx satellite.Tx) error { _, err := tx.LicenseByTag(account, "tag"); return err },
		"Lots":                          func(tx satellite.Tx) error { _, err := tx.Lots(virtual, license); return err },
		"ReplaceLots":                   func(tx satellite.Tx) error { return tx.ReplaceLots(account, nil) },
		"LotsEnding": func(tx satellite.Tx) error {
			_, err := tx.LotsEnding(satellite.EndingLot{ID: 5, Lot: satellite.Lot{End: at}}, at.AddDate(1, 0, 0), 10)
			return err
		},
		"MoveLots":       func(tx satellite.Tx) error { return tx.MoveLots(virtual, virtual) },
		"LotTransfers":   func(tx satellite.Tx) error { _, err := tx.LotTransfers(virtual, license); return err },
		"LotTransfersOf": func(tx satellite.Tx) error { _, err := tx.LotTransfersOf(account); return err },
		"SaveLotTransfer": func(tx satellite.Tx) error {
			return tx.SaveLotTransfer(satellite.LotTransfer{Lot: satellite.Lot{UpstreamID: "lot", AccountID: account, LicenseID: license}, From: virtual, To: virtual, Quantity: 1})
		},
		"SaveLotTransfer of 0": func(tx satellite.Tx) error {
			return tx.SaveLotTransfer(satellite.LotTransfer{Lot: satellite.Lot{UpstreamID: "lot", AccountID: account, LicenseID: license}, From: virtual, To: virtual})
		},
		"PoolsDue":    func(tx satellite.Tx) error { _, err := tx.PoolsDue(at, 10); return err },
		"Family":      func(tx satellite.Tx) error { _, err := tx.Family(virtual, license); return err },
		"CountUsages": func(tx satellite.Tx) error { _, err := tx.CountUsages(virtual, license); return err },
		"open alert of a key": func(tx satellite.Tx) error {
			_, err := tx.Alerts(satellite.AlertFilter{AccountID: account, Type: satellite.AlertLicensesExpiring, Key: "lot", Scope: satellite.Scope{All: true}}, satellite.Page{Limit: 1})
			return err
		},
		"Pool":     func(tx satellite.Tx) error { _, err := tx.Pool(virtual, license); return err },
		"SavePool": func(tx satellite.Tx) error { _, err := tx.SavePool(satellite.Pool{ID: 1}); return err },
		"Pools": func(tx satellite.Tx) error {
			_, err := tx.Pools(satellite.PoolFilter{Scope: satellite.Scope{All: true}, AccountID: account})
			return err
		},
		"Holdings": func(tx satellite.Tx) error { _, err := tx.Holdings(instance.ID); return err },
		"HoldingsOf": func(tx satellite.Tx) error {
			_, err := tx.HoldingsOf([]satellite.InstanceID{instance.ID, 7, 8})
			return err
		},
		"Pools of virtual accounts": func(tx satellite.Tx) error {
			_, err := tx.Pools(satellite.PoolFilter{Scope: satellite.Scope{VirtualAccounts: []satellite.VirtualAccountID{virtual, virtual + 1}}, AccountID: account})
			return err
		},
		"UsagesOf": func(tx satellite.Tx) error { _, err := tx.UsagesOf(virtual, license, next); return err },
		"SaveUsage": func(tx satellite.Tx) error {
			return tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, VirtualAccountID: virtual, LicenseID: license, Count: 1})
		},
		"SaveUsage of 0": func(tx satellite.Tx) error {
			return tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, VirtualAccountID: virtual, LicenseID: license})
		},
		"ReportByDigest":    func(tx satellite.Tx) error { _, err := tx.ReportByDigest(account, "x"); return err },
		"ReportByKey":       func(tx satellite.Tx) error { _, err := tx.ReportByKey(account, satellite.ReportKey{}); return err },
		"ReportsToSend":     func(tx satellite.Tx) error { _, err := tx.ReportsToSend(account, next); return err },
		"AcknowledgeReport": func(tx satellite.Tx) error { return tx.AcknowledgeReport(account, "x", at) },
		"Record":            func(tx satellite.Tx) error { return tx.Record(satellite.Event{Type: "x"}) },
		"EventsAfter": func(tx satellite.Tx) error {
			_, err := tx.EventsAfter(satellite.EventKey{Node: "1", Number: 5}, 10)
			return err
		},
		"PruneEvents": func(tx satellite.Tx) error { return tx.PruneEvents(satellite.EventBeginning{Node: "1", Number: 5}) },
		"LicensesOf":  func(tx satellite.Tx) error { _, err := tx.LicensesOf(account); return err },
		"LotsOf":      func(tx satellite.Tx) error { _, err := tx.LotsOf(account); return err },
		"Alerts": func(tx satellite.Tx) error {
			_, err := tx.Alerts(satellite.AlertFilter{AccountID: account, Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"EventHeads":       func(tx satellite.Tx) error { _, err := tx.EventHeads(); return err },
		"ChangedInstances": func(tx satellite.Tx) error { _, err := tx.ChangedInstances(account, 5, 10); return err },
		"ChangedPools":     func(tx satellite.Tx) error { _, err := tx.ChangedPools(account, 5, 10); return err },
		"WorkingTokens": func(tx satellite.Tx) error {
			_, err := tx.WorkingTokens(virtual, time.UnixMicro(1), 10)
			return err
		},
		"ChangedTokens":       func(tx satellite.Tx) error { _, err := tx.ChangedTokens(account, 5, 10); return err },
		"ChangedReservations": func(tx satellite.Tx) error { _, err := tx.ChangedReservations(account, 5, 10); return err },
		"ChangedTransfers":    func(tx satellite.Tx) error { _, err := tx.ChangedTransfers(account, 5, 10); return err },
		"Tombstones":          func(tx satellite.Tx) error { _, err := tx.Tombstones(account, 5, 10); return err },
		"DeleteTombstones":    func(tx satellite.Tx) error { return tx.DeleteTombstones(account, 5) },
		"AddSyncExchange": func(tx satellite.Tx) error {
			return tx.AddSyncExchange(satellite.SyncExchange{AccountID: account}, 10)
		},
		"SyncSchedule":     func(tx satellite.Tx) error { _, err := tx.SyncSchedule(account); return err },
		"SaveSyncSchedule": func(tx satellite.Tx) error { return tx.SaveSyncSchedule(satellite.SyncSchedule{AccountID: account}) },
		"SwapSent": func(tx satellite.Tx) error {
			_, err := tx.SwapSent(account, string(wire.RecordDevice), "x", [32]byte{1})
			return err
		},
		"SwapSent to none": func(tx satellite.Tx) error {
			_, err := tx.SwapSent(account, string(wire.RecordDevice), "x", [32]byte{})
			return err
		},
		"StageRecords": func(tx satellite.Tx) error {
			return tx.StageRecords(account, []satellite.StagedRecord{{Position: 1, Record: wire.Record{Kind: wire.RecordRecovery, Key: "x"}}})
		},
		"StagedRecords":     func(tx satellite.Tx) error { _, err := tx.StagedRecords(account, 10); return err },
		"DropStagedRecords": func(tx satellite.Tx) error { _, err := tx.DropStagedRecords(account, 10); return err },
		"Session":           func(tx satellite.Tx) error { _, err := tx.Session("key"); return err },
		"ended sessions":    func(tx satellite.Tx) error { return tx.DeleteSessionsBefore(at) },
		"Nomination":        func(tx satellite.Tx) error { _, err := tx.Nomination(account); return err },
		"SaveNomination":    func(tx satellite.Tx) error { return tx.SaveNomination(satellite.Nomination{AccountID: account}) },
		"Agreement":         func(tx satellite.Tx) error { _, err := tx.Agreement(account, "1"); return err },
		"Acceptances":       func(tx satellite.Tx) error { _, err := tx.Acceptances(account); return err },
		"Upgrade":           func(tx satellite.Tx) error { _, err := tx.Upgrade(account); return err },
		"tags of a virtual account": func(tx satellite.Tx) error {
			_, err := tx.CustomTags(satellite.TagOwner{AccountID: account, VirtualAccountID: virtual})
			return err
		},
		"tags of a license": func(tx satellite.Tx) error {
			_, err := tx.CustomTags(satellite.TagOwner{AccountID: account, LicenseID: license})
			return err
		},
		"SaveVirtualAccount": func(tx satellite.Tx) error {
			return tx.SaveVirtualAccount(satellite.VirtualAccount{ID: virtual, Name: "b"})
		},
		"MoveVirtualAccount": func(tx satellite.Tx) error { return tx.MoveVirtualAccount(virtual, virtual) },
		"DeleteInstance":     func(tx satellite.Tx) error { return tx.DeleteInstance(instance) },
		"Peers": func(tx satellite.Tx) error {
			_, err := tx.Peers(satellite.Instance{VirtualAccountID: virtual, ApplicationID: "core"})
			return err
		},
		"QuietInstances":     func(tx satellite.Tx) error { _, err := tx.QuietInstances(time.Hour, instance, 10); return err },
		"UnrenewedInstances": func(tx satellite.Tx) error { _, err := tx.UnrenewedInstances(at, instance, 10); return err },
		"open alerts of a device": func(tx satellite.Tx) error {
			_, err := tx.Alerts(satellite.AlertFilter{PIID: "x", Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"open alerts of a type": func(tx satellite.Tx) error {
			_, err := tx.Alerts(satellite.AlertFilter{Type: satellite.AlertDuplicateLicenses, Scope: satellite.Scope{All: true}}, next)
			return err
		},
		"OpenAlert": func(tx satellite.Tx) error {
			_, err := tx.OpenAlert(satellite.Alert{AccountID: account, Type: satellite.AlertDuplicateLicenses, Key: "x"})
			return err
		},
		"CloseAlert": func(tx satellite.Tx) error {
			_, err := tx.CloseAlert(account, satellite.AlertDuplicateLicenses, "x", at)
			return err
		},
		"DeleteVirtualAccount": func(tx satellite.Tx) error {
			if err := tx.DeleteInstance(instance); err != nil {
				return err
			}
			return tx.DeleteVirtualAccount(virtual)
		},
	}
	for _, page := range []satellite.Page{first, next} {
		suffix := map[int64]string{0: ", first page", 5: ", next page"}[page.After]
		for name, filter := range map[string]satellite.InstanceFilter{
			"all": {Scope: all}, "of an account": {Scope: all, AccountID: account}, "of a virtual account": {Scope: all, VirtualAccountID: virtual},
			"by prefix": {Scope: all, Search: "F"}, "of an account by prefix": {Scope: all, AccountID: account, Search: "F"},
			"of a virtual account by prefix": {Scope: all, VirtualAccountID: virtual, Search: "F"},
			"seen by roles":                  {Scope: some}, "seen by a role": {Scope: one}, "of an account seen by roles": {Scope: some, AccountID: account},
			"of a virtual account seen by roles": {Scope: some, VirtualAccountID: virtual}, "seen by roles by prefix": {Scope: some, Search: "F"},
		} {
			m["devices "+name+suffix] = func(tx satellite.Tx) error { _, err := tx.Instances(filter, page); return err }
			m["cursor of devices "+name] = func(tx satellite.Tx) error { _, err := tx.InstanceCursor(filter, 10); return err }
			if name != "all" {
				m["count of devices "+name] = func(tx satellite.Tx) error { _, err := tx.CountInstances(filter); return err }
			}
		}
		for name, filter := range map[string]satellite.TokenFilter{
			"all": {Scope: all}, "of an account": {Scope: all, AccountID: account}, "of a virtual account": {Scope: all, VirtualAccountID: virtual},
			"of both": {Scope: all, AccountID: account, VirtualAccountID: virtual}, "seen by roles": {Scope: some}, "seen by a role": {Scope: one},
			"of an account seen by roles": {Scope: some, AccountID: account}, "of a virtual account seen by roles": {Scope: some, VirtualAccountID: virtual},
		} {
			m["tokens "+name+suffix] = func(tx satellite.Tx) error { _, err := tx.Tokens(filter, page); return err }
		}
		for name, filter := range map[string]satellite.EventFilter{
			"all": {Scope: all}, "of an account": {Scope: all, AccountID: account}, "of a device": {Scope: all, PIID: "x"}, "of a type": {Scope: all, Type: "x"},
			"of all three": {Scope: all, AccountID: account, PIID: "x", Type: "x"}, "seen by roles": {Scope: some}, "seen by a role": {Scope: one},
			"of an account seen by roles": {Scope: some, AccountID: account}, "of a device seen by roles": {Scope: some, PIID: "x"},
		} {
			m["events "+name+suffix] = func(tx satellite.Tx) error { _, err := tx.Events(filter, page); return err }
		}
		m["mails"+suffix] = func(tx satellite.Tx) error { _, err := tx.Mails(page); return err }
		m["reports"+suffix] = func(tx satellite.Tx) error { _, err := tx.Reports(account, all, page); return err }
		m["reports seen by a role"+suffix] = func(tx satellite.Tx) error { _, err := tx.Reports(account, one, page); return err }
		for name, filter := range map[string]satellite.AlertFilter{
			"of an account": {Scope: all, AccountID: account}, "seen by roles": {Scope: some}, "seen by a role": {Scope: one},
			"of an account with closed ones": {Scope: all, AccountID: account, Closed: true}, "with closed ones seen by a role": {Scope: one, Closed: true},
			"of an account seen by roles": {Scope: some, AccountID: account},
		} {
			m["cursor of alerts "+name] = func(tx satellite.Tx) error { _, err := tx.AlertCursor(filter, 10); return err }
			m["count of alerts "+name] = func(tx satellite.Tx) error { _, err := tx.CountAlerts(filter); return err }
			m["alerts "+name+suffix] = func(tx satellite.Tx) error { _, err := tx.Alerts(filter, page); return err }
		}
		m["sync exchanges"+suffix] = func(tx satellite.Tx) error { _, err := tx.SyncExchanges(account, page); return err }
		m["sync requests"+suffix] = func(tx satellite.Tx) error { _, err := tx.SyncRequests(account, page); return err }
	}
	return m
}

// sorts are the statements that may sort: what they sort is a handful of rows.
var sorts = []string{
	"VirtualAccounts",                    // of one account
	"Pools", "Pools of virtual accounts", // one row for each license and virtual account
	"Holdings",                       // of one device
	"Lots",                           // of one license
	"LotTransfers", "LotTransfersOf", // of one license in one virtual account; of one account, at a sync
	"open alert of a key",                 // one at most
	"Acceptances",                         // of one account
	"DeleteVirtualAccount", "ReplaceLots", // read and write the same few rows
}

// scans are the tables that may be read from end to end: they hold a handful of rows.
var scans = regexp.MustCompile(`^SCAN (nodes|v|l|a|accounts|virtual_accounts|sync_requests|\(subquery-\d+\)|CONSTANT ROW|\d+ CONSTANT ROWS?)(\b|$)`)

// What a person pages through is counted, and passed over, without reading a
// single row: the index has all that it takes.
func TestPlacesAreCountedAndPassedOverInTheirIndexAlone(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	for name, scope := range map[string]satellite.Scope{
		"an account": {Accounts: []satellite.AccountID{1}}, "a virtual account": {VirtualAccounts: []satellite.VirtualAccountID{1}},
	} {
		for _, count := range []func(satellite.Tx) error{
			func(tx satellite.Tx) error {
				_, err := tx.CountInstances(satellite.InstanceFilter{Scope: scope})
				return err
			},
			func(tx satellite.Tx) error {
				_, err := tx.InstanceCursor(satellite.InstanceFilter{Scope: scope}, 10)
				return err
			},
			func(tx satellite.Tx) error { _, err := tx.CountAlerts(satellite.AlertFilter{Scope: scope}); return err },
			func(tx satellite.Tx) error {
				_, err := tx.AlertCursor(satellite.AlertFilter{Scope: scope}, 10)
				return err
			},
		} {
			for _, st := range statementsOf(t, s, name, count) {
				for _, step := range plan(t, s, st) {
					if !strings.Contains(step, "USING COVERING INDEX") {
						t.Errorf("%s is read beside its index: %s\n%s", name, step, st.text)
					}
				}
			}
		}
	}
}

var errPlanned = errors.New("the statements are known")

func TestNothingOnTheDevicePathOrInAListingScansOrSorts(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	ctx := context.Background()
	var account satellite.Account
	var virtual satellite.VirtualAccount
	var license satellite.License
	var instance satellite.Instance
	var token satellite.Token
	err := s.Update(ctx, func(tx satellite.Tx) (err error) {
		if account, err = tx.CreateAccount(satellite.Account{Name: "a"}); err != nil {
			return err
		}
		if err = tx.SaveAuthority(satellite.Authority{AccountID: account.ID}); err != nil {
			return err
		}
		if virtual, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: "a"}); err != nil {
			return err
		}
		if license, err = tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: "tag"}); err != nil {
			return err
		}
		if token, err = tx.CreateToken(satellite.Token{AccountID: account.ID, VirtualAccountID: virtual.ID, Text: []byte{1}}); err != nil {
			return err
		}
		instance, err = tx.CreateInstance(satellite.Instance{PIID: "piid", AccountID: account.ID, VirtualAccountID: virtual.ID})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	plans := 0
	for name, run := range methods(account.ID, virtual.ID, license.ID, instance, token) {
		for _, st := range statementsOf(t, s, name, run) {
			for _, step := range plan(t, s, st) {
				plans++
				if strings.Contains(name, "by prefix") && strings.Contains(step, "account_id=?") {
					t.Errorf("%s walks the account to find a few: %s", name, step)
				}
				if strings.HasPrefix(step, "SCAN") && !scans.MatchString(step) {
					t.Errorf("%s reads a table from end to end: %s\n%s", name, step, st.text)
				}
				if strings.Contains(step, "TEMP B-TREE") && !slices.Contains(sorts, name) {
					t.Errorf("%s sorts: %s\n%s", name, step, st.text)
				}
			}
		}
	}
	if plans < 100 {
		t.Errorf("only %d steps were looked at", plans)
	}
}

// statementsOf runs a method in an update that is rolled back, and returns what it said to the database.
func statementsOf(t *testing.T, s *Store, name string, run func(satellite.Tx) error) []statement {
	t.Helper()
	var seen []statement
	var failed error
	err := s.Update(context.Background(), func(tx satellite.Tx) error {
		seen = nil
		inner := *tx.(*transaction)
		db := inner.db.Session(&gorm.Session{NewDB: true, Context: context.Background()})
		r := recorder{ConnPool: db.Statement.ConnPool, statements: inner.statements, seen: &seen}
		db.Statement.ConnPool = r
		inner.db, inner.statements = db, r
		failed = run(&inner)
		return errPlanned
	})
	if !errors.Is(err, errPlanned) {
		t.Fatal(err)
	}
	if failed != nil && satellite.KindOf(failed) != satellite.KindNotFound {
		t.Errorf("%s: %v", name, failed)
	}
	if len(seen) == 0 {
		t.Errorf("%s says nothing to the database", name)
	}
	return seen
}

func plan(t *testing.T, s *Store, st statement) (steps []string) {
	t.Helper()
	rows, err := s.pool.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+st.text, st.args...)
	if err != nil {
		t.Fatalf("%v: %s", err, st.text)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
