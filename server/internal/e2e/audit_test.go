//go:build !js

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// rows gives the lines of the audit table on screen.
func (d *Doc) rows() (rows []string, err error) {
	n, err := d.lookup("table", "Audit table")
	if err != nil {
		return nil, err
	}
	err = n.on(`function() { return [...this.querySelectorAll('tbody tr')].map((e) => e.innerText.replace(/[\s…]+/g, ' ').trim()) }`, &rows)
	return rows, err
}

// An admin pages through the audit table in the inbox, newest first, in words;
// nobody else is offered it.
func TestAuditScreen(t *testing.T) {
	core := axe(t)
	s := serve(t)
	long := "Anna-Lena von und zu " + strings.Repeat("Ostersteinbeckweg", 3) // nearly as long as names may be
	if out, err := s.command(strings.NewReader("a-long-password\n"), "user", "add", "--password-stdin", "--name", long, "anna"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mia := visitor(t, "mia").inbox(s, "mia")
	mia.click("button", "Menu")
	mia.find("button", "Your sessions")
	if mia.has("button", "Audit table") {
		t.Error("one who is no admin is offered the audit table")
	}
	guest := visitor(t, "guest").open(s.shop + "/products/blue-bowl").openChat()
	guest.say("Just between us")
	guest.delivered("Just between us")
	g, _ := guest.guestSession()
	admin := s.staff("rosa")
	guests := s.roomOf(admin, g.ID)
	rooms := s.rooms(admin)
	market := rooms[slices.IndexFunc(rooms, func(r room) bool { return r.Name == "Spring market" })].ID
	var anna string
	{
		var in struct{ Credential string }
		s.request("POST", "/api/login", "", map[string]string{"username": "anna", "password": "a-long-password", "surface": "inbox"}, &in)
		anna = s.userID(in.Credential)
		if status, _ := s.request("GET", "/api/rooms/"+guests, in.Credential, nil, nil); status != http.StatusForbidden {
			t.Fatalf("a stranger reads the room: %d", status)
		}
	}
	s.request("POST", "/api/login", "", map[string]string{"username": "noor", "password": "not-noors", "surface": "inbox"}, nil)
	for range 30 { // more than a page
		for _, method := range []string{"PUT", "DELETE"} {
			if status, code := s.request(method, "/api/rooms/"+market+"/participants/"+anna, admin, nil, nil); status >= 300 {
				t.Fatalf("%s a participant: %d %s", method, status, code)
			}
		}
	}

	await(t, "the sweeper to have written the refusal", func() (bool, error) {
		var page struct {
			Entries []struct{ Action, Room string }
		}
		status, _ := s.request("GET", "/api/audit?limit=200", admin, nil, &page)
		for _, e := range page.Entries {
			if e.Action == "refused" && e.Room == guests {
				return true, nil
			}
		}
		return false, fmt.Errorf("%d, %d rows", status, len(page.Entries))
	})

	d := visitor(t, "rosa").inbox(s, "rosa")
	d.enter(g.label())
	d.sees("You see this room as an admin.")
	answers := make(chan string) // what becomes of a page that is asked for
	s.front.rule(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/api/audit" || <-answers != "fail" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, err := w.Write([]byte(`{"error":{"code":"unavailable","message":"Storage does not answer"}}`))
		return err == nil
	})
	answer := func(how string) {
		t.Helper()
		select {
		case answers <- how:
		case <-time.After(patience):
			t.Fatal("nobody asks for a page of the audit table")
		}
	}
	d.tab.allow(`status of 503 .*/api/audit`)
	d.click("button", "Menu")
	d.click("button", "Audit table")
	d.sees("Loading…")
	d.tab.shot("audit-loading")
	answer("fail")
	d.sees("The chat can’t be reached just now.")
	d.judged(core, "audit failed")
	d.tab.dark(false)
	d.click("button", "Retry")
	answer("pass")
	table := func(n int, newest string) (rows []string) {
		t.Helper()
		await(t, "the audit table", func() (ok bool, err error) {
			rows, err = d.rows()
			return err == nil && len(rows) >= n && strings.Contains(rows[0], newest), err
		})
		return rows
	}
	rows := table(50, "Looked into a room as an admin Rosa Admin "+g.label())
	if len(rows) != 50 {
		t.Errorf("a page has %d rows", len(rows))
	}
	d.tab.shot("audit")
	for n := 51; d.has("button", "Show more"); n += 50 {
		d.click("button", "Show more")
		answer("pass")
		rows = table(n, "Looked into")
	}
	for _, want := range []string{
		"Removed from the room Rosa Admin " + long + " Spring market",
		"Room refused no participant " + long + " " + g.label(),
		"Log-in refused wrong password, or the account is disabled Noor",
		"Account added as user Operator " + long,
	} {
		if !slices.ContainsFunc(rows, func(r string) bool { return strings.Contains(r, want) }) {
			t.Errorf("%q is not in the table:\n%s", want, strings.Join(rows, "\n"))
		}
	}
	// What the demo's own set-up wrote is in words too.
	for _, r := range rows {
		if regexp.MustCompile(`[a-z]_[a-z]`).MatchString(r) {
			t.Errorf("not in words: %q", r)
		}
	}
	if len(rows) <= 62 {
		t.Errorf("there are %d rows in all", len(rows))
	}
	d.judged(core, "audit")
	d.tab.dark(false)

	// By the keyboard: from the title through the buttons to the first row's ids.
	d.mustEval(`document.querySelector('.audit-box').scrollTo(0, 0)`, nil)
	d.mustEval(`document.getElementById('audit-title').focus()`, nil)
	d.tab.press("Tab", false)
	d.tab.press("Tab", false)
	d.tab.press("Enter", false)
	d.sees("oversight " + s.userID(admin))
	d.tab.shot("audit-ids")

	d.tab.size(390, 844, true)
	d.judged(core, "audit on a phone")
	d.tab.dark(false)
	var wide bool
	if d.mustEval(`document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll('.audit-box')].some((e) => e.scrollWidth > e.clientWidth)`, &wide); wide {
		t.Error("on a phone the table is wider than the screen")
	}
	if d.has("list", "Rooms") || d.has("textbox", "Write a message") {
		t.Error("on a phone something else shows beside the table")
	}
	d.tab.press("Escape", false)
	d.find("log", "Messages")
	d.tab.size(1280, 900, false)
	d.click("button", "Menu")
	d.click("button", "Audit table")
	answer("pass")
	table(50, "Looked into")

	// A guest writes while the table is on screen: nothing is read by it.
	close(answers)
	guest.say("Still there?")
	guest.delivered("Still there?")
	await(t, "an unread room", func() (bool, error) {
		names, err := d.namesOf("Rooms")
		return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, g.label()) && strings.Contains(n, "1 unread") }), err
	})
	d.click("button", g.label())
	d.reads("Just between us", "Still there?")
	if d.has("table", "Audit table") {
		t.Error("the table is still there")
	}

	// Who is no admin any more loses it from the screen, and is not offered it again.
	d.click("button", "Menu")
	d.click("button", "Audit table")
	table(50, "Looked into")
	if out, err := s.command(nil, "user", "role", "rosa", "user"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.gone("table", "Audit table")
	d.click("button", "Menu")
	d.find("button", "Your sessions")
	if d.has("button", "Audit table") {
		t.Error("one who is no admin any more is offered the audit table")
	}
}
