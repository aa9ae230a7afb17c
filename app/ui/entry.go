package ui

import (
	"strconv"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
)

// Entry is one row of the log, ready to be drawn. It is comparable; a row that
// equals the former one is not drawn again.
type Entry struct {
	Key  string // the element's id: "e-" and a seq, or "p-" and a client message id
	Day  string // a separator above the row
	Sys  string // a line of the system instead of a message
	Text string
	Who  string // for screen readers, before the text
	Meta string // below the row
	Mine bool

	First, Last bool // of a group

	State    store.PendingState // "" for a stored message
	ClientID chat.ClientID
	Reason   string // why it was not sent
}

// groupGap is how far apart messages of one group may be, in milliseconds.
const groupGap = 5 * 60_000

// entries draws events lo ≤ i < hi of the room on screen, the admins' notices
// between them and, where hi is the end, what is pending.
func (m *Model) entries(lo, hi int) []Entry {
	rv, v := m.view.Room, m.view
	events, room, title := rv.Timeline.Events, m.Room(), m.Title()
	out := make([]Entry, 0, hi-lo+len(rv.Pending)+len(rv.Notices))
	read, newest := m.readUpTo(), m.newestMine()
	notices := rv.Notices
	if lo > 0 {
		for len(notices) > 0 && notices[0].At < events[lo].At {
			notices = notices[1:]
		}
	}
	last := int64(0) // when the row above was
	day := func(at int64) string {
		if last != 0 && m.Clock.SameDay(last, at) {
			return ""
		}
		return m.Clock.Day(m.T, at)
	}
	add := func(e Entry, at int64) {
		e.Day = day(at)
		last = at
		out = append(out, e)
	}
	notice := func(n chat.Notice) {
		add(Entry{Key: "n-" + strconv.FormatInt(n.At, 10), Sys: m.T.AdminViewed(n.Name)}, n.At)
	}
	for i := lo; i < hi; i++ {
		e := events[i]
		for len(notices) > 0 && notices[0].At < e.At {
			notice(notices[0])
			notices = notices[1:]
		}
		key := "e-" + strconv.FormatInt(e.Seq, 10)
		if e.Kind != chat.MessagePosted {
			if s := m.systemLine(e); s != "" {
				add(Entry{Key: key, Sys: s}, e.At)
			}
			continue
		}
		row := Entry{Key: key, Text: e.Text, Mine: v.Mine(room, e)}
		row.Who = m.T.Said(e.SenderName)
		if row.Mine {
			row.Who = m.T.SaidYou("")
		}
		row.First = i == 0 || !m.grouped(room, events[i-1], e)
		row.Last = i+1 >= len(events) || !m.grouped(room, e, events[i+1])
		if row.Last && row.Mine && i+1 >= len(events) && len(rv.Pending) > 0 {
			row.Last = false // the group goes on in the outbox
		}
		var meta []string
		if row.Last && !row.Mine && e.SenderName != "" && e.SenderName != title {
			meta = append(meta, e.SenderName)
		}
		if row.Last || e.Seq == newest {
			meta = append(meta, m.Clock.Time(e.At))
		}
		if row.Mine && e.Seq == read {
			meta = m.withTime(meta, e.At, m.T.Read)
		} else if row.Mine && e.Seq == newest {
			meta = append(meta, m.T.Sent)
		}
		row.Meta = strings.Join(meta, " · ")
		add(row, e.At)
	}
	if hi < len(events) {
		return out
	}
	for _, n := range notices {
		notice(n)
	}
	for i, p := range rv.Pending {
		row := Entry{
			Key: "p-" + string(p.ClientID), Text: p.Text, Who: m.T.SaidYou(""), Mine: true,
			First: i == 0 && !m.endsMine(hi), Last: true, State: p.State, ClientID: p.ClientID,
		}
		switch p.State {
		case store.Failed:
			row.Reason = m.T.Error(p.Error)
		case store.Limited:
			row.Meta = m.T.RetryIn(max(1, (p.RetryAt-m.Clock.Now()+999)/1000))
		case store.Waiting:
			row.Meta = m.T.Waiting
		default:
			row.Meta = m.T.Sending
		}
		// Only the end of a run of equal states says it.
		if i+1 < len(rv.Pending) && rv.Pending[i+1].State == p.State && p.State != store.Failed {
			row.Meta, row.Last = "", false
		}
		add(row, p.At)
	}
	return out
}

func (m *Model) withTime(meta []string, at int64, s string) []string {
	if len(meta) == 0 {
		meta = append(meta, m.Clock.Time(at))
	}
	return append(meta, s)
}

// grouped tells whether b goes on what a began.
func (m *Model) grouped(room chat.Room, a, b chat.Event) bool {
	return a.Kind == chat.MessagePosted && b.Kind == chat.MessagePosted &&
		room.Canonical(a.Sender) == room.Canonical(b.Sender) && b.At-a.At < groupGap && m.Clock.SameDay(a.At, b.At)
}

func (m *Model) endsMine(hi int) bool {
	events := m.view.Room.Timeline.Events
	return hi > 0 && events[hi-1].Kind == chat.MessagePosted && m.view.Mine(m.Room(), events[hi-1])
}

// newestMine is the seq of the visitor's newest stored message among the last
// few, 0 where others have written long since.
func (m *Model) newestMine() int64 {
	events, room := m.view.Room.Timeline.Events, m.Room()
	for i := len(events) - 1; i >= 0 && i >= len(events)-MaxRows; i-- {
		if e := events[i]; e.Kind == chat.MessagePosted && m.view.Mine(room, e) {
			return e.Seq
		}
	}
	return 0
}

// readUpTo is the seq of the visitor's newest message that the other side has
// read, 0 for none. A vendor's side asks whether the customer read it, a
// customer whether anybody of the vendor did.
func (m *Model) readUpTo() int64 {
	rv, room, me := m.view.Room, m.Room(), m.view.Principal.Identity()
	customer, staff := room.Customer().ID(), m.staff()
	mark := int64(0)
	for _, r := range rv.Receipts {
		who := room.Canonical(r.Reader)
		if who == me || staff && who != customer {
			continue
		}
		if _, member := room.Member(chat.UserID(who)); !member && who != customer {
			continue // an admin who looked in
		}
		mark = max(mark, r.Seq)
	}
	if mark == 0 {
		return 0
	}
	events := rv.Timeline.Events
	for i := len(events) - 1; i >= 0 && i >= len(events)-2*MaxRows; i-- {
		if e := events[i]; e.Seq <= mark && e.Kind == chat.MessagePosted && m.view.Mine(room, e) {
			return e.Seq
		}
	}
	return 0
}

// systemLine says what an event means, "" for one that needs no words.
func (m *Model) systemLine(e chat.Event) string {
	name, mine := "", false
	if e.Member != nil {
		name, mine = e.Member.Name, chat.UserIdentity(e.Member.User) == m.view.Principal.Identity()
	}
	switch e.Kind {
	case chat.GuestLinked:
		if mine {
			return m.T.LinkedYou(name)
		}
		return m.T.LinkedOther(name)
	case chat.ParticipantAdded:
		// The room's own staff and its customer come with it; only who joins later is news.
		if e.Seq <= 2 || name == "" || mine {
			return ""
		}
		return m.T.Joined(name)
	case chat.ParticipantRemoved:
		if name == "" {
			return ""
		}
		return m.T.Left(name)
	case chat.RoomClosed:
		return m.T.ClosedLine
	case chat.GuestBlocked:
		if m.staff() {
			return m.T.BlockedLine
		}
		return m.T.ClosedLine
	}
	return ""
}
