package satellite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ledger is the pools of one virtual account that a use case works on. It reads
// each of them once, with the whole family of its hierarchy, lets rules change
// the counters, and settles at the end: loans, alerts, and what is written.
// Every change of a counter goes through a ledger.
type ledger struct {
	tx      Tx
	record  recorder
	account AccountID
	virtual VirtualAccountID
	now     time.Time
	because func(tag string) string // why a license is short, where that is known; nil: it is not
	pages   map[LicenseID]*page
}

// page is one pool of a ledger.
type page struct {
	PoolRow
	before Pool // as it is stored
	held   bool // a usage stands against it
}

func openLedger(tx Tx, record recorder, account AccountID, virtual VirtualAccountID, now time.Time) *ledger {
	return &ledger{tx: tx, record: record, account: account, virtual: virtual, now: now, pages: map[LicenseID]*page{}}
}

// pool is the pool of a license, at the ledger's instant.
func (l *ledger) pool(license License) (*PoolRow, error) {
	if p, known := l.pages[license.ID]; known {
		return &p.PoolRow, nil
	}
	pool, err := l.tx.Pool(l.virtual, license.ID)
	if err != nil {
		return nil, err
	}
	pool.AccountID = l.account
	return l.put(PoolRow{Pool: pool, License: license})
}

// put takes a pool that the caller has read, with the family that it belongs to.
func (l *ledger) put(row PoolRow) (*PoolRow, error) {
	if p, known := l.pages[row.LicenseID]; known {
		return &p.PoolRow, nil
	}
	rows := []PoolRow{row}
	if row.License.Family != 0 {
		var err error
		if rows, err = l.tx.Family(l.virtual, row.License.Family); err != nil {
			return nil, err
		}
	}
	for _, r := range rows {
		p := &page{PoolRow: r, before: r.Pool}
		if err := refresh(l.tx, &p.Pool, l.now); err != nil {
			return nil, err
		}
		l.pages[r.LicenseID] = p
	}
	p, known := l.pages[row.LicenseID]
	if !known {
		return nil, fmt.Errorf("license %q is not of the family that it names", row.License.Tag)
	}
	return &p.PoolRow, nil
}

// family are the pools that lend to and borrow from one another with this one.
func (l *ledger) family(license License) []*page {
	own := l.pages[license.ID]
	if license.Family == 0 {
		return []*page{own}
	}
	var members []*page
	for _, p := range l.sorted() {
		if p.License.Family == license.Family {
			members = append(members, p)
		}
	}
	return members
}

// count lets the tiers of a license lend each other, and returns their pools.
func (l *ledger) count(license License) []*page {
	members := l.family(license)
	rows := make([]PoolRow, len(members))
	for i, p := range members {
		rows[i] = p.PoolRow
	}
	lend(rows)
	for i, p := range members {
		p.Lent, p.Borrowed = rows[i].Lent, rows[i].Borrowed
	}
	return members
}

// draw changes what is in use of a license by a difference. An enforced license
// is refused, and nothing changes, where there is not enough of it; the others
// are overdrawn.
func (l *ledger) draw(license License, difference int64) (granted bool, err error) {
	row, err := l.pool(license)
	if err != nil {
		return false, err
	}
	if difference <= 0 || !license.refuses() {
		row.InUse += difference
		return true, nil
	}
	missing := map[LicenseID]int64{}
	for _, p := range l.count(license) {
		missing[p.LicenseID] = p.missing()
	}
	row.InUse += difference
	// What the pool owns it takes back from whom it lent it to, as any license
	// would; but nobody else's enforced licenses are overdrawn by that, and what
	// it borrows nobody may lose.
	borrows := row.own() < 0
	for _, p := range l.count(license) {
		if p.missing() > missing[p.LicenseID] && (p.LicenseID == license.ID || borrows || p.License.refuses()) {
			row.InUse -= difference
			return false, nil
		}
	}
	return true, nil
}

// refuses tells whether who asks for more than there is gets nothing, and not an overdraft.
func (l License) refuses() bool {
	return l.Enforcement != Unenforced && !l.ReportingOnly && !l.Overage
}

// reserve changes what is reserved of a license by a difference. Only surplus
// can be reserved, also of what devices may overdraw; what is only reported has
// no bound. KindConflict, and nothing changes, where there is less.
func (l *ledger) reserve(license License, difference int64) error {
	row, err := l.pool(license)
	if err != nil {
		return err
	}
	l.count(license)
	if difference > row.Available() && !license.ReportingOnly {
		virtual, err := virtualAccountName(l.tx, l.account, l.virtual)
		if err != nil {
			return err
		}
		return fail(KindConflict, "reservation-surplus", "Of %s, %d are available in virtual account %q, and %d more are to be reserved. Nothing was reserved.", license.called(), row.Available(), virtual, difference).
			hint("Reserve fewer, or transfer or buy licenses first.")
	}
	row.Reserved += difference
	return nil
}

// recount counts the lots and transfers of a license again, and what is reserved: they have changed.
func (l *ledger) recount(license License) error {
	row, err := l.pool(license)
	if err != nil {
		return err
	}
	return recount(l.tx, &row.Pool, l.now)
}

// save writes what a device holds, or wants, of a license in this ledger.
func (l *ledger) save(usage Usage) error {
	l.pages[usage.LicenseID].held = true
	return l.tx.SaveUsage(usage)
}

// settle counts the loans, opens and closes the alerts of shortages, and writes
// every pool that differs from what is stored.
func (l *ledger) settle() error {
	counted, changed := map[LicenseID]bool{}, false
	for _, p := range l.sorted() {
		changed = changed || p.differs()
		if key := cmp.Or(p.License.Family, p.LicenseID); !counted[key] {
			counted[key] = true
			l.count(p.License)
		}
	}
	for _, p := range l.sorted() {
		if err := l.judge(p, changed); err != nil {
			return err
		}
		if !p.differs() && (p.ID != 0 || !p.held) {
			continue
		}
		saved, err := l.tx.SavePool(p.stored())
		if err != nil {
			return err
		}
		p.ID, p.ChangeNumber, p.before = saved.ID, saved.ChangeNumber, saved
	}
	return nil
}

// stored is the pool without what follows from others.
func (p *page) stored() Pool {
	pool := p.Pool
	pool.Lent, pool.Borrowed = 0, 0
	return pool
}

// differs tells whether the pool is to be written.
func (p *page) differs() bool { return p.stored() != p.before }

// judge opens or closes the alert of a pool whose shortage began or ended, and
// brings one up to date that goes on while counters change.
func (l *ledger) judge(p *page, changed bool) error {
	short := p.Short()
	if short == p.Insufficient && (!short || !changed) {
		return nil
	}
	p.Insufficient = short
	virtual, err := virtualAccountName(l.tx, l.account, l.virtual)
	if err != nil {
		return err
	}
	key := shortageKey(l.virtual, p.License.Tag)
	if !short {
		return settled(l.tx, l.record, l.account, AlertInsufficientLicenses, key, fmt.Sprintf("the balance is %d.", p.Balance()), l.now)
	}
	message := fmt.Sprintf("%d of %s are missing in virtual account %q; the devices there that use it are out of compliance.", p.missing(), p.License.called(), virtual)
	if l.because != nil {
		message = strings.TrimSuffix(message+" "+l.because(p.License.Tag), " ")
	}
	return raise(l.tx, l.record, Alert{
		AccountID: l.account, VirtualAccountID: l.virtual, Type: AlertInsufficientLicenses, Key: key, Source: p.License.called() + " in " + virtual, Message: message,
	}, l.now)
}

// shortageKey names a pool in alerts. It holds no name that may change.
func shortageKey(virtual VirtualAccountID, tag string) string {
	return fmt.Sprintf("%d\t%s", virtual, tag)
}

// called is how people call the license.
func (l License) called() string { return cmp.Or(l.Name, l.Tag) }

// sorted are the pages in the order of their tags, so that every run does the same.
func (l *ledger) sorted() []*page {
	return slices.SortedFunc(maps.Values(l.pages), func(a, b *page) int { return cmp.Compare(a.License.Tag, b.License.Tag) })
}
