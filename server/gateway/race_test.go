//go:build !js

package gateway

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

var rounds = flag.Int("rounds", 50, "rounds of TestLossRace, over all ways to lose a right")

// victim is somebody who is about to lose a right, with what it takes to end it.
type victim struct {
	user       chat.UserID
	credential string
	handle     string
	session    chat.AccountSessionID
	elsewhere  string // another log-in of the same user
	password   string
	room       chat.RoomID
	author     chat.Identity
}

// wayOut is one way to lose a right on a room, over the wire or by the operator.
type wayOut struct {
	name string
	who  string // "user", "staff", "admin" or "guest"
	do   func(s *lossStage, v victim) error
	code chat.Code // what every later request as the victim gets
	// writes: only writing is lost.
	writes bool
}

// lossStage is a server with an admin and somebody who goes on speaking.
type lossStage struct {
	*world
	maple          chat.VendorID
	admin, speaker string
}

// ok is a request that must succeed.
func (s *lossStage) ok(method, path, credential string, body any) error {
	if r := s.call(method, path, credential, body); r.status >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return nil
}

var waysOut = []wayOut{
	{"removed", "user", func(s *lossStage, v victim) error {
		return s.ok("DELETE", "/api/rooms/"+string(v.room)+"/participants/"+string(v.user), s.admin, nil)
	}, denied, false},
	{"no longer staff", "staff", func(s *lossStage, v victim) error {
		return s.rooms.SetVendorMember(context.Background(), s.maple, v.user, false)
	}, denied, false},
	{"demoted", "admin", func(s *lossStage, v victim) error {
		return s.auth.SetRole(context.Background(), v.user, chat.RoleUser)
	}, denied, false},
	{"disabled", "user", func(s *lossStage, v victim) error {
		return s.auth.SetActive(context.Background(), v.user, false)
	}, nobody, false},
	{"logged out", "user", func(s *lossStage, v victim) error { return s.ok("POST", "/api/logout", v.credential, nil) }, nobody, false},
	{"logged out by handle", "user", func(s *lossStage, v victim) error { return s.ok("POST", "/api/revoke", "", revoke{v.handle}) }, nobody, false},
	{"logged out everywhere", "user", func(s *lossStage, v victim) error {
		return s.ok("POST", "/api/logout-everywhere", v.elsewhere, nil)
	}, nobody, false},
	{"ended from the list", "user", func(s *lossStage, v victim) error {
		return s.ok("DELETE", "/api/sessions/"+string(v.session), v.elsewhere, nil)
	}, nobody, false},
	{"changed the password elsewhere", "user", func(s *lossStage, v victim) error {
		return s.ok("POST", "/api/password", v.elsewhere, password{v.password, "an entirely new one"})
	}, nobody, false},
	{"given a password by the operator", "user", func(s *lossStage, v victim) error {
		return s.auth.SetPassword(context.Background(), v.user, "an entirely new one")
	}, nobody, false},
	{"guest ended the chat", "guest", func(s *lossStage, v victim) error {
		return s.ok("DELETE", "/api/guest-session", v.credential, nil)
	}, nobody, false},
	{"guest revoked by handle", "guest", func(s *lossStage, v victim) error { return s.ok("POST", "/api/revoke", "", revoke{v.handle}) }, nobody, false},
	{"guest linked", "guest", func(s *lossStage, v victim) error {
		return s.ok("POST", "/api/link", v.elsewhere, link{v.credential})
	}, nobody, false},
	{"guest blocked", "guest", func(s *lossStage, v victim) error {
		return s.ok("POST", "/api/rooms/"+string(v.room)+"/block-guest", s.admin, nil)
	}, chat.CodeRoomClosed, true},
	{"room closed", "guest", func(s *lossStage, v victim) error {
		return s.ok("POST", "/api/rooms/"+string(v.room)+"/close", s.admin, nil)
	}, chat.CodeRoomClosed, true},
}

// victim makes a new victim of one kind, who may read and write in a room.
func (s *lossStage) victim(who string) (v victim) {
	s.Helper()
	name := "v" + strings.ToLower(string(s.cmid()))
	v.password = name + "-" + name + "-pw"
	role := chat.RoleUser
	if who == "admin" {
		role = chat.RoleAdmin
	}
	u := s.user(name, role)
	v.elsewhere = s.login(name, chat.SurfaceWidget).Credential
	g := s.guest()
	v.room = s.open(g.Credential, "maple")
	if who == "guest" {
		v.credential, v.handle, v.author = g.Credential, g.Revoke, chat.GuestIdentity(g.ID)
		return v
	}
	l := s.login(name, chat.SurfaceWidget)
	v.user, v.credential, v.handle, v.session, v.author = u, l.Credential, l.Revoke, l.ID, chat.UserIdentity(u)
	switch who {
	case "user":
		s.must(s.ok("PUT", "/api/rooms/"+string(v.room)+"/participants/"+string(u), s.admin, nil))
	case "staff":
		s.must(s.rooms.SetVendorMember(context.Background(), s.maple, u, true))
	}
	return v
}

// TestLossRace: requests and frames in flight while a right is lost, and others
// talking on. What is asked once the loss was acknowledged never succeeds, and
// what is said then never arrives, over HTTP or the socket.
func TestLossRace(t *testing.T) {
	for _, way := range waysOut {
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t, Limits{Sockets: -1, AddressSockets: -1, PendingSockets: -1})
			mia := w.user("mia", chat.RoleUser)
			w.user("rosa", chat.RoleAdmin)
			maple, err := w.rooms.AddVendor(context.Background(), "maple", "Maple", "")
			w.must(err)
			w.must(w.rooms.SetVendorMember(context.Background(), maple.ID, mia, true))
			s := &lossStage{
				world: w, maple: maple.ID,
				admin: w.login("rosa", chat.SurfaceInbox).Credential, speaker: w.login("mia", chat.SurfaceInbox).Credential,
			}
			for round := range *rounds/len(waysOut) + 1 {
				s.lose(way, round)
			}
		})
	}
}

func (s *lossStage) lose(way wayOut, round int) {
	s.Helper()
	v := s.victim(way.who)
	p := s.connect(v.credential, chat.SurfaceWidget)
	if f := p.join(v.room); f.Joined == nil {
		s.Fatalf("join: %s", protocol.EncodeServer(f))
	}
	messages := "/api/rooms/" + string(v.room) + "/messages"
	var lost atomic.Bool
	var tries atomic.Int64
	stop := make(chan struct{})
	var busy sync.WaitGroup
	loop := func(f func()) {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	as := func(method, path string, body func() any, write bool) {
		loop(func() {
			var b any
			if body != nil {
				b = body()
			}
			began := lost.Load()
			r := s.call(method, path, v.credential, b)
			tries.Add(1)
			if began && r.status < 300 && (write || !way.writes) {
				s.Errorf("%s: %s %s succeeded after the loss: %s", way.name, method, path, r.body)
			}
		})
	}
	as("POST", messages, func() any { return message{s.cmid(), "by the victim"} }, true)
	as("GET", "/api/rooms/"+string(v.room), nil, false)
	loop(func() { s.call("POST", messages, s.speaker, message{s.cmid(), "meanwhile"}) })
	// The socket asks as well; its answers are looked at below, in their order.
	const late = 1 << 40 // ids of frames sent after the loss
	id, behind := int64(1000), 0
	loop(func() {
		began := lost.Load()
		r := s.call("GET", messages, v.credential, nil)
		tries.Add(1)
		if began && r.status < 300 && !way.writes {
			s.Errorf("%s: history succeeded after the loss: %s", way.name, r.body)
		}
		if began {
			if behind++; behind > 8 {
				return // too many refusals close a socket
			}
			id |= late
		}
		p.ws.Write(context.Background(), websocket.MessageText, protocol.EncodeClient( // fails where the socket is over
			protocol.ClientFrame{ID: id, History: &protocol.History{Room: v.room, Limit: 5}},
			protocol.ClientFrame{ID: id + 1, Send: &protocol.Send{Room: v.room, ClientID: s.cmid(), Text: "by the victim"}},
			protocol.ClientFrame{ID: id + 2, Join: &protocol.Join{Room: v.room}}))
		id += 3
	})
	s.eventually("requests are in flight", func() bool { return tries.Load() > int64(round%7) })
	s.must(way.do(s, v))
	lost.Store(true)
	s.call("POST", messages, s.speaker, message{s.cmid(), "after the loss"})
	from := tries.Load()
	s.eventually("requests were made after the loss", func() bool { return tries.Load() > from+6 })
	close(stop)
	busy.Wait()

	// For ever: by every route and frame that concerns the room.
	for _, path := range []string{"", "/messages", "/participants"} {
		if got := s.call("GET", "/api/rooms/"+string(v.room)+path, v.credential, nil).code(); got != way.code && !(way.writes && got == "") {
			s.Errorf("%s: GET %s gives %q", way.name, path, got)
		}
	}
	if got := s.call("POST", messages, v.credential, message{s.cmid(), "much later"}).code(); got != way.code {
		s.Errorf("%s: writing gives %q", way.name, got)
	}
	s.judgeSocket(way, v, p, late)
	s.judgeLog(way, v)
}

// judgeSocket looks at everything the victim's socket got.
func (s *lossStage) judgeSocket(way wayOut, v victim, p *peer, late int64) {
	s.Helper()
	var frames []protocol.ServerFrame
	if way.code == nobody || way.name == "demoted" {
		_, frames = p.end() // it is cut, whatever the victim does
	} else {
		frames = p.fence()
	}
	gone := false
	for _, f := range frames {
		said := f.Event != nil && f.Event.Event.Text == "after the loss"
		for _, e := range eventsOf(f) {
			said = said || e.Text == "after the loss"
		}
		switch {
		case way.writes:
			if f.Re >= late && f.Ack != nil {
				s.Errorf("%s: acknowledged after the loss: %s", way.name, protocol.EncodeServer(f))
			}
		case said:
			s.Errorf("%s: heard what was said after the loss: %s", way.name, protocol.EncodeServer(f))
		case f.Re >= late && f.Error == nil:
			s.Errorf("%s: asked after the loss and got %s", way.name, protocol.EncodeServer(f))
		case gone && (f.Event != nil || f.Room != nil):
			s.Errorf("%s: got after it was gone: %s", way.name, protocol.EncodeServer(f))
		}
		gone = gone || f.Gone != nil && f.Gone.Room == v.room
	}
	p.ws.CloseNow()
}

func eventsOf(f protocol.ServerFrame) []chat.Event {
	switch {
	case f.History != nil:
		return f.History.Events
	case f.Joined != nil && f.Joined.Snapshot != nil:
		return f.Joined.Snapshot.Events
	case f.Joined != nil:
		return f.Joined.Events
	}
	return nil
}

// judgeLog: nothing of the victim is stored behind the event that took the right
// away, or behind what was said after it.
func (s *lossStage) judgeLog(way wayOut, v victim) {
	s.Helper()
	over := false
	for after := int64(0); ; {
		var page protocol.HistoryPage
		s.get(&page, "GET", fmt.Sprintf("/api/rooms/%s/messages?limit=100&after=%d", v.room, after), s.admin, nil)
		for _, e := range page.Events {
			if over && e.Text != "" && (e.Sender == v.author || e.Text == "by the victim") {
				s.Errorf("%s: event %d by the victim is behind the loss", way.name, e.Seq)
			}
			over = over || e.Kind == chat.ParticipantRemoved && e.Member != nil && e.Member.User == v.user || e.Kind == chat.RoomClosed || e.Kind == chat.GuestBlocked ||
				e.Kind == chat.GuestLinked || e.Text == "after the loss"
			after = e.Seq
		}
		if len(page.Events) == 0 {
			break
		}
	}
	if !over {
		s.Errorf("%s: the room shows no loss", way.name)
	}
}
