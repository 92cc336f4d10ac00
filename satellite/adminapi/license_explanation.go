package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// LicenseExplanation is one license in one virtual account with the rows that
// make each of its numbers.
type LicenseExplanation struct {
	License
	At           time.Time        `json:"at" doc:"The instant that all rows were read at."`
	DeviceCount  int64            `json:"device_count" doc:"Devices that hold some; the first thousand are named."`
	TransfersIn  []LotTransfer    `json:"transfers_in"`
	TransfersOut []LotTransfer    `json:"transfers_out"`
	LentTo       []TierLoan       `json:"lent_to"`
	BorrowedFrom []TierLoan       `json:"borrowed_from"`
	Sums         []ExplainedTotal `json:"sums" doc:"The arithmetic: the parts of each total add up to it."`
}

// LotTransfer is what was moved of a lot between two virtual accounts.
type LotTransfer struct {
	Lot      Lot       `json:"lot"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Quantity int64     `json:"quantity"`
	At       time.Time `json:"at" doc:"Of the last movement."`
}

// TierLoan is what one tier has of another one.
type TierLoan struct {
	Tag      string `json:"tag" doc:"Of the other tier."`
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
}

// ExplainedTotal is one number with its parts.
type ExplainedTotal struct {
	Name  string          `json:"name"`
	Total int64           `json:"total"`
	Parts []ExplainedPart `json:"parts"`
}

// ExplainedPart is what one row adds to a total, or takes off it.
type ExplainedPart struct {
	Quantity int64  `json:"quantity"`
	Text     string `json:"text"`
}

type explainLicenseInput struct {
	Account        string `query:"account" maxLength:"255" doc:"May be left out where there is only one."`
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"The default one where it is left out."`
	Tag            string `query:"tag" required:"true" minLength:"1" maxLength:"1024"`
}

func (a *api) explainLicense(ctx context.Context, in *explainLicenseInput) (*output[LicenseExplanation], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	e, err := a.service.ExplainLicense(ctx, actor(ctx), account.ID, in.Tag, in.VirtualAccount)
	if err != nil {
		return nil, err
	}
	d, err := a.directoryOf(ctx, account.ID)
	return answer(explanationOf(d, e), err)
}

func explanationOf(d directory, e satellite.Explanation) LicenseExplanation {
	license := licenseOf(d)(e.PoolRow)
	license.Lots, license.Devices = whole(e.Lots, lotOf).Items, whole(e.Usages, licenseDeviceOf).Items
	transferOf := func(t satellite.LotTransfer) LotTransfer {
		return LotTransfer{Lot: lotOf(t.Lot), From: d.virtual[t.From], To: d.virtual[t.To], Quantity: t.Quantity, At: t.At.UTC()}
	}
	loanOf := func(l satellite.TierLoan) TierLoan {
		return TierLoan{Tag: l.License.Tag, Name: l.License.Name, Quantity: l.Quantity}
	}
	partOf := func(p satellite.Part) ExplainedPart { return ExplainedPart(p) }
	sumOf := func(s satellite.Sum) ExplainedTotal {
		return ExplainedTotal{Name: s.Name, Total: s.Total, Parts: whole(s.Parts, partOf).Items}
	}
	return LicenseExplanation{
		License: license, At: e.At, DeviceCount: e.Devices,
		TransfersIn: whole(e.TransfersIn, transferOf).Items, TransfersOut: whole(e.TransfersOut, transferOf).Items,
		LentTo: whole(e.LentTo, loanOf).Items, BorrowedFrom: whole(e.BorrowedFrom, loanOf).Items,
		Sums: whole(e.Sums, sumOf).Items,
	}
}

// NewLicenseTransfers move licenses, one after the other, all of them or none.
type NewLicenseTransfers struct {
	Transfers []NewLicenseTransfer `json:"transfers" minItems:"1" maxItems:"1000"`
}

// NewLicenseTransfer moves licenses from one virtual account to another.
type NewLicenseTransfer struct {
	Tag      string `json:"tag" minLength:"1" maxLength:"1024"`
	From     string `json:"from,omitempty" maxLength:"255" doc:"Virtual account; the default one where it is left out."`
	To       string `json:"to,omitempty" maxLength:"255" doc:"Virtual account; the default one where it is left out."`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1099511627776" doc:"Only what is available can be moved."`
	Type     string `json:"type,omitempty" enum:"perpetual,subscription,evaluation" doc:"Only of lots of this type; any where it is left out."`
}

type licenseTransfersInput struct {
	AccountPath
	Body NewLicenseTransfers
}

func (a *api) transferLicenses(ctx context.Context, in *licenseTransfersInput) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	list := make([]satellite.Transfer, 0, len(in.Body.Transfers))
	for _, t := range in.Body.Transfers {
		list = append(list, satellite.Transfer{Tag: t.Tag, From: t.From, To: t.To, Quantity: t.Quantity, Type: satellite.LicenseType(t.Type)})
	}
	return nil, a.service.TransferLicenses(ctx, actor(ctx), account.ID, list)
}
