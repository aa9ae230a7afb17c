package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// LogIn is the form for built-in accounts. Its inputs are uncontrolled: they
// are read when the form is sent and never pass through the tree.
type LogIn struct {
	app.Compo
	M   *Model
	Rev string
}

// loginRev changes with what the form shows.
func loginRev(m *Model) string {
	v := m.view
	rev := string(v.Auth) + string(v.Connection)
	if v.LogInError != nil {
		rev += string(v.LogInError.Code) + v.LogInError.Message
	}
	return rev
}

// Render draws the form.
func (l *LogIn) Render() app.UI {
	m, v := l.M, l.M.view
	busy := v.Auth == store.AuthLoggingIn
	failed := ""
	if v.LogInError != nil && !busy {
		failed = m.T.Error(v.LogInError)
	}
	intro := app.UI(app.P().Class("intro none"))
	if v.Auth == store.AuthExpired {
		intro = app.P().Class("intro").Body(app.B().Text(m.T.Expired), app.Text(" "+m.T.ExpiredHint))
	}
	label := m.T.LogIn
	if busy {
		label = m.T.LoggingIn
	}
	return app.Form().Class("form").NoValidate(true).OnSubmit(l.onSubmit).Body(
		intro,
		input("username", m.T.Username, "text", "username"),
		input("password", m.T.Password, "password", "current-password"),
		app.P().Class("bad").Role("alert").Text(failed),
		app.Button().Type("submit").Class("cta").Disabled(busy).Text(label),
		app.If(v.Auth == store.AuthExpired && v.Surface == chat.SurfaceWidget, func() app.UI {
			return textButton(m.T.AsFreshGuest, l.onGuest)
		}),
	)
}

// input is a labelled, uncontrolled field.
func input(id, label, kind, complete string) app.UI {
	return app.Div().Class("row-field").Body(
		app.Label().For("%s", id).Text(label),
		app.Input().ID("%s", id).Name("%s", id).Type("%s", kind).Attr("autocomplete", complete).
			Attr("autocapitalize", "none").Spellcheck(false).Required(true))
}

func (l *LogIn) onSubmit(_ app.Context, e app.Event) {
	e.PreventDefault()
	user, password := take("username", false), take("password", true)
	if user == "" || password == "" {
		if user == "" {
			l.M.shell.Focus("username")
		} else {
			l.M.shell.Focus("password")
		}
		return
	}
	l.M.Do(store.LogIn{Username: user, Password: password})
}

func (l *LogIn) onGuest(app.Context, app.Event) { l.M.Do(store.LogOut{}) }

// take reads a field and, for a secret, clears it.
func take(id string, clear bool) string {
	el := app.Window().GetElementByID(id)
	if !app.IsClient || !el.Truthy() {
		return ""
	}
	s := el.Get("value").String()
	if clear {
		el.Set("value", "")
	}
	return s
}

// Password is the form that changes a built-in account's password.
type Password struct {
	app.Compo
	M   *Model
	Rev string
}

// Render draws the form.
func (p *Password) Render() app.UI {
	m := p.M
	failed := ""
	if m.view.LogInError != nil {
		failed = m.T.Error(m.view.LogInError)
	}
	return app.Form().Class("form sheet").Aria("label", m.T.ChangePassword).NoValidate(true).OnSubmit(p.onSubmit).Body(
		input("old-password", m.T.OldPassword, "password", "current-password"),
		input("new-password", m.T.NewPassword, "password", "new-password"),
		app.P().Class("bad").Role("alert").Text(failed),
		app.Div().Class("buttons").Body(
			app.Button().Type("submit").Class("cta small").Text(m.T.SavePassword),
			textButton(m.T.Cancel, p.onCancel)),
	)
}

func (p *Password) onSubmit(_ app.Context, e app.Event) {
	e.PreventDefault()
	before, after := take("old-password", true), take("new-password", true)
	if before == "" || after == "" {
		p.M.shell.Focus("old-password")
		return
	}
	p.M.Do(store.ChangePassword{Old: before, New: after})
}

func (p *Password) onCancel(app.Context, app.Event) { p.M.password = false }
