package satellite_test

import (
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// row is the pool of a tag in a virtual account; the zero row where there is none.
func (w *world) row(virtual, tag string) satellite.PoolRow {
	w.Helper()
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID, Tag: tag})
	w.must(err)
	for _, row := range rows {
		if row.VirtualAccount == virtual {
			return row
		}
	}
	return satellite.PoolRow{}
}

// told is what the upstream holds of a kind, by key.
func (w *world) told(kind wire.RecordKind) map[string]wire.Record {
	return w.up.state[w.external(w.account)][kind]
}

// busy is a world with two virtual accounts that both use one license: Default
// holds the lot, and Lab is short of it.
func busy(t *testing.T) (w *world, inDefault, inLab *device) {
	t.Helper()
	w = registered(t, lot{tag: "A", quantity: 10, start: begin.Add(-day)})
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Lab", "")
	w.must(err)
	_, here := w.token(satellite.NewToken{})
	_, there := w.token(satellite.NewToken{VirtualAccount: "Lab"})
	inDefault, inLab = w.device("1").register(here), w.device("2").register(there)
	inDefault.ok(inDefault.authorization("A", 4))
	inLab.ok(inLab.authorization("A", 3))
	w.sync(w.account, false)
	return w, inDefault, inLab
}

func TestAVirtualAccountGetsAnotherNameAndTheUpstreamLearnsIt(t *testing.T) {
	t.Parallel()
	w, _, inLab := busy(t)
	id := w.account.ID
	text := func(s string) *string { return &s }
	w.unchanged("what cannot be", func() {
		_, err := w.service.SetVirtualAccount(w.ctx, admin, id, "Lab", text("DEFAULT"), nil)
		refused(t, err, satellite.KindConflict, "virtual-account-exists")
		_, err = w.service.SetVirtualAccount(w.ctx, admin, id, "Lab", text(" x"), nil)
		refused(t, err, satellite.KindInvalid, "virtual-account-name-invalid")
		_, err = w.service.SetVirtualAccount(w.ctx, admin, id, "None", text("x"), nil)
		refused(t, err, satellite.KindNotFound, "virtual-account-not-found")
		_, err = w.service.SetVirtualAccount(w.ctx, admin, id, "lab", text("Lab"), text(""))
		w.must(err)
	})
	w.alerts("insufficient-licenses")
	described, err := w.service.SetVirtualAccount(w.ctx, admin, id, "Lab", nil, text("Second floor"))
	if err != nil || described.Description != "Second floor" || described.Name != "Lab" {
		t.Errorf("it is %+v (%v)", described, err)
	}
	// A description is not told upstream: the next request is a small one.
	w.up.take(t, w.request(w.account, false))
	if scope := w.up.manifest.Request.Scope; scope != wire.ScopeStandard {
		t.Errorf("after a new description the request is %s", scope)
	}
	// One request is on its way while the name changes: only a later one tells it.
	early := w.request(w.account, false)
	_, err = w.service.SetVirtualAccount(w.ctx, admin, id, "Lab", text("Annex"), nil)
	w.must(err)
	_, err = w.apply(w.up.answer(t, early, nil))
	w.must(err)
	w.up.take(t, w.request(w.account, false)) // its response is lost
	if scope := w.up.manifest.Request.Scope; scope != wire.ScopeFull {
		t.Errorf("after a new name the request is %s", scope)
	}
	w.sync(w.account, false)
	if _, stays := w.told(wire.RecordUsage)["Lab\tA"]; stays || len(w.told(wire.RecordUsage)["Annex\tA"].Value) == 0 {
		t.Errorf("the upstream has %v", w.told(wire.RecordUsage))
	}
	for kind, key := range map[wire.RecordKind]string{wire.RecordDevice: inLab.piid, wire.RecordToken: "2"} {
		if value := string(w.told(kind)[key].Value); !strings.Contains(value, `"virtual_account":"Annex"`) {
			t.Errorf("the upstream has the %s %s", kind, value)
		}
	}
	w.up.take(t, w.request(w.account, false))
	if scope := w.up.manifest.Request.Scope; scope != wire.ScopeStandard {
		t.Errorf("once the upstream has confirmed it, the request is %s", scope)
	}
	// The alert bears the new name, and closes under it.
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: id}, satellite.Page{})
	if err != nil || len(alerts) != 1 || !strings.Contains(alerts[0].Message, "Annex") {
		t.Errorf("the alerts are %+v (%v)", alerts, err)
	}
	inLab.ok(inLab.authorization("A", 0))
	w.alerts()
	w.audit()
}

func TestTheDefaultMovesAndOnlyNewLotsFollow(t *testing.T) {
	t.Parallel()
	w, _, _ := busy(t)
	id := w.account.ID
	virtual, err := w.service.SetDefaultVirtualAccount(w.ctx, admin, id, "lab")
	if err != nil || !virtual.Default || virtual.Name != "Lab" {
		t.Fatalf("%+v (%v)", virtual, err)
	}
	w.unchanged("the same again", func() {
		_, err := w.service.SetDefaultVirtualAccount(w.ctx, admin, id, "Lab")
		w.must(err)
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, id, "Lab", "Default"), satellite.KindConflict, "virtual-account-default", "virtual-account default NAME")
		_, err = w.service.SetDefaultVirtualAccount(w.ctx, admin, id, "None")
		refused(t, err, satellite.KindNotFound, "virtual-account-not-found")
	})
	key := w.external(w.account)
	w.up.lots[key] = append(w.up.lots[key], lot{tag: "A", quantity: 5, start: begin.Add(-day)})
	w.sync(w.account, false)
	if here, there := w.row("Default", "A").Purchased, w.row("Lab", "A").Purchased; here != 10 || there != 5 {
		t.Errorf("the old lot of 10 is counted as %d where it was, the new one of 5 as %d", here, there)
	}
	w.alerts()
	list, err := w.service.VirtualAccounts(w.ctx, admin, id)
	if err != nil || len(list) != 2 || list[0].Name != "Lab" || !list[0].Default || list[1].Default {
		t.Errorf("the virtual accounts are %+v (%v)", list, err)
	}
	w.audit()
}

func TestADeletedVirtualAccountMovesWhatItHolds(t *testing.T) {
	t.Parallel()
	w, inDefault, inLab := busy(t)
	id := w.account.ID
	// Lab becomes the default one, with a lot of its own.
	_, err := w.service.SetDefaultVirtualAccount(w.ctx, admin, id, "Lab")
	w.must(err)
	key := w.external(w.account)
	w.up.lots[key] = append(w.up.lots[key], lot{tag: "A", quantity: 2, start: begin.Add(-day)}, lot{tag: "B", quantity: 7, start: begin.Add(-day)})
	w.sync(w.account, false)
	w.alerts("insufficient-licenses") // 3 of 2
	inDefault.ok(inDefault.authorization("A", 4, "B", 9))
	w.must(w.service.SetCustomTag(w.ctx, admin, satellite.CustomTagsOf{AccountID: id, VirtualAccount: "Default"}, satellite.CustomTag{Key: "k", Values: []string{"v"}}))
	w.unchanged("what cannot be", func() {
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, id, "Default", ""), satellite.KindConflict, "virtual-account-not-empty", "1 devices, 2 licenses and 1 live tokens", "--move-to")
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, id, "Default", "default"), satellite.KindConflict, "virtual-account-itself")
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, id, "Default", "None"), satellite.KindNotFound, "virtual-account-not-found")
	})
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, id, "Default", "Lab"))
	if row := w.row("Lab", "A"); row.Purchased != 12 || row.InUse != 7 || row.Balance() != 5 {
		t.Errorf("A is %+v", row.Pool)
	}
	if row := w.row("Lab", "B"); row.Purchased != 7 || row.InUse != 9 || row.Balance() != -2 {
		t.Errorf("B is %+v", row.Pool)
	}
	w.alerts("insufficient-licenses") // of B, in Lab
	w.audit()
	// Devices go on, tokens too, and the upstream learns where they are.
	inDefault.ok(inDefault.authorization("A", 5, "B", 7))
	inLab.ok(inLab.authorization("A", 7))
	w.alerts()
	tokens, err := w.service.Tokens(w.ctx, admin, satellite.TokenFilter{AccountID: id}, satellite.Page{})
	if err != nil || len(tokens) != 2 || tokens[0].VirtualAccountID != tokens[1].VirtualAccountID {
		t.Errorf("the tokens are %+v (%v)", tokens, err)
	}
	w.sync(w.account, false)
	if devices := w.told(wire.RecordDevice); !strings.Contains(string(devices[inDefault.piid].Value), `"virtual_account":"Lab"`) || len(w.told(wire.RecordUsage)) != 2 || len(w.told(wire.RecordToken)) != 2 {
		t.Errorf("the upstream has %v, %v", devices, w.told(wire.RecordUsage))
	}
	w.sync(w.account, true)
	w.audit()
}

func TestCustomTagsHaveBounds(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "A", quantity: 10, start: begin.Add(-day)})
	id := w.account.ID
	lab, license := satellite.CustomTagsOf{AccountID: id, VirtualAccount: "Default"}, satellite.CustomTagsOf{AccountID: id, License: "A"}
	many := strings.Split(strings.Repeat("v", 21), "")
	for i := range many {
		many[i] += string(rune('a' + i))
	}
	long := strings.Repeat("本", 64)
	w.unchanged("a tag out of bounds", func() {
		for _, bad := range []satellite.CustomTag{
			{Key: "", Values: []string{"x"}}, {Key: long + "x", Values: []string{"x"}}, {Key: "a=b", Values: []string{"x"}}, {Key: " a", Values: []string{"x"}}, {Key: "a\x00", Values: []string{"x"}},
			{Key: "k"}, {Key: "k", Values: many}, {Key: "k", Values: []string{""}}, {Key: "k", Values: []string{strings.Repeat("x", 129)}}, {Key: "k", Values: []string{"x", "x"}},
		} {
			refused(t, w.service.SetCustomTag(w.ctx, admin, lab, bad), satellite.KindInvalid, "custom-tag-invalid")
		}
		refused(t, w.service.SetCustomTag(w.ctx, admin, satellite.CustomTagsOf{AccountID: id, License: "B"}, satellite.CustomTag{Key: "k", Values: []string{"v"}}), satellite.KindNotFound, "license-not-found")
		refused(t, w.service.RemoveCustomTag(w.ctx, admin, lab, "k"), satellite.KindNotFound, "custom-tag-not-found")
	})
	for _, of := range []satellite.CustomTagsOf{lab, license} {
		for i := range 20 {
			w.must(w.service.SetCustomTag(w.ctx, admin, of, satellite.CustomTag{Key: many[i], Values: many[:20]}))
		}
		refused(t, w.service.SetCustomTag(w.ctx, admin, of, satellite.CustomTag{Key: "one more", Values: []string{"v"}}), satellite.KindConflict, "custom-tags-full", "at most 20", "has 20")
		// A key that is there is set anew, without regard to case.
		w.must(w.service.SetCustomTag(w.ctx, admin, of, satellite.CustomTag{Key: strings.ToUpper(many[3]), Values: []string{strings.Repeat("x", 128)}}))
		w.must(w.service.RemoveCustomTag(w.ctx, admin, of, strings.ToUpper(many[0])))
		w.must(w.service.SetCustomTag(w.ctx, admin, of, satellite.CustomTag{Key: long, Values: []string{"b", "a"}}))
		tags, err := w.service.CustomTags(w.ctx, admin, of)
		if err != nil || len(tags) != 20 || tags[2].Key != many[3] || len(tags[2].Values) != 1 || tags[19].Key != long || tags[19].Values[0] != "b" {
			t.Errorf("the tags are %+v (%v)", tags, err)
		}
	}
	w.audit()
}
