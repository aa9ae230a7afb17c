package rooms

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// List gives a page of the rooms p may reach, most recently active first. It
// holds fewer than asked for where they are long; its Next then goes on.
// Errors: unauthenticated, session_expired, invalid.
func (s *Service) List(ctx context.Context, p chat.Principal, q protocol.RoomsQuery) (protocol.RoomsPage, error) {
	if err := q.Check(); err != nil {
		return protocol.RoomsPage{}, err
	}
	active, after, err := parsePage(q.After)
	if err != nil {
		return protocol.RoomsPage{}, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = protocol.RoomsLimit
	}
	var (
		page protocol.RoomsPage
		seen verdict
	)
	err = s.view(ctx, func(r storage.Reader) error {
		page = protocol.RoomsPage{Rooms: []chat.Summary{}}
		c, v, err := s.permit(r, p, access.List)
		seen = v
		if err != nil {
			return err
		}
		rows, err := r.List(storage.ListQuery{
			Reader: c.identity, All: c.admin, Filter: q.Filter, Search: strings.TrimSpace(q.Search),
			AfterActive: active, AfterID: after, Limit: limit,
		})
		if err != nil {
			return err
		}
		n := newNames(r)
		size := 0
		for i, row := range rows {
			// The query selects; whether the caller may see what it selected is
			// decided like everywhere else.
			a, v, err := s.decideFor(r, nil, c, row.Room.ID, access.Read, s.now())
			if err != nil {
				s.decisions.note(ctx, v)
				if chat.CodeOf(err) == chat.CodeAccessDenied {
					continue
				}
				return err
			}
			sum, err := a.summary(n)
			if err != nil {
				return err
			}
			if size += summarySize(sum); size > maxPage && len(page.Rooms) > 0 {
				page.Next = nextPage(rows[i-1].Room)
				return nil
			}
			page.Rooms = append(page.Rooms, sum)
		}
		if len(rows) == limit {
			page.Next = nextPage(rows[len(rows)-1].Room)
		}
		return nil
	})
	s.decisions.note(ctx, seen)
	return page, err
}

// nextPage names the place in a list after a room. It is no secret and gives no right.
func nextPage(r storage.Room) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(r.LastActive, 10) + "." + string(r.ID)))
}

func parsePage(s string) (int64, chat.RoomID, error) {
	if s == "" {
		return 0, "", nil
	}
	bad := chat.Errorf(chat.CodeInvalid, "malformed page mark")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return 0, "", bad
	}
	first, second, ok := strings.Cut(string(raw), ".")
	active, err := strconv.ParseInt(first, 10, 64)
	if !ok || err != nil || active < 0 || strconv.FormatInt(active, 10) != first {
		return 0, "", bad
	}
	id, err := chat.ParseRoomID(second)
	if err != nil {
		return 0, "", bad
	}
	return active, id, nil
}

// Vendors lists the vendors one can write to, by name. Anybody may ask.
func (s *Service) Vendors(ctx context.Context, _ chat.Principal) (protocol.VendorsPage, error) {
	page := protocol.VendorsPage{}
	err := s.view(ctx, func(r storage.Reader) (err error) {
		page.Vendors, err = r.Vendors()
		return err
	})
	if page.Vendors == nil {
		page.Vendors = []chat.Vendor{}
	}
	return page, err
}

// Get gives a room as p's list shows it. Errors: unauthenticated,
// session_expired, access_denied.
func (s *Service) Get(ctx context.Context, p chat.Principal, room chat.RoomID) (sum chat.Summary, err error) {
	err = s.read(ctx, p, room, access.Read, func(a *admitted) (err error) {
		sum, err = a.summary(newNames(a.r))
		return err
	})
	return sum, err
}

// Participants lists a room's participants in order of id. Errors:
// unauthenticated, session_expired, access_denied.
func (s *Service) Participants(ctx context.Context, p chat.Principal, room chat.RoomID) (members []chat.Member, err error) {
	err = s.read(ctx, p, room, access.Read, func(a *admitted) error {
		state, err := a.state(newNames(a.r))
		members = state.Members
		return err
	})
	return members, err
}
