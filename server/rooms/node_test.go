package rooms_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"anteroom/server/broker"
	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// lossy is a broker that loses every hint while deaf.
type lossy struct {
	broker.Broker
	mu   sync.Mutex
	deaf bool
}

func (l *lossy) set(deaf bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = deaf
}

func (l *lossy) Publish(c context.Context, topic string, payload []byte) error {
	l.mu.Lock()
	deaf := l.deaf
	l.mu.Unlock()
	if deaf {
		return nil
	}
	return l.Broker.Publish(c, topic, payload)
}

// Two nodes on one storage: hints carry what happens across, and losing every
// one of them delays it until the next event or beat.
func TestNodes(t *testing.T) {
	run(t, func(w *world) {
		b := &lossy{Broker: broker.NewLocal()}
		here, there := w.node(b), w.node(b)
		near, far, staff := w.watchOn(here, w.guest), w.watchOn(there, w.mia), w.watchOn(there, w.mia)
		w.join(near, w.guestRoom)
		w.join(far, w.guestRoom)
		send := func(text string) {
			w.cmids++
			must(here.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("n", w.cmids)), Text: text}))(w.T)
			w.settle()
		}
		send("one")
		if got := texts(far.take()); !slices.Equal(got, []string{"one"}) {
			w.Errorf("other node: %v", got)
		}
		if got := kinds(staff.take()); !slices.Equal(got, []string{"room unread=1 closed=false"}) {
			w.Errorf("list on the other node: %v", got)
		}
		if got := texts(near.take()); !slices.Equal(got, []string{"one"}) {
			w.Errorf("own node: %v", got)
		}
		w.ok(near.Typing(ctx, protocol.Typing{Room: w.guestRoom, Active: true}))
		w.settle()
		if got := kinds(far.take()); len(got) != 1 || got[0][:6] != "typing" {
			w.Errorf("typing across: %v", got)
		}

		staff.take()
		w.ok(here.Read(ctx, w.mia, protocol.Read{Room: w.guestRoom, Seq: 9}))
		w.settle()
		if got := kinds(staff.take()); !slices.Equal(got, []string{"room unread=0 closed=false"}) {
			w.Errorf("read on the other node: %v", got)
		}
		far.take()

		b.set(true)
		send("lost 1")
		send("lost 2")
		if got := far.take(); got != nil {
			w.Fatalf("the broker lost nothing: %v", kinds(got))
		}
		heads := far.Heads(ctx)
		if got := texts(far.take()); !slices.Equal(got, []string{"lost 1", "lost 2"}) {
			w.Errorf("a beat heals: %v", got)
		}
		if len(heads) != 1 || heads[0].Seq != 4 {
			w.Errorf("heads %v", heads)
		}
		send("lost 3")
		b.set(false)
		send("four")
		if got := texts(far.take()); !slices.Equal(got, []string{"lost 3", "four"}) {
			w.Errorf("the next event heals: %v", got)
		}

		// Revocation crosses, too; where its hint is lost, the beat finds it.
		w.ok(here.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		w.settle()
		if got := kinds(far.take()); !slices.Equal(got, []string{"gone"}) {
			w.Errorf("revoked across: %v", got)
		}
		w.ok(here.AddParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		w.settle()
		w.join(far, w.guestRoom)
		b.set(true)
		w.ok(here.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		b.set(false)
		send("not for mia")
		if got := kinds(far.take()); !slices.Equal(got, []string{"gone"}) {
			w.Errorf("a removal whose hint was lost: %v", got)
		}
		here.Stop()
		there.Stop()
		w.ok(b.Close())
	})
}

// A frame that waits for one before it, which never comes, waits no longer than
// the transactions that could have brought it.
func TestParkedFramesAreNotForgotten(t *testing.T) {
	run(t, func(w *world) {
		b := &lossy{Broker: broker.NewLocal()}
		here, there := w.node(b), w.node(b)
		far := w.watchOn(there, w.mia)
		w.join(far, w.guestRoom)
		send := func(s *rooms.Service, id chat.ClientID) {
			must(s.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: id, Text: string(id)}))(w.T)
		}
		w.storage.set(func(s *shaky) {
			s.then = func(string) { // while there has committed "one" and not yet delivered it
				b.set(true)
				send(here, "two")
				b.set(false)
				send(here, "three")
				w.settle()
			}
		})
		send(there, "one")
		w.settle()
		if got := texts(far.take()); !slices.Equal(got, []string{"one", "two", "three"}) {
			w.Errorf("got %v", got)
		}
		here.Stop()
		there.Stop()
	})
}

// What can't be filled is said, never skipped.
func TestResyncRequired(t *testing.T) {
	run(t, func(w *world) {
		b := &lossy{Broker: broker.NewLocal(), deaf: true}
		here, there := w.node(b), w.node(b)
		far := w.watchOn(there, w.mia)
		w.join(far, w.guestRoom)
		for i := range 301 {
			must(here.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprint("r", i)), Text: "x"}))(w.T)
		}
		if heads := far.Heads(ctx); len(heads) != 0 {
			w.Errorf("heads %v", heads)
		}
		if got := kinds(far.take()); !slices.Equal(got, []string{"error resync_required"}) {
			w.Errorf("got %v", got)
		}
		if j := w.join(far, w.guestRoom); j.Head != 302 || !j.Reset {
			w.Errorf("joining anew: %+v", j)
		}
		here.Stop()
		there.Stop()
	})
}
