package store

import (
	"math"

	"ssm/satellite"
)

type mailRow struct {
	ID        int64 `gorm:"primaryKey"`
	Recipient string
	Subject   string
	Body      []byte
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	SentAt    int64
}

func (mailRow) TableName() string { return "mails" }

var mailColumns = []string{"id", "recipient", "subject", "body", "created_at", "sent_at"}

func (r mailRow) domain() satellite.Mail {
	return satellite.Mail{ID: satellite.MailID(r.ID), Recipient: r.Recipient, Subject: r.Subject, Body: r.Body, CreatedAt: instant(r.CreatedAt), SentAt: instant(r.SentAt)}
}

func (t *transaction) CreateMail(m satellite.Mail) (satellite.Mail, error) {
	r := mailRow{Recipient: m.Recipient, Subject: m.Subject, Body: notNull(m.Body), CreatedAt: micros(m.CreatedAt), SentAt: micros(m.SentAt)}
	err := t.db.Create(&r).Error
	return r.domain(), err
}

func (t *transaction) Mail(id satellite.MailID) (satellite.Mail, error) {
	var r mailRow
	err := t.db.Select(mailColumns).Where("id = ?", id).Take(&r).Error
	return r.domain(), found(err, "mail", id)
}

func (t *transaction) Mails(page satellite.Page) ([]satellite.Mail, error) {
	below := page.After
	if below == 0 {
		below = math.MaxInt64
	}
	var rows []mailRow
	err := t.db.Select(mailColumns).Where("id < ?", below).Order("id DESC").Limit(page.Limit).Find(&rows).Error
	list := make([]satellite.Mail, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list, err
}
