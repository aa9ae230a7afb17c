//go:build !js

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// few is a rate whose minute is long enough that the tests' own time does not count.
var few = Rate{time.Minute, 3}

// eachLimit has a test for every limit under its name: below and at the limit
// one is served, above it one is refused with a typed error that says when to
// try again (times: what is late ends, and never early).
var eachLimit = map[string]func(t *testing.T){
	"requests-address": func(t *testing.T) {
		w := newWorld(t, Limits{Requests: few})
		w.below("requests", 3, func() reply { return w.call("GET", "/api/vendors", "", nil) })
		if r := w.call("GET", "/healthz", "", nil); r.status != 200 {
			t.Errorf("a probe: %d", r.status)
		}
	},
	"requests-principal": func(t *testing.T) {
		w := newWorld(t, Limits{PrincipalRequests: few})
		g, h := w.guest(), w.guest()
		w.below("requests", 3, func() reply { return w.call("GET", "/api/me", g.Credential, nil) })
		if r := w.call("GET", "/api/me", h.Credential, nil); r.status != 200 {
			t.Errorf("another principal: %d", r.status)
		}
	},
	"guest-sessions-address": func(t *testing.T) {
		w := newWorld(t, Limits{GuestSessions: few})
		w.below("guests", 3, func() reply { return w.call("POST", "/api/guest-sessions", "", nil) })
	},
	"logins-address": func(t *testing.T) {
		w := newWorld(t, Limits{LogIns: few})
		w.user("mia", chat.RoleUser)
		w.below("log-ins", 3, func() reply {
			return w.call("POST", "/api/login", "", logIn{Username: "mia", Password: "mia-mia-pw", Surface: "inbox"})
		})
	},
	"failed-logins-address": func(t *testing.T) {
		w := newWorld(t, Limits{FailedLogIns: few})
		w.user("mia", chat.RoleUser)
		for range 5 {
			w.login("mia", chat.SurfaceInbox) // good ones do not count
		}
		n := 0
		w.below("failed log-ins", 3, func() reply {
			n++
			return w.call("POST", "/api/login", "", logIn{Username: fmt.Sprint("x", n), Password: "wrong-wrong", Surface: "inbox"})
		})
	},
	"failed-logins-account": func(t *testing.T) {
		w := newWorldAt(t, Limits{AccountLogIns: few}, "", "127.0.0.0/8", "::1/128")
		w.user("mia", chat.RoleUser)
		n := 0
		w.below("failed log-ins", 3, func() reply {
			n++
			return w.call("POST", "/api/login", "", logIn{Username: []string{"mia", "MIA"}[n%2], Password: "wrong-wrong", Surface: "inbox"},
				"X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n))
		})
		// A password that is guessed where one is changed counts, too.
		w = newWorld(t, Limits{AccountLogIns: few})
		w.user("mia", chat.RoleUser)
		s := w.login("mia", chat.SurfaceInbox)
		w.below("guesses", 3, func() reply {
			return w.call("POST", "/api/password", s.Credential, password{"wrong-wrong-wrong", "new-new-new-1"})
		})
		// Nobody else can use it up: a user's id is public, and a log-in can name anything.
		bo := w.user("bo", chat.RoleUser)
		s = w.login("bo", chat.SurfaceInbox)
		for range 5 {
			w.call("POST", "/api/login", "", logIn{Username: string(bo), Password: "wrong-wrong", Surface: "inbox"})
		}
		w.get(nil, "POST", "/api/password", s.Credential, password{"bo-bo-pw", "new-new-new-1"})
	},
	"connections-address": limitedConnections,

	"rooms-guest":   func(t *testing.T) { limitedRooms(t, Limits{GuestRooms: few}, true) },
	"rooms-user":    func(t *testing.T) { limitedRooms(t, Limits{UserRooms: few}, false) },
	"rooms-address": func(t *testing.T) { limitedRooms(t, Limits{AddressRooms: few}, false) },
	"messages-guest": func(t *testing.T) {
		w := newWorld(t, Limits{GuestSends: few})
		w.vendor("maple", w.user("mia", chat.RoleUser))
		g := w.guest()
		room := w.open(g.Credential, "maple")
		p := w.connect(g.Credential, chat.SurfaceWidget)
		// The socket and the API share the allowance.
		p.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: "a", Text: "one"}})
		w.below("messages", 2, func() reply {
			return w.call("POST", "/api/rooms/"+string(room)+"/messages", g.Credential, message{w.cmid(), "t"})
		})
		f := p.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: "b", Text: "two"}})
		if errorOf(f) != chat.CodeRateLimited || f.Error.RetryAfterMS < 1 || f.Error.Room != room {
			t.Errorf("got %s", protocol.EncodeServer(f))
		}
	},
	"messages-user": func(t *testing.T) {
		w := newWorld(t, Limits{GuestSends: few, UserSends: Rate{time.Minute, 5}})
		w.vendor("maple", w.user("mia", chat.RoleUser))
		room := w.open(w.guest().Credential, "maple")
		mia := w.login("mia", chat.SurfaceInbox).Credential
		w.below("messages of a user", 5, func() reply {
			return w.call("POST", "/api/rooms/"+string(room)+"/messages", mia, message{w.cmid(), "t"})
		})
	},
	"frames-socket": func(t *testing.T) {
		w := newWorld(t, Limits{Frames: few})
		p := w.connect(w.guest().Credential, chat.SurfaceWidget)
		ping := protocol.ClientFrame{Ping: &protocol.Empty{}}
		for i := range 3 {
			if f := p.ask(ping); f.Pong == nil {
				t.Errorf("frame %d: %s", i+1, protocol.EncodeServer(f))
			}
		}
		f := p.ask(ping)
		if errorOf(f) != chat.CodeRateLimited || f.Error.RetryAfterMS < 1 {
			t.Fatalf("got %s", protocol.EncodeServer(f))
		}
		w.skip(time.Duration(f.Error.RetryAfterMS) * time.Millisecond)
		if f := p.ask(ping); f.Pong == nil {
			t.Errorf("after the wait: %s", protocol.EncodeServer(f))
		}
		// 64 refused ones end the socket; 63 do not.
		for range 63 {
			if f := p.ask(ping); errorOf(f) != chat.CodeRateLimited {
				t.Fatalf("got %s", protocol.EncodeServer(f))
			}
		}
		p.raw(`{"ping":{}}`)
		p.raw(`{"ping":{}}`)
		p.floodedOut(t)
	},
	"kib-socket": func(t *testing.T) {
		w := newWorld(t, Limits{ReadBytes: Rate{time.Hour, 64}})
		p := w.connect(w.guest().Credential, chat.SurfaceWidget)
		// 63 messages of a KiB with their frame's header, and one more with what is left.
		for range 63 {
			p.raw(`{"ping":{}}` + strings.Repeat(" ", 1024-8-11))
		}
		p.fence()
		p.raw(`{"ping":{}}` + strings.Repeat(" ", 2048))
		p.floodedOut(t)
	},
	"control-socket": limitedControl,
	"sockets-principal": func(t *testing.T) {
		w := newWorld(t, Limits{Sockets: 2})
		g := w.guest()
		first := w.connect(g.Credential, chat.SurfaceWidget)
		w.connect(g.Credential, chat.SurfaceWidget)
		p := w.dial("")
		p.raw(hello(g.Credential, chat.SurfaceWidget, ""))
		p.floodedOut(t)
		w.connect(w.guest().Credential, chat.SurfaceWidget) // another principal
		first.ws.Close(websocket.StatusNormalClosure, "")
		w.eventually("a closed socket makes room", func() bool {
			w.gateway.byPrincipal.mu.Lock()
			defer w.gateway.byPrincipal.mu.Unlock()
			return w.gateway.byPrincipal.of[string(g.ID)] == 1
		})
		w.connect(g.Credential, chat.SurfaceWidget)
	},
	"sockets-address": func(t *testing.T) {
		w := newWorld(t, Limits{AddressSockets: 2})
		w.dial("")
		w.connect(w.guest().Credential, chat.SurfaceWidget)
		w.noSocket()
	},
	"sockets-pending": func(t *testing.T) {
		w := newWorld(t, Limits{PendingSockets: 2})
		w.connect(w.guest().Credential, chat.SurfaceWidget)
		w.dial("")
		w.dial("")
		w.noSocket()
	},
	"queue-frames": func(t *testing.T) { fullQueue(t, Limits{QueueFrames: 8, QueueBytes: 1000}, 8, 1) },
	"queue-bytes":  func(t *testing.T) { fullQueue(t, Limits{QueueFrames: 80, QueueBytes: 1000}, 4, 250) },
	"hello-time": func(t *testing.T) {
		w := newWorld(t, Limits{Hello: 300 * time.Millisecond})
		began := time.Now()
		w.dial("").late(t, began, 300*time.Millisecond)
		if p := w.connect(w.guest().Credential, chat.SurfaceWidget); len(p.fence()) > 0 {
			t.Error("who said hello is not left alone")
		}
	},
	"message-time": func(t *testing.T) {
		w := newWorld(t, Limits{Message: 300 * time.Millisecond})
		c, r := w.rawSocket(w.guest().Credential)
		began := time.Now()
		c.Write(wsFrame(0x01, []byte(`{"id"`))) // the first fragment, and then nothing
		if code := closeCode(t, c, r); code != 4004 {
			t.Errorf("closed with %d", code)
		}
		if d := time.Since(began); d < 300*time.Millisecond {
			t.Errorf("ended early, after %v", d)
		}
	},
	"write-time": func(t *testing.T) { slowConsumer(t, 300*time.Millisecond, false) },
	"beat-time": func(t *testing.T) {
		w := newWorld(t, Limits{Beat: 64 * time.Millisecond})
		p := w.connect(w.guest().Credential, chat.SurfaceWidget)
		for range 2 {
			p.until(func(f protocol.ServerFrame) bool { return f.Beat != nil })
		}
		w = newWorld(t, Limits{Beat: time.Hour})
		p = w.connect(w.guest().Credential, chat.SurfaceWidget)
		for _, f := range p.fence() {
			if f.Beat != nil {
				t.Error("a beat within the hour")
			}
		}
	},
	"request-time": func(t *testing.T) {
		w := newWorld(t, Limits{Request: 200 * time.Millisecond})
		g := w.guest()
		p := w.connect(g.Credential, chat.SurfaceWidget)
		w.stalled.Store(true)
		began := time.Now()
		r := w.call("GET", "/api/me", g.Credential, nil)
		f := p.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{}})
		if d := time.Since(began); d < 400*time.Millisecond {
			t.Errorf("given up early, after %v", d)
		}
		w.stalled.Store(false)
		if r.status != 503 || r.code() != chat.CodeUnavailable || r.header.Get("Retry-After") != "1" {
			t.Errorf("the API: %d %s", r.status, r.body)
		}
		if errorOf(f) != chat.CodeUnavailable || f.Error.RetryAfterMS < 1 {
			t.Errorf("the socket: %s", protocol.EncodeServer(f))
		}
		if r := w.call("GET", "/api/me", g.Credential, nil); r.status != 200 {
			t.Errorf("afterwards: %d", r.status)
		}
	},
	"http-header-time": func(t *testing.T) {
		trickle(t, Limits{Header: 300 * time.Millisecond}, 300*time.Millisecond, "GET /api/vendors HTTP/1.1\r\nHost: HOST\r\nX: ")
	},
	"http-body-time": func(t *testing.T) {
		trickle(t, Limits{Body: 300 * time.Millisecond}, 300*time.Millisecond,
			"POST /api/revoke HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{")
	},
	"http-answer-time": func(t *testing.T) {
		given := make(chan time.Duration, 1)
		addr := serveWith(t, Limits{Answer: 300 * time.Millisecond}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					given <- time.Since(began)
					return
				}
			}
		}))
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // and nothing of the answer is read
		select {
		case d := <-given:
			if d < 200*time.Millisecond { // the time runs from the end of the header
				t.Errorf("given up early, after %v", d)
			}
		case <-time.After(patience):
			t.Fatal("an answer that nobody reads goes on")
		}
	},
	"http-idle-time": func(t *testing.T) {
		l := Limits{Idle: 300 * time.Millisecond}
		addr := serveWith(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		r := bufio.NewReader(c)
		for range 2 {
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			res, err := http.ReadResponse(r, nil)
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%v %v", res, err)
			}
		}
		began := time.Now()
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection: %v", err)
		}
		if d := time.Since(began); d < 250*time.Millisecond {
			t.Errorf("closed early, after %v", d)
		}
	},
}

// Every row of the table of limits has a test below, at and above it.
func TestEachLimit(t *testing.T) {
	known := map[string]bool{}
	for _, name := range LimitNames() {
		known[name] = true
		f := eachLimit[name]
		if f == nil {
			t.Errorf("the limit %s has no test: add one to eachLimit", name)
			continue
		}
		t.Run(name, f)
	}
	for name := range eachLimit {
		if !known[name] {
			t.Errorf("there is no limit %s", name)
		}
	}
}

func limitedRooms(t *testing.T, l Limits, asGuest bool) {
	w := newWorld(t, l)
	mia := w.user("mia", chat.RoleUser)
	w.user("ada", chat.RoleUser)
	for i := range 6 {
		w.vendor(fmt.Sprintf("v%d", i), mia)
	}
	credential := w.login("ada", chat.SurfaceWidget).Credential
	if asGuest {
		credential = w.guest().Credential
	}
	for range 5 { // the same room again and again
		w.skip(time.Millisecond)
		w.open(credential, "v0")
	}
	n := 0
	w.below("rooms", 2, func() reply {
		n = min(n+1, 4)
		return w.call("POST", "/api/rooms", credential, createRoom{ClientID: w.cmid(), Vendor: fmt.Sprint("v", n)})
	})
}

// floodedOut expects the end of a socket that was asked too much of: a typed
// goodbye with the time to wait, and its close code.
func (p *peer) floodedOut(t *testing.T) {
	t.Helper()
	code, frames := p.end()
	if code != 4001 || len(frames) == 0 {
		t.Fatalf("closed with %d after %s", code, protocol.EncodeServer(frames...))
	}
	last := frames[len(frames)-1]
	if last.Bye == nil || last.Bye.Code != chat.CodeRateLimited || last.Bye.RetryAfterMS < 1 {
		t.Errorf("the last frame is %s", protocol.EncodeServer(last))
	}
}

// late expects the end of a socket for being late, and not before its time.
func (p *peer) late(t *testing.T, began time.Time, limit time.Duration) {
	t.Helper()
	code, frames := p.end()
	if d := time.Since(began); d < limit {
		t.Errorf("ended early, after %v", d)
	}
	if code != 4004 || len(frames) == 0 || frames[len(frames)-1].Bye == nil || frames[len(frames)-1].Bye.RetryAfterMS < 1 {
		t.Errorf("closed with %d after %s", code, protocol.EncodeServer(frames...))
	}
}

// noSocket expects that a further socket is refused, with the time to wait.
func (w *world) noSocket() {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, w.url+"/ws", nil)
	if err == nil {
		ws.CloseNow()
		w.Fatal("one more socket was opened")
	}
	var b errorBody
	if err := json.NewDecoder(res.Body).Decode(&b); err != nil || res.StatusCode != 429 || b.Error.Code != chat.CodeRateLimited || b.Error.RetryAfterMS < 1 || res.Header.Get("Retry-After") == "" {
		w.Errorf("refused with %d %+v, %v", res.StatusCode, b, err)
	}
}

// fullQueue fills a queue that cannot write: most items stay, one more ends it.
func fullQueue(t *testing.T, l Limits, most, size int) {
	synctest.Test(t, func(t *testing.T) {
		for _, over := range []int{-1, 0, 1} {
			s, q := &script{}, &queue{}
			q.init(s, l)
			release := s.block()
			q.Deliver(event("r", "0"))
			synctest.Wait() // it is being written
			for range most + over {
				q.Deliver(event("r", strings.Repeat("x", size)))
			}
			release()
			synctest.Wait()
			s.mu.Lock()
			got := strings.Join(s.log, " ")
			s.mu.Unlock()
			if ended := strings.Contains(got, "end slow_consumer"); ended != (over > 0) {
				t.Errorf("%d of %d: %s", most+over, most, got)
			}
		}
	})
}

// serveWith serves h with the times of l until the test ends.
func serveWith(t *testing.T, l Limits, h http.Handler, options ...func(*http.Server)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := l.Server(h, log.New(io.Discard, "", 0))
	for _, o := range options {
		o(s)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(listener) }() // ended below
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("a connection is still served: %v", err)
		}
		<-done
	})
	return listener.Addr().String()
}

// trickle sends the beginning of a request and then a byte now and then: the
// connection ends, not before its time, and others are served meanwhile.
func trickle(t *testing.T, l Limits, limit time.Duration, begin string) {
	w := newWorldAt(t, Limits{}, "http://chat.example")
	addr := serveWith(t, l, w.gateway.Handler())
	began := time.Now() // before the connection, with which the server's clock begins
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, strings.ReplaceAll(begin, "HOST", "chat.example"))
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with the test
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				c.Write([]byte("x"))
			}
		}
	}()
	req, err := http.NewRequest("GET", "http://"+addr+"/api/vendors", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "chat.example"
	if res, err := http.DefaultTransport.RoundTrip(req); err != nil || res.StatusCode != 200 {
		t.Errorf("somebody else meanwhile: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	c.SetReadDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("the connection was not ended: %q", answer)
	}
	if d := time.Since(began); d < limit {
		t.Errorf("ended early, after %v", d)
	}
	if bytes.Contains(answer, []byte(" 200 ")) || bytes.Contains(answer, []byte(" 204 ")) {
		t.Errorf("answered %q", answer)
	}
}
