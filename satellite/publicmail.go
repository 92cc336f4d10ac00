package satellite

import (
	_ "embed" // for the list
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// publicMailList is kept by others and fetched by a script: see publicmail/fetch.sh.
//
//go:generate ./publicmail/fetch.sh
//go:embed publicmail/domains.txt
var publicMailList string

var publicMailDomains = sync.OnceValue(func() map[string]bool {
	domains := make(map[string]bool, strings.Count(publicMailList, "\n"))
	for line := range strings.Lines(publicMailList) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			domains[line] = true
		}
	}
	return domains
})

// publicMail tells whether a mail domain, or a domain above it, belongs to a
// provider where anybody gets an address. A listed domain below which a
// registry sells names (net.ua) says nothing about those names.
func publicMail(domain string) bool {
	listed := publicMailDomains()
	for d := domain; d != ""; _, d, _ = strings.Cut(d, ".") {
		if !listed[d] {
			continue
		}
		if suffix, registry := publicsuffix.PublicSuffix(d); d == domain || !registry || suffix != d {
			return true
		}
	}
	return false
}

// mailDomain is the domain of an e-mail address, in small letters.
func mailDomain(email string) string {
	return strings.TrimSuffix(strings.ToLower(email[strings.LastIndexByte(email, '@')+1:]), ".")
}
