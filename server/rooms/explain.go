package rooms

import (
	"context"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// Subject is about whom an explanation is: exactly one field is set. A user
// alone means "with a log-in that lives".
type Subject struct {
	User         chat.UserID
	GuestSession chat.GuestSessionID
	Session      chat.AccountSessionID
}

// Explanation says why a principal can, or can't, reach a room. It holds facts
// about rights and nothing of what was said in the room.
type Explanation struct {
	Room    chat.RoomID   `json:"room"`
	Allowed bool          `json:"allowed"` // to read
	Reason  access.Reason `json:"reason"`
	// Actions has the decision about every action.
	Actions map[access.Action]Explained `json:"actions"`
	Facts   Facts                       `json:"facts"`
}

// Explained is the decision about one action.
type Explained struct {
	Allowed bool          `json:"allowed"`
	Reason  access.Reason `json:"reason"`
}

// Facts are what a decision was taken from.
type Facts struct {
	Kind           chat.PrincipalKind  `json:"kind"`
	User           chat.UserID         `json:"user,omitempty"` // also the one a guest session is linked to
	UserActive     bool                `json:"user_active"`
	Role           chat.Role           `json:"role,omitempty"`
	GuestSession   chat.GuestSessionID `json:"guest_session,omitempty"`
	SessionAlive   bool                `json:"session_alive"`
	LoginAlive     bool                `json:"login_alive"` // of the log-in that made the link
	RoomExists     bool                `json:"room_exists"`
	RoomClosed     bool                `json:"room_closed"`
	RoomGuest      chat.GuestSessionID `json:"room_guest_session,omitempty"`
	RoomLinkedUser chat.UserID         `json:"room_linked_user,omitempty"`
	Participant    bool                `json:"participant"`
	Participants   []chat.UserID       `json:"participants"`
}

// Explain tells an admin why a principal can, or can't, reach a room. Errors:
// unauthenticated, session_expired, access_denied, invalid.
func (s *Service) Explain(ctx context.Context, p chat.Principal, room chat.RoomID, about Subject) (e Explanation, err error) {
	err = s.read(ctx, p, room, access.Explain, func(a *admitted) (err error) {
		e, err = s.explain(a.r, room, about)
		return err
	})
	return e, err
}

// ExplainToOperator is Explain for whoever runs the server. It also answers
// about rooms that do not exist.
func (s *Service) ExplainToOperator(ctx context.Context, room chat.RoomID, about Subject) (e Explanation, err error) {
	err = s.view(ctx, func(r storage.Reader) (err error) {
		e, err = s.explain(r, room, about)
		return err
	})
	return e, err
}

func (s *Service) explain(r storage.Reader, room chat.RoomID, about Subject) (Explanation, error) {
	var p chat.Principal
	switch about {
	case Subject{User: about.User}:
		p = chat.Principal{Kind: chat.KindUser, User: about.User}
	case Subject{GuestSession: about.GuestSession}:
		g, err := optional(r.GuestSession(about.GuestSession))
		if err != nil {
			return Explanation{}, err
		}
		p = chat.Principal{Kind: chat.KindGuest, GuestSession: about.GuestSession, User: g.LinkedUser}
	case Subject{Session: about.Session}:
		session, err := optional(r.AccountSession(about.Session))
		if err != nil {
			return Explanation{}, err
		}
		p = chat.Principal{Kind: chat.KindUser, User: session.User, Session: about.Session}
	default:
		return Explanation{}, chat.Errorf(chat.CodeInvalid, "name one of user, guest_session and session")
	}
	if p == (chat.Principal{Kind: chat.KindUser}) {
		return Explanation{}, chat.Errorf(chat.CodeInvalid, "name one of user, guest_session and session")
	}
	c, err := factsOf(r, p, s.now())
	if err != nil {
		return Explanation{}, err
	}
	if about.User != "" {
		c.facts.SessionAlive = true
	}
	row, participant, err := roomFacts(r, c, room)
	if err != nil {
		return Explanation{}, err
	}
	facts := factsOfRoom(row, room, participant)
	participants, err := r.Participants(room)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Room: room, Actions: make(map[access.Action]Explained, len(access.Actions))}
	for _, action := range access.Actions {
		d := access.Decide(access.Query{Action: action, Caller: c.facts, Room: facts})
		e.Actions[action] = Explained{d.Allowed, d.Reason}
		if action == access.Read {
			e.Allowed, e.Reason = d.Allowed, d.Reason
		}
	}
	e.Facts = Facts{
		Kind: p.Kind, User: c.user, GuestSession: p.GuestSession, SessionAlive: c.facts.SessionAlive,
		RoomExists: facts.Exists, RoomClosed: facts.Closed, RoomGuest: row.GuestSession, RoomLinkedUser: row.LinkedUser,
		Participant: facts.Participant, Participants: participants,
	}
	if e.Facts.Participants == nil {
		e.Facts.Participants = []chat.UserID{}
	}
	user := c.facts.User
	if g := c.facts.Guest; g != nil {
		e.Facts.SessionAlive, e.Facts.LoginAlive, user = g.Alive, g.LoginAlive, g.Linked
	}
	if user != nil {
		e.Facts.UserActive, e.Facts.Role = user.Active, user.Role
	}
	return e, nil
}
