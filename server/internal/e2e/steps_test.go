//go:build !js

package e2e

import (
	"encoding/json"
	"strings"
)

// openChat opens the panel with the launcher and waits for the composer or the list.
func (tab *Tab) openChat() *Doc {
	tab.t.Helper()
	tab.top().click("button", "Open chat")
	await(tab.t, "the chat to be live", func() (bool, error) {
		var live bool
		err := tab.chat().eval(`document.body.classList.contains('is-live')`, &live)
		return live, err
	})
	return tab.chat()
}

// say writes a message and sends it with Enter.
func (d *Doc) say(text string) {
	d.tab.t.Helper()
	d.fill("Message", text)
	d.tab.press("Enter", false)
}

// delivered waits until the log holds text and nothing is on its way any more.
func (d *Doc) delivered(text string) {
	d.tab.t.Helper()
	d.reads(text)
	await(d.tab.t, "the message to be stored", func() (bool, error) {
		s, err := d.log()
		return err == nil && !strings.Contains(s, "Sending") && !strings.Contains(s, "Waiting to send") && !strings.Contains(s, "Not sent"), err
	})
}

// logIn logs in at the shop.
func (tab *Tab) logIn(s *Server, username string) {
	tab.t.Helper()
	tab.visit(s.shop + "/account/login")
	top := tab.top()
	top.fill("Username", username)
	top.fill("Password", "demo-"+username)
	tab.press("Enter", false)
	top.sees("Log out")
}

// logOut logs out at the shop.
func (tab *Tab) logOut() {
	tab.t.Helper()
	tab.top().click("button", "Log out")
	await(tab.t, "the shop to have logged out", func() (bool, error) { return tab.top().has("link", "Log in"), nil })
}

// inbox logs somebody in at the inbox and returns its document.
func (v *Visitor) inbox(s *Server, username string) *Doc {
	v.t.Helper()
	d := v.open(s.url + "/inbox/").top()
	d.fill("Username", username)
	d.fill("Password", "demo-"+username)
	d.click("button", "Log in")
	d.find("list", "Rooms")
	return d
}

// enter opens a room of the list by its name.
func (d *Doc) enter(name string) {
	d.tab.t.Helper()
	d.click("button", name)
	d.find("log", "Messages")
}

// guestSession is what the browser keeps of its guest session.
type guestSession struct{ ID, Credential, Revoke string }

func (d *Doc) guestSession() (g guestSession, ok bool) {
	d.tab.t.Helper()
	var raw *string
	d.mustEval(`localStorage.getItem('chatGuestSession')`, &raw)
	if raw == nil {
		return g, false
	}
	if err := json.Unmarshal([]byte(*raw), &g); err != nil || g.ID == "" || g.Credential == "" {
		d.tab.t.Fatalf("chatGuestSession is %s (%v)", *raw, err)
	}
	return g, true
}

// label is how a guest is called.
func (g guestSession) label() string { return "Guest " + strings.ToUpper(g.ID[2:6]) }

// shutOut checks by hand, over HTTP and over WebSocket, that a credential
// reaches nothing of a room, whoever it belongs to.
func (s *Server) shutOut(who, credential, surface, room, secretText string) {
	s.t.Helper()
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", "", nil},
		{"GET", "/messages", nil},
		{"POST", "/messages", map[string]string{"cmid": "by-hand", "text": "let me in"}},
		{"POST", "/read", map[string]int{"seq": 1}},
		{"GET", "/participants", nil},
		{"POST", "/close", map[string]any{}},
	} {
		if status, code := s.request(c.method, "/api/rooms/"+room+c.path, credential, c.body, nil); status != 403 || code != "access_denied" {
			s.t.Errorf("%s: %s room%s gives %d %s", who, c.method, c.path, status, code)
		}
	}
	k, hello := s.socket(credential, surface, "")
	if hello.Welcome == nil {
		s.t.Fatalf("%s: hello gives %s", who, code(hello))
	}
	for i, frame := range []map[string]any{
		{"join": map[string]any{"room": room}},
		{"send": map[string]any{"room": room, "cmid": "by-hand-2", "text": "let me in"}},
		{"history": map[string]any{"room": room}},
		{"typing": map[string]any{"room": room, "active": true}},
		{"read": map[string]any{"room": room, "seq": 1}},
	} {
		if got := code(k.ask(int64(i+10), frame)); got != "access_denied" {
			s.t.Errorf("%s: frame %v gives %q", who, frame, got)
		}
	}
	// The connection stays usable, and its list knows nothing of the room.
	f := k.ask(99, map[string]any{"rooms": map[string]any{}})
	b, err := json.Marshal(f)
	if err != nil || f.Rooms == nil {
		s.t.Fatalf("%s: after the refusals the list gives %s %v", who, b, err)
	}
	if strings.Contains(string(b), room) || strings.Contains(string(b), secretText) {
		s.t.Errorf("%s: the list holds %s", who, b)
	}
}
