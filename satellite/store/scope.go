package store

import (
	"math"
	"slices"
	"strings"

	"gorm.io/gorm"

	"ssm/satellite"
)

// maxPlaces is up to how many places a page is put together from the pages of
// each of them; with more of them the listing is walked from where it begins.
const maxPlaces = 100

// selection is what of a listing is asked for and may be shown: the rows of
// some accounts and virtual accounts, in tables that have an index on each.
type selection struct {
	everything bool
	accounts   []satellite.AccountID
	virtual    []satellite.VirtualAccountID
	// within, where it is limited, are the accounts that a row of the virtual
	// accounts must be in: an id that was asked for may be of any.
	limited bool
	within  []satellite.AccountID
}

// selected is what a filter by account and virtual account, 0 for all, leaves of a scope.
func selected(account satellite.AccountID, virtual satellite.VirtualAccountID, scope satellite.Scope) selection {
	switch {
	case virtual != 0 && (scope.All || slices.Contains(scope.VirtualAccounts, virtual)):
		return selection{virtual: []satellite.VirtualAccountID{virtual}}
	case virtual != 0:
		return selection{virtual: []satellite.VirtualAccountID{virtual}, limited: true, within: scope.Accounts}
	case account != 0 && scope.Whole(account):
		return selection{accounts: []satellite.AccountID{account}}
	case account != 0:
		return selection{virtual: scope.VirtualAccounts, limited: true, within: []satellite.AccountID{account}}
	}
	return selection{everything: scope.All, accounts: scope.Accounts, virtual: scope.VirtualAccounts}
}

// of limits a query to the selection. Where the rows are found by other means,
// plus is "+": it keeps the planner from walking the accounts for them.
func (s selection) of(query *gorm.DB, plus string) *gorm.DB {
	switch {
	case s.everything:
	case len(s.accounts) == 1 && len(s.virtual) == 0:
		query = query.Where(plus+"account_id = ?", s.accounts[0])
	case len(s.accounts) == 0 && len(s.virtual) == 1:
		query = query.Where(plus+"virtual_account_id = ?", s.virtual[0])
	default:
		query = query.Where("("+plus+"account_id IN ? OR "+plus+"virtual_account_id IN ?)", s.accounts, s.virtual)
	}
	if s.limited {
		query = query.Where("+account_id IN ?", s.within)
	}
	return query
}

// page limits a query to one page of the selection, by id, with further
// conditions. One place is walked by its index of (place, id); of several each
// gives its own page, and the page is made of those.
func (s selection) page(query *gorm.DB, table string, page satellite.Page, descending bool, conditions ...condition) *gorm.DB {
	order, beyond := "id", where("id > ?", page.After)
	if descending {
		order, beyond = "id DESC", where("id < ?", page.After)
		if page.After == 0 {
			beyond = where("id < ?", int64(math.MaxInt64))
		}
	}
	conditions = append(conditions, beyond)
	query = query.Order(order).Limit(page.Limit)
	if places := len(s.accounts) + len(s.virtual); s.everything || places <= 1 || places > maxPlaces {
		plus := ""
		if places > maxPlaces {
			plus = "+"
		}
		return allOf(s.of(query, plus), conditions)
	}
	if s.limited {
		conditions = append(conditions, where("+account_id IN ?", s.within))
	}
	u := union{column: "id", table: table, order: order, limit: page.Limit, conditions: conditions}
	for _, id := range s.accounts {
		u.add(where("account_id = ?", id))
	}
	for _, id := range s.virtual {
		u.add(where("virtual_account_id = ?", id))
	}
	return query.Where("id IN ("+u.text()+")", u.args...)
}

// cursor is the id of the last of so many rows of the selection, in the order of
// a page of it, or an id behind all where there are fewer. It walks the index only.
func (s selection) cursor(query *gorm.DB, table string, skip int64, descending bool, conditions ...condition) (int64, error) {
	if skip < 1 {
		return 0, nil
	}
	end := int64(math.MaxInt64)
	if descending {
		end = 1
	}
	if skip > math.MaxInt32 {
		return end, nil
	}
	return behind(s.page(query.Select("id"), table, satellite.Page{Limit: int(skip)}, descending, conditions...), skip, end)
}

// behind is the last of the first so many ids of a query in its order, or end
// where there are fewer.
func behind(query *gorm.DB, skip, end int64) (int64, error) {
	var ids []int64
	err := query.Limit(1).Offset(int(skip-1)).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return end, err
	}
	return ids[0], nil
}

// condition is one term of a WHERE with its values.
type condition struct {
	text   string
	values []any
}

func where(text string, values ...any) condition { return condition{text, values} }

func allOf(query *gorm.DB, conditions []condition) *gorm.DB {
	for _, c := range conditions {
		query = query.Where(c.text, c.values...)
	}
	return query
}

// union collects the first rows of several places, each walked by its index.
type union struct {
	column, table, order string
	limit                int
	conditions           []condition // of every place
	terms                []string
	args                 []any
}

func (u *union) add(place ...condition) {
	var texts []string
	for _, c := range slices.Concat(place, u.conditions) {
		texts, u.args = append(texts, c.text), append(u.args, c.values...)
	}
	u.args = append(u.args, u.limit)
	u.terms = append(u.terms, "SELECT "+u.column+" FROM (SELECT "+u.column+" FROM "+u.table+" WHERE "+strings.Join(texts, " AND ")+" ORDER BY "+u.order+" LIMIT ?)")
}

func (u *union) text() string { return strings.Join(u.terms, " UNION ALL ") }
