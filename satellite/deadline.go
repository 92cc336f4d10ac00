package satellite

import (
	"context"
	"fmt"
	"time"
)

// When an account is told that it should synchronize, see "The 90-day return".
const (
	syncOverdue  = 31 * day // since the last one
	syncDeadline = 30 * day // before the upstream takes the licenses back
)

// subCASteps are how long before the end of an account's sub CA it is told,
// and told again. Any synchronization past half of its life renews it.
var subCASteps = []time.Duration{30 * day, 90 * day, 180 * day}

// WatchDeadlines opens and closes the alerts that time alone brings upon an
// account: a synchronization that is overdue, a deadline of the upstream that is
// near or over, a copy of the satellite that sends, too, a sub CA near its end. It is due once a day. A lapse changes
// nothing in the account's own pools: only the upstream takes back.
func (s *Service) WatchDeadlines(ctx context.Context, now time.Time) error {
	var accounts []Account
	err := s.store.View(ctx, func(tx Tx) (err error) {
		accounts, err = tx.Accounts()
		return err
	})
	if err != nil {
		return err
	}
	for _, account := range accounts {
		err := s.update(ctx, itself, now, func(tx Tx, record recorder) error {
			account, err := tx.Account(account.ID)
			if isNotFound(err) {
				return errUnchanged // it was deleted meanwhile
			}
			if err != nil {
				return err
			}
			return watchDeadlines(tx, record, account, now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// watchDeadlines is WatchDeadlines for one account.
func watchDeadlines(tx Tx, record recorder, account Account, now time.Time) error {
	state, err := tx.SyncState(account.ID)
	if err != nil {
		return err
	}
	authority, err := tx.Authority(account.ID)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		alert   AlertType
		message string // "": its cause does not exist
		due     time.Time
		because string
	}{
		{AlertSyncOverdue, account.overdue(state, now), state.Deadline, "the account has synchronized."},
		{AlertSyncDeadline, state.nearDeadline(now), state.Deadline, "the deadline has moved, or has passed."},
		{AlertSatelliteExpired, state.pastDeadline(now), time.Time{}, "the upstream has heard of the satellite again."},
		{AlertSatelliteDuplicated, state.duplicated(now), state.DuplicatedAt.Add(duplicatesOpen), "no other copy has been heard of for 30 days."},
		{AlertCertificateExpiring, authority.expiring(now), authority.SubCANotAfter, "the certificate was renewed."},
	} {
		if d.message == "" || account.Status == AccountInactive {
			err = settled(tx, record, account.ID, d.alert, "", d.because, now)
		} else {
			err = raise(tx, record, Alert{AccountID: account.ID, Type: d.alert, Source: account.Name, Message: d.message, ActionDue: d.due}, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// overdue says that the account has not synchronized for too long, "" where it has.
func (a Account) overdue(state SyncState, now time.Time) string {
	last, what := state.LastSyncAt, "synchronized last"
	if last.IsZero() {
		last, what = a.RequestedAt, "was created, and has never been synchronized,"
	}
	if now.Before(last.Add(syncOverdue)) {
		return ""
	}
	return fmt.Sprintf("Account %q %s on %s. Synchronize it: `satellite sync request`.", a.Name, what, stamp(last))
}

// nearDeadline says that the upstream will take the licenses back soon, "" where it will not.
func (s SyncState) nearDeadline(now time.Time) string {
	if s.Deadline.IsZero() || now.Before(s.Deadline.Add(-syncDeadline)) || !now.Before(s.Deadline) {
		return ""
	}
	return fmt.Sprintf("Without a synchronization until %s the upstream takes the licenses of the account back.", stamp(s.Deadline))
}

// pastDeadline says that the upstream has taken the licenses back, "" where it has not.
func (s SyncState) pastDeadline(now time.Time) string {
	if s.Deadline.IsZero() || now.Before(s.Deadline) {
		return ""
	}
	return fmt.Sprintf("The upstream has heard nothing of the satellite until %s and takes the licenses of the account back. The pools here go on with what they last knew; the next synchronization restores what the upstream still has.", stamp(s.Deadline))
}

// duplicated says that a copy of the satellite sends as well, "" where none does.
func (s SyncState) duplicated(now time.Time) string {
	if s.DuplicatedAt.IsZero() || !now.Before(s.DuplicatedAt.Add(duplicatesOpen)) {
		return ""
	}
	return fmt.Sprintf("The upstream heard of this satellite and of a copy of it in turns, last on %s. Only one of them may run: shut the other one down, then synchronize this one.", stamp(s.DuplicatedAt))
}

// expiring says that the account's sub CA ends soon, "" where it does not. The
// text changes with each step.
func (a Authority) expiring(now time.Time) string {
	if a.SubCANotAfter.IsZero() {
		return ""
	}
	if !now.Before(a.SubCANotAfter) {
		return fmt.Sprintf("The account's certificate ended on %s. Devices cannot register or renew; register the account again with a synchronization.", stamp(a.SubCANotAfter))
	}
	for _, step := range subCASteps {
		if !now.Before(a.SubCANotAfter.Add(-step)) {
			return fmt.Sprintf("The account's certificate ends on %s, in %s or less. Any synchronization renews it: `satellite sync request`.", stamp(a.SubCANotAfter), span(step))
		}
	}
	return ""
}
