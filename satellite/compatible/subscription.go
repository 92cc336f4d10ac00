package compatible

import (
	"context"
	"slices"
	"strings"

	"ssm/satellite"
)

// licenseSubscription is what a virtual account has of a lot with a term. One
// that never ends is none: clients read both dates as days.
type licenseSubscription struct {
	License        string `json:"license"`
	VirtualAccount string `json:"virtualAccount"`
	Quantity       int64  `json:"quantity"`
	BillingType    string `json:"billingType"`
	SubscriptionID string `json:"subscriptionId"`
	StartDate      string `json:"startDate"`
	EndDate        string `json:"endDate"`
	Status         string `json:"status"` // Active, Future, Expired
}

type licenseSubscriptions struct {
	counted
	LicenseSubscriptions []licenseSubscription `json:"licenseSubscriptions"`
}

var subscriptionStatuses = map[satellite.LotState]string{satellite.LotLive: "Active", satellite.LotToCome: "Future", satellite.LotEnded: "Expired"}

// filterStatuses are the statuses that clients ask for. Nothing is ever
// canceled here: what the upstream takes back is gone.
var filterStatuses = []string{"active", "future", "expired", "canceled", "cancelled"} //nolint:misspell // some clients spell it so

func (a *api) listSubscriptions(ctx context.Context, c *call) (any, error) {
	w, names, statuses := c.in.window(), c.in.names("virtualAccounts"), c.in.texts("status")
	for i, status := range statuses {
		if statuses[i] = strings.ToLower(status); !slices.Contains(filterStatuses, statuses[i]) {
			c.in.wrong("status", "must be of Active, Future, Expired, Canceled")
		}
	}
	stocks, err := a.stocks(ctx, c, names)
	if err != nil {
		return nil, err
	}
	list := []licenseSubscription{}
	for _, s := range stocks {
		for _, p := range s.Parts {
			start, end := term(s.License, p.Lot)
			status := subscriptionStatuses[p.State]
			if start == "" || end == "" || len(statuses) > 0 && !slices.Contains(statuses, strings.ToLower(status)) {
				continue
			}
			list = append(list, licenseSubscription{
				License: nameOf(s.License), VirtualAccount: s.VirtualAccount, Quantity: p.Quantity, BillingType: billingTypes[s.License.Billing],
				SubscriptionID: p.Lot.SubscriptionID, StartDate: start, EndDate: end, Status: status,
			})
		}
	}
	return licenseSubscriptions{counted{success, int64(len(list))}, cut(w, list)}, nil
}
