package conformance

import (
	"context"
	"errors"
	"io"
	"sync"

	"anteroom/server/storage"
)

// Fault says what happens to one Update.
type Fault int

// The faults.
const (
	None   Fault = iota
	Before       // the Update fails and nothing of it happened
	After        // the Update fails although it is durable
	Twice        // f runs, is rolled back, runs again and is stored: a driver may do so
)

// Faulty is a storage whose Updates fail as its script says. Safe for
// concurrent use; everything else goes through to the storage it wraps.
type Faulty struct {
	s storage.Storage

	mu     sync.Mutex
	script []Fault // what happens to the next Updates, first one first
	err    error
	seen   int // Updates so far
}

var _ storage.Storage = (*Faulty)(nil)

// NewFaulty wraps s; without a script nothing fails.
func NewFaulty(s storage.Storage) *Faulty { return &Faulty{s: s} }

// Script sets what happens to the next Updates; failures return err, which
// for a true copy of a driver is one of storage's. After it nothing fails.
func (f *Faulty) Script(err error, script ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script, f.err, f.seen = script, err, 0
}

// Seen tells how many Updates there were since Script.
func (f *Faulty) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func (f *Faulty) next() (Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	if len(f.script) == 0 {
		return None, nil
	}
	fault := f.script[0]
	f.script = f.script[1:]
	return fault, f.err
}

var errDiscard = errors.New("roll back the first of two runs")

// View implements storage.Storage.
func (f *Faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	return f.s.View(ctx, fn)
}

// Update implements storage.Storage.
func (f *Faulty) Update(ctx context.Context, fn func(storage.Writer) error) error {
	fault, failure := f.next()
	if fault == Before || fault == Twice {
		// f runs all the same: a commit fails after it, not before.
		refused := error(nil)
		err := f.s.Update(ctx, func(w storage.Writer) error {
			refused = fn(w)
			return errDiscard
		})
		if refused != nil {
			return refused
		}
		if !errors.Is(err, errDiscard) {
			return err
		}
		if fault == Before {
			return failure
		}
	}
	if err := f.s.Update(ctx, fn); err != nil {
		return err
	}
	if fault == After {
		return failure
	}
	return nil
}

// Backup implements storage.Storage.
func (f *Faulty) Backup(ctx context.Context, w io.Writer) error { return f.s.Backup(ctx, w) }

// Close implements storage.Storage.
func (f *Faulty) Close() error { return f.s.Close() }
