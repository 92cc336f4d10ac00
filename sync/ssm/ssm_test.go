package ssm

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestProcessesThatStartAtOnceShareOneRoot(t *testing.T) {
	t.Parallel()
	c := newClock()
	dir := filepath.Join(t.TempDir(), "data ? with %41 signs")
	var wait sync.WaitGroup
	opened := make([]*Upstream, 4)
	errs := make([]error, len(opened))
	for i := range opened {
		wait.Go(func() { opened[i], errs[i] = Open(t.Context(), dir, "", c.now) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, u := range opened {
		t.Cleanup(func() { u.Close() })
		if u.Root() != opened[0].Root() {
			t.Error("two processes made two roots")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "ssm.db")); err != nil {
		t.Error(err)
	}
}

func TestTwoProcessesOrderAtOnceAndNoOrderIsLost(t *testing.T) {
	t.Parallel()
	c := newClock()
	serve := openUpstream(t, c)
	command, err := Open(t.Context(), serve.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer command.Close()
	var wait sync.WaitGroup
	for _, u := range []*Upstream{serve, command} {
		for range 4 {
			wait.Go(func() {
				for range 10 {
					if _, err := u.AddLicense(t.Context(), Order{VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wait.Wait()
	licenses, err := serve.Licenses(t.Context(), "")
	if err != nil || licenses[0].Quantity != 80 || len(licenses[0].Lots) != 80 {
		t.Errorf("after 80 orders: %+v, %v", licenses, err)
	}
}

func TestAFolderOfWhichAPartIsMissingIsNeverMadeAnew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root.pem", "issuing.pem", "issuing.key", "key"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			u := openUpstream(t, c)
			path := filepath.Join(u.dir, name)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			again, err := Open(t.Context(), u.dir, "", c.now)
			if err == nil {
				again.Close()
				t.Fatal("the folder was opened")
			}
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name the file: %v", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s was made anew", name)
			}
		})
	}
}

func TestTheRootKeyMayBeTakenAwayAndTheOthersAreSealed(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	if err := os.Remove(filepath.Join(u.dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, name := range []string{"issuing.key", "signer.key"} {
		text, err := os.ReadFile(filepath.Join(u.dir, name))
		if err != nil || !strings.Contains(string(text), "SEALED") {
			t.Errorf("%s is not sealed: %v", name, err)
		}
	}
}

func TestAccountsAreLimitedOrStandard(t *testing.T) {
	t.Parallel()
	u := openUpstream(t, newClock())
	limited, err := u.CreateAccount(t.Context(), "Bäcker", "b@mail.example", Limited)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[a-z0-9]{6}\.smb$`).MatchString(limited.Domain) || limited.Type != Limited {
		t.Errorf("the limited account is %+v", limited)
	}
	for _, bad := range []struct{ name, email string }{
		{"EXAMPLE gmbh", "a@example.com"}, {"", "a@example.com"}, {"a\nb", "a@example.com"},
		{strings.Repeat("x", 256), "a@example.com"}, {"A", ""}, {"A", "nobody"}, {"A", "Anna <a@example.com>"},
	} {
		if _, err := u.CreateAccount(t.Context(), bad.name, bad.email, Standard); !errors.Is(err, ErrRefused) {
			t.Errorf("the account %q of %q: %v", bad.name, bad.email, err)
		}
	}
	accounts, err := u.Accounts(t.Context())
	if err != nil || len(accounts) != 2 || accounts[1].Domain != "example.com" || accounts[1].Status != "active" {
		t.Errorf("the accounts are %+v, %v", accounts, err)
	}
	if _, err := u.Licenses(t.Context(), ""); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--account") {
		t.Errorf("with two accounts none was named: %v", err)
	}
}

func TestLotsCountFromTheirStartToTheirEnd(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	end := c.now().Add(10 * day)
	for _, order := range []Order{
		{Tag: "t", Name: "Old name", Quantity: 1},
		{Tag: "t", Name: "T", Quantity: 10, End: &end},
		{Tag: "t", Name: "T", Quantity: 100, Start: c.now().Add(5 * day)},
	} {
		order.VirtualAccount = "V"
		if _, err := u.AddLicense(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	p := register(t, u, c, "s1", "V")
	for _, step := range []struct {
		after    time.Duration
		quantity int64
		lots     int
	}{{0, 11, 3}, {5 * day, 111, 3}, {5*day - time.Second, 111, 3}, {time.Second, 101, 2}} {
		c.advance(step.after)
		licenses, err := u.Licenses(t.Context(), "")
		if err != nil || licenses[0].Quantity != step.quantity || licenses[0].Type != Mixed || licenses[0].Name != "T" {
			t.Errorf("on %s: %+v, %v, want %d", c.now(), licenses, err, step.quantity)
		}
		if r := p.apply(answer(t, u, p.request("standard")).Body); len(r.lots) != step.lots {
			t.Errorf("on %s the response tells %d lots, want %d", c.now(), len(r.lots), step.lots)
		}
	}
}

func TestAnOrderThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	before, end := c.now().Add(-day), c.now().Add(day)
	for name, order := range map[string]Order{
		"no quantity":              {VirtualAccount: "V", Tag: "t", Name: "T"},
		"too many":                 {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1<<31 + 1},
		"no tag":                   {VirtualAccount: "V", Name: "T", Quantity: 1},
		"no name":                  {VirtualAccount: "V", Tag: "t", Quantity: 1},
		"no virtual account":       {Tag: "t", Name: "T", Quantity: 1},
		"unknown account":          {Account: "X", VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1},
		"unknown type":             {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, Type: "rent"},
		"subscription without end": {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, Type: Subscription},
		"perpetual with end":       {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, Type: Perpetual, End: &end},
		"evaluation without end":   {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, Type: Evaluation},
		"order in two lines":       {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, Number: "a\nb"},
		"long subscription id":     {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, SubscriptionID: strings.Repeat("x", 256)},
		"end before start":         {VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 1, End: &before},
	} {
		if _, err := u.AddLicense(t.Context(), order); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if accounts, err := u.Accounts(t.Context()); err != nil || len(accounts[0].VirtualAccounts) != 0 {
		t.Errorf("a refused order left something behind: %+v, %v", accounts, err)
	}
}
