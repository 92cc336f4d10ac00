package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
)

// lotTypes are the types of lots as clients know them. Every lot of a license
// that is billed by use is a STANDARD one, so that it leaves the type open.
var lotTypes = map[string]satellite.LicenseType{
	"": "", "STANDARD": "", "PERPETUAL": satellite.LicensePerpetual, "TERM": satellite.LicenseSubscription,
	"SUBSCRIPTION": satellite.LicenseSubscription, "DEMO": satellite.LicenseEvaluation,
}

// transferLicenses moves licenses out of the virtual account of the path: all
// that is asked for, or nothing.
func (a *api) transferLicenses(ctx context.Context, c *call) (any, error) {
	var list []satellite.Transfer
	for _, one := range c.in.requiredObjects("licenses") {
		kind, known := lotTypes[strings.ToUpper(strings.TrimSpace(one.text("licenseType")))]
		if !known {
			one.wrong("licenseType", "must be PERPETUAL, TERM, SUBSCRIPTION, STANDARD or DEMO")
		}
		list = append(list, satellite.Transfer{
			Tag: strings.TrimSpace(one.required("license")), Quantity: one.quantity("quantity"), Type: kind, To: one.required("targetVirtualAccount"),
		})
	}
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].From = virtual.Name
	}
	if err := a.service.TransferLicenses(ctx, c.actor, account.ID, list); err != nil {
		return nil, byField(err, map[string]string{"license-transfer-invalid": "licenses"})
	}
	return success, nil
}
