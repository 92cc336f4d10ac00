package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// License is one license in one virtual account.
type License struct {
	Account        string          `json:"account"`
	VirtualAccount string          `json:"virtual_account"`
	Tag            string          `json:"tag"`
	Name           string          `json:"name"`
	Type           string          `json:"type" enum:"perpetual,subscription,evaluation"`
	Enforcement    string          `json:"enforcement" enum:"unenforced,enforced,export-controlled" doc:"Unenforced licenses are overdrawn where there are not enough; the others are refused."`
	ReportingOnly  bool            `json:"reporting_only" doc:"Counted and never short."`
	Overage        bool            `json:"overage" doc:"The contract allows more to be used than was bought."`
	HigherTier     string          `json:"higher_tier" doc:"Tag of the license whose surplus covers a shortage of this one; empty for none."`
	Purchased      int64           `json:"purchased" doc:"Sum of the lots that are live now."`
	TransferredIn  int64           `json:"transferred_in"`
	TransferredOut int64           `json:"transferred_out"`
	Quantity       int64           `json:"quantity" doc:"Purchased + transferred in - transferred out."`
	InUse          int64           `json:"in_use" doc:"What devices hold, overdraft included."`
	Reserved       int64           `json:"reserved"`
	Lent           int64           `json:"lent" doc:"What lower tiers have of it."`
	Borrowed       int64           `json:"borrowed" doc:"What it has of higher tiers."`
	Balance        int64           `json:"balance" doc:"Quantity - reserved - in use - lent + borrowed. Below zero its devices are out of compliance."`
	Available      int64           `json:"available" doc:"Balance, or 0 where that is below zero."`
	Status         string          `json:"status" enum:"in compliance,insufficient,overage"`
	Lots           []Lot           `json:"lots,omitempty" doc:"Where a tag was asked for."`
	Devices        []LicenseDevice `json:"devices,omitempty" doc:"Where a tag was asked for; the first thousand."`
}

// Lot is a quantity that was bought at once.
type Lot struct {
	ID       string     `json:"id" doc:"The upstream's."`
	Type     string     `json:"type" enum:"perpetual,subscription,evaluation"`
	Quantity int64      `json:"quantity"`
	Start    time.Time  `json:"start"`
	End      *time.Time `json:"end"`
}

// LicenseDevice is what a device holds of a license.
type LicenseDevice struct {
	PIID            string `json:"piid"`
	Hostname        string `json:"hostname"`
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
	Count           int64  `json:"count"`
}

func licenseOf(d directory) func(satellite.PoolRow) License {
	return func(row satellite.PoolRow) License {
		return License{
			Account: d.accounts[row.AccountID], VirtualAccount: row.VirtualAccount,
			Tag: row.License.Tag, Name: row.License.Name, Type: string(row.License.Type),
			Enforcement: string(row.License.Enforcement), ReportingOnly: row.License.ReportingOnly, Overage: row.License.Overage, HigherTier: row.License.HigherTier,
			Purchased: row.Purchased, TransferredIn: row.TransferredIn, TransferredOut: row.TransferredOut, Quantity: row.Quantity(),
			InUse: row.InUse, Reserved: row.Reserved, Lent: row.Lent, Borrowed: row.Borrowed, Balance: row.Balance(), Available: row.Available(), Status: row.Status(),
		}
	}
}

func licenseDetailsOf(d directory) func(satellite.LicenseDetails) License {
	return func(details satellite.LicenseDetails) License {
		license := licenseOf(d)(details.PoolRow)
		license.Lots = whole(details.Lots, lotOf).Items
		license.Devices = whole(details.Usages, licenseDeviceOf).Items
		return license
	}
}

func licenseDeviceOf(u satellite.UsageRow) LicenseDevice { return LicenseDevice(u) }

func lotOf(l satellite.Lot) Lot {
	return Lot{ID: l.UpstreamID, Type: string(l.Type), Quantity: l.Quantity, Start: l.Start.UTC(), End: instant(l.End)}
}

type listLicensesInput struct {
	Account        string `query:"account" maxLength:"255" doc:"Only of this account. With a tag it may be left out where there is only one."`
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"Only of this virtual account; not with a tag."`
	Search         string `query:"search" maxLength:"255" doc:"Beginning of name or tag; not with a tag."`
	Tag            string `query:"tag" maxLength:"1024" doc:"Only this license, in every virtual account, with lots and devices."`
}

func (a *api) listLicenses(ctx context.Context, in *listLicensesInput) (*output[List[License]], error) {
	d, err := a.directoryOf(ctx)
	if err != nil {
		return nil, err
	}
	if in.Tag == "" {
		account, virtual, err := a.placeFilter(ctx, in.Account, in.VirtualAccount)
		if err != nil {
			return nil, err
		}
		rows, err := a.service.Licenses(ctx, actor(ctx), satellite.PoolFilter{AccountID: account, VirtualAccountID: virtual, Search: in.Search})
		return answer(whole(rows, licenseOf(d)), err)
	}
	if in.VirtualAccount != "" || in.Search != "" {
		return nil, invalid("query.tag: it goes with account alone.")
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	details, err := a.service.License(ctx, actor(ctx), account.ID, in.Tag)
	return answer(whole(details, licenseDetailsOf(d)), err)
}
