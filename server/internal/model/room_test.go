//go:build !js

package model

import (
	"fmt"
	"net/url"
	"slices"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// looked notes that an admin who is no participant opened a room: its
// participants hear of it, by name.
func (w *world) looked(by caller, r *room) {
	if w.m.isAdmin(by.p) && w.m.live(by.p) && r != nil {
		r.known[by.p.login.user] = true
	}
}

func sendAction(id chat.RoomID, cmid, text string) action {
	return action{
		name: "send to " + string(id[:6]), room: id, method: "POST", path: path("/api/rooms/%s/messages", id),
		// What a payload claims about author and room counts for nothing (I12).
		body:    map[string]any{"cmid": cmid, "text": text, "sender": "u_aaaaaaaaaaaaaaaaaaaaaaaaaa", "room": "r_aaaaaaaaaaaaaaaaaaaaaaaaaa", "seq": 1},
		frame:   &protocol.ClientFrame{Send: &protocol.Send{Room: id, ClientID: chat.ClientID(cmid), Text: text}},
		missing: func(id chat.RoomID) action { return sendAction(id, cmid, text) },
	}
}

// send posts a message and compares the outcome (I12, I13).
func (w *world) send(by caller, r *room, id chat.RoomID, text, cmid string) {
	w.Helper()
	key := by.p.identity() + " " + cmid
	before := w.m.sent[key]
	same := before != nil && before.room == r && before.text == text
	want := w.reading(by.p, r)
	switch {
	case want != "" || same:
	case r.closed:
		want = chat.CodeRoomClosed
	case before != nil:
		want = chat.CodeConflict
	}
	w.looked(by, r)
	a := sendAction(id, cmid, text)
	if want == "" && !same { // before the answer: the event may be quicker
		w.m.sent[key] = &post{r, text, int64(len(r.log)) + 1}
		w.m.record(r, entry{kind: chat.MessagePosted, author: by.p.identity(), cmid: cmid, text: text})
		r.mark(by.p.identity(), int64(len(r.log)))
	}
	got := w.do(by, a)
	if !w.expect(by, a, got, want) {
		return
	}
	if ack := w.ack(got); ack.Seq != w.m.sent[key].seq || ack.Room != r.id || string(ack.ClientID) != cmid {
		w.Fatalf("%s of %v: acknowledged as %+v, want seq %d", a.name, by, ack, w.m.sent[key].seq)
	}
}

// ack reads the ack of an answer over either transport.
func (w *world) ack(got answer) protocol.Ack {
	w.Helper()
	var f struct {
		protocol.Ack
		Wrapped *protocol.Ack `json:"ack"`
	}
	w.s.decode(got, &f)
	if f.Wrapped != nil {
		return *f.Wrapped
	}
	return f.Ack
}

func (w *world) cmdSend() {
	by, r, id := w.target()
	w.send(by, r, id, w.newCanary(r, nil)+" hello", fmt.Sprintf("m%d", w.m.step))
}

// cmdResend repeats a client message id: the same request, or another text,
// room or principal.
func (w *world) cmdResend() {
	by, r, id := w.target()
	var ids []string
	for _, x := range w.m.rooms {
		for _, e := range x.log {
			if e.cmid != "" && !slices.Contains(ids, e.cmid) {
				ids = append(ids, e.cmid)
			}
		}
	}
	if len(ids) == 0 {
		return
	}
	cmid := one(w, ids)
	text := w.newCanary(r, nil) + " again"
	if p := w.m.sent[by.p.identity()+" "+cmid]; p != nil && w.chance(60) {
		r, id = p.room, p.room.id
		if w.chance(70) {
			text = p.text
		}
	}
	w.send(by, r, id, text, cmid)
}

func (w *world) cmdHistory() {
	by, r, id := w.target()
	q := protocol.History{Room: id, Limit: 1 + w.pick(20)}
	if w.chance(50) {
		q.Before = 1 + int64(w.pick(20))
	} else if w.chance(50) {
		q.After = 1 + int64(w.pick(20))
	}
	w.looked(by, r)
	a := historyAction(q)
	got := w.do(by, a)
	w.expect(by, a, got, w.reading(by.p, r))
}

func historyAction(q protocol.History) action {
	query := fmt.Sprintf("?limit=%d", q.Limit)
	if q.Before > 0 {
		query += fmt.Sprintf("&before=%d", q.Before)
	}
	if q.After > 0 {
		query += fmt.Sprintf("&after=%d", q.After)
	}
	return action{
		name: "history of " + string(q.Room[:6]), room: q.Room, method: "GET", path: path("/api/rooms/%s/messages", q.Room) + query,
		frame:   &protocol.ClientFrame{History: &q},
		missing: func(id chat.RoomID) action { q := q; q.Room = id; return historyAction(q) },
	}
}

// cmdBoth is I4: HTTP and WebSocket give the same verdict.
func (w *world) cmdBoth() {
	if len(w.sockets) == 0 {
		return
	}
	c, r := one(w, w.sockets), one(w, w.m.rooms)
	if !w.m.allow(c.p, r) {
		w.tally.hostile++
	}
	a := historyAction(protocol.History{Room: r.id, Limit: 5})
	w.looked(caller{p: c.p}, r)
	web, other := w.do(caller{c.token, c.p, nil}, a), w.do(caller{c.token, c.p, c}, a)
	if class(web.code) != class(other.code) && (w.m.live(c.p) || other.code != closing) {
		w.Fatalf("history of %.6s by %v: %q over HTTP, %q over %s", r.id, c.p, web.code, other.code, c.name)
	}
}

func (w *world) cmdTyping() {
	var socketed []*socket
	by, r, id := w.target()
	for _, c := range w.sockets {
		if c.p == by.p {
			socketed = append(socketed, c)
		}
	}
	if len(socketed) == 0 {
		if len(w.sockets) == 0 {
			return
		}
		c := one(w, w.sockets)
		by.p, by.token, by.socket = c.p, c.token, c
	} else {
		by.socket = one(w, socketed)
	}
	active := w.chance(50)
	frame := func(id chat.RoomID) action {
		return action{name: "typing in " + string(id[:6]), frame: &protocol.ClientFrame{Typing: &protocol.Typing{Room: id, Active: active}}}
	}
	a := frame(id)
	a.missing = frame
	want := w.reading(by.p, r)
	if want == "" && r.closed {
		want = chat.CodeRoomClosed
	}
	w.looked(by, r)
	if want == "" {
		w.typed[id] = by.p.identity()
	}
	w.expect(by, a, w.do(by, a), want)
}

func (w *world) cmdRead() {
	by, r, id := w.target()
	seq := int64(w.pick(30))
	build := func(id chat.RoomID) action {
		return action{
			name: "read of " + string(id[:6]), room: id, method: "POST", path: path("/api/rooms/%s/read", id), body: map[string]any{"seq": seq},
			frame: &protocol.ClientFrame{Read: &protocol.Read{Room: id, Seq: seq}},
		}
	}
	a := build(id)
	a.missing = build
	w.looked(by, r)
	if w.expect(by, a, w.do(by, a), w.reading(by.p, r)) {
		r.mark(by.p.identity(), seq)
	}
}

// cmdGet looks at a room, its participants, the explanation or the audit table.
func (w *world) cmdGet() {
	by, r, id := w.target()
	by.socket = nil
	want := w.reading(by.p, r)
	what := one(w, []string{"", "/participants", "/explain?user=" + string(one(w, w.m.users).id), "audit"})
	build := func(id chat.RoomID) action {
		return action{name: "get " + string(id[:6]) + what, room: id, method: "GET", path: path("/api/rooms/%s", id) + what}
	}
	a := build(id)
	a.missing = build
	switch {
	case what == "audit":
		a = action{name: "get the audit table", method: "GET", path: "/api/audit"}
		if want = ""; !w.m.isAdmin(by.p) {
			want = chat.CodeAccessDenied
		}
	case len(what) > 13 && !w.m.isAdmin(by.p):
		want = chat.CodeAccessDenied
	}
	w.looked(by, r)
	w.expect(by, a, w.do(by, a), want)
}

func (w *world) cmdClose() {
	by, r, id := w.target()
	block := w.chance(40)
	build := func(id chat.RoomID) action {
		if block {
			return action{name: "block in " + string(id[:6]), room: id, method: "POST", path: path("/api/rooms/%s/block-guest", id), frame: &protocol.ClientFrame{Block: &protocol.RoomRef{Room: id}}}
		}
		return action{name: "close of " + string(id[:6]), room: id, method: "POST", path: path("/api/rooms/%s/close", id), frame: &protocol.ClientFrame{Close: &protocol.RoomRef{Room: id}}}
	}
	a := build(id)
	a.missing = build
	want := w.reading(by.p, r)
	switch {
	case want != "":
	case by.p.guest != nil:
		want = chat.CodeAccessDenied // guests end nothing, linked or not
	case block && (r.guest == nil || r.guest.user != nil):
		want = chat.CodeConflict
	}
	if want == "" {
		r.known[by.p.user()] = true // as the event's author
		kind := chat.RoomClosed
		if block {
			kind = chat.GuestBlocked
		}
		if !r.closed || block && !r.vendor.blocked[r.guest] {
			r.closed = true
			w.m.record(r, entry{kind: kind, author: by.p.identity()})
		}
		if block {
			r.vendor.blocked[r.guest] = true
		}
	}
	w.expect(by, a, w.do(by, a), want)
}

// cmdParticipant adds or removes a participant.
func (w *world) cmdParticipant() {
	by, r, id := w.target()
	if admins := slices.DeleteFunc(w.live(), func(c caller) bool { return !w.m.isAdmin(c.p) }); len(admins) > 0 && w.chance(50) {
		by = one(w, admins)
		r = one(w, w.m.rooms)
		linked := slices.DeleteFunc(slices.Clone(w.m.rooms), func(r *room) bool { return r.guest == nil || r.guest.user == nil })
		if len(linked) > 0 && w.chance(40) {
			r = one(w, linked)
		}
		id = r.id
	}
	by.socket = nil
	u, add := one(w, w.m.users), w.chance(40)
	if r != nil && r.guest != nil && r.guest.user != nil && w.chance(50) {
		u, add = r.guest.user, false
	}
	method := "DELETE"
	if add {
		method = "PUT"
	}
	build := func(id chat.RoomID) action {
		return action{name: fmt.Sprintf("%s %s as participant of %.6s", method, u.username, id), room: id, method: method, path: path("/api/rooms/%s/participants/%s", id, u.id)}
	}
	a := build(id)
	a.missing = build
	want := w.reading(by.p, r)
	switch {
	case want == "" && !w.m.isAdmin(by.p):
		want = chat.CodeAccessDenied
	case want == "" && add && !u.active:
		want = chat.CodeNotFound
	}
	if want == "" && r.members[u] != add {
		e := entry{kind: chat.ParticipantRemoved, author: by.p.identity(), member: u}
		if add {
			e.kind = chat.ParticipantAdded
		}
		r.members[u] = add
		w.m.record(r, e)
	}
	w.expect(by, a, w.do(by, a), want)
}

// cmdCreate opens a room with a vendor.
func (w *world) cmdCreate() {
	by := w.somebody()
	v, cid := one(w, w.m.vendors), fmt.Sprintf("r%d", w.m.step)
	if len(w.m.rooms) > 0 && w.chance(25) { // one that was used, perhaps by somebody else
		cid = one(w, w.m.rooms).cid
	}
	id := by.p.identity()
	page := "/" + w.newCanary(nil, nil)
	a := action{
		name: "create with " + v.slug, method: "POST", path: "/api/rooms", body: map[string]any{"client_id": cid, "vendor": v.slug, "page": page},
		frame: &protocol.ClientFrame{Create: &protocol.Create{ClientID: chat.ClientID(cid), Vendor: v.slug, Page: page}},
	}
	var want chat.Code
	found := w.m.made[id+" "+cid]
	switch {
	case !w.m.live(by.p):
	case found != nil && !w.m.allow(by.p, found):
		want = chat.CodeAccessDenied
	case found != nil && found.vendor != v:
		want = chat.CodeConflict
	case found != nil:
	default:
		if found = w.m.openWith(id, v); found != nil && !w.m.allow(by.p, found) {
			found = nil
		}
		if found == nil && by.p.guest != nil && v.blocked[by.p.guest] {
			want = chat.CodeAccessDenied
		}
		if found == nil && want == "" && len(w.m.rooms) >= maxRooms {
			return
		}
	}
	w.looked(by, found)
	fresh := want == "" && found == nil && w.m.live(by.p)
	if fresh {
		found = &room{vendor: v, creator: id, cid: cid, members: map[*user]bool{}, known: map[*user]bool{}, marks: map[string]int64{}, born: w.m.step, active: w.m.now}
		for u, is := range v.staff {
			if is {
				found.join(u)
			}
		}
		if u := by.p.user(); u != nil {
			found.join(u)
		} else {
			found.guest = by.p.guest
		}
	}
	w.created(by, a, want, found, fresh, page[1:])
}

// created issues a creation and compares what comes back.
func (w *world) created(by caller, a action, want chat.Code, r *room, fresh bool, mark string) {
	w.Helper()
	got := w.issue(by, a)
	w.Logf("%d: %v: %s → %s", w.m.step, by, a.name, or(string(got.code), "ok"))
	if !w.expect(by, a, got, want) {
		w.judge("a refused creation", by.p, nil, got.body)
		return
	}
	var f struct {
		Room    chat.Summary        `json:"room"`
		Created *protocol.RoomFrame `json:"created"`
	}
	w.s.decode(got, &f)
	sum := f.Room
	if f.Created != nil {
		sum = f.Created.Room
	}
	if fresh {
		if w.m.room(sum.ID) != nil {
			w.Fatalf("%s of %v gave an old room", a.name, by)
		}
		r.id = sum.ID
		w.m.canary[mark].room = r
		w.m.rooms = append(w.m.rooms, r)
		w.m.made[by.p.identity()+" "+r.cid] = r
		w.m.record(r, entry{kind: chat.RoomCreated, author: by.p.identity()})
	}
	w.judge("the answer to "+a.name, by.p, nil, got.body)
	w.summary(by, sum, r)
}

// cmdBetween makes a room between users.
func (w *world) cmdBetween() {
	by := w.somebody()
	by.socket = nil
	if admins := slices.DeleteFunc(w.live(), func(c caller) bool { return !w.m.isAdmin(c.p) }); len(admins) > 0 && w.chance(60) {
		by = one(w, admins)
	} else {
		w.tally.hostile++
	}
	if len(w.m.rooms) >= maxRooms {
		return
	}
	a, b := one(w, w.m.users), one(w, w.m.users)
	if a == b {
		return
	}
	cid, mark := fmt.Sprintf("b%d", w.m.step), w.newCanary(nil, nil)
	act := action{name: "create between users", method: "POST", path: "/api/rooms", body: map[string]any{"client_id": cid, "name": mark, "users": []chat.UserID{a.id, b.id}}}
	var want chat.Code
	switch {
	case !w.m.live(by.p):
	case !w.m.isAdmin(by.p):
		want = chat.CodeAccessDenied
	case !a.active || !b.active:
		want = chat.CodeNotFound
	}
	r := &room{creator: by.p.identity(), cid: cid, members: map[*user]bool{}, known: map[*user]bool{}, marks: map[string]int64{}, born: w.m.step, active: w.m.now}
	r.join(a)
	r.join(b)
	w.created(by, act, want, r, want == "" && w.m.live(by.p), mark)
}

// cmdSearch is I3 for a search: what it finds is a part of the list, and a name
// one may not know finds nothing.
func (w *world) cmdSearch() {
	by := w.somebody()
	var u *user
	term := one(w, w.m.vendors).name
	if w.chance(70) {
		u = one(w, w.m.users)
		term = u.name
	}
	limit, after, n := 100, "", 0
	if w.chance(50) {
		limit = 1 + w.pick(3)
	}
	for {
		a := action{
			name: "search", method: "GET", path: fmt.Sprintf("/api/rooms?limit=%d&after=%s&search=%s", limit, after, url.QueryEscape(term)),
			frame: &protocol.ClientFrame{Rooms: &protocol.RoomsQuery{Limit: limit, Search: term, After: after}},
		}
		got := w.do(by, a)
		if !w.expect(by, a, got, "") {
			return
		}
		page := w.page(got)
		n += len(page.Rooms)
		if after = page.Next; after == "" {
			break
		}
	}
	want := 0
	for _, r := range w.m.reach(by.p) {
		if u != nil && r.members[u] || u == nil && r.vendor != nil && r.vendor.name == term {
			want++
		}
	}
	if n != want {
		w.Fatalf("%v finds %d rooms of %q, want %d", by, n, term, want)
	}
}
