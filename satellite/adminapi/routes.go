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
	post(r, "/setup", "set-up", "Satellite", "Create the first user, a System Admin", a.setup, created, conflict)

	get(r, "/accounts", "list-accounts", "Accounts", "List the accounts by name", a.listAccounts)
	post(r, "/accounts", "create-account", "Accounts", "Create an account", a.createAccount, created, conflict)
	get(r, "/accounts/{account}", "get-account", "Accounts", "Show an account with its virtual accounts", a.getAccount, missing)
	get(r, "/accounts/{account}/virtual-accounts", "list-virtual-accounts", "Accounts", "List the virtual accounts, the default one first", a.listVirtualAccounts, missing)
	post(r, "/accounts/{account}/virtual-accounts", "create-virtual-account", "Accounts", "Create a virtual account", a.createVirtualAccount, created, missing, conflict)
	remove(r, "/accounts/{account}/virtual-accounts/{virtual_account}", "delete-virtual-account", "Accounts", "Delete an empty virtual account", a.deleteVirtualAccount, nothing, missing, conflict)
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
	get(r, "/reservations/{id}/qr", "get-reservation-qr", "Reservations", "Draw the authorization as a QR code", a.reservationQR, answersFile(svgType), missing, conflict)

	post(r, "/accounts/{account}/sync-requests", "create-sync-request", "Synchronization", "Make a sync request and download it", a.createSyncRequest, answersFile(wire.RequestMediaType), missing)
	post(r, "/sync-responses", "apply-sync-response", "Synchronization", "Apply a sync response", a.applySyncResponse, file("The response of the upstream.", wire.ResponseMediaType), conflict, oversize)
	post(r, "/sync-inspections", "inspect-sync-file", "Synchronization", "Tell what is in a sync file, without trusting or applying it", a.inspectSyncFile, file("A sync request or response.", wire.RequestMediaType, wire.ResponseMediaType), oversize)
	get(r, "/sync", "list-sync-states", "Synchronization", "Tell where each account stands with its upstream", a.listSyncStates)
	get(r, "/roots", "list-roots", "Synchronization", "List the licensing roots that are trusted", a.listRoots)
	post(r, "/roots", "trust-roots", "Synchronization", "Trust the licensing roots of a PEM file", a.trustRoots, created, file("Certificates as PEM.", pemType, "text/plain"), oversize)

	get(r, "/accounts/{account}/usage-reports", "list-usage-reports", "Usage", "List usage reports, newest first", a.listUsageReports, missing)
	post(r, "/accounts/{account}/usage-reports", "import-usage-reports", "Usage", "Import a usage file of one or many devices", a.importUsageReports, file("The file that a device saved.", "application/xml", "text/xml", "text/plain"), missing, conflict, oversize)

	get(r, "/events", "list-events", "Events", "List events, newest first", a.listEvents, missing)
}

// option adds to an operation.
type option = func(*huma.Operation)

func get[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	register(r, http.MethodGet, path, id, tag, summary, handle, options)
}

func post[I, O any](r huma.API, path, id, tag, summary string, handle func(context.Context, *I) (*O, error), options ...option) {
	register(r, http.MethodPost, path, id, tag, summary, handle, options)
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
	if method == http.MethodPost {
		fails(satellite.KindTooLarge)(&op)
		documentProblem(&op, http.StatusUnsupportedMediaType)
	}
	for _, option := range options {
		option(&op)
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

func status(code int) option { return func(op *huma.Operation) { op.DefaultStatus = code } }
