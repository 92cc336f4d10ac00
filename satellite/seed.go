package satellite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Seed is what makes a large database for tests and measurements.
type Seed struct {
	Tokens  []TokenID // each device registers with one of them; one that stands here twice takes twice as many
	Tags    []string  // tags that the tokens' accounts know: each device uses one or two of them
	Devices int       // 1 to maxSeed
	Until   time.Time // the end of the history, which begins at the service's time
	Number  uint64    // the same number makes the same devices, but for keys, serials and PIIDs
}

const (
	// maxSeed bounds what is kept in memory meanwhile: about 200 bytes per device.
	maxSeed = 1_000_000
	// seedChunk is the most devices that register, or ask again, in one
	// transaction: about 100 ms.
	seedChunk = 500
	// seedSteps is the fewest chunks that the devices register in: small seeds
	// have a history, too.
	seedSteps = 60
	// seedSilent tells which devices never speak again after their registration: one of so many.
	seedSilent = 200
)

// Seed lets devices register over the months until seed.Until and ask again
// every time that they should. Certificates, licenses, uses of tokens, alerts
// and events come about by the rules that hold for real devices; only that
// nobody holds the devices' keys, so none of them can ever speak by itself.
//
// advance is called before each chunk, with the instant to which the caller then
// moves the service's clock, and how many devices there will be after it.
//
// KindConflict where one of the accounts holds devices already: what is real is
// never mixed with what is not; the same where a token cannot be used or an
// account is not registered upstream. KindNotFound for a token or tag. KindInvalid
// for numbers out of bounds, and for a history in which certificates would have to
// be renewed. What was made before an error stays.
func (s *Service) Seed(ctx context.Context, actor Actor, seed Seed, advance func(at time.Time, devices int)) error {
	if err := actor.may(ActionManageAccounts); err != nil {
		return err
	}
	begin := s.Now()
	if longest := s.options.CertificateLife / 2; seed.Devices < 1 || seed.Devices > maxSeed || len(seed.Tags) == 0 || len(seed.Tokens) == 0 ||
		seed.Until.Before(begin) || seed.Until.After(begin.Add(longest)) {
		return fail(KindInvalid, "seed-invalid", "A seed has 1 to %d devices, at least one token and one tag, and a history of at most %s. Nothing was created.", maxSeed, span(longest))
	}
	w, err := s.newSower(ctx, actor, seed, begin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for batch := range w.grow(ctx) {
		grown := <-batch
		if grown.err != nil {
			return grown.err
		}
		now := w.at(grown.last)
		advance(now, grown.last)
		if err := w.live(ctx, grown.seedlings, now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sower makes devices.
type sower struct {
	*Service
	actor   Actor
	seed    Seed
	begin   time.Time
	request []byte // one certificate request for all
	plots   map[TokenID]*plot
	devices []sown // by their number
	queue   []int  // numbers of those that will ask again, the next one first
}

// plot is where the devices of one token belong.
type plot struct {
	token     TokenID
	hash      [sha256.Size]byte
	account   AccountID
	virtual   VirtualAccountID
	name      string // of the virtual account
	export    bool
	authority Authority
	licenses  []License
}

// sown is what is kept in mind of a device.
type sown struct {
	number  int
	id      InstanceID
	piid    string
	plot    *plot
	uses    [2]seedUse
	contact time.Time
}

// seedUse is what a device wants and holds of one license of its plot.
type seedUse struct {
	license      int
	wanted, held int64
}

func (s *Service) newSower(ctx context.Context, actor Actor, seed Seed, begin time.Time) (*sower, error) {
	w := &sower{Service: s, actor: actor, seed: seed, begin: begin, plots: map[TokenID]*plot{}}
	err := s.store.View(ctx, func(tx Tx) error {
		for _, id := range seed.Tokens {
			if w.plots[id] != nil {
				continue
			}
			p, err := s.plot(tx, id, seed.Tags)
			if err != nil {
				return err
			}
			w.plots[id] = p
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	key, err := s.issuer.NewKey()
	if err != nil {
		return nil, err
	}
	w.request, err = s.issuer.AuthorityRequest(key, "seed", "seed")
	return w, err
}

// plot reads what a device needs that registers with a token.
func (s *Service) plot(tx Tx, id TokenID, tags []string) (*plot, error) {
	token, err := tx.Token(id)
	if err != nil {
		return nil, err
	}
	account, err := tx.Account(token.AccountID)
	if err != nil {
		return nil, err
	}
	if err := account.active("Nothing was created."); err != nil {
		return nil, err
	}
	known, err := tx.Instances(InstanceFilter{AccountID: account.ID, Scope: Scope{All: true}}, Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(known) > 0 {
		return nil, fail(KindConflict, "seed-not-empty", "Account %q holds devices already. Nothing was created.", account.Name).hint("Seed a fresh data folder.")
	}
	p := &plot{token: id, hash: token.Hash, account: account.ID, virtual: token.VirtualAccountID, export: token.ExportControlled}
	if p.authority, err = s.registeredAuthority(tx, account.ID); err != nil {
		return nil, err
	}
	p.authority.Chain = slices.Clip(p.authority.Chain) // two issue at once
	if p.name, err = virtualAccountName(tx, account.ID, p.virtual); err != nil {
		return nil, err
	}
	for _, tag := range tags {
		license, err := tx.LicenseByTag(account.ID, tag)
		if isNotFound(err) {
			return nil, unknownTag(tag)
		}
		if err != nil {
			return nil, err
		}
		p.licenses = append(p.licenses, license)
	}
	return p, nil
}

// at is when the device of a number registers.
func (w *sower) at(number int) time.Time {
	part := float64(number) / float64(w.seed.Devices)
	return w.begin.Add(time.Duration(part * float64(w.seed.Until.Sub(w.begin)))).Truncate(time.Microsecond)
}

// seedling is a device before it is stored.
type seedling struct {
	sown
	instance    Instance
	certificate Certificate
}

// batch are the devices of one chunk.
type batch struct {
	last      int // how many there are with these
	seedlings []seedling
	err       error
}

// grow makes the chunks ahead of who stores them, until ctx ends: most of the
// work are the certificates, which need no transaction.
func (w *sower) grow(ctx context.Context) <-chan chan batch {
	batches := make(chan chan batch, 1) // with the one that is being sent, two are in the making
	size := min(seedChunk, max(1, w.seed.Devices/seedSteps))
	go func() {
		defer close(batches)
		for first := 0; first < w.seed.Devices; first += size {
			made := make(chan batch, 1)
			go func() {
				b := batch{last: min(first+size, w.seed.Devices)}
				for number := first; number < b.last && b.err == nil && ctx.Err() == nil; number++ {
					var s seedling
					s, b.err = w.seedling(number)
					b.seedlings = append(b.seedlings, s)
				}
				made <- b
			}()
			select {
			case batches <- made:
			case <-ctx.Done():
				return
			}
		}
	}()
	return batches
}

var (
	seedSites  = []string{"tyo", "osa", "ngo", "fuk", "spk"}
	seedModels = []struct{ pid, model, name string }{
		{"EX-8500", "Edge router", "rtr"}, {"AX-2400", "Access switch", "sw"}, {"WX-1100", "Wireless controller", "wlc"}, {"FX-3300", "Firewall", "fw"},
	}
)

// hostname is the name of a device, the same each time that it is asked for.
func (w *sower) hostname(number int) string {
	return fmt.Sprintf("%s-%s-%06d", seedSites[number*7%len(seedSites)], seedModels[number*3%len(seedModels)].name, number)
}

func (w *sower) address(number int) string {
	return fmt.Sprintf("10.%d.%d.%d", number>>16&255, number>>8&255, number&255)
}

// seedling makes a device with its certificate, and what it will ask for.
func (w *sower) seedling(number int) (seedling, error) {
	random := rand.New(rand.NewPCG(w.seed.Number, uint64(number))) //nolint:gosec // the same number makes the same devices
	p, model, at := w.plots[w.seed.Tokens[random.IntN(len(w.seed.Tokens))]], seedModels[number*3%len(seedModels)], w.at(number)
	s := seedling{sown: sown{number: number, piid: w.randomUUID(), plot: p}}
	first := random.IntN(len(p.licenses))
	for i := range 1 + random.IntN(min(len(s.uses), len(p.licenses))) {
		s.uses[i] = seedUse{license: (first + i) % len(p.licenses), wanted: int64(1 + random.IntN(3))}
	}
	identity := Identity{
		UDIPID: model.pid, UDISerialNumber: fmt.Sprintf("SEED%07d", number),
		SoftwareTag: "regid.2026-01.com.example.SEED,1.0_00000000-0000-4000-8000-000000000000",
	}
	certificate, err := w.issue(p.authority, p.account, s.piid, identity, w.request, at)
	s.certificate = certificate
	s.instance = Instance{
		PIID: s.piid, AccountID: p.account, VirtualAccountID: p.virtual, Identity: identity, UDIVID: "V01", UUID: w.randomUUID(),
		MACAddress: fmt.Sprintf("02:00:00:%02x:%02x:%02x", number>>16&255, number>>8&255, number&255),
		Hostname:   w.hostname(number), EquipmentModel: model.model, SoftwareVersion: "17.9.4", HardwareVersion: "1.0",
		RegistrationState: Registered, RegisteredAt: at, TokenHash: p.hash, PublicKeyHash: sha256.Sum256([]byte(s.piid)), ExportAllowed: p.export,
		Credential: certificate.Fingerprint, CertificateSerial: certificate.Serial, CertificateNotAfter: certificate.NotAfter,
		AuthorizationState: NoLicensesInUse, LastContactAt: at, LastAddress: w.address(number),
	}
	return s, err
}

// live lets new devices register and ask, and all others ask again that should until now.
func (w *sower) live(ctx context.Context, fresh []seedling, now time.Time) error {
	for more := true; more; {
		due := 0
		for due < min(len(w.queue), seedChunk) && !now.Before(w.devices[w.queue[due]].contact.Add(w.options.AuthorizationRenewal)) {
			due++
		}
		more = due == seedChunk
		var spoken []sown
		err := w.store.Update(ctx, func(tx Tx) error {
			spoken = spoken[:0]
			if err := w.plant(tx, fresh, &spoken, now); err != nil {
				return err
			}
			for _, number := range w.queue[:due] {
				spoken = append(spoken, w.devices[number])
			}
			return w.speak(tx, spoken, now)
		})
		if err != nil {
			return err
		}
		w.devices = append(w.devices, make([]sown, len(fresh))...)
		w.queue, fresh = w.queue[due:], nil
		for _, d := range spoken {
			w.devices[d.number] = d
			if d.number%seedSilent != seedSilent/2 {
				w.queue = append(w.queue, d.number)
			}
		}
	}
	return nil
}

func (w *sower) recorder(tx Tx, at time.Time) recorder {
	return func(e Event) error {
		e.At, e.Actor, e.Source = at, w.actor.Name, w.actor.Source
		return tx.Record(e)
	}
}

// plant writes new devices, and that they have used their tokens.
func (w *sower) plant(tx Tx, fresh []seedling, planted *[]sown, now time.Time) error {
	uses := map[TokenID]int64{}
	for _, s := range fresh {
		if err := tx.SaveCertificate(s.certificate); err != nil {
			return err
		}
		instance, err := tx.CreateInstance(s.instance)
		if err != nil {
			return err
		}
		err = w.recorder(tx, instance.RegisteredAt)(Event{
			Type: EventDeviceRegistered, AccountID: instance.AccountID, VirtualAccount: s.plot.name, PIID: instance.PIID,
			Message: fmt.Sprintf("Device %s (%s, %s) registered with token %d (seeded).", instance.Name(), instance.UDIPID, instance.UDISerialNumber, s.plot.token),
		})
		if err != nil {
			return err
		}
		s.id = instance.ID
		*planted = append(*planted, s.sown)
		uses[s.plot.token]++
	}
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		token, err := tx.Token(id)
		if err != nil {
			return err
		}
		token.Uses += uses[id] - 1
		if err := token.usable(now); err != nil { // for the last one of these devices
			return err
		}
		token.Uses++
		if err := tx.SaveToken(token); err != nil {
			return err
		}
	}
	return nil
}

// speak lets devices ask for what they want; those of one virtual account share a ledger.
func (w *sower) speak(tx Tx, devices []sown, now time.Time) error {
	ledgers, record := map[VirtualAccountID]*ledger{}, w.recorder(tx, now)
	for i := range devices {
		p := devices[i].plot
		if ledgers[p.virtual] == nil {
			ledgers[p.virtual] = openLedger(tx, record, p.account, p.virtual, now)
		}
		if _, err := w.holdings(ledgers[p.virtual], &devices[i], true); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ledgers)) {
		if err := ledgers[id].settle(); err != nil {
			return err
		}
	}
	for i := range devices {
		d := &devices[i]
		holdings, err := w.holdings(ledgers[d.plot.virtual], d, false)
		if err != nil {
			return err
		}
		d.contact = now
		state := stateOf(holdings)
		err = tx.TouchInstance(Instance{
			ID: d.id, AuthorizationState: state, AuthorizationRenewAt: now.Add(w.options.AuthorizationRenewal), AuthorizationExpiresAt: now.Add(w.options.AuthorizationLife),
			LastContactAt: now, LastAddress: w.address(d.number), LastServed: w.Served(),
		})
		if err != nil {
			return err
		}
		err = record(Event{Type: EventDeviceAuthorized, AccountID: d.plot.account, PIID: d.piid, Message: fmt.Sprintf("Device %s: %s.", w.hostname(d.number), state)})
		if err != nil {
			return err
		}
	}
	return nil
}

// holdings are what a device uses, with the pools as the ledger has them. Where
// it asks, it first gets what it wants and does not hold, as far as there is enough.
func (w *sower) holdings(l *ledger, d *sown, asks bool) (list []Holding, err error) {
	instance := Instance{ID: d.id, PIID: d.piid, AccountID: d.plot.account, VirtualAccountID: d.plot.virtual, Hostname: w.hostname(d.number), ExportAllowed: d.plot.export}
	for i := range d.uses {
		use := &d.uses[i]
		if use.wanted == 0 {
			continue
		}
		license := d.plot.licenses[use.license]
		row, err := l.pool(license)
		if err != nil {
			return nil, err
		}
		h := Holding{
			Usage:   Usage{InstanceID: d.id, LicenseID: license.ID, VirtualAccountID: d.plot.virtual, Count: use.held, Wanted: use.wanted},
			License: license, Pool: row.Pool,
		}
		if asks && use.held < use.wanted {
			if err := acquire(l, nil, instance, &h); err != nil {
				return nil, err
			}
			use.held = h.Usage.Count
		}
		list = append(list, h)
	}
	return list, nil
}
