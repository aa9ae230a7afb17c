package access

import "anteroom/store/chat"

// Action is what somebody wants to do in one room.
type Action string

// The actions. Closed rooms are readable, not writable.
const (
	Read         Action = "read"         // state, history, live events
	Post         Action = "post"         // send a message
	Signal       Action = "signal"       // say that one is typing
	Receive      Action = "receipt"      // move one's own read mark
	Close        Action = "close"        // end the room
	BlockGuest   Action = "block_guest"  // end the room and refuse its guest session for this vendor
	Participants Action = "participants" // add and remove participants
	Explain      Action = "explain"      // ask why a principal can or can't reach the room
)

// The actions that concern no room; Query.Room is ignored for them.
const (
	List  Action = "list"  // the rooms one may reach, and being told of their changes
	Start Action = "start" // start a room with a vendor
	Make  Action = "make"  // make a room between users
	Audit Action = "audit" // read the audit table
)

// Actions lists every action in one room, in the order of the golden matrix.
var Actions = []Action{Read, Post, Signal, Receive, Close, BlockGuest, Participants, Explain}

// Roomless lists every action that concerns no room, in the order of the golden matrix.
var Roomless = []Action{List, Start, Make, Audit}

// Reason is why a decision came out as it did. Reasons go to logs, metrics and
// operators; callers see only the code.
type Reason string

// The reasons.
const (
	ReasonParticipant       Reason = "participant"            // allowed: an active participant
	ReasonAdmin             Reason = "admin"                  // allowed: an active admin
	ReasonGuestSession      Reason = "guest_session"          // allowed: the guest session that made the room
	ReasonLinkedSession     Reason = "linked_session"         // allowed: linked to an active participant
	ReasonUser              Reason = "user"                   // allowed without a room: an active user
	ReasonNobody            Reason = "nobody"                 // no principal
	ReasonNoRoom            Reason = "no_room"                // the room does not exist
	ReasonNotParticipant    Reason = "not_participant"        // a user who is no participant
	ReasonInactive          Reason = "inactive"               // the user is disabled
	ReasonOtherGuestSession Reason = "other_guest_session"    // the room belongs to another guest session
	ReasonGuestInUserRoom   Reason = "guest_in_user_room"     // the room has no guest session
	ReasonRevoked           Reason = "revoked"                // the session was revoked or has expired
	ReasonLinkOver          Reason = "link_over"              // the log-in that made the link has ended
	ReasonLinkedNotMember   Reason = "linked_not_participant" // linked to a user who is no participant
	ReasonNotAllowed        Reason = "not_allowed"            // may read the room, but not do this
	ReasonRoomClosed        Reason = "room_closed"            // may read the room; it takes no more messages
	ReasonNoGuest           Reason = "no_guest"               // there is no unlinked guest to block
)

// User is what a decision needs to know of a user.
type User struct {
	ID     chat.UserID
	Active bool
	Role   chat.Role
}

// Guest is what a decision needs to know of a guest session.
type Guest struct {
	ID    chat.GuestSessionID
	Alive bool // neither revoked nor expired
	// Linked is the user the session is linked to; nil where there is no link.
	Linked *User
	// LoginAlive tells whether the log-in that made the link still lives.
	LoginAlive bool
}

// Caller is the principal's facts: at most one of User and Guest is set.
type Caller struct {
	User         *User
	SessionAlive bool // of User: the log-in is neither revoked nor expired
	Guest        *Guest
}

// Room is what a decision needs to know of a room.
type Room struct {
	Exists       bool
	GuestSession chat.GuestSessionID // "" for a room between users
	GuestLinked  bool                // that guest session is linked
	Closed       bool
	// Participant tells whether the caller's user (or the user the caller's
	// guest session is linked to) is a participant.
	Participant bool
}

// Query is one question.
type Query struct {
	Action Action
	Caller Caller
	Room   Room
}

// Decision is the answer. The zero Decision is a denial.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Code is what the caller is told: "" if allowed, otherwise access_denied,
	// or room_closed or conflict for those who may read the room.
	Code chat.Code
	// Oversight is set where only the admin role allowed it: such a read is
	// audited and the participants see a notice.
	Oversight bool
}

// Err is the error a denied caller gets; nil if allowed.
func (d Decision) Err() error {
	switch {
	case d.Allowed:
		return nil
	case d.Code == chat.CodeRoomClosed:
		return chat.Errorf(chat.CodeRoomClosed, "This room is closed")
	case d.Code == chat.CodeConflict:
		return chat.Errorf(chat.CodeConflict, "There is no guest to block in this room")
	}
	return chat.AccessDenied
}

// Decide answers a query. It is pure and safe for concurrent use.
func Decide(q Query) Decision {
	who := standing(q.Caller)
	if !who.Allowed {
		return who
	}
	switch q.Action {
	case List, Start:
		return who
	case Make, Audit:
		if who.Reason != ReasonAdmin {
			return denied(ReasonNotAllowed)
		}
		return who
	}
	may := reach(q.Caller, q.Room)
	if !may.Allowed {
		return may
	}
	// Whoever gets here may read the room; what is left is what they may do.
	guest := q.Caller.Guest != nil
	switch q.Action {
	case Read, Receive:
		return may
	case Post, Signal:
		if q.Room.Closed {
			return Decision{Reason: ReasonRoomClosed, Code: chat.CodeRoomClosed}
		}
		return may
	case Close:
		if guest {
			return denied(ReasonNotAllowed)
		}
		return may
	case BlockGuest:
		if guest {
			return denied(ReasonNotAllowed)
		}
		if q.Room.GuestSession == "" || q.Room.GuestLinked {
			return Decision{Reason: ReasonNoGuest, Code: chat.CodeConflict}
		}
		return may
	case Participants, Explain:
		if who.Reason != ReasonAdmin {
			return denied(ReasonNotAllowed)
		}
		return may
	}
	return denied(ReasonNotAllowed)
}

// standing decides whether the caller may do anything at all.
func standing(c Caller) Decision {
	switch {
	case c.User != nil && c.Guest == nil:
		switch {
		case !c.SessionAlive:
			return denied(ReasonRevoked)
		case !c.User.Active:
			return denied(ReasonInactive)
		case c.User.Role == chat.RoleAdmin:
			return Decision{Allowed: true, Reason: ReasonAdmin}
		}
		return Decision{Allowed: true, Reason: ReasonUser}
	case c.Guest != nil && c.User == nil:
		switch g := c.Guest; {
		case !g.Alive:
			return denied(ReasonRevoked)
		case g.Linked == nil:
			return Decision{Allowed: true, Reason: ReasonGuestSession}
		case !g.LoginAlive:
			return denied(ReasonLinkOver)
		case !g.Linked.Active:
			return denied(ReasonInactive)
		}
		// Participation comes along with a link, the user's role does not.
		return Decision{Allowed: true, Reason: ReasonLinkedSession}
	}
	return denied(ReasonNobody)
}

// reach decides whether a caller in good standing may see the room at all.
func reach(c Caller, r Room) Decision {
	if !r.Exists {
		return denied(ReasonNoRoom)
	}
	if c.User != nil {
		switch {
		case r.Participant:
			return Decision{Allowed: true, Reason: ReasonParticipant}
		case c.User.Role == chat.RoleAdmin:
			return Decision{Allowed: true, Reason: ReasonAdmin, Oversight: true}
		}
		return denied(ReasonNotParticipant)
	}
	g := c.Guest
	switch {
	case g.Linked != nil && r.Participant:
		return Decision{Allowed: true, Reason: ReasonLinkedSession}
	case g.Linked != nil:
		return denied(ReasonLinkedNotMember)
	case g.ID != "" && r.GuestSession == g.ID:
		return Decision{Allowed: true, Reason: ReasonGuestSession}
	case r.GuestSession == "":
		return denied(ReasonGuestInUserRoom)
	}
	return denied(ReasonOtherGuestSession)
}

func denied(why Reason) Decision { return Decision{Reason: why, Code: chat.CodeAccessDenied} }
