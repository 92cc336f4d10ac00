package satellite

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// maxTransfer is how many devices one transfer moves: it is one transaction.
const maxTransfer = 1000

// TransferInstances moves devices of an account to another virtual account of
// it, all or none. What they use moves with them: the counts leave the old pools
// and enter the new ones, and the devices learn at their next contact what that
// makes of them. A device that is there already stays as it is.
//
// KindInvalid for none or more than 1000 devices; KindNotFound for a device that
// the account does not have, and for the virtual account; KindConflict where a
// device holds an enforced license of which the target has too few, or comes
// into a high-availability pair that is full.
func (s *Service) TransferInstances(ctx context.Context, actor Actor, account AccountID, piids []string, target string) (moved int, err error) {
	if len(piids) == 0 || len(piids) > maxTransfer {
		return 0, errTransferCount(len(piids))
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		moved = 0
		t, err := openTransfer(tx, record, actor, account, now)
		if err != nil {
			return err
		}
		to, err := t.place(target)
		if err != nil {
			return err
		}
		for _, piid := range piids {
			instance, err := t.find(piid)
			if err != nil {
				return err
			}
			if err := t.move(instance, to); err != nil {
				return err
			}
		}
		moved = t.moved
		return t.settle()
	})
	return moved, err
}

// InstanceTransfer says where one device goes.
type InstanceTransfer struct {
	Identity        // of the device, as for RemoveInstances
	To       string // name of a virtual account; "" is the default one
}

// TransferInstancesFrom moves devices out of one virtual account, each to
// another one of its account, all or none; else like TransferInstances. A device
// that is where it is to go already stays as it is.
//
// KindInvalid for none or more than 1000 devices; KindNotFound for a device that
// is not in the virtual account, and for a virtual account; KindConflict where
// several devices fit, and as for TransferInstances.
func (s *Service) TransferInstancesFrom(ctx context.Context, actor Actor, account AccountID, from string, list []InstanceTransfer) error {
	if len(list) == 0 || len(list) > maxTransfer {
		return errTransferCount(len(list))
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		t, err := openTransfer(tx, record, actor, account, now)
		if err != nil {
			return err
		}
		source, err := t.place(from)
		if err != nil {
			return err
		}
		for i, wanted := range list {
			to, err := t.place(wanted.To)
			if err != nil {
				return numbered(err, "Device", i, len(list))
			}
			instance, err := findDeviceIn(tx, wanted.Identity, source, to)
			if err == nil {
				err = t.move(instance, to)
			}
			if err != nil {
				return numbered(err, "Device", i, len(list))
			}
		}
		return t.settle()
	})
}

func errTransferCount(devices int) error {
	return fail(KindInvalid, "device-transfer-invalid", "A transfer names 1 to %d devices, not %d. Nothing was changed.", maxTransfer, devices)
}

// transfer is one transfer of devices. It has one ledger for each virtual account,
// so that shortages are judged when all devices are where they go.
type transfer struct {
	tx      Tx
	record  recorder
	actor   Actor
	account AccountID
	now     time.Time
	virtual []VirtualAccount
	ledgers map[VirtualAccountID]*ledger
	opened  []*ledger // in the order of their opening
	short   string    // the first virtual account that has too few licenses
	missing []string  // what it has too few of
	moved   int
}

func openTransfer(tx Tx, record recorder, actor Actor, account AccountID, now time.Time) (*transfer, error) {
	// Asked before anything is looked up: a stranger learns nothing of what there is.
	if !actor.Sees(account) {
		return nil, actor.mayIn(ActionManageDevices, account, 0)
	}
	list, err := tx.VirtualAccounts(account)
	return &transfer{tx: tx, record: record, actor: actor, account: account, now: now, virtual: list, ledgers: map[VirtualAccountID]*ledger{}}, err
}

// place is a virtual account between which the actor may transfer devices.
func (t *transfer) place(name string) (VirtualAccount, error) {
	return permittedAmong(t.virtual, t.actor, ActionManageDevices, t.account, name)
}

func (t *transfer) name(virtual VirtualAccountID) string {
	for _, v := range t.virtual {
		if v.ID == virtual {
			return v.Name
		}
	}
	return ""
}

func (t *transfer) ledger(virtual VirtualAccountID) *ledger {
	if t.ledgers[virtual] == nil {
		t.ledgers[virtual] = openLedger(t.tx, t.record, t.account, virtual, t.now)
		t.opened = append(t.opened, t.ledgers[virtual])
	}
	return t.ledgers[virtual]
}

// find finds a device of the account for who may transfer it.
func (t *transfer) find(piid string) (Instance, error) {
	instance, err := findInstance(t.tx, t.actor, InstanceQuery{PIID: piid}, ActionManageDevices)
	if err == nil && instance.AccountID != t.account || isNotFound(err) {
		return instance, fail(KindNotFound, "device-not-found", "This account has no device %q. Nothing was changed.", clip(piid)).hint("`satellite device list` shows those that exist.")
	}
	return instance, err
}

func (t *transfer) move(instance Instance, to VirtualAccount) error {
	from := instance.VirtualAccountID
	if from == to.ID {
		return nil
	}
	instance, missing, err := travel(instance, t.ledger(from), t.ledger(to.ID))
	if err != nil {
		return err
	}
	if t.short == "" && len(missing) > 0 {
		t.short = to.Name
	}
	if t.short == to.Name {
		t.missing = append(t.missing, missing...)
	}
	if err := t.tx.SaveInstance(instance); err != nil {
		return err
	}
	if err := t.reserved(instance, from, to.ID); err != nil {
		return err
	}
	t.moved++
	return t.record(Event{
		Type: EventDeviceTransferred, AccountID: t.account, VirtualAccount: to.Name, PIID: instance.PIID,
		Message: fmt.Sprintf("Device %s (%s, %s) was transferred from virtual account %q to %q.", instance.Name(), instance.UDIPID, instance.UDISerialNumber, t.name(from), to.Name),
	})
}

// reserved takes along what a device has reserved. That works on ledgers of its
// own, so those of this transfer are settled before.
func (t *transfer) reserved(instance Instance, from, to VirtualAccountID) error {
	if instance.AuthorizationState != AuthorizedReserved {
		return nil
	}
	if err := t.settle(); err != nil {
		return err
	}
	t.ledgers, t.opened = map[VirtualAccountID]*ledger{}, nil
	return travelReservations(t.tx, t.record, instance, from, to, t.now)
}

// settle ends the transfer: KindConflict where the target is short of what must
// not be overdrawn.
func (t *transfer) settle() error {
	if len(t.missing) > 0 {
		named := t.missing
		if len(named) > 10 {
			named = append(named[:10:10], fmt.Sprintf("and %d more", len(t.missing)-10))
		}
		return fail(KindConflict, "device-transfer-refused", "Virtual account %q cannot give these devices the licenses that they hold: %s. No device was transferred.", t.short, strings.Join(named, "; ")).
			hint("Transfer licenses there first, or release them on the devices.")
	}
	for _, l := range t.opened {
		if err := l.settle(); err != nil {
			return err
		}
	}
	return nil
}

// travel moves what an instance uses from the pools of one virtual account to
// those of another, and its open alerts along. It leaves its pair, whose other
// members carry on with what they want, and joins the one of the same application
// that the target has. missing names the licenses of which it holds less than
// before: the target may not give more.
func travel(instance Instance, from, to *ledger) (_ Instance, missing []string, err error) {
	holdings, err := from.tx.Holdings(instance.ID)
	if err != nil {
		return instance, nil, err
	}
	left, err := pairOf(from.tx, instance)
	if err != nil {
		return instance, nil, err
	}
	instance.VirtualAccountID = to.virtual
	joined, err := pairOf(to.tx, instance)
	if err != nil {
		return instance, nil, err
	}
	if err := joined.follow(to.tx, to.record, instance); err != nil {
		return instance, nil, err
	}
	for _, h := range holdings {
		lost, err := h.travel(instance, from, to, left, joined)
		if err != nil {
			return instance, nil, err
		}
		if lost > 0 {
			missing = append(missing, fmt.Sprintf("%d of %s for %s", lost, h.License.called(), instance.Name()))
		}
	}
	alerts, err := to.tx.Alerts(AlertFilter{PIID: instance.PIID, Scope: Scope{All: true}}, Page{Limit: watchChunk})
	for _, a := range alerts {
		if err == nil {
			a.VirtualAccountID = to.virtual
			_, err = to.tx.OpenAlert(a)
		}
	}
	return instance, missing, err
}

// travel moves one holding, and returns how much less the device has of it then.
// What it was refused it may get in the target; what silence took back stays there.
func (h Holding) travel(instance Instance, from, to *ledger, left, joined pair) (lost int64, err error) {
	silent := instance.AuthorizationState == AuthorizationExpired
	h.Shared = 0
	if h.permitted(instance) && !silent {
		h.Shared = left.holds(h.License.ID)
	}
	had := h.Has()
	own := member{instance: instance, Holding: h, leaves: true}
	if _, err := from.carry(left, &own); err != nil {
		return 0, err
	}
	moved := Holding{License: h.License, Usage: own.Usage}
	moved.Usage.VirtualAccountID = to.virtual
	row, err := to.pool(h.License)
	if err != nil {
		return 0, err
	}
	moved.Pool = row.Pool
	if silent {
		return 0, to.save(moved.Usage)
	}
	err = acquire(to, joined, instance, &moved)
	return had - moved.Has(), err
}
