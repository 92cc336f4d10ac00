package ui

import (
	"net/http"

	"ssm/satellite"
	"ssm/satellite/web"
)

// gate is what the pages before the sign-in show.
type gate struct {
	form
	Code, Next  string
	SetupNeeded bool
}

func showSetup(r *request) error {
	code := r.QueryParam("code")
	if err := r.Service.CheckSetupCode(code); err != nil {
		return r.deadSetupLink(err)
	}
	return r.show("setup", r.t("setup.title"), gate{Code: code})
}

// deadSetupLink explains a link that is wrong or used.
func (r *request) deadSetupLink(err error) error {
	needed, otherErr := r.Service.SetupNeeded(r.context())
	if otherErr != nil {
		return otherErr
	}
	told := r.tell(err)
	return r.showAs(told.Status, "setup-dead", r.t("setup.dead.title"), gate{SetupNeeded: needed})
}

func doSetup(r *request) error {
	code := r.FormValue("code")
	if err := r.Service.CheckSetupCode(code); err != nil {
		return r.deadSetupLink(err)
	}
	user, err := r.Service.Setup(r.context(), r.actor.Source, code, satellite.NewUser{
		Email: r.FormValue("email"), Profile: satellite.Person(r.FormValue("name")), Password: r.FormValue("password"),
	})
	if status, ok := refusal(err); ok {
		return r.showAs(status, "setup", r.t("setup.title"), gate{form: r.filled(err), Code: code})
	}
	if err != nil {
		return err
	}
	return r.enter(user, "/")
}

// enter begins the session of a user. The language that the stranger has
// chosen becomes the user's own, if he has none yet.
func (r *request) enter(user satellite.User, next string) error {
	if chosen := r.cookie(languageCookie); user.Language == "" && chosen == r.words.language {
		if err := r.Service.SavePreferences(r.context(), user.ID, chosen, user.Theme); err != nil {
			return err
		}
	}
	if err := r.Sessions.SignIn(r.context(), user.ID); err != nil {
		return err
	}
	return r.redirect(next)
}

func showSignIn(r *request) error {
	next := local(r.QueryParam("next"))
	if r.user.ID != 0 {
		return r.redirect(next)
	}
	needed, err := r.Service.SetupNeeded(r.context())
	if err != nil {
		return err
	}
	return r.show("sign-in", r.t("signin.title"), gate{Next: next, SetupNeeded: needed})
}

func doSignIn(r *request) error {
	email, next := r.FormValue("email"), local(r.FormValue("next"))
	again := func(err error) error {
		status, page := web.Status(satellite.KindOf(err)), gate{form: r.filled(err), Next: next}
		return r.showAs(status, "sign-in", r.t("signin.title"), page)
	}
	if wait, ok := r.Limiter.Allow(r.actor.Source, email); !ok {
		seconds := int(wait.Seconds()) + 1
		return again(&satellite.Error{
			Kind: satellite.KindTooMany, Code: "sign-in-throttled",
			Message: r.t("signin.throttled", "Count", seconds), Hint: "",
		})
	}
	user, err := r.Service.SignIn(r.context(), r.actor.Source, email, r.FormValue("password"))
	switch satellite.KindOf(err) {
	case satellite.KindUnauthenticated:
		r.Limiter.Failed(r.actor.Source, email)
		return again(err)
	case satellite.KindUnavailable:
		return again(err)
	}
	if err != nil {
		return err
	}
	r.Limiter.Succeeded(r.actor.Source, email)
	return r.enter(user, next)
}

func doSignOut(r *request) error {
	if err := r.Sessions.SignOut(r.context()); err != nil {
		return err
	}
	return r.redirect("/sign-in")
}

func saveTheme(r *request) error {
	return r.savePreference(themeCookie, r.user.Language, r.FormValue("theme"), r.FormValue("theme"))
}

func saveLanguage(r *request) error {
	return r.savePreference(languageCookie, r.FormValue("language"), r.user.Theme, r.FormValue("language"))
}

// savePreference keeps a preference with the user; for a stranger, in a cookie
// of his browser.
func (r *request) savePreference(cookie, language, theme, value string) error {
	if r.user.ID != 0 {
		if err := r.Service.SavePreferences(r.context(), r.user.ID, language, theme); err != nil {
			return err
		}
	}
	if value != knownTheme(value) && r.catalog.match(value, "").language != value {
		return &satellite.Error{Kind: satellite.KindInvalid, Code: "preference-invalid", Message: "There is no such language or theme. Nothing was changed."}
	}
	r.SetCookie(&http.Cookie{
		Name: cookie, Value: value, Path: "/", MaxAge: 365 * 24 * 60 * 60, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return r.redirect(r.origin())
}
