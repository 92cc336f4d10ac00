package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// NewUser is what creates the first user.
type NewUser struct {
	Email    string `json:"email" minLength:"1" maxLength:"254"`
	Name     string `json:"name" minLength:"1" maxLength:"255"`
	Password string `json:"password" minLength:"1" maxLength:"1024" format:"password" doc:"12 to 256 characters."`
}

// User is a person who signs in to the console.
type User struct {
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Role      string    `json:"role" enum:"system-admin,system-operator,system-user"`
	CreatedAt time.Time `json:"created_at"`
}

func userOf(u satellite.User) User {
	return User{Email: u.Email, Name: u.Name, Role: string(u.Role), CreatedAt: u.CreatedAt.UTC()}
}

func (a *api) setup(ctx context.Context, in *struct{ Body NewUser }) (*output[User], error) {
	user, err := a.service.SetupLocal(ctx, actor(ctx), satellite.NewUser{Email: in.Body.Email, Name: in.Body.Name, Password: in.Body.Password})
	return answer(userOf(user), err)
}
