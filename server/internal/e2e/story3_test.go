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

// Story 3 on a second device: each has a guest of its own, both become Ada's,
// and both show all of it live.
func TestGuestLogsInOnTwoDevices(t *testing.T) {
	s := serve(t)
	texts := []string{"Asked from the telephone", "Asked from the desk"}
	devices := []*Doc{}
	for i, name := range []string{"telephone", "desk"} {
		tab := visitor(t, name).open(s.shop + "/products/harbour-smoke")
		chat := tab.openChat()
		chat.say(texts[i])
		chat.delivered(texts[i])
		devices = append(devices, chat)
	}
	old, _ := devices[1].guestSession()
	noor := s.staff("noor")
	devices[0].tab.assert("ada")
	devices[0].sees("This chat came along.")
	devices[1].tab.assert("ada")
	devices[1].sees("This chat came along.")
	for _, d := range devices {
		d.click("button", "Back")
		d.sees(texts[0])
		d.sees(texts[1])
		d.sees("It left the kiln")
	}
	s.dead(old, s.roomWith(noor, texts[1]).ID)

	// What is written on one shows on the other.
	s.answer(noor, s.roomWith(noor, texts[1]).ID, "Answered for both")
	for _, d := range devices {
		d.sees("Answered for both")
	}

	// Logging out on one is none on the other.
	devices[1].tab.top().mustEval(`Anteroom('logout')`, nil)
	devices[1].showsNot("Ada Okafor")
	devices[0].as("Ada Okafor")
	devices[0].sees("Answered for both")
}

// Story 3 with a bad network: the link's request or its answer is lost on the
// way. Everything arrives all the same, and once.
func TestGuestLogsInWhileTheLinkIsLost(t *testing.T) {
	for _, what := range []mishap{requestLost, answerLost} {
		t.Run(string(what), func(t *testing.T) {
			s := serve(t)
			mia := s.staff("mia")
			tab := visitor(t, "ada").open(s.shop + "/products/blue-bowl")
			tab.allow(networkErrors)
			chat := tab.openChat()
			chat.say("Do you mend cups?")
			chat.delivered("Do you mend cups?")
			guest, _ := chat.guestSession()
			room := s.roomWith(mia, "Do you mend cups?").ID
			statuses, happened := s.once("/api/link", what)
			tab.assert("ada")
			await(t, "the link to be lost", func() (bool, error) { return happened(), nil })

			// What is written meanwhile belongs to the chat too.
			chat.say("And plates?")
			chat.reads("You are logged in as Ada Okafor. This chat came along.")
			chat.reads("Do you mend cups?", "And plates?")
			chat.delivered("And plates?")
			s.readsExactly(mia, room, "Do you mend cups?", "And plates?")
			want := []int{200}
			if what == answerLost {
				want = []int{200, 200}
			}
			if got := statuses(); !slices.Equal(got, want) {
				t.Errorf("the links that arrived were answered %v, want %v", got, want)
			}
			if g, ok := chat.guestSession(); ok {
				t.Errorf("the guest session %s is still in localStorage", g.ID)
			}
			if got := s.participants(mia, room); !slices.Contains(got, "Ada Okafor") {
				t.Errorf("the participants are %q", got)
			}
			s.dead(guest, room)
			tab.reload()
			tab.openChat()
			chat.reads("Do you mend cups?", "And plates?")
		})
	}
}

// Story 3 for a member of the vendor's staff, who was a guest of his own shop
// and logs in with the built-in account.
func TestStaffLogsInWhereTheyWereAGuest(t *testing.T) {
	s := serve(t)
	mia := s.staff("mia")
	inbox := visitor(t, "mia").inbox(s, "mia")
	tab := visitor(t, "mia-as-guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Trying our own chat")
	chat.delivered("Trying our own chat")
	guest, _ := chat.guestSession()
	room := s.roomWith(mia, "Trying our own chat").ID
	inbox.click("button", guest.label())
	inbox.reads("Trying our own chat")

	chat.click("button", "Back")
	chat.click("button", "Log in")
	chat.fill("Username", "mia")
	chat.fill("Password", "demo-mia")
	tab.press("Enter", false)
	chat.as("Mia Hart")
	if got := s.participants(mia, room); len(got) != 1 || got[0] != "Mia Hart" {
		t.Errorf("the participants are %q, want Mia Hart once", got)
	}
	s.readsExactly(mia, room, "Trying our own chat")
	inbox.reads("Trying our own chat")
	s.dead(guest, room)
	tab.shot("widget-staff")

	// Leaving the widget, she stays staff: in the inbox nothing has ended.
	chat.click("button", "Log out")
	chat.showsNot("Mia Hart")
	chat.forgot("Trying our own chat", "Mia Hart", guest.ID)
	inbox.reads("Trying our own chat")
	inbox.say("Still here")
	inbox.delivered("Still here")
	s.readsExactly(mia, room, "Trying our own chat", "Still here")
}
