//go:build !js

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// A user sees where they are logged in, ends one of those sessions, and all of
// them; nobody else sees or loses anything by it.
func TestOwnSessions(t *testing.T) {
	s := serve(t)
	left := visitor(t, "left behind").inbox(s, "mia")
	left.tab.allow(`status of 401|WebSocket`)
	noor := visitor(t, "noor").inbox(s, "noor")
	api := s.staff("mia") // by a program
	d := visitor(t, "mia").inbox(s, "mia")
	d.click("button", "Menu")
	d.click("button", "Your sessions")
	list := func(d *Doc, n int) (names []string) {
		t.Helper()
		await(t, "the list of sessions", func() (ok bool, err error) {
			names, err = d.sessions()
			return len(names) == n, err
		})
		return names
	}
	names := list(d, 3)
	if own := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.Contains(n, "This session") }); len(own) != 1 || strings.Contains(own[0], "End") {
		t.Errorf("the present session is shown as %q", own)
	}
	if !slices.ContainsFunc(names, func(n string) bool {
		return strings.Contains(n, "Chrome on Linux · Inbox") && strings.Contains(n, "Last used: Today")
	}) {
		t.Errorf("the other browser is not among %q", names)
	}
	for _, scheme := range []string{"light", "dark"} {
		d.tab.dark(scheme == "dark")
		d.tab.shot("inbox-sessions-" + scheme)
	}
	d.tab.dark(false)
	d.tab.size(390, 780, true)
	d.tab.shot("inbox-sessions-phone")
	d.tab.size(1280, 800, false)

	// The one that was left open elsewhere ends at once, also on its screen.
	d.click("button", "End Chrome on Linux · Inbox")
	left.sees("Your session has ended.")
	list(d, 2)
	d.click("button", "Back")
	d.find("button", "Change password")
	if status, _ := s.request("GET", "/api/me", api, nil, nil); status != 200 {
		t.Errorf("a session that was not chosen answers %d", status)
	}

	// Another user sees their own ones only.
	noor.click("button", "Menu")
	noor.click("button", "Your sessions")
	if names := list(noor, 1); !strings.Contains(names[0], "This session") {
		t.Errorf("noor sees %q", names)
	}

	d.click("button", "Your sessions")
	list(d, 2)
	d.click("button", "Log out everywhere")
	d.find("textbox", "Username")
	await(t, "every session to be over", func() (bool, error) {
		status, _ := s.request("GET", "/api/me", api, nil, nil)
		return status == 401, nil
	})
	noor.click("button", "Back")
	noor.find("list", "Rooms")
}

// The widget shows them too: whom a host logs in has no inbox.
func TestOwnSessionsInTheWidget(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "mia").open(s.url + "/chat")
	chat := tab.top()
	other := s.session("mia")
	chat.click("button", "Log in")
	chat.fill("Username", "mia")
	chat.fill("Password", "demo-mia")
	chat.click("button", "Log in")
	chat.as("Mia Hart")
	chat.click("button", "Menu")
	chat.click("button", "Your sessions")
	chat.find("button", "End Unknown client · Chat")
	tab.shot("widget-sessions")
	chat.click("button", "End Unknown client · Chat")
	chat.gone("button", "End Unknown client · Chat")
	if status, _ := s.request("GET", "/api/me", other, nil, nil); status != 401 {
		t.Errorf("the ended session answers %d", status)
	}
	chat.click("button", "Back")
	chat.find("button", "Log out everywhere")
}

// sessions gives the lines of the list of sessions.
func (d *Doc) sessions() (names []string, err error) {
	n, err := d.lookup("list", "Your sessions")
	if err != nil {
		return nil, err
	}
	err = n.on(`function() { return [...this.children].map((e) => e.innerText.replace(/\s+/g, ' ').trim()) }`, &names)
	return names, err
}
