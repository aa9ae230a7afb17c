package storetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Server is the model: what the real server promises, in the plainest form.
// It is not safe for concurrent use.
type Server struct {
	Now     int64 // Unix milliseconds; moved by whoever drives it
	Epoch   string
	Vendors []*Vendor
	Fail    *chat.Error // what every request is answered while set
	// Fails tells whether storage fails at the next write: before it happened, or after. May be nil.
	Fails func() (before, after bool)
	// Undone holds the texts that a restored backup did not have.
	Undone map[string]bool

	serial   uint64
	users    map[chat.UserID]*User
	sessions map[string]*session // by credential
	guests   map[string]*guest   // by every credential it ever had
	rooms    map[chat.RoomID]*Room
	sent     map[sentKey]sent
	created  map[sentKey]chat.RoomID
	conns    []*Conn
	lives    map[string]map[chat.RoomID][]chat.Event // the logs of former epochs
}

// Vendor is a shop and its staff.
type Vendor struct {
	chat.Vendor
	Members []chat.UserID
}

// User is a built-in account. A token of theirs is "token:" and the username.
type User struct {
	ID                 chat.UserID
	Username, Password string
	Name               string
	Role               chat.Role
	Active             bool
}

type session struct {
	id                 chat.AccountSessionID
	user               *User
	credential, revoke string
	surface            chat.Surface
	expires            int64
	host, dead         bool
}

type guest struct {
	id                 chat.GuestSessionID
	credential, revoke string
	linked             *session // the log-in that made the link
	dead               bool
}

// Room is a room as the server holds it.
type Room struct {
	Start  chat.Room // before its first event
	State  chat.Room // the fold of all events
	Events []chat.Event
	marks  map[chat.Identity]int64
}

type sentKey struct {
	by chat.Identity
	id chat.ClientID
}

type sent struct {
	room chat.RoomID
	seq  int64
	text string
}

// NewServer returns a server with vendors, staff and customers.
func NewServer() *Server {
	s := &Server{
		Now: 1_700_000_000_000, Epoch: "e1",
		users: map[chat.UserID]*User{}, sessions: map[string]*session{}, guests: map[string]*guest{},
		rooms: map[chat.RoomID]*Room{}, sent: map[sentKey]sent{}, created: map[sentKey]chat.RoomID{},
		Undone: map[string]bool{}, lives: map[string]map[chat.RoomID][]chat.Event{},
	}
	for _, u := range []string{"ada", "bo", "mia", "noor", "rosa"} {
		s.AddUser(u)
	}
	s.User("rosa").Role = chat.RoleAdmin
	s.AddVendor("maple-pottery", "Maple Pottery", "mia")
	s.AddVendor("northern-tea", "Northern Tea", "noor")
	return s
}

func (s *Server) id(prefix string) string {
	s.serial++
	var raw [16]byte
	x := s.serial * 0x9e3779b97f4a7c15
	for i := range raw {
		raw[i] = byte(x >> (i % 8 * 8))
		if i == 7 {
			x = x ^ x>>31*0xbf58476d1ce4e5b9 + s.serial
		}
	}
	return chat.EncodeID(prefix, raw)
}

func (s *Server) secret(prefix string) string {
	s.serial++
	return prefix + fmt.Sprintf("%043d", s.serial)
}

// AddUser makes a built-in account with the password "pw".
func (s *Server) AddUser(username string) *User {
	u := &User{
		ID: chat.UserID(s.id("u_")), Username: username, Password: "pw", Role: chat.RoleUser, Active: true,
		Name: strings.ToUpper(username[:1]) + username[1:],
	}
	s.users[u.ID] = u
	return u
}

// User returns the account of that username, nil where there is none.
func (s *Server) User(username string) *User {
	for _, u := range s.users {
		if u.Username == username {
			return u
		}
	}
	return nil
}

// AddVendor makes a vendor with members.
func (s *Server) AddVendor(slug, name string, members ...string) *Vendor {
	v := &Vendor{Vendor: chat.Vendor{ID: chat.VendorID(s.id("v_")), Slug: slug, Name: name}}
	for _, m := range members {
		v.Members = append(v.Members, s.User(m).ID)
	}
	s.Vendors = append(s.Vendors, v)
	return v
}

// Room returns a room, nil where there is none.
func (s *Server) Room(id chat.RoomID) *Room { return s.rooms[id] }

// Rooms returns the ids of all rooms, ordered.
func (s *Server) Rooms() []chat.RoomID {
	var ids []chat.RoomID
	for id := range s.rooms {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// CountText counts the messages with a text in all rooms.
func (s *Server) CountText(text string) int {
	n := 0
	for _, r := range s.rooms {
		for _, e := range r.Events {
			if e.Kind == chat.MessagePosted && e.Text == text {
				n++
			}
		}
	}
	return n
}

// author is who wrote the message with a text.
func (s *Server) author(text string) chat.Identity {
	for _, r := range s.rooms {
		for _, e := range r.Events {
			if e.Kind == chat.MessagePosted && e.Text == text {
				return e.Sender
			}
		}
	}
	return ""
}

// May tells whether a principal may read a room now.
func (s *Server) May(p chat.Principal, id chat.RoomID) bool {
	r := s.rooms[id]
	if r == nil {
		return false
	}
	if p.User != "" {
		u := s.users[p.User]
		_, member := r.State.Member(p.User)
		return u != nil && u.Active && (member || u.Role == chat.RoleAdmin)
	}
	return p.GuestSession != "" && r.State.GuestSession == p.GuestSession && r.State.LinkedUser == ""
}

// resolve turns a credential into a principal. What is presented and bad is an error.
func (s *Server) resolve(credential string) (chat.Principal, *session, *chat.Error) {
	if a := s.sessions[credential]; a != nil {
		if a.dead || !a.user.Active {
			return chat.Principal{}, nil, chat.Errorf(chat.CodeUnauthenticated, "session over")
		}
		if a.expires != 0 && s.Now >= a.expires {
			return chat.Principal{}, nil, chat.Errorf(chat.CodeSessionExpired, "session expired")
		}
		return chat.Principal{Kind: chat.KindUser, User: a.user.ID, Session: a.id, Name: a.user.Name, Role: a.user.Role, Surface: a.surface}, a, nil
	}
	if g := s.guests[credential]; g != nil && !g.dead && g.linked == nil && g.credential == credential {
		return chat.Principal{Kind: chat.KindGuest, GuestSession: g.id, Name: chat.GuestLabel(g.id), Surface: chat.SurfaceWidget}, nil, nil
	}
	return chat.Principal{}, nil, chat.Errorf(chat.CodeUnauthenticated, "unknown credential")
}

// Call answers an API request as the real server would.
func (s *Server) Call(method, path, credential string, body any) ([]byte, *chat.Error) {
	if s.Fail != nil {
		return nil, s.Fail
	}
	raw, _ := json.Marshal(body)
	var in struct {
		Username, Password, Token, Handle, Guest string
		Surface                                  chat.Surface
	}
	_ = json.Unmarshal(raw, &in)
	out := func(v any) ([]byte, *chat.Error) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return b, nil
	}
	switch method + " " + path {
	case "GET /api/vendors":
		page := protocol.VendorsPage{}
		for _, v := range s.Vendors {
			page.Vendors = append(page.Vendors, v.Vendor)
		}
		return out(page)
	case "POST /api/guest-sessions":
		id := chat.GuestSessionID(s.id("g_"))
		g := &guest{id: id, credential: s.guestSecret(id), revoke: s.secret("rv_")}
		s.guests[g.credential] = g
		return out(map[string]any{"id": g.id, "credential": g.credential, "revoke": g.revoke})
	case "DELETE /api/guest-session":
		if g := s.guests[credential]; g != nil {
			s.endGuest(g)
		}
		return nil, nil
	case "POST /api/login":
		return s.logIn(in.Username, in.Password, in.Token, in.Surface)
	case "POST /api/logout", "POST /api/logout-everywhere":
		_, a, err := s.resolve(credential)
		if err != nil {
			return nil, err
		}
		for _, o := range s.sessions {
			if o == a || strings.HasSuffix(path, "everywhere") && o.user == a.user {
				s.endSession(o)
			}
		}
		return nil, nil
	case "POST /api/revoke":
		for _, a := range s.sessions {
			if a.revoke == in.Handle {
				s.endSession(a)
			}
		}
		for _, g := range s.guests {
			if g.revoke == in.Handle {
				s.endGuest(g)
			}
		}
		return nil, nil
	case "POST /api/refresh":
		p, a, err := s.resolve(credential)
		if err != nil {
			return nil, err
		}
		if u := s.User(strings.TrimPrefix(in.Token, "token:")); u == nil || u.ID != p.User {
			return nil, chat.Errorf(chat.CodeAccessDenied, "token of another user")
		}
		a.expires = s.Now + 600_000
		return out(map[string]any{"expires_at": a.expires})
	case "POST /api/link":
		return s.link(credential, in.Guest)
	}
	return nil, chat.Errorf(chat.CodeNotFound, "no such path")
}

func (s *Server) guestSecret(id chat.GuestSessionID) string {
	return s.secret("gs_" + strings.TrimPrefix(string(id), "g_") + "_")
}

func (s *Server) logIn(username, password, token string, surface chat.Surface) ([]byte, *chat.Error) {
	var u *User
	host := token != ""
	if host {
		u = s.User(strings.TrimPrefix(token, "token:"))
	} else if u = s.User(username); u != nil && u.Password != password {
		u = nil
	}
	if u == nil || !u.Active {
		return nil, chat.Errorf(chat.CodeUnauthenticated, "Wrong username or password")
	}
	a := &session{
		id: chat.AccountSessionID(s.id("s_")), user: u, credential: s.secret("as_"), revoke: s.secret("rv_"),
		surface: surface, host: host, expires: s.Now + 86_400_000,
	}
	if host {
		a.expires = s.Now + 600_000
	}
	s.sessions[a.credential] = a
	p, _, _ := s.resolve(a.credential)
	b, _ := json.Marshal(map[string]any{"credential": a.credential, "revoke": a.revoke, "expires_at": a.expires, "principal": p, "host": host})
	return b, nil
}

// link ties a guest session to the user of a live log-in, once and for all.
func (s *Server) link(credential, secret string) ([]byte, *chat.Error) {
	_, a, err := s.resolve(credential)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, chat.Errorf(chat.CodeUnauthenticated, "a log-in is needed")
	}
	g := s.guests[secret]
	if g == nil || g.dead || g.linked != nil && g.linked.user != a.user {
		return nil, chat.Errorf(chat.CodeAccessDenied, "This guest session can't be linked")
	}
	status := "already_linked"
	if g.linked == nil {
		status = "linked"
		g.linked = a
		g.credential = s.guestSecret(g.id)
		s.guests[g.credential] = g
		for _, id := range s.Rooms() {
			if r := s.rooms[id]; r.State.GuestSession == g.id {
				s.append(id, chat.Event{
					Kind: chat.GuestLinked, Sender: chat.UserIdentity(a.user.ID),
					Member: &chat.Member{User: a.user.ID, Name: a.user.Name, Staff: s.staff(r, a.user.ID)},
				})
			}
		}
		s.cut(func(c *Conn) bool { return c.principal.GuestSession == g.id })
	}
	b, _ := json.Marshal(map[string]any{"status": status, "guest_session": g.id, "credential": g.credential})
	return b, nil
}

func (s *Server) staff(r *Room, u chat.UserID) bool {
	for _, v := range s.Vendors {
		if r.State.Vendor != nil && v.ID == r.State.Vendor.ID {
			return slices.Contains(v.Members, u)
		}
	}
	return false
}

func (s *Server) endSession(a *session) {
	if a.dead {
		return
	}
	a.dead = true
	for _, g := range s.guests {
		if g.linked == a {
			g.dead = true
		}
	}
	s.cut(func(c *Conn) bool { return c.principal.Session == a.id })
}

func (s *Server) endGuest(g *guest) {
	g.dead = true
	s.cut(func(c *Conn) bool { return c.principal.GuestSession == g.id })
}

// ExpireSessions ends all sessions of a user as time would.
func (s *Server) ExpireSessions(u chat.UserID) {
	for _, a := range s.sessions {
		if a.user.ID == u {
			a.expires = s.Now
		}
	}
	s.end(func(c *Conn) bool { return c.principal.User == u }, chat.Errorf(chat.CodeSessionExpired, "session expired"))
}

func (s *Server) cut(which func(*Conn) bool) {
	s.end(which, chat.Errorf(chat.CodeUnauthenticated, "session over"))
}

func (s *Server) end(which func(*Conn) bool, err *chat.Error) {
	for _, c := range slices.Clone(s.conns) {
		if c.greeted && which(c) {
			c.close(err)
		}
	}
}

// SetMember adds or removes a participant.
func (s *Server) SetMember(id chat.RoomID, u *User, in bool) {
	r := s.rooms[id]
	if _, member := r.State.Member(u.ID); member == in {
		return
	}
	kind := chat.ParticipantAdded
	if !in {
		kind = chat.ParticipantRemoved
	}
	s.append(id, chat.Event{Kind: kind, Member: &chat.Member{User: u.ID, Name: u.Name, Staff: s.staff(r, u.ID)}})
}

// CloseRoom closes a room.
func (s *Server) CloseRoom(id chat.RoomID) { s.append(id, chat.Event{Kind: chat.RoomClosed}) }

// append stores an event and tells everybody who may know.
func (s *Server) append(id chat.RoomID, e chat.Event) chat.Event {
	r := s.rooms[id]
	e.Seq, e.At = int64(len(r.Events))+1, s.Now
	r.Events = append(r.Events, e)
	r.State = chat.ApplyToRoom(r.State, e)
	for _, c := range slices.Clone(s.conns) {
		if !c.greeted {
			continue
		}
		if !s.May(c.principal, id) {
			if c.knows[id] {
				delete(c.knows, id)
				delete(c.joined, id)
				c.push(protocol.ServerFrame{Gone: &protocol.Gone{Room: id}})
			}
			continue
		}
		if c.joined[id] && (c.Drop == nil || !c.Drop()) {
			c.push(protocol.ServerFrame{Event: &protocol.EventFrame{Room: id, Epoch: s.Epoch, Event: e}})
		}
		c.knows[id] = true
		c.push(protocol.ServerFrame{Room: &protocol.RoomFrame{Room: s.summary(c.principal, id)}})
	}
	return e
}

func (s *Server) summary(p chat.Principal, id chat.RoomID) chat.Summary {
	r := s.rooms[id]
	out := chat.Summary{Room: r.State, Head: int64(len(r.Events)), ActiveAt: r.State.CreatedAt, ReadSeq: r.marks[p.Identity()]}
	for i, e := range r.Events {
		if e.Kind != chat.MessagePosted {
			continue
		}
		out.Last, out.ActiveAt = &r.Events[i], e.At
		if e.Seq > out.ReadSeq && r.State.Canonical(e.Sender) != p.Identity() {
			out.Unread++
		}
	}
	_, member := r.State.Member(p.User)
	out.Oversight = p.User != "" && !member
	return out
}

func (s *Server) list(p chat.Principal) []chat.Summary {
	var out []chat.Summary
	for id := range s.rooms {
		if s.May(p, id) {
			out = append(out, s.summary(p, id))
		}
	}
	slices.SortFunc(out, func(a, b chat.Summary) int {
		return cmp.Or(cmp.Compare(b.ActiveAt, a.ActiveAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}
