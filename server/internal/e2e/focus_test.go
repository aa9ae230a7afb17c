//go:build !js

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Who goes through the rooms with the keyboard stays on a room when a message
// moves it, or another, to the top: Enter opens the room that had the focus.
func TestInboxKeepsTheFocus(t *testing.T) {
	s := serve(t)
	var guests [2]*Doc
	var labels [2]string
	for i := range guests {
		guests[i] = visitor(t, fmt.Sprint("guest-", i)).open(s.shop + "/products/blue-bowl").openChat()
		guests[i].say("Hello")
		guests[i].delivered("Hello")
		g, _ := guests[i].guestSession()
		labels[i] = g.label()
	}
	d := visitor(t, "mia").inbox(s, "mia")
	first := func(label string) {
		t.Helper()
		await(t, label+" on top", func() (bool, error) {
			names, err := d.namesOf("Rooms")
			return err == nil && len(names) > 0 && strings.Contains(names[0], label), err
		})
	}
	focus := func(want string) {
		t.Helper()
		await(t, "the focus on "+want, func() (bool, error) {
			var is string
			err := d.eval(`document.activeElement.textContent`, &is)
			if err == nil && is != want {
				err = fmt.Errorf("it is on %q", is)
			}
			return err == nil, err
		})
	}
	first(labels[1])
	n := d.find("button", labels[0])
	if err := n.on(`function() { this.focus() }`, nil); err != nil {
		t.Fatal(err)
	}
	guests[0].say("It is me again")
	first(labels[0])
	focus(labels[0])
	guests[1].say("Me too")
	first(labels[1])
	focus(labels[0])
	d.tab.press("Enter", false)
	d.reads("Hello", "It is me again")
}

// A message that comes moves the rows below it: who is about to discard one of
// two messages that failed discards that one.
func TestLogKeepsTheFocus(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Hello")
	chat.delivered("Hello")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")
	room := s.roomOf(mia, guest.ID)
	for i, text := range []string{"failed first", "failed second"} {
		chat.mustEval(fmt.Sprintf(`localStorage.setItem('anteroom.widget.outbox.failed-%[1]d', JSON.stringify({v: 1, cmid: 'failed-%[1]d', owner: %[2]q, room: %[3]q, vendor: 'maple-pottery', text: %[4]q, at: 1%[1]d, code: 'invalid', message: 'No.'}))`, i, guest.ID, room, text), nil)
	}
	tab.reload()
	chat = tab.openChat()
	chat.reads("Hello", "failed first", "failed second")
	chat.mustEval(`void [...document.querySelectorAll('.row button')].at(-1).focus()`, nil)
	s.answer(mia, room, "An answer")
	chat.reads("Hello", "An answer", "failed first", "failed second")
	tab.press("Enter", false)
	chat.showsNot("failed second")
	chat.reads("Hello", "An answer", "failed first")
}
