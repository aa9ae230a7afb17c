//go:build !js

package rooms_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bare "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// turns measures several ways of doing the same in turns, and reports the
// median time of each and the median of its ratio to the first, turn by turn:
// what a neighbour on the machine takes from one turn does not count then.
func turns(b *testing.B, names []string, ways ...func() (time.Duration, error)) {
	b.Helper()
	for _, f := range ways { // statements are prepared, pages are read
		if _, err := f(); err != nil {
			b.Fatal(err)
		}
	}
	took, ratios := make([][]float64, len(ways)), make([][]float64, len(ways))
	for b.Loop() {
		first := 0.0
		for i, f := range ways {
			d, err := f()
			if err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				first = float64(d)
			}
			took[i] = append(took[i], float64(d))
			ratios[i] = append(ratios[i], float64(d)/first)
		}
	}
	for i, name := range names {
		b.ReportMetric(median(took[i])/1e3, name+"-us")
		if i > 0 {
			b.ReportMetric(median(ratios[i]), name+"-x-of-"+names[0])
		}
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// timed is a way to do something that takes the whole of a turn.
func timed(f func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		began := time.Now()
		err := f()
		return time.Since(began), err
	}
}

// BenchmarkHistoryPage reads the last 50 messages of a room with 1,000,000: with
// a bare prepared statement, from the storage driver, and through History with
// its access decision.
//
//	go test -run '^$' -bench HistoryPage ./server/rooms
func BenchmarkHistoryPage(b *testing.B) {
	const messages = 1_000_000
	path := filepath.Join(b.TempDir(), "a.db")
	st := must(sqlite.Open(ctx, path, sqlite.Options{}))(b)
	a := newArena(b, st, 1, 1)
	room := a.rooms[0]
	raw := must(bare.OpenConn(path, bare.OpenReadWrite))(b)
	defer raw.Close()
	n := must(sqlitex.ResultInt64(raw.Prep("SELECT n FROM rooms")))(b)
	do := func(query string, args ...any) {
		b.Helper()
		if err := sqlitex.ExecuteTransient(raw, query, &sqlitex.ExecOptions{Args: args}); err != nil {
			b.Fatal(err)
		}
	}
	do("BEGIN IMMEDIATE")
	do(`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?1)
		INSERT INTO events (n, room, seq, at, kind, sender, sender_name, client_id, text, member, messages, prev)
		SELECT i, ?2, i, i, ?3, ?4, 'Ada Lindqvist', printf('%020d', i), printf('%0200d', i), '', i, i - 1 FROM s`,
		messages, n, string(chat.MessagePosted), string(a.senders[0].User))
	do("UPDATE heads SET head = ?1, newest = ?1, messages = ?1, newest_message = ?1 WHERE room = ?2", messages, n)
	do("CREATE TABLE bare AS SELECT * FROM events")
	do("CREATE UNIQUE INDEX bare_room ON bare (room, seq)")
	do("COMMIT")
	do("PRAGMA wal_checkpoint(TRUNCATE)")
	statement := raw.Prep(`SELECT seq, at, kind, sender, sender_name, client_id, text, member FROM bare
		WHERE room = ? AND seq > ? AND seq < ? ORDER BY seq`)
	count := func(n int, err error) error {
		if err == nil && n != 50 {
			err = fmt.Errorf("%d messages", n)
		}
		return err
	}
	turns(b, []string{"bare", "storage", "history"}, timed(func() error {
		statement.BindInt64(1, n)
		statement.BindInt64(2, messages-50)
		statement.BindInt64(3, messages+1)
		var out []chat.Event
		for {
			if more, err := statement.Step(); err != nil || !more {
				statement.Reset()
				return count(len(out), err)
			}
			out = append(out, chat.Event{
				Seq: statement.ColumnInt64(0), At: statement.ColumnInt64(1), Kind: chat.EventKind(statement.ColumnText(2)),
				Sender: chat.Identity(statement.ColumnText(3)), SenderName: statement.ColumnText(4), ClientID: chat.ClientID(statement.ColumnText(5)),
				Text: statement.ColumnText(6),
			})
		}
	}), timed(func() error {
		return st.View(ctx, func(r storage.Reader) error {
			events, err := r.Events(storage.EventQuery{Room: room, Before: messages + 1, Limit: 50})
			return count(len(events), err)
		})
	}), timed(func() error {
		page, err := a.History(ctx, a.senders[0], protocol.History{Room: room, Limit: 50})
		return count(len(page.Events), err)
	}))
}

// inbox is staff of a vendor with that many rooms, each with a message; every
// hundredth is unread.
func inbox(b *testing.B, count int) (*rooms.Service, chat.Principal) {
	b.Helper()
	st := must(sqlite.Open(ctx, filepath.Join(b.TempDir(), "a.db"), sqlite.Options{}))(b)
	b.Cleanup(func() { st.Close() })
	s := must(rooms.New(rooms.Config{Storage: st, Auth: auth.New(st, auth.Config{Hasher: auth.CheapParams})}))(b)
	b.Cleanup(s.Stop)
	p := chat.Principal{Kind: chat.KindUser, User: "u_mia", Session: "s_mia"}
	if err := st.Update(ctx, func(w storage.Writer) error {
		for _, err := range []error{
			w.PutUser(storage.User{ID: p.User, Username: "mia", Name: "Mia Chen", Role: chat.RoleUser, Active: true}),
			w.PutAccountSession(storage.AccountSession{ID: p.Session, User: p.User, Token: storage.Hash{1}, Revoke: storage.Hash{2}, ExpiresAt: 1 << 60, Surface: chat.SurfaceInbox}),
			w.PutVendor(chat.Vendor{ID: "v_tea", Slug: "tea", Name: "Northern Tea"}),
			w.SetVendorMember("v_tea", p.User, true),
		} {
			if err != nil {
				return err
			}
		}
		for i := range count {
			id, guest := chat.RoomID(benchID("r_", i)), chat.GuestSessionID(benchID("g_", i))
			if err := w.CreateRoom(storage.Room{ID: id, Vendor: "v_tea", GuestSession: guest, Creator: chat.GuestIdentity(guest), CreatedAt: int64(i)}); err != nil {
				return err
			}
			if err := w.SetParticipant(id, p.User, true); err != nil {
				return err
			}
			e, _, err := w.Append(id, chat.Event{Kind: chat.MessagePosted, At: int64(i), Sender: chat.GuestIdentity(guest), ClientID: "a", Text: "Do you have this in blue?"})
			if err != nil {
				return err
			}
			if i%100 != 0 {
				if _, _, err := w.SetRead(id, chat.UserIdentity(p.User), e.Seq); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s, p
}

// BenchmarkRoomsPage reads the first page of the rooms list of a vendor with
// 10,000 rooms and of one with 100, in turns: the cost must not grow with them.
// TestListWalksInItsOrder keeps why.
//
//	go test -run '^$' -bench RoomsPage ./server/rooms
func BenchmarkRoomsPage(b *testing.B) {
	few, mia := inbox(b, 100)
	many, _ := inbox(b, 10_000)
	list := func(s *rooms.Service) func() (time.Duration, error) {
		return timed(func() error {
			page, err := s.List(ctx, mia, protocol.RoomsQuery{Limit: 50})
			if err == nil && (len(page.Rooms) != 50 || page.Next == "") {
				err = fmt.Errorf("%d rooms", len(page.Rooms))
			}
			return err
		})
	}
	turns(b, []string{"100-rooms", "10000-rooms"}, list(few), list(many))
}
