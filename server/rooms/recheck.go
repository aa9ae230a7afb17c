package rooms

import (
	"context"
	"log/slog"
	"slices"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// Recheck decides again about every open watch that a change concerns, before
// it returns: watches that may do nothing any more are ended, rooms that were
// lost are taken out of them. Wire it to auth.OnChange. It runs where storage
// fails, too: what can't be decided is ended.
func (s *Service) Recheck(ctx context.Context, c auth.Change) {
	ctx = context.WithoutCancel(ctx)
	keys := ids(c)
	for _, w := range s.hub.watches(keys...) {
		s.recheck(ctx, w)
	}
	s.hub.tell(hint{Kind: hintRecheck, Change: &c})
}

// revoke decides again about a user's open watches for some rooms.
func (s *Service) revoke(ctx context.Context, user chat.UserID, rooms ...chat.RoomID) {
	if len(rooms) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, w := range s.hub.watches(string(user)) {
		s.recheck(ctx, w, rooms...)
	}
	s.hub.tell(hint{Kind: hintRevoke, User: user, Rooms: rooms})
}

// recheck decides again about one watch: its principal, the rooms it joined,
// and further rooms of its list.
func (s *Service) recheck(ctx context.Context, w *Watch, further ...chat.RoomID) {
	w.mu.Lock()
	w.checked = s.hub.clock.Add(1)
	wasAdmin := w.admin
	rooms := slices.Clone(further)
	for _, j := range w.joins {
		if !slices.Contains(rooms, j.r.id) {
			rooms = append(rooms, j.r.id)
		}
	}
	ended, joins := w.ended, slices.Clone(w.joins)
	w.mu.Unlock()
	if ended != nil { // perhaps by somebody who has not done with it
		for _, j := range joins {
			w.drop(j)
		}
		if ended != errClosed {
			w.sink.End(ended)
		}
		return
	}
	var (
		c       caller
		refused []verdict
		unseen  []chat.RoomID // reached as an admin only, and nobody was told of that yet
	)
	err := s.view(ctx, func(r storage.Reader) (err error) {
		refused, unseen = nil, nil
		if c, err = factsOf(r, w.p, s.now()); err != nil || c.dead != nil {
			return err
		}
		for _, id := range rooms {
			a, v, err := s.decideFor(r, nil, c, id, access.Read, s.now())
			switch {
			case err != nil && v.action == "":
				return err
			case err != nil:
				refused = append(refused, v)
			case a.overseen(s):
				unseen = append(unseen, id)
			}
		}
		return nil
	})
	for _, v := range refused {
		s.decisions.note(ctx, v)
	}
	switch {
	case err != nil:
		s.log.Warn("watch ended because it could not be decided", slog.Any("err", err))
		w.end(errDoubt)
		return
	case c.dead != nil:
		w.end(c.dead)
		return
	case wasAdmin && !c.admin, len(refused) > maxGone:
		// Frames of any room may be queued: the connection starts anew.
		w.end(errResync)
		return
	}
	for _, v := range refused {
		w.lose(v.room)
	}
	for _, id := range unseen {
		if j := w.find(id); j != nil {
			w.resync(j) // joining anew tells the participants
		}
	}
	w.confirm(s.hub.clock.Load(), c)
}

// lose takes a room out of the watch and what is queued of it out of the sink.
func (w *Watch) lose(room chat.RoomID) {
	if j := w.find(room); j != nil && w.dropThen(j, func() { w.sink.Revoke(room) }) {
		return
	}
	// It was left before, and nothing comes any more: what is queued may be of then.
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.sink.Revoke(room)
	}
}
