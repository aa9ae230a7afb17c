//go:build !js

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// judged lets axe-core judge a screen, light and dark.
func (d *Doc) judged(core, screen string) {
	d.tab.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		d.tab.dark(scheme == "dark")
		await(d.tab.t, screen+" in its colours, standing still", func() (bool, error) {
			var ok bool
			err := d.eval(fmt.Sprintf(`matchMedia('(prefers-color-scheme: %s)').matches && document.getAnimations().every((a) => a.playState !== 'running')`, scheme), &ok)
			return ok, err
		})
		d.accessible(d.tab.t, core, screen+" "+scheme)
	}
}

// The screens of the widget that TestAccessible does not see, and all on a phone.
func TestWidgetIsAccessible(t *testing.T) {
	core := axe(t)
	const page = hostHead + `<meta name="viewport" content="width=device-width,initial-scale=1"></head><body><main><h1>A shop without accounts</h1></main><script async src="{{chat}}/embed.js"></script></body></html>`
	h := host(t, map[string]hostPage{"/": {body: page}})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	for _, phone := range []bool{false, true} {
		name := "desk"
		if phone {
			name = "phone"
		}
		t.Run(name, func(t *testing.T) {
			v := visitor(t, name)
			tab := v.tab1
			tab.allow(networkErrors, `/api/login`) // a log-in is refused
			if phone {
				tab.size(360, 640, true)
			}
			v.open(h.url + "/")
			top := tab.top()
			top.find("button", "Open chat")
			top.judged(core, "launcher, "+name)

			chat := tab.openChat()
			known := func(screen string) { // TestAccessible has seen it on a desk
				if phone {
					chat.judged(core, screen+", "+name)
				}
			}
			chat.find("button", "New chat")
			known("no rooms")
			chat.click("button", "New chat")
			chat.find("list", "Vendors")
			known("vendors")
			chat.click("button", "Maple Pottery")
			chat.find("log", "Messages")
			known("empty room")
			chat.say("Look at https://example.org/bowls, please\nand at the second line")
			chat.delivered("Look at")
			guest, _ := chat.guestSession()
			mia := s.staff("mia")
			s.answer(mia, s.roomOf(mia, guest.ID), "I have: **nice**. See http://maple.example/one")
			chat.sees("I have")
			chat.fill("Message", strings.Repeat("a long text ", 320))
			known("room")
			chat.fill("Message", "")

			chat.click("button", "Menu")
			chat.find("button", "End chat and forget me")
			chat.judged(core, "menu, "+name)
			chat.click("button", "End chat and forget me")
			chat.find("button", "Yes, forget me")
			chat.judged(core, "end of chat, "+name)
			chat.click("button", "Cancel")

			s.front.sever()
			tab.offline(true)
			chat.say("Written in a tunnel")
			chat.sees("Offline. Your messages")
			chat.judged(core, "offline, "+name)
			tab.offline(false)
			s.front.heal()
			chat.delivered("Written in a tunnel")

			chat.click("button", "Back")
			chat.find("list", "Rooms")
			known("rooms")
			chat.click("button", "Log in")
			chat.find("textbox", "Username")
			known("log-in form")
			chat.fill("Username", "mia")
			chat.fill("Password", "wrong")
			chat.click("button", "Log in")
			chat.sees("Username or password is wrong.")
			known("log-in refused")
		})
	}
}

// A message that was refused, and a session that has ended.
func TestRefusalsAreAccessible(t *testing.T) {
	core := axe(t)
	const page = hostHead + `</head><body><main><h1>A shop without accounts</h1></main><script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script></body></html>`
	h := host(t, map[string]hostPage{"/": {body: page}})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	tab := visitor(t, "guest").open(h.url + "/")
	tab.allow(networkErrors)
	chat := tab.openChat()
	chat.say("Before")
	chat.delivered("Before")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")

	// The room is closed while a message waits: it is refused.
	away := s.front.noSockets()
	chat.say("Too late")
	chat.sees("Waiting to send")
	if status, code := s.request("POST", "/api/rooms/"+s.roomOf(mia, guest.ID)+"/close", mia, map[string]any{}, nil); status >= 300 {
		t.Fatalf("close the room: %d %s", status, code)
	}
	away.Store(false)
	chat.find("button", "Retry")
	chat.find("button", "Discard")
	chat.reads("Before", "Too late")
	chat.judged(core, "message not sent")
	chat.click("button", "Discard")
	chat.showsNot("Too late")
	chat.judged(core, "closed room")

	// A session that was ended elsewhere.
	chat.click("button", "Back")
	chat.click("button", "Log in")
	chat.fill("Username", "noor")
	chat.fill("Password", "demo-noor")
	chat.click("button", "Log in")
	chat.sees("Logged in as")
	chat.judged(core, "rooms of a user")
	if status, code := s.request("POST", "/api/logout-everywhere", s.staff("noor"), map[string]any{}, nil); status >= 300 {
		t.Fatalf("log out everywhere: %d %s", status, code)
	}
	chat.sees("Your session has ended.")
	chat.judged(core, "session ended")
	chat.click("button", "Go on as a guest")
	chat.sees("Chatting as a guest.")
}

// noSockets hangs up and lets nobody open a socket while the value is true; the
// API still answers.
func (f *Front) noSockets() *atomic.Bool {
	away := &atomic.Bool{}
	away.Store(true)
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path == "/ws" && away.Load() {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	f.hangUp()
	return away
}

// The screens of the inbox, likewise.
func TestInboxIsAccessible(t *testing.T) {
	core := axe(t)
	s := serve(t)
	guest := visitor(t, "guest").open(s.shop + "/products/blue-bowl").openChat()
	guest.say("Somebody for the inbox")
	guest.delivered("Somebody for the inbox")
	g, _ := guest.guestSession()
	for _, phone := range []bool{false, true} {
		name := "desk"
		if phone {
			name = "phone"
		}
		t.Run(name, func(t *testing.T) {
			v := visitor(t, name)
			tab := v.tab1
			if phone {
				tab.size(360, 640, true)
			}
			d := v.open(s.url + "/inbox/").top()
			known := func(screen string) { // likewise
				if phone {
					d.judged(core, screen+", "+name)
				}
			}
			d.find("textbox", "Username")
			known("inbox log-in")
			d.fill("Username", "mia")
			d.fill("Password", "demo-mia")
			d.click("button", "Log in")
			d.find("list", "Rooms")
			d.find("button", g.label())
			known("inbox rooms")
			d.click("button", "Menu")
			d.find("button", "Change password")
			d.judged(core, "inbox menu, "+name)
			d.click("button", "Your sessions")
			d.sees("This session")
			d.judged(core, "inbox sessions, "+name)
			d.click("button", "Back")
			d.click("button", "Change password")
			d.find("button", "Save password")
			d.judged(core, "inbox change password, "+name)
			d.click("button", "Cancel")
			d.enter(g.label())
			d.reads("Somebody for the inbox")
			known("inbox room")
			if phone {
				d.click("button", "About")
			}
			d.find("button", "Block guest")
			d.judged(core, "inbox about, "+name)
			d.click("button", "Close room")
			d.find("button", "Cancel")
			d.judged(core, "inbox close room, "+name)
			d.click("button", "Cancel")
			d.click("button", "Block guest")
			d.find("button", "Cancel")
			d.judged(core, "inbox block guest, "+name)
			d.click("button", "Cancel")
		})
	}
}
