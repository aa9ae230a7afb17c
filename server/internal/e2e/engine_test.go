//go:build !js

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// engine is a browser other than Chromium. A window has cookies, storage and
// cache of its own; its pages are tabs that share them.
type engine interface {
	window(t testing.TB) page
}

// page is a tab of an engine. where is the page itself or the chat's frame.
type page interface {
	visit(url string) error
	eval(where spot, expression string, out any) error // the expression may be a promise
	click(where spot, element string) error            // with the mouse; element is an expression
	keys(where spot, text string) error                // into what has the focus there; "\n" is Enter
	tab() (page, error)                                // another tab of the same window
	png() []byte
}

type spot int

const (
	inPage spot = iota
	inChat
)

// inBrowser finds a program, or skips the test unless ANTEROOM_ENGINES=1 forbids that.
func inBrowser(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			hint := fmt.Sprintf("no %s found: apt-get install firefox-esr webkit2gtk-driver xvfb", name)
			if os.Getenv("ANTEROOM_ENGINES") == "" {
				t.Skip(hint)
			}
			t.Fatal(hint)
		}
	}
}

// chatFrame is an expression for the chat's frame: it sits in an open shadow root.
const chatFrame = `(() => { for (const e of document.documentElement.children) { const f = e.shadowRoot && e.shadowRoot.querySelector('iframe'); if (f) return f; } })()`

// reader looks at one document of a page, as Doc does in Chromium.
type reader struct {
	t     testing.TB
	page  page
	where spot
}

func (r reader) eval(expression string, out any) error { return r.page.eval(r.where, expression, out) }

func (r reader) await(what string, cond func() (bool, error)) {
	r.t.Helper()
	await(r.t, what, cond)
}

// element is an expression for what has that role and name, or null.
func element(role, name string) string {
	return fmt.Sprintf(`(() => { const x = (%s)(document, %s).find(x => x.name === %[3]s || x.name.startsWith(%[3]s) && /^[\s,;:.(·–]/.test(x.name.slice(%[3]s.length))); return x ? x.element : null; })()`,
		roleAndName, quote(role), quote(name))
}

// click clicks an element once it is there.
func (r reader) click(role, name string) {
	r.t.Helper()
	r.await(fmt.Sprintf("%s %q to be clicked", role, name), func() (bool, error) {
		err := r.page.click(r.where, element(role, name))
		return err == nil, err
	})
}

// fill clicks a field and types into it, letter by letter.
func (r reader) fill(name, text string) {
	r.t.Helper()
	r.click("textbox", name)
	r.await("the focus in "+name, func() (focused bool, err error) {
		err = r.eval(`document.activeElement === `+element("textbox", name), &focused)
		return focused, err
	})
	if err := r.page.keys(r.where, text); err != nil {
		r.t.Fatal(err)
	}
}

func (r reader) text() (s string, err error) {
	err = r.eval(`document.body.innerText`, &s)
	return s, err
}

func (r reader) sees(text string) {
	r.t.Helper()
	r.await(fmt.Sprintf("the text %q", text), func() (bool, error) {
		s, err := r.text()
		return strings.Contains(s, text), err
	})
}

// reads waits until the log holds these texts, each once, in this order, and all is stored.
func (r reader) reads(texts ...string) {
	r.t.Helper()
	r.await(fmt.Sprintf("a log that reads %q", texts), func() (bool, error) {
		var s string
		if err := r.eval(`(`+element("log", "Messages")+`||{innerText:''}).innerText`, &s); err != nil {
			return false, err
		}
		for _, pending := range []string{"Sending", "Waiting to send", "Not sent"} {
			if strings.Contains(s, pending) {
				return false, fmt.Errorf("%s: %q", pending, s)
			}
		}
		return inOrder(s, texts)
	})
}

// forgot waits until none of the words is anywhere in the document or its storage.
func (r reader) forgot(words ...string) {
	r.t.Helper()
	r.await("all traces to be gone", func() (bool, error) {
		var all string
		if err := r.eval(everything, &all); err != nil {
			return false, err
		}
		for _, w := range words {
			if strings.Contains(all, w) {
				return false, &tracesError{[]string{w}, all}
			}
		}
		return true, nil
	})
}

func (r reader) guest() (g guestSession) {
	r.t.Helper()
	r.await("a guest session", func() (bool, error) {
		err := r.eval(`JSON.parse(localStorage.getItem('chatGuestSession') || '{}')`, &g)
		return g.Credential != "", err
	})
	return g
}

// openChat opens the panel with the launcher and waits until the chat is live.
func openChat(t testing.TB, p page) reader {
	t.Helper()
	reader{t, p, inPage}.click("button", "Open chat")
	chat := reader{t, p, inChat}
	chat.await("the chat to be live", func() (live bool, err error) {
		err = chat.eval(`document.body.classList.contains('is-live')`, &live)
		return live, err
	})
	return chat
}

func mustVisit(t testing.TB, p page, url string) {
	t.Helper()
	if err := p.visit(url); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
}

// The heart of the four stories, in the browsers that are not Chromium: a guest
// and a vendor talk, another guest sees nothing of it, a log-in brings the chat
// along, and after a log-out in one tab nothing is left, in the other tab neither.
func TestFirefox(t *testing.T) { stories(t, "firefox", newFirefox(t)) }

func TestWebKit(t *testing.T) { stories(t, "webkit", newWebKit(t)) }

// fullStorage checks on a page that runs nothing of ours what the outbox builds
// on: a localStorage that takes no single character more still takes a value as
// long as the one it holds.
func fullStorage(t *testing.T, eval func(expression string, out any) error) {
	t.Helper()
	var got string
	if err := eval(fullLocalStorage, &got); err != nil || got != "longer refused, equal taken, holds bbb" {
		t.Errorf("a full localStorage: %s %v", got, err)
	}
}

// fullLocalStorage is a script that says what a full localStorage took.
const fullLocalStorage = `(() => {
	const put = (key, value) => { try { localStorage.setItem(key, value); return 'taken'; } catch { return 'refused'; } };
	put('short', 'aaa');
	let filler = '';
	for (let more = 1 << 24; more >= 1; more >>= 1) if (put('filler', filler.padEnd(filler.length + more)) === 'taken') filler = filler.padEnd(filler.length + more);
	const longer = put('short', 'aaaa'), equal = put('short', 'bbb');
	const holds = localStorage.getItem('short');
	localStorage.clear();
	return 'longer ' + longer + ', equal ' + equal + ', holds ' + holds;
})()`

func stories(t *testing.T, name string, e engine) {
	s := serve(t)
	ear := s.front.listen()
	mia := s.staff("mia")

	// Story 1: a guest asks and is answered live; a reload keeps it; a second guest sees nothing.
	one := e.window(t)
	t.Cleanup(func() {
		if t.Failed() {
			shot(t, name+"-failed", one.png())
		}
	})
	mustVisit(t, one, s.url+"/robots.txt")
	fullStorage(t, reader{t, one, inPage}.eval)
	mustVisit(t, one, s.shop+"/products/blue-bowl")
	chat := openChat(t, one)
	chat.fill("Message", "Is the glaze food-safe?\n")
	chat.reads("Is the glaze food-safe?")
	guest := chat.guest()
	room := s.roomWith(mia, "Is the glaze food-safe?").ID
	s.answer(mia, room, "Yes, it is.")
	chat.reads("Is the glaze food-safe?", "Yes, it is.")
	shot(t, name+"-room", one.png())
	other := e.window(t)
	mustVisit(t, other, s.shop+"/products/blue-bowl")
	second := openChat(t, other)
	second.fill("Message", "I am new here\n")
	second.reads("I am new here")
	if g := second.guest(); g.ID == guest.ID {
		t.Error("two windows share a guest session")
	}
	second.forgot("food-safe", room, guest.ID)
	mustVisit(t, one, s.shop+"/products/blue-bowl")
	chat = openChat(t, one)
	chat.reads("Is the glaze food-safe?", "Yes, it is.")

	// Story 3: the guest logs in, and the chat comes along.
	mustVisit(t, one, s.shop+"/account/login")
	shop := reader{t, one, inPage}
	shop.fill("Username", "ada")
	shop.fill("Password", "demo-ada\n")
	shop.sees("Log out")
	mustVisit(t, one, s.shop+"/products/blue-bowl")
	chat = openChat(t, one)
	chat.reads("Is the glaze food-safe?", "Yes, it is.", "You are logged in as Ada Okafor. This chat came along.")
	chat.fill("Message", "As Ada I ask again\n")
	chat.reads("Is the glaze food-safe?", "Yes, it is.", "As Ada I ask again")
	s.readsExactly(mia, room, "Is the glaze food-safe?", "Yes, it is.", "As Ada I ask again")
	chat.forgot(guest.Credential)
	s.allDead([]string{guest.Credential})

	// Stories 2 and 4: she logs out in another tab, and both tabs forget her.
	next, err := one.tab()
	if err != nil {
		t.Fatal(err)
	}
	mustVisit(t, next, s.shop+"/products/tea-towels")
	openChat(t, next)
	hers, _ := ear.heard("as_")
	if len(hers) == 0 {
		t.Fatal("no credential of Ada's was heard")
	}
	words := append([]string{"food-safe", "As Ada I ask", "Ada Okafor", "It left the kiln", room, guest.ID}, hers...)
	shop = reader{t, next, inPage}
	shop.click("button", "Close chat") // which covers the corner where the log-out is
	shop.click("button", "Log out")
	shop.sees("Log in")
	chat.forgot(words...)
	s.allDead(hers)

	mustVisit(t, next, s.shop+"/products/tea-towels")
	fresh := openChat(t, next)
	fresh.forgot(words...)
	fresh.fill("Message", "I am somebody new\n")
	fresh.reads("I am somebody new")
	shot(t, name+"-after-log-out", next.png())
	if status, code := s.request("GET", "/api/rooms/"+room, fresh.guest().Credential, nil, nil); status != http.StatusForbidden || code != "access_denied" {
		t.Errorf("the fresh guest asks for Ada's room: %d %s", status, code)
	}
}
