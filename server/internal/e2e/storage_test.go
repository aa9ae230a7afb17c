//go:build !js

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever a browser keeps under our names, or refuses to keep: the chat works,
// and nothing of a value that is not ours is ever sent.
func TestStorageThatCannotBeTrusted(t *testing.T) {
	s := serve(t)
	const (
		id     = "g_aaaaaaaaaaaaaaaaaaaaaaaaaa"
		secret = "gs_aaaaaaaaaaaaaaaaaaaaaaaaaa_"
	)
	for _, c := range []struct {
		name  string
		plant map[string]string // what localStorage holds before the chat first runs
		word  string            // a word of it that must never be sent
		refer string            // a script that runs before the page's own
	}{
		{name: "no JSON", plant: map[string]string{"chatGuestSession": `{"v":1,"id":"planted`}, word: "planted"},
		{name: "foreign JSON", plant: map[string]string{"chatGuestSession": `{"sessionId":"planted-by-another-chat","token":"planted"}`}, word: "planted"},
		{name: "a plain string", plant: map[string]string{"chatGuestSession": `planted-0123456789abcdef`}, word: "planted"},
		{name: "right keys, wrong values", plant: map[string]string{"chatGuestSession": `{"v":1,"id":"planted\r\nX-Evil: 1","credential":"gs_planted","revoke":"rv_planted"}`}, word: "planted"},
		{name: "right shape, another id", plant: map[string]string{"chatGuestSession": `{"v":1,"id":"` + id + `","credential":"gs_bbbbbbbbbbbbbbbbbbbbbbbbbb_` + strings.Repeat("plant", 8) + `abc","revoke":"rv_` + strings.Repeat("plant", 8) + `abc"}`}, word: "plant"},
		{name: "a later version", plant: map[string]string{"chatGuestSession": `{"v":2,"id":"` + id + `","credential":"` + secret + strings.Repeat("plant", 8) + `abc","revoke":"","more":[1]}`}, word: "plant"},
		{name: "oversized", plant: map[string]string{"chatGuestSession": `{"v":1,"id":"` + strings.Repeat("planted", 60_000) + `"}`}, word: "planted"},
		{name: "all our keys corrupt", plant: map[string]string{
			"chatGuestSession": "null", "anteroom.widget.session": `{"v":1,"credential":"as_planted","user":"u_planted"}`, "anteroom.widget.auth": `{"planted":`,
			"anteroom.widget.outbox.planted": `{"text":"planted"`, "anteroom.widget.outbox.": `[]`, "anteroom.widget.draft.planted": `{"planted`, "anteroom.widget.draft..": `7`,
			"anteroom.widget.revoke.1": `planted`, "anteroom.widget.queued": `[{"id":"pl anted","text":"planted"},{"text":7},null]`, "anteroom.widget.relay": `"planted"`, "anteroom.widget.planted": "planted",
		}, word: "planted"},
		{name: "storage full", plant: map[string]string{"somebody.else": "x"}, refer: `
			const set = Storage.prototype.setItem;
			Storage.prototype.setItem = function (k, v) { if (k.startsWith('plant')) return set.call(this, k, v); throw new DOMException('full', 'QuotaExceededError'); };`},
		{name: "storage refused", refer: `
			for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])
				Object.defineProperty(window, name, {configurable: true, get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); }});
			window.BroadcastChannel = class { constructor() { throw new DOMException('Access is denied for this document.', 'SecurityError'); } };`},
		{name: "storage missing", refer: `
			for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'BroadcastChannel'])
				Object.defineProperty(window, name, {configurable: true, value: name === 'BroadcastChannel' ? undefined : null});`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := visitor(t, "guest")
			tab := v.tab1
			tab.allow(`favicon\.ico`) // the browser asks for one by itself where we plant
			if c.refer != "" {
				tab.before(c.refer)
			}
			sent := tab.capture()
			if c.plant != nil {
				// Planted on a page of the chat's origin that runs nothing of ours.
				tab.visit(s.url + "/robots.txt")
				for k, value := range c.plant {
					tab.top().mustEval(fmt.Sprintf(`Object.getPrototypeOf(localStorage).setItem.call(localStorage, %q.startsWith('somebody') ? 'planted' : %q, %q)`, k, k, value), nil)
				}
			}
			chat := v.open(s.url + "/chat?vendor=maple-pottery").top()
			text := "Sent in spite of " + c.name
			chat.sees("Maple Pottery")
			chat.say(text)
			chat.delivered(text)
			s.answer(s.staff("mia"), s.roomWith(s.staff("mia"), text).ID, "It arrived: "+c.name)
			chat.reads(text, "It arrived: "+c.name)
			if len(sent.of(text)) == 0 {
				t.Fatal("the capture has not even the message: it would prove nothing")
			}
			if c.word != "" {
				for _, line := range sent.of(c.word) {
					t.Errorf("sent: %.300s", line)
				}
			}
			if c.refer == "" {
				if g, ok := chat.guestSession(); !ok || g.ID == id {
					t.Errorf("the guest session is %+v", g)
				}
				tab.reload()
				chat.openRoomOf(tab, "Maple Pottery")
				chat.reads(text, "It arrived: "+c.name)
				return
			}
			// In memory: the page says so, and a reload knows nothing.
			chat.sees("This browser keeps nothing: the chat lives until you close this tab.")
			tab.shot("chat-in-memory")
			tab.reload()
			chat.find("textbox", "Message")
			chat.showsNot(text)
		})
	}
}

// What the outbox builds on holds here, too; stories asks the other browsers.
func TestFullLocalStorage(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").tab1
	tab.allow(`favicon\.ico`)
	tab.visit(s.url + "/robots.txt")
	fullStorage(t, tab.top().eval)
}

// openRoomOf shows the room with a vendor, whether the chat begins with it or with the list.
func (d *Doc) openRoomOf(tab *Tab, vendor string) {
	tab.t.Helper()
	await(tab.t, "the room with "+vendor, func() (bool, error) {
		if d.has("log", "Messages") {
			return true, nil
		}
		_, err := d.lookup("button", vendor)
		return err == nil, err
	})
	if !d.has("log", "Messages") {
		d.enter(vendor)
	}
}

// A page may put the chat into a sandbox without an origin. The chat's server
// answers no such page, so the frame must say so, calmly, and lead elsewhere.
func TestSandboxedFrame(t *testing.T) {
	h := host(t, map[string]hostPage{
		"/":     {body: hostHead + `</head><body><iframe title="inner" sandbox="allow-scripts allow-popups" width="600" height="700" src="/shop"></iframe></body></html>`},
		"/shop": {body: hostHead + `<script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script></head><body><h1>In a sandbox</h1></body></html>`},
	})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	tab := visitor(t, "guest").open(h.url + "/")
	tab.allow("frame-ancestors")
	inner := &Doc{tab: tab, where: func() (place, error) { return tab.framePlace("/shop") }}
	inner.find("button", "Open chat")
	inner.mustEval(`void (`+launcher+`).click()`, nil)
	inner.calm()
	tab.shot("sandboxed-page")
}
