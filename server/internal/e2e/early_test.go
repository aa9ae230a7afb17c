//go:build !js

package e2e

import (
	"fmt"
	"testing"
)

// recorder notes what the page's sockets say and hear.
const recorder = `{ const W = WebSocket; window.recorded = [];
	window.WebSocket = class extends W {
		constructor(...args) {
			super(...args);
			this.record = {sent: [], got: 0, socket: this};
			recorded.push(this.record);
			W.prototype.addEventListener.call(this, 'message', () => this.record.got++);
		}
		send(data) { this.record.sent.push(data); super.send(data); }
	}; }`

// gated holds up the module of the tab's next documents until ungate. A browser
// that has it in its cache does not ask the front for it.
const gated = `{ const real = WebAssembly.instantiate, gate = new Promise((open) => { window.ungate = open; });
	WebAssembly.instantiate = async (...args) => { await gate; return real.apply(WebAssembly, args); }; }`

// sockets is what a document's sockets did so far: how many there were and are
// open, how often they greeted, and how many messages came.
type sockets struct{ All, Open, Hello, Got int }

func (d *Doc) sockets() (s sockets, err error) {
	err = d.eval(`({all: recorded.length, open: recorded.filter((r) => r.socket.readyState === 1).length,
		hello: recorded.flatMap((r) => r.sent).filter((m) => m.includes('"hello"')).length, got: recorded.reduce((n, r) => n + r.got, 0)})`, &s)
	return s, err
}

// greeted waits until the shell, without the app, has a socket that was answered.
func (d *Doc) greeted() {
	d.tab.t.Helper()
	await(d.tab.t, "the shell's socket to be answered", func() (bool, error) {
		s, err := d.sockets()
		if err == nil && s.Got == 0 {
			err = fmt.Errorf("%+v", s)
		}
		return err == nil, err
	})
	if live, err := d.live(); live || err != nil {
		d.tab.t.Fatalf("the module is held up, and go-app is there: %v (%v)", live, err)
	}
}

// returning is the chat of a guest who has written text before: greeted by the
// shell, its module held up until ungate.
func (s *Server) returning(t *testing.T, text string) *Doc {
	t.Helper()
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say(text)
	chat.delivered(text)
	tab.before(recorder + gated)
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.shell()
	chat.greeted()
	return chat
}

// The shell greets the server while the module loads. The app takes that socket
// as its own: it says nothing twice and opens no other, and the chat is there in
// its first picture.
func TestGreetedWhileLoading(t *testing.T) {
	s := serve(t, sameSite) // the recorder reaches the frame
	taken := func(t *testing.T, d *Doc, text string) {
		t.Helper()
		d.mustEval(`ungate()`, nil)
		await(t, "go-app", d.live)
		d.sees(text)
		if got, err := d.sockets(); err != nil || got.All != 1 || got.Open != 1 || got.Hello != 1 {
			t.Errorf("the sockets: %+v (%v), want one, greeted once", got, err)
		}
	}
	t.Run("guest", func(t *testing.T) {
		chat := s.returning(t, "Is it blue?")
		taken(t, chat, "Is it blue?")
		chat.say("Still here")
		chat.delivered("Still here")
	})
	t.Run("staff", func(t *testing.T) {
		d := visitor(t, "mia").inbox(s, "mia")
		d.tab.before(recorder + gated)
		d.tab.reload()
		d = d.tab.top()
		d.greeted()
		taken(t, d, "Ada")
	})
}

// Where the app has other words than the shell, the shell's socket ends unheard
// and the app makes its own.
func TestGreetedForAnother(t *testing.T) {
	s := serve(t, sameSite)
	chat := s.returning(t, "About the bowl")
	chat.mustEval(`anteroomBoot.host.vendor = ''; ungate()`, nil)
	await(t, "go-app", chat.live)
	await(t, "a socket of the app's own", func() (bool, error) {
		got, err := chat.sockets()
		if err == nil && (got.All != 2 || got.Open != 1 || got.Hello != 2) {
			err = fmt.Errorf("%+v", got)
		}
		return err == nil, err
	})
	chat.sees("About the bowl")
}

// A guest who ends the chat in another tab ends the shell's socket too: nothing
// that was answered on it waits for the app.
func TestEndOfTheGreeted(t *testing.T) {
	s := serve(t, sameSite)
	v := visitor(t, "guest")
	other := v.open(s.shop + "/products/blue-bowl")
	there := other.openChat()
	there.say("My secret wish")
	there.delivered("My secret wish")
	tab := v.open(s.url + "/robots.txt")
	tab.before(recorder + gated)
	tab.visit(s.shop + "/products/blue-bowl")
	chat := tab.shell()
	chat.greeted()
	there.click("button", "Menu")
	there.click("button", "End chat and forget me")
	there.click("button", "Yes, forget me")
	await(t, "the shell's socket to end", func() (bool, error) {
		got, err := chat.sockets()
		if err == nil && got.Open != 0 {
			err = fmt.Errorf("%+v", got)
		}
		return err == nil, err
	})
	chat.mustEval(`ungate()`, nil)
	await(t, "go-app", chat.live)
	chat.forgot("My secret wish")
}
