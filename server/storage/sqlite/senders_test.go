//go:build !js

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// post appends a message and moves its sender's mark, as package rooms does.
func post(w storage.Writer, room chat.RoomID, sender chat.Identity, id chat.ClientID, at int64) error {
	e, created, err := w.Append(room, chat.Event{Kind: chat.MessagePosted, At: at, Sender: sender, ClientID: id, Text: "hello"})
	if err == nil && !created {
		err = fmt.Errorf("%s of %s is taken for a repeat", id, sender)
	}
	if err == nil {
		_, _, err = w.SetRead(room, sender, e.Seq)
	}
	return err
}

// That somebody has sent in a room is known again after a transaction that
// failed: at a link their client message ids go along.
func TestRoomsOfASenderEndWithTheirTransaction(t *testing.T) {
	errRefused := errors.New("refused")
	for _, grouped := range []bool{false, true} {
		t.Run(fmt.Sprint("in one group ", grouped), func(t *testing.T) {
			d := open(t, filepath.Join(t.TempDir(), "a.db"))
			defer d.Close()
			if err := d.Update(t.Context(), func(w storage.Writer) error { return w.CreateRoom(storage.Room{ID: "r_a"}) }); err != nil {
				t.Fatal(err)
			}
			step := func(f func(storage.Writer) error, also ...error) func() error {
				return func() error {
					err := d.Update(t.Context(), func(w storage.Writer) error { return errors.Join(append(also, f(w))...) })
					if errors.Is(err, errRefused) {
						err = nil
					}
					return err
				}
			}
			say := func(sender chat.Identity, id chat.ClientID, also ...error) func() error {
				return step(func(w storage.Writer) error { return post(w, "r_a", sender, id, 1) }, also...)
			}
			move := func(from, to chat.Identity, also ...error) func() error {
				return step(func(w storage.Writer) error { return w.MoveIdentity(from, to) }, also...)
			}
			inTurn(t, d, grouped, []func() error{
				say("g_b", "m1"), say("g_a", "m1", errRefused), say("g_a", "m1"), say("g_c", "m1", errRefused), say("g_c", "m1"),
				move("g_a", "u_a", errRefused), say("g_a", "m2"), move("g_a", "u_a"), say("g_a", "m3"), move("g_a", "u_a"),
				move("g_b", "u_b"), move("g_c", "u_c"), move("u_c", "u_d"),
				step(func(w storage.Writer) error {
					for i, m := range []chat.Event{
						{Sender: "u_b", ClientID: "m1"},
						{Sender: "u_a", ClientID: "m1"},
						{Sender: "u_d", ClientID: "m1"},
						{Sender: "u_a", ClientID: "m2"},
						{Sender: "u_a", ClientID: "m3"},
					} {
						m.Kind, m.Text = chat.MessagePosted, "hello"
						e, created, err := w.Append("r_a", m)
						if err != nil || created || e.Seq != int64(i+1) {
							t.Errorf("what was a guest's, sent again by the user: %+v, created %t, %v", e, created, err)
						}
					}
					return nil
				}),
			})
		})
	}
}
