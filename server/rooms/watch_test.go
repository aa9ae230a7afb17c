package rooms_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"anteroom/server/conformance"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func TestEventsReachThoseWhoJoined(t *testing.T) {
	run(t, func(w *world) {
		guest, mia, tab, noor := w.watch(w.guest), w.watch(w.mia), w.watch(w.mia), w.watch(w.noor)
		w.join(guest, w.guestRoom)
		w.join(mia, w.guestRoom)
		ack := w.send(w.guest, w.guestRoom, "hello")
		w.settle()
		for name, k := range map[string]*sink{"guest": guest, "mia": mia} {
			frames := k.take()
			if !slices.Equal(kinds(frames), []string{"message"}) || frames[0].Event.Event.Seq != ack.Seq || frames[0].Event.Event.Sender != w.guest.Identity() {
				w.Errorf("%s: %v", name, kinds(frames))
			}
		}
		if got := kinds(tab.take()); !slices.Equal(got, []string{"room unread=1 closed=false"}) {
			w.Errorf("a tab that has not joined gets the list's line: %v", got)
		}
		if got := kinds(noor.take()); got != nil {
			w.Errorf("staff of another vendor: %v", got)
		}
		mia.Leave(w.guestRoom)
		w.send(w.guest, w.guestRoom, "again")
		w.settle()
		if got := kinds(mia.take()); !slices.Equal(got, []string{"room unread=2 closed=false"}) {
			w.Errorf("after leaving: %v", got)
		}
	})
}

func TestListIsLive(t *testing.T) {
	run(t, func(w *world) {
		mia, rosa, ada, guest := w.watch(w.mia), w.watch(w.rosa), w.watch(w.ada), w.watch(w.guest)
		fresh := w.newGuest()
		room := w.create(fresh, "maple-pottery")
		w.settle()
		for name, k := range map[string]*sink{"staff": mia, "admin": rosa} {
			frames := k.take()
			if len(frames) != 1 || frames[0].Room == nil || frames[0].Room.Room.ID != room || frames[0].Room.Room.Oversight != (name == "admin") {
				w.Errorf("%s about a new room: %v", name, kinds(frames))
			}
		}
		w.ok(w.AddParticipant(ctx, w.rosa, room, w.ada.User))
		w.settle()
		if got := kinds(ada.take()); !slices.Equal(got, []string{"room unread=0 closed=false"}) {
			w.Errorf("added: %v", got)
		}
		w.send(fresh, room, "one")
		w.settle()
		mia.take()
		rosa.take()
		if got := kinds(ada.take()); !slices.Equal(got, []string{"room unread=1 closed=false"}) {
			w.Errorf("a message: %v", got)
		}
		w.ok(w.Read(ctx, w.ada, protocol.Read{Room: room, Seq: 99}))
		w.settle()
		if got := kinds(ada.take()); !slices.Equal(got, []string{"room unread=0 closed=false"}) {
			w.Errorf("read elsewhere: %v", got)
		}
		if got := kinds(mia.take()); got != nil {
			w.Errorf("what ada read is told to mia's list: %v", got)
		}
		w.ok(w.RemoveParticipant(ctx, w.rosa, room, w.ada.User))
		if got := kinds(ada.take()); !slices.Equal(got, []string{"gone"}) {
			w.Errorf("removed: %v", got)
		}
		w.ok(w.Close(ctx, w.mia, room))
		w.settle()
		if got := kinds(mia.take()); !slices.Contains(got, "room unread=1 closed=true") {
			w.Errorf("closed: %v", got)
		}
		if got := kinds(ada.take()); got != nil {
			w.Errorf("after the removal: %v", got)
		}
		if got := kinds(guest.take()); got != nil {
			w.Errorf("a guest who has nothing to do with it: %v", got)
		}
	})
}

// Whoever comes to a room that others have open hears of it, too.
func TestListIsLiveWhereOthersJoined(t *testing.T) {
	run(t, func(w *world) {
		mia, bo := w.watch(w.mia), w.watch(w.bo)
		w.join(mia, w.guestRoom)
		w.send(w.guest, w.guestRoom, "one")
		w.send(w.guest, w.guestRoom, "two")
		w.settle()
		if got := bo.take(); got != nil {
			w.Errorf("before: %v", kinds(got))
		}
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		w.settle()
		w.send(w.guest, w.guestRoom, "three")
		w.settle()
		if got := kinds(bo.take()); !slices.Equal(got, []string{"room unread=2 closed=false", "room unread=3 closed=false"}) {
			w.Errorf("added: %v", got)
		}
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		w.send(w.guest, w.guestRoom, "four")
		w.settle()
		if got := kinds(bo.take()); !slices.Equal(got, []string{"gone"}) {
			w.Errorf("removed: %v", got)
		}
	})
}

// A room whose members here have all joined it has no lists to tell, and does
// not look for them at every message: until somebody comes, leaves it, or
// becomes an admin.
func TestListIsLiveAfterSilence(t *testing.T) {
	run(t, func(w *world) {
		mia := w.watch(w.mia)
		w.join(mia, w.guestRoom)
		n := 1
		heard := func(why string, k *sink, want ...string) {
			w.Helper()
			w.settle()
			k.take()
			n++
			w.send(w.guest, w.guestRoom, fmt.Sprint("message ", n))
			w.settle()
			if got := kinds(k.take()); !slices.Equal(got, want) {
				w.Errorf("%s: %v, not %v", why, got, want)
			}
		}
		for range 3 {
			heard("joined", mia, "message")
		}
		tab := w.watch(w.mia)
		heard("another tab comes", tab, "room unread=4 closed=false")
		w.join(tab, w.guestRoom)
		heard("it joins", tab, "message")
		heard("it joined", mia, "message")
		mia.Leave(w.guestRoom)
		heard("one leaves", mia, "room unread=7 closed=false")
		w.join(mia, w.guestRoom)
		heard("it is back", mia, "message")
		bo := w.watch(w.bo)
		heard("a stranger comes", bo)
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		w.settle()
		if got := kinds(bo.take()); !slices.Equal(got, []string{"room unread=9 closed=false"}) {
			w.Errorf("and is added: %v", got)
		}
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		heard("and is removed", bo)
		w.ok(w.auth.SetRole(ctx, w.bo.User, chat.RoleAdmin))
		heard("and becomes an admin", bo, "room unread=11 closed=false")
	})
}

// What happens between a join's snapshot and its first delivery is not left out.
func TestJoinMissesNothing(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		w.storage.set(func(s *shaky) {
			s.then = func(string) { w.send(w.guest, w.guestRoom, "between") }
		})
		j := must(k.Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T)
		w.settle()
		if got := texts(k.take()); j.Head != 1 || !slices.Equal(got, []string{"between"}) {
			w.Errorf("head %d, then %v", j.Head, got)
		}
	})
}

func TestSignals(t *testing.T) {
	run(t, func(w *world) {
		guest, mia, tab, stranger := w.watch(w.guest), w.watch(w.mia), w.watch(w.mia), w.watch(w.stranger)
		for _, k := range []*sink{guest, mia, tab} {
			w.join(k, w.guestRoom)
		}
		w.ok(mia.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true}))
		if got := kinds(guest.take()); !slices.Equal(got, []string{"typing mia true"}) {
			w.Errorf("guest: %v", got)
		}
		if got := kinds(tab.take()); got != nil {
			w.Errorf("one's own other tab hears one type: %v", got)
		}
		w.code(chat.CodeAccessDenied, stranger.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true}))
		w.ok(w.Read(ctx, w.mia, protocol.Read{Room: w.guestRoom, Seq: 1}))
		w.ok(w.Read(ctx, w.mia, protocol.Read{Room: w.guestRoom, Seq: 1})) // says nothing new
		if got := kinds(guest.take()); !slices.Equal(got, []string{"receipt 1"}) {
			w.Errorf("guest: %v", got)
		}
		w.ok(w.Read(ctx, w.rosa, protocol.Read{Room: w.guestRoom, Seq: 1}))
		w.settle()
		if got := kinds(guest.take()); !slices.Equal(got, []string{"notice rosa"}) {
			w.Errorf("an admin's look leaves a notice, not a receipt: %v", got)
		}
		equal(w.T, w.join(guest, w.guestRoom).Receipts, []chat.Receipt{{Reader: w.mia.Identity(), Seq: 1}})
		w.ok(mia.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true})) // says nothing new
		if got := kinds(guest.take()); got != nil {
			w.Errorf("a repeat was passed on: %v", got)
		}
		w.ok(w.Close(ctx, w.mia, w.guestRoom))
		w.code(chat.CodeRoomClosed, guest.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true}))
		w.code(chat.CodeRoomClosed, mia.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true})) // also what says nothing new
	})
}

func TestJoinResumes(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		first := w.join(k, w.guestRoom)
		if !first.Reset || first.Snapshot == nil || first.Snapshot.Head != first.Head || len(first.Snapshot.Events) != int(first.Head) {
			w.Fatalf("first join: %+v", first)
		}
		for i := range 310 {
			w.send(w.guest, w.guestRoom, fmt.Sprint("m", i))
		}
		join := func(c *chat.Cursor) protocol.Joined {
			return must(k.Join(ctx, protocol.Join{Room: w.guestRoom, Cursor: c}))(w.T)
		}
		head := join(nil).Head
		near := join(&chat.Cursor{Epoch: first.Epoch, Seq: head - 3})
		if near.Reset || near.Snapshot != nil || len(near.Events) != 3 || near.Events[0].Seq != head-2 || near.Head != head {
			w.Errorf("near cursor: reset %t, %d events", near.Reset, len(near.Events))
		}
		if at := join(&chat.Cursor{Epoch: first.Epoch, Seq: head}); at.Reset || len(at.Events) != 0 {
			w.Errorf("cursor at the head: %+v", at)
		}
		for name, c := range map[string]chat.Cursor{
			"far behind":    {Epoch: first.Epoch, Seq: first.Head},
			"other epoch":   {Epoch: "other", Seq: head},
			"from tomorrow": {Epoch: first.Epoch, Seq: head + 1},
			"negative":      {Epoch: first.Epoch, Seq: -1},
			"zero":          {Epoch: first.Epoch},
		} {
			got := join(&c)
			if !got.Reset || got.Snapshot == nil || got.Snapshot.Head != head || len(got.Snapshot.Events) != protocol.HistoryLimit {
				w.Errorf("%s: reset %t", name, got.Reset)
			}
		}
	})
}

func TestHistoryPages(t *testing.T) {
	run(t, func(w *world) {
		for i := range 9 {
			w.send(w.guest, w.guestRoom, fmt.Sprint("m", i))
		}
		page := func(q protocol.History) (seqs []int64, more bool) {
			q.Room = w.guestRoom
			p := must(w.History(ctx, w.mia, q))(w.T)
			for _, e := range p.Events {
				seqs = append(seqs, e.Seq)
			}
			return seqs, p.More
		}
		for _, tt := range []struct {
			q    protocol.History
			want []int64
			more bool
		}{
			{protocol.History{Limit: 3}, []int64{8, 9, 10}, true},
			{protocol.History{Limit: 3, Before: 8}, []int64{5, 6, 7}, true},
			{protocol.History{Limit: 3, Before: 4}, []int64{1, 2, 3}, false},
			{protocol.History{Limit: 3, Before: 1}, nil, false},
			{protocol.History{Limit: 3, Before: 1000}, []int64{8, 9, 10}, true},
			{protocol.History{Limit: 3, After: 1}, []int64{2, 3, 4}, true},
			{protocol.History{Limit: 3, After: 7}, []int64{8, 9, 10}, false},
			{protocol.History{Limit: 3, After: 10}, nil, false},
			{protocol.History{Limit: 3, After: 1000}, nil, false},
		} {
			if got, more := page(tt.q); !slices.Equal(got, tt.want) || more != tt.more {
				w.Errorf("%+v: got %v, more %t", tt.q, got, more)
			}
		}
		_, err := w.History(ctx, w.mia, protocol.History{Room: w.guestRoom, Before: 1, After: 1})
		w.code(chat.CodeInvalid, err)
	})
}

// replica is what a client makes of a join and what follows it.
type replica struct {
	line chat.Timeline
	err  error
}

func (r *replica) apply(frames []protocol.ServerFrame, room chat.RoomID) {
	for _, f := range frames {
		if f.Event != nil && f.Event.Room == room && r.err == nil {
			if f.Event.Event.Seq <= r.line.Head {
				r.err = fmt.Errorf("event %d came twice", f.Event.Event.Seq)
				return
			}
			r.line, r.err = r.line.Apply(f.Event.Event)
		}
	}
}

// A snapshot and the events that were delivered after it are a fresh snapshot,
// whatever happens in the room and however many do it at the same time.
func TestSnapshotLaw(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			run(t, func(w *world) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				k := w.watch(w.mia)
				j := must(k.Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T)
				r := replica{}
				r.line, r.err = chat.NewTimeline(*j.Snapshot)
				steps := []func(i int){
					func(i int) {
						w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("a", i)), Text: "a"})
					},
					func(i int) {
						w.Send(ctx, w.mia, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("b", i)), Text: "b"})
					},
					func(i int) {
						w.Send(ctx, w.ada, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("c", i)), Text: "c"})
					},
					func(int) { w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User) },
					func(int) { w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User) },
					func(int) { w.AddParticipant(ctx, w.rosa, w.guestRoom, w.bo.User) },
					func(int) { w.SetVendorMember(ctx, w.maple.ID, w.noor.User, true) },
					func(int) { w.SetVendorMember(ctx, w.maple.ID, w.noor.User, false) },
					func(int) { w.SetVendorMember(ctx, w.maple.ID, w.ada.User, true) },
					func(int) { w.SetVendorMember(ctx, w.maple.ID, w.ada.User, false) },
					func(i int) {
						if i > 60 {
							w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest])
						}
					},
					func(i int) {
						if i > 100 {
							w.Close(ctx, w.mia, w.guestRoom)
						}
					},
				}
				for i := 0; i < 120; {
					var busy sync.WaitGroup
					for range 1 + rnd.IntN(4) {
						step, n := steps[rnd.IntN(len(steps))], i
						busy.Go(func() { step(n) })
						i++
					}
					busy.Wait()
				}
				w.settle()
				r.apply(k.take(), w.guestRoom)
				if r.err != nil {
					w.Fatal(r.err)
				}
				fresh := must(w.watch(w.mia).Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T)
				if r.line.Head != fresh.Head || !reflect.DeepEqual(r.line.Room, fresh.Snapshot.Room) {
					w.Errorf("\ngot  %d %+v\nwant %d %+v", r.line.Head, r.line.Room, fresh.Head, fresh.Snapshot.Room)
				}
				tail := r.line.Events[len(r.line.Events)-len(fresh.Snapshot.Events):]
				equal(w.T, tail, fresh.Snapshot.Events)
			})
		})
	}
}

// Joins while everybody writes see no hole and nothing twice.
func TestJoinUnderLoad(t *testing.T) {
	run(t, func(w *world) {
		const writers, each = 8, 40
		var busy sync.WaitGroup
		for i := range writers {
			p := w.guest
			if i%2 == 0 {
				p = w.mia
			}
			busy.Go(func() {
				for n := range each {
					_, err := w.Send(ctx, p, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprintf("w%d-%d", i, n)), Text: "x"})
					if err != nil {
						w.Error(err)
					}
				}
			})
		}
		type seen struct {
			k *sink
			j protocol.Joined
		}
		readers := make(chan seen, 20)
		for range 20 {
			busy.Go(func() {
				k := &sink{}
				var err error
				if k.Watch, err = w.Watch(ctx, w.mia, k); err != nil {
					w.Error(err)
					return
				}
				j, err := k.Join(ctx, protocol.Join{Room: w.guestRoom})
				if err != nil {
					w.Error(err)
				}
				readers <- seen{k, j}
			})
		}
		busy.Wait()
		w.settle()
		close(readers)
		for s := range readers {
			line, err := chat.NewTimeline(*s.j.Snapshot)
			r := replica{line, err}
			r.apply(s.k.take(), w.guestRoom)
			if r.err != nil || r.line.Head != 1+writers*each {
				w.Errorf("from %d: head %d, %v", s.j.Head, r.line.Head, r.err)
			}
			s.k.Close()
		}
	})
}

func TestLimitsOfAWatch(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.rosa)
		for i := range 128 {
			id := must(w.CreateBetween(ctx, w.rosa, chat.ClientID(fmt.Sprint("many", i)), "", []chat.UserID{w.ada.User, w.bo.User}))(w.T).ID
			must(k.Join(ctx, protocol.Join{Room: id}))(w.T)
		}
		_, err := k.Join(ctx, protocol.Join{Room: w.guestRoom})
		w.code(chat.CodeConflict, err)
		heads := k.Heads(ctx)
		if len(heads) != 128 {
			w.Fatalf("%d heads", len(heads))
		}
		must(k.Join(ctx, protocol.Join{Room: heads[5].Room}))(w.T) // again is not one more
		k.Leave(heads[5].Room)
		must(k.Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T)
		k.Close()
		k.Close()
		_, err = k.Join(ctx, protocol.Join{Room: w.guestRoom})
		w.code(chat.CodeUnavailable, err)
		w.settle()
		k.take()
		w.send(w.guest, w.guestRoom, "x")
		w.settle()
		if got := k.take(); got != nil {
			w.Errorf("after Close: %v", kinds(got))
		}
	})
}

// An event that comes while a catch-up finds nothing is not held back for ever.
func TestEventDuringAnEmptyCatchUp(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		w.join(k, w.guestRoom)
		w.faults.Script(errDisk, conformance.Before)
		w.storage.set(func(s *shaky) {
			s.then = func(string) { // after the failed write
				s.set(func(s *shaky) {
					s.then = func(name string) { // after the read that looks whether it had happened
						if name != "view" {
							w.Errorf("looked in on a %s", name)
						}
						w.send(w.guest, w.guestRoom, "meanwhile")
					}
				})
			}
		})
		if _, err := w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "fails", Text: "fails"}); err == nil {
			w.Fatal("the fault did not show")
		}
		w.settle()
		if got := texts(k.take()); !slices.Equal(got, []string{"meanwhile"}) {
			w.Errorf("got %q", got)
		}
	})
}
