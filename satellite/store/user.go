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
	FirstName    string
	LastName     string
	Company      string
	Address      string
	Phone        string
	PasswordHash string
	Generation   int64
	Role         string
	Language     string
	Theme        string
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
}

func (userRow) TableName() string { return "users" }

var userColumns = []string{"id", "email", "email_key", "first_name", "last_name", "company", "address", "phone", "password_hash", "generation", "role", "language", "theme", "created_at"}

func userToRow(u satellite.User) userRow {
	return userRow{
		ID: int64(u.ID), Email: u.Email, EmailKey: nameKey(u.Email), PasswordHash: u.PasswordHash, Generation: u.Generation,
		FirstName: u.FirstName, LastName: u.LastName, Company: u.Company, Address: u.Address, Phone: u.Phone,
		Role: string(u.Role), Language: u.Language, Theme: u.Theme, CreatedAt: micros(u.CreatedAt),
	}
}

func (r userRow) domain() satellite.User {
	return satellite.User{
		ID: satellite.UserID(r.ID), Email: r.Email, PasswordHash: r.PasswordHash, Generation: r.Generation,
		Profile: satellite.Profile{FirstName: r.FirstName, LastName: r.LastName, Company: r.Company, Address: r.Address, Phone: r.Phone},
		Role:    satellite.Role(r.Role), Language: r.Language, Theme: r.Theme, CreatedAt: instant(r.CreatedAt),
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
	return usersOf(rows), err
}

func usersOf(rows []userRow) []satellite.User {
	users := make([]satellite.User, len(rows))
	for i, r := range rows {
		users[i] = r.domain()
	}
	return users
}

func (t *transaction) SaveUser(u satellite.User) error {
	r := userToRow(u)
	err := t.db.Select(userColumns[1:]).Where("id = ?", r.ID).Updates(&r).Error
	return unique(err, "user", "There is a user with this e-mail address already.")
}

// DeleteUser leaves the rest to the foreign keys: grants and memberships go with the user.
func (t *transaction) DeleteUser(id satellite.UserID) error {
	return t.db.Where("id = ?", id).Delete(&userRow{}).Error
}

type sessionRow struct {
	Key     string `gorm:"primaryKey"`
	UserID  int64
	Data    []byte
	Expires int64
}

func (sessionRow) TableName() string { return "sessions" }

func (t *transaction) Session(key string) (satellite.Session, error) {
	var r sessionRow
	err := t.db.Select("key", "user_id", "data", "expires").Where("key = ?", key).Take(&r).Error
	return satellite.Session{Key: r.Key, UserID: satellite.UserID(r.UserID), Data: r.Data, Expires: instant(r.Expires)}, found(err, "session", "")
}

func (t *transaction) SaveSession(s satellite.Session) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&sessionRow{Key: s.Key, UserID: int64(s.UserID), Data: s.Data, Expires: micros(s.Expires)}).Error
}

func (t *transaction) DeleteSession(key string) error {
	return t.db.Where("key = ?", key).Delete(&sessionRow{}).Error
}

func (t *transaction) DeleteSessionsOf(user satellite.UserID) error {
	return t.db.Where("user_id = ?", user).Delete(&sessionRow{}).Error
}

func (t *transaction) DeleteSessionsBefore(expiry time.Time) error {
	return t.db.Where("expires < ?", micros(expiry)).Delete(&sessionRow{}).Error
}
