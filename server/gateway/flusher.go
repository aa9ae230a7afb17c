package gateway

import (
	"sync"
	"time"
)

const (
	// A socket that was written to less than busy ago waits for calm before the
	// next message, so that what comes meanwhile goes with it: a write costs far
	// more than what is in it. People do not write so fast, and nobody sees calm.
	// busy is longer than it takes to write to all of a great room, and calm is
	// longer than a commit, so that those who wrote at one time meet here.
	busy = moment(100 * time.Millisecond)
	calm = 4 * time.Millisecond
	// turn is how many sockets one goroutine takes at a time.
	turn = 32
)

// moment is a monotonic time.
type moment int64

var epoch = time.Now()

func now() moment { return moment(time.Since(epoch)) }

// flusher writes for all sockets, with as many goroutines as there are
// processors: they have grown their stacks once, and a write does not wait for
// the peer (tap). Safe for concurrent use.
type flusher struct {
	done sync.WaitGroup

	mu      sync.Mutex
	work    sync.Cond
	ready   []*queue // in the order of their time
	first   int      // of ready; those before it are taken
	calming []*queue // waiting for calm
	calm    *time.Timer
	stopped bool
}

// newFlusher starts a flusher, which runs until stop.
func newFlusher(goroutines int) *flusher {
	f := &flusher{}
	f.work.L = &f.mu
	for range goroutines {
		f.done.Go(f.run) // owned by f: stop ends it and waits
	}
	return f
}

// add has a queue flushed. The caller holds its lock. It returns false where
// the flusher has stopped.
func (f *flusher) add(q *queue) bool {
	wait := q.flushed != 0 && now()-q.flushed < busy
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return false
	}
	if !wait {
		f.ready = append(f.ready, q)
		f.work.Signal()
		return true
	}
	if f.calming = append(f.calming, q); len(f.calming) == 1 {
		if f.calm == nil {
			f.calm = time.AfterFunc(calm, f.calmed)
		} else {
			f.calm.Reset(calm)
		}
	}
	return true
}

// calmed makes those ready that waited for calm.
func (f *flusher) calmed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready = append(f.ready, f.calming...)
	clear(f.calming)
	f.calming = f.calming[:0]
	f.work.Broadcast()
}

func (f *flusher) run() {
	var mine [turn]*queue
	for {
		f.mu.Lock()
		for f.first == len(f.ready) && !f.stopped {
			f.work.Wait()
		}
		n := f.take(mine[:])
		f.mu.Unlock()
		if n == 0 {
			return
		}
		for i, q := range mine[:n] {
			q.flushListed()
			mine[i] = nil
		}
	}
}

// take moves the next queues out of ready. The caller holds f.mu.
func (f *flusher) take(mine []*queue) int {
	n := copy(mine, f.ready[f.first:])
	clear(f.ready[f.first : f.first+n])
	if f.first += n; 2*f.first >= len(f.ready) { // moving those that wait costs no more than taking did
		rest := copy(f.ready, f.ready[f.first:])
		clear(f.ready[rest:])
		f.ready, f.first = f.ready[:rest], 0
	}
	return n
}

// stop ends the flusher once what is due is written.
func (f *flusher) stop() {
	f.mu.Lock()
	f.stopped = true
	f.ready = append(f.ready, f.calming...)
	f.calming = nil
	f.work.Broadcast()
	f.mu.Unlock()
	f.done.Wait()
}
