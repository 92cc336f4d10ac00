package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// AgreementSummary is the licensing agreement in force without its text.
type AgreementSummary struct {
	Version  string `json:"version" doc:"Empty while the upstream has named none."`
	Accepted bool   `json:"accepted" doc:"No token is made before."`
}

func agreementSummaryOf(s satellite.AgreementState) AgreementSummary {
	return AgreementSummary{Version: s.Current.Version, Accepted: s.Accepted}
}

// Agreement is the licensing agreement in force.
type Agreement struct {
	AgreementSummary
	Text       string       `json:"text"`
	ReceivedAt *time.Time   `json:"received_at"`
	History    []Acceptance `json:"history" doc:"Newest first."`
}

// Acceptance says who accepted a version, and when.
type Acceptance struct {
	Version    string    `json:"version"`
	AcceptedAt time.Time `json:"accepted_at"`
	AcceptedBy string    `json:"accepted_by"`
}

func agreementOf(s satellite.AgreementState) Agreement {
	return Agreement{
		AgreementSummary: agreementSummaryOf(s), Text: s.Current.Text, ReceivedAt: instant(s.Current.ReceivedAt),
		History: whole(s.History, func(h satellite.Acceptance) Acceptance {
			return Acceptance{Version: h.Version, AcceptedAt: h.AcceptedAt.UTC(), AcceptedBy: h.AcceptedBy}
		}).Items,
	}
}

func (a *api) getAgreement(ctx context.Context, in *AccountPath) (*output[Agreement], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	state, err := a.service.Agreement(ctx, actor(ctx), account.ID)
	return answer(agreementOf(state), err)
}

// AcceptedVersion names the version that is accepted.
type AcceptedVersion struct {
	Version string `json:"version" minLength:"1" maxLength:"64" doc:"The one that was read; it has to be the one in force."`
}

type acceptInput struct {
	AccountPath
	Body AcceptedVersion
}

func (a *api) acceptAgreement(ctx context.Context, in *acceptInput) (*output[Agreement], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	if err := a.service.AcceptAgreement(ctx, actor(ctx), account.ID, in.Body.Version); err != nil {
		return nil, err
	}
	return a.getAgreement(ctx, &in.AccountPath)
}
