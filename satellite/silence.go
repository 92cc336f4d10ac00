package satellite

import (
	"context"
	"fmt"
	"time"
)

// returnChunk is how many devices are returned in one transaction: about 40 ms.
const returnChunk = 100

// ReturnSilent is the 90-day return: a registered device that holds licenses and
// has sent nothing for Options.AuthorizationLife is taken as gone. What it holds
// goes back to the pools and its authorization expires; its record and its
// certificate stay, and it gets everything again with the very message that ends
// its silence, as far as the pools then suffice.
//
// Silence is served time: while the satellite is off nobody is silent. While the
// system's clock is not believed (see Clock) nothing is returned.
//
// Devices that are known by their usage reports only are never returned: they
// report once a year at most, and their count stands until the next report.
func (s *Service) ReturnSilent(ctx context.Context, now time.Time) error {
	for more := true; more; {
		clock := s.guard.look()
		if clock.Held() {
			return nil
		}
		err := s.update(ctx, itself, now, func(tx Tx, record recorder) error {
			silent, err := tx.QuietInstances(clock.Served-s.options.AuthorizationLife+time.Microsecond, Instance{}, returnChunk)
			if err != nil {
				return err
			}
			for _, instance := range silent {
				if err := s.returnLicenses(tx, record, instance, now); err != nil {
					return err
				}
			}
			if more = len(silent) == returnChunk; len(silent) == 0 {
				return errUnchanged
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// returnLicenses takes back what a silent device holds. What it wants stays on
// record. The change goes upstream.
func (s *Service) returnLicenses(tx Tx, record recorder, instance Instance, now time.Time) error {
	returned, err := release(tx, record, instance, true, now)
	if err != nil {
		return err
	}
	instance.AuthorizationState = AuthorizationExpired
	if instance.AuthorizationExpiresAt.After(now) {
		instance.AuthorizationExpiresAt = now
	}
	if err := tx.SaveInstance(instance); err != nil {
		return err
	}
	virtual, err := virtualAccountName(tx, instance.AccountID, instance.VirtualAccountID)
	if err != nil {
		return err
	}
	return record(Event{
		Type: EventDeviceReturned, AccountID: instance.AccountID, VirtualAccount: virtual, PIID: instance.PIID,
		Message: fmt.Sprintf("Device %s (%s, %s) was silent for %s; %d licenses returned to the pool. It gets them again with its next message, as far as there are enough.",
			instance.Name(), instance.UDIPID, instance.UDISerialNumber, span(s.options.AuthorizationLife), returned),
	})
}
