package satellite

import (
	"fmt"
	"time"
)

// Copies of one device (a cloned virtual machine) share key and certificate, so
// nothing but their course tells them apart: each message names the last reply
// that its sender has accepted.

// duplicatesOpen is how long an alert about copies stays open after the last sign of them.
const duplicatesOpen = 30 * day

// continues judges by the last reply that a message names whether two copies of
// the device speak in turns, and notes which reply the device has left behind.
//
// The device may fall back from the last reply once: that is a reply that got
// lost, or a virtual machine that was rolled back. A message that goes on from
// the reply that was left behind comes from another copy. What names no reply is
// not judged.
func (i *Instance) continues(lastReply string) (copied bool) {
	if lastReply == "" || lastReply == i.ReplyDigest {
		return false
	}
	copied = lastReply == i.OtherDigest
	i.OtherDigest = i.ReplyDigest
	return copied
}

// raiseCopies opens the alert that two copies of a device speak in turns; before
// is the device as its other copy left it.
func raiseCopies(tx Tx, record recorder, before Instance, source string, now time.Time) error {
	return raise(tx, record, Alert{
		AccountID: before.AccountID, VirtualAccountID: before.VirtualAccountID, PIID: before.PIID, Type: AlertDuplicateLicenses, Key: before.PIID, Source: before.Name(),
		Message: fmt.Sprintf("Two copies of device %s (%s, %s) speak in turns: one from %s, the other one from %s. Register the copy anew, or remove the device.",
			before.Name(), before.UDIPID, before.UDISerialNumber, before.LastAddress, source),
		ActionDue: now.Add(duplicatesOpen),
	}, now)
}

// evictedKey is the key of the alert that a device was registered over another one.
func evictedKey(piid string) string { return "evicted:" + piid }

// raiseEviction opens the alert that a registration took the place of a standing one.
func raiseEviction(tx Tx, record recorder, before Instance, source string, now time.Time) error {
	return raise(tx, record, Alert{
		AccountID: before.AccountID, VirtualAccountID: before.VirtualAccountID, PIID: before.PIID, Type: AlertDuplicateLicenses, Key: evictedKey(before.PIID), Source: before.Name(),
		Message: fmt.Sprintf("Device %s (%s, %s) was registered from %s in the place of the registration from %s, whose certificate was revoked.",
			before.Name(), before.UDIPID, before.UDISerialNumber, source, before.LastAddress),
		ActionDue: now.Add(duplicatesOpen),
	}, now)
}

// registeredAnew closes and opens what a registration that is no repeat says about copies.
func registeredAnew(tx Tx, record recorder, before Instance, source string, now time.Time) error {
	if before.ID == 0 {
		return nil
	}
	if err := settled(tx, record, before.AccountID, AlertDuplicateLicenses, before.PIID, "the device was registered anew.", now); err != nil {
		return err
	}
	if before.StateAt(now).RegistrationState != Registered {
		return nil
	}
	return raiseEviction(tx, record, before, source, now)
}

// closeDuplicates closes the alerts about copies of which nothing was seen for
// duplicatesOpen, a chunk at a time. next is where to go on, 0 at the end.
func closeDuplicates(tx Tx, record recorder, after int64, now time.Time) (next int64, err error) {
	page := Page{After: after, Limit: watchChunk}
	alerts, err := tx.Alerts(AlertFilter{Type: AlertDuplicateLicenses, Scope: Scope{All: true}}, page)
	if err != nil {
		return 0, err
	}
	for _, a := range alerts {
		if now.Before(a.ActionDue) {
			continue
		}
		if err := settled(tx, record, a.AccountID, a.Type, a.Key, "no other copy has shown itself for 30 days.", now); err != nil {
			return 0, err
		}
	}
	if len(alerts) == watchChunk {
		next = alerts[len(alerts)-1].ID
	}
	return next, nil
}
