//go:build !js

package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// BenchmarkAppend measures durable appends (200 bytes, with a client message
// id) of concurrent senders into 5,000 rooms:
//
//	go test -run '^$' -bench Append -benchtime 3s ./server/storage/sqlite
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			const rooms = 5000
			d := open(b, filepath.Join(b.TempDir(), "a.db"))
			defer d.Close()
			if err := d.Update(b.Context(), func(w storage.Writer) error {
				for i := range rooms {
					if err := w.CreateRoom(storage.Room{ID: benchRoom(i), Creator: "u_a", CreatedAt: int64(i)}); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			text := strings.Repeat("x", 200)
			var next atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for s := range senders {
				all.Go(func() {
					sender := chat.Identity(fmt.Sprintf("u_%026d", s))
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						e := chat.Event{Kind: chat.MessagePosted, At: i, Sender: sender, SenderName: "Ada", ClientID: chat.ClientID(fmt.Sprintf("%020d", i)), Text: text}
						if err := d.Update(b.Context(), func(w storage.Writer) error {
							_, _, err := w.Append(benchRoom(int(i*7919)%rooms), e)
							return err
						}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

func benchRoom(i int) chat.RoomID { return chat.RoomID(fmt.Sprintf("r_%026d", i)) }

// BenchmarkList reads pages of a staff member who has 10,000 rooms among 20,000.
func BenchmarkList(b *testing.B) {
	const rooms = 20_000
	d := open(b, filepath.Join(b.TempDir(), "a.db"))
	defer d.Close()
	if err := d.Update(b.Context(), func(w storage.Writer) error {
		if err := w.PutUser(storage.User{ID: "u_mia", Name: "Mia"}); err != nil {
			return err
		}
		for i, v := range []chat.VendorID{"v_a", "v_b"} {
			if err := w.PutVendor(chat.Vendor{ID: v, Slug: string(v[2:]), Name: fmt.Sprint("Vendor ", i)}); err != nil {
				return err
			}
		}
		if err := w.SetVendorMember("v_a", "u_mia", true); err != nil {
			return err
		}
		for i := range rooms {
			id, v := benchRoom(i), chat.VendorID("v_a")
			if i%2 == 1 {
				v = "v_b"
			}
			guest := chat.GuestSessionID(fmt.Sprintf("g_%04dxxxx", i))
			if err := w.CreateRoom(storage.Room{ID: id, Vendor: v, GuestSession: guest, Creator: chat.GuestIdentity(guest), CreatedAt: int64(i)}); err != nil {
				return err
			}
			if v == "v_a" {
				if err := w.SetParticipant(id, "u_mia", true); err != nil {
					return err
				}
			}
			if _, _, err := w.Append(id, chat.Event{Kind: chat.MessagePosted, At: int64(i), Sender: chat.GuestIdentity(guest), Text: "hello"}); err != nil {
				return err
			}
			if _, _, err := w.SetRead(id, "u_mia", int64(min(i/200, 1))); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		q    storage.ListQuery
	}{
		{"first", storage.ListQuery{}},
		{"middle", storage.ListQuery{AfterActive: rooms / 2, AfterID: benchRoom(rooms / 2)}},
		{"unread at the far end", storage.ListQuery{Filter: chat.FilterUnread}},
		{"search of one", storage.ListQuery{Search: "guest 0002"}},
		{"all", storage.ListQuery{All: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.q.Reader, c.q.Limit = "u_mia", 50
			for b.Loop() {
				if err := d.View(b.Context(), func(r storage.Reader) error {
					rows, err := r.List(c.q)
					if len(rows) == 0 {
						b.Fatal("no rows")
					}
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
