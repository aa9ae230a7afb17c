package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

func listPaging(t *testing.T, w *world) {
	const rooms = 30
	room := func(i int) chat.RoomID { return chat.RoomID(fmt.Sprintf("r_%02d", i)) }
	w.update(func(s storage.Writer) error {
		if err := s.PutUser(user("ada", "Ada")); err != nil {
			return err
		}
		for i := range rooms {
			if err := first(s.CreateRoom(storage.Room{ID: room(i), Creator: "u_ada", CreatedAt: int64(i / 4)}), s.SetParticipant(room(i), "u_ada", true)); err != nil {
				return err
			}
		}
		return nil
	})
	whole := ids(t, w.s, storage.ListQuery{Reader: "u_ada", Limit: 100})
	q := storage.ListQuery{Reader: "u_ada", Limit: 7}
	var paged []chat.RoomID
	for {
		var rows []storage.ListRow
		w.view(func(r storage.Reader) { rows, _ = r.List(q) })
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			paged = append(paged, row.Room.ID)
		}
		last := rows[len(rows)-1].Room
		q.AfterActive, q.AfterID = last.LastActive, last.ID
		// A room that was listed becomes active: it must not come again, nor push another out.
		w.update(func(s storage.Writer) error { return say(s, paged[0], "u_ada", "", 1000+int64(len(paged))) })
	}
	equal(t, "pages in a row", paged, nil, whole)
}

func listOfStaff(t *testing.T, w *world) {
	// mia is staff of two vendors; has rooms of her own with a third, before, between
	// and after them in the order of ids, one without vendor, and was taken out of one.
	w.update(func(s storage.Writer) error {
		if err := s.PutUser(user("mia", "Mia")); err != nil {
			return err
		}
		for _, v := range []chat.VendorID{"v_a", "v_b", "v_c", "v_d", "v_e"} {
			if err := first(s.PutVendor(chat.Vendor{ID: v, Slug: string(v[2:]), Name: "V"}),
				s.CreateRoom(storage.Room{ID: chat.RoomID("r_" + string(v[2:])), Vendor: v, Creator: "u_mia", CreatedAt: int64(v[2])}),
				s.SetParticipant(chat.RoomID("r_"+string(v[2:])), "u_mia", true)); err != nil {
				return err
			}
		}
		return first(s.SetVendorMember("v_b", "u_mia", true), s.SetVendorMember("v_d", "u_mia", true),
			s.CreateRoom(storage.Room{ID: "r_x", Creator: "u_mia", CreatedAt: 500}), s.SetParticipant("r_x", "u_mia", true),
			s.CreateRoom(storage.Room{ID: "r_y", Vendor: "v_b", Creator: "u_z", CreatedAt: 600}))
	})
	equal(t, "all rooms", ids(t, w.s, storage.ListQuery{Reader: "u_mia", Limit: 50}), nil, []chat.RoomID{"r_x", "r_e", "r_d", "r_c", "r_b", "r_a"})
	equal(t, "a page", ids(t, w.s, storage.ListQuery{Reader: "u_mia", Limit: 2, AfterActive: 'd', AfterID: "r_d"}), nil, []chat.RoomID{"r_c", "r_b"})
}

var errFailed = errors.New("failed by the test")

// everything writes one row of each kind that shop did not.
func everything(s storage.Writer) error {
	_, _, err1 := s.Append("r_a", message("g_abcd", "new", "new", 70))
	_, _, err2 := s.SetRead("r_a", "u_mia", 9)
	_, err3 := s.AddNotice("r_a", "u_root", "day", chat.Notice{Name: "R"})
	return first(err1, err2, err3,
		s.PutUser(user("new", "New")), s.PutUser(user("bo", "Changed")), s.PutVendor(chat.Vendor{ID: "v_new", Slug: "new", Name: "New"}),
		s.SetVendorMember("v_tea", "u_mia", false), s.SetVendorMember("v_tea", "u_bo", true),
		s.PutAccountSession(storage.AccountSession{ID: "s_new", User: "u_bo", Token: hashOf(50), ExpiresAt: 1}), s.BurnToken(hashOf(51), 5),
		s.PutGuestSession(storage.GuestSession{ID: "g_abcd", Secret: hashOf(52), PreLink: hashOf(1), LinkedBy: "s_new", ExpiresAt: 1 << 50}),
		s.CreateRoom(storage.Room{ID: "r_new", Vendor: "v_tea", GuestSession: "g_abcd", Creator: "g_abcd", ClientID: "new"}),
		s.PutRoom(storage.Room{ID: "r_c", Name: "Other", Closed: true}), s.SetParticipant("r_a", "u_bo", true), s.SetParticipant("r_b", "u_ada", false),
		s.Block("v_tea", "g_abcd"), s.AddAudit(storage.AuditEntry{Action: "x"}), s.MoveIdentity("g_abcd", "u_ada"), s.Sweep(1<<40))
}

// digest is what can be read of the world that shop and everything make.
func digest(r storage.Reader) (string, error) {
	var b bytes.Buffer
	put := func(v any, err error) { fmt.Fprintf(&b, "%+v %v\n", v, err != nil) }
	users, err := r.Users()
	put(users, err)
	vendors, err := r.Vendors()
	put(vendors, err)
	for _, v := range []chat.VendorID{"v_tea", "v_new"} {
		members, err := r.VendorMembers(v)
		put(members, err)
		ids, err := r.RoomsOfVendor(v)
		put(ids, err)
	}
	for _, u := range []chat.UserID{"u_mia", "u_ada", "u_bo"} {
		of, err := r.VendorsOf(u)
		put(of, err)
		sessions, err := r.AccountSessions(u)
		put(sessions, err)
		rooms, err := r.RoomsOfUser(u)
		put(rooms, err)
	}
	for _, n := range []byte{1, 2, 50, 51, 52} {
		_, err := r.AccountSessionByToken(hashOf(n))
		put("token", err)
		_, err = r.GuestSessionBySecret(hashOf(n))
		put("secret", err)
		burned, err := r.TokenBurned(hashOf(n))
		put(burned, err)
	}
	g, err := r.GuestSession("g_abcd")
	put(g, err)
	linked, err := r.GuestSessionsByLogin("s_new")
	put(linked, err)
	ids, err := r.RoomsOfGuest("g_abcd")
	put(ids, err)
	for _, id := range []chat.Identity{"g_abcd", "u_ada"} {
		sent, err := r.Sent(id, "new")
		put(sent, err)
		room, err := r.RoomByClientID(id, "new")
		put(room, err)
	}
	rows, err := r.List(storage.ListQuery{All: true, Reader: "u_mia", Limit: 100})
	put(rows, err)
	for _, row := range rows {
		members, err := r.Participants(row.Room.ID)
		put(members, err)
		events, err := r.Events(storage.EventQuery{Room: row.Room.ID, Limit: 100})
		put(events, err)
		receipts, err := r.Receipts(row.Room.ID)
		put(receipts, err)
		notices, err := r.Notices(row.Room.ID)
		put(notices, err)
	}
	for _, search := range []string{"bo lind", "changed", "planning", "other"} {
		found, err := r.List(storage.ListQuery{All: true, Search: search, Limit: 100})
		put(len(found), err)
	}
	blocked, err := r.Blocked("v_tea", "g_abcd")
	put(blocked, err)
	audit, err := r.Audit(0, 100)
	put(audit, err)
	return b.String(), nil
}

func (w *world) digest() (d string) {
	w.t.Helper()
	w.view(func(r storage.Reader) { d, _ = digest(r) })
	return d
}

func rollback(t *testing.T, w *world) {
	w.shop()
	before := w.digest()
	w.refuse(errFailed, func(s storage.Writer) error {
		if err := everything(s); err != nil {
			t.Errorf("write everything: %v", err)
		}
		if now, _ := digest(s); now == before {
			t.Error("the writer does not see what it wrote")
		}
		return errFailed
	})
	equal(t, "after the failure", w.digest(), nil, before)
	w.update(everything) // nothing of it is in the way
	if w.digest() == before {
		t.Error("nothing was written")
	}
}

func refusedPart(t *testing.T, w *world) {
	w.shop()
	w.update(func(s storage.Writer) error {
		if err := s.PutUser(user("new", "New")); err != nil {
			return err
		}
		if err := s.CreateRoom(storage.Room{ID: "r_a", Creator: "u_x", ClientID: "c"}); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("create again: %v", err)
		}
		if err := s.CreateRoom(storage.Room{ID: "r_q", Vendor: "v_none", Creator: "u_x", ClientID: "c"}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("create with an unknown vendor: %v", err)
		}
		return s.SetParticipant("r_a", "u_new", true)
	})
	w.view(func(r storage.Reader) {
		in, err := r.Participant("r_a", "u_new")
		equal(t, "what came before and after the refusal", in, err, true)
		id, err := r.RoomByClientID("u_x", "c")
		absent(t, "the refused part", id, err)
	})
}

func panics(t *testing.T, w *world) {
	w.shop()
	before := w.digest()
	func() {
		defer func() {
			if got := recover(); got != "on purpose" {
				t.Errorf("recovered %v", got)
			}
		}()
		w.s.Update(t.Context(), func(s storage.Writer) error {
			s.PutUser(user("new", "New"))
			panic("on purpose")
		})
	}()
	equal(t, "after the panic", w.digest(), nil, before)
	w.update(everything)
}

func concurrency(t *testing.T, w *world) {
	w.shop()
	const senders, each = 16, 25
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for k := range each {
				id := chat.ClientID(fmt.Sprintf("%d-%d", i, k))
				for range 2 { // each one is sent twice
					err := w.s.Update(t.Context(), func(s storage.Writer) error {
						_, _, err := s.Append("r_a", message("g_abcd", id, "x", 1))
						return err
					})
					if err != nil {
						t.Errorf("append: %v", err)
					}
				}
				if k%5 == 0 { // failures in between take nobody else's with them
					err := w.s.Update(t.Context(), func(s storage.Writer) error {
						s.Append("r_a", message("g_abcd", id+"-no", "x", 1))
						return errFailed
					})
					if !errors.Is(err, errFailed) {
						t.Errorf("failing update: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	w.view(func(r storage.Reader) {
		log, err := r.Events(storage.EventQuery{Room: "r_a", Limit: 10000})
		if err != nil || len(log) != senders*each {
			t.Fatalf("got %d events, %v, want %d", len(log), err, senders*each)
		}
		seen := map[chat.ClientID]bool{}
		for i, e := range log {
			if e.Seq != int64(i)+1 || seen[e.ClientID] {
				t.Fatalf("event %d has seq %d and id %s", i, e.Seq, e.ClientID)
			}
			seen[e.ClientID] = true
		}
		room, err := r.Room("r_a")
		equal(t, "counted", []int64{room.Head, room.Messages}, err, []int64{senders * each, senders * each})
	})
}

func viewConsistency(t *testing.T, w *world) {
	w.shop()
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			w.s.Update(t.Context(), func(s storage.Writer) error { // always in both rooms
				return first(say(s, "r_a", "g_abcd", "", i), say(s, "r_b", "u_ada", "", i))
			})
		}
	})
	for range 50 {
		w.view(func(r storage.Reader) {
			a, err := r.Room("r_a")
			log, err2 := r.Events(storage.EventQuery{Room: "r_b", After: a.Head, Limit: 5})
			b, err3 := r.Room("r_b")
			if first(err, err2, err3) != nil || len(log) != 0 || a.Head != b.Head {
				t.Errorf("heads %d and %d, %d events beyond, %v", a.Head, b.Head, len(log), first(err, err2, err3))
			}
		})
	}
	close(stop)
	writing.Wait()
	if err := w.s.View(t.Context(), func(storage.Reader) error { return errFailed }); !errors.Is(err, errFailed) {
		t.Errorf("a view gives its function's error: %v", err)
	}
}

func endedContext(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.s.Update(ctx, func(storage.Writer) error { t.Error("update ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if err := w.s.View(ctx, func(storage.Reader) error { t.Error("view ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v", err)
	}
	// One that waits behind another gives up; one that runs is awaited.
	ctx, cancel = context.WithCancel(t.Context())
	running, free := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := w.s.Update(ctx, func(s storage.Writer) error {
			close(running)
			<-free
			return s.PutUser(user("ran", "Ran"))
		})
		if err != nil {
			t.Errorf("the running update: %v", err)
		}
	})
	<-running
	waiting := make(chan error)
	all.Go(func() {
		waiting <- w.s.Update(ctx, func(s storage.Writer) error { return s.PutUser(user("waited", "Waited")) })
	})
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiting update: %v", err)
	}
	close(free)
	all.Wait()
	w.view(func(r storage.Reader) {
		all, err := r.Users()
		equal(t, "who was stored", all, err, []storage.User{user("ran", "Ran")})
	})
}

func ownership(t *testing.T, w *world) {
	w.shop()
	member := &chat.Member{User: "u_mia", Name: "Mia"}
	tokens := []storage.BurnableToken{{Hash: hashOf(1)}}
	w.update(func(s storage.Writer) error {
		e, _, err := s.Append("r_a", chat.Event{Kind: chat.ParticipantAdded, Member: member})
		e.Member.Name = "changed"
		return first(err, s.PutAccountSession(storage.AccountSession{ID: "s_a", User: "u_mia", HostTokens: tokens}))
	})
	member.Name, tokens[0].Expires = "changed", 9
	for range 2 {
		w.view(func(r storage.Reader) {
			log, err := r.Events(storage.EventQuery{Room: "r_a", Limit: 1})
			equal(t, "member", log[0].Member, err, &chat.Member{User: "u_mia", Name: "Mia"})
			a, err := r.AccountSession("s_a")
			equal(t, "tokens", a.HostTokens, err, []storage.BurnableToken{{Hash: hashOf(1)}})
			in, err := r.Participants("r_b")
			equal(t, "participants", in, err, []chat.UserID{"u_ada", "u_mia"})
			log[0].Member.Name, a.HostTokens[0].Expires, in[0] = "changed", 9, "changed"
		})
	}
}

func backup(t *testing.T, w *world, open Open) {
	w.shop()
	w.update(everything)
	live := storage.AccountSession{ID: "s_live", User: "u_bo", Token: hashOf(60), LastSeenAt: 7, ExpiresAt: 1 << 50}
	w.update(func(s storage.Writer) error { return s.PutAccountSession(live) })
	var b bytes.Buffer
	if err := w.s.Backup(t.Context(), &b); err != nil {
		t.Fatalf("backup: %v", err)
	}
	copied := &world{t, open(t, b.Bytes())}
	defer copied.s.Close()
	live.RevokedAt = live.LastSeenAt // no log-in lives in a copy; all else is the same
	copied.view(func(r storage.Reader) {
		got, err := r.AccountSession(live.ID)
		equal(t, "the log-in in the copy", got, err, live)
	})
	w.view(func(r storage.Reader) {
		if got, err := r.AccountSession(live.ID); err != nil || got.RevokedAt != 0 {
			t.Errorf("the log-in itself: %+v %v", got, err)
		}
	})
	w.update(func(s storage.Writer) error { return s.PutAccountSession(live) })
	equal(t, "the copy", copied.digest(), nil, w.digest())
	var old, restored string
	w.view(func(r storage.Reader) { old, _ = r.Epoch() })
	copied.view(func(r storage.Reader) { restored, _ = r.Epoch() })
	if old == "" || restored == "" || old == restored {
		t.Errorf("epochs %q and %q", old, restored)
	}
	// Both live on, apart.
	copied.update(func(s storage.Writer) error { return say(s, "r_a", "u_mia", "later", 99) })
	w.view(func(r storage.Reader) {
		sent, err := r.Sent("u_mia", "later")
		absent(t, "what the copy was told", sent, err)
		again, err := r.Epoch()
		equal(t, "the epoch", again, err, old)
	})
	if err := w.s.Backup(t.Context(), failingWriter{}); !errors.Is(err, errFailed) {
		t.Errorf("backup to a failing writer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.s.Backup(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("backup with an ended context: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFailed }

func closed(t *testing.T, w *world) {
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"update": w.s.Update(t.Context(), func(storage.Writer) error { return nil }),
		"view":   w.s.View(t.Context(), func(storage.Reader) error { return nil }),
		"backup": w.s.Backup(t.Context(), &bytes.Buffer{}),
		"close":  w.s.Close(),
	} {
		if !errors.Is(err, storage.ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
}
