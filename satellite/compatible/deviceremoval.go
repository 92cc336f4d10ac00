package compatible

import (
	"context"
	"fmt"
	"strings"

	"ssm/satellite"
)

type removedDevices struct {
	outcome
	Devices []deviceOutcome `json:"removeProductInstancesStatus"`
}

// removeDevices removes devices of the virtual account that the path names.
func (a *api) removeDevices(ctx context.Context, c *call) (any, error) {
	return a.removeFrom(c, func(list []satellite.InstanceRemoval) error {
		account, virtual, err := a.virtualAccount(ctx, c)
		if err != nil {
			return err
		}
		return a.service.RemoveInstances(ctx, c.actor, account.ID, virtual.Name, list)
	})
}

// removeDevicesByName removes devices of the virtual account that
// virtualAccountName names.
func (a *api) removeDevicesByName(ctx context.Context, c *call) (any, error) {
	name := c.in.required("virtualAccountName")
	return a.removeFrom(c, func(list []satellite.InstanceRemoval) error {
		account, err := a.account(ctx, c)
		if err != nil {
			return err
		}
		return a.service.RemoveInstances(ctx, c.actor, account.ID, name, list)
	})
}

// removeFrom reads which devices are to be removed: all of them are, or none.
// Of a device with a reservation that ends, too, by the code that the device
// shows; without it the device is not removed.
func (a *api) removeFrom(c *call, remove func([]satellite.InstanceRemoval) error) (any, error) {
	var devices []satellite.Identity
	var list []satellite.InstanceRemoval
	field := removalField(c.in)
	for _, one := range c.in.requiredObjects(field) {
		device := identity(one)
		devices, list = append(devices, device), append(list, satellite.InstanceRemoval{Identity: device, ReturnCode: strings.TrimSpace(one.text("returnCode"))})
	}
	err := c.in.err()
	if err == nil {
		err = byField(remove(list), map[string]string{"device-removal-invalid": field})
	}
	if err != nil {
		return nil, &refusal{err, func(failed outcome) any { return removedDevices{failed, deviceOutcomes(devices, failed, "", err)} }}
	}
	done := outcome{Status: success.Status, StatusMessage: "The device was removed."}
	if len(list) > 1 {
		done.StatusMessage = fmt.Sprintf("%d devices were removed.", len(list))
	}
	return removedDevices{done, deviceOutcomes(devices, done, "The device was removed.", nil)}, nil
}

// removalField is the name of the list. Version 2 of the API spells it without
// an n, and what clients call it does not follow the version.
func removalField(in object) string {
	const name, misspelled = "productInstancesRemoveRequests", "productInstacesRemoveRequests"
	if in.fields[name] == nil && in.fields[misspelled] != nil {
		return misspelled
	}
	return name
}
