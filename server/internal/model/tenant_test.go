//go:build !js

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// tenant is a vendor with its people: staff, a customer with an account, and a guest.
type tenant struct {
	vendor *vendor
	people []caller
	rooms  []*room
	socket []*socket
	view   bytes.Buffer // everything the observers got, ids by order of appearance
	names  map[string]string
}

// deed is one thing that somebody of a tenant does.
type deed struct{ at, tenant, who, what, room, arg int }

var deeds = rapid.Custom(func(t *rapid.T) deed {
	n := func(max int) int { return uniform.Draw(t, "") % max }
	return deed{0, n(2), n(3), n(8), n(4), n(20)}
})

// TestNonInterference is I18: what one vendor's people see is the same whether
// or not another vendor's people do anything, before, in between or at all.
func TestNonInterference(t *testing.T) {
	checks := max(*traces/10, 1)
	withChecks(checks, func() {
		rapid.Check(t, func(rt *rapid.T) {
			list := rapid.SliceOfN(deeds, 10, 40).Draw(rt, "deeds")
			for i := range list {
				list[i].at = i // in both runs
			}
			both := played(rt, list)
			alone := played(rt, slices.DeleteFunc(slices.Clone(list), func(d deed) bool { return d.tenant == 1 }))
			if both != alone {
				rt.Fatalf("with the other tenant:\n%s\n\nwithout:\n%s", both, alone)
			}
		})
	})
}

// played runs the deeds on a new server and gives what the first tenant saw.
func played(rt *rapid.T, list []deed) string {
	s := newServer(rt, "")
	w := &world{T: rt, s: s, tally: &tally{outcomes: map[string]int{}}, typed: map[chat.RoomID]string{}, m: newModel()}
	defer func() {
		for _, c := range w.sockets {
			c.close()
		}
		s.close()
	}()
	w.people()
	var tenants []*tenant
	for i, v := range w.m.vendors {
		t := &tenant{vendor: v, names: map[string]string{}}
		g := w.m.guests[i]
		for k, u := range []*user{w.m.users[i], w.m.users[i+2]} {
			t.names[string(u.id)] = []string{"staff", "customer"}[k]
		}
		t.names[string(g.id)] = "guest"
		for _, l := range []*login{w.m.logins[i], w.m.logins[i+2]} {
			t.people = append(t.people, caller{token: l.token, p: principal{login: l}})
		}
		t.people = append(t.people, caller{token: g.token, p: principal{guest: g}})
		for _, by := range t.people[1:] {
			w.tick()
			w.first(by, v)
			t.rooms = append(t.rooms, w.m.rooms[len(w.m.rooms)-1])
		}
		tenants = append(tenants, t)
	}
	for _, t := range tenants {
		for _, by := range t.people {
			w.socket(by)
			t.socket = append(t.socket, w.sockets[len(w.sockets)-1])
		}
	}
	start := w.m.now
	for _, d := range list {
		w.m.now = start + int64(d.at+1)*1000
		s.skip(time.UnixMilli(w.m.now).Sub(s.now()))
		w.act(tenants[d.tenant], d)
	}
	return tenants[0].view.String()
}

// tick lets a second pass, so that nothing is ordered by ids alone.
func (w *world) tick() {
	w.s.skip(time.Second)
	w.m.now += 1000
}

// act does one deed and notes what the tenant's people saw of it.
func (w *world) act(t *tenant, d deed) {
	by, r := t.people[d.who], t.rooms[d.room%len(t.rooms)]
	if d.arg%2 == 0 {
		by.socket = t.socket[d.who]
	}
	var a action
	switch d.what {
	case 0, 1, 2:
		// The same client message ids on both sides.
		a = sendAction(r.id, fmt.Sprintf("m%d", d.arg), fmt.Sprintf("text %d", d.arg))
	case 3:
		a = historyAction(protocol.History{Room: r.id, Limit: 1 + d.arg})
	case 4:
		a = action{method: "POST", path: path("/api/rooms/%s/read", r.id), body: map[string]any{"seq": d.arg}, frame: &protocol.ClientFrame{Read: &protocol.Read{Room: r.id, Seq: int64(d.arg)}}}
	case 5:
		a = action{method: "GET", path: "/api/rooms?search=guest", frame: &protocol.ClientFrame{Rooms: &protocol.RoomsQuery{Search: "guest"}}}
	case 6:
		by.socket = t.socket[d.who]
		a = action{frame: &protocol.ClientFrame{Typing: &protocol.Typing{Room: r.id, Active: d.arg < 10}}}
	case 7:
		by.socket = nil
		a = action{method: "POST", path: "/api/rooms", body: map[string]any{"client_id": fmt.Sprintf("c%d", d.arg), "vendor": t.vendor.slug}}
		if d.arg < 3 {
			a = action{method: "POST", path: path("/api/rooms/%s/close", r.id)}
		}
	}
	t.note(w, "answer", w.issue(by, a).body)
	for i, c := range t.socket {
		id, _ := c.post(protocol.ClientFrame{Leave: &protocol.RoomRef{Room: chat.RoomID(chat.EncodeID("r_", [16]byte{1}))}})
		if _, _, ok := c.until(id); !ok {
			w.Fatalf("socket %d of %s closed: %v", i, t.vendor.slug, c.end)
		}
		for _, line := range c.got {
			// Frames of lists come when they come, several changes in one; what
			// lists hold is compared by asking for them.
			if w.s.frame(line).Room == nil {
				t.note(w, fmt.Sprint("frame on ", i), line)
			}
		}
		c.got = nil
	}
}

// varies is what differs between two runs of the same deeds: ids, the epoch,
// numbers of frames, page marks, and labels made from ids.
var varies = regexp.MustCompile(`\b[rugsv]_[a-z2-7]{26}\b|"epoch":"[^"]*"|"re":\d+|Guest [A-Z2-7]{4}|"next":"[^"]*"`)

// note adds bytes to the view. Ids get names by order of appearance, and what is
// ordered by ids is ordered anew.
func (t *tenant) note(w *world, what string, b []byte) {
	b = varies.ReplaceAllFunc(b, func(id []byte) []byte {
		switch id[0] {
		case '"':
			return []byte(`"varies":0`)
		case 'G':
			return []byte("Guest")
		}
		name, ok := t.names[string(id)]
		if !ok {
			name = fmt.Sprintf("<%d>", len(t.names))
			t.names[string(id)] = name
		}
		return []byte(name)
	})
	if len(b) == 0 {
		return
	}
	var v any
	w.s.must(json.Unmarshal(b, &v))
	fmt.Fprintf(&t.view, "%s: %s\n", what, text(w, ordered(w, v)))
}

func ordered(w *world, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, of := range v {
			v[key] = ordered(w, of)
			if list, ok := of.([]any); ok && (key == "members" || key == "receipts") {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(text(w, a), text(w, b)) })
			}
		}
	case []any:
		for i := range v {
			v[i] = ordered(w, v[i])
		}
	}
	return v
}
