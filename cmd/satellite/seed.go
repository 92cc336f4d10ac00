package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite"
	"ssm/satellite/telemetry"
	"ssm/sync/ssm"
)

// Bounds of a seed.
const (
	maxSeedDevices  = 1_000_000
	maxSeedAccounts = 100
)

func newSeedCommand() *cobra.Command {
	var devices, accounts int
	command := &cobra.Command{
		Use:   "seed",
		Short: "Make a large database in a fresh folder, for tests and measurements",
		Long: "Makes a data folder as if a satellite had served for half a year: accounts that settle with an upstream\n" +
			"of their own in DIR/seed-upstream, tiers of licenses whose terms end over the year, virtual accounts, tokens,\n" +
			"and devices with certificates, licenses and a history. One license is short in one virtual account.\n" +
			"Nobody holds the devices' keys: none of them ever speaks again.\n\n" +
			"It needs no running satellite. `satellite serve` runs on the folder afterwards.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case devices < 1 || devices > maxSeedDevices:
				return wrongUsage("--devices is %d, it must be 1 to %d", devices, maxSeedDevices)
			case accounts < 1 || accounts > min(maxSeedAccounts, devices):
				return wrongUsage("--accounts is %d, it must be 1 to %d, and at most one for each device", accounts, maxSeedAccounts)
			}
			return seed(c.Context(), c, devices, accounts)
		},
	}
	command.Flags().IntVar(&devices, "devices", 1000, "how many devices, over all accounts")
	command.Flags().IntVar(&accounts, "accounts", 1, "how many accounts")
	return command
}

// seedLicense is what every seeded account buys of a tag.
type seedLicense struct {
	tag, name, higher string
	enforcement       ssm.Enforcement
	reportingOnly     bool
	part              float64 // of what its devices are expected to use
}

// seedLicenses are enough where each is taken with the tiers above it: the
// lowest tier lives on what the one above it can spare.
var seedLicenses = []seedLicense{
	{tag: "NET-PREMIER", name: "Network Premier", enforcement: ssm.Unenforced, part: 1.2},
	{tag: "NET-ADVANTAGE", name: "Network Advantage", higher: "NET-PREMIER", enforcement: ssm.Unenforced, part: 1.4},
	{tag: "NET-ESSENTIALS", name: "Network Essentials", higher: "NET-ADVANTAGE", enforcement: ssm.Unenforced, part: 0.8},
	{tag: "SECURITY", name: "Threat Inspection", enforcement: ssm.Enforced, part: 1.3},
	{tag: "ENCRYPTION", name: "Strong Encryption", enforcement: ssm.ExportControlled, part: 1.3},
	{tag: "TELEMETRY", name: "Telemetry", enforcement: ssm.Unenforced, reportingOnly: true, part: 0.5},
	{tag: seedShortTag, name: "Wireless", enforcement: ssm.Unenforced, part: 1.3},
}

// The one shortage: the last virtual account has not even half of what it uses
// of this tag; a slack keeps chance from making any other one short.
const (
	seedShortTag  = "WIRELESS"
	seedShortPart = 0.5
	seedSlack     = 30
)

// seedSites are the virtual accounts beside the default one, which has half of
// the devices; each of these has a tenth.
var seedSites = []string{"Tokyo", "Osaka", "Nagoya", "Fukuoka", "Sapporo"}

const (
	seedHistory  = 180 * day
	seedProgress = 2 * time.Second // between two lines of it
)

// seedClock is the clock of a history that is made: it stands until it is moved.
type seedClock struct {
	begin  time.Time
	passed atomic.Int64
}

func (c *seedClock) Now() time.Time { return c.begin.Add(c.Monotonic()) }

func (c *seedClock) Monotonic() time.Duration { return time.Duration(c.passed.Load()) }

func (c *seedClock) set(at time.Time) { c.passed.Store(int64(at.Sub(c.begin))) }

// sower is a seed that is being made.
type sower struct {
	*server
	say      func(format string, args ...any)
	devices  int
	end      time.Time // of the history: now
	clock    *seedClock
	upstream *ssm.Upstream
	accounts []satellite.Account
	tokens   []satellite.TokenID // as often as they register devices
	made     seeded
}

// seeded says what was made.
type seeded struct {
	Data            string   `json:"data"`
	Upstream        string   `json:"upstream"`
	Accounts        []string `json:"accounts"`
	VirtualAccounts int      `json:"virtual_accounts"`
	Licenses        int      `json:"licenses"` // tags, over all accounts
	Tokens          int      `json:"tokens"`
	Devices         int      `json:"devices"`
	Alerts          int      `json:"alerts"` // that are open
	Seconds         float64  `json:"seconds"`
}

func seed(ctx context.Context, c *cobra.Command, devices, accounts int) (err error) {
	settings, err := loadConfig("")
	if err != nil {
		return err
	}
	settings.Data = text(c, "data")
	switch _, err := os.Stat(filepath.Join(settings.Data, databaseFile)); {
	case err == nil:
		return fmt.Errorf("there is a satellite in %s already; nothing was changed. Name a fresh folder with --data", settings.Data)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	w := &sower{
		server: &server{config: settings, log: telemetry.NewLogger(c.ErrOrStderr(), slog.LevelWarn, false), machine: newMachine(), metrics: telemetry.NewMetrics()},
		say:    func(format string, args ...any) { say(c, format, args...) }, devices: devices,
	}
	w.end = w.machine.Now().UTC().Truncate(time.Microsecond)
	w.clock = &seedClock{begin: w.end.Add(-seedHistory)}
	defer w.close()
	if err := w.occupy(); err != nil {
		return err
	}
	if err := w.sow(ctx, accounts); err != nil {
		return fmt.Errorf("the seed stopped, and %s holds a part of it: delete the folder before the next try: %w", settings.Data, err)
	}
	return printRecord(c, w.made, line{"Data", w.made.Data}, line{"Upstream", w.made.Upstream}, line{"Accounts", len(w.made.Accounts)},
		line{"Virtual accounts", w.made.VirtualAccounts}, line{"Licenses", w.made.Licenses}, line{"Tokens", w.made.Tokens},
		line{"Devices", w.made.Devices}, line{"Open alerts", w.made.Alerts}, line{"Seconds", w.made.Seconds})
}

// sow makes the accounts, lets the devices live until now, and settles.
func (w *sower) sow(ctx context.Context, accounts int) (err error) {
	if _, err := w.open(ctx, w.clock.Now, w.clock.Monotonic); err != nil {
		return err
	}
	w.made = seeded{Data: w.config.Data, Upstream: filepath.Join(w.config.Data, "seed-upstream"), Devices: w.devices}
	if w.upstream, err = ssm.Open(ctx, w.made.Upstream, "", w.clock.Now); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.upstream.Close()) }()
	if err := w.trust(ctx); err != nil {
		return err
	}
	for n := range accounts {
		name := "Kanda Networks"
		if n > 0 {
			name = fmt.Sprintf("Kanda Networks %d", n+1)
		}
		if err := w.account(ctx, name, float64(w.devices)/float64(accounts)); err != nil {
			return fmt.Errorf("account %q: %w", name, err)
		}
	}
	if err := w.live(ctx); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	w.made.Seconds = w.machine.Monotonic().Round(100 * time.Millisecond).Seconds()
	return w.service.Tick(ctx)
}

func (w *sower) usb() string { return filepath.Join(w.config.Data, "tmp") }

func (w *sower) trust(ctx context.Context) error {
	root := filepath.Join(w.usb(), "root.pem")
	if _, err := w.upstream.WriteRoot(root); err != nil {
		return err
	}
	pem, err := os.ReadFile(root)
	if err != nil {
		return err
	}
	_, err = w.service.TrustRoots(ctx, demoActor(), pem)
	return err
}

// account makes an account with everything that its devices need.
func (w *sower) account(ctx context.Context, name string, devices float64) error {
	const email = "admin@kanda.example"
	if _, err := w.upstream.CreateAccount(ctx, name, email, ssm.Standard); err != nil {
		return err
	}
	each := expectedUse(devices)
	if err := w.order(ctx, name, each); err != nil {
		return err
	}
	account, err := w.service.CreateAccount(ctx, demoActor(), satellite.NewAccount{Name: name, Email: email})
	if err != nil {
		return err
	}
	w.accounts, w.made.Accounts = append(w.accounts, account), append(w.made.Accounts, name)
	if _, _, err := exchange(ctx, w.service, w.upstream, account.ID, w.usb()); err != nil {
		return err
	}
	var transfers []satellite.Transfer
	for _, site := range seedSites {
		if _, err := w.service.CreateVirtualAccount(ctx, demoActor(), account.ID, site, "Devices in "+site); err != nil {
			return err
		}
		for _, l := range seedLicenses {
			transfers = append(transfers, satellite.Transfer{Tag: l.tag, To: site, Quantity: l.quantity(site, each/10)})
		}
	}
	w.made.VirtualAccounts += 1 + len(seedSites)
	w.made.Licenses += len(seedLicenses)
	if err := w.service.TransferLicenses(ctx, demoActor(), account.ID, transfers); err != nil {
		return err
	}
	return w.createTokens(ctx, account, devices)
}

// expectedUse is how much of one tag so many devices use: each uses one or two
// tags at random, and one to three of each.
func expectedUse(devices float64) float64 { return devices * 1.5 * 2 / float64(len(seedLicenses)) }

// quantity is what a virtual account gets that is expected to use so many.
func (l seedLicense) quantity(site string, uses float64) int64 {
	if l.tag == seedShortTag && site == seedSites[len(seedSites)-1] {
		return max(1, int64(uses*seedShortPart)-seedSlack)
	}
	return seedSlack + int64(uses*l.part)
}

// order buys for all virtual accounts of a smart account: a half for ever, and
// two terms, of which one ends after the other over the year. One evaluation
// ends within two weeks.
func (w *sower) order(ctx context.Context, account string, uses float64) error {
	ends := func(days int) *time.Time {
		end := w.end.Add(time.Duration(days) * day)
		return &end
	}
	for i, l := range seedLicenses {
		_, err := w.upstream.Define(ctx, ssm.DefinitionChange{
			Account: account, Tag: l.tag, Name: l.name, Enforcement: &l.enforcement, ReportingOnly: &l.reportingOnly, HigherTier: &l.higher,
		})
		if err != nil {
			return err
		}
		total := l.quantity("", uses/2)
		for _, site := range seedSites {
			total += l.quantity(site, uses/10)
		}
		orders := []ssm.Order{
			{Quantity: total/2 + 1}, {Quantity: total/4 + 1, End: ends(20 + 45*i)}, {Quantity: total/4 + 1, End: ends(365 - 25*i)},
		}
		if i == 0 {
			orders = append(orders, ssm.Order{Quantity: 10, Type: ssm.Evaluation, End: ends(12)})
		}
		for n, o := range orders {
			o.Account, o.VirtualAccount, o.Tag, o.Name, o.Number = account, "Satellite", l.tag, l.name, fmt.Sprintf("SO-%d-%d", 1000+i, n+1)
			if _, err := w.upstream.AddLicense(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// createTokens makes a token for each virtual account, and others that nobody
// has used, which fill the list.
func (w *sower) createTokens(ctx context.Context, account satellite.Account, devices float64) error {
	agreement, err := w.service.Agreement(ctx, demoActor(), account.ID)
	if err != nil {
		return err
	}
	create := func(n satellite.NewToken) (satellite.TokenID, error) {
		n.AccountID, n.AcceptAgreement = account.ID, agreement.Current.Version
		token, _, err := w.service.CreateToken(ctx, demoActor(), n)
		w.made.Tokens++
		return token.ID, err
	}
	for n := range int(devices) / 500 {
		site := append([]string{""}, seedSites...)[n%(1+len(seedSites))]
		if _, err := create(satellite.NewToken{VirtualAccount: site, Description: fmt.Sprintf("Spare %d", n+1), MaxUses: 10}); err != nil {
			return err
		}
	}
	for _, site := range append([]string{""}, seedSites...) {
		id, err := create(satellite.NewToken{VirtualAccount: site, Description: "Roll-out", ExportControlled: true})
		if err != nil {
			return err
		}
		w.tokens = append(w.tokens, id)
		for site == "" && len(w.tokens)%10 != len(seedSites) {
			w.tokens = append(w.tokens, id)
		}
	}
	return nil
}

// live lets the devices register and speak until now.
func (w *sower) live(ctx context.Context) error {
	tags := make([]string, len(seedLicenses))
	for i, l := range seedLicenses {
		tags[i] = l.tag
	}
	told := w.machine.Monotonic()
	advance := func(at time.Time, devices int) {
		w.clock.set(at)
		if passed := w.machine.Monotonic(); passed-told > seedProgress || devices == w.devices {
			told = passed
			w.say("%d of %d devices after %.0f seconds", devices, w.devices, passed.Seconds())
		}
	}
	err := w.service.Seed(ctx, demoActor(), satellite.Seed{Tokens: w.tokens, Tags: tags, Devices: w.devices, Until: w.end, Number: 1}, advance)
	if err == nil {
		w.clock.set(w.machine.Now())
	}
	return err
}

// settle does what the satellite would have done by itself by now: it judges
// lots, silent devices and deadlines, and settles with the upstream once more.
func (w *sower) settle(ctx context.Context) error {
	now := w.service.Now()
	watch := func(ctx context.Context, now time.Time) error {
		return w.service.WatchDevices(ctx, now, w.service.Served())
	}
	for _, job := range []func(context.Context, time.Time) error{
		w.service.RenewSigners, w.service.CountLots, watch, w.service.ReturnSilent,
	} {
		if err := job(ctx, now); err != nil {
			return err
		}
	}
	w.say("settling with the upstream")
	for _, account := range w.accounts {
		if _, _, err := exchange(ctx, w.service, w.upstream, account.ID, w.usb()); err != nil {
			return err
		}
	}
	for _, job := range []func(context.Context, time.Time) error{w.service.RemindOfLots, w.service.WatchDeadlines} {
		if err := job(ctx, now); err != nil {
			return err
		}
	}
	for page := (satellite.Page{Limit: 1000}); ; {
		alerts, err := w.service.Alerts(ctx, demoActor(), satellite.AlertFilter{}, page)
		if err != nil || len(alerts) == 0 {
			return err
		}
		w.made.Alerts += len(alerts)
		page.After = alerts[len(alerts)-1].ID
	}
}
