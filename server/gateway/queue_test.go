//go:build !js

package gateway

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"anteroom/server/rooms"
	"anteroom/store/chat"
)

// script is a pipe that records, and writes nothing while it is held.
type script struct {
	mu   sync.Mutex
	hold chan struct{} // nil: writes go through
	log  []string
	fail bool
	slow bool // writes are told to be done later
}

func (s *script) write(message []byte) (bool, error) {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return false, errors.New("broken")
	}
	s.log = append(s.log, strings.ReplaceAll(string(message), "\n", "|"))
	return s.slow, nil
}

// wrote is how many messages were written.
func (s *script) wrote() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

func (s *script) end(err *chat.Error) { s.note("end " + string(err.Code)) }
func (s *script) cut()                { s.note("cut") }

func (s *script) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, line)
}

func (s *script) block() (release func()) {
	c := make(chan struct{})
	s.mu.Lock()
	s.hold = c
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.hold = nil
		s.mu.Unlock()
		close(c)
	}
}

// queued runs f on a queue in a bubble and compares what was written.
func queued(t *testing.T, want []string, f func(q *queue, s *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		q := &queue{}
		q.init(s, Limits{QueueFrames: 8, QueueBytes: 1000})
		f(q, s)
		synctest.Wait()
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.writing || q.size != 0 || len(q.waiting)+len(q.held) != 0 {
			t.Errorf("left: writing %t, %d bytes, %d and %d frames", q.writing, q.size, len(q.waiting), len(q.held))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if got, want := strings.Join(s.log, "\n"), strings.Join(want, "\n"); got != want {
			t.Errorf("written:\n%s\nwant:\n%s", got, want)
		}
	})
}

func event(room, text string) rooms.Frame {
	return rooms.Frame{Bytes: []byte(text), Room: chat.RoomID(room)}
}

func signal(room, text string) rooms.Frame {
	return rooms.Frame{Bytes: []byte(text), Room: chat.RoomID(room), Ephemeral: true}
}

func gone(room string) string { return `{"gone":{"room":"` + room + `"}}` }

func TestQueueMergesWhatWaits(t *testing.T) {
	queued(t, []string{"1", "2|3|4", "5"}, func(q *queue, s *script) {
		release := s.block()
		q.Deliver(event("r", "1"))
		synctest.Wait()
		q.Deliver(event("r", "2"))
		q.Deliver(signal("r", "3"))
		q.Deliver(event("r", "4"))
		release()
		synctest.Wait()
		q.Deliver(event("r", "5"))
	})
}

// Where the peer does not take a message at once, the rest waits, and may be revoked.
func TestQueueWaitsForASlowPeer(t *testing.T) {
	queued(t, []string{"1", gone("r"), "3"}, func(q *queue, s *script) {
		s.slow = true
		q.Deliver(event("r", "1"))
		synctest.Wait()
		q.Deliver(event("r", "2"))
		q.Revoke("r")
		synctest.Wait()
		q.mu.Lock()
		if !q.writing || len(q.waiting) != 1 {
			t.Errorf("writing %t, %d frames wait", q.writing, len(q.waiting))
		}
		q.mu.Unlock()
		s.slow = false
		q.written(nil)
		synctest.Wait()
		q.Deliver(event("r", "3"))
	})
}

func TestQueueEndsWithAPeerThatNeverReads(t *testing.T) {
	queued(t, []string{"1", "cut"}, func(q *queue, s *script) {
		s.slow = true
		q.Deliver(event("r", "1"))
		synctest.Wait()
		q.Deliver(event("r", "2"))
		q.written(errors.New("too late"))
	})
}

func TestQueueDropsSignalsFirst(t *testing.T) {
	queued(t, []string{"0", "1|2|3|4|5|6|7|8"}, func(q *queue, s *script) {
		release := s.block()
		q.Deliver(event("r", "0"))
		synctest.Wait()
		for i := range 3 {
			q.Deliver(signal("r", fmt.Sprint("early", i))) // dropped for those that must stay
		}
		q.Deliver(event("r", "1"))
		q.Deliver(signal("r", "late")) // half is full
		for i := range 7 {
			q.Deliver(event("r", fmt.Sprint(i+2)))
		}
		release()
	})
}

func TestQueueEndsTheSlow(t *testing.T) {
	for name, size := range map[string]int{"frames": 1, "bytes": 300} {
		queued(t, []string{"0", "end slow_consumer"}, func(q *queue, s *script) {
			release := s.block()
			q.Deliver(event("r", "0"))
			synctest.Wait()
			for range 9 {
				q.Deliver(event("r", strings.Repeat("x", size)))
			}
			q.mu.Lock()
			if q.size > 1000 || len(q.waiting) > 8 {
				t.Errorf("%s: %d bytes, %d frames wait", name, q.size, len(q.waiting))
			}
			q.mu.Unlock()
			release()
		})
	}
}

func TestQueueRevokes(t *testing.T) {
	const r, o = "r_aaaaaaaaaaaaaaaaaaaaaaaaaa", "r_baaaaaaaaaaaaaaaaaaaaaaaaa"
	denied := func(re int) string {
		return fmt.Sprintf(`{"re":%d,"error":{"code":"access_denied","message":"Access denied to this room","room":"%s"}}`, re, r)
	}
	t.Run("what waits", func(t *testing.T) {
		queued(t, []string{"0", "other|" + denied(4) + `|{"re":5,"error":{"code":"unavailable","message":"The list changed, ask again"}}|ack|` + gone(r)}, func(q *queue, s *script) {
			release := s.block()
			q.Deliver(event(o, "0"))
			synctest.Wait()
			q.Deliver(event(r, "secret"))
			q.Deliver(event(o, "other"))
			q.ask(asked{room: r})
			q.answer(item{re: 4, room: r, bytes: []byte("secret history")}, nil)
			q.ask(asked{list: true})
			q.answer(item{re: 5, list: true, bytes: []byte("list with " + r)}, nil)
			q.push(item{list: true, signal: true, bytes: []byte("beat with " + r)})
			q.ask(asked{})
			q.answer(item{re: 6, bytes: []byte("ack")}, nil)
			q.Revoke(r)
			release()
		})
	})
	t.Run("an answer under way", func(t *testing.T) {
		queued(t, []string{gone(r), denied(4)}, func(q *queue, s *script) {
			q.ask(asked{room: r, join: true})
			q.Deliver(event(r, "secret"))
			q.Revoke(r)
			synctest.Wait()
			q.answer(item{re: 4, room: r, bytes: []byte("secret snapshot")}, func() []byte { return []byte(denied(4)) })
			q.flushHere()
		})
	})
	t.Run("a list under way is made anew", func(t *testing.T) {
		queued(t, []string{gone(r), "list without it"}, func(q *queue, s *script) {
			q.ask(asked{list: true})
			q.Revoke(r)
			synctest.Wait()
			if !q.retry() || q.retry() {
				t.Error("retry is not once")
			}
			q.answer(item{re: 5, list: true, bytes: []byte("list without it")}, nil)
			q.flushHere()
		})
	})
	t.Run("another room's answer", func(t *testing.T) {
		queued(t, []string{gone(r), "snapshot"}, func(q *queue, s *script) {
			q.ask(asked{room: o, join: true})
			q.Revoke(r)
			synctest.Wait()
			q.answer(item{re: 4, room: o, bytes: []byte("snapshot")}, nil)
			q.flushHere()
		})
	})
}

func TestQueueHoldsEventsBehindJoined(t *testing.T) {
	queued(t, []string{"other", "joined|1|2"}, func(q *queue, s *script) {
		q.ask(asked{room: "r", join: true})
		q.Deliver(event("r", "1"))
		q.Deliver(event("o", "other"))
		synctest.Wait()
		q.Deliver(event("r", "2"))
		synctest.Wait()
		q.answer(item{re: 1, room: "r", bytes: []byte("joined")}, nil)
		q.flushHere()
	})
}

func TestQueueHoldsAllBehindTheWelcome(t *testing.T) {
	queued(t, []string{"welcome|1|2"}, func(q *queue, s *script) {
		q.ask(asked{greet: true})
		q.Deliver(event("r", "1"))
		q.Deliver(rooms.Frame{Bytes: []byte("2")})
		synctest.Wait()
		q.answer(item{re: 1, bytes: []byte("welcome")}, nil)
		q.flushHere()
	})
}

func TestQueueEnds(t *testing.T) {
	over := chat.Errorf(chat.CodeUnauthenticated, "over")
	t.Run("at once", func(t *testing.T) {
		queued(t, []string{"0", "end unauthenticated"}, func(q *queue, s *script) {
			release := s.block()
			q.Deliver(event("r", "0"))
			synctest.Wait()
			q.Deliver(event("r", "secret"))
			q.End(over)
			q.Deliver(event("r", "later"))
			q.Revoke("r")
			if q.ask(asked{}) {
				t.Error("a request was begun on an ended socket")
			}
			release()
		})
	})
	t.Run("with a request under way", func(t *testing.T) {
		queued(t, []string{"end unauthenticated"}, func(q *queue, s *script) {
			q.ask(asked{room: "r"})
			q.End(over)
			q.answer(item{re: 1, room: "r", bytes: []byte("secret")}, nil)
			q.flushHere()
		})
	})
	t.Run("after the request under way", func(t *testing.T) {
		queued(t, []string{"1", "ack", "end shutdown"}, func(q *queue, s *script) {
			q.ask(asked{})
			q.Deliver(event("r", "1"))
			q.finish(chat.Errorf(chat.CodeShutdown, "bye"))
			synctest.Wait()
			q.Deliver(event("r", "too late"))
			q.answer(item{re: 1, bytes: []byte("ack")}, nil)
			q.flushHere()
		})
	})
	t.Run("hard after soft", func(t *testing.T) {
		queued(t, []string{"0", "end shutdown"}, func(q *queue, s *script) {
			release := s.block()
			q.Deliver(event("r", "0"))
			synctest.Wait()
			q.Deliver(event("r", "secret"))
			q.finish(chat.Errorf(chat.CodeShutdown, "bye"))
			q.End(over)
			release()
		})
	})
	t.Run("broken", func(t *testing.T) {
		queued(t, []string{"cut"}, func(q *queue, s *script) {
			s.fail = true
			q.Deliver(event("r", "0"))
			synctest.Wait()
			q.Deliver(event("r", "1"))
			q.End(over)
		})
	})
}

func TestQueueMakesTheAskerWait(t *testing.T) {
	queued(t, []string{"0", "1|2|3|4"}, func(q *queue, s *script) {
		release := s.block()
		q.Deliver(event("r", "0"))
		synctest.Wait()
		waited := make(chan struct{})
		go func() {
			defer close(waited)
			for i := range 4 {
				q.ask(asked{})
				q.answer(item{re: 1, bytes: []byte(fmt.Sprint(i + 1))}, nil)
			}
			q.await()
		}()
		synctest.Wait()
		select {
		case <-waited:
			t.Error("it did not wait")
		default:
		}
		release()
		<-waited
	})
}

// A message may hold many frames: their answers go out while it is worked on,
// also where nothing was being written when it came.
func TestQueueBoundsTheAnswersOfOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		q := &queue{}
		q.init(s, Limits{QueueFrames: 8, QueueBytes: 1000})
		most := 0
		for range 10 {
			q.ask(asked{})
			q.answer(item{re: 1, bytes: make([]byte, 200)}, nil)
			most = max(most, q.size)
			q.await()
		}
		q.flushHere()
		if most > 600 || s.wrote() != 4 {
			t.Errorf("%d bytes waited, %d messages were written; want 600 and 4", most, s.wrote())
		}
	})
}

// Under -race: everything at once keeps the bound and ends.
func TestQueueUnderFire(t *testing.T) {
	s := &script{}
	q := &queue{}
	q.init(s, Limits{QueueFrames: 32, QueueBytes: 4096})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 300 {
				switch (g + i) % 5 {
				case 0:
					q.Revoke("r")
				case 1:
					q.Deliver(signal("r", "s"))
				default:
					q.Deliver(event("r", "e"))
				}
			}
		})
	}
	all.Go(func() {
		for range 300 {
			if !q.ask(asked{room: "r", join: true}) {
				return
			}
			q.answer(item{re: 1, room: "r", bytes: []byte("a")}, func() []byte { return []byte("d") })
			q.await()
			q.flushHere()
		}
	})
	all.Wait()
	q.finish(chat.Errorf(chat.CodeShutdown, "bye"))
	q.wait()
	if last := s.log[len(s.log)-1]; !strings.HasPrefix(last, "end ") || !q.dead {
		t.Errorf("it ended with %q", last)
	}
}
