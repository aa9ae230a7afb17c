package rooms

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Opened is a room as its opener's list shows it: Fresh tells that this call made it.
type Opened struct {
	chat.Summary
	Fresh bool
}

// Create starts a room with a vendor. Repeating a client id gives the same
// room; where the caller has an open room with the vendor, that one is given.
// Errors: unauthenticated, session_expired, access_denied (a blocked guest, or
// the room of that client id is out of reach now), not_found (the vendor),
// conflict (the client id was used with another vendor), invalid.
func (s *Service) Create(ctx context.Context, p chat.Principal, q protocol.Create) (Opened, error) {
	if err := q.Check(); err != nil {
		return Opened{}, err
	}
	var (
		out  Opened
		seen verdict
		last *admitted
	)
	began := s.cfg.Now()
	err := s.update(ctx, func(w storage.Writer) error {
		last = nil
		c, v, err := s.permit(w, p, access.Start)
		seen = v
		if err != nil {
			return err
		}
		vendor, err := w.VendorBySlug(q.Vendor)
		if notFound(err) {
			return chat.Errorf(chat.CodeNotFound, "There is no such vendor")
		}
		if err != nil {
			return err
		}
		a, v, err := s.existing(w, c, vendor.ID, q.ClientID)
		if a == nil && v.action != "" {
			seen = v // what was refused is the room
		}
		fresh := err == nil && a == nil
		if fresh {
			a, err = s.start(w, c, vendor, q)
		}
		if err != nil {
			return err
		}
		last = a
		out.Fresh = fresh
		out.Summary, err = a.summary(newNames(w))
		return err
	})
	s.decisions.note(ctx, seen)
	if err != nil {
		last.inDoubt(s)
		return Opened{}, err
	}
	s.publish(began, last.events)
	return out, nil
}

// existing finds the room that a creation means: the one it made already, or
// the caller's open room with the vendor. It returns nil where there is none,
// and the verdict about a room it looked at.
func (s *Service) existing(w storage.Writer, c caller, vendor chat.VendorID, id chat.ClientID) (*admitted, verdict, error) {
	room, err := w.RoomByClientID(c.identity, id)
	if err == nil {
		a, v, err := s.decideFor(w, w, c, room, access.Read, s.now())
		if err == nil && a.room.Vendor != vendor {
			return nil, verdict{}, chat.Errorf(chat.CodeConflict, "This client id was used for another room")
		}
		return a, v, err
	}
	if !notFound(err) || vendor == "" {
		return nil, verdict{}, ignoreAbsent(err)
	}
	room, err = w.OpenRoomWith(c.identity, vendor)
	if err != nil {
		return nil, verdict{}, ignoreAbsent(err)
	}
	a, v, err := s.decideFor(w, w, c, room, access.Post, s.now())
	if chat.CodeOf(err) == chat.CodeAccessDenied {
		return nil, verdict{}, nil // removed from it: a new chat is a new room
	}
	return a, v, err
}

// Own finds p's own open room with a vendor, the one Create would give. Whether
// p may do something there is decided where it does. Errors: unauthenticated,
// session_expired, not_found (the vendor, or such a room).
func (s *Service) Own(ctx context.Context, p chat.Principal, slug string) (room chat.RoomID, err error) {
	var seen verdict
	err = s.view(ctx, func(r storage.Reader) error {
		c, v, err := s.permit(r, p, access.List)
		seen = v
		if err != nil {
			return err
		}
		vendor, err := r.VendorBySlug(slug)
		if err == nil {
			room, err = r.OpenRoomWith(c.identity, vendor.ID)
		}
		if notFound(err) {
			return chat.Errorf(chat.CodeNotFound, "There is no chat with this vendor")
		}
		return err
	})
	s.decisions.note(ctx, seen)
	return room, err
}

func ignoreAbsent(err error) error {
	if notFound(err) {
		return nil
	}
	return err
}

// start makes a room with a vendor.
func (s *Service) start(w storage.Writer, c caller, vendor chat.Vendor, q protocol.Create) (*admitted, error) {
	if guest := c.p.GuestSession; guest != "" {
		blocked, err := w.Blocked(vendor.ID, guest)
		if err != nil {
			return nil, err
		}
		if blocked {
			return nil, chat.Errorf(chat.CodeAccessDenied, "This vendor takes no more messages from you")
		}
	}
	members, err := w.VendorMembers(vendor.ID)
	if err != nil {
		return nil, err
	}
	row := storage.Room{Vendor: vendor.ID, ClientID: q.ClientID, Page: pagePath(q.Page)}
	if c.user == "" {
		row.GuestSession = c.p.GuestSession
	} else {
		members = append(members, c.user)
	}
	return s.make(w, c, row, members)
}

// make stores a new room of a caller with its participants and its first event.
func (s *Service) make(w storage.Writer, c caller, row storage.Room, members []chat.UserID) (*admitted, error) {
	row.ID, row.Creator, row.CreatedAt = chat.RoomID(s.cfg.NewID("r_")), c.identity, s.now()
	row.LastActive = row.CreatedAt
	if err := w.CreateRoom(row); err != nil {
		return nil, fmt.Errorf("create a room: %w", err)
	}
	slices.Sort(members)
	for _, id := range slices.Compact(members) {
		if err := w.SetParticipant(row.ID, id, true); err != nil {
			return nil, fmt.Errorf("add %s to room %s: %w", id, row.ID, err)
		}
	}
	a, err := s.made(w, c, row)
	if err != nil {
		return nil, err
	}
	a.now = row.CreatedAt
	_, _, err = a.append(chat.Event{Kind: chat.RoomCreated})
	return a, err
}

// pagePath keeps of the page where a chat began what is no secret: its path.
func pagePath(page string) string {
	page, _, _ = strings.Cut(page, "#")
	page, _, _ = strings.Cut(page, "?")
	if !strings.HasPrefix(page, "/") {
		return ""
	}
	return strings.ToValidUTF8(page, "")
}

// Limits of rooms that admins make.
const maxMembers = 1000

// CreateBetween makes a room between users; admins only. Repeating a client id
// gives the same room. Errors: unauthenticated, session_expired, access_denied,
// not_found (a user), invalid.
func (s *Service) CreateBetween(ctx context.Context, p chat.Principal, id chat.ClientID, name string, users []chat.UserID) (Opened, error) {
	if _, err := chat.ParseClientID(string(id)); err != nil {
		return Opened{}, err
	}
	if name != "" {
		var err error
		if name, err = chat.ParseName(name); err != nil {
			return Opened{}, err
		}
	}
	users = slices.Clone(users)
	slices.Sort(users)
	users = slices.Compact(users)
	if len(users) < 2 || len(users) > maxMembers {
		return Opened{}, chat.Errorf(chat.CodeInvalid, "a room needs 2 to %d users", maxMembers)
	}
	var (
		out  Opened
		seen verdict
		last *admitted
	)
	began := s.cfg.Now()
	err := s.update(ctx, func(w storage.Writer) error {
		last = nil
		c, v, err := s.permit(w, p, access.Make)
		seen = v
		if err != nil {
			return err
		}
		a, v, err := s.existing(w, c, "", id)
		if err != nil {
			if v.action != "" {
				seen = v
			}
			return err
		}
		fresh := a == nil
		if fresh {
			for _, u := range users {
				if _, err := activeUser(w, u); err != nil {
					return err
				}
			}
			if a, err = s.make(w, c, storage.Room{Name: name, ClientID: id}, users); err != nil {
				return err
			}
			a.decision.Oversight = !slices.Contains(users, c.user)
			if err := a.audit("room_made", "", ""); err != nil {
				return err
			}
		}
		last = a
		out.Fresh = fresh
		out.Summary, err = a.summary(newNames(w))
		return err
	})
	s.decisions.note(ctx, seen)
	if err != nil {
		last.inDoubt(s)
		return Opened{}, err
	}
	s.publish(began, last.events)
	return out, nil
}

func activeUser(r storage.Reader, id chat.UserID) (storage.User, error) {
	u, err := r.User(id)
	if notFound(err) || err == nil && !u.Active {
		return u, chat.Errorf(chat.CodeNotFound, "There is no such user")
	}
	return u, err
}
