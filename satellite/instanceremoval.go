package satellite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RemoveInstance removes a device: its licenses return to the pools, its
// certificate is revoked, and its next message is refused. KindConflict while it
// holds export-controlled licenses: those only the device itself can give back.
func (s *Service) RemoveInstance(ctx context.Context, actor Actor, piid string) error {
	if err := actor.known(); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		instance, err := findInstance(tx, actor, InstanceQuery{PIID: piid}, ActionManageDevices)
		if err != nil {
			return err
		}
		return s.removeOne(tx, record, instance, now)
	})
}

// maxRemovals bounds what one request removes: it is one transaction, and the
// devices wait for it 2 to 3 ms for each removal.
const maxRemovals = 100

// InstanceRemoval names a device that is to be removed.
type InstanceRemoval struct {
	// Identity is what stands on the device. Its software tag may be empty where
	// one device has the product id and serial number.
	Identity
	// ReturnCode is what the device shows when it has given its reservation up; a
	// device without one needs none.
	ReturnCode string
}

// RemoveInstances removes devices of a virtual account, all or none. Of a device
// with a reservation, that is returned by its code, as in ReturnReservation.
//
// KindInvalid for none or more than 100 devices, and for a text that is no
// return code; KindNotFound for a device that is not in the virtual account;
// KindConflict for a reservation without a code or with one of something else,
// where several devices fit, and for one that holds export-controlled licenses.
func (s *Service) RemoveInstances(ctx context.Context, actor Actor, account AccountID, virtualAccount string, list []InstanceRemoval) error {
	if len(list) < 1 || len(list) > maxRemovals {
		return fail(KindInvalid, "device-removal-invalid", "From 1 to %d devices can be removed at once, not %d. Nothing was changed.", maxRemovals, len(list))
	}
	if err := actor.maySomewhere(ActionManageDevices, account); err != nil {
		return err
	}
	now := s.Now()
	returned, err := s.judgeReturns(ctx, actor, account, virtualAccount, list)
	if err != nil {
		return err
	}
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		virtual, err := removalPlace(tx, actor, account, virtualAccount)
		if err != nil {
			return err
		}
		for i, r := range list {
			instance, err := findDeviceIn(tx, r.Identity, virtual)
			if err == nil && returned[i].ID != 0 {
				instance, err = returnBefore(tx, record, actor, instance, returned[i], now)
			}
			if err == nil && instance.ID != 0 {
				err = s.removeOne(tx, record, instance, now)
			}
			if err != nil {
				return numbered(err, "Device", i, len(list))
			}
		}
		return nil
	})
}

func removalPlace(tx Tx, actor Actor, account AccountID, name string) (VirtualAccount, error) {
	return permittedVirtualAccount(tx, actor, ActionManageDevices, account, name)
}

// judgeReturns finds the reservations that are returned with the devices, and
// judges their codes. The secrets of codes are opened outside of a transaction.
func (s *Service) judgeReturns(ctx context.Context, actor Actor, account AccountID, virtualAccount string, list []InstanceRemoval) ([]Reservation, error) {
	standing := make([]Reservation, len(list))
	err := s.store.View(ctx, func(tx Tx) error {
		virtual, err := removalPlace(tx, actor, account, virtualAccount)
		if err != nil {
			return err
		}
		for i, r := range list {
			instance, err := findDeviceIn(tx, r.Identity, virtual)
			if err != nil {
				return numbered(err, "Device", i, len(list))
			}
			if r.ReturnCode == "" {
				continue
			}
			if standing[i], err = tx.ReservationByUDI(instance.UDIPID, instance.UDISerialNumber); err != nil && !isNotFound(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, r := range standing {
		if r.ID == 0 {
			continue
		}
		if standing[i], err = s.judgeReturn(ctx, actor, ReservationQuery{ID: r.ID}, list[i].ReturnCode); err != nil {
			return nil, numbered(err, "Device", i, len(list))
		}
	}
	return standing, nil
}

// returnBefore returns the reservation of a device that is removed then. The
// instance has ID 0 where its record went with the reservation.
func returnBefore(tx Tx, record recorder, actor Actor, instance Instance, before Reservation, now time.Time) (Instance, error) {
	if _, err := giveBack(tx, record, actor, before, now); err != nil {
		return instance, err
	}
	instance, err := tx.Instance(instance.PIID)
	if isNotFound(err) {
		return Instance{}, nil
	}
	return instance, err
}

// removeOne removes a device that nothing keeps.
func (s *Service) removeOne(tx Tx, record recorder, instance Instance, now time.Time) error {
	if err := unreserved(tx, instance.UDIPID, instance.UDISerialNumber, "it cannot be removed"); err != nil {
		return err
	}
	if err := removable(tx, instance); err != nil {
		return err
	}
	return s.remove(tx, record, instance, now, EventDeviceRemoved, "was removed")
}

// findDeviceIn finds the device of a product id and serial number in the first
// of some virtual accounts that has it. Where a software tag is named it is the
// one with that software, or one whose software is not known: a record that its
// reservation made. KindNotFound; KindConflict where several fit.
func findDeviceIn(tx Tx, wanted Identity, places ...VirtualAccount) (Instance, error) {
	known, err := tx.InstancesByUDI(wanted.UDIPID, wanted.UDISerialNumber)
	if err != nil {
		return Instance{}, err
	}
	for _, place := range places {
		found := slices.DeleteFunc(slices.Clone(known), func(i Instance) bool {
			return i.VirtualAccountID != place.ID || wanted.SoftwareTag != "" && i.SoftwareTag != "" && i.SoftwareTag != wanted.SoftwareTag
		})
		if len(found) > 1 {
			return Instance{}, fail(KindConflict, "device-ambiguous", "%d devices have the product id %q and the serial number %q, with different software. Nothing was changed.",
				len(found), clip(wanted.UDIPID), clip(wanted.UDISerialNumber)).hint("Name the software tag, too.")
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return Instance{}, fail(KindNotFound, "device-not-found", "Virtual account %q has no device with the product id %q and the serial number %q%s. Nothing was changed.",
		places[0].Name, clip(wanted.UDIPID), clip(wanted.UDISerialNumber), softwareText(wanted.SoftwareTag)).hint("A list of its devices shows those that exist.")
}

func softwareText(tag string) string {
	if tag == "" {
		return ""
	}
	return fmt.Sprintf(" and the software %q", clip(tag))
}

// removable returns KindConflict while the device holds licenses that must be
// known to be released before they go elsewhere.
func removable(tx Tx, instance Instance) error {
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return err
	}
	var held []string
	for _, h := range holdings {
		if h.License.Enforcement == ExportControlled && h.Usage.Count > 0 {
			held = append(held, fmt.Sprintf("%d of %s", h.Usage.Count, h.License.called()))
		}
	}
	if len(held) == 0 {
		return nil
	}
	return fail(KindConflict, "export-licenses-held", "Device %s holds export-controlled licenses: %s. Nothing was changed.", instance.Name(), strings.Join(held, ", ")).
		hint("Release them on the device first, or deregister the device there.")
}

// remove is what removal and deregistration share.
func (s *Service) remove(tx Tx, record recorder, instance Instance, now time.Time, event EventType, verb string) error {
	returned, err := release(tx, record, instance, false, now)
	if err != nil {
		return err
	}
	if err := revoke(tx, instance, now); err != nil {
		return err
	}
	if err := settleAlertsOf(tx, record, instance, now); err != nil {
		return err
	}
	if err := tx.DeleteInstance(instance); err != nil {
		return err
	}
	virtual, err := namesOf(tx).details(instance)
	if err != nil {
		return err
	}
	return record(Event{
		Type: event, AccountID: instance.AccountID, VirtualAccount: virtual.VirtualAccount, PIID: instance.PIID,
		Message: fmt.Sprintf("Device %s (%s, %s) %s; %d licenses returned to the pool.", instance.Name(), instance.UDIPID, instance.UDISerialNumber, verb, returned),
	})
}
