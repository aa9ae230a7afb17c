package conformance_test

import (
	"bytes"
	"errors"
	"testing"

	"anteroom/server/conformance"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// A Faulty without a script is the storage it wraps.
func TestFaultyPassesTheSuite(t *testing.T) {
	conformance.Storage(t, func(t testing.TB, backup []byte) storage.Storage {
		if backup == nil {
			return conformance.NewFaulty(storage.NewMemory())
		}
		m, err := storage.OpenMemory(bytes.NewReader(backup))
		if err != nil {
			t.Fatal(err)
		}
		return conformance.NewFaulty(m)
	})
}

func TestFaultyFollowsItsScript(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  conformance.Fault
		err    error
		runs   int // of the Update's function
		events int // that are stored after it, and after a resend
	}{
		{"nothing fails", conformance.None, nil, 1, 1},
		{"failed", conformance.Before, storage.ErrBusy, 1, 0},
		{"failed, but had happened", conformance.After, storage.ErrBusy, 1, 1},
		{"run again", conformance.Twice, nil, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := conformance.NewFaulty(storage.NewMemory())
			defer f.Close()
			runs, events := 0, 0
			send := func() error {
				return f.Update(t.Context(), func(w storage.Writer) error {
					runs++
					_, _, err := w.Append("r_a", chat.Event{Kind: chat.MessagePosted, Sender: "g_a", ClientID: "1", Text: "x"})
					return err
				})
			}
			count := func() int {
				f.View(t.Context(), func(r storage.Reader) error {
					log, _ := r.Events(storage.EventQuery{Room: "r_a", Limit: 9})
					events = len(log)
					return nil
				})
				return events
			}
			if err := f.Update(t.Context(), func(w storage.Writer) error { return w.CreateRoom(storage.Room{ID: "r_a"}) }); err != nil {
				t.Fatal(err)
			}
			f.Script(storage.ErrBusy, c.fault)
			if err := send(); !errors.Is(err, c.err) {
				t.Errorf("got %v, want %v", err, c.err)
			}
			if runs != c.runs || count() != c.events || f.Seen() != 1 {
				t.Errorf("%d runs, %d events, %d seen; want %d, %d, 1", runs, count(), f.Seen(), c.runs, c.events)
			}
			if err := send(); err != nil || count() != 1 {
				t.Errorf("resend: %v, %d events", err, count())
			}
		})
	}
}
