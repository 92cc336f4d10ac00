package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/sync/offline"
	"ssm/sync/ssm"
)

// story is what the demo tells: each step does something with real parts and
// fails where the outcome is not what it says.
type story struct {
	out       io.Writer
	folder    string
	now       func() time.Time
	service   *satellite.Service
	bundle    *bundle
	addresses ready

	upstream *ssm.Upstream
	account  satellite.Account
	token    string
	step     int
}

const (
	demoCompany = "Kanda Networks"
	demoTag     = "regid.2026-01.com.example.NETWORK_ADVANTAGE,1.0_6f3a1d0e-9b1c-4c57-8a37-2b5d0c9e4a11"
	demoName    = "Network Advantage"
	demoBought  = 3
)

func demoActor() satellite.Actor {
	return satellite.Actor{Name: fmt.Sprintf("local:%d", os.Getuid()), Role: satellite.RoleSystemAdmin, Source: "local"}
}

func (s *story) tell(ctx context.Context) error {
	fmt.Fprintf(s.out, "A satellite and its upstream, in %s\n", s.folder)
	for _, chapter := range []func(context.Context) error{
		s.order, s.registerAccount, s.createToken, s.useLicenses, s.importUsage, s.settle, s.audit,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return s.upstream.Close()
}

func (s *story) chapter(title string) {
	s.step++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.step, title)
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

// expect ends the story where something is not as told.
func expect(what string, got, want any) error {
	if got != want {
		return fmt.Errorf("%s is %v, it must be %v", what, got, want)
	}
	return nil
}

func (s *story) order(ctx context.Context) (err error) {
	s.chapter("At the vendor: a smart account, and an order")
	if s.upstream, err = ssm.Open(ctx, filepath.Join(s.folder, "upstream"), "", s.now); err != nil {
		return err
	}
	if _, err := s.upstream.CreateAccount(ctx, demoCompany, "admin@kanda.example", ssm.Standard); err != nil {
		return err
	}
	for _, o := range []ssm.Order{
		{Account: demoCompany, VirtualAccount: "Satellite", Tag: demoTag, Name: demoName, Quantity: demoBought},
		{Account: demoCompany, VirtualAccount: "Satellite", Tag: "regid.2018-06.com.cisco.DNA_NWStack,1.0_e7244e71-3ad5-4608-8bf0-d12f67c80896", Name: "Wireless Network Stack", Quantity: 5},
	} {
		if _, err := s.upstream.AddLicense(ctx, o); err != nil {
			return err
		}
		s.say("ordered %d of %s", o.Quantity, o.Name)
	}
	return nil
}

func (s *story) registerAccount(ctx context.Context) (err error) {
	s.chapter("In the closed network: the account is registered by file")
	if s.account, err = s.service.CreateAccount(ctx, demoActor(), satellite.NewAccount{Name: demoCompany, Email: "admin@kanda.example"}); err != nil {
		return err
	}
	s.say("account %q was created on satellite %s", s.account.Name, s.service.ID())
	root := filepath.Join(s.folder, "usb", "root.pem")
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		return err
	}
	if _, err := s.upstream.WriteRoot(root); err != nil {
		return err
	}
	pem, err := os.ReadFile(root)
	if err != nil {
		return err
	}
	roots, err := s.service.TrustRoots(ctx, demoActor(), pem)
	if err != nil {
		return err
	}
	if err := s.bundle.refresh(ctx); err != nil {
		return err
	}
	s.say("the licensing root is trusted: %s…", roots[0].Fingerprint[:23])
	result, err := s.exchange(ctx)
	if err != nil {
		return err
	}
	s.say("the upstream vouches for the account; %d lots arrived; settle again by %s", result.Lots, result.Deadline.Format("2 Jan 2006"))
	return expect("the number of lots", result.Lots, 2)
}

func (s *story) exchange(ctx context.Context) (satellite.SyncResult, error) {
	row, result, err := exchange(ctx, s.service, s.upstream, s.account.ID, filepath.Join(s.folder, "usb"))
	if err == nil {
		s.say("request %d (%s, %d records) -> USB stick -> upstream", row.Sequence, row.Scope, row.Records)
		s.say("response %d -> USB stick -> satellite: applied", result.Sequence)
	}
	return result, err
}

// exchange carries a request up and its response down, by files in a folder.
func exchange(ctx context.Context, service *satellite.Service, upstream *ssm.Upstream, account satellite.AccountID, usb string) (row satellite.SyncRequestRow, result satellite.SyncResult, err error) {
	request, response := filepath.Join(usb, "request.ssmreq"), filepath.Join(usb, "response.ssmres")
	err = offline.WriteFile(request, func(w io.Writer) error {
		row, err = service.WriteSyncRequest(ctx, demoActor(), account, false, w)
		return err
	})
	if err != nil {
		return row, result, err
	}
	if _, err := upstream.AnswerFile(ctx, request, response, ssm.AnswerOptions{}); err != nil {
		return row, result, err
	}
	file, size, err := offline.Open(response)
	if err != nil {
		return row, result, err
	}
	defer func() { _ = file.Close() }()
	result, err = service.ApplySyncResponse(ctx, demoActor(), file, size, satellite.SyncOptions{})
	return row, result, err
}

func (s *story) createToken(ctx context.Context) error {
	s.chapter("A registration token")
	agreement, err := s.service.Agreement(ctx, demoActor(), s.account.ID)
	if err != nil {
		return err
	}
	version := agreement.Current.Version
	_, text, err := s.service.CreateToken(ctx, demoActor(), satellite.NewToken{AccountID: s.account.ID, Description: "Roll-out", AcceptAgreement: version})
	if err != nil {
		return err
	}
	s.say("version %s of the licensing agreement, which the upstream sent, was accepted by creating it", version)
	s.token = text
	s.say("%s…  (%d characters, 365 days, any number of uses)", text[:24], len(text))
	return nil
}

func (s *story) useLicenses(ctx context.Context) error {
	s.chapter("Four devices register over TLS, get certificates, and ask for a license each")
	for n := 1; n <= demoBought+1; n++ {
		state, err := s.device(ctx, n)
		if err != nil {
			return fmt.Errorf("device %d: %w", n, err)
		}
		want := "authorized"
		if n > demoBought {
			want = "out of compliance"
		}
		s.say("%-8s  PIID %s  %s", state.Identity.Hostname, state.PIID, state.AuthorizationState)
		if err := expect("the state of device "+state.Identity.Hostname, state.AuthorizationState, want); err != nil {
			return err
		}
	}
	s.say("the fourth keeps working, and is told that the pool is empty: %d bought, %d in use", demoBought, demoBought+1)
	return nil
}

func (s *story) device(ctx context.Context, n int) (agent.State, error) {
	device, err := agent.Open(agent.Options{
		Folder: filepath.Join(s.folder, "devices", fmt.Sprint(n)), Now: s.now, URL: s.addresses.DeviceURL, Bundle: s.bundle.read(),
		Identity: agent.Identity{UDIPID: "EX-8500", UDISerialNumber: fmt.Sprintf("KND26%04d", n), Hostname: fmt.Sprintf("edge-r%02d", n)},
	})
	if err != nil {
		return agent.State{}, err
	}
	defer func() { _ = device.Close() }()
	if err := device.Register(ctx, s.token, false); err != nil {
		return agent.State{}, err
	}
	if err := device.Request(ctx, demoTag, 1); err != nil {
		return agent.State{}, err
	}
	return device.State(), nil
}

func (s *story) importUsage(ctx context.Context) error {
	s.chapter("A usage file that a real device wrote")
	first, err := s.service.ImportUsage(ctx, demoActor(), s.account.ID, realReport)
	if err != nil {
		return err
	}
	again, err := s.service.ImportUsage(ctx, demoActor(), s.account.ID, realReport)
	if err != nil {
		return err
	}
	reports, err := s.service.Reports(ctx, demoActor(), s.account.ID, satellite.Page{})
	if err != nil {
		return err
	}
	if len(reports) != 1 || !bytes.Contains(realReport, reports[0].Raw) {
		return fmt.Errorf("%d reports are kept, or not byte for byte", len(reports))
	}
	s.say("serial %s reports a count of %d, kept byte for byte", reports[0].Key.UDISerialNumber, reports[0].Count)
	s.say("imported a second time: known, counted once")
	return expect("the import", [3]int{first.Counted, again.Known, int(reports[0].Count)}, [3]int{1, 1, 3})
}

func (s *story) settle(ctx context.Context) error {
	s.chapter("One more exchange by file settles all of it")
	result, err := s.exchange(ctx)
	if err != nil {
		return err
	}
	if err := expect("the number of acknowledged reports", result.Acknowledgement, 1); err != nil {
		return err
	}
	above, err := s.upstream.Licenses(ctx, demoCompany)
	if err != nil {
		return err
	}
	here, err := s.service.Licenses(ctx, demoActor(), satellite.PoolFilter{AccountID: s.account.ID})
	if err != nil {
		return err
	}
	inUse := map[string]int64{}
	for _, license := range above {
		inUse[license.Tag] = license.InUse
	}
	s.say("%-24s %10s %10s %10s %10s", "License", "Purchased", "In use", "Balance", "Upstream")
	for _, row := range here {
		s.say("%-24s %10d %10d %10d %10d", row.License.Name, row.Purchased, row.InUse, row.Balance(), inUse[row.License.Tag])
		if err := expect("what the upstream sees of "+row.License.Name, inUse[row.License.Tag], row.InUse); err != nil {
			return err
		}
	}
	if err := expect("the number of licenses upstream", len(above), len(here)); err != nil {
		return err
	}
	s.say("the upstream's numbers equal the satellite's")
	return nil
}

func (s *story) audit(ctx context.Context) error {
	s.chapter("The books")
	result, err := s.service.VerifyEvents(ctx)
	if err != nil {
		return err
	}
	if result.Problem != "" {
		return fmt.Errorf("the books do not balance: %s", result.Problem)
	}
	s.say("%d events form one unbroken chain; every counter equals a recount", result.Events)
	return nil
}
