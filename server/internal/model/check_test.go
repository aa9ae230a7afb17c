//go:build !js

package model

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

var (
	marks   = regexp.MustCompile(`zk[0-9a-f]{16}|\b[rugs]_[a-z2-7]{26}\b`)
	secrets = regexp.MustCompile(`\b(as|rv)_[0-9A-Za-z_-]{43}|\bgs_[a-z2-7]{26}_[0-9A-Za-z_-]{43}`)
	encoded = regexp.MustCompile(`[0-9A-Za-z+/_-]{24,}`)
)

// marksIn finds canaries and ids in bytes, also in base64.
func marksIn(b []byte) (out []string) {
	for _, m := range marks.FindAll(b, -1) {
		out = append(out, string(m))
	}
	for _, run := range encoded.FindAll(b, -1) {
		if marks.Match(run) {
			continue // an id as it is
		}
		for _, e := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
			if raw, err := e.DecodeString(string(run[:len(run)/4*4])); err == nil {
				for _, m := range marks.FindAll(raw, -1) {
					out = append(out, string(m))
				}
			}
		}
	}
	return out
}

// judge is I1, I6, I10, I14 and I17: every canary and id in bytes that somebody
// got must be within their reach now, or within before: what they could reach
// when the command under way began. What the command itself made counts by now.
func (w *world) judge(what string, p principal, before map[*room]bool, b []byte) {
	w.Helper()
	for _, mark := range marksIn(b) {
		if !w.mayKnow(p, before, mark) {
			w.Fatalf("%s holds %s, which %v must not know:\n%s", what, w.describe(mark), p, b)
		}
	}
}

func (w *world) describe(mark string) string {
	if c := w.m.canary[mark]; c != nil {
		switch {
		case c.user != nil:
			return fmt.Sprintf("%s (the name of %s)", mark, c.user.username)
		case c.room != nil:
			return fmt.Sprintf("%s (of room %.6s, step %d)", mark, c.room.id, c.born)
		}
	}
	return mark
}

func (w *world) mayKnow(p principal, before map[*room]bool, mark string) bool {
	m := w.m
	admin := m.isAdmin(p) && m.live(p)
	some := func(f func(*room) bool) bool {
		return slices.ContainsFunc(m.rooms, func(r *room) bool { return f(r) && (before[r] || m.allow(p, r)) })
	}
	knows := func(u *user) bool {
		return u == p.user() || admin || some(func(r *room) bool { return r.known[u] })
	}
	if c := m.canary[mark]; c != nil {
		switch {
		case c.user != nil:
			return knows(c.user)
		case c.room == nil:
			return false
		}
		return m.allow(p, c.room) || before[c.room] && c.born < m.step
	}
	switch mark[0] {
	case 'r':
		r := m.room(chat.RoomID(mark))
		if r == nil { // one that was made up; admins find it in the audit table
			return m.isAdmin(p) && m.live(p)
		}
		return m.allow(p, r) || before[r] && r.born < m.step
	case 'u':
		u := m.userOf(chat.UserID(mark))
		return u != nil && knows(u)
	case 'g':
		return admin || p.guest != nil && string(p.guest.id) == mark ||
			some(func(r *room) bool { return r.guest != nil && string(r.guest.id) == mark }) ||
			slices.ContainsFunc(m.guests, func(g *guest) bool { return string(g.id) == mark && g.user != nil && g.user == p.user() })
	case 's':
		return admin || p.login != nil && slices.ContainsFunc(m.logins, func(l *login) bool { return string(l.id) == mark && l.user == p.login.user })
	}
	return false
}

// check is what must hold after every command.
func (w *world) check() {
	w.Helper()
	w.peers()
	w.fence()
	w.logs()
	for range 2 {
		if live := w.live(); len(live) > 0 {
			w.lists(w.over(one(w, live)))
		}
	}
	if w.chance(40) {
		w.content(one(w, w.m.rooms))
	}
	for _, c := range w.sockets {
		clear(c.before)
		c.admin = w.m.isAdmin(c.p)
		for _, r := range w.m.reach(c.p) {
			c.before[r] = true
		}
	}
	w.m.step++
	clear(w.typed)
}

// peers is the first half of the fence: where somebody's right to a room went,
// somebody who still has one says a canary there.
func (w *world) peers() {
	w.Helper()
	for _, r := range w.m.rooms {
		lost := slices.ContainsFunc(w.sockets, func(c *socket) bool { return c.before[r] && !w.m.allow(c.p, r) })
		if !lost || r.closed {
			continue
		}
		for _, by := range w.live() {
			if w.m.allow(by.p, r) {
				w.send(by, r, r.id, w.newCanary(r, nil), fmt.Sprintf("p%d-%.8s", w.m.step, r.id[2:]))
				break
			}
		}
	}
}

// fence is the second half: every socket does an echo round trip, and all that
// came up to the echo is judged under the rights after the command.
func (w *world) fence() {
	w.Helper()
	type echo struct {
		c    *socket
		id   int64
		ping bool
	}
	var echoes []echo
	for _, c := range w.sockets {
		f, ping := protocol.ClientFrame{Ping: &protocol.Empty{}}, true
		// A ping asks storage; a leave of a room nobody is in does not, so that it
		// heals nothing.
		if w.chance(70) {
			f, ping = protocol.ClientFrame{Leave: &protocol.RoomRef{Room: chat.RoomID(chat.EncodeID("r_", [16]byte{1}))}}, false
		}
		id, _ := c.post(f)
		if !ping {
			w.m.use(c.p)
		}
		echoes = append(echoes, echo{c, id, ping})
	}
	for _, e := range echoes {
		c := e.c
		f, line, ok := c.until(e.id)
		w.frames(c)
		switch {
		case !ok && w.m.live(c.p) && !w.mayClose(c):
			w.Fatalf("%s of %v was closed: %v", c.name, c.p, c.end)
		case !ok:
			w.tally.outcome("cut", "")
			w.drop(c)
			continue
		case w.m.killed(c.p):
			w.Fatalf("%s of %v is open after its right was taken away", c.name, c.p)
		case f.Error != nil && w.m.live(c.p):
			w.Fatalf("%s of %v: the echo failed: %s", c.name, c.p, line)
		}
		if f.Error == nil {
			w.judge("the echo on "+c.name, c.p, nil, line)
		}
		w.caughtUp(c)
	}
}

// killed tells whether more than the clock ended the principal.
func (m *model) killed(p principal) bool {
	if p.login != nil {
		return p.login.over || !p.login.user.active
	}
	g := p.guest
	return g.over || g.user != p.as || g.user != nil && (!g.user.active || g.by.over)
}

// mayClose tells whether the server may have closed a socket that is still good:
// that of somebody who was an admin, who starts anew.
func (w *world) mayClose(c *socket) bool {
	return c.admin && !w.m.isAdmin(c.p)
}

// caughtUp is I2: who has joined a room and may read it gets every event. A
// catch-up may come behind the fence; it is waited for, and judged like the rest.
func (w *world) caughtUp(c *socket) {
	w.Helper()
	for id, j := range c.joined {
		r := w.m.room(id)
		if !w.m.live(c.p) {
			continue
		}
		if !w.m.allow(c.p, r) {
			w.Fatalf("%s of %v has room %.6s joined and was not told that it is gone", c.name, c.p, id)
		}
		for c.joined[id] == j && j.last < int64(len(r.log)) {
			line := c.next()
			if line == nil {
				w.Fatalf("%s of %v closed with %d of %d events of room %.6s: %v", c.name, c.p, j.last, len(r.log), id, c.end)
			}
			c.got = append(c.got, line)
			w.frames(c)
		}
	}
}

// frames judges what a socket got unasked.
func (w *world) frames(c *socket) {
	w.Helper()
	for _, line := range c.got {
		w.tally.frames++
		f := w.s.frame(line)
		what := fmt.Sprintf("a frame on %s", c.name)
		switch {
		case f.Gone != nil:
			if r := w.m.room(f.Gone.Room); r == nil || !c.before[r] && r.born < w.m.step || w.m.allow(c.p, r) {
				w.Fatalf("%s of %v is gone, which was not theirs or still is: %s", c.name, c.p, line)
			}
			w.tally.outcome("gone", "")
			delete(c.joined, f.Gone.Room)
			continue
		case f.Bye != nil:
			continue
		case f.Error != nil:
			// Who is no participant any more, and reads on as an admin, joins anew.
			if r := w.m.room(f.Error.Room); f.Error.Code != chat.CodeResyncRequired || r == nil || c.joined[r.id] == nil || !w.m.isAdmin(c.p) || r.members[c.p.login.user] {
				w.Fatalf("%s: nobody asked for %s", c.name, line)
			}
			w.tally.outcome("resync-frame", "")
			delete(c.joined, f.Error.Room)
			continue
		}
		w.judge(what, c.p, c.before, line)
		switch {
		case f.Room != nil:
			w.tally.outcome("room-frame", "")
		case f.Typing != nil:
			w.tally.outcome("typing-frame", "")
		case f.Receipt != nil:
			w.tally.outcome("receipt-frame", "")
		case f.Notice != nil:
			w.tally.outcome("notice-frame", "")
		}
		switch {
		case f.Event != nil:
			w.event(c, *f.Event)
		case f.Typing != nil:
			if w.typed[f.Typing.Room] != string(f.Typing.Who) || c.joined[f.Typing.Room] == nil || string(f.Typing.Who) == c.p.identity() {
				w.Fatalf("%s of %v: nobody typed %s", c.name, c.p, line)
			}
		case f.Receipt != nil, f.Notice != nil:
			id := chat.RoomID("")
			if f.Receipt != nil {
				id = f.Receipt.Room
			} else {
				id = f.Notice.Room
			}
			if c.joined[id] == nil {
				w.Fatalf("%s of %v has not joined what it hears of: %s", c.name, c.p, line)
			}
		}
	}
	c.got = nil
}

// event is I2, I12, I14: the next event of a joined room, as it happened.
func (w *world) event(c *socket, f protocol.EventFrame) {
	w.Helper()
	r, j := w.m.room(f.Room), c.joined[f.Room]
	if j == nil {
		w.Fatalf("%s of %v gets events of room %.6s without having joined it", c.name, c.p, f.Room)
	}
	if f.Event.Seq != j.last+1 || f.Event.Seq > int64(len(r.log)) {
		w.Fatalf("%s of %v: event %d of room %.6s after %d; there are %d", c.name, c.p, f.Event.Seq, f.Room, j.last, len(r.log))
	}
	e := r.log[f.Event.Seq-1]
	w.sameEvent(r, f.Event)
	if !w.m.allow(c.p, r) && e.born == w.m.step {
		w.Fatalf("%s of %v got event %d of room %.6s, made after the right to it was taken away", c.name, c.p, f.Event.Seq, f.Room)
	}
	j.last = f.Event.Seq
	var err error
	if j.held.Head > 0 {
		if j.held, err = j.held.Apply(f.Event); err != nil {
			w.Fatalf("%s: %v", c.name, err)
		}
	}
}

// sameEvent compares a stored event with the model's.
func (w *world) sameEvent(r *room, e chat.Event) {
	w.Helper()
	if e.Seq < 1 || e.Seq > int64(len(r.log)) {
		w.Fatalf("room %.6s has event %d of %d", r.id, e.Seq, len(r.log))
	}
	want := r.log[e.Seq-1]
	var member *user
	if e.Member != nil {
		member = w.m.userOf(e.Member.User)
	}
	if e.Kind != want.kind || string(e.Sender) != want.author || string(e.ClientID) != want.cmid || e.Text != want.text || member != want.member {
		w.Fatalf("event %d of room %.6s is\n%+v\nwant\n%+v", e.Seq, r.id, e, want)
	}
}

// logs is I20.
func (w *world) logs() {
	w.Helper()
	b := w.s.log.take()
	for _, mark := range marks.FindAll(b, -1) {
		if mark[0] == 'z' {
			w.Fatalf("the log holds %s", w.describe(string(mark)))
		}
	}
	if s := secrets.Find(b); s != nil {
		w.Fatalf("the log holds the credential %s", s)
	}
}

// lists is I3 and the counts of I1: a list is exactly what the principal may reach.
func (w *world) lists(by caller) {
	w.Helper()
	want := w.m.reach(by.p)
	slices.SortFunc(want, byActivity)
	limit, after := 100, ""
	if w.chance(10) {
		limit = 1 + w.pick(3)
	}
	var rows []chat.Summary
	for {
		got := w.issue(by, action{
			method: "GET", path: fmt.Sprintf("/api/rooms?limit=%d&after=%s", limit, after),
			frame: &protocol.ClientFrame{Rooms: &protocol.RoomsQuery{Limit: limit, After: after}},
		})
		w.judge("the list of "+by.p.String(), by.p, nil, got.body)
		page := w.page(got)
		rows = append(rows, page.Rooms...)
		if after = page.Next; after == "" {
			break
		}
	}
	if len(rows) != len(want) {
		w.Fatalf("the list of %v has %d rooms, want %d", by, len(rows), len(want))
	}
	for i, row := range rows {
		w.summary(by, row, want[i])
	}
}

func byActivity(a, b *room) int {
	switch {
	case a.active > b.active, a.active == b.active && a.id < b.id:
		return -1
	}
	return 1
}

func (w *world) page(got answer) (page protocol.RoomsPage) {
	w.Helper()
	if got.code != "" {
		w.Fatalf("the list was refused: %s", got.body)
	}
	var f struct {
		protocol.RoomsPage
		Rooms json.RawMessage `json:"rooms"`
	}
	if err := json.Unmarshal(got.body, &f); err != nil {
		w.Fatalf("malformed list %s: %v", got.body, err)
	}
	into := any(&page)
	raw := []byte(f.Rooms)
	if len(raw) > 0 && raw[0] == '[' { // HTTP
		page.Next, into = f.Next, &page.Rooms
	}
	if err := json.Unmarshal(raw, into); err != nil {
		w.Fatalf("malformed list %s: %v", got.body, err)
	}
	return page
}

// summary compares a line of a list with the model.
func (w *world) summary(by caller, row chat.Summary, r *room) {
	w.Helper()
	id := by.p.identity()
	if row.ID != r.id {
		w.Fatalf("the list of %v has room %.6s where %.6s should be", by, row.ID, r.id)
	}
	var members []*user
	for _, m := range row.Members {
		members = append(members, w.m.userOf(m.User))
	}
	oversight := by.p.login != nil && !r.members[by.p.login.user]
	if row.Head != int64(len(r.log)) || row.Unread != r.unread(id) || row.ReadSeq != r.marks[id] || row.Closed != r.closed ||
		row.ActiveAt != r.active || row.Oversight != oversight || !sameMembers(members, r) {
		w.Fatalf("%v sees room %.6s as\n%+v\nwant head %d, unread %d, read %d, closed %t, active %d, oversight %t, %d members", by, r.id, row,
			len(r.log), r.unread(id), r.marks[id], r.closed, r.active, oversight, len(r.members))
	}
	if (row.GuestSession != "") != (r.guest != nil) || r.guest != nil && row.GuestSession != r.guest.id {
		w.Fatalf("room %.6s belongs to guest %q", r.id, row.GuestSession)
	}
	if r.guest != nil && r.guest.user != nil && row.LinkedUser != r.guest.user.id || (r.guest == nil || r.guest.user == nil) && row.LinkedUser != "" {
		w.Fatalf("room %.6s is linked to %q", r.id, row.LinkedUser)
	}
}

func sameMembers(have []*user, r *room) bool {
	n := 0
	for _, is := range r.members {
		if is {
			n++
		}
	}
	return n == len(have) && !slices.ContainsFunc(have, func(u *user) bool { return !r.members[u] })
}

// content is I5, I12, I15 and I16: what is stored of a room is what the model
// says, read by somebody who may.
func (w *world) content(r *room) {
	w.Helper()
	for _, by := range w.live() {
		if !w.m.allow(by.p, r) {
			continue
		}
		w.looked(by, r)
		var events []chat.Event
		for {
			var page protocol.HistoryPage
			got := w.issue(by, action{method: "GET", path: path("/api/rooms/%s/messages", r.id) + fmt.Sprintf("?after=%d&limit=100", len(events)), frame: nil})
			if len(events) == 0 {
				got = w.issue(by, action{method: "GET", path: path("/api/rooms/%s/messages", r.id) + "?limit=100"})
			}
			w.judge("the content of a room", by.p, nil, got.body)
			w.s.decode(got, &page)
			if len(events) == 0 && len(page.Events) > 0 && page.Events[0].Seq != 1 {
				w.Fatalf("room %.6s grew too long for this check", r.id)
			}
			events = append(events, page.Events...)
			if len(events) >= len(r.log) || len(page.Events) == 0 {
				break
			}
		}
		if len(events) != len(r.log) {
			w.Fatalf("room %.6s has %d events, want %d", r.id, len(events), len(r.log))
		}
		for i, e := range events {
			if e.Seq != int64(i+1) {
				w.Fatalf("room %.6s: event %d at place %d", r.id, e.Seq, i+1)
			}
			w.sameEvent(r, e)
		}
		var list struct {
			Participants []chat.Member `json:"participants"`
		}
		w.s.decode(w.issue(by, action{method: "GET", path: path("/api/rooms/%s/participants", r.id)}), &list)
		var members []*user
		for _, m := range list.Participants {
			members = append(members, w.m.userOf(m.User))
		}
		if !sameMembers(members, r) {
			w.Fatalf("room %.6s has participants %v", r.id, list.Participants)
		}
		return
	}
}
