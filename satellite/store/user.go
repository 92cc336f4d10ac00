package store

import (
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type userRow struct {
	ID           int64 `gorm:"primaryKey"`
	Email        string
	EmailKey     string
	Name         string
	PasswordHash string
	Role         string
	Language     string
	Theme        string
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
}

func (userRow) TableName() string { return "users" }

var userColumns = []string{"id", "email", "email_key", "name", "password_hash", "role", "language", "theme", "created_at"}

func userToRow(u satellite.User) userRow {
	return userRow{
		ID: int64(u.ID), Email: u.Email, EmailKey: nameKey(u.Email), Name: u.Name, PasswordHash: u.PasswordHash,
		Role: string(u.Role), Language: u.Language, Theme: u.Theme, CreatedAt: micros(u.CreatedAt),
	}
}

func (r userRow) domain() satellite.User {
	return satellite.User{
		ID: satellite.UserID(r.ID), Email: r.Email, Name: r.Name, PasswordHash: r.PasswordHash,
		Role: satellite.Role(r.Role), Language: r.Language, Theme: r.Theme, CreatedAt: instant(r.CreatedAt),
	}
}

// nameKey is a name as it is compared: without regard to case.
func nameKey(name string) string { return strings.ToLower(name) }

func (t *transaction) CreateUser(u satellite.User) (satellite.User, error) {
	r := userToRow(u)
	r.ID = 0 // the database gives it
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "user", "There is a user with this e-mail address already.")
}

func (t *transaction) User(id satellite.UserID) (satellite.User, error) {
	var r userRow
	err := t.db.Select(userColumns).Where("id = ?", id).Take(&r).Error
	return r.domain(), found(err, "user", id)
}

func (t *transaction) UserByEmail(email string) (satellite.User, error) {
	var r userRow
	err := t.db.Select(userColumns).Where("email_key = ?", nameKey(email)).Take(&r).Error
	return r.domain(), found(err, "user", email)
}

func (t *transaction) Users() ([]satellite.User, error) {
	var rows []userRow
	err := t.db.Select(userColumns).Order("email_key").Find(&rows).Error
	users := make([]satellite.User, len(rows))
	for i, r := range rows {
		users[i] = r.domain()
	}
	return users, err
}

func (t *transaction) SaveUser(u satellite.User) error {
	r := userToRow(u)
	return t.db.Select(userColumns[1:]).Where("id = ?", r.ID).Updates(&r).Error
}

type sessionRow struct {
	Key     string `gorm:"primaryKey"`
	Data    []byte
	Expires int64
}

func (sessionRow) TableName() string { return "sessions" }

func (t *transaction) Session(key string) (satellite.Session, error) {
	var r sessionRow
	err := t.db.Select("key", "data", "expires").Where("key = ?", key).Take(&r).Error
	return satellite.Session{Key: r.Key, Data: r.Data, Expires: instant(r.Expires)}, found(err, "session", "")
}

func (t *transaction) SaveSession(s satellite.Session) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&sessionRow{Key: s.Key, Data: s.Data, Expires: micros(s.Expires)}).Error
}

func (t *transaction) DeleteSession(key string) error {
	return t.db.Where("key = ?", key).Delete(&sessionRow{}).Error
}

func (t *transaction) DeleteSessionsBefore(expiry time.Time) error {
	return t.db.Where("expires < ?", micros(expiry)).Delete(&sessionRow{}).Error
}
