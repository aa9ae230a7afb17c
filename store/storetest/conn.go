package storetest

import (
	"slices"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Conn is the server's end of a socket.
type Conn struct {
	// Out takes frames, End the socket's end; both may be delayed by a network.
	Out func(protocol.ServerFrame)
	End func(*chat.Error)
	// Drop tells whether the hint of the next event gets lost.
	Drop func() bool

	server     *Server
	credential string
	principal  chat.Principal
	greeted    bool
	closed     bool
	joined     map[chat.RoomID]bool
	knows      map[chat.RoomID]bool // rooms the client was told of
}

// Open opens a socket.
func (s *Server) Open(out func(protocol.ServerFrame), end func(*chat.Error)) *Conn {
	c := &Conn{Out: out, End: end, server: s, joined: map[chat.RoomID]bool{}, knows: map[chat.RoomID]bool{}}
	s.conns = append(s.conns, c)
	return c
}

// Close is the client's end of a socket.
func (c *Conn) Close() {
	c.closed = true
	c.server.conns = slices.DeleteFunc(c.server.conns, func(o *Conn) bool { return o == c })
}

func (c *Conn) close(err *chat.Error) {
	if !c.closed {
		c.Close()
		c.End(err)
	}
}

func (c *Conn) push(f protocol.ServerFrame) {
	if !c.closed {
		c.Out(f)
	}
}

func (c *Conn) beat() *protocol.Beat {
	b := &protocol.Beat{}
	for _, id := range c.server.Rooms() {
		if c.joined[id] {
			b.Heads = append(b.Heads, protocol.Head{Room: id, Epoch: c.server.Epoch, Seq: int64(len(c.server.rooms[id].Events))})
		}
	}
	return b
}

// Receive takes a frame of the client.
func (c *Conn) Receive(f protocol.ClientFrame) {
	if c.closed {
		return
	}
	s := c.server
	fail := func(err *chat.Error, room chat.RoomID) {
		c.push(protocol.ServerFrame{Re: f.ID, Error: &protocol.Error{
			Code: err.Code, Message: err.Message,
			RetryAfterMS: err.RetryAfter.Milliseconds(), Room: room,
		}})
	}
	if !c.greeted {
		if f.Hello == nil {
			c.close(chat.Errorf(chat.CodeInvalid, "hello must come first"))
			return
		}
		p, _, err := s.resolve(f.Hello.Credential)
		if err == nil && f.Hello.GuestSession != p.GuestSession {
			err = chat.Errorf(chat.CodeInvalid, "guest session mismatch")
		}
		if err != nil {
			fail(err, "")
			c.close(err)
			return
		}
		c.greeted, c.principal, c.credential = true, p, f.Hello.Credential
		c.push(protocol.ServerFrame{Re: f.ID, Welcome: &protocol.Welcome{Version: 1, Principal: p, BeatMS: 25_000}})
		return
	}
	// What expired is found out at the next frame, like in life.
	if _, _, err := s.resolve(c.credential); err != nil {
		c.close(err)
		return
	}
	if s.Fail != nil && f.Ping == nil {
		fail(s.Fail, "")
		return
	}
	if s.Fails != nil && (f.Send != nil || f.Create != nil || f.Read != nil || f.Join != nil) {
		unavailable := chat.Errorf(chat.CodeUnavailable, "storage failed")
		before, after := s.Fails()
		if before {
			fail(unavailable, "")
			return
		}
		if after { // it happens, but nobody is told so
			out := c.Out
			defer func() { c.Out = out }()
			c.Out = func(o protocol.ServerFrame) {
				if f.ID != 0 && o.Re == f.ID {
					o = protocol.ServerFrame{Re: f.ID, Error: &protocol.Error{Code: unavailable.Code, Message: unavailable.Message}}
				}
				out(o)
			}
		}
	}
	may := func(id chat.RoomID) bool {
		if s.May(c.principal, id) {
			return true
		}
		fail(chat.AccessDenied, id)
		return false
	}
	ok := func() { c.push(protocol.ServerFrame{Re: f.ID, OK: &protocol.Empty{}}) }
	switch {
	case f.Ping != nil:
		c.push(protocol.ServerFrame{Re: f.ID, Pong: c.beat()})
	case f.Rooms != nil:
		page := &protocol.RoomsPage{Rooms: []chat.Summary{}}
		for _, r := range s.list(c.principal) {
			c.knows[r.ID] = true
			if f.Rooms.Filter == chat.FilterOpen && r.Closed || f.Rooms.Filter == chat.FilterClosed && !r.Closed ||
				f.Rooms.Filter == chat.FilterUnread && r.Unread == 0 {
				continue
			}
			page.Rooms = append(page.Rooms, r)
		}
		c.push(protocol.ServerFrame{Re: f.ID, Rooms: page})
	case f.Create != nil:
		id, err := s.create(c.principal, *f.Create)
		if err != nil {
			fail(err, "")
			return
		}
		c.knows[id] = true
		c.push(protocol.ServerFrame{Re: f.ID, Created: &protocol.RoomFrame{Room: s.summary(c.principal, id)}})
	case f.Join != nil:
		j := *f.Join
		if j.Vendor != "" {
			own, err := s.own(c.principal, j.Vendor)
			if err != nil {
				fail(err, "")
				return
			}
			j = protocol.Join{Room: own}
		}
		if may(j.Room) {
			c.join(f.ID, j)
		}
	case f.Leave != nil:
		delete(c.joined, f.Leave.Room)
		ok()
	case f.Send != nil:
		if may(f.Send.Room) {
			c.send(f.ID, *f.Send, fail)
		}
	case f.Typing != nil:
		if s.May(c.principal, f.Typing.Room) {
			for _, o := range s.conns {
				if o != c && o.greeted && o.joined[f.Typing.Room] && s.May(o.principal, f.Typing.Room) {
					o.push(protocol.ServerFrame{Typing: &protocol.TypingFrame{
						Room: f.Typing.Room,
						Who:  c.principal.Identity(), Name: c.principal.Name, Active: f.Typing.Active,
					}})
				}
			}
		}
	case f.Read != nil:
		if may(f.Read.Room) {
			s.mark(c.principal, f.Read.Room, f.Read.Seq)
			ok()
		}
	case f.History != nil:
		if may(f.History.Room) {
			c.history(f.ID, *f.History)
		}
	case f.Close != nil:
		if may(f.Close.Room) {
			s.CloseRoom(f.Close.Room)
			ok()
		}
	default:
		fail(chat.Errorf(chat.CodeInvalid, "unknown frame"), "")
	}
}

func (c *Conn) join(id int64, j protocol.Join) {
	s := c.server
	r := s.rooms[j.Room]
	head := int64(len(r.Events))
	out := &protocol.Joined{Room: j.Room, Epoch: s.Epoch, Head: head}
	if j.Cursor != nil && j.Cursor.Epoch == s.Epoch && j.Cursor.Seq <= head && head-j.Cursor.Seq <= 20 {
		out.Events = slices.Clone(r.Events[j.Cursor.Seq:])
	} else {
		out.Reset = true
		out.Snapshot = &chat.Snapshot{Room: r.State, Epoch: s.Epoch, Head: head, Events: slices.Clone(r.Events[max(0, head-10):])}
	}
	for who, seq := range r.marks {
		out.Receipts = append(out.Receipts, chat.Receipt{Reader: who, Seq: seq})
	}
	slices.SortFunc(out.Receipts, func(a, b chat.Receipt) int {
		if a.Reader < b.Reader {
			return -1
		}
		return 1
	})
	c.joined[j.Room], c.knows[j.Room] = true, true
	c.push(protocol.ServerFrame{Re: id, Joined: out})
}

func (c *Conn) send(id int64, m protocol.Send, fail func(*chat.Error, chat.RoomID)) {
	s := c.server
	r := s.rooms[m.Room]
	by := c.principal.Identity()
	for _, k := range s.identities(by) {
		if was, ok := s.sent[sentKey{k, m.ClientID}]; ok {
			if was.room != m.Room || was.text != m.Text {
				fail(chat.Errorf(chat.CodeConflict, "this client message id was used"), m.Room)
				return
			}
			c.push(protocol.ServerFrame{Re: id, Ack: &protocol.Ack{Room: m.Room, ClientID: m.ClientID, Seq: was.seq, At: r.Events[was.seq-1].At}})
			return
		}
	}
	if r.State.Closed {
		fail(chat.Errorf(chat.CodeRoomClosed, "This room is closed"), m.Room)
		return
	}
	e := s.append(m.Room, chat.Event{Kind: chat.MessagePosted, Sender: by, SenderName: c.principal.Name, ClientID: m.ClientID, Text: m.Text})
	s.sent[sentKey{by, m.ClientID}] = sent{m.Room, e.Seq, m.Text}
	s.mark(c.principal, m.Room, e.Seq)
	c.push(protocol.ServerFrame{Re: id, Ack: &protocol.Ack{Room: m.Room, ClientID: m.ClientID, Seq: e.Seq, At: e.At}})
}

// identities are the names under which one sender may have written: a linked
// guest session and its user are one.
func (s *Server) identities(by chat.Identity) []chat.Identity {
	out := []chat.Identity{by}
	for _, g := range s.guests {
		if g.linked != nil && chat.UserIdentity(g.linked.user.ID) == by {
			out = append(out, chat.GuestIdentity(g.id))
		}
	}
	return out
}

func (s *Server) mark(p chat.Principal, id chat.RoomID, seq int64) {
	r := s.rooms[id]
	seq = min(seq, int64(len(r.Events)))
	if seq <= r.marks[p.Identity()] {
		return
	}
	r.marks[p.Identity()] = seq
	for _, c := range s.conns {
		if !c.greeted || !s.May(c.principal, id) {
			continue
		}
		if c.joined[id] {
			c.push(protocol.ServerFrame{Receipt: &protocol.ReceiptFrame{Room: id, Receipt: chat.Receipt{Reader: p.Identity(), Seq: seq}}})
		}
		if c.principal.Identity() == p.Identity() {
			c.push(protocol.ServerFrame{Room: &protocol.RoomFrame{Room: s.summary(p, id)}})
		}
	}
}

func (c *Conn) history(id int64, h protocol.History) {
	r := c.server.rooms[h.Room]
	end := int64(len(r.Events))
	if h.Before > 0 {
		end = min(end, h.Before-1)
	}
	start := max(0, end-10)
	c.push(protocol.ServerFrame{Re: id, History: &protocol.HistoryPage{
		Room: h.Room, Epoch: c.server.Epoch,
		Events: slices.Clone(r.Events[start:end]), More: start > 0,
	}})
}

// own is the open room of p's own with a vendor.
func (s *Server) own(p chat.Principal, slug string) (chat.RoomID, *chat.Error) {
	for _, id := range s.Rooms() {
		r := s.rooms[id].State
		if r.Vendor != nil && r.Vendor.Slug == slug && !r.Closed && r.Customer().ID() == p.Identity() && s.May(p, id) {
			return id, nil
		}
	}
	return "", chat.Errorf(chat.CodeNotFound, "no chat with this vendor")
}

func (s *Server) create(p chat.Principal, in protocol.Create) (chat.RoomID, *chat.Error) {
	i := slices.IndexFunc(s.Vendors, func(v *Vendor) bool { return v.Slug == in.Vendor })
	if i < 0 {
		return "", chat.Errorf(chat.CodeNotFound, "no such vendor")
	}
	v := s.Vendors[i]
	key := sentKey{p.Identity(), in.ClientID}
	if id, ok := s.created[key]; ok {
		if !s.May(p, id) {
			return "", chat.AccessDenied
		}
		return id, nil
	}
	if id, err := s.own(p, v.Slug); err == nil {
		return id, nil
	}
	id := chat.RoomID(s.id("r_"))
	room := chat.Room{ID: id, Vendor: &v.Vendor, GuestSession: p.GuestSession, Page: in.Page, CreatedAt: s.Now}
	for _, m := range v.Members {
		room.Members = append(room.Members, chat.Member{User: m, Name: s.users[m].Name, Staff: true})
	}
	if p.User != "" && !slices.Contains(v.Members, p.User) {
		room.Members = append(room.Members, chat.Member{User: p.User, Name: p.Name})
	}
	slices.SortFunc(room.Members, func(a, b chat.Member) int {
		if a.User < b.User {
			return -1
		}
		return 1
	})
	s.rooms[id] = &Room{Start: room, State: room, marks: map[chat.Identity]int64{}}
	s.created[key] = id
	s.append(id, chat.Event{Kind: chat.RoomCreated, Sender: p.Identity(), SenderName: p.Name})
	return id, nil
}
