package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
)

// identity reads what names a device: sudi, and productTagName where it is there.
func identity(in object) satellite.Identity {
	sudi := in.object("sudi")
	return satellite.Identity{
		UDIPID: strings.TrimSpace(sudi.required("udiPid")), UDISerialNumber: strings.TrimSpace(sudi.required("udiSerialNumber")),
		SoftwareTag: strings.TrimSpace(in.text("productTagName")),
	}
}

// deviceOutcome is what became of one device of a request.
type deviceOutcome struct {
	outcome
	Device string `json:"device"`
}

func deviceOutcomes(devices []satellite.Identity, whole outcome, done string, err error) []deviceOutcome {
	list := []deviceOutcome{}
	for i, o := range outcomes(len(devices), whole, done, err) {
		list = append(list, deviceOutcome{outcome: o, Device: "udiPid:" + clip(devices[i].UDIPID) + " udiSerialNumber:" + clip(devices[i].UDISerialNumber)})
	}
	return list
}

type transferredDevices struct {
	outcome
	Devices []deviceOutcome `json:"productInstancesTransferStatus"`
}

// transferDevices moves devices out of the virtual account of the path, each to
// its own target: all of them or none.
func (a *api) transferDevices(ctx context.Context, c *call) (any, error) {
	var devices []satellite.Identity
	var list []satellite.InstanceTransfer
	for _, one := range c.in.requiredObjects("productInstances") {
		device := identity(one)
		devices, list = append(devices, device), append(list, satellite.InstanceTransfer{Identity: device, To: one.required("targetVirtualAccount")})
	}
	err := c.in.err()
	if err == nil {
		err = a.transfer(ctx, c, list)
	}
	if err != nil {
		return nil, &refusal{err, func(failed outcome) any { return transferredDevices{failed, deviceOutcomes(devices, failed, "", err)} }}
	}
	return transferredDevices{success, deviceOutcomes(devices, success, "The device was transferred.", nil)}, nil
}

func (a *api) transfer(ctx context.Context, c *call, list []satellite.InstanceTransfer) error {
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return err
	}
	err = a.service.TransferInstancesFrom(ctx, c.actor, account.ID, virtual.Name, list)
	return byField(err, map[string]string{"device-transfer-invalid": "productInstances"})
}
