package store

import (
	"encoding/json"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type customTagRow struct {
	AccountID        int64
	VirtualAccountID *int64
	LicenseID        *int64
	Key              string
	TagValues        string // JSON
}

func (customTagRow) TableName() string { return "custom_tags" }

// ownedTags are the tags of a virtual account or a license.
func (t *transaction) ownedTags(owner satellite.TagOwner) *gorm.DB {
	if owner.LicenseID != 0 {
		return t.db.Where("license_id = ?", owner.LicenseID)
	}
	return t.db.Where("virtual_account_id = ?", owner.VirtualAccountID)
}

func (t *transaction) CustomTags(owner satellite.TagOwner) ([]satellite.CustomTag, error) {
	var rows []customTagRow
	if err := t.ownedTags(owner).Select("key", "tag_values").Order("key").Find(&rows).Error; err != nil {
		return nil, err
	}
	tags := make([]satellite.CustomTag, len(rows))
	for i, r := range rows {
		tags[i].Key = r.Key
		if err := json.Unmarshal([]byte(r.TagValues), &tags[i].Values); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

func (t *transaction) SaveCustomTag(owner satellite.TagOwner, tag satellite.CustomTag) error {
	values, err := json.Marshal(tag.Values)
	if err != nil {
		return err
	}
	r := customTagRow{AccountID: int64(owner.AccountID), Key: tag.Key, TagValues: string(values)}
	columns := []clause.Column{{Name: "virtual_account_id"}, {Name: "key"}}
	if id := int64(owner.VirtualAccountID); id != 0 {
		r.VirtualAccountID = &id
	}
	if id := int64(owner.LicenseID); id != 0 {
		r.LicenseID, columns[0].Name = &id, "license_id"
	}
	return t.db.Clauses(clause.OnConflict{Columns: columns, DoUpdates: clause.AssignmentColumns([]string{"tag_values"})}).Create(&r).Error
}

func (t *transaction) DeleteCustomTag(owner satellite.TagOwner, key string) error {
	return t.ownedTags(owner).Where("key = ?", key).Delete(&customTagRow{}).Error
}
