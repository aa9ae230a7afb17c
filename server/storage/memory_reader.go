package storage

import (
	"cmp"
	"slices"
	"strings"

	"anteroom/store/chat"
)

type reader struct{ s *state }

func get[K comparable, V any](m map[K]V, k K) (V, error) {
	v, ok := m[k]
	if !ok {
		return v, ErrNotFound
	}
	return v, nil
}

// via looks a row up through an index. A zero hash stands for "none" and finds nothing.
func via[I, K comparable, V any](index map[I]K, m map[K]V, i I) (V, error) {
	k, ok := index[i]
	if !ok {
		var zero V
		return zero, ErrNotFound
	}
	return get(m, k)
}

func (r reader) Epoch() (string, error) { return r.s.epoch, nil }

func (r reader) User(id chat.UserID) (User, error) { return get(r.s.users, id) }

func (r reader) UserByName(username string) (User, error) {
	if username == "" {
		return User{}, ErrNotFound
	}
	return via(r.s.usernames, r.s.users, strings.ToLower(username))
}

func (r reader) UserBySubject(issuer, subject string) (User, error) {
	return via(r.s.subjects, r.s.users, [2]string{issuer, subject})
}

func (r reader) Users() ([]User, error) {
	var out []User
	for _, u := range r.s.users {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b User) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Username), strings.ToLower(b.Username)), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (r reader) Vendor(id chat.VendorID) (chat.Vendor, error) { return get(r.s.vendors, id) }

func (r reader) VendorBySlug(slug string) (chat.Vendor, error) {
	return via(r.s.slugs, r.s.vendors, slug)
}

func (r reader) Vendors() ([]chat.Vendor, error) {
	var out []chat.Vendor
	for _, v := range r.s.vendors {
		out = append(out, v)
	}
	sortVendors(out)
	return out, nil
}

func sortVendors(vs []chat.Vendor) {
	slices.SortFunc(vs, func(a, b chat.Vendor) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

func (r reader) VendorMembers(id chat.VendorID) ([]chat.UserID, error) {
	return slices.Clone(r.s.members[id]), nil
}

func (r reader) VendorsOf(id chat.UserID) ([]chat.Vendor, error) {
	var out []chat.Vendor
	for _, v := range r.s.staffOf[id] {
		out = append(out, r.s.vendors[v])
	}
	sortVendors(out)
	return out, nil
}

func ownSession(a AccountSession, err error) (AccountSession, error) {
	a.HostTokens = slices.Clone(a.HostTokens)
	return a, err
}

func (r reader) AccountSession(id chat.AccountSessionID) (AccountSession, error) {
	return ownSession(get(r.s.sessions, id))
}

func (r reader) AccountSessionByToken(hash Hash) (AccountSession, error) {
	return ownSession(via(r.s.sessionToken, r.s.sessions, hash))
}

func (r reader) AccountSessionByRevoke(hash Hash) (AccountSession, error) {
	return ownSession(via(r.s.sessionRevoke, r.s.sessions, hash))
}

func (r reader) AccountSessions(id chat.UserID) ([]AccountSession, error) {
	var out []AccountSession
	for _, sid := range r.s.sessionsOfUser[id] {
		if a, _ := r.AccountSession(sid); a.RevokedAt == 0 {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b AccountSession) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (r reader) TokenBurned(hash Hash) (bool, error) {
	_, ok := r.s.burned[hash]
	return ok, nil
}

func (r reader) GuestSession(id chat.GuestSessionID) (GuestSession, error) {
	return get(r.s.guests, id)
}

func (r reader) GuestSessionBySecret(hash Hash) (GuestSession, error) {
	return via(r.s.guestSecret, r.s.guests, hash)
}

func (r reader) GuestSessionByRevoke(hash Hash) (GuestSession, error) {
	return via(r.s.guestRevoke, r.s.guests, hash)
}

func (r reader) GuestSessionsByLogin(id chat.AccountSessionID) ([]GuestSession, error) {
	var out []GuestSession
	for _, g := range r.s.guestsByLogin[id] {
		out = append(out, r.s.guests[g])
	}
	return out, nil
}

func (r reader) Room(id chat.RoomID) (Room, error) { return get(r.s.rooms, id) }

func (r reader) RoomByClientID(creator chat.Identity, id chat.ClientID) (chat.RoomID, error) {
	return get(r.s.roomClient, sentKey{creator, id})
}

func (r reader) OpenRoomWith(caller chat.Identity, vendor chat.VendorID) (chat.RoomID, error) {
	var best *Room
	for _, id := range r.roomsOf(caller) {
		room := r.s.rooms[id]
		// Staff participate in rooms of their vendor that are not theirs.
		own := room.Creator == caller || chat.UserIdentity(room.LinkedUser) == caller || chat.GuestIdentity(room.GuestSession) == caller
		if own && room.Vendor == vendor && !room.Closed && (best == nil || compareRooms(room, *best) < 0) {
			best = &room
		}
	}
	if best == nil {
		return "", ErrNotFound
	}
	return best.ID, nil
}

// compareRooms orders rooms as lists do: most recently active first, then by id.
func compareRooms(a, b Room) int {
	return cmp.Or(cmp.Compare(b.LastActive, a.LastActive), cmp.Compare(a.ID, b.ID))
}

// roomsOf lists the rooms of a guest session or a user.
func (r reader) roomsOf(id chat.Identity) []chat.RoomID {
	if rooms, ok := r.s.roomsOfGuest[chat.GuestSessionID(id)]; ok {
		return rooms
	}
	return r.s.roomsOfUser[chat.UserID(id)]
}

func (r reader) RoomsOfGuest(id chat.GuestSessionID) ([]chat.RoomID, error) {
	return slices.Clone(r.s.roomsOfGuest[id]), nil
}

func (r reader) RoomsOfUser(id chat.UserID) ([]chat.RoomID, error) {
	return slices.Clone(r.s.roomsOfUser[id]), nil
}

func (r reader) RoomsOfVendor(id chat.VendorID) ([]chat.RoomID, error) {
	return slices.Clone(r.s.roomsOfVendor[id]), nil
}

func (r reader) Participant(room chat.RoomID, user chat.UserID) (bool, error) {
	_, ok := slices.BinarySearch(r.s.participants[room], user)
	return ok, nil
}

func (r reader) Facts(p chat.Principal, room chat.RoomID) (Facts, error) {
	f := Facts{Room: r.s.rooms[room]}
	login, user := p.Session, p.User
	if p.Kind == chat.KindGuest {
		g := r.s.guests[p.GuestSession]
		f.Guest, f.LinkedUser = g.Life(), g.LinkedUser
		login, user = g.LinkedBy, g.LinkedUser
	}
	s, u := r.s.sessions[login], r.s.users[user]
	f.Session, f.SessionUser = s.Life(), s.User
	f.User, f.Name, f.Role, f.Active = u.ID, u.Name, u.Role, u.Active
	_, f.Participant = slices.BinarySearch(r.s.participants[room], user)
	return f, nil
}

func (r reader) Participants(room chat.RoomID) ([]chat.UserID, error) {
	return slices.Clone(r.s.participants[room]), nil
}

func (r reader) Members(room chat.RoomID) ([]chat.Member, error) {
	var out []chat.Member
	for _, id := range r.s.participants[room] {
		staff := slices.Contains(r.s.members[r.s.rooms[room].Vendor], id)
		out = append(out, chat.Member{User: id, Name: r.s.users[id].Name, Staff: staff})
	}
	return out, nil
}

func (r reader) List(q ListQuery) ([]ListRow, error) {
	var out []ListRow
	search := strings.ToLower(q.Search)
	add := func(room Room) {
		after := q.AfterID == "" || compareRooms(room, Room{LastActive: q.AfterActive, ID: q.AfterID}) > 0
		if !after {
			return
		}
		row := ListRow{Room: room, Read: r.s.marks[room.ID][q.Reader]}
		row.Unread = int(room.Messages - row.Read.Messages)
		switch q.Filter {
		case chat.FilterOpen:
			if room.Closed {
				return
			}
		case chat.FilterClosed:
			if !room.Closed {
				return
			}
		case chat.FilterUnread:
			if row.Unread == 0 {
				return
			}
		}
		if search == "" || r.found(room, search) {
			out = append(out, row)
		}
	}
	if q.All {
		for _, room := range r.s.rooms {
			add(room)
		}
	} else {
		for _, id := range r.roomsOf(q.Reader) {
			add(r.s.rooms[id])
		}
	}
	slices.SortFunc(out, func(a, b ListRow) int { return compareRooms(a.Room, b.Room) })
	return out[:min(len(out), max(q.Limit, 0))], nil
}

// found tells whether one of a room's names holds search, which is in lower case.
func (r reader) found(room Room, search string) bool {
	holds := func(name string) bool { return strings.Contains(strings.ToLower(name), search) }
	if holds(room.Name) || holds(r.s.vendors[room.Vendor].Name) {
		return true
	}
	if room.GuestSession != "" && holds(chat.GuestLabel(room.GuestSession)) {
		return true
	}
	for _, u := range r.s.participants[room.ID] {
		if holds(r.s.users[u].Name) {
			return true
		}
	}
	return false
}

func ownEvent(e chat.Event) chat.Event {
	if e.Member != nil {
		m := *e.Member
		e.Member = &m
	}
	return e
}

func (r reader) Events(q EventQuery) ([]chat.Event, error) {
	log := r.s.logs[q.Room]
	head := int64(len(log))
	from, to := max(q.After, 0), head // events with from < seq <= to
	if q.Before > 0 {
		to = min(to, q.Before-1)
	}
	limit := int64(max(q.Limit, 0))
	if q.Before > 0 && q.After <= 0 {
		from = max(from, to-limit)
	}
	to = min(to, from+limit)
	var out []chat.Event
	for i := from; i < to; i++ {
		out = append(out, ownEvent(log[i].Event))
	}
	return out, nil
}

func (r reader) LastMessage(room chat.RoomID) (chat.Event, error) {
	log := r.s.logs[room]
	for i := len(log) - 1; i >= 0; i-- {
		if log[i].Event.Kind == chat.MessagePosted {
			return ownEvent(log[i].Event), nil
		}
	}
	return chat.Event{}, ErrNotFound
}

func (r reader) Sent(sender chat.Identity, id chat.ClientID) (Sent, error) {
	return get(r.s.sent, sentKey{sender, id})
}

func (r reader) Read(room chat.RoomID, reader chat.Identity) (Mark, error) {
	return r.s.marks[room][reader], nil
}

func (r reader) Receipts(room chat.RoomID) ([]chat.Receipt, error) {
	var out []chat.Receipt
	for id, m := range r.s.marks[room] {
		out = append(out, chat.Receipt{Reader: id, Seq: m.Seq})
	}
	slices.SortFunc(out, func(a, b chat.Receipt) int { return cmp.Compare(a.Reader, b.Reader) })
	return out, nil
}

func (r reader) Blocked(vendor chat.VendorID, guest chat.GuestSessionID) (bool, error) {
	_, ok := r.s.blocked[blockKey{vendor, guest}]
	return ok, nil
}

func (r reader) Notices(room chat.RoomID) ([]chat.Notice, error) {
	var out []chat.Notice
	for _, n := range r.s.notices[room] {
		out = append(out, n.Notice)
	}
	return out, nil
}

func (r reader) Audit(before int64, limit int) ([]AuditEntry, error) {
	var out []AuditEntry
	for i := len(r.s.audit) - 1; i >= 0 && len(out) < limit; i-- {
		if a := r.s.audit[i]; before <= 0 || a.ID < before {
			out = append(out, a)
		}
	}
	return out, nil
}
