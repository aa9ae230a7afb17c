package store

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// room is one whose events are held.
type room struct {
	id             chat.RoomID
	summary        chat.Summary
	line           chat.Timeline
	loaded         bool
	receipts       []chat.Receipt // by reader
	notices        []chat.Notice
	typing         []Typist // by since when
	typingSent     int64    // when we last told that we type; 0 for not typing
	joined         bool     // subscribed on this socket
	joining        bool
	rejoined       bool // a gap was found since the last event that fitted
	loadingHistory bool
	err            *chat.Error
	retryAt        int64
	tries          int
	used           int64
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// join subscribes to a room, from the cursor where one is held.
func (m *Machine) join(r *room) {
	if !m.online() || r.joining || r.joined || r.err != nil {
		return
	}
	if m.own != "" && m.ownRoom == "" && !r.loaded && m.mineWith(r.summary, m.own) {
		m.ownRoom, r.joining, r.retryAt = r.id, true, 0 // it comes with the answer that is on its way
		return
	}
	m.rejoin(r, true)
}

// joinOwn asks for the visitor's own room with the vendor they are about to write
// to, before the list tells whether there is one: its history then comes with the
// list and not a round trip later.
func (m *Machine) joinOwn() {
	if m.vendor == "" || m.own != "" || m.roomsLoaded || m.conn.phase != greeting && m.conn.phase != up {
		return
	}
	m.own = m.vendor
	m.ask(protocol.ClientFrame{Join: &protocol.Join{Vendor: m.vendor}}, request{kind: askOwn})
}

// ownJoined takes the answer, nil where there is no such room or it can't be had now.
func (m *Machine) ownJoined(j *protocol.Joined) {
	if j != nil && m.vendor == m.own && m.inList(j.Room) {
		m.startChat(m.own) // list and chat came together: nobody was quicker than the chat
	}
	waiting := m.open[m.ownRoom]
	m.own, m.ownRoom = "", ""
	if j != nil {
		switch r := m.open[j.Room]; {
		case r == nil || !r.joined && !r.joining: // the visitor has gone elsewhere
			m.ask(protocol.ClientFrame{Leave: &protocol.RoomRef{Room: j.Room}}, request{kind: askLeave})
		case r == waiting && r.joining:
			m.joined(j.Room, j, nil)
			return
		}
	}
	if waiting != nil && waiting.joining {
		waiting.joining = false
		m.join(waiting)
	}
}

func (m *Machine) rejoin(r *room, cursor bool) {
	j := &protocol.Join{Room: r.id}
	if cursor && r.loaded {
		j.Cursor = &chat.Cursor{Epoch: r.line.Epoch, Seq: r.line.Head}
	}
	r.joining, r.joined, r.retryAt = true, false, 0
	m.ask(protocol.ClientFrame{Join: j}, request{kind: askJoin, room: r.id})
}

func (m *Machine) joined(id chat.RoomID, j *protocol.Joined, err *chat.Error) {
	r := m.open[id]
	if r == nil || !r.joining {
		return
	}
	r.joining = false
	if err != nil {
		switch {
		case err.Code == chat.CodeAccessDenied:
			m.denied(id, err)
		case err.Code == chat.CodeResyncRequired:
			m.rejoin(r, false)
		case err.Temporary():
			r.retryAt = m.now + max(err.RetryAfter.Milliseconds(), m.backoff(r.tries))
			r.tries++
		default:
			r.err = err
		}
		m.touch(dirtyRoom)
		return
	}
	if j == nil {
		return
	}
	r.joined, r.tries = true, 0
	r.receipts, r.notices = nil, slices.Clone(j.Notices)
	for _, rc := range j.Receipts {
		r.putReceipt(rc)
	}
	m.touch(dirtyRoom)
	if j.Snapshot != nil {
		if r.loaded && j.Snapshot.Epoch == r.line.Epoch && j.Snapshot.Head < r.line.Head {
			return // cursors never go back within an epoch
		}
		line, bad := chat.NewTimeline(*j.Snapshot)
		if bad != nil {
			m.log("a snapshot has holes", "room", id, "error", bad.Error())
			r.err = chat.Errorf(chat.CodeInternal, "This room could not be loaded.")
			return
		}
		line.Events = slices.Clip(line.Events)
		r.line, r.loaded, r.rejoined = line, true, false
		m.touch(dirtyMessages)
		for _, e := range line.Events {
			m.settleEvent(line.Room, e)
		}
		m.summarize(r)
		return
	}
	if !r.loaded || j.Epoch != r.line.Epoch {
		m.rejoin(r, false)
		return
	}
	for _, e := range j.Events {
		if !m.apply(r, e) {
			m.rejoin(r, false)
			return
		}
	}
	r.rejoined = false
	m.summarize(r)
}

// event takes an event frame.
func (m *Machine) event(f *protocol.EventFrame) {
	r := m.open[f.Room]
	if r == nil || !r.joined || !r.loaded {
		return // what comes before Joined is part of it
	}
	if f.Epoch != r.line.Epoch {
		m.rejoin(r, false)
		return
	}
	fresh := f.Event.Seq > r.line.Head
	if !m.apply(r, f.Event) {
		m.log("gap", "room", r.id, "head", r.line.Head, "got", f.Event.Seq)
		// Once: if the answer does not close the gap either, the next beat tries again.
		if !r.rejoined {
			r.rejoined = true
			m.rejoin(r, true)
		}
		return
	}
	r.rejoined = false
	if fresh {
		m.summarizeEvent(r, f.Event)
	}
}

// apply folds one event into the room; it reports false for a gap.
func (m *Machine) apply(r *room, e chat.Event) bool {
	if e.Seq <= r.line.Head {
		return true
	}
	line, err := r.line.Apply(e)
	if gap := (*chat.GapError)(nil); errors.As(err, &gap) {
		return false
	}
	r.line = line
	m.settleEvent(line.Room, e)
	if e.Kind == chat.MessagePosted {
		m.dropTypist(r, e.Sender)
	}
	m.touch(dirtyMessages | dirtyRoom)
	return true
}

// summarize brings the list's picture of a room up to what is held of it.
func (m *Machine) summarize(r *room) {
	s := r.summary
	s.Room, s.Head = r.line.Room, max(s.Head, r.line.Head)
	for i := len(r.line.Events) - 1; i >= 0; i-- {
		if e := r.line.Events[i]; e.Kind == chat.MessagePosted {
			if s.Last == nil || e.Seq > s.Last.Seq {
				s.Last, s.ActiveAt = &e, max(s.ActiveAt, e.At)
			}
			break
		}
	}
	m.setSummary(r, s)
}

func (m *Machine) summarizeEvent(r *room, e chat.Event) {
	s := r.summary
	news := e.Seq > s.Head
	s.Room, s.Head = r.line.Room, max(s.Head, e.Seq)
	if e.Kind == chat.MessagePosted && news {
		m.announce(s.Room, e)
		s.Last, s.ActiveAt = &e, max(s.ActiveAt, e.At)
		if s.Canonical(e.Sender) == m.principal.Identity() {
			s.ReadSeq = max(s.ReadSeq, e.Seq)
		} else if e.Seq > s.ReadSeq {
			s.Unread++
		}
	}
	m.setSummary(r, s)
}

func (m *Machine) setSummary(r *room, s chat.Summary) {
	r.summary = s
	if i, ok := m.findRoom(s.ID); ok {
		m.rooms = slices.Clone(m.rooms)
		m.rooms[i] = s
		m.sortRooms()
		m.touch(dirtyRooms)
	}
	m.touch(dirtyRoom)
}

// heads heals what a lost hint hid.
func (m *Machine) heads(b *protocol.Beat) {
	for _, h := range b.Heads {
		r := m.open[h.Room]
		if r == nil || !r.joined || !r.loaded {
			continue
		}
		if h.Epoch != r.line.Epoch || h.Seq > r.line.Head {
			r.rejoined = true
			m.rejoin(r, h.Epoch == r.line.Epoch)
		}
	}
}

func (m *Machine) loadHistory(id chat.RoomID) {
	if id == "" {
		id = m.current
	}
	r := m.open[id]
	if r == nil || !r.loaded || r.loadingHistory || !m.online() || !r.more() {
		return
	}
	r.loadingHistory = true
	m.ask(protocol.ClientFrame{History: &protocol.History{Room: id, Before: r.first()}}, request{kind: askHistory, room: id})
	m.touch(dirtyRoom)
}

func (r *room) first() int64 {
	if len(r.line.Events) > 0 {
		return r.line.Events[0].Seq
	}
	return r.line.Head + 1
}

func (r *room) more() bool { return r.loaded && r.first() > 1 }

func (m *Machine) history(id chat.RoomID, p *protocol.HistoryPage, err *chat.Error) {
	r := m.open[id]
	if r == nil {
		return
	}
	r.loadingHistory = false
	m.touch(dirtyRoom)
	if err != nil || p == nil {
		if err != nil && err.Code == chat.CodeAccessDenied {
			m.denied(id, err)
		}
		return
	}
	if p.Epoch != r.line.Epoch {
		m.rejoin(r, false)
		return
	}
	line, bad := r.line.Prepend(p.Events)
	if bad != nil {
		return // the room was reset meanwhile: the page no longer fits
	}
	r.line = line
	for _, e := range p.Events {
		m.settleEvent(line.Room, e)
	}
	m.touch(dirtyMessages)
}

func (r *room) putReceipt(rc chat.Receipt) {
	i, found := slices.BinarySearchFunc(r.receipts, rc.Reader, func(a chat.Receipt, id chat.Identity) int {
		return cmp.Compare(a.Reader, id)
	})
	if !found {
		r.receipts = slices.Insert(slices.Clone(r.receipts), i, rc)
	} else if r.receipts[i].Seq < rc.Seq {
		r.receipts = slices.Clone(r.receipts)
		r.receipts[i] = rc
	}
}

func (m *Machine) receipt(f *protocol.ReceiptFrame) {
	r := m.open[f.Room]
	if r == nil {
		return
	}
	r.putReceipt(f.Receipt)
	if f.Receipt.Reader == m.principal.Identity() {
		m.readUpTo(f.Room, f.Receipt.Seq)
	}
	m.touch(dirtyRoom)
}

func (m *Machine) oversight(f *protocol.NoticeFrame) {
	if r := m.open[f.Room]; r != nil && !slices.Contains(r.notices, f.Notice) {
		r.notices = append(slices.Clone(r.notices), f.Notice)
		m.touch(dirtyRoom)
	}
}

// markRead notes that everything up to seq was on screen.
func (m *Machine) markRead(id chat.RoomID, seq int64) {
	r := m.open[id]
	if r == nil || !r.loaded {
		return
	}
	seq = min(seq, r.line.Head)
	if seq <= max(r.summary.ReadSeq, m.read[id]) {
		return
	}
	m.read[id] = seq
	m.readUpTo(id, seq)
}

func (m *Machine) readUpTo(id chat.RoomID, seq int64) {
	r := m.open[id]
	if r == nil || seq <= r.summary.ReadSeq {
		return
	}
	s := r.summary
	s.ReadSeq, s.Unread = seq, 0
	for _, e := range r.line.Events {
		if e.Seq > seq && e.Kind == chat.MessagePosted && s.Canonical(e.Sender) != m.principal.Identity() {
			s.Unread++
		}
	}
	m.setSummary(r, s)
}

// flushReads sends the read marks that wait, once there is a connection; each
// is kept until the server has it.
func (m *Machine) flushReads() {
	if !m.online() || len(m.read) == 0 {
		return
	}
	for _, id := range sortedKeys(m.read) {
		if seq := m.read[id]; seq > m.readSent[id] {
			m.readSent[id] = seq
			m.ask(protocol.ClientFrame{Read: &protocol.Read{Room: id, Seq: seq}}, request{kind: askRead, room: id, seq: seq})
		}
	}
}

func (m *Machine) readDone(id chat.RoomID, seq int64, err *chat.Error) {
	if m.read[id] <= seq {
		delete(m.read, id)
	}
	if err != nil && err.Code == chat.CodeAccessDenied {
		m.denied(id, err)
	}
}
