package store

import (
	"cmp"
	"slices"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func (m *Machine) fetchRooms(in FetchRooms) {
	if in.More {
		if m.roomsNext != "" && m.online() && m.listing == 0 {
			m.listMore = true
			m.listing = m.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{
				Filter: m.filter, Search: m.search, After: m.roomsNext,
			}}, request{kind: askRooms})
		}
		return
	}
	if in.Filter != m.filter || in.Search != m.search {
		m.filter, m.search = in.Filter, in.Search
		m.rooms, m.roomsLoaded, m.roomsNext = nil, false, ""
		m.touch(dirtyRooms)
	}
	m.refreshRooms()
}

// refreshRooms asks for the first page. Without a connection it comes with the next one.
func (m *Machine) refreshRooms() {
	if !m.online() && m.conn.phase != greeting {
		return
	}
	m.listMore, m.listAt = false, 0
	m.listing = m.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{
		Filter: m.filter, Search: m.search,
	}}, request{kind: askRooms})
}

func (m *Machine) listed(id int64, page *protocol.RoomsPage, err *chat.Error) {
	if id != m.listing {
		return // a later request replaced this one
	}
	m.listing = 0
	if err != nil || page == nil {
		if err != nil && err.Temporary() {
			m.listAt = m.now + max(err.RetryAfter.Milliseconds(), m.backoff(m.listTries))
			m.listTries++
			return
		}
		if err != nil {
			m.notice = err
			m.touch(dirtyTop)
		}
		m.wantedAnswer()
		return
	}
	m.listTries = 0
	if m.listMore {
		for _, s := range page.Rooms {
			m.putRoom(s)
		}
	} else {
		m.rooms = slices.Clone(page.Rooms)
		for i := range m.rooms {
			m.keepRead(&m.rooms[i])
		}
		m.sortRooms()
	}
	for _, s := range page.Rooms {
		if r := m.open[s.ID]; r != nil {
			r.summary = s
		}
	}
	m.roomsNext, m.roomsLoaded = page.Next, true
	m.touch(dirtyRooms | dirtyRoom)
	m.wantedAnswer()
}

// wantedAnswer ends the wait of a JoinRoom for the refreshed list, either way.
func (m *Machine) wantedAnswer() {
	id := m.wanted
	if id == "" {
		return
	}
	m.wanted = ""
	if m.current != id {
		return
	}
	if m.inList(id) {
		m.openRoom(id)
		return
	}
	m.open[id] = &room{id: id, err: chat.AccessDenied}
	m.touch(dirtyRoom)
}

func (m *Machine) inList(id chat.RoomID) bool {
	_, ok := m.findRoom(id)
	return ok
}

func (m *Machine) findRoom(id chat.RoomID) (int, bool) {
	i := slices.IndexFunc(m.rooms, func(s chat.Summary) bool { return s.ID == id })
	return i, i >= 0
}

func (m *Machine) sortRooms() {
	slices.SortStableFunc(m.rooms, func(a, b chat.Summary) int {
		return cmp.Or(cmp.Compare(b.ActiveAt, a.ActiveAt), cmp.Compare(a.ID, b.ID))
	})
}

// keepRead applies a read mark of ours that the server may not know yet.
func (m *Machine) keepRead(s *chat.Summary) {
	if seq := m.read[s.ID]; seq > s.ReadSeq {
		s.ReadSeq = seq
		if seq >= s.Head {
			s.Unread = 0
		}
	}
}

func (m *Machine) putRoom(s chat.Summary) {
	m.keepRead(&s)
	if i, ok := m.findRoom(s.ID); ok {
		if m.rooms[i].Head > s.Head {
			return // an older picture of the room
		}
		m.rooms[i] = s
	} else {
		m.rooms = append(m.rooms, s)
	}
	m.sortRooms()
	m.touch(dirtyRooms)
}

// shows tells whether a room that changed belongs to the list as filtered.
// One that is already listed stays while it is only read, so that it does not
// vanish under the reader's hand.
func (m *Machine) shows(s chat.Summary, listed bool) bool {
	switch m.filter {
	case chat.FilterOpen:
		if s.Closed {
			return false
		}
	case chat.FilterClosed:
		if !s.Closed {
			return false
		}
	case chat.FilterUnread:
		if s.Unread == 0 && !listed {
			return false
		}
	}
	return listed || m.search == "" ||
		strings.Contains(strings.ToLower(s.Title(m.principal.Identity())), strings.ToLower(m.search))
}

// roomChanged takes a room as the server's list shows it now.
func (m *Machine) roomChanged(s chat.Summary, announce bool) {
	if r := m.open[s.ID]; r != nil && s.Head >= r.summary.Head {
		r.summary = s
		m.keepRead(&r.summary)
		m.touch(dirtyRoom)
	}
	i, listed := m.findRoom(s.ID)
	if announce && s.Last != nil {
		var head int64
		if listed {
			head = m.rooms[i].Head
		}
		if s.Last.Seq > head {
			m.announce(s.Room, *s.Last)
		}
	}
	if m.shows(s, listed) {
		m.putRoom(s)
	} else if listed && s.ID != m.current {
		m.rooms = slices.Delete(slices.Clone(m.rooms), i, i+1)
		m.touch(dirtyRooms)
	}
}

// announce tells the surroundings of a message by somebody else.
func (m *Machine) announce(r chat.Room, e chat.Event) {
	if e.Kind != chat.MessagePosted || r.Canonical(e.Sender) == m.principal.Identity() {
		return
	}
	m.notify(Notification{Kind: NotifyMessage, Room: r.ID, Name: e.SenderName})
}

func (m *Machine) roomGone(id chat.RoomID) {
	listed := m.inList(id)
	if !listed && m.open[id] == nil {
		return
	}
	m.dropRoom(id, chat.AccessDenied)
}

// denied takes the server's word that a room is out of reach: it leaves the
// view, the list is refreshed once, and one calm sentence says so.
func (m *Machine) denied(id chat.RoomID, err *chat.Error) {
	m.dropRoom(id, err)
	m.refreshRooms()
}

func (m *Machine) dropRoom(id chat.RoomID, err *chat.Error) {
	m.log("room is out of reach", "room", id, "code", err.Code)
	m.loseItems(id, err)
	if i, ok := m.findRoom(id); ok {
		m.rooms = slices.Delete(slices.Clone(m.rooms), i, i+1)
	}
	delete(m.open, id)
	delete(m.read, id)
	if m.current == id {
		m.current, m.wanted = "", ""
		m.notice = err
	}
	m.touch(dirtyAll)
}

func (m *Machine) joinRoom(id chat.RoomID) {
	if m.current == id && m.vendor == "" && (m.wanted == id || m.open[id] != nil && m.open[id].err == nil) {
		if r := m.open[id]; r != nil {
			m.join(r)
		}
		return
	}
	m.leaveRoom()
	if err := m.notice; err != nil {
		m.notice = nil
	}
	m.current = id
	m.touch(dirtyTop | dirtyRoom)
	if r := m.open[id]; r != nil && r.err != nil {
		delete(m.open, id)
	}
	if m.inList(id) || m.open[id] != nil {
		m.openRoom(id)
		return
	}
	m.log("room not in list", "room", id)
	if _, err := chat.ParseRoomID(string(id)); err != nil || m.user == nil && m.guest == nil && !m.pendingIdentity() {
		m.open[id] = &room{id: id, err: chat.AccessDenied}
		return
	}
	m.wanted = id
	// A list that is being fetched is the refresh; without a connection it
	// comes with the next one.
	if m.listing == 0 || m.listMore {
		m.refreshRooms()
	}
}

// openRoom shows a room and subscribes to it.
func (m *Machine) openRoom(id chat.RoomID) {
	r := m.open[id]
	if r == nil {
		m.evict()
		r = &room{id: id}
		m.open[id] = r
	}
	if i, ok := m.findRoom(id); ok && m.rooms[i].Head >= r.summary.Head {
		r.summary = m.rooms[i]
	}
	r.used = m.now
	m.join(r)
	m.touch(dirtyRoom | dirtyMessages)
}

// evict forgets the room that was used longest ago when too many are held.
func (m *Machine) evict() {
	for len(m.open) >= maxOpen {
		var oldest *room
		for _, r := range m.open {
			if r.id != m.current && (oldest == nil || r.used < oldest.used || r.used == oldest.used && r.id < oldest.id) {
				oldest = r
			}
		}
		if oldest == nil {
			return
		}
		delete(m.open, oldest.id)
		m.touch(dirtyMessages)
	}
}

// leaveRoom goes back to the list; the events held stay for the next visit.
func (m *Machine) leaveRoom() {
	if m.current == "" && m.vendor == "" {
		return
	}
	if r := m.open[m.current]; r != nil {
		if r.joined && m.online() {
			m.stopTyping(r)
			m.ask(protocol.ClientFrame{Leave: &protocol.RoomRef{Room: r.id}}, request{kind: askLeave})
		}
		r.joined, r.joining, r.loadingHistory, r.typing = false, false, false, nil
		if r.err != nil {
			delete(m.open, r.id)
		}
	}
	m.flushDrafts()
	m.current, m.vendor, m.wanted = "", "", ""
	m.touch(dirtyTop | dirtyRoom | dirtyTyping)
}

// startChat opens the visitor's open room with a vendor, or an empty one.
func (m *Machine) startChat(slug string) {
	if _, err := chat.ParseSlug(slug); err != nil {
		return
	}
	for _, s := range m.rooms {
		if m.mineWith(s, slug) {
			m.joinRoom(s.ID)
			return
		}
	}
	m.leaveRoom()
	m.vendor = slug
	m.joinOwn()
	m.touch(dirtyTop | dirtyRoom)
	if !m.vendorsHave {
		m.vendorsWant = true
		m.fetchVendors()
	}
}

// mineWith tells whether a room is the visitor's own open one with a vendor.
func (m *Machine) mineWith(s chat.Summary, slug string) bool {
	return !s.Closed && s.Vendor != nil && s.Vendor.Slug == slug && s.Customer().ID() == m.principal.Identity()
}

// act sends an action on a room whose answer only matters when it is an error.
func (m *Machine) act(f protocol.ClientFrame, id chat.RoomID) {
	if !m.online() {
		m.notice = chat.Errorf(chat.CodeUnavailable, "There is no connection. Try again in a moment.")
		m.touch(dirtyTop)
		return
	}
	m.ask(f, request{kind: askAct, room: id})
}

func toError(e *protocol.Error) *chat.Error {
	return &chat.Error{Code: e.Code, Message: e.Message, RetryAfter: millis(e.RetryAfterMS), RequestID: e.RequestID}
}
