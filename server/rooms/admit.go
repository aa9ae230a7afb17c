package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// admitted is the proof of a positive decision about one room. Only decide
// makes one, it is good inside its transaction only, and its methods are the
// only way to a room's events.
type admitted struct {
	r        storage.Reader
	w        storage.Writer // nil where the transaction only reads
	caller   caller
	room     storage.Room
	action   access.Action
	decision access.Decision
	epoch    string
	now      int64
	notice   *chat.Notice // that the caller was noticed in this transaction
	events   []posted     // appended in this transaction, to publish after it
}

// posted is an event that a transaction appended.
type posted struct {
	room  chat.RoomID
	epoch string
	event chat.Event
}

// read runs f with the proof that p may do a reading action in a room.
// f may run twice; it must have no effect but on values it overwrites.
func (s *Service) read(ctx context.Context, p chat.Principal, room chat.RoomID, action access.Action, f func(*admitted) error) error {
	var seen verdict
	again := false
	err := s.view(ctx, func(r storage.Reader) error {
		a, v, err := s.decide(r, nil, p, room, action)
		seen, again = v, false
		if err != nil {
			return err
		}
		if a.overseen(s) {
			again = true // the notice comes before anything of the room is given
			return nil
		}
		return f(a)
	})
	if again {
		_, err = s.write(ctx, p, room, action, f)
		return err
	}
	s.noted(ctx, seen)
	return err
}

func (s *Service) observe(v verdict) {
	s.cfg.Observe.Decided(string(v.action), string(v.decision.Reason), v.decision.Allowed)
}

// publish brings what a transaction appended to whom it concerns.
func (s *Service) publish(began time.Time, events []posted) {
	if len(events) == 0 {
		return
	}
	durable := s.cfg.Now()
	s.cfg.Observe.Appended(durable.Sub(began))
	s.hub.publish(events)
	s.cfg.Observe.Delivered(s.cfg.Now().Sub(durable))
}

// inDoubt has all whom appended events concern look at storage: the commit failed,
// and may have happened all the same.
func (s *Service) inDoubt(events []posted) {
	for _, p := range events {
		s.hub.doubt(p.room)
	}
}

// inDoubt is the service's, of what a transaction appended that got as far as to make a.
func (a *admitted) inDoubt(s *Service) {
	if a != nil {
		s.inDoubt(a.events)
	}
}

// noted is what is kept of a decision that somebody asked for.
func (s *Service) noted(ctx context.Context, v verdict) {
	s.decisions.note(ctx, v)
	s.refused.note(v)
}

// write runs f with the proof that p may do an action in a room, in a
// transaction that writes. What was appended is published once the commit is
// durable. f may run again; it must have no effect but through the proof and on
// values it overwrites.
func (s *Service) write(ctx context.Context, p chat.Principal, room chat.RoomID, action access.Action, f func(*admitted) error) (*admitted, error) {
	return s.writeThen(ctx, p, room, action, f, func() {})
}

// writeThen is write for what takes a right away: then runs after the commit,
// also one whose outcome is unknown, and before anything is published.
func (s *Service) writeThen(ctx context.Context, p chat.Principal, room chat.RoomID, action access.Action, f func(*admitted) error, then func()) (*admitted, error) {
	var (
		seen verdict
		last *admitted
	)
	began := s.cfg.Now()
	landing := s.hub.takeOff(room)
	defer landing.done()
	err := s.update(ctx, func(w storage.Writer) error {
		a, v, err := s.decide(w, w, p, room, action)
		seen, last = v, nil
		if err != nil {
			return err
		}
		last = a
		if err := a.oversee(s); err != nil {
			return err
		}
		return f(a)
	})
	s.noted(ctx, seen)
	if last != nil {
		then()
	}
	if err != nil {
		last.inDoubt(s)
		return nil, err
	}
	s.publish(began, last.events)
	if last.opens() {
		s.noticed.add(room, last.caller.user, day(last.now))
	}
	if last.notice != nil {
		s.hub.signal(room, protocol.ServerFrame{Notice: &protocol.NoticeFrame{Room: room, Notice: *last.notice}}, "", false)
	}
	return last, nil
}

// decide reads the facts, asks access.Decide and makes the proof if the answer
// is yes. w is nil in a transaction that only reads.
func (s *Service) decide(r storage.Reader, w storage.Writer, p chat.Principal, room chat.RoomID, action access.Action) (*admitted, verdict, error) {
	now := s.now()
	f, err := r.Facts(p, room)
	if err != nil {
		return nil, verdict{}, fmt.Errorf("read the facts of room %s and the caller: %w", room, err)
	}
	c := callerOf(p, f, now)
	return s.decideOn(r, w, c, room, f.Room, f.Participant, action, now)
}

// decideFor is decide for a caller whose facts this transaction has read.
func (s *Service) decideFor(r storage.Reader, w storage.Writer, c caller, room chat.RoomID, action access.Action, now int64) (*admitted, verdict, error) {
	row, participant, err := roomFacts(r, c, room)
	if err != nil {
		return nil, verdict{}, fmt.Errorf("read the facts of room %s: %w", room, err)
	}
	return s.decideOn(r, w, c, room, row, participant, action, now)
}

// decideOn is decide on what this transaction has read of the caller and the room.
func (s *Service) decideOn(r storage.Reader, w storage.Writer, c caller, room chat.RoomID, row storage.Room, participant bool, action access.Action, now int64) (_ *admitted, v verdict, err error) {
	v = verdict{caller: c, room: room, guest: row.GuestSession, action: action, at: now}
	v.decision = access.Decide(access.Query{Action: action, Caller: c.facts, Room: factsOfRoom(row, room, participant)})
	s.observe(v)
	if !v.decision.Allowed || s.decisions.wants(action) {
		if v.participants, err = r.Participants(room); err != nil {
			return nil, verdict{}, fmt.Errorf("read the participants of room %s: %w", room, err)
		}
	}
	if !v.decision.Allowed {
		return nil, v, v.err()
	}
	epoch, err := r.Epoch()
	if err != nil {
		return nil, verdict{}, fmt.Errorf("read the epoch: %w", err)
	}
	return &admitted{r: r, w: w, caller: c, room: row, action: action, decision: v.decision, epoch: epoch, now: now}, v, nil
}

// permit decides about an action that concerns no room.
func (s *Service) permit(r storage.Reader, p chat.Principal, action access.Action) (caller, verdict, error) {
	now := s.now()
	c, err := factsOf(r, p, now)
	if err != nil {
		return c, verdict{}, fmt.Errorf("read the caller's facts: %w", err)
	}
	v := verdict{caller: c, action: action, at: now}
	v.decision = access.Decide(access.Query{Action: action, Caller: c.facts})
	s.observe(v)
	if !v.decision.Allowed {
		return c, v, v.err()
	}
	return c, v, nil
}

// made is the proof for a room its caller has just created in this transaction.
func (s *Service) made(w storage.Writer, c caller, row storage.Room) (*admitted, error) {
	epoch, err := w.Epoch()
	if err != nil {
		return nil, err
	}
	return &admitted{r: w, w: w, caller: c, room: row, epoch: epoch, now: s.now()}, nil
}

// operated is the proof for what the operator does: whoever can start the
// program on the database may change who belongs to a vendor.
func (s *Service) operated(w storage.Writer, id chat.RoomID) (*admitted, error) {
	row, err := w.Room(id)
	if err != nil {
		return nil, fmt.Errorf("room %s: %w", id, err)
	}
	return s.made(w, caller{}, row)
}

// append stores an event by the caller as the room's next one.
func (a *admitted) append(e chat.Event) (chat.Event, bool, error) {
	e.At, e.Sender, e.SenderName = a.now, a.caller.identity, a.caller.name
	stored, created, err := a.w.Append(a.room.ID, e)
	if errors.Is(err, storage.ErrConflict) {
		return stored, false, chat.Errorf(chat.CodeConflict, "This message id was used for another message")
	}
	if err != nil {
		return stored, false, fmt.Errorf("append to room %s: %w", a.room.ID, err)
	}
	if created {
		a.room.Head = stored.Seq
		if stored.Kind == chat.MessagePosted {
			a.room.Messages++
			a.room.LastActive = stored.At
		}
		a.events = append(a.events, posted{a.room.ID, a.epoch, stored})
	}
	return stored, created, nil
}

// run returns up to limit events after a seq, fewer where they are long.
func (a *admitted) run(after int64, limit int) ([]chat.Event, error) {
	if after >= a.room.Head {
		return nil, nil
	}
	events, err := a.r.Events(storage.EventQuery{Room: a.room.ID, After: after, Limit: limit})
	return firstFit(events), err
}

// runBefore returns the last events before a seq, at most limit, fewer where they are long.
func (a *admitted) runBefore(before int64, limit int) ([]chat.Event, error) {
	if before <= 1 {
		return nil, nil
	}
	events, err := a.r.Events(storage.EventQuery{Room: a.room.ID, Before: before, Limit: limit})
	return lastFit(events), err
}

// last returns the newest message, nil where there is none.
func (a *admitted) last() (*chat.Event, error) {
	if a.room.Messages == 0 {
		return nil, nil
	}
	e, err := a.r.LastMessage(a.room.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return &e, err
}

// sent returns what the caller posted in this room under a client message id.
func (a *admitted) sent(id chat.ClientID) (chat.Event, error) {
	at, err := a.r.Sent(a.caller.identity, id)
	if err == nil && at.Room != a.room.ID {
		err = storage.ErrNotFound
	}
	if err != nil {
		return chat.Event{}, err
	}
	events, err := a.run(at.Seq-1, 1)
	if err == nil && len(events) != 1 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return chat.Event{}, err
	}
	return events[0], nil
}

// mark moves the caller's read mark forward.
func (a *admitted) mark(seq int64) (storage.Mark, bool, error) {
	return a.w.SetRead(a.room.ID, a.caller.identity, seq)
}

// marked returns the caller's read mark.
func (a *admitted) marked() (storage.Mark, error) {
	return a.r.Read(a.room.ID, a.caller.identity)
}

// receipts lists how far those have read whom the room shows: an admin who only
// looked in leaves a notice, not a receipt.
func (a *admitted) receipts(state chat.Room) ([]chat.Receipt, error) {
	all, err := a.r.Receipts(a.room.ID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r chat.Receipt) bool { return !shows(state, r.Reader) }), nil
}

// notices lists which admins looked in.
func (a *admitted) notices() ([]chat.Notice, error) { return a.r.Notices(a.room.ID) }

// opens tells whether the decision shows the caller a room that only the admin role opened.
func (a *admitted) opens() bool {
	switch a.action {
	case access.Read, access.Post, access.Signal, access.Receive:
		return a.decision.Oversight
	}
	return false // what an admin does to a room without looking into it is audited as such
}

// overseen tells whether a notice has still to be written today.
func (a *admitted) overseen(s *Service) bool {
	return a.opens() && !s.noticed.has(a.room.ID, a.caller.user, day(a.now))
}

// oversee writes the notice and the audit row of an admin's look, once a day.
func (a *admitted) oversee(s *Service) error {
	if !a.overseen(s) {
		return nil
	}
	n := chat.Notice{Name: a.caller.name, At: a.now}
	added, err := a.w.AddNotice(a.room.ID, a.caller.user, day(a.now), n)
	if err != nil {
		return fmt.Errorf("write the notice for room %s: %w", a.room.ID, err)
	}
	if !added {
		return nil
	}
	a.notice = &n
	return a.audit("oversight", "", string(a.decision.Reason))
}

// audit writes a row about what the caller did in the room.
func (a *admitted) audit(action, subject, detail string) error {
	return a.w.AddAudit(storage.AuditEntry{
		At: a.now, Action: action, Actor: a.caller.identity, Subject: subject, Room: a.room.ID, Detail: detail,
	})
}

func day(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

// noticed remembers notices that are durable, so that an admin's further reads
// of the day need no writing transaction. Forgetting costs one such transaction.
type noticed struct {
	mu  sync.Mutex
	set map[noticeKey]struct{}
}

type noticeKey struct {
	room chat.RoomID
	user chat.UserID
	day  string
}

const maxNoticed = 4096

func (n *noticed) has(room chat.RoomID, user chat.UserID, day string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.set[noticeKey{room, user, day}]
	return ok
}

func (n *noticed) add(room chat.RoomID, user chat.UserID, day string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.set == nil || len(n.set) >= maxNoticed {
		n.set = make(map[noticeKey]struct{})
	}
	n.set[noticeKey{room, user, day}] = struct{}{}
}
