package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Mail is a text that a person shall get.
type Mail struct {
	ID        int64      `json:"id"`
	Recipient string     `json:"recipient"`
	Subject   string     `json:"subject"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at" doc:"Null while it waits: hand it over."`
}

// MailWithText is a mail with what it says.
type MailWithText struct {
	Mail
	Body string `json:"body" doc:"It may hold a code that stands for the recipient's consent."`
}

func mailOf(m satellite.Mail) Mail {
	return Mail{ID: int64(m.ID), Recipient: m.Recipient, Subject: m.Subject, CreatedAt: m.CreatedAt.UTC(), SentAt: instant(m.SentAt)}
}

func (a *api) listMails(ctx context.Context, in *Paging) (*output[List[Mail]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	mails, err := a.service.Mails(ctx, actor(ctx), page)
	return answer(paged(mails, in.Limit, mailOf, func(m satellite.Mail) int64 { return int64(m.ID) }), err)
}

type mailInput struct {
	ID int64 `path:"id" minimum:"1" doc:"Id of the mail."`
}

func (a *api) getMail(ctx context.Context, in *mailInput) (*output[MailWithText], error) {
	mail, body, err := a.service.Mail(ctx, actor(ctx), satellite.MailID(in.ID))
	return answer(MailWithText{Mail: mailOf(mail), Body: body}, err)
}
