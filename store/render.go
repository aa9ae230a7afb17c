package store

import (
	"cmp"
	"maps"
	"slices"

	"anteroom/store/chat"
)

// dirty says which parts of the view must be made anew.
type dirty uint8

const (
	dirtyTop dirty = 1 << iota
	dirtyRooms
	dirtyRoom
	dirtyMessages
	dirtyTyping
	dirtyAll = dirtyTop | dirtyRooms | dirtyRoom | dirtyMessages | dirtyTyping
)

func (m *Machine) touch(d dirty) { m.dirty |= d }

func sortedKeys[K cmp.Ordered, V any](in map[K]V) []K { return slices.Sorted(maps.Keys(in)) }

// render makes the next view out of the last: parts that did not change keep
// their identity, so that a component can compare pointers.
func (m *Machine) render() {
	if m.dirty == 0 {
		return
	}
	v := *m.view
	v.Generation, v.Surface, v.Connection, v.Auth = m.generation, m.surface, m.state(), m.auth()
	v.Principal, v.GuestSession, v.LogInError, v.PasswordSaved = m.principal, "", m.logError, m.pwSaved
	v.Sessions, v.SessionsLoaded, v.SessionsError = m.sessions, m.sessionsHave, m.sessionsError
	v.Audit = m.audit
	if m.user == nil && m.guest != nil {
		v.GuestSession = m.guest.ID
	}
	if m.dirty&dirtyRooms != 0 {
		v.Rooms = slices.Clone(m.rooms)
	}
	v.RoomsLoaded = m.roomsLoaded || m.restored && m.started && m.principal.Kind == "" && !m.pendingIdentity()
	v.RoomsMore, v.Filter, v.Search = m.roomsNext != "", m.filter, m.search
	v.Vendors, v.VendorsLoaded = m.vendors, m.vendorsHave
	v.Unread = m.countUnread()
	v.CurrentRoom, v.CurrentVendor, v.WidgetOpen = m.current, m.vendor, m.shown
	if m.dirty&dirtyMessages != 0 {
		v.Messages = make(map[chat.RoomID]chat.Timeline, len(m.open))
		for id, r := range m.open {
			if r.loaded {
				v.Messages[id] = r.line
			}
		}
	}
	if m.dirty&dirtyTyping != 0 {
		v.Typing = make(map[chat.RoomID][]Typist, len(m.open))
		for id, r := range m.open {
			if len(r.typing) > 0 {
				v.Typing[id] = r.typing
			}
		}
	}
	if m.dirty&(dirtyRoom|dirtyRooms|dirtyMessages|dirtyTyping) != 0 {
		v.Room = m.roomView(m.view.Room)
	}
	v.Notice, v.Memory = m.notice, m.memory
	m.dirty = 0
	m.view = &v
}

func (m *Machine) roomView(old *RoomView) *RoomView {
	if m.current == "" && m.vendor == "" {
		return nil
	}
	v := &RoomView{}
	place := string(m.current)
	if m.vendor != "" {
		place = vendorPlace(m.vendor)
		v.Loaded = true
		vendor := chat.Vendor{Slug: m.vendor, Name: m.vendor}
		if i := slices.IndexFunc(m.vendors, func(o chat.Vendor) bool { return o.Slug == m.vendor }); i >= 0 {
			vendor = m.vendors[i]
		}
		v.Summary.Vendor = &vendor
	} else if r := m.open[m.current]; r != nil {
		v.Summary, v.Timeline, v.Loaded, v.Typing = r.summary, r.line, r.loaded, r.typing
		v.Receipts, v.Notices = r.receipts, r.notices
		v.HistoryMore, v.LoadingHistory, v.Error = r.more(), r.loadingHistory, r.err
		if v.Summary.ID == "" {
			v.Summary.Room = r.line.Room
			v.Summary.ID = m.current
		}
	} else {
		v.Summary.ID = m.current
	}
	v.Pending, v.Draft = m.pending(place), m.draftText(place)
	if old != nil && slices.Equal(old.Pending, v.Pending) {
		v.Pending = old.Pending
	}
	return v
}

func (m *Machine) countUnread() int {
	n := 0
	for _, s := range m.rooms {
		n += s.Unread
	}
	return n
}

// auth is the state of identity as people see it.
func (m *Machine) auth() Auth {
	switch {
	case m.login != nil:
		return AuthLoggingIn
	case m.user != nil:
		return AuthUser
	case m.expired != "":
		return AuthExpired
	case m.guest != nil:
		return AuthGuest
	}
	return AuthNone
}

// notifyTotals tells the surroundings what changed of the whole.
func (m *Machine) notifyTotals() {
	if n := m.countUnread(); n != m.unread {
		m.unread = n
		m.notify(Notification{Kind: NotifyUnread, Unread: n})
	}
	active := len(m.rooms) > 0
	for _, it := range m.items {
		active = active || it.Owner == m.owner()
	}
	// What was there before the list came is not taken back for its absence.
	// A host page that asked for a log-out keeps asking until it has heard of the mark.
	if (active != m.chatted || m.markDue) && (active || m.roomsLoaded || m.principal.Kind == "") {
		m.chatted, m.markDue = active, false
		m.notify(Notification{Kind: NotifyChatted, Active: active})
	}
	if id := m.principal.Identity(); id != m.told && m.login == nil {
		m.told = id
		n := Notification{Kind: NotifyAuth, As: chat.KindGuest}
		if m.principal.Kind == chat.KindUser {
			n.As, n.User = chat.KindUser, m.principal.User
		}
		m.notify(n)
	}
}
