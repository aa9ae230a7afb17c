package rooms_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// rows counts the events that Views read.
type rows struct {
	storage.Storage
	events atomic.Int64
}

func (s *rows) View(ctx context.Context, f func(storage.Reader) error) error {
	return s.Storage.View(ctx, func(r storage.Reader) error { return f(rowsReader{r, s}) })
}

type rowsReader struct {
	storage.Reader
	s *rows
}

func (r rowsReader) Events(q storage.EventQuery) ([]chat.Event, error) {
	out, err := r.Reader.Events(q)
	r.s.events.Add(int64(len(out)))
	return out, err
}

// Coming back costs what was missed, not what ever happened: the same reads and
// the same rows in a long room as in a short one.
func TestResumeCostsWhatWasMissed(t *testing.T) {
	run(t, func(w *world) {
		counted := &rows{Storage: w.storage.Storage}
		w.storage.Storage = counted
		k := w.watch(w.mia)
		first := w.join(k, w.guestRoom)
		cost := func(missed int64) (reads, events int64) {
			head := must(k.Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T).Head
			w.settle() // what the lists read of messages before is no cost of a return
			reads, events = w.storage.reads.Load(), counted.events.Load()
			j := must(k.Join(ctx, protocol.Join{Room: w.guestRoom, Cursor: &chat.Cursor{Epoch: first.Epoch, Seq: head - missed}}))(w.T)
			if j.Reset || len(j.Events) != int(missed) {
				w.Fatalf("missed %d of %d: reset %t, %d events", missed, head, j.Reset, len(j.Events))
			}
			return w.storage.reads.Load() - reads, counted.events.Load() - events
		}
		for i := range 10 {
			w.send(w.guest, w.guestRoom, fmt.Sprint("short ", i))
		}
		shortReads, shortRows := cost(5)
		for i := range 1000 {
			w.send(w.guest, w.guestRoom, fmt.Sprint("long ", i))
		}
		longReads, longRows := cost(5)
		if longReads != shortReads || longRows != shortRows || shortRows != 5 {
			w.Errorf("5 missed: %d reads and %d events in a short room, %d and %d in a long one", shortReads, shortRows, longReads, longRows)
		}
		if reads, rows := cost(200); reads > shortReads+4 || rows != 200 {
			w.Errorf("200 missed: %d reads and %d events, not %d", reads, rows, shortReads)
		}
		if reads, rows := cost(0); reads > shortReads || rows != 0 {
			w.Errorf("nothing missed: %d reads and %d events", reads, rows)
		}
	})
}
