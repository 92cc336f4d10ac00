package satellite

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"
)

// InstanceID identifies a product instance within this satellite.
type InstanceID int64

// Identity is what makes a device the same device: UDI and software tag. It is
// unique per satellite.
type Identity struct {
	UDIPID          string
	UDISerialNumber string
	SoftwareTag     string
}

// RegistrationState is where a product instance is with its registration.
type RegistrationState string

// The registration states that a satellite knows; a device knows a few more.
const (
	Unregistered        RegistrationState = "unregistered" // known by its usage reports only
	Registered          RegistrationState = "registered"
	RegistrationExpired RegistrationState = "registration expired"
)

// AuthorizationState is what the device was told about its licenses.
type AuthorizationState string

// The authorization states.
const (
	NoLicensesInUse      AuthorizationState = "no licenses in use"
	Authorized           AuthorizationState = "authorized"
	OutOfCompliance      AuthorizationState = "out of compliance"
	AuthorizationExpired AuthorizationState = "authorization expired"
	AuthorizedReserved   AuthorizationState = "authorized - reserved" // it never talks, and has a reservation
)

// Instance is a product instance: a device, as this satellite knows it.
type Instance struct {
	ID               InstanceID
	PIID             string // UUID, given at registration
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Identity
	UDIVID          string
	SUVI            string
	UUID            string
	HostIdentifier  string
	MACAddress      string
	Hostname        string
	EquipmentModel  string
	SoftwareVersion string
	HardwareVersion string

	RegistrationState RegistrationState
	RegisteredAt      time.Time
	TokenHash         [sha256.Size]byte // of the token that registered it
	PublicKeyHash     [sha256.Size]byte // of the key that registered it

	// Credential is the SHA-256 of the ID certificate; PreviousCredential is
	// that of the one before, accepted until the first message under the new one.
	Credential          [sha256.Size]byte
	PreviousCredential  [sha256.Size]byte
	CertificateSerial   string
	CertificateNotAfter time.Time

	AuthorizationState     AuthorizationState
	AuthorizationRenewAt   time.Time
	AuthorizationExpiresAt time.Time
	LastContactAt          time.Time
	LastAddress            string
	// LastServed is the served time (see Clock) at the last contact: silence
	// counts only while the satellite serves.
	LastServed time.Duration

	// ExportAllowed tells that the token that registered it allows export-controlled licenses.
	ExportAllowed bool
	// ApplicationID is the same for the members of a high-availability pair, ""
	// for a device that stands alone; HARole is "active" or "standby".
	ApplicationID string
	HARole        string

	// ReplyDigest is that of the last reply, OtherDigest that of a reply which
	// the device did not build upon: a copy of it may.
	ReplyDigest string
	OtherDigest string

	ChangeNumber int64
}

// StateAt is the instance with the states that time alone has changed: the end
// of its certificate. The end of an authorization is no matter of the time of
// day: it comes by the 90-day return (see ReturnSilent), so that a device is
// either counted and authorized, or returned and expired, also after an outage.
func (i Instance) StateAt(now time.Time) Instance {
	if i.RegistrationState == Registered && !now.Before(i.CertificateNotAfter) {
		i.RegistrationState = RegistrationExpired
	}
	return i
}

// accepts judges a message by the satellite's own record: the certificate that
// it was sent under is the instance's, and is not past its end.
func (i Instance) accepts(credential [sha256.Size]byte, notAfter, now time.Time) error {
	if i.RegistrationState != Registered || credential != i.Credential && credential != i.PreviousCredential {
		return fail(KindForbidden, "certificate-not-accepted", "The ID certificate of this message is not the one of product instance %s. Nothing was changed.", i.PIID).
			hint("Register the device again with a token.")
	}
	if !now.Before(notAfter) {
		return fail(KindForbidden, "certificate-expired", "The ID certificate of the device expired on %s. Nothing was changed.", stamp(notAfter)).
			hint("Register the device again with a token.")
	}
	return nil
}

// Name is how people call the device: host name, or serial number.
func (i Instance) Name() string {
	if i.Hostname != "" {
		return i.Hostname
	}
	return i.UDISerialNumber
}

// InstanceFilter selects product instances. Zero fields select all.
type InstanceFilter struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	// VirtualAccounts are names in the account, without regard to case; none: all.
	// The store knows no names: Service makes the scope of them.
	VirtualAccounts []string
	Search          string // prefix of serial number, host name or product id
	Scope           Scope
}

// InstanceDetails is an instance with the names that a person reads.
type InstanceDetails struct {
	Instance
	Account        string
	VirtualAccount string
	Licenses       []Holding
}

// InstanceQuery names one instance: by PIID, or by product id and serial number.
type InstanceQuery struct {
	PIID            string
	UDIPID          string
	UDISerialNumber string
}

// FindInstance returns one instance with what it holds. KindNotFound;
// KindConflict where product id and serial number fit several.
func (s *Service) FindInstance(ctx context.Context, actor Actor, query InstanceQuery) (details InstanceDetails, err error) {
	if err := actor.known(); err != nil {
		return InstanceDetails{}, err
	}
	now := s.Now()
	err = s.store.View(ctx, func(tx Tx) error {
		instance, err := findInstance(tx, actor, query, ActionRead)
		if err != nil {
			return err
		}
		if details, err = namesOf(tx).details(instance.StateAt(now)); err != nil {
			return err
		}
		if details.Licenses, err = tx.Holdings(instance.ID); err != nil {
			return err
		}
		// A count of zero that was measured is kept, but nobody holds it.
		peers, err := pairOf(tx, instance)
		if err != nil {
			return err
		}
		for i := range details.Licenses {
			if h := &details.Licenses[i]; h.permitted(instance) && instance.AuthorizationState != AuthorizationExpired {
				h.Shared = peers.holds(h.License.ID)
			}
		}
		details.Licenses = slices.DeleteFunc(details.Licenses, func(h Holding) bool { return h.Usage.Count == 0 && h.Usage.Wanted == 0 })
		return currentHoldings(tx, details.Licenses, now)
	})
	return details, err
}

// findInstance finds the instance that the actor wants to act on. KindNotFound
// also for one that he may not see.
func findInstance(tx Tx, actor Actor, query InstanceQuery, action Action) (Instance, error) {
	missing := fail(KindNotFound, "device-not-found", "There is no such device. Nothing was changed.").hint("`satellite device list` shows those that exist.")
	if query.PIID != "" {
		instance, err := tx.Instance(query.PIID)
		if isNotFound(err) {
			return Instance{}, missing
		}
		if err != nil {
			return Instance{}, err
		}
		return instance, actor.mayWith(action, instance.AccountID, instance.VirtualAccountID, missing)
	}
	found, err := tx.InstancesByUDI(query.UDIPID, query.UDISerialNumber)
	if err != nil {
		return Instance{}, err
	}
	found = slices.DeleteFunc(found, func(i Instance) bool { return !actor.MayIn(ActionRead, i.AccountID, i.VirtualAccountID) })
	switch len(found) {
	case 0:
		return Instance{}, missing
	case 1:
		return found[0], actor.mayWith(action, found[0].AccountID, found[0].VirtualAccountID, missing)
	}
	return Instance{}, fail(KindConflict, "device-ambiguous", "%d devices have this product id and serial number, with different software. Nothing was changed.", len(found)).hint("Name the device by its PIID.")
}

// names resolves names once per listing.
type names struct {
	tx       Tx
	accounts map[AccountID]string
	virtual  map[VirtualAccountID]string
}

func namesOf(tx Tx) *names {
	return &names{tx: tx, accounts: map[AccountID]string{}, virtual: map[VirtualAccountID]string{}}
}

func (n *names) details(instance Instance) (InstanceDetails, error) {
	if _, known := n.accounts[instance.AccountID]; !known {
		account, err := n.tx.Account(instance.AccountID)
		if err != nil {
			return InstanceDetails{}, err
		}
		virtual, err := n.tx.VirtualAccounts(instance.AccountID)
		if err != nil {
			return InstanceDetails{}, err
		}
		n.accounts[account.ID] = account.Name
		for _, v := range virtual {
			n.virtual[v.ID] = v.Name
		}
	}
	return InstanceDetails{Instance: instance, Account: n.accounts[instance.AccountID], VirtualAccount: n.virtual[instance.VirtualAccountID]}, nil
}
