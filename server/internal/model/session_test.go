//go:build !js

package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func (w *world) cmdGuest() {
	if len(w.m.guests) >= maxGuests {
		return
	}
	var g struct {
		ID         chat.GuestSessionID `json:"id"`
		Credential string              `json:"credential"`
		Revoke     string              `json:"revoke"`
	}
	w.s.decode(w.s.call("POST", "/api/guest-sessions", "", nil), &g)
	w.m.guests = append(w.m.guests, &guest{
		id: g.ID, token: g.Credential, handle: g.Revoke, seen: w.m.now,
		absolute: w.m.now + guestAbsolute.Milliseconds(), idle: guestIdle.Milliseconds(),
	})
	w.m.secrets = append(w.m.secrets, g.Credential)
	w.m.handles = append(w.m.handles, g.Revoke)
}

func (w *world) cmdLogin() {
	surface := chat.SurfaceWidget
	if w.chance(30) {
		surface = chat.SurfaceInbox
	}
	w.login(one(w, w.m.users), surface, w.chance(15))
}

func (w *world) login(u *user, surface chat.Surface, wrong bool) {
	w.Helper()
	if len(w.m.logins) >= maxLogins {
		return
	}
	password := u.password
	if wrong {
		password += "x"
		w.tally.hostile++
	}
	a := action{name: "log-in of " + u.username, method: "POST", path: "/api/login", body: map[string]any{"username": u.username, "password": password, "surface": surface}}
	got := w.s.call(a.method, a.path, "", a.body)
	w.Logf("%d: %s → %s", w.m.step, a.name, or(string(got.code), "ok"))
	if wrong || !u.active {
		if got.code != chat.CodeUnauthenticated {
			w.Fatalf("%s: got %q, want unauthenticated", a.name, got.code)
		}
		return
	}
	var s struct {
		ID         chat.AccountSessionID `json:"id"`
		Credential string                `json:"credential"`
		Revoke     string                `json:"revoke"`
	}
	w.s.decode(got, &s)
	idle, absolute := lifetimes(u)
	w.m.logins = append(w.m.logins, &login{
		id: s.ID, token: s.Credential, handle: s.Revoke, user: u, surface: surface,
		created: w.m.now, absolute: w.m.now + absolute, idle: idle, seen: w.m.now,
	})
	w.m.secrets = append(w.m.secrets, s.Credential)
	w.m.handles = append(w.m.handles, s.Revoke)
}

// cmdLink links a guest session to a log-in: I7, I9.
func (w *world) cmdLink() {
	by := w.somebody()
	if users := slices.DeleteFunc(w.live(), func(c caller) bool { return c.p.login == nil }); len(users) > 0 && w.chance(75) {
		by = one(w, users)
	}
	by.socket = nil
	if len(w.m.guests) == 0 {
		return
	}
	g := one(w, w.m.guests)
	value := g.token
	if again := slices.DeleteFunc(slices.Clone(w.m.guests), func(g *guest) bool {
		return g.user == nil || !w.m.live(principal{guest: g, as: g.user})
	}); len(again) > 0 && w.chance(40) { // the answer was lost: the same user links again
		g = one(w, again)
		by, value = caller{token: g.by.token, p: principal{login: g.by}}, g.former
	}
	switch {
	case w.chance(15) && g.former != "":
		value = g.former
	case w.chance(15): // by what is public
		value = "gs_" + string(g.id[2:]) + "_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		w.tally.hostile++
	case w.chance(5):
		value = string(g.id)
	}
	a := action{name: fmt.Sprintf("link of guest %.6s", g.id), method: "POST", path: "/api/link", body: map[string]any{"guest": value}}
	before := principal{guest: g, as: g.user}
	want, status := chat.CodeAccessDenied, ""
	switch l := by.p.login; {
	case by.token == "" || !w.m.live(by.p) || l == nil:
		want = bad // a guest's credential is no log-in
	case l.surface != chat.SurfaceWidget || !w.m.live(before) || value != g.token && value != g.former:
	case g.user == nil && value == g.token:
		want, status = "", "linked"
	case g.user == l.user:
		want, status = "", "already_linked"
	}
	got := w.s.call(a.method, a.path, by.token, a.body)
	w.Logf("%d: %v: %s → %s", w.m.step, by, a.name, or(string(got.code), "ok"))
	w.tally.outcome(or(status, "link"), got.code)
	if status == "linked" {
		w.m.link(g, by.p.login)
	}
	w.judge("the answer to "+a.name, by.p, nil, got.body)
	if class(got.code) != want {
		w.Fatalf("%s of %v: got %q, want %q %s", a.name, by, got.code, want, status)
	}
	if want != "" {
		return
	}
	var out struct {
		Status     string `json:"status"`
		Credential string `json:"credential"`
	}
	w.s.decode(got, &out)
	if out.Status != status || (out.Credential != "") != (status == "linked") || out.Credential == g.former && status == "linked" {
		w.Fatalf("%s of %v: %s, want %s", a.name, by, got.body, status)
	}
	if status == "linked" {
		g.token = out.Credential
		w.m.secrets = append(w.m.secrets, g.token)
	}
	w.s.call("GET", "/api/me", by.token, nil) // so that the session was certainly used
	w.m.use(by.p)
}

// cmdLogout ends a session, by its credential, its handle, its list or all at once.
func (w *world) cmdLogout() {
	live := slices.DeleteFunc(w.live(), func(c caller) bool { return c.p.login == nil })
	if len(live) < 3 && w.chance(70) || len(live) == 0 {
		return
	}
	by := one(w, live)
	l := by.p.login
	switch w.pick(5) {
	case 0, 1:
		w.m.end(l)
		w.answered("log-out of "+by.p.String(), w.s.call("POST", "/api/logout", by.token, nil), "")
	case 2:
		w.m.end(l)
		w.answered("revocation of "+by.p.String(), w.s.call("POST", "/api/revoke", "", map[string]any{"handle": l.handle}), "")
	case 3:
		other := one(w, w.m.logins)
		want := chat.CodeNotFound // somebody else's, and one that is over
		if other.user == l.user && w.m.liveLogin(other) {
			want = ""
			w.m.use(by.p)
			w.m.end(other)
		}
		w.answered("end of a session by "+by.p.String(), w.s.call("DELETE", path("/api/sessions/%s", other.id), by.token, nil), want)
		w.m.use(by.p)
	case 4:
		w.m.endAll(l.user, nil)
		w.answered("log-out everywhere of "+by.p.String(), w.s.call("POST", "/api/logout-everywhere", by.token, nil), "")
	}
}

// answered compares the code of an answer with what it should be.
func (w *world) answered(what string, got answer, want chat.Code) {
	w.Helper()
	w.Logf("%d: %s → %s", w.m.step, what, or(string(got.code), "ok"))
	w.tally.outcome(what, got.code)
	if class(got.code) != class(want) {
		w.Fatalf("%s: got %q, want %q", what, got.code, want)
	}
}

// cmdEndGuest is "End chat and forget me", by credential or handle.
func (w *world) cmdEndGuest() {
	if len(w.m.guests) == 0 {
		return
	}
	g := one(w, w.m.guests)
	if w.chance(50) && g.handle != "" {
		g.over = true
		w.answered(fmt.Sprintf("revocation of guest %.6s", g.id), w.s.call("POST", "/api/revoke", "", map[string]any{"handle": g.handle}), "")
		return
	}
	g.over = true
	w.answered(fmt.Sprintf("end of guest %.6s", g.id), w.s.call("DELETE", "/api/guest-session", g.token, nil), "")
}

// cmdPassword changes a password, by the user or the operator.
func (w *world) cmdPassword() {
	live := slices.DeleteFunc(w.live(), func(c caller) bool { return c.p.login == nil })
	if len(live) == 0 {
		return
	}
	by := one(w, live)
	u := by.p.login.user
	next := fmt.Sprintf("a new password %d", w.m.step)
	w.m.use(by.p)
	if w.chance(50) {
		w.m.endAll(u, by.p.login)
		w.answered("password of "+u.username, w.s.call("POST", "/api/password", by.token, map[string]any{"old": u.password, "new": next}), "")
	} else {
		w.m.endAll(u, nil)
		w.Logf("%d: operator: password of %s", w.m.step, u.username)
		w.s.must(w.s.auth.SetPassword(context.Background(), u.id, next))
	}
	u.password = next
}

// cmdRole promotes or demotes: I11.
func (w *world) cmdRole() {
	u := one(w, w.m.users)
	if !u.admin && w.chance(40) { // more demotions than promotions
		return
	}
	u.admin = !u.admin
	role := chat.RoleUser
	if u.admin {
		role = chat.RoleAdmin
		idle, absolute := lifetimes(u)
		for _, l := range w.m.logins {
			if l.user == u && !l.over {
				l.idle, l.absolute = min(l.idle, idle), min(l.absolute, l.created+absolute)
			}
		}
	}
	w.Logf("%d: operator: %s is %s", w.m.step, u.username, role)
	w.s.must(w.s.auth.SetRole(context.Background(), u.id, role))
}

func (w *world) cmdActive() {
	u := one(w, w.m.users)
	if u.active && w.chance(40) {
		return
	}
	u.active = !u.active
	if !u.active {
		w.m.endAll(u, nil)
	}
	w.Logf("%d: operator: %s is active: %t", w.m.step, u.username, u.active)
	w.s.must(w.s.auth.SetActive(context.Background(), u.id, u.active))
}

// cmdStaff makes a user staff of a vendor, or ends that.
func (w *world) cmdStaff() {
	u, v := one(w, w.m.users), one(w, w.m.vendors)
	is := !v.staff[u]
	v.staff[u] = is
	for _, r := range w.m.rooms {
		switch own := r.own(string(u.id)); {
		case r.vendor != v:
		case is || own && r.members[u]:
			r.join(u)
			w.m.record(r, entry{kind: chat.ParticipantAdded, member: u})
		case !own && r.members[u]:
			r.members[u] = false
			w.m.record(r, entry{kind: chat.ParticipantRemoved, member: u})
		}
	}
	w.Logf("%d: operator: %s is staff of %s: %t", w.m.step, u.username, v.slug, is)
	w.s.must(w.s.rooms.SetVendorMember(context.Background(), v.id, u.id, is))
}

// cmdClock lets time pass: sessions expire, some unnoticed until somebody looks.
func (w *world) cmdClock() {
	d := one(w, []time.Duration{10 * time.Minute, 50 * time.Minute, 130 * time.Minute})
	w.Logf("%d: %v pass", w.m.step, d)
	w.s.skip(d)
	w.m.now += d.Milliseconds()
	if w.chance(50) {
		w.s.rooms.Sweep(context.Background())
		for _, c := range slices.Clone(w.sockets) {
			if w.m.live(c.p) {
				continue
			}
			for c.next() != nil { // it must end
			}
			w.drop(c)
		}
	}
	if w.chance(30) {
		w.s.must(w.s.auth.Sweep(context.Background()))
	}
}

func (w *world) cmdRestart() {
	w.Logf("%d: the server restarts", w.m.step)
	w.s.stop()
	for _, c := range w.sockets {
		for line := c.next(); line != nil; line = c.next() {
			c.got = append(c.got, line)
		}
		w.frames(c)
		c.close()
	}
	w.sockets = nil
	w.s.start()
}

// cmdConnect opens a socket: with a good credential, a bad one, the wrong
// surface or somebody else's guest session in the URL.
func (w *world) cmdConnect() {
	by := w.somebody()
	by.socket = nil
	if len(w.sockets) >= maxSockets {
		w.drop(w.sockets[w.pick(len(w.sockets))])
	}
	surface, claim, want := chat.SurfaceWidget, chat.GuestSessionID(""), chat.Code("")
	if by.p.login != nil {
		surface = by.p.login.surface
	}
	if by.p.guest != nil && w.chance(50) {
		claim = by.p.guest.id
	}
	switch {
	case !w.m.live(by.p):
		want = bad
	case w.chance(8):
		surface = map[chat.Surface]chat.Surface{chat.SurfaceWidget: chat.SurfaceInbox, chat.SurfaceInbox: chat.SurfaceWidget}[surface]
		want = chat.CodeInvalid
	}
	if len(w.m.guests) > 0 && w.chance(8) {
		if g := one(w, w.m.guests); g != by.p.guest {
			claim = g.id
			want = chat.CodeInvalid
		}
	}
	c, got := w.s.dial(by.token, surface, claim)
	c.p, c.name = by.p, fmt.Sprintf("socket %d", w.m.step)
	w.Logf("%d: %v: connect → %s", w.m.step, by, or(string(got.code), c.name))
	w.tally.outcome("connect", got.code)
	w.judge("the welcome of "+c.name, by.p, nil, got.body)
	if g := class(got.code); g != want && !(want == chat.CodeInvalid && g == bad) {
		w.Fatalf("connect of %v: got %q, want %q: %s", by, got.code, want, got.body)
	}
	if want != "" {
		w.tally.hostile++
		for line := c.next(); line != nil; line = c.next() {
			c.got = append(c.got, line)
		}
		w.frames(c)
		c.close()
		return
	}
	w.m.use(c.p)
	for _, r := range w.m.reach(c.p) {
		c.before[r] = true
	}
	w.sockets = append(w.sockets, c)
}

func (w *world) cmdDisconnect() {
	if len(w.sockets) > 0 {
		w.drop(one(w, w.sockets))
	}
}

// cmdJoin joins a room over a socket, with no cursor, one's own or a foreign one.
func (w *world) cmdJoin() {
	if len(w.sockets) == 0 {
		return
	}
	c := one(w, w.sockets)
	by := caller{c.token, c.p, c}
	r := one(w, w.m.rooms)
	if own := w.m.reach(c.p); len(own) > 0 && w.chance(60) {
		r = one(w, own)
	} else {
		w.tally.hostile++
	}
	var cursor *chat.Cursor
	if len(w.cursors) > 0 && w.chance(50) {
		k := one(w, w.cursors)
		k.Seq = int64(1 + w.pick(int(k.Seq)+2))
		cursor = &k
	}
	w.join(by, r, cursor)
}

func joinAction(id chat.RoomID, cursor *chat.Cursor) action {
	return action{
		name: "join of " + string(id[:6]), frame: &protocol.ClientFrame{Join: &protocol.Join{Room: id, Cursor: cursor}},
		missing: func(id chat.RoomID) action { return joinAction(id, cursor) },
	}
}

// join joins a room and compares the state that comes: I2, I14, I21.
func (w *world) join(by caller, r *room, cursor *chat.Cursor) {
	w.Helper()
	c, a := by.socket, joinAction(r.id, cursor)
	w.looked(by, r)
	// A join starts anew: whatever comes of an earlier one came before the answer.
	got := w.do(by, a)
	w.frames(c)
	delete(c.joined, r.id)
	if !w.expect(by, a, got, w.reading(by.p, r)) {
		return
	}
	f := w.s.frame(got.body)
	j := f.Joined
	if j == nil || j.Room != r.id || j.Head != int64(len(r.log)) {
		w.Fatalf("%s of %v: %s", a.name, by, got.body)
	}
	state := &joined{last: j.Head}
	if !j.Reset && len(j.Events) > 0 {
		w.tally.outcome("resume", "")
	}
	events := j.Events
	if j.Reset {
		events = j.Snapshot.Events
		var err error
		if state.held, err = chat.NewTimeline(*j.Snapshot); err != nil {
			w.Fatalf("%s of %v: %v", a.name, by, err)
		}
	} else if cursor == nil || cursor.Seq+int64(len(events)) != j.Head {
		w.Fatalf("%s of %v leaves a hole: %s", a.name, by, got.body)
	}
	for i, e := range events {
		if e.Seq != j.Head-int64(len(events))+int64(i)+1 {
			w.Fatalf("%s of %v leaves a hole: %s", a.name, by, got.body)
		}
		w.sameEvent(r, e)
	}
	c.joined[r.id] = state
	w.cursors = append(w.cursors, chat.Cursor{Epoch: j.Epoch, Seq: j.Head})
}

func (w *world) cmdLeave() {
	if len(w.sockets) == 0 {
		return
	}
	c, r := one(w, w.sockets), one(w, w.m.rooms)
	by := caller{c.token, c.p, c}
	a := action{name: "leave of " + string(r.id[:6]), frame: &protocol.ClientFrame{Leave: &protocol.RoomRef{Room: r.id}}}
	got := w.do(by, a)
	w.frames(c)
	if w.m.live(c.p) {
		w.expect(by, a, got, "")
	}
	delete(c.joined, r.id)
}

// cmdReplay repeats a request that was refused: unless something granted it in
// between, it is refused again (I6, I22).
func (w *world) cmdReplay() {
	if k := w.asked; k != nil && (!w.m.live(k.by.p) || k.r != nil && !w.m.allow(k.by.p, k.r)) {
		w.tally.hostile++
		for range 2 {
			got, want := w.do(k.by, k.a), chat.CodeAccessDenied
			if !w.m.live(k.by.p) {
				want = bad
			}
			w.answered("replay of "+k.a.name, got, want)
		}
		return
	}
	by := w.dead()
	a := one(w, []action{
		{name: "me", method: "GET", path: "/api/me"},
		{name: "vendors", method: "GET", path: "/api/vendors"},
		{name: "mint", method: "POST", path: "/api/guest-sessions"},
		{name: "list", method: "GET", path: "/api/rooms"},
		{name: "sessions", method: "GET", path: "/api/sessions"},
		{name: "link", method: "POST", path: "/api/link", body: map[string]any{"guest": by.token}},
		{name: "password", method: "POST", path: "/api/password", body: map[string]any{"old": "a long password", "new": "a longer password"}},
		{name: "logout-everywhere", method: "POST", path: "/api/logout-everywhere"},
	})
	w.expect(by, a, w.do(by, a), "")
}
