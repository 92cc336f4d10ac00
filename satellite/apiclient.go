package satellite

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"
)

// APIClientID identifies an API client.
type APIClientID int64

// APIClient is a program that may use the REST APIs. It proves itself by its
// secret, of which only the hash is kept, and gets access tokens for it.
type APIClient struct {
	ID       APIClientID
	ClientID string // what it calls itself by; not secret
	Name     string // unique among those that are not revoked, without regard to case
	Grant           // a system role where no account is named, else a role there

	SecretHash    [sha256.Size]byte
	PreviousHash  [sha256.Size]byte // of the secret before the last rotation
	PreviousUntil time.Time         // until when that one is accepted, too
	Generation    int64             // access tokens of another one are refused

	CreatedAt  time.Time
	CreatedBy  string
	RevokedAt  time.Time
	LastUsedAt time.Time // to the minute
	LastSource string    // network address of then
}

// Bounds of API clients.
const (
	maxAPIClients      = 1_000 // not revoked; their listing has one page
	maxAccountClients  = 100   // of them in one account, so that it leaves room to others
	clientIDLength     = 20    // 100 bits
	clientSecretLength = 52    // 260 bits: a fast hash is enough
	lastUseGrain       = time.Minute

	// DefaultSecretOverlap is how long a secret outlives its rotation, and
	// MaxSecretOverlap the longest that it may.
	DefaultSecretOverlap = 24 * time.Hour
	MaxSecretOverlap     = 30 * day
)

// accepts tells whether the secret proves the client at an instant. It takes
// the same time for each of the reasons why it does not.
func (c APIClient) accepts(secret string, now time.Time) bool {
	hash := sha256.Sum256([]byte(secret))
	current := subtle.ConstantTimeCompare(hash[:], c.SecretHash[:])
	previous := subtle.ConstantTimeCompare(hash[:], c.PreviousHash[:])
	if !now.Before(c.PreviousUntil) {
		previous = 0
	}
	return c.ID != 0 && c.RevokedAt.IsZero() && current|previous == 1
}

// rotate gives the client another secret and lets the one before live on for
// the overlap. Without an overlap the tokens that were got by it end, too.
func (c APIClient) rotate(secret string, overlap time.Duration, now time.Time) APIClient {
	c.PreviousHash, c.PreviousUntil = c.SecretHash, now.Add(overlap)
	if overlap == 0 {
		c.PreviousHash, c.PreviousUntil = [sha256.Size]byte{}, time.Time{}
		c.Generation++
	}
	c.SecretHash = sha256.Sum256([]byte(secret))
	return c
}

// actor is the client as one who asks.
func (c APIClient) actor(source string) Actor {
	a := Actor{APIClientID: c.ID, Name: "api:" + c.Name, Role: c.Role, Source: source}
	if c.AccountID != 0 {
		a.Role, a.Grants = RoleSystemUser, []Grant{c.Grant}
	}
	return a
}

// mayManage returns KindForbidden or KindNotFound unless the actor may give and
// take the client's role: a system role takes the right to manage users, a role
// in an account that to manage access there.
func (a Actor) mayManage(g Grant) error {
	if g.AccountID == 0 {
		return a.may(ActionManageUsers)
	}
	return a.mayIn(ActionManageAccess, g.AccountID, g.VirtualAccountID)
}

// manages tells whether mayManage would allow it.
func (a Actor) manages(g Grant) bool { return a.mayManage(g) == nil }

// CreateAPIClient makes a client with a role on the satellite, or in an account
// or virtual account, and returns it with its secret, which nobody can read again.
//
// KindInvalid for a bad name or role; KindForbidden where the role does more
// than the actor may; KindConflict where the name is taken, the account locked,
// or there are a thousand clients, or a hundred of the account; KindNotFound for the virtual account.
func (s *Service) CreateAPIClient(ctx context.Context, actor Actor, name string, g Grant) (client APIClient, secret string, err error) {
	if err := actor.mayManage(g); err != nil {
		return APIClient{}, "", err
	}
	if err := checkName("api-client", name); err != nil {
		return APIClient{}, "", err
	}
	now := s.Now()
	secret = s.randomText(clientSecretLength)
	fresh := APIClient{ClientID: s.randomText(clientIDLength), Name: name, Grant: g, SecretHash: sha256.Sum256([]byte(secret)), CreatedAt: now, CreatedBy: actor.Name}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		where, event := "the satellite", Event{Type: EventAPIClientCreated, AccountID: g.AccountID}
		if g.AccountID == 0 {
			err = checkSystemRole(g.Role)
		} else {
			where, event.VirtualAccount, err = clientPlace(tx, actor, g)
		}
		if err != nil {
			return err
		}
		if err := roomForAPIClient(tx, g.AccountID); err != nil {
			return err
		}
		if client, err = tx.CreateAPIClient(fresh); err != nil {
			return err
		}
		event.Message = fmt.Sprintf("API client %q (%s) was created with the role %s in %s.", client.Name, client.ClientID, g.Role, where)
		return record(event)
	})
	if err != nil {
		return APIClient{}, "", err
	}
	return client, secret, nil
}

// clientPlace checks a role in an account like any other that is granted there,
// and names the place.
func clientPlace(tx Tx, actor Actor, g Grant) (place, virtual string, err error) {
	if err := g.check(); err != nil {
		return "", "", err
	}
	if err := actor.mayGive(g); err != nil {
		return "", "", err
	}
	p, err := placeOf(tx, g.AccountID, g.VirtualAccountID)
	if err != nil {
		return "", "", err
	}
	return p.String(), p.virtual, p.account.mayGrant(nil)
}

func roomForAPIClient(tx Tx, account AccountID) error {
	clients, err := tx.APIClients()
	if err != nil {
		return err
	}
	live, inAccount := 0, 0
	for _, c := range clients {
		if c.RevokedAt.IsZero() {
			live++
			if account != 0 && c.AccountID == account {
				inAccount++
			}
		}
	}
	if live < maxAPIClients && inAccount < maxAccountClients {
		return nil
	}
	return fail(KindConflict, "api-client-limit", "There are %d API clients, %d of them in this account: a satellite has %d, an account %d. Nothing was created.", live, inAccount, maxAPIClients, maxAccountClients).
		hint("Revoke those that nobody uses: `satellite api-client list` shows when each was used last.")
}

// APIClients lists the clients that the actor may manage: those in use by name,
// then the revoked ones. KindUnauthenticated for nobody.
func (s *Service) APIClients(ctx context.Context, actor Actor) (clients []APIClient, err error) {
	if err := actor.known(); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		clients = nil
		all, err := tx.APIClients()
		for _, c := range all {
			if actor.manages(c.Grant) {
				clients = append(clients, c)
			}
		}
		return err
	})
	return clients, err
}

// FindAPIClient returns a client by its client id, or by its name where it is
// not revoked. KindNotFound, also for one that the actor may not manage.
func (s *Service) FindAPIClient(ctx context.Context, actor Actor, idOrName string) (client APIClient, err error) {
	if err := actor.known(); err != nil {
		return APIClient{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		client, err = findAPIClient(tx, actor, idOrName)
		return err
	})
	return client, err
}

func findAPIClient(tx Tx, actor Actor, idOrName string) (APIClient, error) {
	client, err := tx.APIClientByClientID(idOrName)
	if isNotFound(err) {
		client, err = tx.APIClientByName(idOrName)
	}
	if isNotFound(err) || err == nil && !actor.manages(client.Grant) {
		return APIClient{}, fail(KindNotFound, "api-client-not-found", "There is no API client %q, or none that you may see. Nothing was changed.", clip(idOrName)).
			hint("`satellite api-client list` shows those that exist.")
	}
	return client, err
}

// RotateAPIClient gives a client another secret, which nobody can read again.
// The one before is accepted until the overlap is over; without an overlap it
// ends at once, and with it every access token of the client.
//
// KindInvalid for an overlap over 30 days; KindNotFound; KindConflict for a revoked client.
func (s *Service) RotateAPIClient(ctx context.Context, actor Actor, idOrName string, overlap time.Duration) (client APIClient, secret string, err error) {
	if overlap < 0 || overlap > MaxSecretOverlap {
		return APIClient{}, "", fail(KindInvalid, "secret-overlap-invalid", "The secret before is accepted for 0 to %d hours more, not %s. Nothing was changed.", int(MaxSecretOverlap.Hours()), overlap)
	}
	secret = s.randomText(clientSecretLength)
	client, err = s.changeAPIClient(ctx, actor, idOrName, func(c APIClient, now time.Time) (APIClient, Event, error) {
		if !c.RevokedAt.IsZero() {
			return c, Event{}, fail(KindConflict, "api-client-revoked", "API client %q was revoked on %s. Nothing was changed.", c.Name, stamp(c.RevokedAt)).hint("Create another one.")
		}
		c = c.rotate(secret, overlap, now)
		text := "the one before ended at once, with all access tokens"
		if overlap > 0 {
			text = "the one before is accepted until " + stamp(c.PreviousUntil)
		}
		return c, Event{Type: EventAPIClientRotated, Message: fmt.Sprintf("API client %q has a new secret; %s.", c.Name, text)}, nil
	})
	if err != nil {
		return APIClient{}, "", err
	}
	return client, secret, nil
}

// RevokeAPIClient ends a client with its secrets and access tokens at once;
// revoking it again changes nothing. KindNotFound.
func (s *Service) RevokeAPIClient(ctx context.Context, actor Actor, idOrName string) (APIClient, error) {
	return s.changeAPIClient(ctx, actor, idOrName, func(c APIClient, now time.Time) (APIClient, Event, error) {
		if !c.RevokedAt.IsZero() {
			return c, Event{}, errUnchanged
		}
		c.RevokedAt = now
		return c, Event{Type: EventAPIClientRevoked, Message: fmt.Sprintf("API client %q (%s) was revoked.", c.Name, c.ClientID)}, nil
	})
}

// changeAPIClient is what all changes of a client share.
func (s *Service) changeAPIClient(ctx context.Context, actor Actor, idOrName string, change func(APIClient, time.Time) (APIClient, Event, error)) (client APIClient, err error) {
	if err := actor.known(); err != nil {
		return APIClient{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if client, err = findAPIClient(tx, actor, idOrName); err != nil {
			return err
		}
		changed, event, err := change(client, now)
		if err != nil {
			return err
		}
		if err := tx.SaveAPIClient(changed); err != nil {
			return err
		}
		client = changed
		event.AccountID = client.AccountID
		if client.VirtualAccountID != 0 {
			p, err := placeOf(tx, client.AccountID, client.VirtualAccountID)
			if err != nil {
				return err
			}
			event.VirtualAccount = p.virtual
		}
		return record(event)
	})
	return client, err
}

// used notes that a client came, at most once a minute: a program that asks a
// hundred times a second must not write as often.
func (s *Service) used(ctx context.Context, client APIClient, source string) error {
	now := s.Now()
	if now.Sub(client.LastUsedAt) < lastUseGrain {
		return nil
	}
	return s.store.Update(ctx, func(tx Tx) error {
		current, err := tx.APIClient(client.ID)
		if err != nil {
			return err
		}
		current.LastUsedAt, current.LastSource = now, clipRunes(strings.TrimSpace(source), 64)
		return tx.SaveAPIClient(current)
	})
}
