package ui

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// The window of the log, in events: between MinRows and MaxRows are in the
// document, moved by StepRows at a time so that a new message draws one row. The
// fewer there are, the sooner a message is drawn; a screen twice as tall as most
// needs as many as there may be.
const (
	MinRows  = 48
	StepRows = 24
	MaxRows  = 100
	// FirstRows are drawn at first: they fill the screen, and the rest can wait
	// until the visitor has something to read.
	FirstRows = 24
)

const (
	nearEdge  = 500 // pixels from an end at which the window moves
	atBottom  = 16  // pixels from the bottom that still count as there
	rowHeight = 38  // pixels of the lowest row that is usual: one line
)

// restAfter is how long the rows wait that are not on screen at first: until the
// first picture is there.
const restAfter = 300 * time.Millisecond

// readAfter is how long the others wait to hear that a message was read: what telling
// takes, in the store and on the socket, comes after the frame that shows the message.
const readAfter = 100 * time.Millisecond

// MessageLog shows the room's timeline in a window of rows. It renders again
// only when Rev, Jump or Place change, never for a keystroke.
type MessageLog struct {
	app.Compo

	M     *Model
	Rev   int64
	Jump  int64
	Place string

	top    int64 // seq the window begins at; 0 while it follows the end
	stick  bool  // the end is on screen and stays there
	pinned int   // scrollTop when the end was last put on screen; 0 where nothing is known of it
	first  bool  // only FirstRows are drawn yet
	rows   int   // the fewest rows that fill the screen and what lies near its edges; 0 until it was looked at
	fresh  bool  // something new is below the screen
	head   int64 // the newest seq that was drawn
	marked int64 // the newest seq that was told to be read
	jumped int64
	placed string
	shown  string
	tick   bool // a countdown runs
	reads  bool // what is on screen will be told to be read
	anchor anchor
	resize app.Func
	watch  app.Value
	after  func()   // runs settle once the rows are drawn; from OnMount
	redraw func()   // draws the log, and settles; from OnMount
	drawn  []*Entry // of the last Render: what is equal keeps its pointer
}

// anchor is the row whose place on screen is kept while rows change around it:
// that of its lower edge, because the day above a row goes when an older row
// comes before it.
type anchor struct {
	key    string
	offset int
}

// OnInit begins at the end.
func (l *MessageLog) OnInit() {
	l.first, l.stick, l.jumped, l.placed, l.shown = app.IsClient, true, l.Jump, l.Place, l.Place
}

// OnMount goes to the end and watches the size: the end stays on screen when
// the composer grows or the keyboard comes up.
func (l *MessageLog) OnMount(ctx app.Context) {
	// The context of an event is its element's, and says nothing once that is gone.
	l.after = func() { ctx.Defer(l.settle) }
	l.redraw = func() { ctx.Dispatch(func(app.Context) { l.after() }) }
	if observer := app.Window().Get("ResizeObserver"); app.IsClient && observer.Truthy() {
		l.resize = app.FuncOf(func(app.Value, []app.Value) any {
			if el := l.element(); el != nil {
				l.measure(el)
				if l.follows(el) {
					l.pin(el)
				}
			}
			return nil
		})
		l.watch = observer.New(l.resize)
		l.watch.Call("observe", l.JSValue().Call("querySelector", ".log"))
	}
	l.after()
	if l.first {
		ctx.After(restAfter, func(ctx app.Context) {
			l.first = false
			l.after()
		})
	}
}

// OnDismount lets the observer go.
func (l *MessageLog) OnDismount() {
	if l.watch != nil {
		l.watch.Call("disconnect")
		l.resize.Release()
		l.watch, l.resize = nil, nil
	}
}

// OnUpdate runs before a changed log is drawn.
func (l *MessageLog) OnUpdate(ctx app.Context) {
	if l.Place != l.placed || l.Jump != l.jumped {
		l.placed, l.jumped = l.Place, l.Jump
		l.toEnd()
	}
	if l.Place != l.shown {
		l.shown, l.marked, l.head = l.Place, 0, 0
	}
	if rv := l.M.view.Room; rv != nil && !l.stick && rv.Timeline.Head > l.head && l.head > 0 {
		l.fresh = l.fresh || l.news(rv)
	}
	l.M.shell.KeepFocus()
	ctx.Defer(l.settle)
}

// news tells whether somebody else's message came after what was drawn.
func (l *MessageLog) news(rv *store.RoomView) bool {
	events := rv.Timeline.Events
	for i := len(events) - 1; i >= 0 && events[i].Seq > l.head; i-- {
		if events[i].Kind == chat.MessagePosted && !l.M.view.Mine(rv.Timeline.Room, events[i]) {
			return true
		}
	}
	return false
}

// measure notes how many rows the screen needs; where these are more than before, they are drawn.
func (l *MessageLog) measure(el app.Value) {
	was := l.least()
	l.rows = (el.Get("clientHeight").Int()+nearEdge)/rowHeight + 8
	if l.least() > was && !l.first {
		l.redraw()
	}
}

// least is how many rows the window has at least.
func (l *MessageLog) least() int { return min(max(l.rows, MinRows), MaxRows-StepRows) }

// window is the run of events to draw.
func (l *MessageLog) window(events []chat.Event) (lo, hi int) {
	n, least := len(events), l.least()
	if n == 0 {
		return 0, 0
	}
	first := events[0].Seq
	if l.top == 0 && l.first {
		return max(0, n-FirstRows), n
	}
	if l.top == 0 {
		start := (events[n-1].Seq - int64(least)) / StepRows * StepRows
		return int(max(0, start-first)), n
	}
	lo = int(min(max(0, l.top-first), int64(max(0, n-least))))
	return lo, min(n, lo+least+StepRows)
}

// Render draws the window.
func (l *MessageLog) Render() app.UI {
	// Now and not when the change was asked for: the visitor scrolls on meanwhile.
	l.keep()
	m := l.M
	rv := m.view.Room
	if rv == nil {
		return app.Div().Class("logbox")
	}
	lo, hi := l.window(rv.Timeline.Events)
	if hi == len(rv.Timeline.Events) {
		l.head = rv.Timeline.Head
	}
	rows := m.entries(lo, hi)
	body := make([]app.UI, 0, len(rows)+2)
	// The first child never goes away, so that rows keep their positions.
	// The line stays until the room's beginning is drawn: if it went when a page has
	// come, what is read at the very top would move by it before the rows are there.
	older := ""
	if rv.LoadingHistory || rv.Loaded && (lo > 0 || rv.HistoryMore) {
		older = m.T.LoadingOlder
	} else if !rv.Loaded && m.view.CurrentRoom != "" && rv.Error == nil {
		older = m.T.Loading
	} else if len(rows) == 0 && rv.Error == nil {
		older = m.T.RoomEmpty
	}
	body = append(body, app.P().Class("older").Text(older))
	said := ""
	drawn := make([]*Entry, len(rows))
	for i := range rows {
		e := &rows[i]
		if i < len(l.drawn) && *l.drawn[i] == *e {
			e = l.drawn[i] // the same pointer spares go-app a comparison field by field
		}
		drawn[i] = e
		body = append(body, &Row{M: m, E: e})
		if e.Text != "" && !e.Mine {
			said = e.Who + e.Text
		}
	}
	l.drawn = drawn
	if hi < len(rv.Timeline.Events) || !l.stick {
		said = ""
	}
	// Typing comes after the rows: everything behind a new row shifts by one.
	typing := typists(m)
	return app.Div().Class("logbox").Body(
		app.Div().Class(logClass(m)).ID("log").Role("log").Aria("label", m.T.Messages).Aria("live", "off").
			TabIndex(0).OnScroll(l.onScroll).Body(
			app.Div().Class("rows").Body(body...),
			app.Div().Class("typing-line").Body(
				app.If(typing != "", func() app.UI {
					return app.Div().Class("typing").Body(
						app.I(), app.I(), app.I(), app.Span().Class("sr").Text(typing))
				}),
			),
		),
		// The window moves rows about; only what is new is read out.
		app.Div().Class("sr").Aria("live", "polite").Text(said),
		app.If(l.fresh, func() app.UI {
			return app.Button().Type("button").Class("pill").OnClick(l.onPill).Text(m.T.NewMessages)
		}),
	)
}

func logClass(m *Model) string {
	if m.view.Surface == chat.SurfaceInbox {
		return "log wide"
	}
	return "log"
}

// typists says who types, "" for nobody.
func typists(m *Model) string {
	out := ""
	for _, t := range m.view.Room.Typing {
		if t.Who == m.view.Principal.Identity() {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += m.T.Types(t.Name)
	}
	return out
}

func (l *MessageLog) onPill(app.Context, app.Event) {
	l.toEnd()
	l.after()
}

// toEnd makes the window follow the end from now on.
func (l *MessageLog) toEnd() { l.top, l.stick, l.pinned, l.fresh = 0, true, 0, false }

// around tells how much of the log is above and below what is on screen, in pixels.
func around(el app.Value) (above, below int) {
	above = el.Get("scrollTop").Int()
	return above, el.Get("scrollHeight").Int() - above - el.Get("clientHeight").Int()
}

// pin puts the end on screen. The shell keeps the scroll event of that from the
// log, by the place noted on the element: waking Go for nothing would come between
// a new message and its frame.
func (l *MessageLog) pin(el app.Value) {
	el.Set("scrollTop", el.Get("scrollHeight").Int())
	top := el.Get("scrollTop")
	l.pinned = top.Int()
	el.Set("pinned", top)
}

// follows tells whether the end is to stay on screen. A visitor who has just
// scrolled up has left it, although their scroll event may not have come yet:
// rows that are drawn meanwhile must not take them back.
func (l *MessageLog) follows(el app.Value) bool {
	if !l.stick {
		return false
	}
	switch above, below := around(el); {
	case below <= atBottom:
		l.pinned = above // less than it was where the rows have become shorter
	case above < l.pinned-atBottom:
		l.leave()
	}
	return l.stick
}

// leave ends following: the window stays where it is.
func (l *MessageLog) leave() {
	rv := l.M.view.Room
	if rv == nil || len(rv.Timeline.Events) == 0 {
		return
	}
	lo, _ := l.window(rv.Timeline.Events)
	l.top, l.stick = rv.Timeline.Events[lo].Seq, false
}

// onScroll moves the window when an end comes near. Most scroll events change
// nothing and render nothing.
func (l *MessageLog) onScroll(ctx app.Context, _ app.Event) {
	el, rv := l.element(), l.M.view.Room
	if el == nil || rv == nil {
		ctx.PreventUpdate()
		return
	}
	events := rv.Timeline.Events
	lo, hi := l.window(events)
	above, below := around(el)
	stick := below <= atBottom && hi == len(events)
	switch {
	case stick && !l.stick:
		l.toEnd()
		l.after()
		return
	case above < nearEdge && lo > 0:
		l.stick = false
		l.top = events[max(0, lo-StepRows)].Seq
		l.after()
		return
	case below < nearEdge && hi < len(events):
		l.top = events[min(len(events)-1, lo+StepRows)].Seq
		l.after()
		return
	}
	if !stick && l.stick {
		l.leave()
	}
	l.stick = stick
	if above < nearEdge && lo == 0 {
		l.older(rv)
	}
	ctx.PreventUpdate()
}

func (l *MessageLog) older(rv *store.RoomView) {
	if rv.HistoryMore && !rv.LoadingHistory && rv.Loaded {
		l.M.Do(store.LoadHistory{Room: l.M.view.CurrentRoom})
	}
}

// element is the scrolling element, nil where there is none (yet).
func (l *MessageLog) element() app.Value {
	if !app.IsClient || l.after == nil || !l.Mounted() { // a log that is being drawn first counts as mounted, and has no element yet
		return nil
	}
	el := l.JSValue().Call("querySelector", ".log")
	if !el.Truthy() {
		return nil
	}
	return el
}

// keep notes which row is at the top of the screen.
func (l *MessageLog) keep() {
	l.anchor = anchor{}
	el := l.element()
	if el == nil || l.follows(el) {
		return
	}
	rows := el.Get("firstElementChild").Get("children")
	top := el.Get("scrollTop").Int()
	lo, hi := 1, rows.Get("length").Int() // child 0 is the line above the rows
	for lo < hi {
		mid := (lo + hi) / 2
		row := rows.Index(mid)
		if lowerEdge(row) <= top {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if row := rows.Index(lo); row.Truthy() {
		l.anchor = anchor{row.Get("id").String(), lowerEdge(row) - top}
	}
}

func lowerEdge(row app.Value) int {
	return row.Get("offsetTop").Int() + row.Get("offsetHeight").Int()
}

// settle runs after the rows were drawn: it keeps what was on screen there,
// marks as read what is on screen, and asks for more where there is room.
func (l *MessageLog) settle(ctx app.Context) {
	rv := l.M.view.Room
	if rv == nil {
		return
	}
	l.countdown(ctx, rv)
	if el := l.element(); el != nil {
		if l.follows(el) {
			l.pin(el)
		} else if l.anchor.key != "" {
			if row := app.Window().GetElementByID(l.anchor.key); row.Truthy() {
				el.Set("scrollTop", lowerEdge(row)-l.anchor.offset)
			}
			l.anchor = anchor{} // it was the place of that moment
		}
		l.reach(rv, el)
	}
	l.markRead(ctx)
}

// reach asks for what is above the screen where its upper end is near: who waits
// at the very top cannot scroll on, and so a page that has come is drawn without.
func (l *MessageLog) reach(rv *store.RoomView, el app.Value) {
	events := rv.Timeline.Events
	lo, _ := l.window(events)
	if lo == 0 && !rv.HistoryMore || el.Get("scrollTop").Int() >= nearEdge {
		return
	}
	switch {
	case lo == 0:
		l.older(rv)
	case !l.stick:
		l.top = events[max(0, lo-StepRows)].Seq
		l.redraw()
	}
}

// unread tells whether there is something on screen that counts as not read.
func (l *MessageLog) unread() bool {
	v, rv := l.M.view, l.M.view.Room
	if !l.stick || !l.M.Device.Visible || v.CurrentRoom == "" || rv == nil || !rv.Loaded || v.Surface == chat.SurfaceWidget && !v.WidgetOpen {
		return false
	}
	head := rv.Timeline.Head
	return head > l.marked && (head > rv.Summary.ReadSeq || rv.Summary.Unread > 0)
}

// markRead tells the store, a moment later, what is on screen by then.
func (l *MessageLog) markRead(ctx app.Context) {
	if l.reads || !l.unread() {
		return
	}
	l.reads = true
	ctx.After(readAfter, func(ctx app.Context) {
		ctx.PreventUpdate()
		l.reads = false
		// The view may be ahead of what is drawn: what comes then is drawn next, and asks again.
		if v := l.M.view; l.unread() && l.shown == place(v) && l.head > l.marked {
			l.marked = l.head
			l.M.Do(store.MarkRead{Room: v.CurrentRoom, Seq: l.head})
		}
	})
}

// countdown draws the seconds until a limited message goes again.
func (l *MessageLog) countdown(ctx app.Context, rv *store.RoomView) {
	limited := false
	for _, p := range rv.Pending {
		limited = limited || p.State == store.Limited
	}
	if !limited || l.tick || !app.IsClient {
		return
	}
	l.tick = true
	ctx.After(time.Second, func(app.Context) {
		l.tick = false
		l.after()
	})
}
