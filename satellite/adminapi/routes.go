package adminapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

// What an operation can answer beside what all of them can.
var (
	missing  = fails(satellite.KindNotFound)
	conflict = fails(satellite.KindConflict)
	oversize = fails(satellite.KindTooLarge)
	created  = status(http.StatusCreated)
	nothing  = status(http.StatusNoContent)
)

// routes is the whole surface, below Prefix.
func (a *api) routes(r huma.API) {
	get(r, "/version", "get-version", "Satellite", "Tell the version, and that the satellite works", a.getVersion)
	get(r, "/clock", "get-clock", "Satellite", "Show the guarded clock", a.getClock)
	post(r, "/clock/confirm", "confirm-clock", "Satellite", "Confirm that the clock of the system is right", a.confirmClock)
	post(r, "/setup", "set-up", "Satellite", "Create the first user, a System Admin", a.setup, created, conflict)

	get(r, "/users", "list-users", "Users", "List the users that you see, by e-mail address", a.listUsers)
	post(r, "/users", "create-user", "Users", "Create a user; with access, one who begins with a role in an account", a.createUser, created, missing, conflict)
	get(r, "/users/{user}", "get-user", "Users", "Show a user", a.getUser, missing)
	remove(r, "/users/{user}", "remove-user", "Users", "Remove a user; the sessions end at once", a.removeUser, nothing, missing, conflict)
	post(r, "/users/{user}/profile", "save-profile", "Users", "Change the profile and e-mail address of a user", a.saveProfile, missing, conflict)
	post(r, "/users/{user}/password", "set-password", "Users", "Change a password and end the user's sessions", a.setPassword, nothing, missing)
	post(r, "/users/{user}/role", "set-system-role", "Users", "Change what a user may do on the whole satellite", a.setSystemRole, missing, conflict)
	get(r, "/api-clients", "list-api-clients", "API clients", "List the API clients that you manage: those in use by name, then the revoked ones", a.listAPIClients)
	post(r, "/api-clients", "create-api-client", "API clients", "Create an API client; the answer shows its secret, this one time", a.createAPIClient, created, missing, conflict, secretOnce)
	get(r, "/api-clients/{api_client}", "get-api-client", "API clients", "Show an API client", a.getAPIClient, missing)
	post(r, "/api-clients/{api_client}/rotate", "rotate-api-client", "API clients", "Give an API client another secret; the one before is accepted for a while", a.rotateAPIClient, missing, conflict, secretOnce)
	post(r, "/api-clients/{api_client}/revoke", "revoke-api-client", "API clients", "End an API client at once, with its secrets and access tokens", a.revokeAPIClient, missing)

	get(r, "/accounts/{account}/grants", "list-grants", "Users", "List who has which role in an account", a.listGrants, missing)
	post(r, "/accounts/{account}/grants", "grant-role", "Users", "Give a user or a group a role in an account or a virtual account, in place of the one there", a.grantRole, missing, conflict)
	remove(r, "/accounts/{account}/grants", "revoke-role", "Users", "Take the role of a user or a group in an account or a virtual account away", a.revokeRole, nothing, missing)
	get(r, "/accounts/{account}/groups", "list-groups", "Users", "List the user groups of an account", a.listGroups, missing)
	post(r, "/accounts/{account}/groups", "create-group", "Users", "Create a user group, in a standard account", a.createGroup, created, missing, conflict)
	get(r, "/accounts/{account}/groups/{group}", "get-group", "Users", "Show a user group with its members and roles", a.getGroup, missing)
	remove(r, "/accounts/{account}/groups/{group}", "remove-group", "Users", "Remove a user group", a.removeGroup, nothing, missing)
	post(r, "/accounts/{account}/groups/{group}/members", "add-member", "Users", "Put a user into a group", a.addMember, nothing, missing, conflict)
	remove(r, "/accounts/{account}/groups/{group}/members/{member}", "drop-member", "Users", "Take a user out of a group", a.dropMember, nothing, missing)

	get(r, "/accounts", "list-accounts", "Accounts", "List the accounts by name", a.listAccounts)
	post(r, "/accounts", "create-account", "Accounts", "Create an account", a.createAccount, created, conflict)
	get(r, "/accounts/{account}", "get-account", "Accounts", "Show an account with its virtual accounts", a.getAccount, missing)
	patch(r, "/accounts/{account}", "change-account", "Accounts", "Change properties of an account", a.changeAccount, missing, conflict)
	remove(r, "/accounts/{account}", "delete-account", "Accounts", "Delete an inactive account without devices, with everything in it", a.deleteAccount, nothing, missing, conflict)
	post(r, "/accounts/{account}/deactivate", "deactivate-account", "Accounts", "Make an account inactive: its devices go on, no more register", a.deactivateAccount, missing, conflict)
	post(r, "/accounts/{account}/activate", "activate-account", "Accounts", "Make an inactive account active again", a.activateAccount, missing, conflict)
	post(r, "/accounts/{account}/nominate", "nominate-approver", "Accounts", "Send a new approval code for an account that was never approved", a.nominateApprover, missing, conflict)
	post(r, "/accounts/{account}/approve", "approve-account", "Accounts", "Approve a pending account with the code that was mailed", a.approveAccount)
	post(r, "/accounts/{account}/decline", "decline-account", "Accounts", "Decline a pending account with the code that was mailed", a.declineAccount)
	get(r, "/accounts/{account}/agreement", "get-agreement", "Accounts", "Show the licensing agreement in force, and who accepted which version", a.getAgreement, missing)
	post(r, "/accounts/{account}/agreement/accept", "accept-agreement", "Accounts", "Accept the licensing agreement in force", a.acceptAgreement, missing, conflict)
	post(r, "/accounts/{account}/upgrade", "upgrade-account", "Accounts", "Ask the upstream to make a limited account a standard one", a.upgradeAccount, missing, conflict)
	get(r, "/accounts/{account}/custom-tags", "list-custom-tags", "Accounts", "List the custom tags of a virtual account or a license", a.listCustomTags, missing)
	post(r, "/accounts/{account}/custom-tags", "set-custom-tag", "Accounts", "Give a custom tag its values", a.setCustomTag, missing, conflict)
	remove(r, "/accounts/{account}/custom-tags", "remove-custom-tag", "Accounts", "Remove a custom tag", a.removeCustomTag, nothing, missing)
	get(r, "/accounts/{account}/virtual-accounts", "list-virtual-accounts", "Accounts", "List the virtual accounts, the default one first", a.listVirtualAccounts, missing)
	post(r, "/accounts/{account}/virtual-accounts", "create-virtual-account", "Accounts", "Create a virtual account", a.createVirtualAccount, created, missing, conflict)
	remove(r, "/accounts/{account}/virtual-accounts/{virtual_account}", "delete-virtual-account", "Accounts", "Delete a virtual account that is empty, or whose content moves to another one", a.deleteVirtualAccount, nothing, missing, conflict)
	patch(r, "/accounts/{account}/virtual-accounts/{virtual_account}", "change-virtual-account", "Accounts", "Rename or describe a virtual account", a.changeVirtualAccount, missing, conflict)
	post(r, "/accounts/{account}/virtual-accounts/{virtual_account}/default", "default-virtual-account", "Accounts", "Make a virtual account the default one", a.defaultVirtualAccount, missing)
	get(r, "/accounts/{account}/certificate-chain", "get-certificate-chain", "Certificates", "Download the chain of the account's device certificates as PEM", a.certificateChain, answersFile(pemType), missing, conflict)
	get(r, "/accounts/{account}/crl", "get-revocation-list", "Certificates", "Download a new list of the revoked device certificates as PEM", a.revocationList, answersFile(pemType), missing, conflict)

	get(r, "/tokens", "list-tokens", "Tokens", "List registration tokens without their text, newest first", a.listTokens, missing)
	post(r, "/tokens", "create-token", "Tokens", "Create a registration token", a.createToken, created, missing, conflict)
	get(r, "/tokens/{id}", "get-token", "Tokens", "Show a registration token with its text", a.getToken, missing)
	post(r, "/tokens/{id}/revoke", "revoke-token", "Tokens", "Revoke a registration token", a.revokeToken, missing)
	post(r, "/tokens/revoke", "revoke-token-by-text", "Tokens", "Revoke a registration token by its text or id", a.revokeTokenByText, missing)

	get(r, "/devices", "list-devices", "Devices", "List devices in the order of their registration", a.listDevices, missing, conflict)
	get(r, "/devices/{piid}", "get-device", "Devices", "Show a device with what it holds", a.getDevice, missing)
	remove(r, "/devices/{piid}", "remove-device", "Devices", "Remove a device: its licenses return, its certificate is revoked", a.removeDevice, nothing, missing, conflict)
	get(r, "/devices/{piid}/certificate", "get-device-certificate", "Devices", "Download the ID certificate of a device as PEM", a.deviceCertificate, answersFile(pemType), missing)

	post(r, "/accounts/{account}/device-transfers", "transfer-devices", "Devices", "Transfer devices to another virtual account, with the licenses that they use; all or none", a.transferDevices, missing, conflict)

	get(r, "/licenses", "list-licenses", "Licenses", "List licenses by virtual account; with a tag, also their lots and devices", a.listLicenses, missing, conflict)
	get(r, "/licenses/explanation", "explain-license", "Licenses", "Show the rows that make each number of a license in a virtual account", a.explainLicense, missing, conflict)
	post(r, "/accounts/{account}/license-transfers", "transfer-licenses", "Licenses", "Move licenses between virtual accounts, all of the list or nothing", a.transferLicenses, nothing, missing, conflict, bulk)

	post(r, "/reservation-previews", "preview-reservation", "Reservations", "Tell what a request code says", a.previewReservation)
	get(r, "/reservations", "list-reservations", "Reservations", "List reservations, newest first", a.listReservations, missing)
	post(r, "/reservations", "create-reservation", "Reservations", "Reserve licenses for a device that never talks", a.createReservation, created, missing, conflict)
	get(r, "/reservations/{id}", "get-reservation", "Reservations", "Show a reservation with its authorization", a.getReservation, missing)
	post(r, "/reservations/{id}/updates", "update-reservation", "Reservations", "Change what is reserved: a new authorization", a.updateReservation, missing, conflict)
	post(r, "/reservations/{id}/confirmation", "confirm-reservation", "Reservations", "Enter the confirmation code of the device", a.confirmReservation, missing, conflict)
	post(r, "/reservations/{id}/return", "return-reservation", "Reservations", "Enter the return code of the device", a.returnReservation, missing, conflict)
	post(r, "/reservation-returns", "return-reservation-of-device", "Reservations", "Enter the return code of a device that is named by its UDI", a.returnReservationOfDevice, missing, conflict)
	get(r, "/reservations/{id}/qr", "get-reservation-qr", "Reservations", "Draw the authorization as a QR code", a.reservationQR, answersFile(svgType, pngType), missing, conflict)

	post(r, "/accounts/{account}/sync-requests", "create-sync-request", "Synchronization", "Make a sync request and download it", a.createSyncRequest, answersFile(wire.RequestMediaType), missing)
	post(r, "/sync-responses", "apply-sync-response", "Synchronization", "Apply a sync response", a.applySyncResponse, file("The response of the upstream.", wire.ResponseMediaType), conflict, oversize)
	post(r, "/sync-inspections", "inspect-sync-file", "Synchronization", "Tell what is in a sync file, without trusting or applying it", a.inspectSyncFile, file("A sync request or response.", wire.RequestMediaType, wire.ResponseMediaType), oversize)
	get(r, "/sync", "list-sync-states", "Synchronization", "Tell where each account stands with its upstream", a.listSyncStates)
	post(r, "/accounts/{account}/synchronize", "synchronize", "Synchronization", "Settle with the upstream over the network, and tell how it goes line by line", a.synchronize, answersLines, missing, conflict)
	get(r, "/accounts/{account}/sync-exchanges", "list-sync-exchanges", "Synchronization", "List what came of the exchanges of an account, newest first", a.listSyncExchanges, missing)
	get(r, "/sync-schedule", "get-default-sync-schedule", "Synchronization", "Tell when accounts without a schedule of their own synchronize by themselves", a.getDefaultSyncSchedule)
	post(r, "/sync-schedule", "set-default-sync-schedule", "Synchronization", "Set when they do", a.setDefaultSyncSchedule)
	remove(r, "/sync-schedule", "unset-default-sync-schedule", "Synchronization", "Take that default away: it is off then", a.unsetDefaultSyncSchedule, nothing)
	get(r, "/accounts/{account}/sync-schedule", "get-sync-schedule", "Synchronization", "Tell when an account synchronizes by itself, and how that went last", a.getSyncSchedule, missing)
	post(r, "/accounts/{account}/sync-schedule", "set-sync-schedule", "Synchronization", "Set when an account synchronizes by itself", a.setSyncSchedule, missing)
	remove(r, "/accounts/{account}/sync-schedule", "unset-sync-schedule", "Synchronization", "Take an account's own schedule away: the default counts then", a.unsetSyncSchedule, missing, nothing)
	get(r, "/upstream", "get-upstream", "Synchronization", "Show how the upstream is reached", a.getUpstream)
	post(r, "/upstream", "set-upstream", "Synchronization", "Say how the upstream is reached", a.setUpstream, conflict)
	remove(r, "/upstream", "unset-upstream", "Synchronization", "Forget how the upstream is reached: exchanges go by file", a.unsetUpstream, nothing)
	get(r, "/privacy", "get-default-privacy", "Synchronization", "Show what is left out of everything that goes upstream, by default", a.getDefaultPrivacy)
	patch(r, "/privacy", "change-default-privacy", "Synchronization", "Change what is left out by default", a.changeDefaultPrivacy)
	get(r, "/accounts/{account}/privacy", "get-privacy", "Synchronization", "Show what is left out of everything that goes upstream for an account", a.getPrivacy, missing)
	patch(r, "/accounts/{account}/privacy", "change-privacy", "Synchronization", "Change what is left out for an account", a.changePrivacy, missing)
	get(r, "/roots", "list-roots", "Synchronization", "List the licensing roots that are trusted", a.listRoots)
	post(r, "/roots", "trust-roots", "Synchronization", "Trust the licensing roots of a PEM file", a.trustRoots, created, file("Certificates as PEM.", pemType, "text/plain"), oversize)

	get(r, "/accounts/{account}/usage-reports", "list-usage-reports", "Usage", "List usage reports, newest first", a.listUsageReports, missing)
	post(r, "/accounts/{account}/usage-reports", "import-usage-reports", "Usage", "Import a usage file of one or many devices", a.importUsageReports, file("The file that a device saved.", "application/xml", "text/xml", "text/plain"), missing, conflict, oversize)

	get(r, "/mails", "list-mails", "Mails", "List the mails that wait or were sent, newest first, without their text", a.listMails)
	get(r, "/mails/{id}", "get-mail", "Mails", "Show a mail with its text", a.getMail, missing)

	get(r, "/alerts", "list-alerts", "Alerts", "List alerts that are open, newest first", a.listAlerts, missing)
	get(r, "/alert-kinds", "list-alert-kinds", "Alerts", "Show the table of alerts with their severities and causes", a.listAlertKinds)

	get(r, "/events", "list-events", "Events", "List events, newest first", a.listEvents, missing)
	post(r, "/events/prune", "prune-events", "Events", "Drop old events; the chain stays verifiable", a.pruneEvents)
}

// option adds to an operation.
type option = func(*huma.Operation)

func get[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	options = append(options, documentTag)
	register(r, http.MethodGet, path, id, tag, summary, handle, options)
	register(r, http.MethodHead, path, id+"-head", tag, summary, handle, append(options, hidden))
}

func post[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	register(r, http.MethodPost, path, id, tag, summary, handle, options)
}

func patch[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	register(r, http.MethodPatch, path, id, tag, summary, handle, options)
}

func remove[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	register(r, http.MethodDelete, path, id, tag, summary, handle, options)
}

// maxBody bounds a JSON body; files have bounds of their own.
const maxBody = 64 << 10

func register[I, O any](r huma.API, method, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options []option) {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		MaxBodyBytes: maxBody, Responses: map[string]*huma.Response{},
	}
	fails(satellite.KindInvalid, satellite.KindUnauthenticated, satellite.KindForbidden, satellite.KindUnavailable, satellite.KindInternal)(&op)
	if method == http.MethodPost || method == http.MethodPatch {
		fails(satellite.KindTooLarge)(&op)
		documentProblem(&op, http.StatusUnsupportedMediaType)
	}
	for _, option := range options {
		option(&op)
	}
	if !reads(method) {
		documentKey(&op)
	}
	huma.Register(r, op, handle)
}

// fails documents kinds of errors.
func fails(kinds ...satellite.Kind) option {
	return func(op *huma.Operation) {
		for _, kind := range kinds {
			documentProblem(op, web.Status(kind))
		}
	}
}

// maxBulk bounds a JSON body that holds a list of a thousand entries.
const maxBulk = 4 << 20

func bulk(op *huma.Operation) { op.MaxBodyBytes = maxBulk }

// hidden keeps an operation out of the description: HEAD is GET without its body.
func hidden(op *huma.Operation) { op.Hidden = true }

func status(code int) option { return func(op *huma.Operation) { op.DefaultStatus = code } }
