package ssm

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"gorm.io/gorm"

	"ssm/certs"
	"ssm/satellite/wire"
)

// defaultVirtualAccount is where a satellite settles that names none.
const defaultVirtualAccount = "Satellite"

// checkNames bounds what is kept of the names in a request.
func checkNames(m wire.Manifest) error {
	if len(m.SatelliteID) > maxName || len(m.Account.ID) > maxName {
		return refuse("the satellite or its account has an id of more than %d bytes; nothing was changed", maxName)
	}
	if accepted := m.Request.AgreementAccepted; accepted != "" {
		if _, err := checkText("the accepted version of the agreement", accepted, maxAgreementVersion); err != nil {
			return err
		}
	}
	if err := checkUpgrade(m.Request.Upgrade); err != nil {
		return err
	}
	_, err := checkName("the name of the satellite's account", m.Account.Name)
	return err
}

// authenticate asks whether the signer may speak for this account: he holds a
// certificate of the account's sub CA, which is known by its key. Names alone
// are not enough, since every satellite chooses its own.
func (e *exchange) authenticate(known bool) error {
	m := e.request.Manifest
	if !known {
		return refuse("satellite %.80q has not registered its account %.80q here; nothing was changed: let it write a registration file",
			m.SatelliteID, m.Account.Name)
	}
	chain, err := parseChain(e.request.Signer)
	if err != nil {
		return err
	}
	foreign := func(format string, args ...any) error {
		return fmt.Errorf("%w: the request of satellite %.80q %s; nothing was changed", certs.ErrChain, m.SatelliteID, fmt.Sprintf(format, args...))
	}
	switch {
	case len(chain) < 2 || chain[0].CheckSignatureFrom(chain[1]) != nil:
		return foreign("does not hold the certificate of its account beside the signer's")
	case !bytes.Equal(chain[1].RawSubjectPublicKeyInfo, e.satellite.PublicKey):
		return foreign("is signed under another key than the account %.80q is registered with: it is from another satellite, or from before the account was registered anew on %s",
			m.Account.Name, e.satellite.RegisteredAt.Format("2006-01-02"))
	case chain[0].Subject.CommonName != m.SatelliteID:
		return foreign("is signed by %.80q", chain[0].Subject.CommonName)
	}
	return nil
}

// register binds the satellite to an account and a virtual account, or gives
// one that is bound a sub CA for its new key.
func (e *exchange) register(known bool) error {
	m := e.request.Manifest
	if known {
		if err := e.keepsBinding(); err != nil {
			return err
		}
	} else if err := e.bind(); err != nil {
		return err
	}
	if err := e.issue(); err != nil {
		return err
	}
	if err := e.useCode(); err != nil {
		return err
	}
	e.result.Registered = true
	e.satellite.RegisteredAt = e.now
	if known {
		return nil // respond writes it
	}
	e.satellite.SatelliteID, e.satellite.LocalAccountID, e.satellite.LocalAccount = m.SatelliteID, m.Account.ID, m.Account.Name
	e.satellite.VirtualAccountID = e.virtual.ID
	return e.tx.Create(&e.satellite).Error
}

// keepsBinding refuses to move a bound satellite to another virtual account.
func (e *exchange) keepsBinding() error {
	named := func(option, bound string) bool { return option == "" || sameName(e.tx, option, bound) }
	if named(e.options.Account, e.account.Name) && named(e.options.VirtualAccount, e.virtual.Name) {
		return nil
	}
	instead := "leave --account and --virtual-account out"
	if e.code != nil {
		instead = "use a registration code that is made for them"
	}
	return refuse("the account %.80q of satellite %.80q is bound to %q / %q and stays there; nothing was changed: %s",
		e.request.Manifest.Account.Name, e.request.Manifest.SatelliteID, e.account.Name, e.virtual.Name, instead)
}

// sameName compares as the database does.
func sameName(tx *gorm.DB, a, b string) bool {
	var same bool
	return tx.Raw("SELECT ? = ? COLLATE NOCASE", a, b).Scan(&same).Error == nil && same
}

// bind finds the account and a virtual account that no other satellite has.
func (e *exchange) bind() (err error) {
	m := e.request.Manifest
	account, virtual := e.options.Account, e.options.VirtualAccount
	if account == "" {
		account = m.Account.SmartAccount
	}
	if account == "" {
		account = m.Account.Name
	}
	if virtual == "" {
		virtual = m.Account.VirtualAccount
	}
	if virtual == "" {
		virtual = defaultVirtualAccount
	}
	if e.account, err = findAccount(e.tx, account); err != nil {
		return err
	}
	if e.virtual, err = virtualAccount(e.tx, e.account, virtual, e.now); err != nil {
		return err
	}
	var others []satelliteRow
	if err := e.tx.Where("virtual_account_id = ?", e.virtual.ID).Limit(1).Find(&others).Error; err != nil {
		return err
	}
	if len(others) > 0 {
		return refuse("the virtual account %q of %q belongs to account %.80q of satellite %.80q, and two never share one; nothing was changed: name another one with --virtual-account",
			e.virtual.Name, e.account.Name, others[0].LocalAccount, others[0].SatelliteID)
	}
	return nil
}

// renew gives a satellite a new sub CA that asks for one past half of the life
// of its own. The key stays: another one takes a registration.
func (e *exchange) renew() error {
	request := e.request.Manifest.Request.CertificateRequest
	if len(request) == 0 {
		return nil
	}
	subCA, err := x509.ParseCertificate(e.satellite.SubCA)
	if err != nil {
		return err
	}
	if e.now.Before(halfLife(subCA)) {
		return nil
	}
	own, err := e.sameKey()
	if err != nil {
		return err
	}
	if !own {
		return refuse("the request asks to renew the certificate of the account under another key; nothing was changed: let the satellite write a registration file")
	}
	return e.issue()
}

// renewOld renews the sub CA for a registration that is not kept because it is
// from before the last request: a satellite that was restored from then comes
// back by it. Under another key it is a file that was replaced long ago.
func (e *exchange) renewOld() error {
	own, err := e.sameKey()
	if err != nil {
		return err
	}
	if !own {
		return refuse("this registration file of account %.80q is from before the account was registered anew on %s; nothing was changed: use the newest one",
			e.request.Manifest.Account.Name, e.satellite.RegisteredAt.Format("2006-01-02"))
	}
	return e.renew()
}

// sameKey tells whether the request's certificate request is for the key that
// the account is registered with.
func (e *exchange) sameKey() (bool, error) {
	parsed, err := certs.ParseRequest(e.request.Manifest.Request.CertificateRequest)
	if err != nil {
		return false, err
	}
	return bytes.Equal(parsed.RawSubjectPublicKeyInfo, e.satellite.PublicKey), nil
}

// issue makes the sub CA that the request asks for.
func (e *exchange) issue() error {
	m := e.request.Manifest
	subCA, err := e.keys.issuing.IssueSubCA(m.Request.CertificateRequest, m.Account.ID, m.Account.Name, e.now)
	if err != nil {
		return err
	}
	e.satellite.SubCA, e.satellite.PublicKey = subCA.Raw, subCA.RawSubjectPublicKeyInfo
	return nil
}
