package store

import (
	"cmp"
	"slices"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// item is a message in the outbox.
type item struct {
	storedItem
	inFlight bool
	claimed  bool          // storage was asked whose it is by now
	going    chat.Identity // who is gone; storage was asked what became of it
	seq      int64         // acknowledged under this seq; shown until its event is held
	retryAt  int64
	err      *chat.Error // of the last try
	tries    int
}

// storedItem is an item as storage holds it.
type storedItem struct {
	Version  int           `json:"v"`
	ClientID chat.ClientID `json:"cmid"`
	Owner    chat.Identity `json:"owner"`            // who wrote it; "" for a visitor who had no guest session yet
	Room     chat.RoomID   `json:"room,omitempty"`   // "" until the room with Vendor is created
	Vendor   string        `json:"vendor,omitempty"` // slug
	Text     string        `json:"text"`
	At       int64         `json:"at"`
	Code     chat.Code     `json:"code,omitempty"` // why it failed
	Message  string        `json:"message,omitempty"`
}

func (it *item) failed() bool { return it.Code != "" }

func (it *item) order(other *item) int {
	return cmp.Or(cmp.Compare(it.At, other.At), cmp.Compare(it.ClientID, other.ClientID))
}

// place is where an item is shown and queued: its room, or its vendor's chat
// that has no room yet.
func (it *item) place() string {
	if it.Room != "" {
		return string(it.Room)
	}
	return vendorPlace(it.Vendor)
}

func vendorPlace(slug string) string { return "vendor:" + slug }

func parseItem(key string, surface chat.Surface, value string) (*item, bool) {
	it := &item{}
	if !decodeStored(value, &it.storedItem) || it.Version != 1 {
		return nil, false
	}
	if _, err := chat.ParseClientID(string(it.ClientID)); err != nil || key != KeyOutbox(surface, it.ClientID) {
		return nil, false
	}
	if text, err := chat.ParseText(it.Text); err != nil || text != it.Text {
		return nil, false
	}
	if it.Room == "" && it.Vendor == "" || it.At < 0 || !validOwner(it.Owner) || len(it.Message) > 1000 || len(it.Code) > 40 {
		return nil, false
	}
	if it.Room != "" {
		if _, err := chat.ParseRoomID(string(it.Room)); err != nil {
			return nil, false
		}
	}
	if it.Vendor != "" {
		if _, err := chat.ParseSlug(it.Vendor); err != nil {
			return nil, false
		}
	}
	if it.failed() {
		it.err = &chat.Error{Code: it.Code, Message: it.Message}
	}
	return it, true
}

func validOwner(id chat.Identity) bool {
	if id == "" {
		return true
	}
	if _, err := chat.ParseUserID(string(id)); err == nil {
		return true
	}
	_, err := chat.ParseGuestSessionID(string(id))
	return err == nil
}

func isUser(id chat.Identity) bool { return strings.HasPrefix(string(id), "u_") }

func (m *Machine) saveItem(it *item) {
	m.persist(KeyOutbox(m.surface, it.ClientID), encodeItem(it.storedItem))
}

// encodeItem leaves room for the owner, the room and the failure that an item may
// yet get. A full localStorage refuses only what makes a value longer, and where
// it refused to note whose a message is by now, another tab would send it for a
// second principal, or drop it with the guest session it was written under.
func encodeItem(it storedItem) string {
	value := encodeStored(it)
	it.Owner, it.Room, it.Code, it.Message = "", "", "", ""
	return value + strings.Repeat(" ", max(len(encodeStored(it))+spareItem-len(value), 0))
}

// spareItem takes two ids and what orphan writes.
const spareItem = 128

func (m *Machine) findItem(id chat.ClientID) *item {
	for _, it := range m.items {
		if it.ClientID == id {
			return it
		}
	}
	return nil
}

func (m *Machine) addItem(it *item) {
	i, _ := slices.BinarySearchFunc(m.items, it, (*item).order)
	m.items = slices.Insert(m.items, i, it)
	m.touch(dirtyRoom)
}

func (m *Machine) removeItem(it *item) {
	if it.seq == 0 {
		m.unpersist(KeyOutbox(m.surface, it.ClientID))
	}
	m.forgetItem(it)
}

// forgetItem drops an item that storage no longer holds.
func (m *Machine) forgetItem(it *item) {
	if i := slices.Index(m.items, it); i >= 0 {
		m.items = slices.Delete(m.items, i, i+1)
		m.touch(dirtyRoom)
	}
}

func (m *Machine) sendMessage(in SendMessage) {
	text, err := chat.ParseText(in.Text)
	if err != nil {
		m.refuse(err)
		return
	}
	if len(m.items) >= maxItems {
		m.refuse(chat.Errorf(chat.CodeTooLarge, "Too many messages are waiting to be sent."))
		return
	}
	id := in.ClientID
	if id == "" {
		id = m.messageID()
	} else if _, err := chat.ParseClientID(string(id)); err != nil {
		m.refuse(err)
		return
	} else if m.findItem(id) != nil {
		return // handed over twice
	}
	it := &item{storedItem: storedItem{
		Version: 1, ClientID: id, Owner: m.owner(), Room: in.Room, Text: text, At: m.now,
	}}
	if n := len(m.items); n > 0 && m.items[n-1].At > it.At {
		it.At = m.items[n-1].At // another tab's clock may be ahead; the order of writing stays
	}
	if in.Room == "" {
		if _, err := chat.ParseSlug(in.Vendor); err != nil {
			m.refuse(err)
			return
		}
		it.Vendor = in.Vendor
		for _, s := range m.rooms {
			if m.mineWith(s, in.Vendor) {
				it.Room = s.ID
				break
			}
		}
	} else {
		if _, err := chat.ParseRoomID(string(in.Room)); err != nil {
			m.refuse(err)
			return
		}
		if s, ok := m.summaryOf(in.Room); ok && s.Vendor != nil && s.Customer().ID() == m.principal.Identity() {
			it.Vendor = s.Vendor.Slug
		}
	}
	m.addItem(it)
	m.saveItem(it)
	place := string(in.Room)
	if in.Room == "" {
		place = vendorPlace(in.Vendor)
	}
	m.setDraft(place, "")
	m.flushDrafts()
	if r := m.open[in.Room]; r != nil {
		r.typingSent = 0 // the message itself tells the others
	}
}

// refuse shows why a wish could not be followed; the text stays in the composer.
func (m *Machine) refuse(err error) {
	e, ok := err.(*chat.Error)
	if !ok {
		e = chat.Errorf(chat.CodeInvalid, "%v", err)
	}
	m.notice = e
	m.touch(dirtyTop)
}

func (m *Machine) summaryOf(id chat.RoomID) (chat.Summary, bool) {
	if r := m.open[id]; r != nil && r.summary.ID != "" {
		return r.summary, true
	}
	if i, ok := m.findRoom(id); ok {
		return m.rooms[i], true
	}
	return chat.Summary{}, false
}

// sendable tells whether an item is to be sent as the present principal.
func (m *Machine) sendable(it *item) bool {
	return !it.failed() && it.seq == 0 && !it.inFlight && it.Owner == m.owner()
}

// pump sends what can be sent: one message at a time per room, oldest first,
// so that no refusal lets a later message overtake.
func (m *Machine) pump() {
	if !m.online() {
		return
	}
	busy := map[string]bool{}
	for _, it := range m.items {
		if it.failed() || it.seq != 0 || it.Owner != m.owner() {
			continue
		}
		// What was written to a vendor before the room was known and what was
		// written into the room are one queue.
		room, vendor := string(it.Room), vendorPlace(it.Vendor)
		blocked := it.Room != "" && busy[room] || it.Vendor != "" && busy[vendor]
		busy[room], busy[vendor] = true, true
		if blocked {
			continue
		}
		if it.inFlight || it.retryAt > m.now {
			continue
		}
		if it.Room == "" {
			m.create(it)
			continue
		}
		it.inFlight = true
		m.ask(protocol.ClientFrame{Send: &protocol.Send{Room: it.Room, ClientID: it.ClientID, Text: it.Text}},
			request{kind: askSend, item: it.ClientID, room: it.Room})
		m.touch(dirtyRoom)
	}
}

// create makes the room that an item waits for. Its client id follows from the
// item's, so that a repeat from any tab or after a crash names the same room.
func (m *Machine) create(it *item) {
	if m.creates[it.Vendor] {
		return
	}
	m.creates[it.Vendor] = true
	it.inFlight = true
	id := "r-" + string(it.ClientID)
	m.ask(protocol.ClientFrame{Create: &protocol.Create{ClientID: chat.ClientID(id[:min(len(id), 64)]), Vendor: it.Vendor, Page: m.page}},
		request{kind: askCreate, item: it.ClientID, key: it.Vendor})
	m.touch(dirtyRoom)
}

func (m *Machine) created(r request, f *protocol.RoomFrame, err *chat.Error) {
	delete(m.creates, r.key)
	if it := m.findItem(r.item); it != nil {
		it.inFlight = false
		m.touch(dirtyRoom)
		if err != nil {
			m.fail(it, err)
		}
	}
	if err != nil || f == nil {
		return
	}
	s := f.Room
	m.roomChanged(s, false)
	if !m.inList(s.ID) {
		m.putRoom(s) // one's own new room is shown under any filter
	}
	for _, it := range m.items {
		if it.Owner == m.owner() && it.Room == "" && it.Vendor == r.key && !it.failed() {
			it.Room = s.ID
			m.saveItem(it)
		}
	}
	m.moveDraft(vendorPlace(r.key), string(s.ID))
	if m.vendor == r.key {
		m.vendor, m.current = "", s.ID
		m.openRoom(s.ID)
		m.touch(dirtyTop | dirtyRoom)
	}
}

// acked takes the answer to a message.
func (m *Machine) acked(id chat.ClientID, a *protocol.Ack, err *chat.Error) {
	it := m.findItem(id)
	if it == nil {
		return
	}
	it.inFlight = false
	m.touch(dirtyRoom)
	if err != nil {
		if err.Code == chat.CodeAccessDenied {
			m.denied(it.Room, err)
			return
		}
		m.fail(it, err)
		return
	}
	if a == nil {
		return
	}
	m.unpersist(KeyOutbox(m.surface, it.ClientID))
	it.seq = a.Seq
	if r := m.open[it.Room]; r == nil || !r.loaded || r.line.Head >= a.Seq || it.Room != m.current {
		m.forgetItem(it)
	}
}

// settleEvent takes an item off the outbox whose event is in the room.
func (m *Machine) settleEvent(r chat.Room, e chat.Event) {
	if e.ClientID == "" || len(m.items) == 0 || r.Canonical(e.Sender) != m.principal.Identity() {
		return
	}
	if it := m.findItem(e.ClientID); it != nil && it.Room == r.ID {
		m.removeItem(it)
	}
}

// fail notes a refusal: what may pass later is tried again, the rest waits for
// the visitor.
func (m *Machine) fail(it *item, err *chat.Error) {
	it.err = err
	it.tries++
	m.touch(dirtyRoom)
	if err.Temporary() {
		wait := err.RetryAfter.Milliseconds()
		if wait <= 0 {
			wait = backoffMin + m.backoff(it.tries)
		}
		it.retryAt = m.now + wait
		return
	}
	it.Code, it.Message = err.Code, err.Message
	if r := m.open[it.Room]; r != nil && err.Code == chat.CodeRoomClosed && !r.summary.Closed {
		m.refreshRooms()
	}
	m.saveItem(it)
}

// loseItems keeps the text of a room that got out of reach: a message to a
// vendor waits in that vendor's chat, where the visitor can send or discard it.
func (m *Machine) loseItems(id chat.RoomID, err *chat.Error) {
	for _, it := range m.items {
		if it.Room != id || it.Owner != m.owner() || it.seq != 0 {
			continue
		}
		it.inFlight, it.err, it.Code, it.Message = false, err, err.Code, err.Message
		if it.Vendor != "" {
			it.Room = ""
		}
		m.saveItem(it)
	}
}

func (m *Machine) retry(id chat.ClientID) {
	it := m.findItem(id)
	if it == nil || it.Owner != m.owner() || it.seq != 0 {
		return
	}
	if it.failed() {
		if it.Code == chat.CodeConflict {
			// Its id is taken by something else: only a new one can be stored.
			m.unpersist(KeyOutbox(m.surface, it.ClientID))
			it.ClientID = m.messageID()
		}
		it.Code, it.Message = "", ""
		m.saveItem(it)
	}
	it.err, it.retryAt, it.tries = nil, 0, 0
	m.touch(dirtyRoom)
}

func (m *Machine) discard(id chat.ClientID) {
	if it := m.findItem(id); it != nil && it.Owner == m.owner() {
		m.removeItem(it)
	}
}

// pending is what the view shows of the outbox for one place.
func (m *Machine) pending(place string) []Pending {
	var out []Pending
	for _, it := range m.items {
		if it.Owner != m.owner() || it.place() != place {
			continue
		}
		p := Pending{ClientID: it.ClientID, Text: it.Text, At: it.At, State: Waiting}
		switch {
		case it.failed():
			p.State, p.Error = Failed, it.err
		case it.inFlight || it.seq != 0:
			p.State = Sending
		case it.err != nil && it.err.Code == chat.CodeRateLimited && it.retryAt > m.now:
			p.State, p.Error, p.RetryAt = Limited, it.err, it.retryAt
		}
		out = append(out, p)
	}
	return out
}

// moveItems gives everything of one writer to another, under the same client
// message ids.
func (m *Machine) moveItems(from, to chat.Identity) {
	for _, it := range m.items {
		if it.Owner == from && it.seq == 0 {
			it.Owner = to
			m.saveItem(it)
		}
	}
	m.touch(dirtyRoom)
}

// claimItems takes over what was written while the visitor was nobody. Another
// tab may have become somebody else at the same moment and taken it: storage
// says whose it is, so that no message is sent by two principals.
func (m *Machine) claimItems() {
	for _, it := range m.items {
		if it.Owner == "" {
			it.claimed = true
			m.emit(Recall{Key: KeyOutbox(m.surface, it.ClientID)})
		}
	}
}

// claimItem goes on with what storage said.
func (m *Machine) claimItem(it *item, stored *item) {
	going := it.going
	it.claimed, it.going = false, ""
	if stored == nil {
		if !m.memory || going != "" {
			m.forgetItem(it) // sent or discarded by another tab
			return
		}
	} else {
		it.storedItem, it.err = stored.storedItem, cmp.Or(stored.err, it.err)
	}
	if going != "" && it.Owner == going {
		m.orphanItem(it, 0)
		return
	}
	if it.Owner == "" && m.owner() != "" {
		it.Owner = m.owner()
		m.saveItem(it)
	}
	m.touch(dirtyRoom)
}

// letGo ends what a writer who is gone wrote, where no signal says why they are.
// Whoever ends a chat or logs out takes everything out of storage: a message that
// is there all the same was written since, or its guest session ended by itself.
func (m *Machine) letGo(owner chat.Identity) {
	for _, it := range m.items {
		if it.Owner == owner {
			it.claimed, it.going = true, owner
			m.emit(Recall{Key: KeyOutbox(m.surface, it.ClientID)})
		}
	}
	for _, k := range m.draftKeys() {
		if k.owner == owner {
			m.removeDraft(k)
		}
	}
}

// dropItems removes everything written by somebody for whom drop says so.
func (m *Machine) dropItems(drop func(chat.Identity) bool) {
	for _, it := range slices.Clone(m.items) {
		if drop(it.Owner) {
			m.removeItem(it)
		}
	}
	for _, k := range m.draftKeys() {
		if drop(k.owner) {
			m.removeDraft(k)
		}
	}
}
