package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// stuck is for how long no Update may end while some are under way: a disk that
// does not come back from a sync gives no error.
const stuck = 10 * time.Second

// Checked is a Storage that can tell whether it takes writes. It is safe for
// concurrent use.
type Checked struct {
	Storage
	now      func() time.Time
	refusing atomic.Bool // the last Update's outcome was the storage's refusal
	probing  sync.Mutex  // held by the one probe at a time

	mu       sync.Mutex
	underWay int       // Updates
	moved    time.Time // when one of them ended last, or the first of them began
}

// Check wraps a storage, which it then owns. now is the clock, usually time.Now.
func Check(s Storage, now func() time.Time) *Checked { return &Checked{Storage: s, now: now} }

// refusals are what Update returns for the storage's own sake, not for f's.
var refusals = []error{ErrFull, ErrBusy, ErrReadOnly, ErrFailed, ErrClosed}

func refusal(err error) bool {
	for _, r := range refusals {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// Update implements Storage and notes whether it was refused.
func (c *Checked) Update(ctx context.Context, f func(Writer) error) error {
	c.count(1)
	defer c.count(-1)
	err := c.Storage.Update(ctx, f)
	if err == nil || refusal(err) {
		c.refusing.Store(err != nil)
	}
	return err
}

func (c *Checked) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay == 0 || n < 0 {
		c.moved = c.now()
	}
	c.underWay += n
}

// hangs tells that Updates are under way and none has ended for long.
func (c *Checked) hangs() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := c.now().Sub(c.moved); c.underWay > 0 && since > stuck {
		return fmt.Errorf("%w: none of %d updates has ended for %s", ErrBusy, c.underWay, since.Round(time.Second))
	}
	return nil
}

// Ready returns nil if the storage answers reads and, as far as is known,
// writes. It returns ErrBusy while writes neither succeed nor fail. While the
// last Update was refused, each call tries a small write of its own, so that
// readiness returns without anybody's help; where one is tried already, ErrBusy
// is returned at once. What it writes is a burned token that never was, which
// Sweep removes: nothing a driver would need to know of.
// It is another one each time, because SQLite does not touch the disk to write
// what is there already.
func (c *Checked) Ready(ctx context.Context) error {
	if err := c.View(ctx, func(r Reader) error { _, err := r.Epoch(); return err }); err != nil {
		return err
	}
	if err := c.hangs(); err != nil || !c.refusing.Load() {
		return err
	}
	if !c.probing.TryLock() {
		return ErrBusy
	}
	defer c.probing.Unlock()
	var never Hash
	rand.Read(never[:]) // never fails
	return c.Update(ctx, func(w Writer) error { return w.BurnToken(never, 0) })
}
