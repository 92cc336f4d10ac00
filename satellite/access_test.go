package satellite_test

import (
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

const secret = "a sentence of some words"

// person makes a System User and returns him as one who asks.
func (w *world) person(email string) (satellite.User, satellite.Actor) {
	w.Helper()
	user, err := w.service.CreateUser(w.ctx, admin, satellite.NewUser{Email: email, Profile: satellite.Person("Somebody"), Password: secret})
	w.must(err)
	return user, w.as(user)
}

// as is a user as he asks now.
func (w *world) as(user satellite.User) satellite.Actor {
	w.Helper()
	actor, _, err := w.service.ActorOf(w.ctx, user.ID, "192.0.2.1")
	w.must(err)
	return actor
}

func (w *world) grant(user satellite.User, virtual satellite.VirtualAccountID, role satellite.Role) error {
	w.Helper()
	return w.service.Grant(w.ctx, admin, satellite.Holder{UserID: user.ID}, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: virtual, Role: role})
}

// part is a new virtual account of the world's account.
func (w *world) part(name string) satellite.VirtualAccount {
	w.Helper()
	virtual, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, name, "")
	w.must(err)
	return virtual
}

func TestARoleShowsItsPlaceAndEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab := w.part("Lab")
	w.part("Floor")
	for _, name := range []string{"Lab", "Floor"} {
		w.token(satellite.NewToken{VirtualAccount: name})
	}
	ann, stranger := w.person("ann@plant.example")
	look := func(actor satellite.Actor) (accounts, parts, tokens, events int) {
		a, err := w.service.Accounts(w.ctx, actor)
		w.must(err)
		if len(a) > 0 {
			v, err := w.service.VirtualAccounts(w.ctx, actor, w.account.ID)
			w.must(err)
			parts = len(v)
		}
		k, err := w.service.Tokens(w.ctx, actor, satellite.TokenFilter{}, satellite.Page{})
		w.must(err)
		e, err := w.service.Events(w.ctx, actor, satellite.EventFilter{}, satellite.Page{})
		w.must(err)
		return len(a), parts, len(k), len(e)
	}
	sees := func(what string, accounts, parts, tokens, events int) {
		t.Helper()
		if a, v, k, e := look(w.as(ann)); a != accounts || v != parts || k != tokens || e != events {
			t.Errorf("%s he sees %d accounts, %d virtual accounts, %d tokens, %d events; want %d, %d, %d, %d", what, a, v, k, e, accounts, parts, tokens, events)
		}
	}
	sees("without a role", 0, 0, 0, 0)
	w.must(w.grant(ann, lab.ID, satellite.RoleVirtualAccountUser))
	sees("with a role in Lab", 1, 1, 1, 3) // Lab, its token, and the role itself
	_, err := w.service.FindToken(w.ctx, w.as(ann), "2")
	refused(t, err, satellite.KindNotFound, "token-not-found")
	_, never := w.service.FindToken(w.ctx, w.as(ann), "99")
	if never.Error() != err.Error() {
		t.Errorf("what he may not see is %q, what does not exist is %q", err, never)
	}
	refused(t, w.service.RevokeToken(w.ctx, w.as(ann), 2), satellite.KindNotFound, "token-not-found")
	w.must(w.service.RevokeToken(w.ctx, w.as(ann), 1))
	w.must(w.grant(ann, 0, satellite.RoleAccountViewer))
	sees("with a role in the account", 1, 3, 2, 8)
	refused(t, w.service.RevokeToken(w.ctx, w.as(ann), 2), satellite.KindForbidden, "role-insufficient")
	refused(t, w.service.Revoke(w.ctx, admin, satellite.Holder{UserID: ann.ID}, satellite.Grant{AccountID: w.account.ID, Role: satellite.RoleAccountAdmin}), satellite.KindNotFound, "grant-not-found")
	w.must(w.service.Revoke(w.ctx, admin, satellite.Holder{UserID: ann.ID}, satellite.Grant{AccountID: w.account.ID}))
	w.must(w.service.Revoke(w.ctx, admin, satellite.Holder{UserID: ann.ID}, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID}))
	sees("after both were taken away", 0, 0, 0, 0)
	refused(t, w.service.Revoke(w.ctx, admin, satellite.Holder{UserID: ann.ID}, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID}), satellite.KindNotFound, "grant-not-found")
	_, err = w.service.FindAccount(w.ctx, stranger, w.account.Name)
	refused(t, err, satellite.KindNotFound, "account-not-found")
	w.audit()
}

func TestAFourthUserOfALimitedAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account = w.newAccount(satellite.NewAccount{Name: "Shop", Email: "owner@gmail.com", Limited: true})
	var users []satellite.User
	for _, name := range []string{"a", "b", "c", "d"} {
		user, _ := w.person(name + "@shop.example")
		users = append(users, user)
	}
	for _, user := range users[:3] {
		w.must(w.grant(user, 0, satellite.RoleAccountViewer))
	}
	w.unchanged("the fourth", func() {
		refused(t, w.grant(users[3], 0, satellite.RoleAccountViewer), satellite.KindConflict, "limited-account", "at most 3 users", `"Shop" has 3`, "upgrade")
		_, err := w.service.CreateUser(w.ctx, admin, satellite.NewUser{
			Email: "e@shop.example", Profile: satellite.Person("E"), Password: secret, Access: &satellite.Grant{AccountID: w.account.ID, Role: satellite.RoleAccountUser},
		})
		refused(t, err, satellite.KindConflict, "limited-account")
		_, err = w.service.CreateGroup(w.ctx, admin, w.account.ID, "Operators", "")
		refused(t, err, satellite.KindConflict, "limited-account-groups", "Upgrade")
	})
	w.must(w.grant(users[2], 0, satellite.RoleAccountAdmin)) // he is one of the three
	w.must(w.service.RemoveUser(w.ctx, admin, users[0].ID))
	w.must(w.grant(users[3], 0, satellite.RoleAccountViewer))
	w.audit()
}

func TestNobodyGivesMoreThanHeHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab, floor := w.part("Lab"), w.part("Floor")
	foreign := w.newAccount(satellite.NewAccount{Name: "Foreign", Email: "a@foreign.example"})
	friend, _ := w.person("friend@plant.example")
	boss, _ := w.person("boss@plant.example")
	chief, _ := w.person("chief@plant.example")
	user, _ := w.person("user@plant.example")
	w.must(w.grant(boss, 0, satellite.RoleAccountAdmin))
	w.must(w.grant(chief, lab.ID, satellite.RoleVirtualAccountAdmin))
	w.must(w.grant(user, 0, satellite.RoleAccountUser))
	operator := satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}
	for _, c := range []struct {
		name    string
		actor   satellite.Actor
		account satellite.AccountID
		virtual satellite.VirtualAccountID
		role    satellite.Role
		code    string
	}{
		{"an Account Administrator, his own role", w.as(boss), w.account.ID, 0, satellite.RoleAccountAdmin, ""},
		{"an Account Administrator, in a virtual account", w.as(boss), w.account.ID, floor.ID, satellite.RoleVirtualAccountAdmin, ""},
		{"an Account Administrator, elsewhere", w.as(boss), foreign.ID, 0, satellite.RoleAccountViewer, "account-not-found"},
		{"an Account Administrator, with a virtual account of another", w.as(boss), w.account.ID, 1000, satellite.RoleVirtualAccountViewer, "virtual-account-not-found"},
		{"a Virtual Account Administrator, his own role", w.as(chief), w.account.ID, lab.ID, satellite.RoleVirtualAccountAdmin, ""},
		{"a Virtual Account Administrator, next door", w.as(chief), w.account.ID, floor.ID, satellite.RoleVirtualAccountViewer, "virtual-account-not-found"},
		{"a Virtual Account Administrator, the whole account", w.as(chief), w.account.ID, 0, satellite.RoleAccountViewer, "role-insufficient"},
		{"a Virtual Account Administrator, an account role in his", w.as(chief), w.account.ID, lab.ID, satellite.RoleAccountViewer, "role-invalid"},
		{"an Account User", w.as(user), w.account.ID, 0, satellite.RoleAccountViewer, "role-insufficient"},
		{"a System Operator", operator, w.account.ID, 0, satellite.RoleAccountViewer, "role-insufficient"},
		{"a System Admin", admin, foreign.ID, 0, satellite.RoleAccountAdmin, ""},
		{"a System Admin, a system role in an account", admin, foreign.ID, 0, satellite.RoleSystemAdmin, "role-invalid"},
		{"a System Admin, a role that does not exist", admin, foreign.ID, 0, "emperor", "role-invalid"},
	} {
		err := w.service.Grant(w.ctx, c.actor, satellite.Holder{UserID: friend.ID}, satellite.Grant{AccountID: c.account, VirtualAccountID: c.virtual, Role: c.role})
		if c.code == "" && err != nil || c.code != "" && satellite.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
		if c.code == "" {
			w.must(w.service.Revoke(w.ctx, c.actor, satellite.Holder{UserID: friend.ID}, satellite.Grant{AccountID: c.account, VirtualAccountID: c.virtual}))
		}
	}
	// By a second user, or by a system role, it does not work either.
	invite := func(actor satellite.Actor, role satellite.Role, access *satellite.Grant) error {
		_, err := w.service.CreateUser(w.ctx, actor, satellite.NewUser{Email: "new@plant.example", Profile: satellite.Person("New"), Password: secret, Role: role, Access: access})
		return err
	}
	here := &satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountUser}
	w.unchanged("what may not be", func() {
		refused(t, invite(w.as(boss), "", nil), satellite.KindForbidden, "role-insufficient")
		refused(t, invite(w.as(boss), satellite.RoleSystemAdmin, here), satellite.KindForbidden, "role-insufficient")
		refused(t, invite(w.as(chief), "", &satellite.Grant{AccountID: w.account.ID, VirtualAccountID: floor.ID, Role: here.Role}), satellite.KindNotFound, "virtual-account-not-found")
		refused(t, invite(admin, "emperor", nil), satellite.KindInvalid, "role-invalid")
		_, err := w.service.SetSystemRole(w.ctx, w.as(boss), boss.ID, satellite.RoleSystemAdmin)
		refused(t, err, satellite.KindForbidden, "role-insufficient")
		refused(t, w.service.SetPassword(w.ctx, w.as(chief), boss.ID, "", secret), satellite.KindNotFound, "user-not-found")
		refused(t, w.service.SetPassword(w.ctx, w.as(boss), chief.ID, "", secret), satellite.KindForbidden, "role-insufficient")
	})
	w.must(invite(w.as(chief), "", here))
	list, err := w.service.Users(w.ctx, w.as(chief))
	w.must(err)
	if names := emails(list); !slices.Equal(names, []string{"chief@plant.example", "new@plant.example"}) {
		t.Errorf("who manages Lab sees %v", names)
	}
	access, err := w.service.AccessTo(w.ctx, w.as(chief), w.account.ID)
	if err != nil || len(access) != 2 || access[0].VirtualAccount != "Lab" || access[1].Name != "new@plant.example" {
		t.Errorf("he sees the roles %+v (%v)", access, err)
	}
	w.audit()
}

func emails(users []satellite.User) (list []string) {
	for _, user := range users {
		list = append(list, user.Email)
	}
	return list
}

func TestAGroupCarriesItsRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab := w.part("Lab")
	ann, _ := w.person("ann@plant.example")
	foreign := w.newAccount(satellite.NewAccount{Name: "Foreign", Email: "a@foreign.example"})
	group, err := w.service.CreateGroup(w.ctx, admin, w.account.ID, "Operators", "who roll out")
	w.must(err)
	_, err = w.service.CreateGroup(w.ctx, admin, w.account.ID, "OPERATORS", "")
	refused(t, err, satellite.KindConflict, "group-exists")
	members := satellite.Holder{GroupID: group.ID}
	w.must(w.service.Grant(w.ctx, admin, members, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountAdmin}))
	refused(t, w.service.Grant(w.ctx, admin, members, satellite.Grant{AccountID: foreign.ID, Role: satellite.RoleAccountViewer}), satellite.KindNotFound, "group-not-found")
	may := func() bool { return w.as(ann).MayIn(satellite.ActionManageTokens, w.account.ID, lab.ID) }
	if may() {
		t.Error("who is in no group may what it may")
	}
	w.must(w.service.AddMember(w.ctx, admin, w.account.ID, "operators", ann.ID))
	w.unchanged("adding again", func() { w.must(w.service.AddMember(w.ctx, admin, w.account.ID, "Operators", ann.ID)) })
	if !may() {
		t.Error("a member may not what his group may")
	}
	// By his group he manages Lab, but neither the group nor the account.
	refused(t, w.service.DropMember(w.ctx, w.as(ann), w.account.ID, "Operators", ann.ID), satellite.KindForbidden, "role-insufficient")
	refused(t, w.service.Grant(w.ctx, w.as(ann), members, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountViewer}), satellite.KindForbidden, "role-insufficient")
	details, err := w.service.FindGroup(w.ctx, admin, w.account.ID, "operators")
	if err != nil || details.Group != group || !slices.Equal(emails(details.Members), []string{ann.Email}) || len(details.Access) != 1 || details.Access[0].VirtualAccount != "Lab" {
		t.Errorf("the group is %+v (%v)", details, err)
	}
	list, err := w.service.Users(w.ctx, w.as(ann))
	if err != nil || len(list) != 1 {
		t.Errorf("a member sees the users %v (%v)", emails(list), err)
	}
	w.must(w.service.DropMember(w.ctx, admin, w.account.ID, "Operators", ann.ID))
	refused(t, w.service.DropMember(w.ctx, admin, w.account.ID, "Operators", ann.ID), satellite.KindNotFound, "member-not-found")
	if may() {
		t.Error("who was taken out may still")
	}
	w.must(w.service.AddMember(w.ctx, admin, w.account.ID, "Operators", ann.ID))
	w.must(w.service.RemoveGroup(w.ctx, admin, w.account.ID, "Operators"))
	refused(t, w.service.RemoveGroup(w.ctx, admin, w.account.ID, "Operators"), satellite.KindNotFound, "group-not-found")
	if may() {
		t.Error("a group that is gone gives its role")
	}
	w.audit()
}

func TestAUserKeepsHisProfileAndPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, actor := w.person("ann@plant.example")
	bob, _ := w.person("bob@plant.example")
	profile := satellite.Profile{FirstName: "Ann", LastName: "Lee", Company: "Plant", Address: "1 Street\nTown", Phone: "+1 555 0100"}
	saved, err := w.service.SaveProfile(w.ctx, actor, ann.ID, "Ann.Lee@plant.example", profile)
	if err != nil || saved.Profile != profile || saved.Email != "Ann.Lee@plant.example" {
		t.Fatalf("%+v, %v", saved, err)
	}
	if again := w.as(ann); again.Name != saved.Email {
		t.Errorf("he acts as %q", again.Name)
	}
	const other = "quite another sentence"
	w.unchanged("what may not be", func() {
		_, err := w.service.SaveProfile(w.ctx, actor, ann.ID, "BOB@plant.example", profile)
		refused(t, err, satellite.KindConflict, "user-exists")
		_, err = w.service.SaveProfile(w.ctx, actor, bob.ID, "x@plant.example", profile)
		refused(t, err, satellite.KindNotFound, "user-not-found")
		refused(t, w.service.SetPassword(w.ctx, actor, ann.ID, "", other), satellite.KindInvalid, "old-password-wrong")
		refused(t, w.service.SetPassword(w.ctx, actor, ann.ID, strings.Repeat("x", 5000), other), satellite.KindInvalid, "old-password-wrong")
		refused(t, w.service.SetPassword(w.ctx, actor, ann.ID, secret, "short"), satellite.KindInvalid, "password-length")
		refused(t, w.service.SetPassword(w.ctx, actor, bob.ID, secret, other), satellite.KindNotFound, "user-not-found")
	})
	session := func(key string, user satellite.UserID) {
		w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
			return tx.SaveSession(satellite.Session{Key: key, UserID: user, Data: []byte{1}, Expires: begin.Add(day)})
		}))
	}
	session("ann", ann.ID)
	session("bob", bob.ID)
	w.must(w.service.SetPassword(w.ctx, actor, ann.ID, secret, other))
	if dump := w.dump(); strings.Contains(dump, "key=ann ") || !strings.Contains(dump, "key=bob ") || strings.Contains(dump, other) {
		t.Error("her sessions must end, his stay, and nobody can read the password")
	}
	_, err = w.service.SignIn(w.ctx, "192.0.2.1", saved.Email, secret)
	refused(t, err, satellite.KindUnauthenticated, "sign-in-refused")
	_, err = w.service.SignIn(w.ctx, "192.0.2.1", saved.Email, other)
	w.must(err)
	w.must(w.service.SetPassword(w.ctx, admin, bob.ID, "", other)) // forgotten: a System Admin sets one
	w.audit()
}

func TestTheLastSystemAdminStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.service.CreateUser(w.ctx, admin, satellite.NewUser{Email: "first@plant.example", Profile: satellite.Person("First"), Password: secret, Role: satellite.RoleSystemAdmin})
	w.must(err)
	second, _ := w.person("second@plant.example")
	w.unchanged("what may not be", func() {
		refused(t, w.service.RemoveUser(w.ctx, admin, first.ID), satellite.KindConflict, "last-system-admin")
		_, err := w.service.SetSystemRole(w.ctx, w.as(first), first.ID, satellite.RoleSystemUser)
		refused(t, err, satellite.KindConflict, "last-system-admin")
		refused(t, w.service.RemoveUser(w.ctx, w.as(second), first.ID), satellite.KindNotFound, "user-not-found")
		refused(t, w.service.RemoveUser(w.ctx, admin, 99), satellite.KindNotFound, "user-not-found")
	})
	_, err = w.service.SetSystemRole(w.ctx, w.as(first), second.ID, satellite.RoleSystemAdmin)
	w.must(err)
	refused(t, w.service.RemoveUser(w.ctx, w.as(second), second.ID), satellite.KindConflict, "user-oneself")
	w.must(w.grant(first, 0, satellite.RoleAccountUser))
	w.must(w.service.RemoveUser(w.ctx, w.as(second), first.ID))
	_, _, err = w.service.ActorOf(w.ctx, first.ID, "192.0.2.1")
	if satellite.KindOf(err) != satellite.KindNotFound {
		t.Errorf("a removed user still acts: %v", err)
	}
	if access, err := w.service.AccessTo(w.ctx, admin, w.account.ID); err != nil || len(access) != 0 {
		t.Errorf("he left the roles %+v (%v)", access, err)
	}
	w.audit()
}
