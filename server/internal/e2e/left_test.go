//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
)

// unreadOf leaves Ada logged in at the shop, with one unread message; the room
// and her id come back.
func (tab *Tab) unreadOf(s *Server) (room, user string) {
	tab.t.Helper()
	tab.logIn(s, "ada")
	tab.visit(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.sees("left the kiln") // what Ada and Mia said before
	chat.say("Ada asks")
	chat.delivered("Ada asks")
	mia := s.staff("mia")
	found := s.roomWith(mia, "Ada asks")
	i := slices.IndexFunc(found.Members, func(m member) bool { return m.Name == "Ada Okafor" })
	if i < 0 {
		tab.t.Fatalf("Ada is not in %+v", found)
	}
	tab.visit("about:blank")
	s.answer(mia, found.ID, "Mia answers")
	return found.ID, found.Members[i].User
}

// badge waits until the launcher tells that much.
func (tab *Tab) badge(want string) {
	tab.t.Helper()
	await(tab.t, fmt.Sprintf("the badge %q", want), func() (bool, error) {
		var label string
		err := tab.top().eval(`(`+launcher+`).getAttribute('aria-description') || ''`, &label)
		return label == want, err
	})
}

// Who logs out leaves no number on the launchers of the other tabs, in which
// nobody has opened the chat and no app runs.
func TestUnreadGoesInOtherTabs(t *testing.T) {
	s := serve(t)
	v := visitor(t, "ada")
	tab := v.open(s.shop + "/")
	tab.unreadOf(s)
	tab.visit(s.shop + "/products/blue-bowl")
	tab.badge("1 unread")
	other := v.open(s.shop + "/products/blue-bowl")
	other.badge("1 unread")
	other.logOut()
	tab.badge("")
	tab.chat().forgot("Ada")
}

// A log-out also ends the light log-in that is still on its way: what it brings
// is kept nowhere, counts for nothing and is good for nothing.
func TestLogOutOvertakesTheLightLogIn(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "ada").open(s.shop + "/")
	_, user := tab.unreadOf(s)
	asked, pass, late := make(chan bool, 1), make(chan bool), make(chan string, 1)
	s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.URL.Path != "/api/login" {
			return false
		}
		asked <- true
		<-pass
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var session struct{ Credential string }
		if err := json.Unmarshal(answer.Body.Bytes(), &session); err != nil {
			t.Errorf("the log-in is answered with %d %v", answer.Code, err)
		}
		late <- session.Credential
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.Write(answer.Body.Bytes())
		return true
	})
	tab.visit(s.shop + "/products/blue-bowl")
	<-asked
	// The browser has forgotten the frame's storage, as some do after a while: nothing here says whose sessions to end.
	tab.chat().mustEval(`void localStorage.clear()`, nil)
	tab.top().mustEval(`void Anteroom('logout')`, nil)
	await(t, "the mark to be erased", func() (gone bool, err error) {
		err = tab.top().eval(`!localStorage.getItem('anteroom.chatted')`, &gone)
		return gone, err
	})
	close(pass)
	s.allDead([]string{<-late})
	tab.chat().forgot(user)
	tab.badge("")
}

// A shop whose visitors are not logged in may say so on every page. A guest's chat
// stays then, and so does the sentence the guest has begun, here and in other tabs.
func TestLogOutLeavesTheGuestsSentence(t *testing.T) {
	s := serve(t)
	v := visitor(t, "guest")
	tab := v.open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Hello")
	chat.delivered("Hello")
	chat.fill("Message", "half a sentence")
	chat.mustEval(`void (window.outs = 0, new BroadcastChannel('anteroom.widget').addEventListener('message', () => outs++))`, nil)
	outs := func(want int) {
		t.Helper()
		await(t, "the log-out to be heard", func() (bool, error) {
			var n int
			err := chat.eval(`outs`, &n)
			return n >= want, err
		})
		if got, err := chat.value("Message"); err != nil || got != "half a sentence" {
			t.Errorf("after a log-out of nobody the field holds %q (%v)", got, err)
		}
	}
	other := v.open(s.shop + "/products/blue-bowl")
	other.top().mustEval(`void Anteroom('logout')`, nil)
	outs(1)
	tab.top().mustEval(`void Anteroom('logout')`, nil)
	outs(2)
	chat.reads("Hello")
}

// Desktop notifications name who wrote. Those of who logs out do not wait on the
// desktop for the next person.
func TestNotificationsGoWithTheLogOut(t *testing.T) {
	s := serve(t)
	v := visitor(t, "mia")
	v.tab1.before(`window.shown = []; window.Notification = class {
	constructor() { shown.push(this); }
	close() { shown.splice(shown.indexOf(this), 1); }
	static permission = 'granted';
};`)
	d := v.inbox(s, "mia")
	d.mustEval(`void (document.hasFocus = () => false)`, nil)
	shown := func(want int) {
		t.Helper()
		await(t, fmt.Sprint(want, " notifications"), func() (bool, error) {
			var n int
			err := d.eval(`shown.length`, &n)
			return n == want, err
		})
	}
	guest := visitor(t, "guest").open(s.shop + "/products/blue-bowl").openChat()
	guest.say("Is anybody there?")
	shown(1)
	d.click("button", "Menu")
	d.click("button", "Log out")
	d.find("textbox", "Username")
	shown(0)
}

// An app that has ended leaves what it drew on the screen. What is typed then is
// kept, and a log-out, here or in another tab, still takes everything away.
func TestLogOutAfterTheAppEnded(t *testing.T) {
	for name, elsewhere := range map[string]bool{"here": false, "in another tab": true} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			// endGo is Go's end, as after a panic: no function of the app can be called any more.
			s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
				if !strings.HasPrefix(path.Base(r.URL.Path), "wasm_exec.") {
					return false
				}
				r.Header.Del("Accept-Encoding")
				next.ServeHTTP(w, r)
				w.Write([]byte(`;
					window.Go = class extends window.Go {
						run(instance) {
							const end = new Promise((resolve) => { window.endGo = () => { this.exited = true; resolve(); }; });
							return Promise.race([super.run(instance), end]);
						}
					};`))
				return true
			})
			v := visitor(t, "ada")
			tab := v.open(s.shop + "/")
			tab.logIn(s, "ada")
			tab.visit(s.shop + "/products/blue-bowl")
			ear := s.front.listen()
			chat := tab.openChat()
			chat.sees("left the kiln")
			chat.mustEval(`void endGo()`, nil)
			chat.sees("The chat stopped.")
			tab.allow("Go program has already exited")
			chat.fill("Message", "half a sentence")
			chat.click("button", "Retry")
			chat.sees("left the kiln")
			await(t, "the half sentence", func() (bool, error) {
				var text string
				err := chat.eval(`anteroomBoot.text()`, &text)
				return text == "half a sentence", err
			})
			chat.mustEval(`void endGo()`, nil)
			chat.sees("The chat stopped.")
			hers, _ := ear.heard("as_")
			if elsewhere {
				other := v.open(s.shop + "/products/tea-towels")
				other.logOut()
			} else {
				tab.top().mustEval(`void Anteroom('logout')`, nil)
			}
			tab.chat().forgot(append([]string{"kiln", "half a sentence", "Ada"}, hers...)...)
			s.allDead(hers)
		})
	}
}
