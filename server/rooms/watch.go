package rooms

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Frame is an encoded protocol.ServerFrame on its way to one connection. Bytes
// are shared by everybody who gets them and must not be changed.
type Frame struct {
	Bytes     []byte
	Room      chat.RoomID
	Ephemeral bool // may be dropped where the connection is slow
}

// Sink is where a watch delivers to: one connection's bounded queue. Its methods
// are called under locks, from several goroutines; they must not block, and must
// call back into the watch only to Close it after End.
type Sink interface {
	// Deliver queues a frame.
	Deliver(Frame)
	// Revoke drops what is queued of the rooms and queues a gone frame for each.
	Revoke(rooms ...chat.RoomID)
	// End drops everything that is queued and closes the connection with the
	// error's close code. Nothing is delivered afterwards. It may be called again.
	End(*chat.Error)
}

const (
	// resumeWindow is how many events a cursor may be behind to be filled.
	resumeWindow = 300
	// MaxJoined is how many rooms one watch may have joined.
	MaxJoined = 128
	// maxGone is how many lost rooms are told one by one; beyond it the
	// connection is ended, and the client asks for its list again.
	maxGone = 100
	// TypingEvery is for how long a repeated typing frame changes nothing.
	TypingEvery = 3 * time.Second
)

// Watch is one connection's view of what happens: the events of the rooms it
// joined, and the changes of its list. Its methods are safe for concurrent use,
// but Joins and Leaves of one room must not overlap. Close it when the
// connection ends.
type Watch struct {
	s        *Service
	p        chat.Principal
	identity chat.Identity
	sink     Sink
	ends     atomic.Int64 // when the session ends unless it is used; 0: not known yet

	mu      sync.Mutex // guards everything below; frames of lists are enqueued under it
	joins   []*join
	typed   typed
	checked int64 // hub.clock at the last Recheck
	admin   bool
	ended   *chat.Error // why it ended; nil while it lives
}

var (
	errClosed = chat.Errorf(chat.CodeUnavailable, "The connection is closed")
	errDoubt  = chat.Errorf(chat.CodeUnavailable, "The server could not check this connection, reconnect")
	errResync = chat.Errorf(chat.CodeResyncRequired, "Your rooms have changed, reconnect")
)

// Watch opens a watch for p. It gets changes of p's list from now on, and events
// of a room after Join. Errors: unauthenticated, session_expired.
func (s *Service) Watch(ctx context.Context, p chat.Principal, sink Sink) (*Watch, error) {
	w := &Watch{s: s, p: p, identity: p.Identity(), sink: sink}
	s.hub.register(w) // first, so that no Recheck misses it
	for {
		at := s.hub.clock.Load()
		var (
			c    caller
			seen verdict
		)
		err := s.view(ctx, func(r storage.Reader) (err error) {
			c, seen, err = s.permit(r, p, access.List)
			return err
		})
		s.decisions.note(ctx, seen)
		if err != nil {
			w.Close()
			return nil, err
		}
		if w.confirm(at, c) {
			if why := w.why(); why != nil { // a Recheck was quicker
				return nil, why
			}
			return w, nil
		}
	}
}

// confirm takes over facts unless a Recheck came after them.
func (w *Watch) confirm(at int64, c caller) bool {
	w.mu.Lock()
	current := w.checked <= at || w.ended != nil
	if current {
		w.ends.Store(c.ends)
		w.admin = c.admin
	}
	w.mu.Unlock()
	if current && c.admin {
		w.s.hub.promote(w) // to hear of every room; what it hears is decided each time
	}
	return current
}

func (w *Watch) keys() []string {
	var keys []string
	for _, k := range []string{string(w.p.User), string(w.p.GuestSession), string(w.p.Session)} {
		if k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// over tells whether the session's time was over when it was last looked at.
func (w *Watch) over(now int64) bool {
	ends := w.ends.Load()
	return ends != 0 && now >= ends
}

// Join subscribes to a room and returns its state. Events after that state may
// be delivered before Join returns: the sink holds them back until it has queued
// the answer. Joining a room again starts anew. Errors: unauthenticated,
// session_expired, access_denied, conflict (too many rooms joined); then the
// room is not joined.
func (w *Watch) Join(ctx context.Context, q protocol.Join) (protocol.Joined, error) {
	j, err := w.begin(q.Room)
	if err != nil {
		return protocol.Joined{}, err
	}
	var (
		out  protocol.Joined
		head int64
	)
	err = w.s.read(ctx, w.p, q.Room, access.Read, func(a *admitted) (err error) {
		head = a.room.Head
		w.ends.Store(a.caller.ends)
		out, err = a.joined(q.Cursor)
		return err
	})
	if err != nil {
		w.drop(j)
		return protocol.Joined{}, err
	}
	if q.Cursor != nil && out.Reset {
		w.s.cfg.Observe.Resynced()
	}
	j.r.mu.Lock()
	if j.state == over { // lost while the transaction ran
		j.r.mu.Unlock()
		return protocol.Joined{}, w.lost()
	}
	j.state, j.last = live, head
	if !slices.ContainsFunc(j.r.joins, func(o *join) bool { return o != j && o.state == live }) {
		j.r.last = max(j.r.last, head) // there is nobody else whom older frames could concern
	}
	late := head < j.r.last
	if late {
		j.catching, j.behind = true, j.r.last
	}
	j.r.mu.Unlock()
	if late {
		w.s.hub.worker.catchUp(j)
	}
	return out, nil
}

// lost is what a Join gets whose right went while it ran.
func (w *Watch) lost() error {
	if why := w.why(); why != nil {
		return why
	}
	return chat.AccessDenied
}

// why tells why the watch has ended; nil while it lives.
func (w *Watch) why() *chat.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// begin takes part in a room's fan-out before the decision, so that no Recheck
// between the decision and the first delivery misses it.
func (w *Watch) begin(room chat.RoomID) (*join, error) {
	w.Leave(room)
	j := &join{w: w, r: w.s.hub.open(room)}
	w.mu.Lock()
	err := w.ended
	if err == nil && len(w.joins) >= MaxJoined {
		err = chat.Errorf(chat.CodeConflict, "A connection may join at most %d rooms", MaxJoined)
	}
	if err == nil {
		w.joins = append(w.joins, j)
	}
	w.mu.Unlock()
	if err != nil {
		w.s.hub.release(j.r)
		return nil, err
	}
	j.r.mu.Lock()
	if j.state != over { // a Recheck may have been quicker
		j.r.joins = append(j.r.joins, j)
	}
	j.r.mu.Unlock()
	return j, nil
}

// joined is the answer to a join: what follows the cursor, or all anew.
func (a *admitted) joined(cursor *chat.Cursor) (protocol.Joined, error) {
	out := protocol.Joined{Room: a.room.ID, Epoch: a.epoch, Head: a.room.Head}
	state, err := a.state(newNames(a.r))
	if err != nil {
		return out, err
	}
	resumed := false
	if c := cursor; c != nil && c.Epoch == a.epoch && c.Seq > 0 && c.Seq <= a.room.Head && a.room.Head-c.Seq <= resumeWindow {
		if out.Events, err = a.run(c.Seq, resumeWindow); err != nil {
			return out, err
		}
		resumed = c.Seq+int64(len(out.Events)) == a.room.Head
	}
	if !resumed {
		events, err := a.runBefore(a.room.Head+1, protocol.HistoryLimit)
		if err != nil {
			return out, err
		}
		if events == nil {
			events = []chat.Event{}
		}
		out.Reset, out.Events = true, nil
		out.Snapshot = &chat.Snapshot{Room: state, Epoch: a.epoch, Events: events, Head: a.room.Head}
	}
	if out.Receipts, err = a.receipts(state); err != nil {
		return out, err
	}
	out.Notices, err = a.notices()
	return out, err
}

// Leave ends the subscription to a room. Nothing of it is delivered afterwards
// but room frames of the list.
func (w *Watch) Leave(room chat.RoomID) {
	if j := w.find(room); j != nil {
		w.drop(j)
	}
}

// find gives the join of a room, nil where there is none.
func (w *Watch) find(room chat.RoomID) *join {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.joins, func(j *join) bool { return j.r.id == room }); i >= 0 {
		return w.joins[i]
	}
	return nil
}

// drop takes a join out of the fan-out. Dropping twice does nothing.
func (w *Watch) drop(j *join) { w.dropThen(j, func() {}) }

// dropThen is drop that runs then under the room's lock, once; it tells whether
// this call did. The watch knows of the join until nothing can be delivered
// through it any more: a Recheck that came between would find nothing to end.
func (w *Watch) dropThen(j *join, then func()) (first bool) {
	w.mu.Lock()
	j.leaving = true
	w.mu.Unlock()
	w.s.hub.moves.Add(1)
	j.r.mu.Lock()
	if first = j.state != over; first {
		j.state = over
		j.r.joins = remove(j.r.joins, j)
		then()
	}
	j.r.mu.Unlock()
	w.mu.Lock()
	w.joins = remove(w.joins, j)
	w.mu.Unlock()
	if first {
		w.s.hub.release(j.r)
	}
	return first
}

// resync tells the client that a gap can't be filled: it has to join anew.
func (w *Watch) resync(j *join) {
	w.s.cfg.Observe.Resynced()
	w.dropThen(j, func() {
		w.sink.Deliver(Frame{Room: j.r.id, Bytes: encode(protocol.ServerFrame{Error: &protocol.Error{
			Code: chat.CodeResyncRequired, Message: "The room has to be joined again", Room: j.r.id,
		}})})
	})
}

// joined tells whether the watch gets a room's events.
func (w *Watch) joined(room chat.RoomID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.joins, func(j *join) bool { return j.r.id == room && !j.leaving })
}

// offer queues a frame of the list, unless the watch was rechecked after the
// snapshot it was decided on: then it returns false.
func (w *Watch) offer(at int64, f Frame) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return true
	}
	if w.checked > at {
		return false
	}
	w.sink.Deliver(f)
	return true
}

// typed is the last typing frame that was passed on, and when.
type typed struct {
	protocol.Typing
	at int64
}

// Typing tells the others who joined a room that the caller types, or stopped.
// It is decided like a post, also where it repeats within TypingEvery what it
// said before and goes no further; callers limit the rate. Errors: unauthenticated,
// session_expired, access_denied, room_closed.
func (w *Watch) Typing(ctx context.Context, q protocol.Typing) error {
	var f protocol.TypingFrame
	err := w.s.read(ctx, w.p, q.Room, access.Signal, func(a *admitted) error {
		f = protocol.TypingFrame{Room: q.Room, Who: a.caller.identity, Name: a.caller.name, Active: q.Active}
		return nil
	})
	if err != nil {
		return err
	}
	now := w.s.now()
	w.mu.Lock()
	old := w.typed.Typing == q && within(now, w.typed.at, TypingEvery.Milliseconds())
	if !old {
		w.typed = typed{q, now}
	}
	w.mu.Unlock()
	if !old {
		w.s.hub.signal(q.Room, protocol.ServerFrame{Typing: &f}, f.Who, true)
	}
	return nil
}

// Heads gives the heads of the joined rooms for a beat, in the order they were
// joined. It decides again about the session and every room, and delivers what
// a lost hint left behind first. Where storage fails it gives none: the next
// beat asks again.
func (w *Watch) Heads(ctx context.Context) []protocol.Head {
	type place struct {
		j    *join
		head int64
	}
	w.mu.Lock()
	joins := slices.Clone(w.joins)
	w.mu.Unlock()
	var (
		places []place
		epoch  string
		again  bool
	)
	err := w.s.view(ctx, func(r storage.Reader) error {
		places, again = nil, false
		c, _, err := w.s.permit(r, w.p, access.List)
		if err != nil {
			again = c.dead != nil
			return err
		}
		w.ends.Store(c.ends)
		for _, j := range joins {
			a, v, err := w.s.decideFor(r, nil, c, j.r.id, access.Read, w.s.now())
			if err != nil && v.action == "" {
				return err
			}
			if err != nil {
				again = true
				continue
			}
			epoch = a.epoch
			places = append(places, place{j, a.room.Head})
		}
		return nil
	})
	if again {
		w.s.recheck(ctx, w)
	}
	if err != nil {
		if !again {
			w.s.log.Warn("heads not read", slog.Any("err", err))
		}
		return nil
	}
	heads := make([]protocol.Head, 0, len(places))
	for _, p := range places {
		p.j.r.mu.Lock()
		behind := p.j.state == live && !p.j.catching && p.j.last < p.head
		if behind {
			p.j.catching, p.j.behind = true, p.head
		}
		p.j.r.mu.Unlock()
		if behind {
			w.s.catchUp(ctx, p.j)
		}
		p.j.r.mu.Lock()
		if p.j.state == live {
			heads = append(heads, protocol.Head{Room: p.j.r.id, Epoch: epoch, Seq: p.j.last})
		}
		p.j.r.mu.Unlock()
	}
	return heads
}

// Ends is when the session ends if nobody uses it any more, Unix milliseconds,
// as far as the watch knows.
func (w *Watch) Ends() int64 { return w.ends.Load() }

// Close ends the watch. It does not call the sink. Closing twice does nothing.
func (w *Watch) Close() { w.finish(errClosed) }

// finish takes the watch out of everything; it tells whether this call did.
func (w *Watch) finish(why *chat.Error) bool {
	w.mu.Lock()
	if w.ended != nil {
		w.mu.Unlock()
		return false
	}
	w.ended = why
	joins := slices.Clone(w.joins)
	w.mu.Unlock()
	for _, j := range joins {
		w.drop(j)
	}
	w.s.hub.unregister(w)
	return true
}

// end ends the watch and its connection.
func (w *Watch) end(why *chat.Error) {
	if w.finish(why) {
		w.sink.End(why)
	}
}
