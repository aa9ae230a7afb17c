package ui

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// Item is one room of a list, ready to be drawn; comparable like Entry.
type Item struct {
	Room     chat.RoomID
	Title    string
	Letters  string
	Preview  string
	When     string
	Unread   int
	Selected bool
}

// items draws the rooms of the view.
func items(m *Model) []Item {
	v := m.view
	me := v.Principal.Identity()
	out := make([]Item, len(v.Rooms))
	for i, s := range v.Rooms {
		it := Item{Room: s.ID, Title: s.Title(me), Unread: s.Unread, Selected: s.ID == v.CurrentRoom}
		it.When = m.Clock.When(m.T, s.ActiveAt)
		it.Letters = letters(s.Room, it.Title)
		it.Preview = m.preview(s)
		out[i] = it
	}
	return out
}

// preview is the line below a room's name.
func (m *Model) preview(s chat.Summary) string {
	for _, t := range m.view.Typing[s.ID] {
		if t.Who != m.view.Principal.Identity() {
			return m.T.PreviewTyping
		}
	}
	text := m.T.PreviewEmpty
	if s.Last != nil {
		// One line is all there is room for; the rest need not enter the document.
		text = strings.Join(strings.Fields(s.Last.Text), " ")
		if r := []rune(text); len(r) > 140 {
			text = string(r[:140])
		}
		if m.view.Mine(s.Room, *s.Last) {
			text = m.T.You(text)
		}
	}
	if s.Closed && s.Last == nil {
		text = m.T.PreviewClosed
	}
	if s.Oversight && s.Vendor != nil {
		text = s.Vendor.Name + " · " + text
	}
	return text
}

// listNote is what a list without rooms says.
func (m *Model) listNote() string {
	v := m.view
	switch {
	case len(v.Rooms) > 0:
		return ""
	case v.Auth == store.AuthNone && v.Surface == chat.SurfaceWidget:
		return m.T.NoRooms
	case !v.RoomsLoaded:
		return m.T.Loading
	case v.Surface == chat.SurfaceInbox:
		return m.T.NoRoomsFound
	}
	return m.T.NoRooms
}

// RoomList is the list of rooms.
type RoomList struct {
	app.Compo
	M     *Model
	Rooms []Item
	Name  string
	Note  string
	More  bool
}

// Render draws the list; its entries are components of their own.
func (l *RoomList) Render() app.UI {
	body := make([]app.UI, len(l.Rooms))
	for i, it := range l.Rooms {
		body[i] = &RoomItem{M: l.M, I: it}
	}
	return app.Div().Class("list").Body(
		app.Ul().Role("list").Aria("label", l.Name).Body(body...),
		app.If(l.Note != "", func() app.UI { return app.P().Class("note").Text(l.Note) }),
		app.If(l.More, func() app.UI {
			return app.Button().Type("button").Class("text more").OnClick(l.onMore).Text(l.M.T.More)
		}),
	)
}

// OnUpdate runs before a changed list is drawn: a message moves the rooms about.
func (l *RoomList) OnUpdate(app.Context) { l.M.shell.KeepFocus() }

func (l *RoomList) onMore(app.Context, app.Event) {
	v := l.M.view
	l.M.Do(store.FetchRooms{Filter: v.Filter, Search: v.Search, More: true})
}

// RoomItem is one room of the list.
type RoomItem struct {
	app.Compo
	M *Model
	I Item
}

// Render draws the room as a button that is named by the room alone and covers
// all of its entry.
func (r *RoomItem) Render() app.UI {
	it := r.I
	class := "li"
	if it.Selected {
		class += " sel"
	}
	if it.Unread > 0 {
		class += " un"
	}
	about := "about-" + string(it.Room)
	b := app.Button().Type("button").Class("t1 cover").Dir("auto").Aria("describedby", about).OnClick(r.onClick).Text(it.Title)
	if it.Selected {
		b = b.Aria("current", "true")
	}
	unread := app.UI(app.Span().Class("none"))
	if it.Unread > 0 {
		unread = app.Span().Class("badge").Body(
			app.Span().Aria("hidden", true).Text(badgeText(it.Unread)),
			app.Span().Class("sr").Text(r.M.T.UnreadCount(it.Unread)))
	}
	return app.Li().Class(class).Body(
		avatar(it.Letters, ""),
		app.Span().Class("grow").Body(
			b,
			app.Span().Class("p").ID("%s", about).Dir("auto").Text(it.Preview),
		),
		app.Span().Class("side").Body(
			app.Span().Class("when").Text(it.When),
			unread,
		),
	)
}

func badgeText(n int) string {
	if n > 99 {
		return "99+"
	}
	return itoa(n)
}

func (r *RoomItem) onClick(app.Context, app.Event) {
	if r.M.view.CurrentRoom == r.I.Room {
		r.M.auditing = false
		r.M.Settle()
		r.M.shell.Focus("message")
		return
	}
	r.M.Do(store.JoinRoom{Room: r.I.Room})
}

// VendorList is the list of vendors one can write to.
type VendorList struct {
	app.Compo
	M       *Model
	Vendors []chat.Vendor
	Name    string
	Note    string
}

// Render draws the list.
func (l *VendorList) Render() app.UI {
	body := make([]app.UI, len(l.Vendors))
	for i, v := range l.Vendors {
		body[i] = &VendorItem{M: l.M, V: v}
	}
	return app.Div().Class("list").Body(
		app.Ul().Role("list").Aria("label", l.Name).Body(body...),
		app.If(l.Note != "", func() app.UI { return app.P().Class("note").Text(l.Note) }),
	)
}

// VendorItem is one vendor of the list.
type VendorItem struct {
	app.Compo
	M *Model
	V chat.Vendor
}

// Render draws the vendor as a button named by the vendor.
func (i *VendorItem) Render() app.UI {
	letters := i.V.Avatar
	if letters == "" {
		letters = chat.Initials(i.V.Name)
	}
	return app.Li().Class("li").Body(
		avatar(letters, ""),
		app.Button().Type("button").Class("grow t1 cover").Dir("auto").OnClick(i.onClick).Text(i.V.Name))
}

func (i *VendorItem) onClick(app.Context, app.Event) {
	i.M.StartChat(i.V.Slug)
}
