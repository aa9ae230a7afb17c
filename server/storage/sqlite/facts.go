//go:build !js

package sqlite

import (
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// The facts of a decision are one statement: three of one row each cost half as
// much again. LEFT JOINs are walked in the order they are written in.
const (
	factColumns = "SELECT s.user, s.last_seen_at, s.idle_ms, s.expires_at, s.revoked_at, u.id, u.name, u.role, u.active, " +
		"p.room IS NOT NULL, " + keyedRoomColumns

	factsOfUser  = factColumns + " FROM (SELECT 1) LEFT JOIN account_sessions s ON s.id = ?1 LEFT JOIN users u ON u.id = ?2"
	factsOfGuest = factColumns + ", g.last_seen_at, g.idle_ms, g.expires_at, g.revoked_at, g.linked_user" +
		" FROM (SELECT 1) LEFT JOIN guest_sessions g ON g.id = ?1" +
		" LEFT JOIN account_sessions s ON s.id = g.linked_by LEFT JOIN users u ON u.id = g.linked_user"

	factsInRoom = " LEFT JOIN heads h ON h.room = r.n LEFT JOIN participants p ON p.room = r.n AND p.user = u.id"
	byID        = " LEFT JOIN rooms r ON r.id = ?3" + factsInRoom
	byNumber    = " LEFT JOIN rooms r ON r.n = ?3" + factsInRoom
)

func (r reader) Facts(p chat.Principal, room chat.RoomID) (storage.Facts, error) {
	query, numbered, session, user := factsOfUser+byID, factsOfUser+byNumber, string(p.Session), string(p.User)
	guest := p.Kind == chat.KindGuest
	if guest {
		query, numbered, session, user = factsOfGuest+byID, factsOfGuest+byNumber, string(p.GuestSession), ""
	}
	scan := func(s *stmt) (f storage.Facts, err error) {
		f.SessionUser, f.Session = chat.UserID(s.text()), scanLife(s)
		f.User, f.Name, f.Role, f.Active = chat.UserID(s.text()), s.text(), chat.Role(s.text()), s.bool()
		f.Participant = s.bool()
		f.Room, err = r.scanKeyedRoom(s)
		if guest {
			f.Guest, f.LinkedUser = scanLife(s), chat.UserID(s.text())
		}
		return f, err
	}
	if n, ok := r.c.rooms[room]; ok {
		if f, err := one(r.c, scan, numbered, session, user, n); err != nil || f.Room.ID == room {
			return f, err
		}
	}
	f, err := one(r.c, scan, query, session, user, string(room))
	if err == nil && f.Room.ID != "" {
		keep(r.c.rooms, room, r.c.room.n)
	}
	return f, err
}

func scanLife(s *stmt) storage.Life {
	return storage.AccountSession{LastSeenAt: s.int(), IdleMS: s.int(), ExpiresAt: s.int(), RevokedAt: s.int()}.Life()
}
