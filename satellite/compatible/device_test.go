package compatible_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
	"ssm/satellite/issuer"
)

var deviceFields = answered(
	field{"totalRecords", "number", "never"},
	field{"devices", "list", "where there are none"},
	field{"devices[].instanceName", "string", "never"},
	field{"devices[].productTagName", "string", "for a device that has a reservation and never spoke"},
	field{"devices[].sudi", "object", "never"},
	field{"devices[].sudi.suvi", "string", "where the device has none"},
	field{"devices[].sudi.uuid", "string", "where the device has none"},
	field{"devices[].sudi.hostIdentifier", "string", "where the device has none"},
	field{"devices[].sudi.udiPid", "string", "never"},
	field{"devices[].sudi.udiSerialNumber", "string", "never"},
	field{"devices[].sudi.udiVid", "string", "where the device has none"},
	field{"devices[].sudi.macAddress", "string", "where the device has none"},
	field{"devices[].hostName", "string", "where the device told none"},
	field{"devices[].status", "string", "never"},
	field{"devices[].registrationDate", "string", "where it is not registered"},
	field{"devices[].lastContactDate", "string", "never"},
	field{"devices[].licenseUsage", "list", "where it holds nothing"},
	field{"devices[].licenseUsage[].license", "string", "never"},
	field{"devices[].licenseUsage[].entitlementTag", "string", "never"},
	field{"devices[].licenseUsage[].quantity", "number", "never"},
	field{"devices[].licenseUsage[].status", "string", "never"},
)

func devicesGolden(method, path string) golden {
	return golden{
		file: "devices", fields: deviceFields,
		answers: map[string]func(*world) reply{
			"full": furnished(administrator, method, "/v1/accounts/Acme%20東京"+path, ""), "empty": bare(method, "/v1/accounts/Bare"+path, ""),
		},
	}
}

var _ = calls(map[string]golden{
	"GET v1 /accounts/{account}/devices":                                    devicesGolden(http.MethodGet, "/devices?virtualAccountName=default"),
	"POST v1 /accounts/{account}/devices":                                   devicesGolden(http.MethodPost, "/devices?virtualAccountName=DEFAULT"),
	"GET v1 /accounts/{account}/virtual-accounts/{virtual_account}/devices": devicesGolden(http.MethodGet, "/virtual-accounts/Default/devices"),
})

const devicesPath = "/accounts/Acme%20東京/devices"

// crowd puts devices into a virtual account of tokyo that each hold one license:
// PREFIX0, PREFIX1 and so on, the even ones with a host name.
func (w *world) crowd(virtual, prefix string, count int) {
	w.t.Helper()
	place := must(w.service.FindVirtualAccount(w.t.Context(), w.actors[administrator], w.accounts[tokyo].ID, virtual))(w.t)
	err := w.store.Update(w.t.Context(), func(tx satellite.Tx) error {
		l, err := tx.LicenseByTag(place.AccountID, networkAdvantage)
		if err != nil {
			return err
		}
		for n := range count {
			i := satellite.Instance{
				PIID: fmt.Sprint(prefix, n), AccountID: place.AccountID, VirtualAccountID: place.ID, LastContactAt: now, RegisteredAt: now,
				Identity:          satellite.Identity{UDIPID: "EX-8500", UDISerialNumber: fmt.Sprint(prefix, n), SoftwareTag: softwareTag},
				RegistrationState: satellite.Registered, AuthorizationState: satellite.Authorized, CertificateNotAfter: now.AddDate(1, 0, 0),
			}
			if n%2 == 0 {
				i.Hostname = fmt.Sprint("host-", prefix, n)
			}
			if i, err = tx.CreateInstance(i); err != nil {
				return err
			}
			if err := tx.SaveUsage(satellite.Usage{InstanceID: i.ID, LicenseID: l.ID, VirtualAccountID: place.ID, Count: 1, Wanted: 1}); err != nil {
				return err
			}
		}
		pool, err := tx.Pool(place.ID, l.ID)
		if err != nil {
			return err
		}
		pool.AccountID = place.AccountID
		pool.InUse += int64(count)
		_, err = tx.SavePool(pool)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func numbered(prefix string, from, to int) (list []string) {
	for n := from; n < to; n++ {
		list = append(list, fmt.Sprint(prefix, n))
	}
	return list
}

// serials are the serial numbers in an answer about devices, in their order.
func serials(got reply) (list []string) {
	for _, part := range strings.Split(got.body, `"udiSerialNumber":"`)[1:] {
		serial, _, _ := strings.Cut(part, `"`)
		list = append(list, serial)
	}
	return list
}

func TestDevicesAreListedInWindowsOfAnyLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crowd("Default", "A", 1100) // more than two pages
	w.crowd("Lab 1", "B", 3)
	all := append(numbered("A", 0, 1100), numbered("B", 0, 3)...)
	for body, want := range map[string][]string{
		``: all[:50], `{"limit":-1}`: all, `{"limit":1000}`: all[:1000], `{"limit":500}`: all[:500], `{"limit":501,"offset":599}`: all[599:1100],
		`{"limit":-1,"offset":1102}`: all[1102:], `{"offset":1103}`: nil, `{"offset":99999999999}`: nil, `{"limit":0}`: nil, `{"limit":0,"offset":7}`: nil,
		`{"limit":4,"offset":1098,"virtualAccounts":["lab 1","Default"]}`: all[1098:1102],
	} {
		got := w.v1("account-viewer", http.MethodPost, devicesPath, body)
		if _, total := rows(t, got, "devices", "status"); total != 1103 || !slices.Equal(serials(got), want) {
			t.Errorf("%s: %d rows of %d", body, len(serials(got)), total)
		}
	}
	if got := w.v1("account-viewer", http.MethodPost, devicesPath, ""); !strings.HasPrefix(got.body, `{"status":"SUCCESS","statusMessage":"","totalRecords":1103,"devices":[{`) {
		t.Errorf("the total does not come first: %.120s", got.body)
	}
	for path, want := range map[string][]string{
		devicesPath + "?limit=2&offset=1": {"A1", "A2"}, devicesPath + "?virtualAccountName=LAB%201": {"B0", "B1", "B2"},
		"/accounts/Acme%20東京/virtual-accounts/lab+1/devices?limit=-1":           {"B0", "B1", "B2"},
		"/accounts/Acme%20東京/virtual-accounts/Lab%201/devices?limit=1&offset=2": {"B2"},
	} {
		if got := w.v1("account-viewer", http.MethodGet, path, ""); !slices.Equal(serials(got), want) {
			t.Errorf("%s: %d %q, want %q", path, got.status, serials(got), want)
		}
	}
	got := w.v1("virtual-account-viewer", http.MethodPost, devicesPath, `{"limit":-1}`)
	if _, total := rows(t, got, "devices", "status"); total != 3 || len(serials(got)) != 3 {
		t.Errorf("who sees one virtual account sees %q of %d", serials(got), total)
	}
	w.refused(w.v1("virtual-account-viewer", http.MethodGet, "/accounts/Acme%20東京/virtual-accounts/Default/devices", ""), 404, `There is no virtual account "Default"`)
	w.refused(w.v1(administrator, http.MethodGet, devicesPath+"?virtualAccountName=Keller", ""), 404, `There is no virtual account "Keller"`)
	w.refused(w.v1("stranger", http.MethodGet, devicesPath, ""), 404, "There is no account")
}

func TestADeviceIsFoundByWhatItsInstanceNameShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crowd("Default", "A", 30)
	w.crowd("Lab 1", "B", 12)
	for name, want := range map[string][]string{
		"A2":                           append([]string{"A2"}, numbered("A", 20, 30)...), // the beginning of a serial number
		"host-A2":                      {"A2", "A20", "A22", "A24", "A26", "A28"},        // of a host name
		"EX-8500":                      append(numbered("A", 0, 30), numbered("B", 0, 12)...),
		"UDI_PID:EX-8500; UDI_SN:A29;": {"A29"}, "UDI_PID:EX-8500; UDI_SN:A29; ": {"A29"}, "UDI_SN:B11": {"B11"}, "ost-A2": nil,
	} {
		for _, got := range []reply{
			w.v1(administrator, http.MethodGet, devicesPath+"?limit=-1&instanceName="+url.QueryEscape(name), ""),
			w.v1(administrator, http.MethodPost, devicesPath, fmt.Sprintf(`{"limit":-1,"instanceName":%q}`, name)),
		} {
			if _, total := rows(t, got, "devices", "status"); !slices.Equal(serials(got), want) || total != len(want) {
				t.Errorf("%s finds %q of %d, want %q", name, serials(got), total, want)
			}
		}
	}
	if got := w.v1(administrator, http.MethodGet, devicesPath+"?limit=2&offset=1&instanceName=host-A2&virtualAccountName=default", ""); !slices.Equal(serials(got), []string{"A20", "A22"}) {
		t.Errorf("a window of what is found is %q", serials(got))
	}
	if got := w.v1(administrator, http.MethodGet, "/accounts/Acme%20東京/virtual-accounts/Lab%201/devices?instanceName=host", ""); len(serials(got)) != 6 {
		t.Errorf("in one virtual account there are %q", serials(got))
	}
	names, _ := rows(t, w.v1(administrator, http.MethodGet, devicesPath+"?limit=2", ""), "devices", "instanceName")
	if !slices.Equal(names, []string{"host-A0", "UDI_PID:EX-8500; UDI_SN:A1;"}) {
		t.Errorf("the names are %q", names)
	}
}

func TestAllDevicesTogetherHoldWhatIsInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crowd("Default", "A", 700)
	got := w.v1(administrator, http.MethodPost, devicesPath, `{"limit":-1}`)
	usage := fmt.Sprintf(`"licenseUsage":[{"license":"Network Advantage","entitlementTag":%q,"quantity":1,"status":"Out Of Compliance"}]`, networkAdvantage)
	if count := strings.Count(got.body, usage); count != 700 {
		t.Errorf("%d devices say so of 10 licenses that 700 use:\n%.2000s", count, got.body)
	}
	if got := w.v1(administrator, http.MethodPost, licensesPath, ""); !strings.Contains(got.body, `"license":"Network Advantage","virtualAccount":"Default","quantity":10,"inUse":700,"available":0,`) {
		t.Errorf("got %s", got.body)
	}
}

// watched is a store that notes how many devices each view reads, and how much
// is alive after it.
type watched struct {
	satellite.Store
	rows, longest int
	heap          uint64
}

type watchedTx struct {
	satellite.Tx
	read *int
}

func (s *watched) View(ctx context.Context, f func(satellite.Tx) error) error {
	read := 0
	err := s.Store.View(ctx, func(tx satellite.Tx) error { return f(watchedTx{tx, &read}) })
	s.rows, s.longest = s.rows+read, max(s.longest, read)
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	s.heap = max(s.heap, memory.HeapAlloc)
	return err
}

func (tx watchedTx) Instances(filter satellite.InstanceFilter, page satellite.Page) ([]satellite.Instance, error) {
	list, err := tx.Tx.Instances(filter, page)
	*tx.read += len(list)
	return list, err
}

// Not parallel: what other tests keep alive would be counted, too.
func TestAllDevicesTakeNoMoreMemoryThanAPageOfThem(t *testing.T) {
	w := newWorld(t)
	measure := func(want int) (heap uint64) {
		store := &watched{Store: w.store}
		service := must(satellite.New(t.Context(), satellite.Ports{
			Store: store, Issuer: issuer.New(w.keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: w.keys, Observer: silent{}, Now: clock, Random: rand.Reader,
		}, satellite.Options{TemporaryFolder: w.folder}))(t)
		server := httptest.NewServer(compatible.Handler(compatible.Options{Service: service, Log: slog.New(slog.DiscardHandler), Now: machine, SignIns: w.signIns}))
		defer server.Close()
		request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1"+devicesPath, strings.NewReader(`{"limit":-1}`)))(t)
		request.Header.Set("Authorization", "Bearer "+w.tokens[administrator])
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		size := must(io.Copy(io.Discard, response.Body))(t)
		if store.rows != want || store.longest > 500 || size < int64(want)*500 {
			t.Errorf("%d of %d devices were read, up to %d at once, %d bytes", store.rows, want, store.longest, size)
		}
		return store.heap
	}
	w.crowd("Default", "A", 5000)
	few := measure(5000)
	w.crowd("Lab 1", "B", 15_000)
	many := measure(20_000)
	// 15,000 devices more are 10 MB of JSON, and as much again as structs.
	if t.Logf("%d bytes are alive with 5,000 devices, %d with 20,000", few, many); many > few+1<<20 {
		t.Errorf("memory grows with the number of devices: %d and %d bytes", few, many)
	}
}
