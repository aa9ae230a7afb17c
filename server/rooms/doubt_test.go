package rooms_test

import (
	"slices"
	"testing"

	"anteroom/server/conformance"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// shown are the rooms whose lines were sent.
func shown(frames []protocol.ServerFrame) (out []chat.RoomID) {
	for _, f := range frames {
		if f.Room != nil && !slices.Contains(out, f.Room.Room.ID) {
			out = append(out, f.Room.Room.ID)
		}
	}
	slices.Sort(out)
	return out
}

// A line of a list that could not be read is sent later, without anything more
// happening in the room.
func TestListsHealAfterAFailure(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		w.storage.set(func(s *shaky) { s.views = 1 })
		w.send(w.guest, w.guestRoom, "is anybody there?")
		w.settle()
		if got := k.take(); got != nil {
			w.Fatalf("read although storage failed: %v", kinds(got))
		}
		w.storage.set(func(s *shaky) { s.views = 1 })
		w.Sweep(ctx) // in vain once more
		w.settle()
		w.Sweep(ctx)
		w.settle()
		if got := kinds(k.take()); !slices.Equal(got, []string{"room unread=1 closed=false"}) {
			w.Errorf("after the failure: %v", got)
		}
		w.Sweep(ctx)
		w.settle()
		if got := k.take(); got != nil {
			w.Errorf("and again: %v", kinds(got))
		}
	})
}

// What failed, and had happened, is told to those it concerns: they do not learn
// it from the repeat, which changes nothing.
func TestChangesInDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w *world) error
		want func(w *world) []chat.RoomID // in the list of whom it concerns
	}{
		"a room is made": {
			func(w *world) error {
				_, err := w.Create(ctx, w.stranger, protocol.Create{ClientID: "doubt", Vendor: "maple-pottery"})
				return err
			},
			func(w *world) []chat.RoomID {
				return []chat.RoomID{must(w.Create(ctx, w.stranger, protocol.Create{ClientID: "doubt", Vendor: "maple-pottery"}))(w.T).ID}
			},
		},
		"a room between users is made": {
			func(w *world) error {
				_, err := w.CreateBetween(ctx, w.rosa, "doubt", "Fair", []chat.UserID{w.mia.User, w.bo.User})
				return err
			},
			func(w *world) []chat.RoomID {
				return []chat.RoomID{must(w.CreateBetween(ctx, w.rosa, "doubt", "Fair", []chat.UserID{w.mia.User, w.bo.User}))(w.T).ID}
			},
		},
		"somebody joins the staff": {
			func(w *world) error { return w.SetVendorMember(ctx, w.tea.ID, w.mia.User, true) },
			func(w *world) []chat.RoomID {
				w.ok(w.SetVendorMember(ctx, w.tea.ID, w.mia.User, true))
				return []chat.RoomID{w.adaRoom}
			},
		},
		"a guest is linked": {
			func(w *world) error {
				_, err := w.Link(ctx, w.credentials[w.bo], w.credentials[w.guest])
				return err
			},
			func(w *world) []chat.RoomID { return []chat.RoomID{w.guestRoom} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				w.join(w.watch(w.noor), w.adaRoom)
				w.send(w.ada, w.adaRoom, "so that it is known who has the room in a list")
				w.settle()
				k := w.watch(w.mia)
				w.faults.Script(errDisk, conformance.Before)
				w.code(chat.CodeInternal, tt.do(w))
				w.settle()
				if got := k.take(); name != "a guest is linked" && got != nil {
					w.Errorf("failed and had not happened: %v", kinds(got))
				}
				w.faults.Script(errDisk, conformance.After)
				w.code(chat.CodeInternal, tt.do(w))
				w.settle()
				got := shown(k.take())
				if want := tt.want(w); !slices.Equal(got, want) {
					w.Errorf("failed, but had happened: %v, want %v", got, want)
				}
			})
		})
	}
}
