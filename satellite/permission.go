package satellite

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
	ActionManageEvents   Action = "manage-events" // prune
)

// The actions in an account or a virtual account.
const (
	ActionRead                  Action = "read"
	ActionManageAccount         Action = "manage-account" // properties, agreement, upgrade
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
	RoleSystemAdmin: allow(ActionManageAccounts, ActionManageUsers, ActionManageTrust, ActionManageClock, ActionManageEvents,
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

// Grant is a role of a user in an account, or in one virtual account of it.
type Grant struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID // 0: the whole account
	Role             Role
}

// Actor is who asks: a signed-in user, the local administrator, or a device.
type Actor struct {
	Name   string // as it stands in events: "local:0", an e-mail address, "device:PIID"
	Role   Role   // on the satellite
	Grants []Grant
	Source string // network address, or "local"
}

// May tells whether the actor's system role allows the action everywhere, so
// that a face offers only what Service would do.
func (a Actor) May(action Action) bool { return permissions[a.Role][action] }

// MayIn tells whether the actor may do this in an account, or with a virtual
// account that is not 0, in that virtual account.
func (a Actor) MayIn(action Action, account AccountID, virtual VirtualAccountID) bool {
	if a.May(action) {
		return true
	}
	for _, g := range a.Grants {
		if g.AccountID == account && (g.VirtualAccountID == 0 || g.VirtualAccountID == virtual) && permissions[g.Role][action] {
			return true
		}
	}
	return false
}

// may returns KindForbidden unless the system role allows the action.
func (a Actor) may(action Action) error {
	if a.May(action) {
		return nil
	}
	return a.refused(action)
}

// mayIn returns KindForbidden unless the actor may do this there; KindNotFound
// where he may not even see the account: a stranger learns nothing of it.
func (a Actor) mayIn(action Action, account AccountID, virtual VirtualAccountID) error {
	switch {
	case a.MayIn(action, account, virtual):
		return nil
	case a.Role != "" && !a.Sees(account):
		return fail(KindNotFound, "account-not-found", "There is no such account, or none that you may see. Nothing was changed.")
	}
	return a.refused(action)
}

func (a Actor) refused(action Action) error {
	if a.Role == "" {
		return fail(KindUnauthenticated, "not-signed-in", "Nobody is signed in. Nothing was changed.").hint("Sign in first.")
	}
	return fail(KindForbidden, "role-insufficient", "Your roles do not allow this (%s). Nothing was changed.", action).hint("Ask an Account Administrator or a System Admin.")
}

// Sees tells whether the actor may read something in the account.
func (a Actor) Sees(account AccountID) bool {
	if a.May(ActionRead) {
		return true
	}
	for _, g := range a.Grants {
		if g.AccountID == account && permissions[g.Role][ActionRead] {
			return true
		}
	}
	return false
}

// Scope is what of a listing an actor may see.
type Scope struct {
	All             bool
	Accounts        []AccountID
	VirtualAccounts []VirtualAccountID
}

// Whole tells whether the scope covers everything in the account.
func (s Scope) Whole(account AccountID) bool {
	if s.All {
		return true
	}
	for _, id := range s.Accounts {
		if id == account {
			return true
		}
	}
	return false
}

// sees is what the actor may see of an account and virtual account, 0 for all.
// KindUnauthenticated; KindNotFound where he may see nothing of the account.
func (a Actor) sees(account AccountID, virtual VirtualAccountID) (Scope, error) {
	if a.Role == "" {
		return Scope{}, a.refused(ActionRead)
	}
	if account != 0 && !a.Sees(account) {
		return Scope{}, a.mayIn(ActionRead, account, virtual)
	}
	if a.May(ActionRead) {
		return Scope{All: true}, nil
	}
	var scope Scope
	for _, g := range a.Grants {
		switch {
		case !permissions[g.Role][ActionRead]:
		case g.VirtualAccountID == 0:
			scope.Accounts = append(scope.Accounts, g.AccountID)
		default:
			scope.VirtualAccounts = append(scope.VirtualAccounts, g.VirtualAccountID)
		}
	}
	return scope, nil
}
