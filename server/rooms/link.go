package rooms

import (
	"context"
	"errors"
	"fmt"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// Linked is what a link came to.
type Linked struct {
	Status       auth.LinkStatus
	GuestSession chat.GuestSessionID
	// Credential is the guest session's rotated secret, to be kept in memory
	// only; "" where the session was linked before.
	Credential string
}

// Link ties a guest session to the user of a log-in, in one transaction: the
// guest's rooms gain the user as a participant, the guest's sent messages and
// read marks become the user's, and the secret is rotated. When it returns,
// sockets of the old secret are cut. A repeat with the same user changes
// nothing, so it re-adds nobody who was removed. Errors: unauthenticated and
// session_expired for the account credential, access_denied for all about the
// guest's.
func (s *Service) Link(ctx context.Context, account, guest string) (Linked, error) {
	var (
		out    auth.LinkOutcome
		events []posted
	)
	began := s.cfg.Now()
	err := s.update(ctx, func(w storage.Writer) error {
		out, events = auth.LinkOutcome{}, nil
		rooms, err := s.roomsToLink(w, guest)
		if err != nil {
			return err
		}
		if out, err = s.auth.LinkGuest(w, account, guest); err != nil {
			return err
		}
		if out.Status != auth.Linked {
			return nil
		}
		n := newNames(w)
		user, err := factsOf(w, out.Principal, s.now())
		if err != nil {
			return err
		}
		for _, a := range rooms {
			a.caller = user
			if err := a.link(out.Principal.User, n); err != nil {
				return fmt.Errorf("link room %s: %w", a.room.ID, err)
			}
			events = append(events, a.events...)
		}
		return w.MoveIdentity(chat.GuestIdentity(out.Guest), chat.UserIdentity(out.Principal.User))
	})
	s.auth.Announce(ctx, out.Change) // cuts sockets; also where the commit's outcome is unknown
	if chat.CodeOf(err) == chat.CodeAccessDenied {
		s.auth.LinkRefused(ctx, account, guest)
	}
	if err != nil {
		s.inDoubt(events)
		return Linked{}, err
	}
	s.publish(began, events)
	return Linked{Status: out.Status, GuestSession: out.Guest, Credential: out.Credential}, nil
}

// roomsToLink gives the rooms a guest session may read before it is linked, with
// the proof for each. It reads them for the holder of the secret only: who
// brings a public id along is refused after the same work as for one that
// does not exist.
func (s *Service) roomsToLink(w storage.Writer, guest string) ([]*admitted, error) {
	p, err := s.auth.Resolve(w, guest)
	if _, refused := errors.AsType[*chat.Error](err); refused || err == nil && (p.Kind != chat.KindGuest || p.User != "") {
		return nil, nil // LinkGuest says why
	}
	if err != nil {
		return nil, err
	}
	c, err := factsOf(w, p, s.now())
	if err != nil || c.dead != nil {
		return nil, err
	}
	ids, err := w.RoomsOfGuest(p.GuestSession)
	if err != nil {
		return nil, err
	}
	var rooms []*admitted
	for _, id := range ids {
		a, _, err := s.decideFor(w, w, c, id, access.Read, s.now())
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, a)
	}
	return rooms, nil
}

// link makes a user the room's customer in place of its guest.
func (a *admitted) link(user chat.UserID, n *names) error {
	a.room.LinkedUser, a.room.LinkedAt = user, a.now
	if err := a.w.PutRoom(a.room); err != nil {
		return err
	}
	return a.add(chat.GuestLinked, user, n)
}
