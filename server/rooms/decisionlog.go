package rooms

import (
	"context"
	"log/slog"
	"sync"

	"anteroom/store/access"
	"anteroom/store/chat"
)

// verdict is a decision with what its log line says.
type verdict struct {
	caller       caller
	room         chat.RoomID // "" for actions that concern no room
	guest        chat.GuestSessionID
	participants []chat.UserID // of refusals, and where the line will be written
	action       access.Action
	decision     access.Decision
	at           int64
}

// err is what the caller of a refused action gets: whose session is over hears
// that, not that a room is closed to them.
func (v verdict) err() error {
	if v.caller.dead != nil {
		return v.caller.dead
	}
	if err := v.decision.Err(); err != chat.AccessDenied || v.room != "" {
		return err
	}
	return chat.Errorf(chat.CodeAccessDenied, "This needs the admin role")
}

// Refusals are collapsed per caller, room, action and reason.
const (
	collapseFor = 60_000 // milliseconds
	maxRefusals = 1024   // beyond that, refusals are logged one by one
)

// decisionLog writes one line per decision: refusals always, admissions at info,
// what happens once per message at debug.
type decisionLog struct {
	log *slog.Logger

	mu      sync.Mutex
	refused map[refusal]*repeats
}

type refusal struct {
	who    chat.Identity
	by     string // the session
	room   chat.RoomID
	action access.Action
	reason access.Reason
}

type repeats struct {
	since int64
	n     int
	last  verdict
}

func level(a access.Action) slog.Level {
	switch a {
	case access.Post, access.Signal, access.Receive:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// wants tells whether the line of an admission would be written.
func (d *decisionLog) wants(a access.Action) bool {
	return d.log.Enabled(context.Background(), level(a))
}

// within tells whether no more than a period has passed since a moment. A clock
// that went back ends the period: nobody waits until it is there again.
func within(now, since, period int64) bool { return now >= since && now-since < period }

// note writes a decision's line, or counts it where it repeats a refusal.
func (d *decisionLog) note(ctx context.Context, v verdict) {
	if v.action == "" {
		return // the facts could not be read; there was no decision
	}
	if v.decision.Allowed {
		if d.wants(v.action) {
			d.write(ctx, level(v.action), "access allowed", v)
		}
		return
	}
	key := refusal{v.caller.identity, string(v.caller.p.Session) + string(v.caller.p.GuestSession), v.room, v.action, v.decision.Reason}
	d.mu.Lock()
	if r := d.refused[key]; r != nil && within(v.at, r.since, collapseFor) {
		r.n++
		r.last = v
		d.mu.Unlock()
		return
	}
	if d.refused == nil {
		d.refused = make(map[refusal]*repeats)
	}
	before := d.refused[key]
	if before != nil || len(d.refused) < maxRefusals {
		d.refused[key] = &repeats{since: v.at}
	}
	d.mu.Unlock()
	if before != nil && before.n > 0 {
		d.write(ctx, slog.LevelWarn, "access denied", before.last, slog.Int("repeats", before.n))
	}
	d.write(ctx, slog.LevelWarn, "access denied", v)
}

// flush writes what was collapsed and is over; all of it where the service ends.
func (d *decisionLog) flush(now int64, all bool) {
	var over []*repeats
	d.mu.Lock()
	for k, r := range d.refused {
		if all || !within(now, r.since, collapseFor) {
			delete(d.refused, k)
			if r.n > 0 {
				over = append(over, r)
			}
		}
	}
	d.mu.Unlock()
	for _, r := range over {
		d.write(context.Background(), slog.LevelWarn, "access denied", r.last, slog.Int("repeats", r.n))
	}
}

func (d *decisionLog) write(ctx context.Context, level slog.Level, msg string, v verdict, more ...slog.Attr) {
	kind := string(v.caller.p.Kind)
	if kind == "" {
		kind = "nobody"
	}
	decision := "denied"
	if v.decision.Allowed {
		decision = "allowed"
	}
	attrs := []slog.Attr{
		slog.String("action", string(v.action)), slog.String("decision", decision), slog.String("reason", string(v.decision.Reason)),
		slog.String("caller", kind), slog.String("user", string(v.caller.user)),
		slog.String("guest_session", string(v.caller.p.GuestSession)), slog.String("session", string(v.caller.p.Session)),
	}
	if v.room != "" {
		attrs = append(attrs, slog.String("room", logID(v.room)), slog.String("room_guest_session", string(v.guest)), slog.Any("participants", v.participants))
	}
	d.log.LogAttrs(ctx, level, msg, append(attrs, more...)...)
}

// logID keeps what a caller sent as an id out of the log unless it is one.
func logID(id chat.RoomID) string {
	if _, err := chat.ParseRoomID(string(id)); err != nil {
		return "malformed"
	}
	return string(id)
}
