package satellite

import (
	"context"
	"fmt"
	"time"
)

// MailID identifies a mail of the outbox.
type MailID int64

// Mail is a text that a person shall get. It is written in the transaction of
// what it tells, and waits until it is sent or handed over.
type Mail struct {
	ID        MailID
	Recipient string
	Subject   string
	Body      []byte // sealed: it may hold a code
	CreatedAt time.Time
	SentAt    time.Time // zero: it waits
}

const purposeMail = "mail"

// post puts a mail into the outbox. It is signed with the satellite's name, so
// that who gets it knows where it comes from.
func (s *Service) post(tx Tx, recipient, subject, body string, now time.Time) error {
	sealed, err := s.secrets.Seal(purposeMail, []byte(body+"\n\nLicensing satellite "+s.id+"\n"))
	if err != nil {
		return fmt.Errorf("seal a mail: %w", err)
	}
	_, err = tx.CreateMail(Mail{Recipient: recipient, Subject: subject, Body: sealed, CreatedAt: now})
	return err
}

// Mails lists the outbox, newest first, with sealed bodies. Mails hold codes
// that stand for somebody's consent, so who may manage users reads them, and
// who may only make accounts does not.
func (s *Service) Mails(ctx context.Context, actor Actor, page Page) (mails []Mail, err error) {
	if err := actor.may(ActionManageUsers); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		mails, err = tx.Mails(page.bounded())
		return err
	})
	return mails, err
}

// Mail opens one mail. KindNotFound.
func (s *Service) Mail(ctx context.Context, actor Actor, id MailID) (mail Mail, body string, err error) {
	if err := actor.may(ActionManageUsers); err != nil {
		return Mail{}, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		mail, err = tx.Mail(id)
		return err
	})
	if err != nil {
		return Mail{}, "", err
	}
	plain, err := s.secrets.Open(purposeMail, mail.Body)
	return mail, string(plain), err
}
