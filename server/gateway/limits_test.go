//go:build !js

package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func TestTable(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tb := newTable("things", Rate{time.Second, 3})
	for i := range 3 {
		if err := tb.take(now, "a", 1); err != nil {
			t.Fatalf("take %d: %v", i, err)
		}
	}
	err := tb.take(now, "a", 1)
	e, ok := err.(*chat.Error)
	if !ok || e.Code != chat.CodeRateLimited || e.RetryAfter < time.Second || e.RetryAfter > time.Second+2*time.Millisecond {
		t.Fatalf("got %v after %v", err, e.RetryAfter)
	}
	if err := tb.take(now.Add(time.Second-time.Millisecond), "a", 1); err == nil {
		t.Error("taken before the time it named")
	}
	if err := tb.take(now.Add(e.RetryAfter), "a", 1); err != nil {
		t.Errorf("refused at the time it named: %v", err)
	}
	if err := tb.take(now, "b", 1); err != nil {
		t.Errorf("another key: %v", err)
	}
	tb.give(now.Add(e.RetryAfter), "a", 1)
	if err := tb.take(now.Add(e.RetryAfter), "a", 1); err != nil {
		t.Errorf("after giving back: %v", err)
	}
	for range 100 {
		tb.give(now.Add(time.Second), "a", 1)
	}
	n := 0
	for tb.take(now.Add(2*time.Second), "a", 1) == nil {
		n++
	}
	if n > 3 {
		t.Errorf("giving back made %d of a burst of 3", n)
	}
}

func TestTableIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tb := newTable("things", Rate{time.Hour, 2})
	tb.size = 64
	tb.take(now, "mine", 2)
	for i := range 1000 {
		tb.take(now, fmt.Sprint(i), i%3)
		if len(tb.limiters) > 64 {
			t.Fatalf("%d entries", len(tb.limiters))
		}
	}
}

// below uses a limit up, expects the next to be refused with the time to wait,
// and that one to be good after that time.
func (w *world) below(name string, n int, do func() reply) {
	w.Helper()
	for i := range n {
		if r := do(); r.code() == chat.CodeRateLimited {
			w.Errorf("%s: number %d of %d: %s", name, i+1, n, r.body)
			return
		}
	}
	r := do()
	if r.code() != chat.CodeRateLimited || r.status != 429 {
		w.Errorf("%s: number %d of %d: %d %s", name, n+1, n, r.status, r.body)
		return
	}
	var b errorBody
	w.must(json.Unmarshal(r.body, &b))
	if b.Error.RetryAfterMS < 1 || r.header.Get("Retry-After") != fmt.Sprint((b.Error.RetryAfterMS+999)/1000) {
		w.Errorf("%s: no time to wait: %s, %s", name, r.body, r.header.Get("Retry-After"))
	}
	w.skip(time.Duration(b.Error.RetryAfterMS) * time.Millisecond)
	if r := do(); r.code() == chat.CodeRateLimited {
		w.Errorf("%s: refused after the time it named: %s", name, r.body)
	}
}

func TestRates(t *testing.T) {
	// A minute is long enough that the tests' own time does not count.
	few := Rate{time.Minute, 3}
	t.Run("requests of an address", func(t *testing.T) {
		w := newWorld(t, Limits{Requests: few})
		w.below("requests", 3, func() reply { return w.call("GET", "/api/vendors", "", nil) })
		if r := w.call("GET", "/healthz", "", nil); r.status != 200 {
			t.Errorf("a probe: %d", r.status)
		}
	})
	t.Run("requests of a principal", func(t *testing.T) {
		w := newWorld(t, Limits{PrincipalRequests: few})
		g, h := w.guest(), w.guest()
		w.below("requests", 3, func() reply { return w.call("GET", "/api/me", g.Credential, nil) })
		if r := w.call("GET", "/api/me", h.Credential, nil); r.status != 200 {
			t.Errorf("another principal: %d", r.status)
		}
	})
	t.Run("guest sessions", func(t *testing.T) {
		w := newWorld(t, Limits{GuestSessions: few})
		w.below("guests", 3, func() reply { return w.call("POST", "/api/guest-sessions", "", nil) })
	})
	t.Run("log-ins", func(t *testing.T) {
		w := newWorld(t, Limits{LogIns: few})
		w.user("mia", chat.RoleUser)
		w.below("log-ins", 3, func() reply {
			return w.call("POST", "/api/login", "", logIn{Username: "mia", Password: "mia-mia-pw", Surface: "inbox"})
		})
	})
	t.Run("failed log-ins of an address", func(t *testing.T) {
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
	})
	t.Run("failed log-ins of an account", func(t *testing.T) {
		w := newWorldAt(t, Limits{AccountLogIns: few}, "", "127.0.0.0/8", "::1/128")
		w.user("mia", chat.RoleUser)
		n := 0
		w.below("failed log-ins", 3, func() reply {
			n++
			return w.call("POST", "/api/login", "", logIn{Username: []string{"mia", "MIA"}[n%2], Password: "wrong-wrong", Surface: "inbox"},
				"X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n))
		})
	})
	t.Run("passwords", func(t *testing.T) {
		w := newWorld(t, Limits{AccountLogIns: few})
		w.user("mia", chat.RoleUser)
		s := w.login("mia", chat.SurfaceInbox)
		w.below("guesses", 3, func() reply {
			return w.call("POST", "/api/password", s.Credential, password{"wrong-wrong-wrong", "new-new-new-1"})
		})
	})
	t.Run("rooms", func(t *testing.T) {
		for name, l := range map[string]Limits{"guest": {GuestRooms: few}, "user": {UserRooms: few}, "address": {AddressRooms: few}} {
			w := newWorld(t, l)
			ids := w.user("mia", chat.RoleUser)
			w.user("ada", chat.RoleUser)
			for i := range 6 {
				w.vendor(fmt.Sprintf("v%d", i), ids)
			}
			credential := w.login("ada", chat.SurfaceWidget).Credential
			if name == "guest" {
				credential = w.guest().Credential
			}
			for range 5 { // the same room again and again
				w.skip(time.Millisecond)
				w.open(credential, "v0")
			}
			n := 0
			w.below(name, 2, func() reply {
				n = min(n+1, 4)
				return w.call("POST", "/api/rooms", credential, createRoom{ClientID: w.cmid(), Vendor: fmt.Sprint("v", n)})
			})
		}
	})
	t.Run("messages", func(t *testing.T) {
		w := newWorld(t, Limits{GuestSends: few, UserSends: Rate{time.Minute, 5}})
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
		mia := w.login("mia", chat.SurfaceInbox).Credential
		w.below("messages of a user", 5, func() reply {
			return w.call("POST", "/api/rooms/"+string(room)+"/messages", mia, message{w.cmid(), "t"})
		})
	})
	t.Run("frames", func(t *testing.T) {
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
	})
}

func TestCaps(t *testing.T) {
	refused := func(w *world) chat.Code {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ws, res, err := websocket.Dial(ctx, w.url+"/ws", nil)
		if err == nil {
			ws.CloseNow()
			return ""
		}
		var b errorBody
		json.NewDecoder(res.Body).Decode(&b)
		return b.Error.Code
	}
	t.Run("principal", func(t *testing.T) {
		w := newWorld(t, Limits{Sockets: 2})
		g := w.guest()
		first := w.connect(g.Credential, chat.SurfaceWidget)
		w.connect(g.Credential, chat.SurfaceWidget)
		p := w.dial("")
		p.raw(hello(g.Credential, chat.SurfaceWidget, ""))
		if code, frames := p.end(); code != 4001 {
			t.Errorf("closed with %d after %s", code, protocol.EncodeServer(frames...))
		}
		w.connect(w.guest().Credential, chat.SurfaceWidget) // another principal
		first.ws.Close(websocket.StatusNormalClosure, "")
		w.eventually("a closed socket makes room", func() bool {
			w.gateway.byPrincipal.mu.Lock()
			defer w.gateway.byPrincipal.mu.Unlock()
			return w.gateway.byPrincipal.of[string(g.ID)] == 1
		})
		w.connect(g.Credential, chat.SurfaceWidget)
	})
	t.Run("address", func(t *testing.T) {
		w := newWorld(t, Limits{AddressSockets: 2})
		w.dial("")
		w.connect(w.guest().Credential, chat.SurfaceWidget)
		if code := refused(w); code != chat.CodeRateLimited {
			t.Errorf("got %q", code)
		}
	})
	t.Run("pending", func(t *testing.T) {
		w := newWorld(t, Limits{PendingSockets: 2})
		w.connect(w.guest().Credential, chat.SurfaceWidget)
		w.dial("")
		w.dial("")
		if code := refused(w); code != chat.CodeRateLimited {
			t.Errorf("got %q", code)
		}
	})
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			w.Fatalf("in vain: %s", what)
		}
	}
}

// An office of 50 people behind one address, all new, with the default limits:
// half of them are staff who log in, half are guests. Everybody is served.
func TestOfficeBehindOneAddress(t *testing.T) {
	l := DefaultLimits
	w := newWorld(t, l)
	mia := w.user("mia", chat.RoleUser)
	w.vendor("maple", mia)
	for i := range 50 {
		var credential string
		surface := chat.SurfaceWidget
		if i%2 == 0 {
			name := fmt.Sprint("staff", i)
			w.user(name, chat.RoleUser)
			surface = chat.SurfaceInbox
			if i%10 == 0 { // somebody mistypes
				w.call("POST", "/api/login", "", logIn{Username: name, Password: "wrong-wrong", Surface: surface})
			}
			credential = w.login(name, surface).Credential
		} else {
			credential = w.guest().Credential
		}
		for range 2 { // two tabs
			p := w.connect(credential, surface)
			for range 5 {
				if f := p.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{}}); f.Rooms == nil {
					t.Fatalf("person %d: %s", i, protocol.EncodeServer(f))
				}
			}
		}
		room := w.open(credential, "maple")
		for range 3 {
			w.say(credential, room, "hello")
		}
	}
}

// The page that specifies the protocol says the defaults.
func TestSpecificationSaysTheDefaults(t *testing.T) {
	raw, err := os.ReadFile("../../store/protocol/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	l := DefaultLimits
	per := func(r Rate, unit time.Duration) int { return int(unit / r.Every) }
	for _, row := range []string{
		fmt.Sprintf("| time to `hello`; from a message's first byte to its last | %d s; %d s |", l.Hello/time.Second, l.Message/time.Second),
		fmt.Sprintf("| frames of a socket | %d a second, %d at once |", per(l.Frames, time.Second), l.Frames.Burst),
		fmt.Sprintf("`rate_limited`; %d too many: close 4001 |", maxStrikes),
		fmt.Sprintf("| bytes from a socket | %d KiB a second, %d KiB at once |", per(l.ReadBytes, time.Second), l.ReadBytes.Burst),
		fmt.Sprintf("| messages of a user; of a guest | %d a second, %d at once; %d at once |", per(l.UserSends, time.Second), l.UserSends.Burst, l.GuestSends.Burst),
		fmt.Sprintf("| sockets of a principal; of an address; not yet welcomed | %d; %d; %d |", l.Sockets, l.AddressSockets, l.PendingSockets),
		fmt.Sprintf("| waiting for a socket | %d frames, %d MiB; signals dropped at half |", l.QueueFrames, l.QueueBytes>>20),
		fmt.Sprintf("| writing one message | %d s |", l.Write/time.Second),
		fmt.Sprintf("| HTTP requests of a principal; of an address | %d a second, %d at once; %d a second, %d at once |", per(l.PrincipalRequests, time.Second), l.PrincipalRequests.Burst, per(l.Requests, time.Second), l.Requests.Burst),
		fmt.Sprintf("| %d a second, %d at once; 1 in %d s, %d at once; 1 in %d s, %d at once |", per(l.LogIns, time.Second), l.LogIns.Burst, l.FailedLogIns.Every/time.Second, l.FailedLogIns.Burst, l.AccountLogIns.Every/time.Second, l.AccountLogIns.Burst),
		fmt.Sprintf("| guest sessions made from an address | %d an hour, %d at once |", per(l.GuestSessions, time.Hour), l.GuestSessions.Burst),
		fmt.Sprintf("| %d an hour, %d at once; %d an hour, %d at once; %d an hour, %d at once |", per(l.GuestRooms, time.Hour), l.GuestRooms.Burst, per(l.UserRooms, time.Hour), l.UserRooms.Burst, per(l.AddressRooms, time.Hour), l.AddressRooms.Burst),
		fmt.Sprintf("| body of an HTTP request | %d bytes |", maxBody),
	} {
		if !strings.Contains(page, row) {
			t.Errorf("missing: %s", row)
		}
	}
	if !reflect.DeepEqual(Limits{}.withDefaults(), l) {
		t.Error("the zero Limits are not the defaults: a field is missing in withDefaults")
	}
}
