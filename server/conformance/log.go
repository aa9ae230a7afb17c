package conformance

import (
	"fmt"
	"slices"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

func appends(t *testing.T, w *world) {
	w.shop()
	made := chat.Event{Kind: chat.RoomCreated, At: 10}
	added := chat.Event{Kind: chat.ParticipantAdded, At: 11, Member: &chat.Member{User: "u_mia", Name: "Mia", Staff: true}}
	hello := message("g_abcd", "m1", "hello 'world'\n☕", 12)
	w.update(func(s storage.Writer) error {
		for i, e := range []chat.Event{made, added, hello} {
			got, created, err := s.Append("r_a", e)
			if err != nil || !created {
				t.Fatalf("append %d: %v, created %v", i, err, created)
			}
			e.Seq = int64(i) + 1
			equal(t, "stored", got, nil, e)
		}
		return nil
	})
	stored := hello
	stored.Seq = 3
	again := hello
	again.At, again.SenderName = 99, "Renamed" // what a repeat differs in
	w.update(func(s storage.Writer) error {
		got, created, err := s.Append("r_a", again)
		equal(t, "repeat", got, err, stored)
		equal(t, "repeat is created", created, nil, false)
		return nil
	})
	conflict := func(room chat.RoomID, e chat.Event) {
		t.Helper()
		w.refuse(storage.ErrConflict, func(s storage.Writer) error { _, _, err := s.Append(room, e); return err })
	}
	other := hello
	other.Text = "hello"
	conflict("r_a", other)
	conflict("r_b", hello)
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { _, _, err := s.Append("r_z", message("g_x", "m9", "x", 1)); return err })
	w.update(func(s storage.Writer) error {
		// Another sender's id is another's; no id is never a repeat.
		return first(say(s, "r_a", "u_mia", "m1", 13), say(s, "r_a", "u_mia", "", 14), say(s, "r_a", "u_mia", "", 14))
	})
	w.update(func(s storage.Writer) error {
		_, _, err := s.Append("r_a", chat.Event{Kind: chat.ParticipantRemoved, At: 50, Member: &chat.Member{User: "u_mia"}})
		return err
	})
	w.view(func(r storage.Reader) {
		room, err := r.Room("r_a")
		equal(t, "kept on the room", []int64{room.Head, room.Messages, room.LastActive}, err, []int64{7, 4, 14})
		sent, err := r.Sent("g_abcd", "m1")
		equal(t, "sent", sent, err, storage.Sent{Room: "r_a", Seq: 3})
		sent, err = r.Sent("g_abcd", "m2")
		absent(t, "not sent", sent, err)
		last, err := r.LastMessage("r_a")
		equal(t, "last message", last.Seq, err, 6)
		last, err = r.LastMessage("r_b")
		absent(t, "last message of a quiet room", last, err)
		log, err := r.Events(storage.EventQuery{Room: "r_a", Limit: 3})
		made.Seq, added.Seq = 1, 2
		equal(t, "log", log, err, []chat.Event{made, added, stored})
		other, err := r.Room("r_b")
		equal(t, "the refused append left nothing", other.Head, err, 0)
	})
}

func eventPages(t *testing.T, w *world) {
	w.shop()
	w.update(func(s storage.Writer) error {
		for i := range int64(20) {
			if err := first(say(s, "r_a", "g_abcd", "", i), say(s, "r_b", "u_ada", "", i)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		q        storage.EventQuery
		from, to int64 // inclusive; to 0: none
	}{
		{storage.EventQuery{Limit: 5}, 1, 5},
		{storage.EventQuery{Limit: 50}, 1, 20},
		{storage.EventQuery{After: 5, Limit: 5}, 6, 10},
		{storage.EventQuery{After: 18, Limit: 5}, 19, 20},
		{storage.EventQuery{After: 20, Limit: 5}, 0, 0},
		{storage.EventQuery{After: 99, Limit: 5}, 0, 0},
		{storage.EventQuery{Before: 21, Limit: 5}, 16, 20},
		{storage.EventQuery{Before: 99, Limit: 5}, 16, 20},
		{storage.EventQuery{Before: 16, Limit: 5}, 11, 15},
		{storage.EventQuery{Before: 3, Limit: 5}, 1, 2},
		{storage.EventQuery{Before: 1, Limit: 5}, 0, 0},
		{storage.EventQuery{After: 5, Before: 8, Limit: 5}, 6, 7},
		{storage.EventQuery{After: 5, Before: 18, Limit: 3}, 6, 8},
		{storage.EventQuery{After: 9, Before: 4, Limit: 3}, 0, 0},
		{storage.EventQuery{Limit: 0}, 0, 0},
	} {
		c.q.Room = "r_a"
		w.view(func(r storage.Reader) {
			got, err := r.Events(c.q)
			var seqs, want []int64
			for _, e := range got {
				seqs = append(seqs, e.Seq)
			}
			for i := c.from; i <= c.to && c.to > 0; i++ {
				want = append(want, i)
			}
			if err != nil || len(seqs) != len(want) || len(want) > 0 && (seqs[0] != c.from || seqs[len(seqs)-1] != c.to) {
				t.Errorf("%+v: got %v, %v, want %v", c.q, seqs, err, want)
			}
		})
	}
	w.view(func(r storage.Reader) {
		got, err := r.Events(storage.EventQuery{Room: "r_z", Limit: 5})
		equal(t, "an unknown room", got, err, nil)
	})
}

// longLog: whatever the length of a log, each of its pages is what was appended,
// a mark counts what came before it, and a link moves all that was sent.
func longLog(t *testing.T, w *world) {
	w.shop()
	var log []chat.Event
	for _, head := range []int{1, 2, 31, 32, 33, 64, 65, 97, 150} {
		before := log
		w.update(func(s storage.Writer) error {
			log = slices.Clone(before)
			for i := len(log); i < head; i++ { // beside another room's, and not messages alone
				e := message("g_abcd", chat.ClientID(fmt.Sprint("m", i)), fmt.Sprint("text ", i), int64(i))
				if i%7 == 3 {
					e = chat.Event{Kind: chat.ParticipantAdded, Sender: "u_mia", At: int64(i), Member: &chat.Member{User: "u_ada", Name: "Ada"}}
				}
				stored, _, err := s.Append("r_a", e)
				if err := first(err, say(s, "r_b", "u_ada", "", int64(i))); err != nil {
					return err
				}
				log = append(log, stored)
			}
			return nil
		})
		w.view(func(r storage.Reader) {
			for _, limit := range []int{1, 2, 16, 31, 33, 50, 1000} {
				for at := range int64(head + 2) {
					got, err := r.Events(storage.EventQuery{Room: "r_a", After: at, Limit: limit})
					rest := log[min(at, int64(head)):]
					equal(t, fmt.Sprintf("%d after %d of %d", limit, at, head), got, err, rest[:min(limit, len(rest))])
					if at > 0 {
						got, err = r.Events(storage.EventQuery{Room: "r_a", After: at, Before: at + 20, Limit: limit})
						rest = rest[:min(19, len(rest))]
						equal(t, fmt.Sprintf("%d between %d and %d of %d", limit, at, at+20, head), got, err, rest[:min(limit, len(rest))])
						got, err = r.Events(storage.EventQuery{Room: "r_a", Before: at, Limit: limit})
						rest = log[:min(at-1, int64(head))]
						equal(t, fmt.Sprintf("%d before %d of %d", limit, at, head), got, err, rest[max(0, len(rest)-limit):])
					}
				}
			}
			newest := log[len(log)-1]
			for i := len(log) - 1; newest.Kind != chat.MessagePosted; i-- {
				newest = log[i]
			}
			got, err := r.LastMessage("r_a")
			equal(t, fmt.Sprintf("the newest message of %d", head), got, err, newest)
		})
	}
	w.update(func(s storage.Writer) error {
		messages := int64(0)
		for _, e := range log {
			if e.Kind == chat.MessagePosted {
				messages++
			}
			m, _, err := s.SetRead("r_a", chat.Identity(fmt.Sprint("u_", e.Seq)), e.Seq)
			equal(t, fmt.Sprintf("the mark at %d", e.Seq), m, err, storage.Mark{Seq: e.Seq, Messages: messages})
		}
		return s.MoveIdentity("g_abcd", "u_ada")
	})
	w.view(func(r storage.Reader) {
		for _, e := range log {
			if e.ClientID == "" {
				continue
			}
			sent, err := r.Sent("u_ada", e.ClientID)
			equal(t, "sent as "+string(e.ClientID), sent, err, storage.Sent{Room: "r_a", Seq: e.Seq})
		}
	})
}

func readMarks(t *testing.T, w *world) {
	w.shop()
	w.update(func(s storage.Writer) error {
		_, _, err := s.Append("r_a", chat.Event{Kind: chat.RoomCreated})
		return first(err, say(s, "r_a", "g_abcd", "1", 1), say(s, "r_a", "g_abcd", "2", 2), say(s, "r_a", "g_abcd", "3", 3))
	})
	set := func(seq int64, want storage.Mark, wantMoved bool) {
		t.Helper()
		w.update(func(s storage.Writer) error {
			m, moved, err := s.SetRead("r_a", "u_mia", seq)
			equal(t, "mark", m, err, want)
			equal(t, "moved", moved, err, wantMoved)
			return nil
		})
	}
	set(0, storage.Mark{}, false)
	set(-4, storage.Mark{}, false)
	set(2, storage.Mark{Seq: 2, Messages: 1}, true)
	set(2, storage.Mark{Seq: 2, Messages: 1}, false)
	set(1, storage.Mark{Seq: 2, Messages: 1}, false)
	set(3, storage.Mark{Seq: 3, Messages: 2}, true)
	set(99, storage.Mark{Seq: 4, Messages: 3}, true)
	set(99, storage.Mark{Seq: 4, Messages: 3}, false)
	w.refuse(storage.ErrNotFound, func(s storage.Writer) error { _, _, err := s.SetRead("r_z", "u_mia", 1); return err })
	w.update(func(s storage.Writer) error { _, _, err := s.SetRead("r_a", "g_abcd", 1); return err })
	w.view(func(r storage.Reader) {
		m, err := r.Read("r_a", "u_mia")
		equal(t, "read", m, err, storage.Mark{Seq: 4, Messages: 3})
		m, err = r.Read("r_a", "u_ada")
		equal(t, "never read", m, err, storage.Mark{})
		list, err := r.Receipts("r_a")
		equal(t, "receipts", list, err, []chat.Receipt{{Reader: "g_abcd", Seq: 1}, {Reader: "u_mia", Seq: 4}})
	})
}

func moveIdentity(t *testing.T, w *world) {
	w.shop()
	w.update(func(s storage.Writer) error {
		for _, id := range []chat.ClientID{"1", "2", "3"} {
			if err := first(say(s, "r_a", "g_abcd", id, 1), say(s, "r_b", "u_ada", "b"+id, 1)); err != nil {
				return err
			}
		}
		_, _, err1 := s.SetRead("r_a", "g_abcd", 2)
		_, _, err2 := s.SetRead("r_a", "u_ada", 1)
		_, _, err3 := s.SetRead("r_b", "g_abcd", 1)
		_, _, err4 := s.SetRead("r_b", "u_ada", 3)
		return first(err1, err2, err3, err4, say(s, "r_c", "g_abcd", "b1", 1), // both used b1
			s.CreateRoom(storage.Room{ID: "r_d", Creator: "g_abcd", ClientID: "second"}))
	})
	w.update(func(s storage.Writer) error {
		return first(s.MoveIdentity("g_abcd", "u_ada"), s.MoveIdentity("g_none", "u_ada"), s.MoveIdentity("u_ada", "u_ada"))
	})
	w.update(func(s storage.Writer) error {
		got, created, err := s.Append("r_a", message("u_ada", "2", "text of 2", 50))
		equal(t, "a resend after the link is a repeat", created, err, false)
		equal(t, "and gives the stored event", got, nil, chat.Event{Seq: 2, At: 1, Kind: chat.MessagePosted, Sender: "g_abcd", SenderName: "Name", ClientID: "2", Text: "text of 2"})
		return nil
	})
	w.view(func(r storage.Reader) {
		sent, err := r.Sent("g_abcd", "1")
		absent(t, "the guest's id", sent, err)
		sent, err = r.Sent("u_ada", "b1")
		equal(t, "the user's own use stays", sent, err, storage.Sent{Room: "r_b", Seq: 1})
		marks, err := r.Receipts("r_a")
		equal(t, "the greater mark", marks, err, []chat.Receipt{{Reader: "u_ada", Seq: 2}})
		marks, err = r.Receipts("r_b")
		equal(t, "the greater mark stays", marks, err, []chat.Receipt{{Reader: "u_ada", Seq: 3}})
		id, err := r.RoomByClientID("u_ada", "second")
		equal(t, "rooms made", id, err, "r_d")
		id, err = r.RoomByClientID("u_ada", "room")
		equal(t, "rooms made, where both used the id", id, err, "r_b")
	})
}

// ids lists the rooms of a page.
func ids(t testing.TB, s storage.Storage, q storage.ListQuery) []chat.RoomID {
	t.Helper()
	var out []chat.RoomID
	if err := s.View(t.Context(), func(r storage.Reader) error {
		rows, err := r.List(q)
		for _, row := range rows {
			out = append(out, row.Room.ID)
		}
		return err
	}); err != nil {
		t.Fatalf("list %+v: %v", q, err)
	}
	return out
}

func lists(t *testing.T, w *world) {
	w.shop()
	check := func(what string, q storage.ListQuery, want ...chat.RoomID) {
		t.Helper()
		if q.Limit == 0 {
			q.Limit = 10
		}
		equal(t, what, ids(t, w.s, q), nil, want)
	}
	check("by creation", storage.ListQuery{All: true}, "r_c", "r_b", "r_a")
	w.update(func(s storage.Writer) error {
		_, _, err := s.Append("r_a", chat.Event{Kind: chat.RoomCreated, At: 90}) // no activity
		return first(err, say(s, "r_a", "g_abcd", "1", 40), say(s, "r_a", "g_abcd", "2", 50), say(s, "r_b", "u_ada", "1", 50))
	})
	check("by activity, then id", storage.ListQuery{All: true}, "r_a", "r_b", "r_c")
	check("of a guest", storage.ListQuery{Reader: "g_abcd"}, "r_a")
	check("of a user", storage.ListQuery{Reader: "u_ada"}, "r_b", "r_c")
	check("of staff", storage.ListQuery{Reader: "u_mia"}, "r_a", "r_b")
	check("of nobody", storage.ListQuery{Reader: "u_x"})
	check("limited", storage.ListQuery{All: true, Limit: 1}, "r_a")
	check("limited to none", storage.ListQuery{All: true, Limit: -1})

	w.update(func(s storage.Writer) error {
		_, _, err := s.SetRead("r_b", "u_mia", 9)
		_, _, err2 := s.SetRead("r_a", "u_mia", 2)
		return first(err, err2, s.PutRoom(storage.Room{ID: "r_c", Name: "100%_Planning", Closed: true}))
	})
	w.view(func(r storage.Reader) {
		rows, err := r.List(storage.ListQuery{Reader: "u_mia", Limit: 1})
		room, err2 := r.Room("r_a")
		equal(t, "row", rows, first(err, err2), []storage.ListRow{{Room: room, Read: storage.Mark{Seq: 2, Messages: 1}, Unread: 1}})
	})
	check("unread", storage.ListQuery{Reader: "u_mia", Filter: chat.FilterUnread}, "r_a")
	check("unread of an admin in all", storage.ListQuery{All: true, Reader: "u_root", Filter: chat.FilterUnread}, "r_a", "r_b")
	check("open", storage.ListQuery{Reader: "u_ada", Filter: chat.FilterOpen}, "r_b")
	check("closed", storage.ListQuery{Reader: "u_ada", Filter: chat.FilterClosed}, "r_c")

	find := func(search string, want ...chat.RoomID) {
		t.Helper()
		check("search "+search, storage.ListQuery{All: true, Search: search}, want...)
	}
	find("OKAFOR", "r_b", "r_c")
	find("northern", "r_a", "r_b")
	find("guest ab", "r_a")
	find("0%_p", "r_c")
	find("%", "r_c")
	find("_b")
	find("0_b")
	find("mia\n")
	check("search and filter", storage.ListQuery{Reader: "u_mia", Search: "tea", Filter: chat.FilterUnread}, "r_a")
	w.update(func(s storage.Writer) error {
		return first(s.PutUser(user("ada", "Éva Ökonom")), s.PutVendor(chat.Vendor{ID: "v_tea", Slug: "tea", Name: "Southern Tea"}),
			s.SetParticipant("r_c", "u_bo", false), s.SetParticipant("r_a", "u_bo", true), s.PutRoom(storage.Room{ID: "r_c", Name: "Renamed", Closed: true}))
	})
	find("okafor")
	find("éva ÖK", "r_b", "r_c")
	find("northern")
	find("SOUTHERN", "r_a", "r_b")
	find("bo lind", "r_a")
	find("planning")
	find("renamed", "r_c")
}
