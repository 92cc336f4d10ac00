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
		return 0, fail(KindInvalid, "device-transfer-invalid", "A transfer names 1 to %d devices, not %d. Nothing was changed.", maxTransfer, len(piids))
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		moved = 0
		// Asked before anything is looked up: a stranger learns nothing of what there is.
		if !actor.Sees(account) {
			return actor.mayIn(ActionManageDevices, account, 0)
		}
		to, err := findVirtualAccount(tx, account, target)
		if err != nil {
			return err
		}
		if err := actor.mayIn(ActionManageDevices, account, to.ID); err != nil {
			return err
		}
		t, err := openTransfer(tx, record, account, to, now)
		if err != nil {
			return err
		}
		for _, piid := range piids {
			if err := t.move(actor, piid); err != nil {
				return err
			}
		}
		moved = t.moved
		return t.settle()
	})
	return moved, err
}

// transfer is one transfer of devices. It has one ledger for each virtual account,
// so that shortages are judged when all devices are where they go.
type transfer struct {
	tx      Tx
	record  recorder
	account AccountID
	to      VirtualAccount
	now     time.Time
	names   map[VirtualAccountID]string
	ledgers map[VirtualAccountID]*ledger
	opened  []*ledger // in the order of their opening
	missing []string  // what the target has too few of
	moved   int
}

func openTransfer(tx Tx, record recorder, account AccountID, to VirtualAccount, now time.Time) (*transfer, error) {
	list, err := tx.VirtualAccounts(account)
	t := &transfer{tx: tx, record: record, account: account, to: to, now: now, names: map[VirtualAccountID]string{}, ledgers: map[VirtualAccountID]*ledger{}}
	for _, v := range list {
		t.names[v.ID] = v.Name
	}
	return t, err
}

func (t *transfer) ledger(virtual VirtualAccountID) *ledger {
	if t.ledgers[virtual] == nil {
		t.ledgers[virtual] = openLedger(t.tx, t.record, t.account, virtual, t.now)
		t.opened = append(t.opened, t.ledgers[virtual])
	}
	return t.ledgers[virtual]
}

func (t *transfer) move(actor Actor, piid string) error {
	instance, err := findInstance(t.tx, InstanceQuery{PIID: piid})
	if err == nil && (instance.AccountID != t.account || !actor.MayIn(ActionRead, t.account, instance.VirtualAccountID)) || isNotFound(err) {
		return fail(KindNotFound, "device-not-found", "This account has no device %q. Nothing was changed.", clip(piid)).hint("`satellite device list` shows those that exist.")
	}
	if err != nil {
		return err
	}
	if err := actor.mayIn(ActionManageDevices, t.account, instance.VirtualAccountID); err != nil {
		return err
	}
	from := instance.VirtualAccountID
	if from == t.to.ID {
		return nil
	}
	instance, missing, err := travel(instance, t.ledger(from), t.ledger(t.to.ID))
	if err != nil {
		return err
	}
	t.missing = append(t.missing, missing...)
	if err := t.tx.SaveInstance(instance); err != nil {
		return err
	}
	t.moved++
	return t.record(Event{
		Type: EventDeviceTransferred, AccountID: t.account, VirtualAccount: t.to.Name, PIID: instance.PIID,
		Message: fmt.Sprintf("Device %s (%s, %s) was transferred from virtual account %q to %q.", instance.Name(), instance.UDIPID, instance.UDISerialNumber, t.names[from], t.to.Name),
	})
}

// settle ends the transfer: KindConflict where the target is short of what must
// not be overdrawn.
func (t *transfer) settle() error {
	if len(t.missing) > 0 {
		named := t.missing
		if len(named) > 10 {
			named = append(named[:10:10], fmt.Sprintf("and %d more", len(t.missing)-10))
		}
		return fail(KindConflict, "device-transfer-refused", "Virtual account %q cannot give these devices the licenses that they hold: %s. No device was transferred.", t.to.Name, strings.Join(named, "; ")).
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
//
// What is reserved for the instance would travel here, too, beside what it
// uses: out of the counters of from, into those of to.
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
