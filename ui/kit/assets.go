package kit

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed static
var embedded embed.FS

// prefix is where Handler is mounted; every asset's address begins with it.
const prefix = "/static/"

// mimeTypes are the kinds of file that are served. Other files below static,
// such as the script that fetches them, stay out.
var mimeTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// asset is one file as it is served.
type asset struct {
	address string
	mime    string
	plain   []byte
	gzip    []byte // nil where compression gains nothing
}

// assets holds every file by name and by address.
type assets struct {
	byName    map[string]*asset
	byAddress map[string]*asset
}

// served builds the embedded assets at the first use, so that a command that
// serves no page does not pay for compressing them.
var served = sync.OnceValue(func() *assets {
	root, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err)
	}
	built, err := newAssets(root)
	if err != nil {
		panic(err)
	}
	return built
})

// Asset returns the address of an asset, which carries the hash of its
// content: Asset("kit.css") is "/static/kit.1a2b3c4d.css". A name that is not
// embedded is a mistake in the program and panics.
func Asset(name string) string {
	a, ok := served().byName[name]
	if !ok {
		panic(fmt.Sprintf("kit: no asset is called %q", name))
	}
	return a.address
}

// Handler serves the assets below /static/, where it is to be mounted without
// stripping the prefix. An address names one content for ever, so answers may
// be kept for a year without asking again. Whoever accepts gzip gets bytes
// that were compressed once. Unknown addresses, and names without their hash,
// are 404; methods other than GET and HEAD are 405.
func Handler() http.Handler { return served() }

// ServeHTTP answers one request for an asset.
func (s *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	a, ok := s.byAddress[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Assets can only be read.", http.StatusMethodNotAllowed)
		return
	}
	body := a.plain
	if a.gzip != nil {
		header.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			header.Set("Content-Encoding", "gzip")
			body = a.gzip
		}
	}
	header.Set("Content-Type", a.mime)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a reader that left needs no answer
	}
}

// acceptsGzip reports whether an Accept-Encoding header names gzip (or
// anything) without refusing it by a quality of zero.
func acceptsGzip(headers []string) bool {
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, quality, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		value, found := strings.CutPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
		q, err := strconv.ParseFloat(value, 64)
		return !found || err == nil && q > 0
	}
	return false
}

// newAssets reads every file below root that has a known MIME type. The style
// sheets in the folder kit become one, kit.css, in the order of their names.
func newAssets(root fs.FS) (*assets, error) {
	contents := map[string][]byte{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || mimeTypes[path.Ext(name)] == "" {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if path.Dir(name) == "kit" && path.Ext(name) == ".css" {
			name = "kit.css"
		}
		contents[name] = append(contents[name], content...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	built := &assets{byName: map[string]*asset{}, byAddress: map[string]*asset{}}
	for _, name := range inReferenceOrder(contents) {
		if err := built.add(name, contents[name]); err != nil {
			return nil, err
		}
	}
	return built, nil
}

// inReferenceOrder puts what is referred to before what refers to it: a style
// sheet names other assets, kit.css also other style sheets, and the hash in
// an address must cover the addresses inside.
func inReferenceOrder(contents map[string][]byte) []string {
	rank := func(name string) int {
		switch {
		case name == "kit.css":
			return 2
		case path.Ext(name) == ".css":
			return 1
		}
		return 0
	}
	names := make([]string, 0, len(contents))
	for name := range contents {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

// reference finds url("name") in a style sheet; data: addresses hold a colon.
var reference = regexp.MustCompile(`url\("([^":]+)"\)`)

// add names an asset by its content, compresses it and keeps it.
func (s *assets) add(name string, content []byte) error {
	extension := path.Ext(name)
	if extension == ".css" {
		var missing []string
		content = reference.ReplaceAllFunc(content, func(found []byte) []byte {
			target := string(reference.FindSubmatch(found)[1])
			other, ok := s.byName[target]
			if !ok {
				missing = append(missing, target)
				return found
			}
			return fmt.Appendf(nil, "url(%q)", other.address)
		})
		if missing != nil {
			return fmt.Errorf("%s refers to %s, which is not among the assets", name, strings.Join(missing, ", "))
		}
	}
	sum := sha256.Sum256(content)
	a := &asset{
		address: prefix + strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:4]) + extension,
		mime:    mimeTypes[extension],
		plain:   content,
	}
	if extension != ".woff2" { // woff2 is compressed already
		compressed, err := compress(content)
		if err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		if len(compressed) < len(content) {
			a.gzip = compressed
		}
	}
	s.byName[name], s.byAddress[a.address] = a, a
	return nil
}

func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
