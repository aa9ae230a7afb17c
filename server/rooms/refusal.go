package rooms

import (
	"context"
	"log/slog"
	"sync"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// Refused rooms are audited once an hour per caller, room and reason, and so
// often a minute, so that nobody can fill the table or keep others out of it.
const (
	auditAgain     = 3_600_000 // milliseconds
	auditMinute    = 60_000
	auditRows      = 60 // a minute, all together
	auditCallerRow = 6  // a minute, of one caller
)

// refusals gathers audit rows of refused rooms. They are written by the sweeper,
// never by whom they are about: a refusal costs its caller's transaction no
// write, and the same number of reads whatever the room.
type refusals struct {
	mu      sync.Mutex
	known   map[refusedRoom]int64 // when the row was gathered; at most auditRows a minute for an hour
	pending []storage.AuditEntry  // at most auditRows between two minutes
	minute  int64                 // when the minute began that the next three count
	rows    int
	of      map[chat.Identity]int
	left    int // rows that were left out
}

type refusedRoom struct {
	who    chat.Identity
	room   chat.RoomID
	reason access.Reason
}

// note gathers a refusal.
func (f *refusals) note(v verdict) {
	if v.room == "" || v.decision.Allowed || v.decision.Err() != chat.AccessDenied {
		return
	}
	key := refusedRoom{v.caller.identity, v.room, v.decision.Reason}
	e := storage.AuditEntry{At: v.at, Action: "refused", Actor: key.who, Room: v.room, Detail: string(key.reason)}
	if _, err := chat.ParseRoomID(string(v.room)); err != nil {
		key.room, e.Room = "", "" // what a caller made up is no id, and one row says so
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.known[key]; ok && within(v.at, at, auditAgain) {
		return
	}
	if f.known == nil || !within(v.at, f.minute, auditMinute) {
		f.minute, f.rows, f.of = v.at, 0, make(map[chat.Identity]int)
		if f.known == nil {
			f.known = make(map[refusedRoom]int64)
		}
	}
	if f.rows >= auditRows || f.of[key.who] >= auditCallerRow || len(f.pending) >= 2*auditRows {
		f.left++
		return
	}
	f.rows++
	f.of[key.who]++
	f.known[key] = v.at
	f.pending = append(f.pending, e)
}

// take gives the rows to write, and how many were left out since the last take.
func (f *refusals) take(now int64) (rows []storage.AuditEntry, left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, left, f.pending, f.left = f.pending, f.left, nil, 0
	for k, at := range f.known {
		if !within(now, at, auditAgain) {
			delete(f.known, k)
		}
	}
	return rows, left
}

// auditRefusals writes the gathered rows. What can't be written is in the log only.
func (s *Service) auditRefusals(ctx context.Context) {
	rows, left := s.refused.take(s.now())
	if left > 0 {
		s.log.Warn("refusals not audited", slog.Int("rows", left))
	}
	if len(rows) == 0 {
		return
	}
	err := s.update(ctx, func(w storage.Writer) error {
		for _, e := range rows {
			if err := w.AddAudit(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("audit rows lost", slog.Int("rows", len(rows)), slog.Any("err", err))
	}
}
