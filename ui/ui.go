// Package ui is the web console: server-rendered pages that call the same
// Service as every other face, with the signed-in user as the actor.
//
// Its laws: every page can be read, and every form sent, without JavaScript;
// every form that posts carries the token of its session; what a role may not
// do is not offered, and refused by Service all the same; every word stands in
// the catalogs in locales, in English and Japanese; a page makes no request to
// another host. What each address does stands in routes.go.
package ui

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/ui/kit"
)

//go:embed templates/*.html
var templateFiles embed.FS

// brand is what the program is called on its pages.
const brand = "Satellite"

// Options are what the console works with. All but ServerNotAfter and Log are needed.
type Options struct {
	Service  *satellite.Service
	Sessions *auth.Sessions
	Limiter  *auth.Limiter
	// DeviceURL is the address that devices talk to.
	DeviceURL func() string
	// Bundle is what a device must trust: certificates as PEM. It is served at /ca.pem, beside the console.
	Bundle func() []byte
	// ServerNotAfter is when the TLS certificate of this server ends; nil where nobody can tell.
	ServerNotAfter func() time.Time
	Version, Host  string
	Log            *slog.Logger
}

// console is the state that all requests share.
type console struct {
	Options
	renderer *kit.Renderer
	catalog  *catalog
	requests requestFiles
}

// newConsole parses templates and catalogs. A mistake in them is one of the
// program, which every test of this package meets, so it panics.
func newConsole(options Options) *console {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	pages, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		panic(err)
	}
	renderer, err := kit.NewRenderer(pages, nil)
	if err != nil {
		panic(fmt.Sprintf("ui: %v", err))
	}
	catalog, err := loadCatalog()
	if err != nil {
		panic(fmt.Sprintf("ui: %v", err))
	}
	return &console{
		Options: options, renderer: renderer, catalog: catalog,
		requests: requestFiles{folder: options.Service.Options().TemporaryFolder, files: map[satellite.AccountID]requestFile{}},
	}
}
