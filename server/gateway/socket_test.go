//go:build !js

package gateway

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func hello(credential string, surface chat.Surface, claimed chat.GuestSessionID) string {
	return string(protocol.EncodeClient(protocol.ClientFrame{ID: 1, Hello: &protocol.Hello{Version: 1, Credential: credential, Surface: surface, GuestSession: claimed}}))
}

// A first frame that is not good gets an error, a goodbye and the close code of it.
func TestHelloIsRefused(t *testing.T) {
	w := newWorld(t, Limits{})
	hasty := newWorld(t, Limits{Hello: 50 * time.Millisecond})
	w.user("mia", chat.RoleUser)
	inbox := w.login("mia", chat.SurfaceInbox).Credential
	g, h := w.guest(), w.guest()
	over := w.login("mia", chat.SurfaceInbox).Credential
	w.get(nil, "POST", "/api/logout", over, nil)
	forged := g.Credential[:len(g.Credential)-43] + h.Credential[len(h.Credential)-43:]
	for name, c := range map[string]struct {
		query, first string
		close        websocket.StatusCode
		message      string
	}{
		"nothing":                 {"", "", 4004, "too slow"},
		"no hello":                {"", `{"id":1,"ping":{}}`, 4500, "must be hello"},
		"no JSON":                 {"", `hello`, 4500, "malformed JSON"},
		"no credential":           {"", hello("", chat.SurfaceWidget, ""), 4501, "missing"},
		"unknown credential":      {"", hello("as_"+secret(), chat.SurfaceWidget, ""), 4501, "not valid"},
		"ill-formed credential":   {"", hello("as_x", chat.SurfaceWidget, ""), 4501, "not valid"},
		"logged out":              {"", hello(over, chat.SurfaceInbox, ""), 4501, "not valid"},
		"another's secret":        {"", hello(forged, chat.SurfaceWidget, ""), 4501, "not valid"},
		"revoke handle":           {"", hello(g.Revoke, chat.SurfaceWidget, ""), 4501, "not valid"},
		"URL of another guest":    {"?guest_session=" + string(h.ID), hello(g.Credential, chat.SurfaceWidget, ""), 4500, "guest session mismatch"},
		"frame of another guest":  {"", hello(g.Credential, chat.SurfaceWidget, h.ID), 4500, "guest session mismatch"},
		"URL and frame disagree":  {"?guest_session=" + string(g.ID), hello(g.Credential, chat.SurfaceWidget, h.ID), 4500, "guest session mismatch"},
		"guest's URL, user":       {"?guest_session=" + string(g.ID), hello(inbox, chat.SurfaceInbox, ""), 4500, "guest session mismatch"},
		"guest's URL, nobody":     {"?guest_session=" + string(g.ID), hello("", chat.SurfaceWidget, ""), 4500, "guest session mismatch"},
		"another surface":         {"", hello(inbox, chat.SurfaceWidget, ""), 4500, "another surface"},
		"guest in the inbox":      {"", hello(g.Credential, chat.SurfaceInbox, ""), 4500, "another surface"},
		"version of the future":   {"", strings.Replace(hello(inbox, chat.SurfaceInbox, ""), `"version":1`, `"version":2`, 1), 4508, "speaks versions"},
		"credential in odd case":  {"", hello(strings.ToUpper(inbox), chat.SurfaceInbox, ""), 4501, "not valid"},
		"credential and a space":  {"", hello(inbox+" ", chat.SurfaceInbox, ""), 4501, "not valid"},
		"hello in another case":   {"", strings.Replace(hello(inbox, chat.SurfaceInbox, ""), `"hello"`, `"Hello"`, 1), 4500, "exactly one payload"},
		"the credential is twice": {"", strings.Replace(hello(inbox, chat.SurfaceInbox, ""), `"credential"`, `"credential":"x","credential"`, 1), 4500, "a key twice"},
	} {
		t.Run(name, func(t *testing.T) {
			at := w
			if c.first == "" {
				at = hasty
			}
			p := at.dial(c.query)
			if c.first != "" {
				p.raw(c.first)
			}
			code, frames := p.end()
			if code != c.close || len(frames) == 0 || frames[len(frames)-1].Bye == nil || !strings.Contains(frames[len(frames)-1].Bye.Message, c.message) {
				t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
			}
			for _, f := range frames {
				if f.Error == nil && f.Bye == nil {
					t.Fatalf("got %s", protocol.EncodeServer(f))
				}
			}
		})
	}
	// What agrees is welcomed.
	p := w.dial("?guest_session=" + string(g.ID))
	p.raw(hello(g.Credential, chat.SurfaceWidget, g.ID))
	if f := p.until(func(f protocol.ServerFrame) bool { return f.Re == 1 }); f.Welcome == nil || f.Welcome.Principal.GuestSession != g.ID || f.Welcome.BeatMS != 25000 || f.Welcome.Expires == 0 {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	if f := p.ask(protocol.ClientFrame{Hello: &protocol.Hello{Version: 1, Surface: chat.SurfaceWidget}}); errorOf(f) != chat.CodeInvalid {
		t.Fatalf("a second hello got %s", protocol.EncodeServer(f))
	}
	p.fence()
	for _, q := range []string{"?guest_session=g_1", "?guest_session=", "?guest_session=" + string(g.ID) + "&guest_session=" + string(g.ID)} {
		if r := w.call("GET", "/ws"+q, "", nil); r.code() != chat.CodeInvalid {
			t.Errorf("%s: %d %s", q, r.status, r.body)
		}
	}
}

func TestFramesMayFollowHelloAtOnce(t *testing.T) {
	w := newWorld(t, Limits{})
	g := w.guest()
	const rooms = `{"id":2,"rooms":{}}`
	for _, gap := range []string{"one message", "two messages"} {
		send := func(p *peer, credential string) {
			if gap == "one message" {
				p.raw(hello(credential, chat.SurfaceWidget, "") + "\n" + rooms)
				return
			}
			p.raw(hello(credential, chat.SurfaceWidget, ""))
			p.raw(rooms)
		}
		p := w.dial("")
		send(p, g.Credential)
		if f := p.until(func(f protocol.ServerFrame) bool { return f.Re != 0 }); f.Welcome == nil {
			t.Fatalf("%s: the first answer is %s", gap, protocol.EncodeServer(f))
		}
		if f := p.until(func(f protocol.ServerFrame) bool { return f.Re != 0 }); f.Re != 2 || f.Rooms == nil {
			t.Fatalf("%s: the second answer is %s", gap, protocol.EncodeServer(f))
		}
	}
	// One message only: what is written to a socket that the server has closed may fail.
	p := w.dial("")
	p.raw(hello("gs_x", chat.SurfaceWidget, "") + "\n" + rooms)
	code, frames := p.end()
	for _, f := range frames {
		if f.Error == nil && f.Bye == nil || f.Re == 2 {
			t.Errorf("after a refused hello: %s", protocol.EncodeServer(f))
		}
	}
	if code != 4501 {
		t.Errorf("closed with %d", code)
	}
}

func TestDeniedJoinChangesNothing(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g, h := w.guest(), w.guest()
	mine, theirs := w.open(g.Credential, "maple"), w.open(h.Credential, "maple")
	p := w.connect(g.Credential, chat.SurfaceWidget)
	p.join(mine)
	for _, room := range []chat.RoomID{theirs, chat.RoomID(newID("r_"))} {
		f := p.join(room)
		want := fmt.Sprintf(`{"re":%d,"error":{"code":"access_denied","message":"Access denied to this room","room":"%s"}}`, p.id, room)
		if got := string(protocol.EncodeServer(f)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	w.say(h.Credential, theirs, "secret")
	w.say(g.Credential, mine, "mine")
	p.until(func(f protocol.ServerFrame) bool {
		if f.Event != nil && f.Event.Room == theirs {
			t.Errorf("delivered %s", protocol.EncodeServer(f))
		}
		return f.Event != nil && f.Event.Event.Text == "mine"
	})
	if got := p.fence(); len(got) != 0 {
		t.Errorf("also got %s", protocol.EncodeServer(got...))
	}
}

// A linked guest session's socket is admitted, and denied after the log-out.
func TestLinkedSocketEndsWithTheLogIn(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	w.user("ada", chat.RoleUser)
	g := w.guest()
	room := w.open(g.Credential, "maple")
	old := w.connect(g.Credential, chat.SurfaceWidget)
	old.join(room)
	ada := w.login("ada", chat.SurfaceWidget)
	var l linked
	w.get(&l, "POST", "/api/link", ada.Credential, link{g.Credential})
	if l.Status != "linked" || l.Credential == "" || l.Credential == g.Credential {
		t.Fatalf("got %+v", l)
	}
	// The old secret's socket was cut before the link was answered.
	if code, frames := old.end(); code != 4501 {
		t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
	}
	p := w.connect(l.Credential, chat.SurfaceWidget)
	if f := p.join(room); f.Joined == nil {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	w.get(nil, "POST", "/api/logout", ada.Credential, nil)
	w.storageSay(room, "after the log-out")
	code, frames := p.end()
	if code != 4501 {
		t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
	}
	for _, f := range frames {
		if f.Event != nil && f.Event.Event.Text != "" {
			t.Errorf("delivered %s", protocol.EncodeServer(f))
		}
	}
	for _, dead := range []string{g.Credential, l.Credential, ada.Credential} {
		if r := w.call("GET", "/api/rooms/"+string(room), dead, nil); r.code() != chat.CodeUnauthenticated {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

// storageSay has a vendor's staff say something in a room.
func (w *world) storageSay(room chat.RoomID, text string) {
	w.Helper()
	w.say(w.login("mia", chat.SurfaceInbox).Credential, room, text)
}

func TestRemovalIsEffectiveBeforeItIsAnswered(t *testing.T) {
	w := newWorld(t, Limits{})
	mia := w.user("mia", chat.RoleUser)
	w.vendor("maple", mia)
	w.user("rosa", chat.RoleAdmin)
	admin := w.login("rosa", chat.SurfaceInbox).Credential
	g := w.guest()
	room := w.open(g.Credential, "maple")
	staff := w.connect(w.login("mia", chat.SurfaceInbox).Credential, chat.SurfaceInbox)
	staff.join(room)
	for i := range 30 {
		w.say(g.Credential, room, "before")
		w.get(nil, "DELETE", "/api/rooms/"+string(room)+"/participants/"+string(mia), admin, nil)
		w.say(g.Credential, room, "canary")
		gone := false
		for _, f := range staff.fence() {
			gone = gone || f.Gone != nil
			if f.Event != nil && (gone || f.Event.Event.Text == "canary") {
				t.Fatalf("round %d: delivered %s", i, protocol.EncodeServer(f))
			}
		}
		if !gone {
			t.Fatalf("round %d: gone did not come", i)
		}
		w.get(nil, "PUT", "/api/rooms/"+string(room)+"/participants/"+string(mia), admin, nil)
		if f := staff.join(room); f.Joined == nil {
			t.Fatalf("got %s", protocol.EncodeServer(f))
		}
	}
}

// Events that come while a join is under way are behind its answer, without a gap.
func TestNothingOvertakesJoined(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	writers.Add(1)
	go func() {
		defer writers.Done()
		for {
			select {
			case <-stop:
				return
			default:
				w.say(g.Credential, room, "more")
			}
		}
	}()
	defer writers.Wait()
	defer close(stop)
	p := w.connect(g.Credential, chat.SurfaceWidget)
	for range 40 {
		var head int64
		p.id++
		id := p.id
		p.raw(string(protocol.EncodeClient(protocol.ClientFrame{ID: id, Join: &protocol.Join{Room: room}})))
		joined, fresh := false, 0
		p.until(func(f protocol.ServerFrame) bool {
			switch {
			case f.Re == id:
				joined, head = true, f.Joined.Head
			case f.Event != nil && joined:
				if f.Event.Event.Seq != head+1 {
					t.Fatalf("event %d after head %d", f.Event.Event.Seq, head)
				}
				head++
				fresh++
			}
			return joined && fresh == 3
		})
		p.ask(protocol.ClientFrame{Leave: &protocol.RoomRef{Room: room}})
	}
}

// A page asks for its list and its chat in one breath with hello, before it knows the room.
func TestJoinByVendor(t *testing.T) {
	w := newWorld(t, Limits{})
	mia := w.user("mia", chat.RoleUser)
	w.vendor("maple", mia)
	w.vendor("tea", mia)
	g, other := w.guest(), w.guest()
	room := w.open(g.Credential, "maple")
	w.say(g.Credential, room, "hello")

	p := w.dial("")
	for _, f := range []protocol.ClientFrame{
		{ID: 1, Hello: &protocol.Hello{Version: protocol.Version, Surface: chat.SurfaceWidget, Credential: g.Credential}},
		{ID: 2, Rooms: &protocol.RoomsQuery{}},
		{ID: 3, Join: &protocol.Join{Vendor: "maple"}},
	} {
		p.raw(string(protocol.EncodeClient(f)))
	}
	p.until(func(f protocol.ServerFrame) bool { return f.Re == 2 && f.Rooms != nil })
	p.until(func(f protocol.ServerFrame) bool {
		return f.Re == 3 && f.Joined != nil && f.Joined.Room == room && f.Joined.Snapshot != nil
	})
	w.say(g.Credential, room, "more")
	p.until(func(f protocol.ServerFrame) bool { return f.Event != nil && f.Event.Event.Text == "more" })

	p.id = 3
	if f := p.ask(protocol.ClientFrame{Join: &protocol.Join{Vendor: "tea"}}); f.Error == nil || f.Error.Code != chat.CodeNotFound {
		t.Errorf("a vendor without a chat: %+v", f)
	}
	q := w.connect(other.Credential, chat.SurfaceWidget)
	if f := q.ask(protocol.ClientFrame{Join: &protocol.Join{Vendor: "maple"}}); f.Error == nil || f.Error.Code != chat.CodeNotFound {
		t.Errorf("another guest: %+v", f)
	}
	w.say(g.Credential, room, "not for the other")
	for _, f := range q.fence() {
		t.Errorf("the other guest got %+v", f)
	}
}

func TestDrain(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	var peers []*peer
	for range 10 {
		p := w.connect(g.Credential, chat.SurfaceWidget)
		p.join(room)
		peers = append(peers, p)
	}
	silent := w.dial("") // never says hello
	// What is sent before the drain is acknowledged or visibly not taken.
	peers[0].raw(string(protocol.EncodeClient(protocol.ClientFrame{ID: 99, Send: &protocol.Send{Room: room, ClientID: "last", Text: "last words"}})))
	peers[0].until(func(f protocol.ServerFrame) bool { return f.Re == 99 && f.Ack != nil })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	start := time.Now()
	w.must(w.gateway.Drain(ctx))
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("drain took %v", d)
	}
	hints := map[int64]bool{}
	for _, p := range append(peers, silent) {
		code, frames := p.end()
		last := frames[len(frames)-1]
		if code != 4003 || last.Bye == nil || last.Bye.Code != chat.CodeShutdown || last.Bye.RetryAfterMS < 1 || last.Bye.RetryAfterMS > 10_001 {
			t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
		}
		hints[last.Bye.RetryAfterMS] = true
	}
	if len(hints) < 5 {
		t.Errorf("the hints %v are not spread", hints)
	}
	for _, path := range []string{"/api/me", "/readyz", "/ws"} {
		if r := w.call("GET", path, g.Credential, nil); r.code() != chat.CodeShutdown || r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.call("GET", "/healthz", "", nil); r.status != 200 {
		t.Errorf("healthz: %d", r.status)
	}
}

// A socket that opens as the drain begins is refused, or ends with a bye like the
// others: its page knows that it is open before the server has noted it.
func TestDrainTellsWhoIsComing(t *testing.T) {
	for range 150 {
		w := newWorld(t, Limits{})
		silent := w.dial("")
		drained := make(chan error, 1)
		go func() { drained <- w.gateway.Drain(context.Background()) }() // awaited below
		code, frames := silent.end()
		if code != 4003 || len(frames) != 1 || frames[0].Bye == nil {
			t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
		}
		w.must(<-drained)
	}
}

func TestDrainCutsWhoDoesNotAnswer(t *testing.T) {
	w := newWorld(t, Limits{Drain: 100 * time.Millisecond})
	c := w.tcp()
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", strings.TrimPrefix(w.url, "http://"))
	head := make([]byte, 12)
	if _, err := c.Read(head); err != nil || string(head) != "HTTP/1.1 101" {
		t.Fatalf("%s %v", head, err)
	}
	start := time.Now()
	w.must(w.gateway.Drain(context.Background()))
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("drain took %v", d)
	}
}

func TestBeats(t *testing.T) {
	w := newWorld(t, Limits{Beat: 64 * time.Millisecond})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	p := w.connect(g.Credential, chat.SurfaceWidget)
	if f := p.until(func(f protocol.ServerFrame) bool { return f.Beat != nil }); len(f.Beat.Heads) != 0 {
		t.Errorf("got %s", protocol.EncodeServer(f))
	}
	p.join(room)
	w.say(g.Credential, room, "hi")
	p.until(func(f protocol.ServerFrame) bool {
		return f.Beat != nil && len(f.Beat.Heads) == 1 && f.Beat.Heads[0].Room == room && f.Beat.Heads[0].Seq == 2
	})
	if f := p.ask(protocol.ClientFrame{Ping: &protocol.Empty{}}); f.Pong == nil || len(f.Pong.Heads) != 1 {
		t.Errorf("got %s", protocol.EncodeServer(f))
	}
}

// A peer that stops reading loses its socket as slow_consumer, holds up nobody,
// and finds everything again afterwards. If it reads on before the write
// deadline it hears why; otherwise it is cut (write-time in TestEachLimit).
func TestSlowConsumer(t *testing.T) { slowConsumer(t, time.Minute, true) }

func slowConsumer(t *testing.T, write time.Duration, readsOn bool) {
	w := newWorld(t, Limits{QueueFrames: 64, QueueBytes: 256 << 10, Write: write})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	tcp, r := w.rawSocket(g.Credential)
	tcp.Write(wsFrame(0x81, fmt.Appendf(nil, `{"id":2,"join":{"room":"%s"}}`, room)))
	if op, payload := readFrame(r); op != 1 || !strings.Contains(string(payload), `"joined"`) {
		t.Fatalf("got %d %s", op, payload)
	}
	var slow *conn
	w.gateway.mu.Lock()
	for c := range w.gateway.conns {
		slow = c
	}
	w.gateway.mu.Unlock()
	fast := w.connect(g.Credential, chat.SurfaceWidget)
	fast.join(room)
	text := strings.Repeat("x", 4000)
	sent := int64(1)
	for late := time.Now().Add(3 * patience); !slow.over(); {
		if time.Now().After(late) {
			t.Fatalf("after %d messages the slow socket is still open", sent)
		}
		sent = w.say(g.Credential, room, text).Seq
		fast.until(func(f protocol.ServerFrame) bool { return f.Event != nil && f.Event.Event.Seq == sent })
	}
	if readsOn {
		tcp.SetDeadline(time.Now().Add(4 * patience)) // megabytes are on their way
		if code := closeCode(t, tcp, r); code != 4002 {
			t.Errorf("closed with %d", code)
		}
	}
	w.eventually("the slow socket is gone", func() bool {
		w.gateway.mu.Lock()
		defer w.gateway.mu.Unlock()
		return len(w.gateway.conns) == 1
	})
	again := w.connect(g.Credential, chat.SurfaceWidget)
	if f := again.join(room); f.Joined == nil || f.Joined.Head != sent {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
}

// Typing that says nothing new within a few seconds goes no further.
func TestTypingIsCoalesced(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	p := w.connect(g.Credential, chat.SurfaceWidget)
	staff := w.connect(w.login("mia", chat.SurfaceInbox).Credential, chat.SurfaceInbox)
	staff.join(room)
	typing := func(active bool) (n int) {
		t.Helper()
		if f := p.ask(protocol.ClientFrame{Typing: &protocol.Typing{Room: room, Active: active}}); f.OK == nil {
			t.Fatalf("got %s", protocol.EncodeServer(f))
		}
		for _, f := range staff.fence() {
			if f.Typing != nil && f.Typing.Active == active {
				n++
			}
		}
		return n
	}
	for i, c := range []struct {
		skip   time.Duration
		active bool
		want   int
	}{{0, true, 1}, {0, true, 0}, {rooms.TypingEvery - 500*time.Millisecond, true, 0}, {time.Second, true, 1}, {0, false, 1}, {0, true, 1}} {
		w.skip(c.skip)
		if n := typing(c.active); n != c.want {
			t.Errorf("step %d: %d signals, want %d", i, n, c.want)
		}
	}
}
