package storage

import (
	"cmp"
	"slices"
	"strings"

	"anteroom/store/chat"
)

// writer changes the state in place and remembers how to take it back.
type writer struct {
	reader
	undo []func() // in the order of the changes
}

func (w *writer) rollback() {
	for _, f := range slices.Backward(w.undo) {
		f()
	}
}

func set[K comparable, V any](w *writer, m map[K]V, k K, v V) {
	old, had := m[k]
	w.undo = append(w.undo, func() {
		if had {
			m[k] = old
		} else {
			delete(m, k)
		}
	})
	m[k] = v
}

func unset[K comparable, V any](w *writer, m map[K]V, k K) {
	old, had := m[k]
	if had {
		w.undo = append(w.undo, func() { m[k] = old })
		delete(m, k)
	}
}

// reindex moves an index entry of row k from old to new; a zero entry is none.
func reindex[I, K comparable](w *writer, index map[I]K, k K, old, new I) {
	var none I
	if old != none && index[old] == k {
		unset(w, index, old)
	}
	if new != none {
		set(w, index, new, k)
	}
}

// taken tells whether an index entry belongs to another row.
func taken[I, K comparable](index map[I]K, i I, k K) bool {
	var none I
	owner, ok := index[i]
	return ok && i != none && owner != k
}

// include adds v to (or removes it from) the ascending list under k.
func include[K comparable, V cmp.Ordered](w *writer, m map[K][]V, k K, v V, in bool) {
	old := m[k]
	i, found := slices.BinarySearch(old, v)
	if found == in {
		return
	}
	if in {
		set(w, m, k, slices.Insert(slices.Clone(old), i, v))
		return
	}
	if len(old) == 1 {
		unset(w, m, k)
		return
	}
	set(w, m, k, slices.Delete(slices.Clone(old), i, i+1))
}

func (w *writer) PutUser(u User) error {
	s, old := w.s, w.s.users[u.ID]
	name, subject := strings.ToLower(u.Username), [2]string{u.Issuer, u.Subject}
	if taken(s.usernames, name, u.ID) || taken(s.subjects, subject, u.ID) {
		return ErrConflict
	}
	reindex(w, s.usernames, u.ID, strings.ToLower(old.Username), name)
	reindex(w, s.subjects, u.ID, [2]string{old.Issuer, old.Subject}, subject)
	set(w, s.users, u.ID, u)
	return nil
}

func (w *writer) PutVendor(v chat.Vendor) error {
	if taken(w.s.slugs, v.Slug, v.ID) {
		return ErrConflict
	}
	reindex(w, w.s.slugs, v.ID, w.s.vendors[v.ID].Slug, v.Slug)
	set(w, w.s.vendors, v.ID, v)
	return nil
}

func (w *writer) SetVendorMember(vendor chat.VendorID, user chat.UserID, member bool) error {
	if member {
		if _, err := w.Vendor(vendor); err != nil {
			return err
		}
		if _, err := w.User(user); err != nil {
			return err
		}
	}
	include(w, w.s.members, vendor, user, member)
	include(w, w.s.staffOf, user, vendor, member)
	return nil
}

func (w *writer) PutAccountSession(a AccountSession) error {
	s, old := w.s, w.s.sessions[a.ID]
	if _, err := w.User(a.User); err != nil {
		return err
	}
	if taken(s.sessionToken, a.Token, a.ID) || taken(s.sessionRevoke, a.Revoke, a.ID) {
		return ErrConflict
	}
	reindex(w, s.sessionToken, a.ID, old.Token, a.Token)
	reindex(w, s.sessionRevoke, a.ID, old.Revoke, a.Revoke)
	include(w, s.sessionsOfUser, old.User, a.ID, false)
	include(w, s.sessionsOfUser, a.User, a.ID, true)
	a.HostTokens = slices.Clone(a.HostTokens)
	set(w, s.sessions, a.ID, a)
	return nil
}

func (w *writer) BurnToken(hash Hash, expires int64) error {
	set(w, w.s.burned, hash, max(expires, w.s.burned[hash]))
	return nil
}

func (w *writer) PutGuestSession(g GuestSession) error {
	s, old := w.s, w.s.guests[g.ID]
	if taken(s.guestSecret, g.Secret, g.ID) || taken(s.guestRevoke, g.Revoke, g.ID) {
		return ErrConflict
	}
	reindex(w, s.guestSecret, g.ID, old.Secret, g.Secret)
	reindex(w, s.guestRevoke, g.ID, old.Revoke, g.Revoke)
	include(w, s.guestsByLogin, old.LinkedBy, g.ID, false)
	if g.LinkedBy != "" {
		include(w, s.guestsByLogin, g.LinkedBy, g.ID, true)
	}
	set(w, s.guests, g.ID, g)
	return nil
}

func (w *writer) CreateRoom(r Room) error {
	s, key := w.s, sentKey{r.Creator, r.ClientID}
	if _, ok := s.rooms[r.ID]; ok {
		return ErrConflict
	}
	if _, ok := s.roomClient[key]; ok && r.ClientID != "" {
		return ErrConflict
	}
	if r.Vendor != "" {
		if _, err := w.Vendor(r.Vendor); err != nil {
			return err
		}
		include(w, s.roomsOfVendor, r.Vendor, r.ID, true)
	}
	if r.ClientID != "" {
		set(w, s.roomClient, key, r.ID)
	}
	if r.GuestSession != "" {
		include(w, s.roomsOfGuest, r.GuestSession, r.ID, true)
	}
	r.Head, r.Messages, r.LastActive = 0, 0, r.CreatedAt
	set(w, s.rooms, r.ID, r)
	return nil
}

func (w *writer) PutRoom(r Room) error {
	room, err := w.Room(r.ID)
	if err != nil {
		return err
	}
	room.Name, room.Closed, room.LinkedUser, room.LinkedAt = r.Name, r.Closed, r.LinkedUser, r.LinkedAt
	set(w, w.s.rooms, r.ID, room)
	return nil
}

func (w *writer) SetParticipant(room chat.RoomID, user chat.UserID, participant bool) error {
	if participant {
		if _, err := w.Room(room); err != nil {
			return err
		}
		if _, err := w.User(user); err != nil {
			return err
		}
	}
	include(w, w.s.participants, room, user, participant)
	include(w, w.s.roomsOfUser, user, room, participant)
	return nil
}

func (w *writer) Append(id chat.RoomID, e chat.Event) (chat.Event, bool, error) {
	s := w.s
	room, err := w.Room(id)
	if err != nil {
		return chat.Event{}, false, err
	}
	key := sentKey{e.Sender, e.ClientID}
	if e.ClientID != "" {
		if sent, ok := s.sent[key]; ok {
			stored := ownEvent(s.logs[sent.Room][sent.Seq-1].Event)
			if sent.Room != id || stored.Text != e.Text {
				return chat.Event{}, false, ErrConflict
			}
			return stored, false, nil
		}
	}
	e = ownEvent(e)
	e.Seq = room.Head + 1
	room.Head = e.Seq
	if e.Kind == chat.MessagePosted {
		room.Messages++
		room.LastActive = e.At
	}
	if e.ClientID != "" {
		set(w, s.sent, key, Sent{id, e.Seq})
	}
	set(w, s.logs, id, append(s.logs[id], entry{e, room.Messages}))
	set(w, s.rooms, id, room)
	return ownEvent(e), true, nil
}

func (w *writer) SetRead(id chat.RoomID, reader chat.Identity, seq int64) (Mark, bool, error) {
	room, err := w.Room(id)
	if err != nil {
		return Mark{}, false, err
	}
	old := w.s.marks[id][reader]
	seq = min(seq, room.Head)
	if seq <= old.Seq {
		return old, false, nil
	}
	mark := Mark{seq, w.s.logs[id][seq-1].Messages}
	setMark(w, id, reader, mark)
	return mark, true, nil
}

func setMark(w *writer, room chat.RoomID, reader chat.Identity, m Mark) {
	if w.s.marks[room] == nil {
		set(w, w.s.marks, room, map[chat.Identity]Mark{})
	}
	set(w, w.s.marks[room], reader, m)
}

func (w *writer) MoveIdentity(from, to chat.Identity) error {
	s := w.s
	if from == to {
		return nil
	}
	for key, sent := range s.sent {
		if key.Sender == from {
			unset(w, s.sent, key)
			if _, ok := s.sent[sentKey{to, key.ID}]; !ok {
				set(w, s.sent, sentKey{to, key.ID}, sent)
			}
		}
	}
	for id, room := range s.rooms {
		moved := sentKey{to, room.ClientID}
		if _, ok := s.roomClient[moved]; room.Creator != from || ok {
			continue
		}
		if room.ClientID != "" {
			unset(w, s.roomClient, sentKey{from, room.ClientID})
			set(w, s.roomClient, moved, id)
		}
		room.Creator = to
		set(w, s.rooms, id, room)
	}
	for room, marks := range s.marks {
		if m, ok := marks[from]; ok {
			unset(w, marks, from)
			if m.Seq > marks[to].Seq {
				setMark(w, room, to, m)
			}
		}
	}
	return nil
}

func (w *writer) Block(vendor chat.VendorID, guest chat.GuestSessionID) error {
	if _, err := w.Vendor(vendor); err != nil {
		return err
	}
	set(w, w.s.blocked, blockKey{vendor, guest}, struct{}{})
	return nil
}

func (w *writer) AddNotice(room chat.RoomID, admin chat.UserID, day string, n chat.Notice) (bool, error) {
	if _, err := w.Room(room); err != nil {
		return false, err
	}
	old := w.s.notices[room]
	for _, o := range old {
		if o.Admin == admin && o.Day == day {
			return false, nil
		}
	}
	set(w, w.s.notices, room, append(slices.Clip(old), notice{admin, day, n}))
	return true, nil
}

func (w *writer) AddAudit(a AuditEntry) error {
	old := w.s.audit
	a.ID = 1
	if len(old) > 0 {
		a.ID = old[len(old)-1].ID + 1
	}
	w.undo = append(w.undo, func() { w.s.audit = old })
	w.s.audit = append(old, a)
	return nil
}

// KeepEnded is how long Sweep keeps a session after its end, in milliseconds:
// as long as an operator may want to ask what became of it.
const KeepEnded = 30 * 24 * 3600 * 1000

func (w *writer) Sweep(now int64) error {
	s := w.s
	for h, expires := range s.burned {
		if expires <= now {
			unset(w, s.burned, h)
		}
	}
	over := func(revoked, ends int64) bool {
		if revoked != 0 {
			ends = min(ends, revoked)
		}
		return ends < now-KeepEnded
	}
	for id, a := range s.sessions {
		if over(a.RevokedAt, a.Ends()) {
			reindex(w, s.sessionToken, id, a.Token, Hash{})
			reindex(w, s.sessionRevoke, id, a.Revoke, Hash{})
			include(w, s.sessionsOfUser, a.User, id, false)
			unset(w, s.sessions, id)
		}
	}
	for id, g := range s.guests {
		if over(g.RevokedAt, g.Ends()) {
			reindex(w, s.guestSecret, id, g.Secret, Hash{})
			reindex(w, s.guestRevoke, id, g.Revoke, Hash{})
			include(w, s.guestsByLogin, g.LinkedBy, id, false)
			unset(w, s.guests, id)
		}
	}
	return nil
}
