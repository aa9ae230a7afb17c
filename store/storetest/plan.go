package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
)

// actions is how much happens unless a plan says otherwise.
const actions = 120

// Plan says what happens in a random world.
type Plan struct {
	Seed    uint64
	Actions int                  // how many; 120 where 0
	Faults  *Faults              // of the unkind part; drawn from the seed where nil
	Wrap    func(*World)         // called once the world is made
	Trace   func(string, ...any) // takes what happens; may be nil
}

// written is a message that a machine accepted.
type written struct {
	text    string
	by      chat.Identity // "" for a visitor who was nobody yet
	browser *Browser
	tab     *Tab
	number  int
	cleared bool // an explicit log-out or another's log-in came after it
	foreign bool // written by a visitor into a room that is not theirs with a vendor
}

// play is a plan being carried out.
type play struct {
	*World
	plan    Plan
	widgets []*Browser
	inboxes []*Browser
	ledger  []*written
	marks   map[*Tab]map[chat.RoomID]chat.Cursor
	gens    map[*Tab]int64
	who     map[*Tab]chat.Identity // the last principal seen, and its generation
	whoGen  map[*Tab]int64
	cleared map[*Browser]int64 // the latest wish to log in or out
	changed map[*Tab]int64     // the latest change of generation
	retried map[string]bool    // texts that may be stored later than their turn
}

// Run carries out a plan and returns the first property that did not hold.
func Run(plan Plan) error {
	w := NewWorld(plan.Seed)
	if plan.Actions == 0 {
		plan.Actions = actions
	}
	if plan.Wrap != nil {
		plan.Wrap(w)
	}
	p := &play{
		World: w, plan: plan, marks: map[*Tab]map[chat.RoomID]chat.Cursor{}, gens: map[*Tab]int64{}, retried: map[string]bool{},
		who: map[*Tab]chat.Identity{}, whoGen: map[*Tab]int64{},
		cleared: map[*Browser]int64{}, changed: map[*Tab]int64{},
	}
	w.Check = p.check
	w.Trace = p.trace
	for i := range 2 {
		p.widgets = append(p.widgets, w.Browser(fmt.Sprintf("visitor%d", i), chat.SurfaceWidget))
	}
	for _, name := range []string{"mia", "noor"} {
		b := w.Browser(name, chat.SurfaceInbox)
		p.inboxes = append(p.inboxes, b)
		b.Open().Do(store.LogIn{Username: name, Password: "pw"})
	}
	w.Run(1000)
	w.Faults = drawFaults(w)
	if plan.Faults != nil {
		w.Faults = *plan.Faults
	}
	for range plan.Actions {
		w.Run(w.Rand.Int64N(3000))
		p.act()
		if p.fault != nil {
			return p.fault
		}
	}
	p.heal()
	if p.fault != nil {
		return p.fault
	}
	return p.judge()
}

// drawFaults makes some worlds kind in some respects and unkind in others.
func drawFaults(w *World) Faults {
	some := func(p float64) float64 {
		if w.Rand.IntN(2) == 0 {
			return 0
		}
		return p * w.Rand.Float64()
	}
	return Faults{
		Delay: 1 + w.Rand.Int64N(2000), Cut: some(0.05), HalfOpen: some(0.01), OneWay: some(0.01), Repeat: some(0.3), LoseHint: some(0.3),
		LoseCall: some(0.3), LoseAnswer: some(0.3), LoseSignal: some(0.3), FailBefore: some(0.1), FailAfter: some(0.1),
		Quota: some(0.1), Die: some(0.01),
	}
}

// anyTab picks a tab, opening one where there is none.
func (p *play) anyTab(browsers []*Browser) *Tab {
	b := browsers[p.Rand.IntN(len(browsers))]
	if len(b.Tabs) == 0 || len(b.Tabs) < 3 && p.Rand.IntN(10) == 0 {
		p.trace("%s opens a tab", b.Name)
		return b.Open()
	}
	return b.Tabs[p.Rand.IntN(len(b.Tabs))]
}

func (p *play) trace(format string, args ...any) {
	if p.plan.Trace != nil {
		p.plan.Trace("%6d "+format, append([]any{p.Now() - p.start}, args...)...)
	}
}

func (p *play) act() {
	all := append(append([]*Browser(nil), p.widgets...), p.inboxes...)
	switch n := p.Rand.IntN(100); {
	case n < 30:
		p.write(p.anyTab(p.widgets))
	case n < 42:
		p.write(p.anyTab(p.inboxes))
	case n < 52:
		t := p.anyTab(all)
		if rooms := t.View().Rooms; len(rooms) > 0 {
			room := rooms[p.Rand.IntN(len(rooms))].ID
			p.trace("%s %s joins %s", t.Name, t.ID[:7], room[:6])
			t.Do(store.JoinRoom{Room: room})
		} else {
			t.Do(store.FetchRooms{})
		}
	case n < 55:
		t := p.anyTab(all)
		t.Do(store.LeaveRoom{})
	case n < 58:
		t := p.anyTab(all)
		if v := t.View(); v.Room != nil && v.Room.Loaded {
			t.Do(store.MarkRead{Room: v.CurrentRoom, Seq: v.Room.Timeline.Head})
			t.Do(store.SetTyping{Room: v.CurrentRoom, Active: true})
			t.Do(store.LoadHistory{Room: v.CurrentRoom})
			t.Do(store.SetDraft{Place: string(v.CurrentRoom), Text: fmt.Sprintf("draft %d", p.Rand.IntN(1000))})
		}
	case n < 64:
		t := p.anyTab(p.widgets)
		name := []string{"ada", "bo"}[p.Rand.IntN(2)]
		p.trace("%s %s logs in as %s", t.Name, t.ID[:7], name)
		// Another user's log-in may clear what the one before wrote.
		p.clear(t.Browser)
		if p.Rand.IntN(2) == 0 {
			t.Do(store.LogIn{Username: name, Password: "pw"})
		} else {
			t.Do(store.LogIn{Token: "token:" + name, Provided: p.Rand.IntN(2) == 0})
		}
	case n < 68:
		t := p.anyTab(p.widgets)
		p.trace("%s %s logs out", t.Name, t.ID[:7])
		p.clear(t.Browser)
		user := t.View().Auth == store.AuthUser
		t.Do(store.LogOut{Everywhere: p.Rand.IntN(4) == 0})
		if user {
			p.nothingLeft(t)
		}
	case n < 69:
		t := p.anyTab(p.widgets)
		p.trace("%s %s ends the chat", t.Name, t.ID[:7])
		p.clear(t.Browser)
		guest := t.View().Auth == store.AuthGuest
		t.Do(store.EndChat{})
		if guest {
			p.nothingLeft(t)
		}
	case n < 75:
		t := p.anyTab(all)
		p.trace("%s %s crashes", t.Name, t.ID[:7])
		t.Crash()
		if p.Rand.IntN(3) > 0 || t.Surface == chat.SurfaceInbox {
			t.Browser.Open()
		}
	case n < 81:
		b := all[p.Rand.IntN(len(all))]
		p.trace("%s offline=%v", b.Name, !b.Offline)
		b.SetOffline(!b.Offline)
	case n < 83:
		p.trace("the server restarts")
		p.Server.Restart()
	case n < 84:
		p.disaster()
	case n < 88:
		p.anyTab(all).Return()
	case n < 92:
		ids := p.Server.Rooms()
		if len(ids) > 0 {
			id := ids[p.Rand.IntN(len(ids))]
			u := p.Server.User([]string{"ada", "bo", "mia", "noor"}[p.Rand.IntN(4)])
			_, in := p.Server.Room(id).State.Member(u.ID)
			p.trace("%s in %s: %v", u.Username, id[:6], !in)
			p.Server.SetMember(id, u, !in)
		}
	case n < 93:
		ids := p.Server.Rooms()
		if len(ids) > 0 {
			p.Server.CloseRoom(ids[p.Rand.IntN(len(ids))])
		}
	case n < 95:
		if p.Server.Fail == nil {
			p.Server.Fail = []*chat.Error{
				{Code: chat.CodeUnavailable, Message: "later"},
				{Code: chat.CodeRateLimited, Message: "slower", RetryAfter: 2e9},
				{Code: chat.CodeStorageFull, Message: "full"},
			}[p.Rand.IntN(3)]
		} else {
			p.Server.Fail = nil
		}
	case n < 97:
		u := p.Server.User([]string{"ada", "bo"}[p.Rand.IntN(2)])
		p.trace("sessions of %s expire", u.Username)
		p.Server.ExpireSessions(u.ID)
	default:
		t := p.anyTab(p.widgets)
		if v := t.View(); v.Room != nil && len(v.Room.Pending) > 0 {
			if it := v.Room.Pending[0]; it.State == store.Failed && it.Error.Code != chat.CodeConflict && it.Error.Code != chat.CodeSessionExpired {
				// Of those two nobody can say whether they are stored out of reach.
				p.trace("%s %s retries %s (%v)", t.Name, t.ID[:7], it.Text, it.Error)
				p.retried[it.Text] = true
				t.Do(store.Retry{ClientID: it.ClientID})
			}
		}
	}
}

// disaster is what befalls a server once in a while.
func (p *play) disaster() {
	switch p.Rand.IntN(4) {
	case 0:
		p.trace("the server is put back to a backup")
		p.Server.Restore(func(chat.RoomID) int { return p.Rand.IntN(4) })
	case 1:
		for _, id := range p.Server.Rooms() {
			p.trace("the server can't fill a gap in %s", id[:6])
			p.Server.Resync(id)
		}
	default:
		p.trace("the server is killed")
		p.Server.Kill()
	}
}

// write sends a message that no other has the text of.
func (p *play) write(t *Tab) {
	text := fmt.Sprintf("m%04d-%s", len(p.ledger), t.ID[:7])
	v := t.View()
	if t.Surface == chat.SurfaceInbox && len(v.Rooms) == 0 {
		return
	}
	in := store.SendMessage{Text: text}
	switch {
	case v.CurrentRoom != "" && v.Room != nil && v.Room.Error == nil:
		in.Room = v.CurrentRoom
	case len(v.Rooms) > 0 && p.Rand.IntN(2) == 0 || t.Surface == chat.SurfaceInbox:
		in.Room = v.Rooms[p.Rand.IntN(len(v.Rooms))].ID
	default:
		in.Vendor = []string{"maple-pottery", "northern-tea"}[p.Rand.IntN(2)]
		if p.Rand.IntN(2) == 0 {
			t.Do(store.StartChat{Vendor: in.Vendor})
		}
	}
	p.trace("%s %s (%s) writes %s to %s%s", t.Name, t.ID[:7], v.Auth, text, in.Room[:min(6, len(in.Room))], in.Vendor)
	m := &written{text: text, by: v.Principal.Identity(), browser: t.Browser, tab: t, number: len(p.ledger)}
	m.foreign = t.Surface == chat.SurfaceWidget && in.Room != "" && !slices.ContainsFunc(v.Rooms, func(s chat.Summary) bool {
		return s.ID == in.Room && s.Customer().ID() == m.by
	})
	if at, ok := p.cleared[t.Browser]; ok && (v.Principal.Kind != "" || v.Auth == store.AuthExpired) {
		// This tab has not heard yet that its principal left, or hides what is about to go.
		m.cleared = at >= p.changed[t] || v.Principal.Kind != chat.KindGuest && p.Now()-at < 60_000
	}
	for _, o := range t.Tabs {
		// What a user writes while another is logging in belongs to the former; so
		// does what is written while two log-ins race in two tabs.
		if o.View().Auth == store.AuthLoggingIn && (o != t || v.Principal.Kind == chat.KindUser) {
			m.cleared = true
		}
	}
	p.ledger = append(p.ledger, m)
	t.Do(in)
	if t.Gone && !slices.ContainsFunc(slices.Collect(maps.Values(t.Values)), func(v string) bool { return strings.Contains(v, text) }) {
		m.cleared = true // the page died before it had taken the message
	}
}

// clear notes that what was written in a browser so far may go.
func (p *play) clear(b *Browser) {
	p.cleared[b] = p.Now()
	for _, m := range p.ledger {
		if m.browser == b {
			m.cleared = true
		}
	}
}

// heal ends all faults and lets the world come to rest.
func (p *play) heal() {
	p.trace("heal")
	p.Heal()
	p.Server.Fail = nil
	for _, b := range append(append([]*Browser(nil), p.widgets...), p.inboxes...) {
		if b.Offline {
			b.SetOffline(false)
		}
		if len(b.Tabs) == 0 {
			b.Open()
		}
		for _, t := range append([]*Tab(nil), b.Tabs...) {
			t.Return()
		}
	}
	p.World.Run(240_000)
	// A host asserts its user again where a session ended by itself.
	for _, b := range p.widgets {
		for _, t := range append([]*Tab(nil), b.Tabs...) {
			if t.View().Auth == store.AuthExpired {
				continue // nobody has to come back
			}
			for _, r := range t.View().Rooms {
				t.Do(store.JoinRoom{Room: r.ID})
				p.World.Run(200)
			}
		}
	}
	p.World.Run(60_000)
}
