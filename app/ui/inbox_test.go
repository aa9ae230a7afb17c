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

// auditView is an admin's view with the audit table loaded.
func auditView() *store.View {
	v := inboxView()
	v.Principal = chat.Principal{Kind: chat.KindUser, User: rosa, Name: "Rosa", Role: chat.RoleAdmin}
	v.Audit = &store.AuditTable{
		Names: map[string]string{string(rosa): "Rosa", string(mia): "Mia", "s_1": "Firefox on Linux", "v_maple": "Maple Pottery", "r_1": "Ada"},
		Rows: []store.AuditRow{
			{ID: 7, At: noon, Action: "oversight", Actor: chat.UserIdentity(rosa), Room: "r_1", Detail: "admin"},
			{ID: 6, At: noon - 60_000, Action: "refused", Actor: chat.GuestIdentity(guest), Room: "r_gone", Detail: "no_room"},
			{ID: 5, At: noon - 86_400_000, Action: "login", Actor: chat.UserIdentity(mia), Subject: "s_1", Detail: "inbox"},
			{ID: 4, At: noon - 400*86_400_000, Action: "vendor_member", Subject: string(mia), Detail: "added v_maple"},
			{ID: 3, At: noon, Action: "refused", Detail: "password"},
			{ID: 2, At: noon, Action: "of_the_future", Subject: "x_1", Detail: "as it is"},
		},
	}
	return v
}

// Admins page through the audit table; others are not offered it.
func TestAudit(t *testing.T) {
	v := auditView()
	loaded := v.Audit
	v.Audit = nil
	p, m := newPage(v)
	m.onMenu(app.Context{}, app.Event{})
	(&Menu{M: m}).onAudit(app.Context{}, app.Event{})
	wantSame(t, "asked", p.took(), []store.Intent{store.FetchAudit{}})
	wantSame(t, "focus", p.focused, []string{"audit-title"})
	wantSame(t, "composer", p.composer.Visible, false)
	b := &Inbox{M: m, Audit: &EnglishAudit}
	show := func(a *store.AuditTable) { p.change(m, func(v *store.View) { v.Audit = a }) }
	has := func(want string) {
		t.Helper()
		if !strings.Contains(words(b.audit()), want) {
			t.Errorf("%q is not on the screen: %s", want, words(b.audit()))
		}
	}
	show(&store.AuditTable{Loading: true})
	has("Loading…")
	wantSame(t, "buttons", names(b.audit(), "button"), []string{"Back", "Refresh"})
	show(&store.AuditTable{})
	has("Nothing has been written here yet.")
	show(&store.AuditTable{Error: chat.Errorf(chat.CodeUnavailable, "x")})
	has("can’t be reached")
	wantSame(t, "buttons", names(b.audit(), "button"), []string{"Back", "Refresh", "Retry"})
	b.onAuditMore(app.Context{}, app.Event{})
	wantSame(t, "asked", p.took(), []store.Intent{store.FetchAudit{}})
	show(&store.AuditTable{Error: chat.Errorf(chat.CodeAccessDenied, "x")})
	has("Only admins")
	wantSame(t, "buttons", names(b.audit(), "button"), []string{"Back", "Refresh"})

	loaded.More = true
	show(loaded)
	list := &AuditList{M: m, T: &EnglishAudit, A: loaded}
	row := func(at, what, ids string, cells ...string) string {
		return at + " " + what + " … " + strings.Join(append([]string{ids}, cells...), " ")
	}
	wantSame(t, "rows", names(list, "tr")[1:], []string{
		row("23 Nov, 12:00", "Looked into a room as an admin", "#7 2026-11-23T12:00:00Z oversight "+string(rosa)+" r_1 admin", "Rosa", "Ada"),
		row("23 Nov, 11:59", "Room refused there is no such room", "#6 2026-11-23T11:59:00Z refused "+string(guest)+" r_gone no_room", "Guest 7Q2K", "r_gone"),
		row("22 Nov, 12:00", "Logged in in the inbox", "#5 2026-11-22T12:00:00Z login "+string(mia)+" s_1 inbox", "Mia", "Firefox on Linux"),
		row("19 Oct 2025, 12:00", "Joined the staff of Maple Pottery", "#4 2025-10-19T12:00:00Z vendor_member "+string(mia)+" added v_maple", "Operator", "Mia"),
		row("23 Nov, 12:00", "Log-in refused wrong password, or the account is disabled", "#3 2026-11-23T12:00:00Z refused password", "Unknown"),
		row("23 Nov, 12:00", "of_the_future as it is", "#2 2026-11-23T12:00:00Z of_the_future x_1 as it is", "Operator", "x_1"),
	})
	wantSame(t, "buttons", names(b.audit(), "button"), []string{"Back", "Refresh", "Show more"})
	b.onAuditMore(app.Context{}, app.Event{})
	wantSame(t, "asked", p.took(), []store.Intent{store.FetchAudit{More: true}})

	// A room that is opened takes its place; so does Escape, and a lost role.
	p.change(m, func(v *store.View) { v.Room, v.CurrentRoom = nil, "" })
	wantSame(t, "screen", m.Screen(), ScreenAudit)
	p.change(m, func(v *store.View) { o := opened(); v.Room, v.CurrentRoom = o.Room, o.CurrentRoom })
	wantSame(t, "screen", m.Screen(), ScreenRoom)
	for what, leave := range map[string]func(){
		"Escape":         func() { m.Escape() },
		"back":           func() { b.onAuditBack(app.Context{}, app.Event{}) },
		"the same room":  func() { (&RoomItem{M: m, I: items(m)[0]}).onClick(app.Context{}, app.Event{}) },
		"a lost role":    func() { p.change(m, func(v *store.View) { v.Principal.Role = chat.RoleUser }) },
		"somebody else":  func() { p.change(m, func(v *store.View) { v.Generation++ }) },
		"another screen": func() { p.change(m, func(v *store.View) { v.Auth = store.AuthExpired }) },
	} {
		p.change(m, func(v *store.View) { v.Auth, v.Principal.Role = store.AuthUser, chat.RoleAdmin })
		(&Menu{M: m}).onAudit(app.Context{}, app.Event{})
		if m.Screen() != ScreenAudit {
			t.Fatalf("before %s: %s is shown", what, m.Screen())
		}
		if leave(); m.Screen() == ScreenAudit {
			t.Errorf("after %s it is still shown", what)
		}
	}
	_, m = newPage(inboxView())
	m.onMenu(app.Context{}, app.Event{})
	for _, n := range names(&Menu{M: m}, "button") {
		if n == English.Audit {
			t.Error("it is offered to one who is no admin")
		}
	}
}
