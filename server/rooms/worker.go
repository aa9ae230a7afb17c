package rooms

import (
	"context"
	"log/slog"
	"sync"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// worker does what follows a delivery and needs storage: catch-ups of joins that
// missed something, and room frames for lists. It is one goroutine that exists
// only while there is work; the hub owns it, and close waits for it.
type worker struct {
	s *Service

	mu      sync.Mutex // guards everything below
	late    []*join    // each at most once: join.catching says so
	lists   map[listKey]struct{}
	failed  map[listKey]struct{} // could not be read; Sweep has them tried again
	checks  []check              // rechecks that other nodes asked for
	running bool
	closed  bool
	done    sync.WaitGroup
}

// listKey is a room whose line in lists has to be shown anew: to one identity,
// or to everybody where that is "".
type listKey struct {
	room chat.RoomID
	only chat.Identity
}

type check struct {
	w     *Watch
	rooms []chat.RoomID
}

func (k *worker) catchUp(late ...*join) {
	if len(late) > 0 {
		k.add(func() { k.late = append(k.late, late...) })
	}
}

func (k *worker) refresh(key listKey) {
	k.add(func() {
		if k.lists == nil {
			k.lists = make(map[listKey]struct{})
		}
		k.lists[key] = struct{}{}
	})
}

// postpone keeps a line that could not be read.
func (k *worker) postpone(key listKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		k.failed = make(map[listKey]struct{})
	}
	k.failed[key] = struct{}{}
}

// again tries what was postponed.
func (k *worker) again() {
	k.mu.Lock()
	failed := k.failed
	k.failed = nil
	k.mu.Unlock()
	for key := range failed {
		k.refresh(key)
	}
}

func (k *worker) recheck(watches []*Watch, rooms ...chat.RoomID) {
	if len(watches) == 0 {
		return
	}
	k.add(func() {
		for _, w := range watches {
			k.checks = append(k.checks, check{w, rooms})
		}
	})
}

func (k *worker) add(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	f()
	if !k.running {
		k.running = true
		k.done.Add(1)
		go k.run() // owned by k: ends when there is no more work, or at close
	}
}

func (k *worker) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.done.Wait()
}

func (k *worker) run() {
	defer k.done.Done()
	ctx := context.Background()
	for {
		k.mu.Lock()
		late, lists, checks := k.late, k.lists, k.checks
		k.late, k.lists, k.checks = nil, nil, nil
		if k.closed || len(late)+len(lists)+len(checks) == 0 {
			k.running = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		for _, c := range checks {
			k.s.recheck(ctx, c.w, c.rooms...)
		}
		for _, j := range late {
			k.s.catchUp(ctx, j)
		}
		for key := range lists {
			k.s.refresh(ctx, key)
		}
	}
}

// catchUp reads what a join has missed. That is a read like any other: it is
// decided in its transaction.
func (s *Service) catchUp(ctx context.Context, j *join) {
	for {
		j.r.mu.Lock()
		gone, from, asked := j.state != live, j.last, j.behind
		j.r.mu.Unlock()
		if gone {
			return
		}
		var (
			events []chat.Event
			epoch  string
			head   int64
		)
		err := s.read(ctx, j.w.p, j.r.id, access.Read, func(a *admitted) (err error) {
			head, epoch = a.room.Head, a.epoch
			j.w.ends.Store(a.caller.ends)
			events, err = a.run(from, resumeWindow)
			return err
		})
		if err != nil {
			s.missed(ctx, j, err)
			return
		}
		frames := make([][]byte, len(events))
		for i, e := range events {
			frames[i] = encode(protocol.ServerFrame{Event: &protocol.EventFrame{Room: j.r.id, Epoch: epoch, Event: e}})
		}
		j.r.mu.Lock()
		if j.state != live {
			j.r.mu.Unlock()
			return
		}
		if head-from > resumeWindow {
			j.r.mu.Unlock()
			j.w.resync(j)
			return
		}
		for i, e := range events {
			if e.Seq == j.last+1 {
				j.last = e.Seq
				j.w.sink.Deliver(Frame{Bytes: frames[i], Room: j.r.id})
			}
		}
		// What was held back since the read began may be later than what it saw.
		// What was promised before, and is not there, was a hint that lied.
		if j.last >= j.behind || len(events) == 0 && j.behind <= asked {
			j.catching = false
			j.r.mu.Unlock()
			return
		}
		j.r.mu.Unlock()
	}
}

// missed handles a catch-up that got nothing.
func (s *Service) missed(ctx context.Context, j *join, err error) {
	switch chat.CodeOf(err) {
	case chat.CodeAccessDenied, chat.CodeUnauthenticated, chat.CodeSessionExpired:
		s.recheck(ctx, j.w, j.r.id)
	default:
		// The next event or the next beat tries again.
		s.log.Warn("catch-up failed", slog.String("room", string(j.r.id)), slog.Any("err", err))
	}
	j.r.mu.Lock()
	j.catching = false
	j.r.mu.Unlock()
}

// refresh sends the line of a room to the watches in whose lists it stands or
// should stand, and that have not joined it. Who these are is decided here.
func (s *Service) refresh(ctx context.Context, key listKey) {
	h := s.hub
	at := h.clock.Load()
	r := h.hold(key.room)
	var version int64
	if r != nil {
		r.mu.Lock()
		version = r.version
		r.mu.Unlock()
		defer h.release(r)
	}
	type offer struct {
		w     *Watch
		bytes []byte
	}
	var (
		offers   []offer
		audience []string
	)
	err := s.view(ctx, func(rd storage.Reader) error {
		offers, audience = nil, nil
		row, err := optional(rd.Room(key.room))
		if err != nil || row.ID == "" {
			return err
		}
		members, err := rd.Members(key.room)
		if err != nil {
			return err
		}
		for _, m := range members {
			audience = append(audience, string(m.User))
		}
		if row.GuestSession != "" && row.LinkedUser == "" {
			audience = append(audience, string(row.GuestSession))
		}
		var watches []*Watch
		h.mu.Lock()
		h.listening(key.room, audience, func(w *Watch) bool {
			if key.only == "" || w.identity == key.only {
				watches = append(watches, w)
			}
			return true
		})
		h.mu.Unlock()
		if len(watches) == 0 {
			return nil
		}
		state, err := stateOf(row, members, newNames(rd))
		if err != nil {
			return err
		}
		for _, w := range watches {
			a, v, err := s.decide(rd, nil, w.p, key.room, access.Read)
			if err != nil {
				if v.action != "" {
					continue // not in that list
				}
				return err
			}
			w.ends.Store(a.caller.ends)
			last, err := a.last()
			if err != nil {
				return err
			}
			sum, err := a.summaryWith(state, last)
			if err != nil {
				return err
			}
			offers = append(offers, offer{w, encode(protocol.ServerFrame{Room: &protocol.RoomFrame{Room: sum}})})
		}
		return nil
	})
	if err != nil {
		s.log.Warn("list not brought up to date", slog.String("room", string(key.room)), slog.Any("err", err))
		h.worker.postpone(key)
		return
	}
	for _, o := range offers {
		if !o.w.offer(at, Frame{Bytes: o.bytes, Room: key.room}) {
			h.worker.refresh(listKey{key.room, o.w.identity})
		}
	}
	if r != nil && audience != nil {
		r.mu.Lock()
		if r.version == version {
			r.audience, r.silent = audience, -1
		}
		r.mu.Unlock()
	}
}
