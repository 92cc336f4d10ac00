package agent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// What can go wrong with a reservation.
var (
	// ErrReserved is a registration of a device that has, or has asked for, a reservation.
	ErrReserved = errors.New("this device has a reservation")
	// ErrNoReservation is a device that has asked for none.
	ErrNoReservation = errors.New("no reservation is in progress")
	// ErrReservationInstalled is an authorization that the device holds already, or a newer one.
	ErrReservationInstalled = errors.New("a reservation is already installed")
	// ErrReservationMismatch is an authorization of another device, or for another request of this one.
	ErrReservationMismatch = errors.New("the authorization does not match")
	// ErrReservationInvalid is a text that is no authorization, or none of a satellite under the pinned root.
	ErrReservationInvalid = errors.New("the validation of the authorization failed")
)

// ReservationKind is what a device asks to have reserved.
type ReservationKind = wire.ReservationKind

// The kinds of reservations, and the mode of a license that is reserved.
const (
	ReservationSpecific  = wire.ReservationSpecific
	ReservationUniversal = wire.ReservationUniversal
	ReservationFactory   = wire.ReservationFactory

	ModeReserved = wire.ModeReservation
)

// AuthorizedReserved is the authorization state of a device with a reservation.
const AuthorizedReserved = "authorized - reserved"

// Reservation is what a device that never talks has asked for, holds, and gave up last.
type Reservation struct {
	Kind        wire.ReservationKind `json:"kind,omitempty"`
	RequestCode string               `json:"request_code,omitempty"` // "": none is in progress, and none is held
	RequestedAt time.Time            `json:"requested_at,omitzero"`

	Authorization    string            `json:"authorization,omitempty"` // "": not installed yet
	Key              string            `json:"satellite_key,omitempty"` // public, of the authorization
	Timestamp        int64             `json:"timestamp,omitempty"`
	PIID             string            `json:"piid,omitempty"`
	InstalledAt      time.Time         `json:"installed_at,omitzero"`
	Licenses         []ReservedLicense `json:"licenses,omitempty"` // none of a universal one, which covers everything
	ConfirmationCode string            `json:"confirmation_code,omitempty"`

	// ReturnCode is that of the reservation which was given up last.
	ReturnCode string    `json:"return_code,omitempty"`
	ReturnedAt time.Time `json:"returned_at,omitzero"`
}

// ReservedLicense is a license with a term of its own.
type ReservedLicense struct {
	License
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"` // zero: never
}

// Installed tells whether the device holds an authorization.
func (r Reservation) Installed() bool { return r.Authorization != "" }

// InProgress tells whether the device has asked, and holds no authorization yet.
func (r Reservation) InProgress() bool { return r.RequestCode != "" && !r.Installed() }

// at is the reservation as it is at an instant: its licenses end by themselves.
func (r Reservation) at(now time.Time) Reservation {
	r.Licenses = slices.Clone(r.Licenses)
	for i := range r.Licenses {
		if l := &r.Licenses[i]; over(l.End, now) {
			l.Mode = wire.ModeAuthorizationExpired
		}
	}
	return r
}

// reserved adds the licenses of a reservation to those that a device uses.
func (s State) reserved(list []License) []License {
	for _, l := range s.Reservation.Licenses {
		list = append(list, l.License)
	}
	return list
}

// reservationSealed seals the private key of a request.
const reservationSealed = "reservation key"

// RequestReservation makes the request code of a reservation. The key is in the
// folder before the code is shown, and the same code is shown until the request
// is canceled or answered.
//
// ErrReservationInstalled; ErrUsage on a registered device, and where a request
// of another kind is in progress.
func (a *Agent) RequestReservation(kind wire.ReservationKind) (code string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.saved.Reservation
	switch {
	case a.saved.Registration != Unregistered:
		return "", fmt.Errorf("%w: this device is registered and gets its licenses by talking; nothing was changed: deregister it first", ErrUsage)
	case r.Installed():
		return "", fmt.Errorf("%w; nothing was changed: return it first", ErrReservationInstalled)
	case r.InProgress() && r.Kind != kind:
		return "", fmt.Errorf("%w: a request for a %s reservation is in progress; nothing was changed: cancel it first", ErrUsage, r.Kind)
	case r.InProgress():
		return r.RequestCode, nil
	}
	key, err := wire.NewReservationKey()
	if err != nil {
		return "", err
	}
	udi := a.saved.Identity
	code, err = wire.ReservationRequest{Kind: kind, PID: udi.UDIPID, SerialNumber: udi.UDISerialNumber, Key: key.Public()}.Code()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUsage, err)
	}
	sealed, err := a.seal.Seal(reservationSealed, key.Bytes())
	if err != nil {
		return "", err
	}
	now := a.time()
	return code, a.update(func(s *saved) {
		s.ReservationKey = sealed
		s.Reservation = Reservation{Kind: kind, RequestCode: code, RequestedAt: now, ReturnCode: r.ReturnCode, ReturnedAt: r.ReturnedAt}
	})
}

// CancelReservation forgets a request that was not answered. An authorization
// that was made for it can never be installed any more, nor returned.
//
// ErrNoReservation; ErrReservationInstalled.
func (a *Agent) CancelReservation() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r := a.saved.Reservation; {
	case r.Installed():
		return fmt.Errorf("%w, so there is nothing to cancel; nothing was changed: return it instead", ErrReservationInstalled)
	case !r.InProgress():
		return fmt.Errorf("%w; nothing was changed", ErrNoReservation)
	}
	return a.update(func(s *saved) { s.endReservation() })
}

// endReservation forgets request, key and authorization; the last return code stays.
func (s *saved) endReservation() {
	s.ReservationKey = nil
	s.Reservation = Reservation{ReturnCode: s.Reservation.ReturnCode, ReturnedAt: s.Reservation.ReturnedAt}
}

// InstallReservation takes an authorization: that of the request in progress,
// or a newer one of the reservation that is installed. It returns the
// confirmation code, which the satellite asks for after an update.
//
// The chain of a signed authorization is judged at the time that is signed in
// it: the clock of a device that never talks may never have been set.
//
// ErrNoReservation, ErrReservationInstalled, ErrReservationMismatch,
// ErrReservationInvalid, ErrNoRoot: the device is as before.
func (a *Agent) InstallReservation(text string) (confirmation string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.saved.Reservation
	if r.RequestCode == "" {
		return "", fmt.Errorf("%w; nothing was installed: make a request code first, and have it authorized", ErrNoReservation)
	}
	key, err := a.reservationKey()
	if err != nil {
		return "", err
	}
	next := r
	next.Authorization, next.InstalledAt = text, a.time()
	if r.Kind == wire.ReservationUniversal {
		err = a.readUniversal(&next, key)
	} else {
		err = a.readSpecific(&next, key)
	}
	if err != nil {
		return "", err
	}
	secret, err := key.Secret(next.Key)
	if err != nil {
		return "", fmt.Errorf("%w: %w; nothing was installed", ErrReservationInvalid, err)
	}
	next.ConfirmationCode = secret.ConfirmationCode(a.binding(next))
	return next.ConfirmationCode, a.update(func(s *saved) { s.Reservation = next })
}

func (a *Agent) binding(r Reservation) wire.ReservationBinding {
	return wire.ReservationBinding{PID: a.saved.Identity.UDIPID, SerialNumber: a.saved.Identity.UDISerialNumber, Key: r.Key}
}

func (a *Agent) reservationKey() (wire.ReservationKey, error) {
	raw, err := a.seal.Open(reservationSealed, a.saved.ReservationKey)
	if err == nil {
		var key wire.ReservationKey
		if key, err = wire.ParseReservationKey(raw); err == nil {
			return key, nil
		}
	}
	return wire.ReservationKey{}, fmt.Errorf("%w: the key of its reservation: %w; nothing was changed: name the key file that it was made with", ErrState, err)
}

// readUniversal judges a universal authorization code.
func (a *Agent) readUniversal(r *Reservation, key wire.ReservationKey) error {
	satellite, err := wire.ReadUniversalCode(r.Authorization)
	if err != nil {
		return fmt.Errorf("%w: %w; nothing was installed: compare it with the code that the satellite shows", ErrReservationInvalid, err)
	}
	if a.saved.Reservation.Installed() {
		return fmt.Errorf("%w, and it covers everything; nothing was changed", ErrReservationInstalled)
	}
	r.Key = satellite
	secret, err := key.Secret(satellite)
	if err != nil {
		return fmt.Errorf("%w: %w; nothing was installed", ErrReservationInvalid, err)
	}
	if own, err := secret.IsUniversalCode(r.Authorization, a.binding(*r)); err != nil || !own {
		return fmt.Errorf("%w: this universal authorization code is of another device, or of another request of this one; nothing was installed: have the request code of this device authorized", ErrReservationMismatch)
	}
	return nil
}

// readSpecific judges a signed authorization, and takes its licenses in.
func (a *Agent) readSpecific(r *Reservation, key wire.ReservationKey) error {
	signed, chain, err := wire.ReadAuthorization(r.Authorization)
	if err != nil {
		return fmt.Errorf("%w: %w; nothing was installed: copy it again from the satellite, or carry it as a file", ErrReservationInvalid, err)
	}
	if len(a.trust.roots) == 0 {
		return fmt.Errorf("%w: the authorization could not be checked; nothing was installed: give the upstream's root, or the satellite's CA bundle, as a file", ErrNoRoot)
	}
	if err := certs.VerifyUsage(chain[0], chain[1:], a.trust.roots, certs.SatelliteUsage, wire.Time(signed.Timestamp)); err != nil {
		return fmt.Errorf("%w: its signature does not lead to the licensing root of this device: %w; nothing was installed: compare the root with that of the upstream", ErrReservationInvalid, err)
	}
	udi := a.saved.Identity
	before := a.saved.Reservation
	switch {
	case signed.PID != udi.UDIPID || signed.SerialNumber != udi.UDISerialNumber:
		return fmt.Errorf("%w: it is for the device PID:%s,SN:%s, and this is PID:%s,SN:%s; nothing was installed: take it to that device",
			ErrReservationMismatch, printable(signed.PID), printable(signed.SerialNumber), udi.UDIPID, udi.UDISerialNumber)
	case signed.DeviceKey != key.Public() || signed.Kind != r.Kind:
		return fmt.Errorf("%w: it answers another request of this device than the one in progress; nothing was installed: have the request code that this device shows now authorized", ErrReservationMismatch)
	case before.Installed() && signed.Timestamp == before.Timestamp:
		return fmt.Errorf("%w: it is this one; nothing was changed", ErrReservationInstalled)
	case before.Installed() && signed.Timestamp < before.Timestamp:
		return fmt.Errorf("%w, and it is newer than this one; nothing was changed", ErrReservationInstalled)
	}
	r.Key, r.Timestamp, r.PIID, r.Licenses = signed.Key, signed.Timestamp, printable(signed.PIID), nil
	for _, e := range signed.Entitlements {
		r.Licenses = append(r.Licenses, ReservedLicense{
			License: License{Tag: printable(e.Tag), Name: printable(e.Name), Description: printable(e.Description), Count: e.Count, Mode: wire.ModeReservation},
			Start:   e.Start, End: e.End,
		})
	}
	return nil
}

// ReturnReservation gives the reservation up and returns the code that proves
// it. The device has given it up before the code is shown; asked again, it
// shows the same code.
//
// ErrNoReservation.
func (a *Agent) ReturnReservation() (code string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.saved.Reservation
	switch {
	case !r.Installed() && r.ReturnCode != "":
		return r.ReturnCode, nil
	case r.InProgress():
		return "", fmt.Errorf("%w that is installed; nothing was changed: cancel the request, or install its authorization first", ErrNoReservation)
	case !r.Installed():
		return "", fmt.Errorf("%w; nothing was changed", ErrNoReservation)
	}
	key, err := a.reservationKey()
	if err != nil {
		return "", err
	}
	secret, err := key.Secret(r.Key)
	if err != nil {
		return "", fmt.Errorf("%w: the key of its authorization: %w", ErrState, err)
	}
	code = secret.ReturnCode(a.binding(r))
	now := a.time()
	return code, a.update(func(s *saved) {
		s.endReservation()
		s.Reservation.ReturnCode, s.Reservation.ReturnedAt = code, now
	})
}

// unreserved says ErrReserved on a device that has a reservation, or has asked for one.
func (a *Agent) unreserved() error {
	switch r := a.saved.Reservation; {
	case r.Installed():
		return fmt.Errorf("%w; it was not registered: return the reservation first", ErrReserved)
	case r.InProgress():
		return fmt.Errorf("%w in progress; it was not registered: cancel the request first", ErrReserved)
	}
	return nil
}

// QRCode draws a code that the device shows, for the screen of a terminal.
func QRCode(code string) (string, error) { return wire.CodeBlocks(code) }
