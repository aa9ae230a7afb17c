package rooms

import (
	"slices"
	"sync"
	"sync/atomic"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// hub knows the open watches and brings them what happens. Its lock order is
// hub.mu before Watch.mu; hubRoom.mu is never held together with either.
type hub struct {
	s    *Service
	node string // marks this node's hints

	// clock counts Rechecks. What was decided on a snapshot taken at one reading
	// may be enqueued to a watch only if the watch was not rechecked after it.
	clock atomic.Int64
	// moves counts what may give a room a listener: a watch that came, became an
	// admin's, or left a room.
	moves atomic.Int64

	mu     sync.Mutex // guards the four below and hubRoom.refs
	rooms  map[chat.RoomID]*hubRoom
	index  map[string][]*Watch // by user, guest session and account session id
	all    map[*Watch]struct{}
	admins []*Watch

	worker worker
	cancel func() // ends the subscription; nil without a broker
}

// hubRoom is a room that somebody here has joined.
type hubRoom struct {
	id   chat.RoomID
	refs int // joins and holders

	mu     sync.Mutex // guards everything below; fan-out enqueues under it
	joins  []*join
	last   int64           // the newest seq that was fanned out
	flying int             // writing transactions of this node under way in the room
	parked map[int64]frame // frames that overtook another; at most maxParked

	// audience is who might have the room in a list, as of last; nil where that
	// is not known. It saves work and decides nothing.
	audience []string
	version  int64 // counts what made an audience outdated
	silent   int64 // hub.moves when nobody of this audience was listening; -1 for never
}

// frame is an event on its way to those who joined.
type frame struct {
	seq     int64
	members bool // it changes who belongs to the room
	bytes   []byte
}

// join is one watch in one room.
type join struct {
	w *Watch
	r *hubRoom

	leaving bool // guarded by w.mu: lists tell of the room again

	// Guarded by r.mu.
	state    joinState
	last     int64 // the newest seq that was delivered
	behind   int64 // the newest seq that was held back while catching
	catching bool  // a catch-up is due or under way; live frames are held back
}

type joinState uint8

const (
	joining joinState = iota // the deciding transaction is under way
	live
	over
)

const (
	maxParked = 128 // frames per room that wait for one before them
	// maxReceiptJoins is up to how many joined watches a receipt is told to all;
	// in greater rooms only the reader's own watches hear of it.
	maxReceiptJoins = 64
)

func newHub(s *Service, node string) *hub {
	h := &hub{
		s: s, node: node,
		rooms: make(map[chat.RoomID]*hubRoom), index: make(map[string][]*Watch), all: make(map[*Watch]struct{}),
	}
	h.worker.s = s
	return h
}

func (h *hub) close() {
	if h.cancel != nil {
		h.cancel()
	}
	h.worker.close()
}

// hold gives the room if anybody here has joined it, and keeps it until release.
func (h *hub) hold(id chat.RoomID) *hubRoom {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[id]
	if r != nil {
		r.refs++
	}
	return r
}

// open is hold that makes the room.
func (h *hub) open(id chat.RoomID) *hubRoom {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[id]
	if r == nil {
		r = &hubRoom{id: id, silent: -1}
		h.rooms[id] = r
	}
	r.refs++
	return r
}

// release ends hold or open; nil is nobody's.
func (h *hub) release(r *hubRoom) {
	if r == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.refs--; r.refs == 0 {
		delete(h.rooms, r.id)
	}
}

// landing is a writing transaction under way in a room. While there is one, a
// frame that overtook another waits for it instead of sending everybody to storage.
type landing struct {
	h *hub
	r *hubRoom
}

func (h *hub) takeOff(id chat.RoomID) landing {
	r := h.hold(id)
	if r != nil {
		r.mu.Lock()
		r.flying++
		r.mu.Unlock()
	}
	return landing{h, r}
}

// done ends it, after its events were published. The last one to land gives up
// waiting for what is still missing.
func (l landing) done() {
	if l.r == nil {
		return
	}
	now := l.h.s.now()
	var late []*join
	l.r.mu.Lock()
	if l.r.flying--; l.r.flying == 0 {
		for len(l.r.parked) > 0 {
			first := int64(0)
			for seq := range l.r.parked {
				if first == 0 || seq < first {
					first = seq
				}
			}
			late = l.r.pass(l.r.parked[first], now, late)
		}
	}
	l.r.mu.Unlock()
	l.h.worker.catchUp(late...)
	l.h.release(l.r)
}

// publish brings appended events to whom they concern. Call it after the commit.
// Where nobody can take them they are not even encoded: who joins later finds in
// storage what was committed before.
func (h *hub) publish(events []posted) {
	for _, p := range events {
		r := h.hold(p.room)
		if r != nil || h.s.cfg.Broker != nil {
			f := frame{
				seq:     p.event.Seq,
				members: p.event.Member != nil,
				bytes:   encode(protocol.ServerFrame{Event: &protocol.EventFrame{Room: p.room, Epoch: p.epoch, Event: p.event}}),
			}
			h.fan(r, f)
			h.tell(hint{Kind: hintEvent, Room: p.room, Seq: f.seq, Members: f.members, Frame: f.bytes})
		}
		h.changed(r, p.room, "")
		h.release(r)
	}
}

// fan delivers an event's frame to those here who joined a room, if anybody did.
func (h *hub) fan(r *hubRoom, f frame) {
	if r == nil {
		return
	}
	now := h.s.now()
	r.mu.Lock()
	late := r.arrive(f, now)
	r.mu.Unlock()
	h.worker.catchUp(late...)
}

// arrive takes a frame in whatever order it comes. It returns the joins that
// have to read storage instead.
func (r *hubRoom) arrive(f frame, now int64) (late []*join) {
	if f.seq <= r.last {
		return nil
	}
	if f.seq > r.last+1 && r.flying > 0 && len(r.parked) < maxParked {
		if r.parked == nil {
			r.parked = make(map[int64]frame)
		}
		r.parked[f.seq] = f
		return nil
	}
	return r.pass(f, now, nil)
}

// pass gives a frame to every join it follows for, then what waited for it.
func (r *hubRoom) pass(f frame, now int64, late []*join) []*join {
	for {
		if f.members || f.seq != r.last+1 {
			r.audience, r.silent = nil, -1
			r.version++
		}
		r.last = f.seq
		for _, j := range r.joins {
			switch {
			case j.state != live || j.last >= f.seq:
			case j.catching:
				j.behind = max(j.behind, f.seq)
			case j.last+1 != f.seq || j.w.over(now):
				j.catching, j.behind = true, f.seq
				late = append(late, j)
			default:
				j.last = f.seq
				j.w.sink.Deliver(Frame{Bytes: f.bytes, Room: r.id})
			}
		}
		for seq := range r.parked {
			if seq <= r.last {
				delete(r.parked, seq)
			}
		}
		next, ok := r.parked[r.last+1]
		if !ok {
			return late
		}
		f = next
	}
}

// doubt makes everybody in a room, or with it in a list, look at storage:
// something may have been committed there that nobody will publish.
func (h *hub) doubt(id chat.RoomID) {
	r := h.hold(id)
	if r != nil {
		var late []*join
		r.mu.Lock()
		r.audience, r.silent = nil, -1
		r.version++
		for _, j := range r.joins {
			if j.state == live && !j.catching {
				j.catching, j.behind = true, j.last
				late = append(late, j)
			}
		}
		r.mu.Unlock()
		h.worker.catchUp(late...)
	}
	h.changed(r, id, "")
	h.release(r)
}

// signal brings what is not an event to those who joined a room, here and on
// other nodes, except to the watches of one identity.
func (h *hub) signal(id chat.RoomID, f protocol.ServerFrame, except chat.Identity, ephemeral bool) {
	s := signal{room: id, except: except, ephemeral: ephemeral, bytes: encode(f)}
	if f.Receipt != nil {
		s.reader = f.Receipt.Receipt.Reader
	}
	h.fanSignal(s)
	h.tell(hint{Kind: hintSignal, Room: id, Except: except, Reader: s.reader, Ephemeral: ephemeral, Frame: s.bytes})
}

type signal struct {
	room      chat.RoomID
	except    chat.Identity
	reader    chat.Identity // of a receipt
	ephemeral bool
	bytes     []byte
}

func (h *hub) fanSignal(s signal) {
	r := h.hold(s.room)
	if r == nil {
		return
	}
	now := h.s.now()
	r.mu.Lock()
	for _, j := range r.joins {
		switch {
		case j.state != live, j.w.over(now):
		case s.except != "" && j.w.identity == s.except:
		case s.reader != "" && len(r.joins) > maxReceiptJoins && j.w.identity != s.reader:
		default:
			j.w.sink.Deliver(Frame{Bytes: s.bytes, Room: r.id, Ephemeral: s.ephemeral})
		}
	}
	r.mu.Unlock()
	h.release(r)
}

// changed has the lists in which a room may stand brought up to date: of one
// identity, or of everybody where only is "". r is what the caller holds of the
// room; nil if nothing is here.
func (h *hub) changed(r *hubRoom, id chat.RoomID, only chat.Identity) {
	moves := h.moves.Load()
	var audience []string
	if r != nil {
		r.mu.Lock()
		audience = r.audience
		silent := only == "" && r.silent == moves
		r.mu.Unlock()
		if silent {
			return
		}
	}
	if only != "" {
		audience = []string{string(only)}
	}
	h.mu.Lock()
	due := len(h.all) > 0 && audience == nil
	if !due {
		h.listening(id, audience, func(*Watch) bool {
			due = true
			return false
		})
	}
	h.mu.Unlock()
	if due {
		h.worker.refresh(listKey{id, only})
	} else if r != nil && only == "" && len(audience) > 0 {
		r.mu.Lock()
		if len(r.audience) > 0 && &r.audience[0] == &audience[0] {
			r.silent = moves
		}
		r.mu.Unlock()
	}
}

// changedFor is changed for one identity, here and on other nodes.
func (h *hub) changedFor(id chat.RoomID, only chat.Identity) {
	r := h.hold(id)
	h.changed(r, id, only)
	h.release(r)
	h.tell(hint{Kind: hintChanged, Room: id, Only: only})
}

// listening calls f with the watches of some ids, and of admins, that have not
// joined the room: those that hear of it by room frames. It stops where f
// returns false. The caller holds h.mu.
func (h *hub) listening(room chat.RoomID, ids []string, f func(*Watch) bool) {
	for _, id := range ids {
		for _, w := range h.index[id] {
			if !w.joined(room) && !f(w) {
				return
			}
		}
	}
	for _, w := range h.admins {
		if !slices.Contains(ids, string(w.p.User)) && !w.joined(room) && !f(w) {
			return
		}
	}
}

// register indexes a watch by all it may be revoked by.
func (h *hub) register(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moves.Add(1)
	h.all[w] = struct{}{}
	for _, k := range w.keys() {
		h.index[k] = append(h.index[k], w)
	}
}

func (h *hub) unregister(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, w)
	for _, k := range w.keys() {
		if rest := remove(h.index[k], w); len(rest) > 0 {
			h.index[k] = rest
		} else {
			delete(h.index, k)
		}
	}
	h.admins = remove(h.admins, w)
}

// promote lets a watch hear of every room's changes.
func (h *hub) promote(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, open := h.all[w]; open && !slices.Contains(h.admins, w) {
		h.moves.Add(1)
		h.admins = append(h.admins, w)
	}
}

// watches gives the watches of some ids, each once.
func (h *hub) watches(ids ...string) []*Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Watch
	for _, id := range ids {
		for _, w := range h.index[id] {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

// expired gives the watches whose session's time seems to be over.
func (h *hub) expired(now int64) []*Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Watch
	for w := range h.all {
		if w.over(now) {
			out = append(out, w)
		}
	}
	return out
}

// remove takes one element out of an unordered list.
func remove[T comparable](list []T, v T) []T {
	i := slices.Index(list, v)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	var zero T
	list[last] = zero
	return list[:last]
}

func encode(f protocol.ServerFrame) []byte { return protocol.EncodeServer(f) }
