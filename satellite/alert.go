package satellite

import (
	"context"
	"fmt"
	"time"
)

// AlertType names a condition that an administrator should know of; it is stable.
type AlertType string

// The types of alerts, in the words that administrators know.
const (
	AlertInsufficientLicenses     AlertType = "insufficient-licenses"
	AlertLicensesExpired          AlertType = "licenses-expired"
	AlertLicensesExpiring         AlertType = "licenses-expiring"
	AlertDuplicateLicenses        AlertType = "duplicate-licenses"
	AlertRestrictedNotAvailable   AlertType = "restricted-license-not-available"
	AlertReservedLicenseExpired   AlertType = "reserved-license-expired"
	AlertReservedLicensesReturned AlertType = "reserved-licenses-returned"
	AlertFailedToConnect          AlertType = "product-instance-failed-to-connect"
	AlertFailedToRenew            AlertType = "product-instance-failed-to-renew"
	AlertAgreementPending         AlertType = "agreement-pending"
	AlertAgreementUpdated         AlertType = "agreement-updated"
	AlertAuthorizationPending     AlertType = "authorization-pending"
	AlertSyncOverdue              AlertType = "synchronization-overdue"
	AlertSyncDeadline             AlertType = "upcoming-sync-deadline"
	AlertSatelliteExpired         AlertType = "satellite-expired"
	AlertSatelliteDuplicated      AlertType = "satellite-duplicated"
	AlertSatelliteUnregistered    AlertType = "satellite-unregistered"
	AlertAuthorizationFileReady   AlertType = "authorization-file-ready"
	AlertClockMoved               AlertType = "clock-moved"
	AlertBackupOverdue            AlertType = "backup-overdue"
	AlertCertificateExpiring      AlertType = "certificate-expiring"
)

// Severity is how much an alert matters.
type Severity string

// The severities.
const (
	Major         Severity = "major"
	Minor         Severity = "minor"
	Informational Severity = "informational"
)

// AlertKind is a row of the table of alerts.
type AlertKind struct {
	Type     AlertType
	Title    string
	Severity Severity
	// Cause says what opens it, and so what closes it.
	Cause string
	// Waits names the capability that brings its cause, "" where this program can cause it.
	Waits string
}

// AlertKinds is the one table of all alerts. Those whose cause comes with a
// later capability say so, and are never open.
var AlertKinds = []AlertKind{
	{AlertInsufficientLicenses, "Insufficient Licenses", Major, "The balance of a license in a virtual account is below zero.", ""},
	{AlertLicensesExpired, "Licenses Expired", Major, "A lot has ended and is still in the account.", ""},
	{AlertLicensesExpiring, "Licenses Expiring", Minor, "A lot ends within 90 days.", ""},
	{AlertDuplicateLicenses, "Duplicate Licenses", Major, "Two copies of one device speak in turns, or a device was registered over another one.", ""},
	{AlertRestrictedNotAvailable, "Restricted License Not Available", Major, "A device was refused an enforced or export-controlled license.", ""},
	{AlertReservedLicenseExpired, "Reserved License Expired", Major, "The term of a reserved license has ended.", ""},
	{AlertReservedLicensesReturned, "Reserved Licenses Returned", Informational, "A reservation came back in the last 30 days.", ""},
	{AlertFailedToConnect, "Product Instance Failed to Connect", Minor, "A device that uses licenses has been silent for 60 days.", ""},
	{AlertFailedToRenew, "Product Instance Failed to Renew", Minor, "A device has not renewed its ID certificate 60 days before its end.", ""},
	{AlertAgreementPending, "Smart Licensing Agreement Pending", Minor, "No version of the agreement was accepted yet.", ""},
	{AlertAgreementUpdated, "Updated Smart License Agreement", Minor, "A newer version of the agreement than the accepted one is in force.", ""},
	{AlertAuthorizationPending, "Authorization Pending", Informational, "An upgrade of the account waits for the upstream.", ""},
	{AlertSyncOverdue, "Synchronization Overdue", Minor, "The account has not synchronized for more than 30 days.", ""},
	{AlertSyncDeadline, "Upcoming Sync Deadline", Major, "The upstream takes the licenses back within 30 days.", ""},
	{AlertSatelliteExpired, "Satellite Expired and Removed", Major, "The upstream's deadline has passed without a synchronization.", ""},
	{AlertSatelliteDuplicated, "Satellite Duplicated", Major, "The upstream has heard of this satellite and of a copy of it within 30 days.", ""},
	{AlertSatelliteUnregistered, "Satellite Unregistered and Removed", Major, "The upstream removed the satellite.", "revocation by the upstream"},
	{AlertAuthorizationFileReady, "Satellite Authorization File Ready", Informational, "An answer of the upstream waits to be applied.", "online synchronization"},
	{AlertClockMoved, "Clock Moved Back", Major, "The system's clock made a step that nobody has confirmed.", ""},
	{AlertBackupOverdue, "Backup Overdue", Major, "No backup was made in time.", "backup"},
	{AlertCertificateExpiring, "Certificate Expiring", Major, "The account's sub CA ends within 180 days.", ""},
}

// KindOfAlert is the row of a type; the zero row where there is none.
func KindOfAlert(t AlertType) AlertKind {
	for _, kind := range AlertKinds {
		if kind.Type == t {
			return kind
		}
	}
	return AlertKind{}
}

// Alert is a condition that is open until its cause ends. While it is open
// there is one of each type and key in an account.
type Alert struct {
	ID               int64
	AccountID        AccountID        // 0: of the satellite itself
	VirtualAccountID VirtualAccountID // 0: of the whole account
	PIID             string           // of the device that it is about, "" for none
	Type             AlertType
	Severity         Severity
	Key              string // what it is about, for programs
	Source           string // what it is about, for people
	Message          string
	ActionDue        time.Time // zero: no date
	OpenedAt         time.Time
	ClosedAt         time.Time // zero: open
}

// AlertFilter selects alerts. Zero fields select all that are open.
type AlertFilter struct {
	AccountID AccountID
	Type      AlertType
	Key       string
	PIID      string
	Closed    bool // those that are closed as well
	Scope     Scope
}

// raise opens an alert, or brings the open one of the same key up to date. Only
// its opening is an event.
func raise(tx Tx, record recorder, alert Alert, now time.Time) error {
	kind := KindOfAlert(alert.Type)
	alert.Severity, alert.OpenedAt = kind.Severity, now
	opened, err := tx.OpenAlert(alert)
	if err != nil || !opened {
		return err
	}
	virtual, err := virtualAccountName(tx, alert.AccountID, alert.VirtualAccountID)
	if err != nil {
		return err
	}
	return record(Event{Type: EventAlertOpened, AccountID: alert.AccountID, VirtualAccount: virtual, PIID: alert.PIID, Message: fmt.Sprintf("Alert %q: %s", kind.Title, alert.Message)})
}

// settled closes the alert of that key because its cause has ended, where it is open.
func settled(tx Tx, record recorder, account AccountID, alert AlertType, key, because string, now time.Time) error {
	closed, err := tx.CloseAlert(account, alert, key, now)
	if err != nil || closed.ID == 0 {
		return err
	}
	virtual, err := virtualAccountName(tx, account, closed.VirtualAccountID)
	if err != nil {
		return err
	}
	return record(Event{Type: EventAlertClosed, AccountID: account, VirtualAccount: virtual, PIID: closed.PIID, Message: fmt.Sprintf("Alert %q is over (%s): %s", KindOfAlert(alert).Title, closed.Source, because)})
}

// AlertKinds is the table of alerts, for who is signed in.
func (s *Service) AlertKinds(actor Actor) ([]AlertKind, error) {
	_, err := actor.sees(0, 0)
	return AlertKinds, err
}

// Alerts lists alerts, newest first.
func (s *Service) Alerts(ctx context.Context, actor Actor, filter AlertFilter, page Page) (alerts []Alert, err error) {
	err = s.viewAlerts(ctx, actor, &filter, func(tx Tx) error {
		alerts, err = tx.Alerts(filter, page.bounded())
		return err
	})
	return alerts, err
}

// CountAlerts counts alerts.
func (s *Service) CountAlerts(ctx context.Context, actor Actor, filter AlertFilter) (count int64, err error) {
	err = s.viewAlerts(ctx, actor, &filter, func(tx Tx) error {
		count, err = tx.CountAlerts(filter)
		return err
	})
	return count, err
}

// AlertCursor is the Page.After behind which Alerts goes on after so many rows.
func (s *Service) AlertCursor(ctx context.Context, actor Actor, filter AlertFilter, skip int64) (after int64, err error) {
	err = s.viewAlerts(ctx, actor, &filter, func(tx Tx) error {
		after, err = tx.AlertCursor(filter, skip)
		return err
	})
	return after, err
}

// viewAlerts reads with a filter that shows no more than the actor sees.
func (s *Service) viewAlerts(ctx context.Context, actor Actor, filter *AlertFilter, read func(Tx) error) (err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, 0); err != nil {
		return err
	}
	return s.store.View(ctx, read)
}
