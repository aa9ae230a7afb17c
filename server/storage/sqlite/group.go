//go:build !js

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"anteroom/server/storage"
)

// maxGroup bounds how many Updates share a commit, so that the first of a
// burst is not acknowledged with the last.
const maxGroup = 1024

// job is an Update on its way through the writer.
type job struct {
	f        func(storage.Writer) error
	taken    atomic.Bool // by the writer, or by a caller who gave up
	err      error       // of f or of the commit; set before done is closed
	panicked any
	done     chan struct{}
}

var errExited = errors.New("an Update's function ended its goroutine")

// Update implements storage.Storage.
func (d *DB) Update(ctx context.Context, f func(storage.Writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{f: f, done: make(chan struct{})}
	if err := d.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if !j.taken.Swap(true) {
			return ctx.Err()
		}
		<-j.done
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

func (d *DB) enqueue(j *job) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return storage.ErrClosed
	}
	select {
	case d.queue <- j:
		return nil
	default:
		return fmt.Errorf("%w: %d updates are waiting", storage.ErrBusy, cap(d.queue))
	}
}

// write is the writer's goroutine: one group after the other until the queue
// is closed and empty.
func (d *DB) write(c *conn) {
	exited := true
	defer func() {
		if exited { // an f called runtime.Goexit, as t.FailNow does
			go d.write(c) // in place of this one
			return
		}
		c.close()
		close(d.done)
	}()
	for j := range d.queue {
		if !j.taken.Swap(true) {
			d.group(c, j)
		}
	}
	exited = false
}

// group runs first and whatever else is queued in one transaction. A savepoint
// for each would cost about as much as an Update's own statements, and next to
// none is ever rolled back; so they run without, and only if one fails after it
// has changed something is the transaction rolled back and all run again, each
// in its savepoint. An Update that is refused before it writes costs nothing.
func (d *DB) group(c *conn, first *job) {
	jobs := []*job{first}
	outcome := errExited // of all, unless nil
	defer func() {
		if outcome != nil {
			c.rollback()
		}
		for _, j := range jobs {
			if outcome != nil {
				j.err = outcome
			}
			close(j.done)
		}
	}()
	if err := c.begin("BEGIN IMMEDIATE"); err != nil {
		// All who wait would wait as long for the same answer.
		for j := d.next(); j != nil; j = d.next() {
			jobs = append(jobs, j)
		}
		outcome = fmt.Errorf("begin to write: %w", err)
		return
	}
	whole, waited := true, false
	for j := first; j != nil && whole; {
		if whole = j.run(c); c.broken != nil {
			outcome = fmt.Errorf("write: %w", c.broken)
			return
		}
		if len(jobs) == maxGroup {
			break
		}
		if j = d.next(); j == nil && !waited {
			// Those whom the commit before has freed are about to be back: let
			// them run first, or every second group is of a few.
			waited = true
			runtime.Gosched()
			j = d.next()
		}
		if j != nil {
			jobs = append(jobs, j)
		}
	}
	if !whole {
		c.rollback()
		if err := c.begin("BEGIN IMMEDIATE"); err != nil {
			outcome = fmt.Errorf("begin to write again: %w", err)
			return
		}
		for _, j := range jobs {
			if j.runApart(c); c.broken != nil {
				outcome = fmt.Errorf("write: %w", c.broken)
				return
			}
		}
	}
	if _, err := c.exec("COMMIT"); err != nil {
		outcome = fmt.Errorf("commit: %w", err)
		return
	}
	outcome = nil
}

// next takes a queued job, nil where none waits.
func (d *DB) next() *job {
	for {
		select {
		case j, ok := <-d.queue:
			if !ok {
				return nil
			}
			if !j.taken.Swap(true) {
				return j
			}
		default:
			return nil
		}
	}
}

// run runs one Update. It tells whether the transaction is whole: it holds what
// the Update did if it succeeded, nothing of it if it failed.
func (j *job) run(c *conn) (whole bool) {
	c.changed = false
	defer func() {
		j.panicked = recover()
		whole = j.panicked == nil && j.err == nil || !c.changed
	}()
	j.err = errExited // stays if f ends the goroutine
	j.err = j.f(writer{reader{c}})
	return
}

// runApart is run in a savepoint of its own, so that the transaction stays whole.
func (j *job) runApart(c *conn) {
	if _, err := c.exec("SAVEPOINT job"); err != nil {
		return
	}
	defer func() {
		if c.broken != nil {
			return
		}
		if j.panicked != nil || j.err != nil {
			c.exec("ROLLBACK TO job")
			c.undone()
		}
		c.exec("RELEASE job")
	}()
	j.run(c)
}
