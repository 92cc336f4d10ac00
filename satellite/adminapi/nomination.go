package adminapi

import (
	"context"

	"ssm/satellite"
)

// Nominee is who shall approve an account.
type Nominee struct {
	Email string `json:"email,omitempty" maxLength:"254" doc:"Who was asked last, where it is left out."`
}

type nomineeInput struct {
	AccountPath
	Body Nominee
}

func (a *api) nominateApprover(ctx context.Context, in *nomineeInput) (*output[Account], error) {
	return a.withAccount(ctx, in.Account, func(id satellite.AccountID) (satellite.Account, error) {
		return a.service.NominateApprover(ctx, actor(ctx), id, in.Body.Email)
	})
}

// Approval is the code of the mail to the nominee.
type Approval struct {
	Code string `json:"code" minLength:"1" maxLength:"64"`
}

type approvalInput struct {
	AccountPath
	Body Approval
}

// approveAccount names the account as it stands in the mail: who has the code
// need not be able to see it.
func (a *api) approveAccount(ctx context.Context, in *approvalInput) (*output[Account], error) {
	account, err := a.service.ApproveAccount(ctx, actor(ctx), in.Account, in.Body.Code)
	return answer(accountOf(account), err)
}

// Decline is the code of the mail to the nominee, with his reason.
type Decline struct {
	Code   string `json:"code" minLength:"1" maxLength:"64"`
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"It is mailed to the requester of the account."`
}

type declineInput struct {
	AccountPath
	Body Decline
}

func (a *api) declineAccount(ctx context.Context, in *declineInput) (*output[Account], error) {
	account, err := a.service.DeclineAccount(ctx, actor(ctx), in.Account, in.Body.Code, in.Body.Reason)
	return answer(accountOf(account), err)
}
