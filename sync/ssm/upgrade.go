package ssm

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

const (
	maxUpgradeField = 1024 // bytes of what a satellite tells
	maxReason       = 1000 // characters
)

// The states of an upgrade: those of the wire, and that of a request whose
// place a newer one took before it was decided.
const (
	upgradePending  = string(wire.UpgradePending)
	upgradeApproved = string(wire.UpgradeApproved)
	upgradeDeclined = string(wire.UpgradeDeclined)
	upgradeReplaced = "replaced"
)

// Approval is the request of a satellite to make its limited account a standard
// one, and what was decided about it.
type Approval struct {
	ID               int64      `json:"id"`
	Account          string     `json:"account"` // as it is called now
	SatelliteID      string     `json:"satellite_id"`
	LocalAccount     string     `json:"local_account"`
	Name             string     `json:"name"`              // that is asked for
	DomainIdentifier string     `json:"domain_identifier"` // that is asked for
	Email            string     `json:"email"`
	RequestedBy      string     `json:"requested_by"`
	RequestedAt      time.Time  `json:"requested_at"`
	ReceivedAt       time.Time  `json:"received_at"`
	Status           string     `json:"status"` // pending, approved, declined, or replaced by a newer one
	Reason           string     `json:"reason,omitempty"`
	DecidedAt        *time.Time `json:"decided_at,omitempty"`
}

type upgradeRow struct {
	ID          int64 `gorm:"primaryKey"`
	Satellite   int64
	Name        string
	Domain      string
	Email       string
	RequestedBy string
	RequestedAt time.Time
	Status      string
	Reason      string
	ReceivedAt  time.Time
	DecidedAt   *time.Time
}

func (upgradeRow) TableName() string { return "upgrades" }

// decide writes what was decided, once.
func (r *upgradeRow) decide(tx *gorm.DB, status, reason string, now time.Time) error {
	r.Status, r.Reason, r.DecidedAt = status, reason, &now
	return tx.Model(r).Select("status", "reason", "decided_at").Updates(r).Error
}

// checkUpgrade bounds what is kept of an upgrade. ErrRefused.
func checkUpgrade(asked *wire.UpgradeRequest) error {
	if asked == nil {
		return nil
	}
	for _, field := range []string{asked.Name, asked.DomainIdentifier, asked.Email, asked.RequestedBy} {
		if len(field) > maxUpgradeField || strings.ContainsFunc(field, unicode.IsControl) {
			return refuse("the request for an upgrade has a field of more than %d bytes or with control characters; nothing was changed", maxUpgradeField)
		}
	}
	if asked.RequestedAt.IsZero() {
		return refuse("the request for an upgrade does not say when it was made; nothing was changed")
	}
	return nil
}

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// flaw says in a sentence what no account could be made of; "" where there is nothing.
func flaw(asked wire.UpgradeRequest) string {
	domain := strings.ToLower(asked.DomainIdentifier)
	if _, err := checkName("name", asked.Name); err != nil {
		return fmt.Sprintf("The name of an account has 1 to %d characters.", maxName)
	}
	switch {
	case len(domain) > 253 || !domainName.MatchString(domain):
		return fmt.Sprintf("%q is no domain name such as example.com.", asked.DomainIdentifier)
	case strings.HasSuffix(domain, limitedSuffix):
		return fmt.Sprintf("%s is an identifier of limited accounts: a standard one needs a domain of its own.", domain)
	case emailDomain(asked.Email) == "":
		return fmt.Sprintf("%q is no e-mail address.", asked.Email)
	}
	return ""
}

// emailDomain is the domain of an e-mail address, in small letters; "" of what is none.
func emailDomain(email string) string {
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || len(email) > maxName {
		return ""
	}
	return strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
}

// taken says in a sentence which other account has the name or the domain; ""
// where there is none.
func (r accountRow) taken(tx *gorm.DB, name, domain string) (string, error) {
	var others []accountRow
	err := tx.Where("id <> ? AND (name = ? OR lower(domain) = ?)", r.ID, strings.TrimSpace(name), strings.ToLower(domain)).Limit(1).Find(&others).Error
	switch {
	case err != nil || len(others) == 0:
		return "", err
	case strings.EqualFold(others[0].Domain, domain):
		return fmt.Sprintf("Another account has the identifier %s.", strings.ToLower(domain)), nil
	default:
		return fmt.Sprintf("Another account has the name %q.", strings.TrimSpace(name)), nil
	}
}

// promote makes a limited account a standard one. What else waits to make it
// one has what it wanted.
func (r *accountRow) promote(tx *gorm.DB, name, domain string, now time.Time) error {
	r.Type, r.Name, r.Domain = string(Standard), strings.TrimSpace(name), strings.ToLower(domain)
	if err := tx.Model(r).Select("type", "name", "domain").Updates(r).Error; err != nil {
		return err
	}
	return tx.Exec(`UPDATE upgrades SET status = ?, decided_at = ? WHERE status = ? AND satellite IN
			(SELECT s.id FROM satellites s JOIN virtual_accounts v ON v.id = s.virtual_account_id WHERE v.account_id = ?)`,
		upgradeApproved, now, upgradePending, r.ID).Error
}

// lastUpgrade finds the newest request of a satellite; false where it made none.
func lastUpgrade(tx *gorm.DB, satellite int64) (row upgradeRow, known bool, err error) {
	err = tx.Where("satellite = ?", satellite).Order("id DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// keepUpgrade takes the request for an upgrade, if there is one, and decides it
// where nobody has to be asked. One that is known already changes nothing.
func (e *exchange) keepUpgrade() error {
	asked := e.request.Manifest.Request.Upgrade
	if asked == nil {
		return nil
	}
	last, known, err := lastUpgrade(e.tx, e.satellite.ID)
	if err != nil || known && last.RequestedAt.Equal(asked.RequestedAt) {
		return err
	}
	if known && last.Status == upgradePending {
		if err := last.decide(e.tx, upgradeReplaced, "", e.now); err != nil {
			return err
		}
	}
	row := upgradeRow{Satellite: e.satellite.ID, Name: asked.Name, Domain: asked.DomainIdentifier, Email: asked.Email,
		RequestedBy: asked.RequestedBy, RequestedAt: asked.RequestedAt.UTC(), ReceivedAt: e.now}
	if row.Status, row.Reason, err = e.judge(*asked); err != nil {
		return err
	}
	if row.Status != upgradePending {
		row.DecidedAt = &e.now
	}
	return e.tx.Create(&row).Error
}

// judge decides an upgrade, as far as rules can.
func (e *exchange) judge(asked wire.UpgradeRequest) (status, reason string, err error) {
	if e.account.Type == string(Standard) {
		return upgradeApproved, "", nil
	}
	if reason = flaw(asked); reason == "" {
		reason, err = e.account.taken(e.tx, asked.Name, asked.DomainIdentifier)
	}
	switch {
	case err != nil:
		return "", "", err
	case reason != "":
		return upgradeDeclined, reason, nil
	case emailDomain(asked.Email) != strings.ToLower(asked.DomainIdentifier):
		return upgradePending, "", nil
	}
	return upgradeApproved, "", e.account.promote(e.tx, asked.Name, asked.DomainIdentifier, e.now)
}

// upgradeAnswer is what the satellite is told of its newest request; nil where
// it made none.
func (e *exchange) upgradeAnswer() (*wire.UpgradeAnswer, error) {
	last, known, err := lastUpgrade(e.tx, e.satellite.ID)
	if err != nil || !known {
		return nil, err
	}
	answer := &wire.UpgradeAnswer{Status: wire.UpgradeStatus(last.Status), DomainIdentifier: last.Domain, RequestedAt: last.RequestedAt, Reason: last.Reason}
	if e.account.Type == string(Standard) { // also by the request of another satellite
		answer.Status, answer.Reason = wire.UpgradeApproved, ""
	}
	return answer, nil
}

// Approvals lists the upgrades: first those that wait to be decided, then the
// others, the newest first.
func (u *Upstream) Approvals(ctx context.Context) ([]Approval, error) {
	var list []Approval
	err := u.view(ctx, func(tx *gorm.DB) (err error) {
		list, err = listApprovals(tx, "TRUE")
		return err
	})
	return list, err
}

func listApprovals(tx *gorm.DB, where string, args ...any) ([]Approval, error) {
	list := []Approval{}
	err := tx.Raw(`SELECT p.id, a.name AS account, s.satellite_id, s.local_account, p.name, p.domain AS domain_identifier, p.email,
			p.requested_by, p.requested_at, p.received_at, p.status, p.reason, p.decided_at
		FROM upgrades p
		JOIN satellites s ON s.id = p.satellite
		JOIN virtual_accounts v ON v.id = s.virtual_account_id
		JOIN accounts a ON a.id = v.account_id
		WHERE `+where+`
		ORDER BY p.status = 'pending' DESC, p.id DESC`, args...).Scan(&list).Error
	return list, err
}

// Approve makes the account a standard one under the name and identifier that
// were asked for; the next response tells it. ErrRefused where it is decided
// already, or another account has taken the name or the identifier meanwhile.
func (u *Upstream) Approve(ctx context.Context, id int64) (Approval, error) {
	return u.decide(ctx, id, func(tx *gorm.DB, row *upgradeRow) error {
		var satellite satelliteRow
		if err := tx.Where("id = ?", row.Satellite).Take(&satellite).Error; err != nil {
			return err
		}
		account, _, err := boundTo(tx, satellite)
		if err != nil {
			return err
		}
		taken, err := account.taken(tx, row.Name, row.Domain)
		if err != nil {
			return err
		}
		if taken != "" {
			return refuse("approval %d: %s Nothing was changed: decline it with that reason", id, taken)
		}
		return account.promote(tx, row.Name, row.Domain, u.instant()) // approves this one, too
	})
}

// Decline leaves the account limited; the next response tells the reason.
// ErrRefused where it is decided already, and without a reason.
func (u *Upstream) Decline(ctx context.Context, id int64, reason string) (Approval, error) {
	reason, err := checkText("the reason", reason, maxReason)
	if err != nil {
		return Approval{}, err
	}
	return u.decide(ctx, id, func(tx *gorm.DB, row *upgradeRow) error {
		return row.decide(tx, upgradeDeclined, reason, u.instant())
	})
}

// decide does what was decided about an upgrade that waits for it.
func (u *Upstream) decide(ctx context.Context, id int64, do func(tx *gorm.DB, row *upgradeRow) error) (Approval, error) {
	var approval Approval
	err := u.update(ctx, func(tx *gorm.DB) error {
		var row upgradeRow
		err := tx.Where("id = ?", id).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return refuse("there is no approval %d; nothing was changed: `ssm approval list` lists them", id)
		}
		if err != nil {
			return err
		}
		if err := row.undecided(); err != nil {
			return err
		}
		if err := do(tx, &row); err != nil {
			return err
		}
		list, err := listApprovals(tx, "p.id = ?", id)
		if err == nil {
			approval = list[0]
		}
		return err
	})
	if err != nil {
		return Approval{}, err
	}
	return approval, nil
}

// undecided says ErrRefused, and what was decided, of an upgrade that waits no more.
func (r upgradeRow) undecided() error {
	if r.Status == upgradePending {
		return nil
	}
	on := r.DecidedAt.UTC().Format(time.RFC3339)
	switch r.Status {
	case upgradeDeclined:
		return refuse("approval %d was declined on %s (%s); nothing was changed", r.ID, on, r.Reason)
	case upgradeReplaced:
		return refuse("approval %d was replaced by a newer request of the same satellite on %s; nothing was changed: `ssm approval list` lists it", r.ID, on)
	default:
		return refuse("approval %d was approved on %s; nothing was changed", r.ID, on)
	}
}
