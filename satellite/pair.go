package satellite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ssm/satellite/wire"
)

// High-availability pairs. The members of one application in one virtual
// account count once: of each license they hold together what the one that wants
// most wants. At most one member is active, the one that said so last. It carries
// the count; the others hold what they want beyond it. A device that stands
// alone is a pair of one, so there is one way to acquire and one to give back.

const (
	// maxMembers bounds a pair: a message of one member reads what all of them hold.
	maxMembers       = 16
	maxApplicationID = 64 // characters
)

// checkPair judges what a message says of a pair: KindInvalid.
func checkPair(said *wire.HighAvailability) error {
	if said == nil {
		return nil
	}
	id := said.ApplicationID
	good := id != "" && utf8.ValidString(id) && utf8.RuneCountInString(id) <= maxApplicationID && strings.TrimSpace(id) == id
	if !good || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) || said.Role != wire.RoleActive && said.Role != wire.RoleStandby {
		return fail(KindInvalid, "high-availability-invalid", "The application %q in the role %q is none that a high-availability pair can have. Nothing was changed.", clip(id), clip(said.Role)).
			hint("The application has 1 to %d printable characters, the role is %s or %s.", maxApplicationID, wire.RoleActive, wire.RoleStandby)
	}
	return nil
}

// joins notes which pair the device says to be a member of, nil for none.
func (i *Instance) joins(said *wire.HighAvailability) {
	i.ApplicationID, i.HARole = "", ""
	if said != nil {
		i.ApplicationID, i.HARole = said.ApplicationID, said.Role
	}
}

// pair are the other members of a device's pair; none where it stands alone.
type pair []peer

type peer struct {
	instance Instance
	usages   map[LicenseID]Usage
}

// pairOf reads the other members. KindConflict where they are as many as a pair may have.
func pairOf(tx Tx, instance Instance) (pair, error) {
	if instance.ApplicationID == "" {
		return nil, nil
	}
	others, err := tx.Peers(instance)
	if err != nil {
		return nil, err
	}
	if len(others) >= maxMembers {
		return nil, fail(KindConflict, "high-availability-full", "The high-availability pair %q has %d members, and that is all it can have. Nothing was changed.", instance.ApplicationID, len(others)).
			hint("Use another application id, or remove members that are gone.")
	}
	p := make(pair, len(others))
	for i, other := range others {
		holdings, err := tx.Holdings(other.ID)
		if err != nil {
			return nil, err
		}
		p[i] = peer{instance: other, usages: make(map[LicenseID]Usage, len(holdings))}
		for _, h := range holdings {
			p[i].usages[h.License.ID] = h.Usage
		}
	}
	return p, nil
}

// holds is what the other members hold of a license.
func (p pair) holds(license LicenseID) (sum int64) {
	for _, other := range p {
		sum += other.usages[license].Count
	}
	return sum
}

// follow makes the others standby where the device speaks as the active member.
func (p pair) follow(tx Tx, record recorder, active Instance) error {
	for i := range p {
		other := &p[i].instance
		if active.HARole != wire.RoleActive || other.HARole != wire.RoleActive {
			continue
		}
		other.HARole = wire.RoleStandby
		if err := tx.SaveInstance(*other); err != nil {
			return err
		}
		err := record(Event{
			Type: EventDeviceSwitchedOver, AccountID: active.AccountID, PIID: active.PIID,
			Message: fmt.Sprintf("Device %s is the active member of the pair %q now, in the place of %s.", active.Name(), active.ApplicationID, other.Name()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// member is what one device of a pair holds of one license.
type member struct {
	instance Instance
	Holding
	leaves   bool // it wants nothing any more
	reported bool // it has used what it wants already

	asks   int64 // what the pair has to hold for it
	silent bool  // its licenses were taken back, and it has not spoken since
	barred bool  // it may not ask for more than it holds
}

// members are those that hold or want a license; the one that speaks is the first.
func (p pair) members(own member) []*member {
	list := make([]*member, 1, len(p)+1)
	list[0] = &own
	for _, other := range p {
		if usage, uses := other.usages[own.License.ID]; uses {
			m := member{instance: other.instance, Holding: Holding{Usage: usage, License: own.License}}
			m.silent = other.instance.AuthorizationState == AuthorizationExpired
			list = append(list, &m)
		}
	}
	for _, m := range list {
		m.barred = !m.reported && !m.permitted(m.instance)
		switch m.asks = m.Usage.Wanted; {
		case m.leaves || m.silent:
			m.asks = 0
		case m.barred:
			m.asks = m.Usage.Count
		}
	}
	return list
}

// share spreads what a pair holds of a license over its members: the active one
// first, then who carries most, each what it asks for and those before it do not
// hold. What the others hold counts for a member, too, unless it may not have it.
func share(members []*member, total int64) {
	order := slices.Clone(members)
	slices.SortFunc(order, func(a, b *member) int {
		if active := a.instance.HARole == wire.RoleActive; active != (b.instance.HARole == wire.RoleActive) {
			return map[bool]int{true: -1, false: 1}[active]
		}
		return cmp.Or(cmp.Compare(b.Usage.Count, a.Usage.Count), cmp.Compare(a.instance.ID, b.instance.ID))
	})
	var held int64
	for _, m := range order {
		m.Usage.Count = max(0, min(m.asks, total)-held)
		held += m.Usage.Count
	}
	for _, m := range members {
		if m.Shared = held - m.Usage.Count; m.barred {
			m.Shared = 0
		}
	}
}

// carry brings what a pair holds of a license to the most that a member asks
// for, as far as that is allowed, and saves what that changes for the others. own
// is the holding of the device that speaks, leaves, or has reported; it is the
// caller's to save. returned is what went back to the pool, below zero for what
// was drawn.
func (l *ledger) carry(p pair, own *member) (returned int64, err error) {
	row, err := l.put(own.row())
	if err != nil {
		return 0, err
	}
	members := p.members(*own)
	var held, most int64
	for _, m := range members {
		held, most = held+m.Usage.Count, max(most, m.asks)
	}
	total := most
	if own.reported {
		row.InUse += most - held
	} else {
		granted, err := l.draw(own.License, most-held)
		if err != nil {
			return 0, err
		}
		if !granted {
			total = held
		}
	}
	share(members, total)
	*own = *members[0]
	for _, m := range members[1:] {
		if err := p.keep(l, *m); err != nil {
			return 0, err
		}
	}
	return held - total, nil
}

// keep saves what another member holds now, where that is news.
func (p pair) keep(l *ledger, m member) error {
	for _, other := range p {
		if other.instance.ID != m.instance.ID || other.usages[m.License.ID] == m.Usage {
			continue
		}
		other.usages[m.License.ID] = m.Usage
		if err := l.save(m.Usage); err != nil {
			return err
		}
	}
	if m.silent {
		return nil
	}
	return l.restrict(m.instance, m.Holding)
}

// part takes a device out of the pair that it has been a member of: the others
// carry on with what they want. What it wants is kept.
func (l *ledger) part(was Instance) error {
	holdings, err := l.tx.Holdings(was.ID)
	if err != nil {
		return err
	}
	p, err := pairOf(l.tx, was)
	if err != nil {
		return err
	}
	for _, h := range holdings {
		own := member{instance: was, Holding: h, leaves: true}
		if _, err := l.carry(p, &own); err != nil {
			return err
		}
		if err := l.save(own.Usage); err != nil {
			return err
		}
	}
	return nil
}
