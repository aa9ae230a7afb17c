package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
)

// Widget is the root component of the widget's frame. It renders once for each
// batch of changes, whatever it holds renders only where its fields changed.
type Widget struct {
	app.Compo
	M *Model
	// Ready is called once the widget stands, with a function that runs another
	// on the UI goroutine and then renders.
	Ready func(dispatch func(func()))
}

// OnMount hands the dispatcher out.
func (w *Widget) OnMount(ctx app.Context) { ready(ctx, w.Ready) }

func ready(ctx app.Context, do func(func(func()))) {
	if do == nil {
		return
	}
	do(func(f func()) {
		ctx.Dispatch(func(app.Context) { f() })
	})
}

// Render draws the screen.
func (w *Widget) Render() app.UI {
	m := w.M
	var body []app.UI
	switch m.Screen() {
	case ScreenRoom:
		body = w.room()
	case ScreenVendors:
		body = w.vendors()
	case ScreenLogIn, ScreenExpired:
		body = w.logIn()
	default:
		body = w.rooms()
	}
	// The wrapper always has the class of its screen, so that nothing of one
	// screen is taken over by another but the box itself.
	return app.Main().ID("root").Class("app widget at-" + string(m.Screen())).Body(body...)
}

func (w *Widget) rooms() []app.UI {
	m, v := w.M, w.M.view
	return []app.UI{
		app.Header().Class("hello").Body(
			app.Div().Class("hello-row").Body(
				app.H1().ID("title").Class("grow").TabIndex(-1).Body(
					app.Text(m.Clock.Greeting(m.T)), app.Br(), app.Text(m.T.Ask)),
				menuButton(m),
				closeButton(m),
			),
		),
		&Menu{M: m, Rev: m.menuRev()},
		Status(m, false),
		noticeLine(m),
		&RoomList{M: m, Rooms: items(m), Name: m.T.Rooms, Note: m.listNote(), More: v.RoomsMore},
		app.Footer().Class("foot").Body(
			app.Button().Type("button").Class("cta").OnClick(w.onNew).Text(m.T.NewChat),
			w.who(),
		),
	}
}

// who says as whom one writes.
func (w *Widget) who() app.UI {
	m, v := w.M, w.M.view
	switch {
	case v.Auth == store.AuthUser:
		return app.P().Class("who").Body(
			app.Text(m.T.AsUser(v.Principal.Name)+" "),
			textButton(m.T.LogOut, w.onLogOut))
	case v.Auth == store.AuthLoggingIn:
		return app.P().Class("who").Text(m.T.LoggingIn)
	case m.Device.HostLogin:
		return app.P().Class("who").Text(m.T.AsGuest)
	}
	return app.P().Class("who").Body(
		app.Text(m.T.AsGuest+" "), textButton(m.T.LogIn, w.onLogIn), app.Text(" "+m.T.KeepChat))
}

func (w *Widget) vendors() []app.UI {
	m, v := w.M, w.M.view
	note := ""
	if !v.VendorsLoaded && len(v.Vendors) == 0 {
		note = m.T.Loading
	} else if len(v.Vendors) == 0 {
		note = m.T.NoVendors
	}
	return []app.UI{
		app.Header().Class("head").Body(
			iconButton(m.T.Back, iconBack, "start", m.onBack),
			app.H1().ID("title").Class("grow t1").TabIndex(-1).Text(m.T.PickVendor),
			closeButton(m),
		),
		Status(m, false),
		&VendorList{M: m, Vendors: v.Vendors, Name: m.T.Vendors, Note: note},
	}
}

func (w *Widget) logIn() []app.UI {
	m := w.M
	back := app.UI(app.Span().Class("none"))
	if m.Screen() == ScreenLogIn {
		back = iconButton(m.T.Back, iconBack, "start", m.onBack)
	}
	return []app.UI{
		app.Header().Class("head").Body(
			back,
			app.H1().ID("title").Class("grow t1").TabIndex(-1).Text(m.T.LogInTitle),
			closeButton(m),
		),
		Status(m, false),
		&LogIn{M: m, Rev: loginRev(m)},
	}
}

func (w *Widget) room() []app.UI {
	m := w.M
	return []app.UI{
		&RoomHead{
			M: m, Title: m.Title(), Letters: roomAvatar(m), Menu: m.menuRev(),
			Connection: m.view.Connection, Embedded: m.Device.Embedded,
		},
		&Menu{M: m, Rev: m.menuRev()},
		banner(m),
		noticeLine(m),
		&MessageLog{M: m, Rev: m.logRev, Jump: m.jump, Place: place(m.view)},
		closedLine(m),
	}
}

// RoomHead is the head of the widget's room. A message changes nothing of it, so
// it is a component of its own, with all it shows as fields.
type RoomHead struct {
	app.Compo
	M              *Model
	Title, Letters string
	Menu           string
	Connection     store.Connection
	Embedded       bool
}

// Render draws the head.
func (h *RoomHead) Render() app.UI {
	m := h.M
	return app.Header().Class("head").Body(
		iconButton(m.T.Back, iconBack, "start", m.onBack),
		avatar(h.Letters, ""),
		app.Div().Class("grow").Body(
			app.H1().ID("title").Class("t1").TabIndex(-1).Dir("auto").Text(h.Title),
			Status(m, true),
		),
		menuButton(m),
		closeButton(m),
	)
}

func closeButton(m *Model) app.UI {
	if !m.Device.Embedded {
		return app.Span().Class("none")
	}
	return iconButton(m.T.Close, iconClose, "end", m.onClose)
}

func (m *Model) onClose(app.Context, app.Event)  { m.shell.Close() }
func (w *Widget) onNew(app.Context, app.Event)   { w.M.PickVendor() }
func (w *Widget) onLogIn(app.Context, app.Event) { w.M.logIn = true; w.M.Settle() }
func (w *Widget) onLogOut(app.Context, app.Event) {
	w.M.Do(store.LogOut{})
}

func (m *Model) onBack(app.Context, app.Event) {
	if m.logIn || m.pickVendor {
		m.logIn, m.pickVendor, m.writing = false, false, false
		m.Settle()
		return
	}
	m.Do(store.LeaveRoom{})
}

// Status is the state of the connection, as a status for assistive technology.
// In a room it is the line below the name; elsewhere it is empty while all is well.
func Status(m *Model, line bool) app.UI {
	s, v := "", m.view
	switch v.Connection {
	case store.Connecting:
		s = m.T.Connecting
	case store.Reconnecting:
		s = m.T.Reconnecting
	case store.Offline:
		s = m.T.Offline
	case store.Outdated:
		s = m.T.Outdated
	}
	class := "t2 status"
	if !line {
		class = "banner"
	} else if v.Connection == store.Offline || v.Connection == store.Outdated {
		s = "" // said by the banner, which has the room for it
	}
	if s == "" {
		class += " none"
	}
	return app.P().Class(class).Role("status").Text(s)
}

// banner says what hinders a room.
func banner(m *Model) app.UI {
	s, role := "", ""
	switch v := m.view; {
	case v.Connection == store.Offline:
		s, role = m.T.Offline, "status"
	case v.Connection == store.Outdated:
		s, role = m.T.Outdated, "status"
	case v.Memory:
		s, role = m.T.Memory, "note"
	case v.Room.Summary.Oversight:
		s, role = m.T.Oversight, "note"
	}
	if s == "" {
		return app.P().Class("banner none")
	}
	return app.P().Class("banner").Role("%s", role).Text(s)
}

// noticeLine is a calm sentence that can be put away.
func noticeLine(m *Model) app.UI {
	if m.view.Notice == nil {
		return app.Div().Class("notice none")
	}
	return app.Div().Class("notice").Body(
		app.P().Class("grow").Role("status").Text(m.T.Error(m.view.Notice)),
		iconButton(m.T.Dismiss, iconClose, "end", m.onDismiss))
}

func (m *Model) onDismiss(app.Context, app.Event) { m.Do(store.DismissNotice{}) }

// closedLine stands where the composer is in an open room.
func closedLine(m *Model) app.UI {
	s := ""
	switch rv := m.view.Room; {
	case rv.Error != nil:
		s = m.T.Error(rv.Error)
	case m.Room().Closed:
		s = m.T.RoomClosed
	}
	if s == "" {
		return app.P().Class("closed none")
	}
	return app.P().Class("closed").Text(s)
}

// roomAvatar is the letters of the room on screen.
func roomAvatar(m *Model) string {
	title := m.Title()
	for _, v := range m.view.Vendors {
		if v.Name == title && v.Avatar != "" {
			return v.Avatar
		}
	}
	return letters(m.Room(), title)
}

func avatar(letters, class string) app.UI {
	return app.Span().Class("av", class).Aria("hidden", true).Text(letters)
}
