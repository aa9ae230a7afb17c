package rooms_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// What a room's members are called is one read, however many they are: a join and
// a look at the room cost the same reads in a room of 2 and in one of 300.
func TestMembersAreOneRead(t *testing.T) {
	run(t, func(w *world) {
		users := []chat.UserID{w.ada.User, w.bo.User}
		w.ok(w.storage.Storage.Update(ctx, func(s storage.Writer) error {
			users = users[:2]
			for i := range 298 {
				u := storage.User{ID: chat.UserID(fmt.Sprintf("u_%026d", i)), Username: fmt.Sprint("member", i), Name: fmt.Sprint("Member ", i), Role: chat.RoleUser, Active: true}
				if err := s.PutUser(u); err != nil {
					return err
				}
				users = append(users, u.ID)
			}
			return nil
		}))
		reads := func(room chat.RoomID) (join, get int64) {
			w.send(w.bo, room, "hello")
			k := w.watch(w.ada)
			defer k.Close()
			w.settle()
			before := w.storage.reads.Load()
			joined := must(k.Join(ctx, protocol.Join{Room: room}))(w.T)
			join = w.storage.reads.Load() - before
			for _, m := range joined.Snapshot.Room.Members {
				if m.Name == "" {
					w.Errorf("member %s has no name", m.User)
				}
			}
			w.settle()
			before = w.storage.reads.Load()
			sum := must(w.Get(ctx, w.ada, room))(w.T)
			get = w.storage.reads.Load() - before
			equal(w.T, sum.Members, joined.Snapshot.Room.Members)
			return join, get
		}
		large := must(w.CreateBetween(ctx, w.rosa, "large", "Everybody", users))(w.T)
		if len(large.Members) != 300 {
			w.Fatalf("%d members", len(large.Members))
		}
		join2, get2 := reads(w.between)
		join300, get300 := reads(large.ID)
		if join300 != join2 || get300 != get2 {
			w.Errorf("in a room of 300: %d reads to join, %d to look; of 2: %d, %d", join300, get300, join2, get2)
		}
	})
}

// The first page of an inbox costs the same reads with 60 rooms and with 5,000.
func TestFirstPageIsAsManyReadsHoweverManyRooms(t *testing.T) {
	run(t, func(w *world) {
		made := 0
		grow := func(to int) {
			w.ok(w.storage.Storage.Update(ctx, func(s storage.Writer) error {
				for i := made; i < to; i++ {
					id, guest := chat.RoomID(fmt.Sprintf("r_%026d", i)), chat.GuestSessionID(fmt.Sprintf("g_%026d", i))
					if err := s.CreateRoom(storage.Room{ID: id, Vendor: w.maple.ID, GuestSession: guest, Creator: chat.GuestIdentity(guest), CreatedAt: time.Now().UnixMilli() + int64(i)}); err != nil {
						return err
					}
					if err := s.SetParticipant(id, w.mia.User, true); err != nil {
						return err
					}
					if _, _, err := s.Append(id, chat.Event{Kind: chat.MessagePosted, At: time.Now().UnixMilli() + int64(i), Sender: chat.GuestIdentity(guest), ClientID: "a", Text: "hello"}); err != nil {
						return err
					}
				}
				return nil
			}))
			made = to
		}
		page := func() int64 {
			before := w.storage.reads.Load()
			got := must(w.List(ctx, w.mia, protocol.RoomsQuery{Limit: 50}))(w.T)
			if len(got.Rooms) != 50 || got.Next == "" || got.Rooms[0].ID != chat.RoomID(fmt.Sprintf("r_%026d", made-1)) || got.Rooms[0].Unread != 1 {
				w.Fatalf("%d rooms, the first is %+v", len(got.Rooms), got.Rooms[0])
			}
			return w.storage.reads.Load() - before
		}
		grow(60)
		few := page()
		grow(5000)
		if many := page(); many != few {
			w.Errorf("%d reads with 5,000 rooms, %d with 60", many, few)
		}
	})
}

// An admin who is taken out of a room still reaches it, but no longer unseen:
// what was joined as a participant is joined anew before anything follows.
func TestAdminWhoIsNoParticipantAnyMore(t *testing.T) {
	run(t, func(w *world) {
		for name, tt := range map[string]struct{ in, out func() error }{
			"removed": {
				func() error { return w.AddParticipant(ctx, w.rosa, w.guestRoom, w.rosa.User) },
				func() error { return w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.rosa.User) },
			},
			"no longer staff": {
				func() error { return w.SetVendorMember(ctx, w.tea.ID, w.rosa.User, true) },
				func() error { return w.SetVendorMember(ctx, w.tea.ID, w.rosa.User, false) },
			},
		} {
			room, who := w.guestRoom, w.guest
			if name != "removed" {
				room, who = w.adaRoom, w.ada
			}
			w.ok(tt.in())
			other, admin := w.watch(who), w.watch(w.rosa)
			w.join(other, room)
			w.join(admin, room)
			w.ok(tt.out())
			w.settle()
			other.take()
			w.send(who, room, "between us")
			w.settle()
			if got := texts(admin.take()); got != nil {
				w.Errorf("%s: heard without a notice: %v", name, got)
			}
			if got := kinds(other.take()); !slices.Equal(got, []string{"message"}) {
				w.Errorf("%s: the other got %v", name, got)
			}
			if j := w.join(admin, room); len(j.Notices) != 1 {
				w.Errorf("%s: joined anew: %+v", name, j)
			}
			if got := kinds(other.take()); !slices.Equal(got, []string{"notice rosa"}) {
				w.Errorf("%s: the other was told %v", name, got)
			}
			w.send(who, room, "go on")
			w.settle()
			if got := texts(admin.take()); !slices.Equal(got, []string{"go on"}) {
				w.Errorf("%s: after the notice: %v", name, got)
			}
		}
	})
}
