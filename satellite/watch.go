package satellite

import (
	"context"
	"fmt"
	"time"
)

const (
	// silentAfter is how long a device that holds licenses may say nothing, in
	// served time, before people are told.
	silentAfter = 60 * day
	// renewalDue is how long before its end an ID certificate that was not
	// renewed is noticed; of one with a shorter life than usual, a quarter of that.
	renewalDue = 60 * day
	// watchChunk is how many devices are looked at in one transaction.
	watchChunk = 100
)

// WatchDevices opens the alerts of devices that stay away: those that hold
// licenses and have been silent for 60 days of served time, and those whose ID
// certificate ends within 60 days, or has ended, without a renewal. It closes the
// alerts about copies that have not shown themselves for 30 days. served is how
// long the satellite has been serving until now. It goes over due devices only,
// in chunks; what was done before an error stays done.
func (s *Service) WatchDevices(ctx context.Context, now time.Time, served time.Duration) error {
	chunks := []func(Tx, recorder, *Instance) (bool, error){
		func(tx Tx, record recorder, last *Instance) (more bool, err error) {
			quiet, err := tx.QuietInstances(served-silentAfter, *last, watchChunk)
			return each(quiet, last, err, func(i Instance) error { return raiseSilent(tx, record, i, now) })
		},
		func(tx Tx, record recorder, last *Instance) (more bool, err error) {
			due, err := tx.UnrenewedInstances(now.Add(s.renewalDue()), *last, watchChunk)
			return each(due, last, err, func(i Instance) error { return raiseUnrenewed(tx, record, i, now) })
		},
		func(tx Tx, record recorder, last *Instance) (more bool, err error) {
			next, err := closeDuplicates(tx, record, int64(last.ID), now)
			last.ID = InstanceID(next)
			return next != 0, err
		},
	}
	for _, chunk := range chunks {
		var last Instance
		for more := true; more; {
			var reached Instance
			err := s.update(ctx, itself, now, func(tx Tx, record recorder) (err error) {
				reached = last
				more, err = chunk(tx, record, &reached)
				return err
			})
			if err != nil {
				return err
			}
			last = reached
		}
	}
	return nil
}

// each handles the devices of a chunk and moves last to the last of them; more
// tells whether there may be others behind it.
func each(chunk []Instance, last *Instance, err error, handle func(Instance) error) (more bool, _ error) {
	for _, instance := range chunk {
		if err == nil {
			err = handle(instance)
		}
		*last = instance
	}
	return len(chunk) == watchChunk, err
}

// renewalDue is how long before its end a certificate ought to have been renewed.
func (s *Service) renewalDue() time.Duration { return min(renewalDue, s.options.CertificateLife/4) }

func raiseSilent(tx Tx, record recorder, i Instance, now time.Time) error {
	return raise(tx, record, Alert{
		AccountID: i.AccountID, VirtualAccountID: i.VirtualAccountID, PIID: i.PIID, Type: AlertFailedToConnect, Key: i.PIID, Source: i.Name(),
		Message: fmt.Sprintf("Device %s (%s, %s) has said nothing since %s and holds licenses; after 90 days they return to the pool.", i.Name(), i.UDIPID, i.UDISerialNumber, stamp(i.LastContactAt)),
	}, now)
}

func raiseUnrenewed(tx Tx, record recorder, i Instance, now time.Time) error {
	message := fmt.Sprintf("The ID certificate of device %s (%s, %s) ends on %s and was not renewed; after that the device has to be registered again.", i.Name(), i.UDIPID, i.UDISerialNumber, stamp(i.CertificateNotAfter))
	if i.StateAt(now).RegistrationState == RegistrationExpired {
		message = fmt.Sprintf("The ID certificate of device %s (%s, %s) ended on %s without a renewal; the device has to be registered again.", i.Name(), i.UDIPID, i.UDISerialNumber, stamp(i.CertificateNotAfter))
	}
	return raise(tx, record, Alert{
		AccountID: i.AccountID, VirtualAccountID: i.VirtualAccountID, PIID: i.PIID, Type: AlertFailedToRenew, Key: i.PIID, Source: i.Name(),
		Message: message, ActionDue: i.CertificateNotAfter,
	}, now)
}

// recovered closes the alerts of a device that stayed away, once it speaks. It
// looks for them only where there may be one.
func (s *Service) recovered(tx Tx, record recorder, before, after Instance, now time.Time) error {
	if now.Sub(before.LastContactAt) >= silentAfter {
		if err := settled(tx, record, after.AccountID, AlertFailedToConnect, after.PIID, "the device has spoken.", now); err != nil {
			return err
		}
	}
	due := now.Add(s.renewalDue())
	if before.CertificateNotAfter.After(due) || !after.CertificateNotAfter.After(due) {
		return nil
	}
	return settled(tx, record, after.AccountID, AlertFailedToRenew, after.PIID, "the device has a new ID certificate.", now)
}

// settleAlertsOf closes all alerts about a device that is no more.
func settleAlertsOf(tx Tx, record recorder, instance Instance, now time.Time) error {
	for {
		alerts, err := tx.Alerts(AlertFilter{PIID: instance.PIID, Scope: Scope{All: true}}, Page{Limit: watchChunk})
		if err != nil || len(alerts) == 0 {
			return err
		}
		for _, a := range alerts {
			if err := settled(tx, record, a.AccountID, a.Type, a.Key, "the device is no more.", now); err != nil {
				return err
			}
		}
	}
}
