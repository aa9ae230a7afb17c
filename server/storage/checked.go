package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
)

// Checked is a Storage that can tell whether it takes writes. It is safe for
// concurrent use.
type Checked struct {
	Storage
	refusing atomic.Bool // the last Update's outcome was the storage's refusal
	probing  sync.Mutex  // held by the one probe at a time
}

// Check wraps a storage, which it then owns.
func Check(s Storage) *Checked { return &Checked{Storage: s} }

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
	err := c.Storage.Update(ctx, f)
	if err == nil || refusal(err) {
		c.refusing.Store(err != nil)
	}
	return err
}

// Ready returns nil if the storage answers reads and, as far as is known,
// writes. While the last Update was refused, each call tries a small write of
// its own, so that readiness returns without anybody's help; where one is
// tried already, ErrBusy is returned at once. What it writes is a burned token
// that never was, which Sweep removes: nothing a driver would need to know of.
// It is another one each time, because SQLite does not touch the disk to write
// what is there already.
func (c *Checked) Ready(ctx context.Context) error {
	if err := c.View(ctx, func(r Reader) error { _, err := r.Epoch(); return err }); err != nil {
		return err
	}
	if !c.refusing.Load() {
		return nil
	}
	if !c.probing.TryLock() {
		return ErrBusy
	}
	defer c.probing.Unlock()
	var never Hash
	rand.Read(never[:]) // never fails
	return c.Update(ctx, func(w Writer) error { return w.BurnToken(never, 0) })
}
