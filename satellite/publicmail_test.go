package satellite

import "testing"

func TestPublicMailKnowsProvidersAndWhatIsBelowThem(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]bool{
		"gmail.com": true, "mail.gmail.com": true, "outlook.com": true, "yahoo.co.jp": true, "qq.com": true,
		"plant.example": false, "notgmail.com": false, "com": false, "": false, "gmail.com.plant.example": false,
		// net.ua is on the list, and a registry sells names below it.
		"net.ua": true, "company.net.ua": false,
		// Below these anybody gets a host.
		"somebody.dyndns.org": true,
	} {
		if got := publicMail(domain); got != want {
			t.Errorf("%q: %v, want %v", domain, got, want)
		}
	}
	if n := len(publicMailDomains()); n < 10_000 {
		t.Errorf("the list has only %d domains", n)
	}
	for email, want := range map[string]string{"a@GMail.COM": "gmail.com", "a@gmail.com.": "gmail.com", "\"x@y\"@plant.example": "plant.example"} {
		if got := mailDomain(email); got != want {
			t.Errorf("the domain of %s is %q, want %q", email, got, want)
		}
	}
}
