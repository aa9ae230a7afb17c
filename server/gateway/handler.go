package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

const done = http.StatusNoContent

// limit is the page size of a query, which may not be 0 or negative where it is given.
func (c *call) limit() (int, error) {
	n, err := c.number("limit")
	if err == nil && len(c.query["limit"]) > 0 && (n < 1 || n > 1000) {
		err = chat.Errorf(chat.CodeInvalid, "limit is out of range")
	}
	return int(n), err
}

func (c *call) vendors() (int, any, error) {
	page, err := c.g.rooms.Vendors(c.ctx, c.principal)
	return http.StatusOK, page, err
}

func (c *call) listRooms() (int, any, error) {
	filter, err := c.text("filter")
	if err != nil {
		return 0, nil, err
	}
	search, err := c.text("search")
	if err != nil {
		return 0, nil, err
	}
	after, err := c.text("after")
	if err != nil {
		return 0, nil, err
	}
	limit, err := c.limit()
	if err != nil {
		return 0, nil, err
	}
	page, err := c.g.rooms.List(c.ctx, c.principal, protocol.RoomsQuery{Filter: chat.RoomFilter(filter), Search: search, After: after, Limit: limit})
	return http.StatusOK, page, err
}

func (c *call) createRoom() (int, any, error) {
	var b createRoom
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	if (b.Vendor != "") == (len(b.Users) > 0) {
		return 0, nil, chat.Errorf(chat.CodeInvalid, "give either vendor or users")
	}
	if b.Vendor != "" {
		sum, fresh, err := c.g.create(c.ctx, c.principal, c.address, protocol.Create{ClientID: b.ClientID, Vendor: b.Vendor, Page: b.Page})
		return created(fresh), protocol.RoomFrame{Room: sum}, err
	}
	for _, u := range b.Users {
		if _, err := chat.ParseUserID(string(u)); err != nil {
			return 0, nil, err
		}
	}
	now, key := c.g.now(), string(c.principal.Identity())
	if err := c.g.userRooms.take(now, key, 1); err != nil {
		return 0, nil, err
	}
	out, err := c.g.rooms.CreateBetween(c.ctx, c.principal, b.ClientID, b.Name, b.Users)
	if !out.Fresh {
		c.g.userRooms.give(now, key, 1)
	}
	return created(out.Fresh), protocol.RoomFrame{Room: out.Summary}, err
}

func created(fresh bool) int {
	if fresh {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (c *call) getRoom() (int, any, error) {
	room, err := c.room()
	if err != nil {
		return 0, nil, err
	}
	sum, err := c.g.rooms.Get(c.ctx, c.principal, room)
	return http.StatusOK, protocol.RoomFrame{Room: sum}, err
}

// inRoom runs an action that answers nothing.
func (c *call) inRoom(f func(context.Context, chat.Principal, chat.RoomID) error) (int, any, error) {
	room, err := c.room()
	if err != nil {
		return 0, nil, err
	}
	return done, nil, f(c.ctx, c.principal, room)
}

func (c *call) closeRoom() (int, any, error)  { return c.inRoom(c.g.rooms.Close) }
func (c *call) blockGuest() (int, any, error) { return c.inRoom(c.g.rooms.BlockGuest) }

func (c *call) listParticipants() (int, any, error) {
	room, err := c.room()
	if err != nil {
		return 0, nil, err
	}
	members, err := c.g.rooms.Participants(c.ctx, c.principal, room)
	if members == nil {
		members = []chat.Member{}
	}
	return http.StatusOK, participants{members}, err
}

func (c *call) addParticipant() (int, any, error) { return c.participant(c.g.rooms.AddParticipant) }

func (c *call) removeParticipant() (int, any, error) {
	return c.participant(c.g.rooms.RemoveParticipant)
}

func (c *call) participant(f func(context.Context, chat.Principal, chat.RoomID, chat.UserID) error) (int, any, error) {
	user, err := chat.ParseUserID(c.PathValue("user"))
	if err != nil {
		return 0, nil, err
	}
	return c.inRoom(func(ctx context.Context, p chat.Principal, room chat.RoomID) error { return f(ctx, p, room, user) })
}

func (c *call) history() (int, any, error) {
	var q protocol.History
	var err error
	if q.Room, err = c.room(); err != nil {
		return 0, nil, err
	}
	if q.Before, err = c.number("before"); err != nil {
		return 0, nil, err
	}
	if q.After, err = c.number("after"); err != nil {
		return 0, nil, err
	}
	if q.Limit, err = c.limit(); err != nil {
		return 0, nil, err
	}
	page, err := c.g.rooms.History(c.ctx, c.principal, q)
	return http.StatusOK, page, err
}

func (c *call) send() (int, any, error) {
	room, err := c.room()
	if err != nil {
		return 0, nil, err
	}
	var b message
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	m := protocol.Send{Room: room, ClientID: b.ClientID, Text: b.Text}
	if err := m.Check(); err != nil {
		return 0, nil, err
	}
	ack, fresh, err := c.g.send(c.ctx, c.principal, m)
	return created(fresh), ack, err
}

func (c *call) read() (int, any, error) {
	return c.inRoom(func(ctx context.Context, p chat.Principal, room chat.RoomID) error {
		var b readMark
		if err := c.decode(&b); err != nil {
			return err
		}
		return c.g.rooms.Read(ctx, p, protocol.Read{Room: room, Seq: b.Seq})
	})
}

func (c *call) explain() (int, any, error) {
	room, err := c.room()
	if err != nil {
		return 0, nil, err
	}
	var about rooms.Subject
	given := 0
	for name, set := range map[string]func(string) error{
		"user":          func(s string) (err error) { about.User, err = chat.ParseUserID(s); return err },
		"guest_session": func(s string) (err error) { about.GuestSession, err = chat.ParseGuestSessionID(s); return err },
		"session":       func(s string) (err error) { about.Session, err = chat.ParseAccountSessionID(s); return err },
	} {
		s, err := c.text(name)
		if err == nil && s != "" {
			given++
			err = set(s)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	if given != 1 {
		return 0, nil, chat.Errorf(chat.CodeInvalid, "give one of user, guest_session and session")
	}
	e, err := c.g.rooms.Explain(c.ctx, c.principal, room, about)
	return http.StatusOK, e, err
}

func (c *call) audit() (int, any, error) {
	before, err := c.number("before")
	if err != nil {
		return 0, nil, err
	}
	limit, err := c.limit()
	if err != nil {
		return 0, nil, err
	}
	page, err := c.g.rooms.Audit(c.ctx, c.principal, before, limit)
	return http.StatusOK, page, err
}

func (c *call) openapi() (int, any, error) { return http.StatusOK, openapi(c.g.version), nil }

func (c *call) health() (int, any, error) { return http.StatusOK, status{"ok"}, nil }

func (c *call) ready() (int, any, error) {
	if c.g.draining() {
		return 0, nil, c.g.farewell()
	}
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	if err := c.g.ready(ctx); err != nil {
		// The caller is told the first, the log has both.
		return 0, nil, fmt.Errorf("%w: %w", chat.Errorf(chat.CodeUnavailable, "Storage does not answer, or takes no writes"), err)
	}
	return http.StatusOK, status{"ready"}, nil
}

// client says in two words what a User-Agent is, for a user's list of sessions.
func client(agent string) string {
	find := func(names ...string) string {
		i := slices.IndexFunc(names, func(n string) bool {
			mark, _, _ := strings.Cut(n, "=")
			return strings.Contains(agent, mark)
		})
		if i < 0 {
			return ""
		}
		mark, name, ok := strings.Cut(names[i], "=")
		if !ok {
			name = mark
		}
		return name
	}
	browser := find("Edg/=Edge", "OPR/=Opera", "Firefox/=Firefox", "Chrome/=Chrome", "Safari/=Safari", "curl/=curl")
	system := find("Android", "iPhone=iOS", "iPad=iOS", "Windows", "Mac OS X=macOS", "CrOS=ChromeOS", "Linux")
	switch {
	case browser == "":
		return "Unknown client"
	case system == "":
		return browser
	}
	return browser + " on " + system
}
