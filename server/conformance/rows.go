package conformance

import (
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

func users(t *testing.T, w *world) {
	ada := user("Ada", "Ada")
	host := storage.User{ID: "u_h", Name: "Host", Role: chat.RoleUser, Issuer: "shop", Subject: "7"}
	host2 := storage.User{ID: "u_i", Name: "Host", Role: chat.RoleUser, Issuer: "shop", Subject: "8"}
	w.update(func(s storage.Writer) error { return first(s.PutUser(ada), s.PutUser(host), s.PutUser(host2)) })
	w.refuse(storage.ErrConflict, func(s storage.Writer) error {
		return s.PutUser(storage.User{ID: "u_x", Username: "aDA", Role: chat.RoleUser})
	})
	w.refuse(storage.ErrConflict, func(s storage.Writer) error {
		return s.PutUser(storage.User{ID: "u_x", Issuer: "shop", Subject: "7", Role: chat.RoleUser})
	})
	w.view(func(r storage.Reader) {
		got, err := r.UserByName("ADA")
		equal(t, "by name", got, err, ada)
		got, err = r.UserBySubject("shop", "7")
		equal(t, "by subject", got, err, host)
		all, err := r.Users()
		equal(t, "users", all, err, []storage.User{host, host2, ada})
		none, err := r.User("u_x")
		absent(t, "unknown id", none, err)
		none, err = r.UserByName("")
		absent(t, "empty name", none, err)
		none, err = r.UserBySubject("", "")
		absent(t, "empty subject", none, err)
		none, err = r.UserBySubject("other", "7")
		absent(t, "other issuer", none, err)
	})
	ada.Username, ada.Active, ada.Role = "ÉVA", false, chat.RoleAdmin
	w.update(func(s storage.Writer) error { return first(s.PutUser(ada), s.PutUser(user("ada", "Another"))) })
	w.view(func(r storage.Reader) {
		got, err := r.UserByName("éva")
		equal(t, "renamed, not only ASCII", got, err, ada)
		got, err = r.UserByName("ada")
		equal(t, "the old name is free", got, err, user("ada", "Another"))
	})
}

func vendors(t *testing.T, w *world) {
	tea, oak := chat.Vendor{ID: "v_2", Slug: "tea", Name: "Tea", Avatar: "T"}, chat.Vendor{ID: "v_1", Slug: "oak", Name: "Oak"}
	w.update(func(s storage.Writer) error {
		return first(s.PutVendor(tea), s.PutVendor(oak), s.PutUser(user("b", "B")), s.PutUser(user("a", "A")),
			s.SetVendorMember("v_2", "u_b", true), s.SetVendorMember("v_2", "u_a", true), s.SetVendorMember("v_2", "u_a", true),
			s.SetVendorMember("v_1", "u_a", true))
	})
	w.refuse(storage.ErrConflict, func(s storage.Writer) error { return s.PutVendor(chat.Vendor{ID: "v_3", Slug: "oak"}) })
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.SetVendorMember("v_3", "u_a", true) })
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.SetVendorMember("v_1", "u_x", true) })
	w.view(func(r storage.Reader) {
		got, err := r.Vendor("v_2")
		equal(t, "by id", got, err, tea)
		got, err = r.VendorBySlug("oak")
		equal(t, "by slug", got, err, oak)
		_, err = r.Vendor("v_3")
		absent(t, "unknown id", got, err)
		_, err = r.VendorBySlug("x")
		absent(t, "unknown slug", got, err)
		list, err := r.Vendors()
		equal(t, "by name", list, err, []chat.Vendor{oak, tea})
		list, err = r.VendorsOf("u_a")
		equal(t, "of a user", list, err, []chat.Vendor{oak, tea})
		staff, err := r.VendorMembers("v_2")
		equal(t, "members", staff, err, []chat.UserID{"u_a", "u_b"})
	})
	w.update(func(s storage.Writer) error {
		return first(s.SetVendorMember("v_2", "u_a", false), s.SetVendorMember("v_2", "u_a", false), s.SetVendorMember("v_9", "u_a", false))
	})
	w.view(func(r storage.Reader) {
		staff, err := r.VendorMembers("v_2")
		equal(t, "members after removal", staff, err, []chat.UserID{"u_b"})
		list, err := r.VendorsOf("u_a")
		equal(t, "of a user after removal", list, err, []chat.Vendor{oak})
	})
}

func accountSessions(t *testing.T, w *world) {
	a := storage.AccountSession{
		ID: "s_a", User: "u_ada", Token: hashOf(1), Revoke: hashOf(2), Surface: chat.SurfaceInbox, CreatedAt: 1, LastSeenAt: 2,
		ExpiresAt: 300, IdleMS: 4, Client: "Firefox", HostTokens: []storage.BurnableToken{{Hash: hashOf(9), Expires: 77}},
	}
	b := storage.AccountSession{ID: "s_b", User: "u_ada", Token: hashOf(3), Surface: chat.SurfaceWidget, CreatedAt: 5, ExpiresAt: 300}
	w.update(func(s storage.Writer) error {
		return first(s.PutUser(user("ada", "Ada")), s.PutAccountSession(a), s.PutAccountSession(b), s.BurnToken(hashOf(8), 50))
	})
	w.refuse(storage.ErrConflict, func(s storage.Writer) error {
		return s.PutAccountSession(storage.AccountSession{ID: "s_c", User: "u_ada", Token: hashOf(1)})
	})
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error {
		return s.PutAccountSession(storage.AccountSession{ID: "s_c", User: "u_nobody", Token: hashOf(7)})
	})
	w.view(func(r storage.Reader) {
		got, err := r.AccountSession("s_a")
		equal(t, "by id", got, err, a)
		got, err = r.AccountSessionByToken(hashOf(1))
		equal(t, "by token", got, err, a)
		got, err = r.AccountSessionByRevoke(hashOf(2))
		equal(t, "by revoke handle", got, err, a)
		_, err = r.AccountSessionByToken(hashOf(2))
		absent(t, "a revoke handle is no token", got, err)
		_, err = r.AccountSessionByRevoke(storage.Hash{})
		absent(t, "the zero hash finds nothing", got, err)
		list, err := r.AccountSessions("u_ada")
		equal(t, "newest first", list, err, []storage.AccountSession{b, a})
		burned, err := r.TokenBurned(hashOf(8))
		equal(t, "burned", burned, err, true)
		burned, err = r.TokenBurned(hashOf(9))
		equal(t, "not burned", burned, err, false)
	})
	b.RevokedAt, b.Token = 6, hashOf(4)
	w.update(func(s storage.Writer) error { return s.PutAccountSession(b) })
	w.view(func(r storage.Reader) {
		list, err := r.AccountSessions("u_ada")
		equal(t, "without revoked ones", list, err, []storage.AccountSession{a})
		got, err := r.AccountSessionByToken(hashOf(3))
		absent(t, "the old token", got, err)
		got, err = r.AccountSessionByToken(hashOf(4))
		equal(t, "the new token", got, err, b)
	})
}

func guestSessions(t *testing.T, w *world) {
	g := storage.GuestSession{ID: "g_a", Secret: hashOf(1), Revoke: hashOf(2), CreatedAt: 1, LastSeenAt: 2, ExpiresAt: 3, IdleMS: 4}
	w.update(func(s storage.Writer) error { return s.PutGuestSession(g) })
	w.refuse(storage.ErrConflict, func(s storage.Writer) error {
		return s.PutGuestSession(storage.GuestSession{ID: "g_b", Secret: hashOf(1)})
	})
	linked := g
	linked.PreLink, linked.Secret, linked.LinkedUser, linked.LinkedBy, linked.LinkedAt = g.Secret, hashOf(5), "u_a", "s_a", 9
	w.update(func(s storage.Writer) error {
		got, err := s.GuestSessionBySecret(hashOf(1))
		equal(t, "before the link", got, err, g)
		return s.PutGuestSession(linked)
	})
	w.view(func(r storage.Reader) {
		got, err := r.GuestSession("g_a")
		equal(t, "by id", got, err, linked)
		got, err = r.GuestSessionBySecret(hashOf(5))
		equal(t, "by the new secret", got, err, linked)
		got, err = r.GuestSessionBySecret(hashOf(1))
		absent(t, "by the old secret", got, err)
		got, err = r.GuestSessionBySecret(storage.Hash{})
		absent(t, "by no secret", got, err)
		got, err = r.GuestSessionByRevoke(hashOf(2))
		equal(t, "by the revoke handle", got, err, linked)
		list, err := r.GuestSessionsByLogin("s_a")
		equal(t, "by log-in", list, err, []storage.GuestSession{linked})
		list, err = r.GuestSessionsByLogin("")
		equal(t, "by no log-in", list, err, nil)
	})
}

func rooms(t *testing.T, w *world) {
	w.shop()
	w.refuse(storage.ErrConflict, func(s storage.Writer) error { return s.CreateRoom(storage.Room{ID: "r_a", Creator: "u_x"}) })
	w.refuse(storage.ErrConflict, func(s storage.Writer) error {
		return s.CreateRoom(storage.Room{ID: "r_z", Creator: "u_ada", ClientID: "room"})
	})
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error {
		return s.CreateRoom(storage.Room{ID: "r_z", Creator: "u_ada", Vendor: "v_x"})
	})
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.PutRoom(storage.Room{ID: "r_z"}) })
	w.update(func(s storage.Writer) error {
		r, err := s.Room("r_a")
		r.Closed, r.LinkedUser, r.LinkedAt, r.Name = true, "u_bo", 44, "Named"
		r.Head, r.Messages, r.LastActive, r.Page, r.Creator = 9, 9, 9, "/x", "u_x" // not taken over
		return first(err, s.PutRoom(r))
	})
	w.view(func(r storage.Reader) {
		got, err := r.Room("r_a")
		equal(t, "changed room", got, err, storage.Room{
			ID: "r_a", Name: "Named", Vendor: "v_tea", GuestSession: "g_abcd", LinkedUser: "u_bo", LinkedAt: 44, Creator: "g_abcd",
			ClientID: "room", Closed: true, CreatedAt: 10, LastActive: 10,
		})
		id, err := r.RoomByClientID("u_ada", "room")
		equal(t, "by client id", id, err, "r_b")
		id, err = r.RoomByClientID("u_bo", "room")
		absent(t, "another's client id", id, err)
		id, err = r.RoomByClientID("u_root", "")
		absent(t, "no client id", id, err)
		ids, err := r.RoomsOfGuest("g_abcd")
		equal(t, "of a guest", ids, err, []chat.RoomID{"r_a"})
		ids, err = r.RoomsOfUser("u_ada")
		equal(t, "of a user", ids, err, []chat.RoomID{"r_b", "r_c"})
		ids, err = r.RoomsOfVendor("v_tea")
		equal(t, "of a vendor", ids, err, []chat.RoomID{"r_a", "r_b"})
		got, err = r.Room("r_z")
		absent(t, "unknown", got, err)
	})
}

func openRoomWith(t *testing.T, w *world) {
	w.shop()
	find := func(caller chat.Identity, want chat.RoomID) {
		t.Helper()
		w.view(func(r storage.Reader) {
			got, err := r.OpenRoomWith(caller, "v_tea")
			if want == "" {
				absent(t, "open room of "+string(caller), got, err)
				return
			}
			equal(t, "open room of "+string(caller), got, err, want)
		})
	}
	find("g_abcd", "r_a")
	find("u_ada", "r_b")
	find("u_mia", "") // staff of both rooms, customer in none
	find("u_bo", "")
	w.update(func(s storage.Writer) error {
		return first(
			s.CreateRoom(storage.Room{ID: "r_d", Vendor: "v_tea", GuestSession: "g_abcd", Creator: "g_abcd", CreatedAt: 11}),
			s.PutRoom(storage.Room{ID: "r_a", LinkedUser: "u_ada"}), s.SetParticipant("r_a", "u_ada", true))
	})
	find("g_abcd", "r_d")
	w.update(func(s storage.Writer) error { return say(s, "r_a", "u_ada", "m1", 99) })
	find("u_ada", "r_a") // linked, and the most recently active
	w.update(func(s storage.Writer) error {
		return s.PutRoom(storage.Room{ID: "r_a", LinkedUser: "u_ada", Closed: true})
	})
	find("u_ada", "r_b")
	w.update(func(s storage.Writer) error { return s.SetParticipant("r_b", "u_ada", false) })
	find("u_ada", "")
}

func participants(t *testing.T, w *world) {
	w.shop()
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.SetParticipant("r_z", "u_ada", true) })
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.SetParticipant("r_a", "u_z", true) })
	w.update(func(s storage.Writer) error {
		return first(s.SetParticipant("r_b", "u_bo", true), s.SetParticipant("r_b", "u_bo", true),
			s.SetParticipant("r_b", "u_mia", false), s.SetParticipant("r_b", "u_mia", false), s.SetParticipant("r_z", "u_mia", false))
	})
	w.view(func(r storage.Reader) {
		got, err := r.Participants("r_b")
		equal(t, "of a room", got, err, []chat.UserID{"u_ada", "u_bo"})
		members, err := r.Members("r_b")
		equal(t, "members of a room", members, err, []chat.Member{{User: "u_ada", Name: "Ada Okafor"}, {User: "u_bo", Name: "Bo Lind"}})
		members, err = r.Members("r_a")
		equal(t, "staff", members, err, []chat.Member{{User: "u_mia", Name: "Mia Staff", Staff: true}})
		members, err = r.Members("r_z")
		equal(t, "members of an unknown room", members, err, nil)
		in, err := r.Participant("r_b", "u_bo")
		equal(t, "added", in, err, true)
		in, err = r.Participant("r_b", "u_mia")
		equal(t, "removed", in, err, false)
		in, err = r.Participant("r_z", "u_mia")
		equal(t, "of an unknown room", in, err, false)
		ids, err := r.RoomsOfUser("u_mia")
		equal(t, "rooms after removal", ids, err, []chat.RoomID{"r_a"})
	})
}

func records(t *testing.T, w *world) {
	w.shop()
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { return s.Block("v_x", "g_a") })
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error {
		_, err := s.AddNotice("r_x", "u_root", "2026-01-01", chat.Notice{})
		return err
	})
	n1, n2 := chat.Notice{Name: "Rosa", At: 9}, chat.Notice{Name: "Rosa", At: 3}
	w.update(func(s storage.Writer) error {
		a, err1 := s.AddNotice("r_a", "u_root", "2026-01-01", n1)
		b, err2 := s.AddNotice("r_a", "u_root", "2026-01-01", n2)
		c, err3 := s.AddNotice("r_a", "u_root", "2026-01-02", n2)
		equal(t, "added once a day", []bool{a, b, c}, nil, []bool{true, false, true})
		return first(err1, err2, err3, s.Block("v_tea", "g_a"), s.Block("v_tea", "g_a"),
			s.AddAudit(storage.AuditEntry{At: 1, Action: "login", Actor: "u_ada"}),
			s.AddAudit(storage.AuditEntry{At: 1, Action: "link", Actor: "u_ada", Subject: "g_a", Room: "r_a", Detail: "d"}),
			s.AddAudit(storage.AuditEntry{At: 0, Action: "logout", Actor: "u_ada"}))
	})
	w.view(func(r storage.Reader) {
		notices, err := r.Notices("r_a")
		equal(t, "notices", notices, err, []chat.Notice{n1, n2})
		blocked, err := r.Blocked("v_tea", "g_a")
		equal(t, "blocked", blocked, err, true)
		blocked, err = r.Blocked("v_tea", "g_b")
		equal(t, "not blocked", blocked, err, false)
		page, err := r.Audit(0, 2)
		if err != nil || len(page) != 2 || page[0].Action != "logout" || page[0].ID <= page[1].ID {
			t.Fatalf("first page of audit: %+v, %v", page, err)
		}
		equal(t, "entry", page[1], nil, storage.AuditEntry{ID: page[1].ID, At: 1, Action: "link", Actor: "u_ada", Subject: "g_a", Room: "r_a", Detail: "d"})
		page, err = r.Audit(page[1].ID, 2)
		if err != nil || len(page) != 1 || page[0].Action != "login" {
			t.Fatalf("second page of audit: %+v, %v", page, err)
		}
	})
}

func sweep(t *testing.T, w *world) {
	const now = 100 * storage.KeepEnded
	old := int64(now - storage.KeepEnded - 1)
	w.update(func(s storage.Writer) error {
		if err := s.PutUser(user("ada", "Ada")); err != nil {
			return err
		}
		for i, c := range []struct{ expires, seen, idle, revoked int64 }{
			{now + 1, 0, 0, 0}, {old, 0, 0, 0}, {now + 1, old - 5, 5, 0}, {now + 1, 0, 0, old}, {now - 1, 0, 0, 0}, {now + 1, 0, 0, now - 1},
		} {
			name, h := string(rune('a'+i)), byte(i*2+1)
			if err := first(
				s.PutAccountSession(storage.AccountSession{ID: chat.AccountSessionID("s_" + name), User: "u_ada", Token: hashOf(h), Revoke: hashOf(h + 1), ExpiresAt: c.expires, LastSeenAt: c.seen, IdleMS: c.idle, RevokedAt: c.revoked}),
				s.PutGuestSession(storage.GuestSession{ID: chat.GuestSessionID("g_" + name), Secret: hashOf(h), Revoke: hashOf(h + 1), ExpiresAt: c.expires, LastSeenAt: c.seen, IdleMS: c.idle, RevokedAt: c.revoked}),
			); err != nil {
				return err
			}
		}
		return first(s.BurnToken(hashOf(1), now), s.BurnToken(hashOf(2), now+1), s.Sweep(now))
	})
	w.view(func(r storage.Reader) {
		for i, kept := range []bool{true, false, false, false, true, true} {
			name, h := string(rune('a'+i)), byte(i*2+1)
			_, err1 := r.AccountSession(chat.AccountSessionID("s_" + name))
			_, err2 := r.AccountSessionByToken(hashOf(h))
			_, err3 := r.GuestSession(chat.GuestSessionID("g_" + name))
			_, err4 := r.GuestSessionBySecret(hashOf(h))
			for _, err := range []error{err1, err2, err3, err4} {
				if (err == nil) != kept {
					t.Errorf("session %s: kept should be %v: %v", name, kept, err)
				}
			}
		}
		burned, err := r.TokenBurned(hashOf(1))
		equal(t, "expired token", burned, err, false)
		burned, err = r.TokenBurned(hashOf(2))
		equal(t, "token that is still good", burned, err, true)
	})
}
