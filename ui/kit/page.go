package kit

// Page is everything that the layouts show around a page's own content, and
// that content's data. An app fills it once per request.
type Page struct {
	Lang  string // BCP 47, such as "en" or "ja"; "" is "en"
	Dir   string // "ltr" or "rtl"; "" is "ltr"
	Theme string // "light", "dark", or "" to follow the system

	Title string // shown by the browser before the brand, unless the page defines the block "title"
	Brand Brand

	Workspaces []NavItem // the tabs of the top bar
	Nav        []NavItem // the sidebar; one level of Children
	Tools      []NavItem // icon links of the top bar, such as alerts (with Badge) and help
	Languages  []NavItem // every language; the Active one is shown
	Account    *AccountSwitch
	User       *User

	SearchURL, SearchPlaceholder, Query string // no search field where SearchURL is ""
	ThemeURL                            string // where the theme form posts; "" is /preferences/theme
	LanguageURL                         string // where a chosen language is posted as the field "language"; "" makes Languages plain links

	Notices []Banner // stand above the content of every page, until what they tell of ends

	CSRF  string // goes into every form as the field "csrf" and into htmx requests as X-CSRF-Token
	Flash *Flash

	// T translates a key of the app or of the kit (see [Words]). Without it
	// the kit's own words are English and other keys are shown as they are.
	T func(key string, args ...any) string

	Data any // of the page
}

// Brand names the program and the machine it runs on.
type Brand struct {
	Name      string
	Version   string
	Host      string
	ClockNote string // such as "Clock trusted, 09:40 UTC"
}

// NavItem is one link of a menu, a row of tabs or a path.
type NavItem struct {
	Label    string
	Icon     string // of the folder icons; may be ""
	URL      string
	Active   bool
	Badge    string // a short number; "" shows none
	Lang     string // of the label, where it is not the page's: a language's own name
	Kind     string // of the badge: "bad" for what is wrong, "" for a plain count
	Children []NavItem
}

// AccountSwitch is the account that the sidebar speaks of, and the others
// that the person may change to.
type AccountSwitch struct {
	Name, Kind string
	Items      []NavItem
}

// User is the person who is signed in.
type User struct {
	Name, Initials, Email string
	Items                 []NavItem
	SignOutURL            string // a POST; "" shows no button
}

// Flash is one sentence about what the last request did.
type Flash struct {
	Kind    string // "ok", "warn", "bad" or "info"
	Message string
}
