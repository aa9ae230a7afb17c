package rooms_test

import (
	"fmt"
	"testing"

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
