//go:build !js

package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/store/chat"
)

// flushed runs f on queues that share a flusher, and compares what each wrote.
func flushed(t *testing.T, want []string, f func(q []*queue, s []*script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fl := newFlusher(2)
		var queues []*queue
		var scripts []*script
		for range want {
			s, q := &script{}, &queue{}
			q.init(s, Limits{QueueFrames: 8, QueueBytes: 1000})
			q.flusher = fl
			queues, scripts = append(queues, q), append(scripts, s)
		}
		f(queues, scripts)
		fl.stop()
		synctest.Wait()
		for i, s := range scripts {
			if got := strings.Join(s.log, " "); got != want[i] {
				t.Errorf("queue %d wrote %q, want %q", i, got, want[i])
			}
		}
	})
}

func TestFlusherWritesAtOnceAndMergesABurst(t *testing.T) {
	flushed(t, []string{"1 2|3|4 5"}, func(q []*queue, s []*script) {
		q[0].Deliver(event("r", "1"))
		synctest.Wait()
		if s[0].wrote() != 1 {
			t.Error("the first message waited")
		}
		for i := range 3 {
			q[0].Deliver(event("r", fmt.Sprint(i+2)))
			synctest.Wait()
		}
		if s[0].wrote() != 1 {
			t.Error("a burst was not waited for")
		}
		time.Sleep(calm)
		synctest.Wait()
		if s[0].wrote() != 2 {
			t.Error("a burst was waited for too long")
		}
		time.Sleep(time.Duration(busy))
		q[0].Deliver(event("r", "5"))
	})
}

// The reader's answer does not wait for calm, and takes with it what does.
func TestFlusherLeavesAnswersToTheReader(t *testing.T) {
	flushed(t, []string{"1 2|ack"}, func(q []*queue, s []*script) {
		q[0].Deliver(event("r", "1"))
		synctest.Wait()
		q[0].ask(asked{})
		q[0].Deliver(event("r", "2"))
		synctest.Wait()
		q[0].answer(item{re: 1, bytes: []byte("ack")}, nil)
		q[0].flushHere()
		if s[0].wrote() != 2 {
			t.Error("the answer waited")
		}
		time.Sleep(2 * calm)
	})
}

// What is revoked while it waits for calm is not written.
func TestFlusherRevokesWhatWaitsForCalm(t *testing.T) {
	flushed(t, []string{"1 " + gone("r"), "1 2"}, func(q []*queue, s []*script) {
		for _, q := range q {
			q.Deliver(event("r", "1"))
			synctest.Wait()
			q.Deliver(event("r", "2"))
		}
		q[0].Revoke("r")
		time.Sleep(2 * calm)
	})
}

// A goodbye may wait for its peer; it has a goroutine of its own.
func TestFlusherEndsASocket(t *testing.T) {
	flushed(t, []string{"1 end shutdown"}, func(q []*queue, s []*script) {
		q[0].Deliver(event("r", "1"))
		q[0].finish(chat.Errorf(chat.CodeShutdown, "bye"))
		q[0].wait()
	})
}

// Under -race: many sockets, everything is written once and in order.
func TestFlusherUnderFire(t *testing.T) {
	fl := newFlusher(3)
	const sockets, frames = 50, 200
	scripts := make([]*script, sockets)
	queues := make([]*queue, sockets)
	for i := range queues {
		scripts[i], queues[i] = &script{}, &queue{}
		queues[i].init(scripts[i], Limits{QueueFrames: 1000, QueueBytes: 1 << 20})
		queues[i].flusher = fl
	}
	var all sync.WaitGroup
	for i := range queues {
		all.Go(func() {
			for n := range frames {
				queues[i].Deliver(event("r", fmt.Sprint(n)))
				if n%7 == 0 {
					queues[i].flushHere()
				}
			}
		})
	}
	all.Wait()
	fl.stop()
	for i, q := range queues {
		q.wait()
		got := strings.Split(strings.Join(scripts[i].log, "|"), "|")
		for n := range frames {
			if len(got) != frames || got[n] != fmt.Sprint(n) {
				t.Fatalf("socket %d wrote %d frames: %v", i, len(got), got)
			}
		}
	}
}

// A server that always has something to write holds no more memory for it than
// what is to be written.
func TestFlusherThatIsNeverDone(t *testing.T) {
	f := newFlusher(0)
	defer f.stop()
	var mine [turn]*queue
	f.add(&queue{})
	for range 100_000 {
		f.add(&queue{})
		f.take(mine[:1])
	}
	if n := cap(f.ready); n > 1000 {
		t.Errorf("room for %d sockets is held, and one waits", n)
	}
}
