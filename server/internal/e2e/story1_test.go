//go:build !js

package e2e

import (
	"strings"
	"testing"
)

// Story 1, guest browsing: a guest starts a chat with a vendor and gets the
// answer live; a second guest neither sees nor can join that room, nor one
// between two users; the first still has it after a reload.
func TestGuestBrowsing(t *testing.T) {
	s := serve(t)
	one := visitor(t, "guest")
	tab := one.open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Is the glaze food-safe?")
	chat.delivered("Is the glaze food-safe?")
	guest, ok := chat.guestSession()
	if !ok {
		t.Fatal("the guest has written, and has no guest session")
	}

	// The vendor sees the guest at once, by the label, with the page where it began.
	inbox := visitor(t, "mia").inbox(s, "mia")
	inbox.enter(guest.label())
	inbox.reads("Is the glaze food-safe?")
	inbox.sees("/products/blue-bowl")

	// Typing shows on both sides, and goes away.
	inbox.click("textbox", "Message")
	inbox.tab.typeText("Yes,")
	chat.sees("typing")
	inbox.fill("Message", "Yes, it is.")
	inbox.tab.press("Enter", false)
	chat.reads("Is the glaze food-safe?", "Yes, it is.")
	chat.showsNot("typing")
	chat.click("textbox", "Message")
	tab.typeText("Th")
	inbox.sees("typing")
	chat.say("Thank you!")
	inbox.reads("Is the glaze food-safe?", "Yes, it is.", "Thank you!")
	inbox.tab.shot("inbox-room")
	tab.shot("widget-room")

	mia := s.staff("mia")
	room := s.roomWith(mia, "Thank you!").ID
	between := s.betweenUsers("A word among ourselves")

	// A second guest, in a browser of their own.
	other := visitor(t, "other").open(s.shop + "/products/blue-bowl")
	theirs := other.openChat()
	theirs.say("Hello, I am new here")
	theirs.delivered("Hello, I am new here")
	second, _ := theirs.guestSession()
	if second.ID == guest.ID {
		t.Fatal("two browsers share a guest session")
	}
	text, err := theirs.text()
	if err != nil || strings.Contains(text, "food-safe") {
		t.Errorf("the second guest sees %q (%v)", text, err)
	}
	s.shutOut("the second guest", second.Credential, "widget", room, "food-safe")
	s.shutOut("the second guest", second.Credential, "widget", between, "among ourselves")
	s.shutOut("the first guest", guest.Credential, "widget", between, "among ourselves")

	// Naming the first guest's public id does not help.
	if status, code := s.request("GET", "/api/rooms?guest_session="+guest.ID, second.Credential, nil, nil); status != 400 || code != "invalid" {
		t.Errorf("a foreign guest_session in the URL gives %d %s", status, code)
	}
	if _, hello := s.socket(second.Credential, "widget", "?guest_session="+guest.ID); code(hello) != "invalid" {
		t.Errorf("a socket with a foreign guest_session gives %q", code(hello))
	}

	// The first guest reloads, and has it all.
	tab.reload()
	chat = tab.openChat()
	chat.reads("Is the glaze food-safe?", "Yes, it is.", "Thank you!")
	if again, _ := chat.guestSession(); again.ID != guest.ID {
		t.Errorf("after the reload the guest is %s, was %s", again.ID, guest.ID)
	}
	inbox.reads("Is the glaze food-safe?", "Yes, it is.", "Thank you!")
}

// betweenUsers makes a room between two users, by the admin, with one message.
func (s *Server) betweenUsers(text string) string {
	s.t.Helper()
	rosa := s.staff("rosa")
	var me struct {
		Principal struct{ User string }
	}
	users := []string{}
	for _, name := range []string{"mia", "noor"} {
		if status, code := s.request("GET", "/api/me", s.staff(name), nil, &me); status != 200 {
			s.t.Fatalf("me: %d %s", status, code)
		}
		users = append(users, me.Principal.User)
	}
	var made struct{ Room room }
	body := map[string]any{"client_id": "between", "name": "Between users", "users": users}
	if status, code := s.request("POST", "/api/rooms", rosa, body, &made); status >= 300 {
		s.t.Fatalf("create a room between users: %d %s", status, code)
	}
	s.answer(rosa, made.Room.ID, text)
	return made.Room.ID
}
