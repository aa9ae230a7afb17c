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
	c := caller{p: p}
	if p.Kind == chat.KindUser && p.User == "" || p.Kind == chat.KindGuest && p.GuestSession == "" {
		c.dead = errEnded // names nobody; the zero facts are denied
		return c, nil
	}
	switch p.Kind {
	case chat.KindUser:
		session, err := optional(r.AccountSession(p.Session))
		if err != nil {
			return c, err
		}
		user, err := optional(r.User(p.User))
		if err != nil {
			return c, err
		}
		c.user, c.name, c.identity, c.ends = p.User, user.Name, chat.UserIdentity(p.User), session.Ends()
		c.facts = access.Caller{
			SessionAlive: session.User == p.User && session.Alive(now),
			User:         &access.User{ID: p.User, Active: user.Active, Role: user.Role},
		}
		c.admin = user.Role == chat.RoleAdmin
		switch {
		case session.User == p.User && session.RevokedAt == 0 && !session.Alive(now):
			c.dead = errExpired
		case !c.facts.SessionAlive, !user.Active:
			c.dead = errEnded
		}
	case chat.KindGuest:
		g, err := optional(r.GuestSession(p.GuestSession))
		if err != nil {
			return c, err
		}
		// A guest principal from before the link was made with a secret that
		// the link has killed.
		alive := g.ID == p.GuestSession && g.LinkedUser == p.User && g.Alive(now)
		c.facts.Guest = &access.Guest{ID: p.GuestSession, Alive: alive}
		c.name, c.identity, c.ends = chat.GuestLabel(p.GuestSession), chat.GuestIdentity(p.GuestSession), g.Ends()
		if g.LinkedUser != "" {
			user, err := optional(r.User(g.LinkedUser))
			if err != nil {
				return c, err
			}
			login, err := optional(r.AccountSession(g.LinkedBy))
			if err != nil {
				return c, err
			}
			c.facts.Guest.Linked = &access.User{ID: g.LinkedUser, Active: user.Active, Role: user.Role}
			c.facts.Guest.LoginAlive = login.User == g.LinkedUser && login.Alive(now)
			c.user, c.name, c.identity = g.LinkedUser, user.Name, chat.UserIdentity(g.LinkedUser)
			c.ends = min(c.ends, login.Ends())
			if !c.facts.Guest.LoginAlive || !user.Active {
				c.dead = errEnded
			}
		}
		if !alive {
			c.dead = errEnded
		}
	default:
		c.dead = errNobody
	}
	return c, nil
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
func roomFacts(r storage.Reader, c caller, id chat.RoomID) (storage.Room, access.Room, error) {
	row, err := optional(r.Room(id))
	if err != nil {
		return row, access.Room{}, err
	}
	participant := false
	if c.user != "" {
		if participant, err = r.Participant(id, c.user); err != nil {
			return row, access.Room{}, err
		}
	}
	return row, factsOfRoom(row, id, participant), nil
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
