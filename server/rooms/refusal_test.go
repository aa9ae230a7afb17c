package rooms_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"anteroom/server/rooms"
	"anteroom/store/chat"
)

// refusedRows are the audit rows of refused rooms, newest first.
func (w *world) refusedRows() (out []rooms.AuditEntry) {
	w.Helper()
	for _, e := range must(w.Audit(ctx, w.rosa, 0, rooms.MaxAuditLimit))(w.T).Entries {
		if e.Action == "refused" {
			e.ID = 0
			out = append(out, e)
		}
	}
	return out
}

func TestRefusalsAreAudited(t *testing.T) {
	run(t, func(w *world) {
		w.Sweep(ctx)
		before := w.refusedRows()
		at := time.Now().UnixMilli()
		for range 5 {
			for _, room := range []chat.RoomID{w.guestRoom, missingRoom, "r_\ninjected", "r_another"} {
				_, err := w.Get(ctx, w.stranger, room)
				w.code(chat.CodeAccessDenied, err)
			}
		}
		equal(w.T, w.refusedRows(), before) // not on the caller's time
		w.Sweep(ctx)
		row := func(room chat.RoomID, reason string) rooms.AuditEntry {
			return rooms.AuditEntry{At: at, Action: "refused", Actor: w.stranger.Identity(), Room: room, Detail: reason}
		}
		equal(w.T, w.refusedRows(), append([]rooms.AuditEntry{row("", "no_room"), row(missingRoom, "no_room"), row(w.guestRoom, "other_guest_session")}, before...))

		w.pass(59 * minute)
		_, err := w.Get(ctx, w.stranger, w.guestRoom)
		w.code(chat.CodeAccessDenied, err)
		w.Sweep(ctx)
		if got := len(w.refusedRows()) - len(before); got != 3 {
			w.Errorf("%d rows within the hour", got)
		}
		w.pass(minute)
		_, err = w.Get(ctx, w.stranger, w.guestRoom)
		w.code(chat.CodeAccessDenied, err)
		w.Sweep(ctx)
		if got := len(w.refusedRows()) - len(before); got != 4 {
			w.Errorf("%d rows after the hour", got)
		}
	})
}

// A flood of refusals writes a few rows a minute, and keeps nobody else's out.
func TestRefusalsDoNotFillTheAudit(t *testing.T) {
	run(t, func(w *world) {
		w.Sweep(ctx)
		before := len(w.refusedRows())
		for i := range 1000 {
			_, err := w.Get(ctx, w.stranger, chat.RoomID(chat.EncodeID("r_", [16]byte{1, byte(i >> 8), byte(i)})))
			w.code(chat.CodeAccessDenied, err)
		}
		_, err := w.Get(ctx, w.bo, w.guestRoom)
		w.code(chat.CodeAccessDenied, err)
		w.Sweep(ctx)
		rows := w.refusedRows()
		if got := len(rows) - before; got != 7 || rows[0].Actor != w.bo.Identity() {
			w.Errorf("%d rows, the newest %+v", got, rows[0])
		}
		for range 20 {
			p := w.newGuest()
			for i := range 20 {
				_, err := w.Get(ctx, p, chat.RoomID(chat.EncodeID("r_", [16]byte{2, byte(i)})))
				w.code(chat.CodeAccessDenied, err)
			}
		}
		w.Sweep(ctx)
		if got := len(w.refusedRows()) - before; got > 60 {
			w.Errorf("%d rows in a minute", got)
		}
	})
}

func TestRefusalsAreAuditedAtTheEnd(t *testing.T) {
	run(t, func(w *world) {
		s := w.node(nil)
		_, err := s.Get(ctx, w.noor, w.guestRoom)
		w.code(chat.CodeAccessDenied, err)
		s.Stop()
		if rows := w.refusedRows(); len(rows) != 1 || fmt.Sprint(rows[0].Actor, rows[0].Room) != fmt.Sprint(w.noor.Identity(), w.guestRoom) {
			w.Errorf("%+v", rows)
		}
	})
}

// A clock that was a day ahead and is put right keeps no refusal out of the log
// and the audit until that day has come.
func TestRefusalsAfterTheClockWentBack(t *testing.T) {
	run(t, func(w *world) {
		var ahead time.Duration
		s := must(rooms.New(rooms.Config{
			Storage: w.storage, Auth: w.auth, SweepEvery: 30 * minute, Log: slog.New(slog.NewTextHandler(w.log, nil)),
			Now: func() time.Time { return time.Now().Add(ahead) },
		}))(w.T)
		defer s.Stop()
		for _, ahead = range []time.Duration{24 * hour, 0} {
			w.log.take()
			_, err := s.Get(ctx, w.stranger, w.guestRoom)
			w.code(chat.CodeAccessDenied, err)
			if line := w.log.take(); !strings.Contains(line, "access denied") {
				t.Errorf("%s ahead: %q", ahead, line)
			}
			s.Sweep(ctx)
		}
		if rows := w.refusedRows(); len(rows) != 2 {
			w.Errorf("%d rows", len(rows))
		}
	})
}
