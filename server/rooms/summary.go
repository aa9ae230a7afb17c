package rooms

import (
	"cmp"
	"errors"
	"slices"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// names reads users, vendors and staff once per transaction.
type names struct {
	r       storage.Reader
	users   map[chat.UserID]string
	vendors map[chat.VendorID]chat.Vendor
	staff   map[chat.VendorID][]chat.UserID
}

func newNames(r storage.Reader) *names {
	return &names{
		r:       r,
		users:   make(map[chat.UserID]string),
		vendors: make(map[chat.VendorID]chat.Vendor),
		staff:   make(map[chat.VendorID][]chat.UserID),
	}
}

func (n *names) user(id chat.UserID) (string, error) {
	name, ok := n.users[id]
	if !ok {
		u, err := optional(n.r.User(id))
		if err != nil {
			return "", err
		}
		name = u.Name
		n.users[id] = name
	}
	return name, nil
}

func (n *names) vendor(id chat.VendorID) (chat.Vendor, []chat.UserID, error) {
	v, ok := n.vendors[id]
	if ok {
		return v, n.staff[id], nil
	}
	v, err := n.r.Vendor(id)
	if err != nil {
		return v, nil, err
	}
	staff, err := n.r.VendorMembers(id)
	if err != nil {
		return v, nil, err
	}
	n.vendors[id], n.staff[id] = v, staff
	return v, staff, nil
}

// member is a user as a room of a vendor shows them.
func (n *names) member(vendor chat.VendorID, id chat.UserID) (chat.Member, error) {
	name, err := n.user(id)
	if err != nil || vendor == "" {
		return chat.Member{User: id, Name: name}, err
	}
	_, staff, err := n.vendor(vendor)
	return chat.Member{User: id, Name: name, Staff: slices.Contains(staff, id)}, err
}

// state is a room's state as its events so far make it.
func (a *admitted) state(n *names) (chat.Room, error) {
	members, err := a.r.Members(a.room.ID)
	if err != nil {
		return chat.Room{}, err
	}
	return stateOf(a.room, members, n)
}

// stateOf is a room's state from its row and its members in order of id.
func stateOf(row storage.Room, members []chat.Member, n *names) (chat.Room, error) {
	if members == nil {
		members = []chat.Member{}
	}
	room := chat.Room{
		ID: row.ID, Name: row.Name, GuestSession: row.GuestSession, LinkedUser: row.LinkedUser, LinkedAt: row.LinkedAt,
		Closed: row.Closed, Page: row.Page, CreatedAt: row.CreatedAt, Members: members,
	}
	if row.Vendor != "" {
		v, _, err := n.vendor(row.Vendor)
		if err != nil {
			return room, err
		}
		room.Vendor = &v
	}
	return room, nil
}

// summary is the room as the caller's list shows it.
func (a *admitted) summary(n *names) (chat.Summary, error) {
	state, err := a.state(n)
	if err != nil {
		return chat.Summary{}, err
	}
	last, err := a.last()
	if err != nil {
		return chat.Summary{}, err
	}
	return a.summaryWith(state, last)
}

// summaryWith is summary where the parts that are the same for everybody are at hand.
func (a *admitted) summaryWith(state chat.Room, last *chat.Event) (chat.Summary, error) {
	mark, err := a.marked()
	if err != nil {
		return chat.Summary{}, err
	}
	return chat.Summary{
		Room: state, Head: a.room.Head, Last: last,
		Unread: int(a.room.Messages - mark.Messages), ReadSeq: mark.Seq,
		ActiveAt: a.room.LastActive, Oversight: a.decision.Oversight,
	}, nil
}

// shows tells whether a reader belongs to the room, whose members are in order of id.
func shows(state chat.Room, reader chat.Identity) bool {
	if reader == chat.GuestIdentity(state.GuestSession) && state.LinkedUser == "" {
		return reader != ""
	}
	_, is := slices.BinarySearchFunc(state.Members, reader, func(m chat.Member, reader chat.Identity) int {
		return cmp.Compare(chat.UserIdentity(m.User), reader)
	})
	return is
}

func notFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
