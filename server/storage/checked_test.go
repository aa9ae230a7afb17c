package storage_test

import (
	"context"
	"errors"
	"testing"

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
			s := storage.Check(faulty)
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
	s := storage.Check(faulty)
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
