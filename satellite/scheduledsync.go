package satellite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ScheduleWait is why an account does not synchronize by itself.
type ScheduleWait string

// The reasons, in the order in which they are told.
const (
	WaitsOff          ScheduleWait = "off"            // no schedule, or one that says so
	WaitsByFile       ScheduleWait = "by-file"        // no upstream is set: a person carries the files
	WaitsUnregistered ScheduleWait = "not-registered" // the first exchange takes a code, or files
	WaitsInactive     ScheduleWait = "inactive"       // an administrator has deactivated it, or it waits for its approval
)

// ScheduledSync is how an account synchronizes by itself.
type ScheduledSync struct {
	SyncSchedule              // the one that counts, with the account's last run
	Inherited    bool         // it is the default
	Waits        ScheduleWait // "" where it runs
	NextAt       time.Time    // in the past: at once; zero where it waits
	Running      bool         // an exchange goes on, whoever has begun it
	retry        bool
}

// schedule is who synchronizes when nobody is there.
var schedule = Actor{Name: "schedule", Role: RoleSystemOperator, Source: "local"}

// SetSyncSchedule sets when an account synchronizes by itself; account 0 is the
// default for all accounts, which takes a role on the satellite. It counts from
// now: nothing that lies before is caught up. KindInvalid for what is none of
// the forms of SyncSchedule, comes due more often than hourly, names a time zone,
// or has a jitter beyond a day.
func (s *Service) SetSyncSchedule(ctx context.Context, actor Actor, accountID AccountID, text string, jitter time.Duration) (set SyncSchedule, err error) {
	if err := actor.mayScheduleSync(accountID); err != nil {
		return set, err
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxScheduleText || text == "" {
		return set, fail(KindInvalid, "sync-schedule-invalid", "A schedule has 1 to %d characters, and this one %d. Nothing was changed.", maxScheduleText, len(text))
	}
	if err := (SyncSchedule{Text: text}).check(s.timetable); err != nil {
		return set, fail(KindInvalid, "sync-schedule-invalid", "The schedule %q is refused: %v. Nothing was changed.", text, err).
			hint(`All times are in UTC; "daily 02:00" is an example.`)
	}
	if jitter < 0 || jitter > maxSyncJitter || jitter%time.Minute != 0 {
		return set, fail(KindInvalid, "sync-jitter-invalid", "The jitter has to be 0 to %d whole minutes. Nothing was changed.", maxSyncJitter/time.Minute)
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		name, err := scheduled(tx, accountID)
		if err != nil {
			return err
		}
		if set, err = tx.SyncSchedule(accountID); err != nil {
			return err
		}
		set.Text, set.Jitter, set.SetAt, set.SetBy = text, jitter, now, actor.Name
		if err := tx.SaveSyncSchedule(set); err != nil {
			return err
		}
		return record(Event{Type: EventSyncScheduleSet, AccountID: accountID, Message: fmt.Sprintf("%s by itself: %s, in UTC, up to %d minutes later.", name, text, jitter/time.Minute)})
	})
	return set, err
}

// UnsetSyncSchedule takes an account's own schedule away, so that the default
// counts, from now on; of account 0 the default, so that it is off. Where none is
// set nothing changes.
func (s *Service) UnsetSyncSchedule(ctx context.Context, actor Actor, accountID AccountID) error {
	if err := actor.mayScheduleSync(accountID); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		name, err := scheduled(tx, accountID)
		if err != nil {
			return err
		}
		row, err := tx.SyncSchedule(accountID)
		if err != nil {
			return err
		}
		if row.Text == "" {
			return errUnchanged
		}
		row.Text, row.Jitter, row.SetAt, row.SetBy = "", 0, now, actor.Name
		if err := tx.SaveSyncSchedule(row); err != nil {
			return err
		}
		then := "only as the default says"
		if accountID == 0 {
			then = "only where a schedule of its own says so"
		}
		return record(Event{Type: EventSyncScheduleUnset, AccountID: accountID, Message: fmt.Sprintf("%s by itself %s.", name, then)})
	})
}

// mayScheduleSync is mayIn; for account 0 it takes a role on the satellite.
func (a Actor) mayScheduleSync(account AccountID) error {
	if account == 0 {
		return a.may(ActionSynchronize)
	}
	return a.mayIn(ActionSynchronize, account, 0)
}

// scheduled begins the sentence of an event. KindNotFound where there is no such account.
func scheduled(tx Tx, id AccountID) (string, error) {
	if id == 0 {
		return "An account synchronizes", nil
	}
	account, err := tx.Account(id)
	return fmt.Sprintf("Account %q synchronizes", account.Name), err
}

// DefaultSyncSchedule tells the default, which is off until it is set.
func (s *Service) DefaultSyncSchedule(ctx context.Context, actor Actor) (set SyncSchedule, err error) {
	if err := actor.known(); err != nil {
		return set, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		set, err = tx.SyncSchedule(0)
		return err
	})
	if set.Text == "" {
		set.Text = ScheduleOff
	}
	return set, err
}

// ScheduledSync tells how an account synchronizes by itself.
func (s *Service) ScheduledSync(ctx context.Context, actor Actor, accountID AccountID) (plan ScheduledSync, err error) {
	if err := actor.mayIn(ActionRead, accountID, 0); err != nil {
		return plan, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		plan, err = s.scheduledSync(tx, accountID, s.SystemNow())
		return err
	})
	return plan, err
}

// scheduledSync goes by the system's clock: one that is held while nobody has
// confirmed it must not hold up the synchronization that confirms it.
func (s *Service) scheduledSync(tx Tx, accountID AccountID, now time.Time) (plan ScheduledSync, err error) {
	account, err := tx.Account(accountID)
	if err != nil {
		return plan, err
	}
	own, err := tx.SyncSchedule(accountID)
	if err != nil {
		return plan, err
	}
	state, err := tx.SyncState(accountID)
	if err != nil {
		return plan, err
	}
	upstream, err := tx.Upstream()
	offline := isNotFound(err)
	if err != nil && !offline {
		return plan, err
	}
	plan = ScheduledSync{SyncSchedule: own, Inherited: own.Text == ""}
	if plan.Inherited {
		if plan.SyncSchedule, err = tx.SyncSchedule(0); err != nil {
			return plan, err
		}
		plan.Run = own.Run
	}
	if plan.Text == "" {
		plan.Text = ScheduleOff
	}
	_, plan.Running = s.online.Load(accountID)
	switch {
	case plan.Text == ScheduleOff:
		plan.Waits = WaitsOff
	case offline || s.upstream == nil:
		plan.Waits = WaitsByFile
	case !account.Registered():
		plan.Waits = WaitsUnregistered
	case account.Status != AccountActive:
		plan.Waits = WaitsInactive
	}
	if plan.Waits != "" {
		return plan, nil
	}
	line, err := plan.line()
	if err != nil {
		return plan, err
	}
	due := syncDue{line: line, delay: plan.delay(s.externalID(accountID)), run: plan.Run,
		settled: []time.Time{own.SetAt, plan.SetAt, upstream.SetAt, state.LastSyncAt}}
	plan.NextAt, plan.retry, err = due.next(now, s.timetable)
	return plan, err
}

// SynchronizeDue synchronizes the accounts whose time has come, one after the
// other. It is due every minute. An account that is being synchronized already is
// left alone. failed is told of each exchange that failed, which stands in the
// history of its account, too, and holds up no other. The error joins what went
// wrong inside the satellite.
func (s *Service) SynchronizeDue(ctx context.Context, failed func(Account, error)) error {
	var accounts []Account
	err := s.store.View(ctx, func(tx Tx) (err error) {
		accounts, err = tx.Accounts()
		return err
	})
	problems := []error{err}
	for _, account := range accounts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch err := s.synchronizeDue(ctx, account.ID); {
		case err == nil:
		case KindOf(err) == KindInternal:
			problems = append(problems, fmt.Errorf("account %q: %w", account.Name, err))
		default:
			failed(account, err)
		}
	}
	return errors.Join(problems...)
}

func (s *Service) synchronizeDue(ctx context.Context, accountID AccountID) error {
	now := s.SystemNow()
	var plan ScheduledSync
	err := s.store.View(ctx, func(tx Tx) (err error) {
		plan, err = s.scheduledSync(tx, accountID, now)
		return err
	})
	if isNotFound(err) {
		return nil // it was deleted meanwhile
	}
	if err != nil || plan.NextAt.IsZero() || plan.NextAt.After(now) {
		return err
	}
	run := SyncRun{StartedAt: now, Outcome: ExchangeApplied}
	if plan.retry {
		run.Retries = plan.Run.Retries + 1
	}
	result, problem := s.Synchronize(ctx, schedule, accountID, SyncOptions{}, func(SyncProgress) {})
	switch {
	case CodeOf(problem) == "sync-running":
		return nil // where that fails, the next pass tries
	case problem != nil && ctx.Err() != nil:
		return problem // interrupted by the end of the program: caught up after its next start
	case problem != nil:
		run.Outcome, run.Reason = ExchangeFailed, exchangeReason(problem)
	case result.FullRequested:
		run.Outcome, run.Reason = ExchangeFullRequested, clipRunes(result.Reason, maxExchangeReason)
	}
	run.EndedAt = s.SystemNow()
	// The run is over, so it is kept even if the program is asked to end meanwhile.
	err = s.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		if _, err := tx.Account(accountID); err != nil {
			return err
		}
		row, err := tx.SyncSchedule(accountID)
		if err != nil {
			return err
		}
		row.Run = run
		return tx.SaveSyncSchedule(row)
	})
	if isNotFound(err) {
		err = nil
	}
	return errors.Join(problem, err)
}
