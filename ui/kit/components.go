package kit

import "slices"

// The components: each is a struct here and a template of the same name in
// templates/components. A page shows one by its function,
// {{badge "ok" "Done"}}, or, when the handler has made the struct,
// by {{show .Data.State}}.

// Badge is a state as icon and word, or with Kind "outline" a kind of thing
// as a word alone. Icon replaces the one that belongs to the Kind.
type Badge struct {
	Kind, Word, Icon string
}

// Sign is the icon that is shown: the given one, or the one of the kind.
func (b Badge) Sign() string {
	if b.Icon != "" || b.Kind == "outline" {
		return b.Icon
	}
	return signs[b.Kind]
}

// signs are the icons of the kinds of state.
var signs = map[string]string{
	"ok": "check", "warn": "clock", "bad": "alert-triangle", "idle": "circle-minus", "info": "info-circle",
}

// Stat is a key figure under its label. Kind colors the value by state.
type Stat struct {
	Label, Value, Note, Kind, URL string
}

// Fact is one row of a definition list; State, if set, stands in Value's
// place.
type Fact struct {
	Term, Value, URL string
	State            *Badge
}

// Facts is a definition list.
type Facts []Fact

// Button is a button of the form around it or, with URL, a link that looks
// like one. Kind is "", "primary" (one a page), "danger" or "quiet"; Size is
// "", "small" (in cards) or "main" (the one act of a wizard). Why is the
// sentence that a disabled button owes.
type Button struct {
	Word, Icon, Trail string // Trail is an icon after the word
	Kind, Size        string
	URL               string
	Name, Value       string
	Disabled          bool
	Why               string
	Copy              string // copy this text instead; needs JavaScript
	CopyAll           string // copy all lines inside the element with this id instead; needs JavaScript
}

// Heading is the top of a page: where it stands, what it is called and what
// can be done with all of it.
type Heading struct {
	Title, Note string
	Path        []NavItem
	State       *Badge
	Actions     []Button
}

// CardHeader is the first line of a card.
type CardHeader struct {
	ID    string // of the h2, for aria-labelledby
	Title string
	Count string // muted, after the title
	Note  string
	State *Badge
	Links []NavItem
	// Actions stand at the right and are small.
	Actions []Button
}

// Toolbar stands above a table: a search form, filters, and what concerns the
// whole table at the right.
type Toolbar struct {
	ID               string // unique in the page
	URL              string // the search form's GET
	Name, Query      string // of the search field; Name "" is "q"
	Placeholder      string
	Keep             map[string]string // other parameters of the query that the search keeps
	Menus            []Menu            // choices of one among many, such as a virtual account
	Filters          []Filter
	Columns, Exports []NavItem
	Actions          []Button
}

// Filter is a chip: dashed with the address that adds it, or solid with its
// value and the address without it.
type Filter struct {
	Label, Value, URL string
}

// Pager stands below a table. The addresses hold a cursor; "" is where the
// list ends.
type Pager struct {
	Range          string // such as "1–50 of 618"
	Note           string
	Previous, Next string
}

// Empty says what would be here and how to make it appear.
type Empty struct {
	Icon, Title, Message string
	Actions              []Button
}

// CopyField is one value to take along, such as a token.
type CopyField struct {
	Label, Note, Value string
}

// Line is one line of a Code block. The prompt is shown and never copied;
// Secret is the end of the line in the accent color, such as a token.
type Line struct {
	Prompt, Text, Secret string
}

// Code is a block of lines to type, with a button that copies them.
type Code struct {
	Label string // for screen readers; "" is "Lines to type"
	Lines []Line
}

// Copied is what the copy button puts into the clipboard.
func (c Code) Copied() string {
	var text []byte
	for i, line := range c.Lines {
		if i > 0 {
			text = append(text, '\n')
		}
		text = append(text, line.Text...)
		text = append(text, line.Secret...)
	}
	return string(text)
}

// Steps is where a person stands in a wizard. Current counts from 1.
type Steps struct {
	Current int
	Words   []string
}

// Banner is a message in its place: Kind is "ok", "warn", "bad", "info" or
// "idle". One that is bad is announced at once.
type Banner struct {
	Kind, Title, Message, Icon string
	Actions                    []Button
}

// Sign is the icon of the banner.
func (b Banner) Sign() string {
	switch {
	case b.Icon != "":
		return b.Icon
	case b.Kind == "idle":
		return signs["info"]
	}
	return signs[b.Kind]
}

// Confirm is the form of a destructive act: the name of the thing must be
// typed. It posts the name as the field Field ("" is "confirm"); the app
// compares it again.
type Confirm struct {
	ID        string // unique in the page; "" is "confirm"
	URL       string
	Name      string // what is to be typed
	Field     string
	Message   string // what will happen
	Verb      string // the button, such as "Delete Lab"
	CancelURL string
	Error     string
	Hidden    map[string]string
}

// Field is one labeled control of a form. Type is that of an input, or
// "textarea", "select", "checkbox". Its id is "field-" + ID, or + Name
// without ID.
type Field struct {
	ID, Name, Label, Type       string
	Value, Placeholder          string
	Hint, Error                 string
	Autocomplete, InputMode     string
	Min, Max, Pattern           string
	MaxLength, Rows             int
	Required, Optional, Checked bool
	ReadOnly, Disabled          bool
	Autofocus                   bool
	Options                     []Option
}

// Key is the end of the ids that belong to the field.
func (f Field) Key() string {
	if f.ID != "" {
		return f.ID
	}
	return f.Name
}

// Option is one choice of a select.
type Option struct {
	Value, Label string
	Selected     bool
}

// Menu is a button that opens a list of links.
type Menu struct {
	Label, Icon string
	Dots        bool // a row's menu: three dots, Label for screen readers
	Size        string
	Items       []NavItem
}

// Tabs are the parts of one thing; Badge is a count.
type Tabs []NavItem

// Segments is a choice of few, one of which is Active.
type Segments []NavItem

// Part is a share of a Bar; Kind is a state or "accent".
type Part struct {
	Kind  string
	Value float64
}

// Bar draws shares of a total; it always stands beside its numbers, so it is
// hidden from screen readers. Total 0 is the sum of the parts.
type Bar struct {
	Total float64
	Parts []Part
	Thin  bool
}

// Stripe is a part of a bar as it is drawn, in percent of the bar's width.
type Stripe struct {
	Kind     string
	X, Width float64
}

// leastShare is what a part that is not zero takes at least, in percent of the
// bar: one device in a million is seen, too.
const leastShare = 1.2

// overhang is how far the outer stripes reach beyond the bar, in percent.
const overhang = 5

// Stripes are the parts of the bar from left to right. The outer two reach
// beyond its ends, so that only the seams between parts show.
func (b Bar) Stripes() []Stripe {
	parts := b.Parts
	sum := 0.0
	for _, part := range parts {
		sum += max(part.Value, 0)
	}
	if b.Total > sum || sum == 0 {
		parts = append(slices.Clone(parts), Part{Kind: "rest", Value: max(b.Total-sum, 1)})
	}
	whole := max(b.Total, sum)
	shares := 0.0
	for _, part := range parts {
		shares += share(part, whole)
	}
	var stripes []Stripe
	position := 0.0
	for _, part := range parts {
		if part.Value <= 0 {
			continue
		}
		width := share(part, whole)
		stripes = append(stripes, Stripe{Kind: part.Kind, X: 100 * position / shares, Width: 100 * width / shares})
		position += width
	}
	first, last := &stripes[0], &stripes[len(stripes)-1]
	first.X -= overhang
	first.Width += overhang
	last.Width += overhang
	return stripes
}

// share is how many percent of the bar a part asks for.
func share(part Part, whole float64) float64 {
	if part.Value <= 0 {
		return 0
	}
	return max(100*part.Value/max(whole, part.Value), leastShare)
}
