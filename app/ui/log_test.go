package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// longRoom is a widget with a room of n messages on screen, in an engine.
func longRoom(t testing.TB, n int) (*page, *Model, *stage, *app.TestEngine) {
	t.Helper()
	v := opened()
	v.Room.Timeline.Events = nil
	for i := range n {
		who, name := chat.UserIdentity(mia), "Mia"
		if i%3 == 0 {
			who, name = chat.GuestIdentity(guest), "Guest"
		}
		v.Room.Timeline.Events = append(v.Room.Timeline.Events,
			message(int64(i+1), noon-int64(n-i)*60_000, who, name, fmt.Sprintf("Message %d of a chat about bowls.", i+1)))
	}
	v.Room.Timeline.Head = int64(n)
	p, m := newPage(v)
	engine := app.NewTestEngine()
	w := &stage{Widget: Widget{M: m}}
	if err := engine.Load(w); err != nil {
		t.Fatal(err)
	}
	engine.ConsumeAll()
	return p, m, w, &engine
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, m, w, engine := longRoom(b, n)
			seq := int64(n)
			b.ReportAllocs()
			for b.Loop() {
				p.change(m, func(v *store.View) {
					seq++
					v.Room.Timeline.Events = append(v.Room.Timeline.Events, message(seq, noon, chat.UserIdentity(mia), "Mia", "one more"))
					v.Room.Timeline.Head = seq
					v.Room.Summary.ReadSeq, v.Room.Summary.Unread = seq, 0 // telling so waits for a moment
				})
				w.ctx.Dispatch(nil)
				(*engine).ConsumeAll()
			}
		})
	}
}

// watched is a log alone in an engine; go-app keeps the first one it is given.
type watched struct {
	app.Compo
	m   *Model
	log *MessageLog
	ctx app.Context
}

func (w *watched) OnPreRender(ctx app.Context) { w.ctx = ctx }

func (w *watched) Render() app.UI {
	l := &MessageLog{M: w.m, Rev: w.m.logRev, Jump: w.m.jump, Place: place(w.m.view)}
	if w.log == nil {
		w.log = l
	}
	return app.Div().Body(l)
}

// TestAnAppendDrawsOneRow holds the log to its promise: a row whose entry is the
// same pointer is not drawn again, and a new message gives the others new ones
// only where it changes what they say.
func TestAnAppendDrawsOneRow(t *testing.T) {
	p, m, _, _ := longRoom(t, 10_000)
	w := &watched{m: m}
	engine := app.NewTestEngine()
	if err := engine.Load(w); err != nil {
		t.Fatal(err)
	}
	engine.ConsumeAll()
	update := func(f func(*store.View)) (drawn int) {
		before := map[*Entry]bool{}
		for _, e := range w.log.drawn {
			before[e] = true
		}
		p.change(m, f)
		w.ctx.Dispatch(nil)
		engine.ConsumeAll()
		for _, e := range w.log.drawn {
			if !before[e] {
				drawn++
			}
		}
		return drawn
	}
	post := func(seq int64, at int64) func(*store.View) {
		return func(v *store.View) {
			v.Room.Timeline.Events = append(v.Room.Timeline.Events, message(seq, at, chat.UserIdentity(mia), "Mia", "one more"))
			v.Room.Timeline.Head = seq
		}
	}
	if n := update(func(v *store.View) { v.Room.Draft = "a key" }); n != 0 {
		t.Errorf("a keystroke draws %d rows", n)
	}
	moved, most := 0, 0
	for i := range int64(2 * StepRows) {
		first := w.log.drawn[0].Key
		n := update(post(10_001+i, noon+i))
		if w.log.drawn[0].Key != first {
			moved++ // the window moved on: its rows all did
			continue
		}
		// The new one, the one before (its group goes on) and the visitor's newest (no longer "sent").
		most = max(most, n)
		if n < 1 || n > 3 {
			t.Errorf("message %d draws %d rows", 10_001+i, n)
		}
		if rows := len(w.log.drawn); rows > MaxRows {
			t.Errorf("%d rows are in the document", rows)
		}
	}
	if moved != 2 {
		t.Errorf("the window moved %d times over %d messages, want 2", moved, 2*StepRows)
	}
	t.Logf("at most %d rows for a message", most)
}

// What is on screen is told to be read, and that draws nothing: neither the
// mark itself nor its echo from the server changes the log.
func TestReadingDrawsNothing(t *testing.T) {
	p, m, _, _ := longRoom(t, 100)
	w := &watched{m: m}
	engine := app.NewTestEngine()
	if err := engine.Load(w); err != nil {
		t.Fatal(err)
	}
	engine.ConsumeAll()
	me, mia := m.view.Principal.Identity(), chat.UserIdentity(mia)
	post := func(v *store.View) {
		v.Room.Timeline.Events = append(v.Room.Timeline.Events, message(101, noon, mia, "Mia", "one more"))
		v.Room.Timeline.Head = 101
	}
	for _, c := range []struct {
		name   string
		change func(*store.View)
		draws  bool
		asked  []store.Intent
	}{
		{"a message", post, true, []store.Intent{store.MarkRead{Room: "r_1", Seq: 101}}},
		{"the mark", func(v *store.View) { v.Room.Summary.ReadSeq, v.Room.Summary.Unread = 101, 0 }, false, nil},
		{"its echo", func(v *store.View) { v.Room.Receipts = []chat.Receipt{{Reader: me, Seq: 101}} }, false, nil},
		{"somebody else's", func(v *store.View) { v.Room.Receipts = []chat.Receipt{{Reader: me, Seq: 101}, {Reader: mia, Seq: 100}} }, true, nil},
	} {
		rev := m.logRev
		p.change(m, c.change)
		w.ctx.Dispatch(nil)
		engine.ConsumeAll()
		if drew := m.logRev != rev; drew != c.draws {
			t.Errorf("%s: the log is drawn: %v", c.name, drew)
		}
		wantSame(t, c.name, p.took(), c.asked)
	}
	m.Device.Visible = false
	p.change(m, func(v *store.View) {
		v.Room.Timeline.Events = append(v.Room.Timeline.Events, message(102, noon, mia, "Mia", "and one"))
		v.Room.Timeline.Head = 102
	})
	w.ctx.Dispatch(nil)
	engine.ConsumeAll()
	wantSame(t, "asked where nobody looks", p.took(), []store.Intent(nil))
}

// TestTheWindowCoversTheRoom walks a room of 10,000 messages from its end to
// its beginning and back: never more than MaxRows rows, none left out.
func TestTheWindowCoversTheRoom(t *testing.T) {
	_, m, _, _ := longRoom(t, 10_000)
	events := m.view.Room.Timeline.Events
	l := &MessageLog{M: m}
	seen := make([]bool, len(events))
	look := func() (lo, hi int) {
		lo, hi = l.window(events)
		if n := len(m.entries(lo, hi)); n > MaxRows || n < MinRows {
			t.Fatalf("%d rows for %d to %d", n, lo, hi)
		}
		for i := lo; i < hi; i++ {
			seen[i] = true
		}
		return lo, hi
	}
	lo, hi := look()
	for lo > 0 {
		was := lo
		l.top = events[max(0, lo-StepRows)].Seq
		if lo, hi = look(); hi < was {
			t.Fatalf("between %d and %d rows are skipped", hi, was)
		}
	}
	for hi < len(events) {
		was := hi
		l.top = events[min(len(events)-1, lo+StepRows)].Seq
		if lo, hi = look(); lo > was {
			t.Fatalf("between %d and %d rows are skipped", was, lo)
		}
	}
	for i, ok := range seen {
		if !ok {
			t.Fatalf("message %d was in no window", i)
		}
	}
}

// The line above the rows stays while anything older is to come: were it to go
// before the rows are there, what is read at the very top would move by it.
func TestTheLineAboveStaysUntilTheBeginning(t *testing.T) {
	_, m, _, _ := longRoom(t, 10)
	for _, tt := range []struct{ loading, more, want bool }{
		{true, true, true},
		{false, true, true}, // the page has come, its rows have not
		{false, false, false},
	} {
		m.view.Room.LoadingHistory, m.view.Room.HistoryMore = tt.loading, tt.more
		if got := strings.Contains(words(&MessageLog{M: m}), m.T.LoadingOlder); got != tt.want {
			t.Errorf("loading %v, more %v: shown %v", tt.loading, tt.more, got)
		}
	}
}

// Until the log has been on screen it draws what fills the screen, and then the rest.
func TestFirstRows(t *testing.T) {
	for _, n := range []int64{1, FirstRows, FirstRows + 1, 40, 10000} {
		l := &MessageLog{first: true}
		lo, hi := l.window(posted(1, n))
		if hi != int(n) || hi-lo != int(min(n, FirstRows)) {
			t.Errorf("of %d events %d to %d at first", n, lo, hi)
		}
		l.first = false
		if lo, hi = l.window(posted(1, n)); hi != int(n) || hi-lo < int(min(n, MinRows)) {
			t.Errorf("of %d events %d to %d then", n, lo, hi)
		}
	}
}
