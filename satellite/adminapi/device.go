package adminapi

import (
	"context"
	"encoding/pem"
	"time"

	"ssm/satellite"
)

// Device is a product instance.
type Device struct {
	PIID                   string     `json:"piid" doc:"Given at the registration."`
	UDIPID                 string     `json:"udi_pid" doc:"Product id."`
	UDISerialNumber        string     `json:"udi_serial_number"`
	UDIVID                 string     `json:"udi_vid"`
	Hostname               string     `json:"hostname"`
	SoftwareTag            string     `json:"software_tag"`
	Account                string     `json:"account"`
	VirtualAccount         string     `json:"virtual_account"`
	RegistrationState      string     `json:"registration_state" enum:"unregistered,registered,registration expired"`
	AuthorizationState     string     `json:"authorization_state" enum:"no licenses in use,authorized,authorized - reserved,out of compliance,authorization expired"`
	RegisteredAt           *time.Time `json:"registered_at"`
	LastContactAt          *time.Time `json:"last_contact_at"`
	CertificateSerial      string     `json:"certificate_serial" doc:"Hexadecimal."`
	CertificateExpiresAt   *time.Time `json:"certificate_expires_at"`
	AuthorizationExpiresAt *time.Time `json:"authorization_expires_at"`
	ApplicationID          string     `json:"application_id" doc:"The same for the members of a high-availability pair; empty for a device that stands alone."`
	HARole                 string     `json:"ha_role" enum:",active,standby" doc:"In its pair."`
	ExportAllowed          bool       `json:"export_allowed" doc:"Whether the token that registered it allows export-controlled licenses."`
}

func deviceOf(i satellite.InstanceDetails) Device {
	return Device{
		PIID: i.PIID, UDIPID: i.UDIPID, UDISerialNumber: i.UDISerialNumber, UDIVID: i.UDIVID, Hostname: i.Hostname,
		SoftwareTag: i.SoftwareTag, Account: i.Account, VirtualAccount: i.VirtualAccount,
		RegistrationState: string(i.RegistrationState), AuthorizationState: string(i.AuthorizationState),
		RegisteredAt: instant(i.RegisteredAt), LastContactAt: instant(i.LastContactAt),
		CertificateSerial: i.CertificateSerial, CertificateExpiresAt: instant(i.CertificateNotAfter),
		AuthorizationExpiresAt: instant(i.AuthorizationExpiresAt),
		ApplicationID:          i.ApplicationID, HARole: i.HARole, ExportAllowed: i.ExportAllowed,
	}
}

// DeviceDetails is a device with what it holds.
type DeviceDetails struct {
	Device
	Licenses []HeldLicense `json:"licenses"`
}

// HeldLicense is what a device holds of a license.
type HeldLicense struct {
	Tag   string `json:"tag"`
	Name  string `json:"name"`
	Count int64  `json:"count" doc:"What it holds itself."`
	// Wanted and Shared tell why a device may hold less than it uses.
	Wanted int64  `json:"wanted" doc:"What it asked for or reported."`
	Shared int64  `json:"shared" doc:"What the other members of its high-availability pair hold, for it as well."`
	Mode   string `json:"mode" doc:"What the device is told about it at its next contact."`
}

func deviceDetailsOf(i satellite.InstanceDetails) DeviceDetails {
	return DeviceDetails{Device: deviceOf(i), Licenses: whole(i.Licenses, heldLicenseOf).Items}
}

func heldLicenseOf(h satellite.Holding) HeldLicense {
	return HeldLicense{Tag: h.License.Tag, Name: h.License.Name, Count: h.Usage.Count, Wanted: h.Usage.Wanted, Shared: h.Shared, Mode: string(h.Mode())}
}

// NewDeviceTransfer is what transfers devices.
type NewDeviceTransfer struct {
	PIIDs          []string `json:"piids" minItems:"1" maxItems:"1000" doc:"The devices."`
	VirtualAccount string   `json:"virtual_account" minLength:"1" maxLength:"255" doc:"Where they go."`
}

// DeviceTransfer says what a transfer of devices did.
type DeviceTransfer struct {
	Transferred    int    `json:"transferred" doc:"How many were not there already."`
	VirtualAccount string `json:"virtual_account"`
}

type transferDevicesInput struct {
	AccountPath
	Body NewDeviceTransfer
}

func (a *api) transferDevices(ctx context.Context, in *transferDevicesInput) (*output[DeviceTransfer], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	moved, err := a.service.TransferInstances(ctx, actor(ctx), account.ID, in.Body.PIIDs, in.Body.VirtualAccount)
	return answer(DeviceTransfer{Transferred: moved, VirtualAccount: in.Body.VirtualAccount}, err)
}

type listDevicesInput struct {
	Paging
	Account         string `query:"account" maxLength:"255" doc:"Only of this account."`
	VirtualAccount  string `query:"virtual_account" maxLength:"255" doc:"Only of this virtual account."`
	Search          string `query:"search" maxLength:"255" doc:"Beginning of serial number, host name or product id."`
	UDIPID          string `query:"udi_pid" maxLength:"255" doc:"With udi_serial_number: the one device that has both."`
	UDISerialNumber string `query:"udi_serial_number" maxLength:"255"`
}

func (a *api) listDevices(ctx context.Context, in *listDevicesInput) (*output[List[Device]], error) {
	if in.UDIPID != "" || in.UDISerialNumber != "" {
		return a.deviceByUDI(ctx, in)
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, virtual, err := a.placeFilter(ctx, in.Account, in.VirtualAccount)
	if err != nil {
		return nil, err
	}
	devices, err := a.service.Instances(ctx, actor(ctx), satellite.InstanceFilter{AccountID: account, VirtualAccountID: virtual, Search: in.Search}, page)
	return answer(paged(devices, in.Limit, deviceOf, func(i satellite.InstanceDetails) int64 { return int64(i.ID) }), err)
}

func (a *api) deviceByUDI(ctx context.Context, in *listDevicesInput) (*output[List[Device]], error) {
	if in.UDIPID == "" || in.UDISerialNumber == "" {
		return nil, invalid("query: udi_pid and udi_serial_number name a device together, and one of them is missing.")
	}
	device, err := a.service.FindInstance(ctx, actor(ctx), satellite.InstanceQuery{UDIPID: in.UDIPID, UDISerialNumber: in.UDISerialNumber})
	return answer(whole([]satellite.InstanceDetails{device}, deviceOf), err)
}

type deviceInput struct {
	PIID string `path:"piid" maxLength:"64" doc:"Product instance id of the device."`
}

func (a *api) getDevice(ctx context.Context, in *deviceInput) (*output[DeviceDetails], error) {
	device, err := a.service.FindInstance(ctx, actor(ctx), satellite.InstanceQuery{PIID: in.PIID})
	return answer(deviceDetailsOf(device), err)
}

func (a *api) removeDevice(ctx context.Context, in *deviceInput) (*struct{}, error) {
	return nil, a.service.RemoveInstance(ctx, actor(ctx), in.PIID)
}

func (a *api) deviceCertificate(ctx context.Context, in *deviceInput) (*download, error) {
	certificate, err := a.service.InstanceCertificate(ctx, actor(ctx), in.PIID)
	if err != nil {
		return nil, err
	}
	return pemFile("device.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.DER})), nil
}
