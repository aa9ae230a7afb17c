//go:build !js

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Story 2, a user logs out and is a guest: nothing of the user is left in the
// browser, and nothing that was copied before is good for anything.
func TestUserLogsOut(t *testing.T) {
	for name, offline := range map[string]bool{"online": false, "network cut at the log-out": true} {
		t.Run(name, func(t *testing.T) { userLogsOut(t, offline) })
	}
}

func userLogsOut(t *testing.T, offline bool) {
	s := serve(t)
	ear := s.front.listen()
	tab := visitor(t, "ada").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("As a guest I asked about glaze")
	chat.delivered("As a guest I asked about glaze")
	guest, _ := chat.guestSession()

	tab.logIn(s, "ada")
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.openChat()
	chat.reads("As a guest I asked about glaze")
	chat.say("As Ada I asked about delivery")
	chat.delivered("As Ada I asked about delivery")
	chat.fill("Message", "A draft Ada never sent")
	mia := s.staff("mia")
	room := s.roomWith(mia, "As Ada I asked about delivery").ID

	credentials, tokens := ear.heard("as_")
	if len(credentials) == 0 || len(tokens) == 0 {
		t.Fatalf("heard %d credentials and %d tokens", len(credentials), len(tokens))
	}
	words := []string{
		"As a guest I asked", "As Ada I asked", "A draft Ada never", "It left the kiln", "Ada Okafor",
		room, guest.ID, strings.TrimPrefix(guest.Credential, "gs_"),
	}
	words = append(words, credentials...)
	words = append(words, tokens...)
	if found, _, err := chat.traces(words[:3]...); err != nil || len(found) != 3 {
		t.Fatalf("before the log-out the search finds %q (%v): it would prove nothing", found, err)
	}

	if offline {
		tab.allow(networkErrors)
		s.front.sever()
	}
	tab.logOut()
	if offline {
		s.front.heal()
		tab.reload() // the page that came after the log-out could not load the chat
	}
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.openChat()
	chat.forgot(words...)
	tab.shot("after-log-out")

	// The Back button brings nothing back.
	for range 3 {
		tab.top().mustEval(`void history.back()`, nil)
		await(t, "the page before", func() (bool, error) {
			var ready bool
			err := tab.top().eval(`document.readyState === 'complete'`, &ready)
			return ready, err
		})
	}
	if tab.top().has("button", "Open chat") {
		tab.openChat()
	}
	if found, _, err := tab.chat().traces(words...); err == nil && len(found) > 0 {
		t.Errorf("the Back button brings back %q", found)
	}

	// The first message makes a fresh guest, who sees nothing of Ada's.
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.openChat()
	if g, ok := chat.guestSession(); ok {
		t.Errorf("there is a guest session %s before anybody has written", g.ID)
	}
	chat.say("I am somebody new")
	chat.delivered("I am somebody new")
	fresh, ok := chat.guestSession()
	if !ok || fresh.ID == guest.ID || fresh.Credential == guest.Credential {
		t.Errorf("after the log-out the guest session is %s, it was %s", fresh.ID, guest.ID)
	}
	chat.forgot(words...)
	s.shutOut("the fresh guest", fresh.Credential, "widget", room, "As Ada")

	// What was copied before is dead: session, token, and the guest's secret.
	for i, c := range append(credentials, guest.Credential) {
		await(t, fmt.Sprintf("old credential %d of %d to be dead", i+1, len(credentials)+1), func() (bool, error) {
			status, _ := s.request("GET", "/api/rooms", c, nil, nil)
			return status == http.StatusUnauthorized, nil
		})
		for _, path := range []string{"/api/me", "/api/rooms", "/api/rooms/" + room, "/api/rooms/" + room + "/messages"} {
			if status, code := s.request("GET", path, c, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("GET %s with an old credential %.6s…: %d %s", path, c, status, code)
			}
		}
		if _, hello := s.socket(c, "widget", ""); hello.Welcome != nil {
			t.Errorf("a socket opens with an old credential %.6s…", c)
		}
	}
	if offline {
		return // the burned token needs the log-out itself, which never arrived; the handle ends the session
	}
	for _, token := range tokens {
		if status, code := s.request("POST", "/api/login", "", map[string]string{"token": token, "surface": "widget"}, nil); status != http.StatusUnauthorized {
			t.Errorf("logging in with a burned token: %d %s", status, code)
		}
	}
}
