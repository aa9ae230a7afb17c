//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// assert logs a customer in at the shop without leaving the page, as a shop
// that is a single page would: the cookie changes, and the page tells the chat.
func (tab *Tab) assert(username string) {
	tab.t.Helper()
	var ok bool
	tab.top().mustEval(fmt.Sprintf(`fetch('/account/login', {method: 'POST', body: new URLSearchParams({username: %q, password: %q})}).then(r => {
		const provider = () => fetch('/account/token', {method: 'POST'}).then(r => r.json()).then(b => b.token);
		Anteroom('login', {tokenProvider: provider});
		return r.ok;
	})`, username, "demo-"+username), &ok)
	if !ok {
		tab.t.Fatalf("the shop does not log %s in", username)
	}
}

// as waits until the chat is live as this user, or as nobody ("").
func (d *Doc) as(name string) {
	d.tab.t.Helper()
	d.sees("Logged in as " + name)
}

// chatWith begins or goes on with a chat with a vendor, from wherever the widget is.
func (d *Doc) chatWith(vendor string) {
	d.tab.t.Helper()
	if d.has("button", "Back") {
		d.click("button", "Back")
	}
	await(d.tab.t, "the vendors or the way to them", func() (bool, error) {
		return d.has("button", "New chat") || d.has("list", "Vendors"), nil
	})
	if d.has("button", "New chat") {
		d.click("button", "New chat")
	}
	d.find("list", "Vendors")
	d.click("button", vendor)
	d.find("log", "Messages")
}

// dead checks that an old guest secret is good for nothing: not for reading, not
// for a socket, and not for another user's link.
func (s *Server) dead(guest guestSession, room string) {
	s.t.Helper()
	for _, path := range []string{"/api/me", "/api/rooms", "/api/rooms?guest_session=" + guest.ID, "/api/rooms/" + room, "/api/rooms/" + room + "/messages"} {
		if status, code := s.request("GET", path, guest.Credential, nil, nil); status != http.StatusUnauthorized {
			s.t.Errorf("GET %s with the old guest secret gives %d %s", path, status, code)
		}
	}
	body := map[string]string{"cmid": "by-hand", "text": "still me?"}
	if status, code := s.request("POST", "/api/rooms/"+room+"/messages", guest.Credential, body, nil); status != http.StatusUnauthorized {
		s.t.Errorf("sending with the old guest secret gives %d %s", status, code)
	}
	for _, extra := range []string{"", "?guest_session=" + guest.ID} {
		if _, hello := s.socket(guest.Credential, "widget", extra); hello.Welcome != nil || code(hello) == "" {
			s.t.Errorf("a socket with the old guest secret gives %+v", hello)
		}
	}
	if status, code := s.request("POST", "/api/link", s.session("olaf"), map[string]string{"guest": guest.Credential}, nil); status != http.StatusForbidden || code != "access_denied" {
		s.t.Errorf("another user's link of the old guest secret gives %d %s", status, code)
	}
}

// session logs a built-in account in for the widget, by hand.
func (s *Server) session(username string) string {
	s.t.Helper()
	var out struct{ Credential string }
	body := map[string]string{"username": username, "password": "demo-" + username, "surface": "widget"}
	if status, code := s.request("POST", "/api/login", "", body, &out); status != http.StatusOK {
		s.t.Fatalf("log %s in: %d %s", username, status, code)
	}
	return out.Credential
}

// participants are the names of a room's participants.
func (s *Server) participants(credential, room string) (names []string) {
	s.t.Helper()
	var out struct{ Participants []struct{ Name string } }
	if status, code := s.request("GET", "/api/rooms/"+room+"/participants", credential, nil, &out); status != http.StatusOK {
		s.t.Fatalf("participants: %d %s", status, code)
	}
	for _, p := range out.Participants {
		names = append(names, p.Name)
	}
	return names
}

// mishap is what happens to the first call of a path.
type mishap string

const (
	answerLost  mishap = "the answer is lost"
	requestLost mishap = "the request is lost"
)

// once lets a mishap happen to a browser's first call of a path. It tells with
// which statuses the calls that reached the server were answered, and whether
// the mishap has happened.
func (s *Server) once(path string, what mishap) (statuses func() []int, happened func() bool) {
	var mu sync.Mutex
	var seen []int
	called, lost := false, false
	s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.URL.Path != path || r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Mode") == "" {
			return false
		}
		mu.Lock()
		first := !called
		called = true
		lost = lost || what == requestLost
		mu.Unlock()
		if first && what == requestLost {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		mu.Lock()
		seen = append(seen, answer.Code)
		lost = true
		mu.Unlock()
		if first && what == answerLost {
			panic(http.ErrAbortHandler)
		}
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the browser may have gone
		return true
	})
	statuses = func() []int {
		mu.Lock()
		defer mu.Unlock()
		return append([]int(nil), seen...)
	}
	happened = func() bool {
		mu.Lock()
		defer mu.Unlock()
		return lost
	}
	return statuses, happened
}

// readsExactly waits until a room holds exactly these messages.
func (s *Server) readsExactly(credential, room string, texts ...string) {
	s.t.Helper()
	err := awaitEvery(250*time.Millisecond, patience, fmt.Sprintf("a room that holds %q", texts), func() (bool, error) {
		got := s.texts(credential, room)
		if strings.Join(got, "\x00") != strings.Join(texts, "\x00") {
			return false, fmt.Errorf("it holds %q", got)
		}
		return true, nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// stored is what localStorage holds under a key.
func (d *Doc) stored(key string) string {
	d.tab.t.Helper()
	var v string
	d.mustEval(fmt.Sprintf("localStorage.getItem(%q) || ''", key), &v)
	return v
}

// quote makes a JavaScript string of s.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string can't fail
	return string(b)
}
