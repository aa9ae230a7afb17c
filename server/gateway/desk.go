package gateway

import "sync"

// spare is how many desks are kept for the next messages.
const spare = 128

// desks are where messages are worked on: goroutines that a reader borrows for
// one message at a time. To carry out a frame takes a deep stack, and a stack
// that has grown never shrinks below four times what it holds; so readers, of
// which every idle socket has one, keep theirs small. There are never more desks
// in use than readers. Safe for concurrent use.
type desks struct {
	done sync.WaitGroup

	mu      sync.Mutex
	free    []*desk
	stopped bool
}

// desk is one of them. Its goroutine ends when in is closed.
type desk struct {
	in  chan task
	out chan struct{}
}

// task is a message of one socket.
type task struct {
	c     *conn
	lines [][]byte
}

// do works on a message and returns when that is done.
func (d *desks) do(t task) {
	w := d.take()
	w.in <- t
	<-w.out
	d.put(w)
}

func (d *desks) take() *desk {
	d.mu.Lock()
	if n := len(d.free); n > 0 {
		w := d.free[n-1]
		d.free[n-1] = nil
		d.free = d.free[:n-1]
		d.mu.Unlock()
		return w
	}
	d.mu.Unlock()
	w := &desk{make(chan task), make(chan struct{})}
	d.done.Go(func() { // owned by d: put or stop closes in, and stop waits
		for t := range w.in {
			t.c.work(t.lines)
			w.out <- struct{}{}
		}
	})
	return w
}

func (d *desks) put(w *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || len(d.free) >= spare {
		close(w.in)
		return
	}
	d.free = append(d.free, w)
}

// stop ends the desks once those in use are put back.
func (d *desks) stop() {
	d.mu.Lock()
	d.stopped = true
	for _, w := range d.free {
		close(w.in)
	}
	d.free = nil
	d.mu.Unlock()
	d.done.Wait()
}
