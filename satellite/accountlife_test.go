package satellite_test

import (
	"regexp"
	"strings"
	"testing"

	"ssm/satellite"
)

// codeIn finds the approval code in the newest mail to somebody.
func (w *world) codeIn(recipient string) string {
	w.Helper()
	code := regexp.MustCompile(`Approval code: ([a-z2-9-]+)`).FindStringSubmatch(w.mailTo(recipient))
	if code == nil {
		w.Fatalf("no code was mailed to %s", recipient)
	}
	return code[1]
}

// mailTo is the text of the newest mail to somebody.
func (w *world) mailTo(recipient string) string {
	w.Helper()
	mails, err := w.service.Mails(w.ctx, admin, satellite.Page{})
	w.must(err)
	for _, mail := range mails {
		if mail.Recipient == recipient {
			_, body, err := w.service.Mail(w.ctx, admin, mail.ID)
			w.must(err)
			return mail.Subject + "\n" + body
		}
	}
	w.Fatalf("there is no mail to %s", recipient)
	return ""
}

// wrong is a code that differs from a right one in its last character.
func wrong(code string) string {
	if strings.HasSuffix(code, "a") {
		return code[:len(code)-1] + "b"
	}
	return code[:len(code)-1] + "a"
}

func TestTheMailDomainDecidesWhichAccountCanBeMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unchanged("an account that does not go with its address", func() {
		for _, email := range []string{"owner@gmail.com", "owner@GMAIL.com", "owner@sub.gmail.com"} {
			_, err := w.service.CreateAccount(w.ctx, admin, satellite.NewAccount{Name: "Small", Email: email})
			refused(t, err, satellite.KindConflict, "public-email", "gmail.com", "--limited", "Nothing was created")
		}
		_, err := w.service.CreateAccount(w.ctx, admin, satellite.NewAccount{Name: "Small", Email: "owner@small.example", Limited: true})
		refused(t, err, satellite.KindConflict, "company-email", "small.example", "standard account", "Nothing was created")
		for _, bad := range []satellite.NewAccount{{Headquarters: strings.Repeat("x", 501)}, {RequesterName: strings.Repeat("x", 256)}, {RequesterName: "a\nb\x00"}} {
			bad.Name, bad.Email = "Small", "owner@small.example"
			_, err := w.service.CreateAccount(w.ctx, admin, bad)
			refused(t, err, satellite.KindInvalid, "account-property-invalid")
		}
	})
	full := strings.Repeat("本", 500)
	a := w.newAccount(satellite.NewAccount{Name: "Small", Email: "owner@gmail.com", Limited: true, Headquarters: full, RequesterName: "Ada"})
	found, err := w.service.FindAccount(w.ctx, admin, "small")
	if err != nil || found != a || a.Headquarters != full || a.Creator != admin.Name || !a.Searchable || a.Locked || a.RequesterName != "Ada" {
		t.Errorf("the account is %+v (%v)", found, err)
	}
}

func TestANomineeApprovesWithTheCodeFromTheMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newAccount(satellite.NewAccount{Name: "Works", Email: "clerk@works.example", Nominee: "boss@works.example"})
	if a.Status != satellite.AccountPending || !a.ActivatedAt.IsZero() {
		t.Fatalf("the account is %+v", a)
	}
	code := w.codeIn("boss@works.example")
	if strings.Contains(w.dump(), code) {
		t.Error("the code is readable in the database")
	}
	w.unchanged("what a pending account may not", func() {
		_, _, err := w.service.CreateToken(w.ctx, admin, satellite.NewToken{AccountID: a.ID})
		refused(t, err, satellite.KindConflict, "account-pending", "No token was created", "satellite account approve")
		_, err = w.service.WriteSyncRequest(w.ctx, admin, a.ID, false, new(strings.Builder))
		refused(t, err, satellite.KindConflict, "account-pending", "No request was made")
		_, err = w.service.ActivateAccount(w.ctx, admin, a.ID)
		refused(t, err, satellite.KindConflict, "account-pending")
		_, err = w.service.ApproveAccount(w.ctx, satellite.Actor{}, "Works", code)
		refused(t, err, satellite.KindUnauthenticated, "not-signed-in")
		_, err = w.service.ApproveAccount(w.ctx, admin, "Nowhere", code)
		refused(t, err, satellite.KindForbidden, "approval-code-wrong")
		_, err = w.service.ApproveAccount(w.ctx, admin, "Plant", code)
		refused(t, err, satellite.KindForbidden, "approval-code-wrong")
	})
	// The code is the authority: it takes no role. It may be typed as people do.
	boss := satellite.Actor{Name: "boss@works.example", Role: satellite.RoleSystemUser}
	approved, err := w.service.ApproveAccount(w.ctx, boss, "works", strings.ToUpper(strings.ReplaceAll(code, "-", " ")))
	if err != nil || approved.Status != satellite.AccountActive || approved.ActivatedAt != w.service.Now() {
		t.Fatalf("the account is %+v (%v)", approved, err)
	}
	_, err = w.service.ApproveAccount(w.ctx, boss, "works", code)
	refused(t, err, satellite.KindForbidden, "approval-code-wrong")
	_, err = w.service.NominateApprover(w.ctx, admin, a.ID, "")
	refused(t, err, satellite.KindConflict, "account-approved")
	w.token(satellite.NewToken{AccountID: a.ID})
	w.audit()
}

func TestFiveWrongCodesEndACode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newAccount(satellite.NewAccount{Name: "Works", Email: "clerk@works.example", Nominee: "boss@works.example"})
	code := w.codeIn("boss@works.example")
	for n, words := range []string{"1 of 5", "2 of 5", "3 of 5", "4 of 5", "5 of 5"} {
		_, err := w.service.ApproveAccount(w.ctx, admin, "Works", wrong(code))
		refused(t, err, satellite.KindForbidden, "approval-code-wrong", words)
		if (n == 4) != strings.Contains(err.Error(), "satellite account nominate") {
			t.Errorf("try %d: %v", n+1, err)
		}
	}
	_, err := w.service.ApproveAccount(w.ctx, admin, "Works", code)
	refused(t, err, satellite.KindForbidden, "approval-code-wrong", "5 of 5")
	// A stranger learns nothing of the account by trying.
	stranger := satellite.Actor{Name: "x", Role: satellite.RoleSystemUser}
	_, there := w.service.ApproveAccount(w.ctx, stranger, "Works", "x")
	_, nowhere := w.service.ApproveAccount(w.ctx, stranger, "Workz", "x")
	if there == nil || nowhere == nil || strings.ReplaceAll(there.Error(), "Works", "Workz") != nowhere.Error() {
		t.Errorf("he is told %v, and where there is no account %v", there, nowhere)
	}
	// A new code to somebody else; the one before has ended for good.
	_, err = w.service.NominateApprover(w.ctx, admin, a.ID, "owner@works.example")
	w.must(err)
	_, err = w.service.ApproveAccount(w.ctx, admin, "Works", code)
	refused(t, err, satellite.KindForbidden, "approval-code-wrong", "1 of 5")
	_, err = w.service.ApproveAccount(w.ctx, admin, "Works", w.codeIn("owner@works.example"))
	w.must(err)
	w.audit()
}

func TestADeclinedAccountCanBeDeletedOrAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newAccount(satellite.NewAccount{Name: "Works", Email: "clerk@works.example", Nominee: "boss@works.example"})
	code := w.codeIn("boss@works.example")
	_, err := w.service.DeclineAccount(w.ctx, admin, "Works", code, " ")
	refused(t, err, satellite.KindInvalid, "reason-invalid")
	declined, err := w.service.DeclineAccount(w.ctx, admin, "Works", code, "We have one already.")
	if err != nil || declined.Status != satellite.AccountInactive || !strings.Contains(declined.InactiveReason, "We have one already.") {
		t.Fatalf("the account is %+v (%v)", declined, err)
	}
	if mail := w.mailTo("clerk@works.example"); !strings.Contains(mail, "declined") || !strings.Contains(mail, "We have one already.") {
		t.Errorf("the requester was told %q", mail)
	}
	_, err = w.service.ApproveAccount(w.ctx, admin, "Works", code)
	refused(t, err, satellite.KindForbidden, "approval-code-wrong")
	_, err = w.service.ActivateAccount(w.ctx, admin, a.ID)
	refused(t, err, satellite.KindConflict, "account-pending", "nominate")
	_, err = w.service.NominateApprover(w.ctx, admin, a.ID, "")
	w.must(err)
	_, err = w.service.DeactivateAccount(w.ctx, admin, a.ID, "Withdrawn.") // while it waits: the code ends with that
	w.must(err)
	_, err = w.service.ApproveAccount(w.ctx, admin, "Works", w.codeIn("boss@works.example"))
	refused(t, err, satellite.KindForbidden, "approval-code-wrong")
	_, err = w.service.NominateApprover(w.ctx, admin, a.ID, "")
	w.must(err)
	_, err = w.service.ApproveAccount(w.ctx, admin, "Works", w.codeIn("boss@works.example"))
	w.must(err)
	_, err = w.service.DeactivateAccount(w.ctx, admin, a.ID, "Not needed.")
	w.must(err)
	w.must(w.service.DeleteAccount(w.ctx, admin, a.ID))
	w.audit()
}

func TestAnAccountEndsInTheDocumentedOrder(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "A", quantity: 1, start: begin.Add(-day)})
	id := w.account.ID
	token, text := w.token(satellite.NewToken{})
	d := w.device("1").register(text)
	d.ok(d.authorization("A", 3)) // opens the alert of a shortage
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, id, "Lab", "")
	w.must(err)
	w.must(w.service.SetCustomTag(w.ctx, admin, satellite.CustomTagsOf{AccountID: id, License: "A"}, satellite.CustomTag{Key: "cost center", Values: []string{"7"}}))

	w.unchanged("what is out of order", func() {
		refused(t, w.service.DeleteAccount(w.ctx, admin, id), satellite.KindConflict, "account-not-inactive", "is active", "deactivate")
		_, err := w.service.DeactivateAccount(w.ctx, admin, id, "")
		refused(t, err, satellite.KindInvalid, "reason-invalid", "--reason")
		_, err = w.service.DeactivateAccount(w.ctx, admin, id, strings.Repeat("x", 1001))
		refused(t, err, satellite.KindInvalid, "reason-invalid", "1000")
		_, err = w.service.ActivateAccount(w.ctx, admin, id)
		refused(t, err, satellite.KindConflict, "account-active")
	})
	inactive, err := w.service.DeactivateAccount(w.ctx, admin, id, "The plant is closed.")
	if err != nil || inactive.Status != satellite.AccountInactive {
		t.Fatalf("the account is %+v (%v)", inactive, err)
	}
	if mail := w.mailTo("admin@plant.example"); !strings.Contains(mail, "The plant is closed.") {
		t.Errorf("the requester was told %q", mail)
	}
	// Devices go on being answered, and synchronization goes on; nothing new comes in.
	d.ok(d.authorization("A", 2))
	d.adopt(d.ok(d.renewal()))
	w.sync(w.account, false)
	other := w.device("2")
	other.refused(other.registration(text, false), "account-inactive", "The plant is closed.", "not registered")
	w.unchanged("what an inactive account may not", func() {
		_, _, err := w.service.CreateToken(w.ctx, admin, satellite.NewToken{AccountID: id})
		refused(t, err, satellite.KindConflict, "account-inactive", "No token was created", "activate")
		_, err = w.service.DeactivateAccount(w.ctx, admin, id, "Again.")
		refused(t, err, satellite.KindConflict, "account-inactive")
		refused(t, w.service.DeleteAccount(w.ctx, admin, id), satellite.KindConflict, "account-not-empty", "1 devices", "Remove them first")
	})
	// Back, and away again.
	active, err := w.service.ActivateAccount(w.ctx, admin, id)
	if err != nil || active.Status != satellite.AccountActive || active.InactiveReason != "" {
		t.Fatalf("the account is %+v (%v)", active, err)
	}
	other.register(text)
	_, err = w.service.DeactivateAccount(w.ctx, admin, id, "For good.")
	w.must(err)
	for _, piid := range []string{d.piid, other.piid} {
		w.must(w.service.RemoveInstance(w.ctx, admin, piid))
	}
	w.agreed("9", "") // opens an alert that only the deletion closes
	w.alarmed("agreement-updated")
	w.must(w.service.DeleteAccount(w.ctx, admin, id))
	refused(t, w.service.DeleteAccount(w.ctx, admin, id), satellite.KindNotFound, "account-not-found")
	_, err = w.service.FindAccount(w.ctx, admin, "Plant")
	refused(t, err, satellite.KindNotFound, "account-not-found")
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{AccountID: id}, satellite.Page{})
	w.must(err)
	if len(events) < 10 || events[0].Type != satellite.EventAccountDeleted {
		t.Errorf("%d events stay, the last one is %+v", len(events), events[0])
	}
	open, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: id}, satellite.Page{})
	if err != nil || len(open) != 0 {
		t.Errorf("open alerts stay: %+v (%v)", open, err)
	}
	late := w.device("3")
	late.refused(late.registration(text, false), "token-invalid")
	// The name is free again, with the pair upstream, and nothing of before comes back.
	fresh := w.newAccount(satellite.NewAccount{Name: "Plant", Email: "admin@plant.example"})
	if fresh.ID == id || fresh.Registered() {
		t.Errorf("the account is %+v", fresh)
	}
	if _, _, err := w.service.TokenText(w.ctx, admin, token.ID); satellite.KindOf(err) != satellite.KindNotFound {
		t.Errorf("the token stays: %v", err)
	}
	w.sync(fresh, false)
	w.audit()
}

func TestPropertiesChangeOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.newAccount(satellite.NewAccount{Name: "Lab", Email: "a@b.example"})
	id, yes, no := w.account.ID, true, false
	text := func(s string) *string { return &s }
	w.unchanged("what cannot be", func() {
		for code, change := range map[string]satellite.AccountChange{
			"account-name-invalid": {Name: text("")}, "email-invalid": {RequesterEmail: text("x")},
			"account-property-invalid": {Headquarters: text(strings.Repeat("x", 501))},
		} {
			_, err := w.service.SetAccount(w.ctx, admin, id, change)
			refused(t, err, satellite.KindInvalid, code)
		}
		_, err := w.service.SetAccount(w.ctx, admin, id, satellite.AccountChange{Name: text("LAB")})
		refused(t, err, satellite.KindConflict, "account-exists")
		_, err = w.service.SetAccount(w.ctx, admin, id, satellite.AccountChange{Name: text("Plant"), Locked: &no, Searchable: &yes})
		w.must(err) // the same as before
	})
	a, err := w.service.SetAccount(w.ctx, admin, id, satellite.AccountChange{Name: text("Plant 1"), RequesterName: text("Ada"), RequesterEmail: text("ada@plant.example"), Headquarters: text("Kanda\nTokyo"), Searchable: &no, Locked: &yes})
	w.must(err)
	want := w.account
	want.Name, want.RequesterName, want.RequesterEmail, want.Headquarters, want.Searchable, want.Locked = "Plant 1", "Ada", "ada@plant.example", "Kanda\nTokyo", false, true
	found, err := w.service.FindAccount(w.ctx, admin, "plant 1")
	if err != nil || a != want || found != want {
		t.Errorf("the account is %+v, want %+v (%v)", found, want, err)
	}
	w.audit()
}

func TestWhoRunsAccountsIsNoReaderOfMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := satellite.Actor{Name: "op", Role: satellite.RoleSystemOperator}
	a, err := w.service.CreateAccount(w.ctx, operator, satellite.NewAccount{Name: "Works", Email: "c@works.example", Nominee: "boss@works.example"})
	w.must(err)
	_, err = w.service.Mails(w.ctx, operator, satellite.Page{})
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	_, _, err = w.service.Mail(w.ctx, operator, 1)
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	_, _, err = w.service.Mail(w.ctx, admin, 99)
	refused(t, err, satellite.KindNotFound, "mail-not-found")
	// What an account administrator may, and what he may not.
	own := satellite.Actor{Name: "a", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: w.account.ID, Role: satellite.RoleAccountAdmin}}}
	locked := true
	_, err = w.service.SetAccount(w.ctx, own, w.account.ID, satellite.AccountChange{Locked: &locked})
	w.must(err)
	_, err = w.service.SetAccount(w.ctx, own, a.ID, satellite.AccountChange{Locked: &locked})
	refused(t, err, satellite.KindNotFound, "account-not-found")
	_, err = w.service.DeactivateAccount(w.ctx, own, w.account.ID, "x")
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	refused(t, w.service.DeleteAccount(w.ctx, own, w.account.ID), satellite.KindForbidden, "role-insufficient")
}
