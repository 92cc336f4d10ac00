package adminapi

import (
	"context"

	"ssm/satellite"
)

// PrivacySwitches tell what is left out of everything that goes upstream: what
// is on.
type PrivacySwitches struct {
	Hostname   string `json:"hostname" enum:"on,off,inherit"`
	IPAddress  string `json:"ip_address" enum:"on,off,inherit"`
	MACAddress string `json:"mac_address" enum:"on,off,inherit"`
	Version    string `json:"version" enum:"on,off,inherit" doc:"Of software and hardware. Usage reports then stay at the satellite, which acknowledges them itself."`
}

// PrivacySettings are what is left out for an account, or by default.
type PrivacySettings struct {
	Account   string          `json:"account" doc:"Empty: the default of all accounts."`
	Set       PrivacySwitches `json:"set" doc:"What is on is left out; what inherits is as the default is, and without one sent."`
	Effective PrivacySwitches `json:"effective" doc:"On or off."`
}

func privacyOf(account string, p satellite.Privacy) PrivacySettings {
	words := func(s satellite.PrivacySettings) PrivacySwitches {
		return PrivacySwitches{string(s.Hostname), string(s.IPAddress), string(s.MACAddress), string(s.Version)}
	}
	return PrivacySettings{Account: account, Set: words(p.Own), Effective: words(p.Effective)}
}

func (a *api) getDefaultPrivacy(ctx context.Context, _ *struct{}) (*output[PrivacySettings], error) {
	p, err := a.service.Privacy(ctx, actor(ctx), 0)
	return answer(privacyOf("", p), err)
}

func (a *api) getPrivacy(ctx context.Context, in *AccountPath) (*output[PrivacySettings], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	p, err := a.service.Privacy(ctx, actor(ctx), account.ID)
	return answer(privacyOf(account.Name, p), err)
}

// PrivacyChange changes those switches that it names.
type PrivacyChange struct {
	Hostname   string `json:"hostname,omitempty" enum:"on,off,inherit"`
	IPAddress  string `json:"ip_address,omitempty" enum:"on,off,inherit"`
	MACAddress string `json:"mac_address,omitempty" enum:"on,off,inherit"`
	Version    string `json:"version,omitempty" enum:"on,off,inherit"`
}

func (c PrivacyChange) domain() satellite.PrivacySettings {
	return satellite.PrivacySettings{
		Hostname: satellite.PrivacySwitch(c.Hostname), IPAddress: satellite.PrivacySwitch(c.IPAddress),
		MACAddress: satellite.PrivacySwitch(c.MACAddress), Version: satellite.PrivacySwitch(c.Version),
	}
}

func (a *api) changeDefaultPrivacy(ctx context.Context, in *struct{ Body PrivacyChange }) (*output[PrivacySettings], error) {
	p, err := a.service.SetPrivacy(ctx, actor(ctx), 0, in.Body.domain())
	return answer(privacyOf("", p), err)
}

type changePrivacyInput struct {
	AccountPath
	Body PrivacyChange
}

func (a *api) changePrivacy(ctx context.Context, in *changePrivacyInput) (*output[PrivacySettings], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	p, err := a.service.SetPrivacy(ctx, actor(ctx), account.ID, in.Body.domain())
	return answer(privacyOf(account.Name, p), err)
}
