package satellite

import (
	"cmp"
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// Agreement is one version of the licensing agreement of an account, as the
// upstream sent it. The text of a version never changes once it is here.
type Agreement struct {
	AccountID  AccountID
	Version    string
	Text       string
	ReceivedAt time.Time
}

// Acceptance says who accepted a version, and when.
type Acceptance struct {
	AccountID  AccountID
	Version    string
	AcceptedAt time.Time
	AcceptedBy string // actor
}

// Bounds of an agreement, in bytes; that of the text is the wire's.
const (
	maxAgreementVersion = 64
	maxAgreementText    = 256 << 10
)

// AgreementState is the agreement that is in force in an account.
type AgreementState struct {
	Current  Agreement // version "" while the upstream has named none
	Accepted bool      // the current one
	History  []Acceptance
}

// needed returns KindConflict where the version in force is not accepted. shown
// is the version that the actor has just been shown, and so accepts; "" for none.
func (a AgreementState) needed(account, shown string) (accept bool, err error) {
	switch {
	case shown != "" && shown != a.Current.Version:
		return false, fail(KindConflict, "agreement-outdated", "Version %q of the agreement was shown, and version %q is in force in account %q. Nothing was changed.", clip(shown), cmp.Or(a.Current.Version, "none"), account).
			hint("Read the version in force, `satellite agreement show --account %q`, and accept that.", account)
	case a.Accepted || a.Current.Version == "":
		return false, nil
	case shown == "":
		return false, fail(KindConflict, "agreement-not-accepted", "Version %q of the licensing agreement is in force in account %q, and nobody has accepted it. No token was created; registered devices go on working.", a.Current.Version, account).
			hint("Read it with `satellite agreement show --account %q`, and accept it with `satellite agreement accept --account %q`.", account, account)
	}
	return true, nil
}

// agreementOf reads the agreement in force.
func agreementOf(tx Tx, id AccountID) (state AgreementState, err error) {
	sync, err := tx.SyncState(id)
	if err != nil {
		return state, err
	}
	if state.History, err = tx.Acceptances(id); err != nil || sync.AgreementVersion == "" {
		return state, err
	}
	for _, acceptance := range state.History {
		state.Accepted = state.Accepted || acceptance.Version == sync.AgreementVersion
	}
	state.Current, err = tx.Agreement(id, sync.AgreementVersion)
	if isNotFound(err) { // a version that came before texts did
		state.Current, err = Agreement{AccountID: id, Version: sync.AgreementVersion}, nil
	}
	return state, err
}

// Agreement tells which version is in force, with its text, and who accepted
// which one, newest first.
func (s *Service) Agreement(ctx context.Context, actor Actor, id AccountID) (state AgreementState, err error) {
	if _, err := actor.sees(id, 0); err != nil {
		return state, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		state, err = agreementOf(tx, id)
		return err
	})
	return state, err
}

// AcceptAgreement accepts the version in force, which is named so that nobody
// accepts a text that he has not seen. Accepting it again changes nothing.
//
// KindConflict where another version is in force, or none is known.
func (s *Service) AcceptAgreement(ctx context.Context, actor Actor, id AccountID, version string) error {
	if err := actor.mayIn(ActionManageAccount, id, 0); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(id)
		if err != nil {
			return err
		}
		state, err := agreementOf(tx, id)
		if err != nil {
			return err
		}
		if state.Current.Version == "" {
			return fail(KindConflict, "agreement-unknown", "The upstream has not named an agreement for account %q yet. Nothing was changed.", account.Name).
				hint("It comes with the first synchronization; until then tokens can be made without.")
		}
		if version == "" {
			return fail(KindInvalid, "agreement-version-missing", "The version that is accepted was not named; version %q is in force. Nothing was changed.", state.Current.Version)
		}
		accept, err := state.needed(account.Name, version)
		if err != nil {
			return err
		}
		if !accept {
			return errUnchanged
		}
		return accepted(tx, record, state.Current, actor, now)
	})
}

// agree holds a new token against the agreement in force, and keeps that the
// actor accepted the version that he was shown.
func agree(tx Tx, record recorder, account Account, shown string, actor Actor, now time.Time) error {
	state, err := agreementOf(tx, account.ID)
	if err != nil {
		return err
	}
	accept, err := state.needed(account.Name, shown)
	if err != nil || !accept {
		return err
	}
	return accepted(tx, record, state.Current, actor, now)
}

// accepted keeps an acceptance, and closes the alerts that asked for it.
func accepted(tx Tx, record recorder, agreement Agreement, actor Actor, now time.Time) error {
	id, because := agreement.AccountID, fmt.Sprintf("version %q was accepted.", agreement.Version)
	if err := tx.SaveAcceptance(Acceptance{AccountID: id, Version: agreement.Version, AcceptedAt: now, AcceptedBy: actor.Name}); err != nil {
		return err
	}
	if err := settleAgreement(tx, record, id, because, now); err != nil {
		return err
	}
	return record(Event{Type: EventAgreementAccepted, AccountID: id, Message: fmt.Sprintf("Version %q of the licensing agreement was accepted by %s.", agreement.Version, actor.Name)})
}

func settleAgreement(tx Tx, record recorder, id AccountID, because string, now time.Time) error {
	if err := settled(tx, record, id, AlertAgreementPending, agreementKey, because, now); err != nil {
		return err
	}
	return settled(tx, record, id, AlertAgreementUpdated, agreementKey, because, now)
}

// agreementKey is the key of the alerts about the agreement: one in each account.
const agreementKey = "agreement"

// checkAgreement bounds what a response says of the agreement.
func checkAgreement(version, text string) error {
	if len(version) > maxAgreementVersion || len(text) > maxAgreementText || !utf8.ValidString(version) || !utf8.ValidString(text) {
		return fail(KindInvalid, "sync-file-malformed", "The response carries an agreement whose version has more than %d bytes, or whose text has more than %d. Nothing was changed.", maxAgreementVersion, maxAgreementText)
	}
	return nil
}

// receiveAgreement keeps what the upstream says of the agreement, and opens or
// closes the alert that asks to accept it. It stops no device.
func receiveAgreement(tx Tx, record recorder, account Account, version, text string, now time.Time) error {
	if version == "" {
		return settleAgreement(tx, record, account.ID, "the upstream names no agreement any more.", now)
	}
	known, err := tx.Agreement(account.ID, version)
	switch {
	case isNotFound(err):
		if err := tx.SaveAgreement(Agreement{AccountID: account.ID, Version: version, Text: text, ReceivedAt: now}); err != nil {
			return err
		}
		if err := record(Event{Type: EventAgreementReceived, AccountID: account.ID, Message: fmt.Sprintf("Version %q of the licensing agreement came from the upstream.", version)}); err != nil {
			return err
		}
	case err != nil:
		return err
	case known.Text == "" && text != "":
		known.Text = text
		if err := tx.SaveAgreement(known); err != nil {
			return err
		}
	}
	history, err := tx.Acceptances(account.ID)
	if err != nil {
		return err
	}
	return askAgreement(tx, record, account, version, history, now)
}

// askAgreement opens the alert that the history calls for.
func askAgreement(tx Tx, record recorder, account Account, version string, history []Acceptance, now time.Time) error {
	for _, acceptance := range history {
		if acceptance.Version == version {
			return settleAgreement(tx, record, account.ID, fmt.Sprintf("version %q, which was accepted, is in force.", version), now)
		}
	}
	alert := Alert{
		AccountID: account.ID, Type: AlertAgreementPending, Key: agreementKey, Source: account.Name,
		Message: fmt.Sprintf("Version %q of the licensing agreement is not accepted; no token can be created until it is.", version),
	}
	if len(history) > 0 {
		alert.Type = AlertAgreementUpdated
		alert.Message = fmt.Sprintf("Version %q of the licensing agreement is in force, version %q was accepted last; no token can be created until the new one is.", version, history[0].Version)
	}
	return raise(tx, record, alert, now)
}
