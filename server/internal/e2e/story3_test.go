//go:build !js

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// Story 3, a guest logs in and is a user: every conversation comes along, with
// what was not yet stored, and the guest's secret is worth nothing any more.
func TestGuestLogsIn(t *testing.T) {
	s := serve(t)
	line := s.tap()
	mia, noor := s.staff("mia"), s.staff("noor")
	ada := visitor(t, "ada")

	// Three rooms with two vendors; the first is closed, so that there can be another with the same vendor.
	tab := ada.open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Do you mend cups?")
	chat.delivered("Do you mend cups?")
	first := s.roomWith(mia, "Do you mend cups?").ID
	s.answer(mia, first, "We do.")
	chat.reads("Do you mend cups?", "We do.")
	if status, code := s.request("POST", "/api/rooms/"+first+"/close", mia, map[string]any{}, nil); status != 204 {
		t.Fatalf("close: %d %s", status, code)
	}
	chat.sees("This room was closed.")
	chat.chatWith("Maple Pottery")
	chat.say("And plates?")
	chat.delivered("And plates?")
	second := s.roomWith(mia, "And plates?").ID
	chat.chatWith("Northern Tea")
	chat.say("Which tea is mild?")
	chat.delivered("Which tea is mild?")
	third := s.roomWith(noor, "Which tea is mild?").ID
	guest, _ := chat.guestSession()
	if first == second || len(s.rooms(guest.Credential)) != 3 {
		t.Fatalf("the guest has %d rooms, not three", len(s.rooms(guest.Credential)))
	}
	chat.click("button", "Back")
	chat.find("list", "Rooms")

	// A draft in another tab.
	other := ada.open(s.shop + "/products/harbour-smoke")
	draft := other.openChat()
	draft.reads("Which tea is mild?")
	draft.fill("Message", "A draft about Assam")

	// Somebody has copied the secret, and sits in the chat with it.
	thief := visitor(t, "thief")
	loot := thief.open(s.url + "/chat").top()
	loot.mustEval("localStorage.setItem('chatGuestSession', "+quote(chat.stored("chatGuestSession"))+")", nil)
	loot.tab.reload()
	loot.find("list", "Rooms")
	loot.sees("Which tea is mild?")

	// The vendor looks at the room.
	inbox := visitor(t, "mia").inbox(s, "mia")
	inbox.click("button", guest.label())
	inbox.find("log", "Messages")

	// One message is stored and its ack lost, the next never leaves the browser.
	const unacked, unsent = "Stored, but the answer got lost", "Never left the browser"
	line.losing(func(f spoken) bool {
		return f.byGuest() && (strings.Contains(f.frame, unsent) || f.down && (strings.Contains(f.frame, `"ack"`) || strings.Contains(f.frame, unacked)))
	})
	tab.top().mustEval(`Anteroom('open', {vendor: 'maple-pottery'})`, nil)
	chat.reads("And plates?")
	chat.say(unacked)
	s.readsExactly(mia, second, "And plates?", unacked)
	chat.say(unsent)
	chat.reads("And plates?", unacked, unsent)
	inbox.reads("And plates?", unacked)

	// She logs in, in the first tab.
	tab.logIn(s, "ada")
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.openChat()

	// Every message is there once and in order, with what was on its way.
	s.readsExactly(mia, first, "Do you mend cups?", "We do.")
	s.readsExactly(mia, second, "And plates?", unacked, unsent)
	s.readsExactly(noor, third, "Which tea is mild?")
	chat.delivered(unsent)
	chat.reads("And plates?", unacked, unsent)
	inbox.reads("And plates?", unacked, "Ada Okafor logged in; this chat came along.", unsent)
	inbox.find("heading", "Ada Okafor")
	tab.shot("widget-linked")
	inbox.tab.shot("inbox-linked")

	// The rooms show her as participant; what she had before is there too.
	for name, r := range map[string]struct{ staff, room string }{"first": {mia, first}, "second": {mia, second}, "third": {noor, third}} {
		if got := s.participants(r.staff, r.room); !slices.Contains(got, "Ada Okafor") {
			t.Errorf("the participants of the %s room are %q", name, got)
		}
	}
	chat.click("button", "Back")
	await(t, "all five rooms in her list", func() (bool, error) {
		text, err := chat.text()
		all := true
		for _, w := range []string{"It left the kiln", "That is very kind of you", "We do.", unsent, "Which tea is mild?"} {
			all = all && strings.Contains(text, w)
		}
		return all, err
	})
	chat.as("Ada Okafor")

	// The other tab followed; its draft is still in the field, and can be sent.
	await(t, "the draft to be where it was", func() (bool, error) {
		v, err := draft.value("Message")
		return v == "A draft about Assam", err
	})
	if _, ok := draft.guestSession(); ok {
		t.Error("the guest session is still in localStorage")
	}
	draft.click("textbox", "Message")
	other.press("Enter", false)
	draft.delivered("A draft about Assam")
	s.readsExactly(noor, third, "Which tea is mild?", "A draft about Assam")
	draft.reads("Which tea is mild?", "A draft about Assam")

	// The copy of the secret is dead, by hand and in the thief's browser.
	s.dead(guest, second)
	loot.showsNot("Which tea is mild?")
	if found, _, err := loot.traces("A draft about Assam", unsent, "Ada Okafor"); err != nil || len(found) > 0 {
		t.Errorf("the thief's browser holds %q (%v)", found, err)
	}
}
