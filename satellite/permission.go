package satellite

import "slices"

// Role is what a user may do: on the whole satellite, in an account, or in one
// virtual account.
type Role string

// The system roles. A System User may do what his roles in accounts allow, and
// nothing beyond.
const (
	RoleSystemAdmin    Role = "system-admin"
	RoleSystemOperator Role = "system-operator" // accounts and synchronization, not users, trust or network
	RoleSystemUser     Role = "system-user"
)

// The roles in an account, and in a virtual account.
const (
	RoleAccountAdmin         Role = "account-admin"
	RoleAccountUser          Role = "account-user"
	RoleAccountViewer        Role = "account-viewer"
	RoleVirtualAccountAdmin  Role = "virtual-account-admin"
	RoleVirtualAccountUser   Role = "virtual-account-user"
	RoleVirtualAccountViewer Role = "virtual-account-viewer"
)

// Action is what the permission table speaks about.
type Action string

// The actions on the satellite itself.
const (
	ActionManageAccounts Action = "manage-accounts" // create, approve, deactivate, delete
	ActionManageUsers    Action = "manage-users"
	ActionManageTrust    Action = "manage-trust"
	ActionManageClock    Action = "manage-clock"
	ActionManageEvents   Action = "manage-events"  // prune
	ActionManagePrivacy  Action = "manage-privacy" // the default of all accounts
)

// The actions in an account or a virtual account.
const (
	ActionRead                  Action = "read"
	ActionManageAccount         Action = "manage-account" // properties, agreement, upgrade, privacy
	ActionManageVirtualAccounts Action = "manage-virtual-accounts"
	ActionManageAccess          Action = "manage-access" // who has which role
	ActionManageTokens          Action = "manage-tokens"
	ActionManageDevices         Action = "manage-devices"
	ActionManageLicenses        Action = "manage-licenses" // transfers, tags
	ActionManageReservations    Action = "manage-reservations"
	ActionImportUsage           Action = "import-usage"
	ActionSynchronize           Action = "synchronize"
)

func allow(actions ...Action) map[Action]bool {
	allowed := map[Action]bool{}
	for _, a := range actions {
		allowed[a] = true
	}
	return allowed
}

// permissions is the one table of role and action. Only Service asks it.
var permissions = map[Role]map[Action]bool{
	RoleSystemAdmin: allow(ActionManageAccounts, ActionManageUsers, ActionManageTrust, ActionManageClock, ActionManageEvents, ActionManagePrivacy,
		ActionRead, ActionManageAccount, ActionManageVirtualAccounts, ActionManageAccess, ActionManageTokens, ActionManageDevices,
		ActionManageLicenses, ActionManageReservations, ActionImportUsage, ActionSynchronize),
	RoleSystemOperator: allow(ActionManageAccounts,
		ActionRead, ActionManageAccount, ActionManageVirtualAccounts, ActionManageTokens, ActionManageDevices,
		ActionManageLicenses, ActionManageReservations, ActionImportUsage, ActionSynchronize),
	RoleSystemUser: allow(),
	RoleAccountAdmin: allow(ActionRead, ActionManageAccount, ActionManageVirtualAccounts, ActionManageAccess, ActionManageTokens,
		ActionManageDevices, ActionManageLicenses, ActionManageReservations, ActionImportUsage, ActionSynchronize),
	RoleAccountUser:   allow(ActionRead, ActionManageTokens, ActionManageDevices, ActionManageLicenses, ActionManageReservations, ActionImportUsage),
	RoleAccountViewer: allow(ActionRead),
	RoleVirtualAccountAdmin: allow(ActionRead, ActionManageAccess, ActionManageTokens, ActionManageDevices, ActionManageLicenses,
		ActionManageReservations, ActionImportUsage),
	RoleVirtualAccountUser:   allow(ActionRead, ActionManageTokens, ActionManageDevices, ActionManageLicenses, ActionManageReservations, ActionImportUsage),
	RoleVirtualAccountViewer: allow(ActionRead),
}

// The roles that there are of each sort, the most powerful first.
var (
	SystemRoles         = []Role{RoleSystemAdmin, RoleSystemOperator, RoleSystemUser}
	AccountRoles        = []Role{RoleAccountAdmin, RoleAccountUser, RoleAccountViewer}
	VirtualAccountRoles = []Role{RoleVirtualAccountAdmin, RoleVirtualAccountUser, RoleVirtualAccountViewer}
)

// Grant is a role of a user in an account, or in one virtual account of it.
type Grant struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID // 0: the whole account
	Role             Role
}

// allows tells whether the grant covers the action there. A role that stands
// where its sort does not belong allows nothing.
func (g Grant) allows(action Action, account AccountID, virtual VirtualAccountID) bool {
	if g.AccountID != account || !permissions[g.Role][action] {
		return false
	}
	if g.VirtualAccountID == 0 {
		return slices.Contains(AccountRoles, g.Role)
	}
	return g.VirtualAccountID == virtual && slices.Contains(VirtualAccountRoles, g.Role)
}

// Actor is who asks: a signed-in user, an API client, the local administrator, or a device.
type Actor struct {
	UserID UserID // 0: no user of this satellite
	// APIClientID is the client that acts for itself, 0 for all others.
	APIClientID APIClientID
	Name        string // as it stands in events: "local:0", an e-mail address, "api:NAME", "device:PIID"
	Role        Role   // on the satellite; "" is nobody, who may do nothing
	Grants      []Grant
	Source      string // network address, or "local"
}

// May tells whether the actor's system role allows the action everywhere, so
// that a face offers only what Service would do.
func (a Actor) May(action Action) bool {
	return slices.Contains(SystemRoles, a.Role) && permissions[a.Role][action]
}

// MayIn tells whether the actor may do this in an account, or with a virtual
// account that is not 0, in that virtual account.
func (a Actor) MayIn(action Action, account AccountID, virtual VirtualAccountID) bool {
	return a.May(action) || a.Role != "" && slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.allows(action, account, virtual) })
}

// MaySomewhere tells whether the actor may do this in an account or in one of
// its virtual accounts; with account 0, in any.
func (a Actor) MaySomewhere(action Action, account AccountID) bool {
	return a.May(action) || a.Role != "" && slices.ContainsFunc(a.Grants, func(g Grant) bool {
		return (account == 0 || g.AccountID == account) && g.allows(action, g.AccountID, g.VirtualAccountID)
	})
}

// Sees tells whether the actor may read something in the account.
func (a Actor) Sees(account AccountID) bool { return a.MaySomewhere(ActionRead, account) }

// may returns KindForbidden unless the system role allows the action.
func (a Actor) may(action Action) error {
	if a.May(action) {
		return nil
	}
	return a.refused(action)
}

// mayIn returns KindForbidden unless the actor may do this there; KindNotFound
// where he may not even see the account, or the virtual account: a stranger
// learns nothing of it.
func (a Actor) mayIn(action Action, account AccountID, virtual VirtualAccountID) error {
	switch {
	case a.MayIn(action, account, virtual):
		return nil
	case a.Role != "" && !a.Sees(account):
		return errAccountHidden()
	case a.Role != "" && virtual != 0 && !a.MayIn(ActionRead, account, virtual):
		return fail(KindNotFound, "virtual-account-not-found", "There is no such virtual account, or none that you may see. Nothing was changed.")
	}
	return a.refused(action)
}

// mayWith is mayIn for a thing that was found by its own name. Where the actor
// may not see it the answer is missing: the one for a thing that does not exist.
func (a Actor) mayWith(action Action, account AccountID, virtual VirtualAccountID, missing error) error {
	if a.Role != "" && !a.MayIn(ActionRead, account, virtual) {
		return missing
	}
	return a.mayIn(action, account, virtual)
}

// maySomewhere is the first question of a use case that learns later which
// virtual account it is about. KindForbidden unless the actor may do this
// anywhere in the account, with account 0 anywhere at all; KindNotFound where
// he may not see the account.
func (a Actor) maySomewhere(action Action, account AccountID) error {
	switch {
	case a.MaySomewhere(action, account):
		return nil
	case a.Role != "" && account != 0 && !a.Sees(account):
		return errAccountHidden()
	}
	return a.refused(action)
}

// known returns KindUnauthenticated for nobody: what a use case that first has
// to find the thing asks before it looks.
func (a Actor) known() error {
	if a.Role == "" {
		return a.refused(ActionRead)
	}
	return nil
}

func (a Actor) refused(action Action) error {
	if a.Role == "" {
		return fail(KindUnauthenticated, "not-signed-in", "Nobody is signed in. Nothing was changed.").hint("Sign in first.")
	}
	return fail(KindForbidden, "role-insufficient", "Your roles do not allow this (%s). Nothing was changed.", action).hint("Ask an Account Administrator or a System Admin.")
}

func errAccountHidden() *Error {
	return fail(KindNotFound, "account-not-found", "There is no such account, or none that you may see. Nothing was changed.")
}

// Scope is what of a listing an actor may see. The zero Scope is nothing.
type Scope struct {
	All             bool
	Accounts        []AccountID
	VirtualAccounts []VirtualAccountID
}

// Whole tells whether the scope covers everything in the account.
func (s Scope) Whole(account AccountID) bool { return s.All || slices.Contains(s.Accounts, account) }

// Sees tells whether the scope covers a virtual account of an account.
func (s Scope) Sees(account AccountID, virtual VirtualAccountID) bool {
	return s.Whole(account) || slices.Contains(s.VirtualAccounts, virtual)
}

// sees is what the actor may see of an account and virtual account, 0 for all.
// KindUnauthenticated; KindNotFound where he may see nothing of the one that is named.
func (a Actor) sees(account AccountID, virtual VirtualAccountID) (Scope, error) {
	if err := a.known(); err != nil {
		return Scope{}, err
	}
	if account != 0 && !a.Sees(account) {
		return Scope{}, errAccountHidden()
	}
	if account != 0 && virtual != 0 {
		if err := a.mayIn(ActionRead, account, virtual); err != nil {
			return Scope{}, err
		}
	}
	scope := Scope{All: a.May(ActionRead)}
	for _, g := range a.Grants {
		switch {
		case scope.All || !g.allows(ActionRead, g.AccountID, g.VirtualAccountID):
		case g.VirtualAccountID == 0 && !slices.Contains(scope.Accounts, g.AccountID):
			scope.Accounts = append(scope.Accounts, g.AccountID)
		case g.VirtualAccountID != 0 && !slices.Contains(scope.VirtualAccounts, g.VirtualAccountID):
			scope.VirtualAccounts = append(scope.VirtualAccounts, g.VirtualAccountID)
		}
	}
	return scope, nil
}
