package kit

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed templates
var kitTemplates embed.FS

// Renderer draws pages. Every page is layout + components + the page's own
// file; all of it is parsed once, when the Renderer is made. A Renderer may be
// used by many requests at once.
type Renderer struct {
	pages map[string]*pageTemplates
}

// pageTemplates are the templates of one page. Functions such as t need to
// know the page that is being drawn, and functions belong to a set of
// templates; so a set serves one request at a time and then waits in the pool
// for the next.
type pageTemplates struct {
	layout string
	source *template.Template // never executed, or it could not be cloned
	idle   sync.Pool          // of *set
}

// set is one usable copy of a page's templates, with the page it draws.
type set struct {
	templates *template.Template
	page      *Page
}

// NewRenderer parses the *.html files at the top of pages. A file whose name
// begins with "_" holds blocks that every page may use; each other file is the
// page of that name without ".html". It defines the block "content", drawn
// within the shell of the app (top bar and sidebar), or the block "plain",
// drawn as a centered card on an empty page; and, where Page.Title is not
// enough, the block "title". funcs are the app's own functions; the names of
// the kit's are taken. Every mistake that can be found without data is an
// error here: syntax, an unknown function, a block that is missing, output in
// a context that cannot be escaped.
func NewRenderer(pages fs.FS, funcs template.FuncMap) (*Renderer, error) {
	base, err := baseTemplates(funcs)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(pages, "*.html")
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	for _, file := range files { // shared blocks first, so that pages see them
		if strings.HasPrefix(file, "_") {
			if err := parse(base, pages, file, file); err != nil {
				return nil, err
			}
		}
	}
	renderer := &Renderer{pages: map[string]*pageTemplates{}}
	for _, file := range files {
		if strings.HasPrefix(file, "_") {
			continue
		}
		page, err := newPage(base, pages, file)
		if err != nil {
			return nil, err
		}
		renderer.pages[strings.TrimSuffix(file, ".html")] = page
	}
	return renderer, nil
}

// baseTemplates parses what all pages share.
func baseTemplates(funcs template.FuncMap) (*template.Template, error) {
	unbound := (&set{page: &Page{}}).functions()
	for name := range funcs {
		if _, taken := unbound[name]; taken {
			return nil, fmt.Errorf("the kit has a function %q already: call the app's by another name", name)
		}
	}
	base := template.New("").Funcs(unbound).Funcs(funcs)
	err := fs.WalkDir(kitTemplates, "templates", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return parse(base, kitTemplates, file, strings.TrimPrefix(file, "templates/"))
	})
	return base, err
}

func parse(into *template.Template, from fs.FS, file, name string) error {
	text, err := fs.ReadFile(from, file)
	if err != nil {
		return fmt.Errorf("read the template %s: %w", file, err)
	}
	if _, err := into.New(name).Parse(string(text)); err != nil {
		return fmt.Errorf("parse the template %s: %w", file, err)
	}
	return nil
}

func newPage(base *template.Template, pages fs.FS, file string) (*pageTemplates, error) {
	source, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if err := parse(source, pages, file, path.Base(file)); err != nil {
		return nil, err
	}
	page := &pageTemplates{source: source}
	switch {
	case source.Lookup("content") != nil && source.Lookup("plain") == nil:
		page.layout = "layouts/app.html"
	case source.Lookup("plain") != nil && source.Lookup("content") == nil:
		page.layout = "layouts/plain.html"
	default:
		return nil, fmt.Errorf("%s must define one of the blocks %q and %q", file, "content", "plain")
	}
	ready, err := page.clone()
	if err != nil {
		return nil, err
	}
	// Escaping is checked by executing. What the page misses here is its
	// data, so only errors of the templates themselves count.
	var broken *template.Error
	if err := ready.templates.ExecuteTemplate(io.Discard, page.layout, &Page{}); errors.As(err, &broken) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	page.idle.Put(ready)
	return page, nil
}

// clone makes a set whose functions are bound to it.
func (p *pageTemplates) clone() (*set, error) {
	templates, err := p.source.Clone()
	if err != nil {
		return nil, err
	}
	s := &set{page: &Page{}}
	s.templates = templates.Funcs(s.functions())
	return s, nil
}

// Render writes a whole page. On an error nothing is written: an unknown
// page, or a template that does not fit its data.
func (r *Renderer) Render(w io.Writer, page string, data Page) error {
	return r.render(w, page, "", data)
}

// RenderBlock writes one block of a page, for a request of htmx that replaces
// a part. On an error nothing is written.
func (r *Renderer) RenderBlock(w io.Writer, page, block string, data Page) error {
	if block == "" {
		return fmt.Errorf("draw a part of the page %q: no block is named", page)
	}
	return r.render(w, page, block, data)
}

func (r *Renderer) render(w io.Writer, name, block string, data Page) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	if block == "" {
		block = page.layout
	}
	s, err := page.take()
	if err != nil {
		return fmt.Errorf("draw the page %q: %w", name, err)
	}
	data.setDefaults()
	s.page = &data
	var out bytes.Buffer
	err = s.templates.ExecuteTemplate(&out, block, &data)
	s.page = &Page{} // nothing of a person stays in the pool
	page.idle.Put(s)
	if err != nil {
		return fmt.Errorf("draw the page %q: %w", name, err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// take returns an idle set or makes one.
func (p *pageTemplates) take() (*set, error) {
	if s, ok := p.idle.Get().(*set); ok {
		return s, nil
	}
	return p.clone()
}

// setDefaults fills what the layouts need to be valid HTML.
func (p *Page) setDefaults() {
	if p.Lang == "" {
		p.Lang = "en"
	}
	if p.Dir == "" {
		p.Dir = "ltr"
	}
	if p.ThemeURL == "" {
		p.ThemeURL = "/preferences/theme"
	}
}

// Language is the one among Languages that is shown, or nil.
func (p *Page) Language() *NavItem { return active(p.Languages) }

// Workspace is the one among Workspaces that is shown, or nil.
func (p *Page) Workspace() *NavItem { return active(p.Workspaces) }

func active(items []NavItem) *NavItem {
	for i := range items {
		if items[i].Active {
			return &items[i]
		}
	}
	return nil
}
