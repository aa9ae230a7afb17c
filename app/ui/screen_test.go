package ui

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

func TestNoRaw(t *testing.T) {
	sources, _ := filepath.Glob("*.go")
	above, _ := filepath.Glob("../*.go")
	for _, f := range append(sources, above...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"app." + "Raw(", "inner" + "HTML", "outer" + "HTML", "insertAdjacent" + "HTML", ".Sty" + "le(", ".Sty" + "les("} {
			if strings.Contains(string(b), bad) {
				t.Errorf("%s uses %s", f, bad)
			}
		}
	}
}

func TestTextIsNeverMarkup(t *testing.T) {
	v := opened()
	v.Room.Timeline.Events = []chat.Event{message(1, noon, chat.UserIdentity(mia), "<b>Mia</b>", `<img src=x onerror=alert(1)> https://a.example/"><script>`)}
	_, m := newPage(v)
	got := html(&MessageLog{M: m})
	for _, bad := range []string{"<img", "<script", "<b>"} {
		if strings.Contains(got, bad) {
			t.Errorf("the log holds %s:\n%s", bad, got)
		}
	}
	if !strings.Contains(got, `rel="noopener noreferrer nofollow"`) || !strings.Contains(got, `href="https://a.example/"`) {
		t.Errorf("the link is missing or unsafe:\n%s", got)
	}
}

func TestRooms(t *testing.T) {
	p, m := newPage(guestView())
	w := &Widget{M: m}
	wantSame(t, "buttons", names(w, "button"), []string{"Menu", "Close chat", "Maple Pottery", "New chat", "Log in"})
	for _, want := range []string{"Good afternoon.", "Yes, it is.", "1 unread message", "Chatting as a guest."} {
		if !strings.Contains(words(w), want) {
			t.Errorf("%q is not on the screen: %s", want, words(w))
		}
	}
	if !strings.Contains(html(w), `aria-label="Rooms"`) {
		t.Error("the list of rooms has no name")
	}
	wantSame(t, "composer", p.composer, Composer{})

	(&RoomItem{M: m, I: items(m)[0]}).onClick(app.Context{}, app.Event{})
	wantSame(t, "after a click on the room", p.took(), []store.Intent{store.JoinRoom{Room: "r_1"}})
}

func TestHostCustomersLogInOnTheirPage(t *testing.T) {
	_, m := newPage(guestView())
	m.Device.HostLogin = true
	wantSame(t, "buttons", names(&Widget{M: m}, "button"), []string{"Menu", "Close chat", "Maple Pottery", "New chat"})
}

func TestVendors(t *testing.T) {
	p, m := newPage(guestView())
	w := &Widget{M: m}
	w.onNew(app.Context{}, app.Event{})
	wantSame(t, "screen", m.Screen(), ScreenVendors)
	wantSame(t, "focus", p.focused, []string{"title"})
	wantSame(t, "buttons", names(w, "button"), []string{"Back", "Close chat", "Maple Pottery", "Northern Tea"})
	(&VendorItem{M: m, V: tea}).onClick(app.Context{}, app.Event{})
	wantSame(t, "after a click on the vendor", p.took(), []store.Intent{store.StartChat{Vendor: "northern-tea"}})

	t.Run("the only vendor needs no list", func(t *testing.T) {
		v := guestView()
		v.Vendors = v.Vendors[:1]
		p, m := newPage(v)
		m.PickVendor()
		wantSame(t, "intents", p.took(), []store.Intent{store.StartChat{Vendor: "maple-pottery"}})
	})
}

func TestRoom(t *testing.T) {
	p, m := newPage(opened())
	w := &Widget{M: m}
	wantSame(t, "buttons", names(w, "button"), []string{"Back", "Menu", "Close chat"})
	if h := html(w); !strings.Contains(h, `role="log"`) || !strings.Contains(h, `aria-label="Messages"`) {
		t.Errorf("no log called Messages:\n%s", h)
	}
	wantSame(t, "composer", p.composer, Composer{Visible: true, Place: "r_1", Placeholder: "Write to Maple Pottery", Moved: true})

	t.Run("connection", func(t *testing.T) {
		for state, want := range map[store.Connection]string{
			store.Connecting: "Connecting…", store.Reconnecting: "Reconnecting…",
			store.Offline: "Offline. Your messages will be sent when you are back.", store.Online: "",
		} {
			p.change(m, func(v *store.View) { v.Connection = state })
			got := words(w)
			if want != "" && strings.Count(got, want) != 1 {
				t.Errorf("%s: want %q once in %q", state, want, got)
			}
			if state == store.Online && (strings.Contains(got, "Reconnecting") || strings.Contains(got, "nline")) {
				t.Errorf("online says something: %q", got)
			}
		}
	})
	t.Run("typing", func(t *testing.T) {
		p.change(m, func(v *store.View) {
			v.Room.Typing = []store.Typist{{Who: chat.UserIdentity(mia), Name: "Mia"}, {Who: v.Principal.Identity(), Name: "me"}}
		})
		if got := words(w); !strings.Contains(got, "Mia is typing") || strings.Contains(got, "me is typing") {
			t.Errorf("typing is shown as %q", got)
		}
	})
	t.Run("failed message", func(t *testing.T) {
		p.change(m, func(v *store.View) {
			v.Room.Pending = []store.Pending{{ClientID: "c1", Text: "lost", At: noon, State: store.Failed, Error: chat.Errorf(chat.CodeTooLarge, "x")}}
		})
		wantSame(t, "buttons", names(w, "button"), []string{"Back", "Menu", "Close chat", "Retry", "Discard"})
		entries := m.entries(0, 3)
		row := &Row{M: m, E: &entries[len(entries)-1]}
		row.onRetry(app.Context{}, app.Event{})
		row.onDiscard(app.Context{}, app.Event{})
		wantSame(t, "intents", p.took(), []store.Intent{store.Retry{ClientID: "c1"}, store.Discard{ClientID: "c1"}})
	})
	t.Run("closed", func(t *testing.T) {
		p.change(m, func(v *store.View) { v.Room.Timeline.Room.Closed = true })
		if p.composer.Visible || !strings.Contains(words(w), "This room is closed.") {
			t.Errorf("composer %+v, screen %q", p.composer, words(w))
		}
	})
	t.Run("back", func(t *testing.T) {
		p.took()
		m.onBack(app.Context{}, app.Event{})
		wantSame(t, "intents", p.took(), []store.Intent{store.LeaveRoom{}})
		p.change(m, func(v *store.View) { v.CurrentRoom, v.Room = "", nil })
		wantSame(t, "focus", p.focused, []string{"title"})
		wantSame(t, "composer", p.composer, Composer{Moved: true})
	})
}

// TestComposerKeepsWhatIsTyped: the field is the visitor's; only another place replaces it.
func TestComposerKeepsWhatIsTyped(t *testing.T) {
	v := guestView()
	v.Rooms, v.Auth, v.Principal = nil, store.AuthNone, chat.Principal{}
	p, m := newPage(v)
	p.change(m, func(v *store.View) {
		v.CurrentVendor = "maple-pottery"
		v.Room = &store.RoomView{Loaded: true, Summary: chat.Summary{Room: chat.Room{Vendor: &maple}}}
	})
	m.Typed("Hello")
	wantSame(t, "typed", p.took(), []store.Intent{store.SetDraft{Place: "vendor:maple-pottery", Text: "Hello"}})
	p.change(m, func(v *store.View) { v.Room.Draft = "Hel" }) // the store is a moment behind
	if !m.Send("Hello") {
		t.Fatal("a text was not taken")
	}
	wantSame(t, "sent", p.took(), []store.Intent{
		store.SetDraft{Place: "vendor:maple-pottery"}, store.SendMessage{Vendor: "maple-pottery", Text: "Hello"},
	})
	m.Typed("and more") // while the room is being made
	p.took()
	p.change(m, func(v *store.View) {
		o := opened()
		v.CurrentVendor, v.CurrentRoom, v.Room, v.Principal = "", o.CurrentRoom, o.Room, o.Principal
	})
	wantSame(t, "places the field moved to", p.moved, []string{"vendor:maple-pottery"})
	wantSame(t, "the draft follows", p.took(), []store.Intent{store.SetDraft{Place: "r_1", Text: "and more"}})

	t.Run("an empty field takes the room's draft", func(t *testing.T) {
		v := guestView()
		v.CurrentVendor = "maple-pottery"
		v.Room = &store.RoomView{Loaded: true, Summary: chat.Summary{Room: chat.Room{Vendor: &maple}}}
		p, m := newPage(v)
		p.change(m, func(v *store.View) {
			o := opened()
			v.CurrentVendor, v.CurrentRoom, v.Room = "", o.CurrentRoom, o.Room
			v.Room.Draft = "half a thought"
		})
		wantSame(t, "composer", p.composer, Composer{Visible: true, Place: "r_1", Draft: "half a thought", Placeholder: "Write to Maple Pottery", Moved: true})
		wantSame(t, "intents", len(p.took()), 0)
	})
	t.Run("another room has its own draft", func(t *testing.T) {
		p.change(m, func(v *store.View) {
			v.CurrentRoom, v.Room.Draft = "r_2", "to others"
			v.Room.Summary.ID, v.Room.Timeline.Room.ID = "r_2", "r_2"
		})
		wantSame(t, "composer", p.composer, Composer{Visible: true, Place: "r_2", Draft: "to others", Placeholder: "Write to Maple Pottery", Moved: true})
	})
	t.Run("another principal finds nothing", func(t *testing.T) {
		p.change(m, func(v *store.View) {
			v.Generation++
			v.Auth, v.Principal, v.CurrentRoom, v.Room = store.AuthNone, chat.Principal{}, "", nil
		})
		wantSame(t, "wiped", p.wiped, 1)
		wantSame(t, "composer", p.composer, Composer{})
	})
	as := func(user chat.UserID) func(*store.View) {
		return func(v *store.View) {
			v.Generation++
			v.Auth, v.Principal = store.AuthUser, chat.Principal{Kind: chat.KindUser, User: user}
		}
	}
	t.Run("who logs in keeps the field", func(t *testing.T) {
		p.change(m, as("u_1"))
		wantSame(t, "wiped", p.wiped, 1)
	})
	t.Run("another user finds nothing", func(t *testing.T) {
		p.change(m, as("u_2"))
		wantSame(t, "wiped", p.wiped, 2)
	})
}

func TestWhoWritesFirstIsAskedToWhom(t *testing.T) {
	v := guestView()
	v.Rooms, v.Auth, v.Principal = nil, store.AuthNone, chat.Principal{}
	p, m := newPage(v)
	m.Write()
	wantSame(t, "screen", m.Screen(), ScreenVendors)
	wantSame(t, "the field stays", p.composer, Composer{Visible: true, Placeholder: "Write a message"})
	wantSame(t, "the focus stays", len(p.focused), 0)
	if m.Send("Hello") {
		t.Error("a text to nobody was taken")
	}
	p.change(m, func(v *store.View) {
		v.CurrentVendor = "maple-pottery"
		v.Room = &store.RoomView{Loaded: true, Summary: chat.Summary{Room: chat.Room{Vendor: &maple}}}
	})
	wantSame(t, "composer", p.composer, Composer{Visible: true, Place: "vendor:maple-pottery", Placeholder: "Write to Maple Pottery", Moved: true})
}

func TestSendRefuses(t *testing.T) {
	p, m := newPage(opened())
	for _, text := range []string{"", " \n ", strings.Repeat("x", chat.MaxText+1), "a\x00b"} {
		if m.Send(text) {
			t.Errorf("%.10q was taken", text)
		}
	}
	wantSame(t, "intents", len(p.took()), 0)
}

// stage is a widget whose context a native test can use.
type stage struct {
	Widget
	ctx app.Context
}

func (s *stage) OnPreRender(ctx app.Context) { s.ctx = ctx }

// TestKeystrokeDoesNotDrawTheLog counts by the clock, which every row asks.
func TestKeystrokeDoesNotDrawTheLog(t *testing.T) {
	v := opened()
	p, m := newPage(v)
	asked := 0
	m.Clock.Offset = func(int64) int { asked++; return 0 }
	engine := app.NewTestEngine()
	w := &stage{Widget: Widget{M: m}}
	if err := engine.Load(w); err != nil {
		t.Fatal(err)
	}
	engine.ConsumeAll()
	step := func(f func(*store.View)) int {
		asked = 0
		p.change(m, f)
		w.ctx.Dispatch(nil)
		engine.ConsumeAll()
		return asked
	}
	if n := step(func(v *store.View) { v.Room.Draft = "H" }); n != 0 {
		t.Errorf("a keystroke asked the clock %d times", n)
	}
	if n := step(func(v *store.View) { v.Unread = 7 }); n != 0 {
		t.Errorf("a change elsewhere asked the clock %d times", n)
	}
	if n := step(func(v *store.View) {
		v.Room.Timeline.Events = append(v.Room.Timeline.Events, message(4, noon, chat.UserIdentity(mia), "Mia", "new"))
		v.Room.Timeline.Head = 4
	}); n == 0 {
		t.Error("a new message did not draw the log")
	}
}

func TestLogIn(t *testing.T) {
	p, m := newPage(guestView())
	w := &Widget{M: m}
	w.onLogIn(app.Context{}, app.Event{})
	wantSame(t, "screen", m.Screen(), ScreenLogIn)
	wantSame(t, "focus", p.focused, []string{"username"})
	wantSame(t, "labels", names(w, "label"), []string{"Username", "Password"})
	wantSame(t, "buttons", names(w, "button"), []string{"Back", "Close chat", "Log in"})
	p.change(m, func(v *store.View) { v.LogInError = chat.Errorf(chat.CodeUnauthenticated, "whatever") })
	if !strings.Contains(words(w), "Username or password is wrong.") {
		t.Errorf("the failure is not said: %q", words(w))
	}
	p.change(m, func(v *store.View) {
		v.Auth, v.Principal, v.LogInError = store.AuthUser, chat.Principal{Kind: chat.KindUser, User: ada, Name: "Ada"}, nil
		v.Rooms = slices.Clone(v.Rooms)
		v.Rooms[0].LinkedUser, v.Rooms[0].Members = ada, []chat.Member{{User: ada, Name: "Ada"}}
	})
	wantSame(t, "screen", m.Screen(), ScreenRooms)
	wantSame(t, "buttons", names(w, "button"), []string{"Menu", "Close chat", "Maple Pottery", "New chat", "Log out"})
	w.onLogOut(app.Context{}, app.Event{})
	wantSame(t, "intents", p.took(), []store.Intent{store.LogOut{}})
}

func TestExpired(t *testing.T) {
	v := opened()
	v.Auth = store.AuthExpired
	p, m := newPage(v)
	w := &Widget{M: m}
	wantSame(t, "screen", m.Screen(), ScreenExpired)
	if got := html(w); strings.Contains(got, "food-safe") {
		t.Error("the expired user's messages are on the screen")
	}
	wantSame(t, "composer", p.composer.Visible, false)
	wantSame(t, "buttons", names(w, "button"), []string{"Close chat", "Log in", "Go on as a guest"})
}

func TestForgetMe(t *testing.T) {
	p, m := newPage(guestView())
	w := &Widget{M: m}
	m.onMenu(app.Context{}, app.Event{})
	wantSame(t, "menu", names(w, "button"), []string{"Menu", "Close chat", "End chat and forget me", "Maple Pottery", "New chat", "Log in"})
	u := &Menu{M: m}
	u.onEnd(app.Context{}, app.Event{})
	wantSame(t, "nothing yet", len(p.took()), 0)
	wantSame(t, "question", names(u, "button"), []string{"Yes, forget me", "Cancel"})
	u.onEndYes(app.Context{}, app.Event{})
	wantSame(t, "intents", p.took(), []store.Intent{store.EndChat{}})
}

func TestEscape(t *testing.T) {
	_, m := newPage(guestView())
	m.onMenu(app.Context{}, app.Event{})
	m.ask = AskEnd
	for _, want := range []bool{true, true, false} {
		if got := m.Escape(); got != want {
			t.Fatalf("Escape closed something: %v, want %v", got, want)
		}
	}
}

func TestNotice(t *testing.T) {
	v := guestView()
	v.Notice = chat.AccessDenied
	p, m := newPage(v)
	if got := words(&Widget{M: m}); !strings.Contains(got, "This room is no longer available to you.") || strings.Contains(got, "denied") {
		t.Errorf("the notice is not calm: %q", got)
	}
	m.onDismiss(app.Context{}, app.Event{})
	wantSame(t, "intents", p.took(), []store.Intent{store.DismissNotice{}})
}

func TestOpenRoomOfVendorIsFoundLater(t *testing.T) {
	v := guestView()
	rooms := v.Rooms
	v.Rooms, v.RoomsLoaded, v.CurrentVendor = nil, false, "maple-pottery"
	v.Room = &store.RoomView{Loaded: true, Summary: chat.Summary{Room: chat.Room{Vendor: &maple}}}
	p, m := newPage(v)
	p.change(m, func(v *store.View) { v.Rooms, v.RoomsLoaded = rooms, true })
	wantSame(t, "intents", p.took(), []store.Intent{store.StartChat{Vendor: "maple-pottery"}})
}
