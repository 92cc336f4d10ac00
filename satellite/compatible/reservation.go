package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// authorizationCode is what became of one request of a device. The code is null
// where it was refused.
type authorizationCode struct {
	ReservationCode string `json:"reservationCode"` // as it was sent
	outcome
	AuthorizationCode *string `json:"authorizationCode"`
}

type authorizationCodes struct {
	outcome
	Codes []authorizationCode `json:"authorizationCodes"`
}

// reserveLicenses reserves licenses for devices that never talk: for all of the
// request or for none. The same request again gives the same codes.
func (a *api) reserveLicenses(ctx context.Context, c *call) (any, error) {
	list := []satellite.NewReservation{}
	for _, one := range c.in.requiredObjects("reservationRequests") {
		list = append(list, reservation(one))
	}
	answer := func(whole outcome, err error) authorizationCodes {
		answer := authorizationCodes{outcome: whole, Codes: []authorizationCode{}}
		for i, o := range outcomes(len(list), whole, "", err) {
			answer.Codes = append(answer.Codes, authorizationCode{ReservationCode: list[i].Code, outcome: o})
		}
		return answer
	}
	err := c.in.err()
	var made []satellite.Reservation
	if err == nil {
		made, err = a.reserve(ctx, c, list)
	}
	if err != nil {
		return nil, &refusal{err, func(failed outcome) any { return answer(failed, err) }}
	}
	done := answer(success, nil)
	for i, r := range made {
		done.Codes[i].AuthorizationCode = &r.Authorization.Text
	}
	return done, nil
}

func (a *api) reserve(ctx context.Context, c *call, list []satellite.NewReservation) ([]satellite.Reservation, error) {
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].AccountID, list[i].VirtualAccount = account.ID, virtual.Name
	}
	made, err := a.service.ReserveAll(ctx, c.actor, list)
	return made, byField(err, map[string]string{"reservations-invalid": "reservationRequests"})
}

// reservation reads what is asked for one device. The code may carry the end of
// a line of the device's output.
func reservation(in object) satellite.NewReservation {
	n := satellite.NewReservation{Code: strings.TrimSpace(in.required("reservationCode"))}
	licenses := in.objects
	switch strings.ToUpper(strings.TrimSpace(in.required("reservationType"))) {
	case "SPECIFIC":
		n.Type, licenses = wire.ReservationSpecific, in.requiredObjects
	case "UNIVERSAL":
		n.Type = wire.ReservationUniversal
	default:
		in.wrong("reservationType", "must be SPECIFIC or UNIVERSAL")
	}
	for _, one := range licenses("licenses") {
		n.Licenses = append(n.Licenses, satellite.ReservedLicense{Tag: strings.TrimSpace(one.required("entitlementTag")), Count: one.quantity("quantity")})
	}
	return n
}
