package store

import "ssm/satellite"

// grantRow has exactly one of UserID and GroupID.
type grantRow struct {
	UserID           *int64
	GroupID          *int64
	AccountID        int64
	VirtualAccountID *int64 // nil: the whole account
	Role             string
	GrantedAt        int64
	GrantedBy        string
}

func (grantRow) TableName() string { return "grants" }

const grantColumns = `user_id, group_id, account_id, virtual_account_id, role, granted_at, granted_by`

// orNull is an id in a column that is null instead of 0.
func orNull[ID ~int64](id ID) *int64 {
	if id == 0 {
		return nil
	}
	value := int64(id)
	return &value
}

func orZero[ID ~int64](id *int64) ID {
	if id == nil {
		return 0
	}
	return ID(*id)
}

func (r grantRow) domain() satellite.HeldGrant {
	return satellite.HeldGrant{
		Holder: satellite.Holder{UserID: orZero[satellite.UserID](r.UserID), GroupID: orZero[satellite.GroupID](r.GroupID)},
		Grant: satellite.Grant{
			AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: orZero[satellite.VirtualAccountID](r.VirtualAccountID), Role: satellite.Role(r.Role),
		},
		GrantedAt: instant(r.GrantedAt), GrantedBy: r.GrantedBy,
	}
}

func (t *transaction) SaveGrant(g satellite.HeldGrant) error {
	if err := t.DeleteGrant(g.Holder, g.AccountID, g.VirtualAccountID); err != nil {
		return err
	}
	return t.db.Create(&grantRow{
		UserID: orNull(g.UserID), GroupID: orNull(g.GroupID), AccountID: int64(g.AccountID), VirtualAccountID: orNull(g.VirtualAccountID),
		Role: string(g.Role), GrantedAt: micros(g.GrantedAt), GrantedBy: g.GrantedBy,
	}).Error
}

func (t *transaction) DeleteGrant(holder satellite.Holder, account satellite.AccountID, virtual satellite.VirtualAccountID) error {
	column, id := "user_id", int64(holder.UserID)
	if holder.GroupID != 0 {
		column, id = "group_id", int64(holder.GroupID)
	}
	return t.db.Where(column+" = ? AND account_id = ? AND COALESCE(virtual_account_id, 0) = ?", id, account, virtual).Delete(&grantRow{}).Error
}

func (t *transaction) GrantsOf(user satellite.UserID) ([]satellite.Grant, error) {
	var rows []grantRow
	err := t.db.Raw(`SELECT `+grantColumns+` FROM grants WHERE user_id = ?
		UNION ALL SELECT `+grantColumns+` FROM grants WHERE group_id IN (SELECT group_id FROM group_members WHERE user_id = ?)`, user, user).Scan(&rows).Error
	grants := make([]satellite.Grant, len(rows))
	for i, r := range rows {
		grants[i] = r.domain().Grant
	}
	return grants, err
}

func (t *transaction) AccessTo(account satellite.AccountID) ([]satellite.HeldGrant, error) {
	var rows []grantRow
	err := t.db.Select(grantColumns).Where("account_id = ?", account).
		Order("group_id IS NOT NULL, user_id, group_id, COALESCE(virtual_account_id, 0)").Find(&rows).Error
	grants := make([]satellite.HeldGrant, len(rows))
	for i, r := range rows {
		grants[i] = r.domain()
	}
	return grants, err
}

type groupRow struct {
	ID          int64 `gorm:"primaryKey"`
	AccountID   int64
	Name        string
	NameKey     string
	Description string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
}

func (groupRow) TableName() string { return "user_groups" }

var groupColumns = []string{"id", "account_id", "name", "name_key", "description", "created_at"}

func (r groupRow) domain() satellite.Group {
	return satellite.Group{
		ID: satellite.GroupID(r.ID), AccountID: satellite.AccountID(r.AccountID), Name: r.Name, Description: r.Description, CreatedAt: instant(r.CreatedAt),
	}
}

func (t *transaction) CreateGroup(g satellite.Group) (satellite.Group, error) {
	r := groupRow{AccountID: int64(g.AccountID), Name: g.Name, NameKey: nameKey(g.Name), Description: g.Description, CreatedAt: micros(g.CreatedAt)}
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "group", "There is a group of this name in the account already.")
}

func (t *transaction) Group(id satellite.GroupID) (satellite.Group, error) {
	var r groupRow
	err := t.db.Select(groupColumns).Where("id = ?", id).Take(&r).Error
	return r.domain(), found(err, "group", id)
}

func (t *transaction) Groups(account satellite.AccountID) ([]satellite.Group, error) {
	var rows []groupRow
	err := t.db.Select(groupColumns).Where("account_id = ?", account).Order("name_key").Find(&rows).Error
	groups := make([]satellite.Group, len(rows))
	for i, r := range rows {
		groups[i] = r.domain()
	}
	return groups, err
}

// DeleteGroup leaves the rest to the foreign keys, like DeleteUser.
func (t *transaction) DeleteGroup(id satellite.GroupID) error {
	return t.db.Where("id = ?", id).Delete(&groupRow{}).Error
}

type memberRow struct {
	GroupID int64
	UserID  int64
}

func (memberRow) TableName() string { return "group_members" }

func (t *transaction) AddMember(group satellite.GroupID, user satellite.UserID) error {
	return t.db.Create(&memberRow{GroupID: int64(group), UserID: int64(user)}).Error
}

func (t *transaction) DropMember(group satellite.GroupID, user satellite.UserID) error {
	return t.db.Where("group_id = ? AND user_id = ?", group, user).Delete(&memberRow{}).Error
}

func (t *transaction) Members(group satellite.GroupID) ([]satellite.User, error) {
	var rows []userRow
	err := t.db.Select(userColumns).Where("id IN (SELECT user_id FROM group_members WHERE group_id = ?)", group).Order("email_key").Find(&rows).Error
	return usersOf(rows), err
}
