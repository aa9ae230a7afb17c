//go:build !js

package rooms_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of the ceiling

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// ceiling is what this machine's disk and SQLite allow: rows of about 200 bytes
// with an index on (room, seq), one writer that commits whatever is queued
// (WAL, synchronous=FULL), and nothing else: no access, no deduplication, no
// counters. It is the baseline of the durable benchmarks, measured in their run.
type ceiling struct {
	queue chan ceilingRow
	done  sync.WaitGroup
}

type ceilingRow struct {
	room, seq int64
	text      string
	stored    chan error
}

func newCeiling(b *testing.B) *ceiling {
	b.Helper()
	db := must(sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "ceiling.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"))(b)
	db.SetMaxOpenConns(1)
	must(db.Exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, room INTEGER, seq INTEGER, text TEXT); CREATE INDEX rows_room ON rows (room, seq)"))(b)
	c := &ceiling{queue: make(chan ceilingRow, 8192)}
	insert := must(db.Prepare("INSERT INTO rows (room, seq, text) VALUES (?, ?, ?)"))(b)
	c.done.Go(func() {
		defer db.Close()
		defer insert.Close()
		for first := range c.queue {
			c.commit(db, insert, first)
		}
	})
	b.Cleanup(func() {
		close(c.queue)
		c.done.Wait()
	})
	return c
}

// commit stores first and whatever else is queued in one transaction.
func (c *ceiling) commit(db *sql.DB, insert *sql.Stmt, first ceilingRow) {
	group := []ceilingRow{first}
	tx, err := db.Begin()
	for row := first; err == nil; {
		if _, err = tx.Stmt(insert).Exec(row.room, row.seq, row.text); err != nil || len(group) == 1024 {
			break
		}
		select {
		case row = <-c.queue:
			group = append(group, row)
			continue
		default:
		}
		break
	}
	if err == nil {
		err = tx.Commit()
	}
	for _, row := range group {
		row.stored <- err
	}
}

func (c *ceiling) append(row ceilingRow) error {
	row.stored = make(chan error, 1)
	c.queue <- row
	return <-row.stored
}

// arena is a service on SQLite with senders who share rooms of two.
type arena struct {
	*rooms.Service
	senders []chat.Principal
	rooms   []chat.RoomID // the i-th belongs to sender i modulo their number
}

func newArena(b *testing.B, st storage.Storage, senders, pairs int) *arena {
	b.Helper()
	a := &arena{Service: must(rooms.New(rooms.Config{Storage: st, Auth: auth.New(st, auth.Config{Hasher: auth.CheapParams})}))(b)}
	b.Cleanup(a.Stop)
	err := st.Update(ctx, func(w storage.Writer) error {
		a.senders, a.rooms = nil, nil
		for i := range senders {
			u, other := chat.UserID(benchID("u_", 2*i)), chat.UserID(benchID("u_", 2*i+1))
			s := storage.AccountSession{ID: chat.AccountSessionID(benchID("s_", i)), User: u, ExpiresAt: 1 << 60, Surface: chat.SurfaceInbox}
			s.Token = sha256.Sum256([]byte(s.ID))
			s.Revoke = s.Token
			for _, err := range []error{
				w.PutUser(storage.User{ID: u, Username: fmt.Sprint("one", i), Name: "Ada Lindqvist", Role: chat.RoleUser, Active: true}),
				w.PutUser(storage.User{ID: other, Username: fmt.Sprint("two", i), Name: "Bo Ek", Role: chat.RoleUser, Active: true}),
				w.PutAccountSession(s),
			} {
				if err != nil {
					return err
				}
			}
			a.senders = append(a.senders, chat.Principal{Kind: chat.KindUser, User: u, Session: s.ID})
		}
		for i := range pairs {
			id := chat.RoomID(benchID("r_", i))
			if err := w.CreateRoom(storage.Room{ID: id, Creator: chat.UserIdentity(a.senders[i%senders].User), CreatedAt: int64(i)}); err != nil {
				return err
			}
			for k := range 2 {
				if err := w.SetParticipant(id, chat.UserID(benchID("u_", 2*(i%senders)+k)), true); err != nil {
					return err
				}
			}
			a.rooms = append(a.rooms, id)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// benchID is an id that looks as random as a real one.
func benchID(prefix string, i int) string {
	sum := sha256.Sum256(fmt.Append(nil, prefix, i))
	return chat.EncodeID(prefix, [16]byte(sum[:16]))
}

// BenchmarkDurableAppend sends messages of 200 bytes at once, each acknowledged
// after its commit: access decision, deduplication, unread counts and all. The
// ceiling is measured in turns with it, so that the ratio of the two survives a
// noisy machine.
//
//	go test -run '^$' -bench DurableAppend -benchtime 5s ./server/rooms
func BenchmarkDurableAppend(b *testing.B) {
	const pairs = 5000
	text := strings.Repeat("x", 200)
	for _, senders := range []int{64, 1000} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			st := must(sqlite.Open(ctx, filepath.Join(b.TempDir(), "a.db"), sqlite.Options{}))(b)
			b.Cleanup(func() { st.Close() })
			a, c := newArena(b, st, senders, pairs), newCeiling(b)
			// each runs n messages, every sender in turn in its own rooms.
			each := func(from, n int, send func(sender, i int) error) time.Duration {
				var all sync.WaitGroup
				began := time.Now()
				for s := range senders {
					all.Go(func() {
						for i := from + s; i < from+n; i += senders {
							if err := send(s, i); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				return time.Since(began)
			}
			own := pairs / senders
			ours := func(s, i int) error {
				room := a.rooms[s+senders*((i/senders)*31%own)]
				_, err := a.Send(context.Background(), a.senders[s], protocol.Send{Room: room, ClientID: chat.ClientID(fmt.Sprintf("%020d", i)), Text: text})
				return err
			}
			theirs := func(s, i int) error {
				return c.append(ceilingRow{room: int64(s + senders*((i/senders)*31%own)), seq: int64(i), text: text})
			}
			b.ReportAllocs()
			var sent int
			var our, ceilings, ratios []float64
			for b.Loop() { // one turn of each
				n := 8 * senders
				mine, bare := each(sent, n, ours), each(sent, n, theirs)
				sent += n
				our = append(our, float64(n)/mine.Seconds())
				ceilings = append(ceilings, float64(n)/bare.Seconds())
				ratios = append(ratios, bare.Seconds()/mine.Seconds())
			}
			// Medians: what a neighbour on the machine takes from one turn does not count.
			b.ReportMetric(median(our), "msg/s")
			b.ReportMetric(median(ceilings), "ceiling-msg/s")
			b.ReportMetric(median(ratios), "x-of-ceiling")
		})
	}
}
