//go:build !js

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The inbox at work: rooms, unread counts, finding, answering, closing, blocking.
func TestInbox(t *testing.T) {
	s := serve(t)
	base := s.unread(s.staff("mia")) // the demo's own
	guest := visitor(t, "guest").open(s.shop + "/products/blue-bowl").openChat()
	guest.say("Do you make lids?")
	guest.delivered("Do you make lids?")
	g, _ := guest.guestSession()

	d := visitor(t, "mia").inbox(s, "mia")
	d.title("Inbox", base+1)
	names := d.roomNames()
	if i := slices.IndexFunc(names, func(n string) bool { return strings.Contains(n, g.label()) && strings.Contains(n, "1 unread") }); i != 0 {
		t.Errorf("the newest room is not first, with its unread message: %q", names)
	}
	d.enter(g.label())
	d.reads("Do you make lids?")
	d.title("Inbox", base)
	d.sees("/products/blue-bowl")
	d.say("We do, for the small one.")
	d.delivered("We do, for the small one.")
	guest.reads("Do you make lids?", "We do, for the small one.")

	// Looking elsewhere, the inbox counts what comes.
	d.click("button", "Ada Okafor")
	d.sees("It left the kiln")
	guest.say("Then one lid, please")
	guest.say("Or two")
	d.title("Inbox", base+2)
	d.tab.shot("inbox-unread")
	d.click("button", "Unread")
	await(t, "unread rooms only", func() (bool, error) {
		names, err := d.namesOf("Rooms")
		read := slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(n, " unread") })
		return len(names) > 0 && !read && strings.Contains(names[0], g.label()) && strings.Contains(names[0], "2 unread"), err
	})
	d.click("button", "All")

	// Found by name, and not found.
	d.search("ada ok")
	await(t, "the room that was looked for", func() (bool, error) {
		names, err := d.namesOf("Rooms")
		return len(names) == 1 && strings.Contains(names[0], "Ada Okafor"), err
	})
	d.search("nobody of that name")
	d.sees("No rooms here.")
	d.search("")
	d.enter(g.label())
	d.reads("Do you make lids?", "We do, for the small one.", "Then one lid, please", "Or two")
	d.title("Inbox", base)

	// Closed: nobody writes there any more, and both sides see it.
	d.click("button", "Close room")
	d.sees("Nobody will be able to write here afterwards.")
	d.click("button", "Cancel")
	d.click("button", "Close room")
	d.find("button", "Cancel")
	d.click("button", "Close room")
	d.sees("This room was closed.")
	guest.sees("This room was closed.")
	mia := s.staff("mia")
	room := s.roomOf(mia, g.ID)
	if status, code := s.request("POST", "/api/rooms/"+room+"/messages", g.Credential, map[string]string{"cmid": "late", "text": "Late"}, nil); status != 409 || code != "room_closed" {
		t.Errorf("writing into the closed room: %d %s", status, code)
	}
	d.click("button", "Closed")
	await(t, "the closed room among the closed", func() (bool, error) {
		names, err := d.namesOf("Rooms")
		return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, g.label()) }), err
	})
	d.click("button", "Open")
	await(t, "the closed room not among the open", func() (bool, error) {
		names, err := d.namesOf("Rooms")
		return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, g.label()) }), err
	})
	d.click("button", "All")

	// Blocked: the guest's room closes, and the guest cannot begin another.
	rude := visitor(t, "rude").open(s.shop + "/products/blue-bowl").openChat()
	rude.tab.allow(` 40[139] `)
	rude.say("Something rude")
	rude.delivered("Something rude")
	r, _ := rude.guestSession()
	d.enter(r.label())
	d.reads("Something rude")
	d.click("button", "Block guest")
	d.sees("the guest can’t write to you again")
	d.find("button", "Cancel")
	d.click("button", "Block guest")
	d.sees("closed")
	await(t, "the blocked guest to be shut out", func() (bool, error) {
		status, code := s.request("POST", "/api/rooms", r.Credential, map[string]string{"client_id": "again", "vendor": "maple-pottery"}, nil)
		if status != 403 || code != "access_denied" {
			return false, fmt.Errorf("a new chat gives %d %s", status, code)
		}
		return true, nil
	})
	d.tab.shot("inbox-blocked")
}

// A member of staff changes the password: other sessions end, this one stays.
func TestInboxPassword(t *testing.T) {
	s := serve(t)
	d := visitor(t, "noor").inbox(s, "noor")
	other := s.staff("noor")
	d.tab.allow(`status of 40[0139] `)
	d.click("button", "Menu")
	d.click("button", "Change password")
	d.fill("Current password", "not-it")
	d.fill("New password", "a-better-one-of-mine")
	d.click("button", "Save password")
	d.sees("wrong")
	d.fill("Current password", "demo-noor")
	d.fill("New password", "a-better-one-of-mine")
	d.click("button", "Save password")
	d.sees("Your password was changed. Other sessions were ended.")
	if status, _ := s.request("GET", "/api/me", other, nil, nil); status != 401 {
		t.Errorf("another session answers %d after the change", status)
	}
	if status, _ := s.request("POST", "/api/login", "", map[string]string{"username": "noor", "password": "demo-noor", "surface": "inbox"}, nil); status != 401 {
		t.Errorf("the old password logs in: %d", status)
	}
	d.tab.reload()
	d.find("list", "Rooms")
	d.click("button", "Menu")
	d.click("button", "Log out")
	d.fill("Username", "noor")
	d.fill("Password", "a-better-one-of-mine")
	d.click("button", "Log in")
	d.find("list", "Rooms")
}

// An admin sees all rooms, and whoever is in one sees that an admin looked.
func TestInboxOfAnAdmin(t *testing.T) {
	s := serve(t)
	guest := visitor(t, "guest").open(s.shop + "/products/blue-bowl").openChat()
	guest.say("Just between us")
	guest.delivered("Just between us")
	g, _ := guest.guestSession()
	d := visitor(t, "rosa").inbox(s, "rosa")
	if all, one := len(s.rooms(s.staff("rosa"))), len(s.rooms(s.staff("mia"))); all <= one {
		t.Errorf("the admin sees %d rooms, one vendor's staff %d", all, one)
	}
	d.enter(g.label())
	d.reads("Just between us")
	d.sees("You see this room as an admin.")
	guest.sees("(admin) viewed this room")
}

// The inbox and the widget in one browser, even on one origin, know nothing of each other.
func TestInboxAndWidgetDoNotMix(t *testing.T) {
	s := serve(t)
	v := visitor(t, "both")
	chat := v.open(s.url + "/chat?vendor=maple-pottery").top()
	chat.sees("Maple Pottery")
	chat.say("I am a guest here")
	chat.delivered("I am a guest here")
	g, _ := chat.guestSession()
	d := v.inbox(s, "mia")
	d.enter(g.label())
	d.reads("I am a guest here")
	d.say("And I am Mia here")
	chat.reads("I am a guest here", "And I am Mia here")

	chat.tab.reload()
	chat.openRoomOf(chat.tab, "Maple Pottery")
	chat.reads("I am a guest here", "And I am Mia here")
	if again, ok := chat.guestSession(); !ok || again != g {
		t.Errorf("beside an inbox the guest became %+v, was %+v", again, g)
	}
	var keys []string
	chat.mustEval(`Object.keys(localStorage)`, &keys)
	if slices.Contains(keys, "anteroom.widget.session") || !slices.Contains(keys, "anteroom.inbox.session") {
		t.Errorf("storage holds %q", keys)
	}

	// The inbox logs out: nothing of it stays, the guest stays.
	credential := ""
	d.mustEval(`JSON.parse(localStorage.getItem('anteroom.inbox.session')).credential`, &credential)
	d.click("button", "Menu")
	d.click("button", "Log out")
	d.find("textbox", "Username")
	await(t, "the inbox's storage to be empty", func() (bool, error) {
		// What stays is that there was a log-out, without a secret.
		err := d.eval(`Object.keys(localStorage).filter((k) => k.startsWith('anteroom.inbox.') && k !== 'anteroom.inbox.auth')`, &keys)
		if err == nil && len(keys) > 0 {
			err = fmt.Errorf("it holds %q", keys)
		}
		return err == nil, err
	})
	await(t, "the inbox's session to be over", func() (bool, error) {
		status, _ := s.request("GET", "/api/me", credential, nil, nil)
		return status == 401, nil
	})
	chat.say("I am still here")
	chat.delivered("I am still here")

	// The guest ends the chat: an inbox that is logged in again does not notice.
	d.fill("Username", "mia")
	d.fill("Password", "demo-mia")
	d.click("button", "Log in")
	d.find("list", "Rooms")
	chat.click("button", "Menu")
	chat.click("button", "End chat and forget me")
	chat.click("button", "Yes, forget me")
	chat.showsNot("I am still here")
	d.enter(g.label())
	d.reads("I am a guest here", "And I am Mia here", "I am still here")
	if _, ok := chat.guestSession(); ok {
		t.Error("after the end of the chat there still is a guest session")
	}
}

// unread is the number of a credential's unread messages.
func (s *Server) unread(credential string) (n int) {
	s.t.Helper()
	var out struct{ Rooms []struct{ Unread int } }
	if status, code := s.request("GET", "/api/rooms?limit=100", credential, nil, &out); status != 200 {
		s.t.Fatalf("list rooms: %d %s", status, code)
	}
	for _, r := range out.Rooms {
		n += r.Unread
	}
	return n
}

// title waits until the tab's title tells that many unread messages.
func (d *Doc) title(name string, unread int) {
	d.tab.t.Helper()
	want := name
	if unread > 0 {
		want = fmt.Sprintf("(%d) %s", unread, name)
	}
	await(d.tab.t, fmt.Sprintf("the title %q", want), func() (bool, error) {
		var now string
		err := d.eval(`document.title`, &now)
		if err == nil && now != want && !strings.HasPrefix(now, want+" ") {
			err = fmt.Errorf("it is %q", now)
		}
		return err == nil, err
	})
}

// namesOf lists what the entries of a list say, in its order.
func (d *Doc) namesOf(list string) (names []string, err error) {
	n, err := d.lookup("list", list)
	if err != nil {
		return nil, err
	}
	err = n.on(`function() { return [...this.children].filter((e) => e.querySelector('button')).map((e) => e.innerText.replace(/\s+/g, ' ').trim()) }`, &names)
	return names, err
}

func (d *Doc) roomNames() (names []string) {
	d.tab.t.Helper()
	await(d.tab.t, "the rooms", func() (ok bool, err error) {
		names, err = d.namesOf("Rooms")
		return len(names) > 0, err
	})
	return names
}

// search types into the field that finds rooms by name.
func (d *Doc) search(text string) {
	d.tab.t.Helper()
	n := d.find("searchbox", "Search rooms")
	x, y, err := n.point(d.tab)
	if err != nil {
		d.tab.t.Fatal(err)
	}
	if err := d.tab.clickAt(x, y); err != nil {
		d.tab.t.Fatal(err)
	}
	if err := n.on(`function() { this.select() }`, nil); err != nil {
		d.tab.t.Fatal(err)
	}
	if text == "" {
		d.tab.press("Backspace", false)
		return
	}
	if err := d.tab.page.call("Input.insertText", map[string]any{"text": text}, nil); err != nil {
		d.tab.t.Fatal(err)
	}
}
