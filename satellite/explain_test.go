package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// explain is the explanation of a pool as lines, after a check that all parts add up.
func (w *world) explain(tag, virtualAccount string) (lines string) {
	w.Helper()
	e, err := w.service.ExplainLicense(w.ctx, admin, w.account.ID, tag, virtualAccount)
	w.must(err)
	var text strings.Builder
	for _, sum := range e.Sums {
		var total int64
		fmt.Fprintf(&text, "%s %d =", sum.Name, sum.Total)
		for _, p := range sum.Parts {
			total += p.Quantity
			fmt.Fprintf(&text, " %+d %s;", p.Quantity, p.Text)
		}
		text.WriteString("\n")
		if total != sum.Total {
			w.Errorf("the parts of %s in %s make %d: %+v", tag, virtualAccount, total, sum)
		}
	}
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID, Tag: tag})
	w.must(err)
	for _, row := range rows {
		if row.VirtualAccount == e.VirtualAccount && (row.Pool.Quantity() != e.Quantity() || row.InUse != e.InUse || row.Lent != e.Lent || row.Borrowed != e.Borrowed || row.Balance() != e.Balance()) {
			w.Errorf("the listing says %+v, the explanation %+v", row.Pool, e.Pool)
		}
	}
	return text.String()
}

func TestEveryNumberIsExplainedByTheRowsThatMakeIt(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "mid"}, "mid": {HigherTier: "top"}},
		lot{id: "A", tag: "top", quantity: 20}, lot{id: "B", tag: "mid", quantity: 3}, lot{id: "C", tag: "mid", quantity: 9, end: begin.Add(-day)},
		lot{id: "D", tag: "mid", quantity: 4, start: begin.Add(day)}, lot{id: "E", tag: "low", quantity: 6, end: begin.Add(30 * day)})
	w.part("Lab")
	w.must(w.move("low", "", "Lab", 2))
	a, b := w.in("", "A"), w.in("", "B")
	a.ok(a.authorization("low", 7, "mid", 1))
	b.ok(b.authorization("low", 5, "top", 2))
	at := func(d time.Duration) string { return begin.Add(d).UTC().Format("2 Jan 2006, 15:04 UTC") }
	w.expect("low", w.explain("low", ""), `Purchased 6 = +6 lot E, subscription until `+at(30*day)+`;
Transferred in 0 =
Transferred out 2 = +2 lot E to Lab, subscription until `+at(30*day)+`;
Quantity 4 = +6 purchased; +0 transferred in; -2 transferred out;
Reserved 0 =
In use 12 = +7 host-A (R1000, A); +5 host-B (R1000, B);
Lent 0 =
Borrowed 8 = +2 from License mid; +6 from License top;
Balance 0 = +4 quantity; +0 reserved; -12 in use; +0 lent; +8 borrowed;
`)
	w.expect("mid", w.explain("mid", "default"), `Purchased 3 = +3 lot B, perpetual; +0 lot C, subscription until `+at(-day)+`: 9, which have ended; +0 lot D, perpetual: 4, which begin on `+at(day)+`;
Transferred in 0 =
Transferred out 0 =
Quantity 3 = +3 purchased; +0 transferred in; +0 transferred out;
Reserved 0 =
In use 1 = +1 host-A (R1000, A);
Lent 2 = +2 to License low;
Borrowed 0 =
Balance 0 = +3 quantity; +0 reserved; -1 in use; -2 lent; +0 borrowed;
`)
	if text := w.explain("low", "Lab"); !strings.Contains(text, "Transferred in 2 = +2 lot E from Default, subscription") {
		t.Errorf("the lab: %s", text)
	}
	// A tag that the virtual account has no row of is nothing, but no error.
	if text := w.explain("top", "Lab"); !strings.Contains(text, "Balance 0 =") {
		t.Errorf("a tag without a row: %s", text)
	}
	_, err := w.service.ExplainLicense(w.ctx, admin, w.account.ID, "none", "")
	refused(t, err, satellite.KindNotFound, "license-not-found", "none")
	_, err = w.service.ExplainLicense(w.ctx, admin, w.account.ID, "low", "none")
	refused(t, err, satellite.KindNotFound, "virtual-account-not-found", "none")
	w.pass(31 * day)
	if text := w.explain("low", "Lab"); !strings.Contains(text, "Transferred in 0 = +0 lot E from Default") || !strings.Contains(text, "2, which have ended") {
		t.Errorf("the lab after the end: %s", text)
	}
}
