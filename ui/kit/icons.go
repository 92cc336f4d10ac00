package kit

import (
	"embed"
	"fmt"
	"html/template"
	"path"
	"strings"
	"sync"
)

//go:embed icons/*.svg
var iconFiles embed.FS

// icons maps a name to the inline SVG of that icon. An icon only repeats the
// word beside it, so it is hidden from screen readers; a button that shows
// nothing but an icon carries its word as aria-label.
var icons = sync.OnceValue(func() map[string]template.HTML {
	entries, err := iconFiles.ReadDir("icons")
	if err != nil {
		panic(err)
	}
	drawn := make(map[string]template.HTML, len(entries))
	for _, entry := range entries {
		content, err := iconFiles.ReadFile(path.Join("icons", entry.Name()))
		if err != nil {
			panic(err)
		}
		drawn[strings.TrimSuffix(entry.Name(), ".svg")] = inline(string(content))
	}
	return drawn
})

// inline keeps the paths of an SVG file and leaves size, stroke and color to
// the style sheet.
func inline(file string) template.HTML {
	_, rest, _ := strings.Cut(file, "<svg")
	_, rest, _ = strings.Cut(rest, ">")
	body, _, _ := strings.Cut(rest, "</svg>")
	body = strings.Replace(body, `<path stroke="none" d="M0 0h24v24H0z" fill="none" />`, "", 1)
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` +
		strings.TrimSpace(body) + `</svg>`)
}

// Icon returns the inline SVG of an icon of the folder icons, by its Tabler
// name, such as "bell". An unknown name is an error.
func Icon(name string) (template.HTML, error) {
	drawn, ok := icons()[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q: add it to the list in ui/kit/static/fetch.sh and run that", name)
	}
	return drawn, nil
}
