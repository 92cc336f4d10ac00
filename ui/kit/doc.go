// Package kit is the look of the web pages: vendored assets, design tokens,
// icons, page layouts and component templates. It knows no licensing, so the
// satellite's console and the upstream's portal share it.
//
// Three laws hold for everything here. A page asks no other host for anything.
// A page needs no inline script and no inline style, so the policy that
// [SecurityHeaders] sets allows neither. A page can be read, and every form in
// it sent, without JavaScript; kit.js only saves steps.
package kit

import "net/http"

// contentSecurityPolicy allows what a page of the kit needs and nothing else.
// Images may be data: because the form controls of the style sheet are drawn
// that way.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// SecurityHeaders sets on h the headers that every answer of a console
// carries: the strict Content-Security-Policy, no MIME sniffing, referrers
// only within the own origin (a form's answer may return to the page it was
// sent from), and no access to the browser's devices except writing the
// clipboard for copy buttons.
func SecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "accelerometer=(), camera=(), clipboard-read=(), clipboard-write=(self), "+
		"display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), "+
		"payment=(), usb=()")
}
