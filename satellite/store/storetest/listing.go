package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

func searches(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	devices := []struct{ serial, hostname, pid string }{
		{"FOC1A", "core-1.plant", "R1000"},
		{"FOC1B", "edge-1.plant", "R2000"},
		{"FOC2A", "core-2.plant", "R1000"},
		{"9NTU_%", "FOC1-by-name", "core"},
		{"日本1", "", "R日"},
	}
	update(t, s, func(tx satellite.Tx) error {
		for n, d := range devices {
			i := w.instance(n)
			i.UDISerialNumber, i.Hostname, i.UDIPID = d.serial, d.hostname, d.pid
			if _, err := tx.CreateInstance(i); err != nil {
				return err
			}
		}
		i := other.instance(0)
		i.UDISerialNumber = "FOC1Z"
		_, err := tx.CreateInstance(i)
		return err
	})
	for search, want := range map[string]string{
		"FOC1":   "FOC1A FOC1B 9NTU_% FOC1Z", // serial number, and host name of another
		"FOC1A":  "FOC1A",
		"core":   "FOC1A FOC2A 9NTU_%", // host name, and product id of another
		"R1000":  "FOC1A FOC2A",
		"R":      "FOC1A FOC1B FOC2A 日本1 FOC1Z",
		"日":      "日本1",
		"foc1a":  "",
		"OC1":    "", // a prefix, not a part
		"%":      "",
		"9NTU_%": "9NTU_%",
		"9NTU%":  "",
		"'":      "",
		"":       "FOC1A FOC1B FOC2A 9NTU_% 日本1 FOC1Z",
	} {
		view(t, s, func(tx satellite.Tx) error {
			var found []string
			filter := satellite.InstanceFilter{Search: search}
			for page := (satellite.Page{Limit: 2}); ; {
				list, err := tx.Instances(filter, page)
				if err != nil {
					return err
				}
				for _, i := range list {
					found, page.After = append(found, i.UDISerialNumber), int64(i.ID)
				}
				if len(list) < 2 {
					break
				}
			}
			equal(t, "found by "+search, strings.Join(found, " "), want)
			same(t, "counted by "+search, int64(len(found)))(tx.CountInstances(filter))
			return nil
		})
	}
	view(t, s, func(tx satellite.Tx) error {
		for _, c := range []struct {
			filter satellite.InstanceFilter
			want   int64
		}{
			{satellite.InstanceFilter{AccountID: w.account.ID, Search: "FOC1"}, 3},
			{satellite.InstanceFilter{AccountID: other.account.ID, Search: "FOC1"}, 1},
			{satellite.InstanceFilter{VirtualAccountID: w.virtual.ID}, 5},
			{satellite.InstanceFilter{AccountID: other.account.ID}, 1},
		} {
			same(t, fmt.Sprintf("devices of %+v", c.filter), c.want)(tx.CountInstances(c.filter))
			list, err := tx.Instances(c.filter, satellite.Page{Limit: 100})
			if err != nil || int64(len(list)) != c.want {
				t.Errorf("%+v lists %d devices (%v), want %d", c.filter, len(list), err, c.want)
			}
		}
		return nil
	})
	searchPools(t, s, w)
}

func searchPools(t *testing.T, s satellite.Store, w world) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) error {
		for _, name := range []string{"Routing Advantage", "Switching"} {
			l, err := tx.CreateLicense(satellite.License{AccountID: w.account.ID, Tag: "tag-" + name, Name: name})
			if err != nil {
				return err
			}
			if _, err := tx.SavePool(satellite.Pool{AccountID: w.account.ID, VirtualAccountID: w.virtual.ID, LicenseID: l.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx satellite.Tx) error {
		for search, want := range map[string]int{"rout": 1, "tag-": 2, "Advantage": 0, "TAG-": 0, "": 2} {
			rows, err := tx.Pools(satellite.PoolFilter{Scope: satellite.Scope{All: true}, AccountID: w.account.ID, Search: search})
			if err != nil || len(rows) != want {
				t.Errorf("%q finds %d pools (%v), want %d", search, len(rows), err, want)
			}
		}
		return nil
	})
}

// pages reads each listing in pages of three; the other account is not in them.
func pages(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	instances := w.createInstances(t, s, 10)
	other.createInstances(t, s, 2)
	update(t, s, func(tx satellite.Tx) error {
		for n := range 10 {
			if _, err := tx.CreateToken(w.token(n)); err != nil {
				return err
			}
			r := satellite.Report{AccountID: w.account.ID, Digest: fmt.Sprint(n), Raw: []byte{1}, Key: satellite.ReportKey{ReportID: int64(n)}, State: satellite.ReportReceived}
			if _, err := tx.CreateReport(r); err != nil {
				return err
			}
			if err := tx.CreateSyncRequest(satellite.SyncRequestRow{AccountID: w.account.ID, Sequence: int64(n + 1)}); err != nil {
				return err
			}
			usage := satellite.Usage{InstanceID: instances[n].ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: 1}
			if err := tx.SaveUsage(usage); err != nil {
				return err
			}
		}
		if _, err := tx.CreateToken(other.token(1)); err != nil {
			return err
		}
		return tx.AcknowledgeReport(w.account.ID, "4", base)
	})
	list := func(name string, want int, ascending bool, read func(satellite.Tx, satellite.Page) ([]int64, error)) {
		t.Helper()
		view(t, s, func(tx satellite.Tx) error {
			var ids []int64
			for page := (satellite.Page{Limit: 3}); ; {
				next, err := read(tx, page)
				if err != nil {
					return err
				}
				ids = append(ids, next...)
				if len(next) < 3 {
					break
				}
				page.After = ids[len(ids)-1]
			}
			for i := 1; i < len(ids); i++ {
				if ids[i] == ids[i-1] || ascending != (ids[i] > ids[i-1]) {
					t.Errorf("%s: the order is %v", name, ids)
					break
				}
			}
			if len(ids) != want {
				t.Errorf("%s: %d rows, want %d", name, len(ids), want)
			}
			return nil
		})
	}
	list("devices", 10, true, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
		rows, err := tx.Instances(satellite.InstanceFilter{AccountID: w.account.ID}, p)
		for _, r := range rows {
			ids = append(ids, int64(r.ID))
		}
		return ids, err
	})
	for name, filter := range map[string]satellite.TokenFilter{
		"tokens of the account": {AccountID: w.account.ID}, "tokens of the virtual account": {VirtualAccountID: w.virtual.ID},
	} {
		list(name, 10, false, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
			rows, err := tx.Tokens(filter, p)
			for _, r := range rows {
				ids = append(ids, int64(r.ID))
			}
			return ids, err
		})
	}
	list("reports", 10, false, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
		rows, err := tx.Reports(w.account.ID, p)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids, err
	})
	list("reports to send", 9, true, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
		rows, err := tx.ReportsToSend(w.account.ID, p)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids, err
	})
	list("sync requests", 10, false, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
		rows, err := tx.SyncRequests(w.account.ID, p)
		for _, r := range rows {
			ids = append(ids, r.Sequence)
		}
		return ids, err
	})
	serials := map[string]int64{}
	for _, i := range instances {
		serials[i.PIID] = int64(i.ID)
	}
	list("usages", 10, true, func(tx satellite.Tx, p satellite.Page) (ids []int64, err error) {
		rows, err := tx.UsagesOf(w.virtual.ID, w.license.ID, p)
		for _, r := range rows {
			ids = append(ids, serials[r.PIID])
		}
		return ids, err
	})
}

// byUDI: the exact serial number is found however many begin with it.
func byUDI(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	w.createInstances(t, s, 150)
	update(t, s, func(tx satellite.Tx) error {
		for n, software := range []string{"one", "two"} {
			i := w.instance(1000 + n)
			i.UDISerialNumber, i.SoftwareTag = "alpha", software
			if _, err := tx.CreateInstance(i); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx satellite.Tx) error {
		for _, c := range []struct {
			pid, serial string
			want        int
		}{{"R1", "alpha", 2}, {"R1", "alpha-0149", 1}, {"R2", "alpha", 0}, {"R1", "alph", 0}, {"", "", 0}} {
			list, err := tx.InstancesByUDI(c.pid, c.serial)
			if err != nil || len(list) != c.want {
				t.Errorf("%q %q finds %d devices (%v), want %d", c.pid, c.serial, len(list), err, c.want)
			}
		}
		return nil
	})
}

func recount(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	instances := w.createInstances(t, s, 3)
	mismatches := func(want string) {
		t.Helper()
		view(t, s, func(tx satellite.Tx) error {
			list, err := tx.RecountPools(base)
			got := strings.Join(list, "; ")
			if err != nil || want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("the recount says %q (%v), want %q", got, err, want)
			}
			return err
		})
	}
	update(t, s, func(tx satellite.Tx) error {
		for n, i := range instances {
			if err := tx.SaveUsage(satellite.Usage{InstanceID: i.ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: int64(n + 1)}); err != nil {
				return err
			}
		}
		return nil
	})
	mismatches("counted as 0 in use, its devices hold 6") // usages without a pool
	var pool satellite.Pool
	update(t, s, func(tx satellite.Tx) (err error) {
		pool = w.pool()
		pool.InUse = 6
		pool, err = tx.SavePool(pool)
		return err
	})
	mismatches("")
	update(t, s, func(tx satellite.Tx) error {
		pool.InUse = 7
		_, err := tx.SavePool(pool)
		return err
	})
	mismatches("counted as 7 in use, its devices hold 6")
}

// zeroUsage: a device that measured zero holds nothing, and an older
// measurement that arrives later must still be told from a newer one.
func zeroUsage(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	instances := w.createInstances(t, s, 2)
	usage := satellite.Usage{InstanceID: instances[0].ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: 3, MeasuredUntil: at(1)}
	asked := satellite.Usage{InstanceID: instances[1].ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: 3}
	save := func(usages ...satellite.Usage) {
		t.Helper()
		update(t, s, func(tx satellite.Tx) error {
			if _, err := tx.Pool(w.virtual.ID, w.license.ID); err != nil {
				return err
			}
			for _, u := range usages {
				if err := tx.SaveUsage(u); err != nil {
					return err
				}
			}
			return nil
		})
	}
	update(t, s, func(tx satellite.Tx) error {
		p := w.pool()
		p.InUse = 6
		_, err := tx.SavePool(p)
		return err
	})
	save(usage, asked)
	usage.Count, usage.MeasuredUntil, asked.Count = 0, at(2), 0
	save(usage, asked)
	view(t, s, func(tx satellite.Tx) error {
		held, err := tx.Holdings(instances[0].ID)
		if err != nil || len(held) != 1 || held[0].Usage != usage {
			t.Errorf("the device that measured zero holds %+v (%v)", held, err)
		}
		if held, err = tx.Holdings(instances[1].ID); err != nil || len(held) != 0 {
			t.Errorf("the device that released holds %+v (%v)", held, err)
		}
		rows, err := tx.UsagesOf(w.virtual.ID, w.license.ID, satellite.Page{Limit: 10})
		if len(rows) != 0 {
			t.Errorf("the license is said to be in use by %+v", rows)
		}
		return err
	})
}

func replies(t *testing.T, s satellite.Store) {
	update(t, s, func(tx satellite.Tx) error {
		for n := range 25 {
			if err := tx.SaveReply("device", fmt.Sprint(n), []byte{byte(n), 0}, at(n)); err != nil {
				return err
			}
		}
		return tx.SaveReply("another", "1", []byte("other"), at(30))
	})
	var dropped []int64
	for range 3 {
		update(t, s, func(tx satellite.Tx) error {
			n, err := tx.DeleteRepliesBefore(at(15), 10)
			dropped = append(dropped, n)
			return err
		})
	}
	equal(t, "dropped", dropped, []int64{10, 5, 0})
	view(t, s, func(tx satellite.Tx) error {
		_, err := tx.Reply("device", "14")
		kind(t, "an old reply", err, satellite.KindNotFound)
		same(t, "reply", []byte{15, 0})(tx.Reply("device", "15"))
		same(t, "reply to another", []byte("other"))(tx.Reply("another", "1"))
		return nil
	})
}

func smallNouns(t *testing.T, s satellite.Store) {
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.SaveRun("forget replies", at(1), "it rained"); err != nil {
			return err
		}
		if err := tx.SaveRun("forget replies", at(2), ""); err != nil {
			return err
		}
		for n := range 3 {
			if err := tx.SaveSession(satellite.Session{Key: fmt.Sprint(n), Data: []byte{byte(n)}, Expires: at(n)}); err != nil {
				return err
			}
			if err := tx.AddTokenKey(satellite.TokenKey{ID: fmt.Sprint("key", n), Key: []byte{1}, CreatedAt: at(n)}); err != nil {
				return err
			}
		}
		if err := tx.DeleteSession("2"); err != nil {
			return err
		}
		return tx.DeleteSessionsBefore(at(1))
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "last run", at(2))(tx.LastRun("forget replies"))
		same(t, "a job that never ran", time.Time{})(tx.LastRun("dream"))
		same(t, "session", satellite.Session{Key: "1", Data: []byte{1}, Expires: at(1)})(tx.Session("1"))
		for _, key := range []string{"0", "2"} {
			_, err := tx.Session(key)
			kind(t, "session "+key, err, satellite.KindNotFound)
		}
		keys, err := tx.TokenKeys()
		if len(keys) != 3 || keys[0].ID != "key2" || keys[2].ID != "key0" {
			t.Errorf("the token keys are %+v, want the newest first", keys)
		}
		return err
	})
}
