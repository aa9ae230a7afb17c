//go:build !js

package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// An admin asks why anybody can, or can't, reach a room: a user, a guest session
// or a log-in, each under its own name.
func TestExplainOverTheAPI(t *testing.T) {
	w := newWorld(t, Limits{})
	mia := w.user("mia", chat.RoleUser)
	w.vendor("maple", mia)
	w.user("rosa", chat.RoleAdmin)
	rosa, staff := w.login("rosa", chat.SurfaceInbox), w.login("mia", chat.SurfaceInbox)
	g, h := w.guest(), w.guest()
	room := w.open(g.Credential, "maple")
	for query, want := range map[string]string{
		"guest_session=" + string(g.ID):                          "guest_session",
		"guest_session=" + string(h.ID):                          "other_guest_session",
		"user=" + string(mia):                                    "participant",
		"session=" + string(staff.Principal.Session):             "participant",
		"session=" + string(rosa.Principal.Session):              "admin",
		"guest_session=" + string(g.ID) + "&user=" + string(mia): "",
	} {
		var e rooms.Explanation
		r := w.call("GET", "/api/rooms/"+string(room)+"/explain?"+query, rosa.Credential, nil)
		if want == "" {
			if r.code() != chat.CodeInvalid {
				t.Errorf("%s: %d %s", query, r.status, r.body)
			}
			continue
		}
		if r.status != http.StatusOK {
			t.Errorf("%s: %d %s", query, r.status, r.body)
			continue
		}
		w.must(json.Unmarshal(r.body, &e))
		if string(e.Reason) != want || len(e.Actions) == 0 || !e.Facts.RoomExists {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	for _, credential := range []string{staff.Credential, g.Credential} {
		if r := w.call("GET", "/api/rooms/"+string(room)+"/explain?user="+string(mia), credential, nil); r.code() != chat.CodeAccessDenied {
			t.Errorf("not an admin: %d %s", r.status, r.body)
		}
	}
}

// One table holds log-ins and log-outs, links, refusals, reads of rooms by
// admins who are not in them, and changes of roles and members; an admin pages
// through it, and it holds no secret and no text.
func TestAuditOverTheAPI(t *testing.T) {
	w := newWorld(t, Limits{})
	mia := w.user("mia", chat.RoleUser)
	ada := w.user("ada", chat.RoleUser)
	w.vendor("maple", mia)
	w.user("rosa", chat.RoleAdmin)
	rosa := w.login("rosa", chat.SurfaceInbox)
	g, h := w.guest(), w.guest()
	room := w.open(g.Credential, "maple")
	w.say(g.Credential, room, "zk-canary")
	w.call("POST", "/api/login", "", logIn{Username: "mia", Password: "zk-canary-pw", Surface: "inbox"}) // refused
	w.call("GET", "/api/rooms/"+string(room), h.Credential, nil)                                         // refused
	customer := w.login("ada", chat.SurfaceWidget)
	w.get(nil, "POST", "/api/link", customer.Credential, map[string]string{"guest": g.Credential})
	w.call("POST", "/api/link", w.login("mia", chat.SurfaceWidget).Credential, map[string]string{"guest": g.Credential}) // refused
	p := w.connect(rosa.Credential, chat.SurfaceInbox)
	p.join(room) // an admin who is not in it
	w.get(nil, "PUT", "/api/rooms/"+string(room)+"/participants/"+string(w.user("bo", chat.RoleUser)), rosa.Credential, nil)
	w.get(nil, "DELETE", "/api/rooms/"+string(room)+"/participants/"+string(ada), rosa.Credential, nil)
	w.must(w.auth.SetRole(t.Context(), ada, chat.RoleAdmin))
	w.must(w.auth.SetActive(t.Context(), ada, false))
	w.get(nil, "POST", "/api/logout", w.login("mia", chat.SurfaceInbox).Credential, nil)
	// What was refused is written by somebody else, a moment later.
	var all []rooms.AuditEntry
	has := func(action string) bool {
		return slices.ContainsFunc(all, func(e rooms.AuditEntry) bool { return e.Action == action })
	}
	names := map[string]string{}
	page := func(before int64, limit int) (a rooms.AuditPage) {
		w.get(&a, "GET", fmt.Sprintf("/api/audit?before=%d&limit=%d", before, limit), rosa.Credential, nil)
		clear(names)
		for _, n := range a.Names {
			names[n.ID] = n.Name
		}
		return a
	}
	w.eventually("the refused room is audited", func() bool {
		all = page(0, 200).Entries
		return slices.ContainsFunc(all, func(e rooms.AuditEntry) bool { return e.Action == "refused" && e.Room == room })
	})
	for _, action := range []string{"login", "logout", "link", "link_refused", "refused", "oversight", "participant_added", "participant_removed", "role", "disable", "vendor_member"} {
		if !has(action) {
			t.Errorf("nothing about %s", action)
		}
	}
	var paged []rooms.AuditEntry
	for before := int64(0); ; {
		a := page(before, 3)
		paged = append(paged, a.Entries...)
		if len(a.Entries) < 3 {
			break
		}
		before = a.Entries[2].ID
	}
	if whole := page(0, 200).Entries; !slices.Equal(paged, whole) {
		t.Errorf("page by page there are %d rows, at once %d", len(paged), len(whole))
	}
	// What the rows speak of has its name beside it, and nothing else has one.
	page(0, 200)
	maple := slices.IndexFunc(all, func(e rooms.AuditEntry) bool { return e.Action == "vendor_added" })
	for id, want := range map[string]string{
		string(mia): "Mia", string(rosa.Principal.User): "Rosa", all[maple].Subject: "maple",
		string(room):                       "Bo", // Ada was removed
		string(customer.Principal.Session): "Unknown client",
	} {
		if names[id] != want {
			t.Errorf("%s is called %q, want %q", id, names[id], want)
		}
	}
	for id := range names {
		if !slices.ContainsFunc(all, func(e rooms.AuditEntry) bool {
			return string(e.Actor) == id || e.Subject == id || string(e.Room) == id || strings.Contains(e.Detail, id)
		}) {
			t.Errorf("%s has a name and no row", id)
		}
	}
	if text := fmt.Sprint(all, names); strings.Contains(text, "zk-canary") || strings.Contains(text, g.Credential[30:]) {
		t.Errorf("a text or a secret is in the table: %s", text)
	}
	// The participants see that an admin was there.
	f := w.connect(w.login("mia", chat.SurfaceInbox).Credential, chat.SurfaceInbox).join(room)
	if f.Joined == nil || f.Joined.Snapshot == nil {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	if text := string(protocol.EncodeServer(f)); !strings.Contains(text, "Rosa") {
		t.Errorf("no notice for the participants: %s", text)
	}
	for _, credential := range []string{customer.Credential, h.Credential, ""} {
		if r := w.call("GET", "/api/audit", credential, nil); r.status < 400 {
			t.Errorf("not an admin: %d %s", r.status, r.body)
		}
	}
}
