package compatible

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ssm/satellite"
)

// maxPath bounds a path in bytes: two names of 255 characters of four bytes, escaped, and what is around them.
const maxPath = 8 << 10

// tree is the version that a path belongs to. The trees are bits, so that a
// route may stand in several.
type tree uint8

// The trees.
const (
	v1 tree = 1 << iota
	v2
	v3
	tokens // the token endpoint, by any of its names
)

func (t tree) String() string {
	return map[tree]string{v1: "v1", v2: "v2", v3: "v3", tokens: "token"}[t]
}

type prefix struct {
	segments []string
	tree     tree
}

// prefixes are where the trees begin. Those of 0 lead to no tree by themselves:
// clients double them, or parts of them.
var prefixes = []prefix{
	{[]string{"services", "api", "smart-accounts-and-licensing", "v1"}, v1},
	{[]string{"services", "api", "smart-accounts-and-licensing", "v2"}, v2},
	{[]string{"services", "api", "smart-accounts-and-licensing", "v3"}, v3},
	{[]string{"services", "api", "smart-accounts-and-licensing"}, 0},
	{[]string{"backend", "api", "v1"}, v1},
	{[]string{"api", "v1"}, v1},
}

// tokenPaths are the names of the token endpoint.
var tokenPaths = [][]string{
	{"oauth", "token"}, {"backend", "oauth", "token"}, {"as", "token.oauth2"}, {"oauth2", "default", "v1", "token"},
}

// Owns tells whether a request belongs to this API, by its path as
// http.Request.URL.Path has it. Whatever begins like one of its trees does,
// also where nothing is there: a script that goes astray is answered in JSON,
// never with a page. Of what begins with api, v2 belongs to the native one.
func Owns(path string) bool {
	first, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	if first != "api" {
		return slices.ContainsFunc(prefixes, func(p prefix) bool { return p.segments[0] == first }) ||
			slices.ContainsFunc(tokenPaths, func(token []string) bool { return token[0] == first })
	}
	second, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	return second != "" && second != "v2"
}

// name is one segment of a path: as it is written, and with each + read as a
// space, which is what form encoding makes of one. Most often they are the same.
type name struct{ text, spaced string }

// place is where a path leads.
type place struct {
	tree     tree // 0: none
	segments []name
}

// parsePath takes an escaped path apart: first into segments, which then are
// unescaped once each, so that nothing in a name can change the route. Doubled
// slashes and doubled prefixes are tolerated; the last prefix counts.
//
// KindInvalid for a segment that is no name: one that cannot be read, "." or
// "..", or one with control characters.
func parsePath(escaped string) (place, error) {
	if len(escaped) > maxPath {
		return place{}, invalid("The path is longer than %d bytes.", maxPath)
	}
	var p place
	var words []string
	for raw := range strings.SplitSeq(escaped, "/") {
		if raw == "" {
			continue
		}
		text, err := url.PathUnescape(raw)
		spaced, _ := url.QueryUnescape(raw) // the same escapes
		if err != nil || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || text == "." || text == ".." {
			return place{}, invalid("The path holds a segment that is no name.")
		}
		p.segments, words = append(p.segments, name{text, spaced}), append(words, text)
	}
	if slices.ContainsFunc(tokenPaths, func(token []string) bool { return slices.Equal(words, token) }) {
		return place{tree: tokens}, nil
	}
	for found := true; found; {
		found = false
		for _, known := range prefixes {
			if begins(words, known.segments) {
				n := len(known.segments)
				p.tree, p.segments, words, found = known.tree, p.segments[n:], words[n:], true
				break
			}
		}
	}
	return p, nil
}

func begins(segments, prefix []string) bool {
	return len(segments) >= len(prefix) && slices.Equal(segments[:len(prefix)], prefix)
}

// match finds the route of a request, with the names in its path; where there
// is none, the methods that the path does take.
func match(table []route, method string, where place) (found *route, names map[string]name, methods []string) {
	for i := range table {
		r := &table[i]
		names, ok := r.matches(where)
		switch {
		case !ok:
		case r.method == method, r.method == "GET" && method == "HEAD":
			return r, names, nil
		case r.method == "GET":
			methods = append(methods, "GET", "HEAD")
		default:
			methods = append(methods, r.method)
		}
	}
	return nil, nil, methods
}

// isType tells whether a segment can be the type of an account, such as CUSTOMER: a word.
func isType(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' })
}

// matches holds a path against the pattern. A name in braces takes any one
// segment, but a type only a word.
func (r *route) matches(where place) (map[string]name, bool) {
	pattern := strings.FieldsFunc(r.pattern, func(c rune) bool { return c == '/' })
	if r.trees&where.tree == 0 || len(pattern) != len(where.segments) {
		return nil, false
	}
	names := map[string]name{}
	for i, want := range pattern {
		got := where.segments[i]
		switch {
		case want == "{type}" && !isType(got.text):
			return nil, false
		case strings.HasPrefix(want, "{"):
			names[strings.Trim(want, "{}")] = got
		case want != got.text:
			return nil, false
		}
	}
	return names, true
}

// named finds what a segment of a path names: by the name as it is written, or
// where there is none of it, with + read as a space.
func named[T any](n name, find func(string) (T, error)) (T, error) {
	found, err := find(n.text)
	if n.spaced == n.text || satellite.KindOf(err) != satellite.KindNotFound {
		return found, err
	}
	if other, otherErr := find(n.spaced); satellite.KindOf(otherErr) != satellite.KindNotFound {
		return other, otherErr
	}
	return found, err
}
