package storetest

import (
	"testing"

	"ssm/satellite"
)

// accountLife: what belongs to the life of an account comes back as it went in,
// and a second save replaces the first.
func accountLife(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	type life struct {
		Nomination satellite.Nomination
		Agreement  satellite.Agreement
		Acceptance satellite.Acceptance
		Upgrade    satellite.Upgrade
		Mail       satellite.Mail
	}
	lives := []life{filled[life](1), filled[life](2)}
	for i := range lives {
		l := &lives[i]
		id := w.account.ID
		l.Nomination.AccountID, l.Agreement.AccountID, l.Acceptance.AccountID, l.Upgrade.AccountID = id, id, id, id
		update(t, s, func(tx satellite.Tx) (err error) {
			l.Mail.ID = 0
			if l.Mail, err = tx.CreateMail(l.Mail); err != nil {
				return err
			}
			for _, err := range []error{tx.SaveNomination(l.Nomination), tx.SaveAgreement(l.Agreement), tx.SaveAcceptance(l.Acceptance), tx.SaveUpgrade(l.Upgrade)} {
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	last := lives[1]
	view(t, s, func(tx satellite.Tx) error {
		same(t, "nomination", last.Nomination)(tx.Nomination(w.account.ID))
		same(t, "upgrade", last.Upgrade)(tx.Upgrade(w.account.ID))
		for _, l := range lives {
			same(t, "agreement", l.Agreement)(tx.Agreement(w.account.ID, l.Agreement.Version))
			same(t, "mail", l.Mail)(tx.Mail(l.Mail.ID))
		}
		same(t, "acceptances, newest first", []satellite.Acceptance{last.Acceptance, lives[0].Acceptance})(tx.Acceptances(w.account.ID))
		same(t, "mails, newest first", []satellite.Mail{last.Mail, lives[0].Mail})(tx.Mails(satellite.Page{Limit: 10}))
		same(t, "mails, next page", []satellite.Mail{lives[0].Mail})(tx.Mails(satellite.Page{Limit: 10, After: int64(last.Mail.ID)}))
		_, err := tx.Agreement(w.account.ID, "none")
		kind(t, "agreement", err, satellite.KindNotFound)
		_, err = tx.Mail(99)
		kind(t, "mail", err, satellite.KindNotFound)
		return nil
	})
	other := newWorld(t, s, "beta")
	view(t, s, func(tx satellite.Tx) error {
		_, err := tx.Nomination(other.account.ID)
		kind(t, "nomination", err, satellite.KindNotFound)
		same(t, "no upgrade", satellite.Upgrade{AccountID: other.account.ID})(tx.Upgrade(other.account.ID))
		same(t, "no acceptances", []satellite.Acceptance{})(tx.Acceptances(other.account.ID))
		return nil
	})
	var err error
	update(t, s, func(tx satellite.Tx) error { err = tx.SaveAcceptance(last.Acceptance); return nil })
	kind(t, "accepting a version twice", err, satellite.KindConflict)
}

// customTags are kept for a virtual account and for a license apart.
func customTags(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	virtual := satellite.TagOwner{AccountID: w.account.ID, VirtualAccountID: w.virtual.ID}
	license := satellite.TagOwner{AccountID: w.account.ID, LicenseID: w.license.ID}
	a, b := satellite.CustomTag{Key: "a", Values: []string{"2", "1"}}, satellite.CustomTag{Key: "b", Values: []string{"日本"}}
	update(t, s, func(tx satellite.Tx) error {
		for _, owner := range []satellite.TagOwner{virtual, license} {
			for _, tag := range []satellite.CustomTag{b, {Key: "a", Values: []string{"old"}}, a} {
				if err := tx.SaveCustomTag(owner, tag); err != nil {
					return err
				}
			}
		}
		return tx.DeleteCustomTag(license, "b")
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "tags of the virtual account", []satellite.CustomTag{a, b})(tx.CustomTags(virtual))
		same(t, "tags of the license", []satellite.CustomTag{a})(tx.CustomTags(license))
		return nil
	})
}

// deletedAccounts: an account goes with all that is in it, its neighbor stays.
func deletedAccounts(t *testing.T, s satellite.Store) {
	gone, stays := newNouns(t, 1), newNouns(t, 2)
	update(t, s, gone.create)
	stays.account.UpstreamAccount += " other"
	update(t, s, func(tx satellite.Tx) error {
		stays.self, stays.root, stays.key, stays.session = gone.self, satellite.Root{Fingerprint: "2", DER: []byte{1}}, satellite.TokenKey{ID: "2", Key: []byte{1}}, satellite.Session{Key: "2", Data: []byte{1}}
		return stays.create(tx)
	})
	update(t, s, func(tx satellite.Tx) error {
		owner := satellite.TagOwner{AccountID: gone.account.ID, LicenseID: gone.license.ID}
		if err := tx.SaveCustomTag(owner, satellite.CustomTag{Key: "k", Values: []string{"v"}}); err != nil {
			return err
		}
		if err := tx.SaveNomination(satellite.Nomination{AccountID: gone.account.ID}); err != nil {
			return err
		}
		if _, err := tx.SwapSent(gone.account.ID, "device", "x", [32]byte{1}); err != nil {
			return err
		}
		if err := tx.DeleteInstance(gone.instance); err != nil {
			return err
		}
		return tx.DeleteAccount(gone.account.ID)
	})
	view(t, s, func(tx satellite.Tx) error {
		for name, read := range map[string]func() error{
			"account":     func() error { _, err := tx.Account(gone.account.ID); return err },
			"authority":   func() error { _, err := tx.Authority(gone.account.ID); return err },
			"token":       func() error { _, err := tx.Token(gone.token.ID); return err },
			"license":     func() error { _, err := tx.LicenseByTag(gone.account.ID, gone.license.Tag); return err },
			"report":      func() error { _, err := tx.ReportByDigest(gone.account.ID, gone.report.Digest); return err },
			"certificate": func() error { _, err := tx.Certificate(gone.certificate.Fingerprint); return err },
		} {
			kind(t, name, read(), satellite.KindNotFound)
		}
		same(t, "the virtual accounts", []satellite.VirtualAccount(nil))(tx.VirtualAccounts(gone.account.ID))
		same(t, "the neighbor", stays.account)(tx.Account(stays.account.ID))
		same(t, "the neighbor's token", stays.token)(tx.Token(stays.token.ID))
		same(t, "the neighbor's device", stays.instance)(tx.Instance(stays.instance.PIID))
		return nil
	})
	update(t, s, func(tx satellite.Tx) error { // name and upstream pair are free again
		fresh := gone.account
		_, err := tx.CreateAccount(fresh)
		return err
	})
}

// renamedVirtualAccounts: a new name takes back what went upstream under the old
// one and asks for a full request; a new description and a new default do not.
func renamedVirtualAccounts(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	var lab satellite.VirtualAccount
	update(t, s, func(tx satellite.Tx) (err error) {
		if lab, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Lab"}); err != nil {
			return err
		}
		moved := w
		moved.virtual = lab
		if _, err = tx.SavePool(moved.pool()); err != nil {
			return err
		}
		return tx.SaveSyncState(satellite.SyncState{AccountID: w.account.ID})
	})
	renamedAt := func() (at, newest int64) {
		view(t, s, func(tx satellite.Tx) error {
			state, err := tx.SyncState(w.account.ID)
			if err != nil {
				return err
			}
			at = state.RenamedAt
			newest, err = tx.ChangeNumber()
			return err
		})
		return at, newest
	}
	update(t, s, func(tx satellite.Tx) error {
		lab.Description = "Second floor"
		if err := tx.SaveVirtualAccount(lab); err != nil {
			return err
		}
		return tx.SetDefaultVirtualAccount(w.account.ID, lab.ID)
	})
	lab.Default = true
	w.virtual.Default = false
	if at, _ := renamedAt(); at != 0 {
		t.Errorf("without a new name a full request is asked for, at %d", at)
	}
	lab.Name = "Annex"
	update(t, s, func(tx satellite.Tx) error { return tx.SaveVirtualAccount(lab) })
	if at, newest := renamedAt(); at == 0 || at != newest {
		t.Errorf("a full request is asked for at %d, the newest change is %d", at, newest)
	}
	view(t, s, func(tx satellite.Tx) error {
		same(t, "the virtual accounts", []satellite.VirtualAccount{lab, w.virtual})(tx.VirtualAccounts(w.account.ID))
		graves, err := tx.Tombstones(w.account.ID, 0, 10)
		if len(graves) != 1 || graves[0].Key != "Lab\t"+w.license.Tag {
			t.Errorf("the tombstones are %v", graves)
		}
		return err
	})
	var err error
	update(t, s, func(tx satellite.Tx) error {
		lab.Name = "DEFAULT"
		err = tx.SaveVirtualAccount(lab)
		return nil
	})
	kind(t, "a name that is taken", err, satellite.KindConflict)
	update(t, s, func(tx satellite.Tx) error { err = tx.SaveVirtualAccount(satellite.VirtualAccount{ID: 99}); return nil })
	kind(t, "a virtual account that does not exist", err, satellite.KindNotFound)
}
