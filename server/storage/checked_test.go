package storage_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/server/conformance"
	"anteroom/server/storage"
)

// A storage whose writes fail is not ready though it is read, and is again as
// soon as it takes one, without anybody else writing.
func TestCheckedKnowsRefusedWrites(t *testing.T) {
	ctx := t.Context()
	write := func(w storage.Writer) error { return w.AddAudit(storage.AuditEntry{Action: "test"}) }
	for _, refusal := range []error{storage.ErrFull, storage.ErrBusy, storage.ErrReadOnly, storage.ErrFailed} {
		for _, fault := range []conformance.Fault{conformance.Before, conformance.After} {
			faulty := conformance.NewFaulty(storage.NewMemory())
			s := storage.Check(faulty, time.Now)
			if err := s.Ready(ctx); err != nil || faulty.Seen() != 0 {
				t.Fatalf("at first: %v after %d writes", err, faulty.Seen())
			}
			faulty.Script(refusal, fault, fault, fault)
			if err := s.Update(ctx, write); !errors.Is(err, refusal) {
				t.Fatalf("the write gives %v", err)
			}
			for range 2 {
				if err := s.Ready(ctx); !errors.Is(err, refusal) {
					t.Errorf("while writes give %v, readiness is %v", refusal, err)
				}
			}
			if err := s.Ready(ctx); err != nil {
				t.Errorf("after %v, readiness is %v", refusal, err)
			}
			seen := faulty.Seen()
			if err := s.Ready(ctx); err != nil || faulty.Seen() != seen {
				t.Errorf("while all is well: %v, and %d writes to find out", err, faulty.Seen()-seen)
			}
		}
	}
}

// What is an Update's own fault says nothing about the storage.
func TestCheckedIgnoresOtherErrors(t *testing.T) {
	faulty := conformance.NewFaulty(storage.NewMemory())
	s := storage.Check(faulty, time.Now)
	own := errors.New("not allowed")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, update := range map[string]func() error{
		"refused by its function": func() error { return s.Update(t.Context(), func(storage.Writer) error { return own }) },
		"a conflict": func() error {
			return s.Update(t.Context(), func(w storage.Writer) error { return storage.ErrConflict })
		},
		"given up": func() error { return s.Update(ended, func(storage.Writer) error { return nil }) },
	} {
		faulty.Script(nil)
		if update() == nil {
			t.Errorf("%s: no error", what)
		}
		seen := faulty.Seen()
		if err := s.Ready(t.Context()); err != nil || faulty.Seen() != seen {
			t.Errorf("%s: readiness is %v after %d writes", what, err, faulty.Seen()-seen)
		}
	}
	// And does not make it well again.
	faulty.Script(storage.ErrFull, conformance.Before, conformance.None, conformance.Before)
	_ = s.Update(t.Context(), func(storage.Writer) error { return nil }) // refused
	_ = s.Update(t.Context(), func(storage.Writer) error { return own })
	if err := s.Ready(t.Context()); !errors.Is(err, storage.ErrFull) {
		t.Errorf("readiness is %v", err)
	}
}

// hanging is a storage whose disk does not come back: an Update ends when it is let.
type hanging struct {
	storage.Storage
	began, end chan struct{}
}

func (h hanging) Update(context.Context, func(storage.Writer) error) error {
	h.began <- struct{}{}
	<-h.end
	return nil
}

// Writes that hang make the storage unready, though none fails, until one ends.
func TestCheckedKnowsHungWrites(t *testing.T) {
	var clock atomic.Int64
	h := hanging{storage.NewMemory(), make(chan struct{}), make(chan struct{})}
	s := storage.Check(h, func() time.Time { return time.Unix(clock.Load(), 0) })
	ready := func(when string, want error) {
		t.Helper()
		if err := s.Ready(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s, readiness is %v, want %v", when, err, want)
		}
	}
	ended := make(chan error)
	begin := func() {
		go func() { ended <- s.Update(t.Context(), nil) }()
		<-h.began
	}
	end := func() {
		h.end <- struct{}{}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	clock.Store(100)
	ready("before any write", nil)
	begin()
	clock.Add(10)
	ready("while a write is slow", nil)
	begin()
	clock.Add(1)
	ready("while two hang", storage.ErrBusy)
	end()
	ready("when one has ended", nil)
	clock.Add(11)
	ready("while the other hangs on", storage.ErrBusy)
	end()
	clock.Add(1000)
	ready("long after the last", nil)
	begin()
	ready("when the next has just begun", nil)
	end()
}
