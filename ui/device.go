package ui

import (
	"net/http"
	"net/url"
	"strings"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/ui/kit"
)

// devicePage is one product instance.
type devicePage struct {
	Name, Note                  string
	Path                        []kit.NavItem
	Identity, State             kit.Facts
	Registration, Authorization kit.Badge
	Licenses                    []holdingRow
	Alerts                      []alertRow
	Events                      []eventRow
	Remove                      *kit.Confirm
}

type holdingRow struct {
	URL, Name, Tag, Count string
	Mode                  kit.Badge
	Origin                string // why the device holds that many
}

func showDevice(r *request) error { return r.device(r.Param("piid"), nil) }

func (r *request) device(piid string, problem error) error {
	device, err := r.Service.FindInstance(r.context(), r.actor, satellite.InstanceQuery{PIID: piid})
	if err != nil {
		return err
	}
	events, err := r.Service.Events(r.context(), r.actor, satellite.EventFilter{PIID: piid}, satellite.Page{Limit: 20})
	if err != nil {
		return err
	}
	alerts, err := r.Service.Alerts(r.context(), r.actor, satellite.AlertFilter{PIID: piid}, satellite.Page{Limit: 20})
	if err != nil {
		return err
	}
	page := devicePage{
		Name: device.Name(), Note: device.UDIPID + ", " + device.UDISerialNumber, Path: []kit.NavItem{{Label: r.t("nav.devices"), URL: "/devices"}, {Label: device.Account}},
		Registration: r.registrationBadge(device.Instance), Authorization: r.authorizationBadge(device.AuthorizationState),
		Alerts: r.alertRows(alerts), Events: r.eventRows(events),
	}
	page.Identity, page.State = r.deviceFacts(device)
	for _, held := range device.Licenses {
		page.Licenses = append(page.Licenses, r.holdingRow(device.Instance, held))
	}
	reserved, err := r.reservedRows(device.Instance)
	if err != nil {
		return err
	}
	page.Licenses = append(page.Licenses, reserved...)
	if r.mayRemove(device.Instance) {
		page.Remove = &kit.Confirm{
			URL: "/devices/" + url.PathEscape(piid) + "/remove", Name: device.UDISerialNumber,
			Message: r.t("device.remove.effect"), Verb: r.t("device.remove.verb", "Name", device.UDISerialNumber),
		}
	}
	status := http.StatusOK
	if problem != nil {
		refused, _ := refusal(problem)
		status, page.Remove.Error = refused, r.filled(problem).At("confirm")
	}
	return r.showAs(status, "device", page.Name, page)
}

// holdingRow is what a device may use of a license, and why it is not what it
// asked for where it is not.
func (r *request) holdingRow(device satellite.Instance, held satellite.Holding) holdingRow {
	row := holdingRow{
		URL: poolURL(held.Pool.ID), Name: licenseName(held.License), Tag: held.License.Tag, Count: number(held.Has()), Origin: r.t("mode.requested"),
	}
	badges := map[wire.Mode]kit.Badge{
		wire.ModeInCompliance: {Kind: "ok", Word: r.t("mode.in")}, wire.ModeOutOfCompliance: {Kind: "bad", Word: r.t("mode.out")},
		wire.ModeOverage: {Kind: "warn", Icon: "arrow-up-right", Word: r.t("license.overage")}, wire.ModeDisabled: {Kind: "bad", Word: r.t("mode.refused")},
	}
	row.Mode = badges[held.Mode()]
	switch {
	case held.Has() < held.Usage.Wanted && device.AuthorizationState == satellite.AuthorizationExpired:
		row.Mode, row.Origin = kit.Badge{Kind: "warn", Word: r.t("mode.returned")}, r.t("mode.returned.note", "Number", held.Usage.Wanted)
	case held.Has() < held.Usage.Wanted:
		row.Origin = r.t("mode.refused.note", "Number", held.Usage.Wanted)
	case held.Usage.Count < held.Has():
		row.Origin = r.t("mode.shared")
	case !held.Usage.MeasuredUntil.IsZero():
		row.Origin = r.t("mode.reported", "Until", held.Usage.MeasuredUntil)
	}
	return row
}

// reservedRows are what a device that never talks has reserved.
func (r *request) reservedRows(device satellite.Instance) (rows []holdingRow, err error) {
	if device.AuthorizationState != satellite.AuthorizedReserved {
		return nil, nil
	}
	reservation, err := r.Service.FindReservation(r.context(), r.actor, satellite.ReservationQuery{UDIPID: device.UDIPID, UDISerialNumber: device.UDISerialNumber})
	if satellite.KindOf(err) == satellite.KindNotFound { // returned meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mode := kit.Badge{Kind: "idle", Icon: "bookmark", Word: r.t("mode.reserved")}
	if reservation.Type == wire.ReservationUniversal {
		return []holdingRow{{Name: r.t("mode.universal"), Count: never, Mode: mode}}, nil
	}
	for _, item := range reservation.Authorization.Items {
		license := satellite.License{Tag: item.Tag, Name: item.Name}
		row := holdingRow{
			URL: "/licenses?" + url.Values{"q": {item.Tag}}.Encode(), Name: licenseName(license), Tag: item.Tag, Count: number(item.Count),
			Mode: mode, Origin: r.t("license.type." + string(item.Type)),
		}
		if !item.End.IsZero() {
			row.Origin = r.t("mode.until", "Date", r.words.date(item.End))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// deviceFacts are what is known of a device, without what is not.
func (r *request) deviceFacts(d satellite.InstanceDetails) (identity, state kit.Facts) {
	add := func(facts *kit.Facts, key, value string) {
		if value != "" && value != never {
			*facts = append(*facts, kit.Fact{Term: r.t(key), Value: value})
		}
	}
	for _, fact := range []struct{ key, value string }{
		{"device.pid", d.UDIPID}, {"device.serial", d.UDISerialNumber}, {"device.vid", d.UDIVID}, {"device.hostname", d.Hostname},
		{"device.model", d.EquipmentModel}, {"device.software", d.SoftwareVersion}, {"device.hardware", d.HardwareVersion},
		{"device.mac", d.MACAddress}, {"device.pair", r.pairOf(d.Instance)}, {"device.uuid", d.UUID}, {"device.tag", d.SoftwareTag}, {"device.piid", d.PIID},
	} {
		add(&identity, fact.key, fact.value)
	}
	for _, fact := range []struct{ key, value string }{
		{"device.virtual", d.VirtualAccount}, {"device.registered", r.words.dateTime(d.RegisteredAt)},
		{"device.contact", r.words.dateTime(d.LastContactAt)}, {"device.address", d.LastAddress},
		{"device.renew", r.words.dateTime(d.AuthorizationRenewAt)}, {"device.expires", r.words.dateTime(d.AuthorizationExpiresAt)},
		{"device.certificate", r.words.dateTime(d.CertificateNotAfter)}, {"device.certificateserial", d.CertificateSerial},
	} {
		add(&state, fact.key, fact.value)
	}
	return identity, state
}

// pairOf names the high-availability pair of a device and its role in it.
func (r *request) pairOf(device satellite.Instance) string {
	role := r.roleBadge(device)
	if role == nil {
		return ""
	}
	return r.t("device.pair.role", "Name", device.ApplicationID, "Role", role.Word)
}

// mayRemove tells whether the device can be removed: one that has reserved
// licenses returns them first.
func (r *request) mayRemove(device satellite.Instance) bool {
	return device.AuthorizationState != satellite.AuthorizedReserved && r.actor.MayIn(satellite.ActionManageDevices, device.AccountID, device.VirtualAccountID)
}

func removeDevice(r *request) error {
	piid := r.Param("piid")
	device, err := r.Service.FindInstance(r.context(), r.actor, satellite.InstanceQuery{PIID: piid})
	if err != nil {
		return err
	}
	if !r.mayRemove(device.Instance) {
		return r.Service.RemoveInstance(r.context(), r.actor, piid) // refused in its own words
	}
	if strings.TrimSpace(r.FormValue("confirm")) != device.UDISerialNumber {
		return r.device(piid, errNotConfirmed())
	}
	if err := r.Service.RemoveInstance(r.context(), r.actor, piid); err != nil {
		return err
	}
	return r.done("/devices", r.t("device.removed", "Name", device.Name()))
}
