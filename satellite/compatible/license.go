package compatible

import (
	"cmp"
	"context"

	"ssm/satellite"
)

// license is one license in one virtual account. That quantity is what was
// bought and transferred, available what can still be drawn: never below zero.
type license struct {
	License              string                `json:"license"`
	VirtualAccount       string                `json:"virtualAccount"`
	Quantity             int64                 `json:"quantity"`
	InUse                int64                 `json:"inUse"`
	Available            int64                 `json:"available"`
	Reserved             int64                 `json:"reserved"`
	PendingQuantity      int64                 `json:"pendingQuantity"` // of lots that have not begun
	AHAApps              bool                  `json:"ahaApps"`         // always false: applications are not counted apart
	BillingType          string                `json:"billingType"`     // PREPAID, USAGE
	IsPortable           bool                  `json:"isPortable"`      // always false: no license leaves its account
	Status               string                `json:"status"`
	LicenseSubstitutions []licenseSubstitution `json:"licenseSubstitutions"`
	LicenseDetails       []licenseDetail       `json:"licenseDetails"`
}

// The words for the state of a license. A monitoring client takes any third one
// for an alarm, so what the contract lets be overdrawn is in compliance, too.
const (
	inCompliance    = "In Compliance"
	outOfCompliance = "Out Of Compliance"
)

func compliance(short bool) string {
	if short {
		return outOfCompliance
	}
	return inCompliance
}

// licenseSubstitution is what a higher tier lends a lower one. It stands on both
// rows: "Lent" on that of the license that is lent, "Borrowed" on that of the
// license whose shortage it covers. Some clients call the first one license,
// others licenseName.
type licenseSubstitution struct {
	License             string `json:"license"`
	LicenseName         string `json:"licenseName"`
	SubstitutedLicense  string `json:"substitutedLicense"`
	SubstitutedQuantity int64  `json:"substitutedQuantity"`
	SubstitutionType    string `json:"substitutionType"`
}

// licenseDetail is what the virtual account has of one lot.
type licenseDetail struct {
	LicenseType    string  `json:"licenseType"` // PERPETUAL, TERM, STANDARD: by usage
	Quantity       int64   `json:"quantity"`
	StartDate      *string `json:"startDate"`
	EndDate        *string `json:"endDate"`
	SubscriptionID *string `json:"subscriptionId"`
	Status         string  `json:"status"` // ACTIVE, FUTURE, EXPIRED
}

type licenses struct {
	counted
	Licenses []license `json:"licenses"`
}

func (a *api) listLicenses(ctx context.Context, c *call) (any, error) {
	w, names := c.in.window(), c.in.names("virtualAccounts")
	stocks, err := a.stocks(ctx, c, names)
	if err != nil {
		return nil, err
	}
	answer := licenses{counted: counted{success, int64(len(stocks))}, Licenses: []license{}}
	for _, s := range cut(w, stocks) {
		answer.Licenses = append(answer.Licenses, licenseOf(s))
	}
	return answer, nil
}

// stocks are the licenses of the account that the path names, once the call has
// read all of its fields.
func (a *api) stocks(ctx context.Context, c *call, names []string) ([]satellite.LicenseStock, error) {
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, err := a.account(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.service.LicenseStocks(ctx, c.actor, account.ID, names)
}

func licenseOf(s satellite.LicenseStock) license {
	l := license{
		License: nameOf(s.License), VirtualAccount: s.VirtualAccount,
		Quantity: s.Quantity(), InUse: s.InUse, Available: s.Available(), Reserved: s.Reserved, PendingQuantity: s.ToCome(),
		BillingType: billingTypes[s.License.Billing], Status: compliance(s.Short()),
		LicenseSubstitutions: []licenseSubstitution{}, LicenseDetails: make([]licenseDetail, len(s.Parts)),
	}
	for _, loan := range s.BorrowedFrom {
		l.LicenseSubstitutions = append(l.LicenseSubstitutions, substitution(loan.License, s.License, loan.Quantity, "Borrowed"))
	}
	for _, loan := range s.LentTo {
		l.LicenseSubstitutions = append(l.LicenseSubstitutions, substitution(s.License, loan.License, loan.Quantity, "Lent"))
	}
	for i, p := range s.Parts {
		start, end := term(s.License, p.Lot)
		l.LicenseDetails[i] = licenseDetail{
			LicenseType: licenseType(s.License, p.Lot), Quantity: p.Quantity, StartDate: orNull(start), EndDate: orNull(end),
			SubscriptionID: orNull(p.Lot.SubscriptionID), Status: detailStatuses[p.State],
		}
	}
	return l
}

func substitution(lent, covered satellite.License, quantity int64, kind string) licenseSubstitution {
	return licenseSubstitution{
		License: nameOf(lent), LicenseName: nameOf(lent), SubstitutedLicense: nameOf(covered), SubstitutedQuantity: quantity, SubstitutionType: kind,
	}
}

var (
	billingTypes   = map[satellite.Billing]string{satellite.BillingPrepaid: "PREPAID", satellite.BillingUsage: "USAGE", "": "PREPAID"}
	detailStatuses = map[satellite.LotState]string{satellite.LotLive: "ACTIVE", satellite.LotToCome: "FUTURE", satellite.LotEnded: "EXPIRED"}
)

// nameOf is never empty: a license that only devices know goes by its tag.
func nameOf(l satellite.License) string { return cmp.Or(l.Name, l.Tag) }

// The types of licenses as clients know them.
const (
	typePerpetual = "PERPETUAL"
	typeTerm      = "TERM"
	typeStandard  = "STANDARD"
)

func licenseType(l satellite.License, lot satellite.Lot) string {
	switch {
	case lot.Type == satellite.LicensePerpetual:
		return typePerpetual
	case l.Billing == satellite.BillingUsage:
		return typeStandard
	}
	return typeTerm
}

// term is when a lot begins and ends: days, but instants for what is paid by
// usage, and nothing for what is perpetual.
func term(l satellite.License, lot satellite.Lot) (start, end string) {
	switch licenseType(l, lot) {
	case typePerpetual:
		return "", ""
	case typeStandard:
		return stamp(lot.Start), stamp(lot.End)
	}
	return date(lot.Start), date(lot.End)
}
