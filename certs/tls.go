package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	nameLimit    = 253 // characters of a DNS name
	namesLimit   = 500 // names in a server certificate
	addressLimit = 100 // interface addresses that LocalNames takes
	sessionLimit = 256 // servers whose sessions a client can resume
)

// curves are the key exchanges that both sides offer, X25519 first. The hybrid
// post-quantum ones are left out: they make each handshake larger and slower,
// and nothing that crosses here has to stay secret for decades.
var curves = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}

// ServerConfig is TLS 1.2 and later with the certificate of s. Sessions can be
// resumed: a full handshake costs more than the request that follows.
func ServerConfig(s *Server) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		CurvePreferences: curves,
		GetCertificate:   s.GetCertificate,
		Time:             s.now,
	}
}

// ClientConfig trusts those certificates of bundle that are not of licensing,
// and nothing else: not the machine's own roots either. The server's chain has
// to be good for server authentication; one in which any certificate carries
// LicensingUsage is refused with ErrChain, so that no licensing CA can pose as
// a server.
func ClientConfig(bundle []*x509.Certificate, now func() time.Time) *tls.Config {
	roots := x509.NewCertPool()
	for _, c := range bundle {
		if !IsLicensing(c) {
			roots.AddCert(c)
		}
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		CurvePreferences:   curves,
		RootCAs:            roots,
		Time:               now,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessionLimit),
		VerifyConnection:   refuseLicensing, // also called for resumed sessions
	}
}

func refuseLicensing(state tls.ConnectionState) error {
	for _, chain := range append([][]*x509.Certificate{state.PeerCertificates}, state.VerifiedChains...) {
		for _, c := range chain {
			if IsLicensing(c) {
				return fmt.Errorf("%w: the server %q shows the licensing certificate %q, which cannot vouch for a TLS server", ErrChain, state.ServerName, c.Subject.CommonName)
			}
		}
	}
	return nil
}

// names are what a server certificate is for, sorted, each once.
type names struct {
	dns []string
	ips []net.IP
}

var dnsName = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

func isDNSName(name string) bool {
	return len(name) <= nameLimit && dnsName.MatchString(name) &&
		!slices.ContainsFunc(strings.Split(name, "."), func(label string) bool { return len(label) > 63 })
}

// parseNames tells addresses from DNS names and refuses what is neither.
func parseNames(list []string) (names, error) {
	var n names
	list = tidyNames(list)
	if len(list) == 0 || len(list) > namesLimit {
		return n, fmt.Errorf("a TLS server certificate is for 1 to %d names, not %d; nothing was issued", namesLimit, len(list))
	}
	for _, name := range list {
		if ip, err := netip.ParseAddr(name); err == nil {
			n.ips = append(n.ips, ip.AsSlice())
		} else if isDNSName(name) {
			n.dns = append(n.dns, name)
		} else {
			return n, fmt.Errorf("%.80q is neither a DNS name nor an IP address, so no TLS certificate can be issued for it; correct it in the configuration (a name outside ASCII in its xn-- form)", name)
		}
	}
	return n, nil
}

// match reports whether the certificate is for these names and no other.
func (n names) match(c *x509.Certificate) bool {
	return slices.Equal(n.dns, c.DNSNames) && slices.EqualFunc(n.ips, c.IPAddresses, net.IP.Equal)
}

// tidyNames writes each name in one way, sorted, each once.
func tidyNames(list []string) []string {
	var tidy []string
	for _, name := range list {
		name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), ".")
		if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			name = ip.Unmap().WithZone("").String()
		}
		if name != "" {
			tidy = append(tidy, name)
		}
	}
	slices.Sort(tidy)
	return slices.Compact(tidy)
}

// LocalNames are the names under which this machine may be reached: those of
// the configuration, the host of the listen address (HOST:PORT), the host name,
// localhost, and the addresses of loopback and interfaces; sorted, each once.
// What the machine itself reports and no certificate can hold is left out; what
// is configured is kept, so that LoadServer can name the mistake.
func LocalNames(listen string, configured []string) []string {
	list := append(slices.Clone(configured), "localhost", "127.0.0.1", "::1")
	if host, _, err := net.SplitHostPort(listen); err == nil {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.IsUnspecified() {
			list = append(list, host)
		}
	}
	if host, err := os.Hostname(); err == nil && isDNSName(strings.ToLower(host)) {
		list = append(list, host)
	}
	addresses, _ := net.InterfaceAddrs() // without them the other names still serve
	taken := 0
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		// A link-local IPv6 address needs a zone, and no certificate can hold one.
		if !ok || network.IP.To4() == nil && network.IP.IsLinkLocalUnicast() || taken == addressLimit {
			continue
		}
		list = append(list, network.IP.String())
		taken++
	}
	return tidyNames(list)
}
