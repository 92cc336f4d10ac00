package compatible_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

// The licenses of a furnished account beside those of every world: the higher
// tier covers what lacks of the lower one, and of wireless there are too few.
const (
	premier    = "regid.2026-01.com.example.PREMIER,1.0_1d1f9c34-6b0e-4a0a-9a35-7f0f5a8c1d44"
	essentials = "regid.2026-01.com.example.ESSENTIALS,1.0_2e2f9c34-6b0e-4a0a-9a35-7f0f5a8c1d55"
	wireless   = "regid.2026-01.com.example.WIRELESS,1.0_3f3f9c34-6b0e-4a0a-9a35-7f0f5a8c1d66"
)

// softwareTag is that of the devices of the agent.
const softwareTag = "regid.2026-01.com.example.SMARTAGENT,1.0_7be4f2a6-52bd-4d2a-9f0c-3d1b6a0e5c11"

// sale is a lot that the upstream sells, in days from now; to 0 never ends.
type sale struct {
	tag, id      string
	quantity     int64
	from, to     int
	subscription string
}

// sell makes the licenses of an account what these sales say.
func (w *world) sell(account string, entitlements map[string]wire.EntitlementRecord, sales ...sale) {
	w.t.Helper()
	admin := w.actors[administrator]
	var request, document bytes.Buffer
	must(w.service.WriteSyncRequest(w.t.Context(), admin, w.accounts[account].ID, false, &request))(w.t)
	asked := must(wire.OpenContainer(bytes.NewReader(request.Bytes()), int64(request.Len()), func(wire.Manifest, [][]byte) error { return nil }))(w.t)
	records := must(wire.NewRecordWriter(w.t.TempDir()))(w.t)
	defer func() { _ = records.Close() }()
	for tag, e := range entitlements {
		e.Enforcement = "unenforced"
		w.upstream.add(records, wire.RecordEntitlement, tag, e)
	}
	for _, s := range sales {
		lot := wire.LotRecord{Tag: s.tag, Type: entitlements[s.tag].Type, Quantity: s.quantity, Start: now.AddDate(0, 0, s.from), SubscriptionID: s.subscription}
		if s.to != 0 {
			end := now.AddDate(0, 0, s.to)
			lot.End = &end
		}
		w.upstream.add(records, wire.RecordLot, s.id, lot)
	}
	m := asked.Manifest
	must(records.WriteTo(&document, wire.Manifest{
		Kind: wire.SyncResponse, CreatedAt: now, SatelliteID: m.SatelliteID, Account: m.Account, Sequence: m.Sequence, StateDigest: m.StateDigest,
		Response: &wire.ResponsePart{
			RequestDigest: asked.Digest, NextSequence: m.Sequence + 1, Deadline: now.Add(90 * 24 * time.Hour),
			AccountType: "standard", DomainIdentifier: "example.com", AgreementVersion: "1", AgreementText: "Be good.", Certificates: w.upstream.certificates[m.Account.ID],
		},
	}, w.upstream.signer))(w.t)
	must(w.service.ApplySyncResponse(w.t.Context(), admin, bytes.NewReader(document.Bytes()), int64(document.Len()), satellite.SyncOptions{}))(w.t)
}

// furnish gives tokyo something of everything that the reading calls show.
func (w *world) furnish() *world {
	w.t.Helper()
	ctx, admin, account := w.t.Context(), w.actors[administrator], w.accounts[tokyo].ID
	w.sell(tokyo, map[string]wire.EntitlementRecord{
		networkAdvantage: {Name: "Network Advantage", Type: "perpetual", Billing: "prepaid"},
		campusTerm:       {Name: "Campus Term", Type: "subscription", Billing: "prepaid"},
		cloudUsage:       {Name: "Cloud Usage", Type: "subscription", Billing: "usage"},
		premier:          {Name: "Premier", Type: "perpetual", Billing: "prepaid"},
		essentials:       {Name: "Essentials", Type: "perpetual", Billing: "prepaid", HigherTier: premier},
		wireless:         {Name: "Wireless", Type: "perpetual", Billing: "prepaid"},
	},
		sale{networkAdvantage, "N-1", 10, 0, 0, ""}, sale{networkAdvantage, "N-2", 5, 10, 0, ""},
		sale{campusTerm, "C-1", 20, -1, 365, "Sub100"}, sale{campusTerm, "C-2", 7, -400, -35, "Sub099"}, sale{campusTerm, "C-3", 8, 30, 395, "Sub101"}, sale{campusTerm, "C-4", 2, -300, 60, ""},
		sale{cloudUsage, "U-1", 30, -10, 355, ""}, sale{premier, "P-1", 12, 0, 0, ""}, sale{wireless, "W-1", 1, 0, 0, ""},
	)
	if err := w.service.TransferLicenses(ctx, admin, account, []satellite.Transfer{{Tag: networkAdvantage, To: "Lab 1", Quantity: 4}, {Tag: campusTerm, To: "Lab 1", Quantity: 6}}); err != nil {
		w.t.Fatal(err)
	}
	w.device(tokyo, "", "KND260001", map[string]int64{essentials: 3, wireless: 2})
	w.device(tokyo, "Lab 1", "KND260002", map[string]int64{networkAdvantage: 1})
	w.identify("KND260001")
	w.reserve(tokyo, "KND260003", networkAdvantage, 2)
	if err := w.service.RemindOfLots(ctx, now); err != nil {
		w.t.Fatal(err)
	}
	return w
}

// identify gives a device all that a device can be known by.
func (w *world) identify(serial string) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx satellite.Tx) error {
		known, err := tx.InstancesByUDI("EX-8500", serial)
		if err != nil {
			return err
		}
		known[0].SUVI, known[0].UUID, known[0].HostIdentifier = "S-"+serial, "6f3a1d0e-9b1c-4c57-8a37-2b5d0c9e4a11", "H-"+serial
		known[0].UDIVID, known[0].MACAddress = "V01", "00:00:5e:00:53:01"
		return tx.SaveInstance(known[0])
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// reserve reserves licenses for a device that never talks.
func (w *world) reserve(account, serial, tag string, count int64) {
	w.t.Helper()
	device := must(agent.Open(agent.Options{
		Folder: filepath.Join(w.folder, "device-"+serial), Now: clock, Root: certs.EncodePEM(w.upstream.root.Certificate),
		Identity: agent.Identity{UDIPID: "EX-8500", UDISerialNumber: serial},
	}))(w.t)
	defer func() { _ = device.Close() }()
	code := must(device.RequestReservation(wire.ReservationSpecific))(w.t)
	must(w.service.Reserve(w.t.Context(), w.actors[administrator], satellite.NewReservation{
		AccountID: w.accounts[account].ID, Code: code, Type: wire.ReservationSpecific, Licenses: []satellite.ReservedLicense{{Tag: tag, Count: count}},
	}))(w.t)
}

// furnished is ask in a world where tokyo has something of everything.
func furnished(token, method, path, body string) func(*world) reply {
	return func(w *world) reply { return ask(token, method, path, body)(w.furnish()) }
}

// bare is ask in a world with an account "Bare" that has nothing.
func bare(method, path, body string) func(*world) reply {
	return func(w *world) reply {
		must(w.service.CreateAccount(w.t.Context(), w.actors[administrator], satellite.NewAccount{Name: "Bare", Email: "a@bare.example"}))(w.t)
		return ask(administrator, method, path, body)(w)
	}
}

// rows are the values of one field in the list of an answer, and what the
// answer says there are of them on all pages.
func rows(t *testing.T, got reply, list, name string) (values []string, total int) {
	t.Helper()
	var whole map[string]json.RawMessage
	var items []map[string]any
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &whole) != nil || json.Unmarshal(whole[list], &items) != nil || json.Unmarshal(whole["totalRecords"], &total) != nil {
		t.Fatalf("this is no listing of %s: %d %s", list, got.status, got.body)
	}
	for _, item := range items {
		text, _ := item[name].(string)
		values = append(values, text)
	}
	return values, total
}
