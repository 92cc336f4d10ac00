package adminapi

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// Reservation is what is reserved for a device that never talks.
type Reservation struct {
	ID              int64                     `json:"id"`
	Account         string                    `json:"account"`
	VirtualAccount  string                    `json:"virtual_account"`
	PIID            string                    `json:"piid"`
	UDIPID          string                    `json:"udi_pid"`
	UDISerialNumber string                    `json:"udi_serial_number"`
	Type            string                    `json:"type" enum:"specific,universal,factory"`
	State           string                    `json:"state" enum:"reserved,update pending,returned"`
	Authorization   ReservationAuthorization  `json:"authorization" doc:"What the device holds, or is to install first."`
	Update          *ReservationAuthorization `json:"update" doc:"What is to be installed next; until the confirmation code of the device is entered, each license reserves the larger of both."`
	CreatedAt       time.Time                 `json:"created_at"`
	CreatedBy       string                    `json:"created_by"`
	ConfirmedAt     *time.Time                `json:"confirmed_at"`
	ReturnedAt      *time.Time                `json:"returned_at"`
}

// TransformSchema says that there may be no update: huma knows no null for a type with a name.
func (Reservation) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	update := s.Properties["update"]
	s.Properties["update"] = &huma.Schema{Description: update.Description, OneOf: []*huma.Schema{{Ref: update.Ref}, {Enum: []any{nil}}}}
	return s
}

// ReservationAuthorization is what is installed on the device.
type ReservationAuthorization struct {
	Text     string         `json:"authorization" doc:"One line: signed XML, or a universal authorization code."`
	IssuedAt time.Time      `json:"issued_at"`
	QRParts  int            `json:"qr_parts" doc:"How many QR codes it takes."`
	Licenses []ReservedItem `json:"licenses" doc:"None of a universal reservation, which covers everything."`
}

// ReservedItem is a number of licenses with one term.
type ReservedItem struct {
	Tag   string     `json:"tag"`
	Name  string     `json:"name"`
	Count int64      `json:"count"`
	Start *time.Time `json:"start"`
	End   *time.Time `json:"end" doc:"Behind it they do not count as reserved any more."`
}

// NewReservation is what reserves licenses.
type NewReservation struct {
	Account        string            `json:"account,omitempty" maxLength:"255" doc:"May be left out where there is only one."`
	VirtualAccount string            `json:"virtual_account,omitempty" maxLength:"255" doc:"The default one where none is named."`
	Code           string            `json:"code" minLength:"1" maxLength:"4096" doc:"Request code of the device."`
	Type           string            `json:"type,omitempty" enum:"specific,universal,factory" doc:"What the code asks for, where it is left out."`
	Licenses       []ReservedLicense `json:"licenses,omitempty" maxItems:"1000" doc:"None for a universal reservation."`
}

// ReservedLicense is how many of a license to reserve.
type ReservedLicense struct {
	Tag   string `json:"tag" minLength:"1" maxLength:"1024"`
	Count int64  `json:"count" minimum:"1"`
}

// ReservationCode is a code of the device.
type ReservationCode struct {
	Code string `json:"code" minLength:"1" maxLength:"4096"`
}

// ReservationPreview is what a request code says.
type ReservationPreview struct {
	Type            string `json:"type" enum:"specific,universal,factory"`
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
}

// ReservationReturn returns the reservation of a device that is named by product id and serial number.
type ReservationReturn struct {
	UDIPID          string `json:"udi_pid" minLength:"1" maxLength:"255"`
	UDISerialNumber string `json:"udi_serial_number" minLength:"1" maxLength:"255"`
	ReservationCode
}

func reservationOf(d directory) func(satellite.Reservation) Reservation {
	return func(r satellite.Reservation) Reservation {
		answer := Reservation{
			ID: int64(r.ID), Account: d.accounts[r.AccountID], VirtualAccount: d.virtual[r.VirtualAccountID], PIID: r.PIID,
			UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber, Type: string(r.Type), State: string(r.State),
			Authorization: reservationAuthorizationOf(r.Authorization), CreatedAt: r.CreatedAt.UTC(), CreatedBy: r.CreatedBy,
			ConfirmedAt: instant(r.ConfirmedAt), ReturnedAt: instant(r.ReturnedAt),
		}
		if r.Update.Text != "" {
			update := reservationAuthorizationOf(r.Update)
			answer.Update = &update
		}
		return answer
	}
}

func reservationAuthorizationOf(a satellite.ReservationAuthorization) ReservationAuthorization {
	return ReservationAuthorization{Text: a.Text, IssuedAt: a.At.UTC(), QRParts: len(wire.QRParts(a.Text)), Licenses: whole(a.Items, func(i satellite.ReservedItem) ReservedItem {
		return ReservedItem{Tag: i.Tag, Name: i.Name, Count: i.Count, Start: instant(i.Start), End: instant(i.End)}
	}).Items}
}

func reservedLicenses(list []ReservedLicense) []satellite.ReservedLicense {
	licenses := make([]satellite.ReservedLicense, len(list))
	for i, l := range list {
		licenses[i] = satellite.ReservedLicense(l)
	}
	return licenses
}

func (a *api) reservation(ctx context.Context, r satellite.Reservation, err error) (*output[Reservation], error) {
	if err != nil {
		return nil, err
	}
	d, err := a.directoryOf(ctx, r.AccountID)
	return answer(reservationOf(d)(r), err)
}

func (a *api) previewReservation(ctx context.Context, in *struct{ Body ReservationCode }) (*output[ReservationPreview], error) {
	p, err := a.service.PreviewReservation(ctx, actor(ctx), in.Body.Code)
	return answer(ReservationPreview{Type: string(p.Kind), UDIPID: p.PID, UDISerialNumber: p.SerialNumber}, err)
}

type listReservationsInput struct {
	Paging
	Account        string `query:"account" maxLength:"255" doc:"Only of this account."`
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"Only of this virtual account."`
}

func (a *api) listReservations(ctx context.Context, in *listReservationsInput) (*output[List[Reservation]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, virtual, err := a.placeFilter(ctx, in.Account, in.VirtualAccount)
	if err != nil {
		return nil, err
	}
	list, err := a.service.Reservations(ctx, actor(ctx), satellite.ReservationFilter{AccountID: account, VirtualAccountID: virtual}, page)
	if err != nil {
		return nil, err
	}
	ids := make([]satellite.AccountID, len(list))
	for i, r := range list {
		ids[i] = r.AccountID
	}
	d, err := a.directoryOf(ctx, ids...)
	return answer(paged(list, in.Limit, reservationOf(d), func(r satellite.Reservation) int64 { return int64(r.ID) }), err)
}

func (a *api) createReservation(ctx context.Context, in *struct{ Body NewReservation }) (*output[Reservation], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Body.Account)
	if err != nil {
		return nil, err
	}
	r, err := a.service.Reserve(ctx, actor(ctx), satellite.NewReservation{
		AccountID: account.ID, VirtualAccount: in.Body.VirtualAccount, Code: in.Body.Code,
		Type: wire.ReservationKind(in.Body.Type), Licenses: reservedLicenses(in.Body.Licenses),
	})
	return a.reservation(ctx, r, err)
}

// ReservationPath is the path of what belongs to a reservation; exported like AccountPath.
type ReservationPath struct {
	ID int64 `path:"id" minimum:"1" doc:"Number of the reservation."`
}

func (a *api) getReservation(ctx context.Context, in *ReservationPath) (*output[Reservation], error) {
	r, err := a.service.FindReservation(ctx, actor(ctx), satellite.ReservationQuery{ID: satellite.ReservationID(in.ID)})
	return a.reservation(ctx, r, err)
}

type updateReservationInput struct {
	ReservationPath
	Body struct {
		Licenses []ReservedLicense `json:"licenses" maxItems:"1000" doc:"All that are to be reserved, not only what changes."`
	}
}

func (a *api) updateReservation(ctx context.Context, in *updateReservationInput) (*output[Reservation], error) {
	r, err := a.service.UpdateReservation(ctx, actor(ctx), satellite.ReservationID(in.ID), reservedLicenses(in.Body.Licenses))
	return a.reservation(ctx, r, err)
}

type reservationCodeInput struct {
	ReservationPath
	Body ReservationCode
}

func (a *api) confirmReservation(ctx context.Context, in *reservationCodeInput) (*output[Reservation], error) {
	r, err := a.service.ConfirmReservation(ctx, actor(ctx), satellite.ReservationID(in.ID), in.Body.Code)
	return a.reservation(ctx, r, err)
}

func (a *api) returnReservation(ctx context.Context, in *reservationCodeInput) (*output[Reservation], error) {
	r, err := a.service.ReturnReservation(ctx, actor(ctx), satellite.ReservationQuery{ID: satellite.ReservationID(in.ID)}, in.Body.Code)
	return a.reservation(ctx, r, err)
}

func (a *api) returnReservationOfDevice(ctx context.Context, in *struct{ Body ReservationReturn }) (*output[Reservation], error) {
	query := satellite.ReservationQuery{UDIPID: in.Body.UDIPID, UDISerialNumber: in.Body.UDISerialNumber}
	r, err := a.service.ReturnReservation(ctx, actor(ctx), query, in.Body.Code)
	return a.reservation(ctx, r, err)
}

type reservationQRInput struct {
	ReservationPath
	Format string `query:"format" enum:"svg,png" default:"svg"`
	Part   int    `query:"part" minimum:"1" default:"1" doc:"Of qr_parts: a long authorization takes several codes, read one after the other."`
}

// reservationQR draws what is to be installed next.
func (a *api) reservationQR(ctx context.Context, in *reservationQRInput) (*download, error) {
	r, err := a.service.FindReservation(ctx, actor(ctx), satellite.ReservationQuery{ID: satellite.ReservationID(in.ID)})
	if err != nil {
		return nil, err
	}
	text := r.Authorization.Text
	if r.Update.Text != "" {
		text = r.Update.Text
	}
	parts := wire.QRParts(text)
	if in.Part > len(parts) {
		return nil, &satellite.Error{Kind: satellite.KindNotFound, Code: "qr-part-not-found", Message: fmt.Sprintf("The authorization has %d QR codes, there is no code %d.", len(parts), in.Part)}
	}
	name, kind, content, err := drawQR(in.Format, parts[in.Part-1])
	if err != nil {
		return nil, err
	}
	return &download{ContentType: kind, ContentDisposition: attachment(name), Body: func(ctx huma.Context) {
		// An error means that the client has gone, whom nobody can tell.
		_, _ = ctx.BodyWriter().Write(content)
	}}, nil
}

func drawQR(format, text string) (name, kind string, content []byte, err error) {
	if format == "png" {
		code, err := wire.CodeQR(text)
		if err != nil {
			return "", "", nil, err
		}
		return "authorization.png", pngType, code.PNG(), nil
	}
	svg, err := wire.CodeSVG(text)
	return "authorization.svg", svgType, []byte(svg), err
}

const (
	svgType = "image/svg+xml"
	pngType = "image/png"
)
