//go:build !js

package sqlite

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

func notFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }

const roomColumns = `r.id, r.name, r.vendor, r.guest_session, r.linked_user, r.linked_at, r.creator, r.client_id, r.page,
	r.closed, r.created_at, h.head, h.messages, h.last_active`

func scanRoom(s *stmt) (storage.Room, error) {
	return storage.Room{
		ID: chat.RoomID(s.text()), Name: s.text(), Vendor: chat.VendorID(s.text()), GuestSession: chat.GuestSessionID(s.text()),
		LinkedUser: chat.UserID(s.text()), LinkedAt: s.int(), Creator: chat.Identity(s.text()), ClientID: chat.ClientID(s.text()),
		Page: s.text(), Closed: s.bool(), CreatedAt: s.int(), Head: s.int(), Messages: s.int(), LastActive: s.int(),
	}, nil
}

const keyedRoomColumns = "r.n, h.newest, " + roomColumns

// scanKeyedRoom reads a room and keeps its key; that of no room is none.
func (r reader) scanKeyedRoom(s *stmt) (storage.Room, error) {
	n, newest := s.int(), s.int()
	room, err := scanRoom(s)
	r.c.room = roomKey{room.ID, n, room.Head, newest, room.Messages}
	return room, err
}

func (r reader) Room(id chat.RoomID) (storage.Room, error) {
	return one(r.c, r.scanKeyedRoom, "SELECT "+keyedRoomColumns+" FROM rooms r JOIN heads h ON h.room = r.n WHERE r.id = ?", string(id))
}

// key is what other tables and Append need of a room.
func (r reader) key(id chat.RoomID) (roomKey, error) {
	if id != "" && r.c.room.id == id {
		return r.c.room, nil
	}
	k, err := one(r.c, func(s *stmt) (roomKey, error) {
		return roomKey{id, s.int(), s.int(), s.int(), s.int()}, nil
	}, "SELECT r.n, h.head, h.newest, h.messages FROM rooms r JOIN heads h ON h.room = r.n WHERE r.id = ?", string(id))
	if err == nil {
		r.c.room = k
	}
	return k, err
}

func (r reader) RoomByClientID(creator chat.Identity, id chat.ClientID) (chat.RoomID, error) {
	return one(r.c, scanText[chat.RoomID], "SELECT id FROM rooms WHERE creator = ? AND client_id = ? AND client_id <> ''", string(creator), string(id))
}

func isGuest(id chat.Identity) bool { return strings.HasPrefix(string(id), "g_") }

func (r reader) OpenRoomWith(caller chat.Identity, vendor chat.VendorID) (chat.RoomID, error) {
	// CROSS JOIN: left to choose, SQLite walks all rooms of the vendor for their order.
	if isGuest(caller) {
		return one(r.c, scanText[chat.RoomID], `SELECT r.id FROM rooms r INDEXED BY rooms_guest CROSS JOIN heads h ON h.room = r.n
			WHERE r.guest_session = ?1 AND r.guest_session <> '' AND r.vendor = ?2 AND r.closed = 0
			ORDER BY h.last_active DESC, r.id LIMIT 1`, string(caller), string(vendor))
	}
	return one(r.c, scanText[chat.RoomID], `SELECT r.id FROM (
			SELECT n FROM rooms WHERE creator = ?1 UNION SELECT n FROM rooms WHERE linked_user = ?1 AND linked_user <> '') own
		CROSS JOIN rooms r ON r.n = own.n CROSS JOIN heads h ON h.room = r.n
		WHERE r.vendor = ?2 AND r.closed = 0
		AND EXISTS (SELECT 1 FROM participants p WHERE p.user = ?1 AND p.vendor = r.vendor AND p.room = r.n)
		ORDER BY h.last_active DESC, r.id LIMIT 1`, string(caller), string(vendor))
}

func (r reader) RoomsOfGuest(id chat.GuestSessionID) ([]chat.RoomID, error) {
	return all(r.c, scanText[chat.RoomID], "SELECT id FROM rooms WHERE guest_session = ? AND guest_session <> '' ORDER BY id", string(id))
}

func (r reader) RoomsOfUser(id chat.UserID) ([]chat.RoomID, error) {
	return all(r.c, scanText[chat.RoomID], "SELECT r.id FROM participants p JOIN rooms r ON r.n = p.room WHERE p.user = ? ORDER BY r.id", string(id))
}

func (r reader) RoomsOfVendor(id chat.VendorID) ([]chat.RoomID, error) {
	return all(r.c, scanText[chat.RoomID], "SELECT id FROM rooms WHERE vendor = ? AND vendor <> '' ORDER BY id", string(id))
}

func (r reader) Participant(room chat.RoomID, user chat.UserID) (bool, error) {
	k, err := r.key(room)
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return one(r.c, scanBool, "SELECT EXISTS (SELECT 1 FROM participants WHERE room = ? AND user = ?)", k.n, string(user))
}

func (r reader) Participants(room chat.RoomID) ([]chat.UserID, error) {
	k, err := r.key(room)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return all(r.c, scanText[chat.UserID], "SELECT user FROM participants WHERE room = ? ORDER BY user", k.n)
}

func (r reader) Members(room chat.RoomID) ([]chat.Member, error) {
	return all(r.c, func(s *stmt) (chat.Member, error) {
		return chat.Member{User: chat.UserID(s.text()), Name: s.text(), Staff: s.bool()}, nil
	}, `SELECT u.id, u.name, EXISTS (SELECT 1 FROM vendor_members v WHERE v.vendor = r.vendor AND v.user = p.user)
		FROM rooms r JOIN participants p ON p.room = r.n JOIN users u ON u.id = p.user WHERE r.id = ? ORDER BY p.user`, string(room))
}

// from is what a list's query walks: an index in the order of the list, or a few rooms.
type from struct{ heads, rooms string }

var (
	fromAll    = from{"heads h INDEXED BY heads_activity", " CROSS JOIN rooms r ON r.n = h.room"}
	fromVendor = from{"heads h INDEXED BY heads_vendor", " CROSS JOIN rooms r ON r.n = h.room"}
	fromGuest  = from{"rooms r INDEXED BY rooms_guest CROSS JOIN heads h ON h.room = r.n", ""}
	fromUser   = from{"participants p CROSS JOIN rooms r ON r.n = p.room CROSS JOIN heads h ON h.room = r.n", ""}
)

// List implements storage.Reader. Each query below walks one index in the
// order of the list (or sorts a few rooms); the page is their merge.
func (r reader) List(q storage.ListQuery) ([]storage.ListRow, error) {
	if q.Limit <= 0 || strings.Contains(q.Search, "\n") { // no name holds a line break, but search has them between names
		return nil, nil
	}
	me, err := r.idNumber(string(q.Reader))
	if err != nil {
		return nil, err
	}
	var out []storage.ListRow
	add := func(f from, where string, args ...any) error {
		rows, err := r.page(q, me, f, where, args...)
		out = append(out, rows...)
		return err
	}
	switch {
	case q.All:
		return r.page(q, me, fromAll, "1")
	case isGuest(q.Reader):
		return r.page(q, me, fromGuest, "r.guest_session = ? AND r.guest_session <> ''", string(q.Reader))
	}
	user := string(q.Reader)
	vendors, err := all(r.c, scanText[string], "SELECT vendor FROM vendor_members WHERE user = ? ORDER BY vendor", user)
	if err != nil {
		return nil, err
	}
	// The rooms of the vendors one is staff of, and between those the gaps:
	// p.vendor is "" for rooms without one, so the first gap starts below "".
	after, op := "", ">="
	for _, v := range vendors {
		n, err := r.idNumber(v)
		if err != nil {
			return nil, err
		}
		if n != 0 { // else it has no room yet
			if err := add(fromVendor, `h.vendor = ? AND h.vendor <> 0 AND EXISTS (SELECT 1 FROM participants p
				WHERE p.user = ? AND p.vendor = ? AND p.room = h.room)`, n, user, v); err != nil {
				return nil, err
			}
		}
		if err := add(fromUser, "p.user = ? AND p.vendor "+op+" ? AND p.vendor < ?", user, after, v); err != nil {
			return nil, err
		}
		after, op = v, ">"
	}
	if err := add(fromUser, "p.user = ? AND p.vendor "+op+" ?", user, after); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b storage.ListRow) int {
		return cmp.Or(cmp.Compare(b.Room.LastActive, a.Room.LastActive), cmp.Compare(a.Room.ID, b.Room.ID))
	})
	return out[:min(len(out), q.Limit)], nil
}

// page runs one query of a list for the reader with number me. Its text
// depends on the shape of q only, so that statements are few and stay prepared.
func (r reader) page(q storage.ListQuery, me int64, f from, where string, args ...any) ([]storage.ListRow, error) {
	var b strings.Builder
	const marks = " LEFT JOIN marks m ON m.room = h.room AND m.reader = ?"
	b.WriteString("SELECT " + roomColumns + ", coalesce(m.seq, 0), coalesce(m.messages, 0) FROM " + f.heads)
	if q.Filter == chat.FilterUnread { // what is read need not be looked up among the rooms
		b.WriteString(marks + f.rooms)
	} else {
		b.WriteString(f.rooms + marks)
	}
	b.WriteString(" WHERE " + where)
	args = append([]any{me}, args...)
	switch q.Filter {
	case chat.FilterOpen:
		b.WriteString(" AND r.closed = 0")
	case chat.FilterClosed:
		b.WriteString(" AND r.closed = 1")
	case chat.FilterUnread:
		b.WriteString(" AND h.messages > coalesce(m.messages, 0)")
	}
	if q.Search != "" {
		b.WriteString(" AND instr(r.search, ?) > 0")
		args = append(args, strings.ToLower(q.Search))
	}
	if q.AfterID != "" {
		b.WriteString(" AND h.last_active <= ? AND (h.last_active < ? OR r.id > ?)")
		args = append(args, q.AfterActive, q.AfterActive, string(q.AfterID))
	}
	b.WriteString(" ORDER BY h.last_active DESC, r.id LIMIT ?")
	args = append(args, q.Limit)
	return all(r.c, func(s *stmt) (row storage.ListRow, err error) {
		row.Room, _ = scanRoom(s)
		row.Read, err = scanMark(s)
		row.Unread = int(row.Room.Messages - row.Read.Messages)
		return row, err
	}, b.String(), args...)
}
