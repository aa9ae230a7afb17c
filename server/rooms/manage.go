package rooms

import (
	"context"

	"anteroom/store/access"
	"anteroom/store/chat"
)

// Close ends a room: it stays readable and takes no more messages. Closing a
// closed room does nothing. Errors: unauthenticated, session_expired, access_denied.
func (s *Service) Close(ctx context.Context, p chat.Principal, room chat.RoomID) error {
	_, err := s.write(ctx, p, room, access.Close, func(a *admitted) error {
		if a.room.Closed {
			return nil
		}
		return a.close(chat.RoomClosed)
	})
	return err
}

// BlockGuest ends a room and refuses its guest session for the room's vendor
// from now on. Errors: unauthenticated, session_expired, access_denied,
// conflict (the room has no guest that is not linked).
func (s *Service) BlockGuest(ctx context.Context, p chat.Principal, room chat.RoomID) error {
	_, err := s.write(ctx, p, room, access.BlockGuest, func(a *admitted) error {
		before, err := a.w.Blocked(a.room.Vendor, a.room.GuestSession)
		if err != nil || before && a.room.Closed {
			return err
		}
		if err := a.w.Block(a.room.Vendor, a.room.GuestSession); err != nil {
			return err
		}
		if err := a.audit("guest_blocked", string(a.room.GuestSession), ""); err != nil {
			return err
		}
		return a.close(chat.GuestBlocked)
	})
	return err
}

// close marks the room closed and says so in its log.
func (a *admitted) close(kind chat.EventKind) error {
	a.room.Closed = true
	if err := a.w.PutRoom(a.room); err != nil {
		return err
	}
	_, _, err := a.append(chat.Event{Kind: kind})
	return err
}

// AddParticipant makes a user a participant of a room; admins only. Errors:
// unauthenticated, session_expired, access_denied, not_found (the user).
func (s *Service) AddParticipant(ctx context.Context, p chat.Principal, room chat.RoomID, user chat.UserID) error {
	_, err := s.write(ctx, p, room, access.Participants, func(a *admitted) error {
		if _, err := activeUser(a.w, user); err != nil {
			return err
		}
		is, err := a.r.Participant(room, user)
		if err != nil || is {
			return err
		}
		if err := a.add(chat.ParticipantAdded, user, newNames(a.w)); err != nil {
			return err
		}
		return a.audit("participant_added", string(user), "")
	})
	return err
}

// RemoveParticipant takes a user out of a room; admins only. When it returns,
// no open socket of that user gets anything of the room any more, unless
// another right reaches it. Errors: unauthenticated, session_expired, access_denied.
func (s *Service) RemoveParticipant(ctx context.Context, p chat.Principal, room chat.RoomID, user chat.UserID) error {
	was := false // whoever was none must not hear of the room by being told that it is gone
	_, err := s.writeThen(ctx, p, room, access.Participants, func(a *admitted) error {
		is, err := a.r.Participant(room, user)
		if was = is; err != nil || !is {
			return err
		}
		if err := a.remove(user, newNames(a.w)); err != nil {
			return err
		}
		return a.audit("participant_removed", string(user), "")
	}, func() {
		if was {
			s.revoke(ctx, user, room)
		}
	})
	return err
}

// add makes a user a participant, or says anew what the user is in the room.
func (a *admitted) add(kind chat.EventKind, user chat.UserID, n *names) error {
	if err := a.w.SetParticipant(a.room.ID, user, true); err != nil {
		return err
	}
	m, err := n.member(a.room.Vendor, user)
	if err != nil {
		return err
	}
	_, _, err = a.append(chat.Event{Kind: kind, Member: &m})
	return err
}

// remove takes a user out of the room.
func (a *admitted) remove(user chat.UserID, n *names) error {
	m, err := n.member(a.room.Vendor, user)
	if err != nil {
		return err
	}
	if err := a.w.SetParticipant(a.room.ID, user, false); err != nil {
		return err
	}
	_, _, err = a.append(chat.Event{Kind: chat.ParticipantRemoved, Member: &m})
	return err
}
