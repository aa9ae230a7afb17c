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
	if v.Principal.Kind == "" && len(v.Messages)+len(v.Rooms) > 0 {
		p.report("P5", t, "rooms are shown to nobody")
	}
}

func (p *play) report(property string, t *Tab, format string, args ...any) {
	if p.fault == nil {
		p.fault = fmt.Errorf("%s broken at %d ms in %s %s: %s", property, p.Now()-p.start, t.Name, t.ID[:7], fmt.Sprintf(format, args...))
	}
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
	if line.Head > int64(len(r.Events)) {
		p.report("P1", t, "head %d of %s is beyond the server's %d", line.Head, id, len(r.Events))
		return
	}
	for i, e := range line.Events {
		if want := line.Head - int64(len(line.Events)) + int64(i) + 1; e.Seq != want {
			p.report("P3", t, "event %d of %s has seq %d", want, id, e.Seq)
			return
		}
		if !reflect.DeepEqual(e, r.Events[e.Seq-1]) {
			p.report("P1", t, "event %d of %s is %+v, not %+v", e.Seq, id, e, r.Events[e.Seq-1])
			return
		}
	}
	fold := r.Start
	for _, e := range r.Events[:line.Head] {
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
			return fmt.Errorf("P7 broken: %s %s does not replay", t.Name, t.ID)
		}
	}
	return nil
}

func (p *play) judgeMessage(m *written) error {
	switch n := p.Server.CountText(m.text); {
	case n > 1:
		return fmt.Errorf("P2 broken: %q is stored %d times", m.text, n)
	case n == 1 || m.cleared:
		return nil
	}
	// Not stored: it must be kept where the visitor finds it, failed, or hidden
	// for a user whose session ended by itself.
	for _, k := range sorted(m.browser.Values) {
		if !strings.Contains(k, ".outbox.") || !strings.Contains(m.browser.Values[k], m.text) {
			continue
		}
		var it struct {
			Code  chat.Code     `json:"code"`
			Owner chat.Identity `json:"owner"`
		}
		if err := json.Unmarshal([]byte(m.browser.Values[k]), &it); err != nil {
			return fmt.Errorf("P2 broken: %q is stored as %s", m.text, m.browser.Values[k])
		}
		for _, t := range m.browser.Tabs {
			if it.Code == "" && it.Owner == t.View().Principal.Identity() && t.View().Principal.Kind != "" {
				return fmt.Errorf("P2 broken: %q waits for ever in %s %s", m.text, t.Name, t.ID[:7])
			}
		}
		return nil
	}
	return fmt.Errorf("P2 broken: %q of %s %s is lost", m.text, m.browser.Name, m.tab.ID[:7])
}

// judgeOrder checks that what one tab wrote into one room stands there in the
// order of writing. Messages that failed and were sent again may be later.
func (p *play) judgeOrder() error {
	late := map[string]bool{}
	for _, m := range p.ledger {
		late[m.text] = m.cleared // a race of two log-ins may have taken it from some tabs
	}
	for _, id := range p.Server.Rooms() {
		last := map[string]string{}
		for _, e := range p.Server.Room(id).Events {
			if e.Kind != chat.MessagePosted {
				continue
			}
			if late[e.Text] || p.retried[e.Text] || p.Failed[e.Text] {
				continue
			}
			number, tab, _ := strings.Cut(e.Text, "-")
			if number < last[tab] {
				return fmt.Errorf("G3 broken: %q stands after %q in %s", e.Text, last[tab], id)
			}
			last[tab] = number
		}
	}
	return nil
}

func (p *play) judgeTab(t *Tab) error {
	v := t.View()
	fault := func(property, format string, args ...any) error {
		return fmt.Errorf("%s broken at rest in %s %s (%s, %s): %s", property, t.Name, t.ID[:7], v.Auth, v.Connection, fmt.Sprintf(format, args...))
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
	}
	for _, o := range t.Tabs {
		a, b := v.Principal.Identity(), o.View().Principal.Identity()
		if a != b && v.Principal.Kind == chat.KindGuest && o.View().Principal.Kind == chat.KindGuest {
			return fault("P5", "tabs are different guests %s and %s", a, b)
		}
	}
	return nil
}
