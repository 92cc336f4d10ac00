package adminapi

import (
	"context"

	"ssm/satellite"
)

// FirstUser is what creates the first user.
type FirstUser struct {
	Email    string `json:"email" minLength:"1" maxLength:"254"`
	Name     string `json:"name" minLength:"1" maxLength:"255"`
	Password string `json:"password" minLength:"1" maxLength:"1024" format:"password" doc:"12 to 256 characters."`
}

func (a *api) setup(ctx context.Context, in *struct{ Body FirstUser }) (*output[User], error) {
	user, err := a.service.SetupLocal(ctx, actor(ctx), satellite.NewUser{Email: in.Body.Email, Profile: satellite.Person(in.Body.Name), Password: in.Body.Password})
	return answer(userOf(user), err)
}
