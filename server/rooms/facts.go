package rooms

import (
	"errors"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// caller is who is calling, with the facts about them that one transaction saw.
type caller struct {
	p        chat.Principal
	facts    access.Caller
	identity chat.Identity // under which the caller sends and reads
	name     string        // as others see it
	user     chat.UserID   // whose participation counts; "" for a guest that is not linked
	admin    bool          // a user with the admin role; never a linked guest session
	ends     int64         // when the session ends if nobody uses it any more
	dead     *chat.Error   // why the caller may do nothing at all; nil otherwise
}

// What a caller is told whose credential was good a moment ago.
var (
	errNobody  = chat.Errorf(chat.CodeUnauthenticated, "Log in or start a chat first")
	errEnded   = chat.Errorf(chat.CodeUnauthenticated, "This session has ended")
	errExpired = chat.Errorf(chat.CodeSessionExpired, "The session has expired")
)

// factsOf reads the facts about a principal again. The error is storage's;
// a principal that is over is a caller whose dead is set.
func factsOf(r storage.Reader, p chat.Principal, now int64) (caller, error) {
	f, err := r.Facts(p, "")
	return callerOf(p, f, now), err
}

// callerOf is who p is by the facts.
func callerOf(p chat.Principal, f storage.Facts, now int64) caller {
	c := caller{p: p}
	if p.Kind == chat.KindUser && p.User == "" || p.Kind == chat.KindGuest && p.GuestSession == "" {
		c.dead = errEnded // names nobody; the zero facts are denied
		return c
	}
	switch p.Kind {
	case chat.KindUser:
		c.user, c.name, c.identity, c.ends = p.User, f.Name, chat.UserIdentity(p.User), f.Session.Ends
		c.facts = access.Caller{
			SessionAlive: f.SessionUser == p.User && f.Session.Alive(now),
			User:         &access.User{ID: p.User, Active: f.Active, Role: f.Role},
		}
		c.admin = f.Role == chat.RoleAdmin
		switch {
		case f.SessionUser == p.User && f.Session.RevokedAt == 0 && !f.Session.Alive(now):
			c.dead = errExpired
		case !c.facts.SessionAlive, !f.Active:
			c.dead = errEnded
		}
	case chat.KindGuest:
		// A guest principal from before the link was made with a secret that
		// the link has killed.
		alive := f.LinkedUser == p.User && f.Guest.Alive(now)
		c.facts.Guest = &access.Guest{ID: p.GuestSession, Alive: alive}
		c.name, c.identity, c.ends = chat.GuestLabel(p.GuestSession), chat.GuestIdentity(p.GuestSession), f.Guest.Ends
		if f.LinkedUser != "" {
			c.facts.Guest.Linked = &access.User{ID: f.LinkedUser, Active: f.Active, Role: f.Role}
			c.facts.Guest.LoginAlive = f.SessionUser == f.LinkedUser && f.Session.Alive(now)
			c.user, c.name, c.identity = f.LinkedUser, f.Name, chat.UserIdentity(f.LinkedUser)
			c.ends = min(c.ends, f.Session.Ends)
			if !c.facts.Guest.LoginAlive || !f.Active {
				c.dead = errEnded
			}
		}
		if !alive {
			c.dead = errEnded
		}
	default:
		c.dead = errNobody
	}
	return c
}

// optional turns an absent row into its zero value: absence is a fact like
// any other, and Decide denies on it.
func optional[T any](v T, err error) (T, error) {
	if errors.Is(err, storage.ErrNotFound) {
		var zero T
		return zero, nil
	}
	return v, err
}

// roomFacts reads what a decision needs of a room. It makes the same reads
// whether the room exists or not.
func roomFacts(r storage.Reader, c caller, id chat.RoomID) (row storage.Room, participant bool, err error) {
	if row, err = optional(r.Room(id)); err == nil && c.user != "" {
		participant, err = r.Participant(id, c.user)
	}
	return row, participant, err
}

func factsOfRoom(row storage.Room, id chat.RoomID, participant bool) access.Room {
	return access.Room{
		Exists:       row.ID == id && id != "",
		GuestSession: row.GuestSession,
		GuestLinked:  row.LinkedUser != "",
		Closed:       row.Closed,
		Participant:  participant,
	}
}
