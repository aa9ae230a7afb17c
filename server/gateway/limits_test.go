//go:build !js

package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

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
