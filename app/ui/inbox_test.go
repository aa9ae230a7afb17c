package ui

import (
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// inboxView is Mia's view with the guest's room open.
func inboxView() *store.View {
	v := opened()
	v.Surface, v.Auth = chat.SurfaceInbox, store.AuthUser
	v.Principal = chat.Principal{Kind: chat.KindUser, User: mia, Name: "Mia"}
	return v
}

func TestInbox(t *testing.T) {
	p, m := newPage(inboxView())
	b := &Inbox{M: m}
	wantSame(t, "buttons", names(b, "button"), []string{
		"Menu", "All", "Open", "Unread", "Closed", "Guest 7Q2K",
		"Back", "About", "Back", "Close room", "Block guest",
	})
	for _, want := range []string{"Guest 7Q2K on /bowl", "Mia (staff)", "Today, 11:00", "Maple Pottery"} {
		if !strings.Contains(words(b), want) {
			t.Errorf("%q is not on the screen: %s", want, words(b))
		}
	}
	if !strings.Contains(html(b), `aria-label="Search rooms"`) {
		t.Error("no search field")
	}
	wantSame(t, "composer", p.composer.Placeholder, "Write to Guest 7Q2K")

	(&Filters{M: m}).onUnread(app.Context{}, app.Event{})
	wantSame(t, "filter", p.took(), []store.Intent{store.FetchRooms{Filter: chat.FilterUnread}})

	a := &About{M: m}
	a.onBlock(app.Context{}, app.Event{})
	wantSame(t, "asks first", len(p.took()), 0)
	wantSame(t, "question", names(a, "button"), []string{"Block guest", "Cancel"})
	a.onBlockYes(app.Context{}, app.Event{})
	a.onClose(app.Context{}, app.Event{})
	a.onCloseYes(app.Context{}, app.Event{})
	wantSame(t, "intents", p.took(), []store.Intent{store.BlockGuest{Room: "r_1"}, store.CloseRoom{Room: "r_1"}})
}

func TestInboxOfLinkedGuest(t *testing.T) {
	v := inboxView()
	r := &v.Room.Timeline.Room
	r.LinkedUser, r.LinkedAt = ada, noon-120_000
	r.Members = []chat.Member{{User: ada, Name: "Ada"}, {User: mia, Name: "Mia", Staff: true}}
	_, m := newPage(v)
	b := &Inbox{M: m}
	if got := words(b); !strings.Contains(got, "Came in as a guest, logged in 11:58") {
		t.Errorf("how Ada came is not said: %s", got)
	}
	for _, n := range names(b, "button") {
		if n == "Block guest" {
			t.Error("a user is offered to be blocked as a guest")
		}
	}
}

func TestInboxLogIn(t *testing.T) {
	v := inboxView()
	v.Auth, v.Principal, v.Room, v.CurrentRoom = store.AuthNone, chat.Principal{}, nil, ""
	_, m := newPage(v)
	wantSame(t, "buttons", names(&Inbox{M: m}, "button"), []string{"Log in"})
	m.Device.Installable = true
	wantSame(t, "buttons", names(&Inbox{M: m}, "button"), []string{"Log in", "Install app"})
}

func TestAdminSeesOversight(t *testing.T) {
	v := inboxView()
	v.Principal = chat.Principal{Kind: chat.KindUser, User: rosa, Name: "Rosa", Role: chat.RoleAdmin}
	v.Rooms[0].Oversight, v.Room.Summary.Oversight = true, true
	_, m := newPage(v)
	got := words(&Inbox{M: m})
	for _, want := range []string{English.Oversight, "Maple Pottery · Yes, it is."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the screen: %s", want, got)
		}
	}
}

func TestInboxMenu(t *testing.T) {
	p, m := newPage(inboxView())
	m.Device.Notifications = true
	m.onMenu(app.Context{}, app.Event{})
	u := &Menu{M: m}
	wantSame(t, "menu", names(u, "button"), []string{"Turn on notifications", "Change password", "Your sessions", "Log out", "Log out everywhere"})
	u.onPassword(app.Context{}, app.Event{})
	wantSame(t, "labels", names(&Inbox{M: m}, "label"), []string{"Current password", "New password"})
	p.change(m, func(v *store.View) { v.PasswordSaved = true })
	if !strings.Contains(words(&Inbox{M: m}), "Your password was changed.") {
		t.Error("the saved password is not said")
	}
}

// The menu shows the user's sessions; each but the present one can be ended.
func TestSessions(t *testing.T) {
	p, m := newPage(inboxView())
	m.onMenu(app.Context{}, app.Event{})
	u := &Menu{M: m}
	u.onSessions(app.Context{}, app.Event{})
	wantSame(t, "asked", p.took(), []store.Intent{store.FetchSessions{}})
	wantSame(t, "focus", p.focused, []string{"sessions-title"})
	if !strings.Contains(words(u), "Loading…") {
		t.Errorf("nothing says that the list is on its way: %s", words(u))
	}
	before := m.menuRev()
	p.change(m, func(v *store.View) {
		v.SessionsLoaded = true
		v.Sessions = []store.Session{
			{ID: "s_1", Surface: chat.SurfaceInbox, Client: "Firefox on Linux", LastSeenAt: noon, Current: true},
			{ID: "s_2", Surface: chat.SurfaceWidget, Client: "Unknown client", LastSeenAt: noon - 3600_000},
		}
	})
	if m.menuRev() == before {
		t.Error("the menu would not be drawn again")
	}
	wantSame(t, "buttons", names(u, "button"), []string{"End Unknown client · Chat", "Log out everywhere", "Back"})
	wantSame(t, "items", names(u, "li"), []string{"Firefox on Linux · Inbox This session", "Unknown client · Chat Last used: Today, 11:00 End"})
	u.onEndSession("s_2")(app.Context{}, app.Event{})
	wantSame(t, "asked", p.took(), []store.Intent{store.EndSession{Session: "s_2"}})
	p.change(m, func(v *store.View) { v.SessionsError = chat.Errorf(chat.CodeUnavailable, "x") })
	if !strings.Contains(words(u), "can’t be reached") {
		t.Errorf("the failure is not said: %s", words(u))
	}
	u.onSessionsBack(app.Context{}, app.Event{})
	if got := names(u, "button"); len(got) < 3 || got[0] != "Change password" {
		t.Errorf("back leads to %q", got)
	}
	u.onSessions(app.Context{}, app.Event{})
	p.change(m, func(v *store.View) { v.Generation++ })
	if m.sessions || m.menu {
		t.Error("another principal sees the list")
	}
}
