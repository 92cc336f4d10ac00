package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Profile is who a user is.
type Profile struct {
	FirstName string `json:"first_name" maxLength:"255"`
	LastName  string `json:"last_name" maxLength:"255"`
	Company   string `json:"company" required:"false" maxLength:"255"`
	Address   string `json:"address" required:"false" maxLength:"1000" doc:"Lines."`
	Phone     string `json:"phone" required:"false" maxLength:"40"`
}

func (p Profile) domain() satellite.Profile { return satellite.Profile(p) }

// User is a person who signs in to the console.
type User struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name" doc:"First and last name."`
	Profile
	Role      string    `json:"role" enum:"system-admin,system-operator,system-user"`
	CreatedAt time.Time `json:"created_at"`
}

func userOf(u satellite.User) User {
	return User{ID: int64(u.ID), Email: u.Email, Name: u.Name(), Profile: Profile(u.Profile), Role: string(u.Role), CreatedAt: u.CreatedAt.UTC()}
}

func (a *api) listUsers(ctx context.Context, _ *struct{}) (*output[List[User]], error) {
	users, err := a.service.Users(ctx, actor(ctx))
	return answer(whole(users, userOf), err)
}

// NewUser is what creates a user.
type NewUser struct {
	Email string `json:"email" minLength:"1" maxLength:"254"`
	Profile
	Password string       `json:"password" minLength:"1" maxLength:"1024" format:"password" doc:"12 to 256 characters."`
	Role     string       `json:"role,omitempty" enum:"system-admin,system-operator,system-user" doc:"System User where none is named."`
	Access   *FirstAccess `json:"access,omitempty" doc:"What the user begins with. Who manages access somewhere, and not users, must name it."`
}

// FirstAccess is a role in an account, or in a virtual account.
type FirstAccess struct {
	Account        string `json:"account" minLength:"1" maxLength:"255"`
	VirtualAccount string `json:"virtual_account,omitempty" maxLength:"255" doc:"The whole account where none is named."`
	Role           string `json:"role" minLength:"1" maxLength:"64"`
}

func (a *api) createUser(ctx context.Context, in *struct{ Body NewUser }) (*output[User], error) {
	n := satellite.NewUser{Email: in.Body.Email, Profile: in.Body.domain(), Password: in.Body.Password, Role: satellite.Role(in.Body.Role)}
	if access := in.Body.Access; access != nil {
		account, err := a.service.FindAccount(ctx, actor(ctx), access.Account)
		if err != nil {
			return nil, err
		}
		virtual, err := a.findVirtualAccount(ctx, account, access.VirtualAccount)
		if err != nil {
			return nil, err
		}
		n.Access = &satellite.Grant{AccountID: account.ID, VirtualAccountID: virtual, Role: satellite.Role(access.Role)}
	}
	user, err := a.service.CreateUser(ctx, actor(ctx), n)
	return answer(userOf(user), err)
}

// UserPath is the path of what belongs to a user; exported like AccountPath.
type UserPath struct {
	User string `path:"user" maxLength:"254" doc:"Id or e-mail address of the user."`
}

func (a *api) getUser(ctx context.Context, in *UserPath) (*output[User], error) {
	user, err := a.service.FindUser(ctx, actor(ctx), in.User)
	return answer(userOf(user), err)
}

func (a *api) removeUser(ctx context.Context, in *UserPath) (*struct{}, error) {
	user, err := a.service.FindUser(ctx, actor(ctx), in.User)
	if err != nil {
		return nil, err
	}
	return nil, a.service.RemoveUser(ctx, actor(ctx), user.ID)
}

// NewProfile is who a user is from now on.
type NewProfile struct {
	Email string `json:"email" minLength:"1" maxLength:"254" doc:"The address to sign in with."`
	Profile
}

func (a *api) saveProfile(ctx context.Context, in *struct {
	UserPath
	Body NewProfile
}) (*output[User], error) {
	user, err := a.service.FindUser(ctx, actor(ctx), in.User)
	if err != nil {
		return nil, err
	}
	user, err = a.service.SaveProfile(ctx, actor(ctx), user.ID, in.Body.Email, in.Body.domain())
	return answer(userOf(user), err)
}

// NewPassword replaces a password.
type NewPassword struct {
	OldPassword string `json:"old_password,omitempty" maxLength:"1024" format:"password" doc:"Where the password is your own."`
	Password    string `json:"password" minLength:"1" maxLength:"1024" format:"password" doc:"12 to 256 characters."`
}

func (a *api) setPassword(ctx context.Context, in *struct {
	UserPath
	Body NewPassword
}) (*struct{}, error) {
	user, err := a.service.FindUser(ctx, actor(ctx), in.User)
	if err != nil {
		return nil, err
	}
	return nil, a.service.SetPassword(ctx, actor(ctx), user.ID, in.Body.OldPassword, in.Body.Password)
}

// NewRole is a system role.
type NewRole struct {
	Role string `json:"role" enum:"system-admin,system-operator,system-user"`
}

func (a *api) setSystemRole(ctx context.Context, in *struct {
	UserPath
	Body NewRole
}) (*output[User], error) {
	user, err := a.service.FindUser(ctx, actor(ctx), in.User)
	if err != nil {
		return nil, err
	}
	user, err = a.service.SetSystemRole(ctx, actor(ctx), user.ID, satellite.Role(in.Body.Role))
	return answer(userOf(user), err)
}
