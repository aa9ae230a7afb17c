package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// slots is how many times a beat's period is divided: sockets beat spread over it.
const slots = 64

// wheel beats for all sockets with one timer. Each socket sits in a slot drawn
// at random, and one slot is served at a time; a slot that takes longer than
// its share (storage is slow) delays its successors, it does not pile up.
type wheel struct {
	mu   sync.Mutex
	slot [slots]map[*conn]struct{}
}

func (w *wheel) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := rand.IntN(slots)
	if w.slot[i] == nil {
		w.slot[i] = make(map[*conn]struct{})
	}
	w.slot[i][c] = struct{}{}
	c.slot = i + 1
}

func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.slot > 0 {
		delete(w.slot[c.slot-1], c)
		c.slot = 0
	}
}

// run serves the slots in turn until ctx ends.
func (w *wheel) run(ctx context.Context, period time.Duration, beat func(*conn)) {
	t := time.NewTicker(max(period/slots, time.Millisecond))
	defer t.Stop()
	var due []*conn
	for i := 0; ; i = (i + 1) % slots {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		w.mu.Lock()
		due = due[:0]
		for c := range w.slot[i] {
			due = append(due, c)
		}
		w.mu.Unlock()
		for _, c := range due {
			beat(c)
		}
		clear(due)
	}
}
