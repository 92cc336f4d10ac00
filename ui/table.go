package ui

import (
	"net/url"
	"strconv"
	"strings"

	"ssm/satellite"
	"ssm/ui/kit"
)

// pageSize is how many rows a table shows.
const pageSize = 50

// maxTrail bounds how many pages back the address of a page remembers.
const maxTrail = 30

// cursor is where in a list the page stands: after which row, how many rows
// were before it, and the cursors of the pages before.
type cursor struct {
	after, offset int64
	trail         []string
}

func (r *request) cursor() cursor {
	var c cursor
	c.after, _ = strconv.ParseInt(r.QueryParam("after"), 10, 64)
	c.offset, _ = strconv.ParseInt(r.QueryParam("offset"), 10, 64)
	if c.after <= 0 || c.offset <= 0 {
		return cursor{}
	}
	for step := range strings.SplitSeq(r.QueryParam("trail"), ".") {
		if _, err := strconv.ParseInt(step, 10, 64); err == nil && len(c.trail) < maxTrail {
			c.trail = append(c.trail, step)
		}
	}
	return c
}

// page is one row more than is shown, so that the pager knows whether there are more.
func (c cursor) page() satellite.Page { return satellite.Page{After: c.after, Limit: pageSize + 1} }

// pager makes the line below a table of rows from this page on; last is the
// cursor of the last row that is shown. total below zero is not known.
func (r *request) pager(c cursor, address string, query url.Values, rows int, last, total int64) kit.Pager {
	shown := min(rows, pageSize)
	link := func(after, offset int64, trail []string) string {
		values := url.Values{}
		for name, value := range query {
			values[name] = value
		}
		if after > 0 {
			values.Set("after", strconv.FormatInt(after, 10))
			values.Set("offset", strconv.FormatInt(offset, 10))
			values.Set("trail", strings.Join(trail, "."))
		}
		if len(values) == 0 {
			return address
		}
		return address + "?" + values.Encode()
	}
	from := c.offset + 1
	if shown == 0 {
		from = 0
	}
	p := kit.Pager{Range: r.t("table.range", "From", from, "To", c.offset+int64(shown))}
	if total >= 0 {
		p.Range = r.t("table.rangeof", "From", from, "To", c.offset+int64(shown), "Total", total)
	}
	if rows > pageSize {
		trail := append(append([]string{}, c.trail...), strconv.FormatInt(c.after, 10))
		if len(trail) > maxTrail {
			trail = trail[len(trail)-maxTrail:]
		}
		p.Next = link(last, c.offset+pageSize, trail)
	}
	if c.after > 0 {
		var before int64
		var trail []string
		if n := len(c.trail); n > 0 {
			before, _ = strconv.ParseInt(c.trail[n-1], 10, 64)
			trail = c.trail[:n-1]
		}
		p.Previous = link(before, max(c.offset-pageSize, 0), trail)
	}
	return p
}

// virtualAccounts are those of the chosen account, with the one that the
// query's "va" asks for; nil where it asks for none, or for one that is not there.
func (r *request) virtualAccounts() (list []satellite.VirtualAccount, chosen *satellite.VirtualAccount, err error) {
	if r.account.ID == 0 {
		return nil, nil, nil
	}
	list, err = r.Service.VirtualAccounts(r.context(), r.actor, r.account.ID)
	for i := range list {
		if name := r.QueryParam("va"); name != "" && list[i].Name == name {
			chosen = &list[i]
		}
	}
	return list, chosen, err
}

// virtualAccountMenu lets a table show one virtual account; none where there is
// only one to show.
func (r *request) virtualAccountMenu(address string, list []satellite.VirtualAccount, chosen *satellite.VirtualAccount, query url.Values) []kit.Menu {
	if len(list) < 2 {
		return nil
	}
	link := func(name string) string {
		values := url.Values{}
		if q := query.Get("q"); q != "" {
			values.Set("q", q)
		}
		if name != "" {
			values.Set("va", name)
		}
		if len(values) == 0 {
			return address
		}
		return address + "?" + values.Encode()
	}
	menu := kit.Menu{Label: r.t("table.allvirtual"), Icon: "filter"}
	menu.Items = []kit.NavItem{{Label: r.t("table.allvirtual"), URL: link(""), Active: chosen == nil}}
	for i := range list {
		active := chosen != nil && chosen.ID == list[i].ID
		if active {
			menu.Label = list[i].Name
		}
		menu.Items = append(menu.Items, kit.NavItem{Label: list[i].Name, URL: link(list[i].Name), Active: active})
	}
	return []kit.Menu{menu}
}

// query keeps what a table is filtered by.
func (r *request) query(names ...string) url.Values {
	values := url.Values{}
	for _, name := range names {
		if value := r.QueryParam(name); value != "" && len(value) <= 300 {
			values.Set(name, value)
		}
	}
	return values
}

// keep is the query without the search, for the search form.
func keep(query url.Values) map[string]string {
	kept := map[string]string{}
	for name := range query {
		if name != "q" {
			kept[name] = query.Get(name)
		}
	}
	return kept
}

// formNumber reads a whole number of a form, fallback where the field is empty.
func formNumber(text string, fallback int64) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, &satellite.Error{
			Kind: satellite.KindInvalid, Code: "number-invalid", Message: "One of the fields takes a whole number, and holds something else. Nothing was created.", Hint: "Correct it and send the form again.",
		}
	}
	return n, nil
}

func errNotConfirmed() error {
	return &satellite.Error{
		Kind: satellite.KindInvalid, Code: "name-not-confirmed", Message: "The name that was typed is another one. Nothing was changed.", Hint: "Type it exactly as it stands there.",
	}
}

// noAccount is the page of everything that needs an account, while there is
// none, or none that the visitor has a role in.
func (r *request) noAccount(title string) error {
	if !r.actor.May(satellite.ActionRead) {
		return r.show("no-access", title, map[string]any{"Title": title, "Email": r.user.Email})
	}
	return r.show("no-account", title, map[string]any{"Title": title, "MayCreate": r.may(satellite.ActionManageAccounts)})
}
