package chat

import (
	"slices"
	"strings"
	"unicode"
)

// Limits of what people write. They are counted in Unicode code points except where named.
const (
	MaxText      = 4000     // code points of a message
	MaxTextBytes = 16 << 10 // bytes of a message in UTF-8
	MaxName      = 80       // code points of a user's, vendor's or room's name
	MaxPage      = 512      // bytes of the page where a chat began
)

// Member is a participant as shown to others.
type Member struct {
	User  UserID `json:"user"`
	Name  string `json:"name"`
	Staff bool   `json:"staff,omitempty"` // a member of the room's vendor
}

// Room is a room's state: what its events so far make of it.
type Room struct {
	ID           RoomID         `json:"id"`
	Name         string         `json:"name,omitempty"`   // rooms made by an admin; otherwise empty
	Vendor       *Vendor        `json:"vendor,omitempty"` // nil for a room between users
	GuestSession GuestSessionID `json:"guest_session,omitempty"`
	LinkedUser   UserID         `json:"linked_user,omitempty"` // whom the guest session was linked to
	LinkedAt     int64          `json:"linked_at,omitempty"`   // Unix milliseconds
	Members      []Member       `json:"members"`               // ordered by user id
	Closed       bool           `json:"closed,omitempty"`
	Page         string         `json:"page,omitempty"` // path of the page where the chat began
	CreatedAt    int64          `json:"created_at"`     // Unix milliseconds
}

// Member returns the participant with that id.
func (r Room) Member(id UserID) (Member, bool) {
	for _, m := range r.Members {
		if m.User == id {
			return m, true
		}
	}
	return Member{}, false
}

// Title is the room's name as a viewer sees it: customers see the vendor,
// everybody else sees the customer. Rooms between users show the other members.
func (r Room) Title(viewer Identity) string {
	if r.Name != "" {
		return r.Name
	}
	customer := r.Customer()
	if r.Vendor != nil && (customer.id == viewer || GuestIdentity(r.GuestSession) == viewer) {
		return r.Vendor.Name
	}
	if r.Vendor != nil {
		if customer.name != "" {
			return customer.name
		}
		return r.Vendor.Name
	}
	var names []string
	for _, m := range r.Members {
		if UserIdentity(m.User) != viewer {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Customer is the party a vendor talks to in this room.
type Customer struct {
	id   Identity
	name string
}

// ID is the customer's identity, "" in a room between users.
func (c Customer) ID() Identity { return c.id }

// Name is the customer's name or guest label.
func (c Customer) Name() string { return c.name }

// Customer returns the party the vendor talks to: the linked user or the
// first participant who is no staff, otherwise the guest.
func (r Room) Customer() Customer {
	if m, ok := r.Member(r.LinkedUser); ok {
		return Customer{UserIdentity(m.User), m.Name}
	}
	if r.GuestSession == "" || r.LinkedUser != "" {
		for _, m := range r.Members {
			if !m.Staff {
				return Customer{UserIdentity(m.User), m.Name}
			}
		}
	}
	if r.GuestSession != "" {
		return Customer{GuestIdentity(r.GuestSession), GuestLabel(r.GuestSession)}
	}
	return Customer{}
}

// Canonical maps a guest session that was linked in this room to its user, so
// that both count as one sender.
func (r Room) Canonical(id Identity) Identity {
	if r.LinkedUser != "" && id == GuestIdentity(r.GuestSession) {
		return UserIdentity(r.LinkedUser)
	}
	return id
}

// clone returns a copy whose Members can be changed.
func (r Room) clone() Room {
	r.Members = slices.Clone(r.Members)
	return r
}

// Summary is a room as a list shows it to one principal.
type Summary struct {
	Room
	Head    int64  `json:"head"`             // seq of the newest event
	Last    *Event `json:"last,omitempty"`   // newest message, nil where there is none
	Unread  int    `json:"unread,omitempty"` // messages of others after ReadSeq
	ReadSeq int64  `json:"read_seq,omitempty"`
	// ActiveAt is when the newest message (or the room) was made, Unix
	// milliseconds; lists are ordered by it, newest first, then by id.
	ActiveAt int64 `json:"active_at"`
	// Oversight is true where an admin sees a room they are no participant of.
	Oversight bool `json:"oversight,omitempty"`
}

// Initials are one or two letters for an avatar's tile.
func Initials(name string) string {
	var out []rune
	for _, w := range strings.Fields(name) {
		for _, r := range w {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				out = append(out, unicode.ToUpper(r))
				break
			}
		}
		if len(out) == 2 {
			break
		}
	}
	return string(out)
}

// RoomFilter selects rooms of a list.
type RoomFilter string

// The filters; the empty one gives every room.
const (
	FilterAll    RoomFilter = ""
	FilterOpen   RoomFilter = "open"
	FilterUnread RoomFilter = "unread"
	FilterClosed RoomFilter = "closed"
)

// ParseRoomFilter returns s as a RoomFilter, or an error with code invalid.
func ParseRoomFilter(s string) (RoomFilter, error) {
	switch RoomFilter(s) {
	case FilterAll, FilterOpen, FilterUnread, FilterClosed:
		return RoomFilter(s), nil
	}
	return "", Errorf(CodeInvalid, "filter must be open, unread or closed")
}
