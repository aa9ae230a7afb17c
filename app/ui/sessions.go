package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// sessionsRev changes with what the list shows.
func (m *Model) sessionsRev() string {
	rev := "/sessions"
	if m.view.SessionsLoaded {
		rev += "/loaded"
	}
	if e := m.view.SessionsError; e != nil {
		rev += "/" + string(e.Code)
	}
	for i := range m.view.Sessions {
		rev += "/" + string(m.view.Sessions[i].ID) + itoa(int(m.view.Sessions[i].LastSeenAt/60_000))
	}
	return rev
}

// sessions lists where the user is logged in, in the menu's place. Each but
// the present one can be ended here.
func (u *Menu) sessions() app.UI {
	m, v := u.M, u.M.view
	rows := make([]app.UI, len(v.Sessions))
	for i := range v.Sessions {
		rows[i] = u.session(&v.Sessions[i])
	}
	note := ""
	switch {
	case v.SessionsError != nil:
		note = m.T.Error(v.SessionsError)
	case !v.SessionsLoaded:
		note = m.T.Loading
	}
	return app.Section().Class("sessions-box").Aria("labelledby", "sessions-title").Body(
		app.H2().ID("sessions-title").Class("t1").TabIndex(-1).Text(m.T.Sessions),
		app.P().Class("t2").Role("status").Text(note),
		app.Ul().Role("list").Class("sessions").Aria("label", m.T.Sessions).Body(rows...),
		app.Div().Class("buttons").Body(
			textButton(m.T.LogOutAll, u.onLogOutAll),
			textButton(m.T.Back, u.onSessionsBack)),
	)
}

func (u *Menu) session(s *store.Session) app.UI {
	t := u.M.T
	surface := t.ChatSurface
	if s.Surface == chat.SurfaceInbox {
		surface = t.Inbox
	}
	name := s.Client + " · " + surface
	when := t.LastUsed + " " + u.M.Clock.DayTime(t, s.LastSeenAt)
	end := app.UI(app.Span().Class("none"))
	if s.Current {
		when = t.ThisSession
	} else {
		end = app.Button().Type("button").Class("quiet").Aria("label", t.EndSession+" "+name).
			OnClick(u.onEndSession(s.ID), app.EventScope(string(s.ID))).Text(t.EndSession)
	}
	return app.Li().Class("session").Body(
		app.Div().Class("grow").Body(
			app.P().Class("t1").Text(name),
			app.P().Class("t2").Text(when)),
		end)
}

func (u *Menu) onEndSession(id chat.AccountSessionID) app.EventHandler {
	return func(app.Context, app.Event) {
		u.M.Do(store.EndSession{Session: id})
		u.M.shell.Focus("sessions-title") // the button goes with its session
	}
}

func (u *Menu) onSessionsBack(app.Context, app.Event) { u.M.sessions = false }
