package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
)

// check looks at a tab after each of its steps: P1, P3, P4 and P5.
func (p *play) check(t *Tab) {
	if p.fault != nil {
		return
	}
	v := t.View()
	if _, known := p.changed[t]; !known || p.gens[t] != v.Generation {
		p.changed[t] = p.Now()
		p.gens[t] = v.Generation
		p.marks[t] = nil
	}
	if p.marks[t] == nil {
		p.marks[t] = map[chat.RoomID]chat.Cursor{}
	}
	for id, line := range v.Messages {
		p.checkLine(t, v, id, line)
	}
	for id := range p.marks[t] {
		if _, held := v.Messages[id]; !held {
			delete(p.marks[t], id)
		}
	}
	if who := v.Principal.Identity(); who != p.who[t] {
		if p.who[t] != "" && v.Generation == p.whoGen[t] {
			p.report("P5", t, "%s became %s within a generation", p.who[t], who)
		}
		p.who[t] = who
	}
	p.whoGen[t] = v.Generation
	if r := v.Room; r != nil && r.Loaded && v.CurrentRoom != "" && r.Timeline.Epoch == p.Server.Epoch {
		for _, rc := range r.Receipts {
			if seq := p.Server.Room(v.CurrentRoom).marks[rc.Reader]; seq < rc.Seq {
				p.report("P1", t, "%s is said to have read %s up to %d, not %d", rc.Reader, v.CurrentRoom, rc.Seq, seq)
			}
		}
	}
	if v.Principal.Kind == "" && len(v.Messages)+len(v.Rooms) > 0 {
		p.report("P5", t, "rooms are shown to nobody")
	}
}

// nothingLeft checks, right after a log-out, that nothing anybody wrote is stored.
func (p *play) nothingLeft(t *Tab) {
	for _, k := range sorted(t.Values) {
		if !t.Gone && (strings.Contains(k, ".outbox.") || strings.Contains(k, ".draft.")) {
			p.report("P5", t, "%s is left after a log-out", k)
		}
	}
}

func (p *play) report(property string, t *Tab, format string, args ...any) {
	if p.fault == nil {
		p.fault = &Fault{Property: property, Tabs: []*Tab{t}, Text: fmt.Sprintf("at %d ms: %s", p.Now()-p.start, fmt.Sprintf(format, args...))}
	}
}

// Fault is a property that did not hold, and the tabs whose journals show why.
type Fault struct {
	Property string
	Tabs     []*Tab
	Text     string
}

// Error gives the property, the text and the tabs.
func (f *Fault) Error() string {
	s := f.Property + " broken: " + f.Text
	for _, t := range f.Tabs {
		s += fmt.Sprintf(" [%s %s, %s, %s]", t.Name, t.ID[:7], t.View().Auth, t.View().Connection)
	}
	return s
}

func (p *play) checkLine(t *Tab, v *store.View, id chat.RoomID, line chat.Timeline) {
	r := p.Server.Room(id)
	if r == nil {
		p.report("P1", t, "room %s does not exist", id)
		return
	}
	last := p.marks[t][id]
	now := chat.Cursor{Epoch: line.Epoch, Seq: line.Head}
	if last == now {
		return // nothing new to look at
	}
	if last.Epoch == now.Epoch && now.Seq < last.Seq {
		p.report("P4", t, "cursor of %s went from %d to %d", id, last.Seq, now.Seq)
	}
	p.marks[t][id] = now
	events := p.Server.Log(id, line.Epoch)
	if line.Head > int64(len(events)) {
		p.report("P1", t, "head %d of %s is beyond the server's %d in %s", line.Head, id, len(events), line.Epoch)
		return
	}
	for i, e := range line.Events {
		if want := line.Head - int64(len(line.Events)) + int64(i) + 1; e.Seq != want {
			p.report("P3", t, "event %d of %s has seq %d", want, id, e.Seq)
			return
		}
		if !reflect.DeepEqual(e, events[e.Seq-1]) {
			p.report("P1", t, "event %d of %s is %+v, not %+v", e.Seq, id, e, events[e.Seq-1])
			return
		}
	}
	fold := r.Start
	for _, e := range events[:line.Head] {
		fold = chat.ApplyToRoom(fold, e)
	}
	got, _ := json.Marshal(line.Room)
	want, _ := json.Marshal(fold)
	if string(got) != string(want) {
		p.report("P1", t, "state of %s at %d is %s, not %s", id, line.Head, got, want)
	}
	// Whoever sees the room had a right to it at some moment of its log: a
	// customer's room is never shown to another customer.
	if !p.everMay(v.Principal, r) {
		p.report("P5", t, "%s is shown to %s", id, v.Principal.Identity())
	}
}

// everMay tells whether a principal had a right to a room at any time.
func (p *play) everMay(who chat.Principal, r *Room) bool {
	state := r.Start
	for i := 0; ; i++ {
		if _, member := state.Member(who.User); member {
			return true
		}
		if who.User == "" && who.GuestSession != "" && state.GuestSession == who.GuestSession && state.LinkedUser == "" {
			return true
		}
		if i == len(r.Events) {
			break
		}
		state = chat.ApplyToRoom(state, r.Events[i])
	}
	u := p.Server.users[who.User]
	return u != nil && u.Role == chat.RoleAdmin
}

// judge looks at the world at rest: P2, P6 and P7, and that all tabs of a
// browser agree who is there.
func (p *play) judge() error {
	for _, m := range p.ledger {
		if err := p.judgeMessage(m); err != nil {
			return err
		}
	}
	if err := p.judgeOrder(); err != nil {
		return err
	}
	for _, b := range append(append([]*Browser(nil), p.widgets...), p.inboxes...) {
		for _, t := range b.Tabs {
			if err := p.judgeTab(t); err != nil {
				return err
			}
		}
	}
	for _, t := range p.all {
		if !t.Replay() {
			return &Fault{Property: "P7", Tabs: []*Tab{t}, Text: "it does not replay"}
		}
	}
	return nil
}

func (p *play) judgeMessage(m *written) error {
	fault := func(format string, args ...any) error {
		tabs := []*Tab{m.tab}
		for _, t := range m.browser.Tabs {
			if t != m.tab {
				tabs = append(tabs, t)
			}
		}
		return &Fault{Property: "P2", Tabs: tabs, Text: fmt.Sprintf("%q of %s %s ", m.text, m.browser.Name, m.tab.ID[:7]) + fmt.Sprintf(format, args...)}
	}
	switch n := p.Server.CountText(m.text); {
	case n > 1:
		return fault("is stored %d times", n)
	case n == 1 && !m.cleared && strings.HasPrefix(string(m.by), "u_") && p.Server.author(m.text) != m.by:
		return fault("was written by %s and is stored as of %s", m.by, p.Server.author(m.text))
	case n == 1 || m.cleared || p.Server.Undone[m.text]:
		return nil
	}
	// Not stored: it must be kept where the visitor finds it, failed, or hidden
	// for a user whose session ended by itself.
	var values []map[string]string
	for _, t := range m.browser.Tabs {
		held := map[string]string{} // newer than what storage holds, where that took no more
		for k := range t.held {
			held[k] = t.read(k)
		}
		values = append(values, held)
	}
	values = append(values, m.browser.Values)
	for _, in := range values {
		for _, k := range sorted(in) {
			if !strings.Contains(k, ".outbox.") || !strings.Contains(in[k], m.text) {
				continue
			}
			var it struct {
				Code  chat.Code     `json:"code"`
				Owner chat.Identity `json:"owner"`
			}
			if err := json.Unmarshal([]byte(in[k]), &it); err != nil {
				return fault("is stored as %s", in[k])
			}
			for _, t := range m.browser.Tabs {
				if it.Code == "" && it.Owner == t.View().Principal.Identity() && t.View().Principal.Kind != "" {
					return fault("waits for ever in %s", t.ID[:7])
				}
			}
			return nil
		}
	}
	if p.Refused[m.text] && m.tab.Gone {
		return nil // storage did not take it, and the tab that held it is gone
	}
	return fault("is lost")
}

// judgeOrder checks that what one tab wrote into one room stands there in the
// order of writing. Messages that failed and were sent again may be later, and
// so may those that storage refused: other tabs do not know of them. Into a room
// of somebody else a visitor writes in another place than to its vendor, although
// the room may become theirs by a link (seed 127514).
func (p *play) judgeOrder() error {
	late := map[string]bool{}
	for _, m := range p.ledger {
		late[m.text] = m.cleared || m.foreign // a race of two log-ins may have taken it from some tabs
	}
	for _, id := range p.Server.Rooms() {
		last := map[string]string{}
		for _, e := range p.Server.Room(id).Events {
			if e.Kind != chat.MessagePosted {
				continue
			}
			if late[e.Text] || p.retried[e.Text] || p.Failed[e.Text] || p.Refused[e.Text] || p.Server.Undone[e.Text] {
				continue
			}
			number, tab, _ := strings.Cut(e.Text, "-")
			if number < last[tab] {
				return &Fault{Property: "P2", Text: fmt.Sprintf("%q stands after %q in %s", e.Text, last[tab], id)}
			}
			last[tab] = number
		}
	}
	return nil
}

func (p *play) judgeTab(t *Tab) error {
	v := t.View()
	fault := func(property, format string, args ...any) error {
		return &Fault{Property: property, Tabs: []*Tab{t}, Text: "at rest: " + fmt.Sprintf(format, args...)}
	}
	if v.Auth == store.AuthLoggingIn {
		return fault("P2", "a log-in never ends")
	}
	if (v.Auth == store.AuthUser || v.Auth == store.AuthGuest) && v.Connection != store.Online {
		return fault("P6", "not online")
	}
	if v.Connection != store.Online {
		return nil
	}
	var got, want []chat.RoomID
	for _, r := range v.Rooms {
		got = append(got, r.ID)
		if head := int64(len(p.Server.Room(r.ID).Events)); r.Head != head {
			return fault("P6", "the list has %s at %d, the server at %d", r.ID, r.Head, head)
		}
	}
	for _, id := range p.Server.Rooms() {
		if p.Server.May(v.Principal, id) {
			want = append(want, id)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fault("P6", "rooms %v, not %v", got, want)
	}
	if v.CurrentRoom != "" && v.Room.Error == nil {
		if !v.Room.Loaded {
			return fault("P6", "room %s never loads", v.CurrentRoom)
		}
		if head := int64(len(p.Server.Room(v.CurrentRoom).Events)); v.Room.Timeline.Head != head {
			return fault("P6", "room %s is at %d, the server at %d", v.CurrentRoom, v.Room.Timeline.Head, head)
		}
		if v.Room.Timeline.Epoch != p.Server.Epoch {
			return fault("P6", "room %s is in epoch %s, the server in %s", v.CurrentRoom, v.Room.Timeline.Epoch, p.Server.Epoch)
		}
	}
	for _, o := range t.Tabs {
		a, b := v.Principal.Identity(), o.View().Principal.Identity()
		if a != b && v.Principal.Kind == chat.KindGuest && o.View().Principal.Kind == chat.KindGuest {
			return fault("P5", "tabs are different guests %s and %s", a, b)
		}
	}
	return nil
}
