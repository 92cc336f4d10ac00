package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
)

// device is a product instance.
type device struct {
	InstanceName     string         `json:"instanceName"`
	ProductTagName   string         `json:"productTagName"`
	SUDI             sudi           `json:"sudi"`
	HostName         string         `json:"hostName"`
	Status           string         `json:"status"`
	RegistrationDate string         `json:"registrationDate"`
	LastContactDate  string         `json:"lastContactDate"`
	LicenseUsage     []licenseUsage `json:"licenseUsage"`
}

// sudi is what a device is known by. Clients index all of it.
type sudi struct {
	SUVI            string `json:"suvi"`
	UUID            string `json:"uuid"`
	HostIdentifier  string `json:"hostIdentifier"`
	UDIPID          string `json:"udiPid"`
	UDISerialNumber string `json:"udiSerialNumber"`
	UDIVID          string `json:"udiVid"`
	MACAddress      string `json:"macAddress"`
}

// licenseUsage is what a device holds of a license: what counts for it in the
// pool, so that all devices together hold what the license says is in use.
type licenseUsage struct {
	License        string `json:"license"`
	EntitlementTag string `json:"entitlementTag"`
	Quantity       int64  `json:"quantity"`
	Status         string `json:"status"`
}

func (a *api) listVirtualAccountDevices(ctx context.Context, c *call) (any, error) {
	w, search := c.in.window(), searched(c.in.text("instanceName"))
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.devices(ctx, c.actor, satellite.InstanceFilter{AccountID: account.ID, VirtualAccountID: virtual.ID, Search: search}, w)
}

// listDevices lists those of some virtual accounts, or of all.
func (a *api) listDevices(ctx context.Context, c *call) (any, error) {
	w, search, names := c.in.window(), searched(c.in.text("instanceName")), c.in.names("virtualAccounts")
	if name := c.in.text("virtualAccountName"); name != "" {
		names = append(names, name)
	}
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, err := a.account(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.devices(ctx, c.actor, satellite.InstanceFilter{AccountID: account.ID, VirtualAccounts: names, Search: search}, w)
}

func (a *api) devices(ctx context.Context, actor satellite.Actor, filter satellite.InstanceFilter, w window) (any, error) {
	total, err := a.service.CountInstances(ctx, actor, filter)
	if err != nil {
		return nil, err
	}
	after, err := a.service.InstanceCursor(ctx, actor, filter, w.offset)
	if err != nil {
		return nil, err
	}
	read := func(ctx context.Context, page satellite.Page) ([]satellite.InstanceDetails, error) {
		return a.service.Inventory(ctx, actor, filter, page)
	}
	return keyset(counted{success, total}, "devices", after, w.limit, read, func(one satellite.InstanceDetails) int64 { return int64(one.ID) }, deviceOf), nil
}

func deviceOf(i satellite.InstanceDetails) device {
	d := device{
		InstanceName: instanceName(i.Instance), ProductTagName: i.SoftwareTag, HostName: i.Hostname, Status: deviceStatus(i.Instance),
		RegistrationDate: stamp(i.RegisteredAt), LastContactDate: stamp(i.LastContactAt), LicenseUsage: make([]licenseUsage, len(i.Licenses)),
		SUDI: sudi{
			SUVI: i.SUVI, UUID: i.UUID, HostIdentifier: i.HostIdentifier, UDIPID: i.UDIPID, UDISerialNumber: i.UDISerialNumber,
			UDIVID: i.UDIVID, MACAddress: i.MACAddress,
		},
	}
	for n, h := range i.Licenses {
		d.LicenseUsage[n] = licenseUsage{License: nameOf(h.License), EntitlementTag: h.License.Tag, Quantity: h.Usage.Count, Status: compliance(h.Short())}
	}
	return d
}

// instanceName is the host name, or without one what the device is marked with.
func instanceName(i satellite.Instance) string {
	if i.Hostname != "" {
		return i.Hostname
	}
	return "UDI_PID:" + i.UDIPID + "; " + serialMark + i.UDISerialNumber + ";"
}

const serialMark = "UDI_SN:"

// searched is what Service searches for an instance name: the beginning of a
// host name, serial number or product id. Of a name as instanceName makes them
// for devices without a host name, it is the serial number.
func searched(name string) string {
	name = strings.TrimSpace(name)
	if _, serial, marked := strings.Cut(name, serialMark); marked {
		serial, _, _ = strings.Cut(serial, ";")
		return strings.TrimSpace(serial)
	}
	return name
}

// deviceStatus says what the device is to this satellite.
func deviceStatus(i satellite.Instance) string {
	switch {
	case i.RegistrationState == satellite.Registered:
		return "Registered"
	case i.RegistrationState == satellite.RegistrationExpired:
		return "Registration Expired"
	case i.AuthorizationState == satellite.AuthorizedReserved:
		return "Reserved"
	}
	return "Unregistered"
}
