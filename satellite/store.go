package satellite

import (
	"context"
	"crypto/sha256"
	"time"
)

// Store is the one door to data.
type Store interface {
	// View runs f on a consistent snapshot; it must not write.
	View(ctx context.Context, f func(Tx) error) error
	// Update runs f in one transaction that keeps its writes only if f returns
	// nil; when Update returns nil they are on disk. f may be run more than
	// once, so it touches nothing but the Tx and what it sets anew each time;
	// that belongs to the caller again once Update has returned.
	// A panic in f fails only this Update. Where ctx ends after f ran, the
	// outcome is unknown: the error is the context's, and the writes may be kept.
	Update(ctx context.Context, f func(Tx) error) error
	Close() error
}

// Page bounds a listing. After is the cursor that the last row of the page
// before carries: its ID or number; 0 is the start.
type Page struct {
	After int64
	Limit int // 1..1000, default 100
}

func (p Page) bounded() Page {
	if p.Limit < 1 {
		p.Limit = 100
	}
	p.Limit = min(p.Limit, 1000)
	return p
}

// EventKey is the place of an event: chains are read by node, then number.
type EventKey struct {
	Node   string
	Number int64
}

// Tx is what a transaction can do. Reads of one row return KindNotFound where
// there is none; creating what exists already returns KindConflict.
//
// A write to a row that goes upstream (instance, pool, token, reservation,
// transfer) gives it the next
// change number; removing one leaves a tombstone with a change number. Change
// numbers grow in the order of commits, so that a reader who pages by them
// misses nothing.
type Tx interface {
	// The satellite itself.
	Satellite() (Satellite, error)
	SaveSatellite(Satellite) error
	Roots() ([]Root, error)
	AddRoot(Root) error
	TokenKeys() ([]TokenKey, error) // newest first; keys sealed
	AddTokenKey(TokenKey) error
	LastRun(job string) (time.Time, error) // zero where it never ran
	SaveRun(job string, at time.Time, problem string) error
	Clock() (Clock, error) // as of the last tick; KindNotFound before the first
	SaveClock(Clock) error

	// Users and sessions.
	CreateUser(User) (User, error)
	User(UserID) (User, error)
	UserByEmail(email string) (User, error)
	Users() ([]User, error)
	SaveUser(User) error
	DeleteUser(UserID) error // with his roles and memberships
	Session(key string) (Session, error)
	SaveSession(Session) error
	DeleteSession(key string) error
	DeleteSessionsOf(UserID) error
	DeleteSessionsBefore(expiry time.Time) error

	// API clients.
	CreateAPIClient(APIClient) (APIClient, error)
	APIClient(APIClientID) (APIClient, error)
	APIClientByClientID(string) (APIClient, error)
	APIClientByName(name string) (APIClient, error) // one that is not revoked
	APIClients() ([]APIClient, error)               // those in use by name, then the revoked ones
	SaveAPIClient(APIClient) error                  // all but its name and role

	// Access.
	SaveGrant(HeldGrant) error // replaces the one that the holder had in that place
	DeleteGrant(Holder, AccountID, VirtualAccountID) error
	GrantsOf(UserID) ([]Grant, error)        // his own and those of his groups
	AccessTo(AccountID) ([]HeldGrant, error) // users before groups, by id; the whole account first
	CreateGroup(Group) (Group, error)
	Group(GroupID) (Group, error)
	Groups(AccountID) ([]Group, error) // by name
	DeleteGroup(GroupID) error         // with its roles and memberships
	AddMember(GroupID, UserID) error
	DropMember(GroupID, UserID) error
	Members(GroupID) ([]User, error) // by e-mail address

	// Accounts.
	CreateAccount(Account) (Account, error)
	Account(AccountID) (Account, error)
	AccountByName(name string) (Account, error)
	Accounts() ([]Account, error)
	SaveAccount(Account) error
	DeleteAccount(AccountID) error // with everything in it but its events and alerts
	Authority(AccountID) (Authority, error)
	SaveAuthority(Authority) error
	CreateVirtualAccount(VirtualAccount) (VirtualAccount, error)
	VirtualAccounts(AccountID) ([]VirtualAccount, error) // default first, then by name
	VirtualAccountHolds(VirtualAccountID, time.Time) (Holds, error)
	SaveVirtualAccount(VirtualAccount) error // name and description; a new name makes the next sync request a full one
	SetDefaultVirtualAccount(AccountID, VirtualAccountID) error
	// MoveVirtualAccount moves devices with their usages, and tokens; counters,
	// lots and transfers stay for the caller to move.
	MoveVirtualAccount(from, to VirtualAccountID) error
	DeleteVirtualAccount(VirtualAccountID) error
	Nomination(AccountID) (Nomination, error)
	SaveNomination(Nomination) error
	Agreement(AccountID, string) (Agreement, error) // by version
	SaveAgreement(Agreement) error
	Acceptances(AccountID) ([]Acceptance, error) // newest first
	SaveAcceptance(Acceptance) error
	Upgrade(AccountID) (Upgrade, error) // with status "" where none was requested
	SaveUpgrade(Upgrade) error
	CustomTags(TagOwner) ([]CustomTag, error) // by key
	SaveCustomTag(TagOwner, CustomTag) error
	DeleteCustomTag(owner TagOwner, key string) error

	// The outbox.
	CreateMail(Mail) (Mail, error)
	Mail(MailID) (Mail, error)
	Mails(Page) ([]Mail, error) // newest first; Page.After is an id to stay below

	// Tokens.
	CreateToken(Token) (Token, error)
	Token(TokenID) (Token, error)
	TokenByHash([sha256.Size]byte) (Token, error)
	Tokens(TokenFilter, Page) ([]Token, error) // newest first; Page.After is an id to stay below
	// WorkingTokens lists the tokens that can be used at an instant, those that live longest first.
	WorkingTokens(virtual VirtualAccountID, now time.Time, limit int) ([]Token, error)
	SaveToken(Token) error // uses and revocation

	// Product instances.
	CreateInstance(Instance) (Instance, error)
	Instance(piid string) (Instance, error)
	InstanceByIdentity(Identity) (Instance, error)
	// InstancesByUDI returns the devices of one product id and serial number:
	// one for each software tag, so more than one now and then. None is no error.
	InstancesByUDI(pid, serialNumber string) ([]Instance, error)
	Instances(InstanceFilter, Page) ([]Instance, error)
	CountInstances(InstanceFilter) (int64, error)
	// InstanceCursor returns the Page.After behind which Instances goes on after
	// so many rows: from there a page costs no more than the first one.
	InstanceCursor(filter InstanceFilter, skip int64) (int64, error)
	SaveInstance(Instance) error
	// TouchInstance saves only what a message without news changes: last
	// contact, authorization and its times, the credential in use. It gives no change number.
	TouchInstance(Instance) error
	DeleteInstance(Instance) error // with its usages; leaves a tombstone
	// Peers returns the other members of the instance's high-availability pair,
	// in the order of their IDs; none for a device that stands alone.
	Peers(Instance) ([]Instance, error)
	// QuietInstances returns registered devices that were told to hold licenses
	// and spoke last before the given served time, the longest silent first.
	// After the first page, it is given the last one of the page before.
	QuietInstances(before time.Duration, after Instance, limit int) ([]Instance, error)
	// UnrenewedInstances returns registered devices whose ID certificate ends
	// before an instant, the first to end first, page by page like QuietInstances.
	UnrenewedInstances(before time.Time, after Instance, limit int) ([]Instance, error)
	SaveCertificate(Certificate) error
	Certificate(fingerprint [sha256.Size]byte) (Certificate, error)
	RevokedCertificates(AccountID) ([]Certificate, error)
	Reply(requester, nonce string) ([]byte, error)
	SaveReply(requester, nonce string, reply []byte, at time.Time) error
	DeleteRepliesBefore(at time.Time, limit int) (int64, error)

	// Licenses.
	CreateLicense(License) (License, error)
	LicenseByTag(AccountID, string) (License, error)
	SaveLicense(License) error
	LicensesOf(AccountID) ([]License, error) // by tag
	Lots(VirtualAccountID, LicenseID) ([]Lot, error)
	LotsOf(AccountID) ([]Lot, error)
	ReplaceLots(AccountID, []Lot) error // all lots of the account
	MoveLots(from, to VirtualAccountID) error
	// LotsEnding returns lots that end until then, those that have ended
	// included, in the order of their ends, after the one that was last.
	LotsEnding(after EndingLot, until time.Time, limit int) ([]EndingLot, error)
	// LotTransfers returns what was moved of a license in or out of a virtual
	// account, and LotTransfersOf all of an account; each with its lot. A
	// transfer without a lot is none.
	LotTransfers(VirtualAccountID, LicenseID) ([]LotTransfer, error)
	LotTransfersOf(AccountID) ([]LotTransfer, error)
	SaveLotTransfer(LotTransfer) error // a quantity of 0 removes it
	// Pool returns the pool of a license in a virtual account, a new one with ID 0 where there is none.
	Pool(VirtualAccountID, LicenseID) (Pool, error)
	SavePool(Pool) (Pool, error)
	Pools(PoolFilter) ([]PoolRow, error)
	// Family returns a row for every license of a hierarchy, by tag, with a pool
	// of ID 0 where the virtual account has none.
	Family(VirtualAccountID, LicenseID) ([]PoolRow, error)
	// Holdings returns what an instance uses, each with its license and pool.
	Holdings(InstanceID) ([]Holding, error)
	HoldingsOf([]InstanceID) (map[InstanceID][]Holding, error) // of at most 1000 instances
	// SaveUsage removes a count of 0, unless it was measured: then an older
	// report that comes later can be told from a newer one.
	SaveUsage(Usage) error
	UsagesOf(VirtualAccountID, LicenseID, Page) ([]UsageRow, error)
	CountUsages(VirtualAccountID, LicenseID) (int64, error) // devices that hold something
	PoolsDue(now time.Time, limit int) ([]PoolRow, error)   // a lot has begun or ended since their last count
	// RecountPools compares every pool's counters with its rows and names those
	// that differ. What lots make is compared where none has begun or ended
	// since the last count.
	RecountPools(now time.Time) ([]string, error)

	// Reservations.
	CreateReservation(Reservation) (Reservation, error) // KindConflict where the device has a standing one
	Reservation(ReservationID) (Reservation, error)
	ReservationByUDI(pid, serialNumber string) (Reservation, error) // the standing one
	// Reservations lists newest first; Page.After is an id to stay below.
	Reservations(ReservationFilter, Page) ([]Reservation, error)
	SaveReservation(Reservation) error // with its items
	// ReservedItems returns the items of one license in standing reservations.
	ReservedItems(VirtualAccountID, LicenseID) ([]ReservedRow, error)
	// EndedReservations lists standing reservations with an item that has ended,
	// by id, behind one.
	EndedReservations(now time.Time, after ReservationID, limit int) ([]Reservation, error)

	// Alerts.
	// OpenAlert opens an alert, or updates text and date of the open one of its key.
	OpenAlert(Alert) (opened bool, err error)
	CloseAlert(AccountID, AlertType, string, time.Time) (Alert, error) // ID 0 where none was open
	Alerts(AlertFilter, Page) ([]Alert, error)                         // newest first; Page.After is an id to stay below
	CountAlerts(AlertFilter) (int64, error)
	AlertCursor(filter AlertFilter, skip int64) (int64, error) // as InstanceCursor

	// Usage reports.
	CreateReport(Report) (Report, error)
	ReportByDigest(AccountID, string) (Report, error)
	ReportByKey(AccountID, ReportKey) (Report, error)
	Reports(AccountID, Scope, Page) ([]Report, error) // newest first
	ReportsToSend(AccountID, Page) ([]Report, error)
	AcknowledgeReport(AccountID, string, time.Time) error

	// Events. Record links the event to the chain of this node.
	Record(Event) error
	Events(EventFilter, Page) ([]Event, error) // newest first
	EventsAfter(EventKey, int) ([]Event, error)
	EventHeads() ([]Event, error)
	EventBeginnings() ([]EventBeginning, error)
	// PruneEvents drops a node's events up to the beginning's number and keeps the beginning.
	PruneEvents(EventBeginning) error

	// Synchronization.
	SyncState(AccountID) (SyncState, error) // a fresh one where there is none
	SaveSyncState(SyncState) error
	CreateSyncRequest(SyncRequestRow) error
	SyncRequest(AccountID, int64) (SyncRequestRow, error)
	SaveSyncRequest(SyncRequestRow) error
	SyncRequests(AccountID, Page) ([]SyncRequestRow, error) // newest first
	Upstream() (UpstreamSettings, error)                    // KindNotFound where none is set; proxy and key sealed
	SaveUpstream(UpstreamSettings) error
	DeleteUpstream() error
	SyncSchedule(AccountID) (SyncSchedule, error) // 0: the default; an empty one where there is none
	SaveSyncSchedule(SyncSchedule) error
	AddSyncExchange(e SyncExchange, keep int) error        // drops the oldest of the account beyond those to keep
	SyncExchanges(AccountID, Page) ([]SyncExchange, error) // newest first; Page.After is an id to stay below
	ChangeNumber() (int64, error)                          // the newest
	ChangedInstances(AccountID, int64, int) ([]Instance, error)
	ChangedPools(AccountID, int64, int) ([]PoolRow, error)
	ChangedTokens(AccountID, int64, int) ([]Token, error)
	ChangedReservations(AccountID, int64, int) ([]ChangedReservation, error)
	ChangedTransfers(AccountID, int64, int) ([]ChangedTransfer, error)
	Tombstones(AccountID, int64, int) ([]Tombstone, error)
	DeleteTombstones(AccountID, int64) error
	// SwapSent replaces the hash of a record as it was last sent and returns
	// the one before; the zero hash stands for "not sent".
	SwapSent(account AccountID, kind, key string, hash [sha256.Size]byte) ([sha256.Size]byte, error)
	StageRecords(AccountID, []StagedRecord) error
	StagedRecords(AccountID, int) ([]StagedRecord, error)        // the first ones, by position
	DropStagedRecords(AccountID, int) (dropped int64, err error) // the first ones

	// Privacy. Account 0 stands for the default of all accounts.
	PrivacySettings(AccountID) (PrivacySettings, error) // all inherited where none were made
	SavePrivacySettings(AccountID, PrivacySettings) error
	PrivacyState(AccountID) (PrivacyState, error) // of "" and no key where nothing was sent
	SavePrivacyState(AccountID, PrivacyState) error
	// ForgetSent forgets what was sent of an account, so that the next request
	// is a full one, and its digests begin anew.
	ForgetSent(AccountID) error

	// Idempotency keys.
	IdempotencyClaim(actor, key string) (IdempotencyClaim, error)
	SaveIdempotencyClaim(IdempotencyClaim) error // replaces the one of the key
	CountIdempotencyClaims(actor string) (int64, error)
	DeleteIdempotencyClaimsBefore(at time.Time, limit int) (int64, error)
}
