//go:build !js

package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// fill writes a little of everything; testdata/version1.sql holds the rows that
// the first version of the program made of it.
func fill(w storage.Writer) error {
	hash := func(n byte) storage.Hash { return storage.Hash{n, 1: n} }
	var errs []error
	do := func(e ...error) { errs = append(errs, e...) }
	say := func(room chat.RoomID, sender chat.Identity, id chat.ClientID, at int64, text string) {
		e, _, err := w.Append(room, chat.Event{Kind: chat.MessagePosted, Sender: sender, SenderName: string(sender), ClientID: id, At: at, Text: text})
		do(err)
		_, _, err = w.SetRead(room, sender, e.Seq)
		do(err)
	}
	for _, u := range []string{"mia", "ada", "bo", "root"} {
		do(w.PutUser(storage.User{ID: chat.UserID("u_" + u), Username: u, Name: u + " Å", Role: chat.RoleUser, Active: u != "bo", PasswordHash: "x", CreatedAt: 1}))
	}
	do(w.PutUser(storage.User{ID: "u_host", Name: "Host", Role: chat.RoleUser, Active: true, Issuer: "shop", Subject: "7"}))
	do(w.PutVendor(chat.Vendor{ID: "v_tea", Slug: "tea", Name: "Northern Tea", Avatar: "T"}), w.PutVendor(chat.Vendor{ID: "v_oak", Slug: "oak", Name: "Oak"}),
		w.SetVendorMember("v_tea", "u_mia", true), w.SetVendorMember("v_oak", "u_mia", true))
	do(w.PutAccountSession(storage.AccountSession{
		ID: "s_a", User: "u_ada", Token: hash(1), Revoke: hash(2), Surface: chat.SurfaceInbox, ExpiresAt: 1 << 40,
		HostTokens: []storage.BurnableToken{{Hash: hash(3), Expires: 9}}, Client: "Firefox",
	}), w.BurnToken(hash(4), 99))
	for i, g := range []chat.GuestSessionID{"g_aaaa", "g_bbbb", "g_cccc"} {
		do(w.PutGuestSession(storage.GuestSession{ID: g, Secret: hash(byte(10 + i)), Revoke: hash(byte(20 + i)), ExpiresAt: 1 << 40}))
	}
	for i, r := range []storage.Room{
		{ID: "r_a", Vendor: "v_tea", GuestSession: "g_aaaa", Creator: "g_aaaa", ClientID: "room", Page: "/tea"},
		{ID: "r_b", Vendor: "v_oak", GuestSession: "g_bbbb", Creator: "g_bbbb", ClientID: "room"},
		{ID: "r_c", Vendor: "v_tea", Creator: "u_ada", ClientID: "room"},
		{ID: "r_d", Name: "Planning", Creator: "u_root"},
		{ID: "r_empty", Vendor: "v_tea", GuestSession: "g_cccc", Creator: "g_cccc"},
	} {
		r.CreatedAt = int64(10 * (i + 1))
		do(w.CreateRoom(r))
		if r.Vendor != "" {
			do(w.SetParticipant(r.ID, "u_mia", true))
		}
	}
	do(w.SetParticipant("r_c", "u_ada", true), w.SetParticipant("r_d", "u_ada", true), w.SetParticipant("r_d", "u_bo", true))
	_, _, err := w.Append("r_d", chat.Event{Kind: chat.ParticipantAdded, Sender: "u_root", At: 44, Member: &chat.Member{User: "u_bo", Name: "bo"}})
	do(err)
	for i := range 7 {
		say("r_a", "g_aaaa", chat.ClientID(fmt.Sprint("m", i)), int64(100+i), fmt.Sprint("from the guest ", i))
		say("r_c", "u_ada", chat.ClientID(fmt.Sprint("m", 4+i)), int64(200+i), fmt.Sprint("from ada ", i))
		say("r_b", "u_mia", "", 300, "the same moment")
		say("r_d", "u_bo", chat.ClientID(fmt.Sprint("d", i)), 300, "the same moment too")
	}
	_, _, err = w.SetRead("r_a", "u_mia", 3)
	do(err)
	// A link: the guest's m4 to m6 were ada's as well, and stay hers.
	do(w.PutRoom(storage.Room{ID: "r_a", LinkedUser: "u_ada", LinkedAt: 400}), w.SetParticipant("r_a", "u_ada", true), w.MoveIdentity("g_aaaa", "u_ada"),
		w.PutRoom(storage.Room{ID: "r_b", Closed: true}), w.Block("v_oak", "g_bbbb"))
	_, err = w.AddNotice("r_d", "u_root", "2026-11-25", chat.Notice{Name: "root", At: 401})
	do(err, w.AddAudit(storage.AuditEntry{At: 5, Action: "link", Actor: "g_aaaa", Subject: "u_ada", Room: "r_a", Detail: "x"}))
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// told is everything a Reader tells of what fill wrote, but the epoch.
func told(t *testing.T, d *DB) string {
	t.Helper()
	var out []any
	if err := d.View(t.Context(), func(r storage.Reader) error { out = tell(r); return nil }); err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func tell(r storage.Reader) (out []any) {
	see := func(v any, err error) { out = append(out, v, fmt.Sprint(err)) }
	rooms := []chat.RoomID{"r_a", "r_b", "r_c", "r_d", "r_empty", "r_none"}
	people := []chat.Identity{"u_mia", "u_ada", "u_bo", "u_root", "u_host", "g_aaaa", "g_bbbb", "g_cccc", "g_none"}
	see(r.Users())
	see(r.Vendors())
	for _, v := range []chat.VendorID{"v_tea", "v_oak"} {
		see(r.VendorMembers(v))
		see(r.RoomsOfVendor(v))
		see(r.Blocked(v, "g_bbbb"))
		for _, p := range people {
			see(r.OpenRoomWith(p, v))
		}
	}
	see(r.AccountSession("s_a"))
	see(r.AccountSessions("u_ada"))
	see(r.TokenBurned(storage.Hash{4, 4}))
	for _, id := range rooms {
		see(r.Room(id))
		see(r.Members(id))
		see(r.LastMessage(id))
		see(r.Receipts(id))
		see(r.Notices(id))
		for _, q := range []storage.EventQuery{{Limit: 99}, {After: 2, Limit: 3}, {Before: 5, Limit: 3}, {Before: 99, Limit: 2}} {
			q.Room = id
			see(r.Events(q))
		}
		for _, p := range people {
			see(r.Read(id, p))
		}
	}
	for _, p := range people {
		see(r.GuestSession(chat.GuestSessionID(p)))
		see(r.RoomsOfGuest(chat.GuestSessionID(p)))
		see(r.RoomsOfUser(chat.UserID(p)))
		see(r.RoomByClientID(p, "room"))
		for _, id := range []chat.ClientID{"m0", "m4", "m6", "m10", "d3", ""} {
			see(r.Sent(p, id))
		}
		for _, q := range []storage.ListQuery{{}, {All: true}, {Filter: chat.FilterUnread}, {Filter: chat.FilterClosed}, {Search: "ada å"}, {AfterActive: 300, AfterID: "r_b"}, {AfterActive: 206, AfterID: "r_c"}} {
			q.Reader, q.Limit = p, 50
			see(r.List(q))
		}
	}
	see(r.Audit(0, 9))
	return out
}

// A log that an older version made is the chain it would be had it been made now.
func TestLogOfVersion3(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := connect(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	old := fstest.MapFS{}
	for _, name := range []string{"migrations/0001_init.sql", "migrations/0002_log.sql", "migrations/0003_sent.sql"} {
		script, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: script}
	}
	if err := migrate(c, old); err != nil {
		t.Fatal(err)
	}
	if err := c.script(`
		INSERT INTO ids (n, id) VALUES (1, 'u_ada');
		INSERT INTO rooms (n, id, name, vendor, guest_session, linked_user, linked_at, creator, client_id, page, closed, created_at, search)
			SELECT column1, column2, '', '', '', '', 0, 'u_ada', '', '', 0, 0, '' FROM (VALUES (1, 'r_a'), (2, 'r_b'), (3, 'r_empty'));
		WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 100)
		INSERT INTO events (room, seq, at, kind, sender, sender_name, client_id, text, member, messages, owner)
			SELECT r.n, i, i, iif(i = 100 AND r.n = 2, 'room_closed', 'message'), 'u_ada', 'Ada', r.id || i, r.id || i, '', i - (i = 100 AND r.n = 2), 1
			FROM i CROSS JOIN rooms r WHERE r.n < 3;
		INSERT INTO heads SELECT n, 0, 100, 100, 100, 100 FROM rooms WHERE n = 1 UNION ALL SELECT n, 0, 100, 99, 99, 99 FROM rooms WHERE n = 2
			UNION ALL SELECT n, 0, 0, 0, 0, 0 FROM rooms WHERE n = 3`); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	defer d.Close()
	for grown := range 3 {
		if err := d.View(t.Context(), func(r storage.Reader) error {
			for _, room := range []chat.RoomID{"r_a", "r_b"} {
				for before := int64(1); before < int64(102+grown); before++ {
					got, err := r.Events(storage.EventQuery{Room: room, Before: before, Limit: 3})
					if err != nil {
						return err
					}
					for i, e := range got {
						if seq := before - int64(len(got)-i); e.Seq != seq || e.Text != fmt.Sprint(room, seq) {
							t.Errorf("%s: event %d before %d is %+v", room, i, before, e)
						}
					}
					if want := min(3, before-1); int64(len(got)) != want {
						t.Errorf("%s: %d events before %d, want %d", room, len(got), before, want)
					}
				}
			}
			for room, want := range map[chat.RoomID]int64{"r_a": 100 + int64(grown), "r_b": 99} {
				if e, err := r.LastMessage(room); err != nil || e.Seq != want {
					t.Errorf("the newest message of %s is %+v, %v", room, e, err)
				}
			}
			if e, err := r.LastMessage("r_empty"); !notFound(err) {
				t.Errorf("the newest message of an empty room is %+v, %v", e, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		next := int64(101 + grown)
		if err := d.Update(t.Context(), func(w storage.Writer) error {
			if _, created, err := w.Append("r_a", chat.Event{Kind: chat.MessagePosted, Sender: "u_ada", ClientID: "r_a7", Text: "r_a7"}); err != nil || created {
				t.Errorf("a repeat was created: %t, %v", created, err)
			}
			for _, e := range []chat.Event{{Kind: chat.MessagePosted, Text: fmt.Sprint("r_a", next)}, {Kind: chat.RoomClosed, Text: fmt.Sprint("r_b", next)}} {
				if _, _, err := w.Append(chat.RoomID(e.Text[:3]), e); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// A database that the first version made is read, and goes on, like a new one.
func TestDatabaseOfVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := connect(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"migrations/0001_init.sql", "testdata/version1.sql"} {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.script(string(script)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	old, fresh := open(t, path), open(t, filepath.Join(t.TempDir(), "a.db"))
	defer old.Close()
	defer fresh.Close()
	if err := fresh.Update(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		if got, want := told(t, old), told(t, fresh); got != want {
			t.Errorf("%s a migrated database tells\n%s\nand a new one\n%s", when, got, want)
		}
	}
	same("at first")
	if err := old.View(t.Context(), func(r storage.Reader) error {
		if epoch, err := r.Epoch(); err != nil || epoch != "5b1d6e3f0a9c4e8790badc0ffee12345" {
			t.Errorf("the epoch is %q, %v", epoch, err)
		}
		for _, check := range []string{"PRAGMA integrity_check", "PRAGMA foreign_key_check"} {
			if bad, err := all(r.(reader).c, scanText[string], check); err != nil || len(bad) > 0 && bad[0] != "ok" {
				t.Errorf("%s: %v, %v", check, bad, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*DB{old, fresh} {
		if err := d.Update(context.Background(), func(w storage.Writer) error {
			for _, m := range []chat.Event{ // a repeat of what was the guest's, another, a new one
				{ClientID: "m0", Text: "from the guest 0"}, {ClientID: "m10", Text: "from ada 6"}, {ClientID: "new", Text: "new"},
			} {
				m.Kind, m.Sender, m.At = chat.MessagePosted, "u_ada", 500
				room := chat.RoomID("r_a")
				if m.ClientID == "m10" {
					room = "r_c"
				}
				e, created, err := w.Append(room, m)
				if err != nil || created != (m.ClientID == "new") {
					t.Errorf("%s: %+v, created %t, %v", m.ClientID, e, created, err)
				}
				if _, _, err := w.SetRead(room, "u_ada", e.Seq); err != nil {
					return err
				}
			}
			// Whose client message ids are moved has sent before the migration.
			if err := w.MoveIdentity("u_bo", "u_mia"); err != nil {
				return err
			}
			if sent, err := w.Sent("u_mia", "d3"); err != nil || sent.Room != "r_d" {
				t.Errorf("after the move d3 is %+v, %v", sent, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	same("afterwards")
}
