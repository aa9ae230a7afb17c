package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// Menu lists what one can do about oneself; nothing is shown while it is closed.
type Menu struct {
	app.Compo
	M   *Model
	Rev string
}

func (m *Model) menuRev() string {
	rev := string(m.ask) + "/" + string(m.view.Auth) + "/" + string(m.Screen())
	if m.menu {
		rev += "/open"
	}
	if m.Device.Notifications {
		rev += "/notify"
	}
	if m.mayAudit() {
		rev += "/audit"
	}
	if m.view.PasswordSaved {
		rev += "/saved"
	}
	if m.sessions {
		rev += m.sessionsRev()
	}
	return rev
}

func menuButton(m *Model) app.UI {
	if v := m.view; v.Auth != store.AuthUser && v.Auth != store.AuthGuest {
		return app.Span().Class("none")
	}
	return iconButton(m.T.Menu, iconMenu, "menu-button", m.onMenu).
		Aria("expanded", m.menu).Aria("controls", "menu")
}

func (m *Model) onMenu(app.Context, app.Event) {
	m.menu, m.sessions = !m.menu, false
	m.ask = AskNothing
	m.Settle()
}

// Render draws the menu or, in its place, the question that one of its entries asks.
func (u *Menu) Render() app.UI {
	m, v := u.M, u.M.view
	if !m.menu {
		return app.Div().ID("menu").Class("none")
	}
	if m.ask == AskEnd {
		return app.Div().ID("menu").Body(
			question(m.T.EndChatYes, m.T.EndChatAsk, m.T.Cancel, u.onEndYes, u.onCancel))
	}
	if m.sessions {
		return app.Div().ID("menu").Class("sheet").Body(u.sessions())
	}
	var body []app.UI
	entry := func(name string, on app.EventHandler) {
		body = append(body, app.Li().Body(app.Button().Type("button").Class("entry").
			OnClick(on, app.EventScope(name)).Text(name)))
	}
	inbox := v.Surface == chat.SurfaceInbox
	switch v.Auth {
	case store.AuthUser:
		if inbox && m.Device.Notifications {
			entry(m.T.Notifications, u.onNotifications)
		}
		if inbox {
			entry(m.T.ChangePassword, u.onPassword)
		}
		entry(m.T.Sessions, u.onSessions)
		if m.mayAudit() {
			entry(m.T.Audit, u.onAudit)
		}
		if m.Screen() != ScreenRooms || inbox {
			entry(m.T.LogOut, u.onLogOut) // the rooms screen of the widget has it below
		}
		entry(m.T.LogOutAll, u.onLogOutAll)
	case store.AuthGuest:
		if m.Screen() != ScreenRooms && !m.Device.HostLogin {
			entry(m.T.LogIn, u.onLogIn)
		}
		entry(m.T.EndChat, u.onEnd)
	}
	return app.Div().ID("menu").Class("sheet").Body(app.Ul().Role("list").Class("menu").Body(body...))
}

func (u *Menu) onNotifications(app.Context, app.Event) {
	u.M.menu = false
	u.M.shell.AskNotifications()
}

func (u *Menu) onSessions(app.Context, app.Event) {
	u.M.sessions = true
	u.M.Do(store.FetchSessions{})
	u.M.shell.Focus("sessions-title")
}

func (u *Menu) onAudit(app.Context, app.Event) {
	u.M.menu, u.M.auditing = false, true
	u.M.Do(store.FetchAudit{})
	u.M.Settle()
}
func (u *Menu) onPassword(app.Context, app.Event) { u.M.menu, u.M.password = false, true }
func (u *Menu) onLogIn(app.Context, app.Event)    { u.M.menu, u.M.logIn = false, true; u.M.Settle() }
func (u *Menu) onLogOut(app.Context, app.Event)   { u.M.menu = false; u.M.Do(store.LogOut{}) }
func (u *Menu) onLogOutAll(app.Context, app.Event) {
	u.M.menu, u.M.sessions = false, false
	u.M.Do(store.LogOut{Everywhere: true})
}
func (u *Menu) onEnd(app.Context, app.Event) { u.M.question(AskEnd) }
func (u *Menu) onCancel(app.Context, app.Event) {
	u.M.ask, u.M.menu = AskNothing, false
	u.M.shell.Focus("title")
}

func (u *Menu) onEndYes(app.Context, app.Event) {
	u.M.ask, u.M.menu = AskNothing, false
	u.M.Do(store.EndChat{})
}
