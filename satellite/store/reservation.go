package store

import (
	"math"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type reservationRow struct {
	ID                  int64 `gorm:"primaryKey"`
	AccountID           int64
	VirtualAccountID    int64
	InstanceID          int64
	PIID                string `gorm:"column:piid"`
	UDIPID              string `gorm:"column:udi_pid"`
	UDISerialNumber     string `gorm:"column:udi_serial_number"`
	Type                string
	State               string
	DeviceKey           string
	AuthorizationKey    string
	AuthorizationSecret []byte
	AuthorizationText   string
	AuthorizationAt     int64
	UpdateKey           string
	UpdateSecret        []byte
	UpdateText          string
	UpdateAt            int64
	CreatedAt           int64 `gorm:"autoCreateTime:false"`
	CreatedBy           string
	ConfirmedAt         int64
	ReturnedAt          int64
	ChangeNumber        int64
}

func (reservationRow) TableName() string { return "reservations" }

const reservationColumns = `r.id, r.account_id, r.virtual_account_id, r.instance_id, r.piid, r.udi_pid, r.udi_serial_number, r.type, r.state, r.device_key,
	r.authorization_key, r.authorization_secret, r.authorization_text, r.authorization_at, r.update_key, r.update_secret, r.update_text, r.update_at,
	r.created_at, r.created_by, r.confirmed_at, r.returned_at, r.change_number`

func (r reservationRow) domain() satellite.Reservation {
	return satellite.Reservation{
		ID: satellite.ReservationID(r.ID), AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID),
		InstanceID: satellite.InstanceID(r.InstanceID), PIID: r.PIID, UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber,
		Type: wire.ReservationKind(r.Type), State: satellite.ReservationState(r.State), DeviceKey: r.DeviceKey,
		Authorization: reservationAuthorization(r.AuthorizationKey, r.AuthorizationSecret, r.AuthorizationText, r.AuthorizationAt),
		Update:        reservationAuthorization(r.UpdateKey, r.UpdateSecret, r.UpdateText, r.UpdateAt),
		CreatedAt:     instant(r.CreatedAt), CreatedBy: r.CreatedBy, ConfirmedAt: instant(r.ConfirmedAt), ReturnedAt: instant(r.ReturnedAt),
	}
}

func reservationAuthorization(key string, secret []byte, text string, at int64) satellite.ReservationAuthorization {
	if key == "" {
		return satellite.ReservationAuthorization{}
	}
	return satellite.ReservationAuthorization{Key: key, Secret: secret, Text: text, At: instant(at)}
}

func reservationToRow(r satellite.Reservation) reservationRow {
	return reservationRow{
		ID: int64(r.ID), AccountID: int64(r.AccountID), VirtualAccountID: int64(r.VirtualAccountID), InstanceID: int64(r.InstanceID),
		PIID: r.PIID, UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber, Type: string(r.Type), State: string(r.State), DeviceKey: r.DeviceKey,
		AuthorizationKey: r.Authorization.Key, AuthorizationSecret: notNull(r.Authorization.Secret), AuthorizationText: r.Authorization.Text, AuthorizationAt: micros(r.Authorization.At),
		UpdateKey: r.Update.Key, UpdateSecret: notNull(r.Update.Secret), UpdateText: r.Update.Text, UpdateAt: micros(r.Update.At),
		CreatedAt: micros(r.CreatedAt), CreatedBy: r.CreatedBy, ConfirmedAt: micros(r.ConfirmedAt), ReturnedAt: micros(r.ReturnedAt),
	}
}

type reservationItemRow struct {
	ReservationID    int64 `gorm:"primaryKey"`
	IsUpdate         bool  `gorm:"primaryKey"`
	Position         int64 `gorm:"primaryKey"`
	VirtualAccountID int64
	LicenseID        int64
	Tag              string
	Name             string
	Description      string
	Type             string
	Count            int64
	StartAt          int64
	EndAt            int64
	SubscriptionID   string
	Standing         bool
}

func (reservationItemRow) TableName() string { return "reservation_items" }

const reservationItemColumns = `i.reservation_id, i.is_update, i.position, i.virtual_account_id, i.license_id, i.tag, i.name, i.description, i.type, i.count,
	i.start_at, i.end_at, i.subscription_id, i.standing`

func (r reservationItemRow) domain() satellite.ReservedRow {
	return satellite.ReservedRow{ReservationID: satellite.ReservationID(r.ReservationID), Update: r.IsUpdate, ReservedItem: satellite.ReservedItem{
		LicenseID: satellite.LicenseID(r.LicenseID), Tag: r.Tag, Name: r.Name, Description: r.Description, Type: satellite.LicenseType(r.Type), Count: r.Count,
		Start: instant(r.StartAt), End: instant(r.EndAt), SubscriptionID: r.SubscriptionID,
	}}
}

func (t *transaction) CreateReservation(r satellite.Reservation) (satellite.Reservation, error) {
	row := reservationToRow(r)
	row.ID, row.ChangeNumber = 0, t.nextChange() // the database gives the id
	if err := t.db.Create(&row).Error; err != nil {
		return r, unique(err, "reservation", "The device has a reservation already.")
	}
	r.ID = satellite.ReservationID(row.ID)
	return r, t.saveReservationItems(r)
}

func (t *transaction) SaveReservation(r satellite.Reservation) error {
	row := reservationToRow(r)
	row.ChangeNumber = t.nextChange()
	err := t.db.Select("virtual_account_id", "instance_id", "state", "authorization_key", "authorization_secret", "authorization_text", "authorization_at",
		"update_key", "update_secret", "update_text", "update_at", "confirmed_at", "returned_at", "change_number").Where("id = ?", row.ID).Updates(&row).Error
	if err != nil {
		return err
	}
	return t.saveReservationItems(r)
}

// saveReservationItems replaces the items of a reservation.
func (t *transaction) saveReservationItems(r satellite.Reservation) error {
	if err := t.db.Where("reservation_id = ?", int64(r.ID)).Delete(&reservationItemRow{}).Error; err != nil {
		return err
	}
	var rows []reservationItemRow
	for update, items := range [][]satellite.ReservedItem{r.Authorization.Items, r.Update.Items} {
		for i, item := range items {
			rows = append(rows, reservationItemRow{
				ReservationID: int64(r.ID), IsUpdate: update == 1, Position: int64(i), VirtualAccountID: int64(r.VirtualAccountID), LicenseID: int64(item.LicenseID),
				Tag: item.Tag, Name: item.Name, Description: item.Description, Type: string(item.Type), Count: item.Count,
				StartAt: micros(item.Start), EndAt: micros(item.End), SubscriptionID: item.SubscriptionID, Standing: r.State != satellite.ReservationReturned,
			})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return t.db.CreateInBatches(rows, 500).Error
}

func (t *transaction) ChangedReservations(account satellite.AccountID, after int64, limit int) ([]satellite.ChangedReservation, error) {
	rows, list, err := t.reservationRows(`WHERE r.account_id = ? AND r.change_number > ? ORDER BY r.change_number LIMIT ?`, account, after, limit)
	changed := make([]satellite.ChangedReservation, len(rows))
	for i, row := range rows {
		changed[i] = satellite.ChangedReservation{Reservation: list[i], ChangeNumber: row.ChangeNumber}
	}
	return changed, err
}

// reservations reads rows with their items.
func (t *transaction) reservations(query string, args ...any) ([]satellite.Reservation, error) {
	_, list, err := t.reservationRows(query, args...)
	return list, err
}

func (t *transaction) reservationRows(query string, args ...any) (rows []reservationRow, list []satellite.Reservation, err error) {
	if err := t.db.Raw(`SELECT `+reservationColumns+` FROM reservations r `+query, args...).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	ids, byID := make([]int64, len(rows)), map[int64]int{}
	list = make([]satellite.Reservation, len(rows))
	for i, row := range rows {
		list[i], ids[i], byID[row.ID] = row.domain(), row.ID, i
	}
	var items []reservationItemRow
	err = t.db.Raw(`SELECT `+reservationItemColumns+` FROM reservation_items i WHERE i.reservation_id IN ? ORDER BY i.reservation_id, i.is_update, i.position`, ids).Scan(&items).Error
	for _, row := range items {
		a := &list[byID[row.ReservationID]].Authorization
		if row.IsUpdate {
			a = &list[byID[row.ReservationID]].Update
		}
		a.Items = append(a.Items, row.domain().ReservedItem)
	}
	return rows, list, err
}

func (t *transaction) Reservation(id satellite.ReservationID) (satellite.Reservation, error) {
	return onlyReservation(t.reservations(`WHERE r.id = ?`, int64(id)))(id)
}

// ReservationByUDI stands on the device path, where there is none.
func (t *transaction) ReservationByUDI(pid, serialNumber string) (satellite.Reservation, error) {
	var id int64
	err := t.one("reservation", "of this device", []any{&id},
		`SELECT id FROM reservations WHERE udi_serial_number = ? AND udi_pid = ? AND state <> 'returned'`, serialNumber, pid)
	if err != nil {
		return satellite.Reservation{}, err
	}
	return t.Reservation(satellite.ReservationID(id))
}

func onlyReservation(list []satellite.Reservation, err error) func(name any) (satellite.Reservation, error) {
	return func(name any) (satellite.Reservation, error) {
		if err != nil || len(list) > 0 {
			return append(list, satellite.Reservation{})[0], err
		}
		return satellite.Reservation{}, satellite.NotFound("reservation", name)
	}
}

func (t *transaction) Reservations(filter satellite.ReservationFilter, page satellite.Page) ([]satellite.Reservation, error) {
	below := page.After
	if below == 0 {
		below = math.MaxInt64
	}
	query, args := `WHERE r.id < ?`, []any{below}
	if filter.AccountID != 0 {
		query, args = query+` AND r.account_id = ?`, append(args, filter.AccountID)
	}
	if filter.VirtualAccountID != 0 {
		query, args = query+` AND r.virtual_account_id = ?`, append(args, filter.VirtualAccountID)
	}
	if !filter.Scope.All {
		query, args = query+` AND (r.account_id IN ? OR r.virtual_account_id IN ?)`, append(args, filter.Scope.Accounts, filter.Scope.VirtualAccounts)
	}
	return t.reservations(query+` ORDER BY r.id DESC LIMIT ?`, append(args, page.Limit)...)
}

func (t *transaction) ReservedItems(virtual satellite.VirtualAccountID, license satellite.LicenseID) ([]satellite.ReservedRow, error) {
	rows, err := t.statements.query(`SELECT `+reservationItemColumns+` FROM reservation_items i
		WHERE i.virtual_account_id = ? AND i.license_id = ? AND i.standing = 1 ORDER BY i.reservation_id, i.is_update, i.position`, int64(virtual), int64(license))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []satellite.ReservedRow
	for rows.Next() {
		var r reservationItemRow
		if err := rows.Scan(&r.ReservationID, &r.IsUpdate, &r.Position, &r.VirtualAccountID, &r.LicenseID, &r.Tag, &r.Name, &r.Description, &r.Type, &r.Count,
			&r.StartAt, &r.EndAt, &r.SubscriptionID, &r.Standing); err != nil {
			return nil, err
		}
		list = append(list, r.domain())
	}
	return list, rows.Err()
}

func (t *transaction) EndedReservations(now time.Time, after satellite.ReservationID, limit int) ([]satellite.Reservation, error) {
	return t.reservations(`WHERE r.id > ? AND r.id IN (SELECT i.reservation_id FROM reservation_items i WHERE i.standing = 1 AND i.end_at <> 0 AND i.end_at <= ?)
		ORDER BY r.id LIMIT ?`, int64(after), micros(now), limit)
}
