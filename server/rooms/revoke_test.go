package rooms_test

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"

	"anteroom/server/conformance"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// loss is one way to lose a room.
type loss struct {
	name string
	who  func(w *world) chat.Principal
	do   func(w *world) error
	end  chat.Code // how the watch ends; "" where only the room goes
}

var losses = []loss{
	{"removed", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User)
	}, ""},
	{"no longer staff", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.SetVendorMember(ctx, w.maple.ID, w.mia.User, false)
	}, ""},
	{"demoted", func(w *world) chat.Principal { return w.rosa }, func(w *world) error {
		return w.auth.SetRole(ctx, w.rosa.User, chat.RoleUser)
	}, chat.CodeResyncRequired},
	{"disabled", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.SetActive(ctx, w.mia.User, false)
	}, chat.CodeUnauthenticated},
	{"logged out", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.LogOut(ctx, w.credentials[w.mia])
	}, chat.CodeUnauthenticated},
	{"logged out everywhere", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.LogOutEverywhere(ctx, w.mia)
	}, chat.CodeUnauthenticated},
	{"session ended from another", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.EndSession(ctx, w.login("mia"), w.mia.Session)
	}, chat.CodeUnauthenticated},
	{"gave themselves another password elsewhere", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.ChangePassword(ctx, w.login("mia"), "correct horse mia", "an entirely new one")
	}, chat.CodeUnauthenticated},
	{"given another password by the operator", func(w *world) chat.Principal { return w.mia }, func(w *world) error {
		return w.auth.SetPassword(ctx, w.mia.User, "an entirely new one")
	}, chat.CodeUnauthenticated},
	{"guest ended the chat", func(w *world) chat.Principal { return w.guest }, func(w *world) error {
		return w.auth.EndGuest(ctx, w.credentials[w.guest])
	}, chat.CodeUnauthenticated},
	{"guest linked: the old secret is dead", func(w *world) chat.Principal { return w.guest }, func(w *world) error {
		_, err := w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest])
		return err
	}, chat.CodeUnauthenticated},
}

// Whoever was no participant is not told of a room by being taken out of it.
func TestRemovingNobodyTellsNobody(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.bo)
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		w.settle()
		if got := k.take(); len(got) > 0 {
			w.Errorf("bo heard %v", got)
		}
	})
}

// What was lost is lost on open sockets when the call returns: nothing that
// waits in the queue, nothing later, and no way back in.
func TestRevocation(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			run(t, func(w *world) {
				p := l.who(w)
				joined, listed := w.watch(p), w.watch(p)
				w.join(joined, w.guestRoom)
				bystander := w.watch(w.stranger)
				other := w.create(w.stranger, "northern-tea")
				w.join(bystander, other)
				joined.take()
				listed.take()
				w.send(w.guest, w.guestRoom, "waits in the queue")
				w.settle()
				w.ok(l.do(w))
				for name, k := range map[string]*sink{"joined": joined, "listed": listed} {
					if got := k.end(); got != l.end {
						w.Errorf("%s: ended with %q, want %q", name, got, l.end)
					}
					want := []string{"gone"}
					if l.end != "" {
						want = nil
					}
					if got := kinds(k.take()); !slices.Equal(got, want) {
						w.Errorf("%s: left in the queue: %v", name, got)
					}
				}
				speaker := w.ada // admitted by the link, or put there
				w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User)
				if l.name == "demoted" {
					speaker = w.mia
				}
				if l.name == "guest ended the chat" {
					w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
				}
				_, err := w.Send(ctx, speaker, protocol.Send{Room: w.guestRoom, ClientID: "after", Text: "not for you"})
				if l.name != "disabled" && l.name != "demoted" {
					w.ok(err)
				}
				w.settle()
				for _, k := range []*sink{joined, listed} {
					if got := k.take(); got != nil || k.after > 0 {
						w.Errorf("after the loss: %v", kinds(got))
					}
				}
				want := chat.CodeAccessDenied
				if l.end == chat.CodeUnauthenticated {
					want = chat.CodeUnauthenticated
				}
				_, err = joined.Join(ctx, protocol.Join{Room: w.guestRoom, Cursor: &chat.Cursor{Seq: 1}})
				if got := chat.CodeOf(err); got != want && got != l.end {
					w.Errorf("joining again: %v", err)
				}
				_, err = w.Get(ctx, p, w.guestRoom)
				w.code(want, err)
				w.send(w.stranger, other, "x")
				w.settle()
				if got := texts(bystander.take()); !slices.Equal(got, []string{"x"}) || bystander.end() != "" {
					w.Errorf("a bystander was touched: %v %q", got, bystander.end())
				}
			})
		})
	}
}

// A demoted admin keeps the rooms he participates in; a linked guest session
// lives and dies with its log-in.
func TestRevocationKeepsWhatRemains(t *testing.T) {
	run(t, func(w *world) {
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.rosa.User))
		w.ok(w.auth.SetRole(ctx, w.rosa.User, chat.RoleUser))
		must(w.Get(ctx, w.rosa, w.guestRoom))(w.T)
		_, err := w.Get(ctx, w.rosa, w.adaRoom)
		w.code(chat.CodeAccessDenied, err)

		linked := must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		p := must(w.Resolve(ctx, linked.Credential))(w.T)
		k, ada := w.watch(p), w.watch(w.ada)
		w.join(k, w.guestRoom)
		w.join(ada, w.guestRoom)
		w.ok(w.auth.SetRole(ctx, w.ada.User, chat.RoleAdmin))
		_, err = k.Join(ctx, protocol.Join{Room: w.between}) // ada participates there
		w.ok(err)
		_, err = k.Join(ctx, protocol.Join{Room: w.create(w.stranger, "maple-pottery")})
		w.code(chat.CodeAccessDenied, err) // the role does not come along with a link
		w.ok(w.auth.LogOut(ctx, w.credentials[w.ada]))
		if k.end() != chat.CodeUnauthenticated || ada.end() != chat.CodeUnauthenticated {
			w.Errorf("after the log-out: %q, %q", k.end(), ada.end())
		}
		_, err = w.Resolve(ctx, linked.Credential)
		w.code(chat.CodeUnauthenticated, err)
		_, err = w.Get(ctx, p, w.guestRoom)
		w.code(chat.CodeUnauthenticated, err)
	})
}

func TestExpiryEndsWatches(t *testing.T) {
	run(t, func(w *world) {
		k, guest := w.watch(w.mia), w.watch(w.guest)
		w.join(k, w.guestRoom)
		w.join(guest, w.guestRoom)
		if k.Ends() == 0 {
			w.Fatal("no end known")
		}
		// Somebody who is used lives on.
		w.pass(29 * 24 * hour)
		w.ok(w.auth.Touch(ctx, w.mia))
		w.pass(2 * 24 * hour)
		if guest.end() != chat.CodeUnauthenticated {
			w.Errorf("idle guest: %q", guest.end())
		}
		if k.end() != "" {
			w.Errorf("used session: %q", k.end())
		}
		w.pass(29 * 24 * hour)
		if k.end() != chat.CodeSessionExpired {
			w.Errorf("idle session: %q", k.end())
		}
	})
}

// Between two sweeps nothing is delivered past a session's end either.
func TestNothingAfterExpiry(t *testing.T) {
	run(t, func(w *world) {
		late := w.nodeSweeping(365 * 24 * hour)
		k, listed, other := w.watchOn(late, w.mia), w.watchOn(late, w.mia), w.watchOn(late, w.guest)
		w.join(k, w.guestRoom)
		w.pass(29 * 24 * hour)
		w.ok(w.auth.Touch(ctx, w.guest))
		w.ok(w.auth.Touch(ctx, w.ada))
		w.pass(2 * 24 * hour)
		must(late.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "late", Text: "late"}))(w.T)
		w.settle()
		if got := k.take(); got != nil || k.end() != chat.CodeSessionExpired {
			w.Errorf("got %v, ended %q", kinds(got), k.end())
		}
		if got := listed.take(); got != nil {
			w.Errorf("list: %v", kinds(got))
		}
		if got := kinds(other.take()); !slices.Equal(got, []string{"room unread=0 closed=false"}) {
			w.Errorf("the list of somebody whose session lives: %v", got)
		}
		late.Stop()
	})
}

var rounds = flag.Int("rounds", 50, "rounds of TestRevocationRace, over all ways to lose a room")

// Requests, joins and deliveries in flight while the right is lost: once the
// call that takes it has returned, nothing succeeds and nothing arrives.
func TestRevocationRace(t *testing.T) {
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			for round := range *rounds/len(losses) + 1 {
				run(t, func(w *world) { race(w, l, round) })
			}
		})
	}
}

func race(w *world, l loss, round int) {
	p := l.who(w)
	w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
	k := w.watch(p)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	loop := func(f func(i int)) {
		busy.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	var mu sync.Mutex
	sent := 0
	loop(func(i int) {
		if i < 400 {
			w.Send(ctx, w.bo, protocol.Send{Room: w.guestRoom, ClientID: chat.ClientID(fmt.Sprintf("race%d", i)), Text: "x"})
			mu.Lock()
			sent++
			mu.Unlock()
		}
	})
	loop(func(int) { k.Join(ctx, protocol.Join{Room: w.guestRoom}) })
	loop(func(int) { w.Get(ctx, p, w.guestRoom) })
	loop(func(int) { k.Heads(ctx) })
	for { // lose the right at another moment each round
		mu.Lock()
		n := sent
		mu.Unlock()
		if n >= round%10 {
			break
		}
	}
	w.ok(l.do(w))
	k.take() // what the queue holds now was allowed when it was put there, or is gone
	for _, op := range ops {
		if err := op.do(w, p, w.guestRoom); err == nil {
			w.Errorf("%s succeeded after the loss", op.name)
		}
	}
	w.Send(ctx, w.bo, protocol.Send{Room: w.guestRoom, ClientID: "final", Text: "not for you"})
	close(stop)
	busy.Wait()
	w.settle()
	for _, f := range k.take() {
		if f.Gone == nil {
			w.Errorf("after the loss: %v", kinds([]protocol.ServerFrame{f}))
		}
	}
	if k.after > 0 {
		w.Errorf("%d frames after the end", k.after)
	}
	k.Close()
}

// Where storage can't say whether the right is lost, the socket is ended; where
// the commit's answer was lost, the loss is found all the same.
func TestRevocationInDoubt(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		w.join(k, w.guestRoom)
		w.faults.Script(errDisk, conformance.After)
		if err := w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User); err == nil {
			w.Fatal("the fault did not show")
		}
		if got := kinds(k.take()); !slices.Equal(got, []string{"gone"}) {
			w.Errorf("failed, but had happened: %v", got)
		}
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		w.join(k, w.guestRoom)
		w.faults.Script(errDisk, conformance.Before)
		if err := w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User); err == nil {
			w.Fatal("the fault did not show")
		}
		w.send(w.guest, w.guestRoom, "still here")
		w.settle()
		if got := texts(k.take()); !slices.Equal(got, []string{"still here"}) {
			w.Errorf("failed and had not happened: %v", got)
		}
		w.storage.set(func(s *shaky) { s.views = 1 })
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		if k.end() != chat.CodeUnavailable {
			w.Errorf("undecidable: %q", k.end())
		}
	})
}

// A change that commits between a decision and what follows from it does not slip by.
func TestRevocationBetweenDecisionAndDelivery(t *testing.T) {
	remove := func(w *world, on string) {
		w.storage.set(func(s *shaky) {
			s.then = func(name string) {
				if name != on {
					w.Errorf("looked in on a %s", name)
				}
				w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
			}
		})
	}
	t.Run("of a join", func(t *testing.T) {
		run(t, func(w *world) {
			k := w.watch(w.mia)
			remove(w, "view")
			_, err := k.Join(ctx, protocol.Join{Room: w.guestRoom})
			w.code(chat.CodeAccessDenied, err)
			w.send(w.guest, w.guestRoom, "not for mia")
			w.settle()
			if got := kinds(k.ever()); got != nil {
				w.Errorf("got %v", got)
			}
		})
	})
	t.Run("of a line of the list", func(t *testing.T) {
		run(t, func(w *world) {
			k := w.watch(w.mia)
			w.settle()
			w.storage.set(func(s *shaky) {
				s.then = func(string) { remove(w, "view") } // first the send, then the worker's read
			})
			w.send(w.guest, w.guestRoom, "not for mia")
			w.settle()
			if got := kinds(k.ever()); got != nil {
				w.Errorf("got %v", got)
			}
			if got := kinds(k.take()); !slices.Equal(got, []string{"gone"}) {
				w.Errorf("got %v", got)
			}
		})
	})
	t.Run("of a catch-up", func(t *testing.T) {
		run(t, func(w *world) {
			k := w.watch(w.mia)
			w.join(k, w.guestRoom)
			w.faults.Script(errDisk, conformance.After) // the commit's answer is lost, so that joins read storage
			w.storage.set(func(s *shaky) { s.then = func(string) { remove(w, "view") } })
			w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "x", Text: "not for mia"})
			w.settle()
			if got := texts(k.ever()); got != nil {
				w.Errorf("got %v", got)
			}
		})
	})
	t.Run("of a watch", func(t *testing.T) {
		run(t, func(w *world) {
			w.storage.set(func(s *shaky) {
				s.then = func(string) { w.ok(w.auth.SetActive(ctx, w.mia.User, false)) }
			})
			k := &sink{}
			watch, err := w.Watch(ctx, w.mia, k)
			w.code(chat.CodeUnauthenticated, err)
			if watch != nil {
				w.Error("a disabled user has a watch")
			}
		})
	})
}

// Not even an event of the removal itself reaches who was removed.
func TestRemovalIsNotDeliveredToTheRemoved(t *testing.T) {
	run(t, func(w *world) {
		k, guest := w.watch(w.mia), w.watch(w.guest)
		w.join(k, w.guestRoom)
		w.join(guest, w.guestRoom)
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.mia.User))
		w.join(k, w.guestRoom)
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.mia.User, false))
		w.settle()
		if got := kinds(k.ever()); slices.Contains(got, "participant_removed") {
			w.Errorf("got %v", got)
		}
		if got := kinds(guest.take()); !slices.Equal(got, []string{"participant_removed", "participant_added", "participant_removed"}) {
			w.Errorf("the others: %v", got)
		}
	})
}

// A link ends with its log-in also where that only runs out.
func TestLinkEndsWithItsLogin(t *testing.T) {
	run(t, func(w *world) {
		out := must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		p := must(w.Resolve(ctx, out.Credential))(w.T)
		k := w.watch(p)
		w.join(k, w.guestRoom)
		w.pass(29 * 24 * hour)
		w.ok(w.auth.Touch(ctx, p))
		must(w.Get(ctx, p, w.guestRoom))(w.T)
		w.pass(2 * 24 * hour)
		_, err := w.Get(ctx, p, w.guestRoom)
		w.code(chat.CodeUnauthenticated, err)
		if k.end() != chat.CodeUnauthenticated {
			w.Errorf("ended with %q", k.end())
		}
	})
}

func (s *shaky) set(f func(s *shaky)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// A message whose commit had happened although it failed is delivered, and its
// repeat is acknowledged as the first one.
func TestSendInDoubt(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.mia)
		w.join(k, w.guestRoom)
		m := protocol.Send{Room: w.guestRoom, ClientID: "doubt", Text: "hello"}
		w.faults.Script(errDisk, conformance.Before)
		_, err := w.Send(ctx, w.guest, m)
		w.code(chat.CodeInternal, err)
		w.settle()
		if got := k.take(); got != nil {
			w.Errorf("failed and had not happened: %v", kinds(got))
		}
		w.faults.Script(errDisk, conformance.After)
		_, err = w.Send(ctx, w.guest, m)
		w.code(chat.CodeInternal, err)
		w.settle()
		if got := texts(k.take()); !slices.Equal(got, []string{"hello"}) {
			w.Errorf("failed, but had happened: %v", got)
		}
		ack := must(w.Send(ctx, w.guest, m))(w.T)
		w.settle()
		if ack.Seq != 2 || k.take() != nil {
			w.Errorf("the repeat: %+v", ack)
		}
		var events []chat.Event
		w.ok(w.storage.Storage.View(ctx, func(r storage.Reader) (err error) {
			events, err = r.Events(storage.EventQuery{Room: w.guestRoom, Limit: 10})
			return err
		}))
		if len(events) != 2 {
			w.Errorf("%d events", len(events))
		}
	})
}
