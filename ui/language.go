package ui

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"ssm/ui/kit"
)

//go:embed locales/*.json
var localeFiles embed.FS

// languages are those of the catalogs; the first serves whoever asks for none of them.
var languages = []language.Tag{language.English, language.Japanese}

// catalog holds all texts in all languages.
type catalog struct {
	matcher language.Matcher
	words   []words // in the order of languages
}

func loadCatalog() (*catalog, error) {
	bundle := i18n.NewBundle(language.English) // JSON is the format that it reads without help
	c := &catalog{matcher: language.NewMatcher(languages)}
	for _, tag := range languages {
		name := tag.String()
		if _, err := bundle.LoadMessageFileFS(localeFiles, "locales/"+name+".json"); err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", name, err)
		}
		c.words = append(c.words, words{language: name, localizer: i18n.NewLocalizer(bundle, name), kit: kit.Words(name)})
	}
	return c, nil
}

// match chooses the language: the wanted one if there is such a catalog, else
// what a browser's Accept-Language asks for, else English.
func (c *catalog) match(wanted, accept string) words {
	for _, w := range c.words {
		if w.language == wanted {
			return w
		}
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(accept) > 1000 {
		return c.words[0]
	}
	_, index, _ := c.matcher.Match(tags...)
	return c.words[index]
}

// words is one language: its texts and the way it writes numbers and times.
type words struct {
	language  string
	localizer *i18n.Localizer
	kit       map[string]string
}

// T is the text of a key, with the values of "Name", value pairs in its
// {{.Name}}; Count chooses the plural. Numbers and times are written in the
// language's way. A key that no catalog has is shown as it is.
func (w words) T(key string, pairs ...any) string {
	if text, ok := w.kit[key]; ok {
		if len(pairs) > 0 {
			return fmt.Sprintf(text, pairs...)
		}
		return text
	}
	config := i18n.LocalizeConfig{MessageID: key}
	if len(pairs) > 0 {
		values := make(map[string]any, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			name := fmt.Sprint(pairs[i])
			if name == "Count" {
				config.PluralCount = pairs[i+1]
			}
			values[name] = w.write(pairs[i+1])
		}
		config.TemplateData = values
	}
	text, err := w.localizer.Localize(&config)
	if err != nil && text == "" {
		return key
	}
	return text
}

// find is T for a key that may be missing.
func (w words) find(key string) (string, bool) {
	text, tag, err := w.localizer.LocalizeWithTag(&i18n.LocalizeConfig{MessageID: key})
	return text, err == nil && tag.String() == w.language
}

func (w words) write(value any) string {
	switch v := value.(type) {
	case int:
		return number(int64(v))
	case int64:
		return number(v)
	case time.Time:
		return w.dateTime(v)
	}
	return fmt.Sprint(value)
}

// number writes thousands in groups and a true minus sign.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// signed writes a number that is added or taken away.
func signed(n int64) string {
	if n > 0 {
		return "+" + number(n)
	}
	return number(n)
}

// never stands for a time that is not set.
const never = "—"

// formats of times, per language: in sentences, and shorter in tables.
var formats = map[string]struct{ date, dateTime, tableDate, tableTime, day string }{
	"en": {"2 Jan 2006", "2 Jan 2006, 15:04 UTC", "2 Jan 2006", "2 Jan 2006, 15:04", "2 Jan"},
	"ja": {"2006年1月2日", "2006年1月2日 15:04 UTC", "2006/01/02", "2006/01/02 15:04", "1/2"},
}

func (w words) format(t time.Time, layout string) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format(layout)
}

func (w words) date(t time.Time) string      { return w.format(t, formats[w.language].date) }
func (w words) dateTime(t time.Time) string  { return w.format(t, formats[w.language].dateTime) }
func (w words) tableDate(t time.Time) string { return w.format(t, formats[w.language].tableDate) }
func (w words) tableTime(t time.Time) string { return w.format(t, formats[w.language].tableTime) }
func (w words) day(t time.Time) string       { return w.format(t, formats[w.language].day) }

// ago says how long before now something was, in its largest unit.
func (w words) ago(t, now time.Time) string {
	passed := now.Sub(t)
	switch {
	case t.IsZero():
		return never
	case passed < time.Minute:
		return w.T("ago.now")
	case passed < time.Hour:
		return w.T("ago.minutes", "Count", int(passed/time.Minute))
	case passed < 48*time.Hour:
		return w.T("ago.hours", "Count", int(passed/time.Hour))
	}
	return w.T("ago.days", "Count", int(passed/day))
}

const day = 24 * time.Hour

// daysLeft is the number of whole days until an instant; below zero it is past.
func daysLeft(t, now time.Time) int {
	left := t.Sub(now)
	if left < 0 {
		return -int((-left + day - 1) / day)
	}
	return int(left / day)
}

// left says in how many days something ends, for tables.
func (w words) left(days int) string {
	if days < 0 {
		return w.T("left.past")
	}
	return w.T("left.days", "Count", days)
}

// size writes a number of bytes.
func (w words) size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB"}
	value, unit := float64(bytes), 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	if unit == 0 {
		return number(bytes) + " B"
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + units[unit]
}
