package rooms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// The longest text on the wire: each character is escaped to six bytes.
var heavy = strings.Repeat("\x01", chat.MaxText)

// fits fails the test where a frame would be more than half of what a client takes.
func (w *world) fits(what string, f protocol.ServerFrame) {
	w.Helper()
	if n := len(protocol.EncodeServer(f)); n > protocol.MaxServerMessage/2 {
		w.Errorf("%s has %d bytes", what, n)
	}
}

func seqs(events []chat.Event) (out []int64) {
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

// Pages are bounded by bytes too, and paging through them misses nothing.
func TestPagesOfHeavyTexts(t *testing.T) {
	run(t, func(w *world) {
		all := []int64{1}
		for range 299 {
			all = append(all, w.send(w.guest, w.guestRoom, heavy).Seq)
		}
		var up, down []int64
		for more := true; more; {
			q := protocol.History{Room: w.guestRoom, Limit: protocol.MaxHistoryLimit}
			if q.Before = 1 << 40; len(up) > 0 {
				q.Before = up[0]
			}
			p := must(w.History(ctx, w.mia, q))(w.T)
			w.fits("a page", protocol.ServerFrame{History: &p})
			if more = p.More; len(p.Events) == 0 {
				w.Fatal("an empty page")
			}
			up = append(seqs(p.Events), up...)
		}
		for more := true; more; {
			p := must(w.History(ctx, w.mia, protocol.History{Room: w.guestRoom, After: int64(len(down)) + 1, Limit: protocol.MaxHistoryLimit}))(w.T)
			w.fits("a page", protocol.ServerFrame{History: &p})
			if more = p.More; len(p.Events) == 0 {
				w.Fatal("an empty page")
			}
			down = append(down, seqs(p.Events)...)
		}
		if !slices.Equal(up, all) || !slices.Equal(down, all[1:]) {
			w.Errorf("pages give\n%v and\n%v", up, down)
		}

		k := w.watch(w.mia)
		j := w.join(k, w.guestRoom)
		w.fits("a snapshot", protocol.ServerFrame{Joined: &j})
		if n := len(j.Snapshot.Events); n == 0 || j.Snapshot.Events[n-1].Seq != 300 {
			w.Errorf("the snapshot has %d events", n)
		}
		for _, seq := range []int64{1, 200, 270, 299} {
			j := must(k.Join(ctx, protocol.Join{Room: w.guestRoom, Cursor: &chat.Cursor{Epoch: j.Epoch, Seq: seq}}))(w.T)
			w.fits("a resume", protocol.ServerFrame{Joined: &j})
			if reset := seq < 270; j.Reset != reset {
				w.Errorf("resumed at %d: reset %t", seq, j.Reset)
			} else if !reset && !slices.Equal(seqs(j.Events), all[seq:]) {
				w.Errorf("resumed at %d: %v", seq, seqs(j.Events))
			}
		}
	})
}

// A watch that has missed more than a page of bytes catches up all the same.
func TestCatchUpOnHeavyTexts(t *testing.T) {
	run(t, func(w *world) {
		other := w.node(nil) // no broker: the hints are lost
		defer other.Stop()
		k := w.watch(w.mia)
		w.join(k, w.guestRoom)
		for i := range 100 {
			must(other.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("heavy", i)), Text: heavy}))(w.T)
		}
		k.Heads(ctx)
		w.settle()
		if got := len(texts(k.take())); got != 100 {
			w.Errorf("%d of 100 messages came", got)
		}
	})
}

func TestListOfHeavyRooms(t *testing.T) {
	run(t, func(w *world) {
		var users []chat.UserID
		w.ok(w.storage.Update(ctx, func(s storage.Writer) error {
			for i := range 1000 {
				u := storage.User{ID: chat.UserID(chat.EncodeID("u_", [16]byte{byte(i >> 8), byte(i)})), Username: fmt.Sprint("user", i), Name: strings.Repeat("👋", chat.MaxName), Active: true}
				users = append(users, u.ID)
				if err := s.PutUser(u); err != nil {
					return err
				}
			}
			return nil
		}))
		var want []chat.RoomID
		for i := range 20 {
			w.pass(minute)
			room := must(w.CreateBetween(ctx, w.rosa, chat.ClientID(fmt.Sprint("heavy", i)), "", users))(w.T)
			want = append([]chat.RoomID{room.ID}, want...)
		}
		var got []chat.RoomID
		for after, pages := "", 0; len(got) < len(want); pages++ {
			p := must(w.List(ctx, w.rosa, protocol.RoomsQuery{After: after, Limit: protocol.MaxRoomsLimit}))(w.T)
			w.fits("a list", protocol.ServerFrame{Rooms: &p})
			for _, r := range p.Rooms {
				got = append(got, r.ID)
			}
			if after = p.Next; after == "" || pages > 20 {
				break
			}
		}
		if len(got) > len(want) {
			got = got[:len(want)]
		}
		if !slices.Equal(got, want) {
			w.Errorf("got %v, want %v", got, want)
		}
	})
}
