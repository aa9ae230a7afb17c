package ui

import (
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// Inbox is the root component of the inbox: rooms, room and what is known
// about the room, side by side or, in a narrow window, one at a time.
type Inbox struct {
	app.Compo
	M     *Model
	Audit *AuditText
	Ready func(dispatch func(func())) // as in Widget
}

// OnMount hands the dispatcher out.
func (b *Inbox) OnMount(ctx app.Context) { ready(ctx, b.Ready) }

// Render draws the inbox. Its root is no box of its own: the columns are
// regions of the body's grid, which also holds the composer.
func (b *Inbox) Render() app.UI {
	m := b.M
	root := app.Main().ID("root").Class("app inbox at-" + string(m.Screen()))
	if s := m.Screen(); s == ScreenLogIn || s == ScreenExpired {
		return root.Body(app.Div().Class("region-full").Body(
			app.Div().Class("gate").Body(
				app.H1().ID("title").TabIndex(-1).Text(m.T.Inbox),
				Status(m, false),
				&LogIn{M: m, Rev: loginRev(m)},
				app.If(m.Device.Installable, func() app.UI { return textButton(m.T.Install, b.onInstall) }),
			)))
	}
	if m.Screen() == ScreenAudit {
		return root.Body(b.rooms(), b.audit())
	}
	return root.Body(b.rooms(), b.room(), b.about())
}

func (b *Inbox) rooms() app.UI {
	m, v := b.M, b.M.view
	role := m.T.Inbox
	if v.Principal.Role == chat.RoleAdmin {
		role = m.T.AdminRole
	}
	return app.Section().Class("region-rooms").Aria("label", m.T.Rooms).Body(
		app.Header().Class("sec").Body(
			avatar(chat.Initials(v.Principal.Name), "accent"),
			app.Div().Class("grow").Body(
				app.H1().ID("title").Class("t1").TabIndex(-1).Dir("auto").Text(v.Principal.Name),
				app.P().Class("t2").Text(role)),
			app.If(m.Device.Installable, func() app.UI {
				return app.Button().Type("button").Class("chip-button").OnClick(b.onInstall).Text(m.T.Install)
			}),
			menuButton(m),
		),
		&Menu{M: m, Rev: m.menuRev()},
		app.If(m.password, func() app.UI { return &Password{M: m, Rev: loginRev(m)} }),
		app.If(m.Device.Updated, func() app.UI {
			return app.Div().Class("notice").Body(app.P().Class("grow").Role("status").Text(m.T.UpdateReady), textButton(m.T.Reload, b.onReload))
		}),
		app.If(v.PasswordSaved && !m.password, func() app.UI {
			return app.P().Class("notice").Role("status").Text(m.T.PasswordSaved)
		}),
		Status(m, false),
		noticeLine(m),
		app.Div().Class("finder").Body(
			app.Input().Type("search").Class("search").Aria("label", m.T.Search).Placeholder("%s", m.T.Search).
				Attr("autocomplete", "off").OnInput(b.onSearch),
			&Filters{M: m, Now: v.Filter},
		),
		&RoomList{M: m, Rooms: items(m), Name: m.T.Rooms, Note: m.listNote(), More: v.RoomsMore},
	)
}

func (b *Inbox) onInstall(app.Context, app.Event) { b.M.shell.Install() }
func (b *Inbox) onReload(app.Context, app.Event)  { b.M.shell.Reload() }

func (b *Inbox) onSearch(ctx app.Context, _ app.Event) {
	s := strings.TrimSpace(ctx.JSSrc().Get("value").String())
	if v := b.M.view; s != v.Search {
		b.M.Do(store.FetchRooms{Filter: v.Filter, Search: s})
	}
}

// Filters is the choice of rooms the list shows.
type Filters struct {
	app.Compo
	M   *Model
	Now chat.RoomFilter
}

// Render draws the choice as pressed and unpressed buttons.
func (f *Filters) Render() app.UI {
	t := f.M.T
	one := func(name string, filter chat.RoomFilter, on app.EventHandler) app.UI {
		return app.Button().Type("button").Class("filter").Aria("pressed", f.Now == filter).
			OnClick(on, app.EventScope(string(filter))).Text(name)
	}
	return app.Div().Class("filters").Role("group").Aria("label", t.Filter).Body(
		one(t.FilterAll, chat.FilterAll, f.onAll), one(t.FilterOpen, chat.FilterOpen, f.onOpen),
		one(t.FilterUnread, chat.FilterUnread, f.onUnread), one(t.FilterClosed, chat.FilterClosed, f.onClosed))
}

func (f *Filters) choose(filter chat.RoomFilter) {
	f.M.Do(store.FetchRooms{Filter: filter, Search: f.M.view.Search})
}
func (f *Filters) onAll(app.Context, app.Event)    { f.choose(chat.FilterAll) }
func (f *Filters) onOpen(app.Context, app.Event)   { f.choose(chat.FilterOpen) }
func (f *Filters) onUnread(app.Context, app.Event) { f.choose(chat.FilterUnread) }
func (f *Filters) onClosed(app.Context, app.Event) { f.choose(chat.FilterClosed) }

func (b *Inbox) room() app.UI {
	m := b.M
	if m.view.Room == nil {
		return app.Section().Class("region-room empty").Aria("label", m.T.Messages).Body(
			app.P().Class("note").Text(m.T.PickRoom))
	}
	r := m.Room()
	chip := m.T.OpenChip
	if r.Closed {
		chip = m.T.ClosedChip
	}
	return app.Section().Class("region-room").Aria("label", m.Title()).Body(
		app.Header().Class("sec").Body(
			iconButton(m.T.Back, iconBack, "start narrow", b.onBack),
			app.Div().Class("grow").Body(
				app.H2().ID("room-title").Class("t1").TabIndex(-1).Dir("auto").Text(m.Title()),
				app.P().Class("t2").Text(m.subtitle(r))),
			app.Span().Class("chip").Text(chip),
			iconButton(m.T.About, iconAbout, "end narrow", b.onAbout),
		),
		banner(m),
		&MessageLog{M: m, Rev: m.logRev, Jump: m.jump, Place: place(m.view)},
		closedLine(m),
	)
}

// subtitle is what is known of how the customer came.
func (m *Model) subtitle(r chat.Room) string {
	switch {
	case r.LinkedUser != "" && r.LinkedAt != 0:
		at := m.Clock.Time(r.LinkedAt)
		if !m.Clock.SameDay(r.LinkedAt, m.Clock.Now()) {
			at = m.Clock.When(m.T, r.LinkedAt)
		}
		return m.T.CameAsGuest(at)
	case r.GuestSession != "":
		return m.T.Guest
	case r.Vendor != nil && m.Title() != r.Vendor.Name:
		return r.Vendor.Name
	}
	return ""
}

func (b *Inbox) onBack(app.Context, app.Event)  { b.M.Do(store.LeaveRoom{}) }
func (b *Inbox) onAbout(app.Context, app.Event) { b.M.about = true; b.M.Settle() }

func (b *Inbox) about() app.UI {
	m := b.M
	if m.view.Room == nil {
		return app.Aside().Class("region-about none").Aria("label", m.T.About)
	}
	return app.Aside().Class("region-about").Aria("label", m.T.About).Body(
		app.Header().Class("sec").Body(
			iconButton(m.T.Back, iconBack, "start narrow", b.onAboutBack),
			app.H2().ID("about-title").TabIndex(-1).Class("t1 grow").Text(m.T.About)),
		&About{M: m, Rev: m.aboutRev()},
	)
}

func (b *Inbox) onAboutBack(app.Context, app.Event) { b.M.about = false; b.M.Settle() }

// About tells what is known of the room on screen and ends it on request.
type About struct {
	app.Compo
	M   *Model
	Rev string
}

func (m *Model) aboutRev() string {
	r := m.Room()
	names := make([]string, 0, len(r.Members)+3)
	names = append(names, string(r.ID), string(r.LinkedUser), string(m.ask))
	for _, p := range r.Members {
		names = append(names, p.Name)
	}
	if r.Closed {
		names = append(names, "closed")
	}
	if m.view.Room.Loaded {
		names = append(names, "loaded")
	}
	return strings.Join(names, "/")
}

// Render draws the facts and, for an open room, the two ways to end it.
func (a *About) Render() app.UI {
	m := a.M
	r := m.Room()
	var facts []app.UI
	fact := func(name, value string) {
		if value != "" {
			facts = append(facts, app.Div().Body(app.Dt().Text(name), app.Dd().Dir("auto").Text(value)))
		}
	}
	fact(m.T.Customer, r.Customer().Name())
	if r.Vendor != nil {
		fact(m.T.Vendor, r.Vendor.Name)
	}
	names := make([]string, len(r.Members))
	for i, p := range r.Members {
		names[i] = p.Name
		if p.Staff {
			names[i] += " (" + m.T.Staff + ")"
		}
	}
	fact(m.T.Participants, strings.Join(names, ", "))
	guest := ""
	if r.GuestSession != "" {
		guest = chat.GuestLabel(r.GuestSession)
	}
	fact(m.T.StartedAs, m.T.StartedOn(guest, r.Page))
	if r.CreatedAt != 0 {
		fact(m.T.Opened, m.Clock.DayTime(m.T, r.CreatedAt))
	}
	return app.Div().Class("about").Body(
		app.Dl().Class("kv").Body(facts...),
		app.If(!r.Closed && m.view.Room.Loaded, func() app.UI { return a.ends(r) }),
	)
}

func (a *About) ends(r chat.Room) app.UI {
	m := a.M
	switch m.ask {
	case AskClose:
		return question(m.T.CloseRoom, m.T.CloseRoomAsk, m.T.Cancel, a.onCloseYes, a.onCancel)
	case AskBlock:
		return question(m.T.BlockGuest, m.T.BlockGuestAsk, m.T.Cancel, a.onBlockYes, a.onCancel)
	}
	return app.Div().Class("ends").Body(
		app.Button().Type("button").Class("quiet").OnClick(a.onClose).Text(m.T.CloseRoom),
		app.If(r.GuestSession != "" && r.LinkedUser == "", func() app.UI {
			return app.Button().Type("button").Class("quiet bad").OnClick(a.onBlock).Text(m.T.BlockGuest)
		}),
	)
}

// question asks in place before something that cannot be undone.
func question(name, text, cancel string, yes, no app.EventHandler) app.UI {
	return app.Div().Class("sheet").Role("group").Aria("label", name).Body(
		app.P().Text(text),
		app.Div().Class("buttons").Body(
			app.Button().Type("button").ID("ask-yes").Class("cta small danger").OnClick(yes, app.EventScope(name)).Text(name),
			app.Button().Type("button").Class("text").OnClick(no).Text(cancel)))
}

func (a *About) onClose(app.Context, app.Event) { a.M.question(AskClose) }
func (a *About) onBlock(app.Context, app.Event) { a.M.question(AskBlock) }
func (a *About) onCancel(app.Context, app.Event) {
	a.M.ask = AskNothing
	a.M.shell.Focus("about-title")
}

func (a *About) onCloseYes(app.Context, app.Event) {
	a.M.ask = AskNothing
	a.M.Do(store.CloseRoom{Room: a.M.view.CurrentRoom})
}

func (a *About) onBlockYes(app.Context, app.Event) {
	a.M.ask = AskNothing
	a.M.Do(store.BlockGuest{Room: a.M.view.CurrentRoom})
}
