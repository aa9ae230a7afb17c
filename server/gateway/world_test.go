//go:build !js

package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/server/auth"
	"anteroom/server/broker"
	"anteroom/server/conformance"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// world is a running server with people.
type world struct {
	testing.TB
	storage storage.Storage
	auth    *auth.Service
	rooms   *rooms.Service
	gateway *Gateway
	url     string       // of the server, and its public URL
	reads   atomic.Int64 // of storage, by the server
	skew    atomic.Int64
	log     syncBuffer
	ids     atomic.Int64
	stalled atomic.Bool  // storage does not answer
	asked   atomic.Int64 // transactions of the server
	wrote   atomic.Int64 // those among them that may write
}

// gated is the server's road to the world's storage.
type gated struct {
	storage.Storage
	w *world
}

func (g gated) pass(ctx context.Context) error {
	g.w.asked.Add(1)
	if g.w.stalled.Load() {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (g gated) View(ctx context.Context, f func(storage.Reader) error) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Storage.View(ctx, f)
}

func (g gated) Update(ctx context.Context, f func(storage.Writer) error) error {
	g.w.wrote.Add(1)
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Storage.Update(ctx, f)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// countedStorage counts what the server reads; the test's own reads go past it.
type countedStorage struct {
	storage.Storage
	reads *atomic.Int64
}

func (s countedStorage) View(ctx context.Context, f func(storage.Reader) error) error {
	return s.Storage.View(ctx, func(r storage.Reader) error { return f(conformance.CountReads(r, s.reads)) })
}

func (s countedStorage) Update(ctx context.Context, f func(storage.Writer) error) error {
	return s.Storage.Update(ctx, func(w storage.Writer) error { return f(conformance.CountReadsOfWriter(w, s.reads)) })
}

// newWorld starts a server; the limits' zero fields are unlimited rates here.
func newWorld(t testing.TB, l Limits) *world {
	t.Helper()
	return newWorldAt(t, l, "")
}

// newWorldAt is newWorld under another public URL.
func newWorldAt(t testing.TB, l Limits, public string, proxies ...string) *world {
	t.Helper()
	return newWorldOn(t, storage.NewMemory(), l, public, proxies...)
}

// newWorldOn is newWorldAt on a storage, which it closes.
func newWorldOn(t testing.TB, st storage.Storage, l Limits, public string, proxies ...string) *world {
	t.Helper()
	for _, r := range []*Rate{
		&l.Requests, &l.PrincipalRequests, &l.LogIns, &l.FailedLogIns, &l.AccountLogIns, &l.GuestSessions,
		&l.GuestRooms, &l.UserRooms, &l.AddressRooms, &l.UserSends, &l.GuestSends, &l.Frames, &l.ReadBytes,
	} {
		if *r == (Rate{}) {
			*r = Unlimited
		}
	}
	w := &world{TB: t, storage: st}
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	counted := gated{countedStorage{w.storage, &w.reads}, w}
	w.auth = auth.New(counted, auth.Config{
		Now: w.now, Log: log, Hasher: auth.Params{Memory: 64, Time: 1, Threads: 1},
	})
	b := broker.NewLocal()
	var err error
	w.rooms, err = rooms.New(rooms.Config{Storage: counted, Broker: b, Auth: w.auth, Now: w.now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w.auth.OnChange(w.rooms.Recheck)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gateway.Handler().ServeHTTP(rw, r)
	}))
	w.url = "http://" + server.Listener.Addr().String()
	if public == "" {
		public = w.url
	}
	u, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	w.gateway = New(Config{Rooms: w.rooms, Auth: w.auth, PublicURL: u, TrustedProxies: prefixes(t, proxies...), Limits: l, Log: log, Now: w.now, Version: "test"})
	server.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.gateway.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		server.Close()
		w.rooms.Stop()
		b.Close()
		w.storage.Close()
		// An upgrade that Drain was just too late for undoes itself a moment later.
		w.eventually("nothing is left of closed sockets", func() bool {
			n := len(w.gateway.conns)
			for _, c := range []*counts{w.gateway.byAddress, w.gateway.pending, w.gateway.byPrincipal} {
				c.mu.Lock()
				n += len(c.of)
				c.mu.Unlock()
			}
			return n == 0
		})
		if strings.Contains(w.log.String(), "panic") {
			t.Errorf("a panic: %s", w.log.String())
		}
	})
	return w
}

// now is the server's clock: the real one and what the test skipped.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

// skip moves the server's clock forward.
func (w *world) skip(d time.Duration) { w.skew.Add(int64(d)) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// reply is an HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// code is the error code of an answer, "" for a good one.
func (r reply) code() chat.Code {
	if r.status < 400 {
		return ""
	}
	var b errorBody
	if json.Unmarshal(r.body, &b) != nil || b.Error.Code == "" || b.Error.Message == "" {
		return chat.Code(fmt.Sprintf("malformed: %s", r.body))
	}
	return b.Error.Code
}

// call makes an API request; body is a string, bytes or a value to encode.
func (w *world) call(method, path, credential string, body any, header ...string) reply {
	w.Helper()
	var r io.Reader
	if body != nil {
		b, ok := body.([]byte)
		if s, isText := body.(string); isText {
			b, ok = []byte(s), true
		}
		if !ok {
			var err error
			b, err = json.Marshal(body)
			w.must(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, w.url+path, r)
	w.must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	out.body, err = io.ReadAll(res.Body)
	w.must(err)
	return out
}

// get is a call that must succeed; it decodes the answer into v unless that is nil.
func (w *world) get(v any, method, path, credential string, body any) {
	w.Helper()
	r := w.call(method, path, credential, body)
	if r.status >= 300 {
		w.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	if v != nil {
		w.must(json.Unmarshal(r.body, v))
	}
}

// guest mints a guest session.
func (w *world) guest() guestSession {
	w.Helper()
	var g guestSession
	w.get(&g, "POST", "/api/guest-sessions", "", nil)
	return g
}

// user makes a built-in account; its password is its name twice.
func (w *world) user(name string, role chat.Role) chat.UserID {
	w.Helper()
	u, err := w.auth.CreateUser(context.Background(), auth.NewUser{Username: name, Name: strings.ToUpper(name[:1]) + name[1:], Role: role, Password: name + "-" + name + "-pw"})
	w.must(err)
	return u.ID
}

func (w *world) login(name string, surface chat.Surface) session {
	w.Helper()
	var s session
	w.get(&s, "POST", "/api/login", "", logIn{Username: name, Password: name + "-" + name + "-pw", Surface: surface})
	return s
}

// vendor makes a vendor with staff.
func (w *world) vendor(slug string, staff ...chat.UserID) {
	w.Helper()
	v, err := w.rooms.AddVendor(context.Background(), slug, slug, "")
	w.must(err)
	for _, u := range staff {
		w.must(w.rooms.SetVendorMember(context.Background(), v.ID, u, true))
	}
}

func (w *world) cmid() chat.ClientID { return chat.ClientID(fmt.Sprintf("c%d", w.ids.Add(1))) }

// open makes a room of the credential's principal with a vendor.
func (w *world) open(credential, vendor string) chat.RoomID {
	w.Helper()
	var f protocol.RoomFrame
	w.get(&f, "POST", "/api/rooms", credential, createRoom{ClientID: w.cmid(), Vendor: vendor})
	return f.Room.ID
}

func (w *world) say(credential string, room chat.RoomID, text string) protocol.Ack {
	w.Helper()
	var a protocol.Ack
	w.get(&a, "POST", "/api/rooms/"+string(room)+"/messages", credential, message{w.cmid(), text})
	return a
}

// peer is a client at the other end of a WebSocket.
type peer struct {
	w      *world
	ws     *websocket.Conn
	frames chan protocol.ServerFrame
	closed chan error // the reason, once
	id     int64
}

// dial opens a socket without saying hello.
func (w *world) dial(query string) *peer {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, w.url+"/ws"+query, nil)
	w.must(err)
	ws.SetReadLimit(protocol.MaxServerMessage)
	p := &peer{w: w, ws: ws, frames: make(chan protocol.ServerFrame, 10_000), closed: make(chan error, 1)}
	go func() { // ends with the socket
		for {
			_, message, err := ws.Read(context.Background())
			if err != nil {
				p.closed <- err
				close(p.frames)
				return
			}
			frames, err := protocol.DecodeServer(message)
			if err != nil {
				w.Errorf("server sent %q: %v", message, err)
			}
			for _, f := range frames {
				p.frames <- f
			}
		}
	}()
	w.Cleanup(func() { ws.CloseNow() })
	return p
}

// connect opens a socket and is welcomed.
func (w *world) connect(credential string, surface chat.Surface) *peer {
	w.Helper()
	p := w.dial("")
	f := p.ask(protocol.ClientFrame{Hello: &protocol.Hello{Version: 1, Credential: credential, Surface: surface}})
	if f.Welcome == nil {
		w.Fatalf("no welcome: %s", protocol.EncodeServer(f))
	}
	return p
}

func (p *peer) raw(message string) {
	p.w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.w.must(p.ws.Write(ctx, websocket.MessageText, []byte(message)))
}

// ask sends a frame and returns its answer.
func (p *peer) ask(f protocol.ClientFrame) protocol.ServerFrame {
	p.w.Helper()
	p.id++
	f.ID = p.id
	p.raw(string(protocol.EncodeClient(f)))
	return p.until(func(a protocol.ServerFrame) bool { return a.Re == f.ID })
}

// until returns the next frame that fits; frames before it are dropped.
func (p *peer) until(fits func(protocol.ServerFrame) bool) protocol.ServerFrame {
	p.w.Helper()
	late := time.After(patience)
	for {
		select {
		case f, ok := <-p.frames:
			if !ok {
				p.w.Fatalf("closed while waiting for a frame: %v", <-p.closed)
			}
			if fits(f) {
				return f
			}
		case <-late:
			p.w.Fatal("no such frame came")
		}
	}
}

// fence returns the frames that came before the answer to a ping.
func (p *peer) fence() (before []protocol.ServerFrame) {
	p.w.Helper()
	p.id++
	p.raw(string(protocol.EncodeClient(protocol.ClientFrame{ID: p.id, Ping: &protocol.Empty{}})))
	p.until(func(f protocol.ServerFrame) bool {
		if f.Re == p.id {
			return true
		}
		before = append(before, f)
		return false
	})
	return before
}

func (p *peer) join(room chat.RoomID) protocol.ServerFrame {
	p.w.Helper()
	return p.ask(protocol.ClientFrame{Join: &protocol.Join{Room: room}})
}

// end waits for the end of the socket and returns the close code and the frames before it.
func (p *peer) end() (websocket.StatusCode, []protocol.ServerFrame) {
	p.w.Helper()
	var before []protocol.ServerFrame
	late := time.After(patience)
	for {
		select {
		case f, ok := <-p.frames:
			if !ok {
				return websocket.CloseStatus(<-p.closed), before
			}
			before = append(before, f)
		case <-late:
			p.w.Fatal("the socket did not end")
		}
	}
}

// errorOf is the code of an error frame, "" for another frame.
func errorOf(f protocol.ServerFrame) chat.Code {
	if f.Error == nil {
		return ""
	}
	return f.Error.Code
}

// tcp dials the server.
func (w *world) tcp() net.Conn { return w.tcpAt(strings.TrimPrefix(w.url, "http://")) }

func (w *world) tcpAt(addr string) net.Conn {
	w.Helper()
	c, err := net.Dial("tcp", addr)
	w.must(err)
	w.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}
