//go:build !js

package model

import (
	"fmt"
	"slices"
	"time"

	"anteroom/store/chat"
)

// The model: what design §3 and PROTOCOL.md say there is. It holds ids as
// opaque strings and decides by its own rules.
type model struct {
	now     int64 // Unix milliseconds, of the server's clock
	step    int
	users   []*user
	vendors []*vendor
	logins  []*login
	guests  []*guest
	rooms   []*room
	secrets []string // every credential that was ever given out, in order
	handles []string // every revoke handle
	canary  map[string]*canary
	sent    map[string]*post // identity and client message id → what it was used for
	made    map[string]*room // identity and client id → the room it made
}

func newModel() *model {
	return &model{now: epoch.UnixMilli(), canary: map[string]*canary{}, sent: map[string]*post{}, made: map[string]*room{}}
}

type user struct {
	id                       chat.UserID
	username, password, name string
	admin, active            bool
}

type vendor struct {
	slug, name string
	id         chat.VendorID
	staff      map[*user]bool
	blocked    map[*guest]bool
}

// login is an account session.
type login struct {
	id                            chat.AccountSessionID
	token, handle                 string
	user                          *user
	surface                       chat.Surface
	over                          bool  // ended, however
	created, absolute, idle, seen int64 // Unix milliseconds; idle is a duration
}

// guest is a guest session.
type guest struct {
	id                   chat.GuestSessionID
	token, handle        string // the current ones; handle is "" after a link
	former               string // the secret before the link
	user                 *user  // whom it is linked to
	by                   *login // the log-in that made the link
	over                 bool
	absolute, idle, seen int64
}

type room struct {
	id      chat.RoomID
	vendor  *vendor // nil between users
	guest   *guest
	creator string // identity
	cid     string
	members map[*user]bool
	known   map[*user]bool // whose names were ever shown in it
	closed  bool
	log     []entry
	marks   map[string]int64
	born    int // step
	active  int64
}

// entry is an event.
type entry struct {
	kind   chat.EventKind
	author string
	cmid   string
	text   string
	member *user
	born   int
}

type post struct {
	room *room
	text string
	seq  int64
}

// canary is a mark in a secret text.
type canary struct {
	room *room // nil for a user's name
	user *user
	born int
}

// principal is who a credential or a socket stands for: a login, or a guest
// session with whom it was linked to at that time.
type principal struct {
	login *login
	guest *guest
	as    *user // the user a guest session was linked to when the principal was made
}

func (p principal) nobody() bool { return p.login == nil && p.guest == nil }

func (p principal) String() string {
	switch {
	case p.login != nil:
		return fmt.Sprintf("%s(%s, %.6s)", p.login.user.username, p.login.surface, p.login.id)
	case p.guest != nil && p.as != nil:
		return fmt.Sprintf("guest %.6s for %s", p.guest.id, p.as.username)
	case p.guest != nil:
		return fmt.Sprintf("guest %.6s", p.guest.id)
	}
	return "nobody"
}

// user is whose participation counts, nil for a guest that is not linked.
func (p principal) user() *user {
	if p.login != nil {
		return p.login.user
	}
	return p.as
}

// identity is the name under which it sends and reads.
func (p principal) identity() string {
	if u := p.user(); u != nil {
		return string(u.id)
	}
	if p.guest != nil {
		return string(p.guest.id)
	}
	return ""
}

func (m *model) liveLogin(l *login) bool {
	return !l.over && l.user.active && m.now < min(l.absolute, l.seen+l.idle)
}

// live tells whether the principal may do anything at all.
func (m *model) live(p principal) bool {
	switch {
	case p.login != nil:
		return m.liveLogin(p.login)
	case p.guest != nil:
		g := p.guest
		return !g.over && m.now < min(g.absolute, g.seen+g.idle) && g.user == p.as &&
			(g.user == nil || g.user.active && m.liveLogin(g.by))
	}
	return false
}

// resolve finds whom a credential stands for; false if it is not good (any more).
func (m *model) resolve(token string) (principal, bool) {
	for _, l := range m.logins {
		if l.token == token {
			p := principal{login: l}
			return p, m.live(p)
		}
	}
	for _, g := range m.guests {
		if g.token == token {
			p := principal{guest: g, as: g.user}
			return p, m.live(p)
		}
	}
	return principal{}, false
}

// allow is design §3.
func (m *model) allow(p principal, r *room) bool {
	if r == nil || !m.live(p) {
		return false
	}
	switch {
	case p.login != nil:
		return p.login.user.admin || r.members[p.login.user]
	case p.as != nil:
		return r.members[p.as]
	}
	return r.guest == p.guest
}

func (m *model) isAdmin(p principal) bool { return p.login != nil && p.login.user.admin }

// reach gives the rooms a principal may reach, oldest first.
func (m *model) reach(p principal) (out []*room) {
	for _, r := range m.rooms {
		if m.allow(p, r) {
			out = append(out, r)
		}
	}
	return out
}

func (m *model) room(id chat.RoomID) *room {
	i := slices.IndexFunc(m.rooms, func(r *room) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	return m.rooms[i]
}

func (m *model) userOf(id chat.UserID) *user {
	i := slices.IndexFunc(m.users, func(u *user) bool { return u.id == id })
	if i < 0 {
		return nil
	}
	return m.users[i]
}

// use restarts the idle time of a session.
func (m *model) use(p principal) {
	if !m.live(p) {
		return
	}
	if p.login != nil {
		p.login.seen = m.now
	} else {
		p.guest.seen = m.now
	}
}

// end ends a login and the guest sessions it linked.
func (m *model) end(l *login) {
	l.over = true
	for _, g := range m.guests {
		if g.by == l {
			g.over = true
		}
	}
}

// endAll ends all sessions of a user but one.
func (m *model) endAll(u *user, but *login) {
	for _, l := range m.logins {
		if l.user == u && l != but {
			m.end(l)
		}
	}
}

// record appends an event to a room.
func (m *model) record(r *room, e entry) {
	e.born = m.step
	r.log = append(r.log, e)
	if u := m.userOf(chat.UserID(e.author)); u != nil {
		r.known[u] = true
	}
	if e.member != nil {
		r.known[e.member] = true
	}
	if e.kind == chat.MessagePosted {
		r.active = m.now
	}
}

func (r *room) join(u *user) { r.members[u], r.known[u] = true, true }

// unread counts the messages after somebody's mark.
func (r *room) unread(identity string) (n int) {
	for _, e := range r.log[r.marks[identity]:] {
		if e.kind == chat.MessagePosted {
			n++
		}
	}
	return n
}

func (r *room) mark(identity string, seq int64) {
	r.marks[identity] = max(r.marks[identity], min(seq, int64(len(r.log))))
}

// own tells whether the room is the identity's own with its vendor.
func (r *room) own(identity string) bool {
	return r.creator == identity || r.guest != nil && r.guest.user != nil && string(r.guest.user.id) == identity ||
		r.guest != nil && string(r.guest.id) == identity
}

// openWith gives the room that a creation finds, nil where there is none.
func (m *model) openWith(identity string, v *vendor) *room {
	u := m.userOf(chat.UserID(identity))
	var best *room
	for _, r := range m.rooms {
		switch {
		case r.vendor != v || r.closed || !r.own(identity) || u != nil && !r.members[u]:
		case best == nil, r.active > best.active, r.active == best.active && r.id < best.id:
			best = r
		}
	}
	return best
}

// link ties a guest session to a user.
func (m *model) link(g *guest, l *login) {
	from, to := string(g.id), string(l.user.id)
	g.user, g.by, g.former, g.handle, g.seen = l.user, l, g.token, "", m.now
	for _, r := range m.rooms {
		if r.guest == g {
			r.join(l.user)
			m.record(r, entry{kind: chat.GuestLinked, author: to, member: l.user})
		}
		if _, taken := m.made[to+" "+r.cid]; r.creator == from && !taken {
			r.creator = to
		}
		r.marks[to] = max(r.marks[to], r.marks[from])
		delete(r.marks, from)
	}
	move(m.sent, from, to)
	move(m.made, from, to)
}

// move gives what one identity used to another; the latter's own use stays.
func move[T any](of map[string]T, from, to string) {
	for key, v := range of {
		id, ok := cutPrefix(key, from+" ")
		if !ok {
			continue
		}
		delete(of, key)
		if _, taken := of[to+" "+id]; !taken {
			of[to+" "+id] = v
		}
	}
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// The server's lifetimes, short enough for a trace to see them end.
const (
	guestIdle, guestAbsolute = 4 * time.Hour, 12 * time.Hour
	userIdle, userAbsolute   = 3 * time.Hour, 8 * time.Hour
	adminIdle, adminAbsolute = 2 * time.Hour, 6 * time.Hour
)

func lifetimes(u *user) (idle, absolute int64) {
	if u.admin {
		return adminIdle.Milliseconds(), adminAbsolute.Milliseconds()
	}
	return userIdle.Milliseconds(), userAbsolute.Milliseconds()
}
