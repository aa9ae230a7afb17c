//go:build !js

package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"anteroom/server/auth"
	"anteroom/server/gateway"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// What one party may hold in TestBounded: small, so that a trace gets there.
const (
	mostSessions = 3 // of one user; one more ends the longest unused
	mostSockets  = 3 // of one guest or user
)

var (
	mints      = gateway.Rate{Every: time.Minute, Burst: 4}
	guestRooms = gateway.Rate{Every: time.Hour, Burst: 2} // of more, too few traces come to the end
	userSends  = gateway.Rate{Every: 10 * time.Second, Burst: 3}
	guestSends = gateway.Rate{Every: 20 * time.Second, Burst: 2}
)

// bucket is the model of a rate: Burst at once, then one per Every.
type bucket struct {
	rate   gateway.Rate
	tokens float64
	at     time.Time
}

// look fills the bucket up to now. What lies within rounding of one token is nobody's business.
func (b *bucket) look(now time.Time) (has, sure bool) {
	b.tokens = min(float64(b.rate.Burst), b.tokens+now.Sub(b.at).Seconds()/b.rate.Every.Seconds())
	b.at = now
	return b.tokens >= 1, b.tokens < 0.99 || b.tokens > 1.01
}

// party is a guest or a user of TestBounded.
type party struct {
	name, password string // of a user
	id             string
	tokens         []string // credentials, newest last
	sends, rooms   *bucket
	room           map[string]chat.RoomID // the open one with a vendor
	sockets        []*socket
}

// bounded is one trace of TestBounded.
type bounded struct {
	*rapid.T
	s       *server
	mints   *bucket
	parties []*party
	staff   string
	n       int
	hit     map[string]int // limits that were reached, over all traces
}

// TestBounded is I19: whatever is asked for, the live sessions, sockets, rooms
// and messages of one party stay within their limits after every command, and
// what lies within them is never refused.
func TestBounded(t *testing.T) {
	hit := map[string]int{}
	n := max(*traces/10, 5)
	withChecks(n, func() {
		rapid.Check(t, func(rt *rapid.T) { boundedTrace(rt, hit) })
	})
	t.Logf("limits reached: %v", hit)
	for _, name := range []string{"mint", "session", "socket", "room", "send"} {
		if hit[name] == 0 && n >= 30 && !t.Failed() {
			t.Errorf("no trace reached the limit of %ss", name)
		}
	}
}

func boundedTrace(rt *rapid.T, hit map[string]int) {
	s := newServerWith(rt, "", func(c *auth.Config, l *gateway.Limits) {
		c.MaxSessions = mostSessions
		l.Sockets, l.GuestSessions, l.GuestRooms, l.UserSends, l.GuestSends = mostSockets, mints, guestRooms, userSends, guestSends
	})
	b := &bounded{T: rt, s: s, hit: hit, mints: s.bucket(mints)}
	defer func() {
		for _, p := range b.parties {
			for _, c := range p.sockets {
				c.close()
			}
		}
		s.close()
	}()
	ctx := context.Background()
	for _, name := range []string{"mia", "ada", "bo"} {
		u, err := s.auth.CreateUser(ctx, auth.NewUser{Username: name, Name: name, Role: chat.RoleUser, Password: name + "-" + name + "-pw"})
		s.must(err)
		p := &party{name: name, password: name + "-" + name + "-pw", id: string(u.ID), sends: s.bucket(userSends), room: map[string]chat.RoomID{}}
		b.logIn(p)
		if name == "mia" {
			b.staff = p.tokens[0]
			for _, slug := range []string{"maple", "northern"} {
				v, err := s.rooms.AddVendor(ctx, slug, slug, "")
				s.must(err)
				s.must(s.rooms.SetVendorMember(ctx, v.ID, u.ID, true))
			}
			continue // she closes rooms
		}
		b.parties = append(b.parties, p)
	}
	b.mint()
	do := []func(){b.mint, b.logInAny, b.logInAny, b.dial, b.dial, b.dial, b.dial, b.hangUp, b.create, b.create, b.create, b.close, b.close, b.send, b.send, b.send, b.pass}
	rt.Repeat(map[string]func(*rapid.T){
		"": func(rt *rapid.T) { b.T = rt; b.check() },
		"step": func(rt *rapid.T) {
			b.T = rt
			do[b.pick(len(do))]()
		},
	})
}

func (s *server) bucket(r gateway.Rate) *bucket {
	return &bucket{rate: r, tokens: float64(r.Burst), at: s.now()}
}

func (b *bounded) pick(n int) int { return uniform.Draw(b.T, "draw") % n }

func (b *bounded) party() *party { return b.parties[b.pick(len(b.parties))] }

// limited compares a verdict with a bucket, and takes a token where one was used.
func (b *bounded) limited(what string, of *bucket, code chat.Code, used bool) {
	b.Helper()
	has, sure := of.look(b.s.now())
	if code == chat.CodeRateLimited {
		b.hit[what]++
	}
	if sure && has != (code != chat.CodeRateLimited) {
		b.Fatalf("%s with %.2f in the bucket: %q", what, of.tokens, code)
	}
	if code == "" && used {
		of.tokens--
	}
}

func (b *bounded) mint() {
	if len(b.parties) > 12 {
		return
	}
	got := b.s.call("POST", "/api/guest-sessions", "", nil)
	b.limited("mint", b.mints, got.code, true)
	if got.code != "" {
		return
	}
	var g struct{ ID, Credential string }
	b.s.decode(got, &g)
	b.parties = append(b.parties, &party{
		id: g.ID, tokens: []string{g.Credential}, sends: b.s.bucket(guestSends), rooms: b.s.bucket(guestRooms), room: map[string]chat.RoomID{},
	})
}

func (b *bounded) logInAny() { b.logIn(b.party()) }

func (b *bounded) logIn(p *party) {
	if p.name == "" {
		return
	}
	var s struct{ Credential string }
	b.s.decode(b.s.call("POST", "/api/login", "", map[string]any{"username": p.name, "password": p.password, "surface": "widget"}), &s)
	p.tokens = append(p.tokens, s.Credential)
	if len(p.tokens) > mostSessions {
		b.hit["session"]++
		var live []string // the server says which one made room
		for _, token := range p.tokens {
			if b.s.call("GET", "/api/rooms?limit=1", token, nil).code == "" {
				live = append(live, token)
			}
		}
		if len(live) != mostSessions || live[len(live)-1] != s.Credential {
			b.Fatalf("%s has %d live sessions after one more log-in, the newest live: %t", p.name, len(live), live[len(live)-1] == s.Credential)
		}
		p.tokens = live
	}
}

// dial opens a socket, and says whether the model allows it.
func (b *bounded) dial() {
	p := b.party()
	b.settle()
	c, got := b.s.dial(p.tokens[b.pick(len(p.tokens))], chat.SurfaceWidget, "")
	if len(p.sockets) >= mostSockets {
		b.hit["socket"]++
		if got.code != chat.CodeRateLimited && got.code != closing {
			b.Fatalf("socket %d of %s: %q", len(p.sockets)+1, p.id, got.code)
		}
		c.close()
		return
	}
	if got.code != "" {
		b.Fatalf("socket %d of %s was refused: %s", len(p.sockets)+1, p.id, got.body)
	}
	c.name = "socket of " + p.id
	p.sockets = append(p.sockets, c)
}

func (b *bounded) hangUp() {
	if p := b.party(); len(p.sockets) > 0 {
		p.sockets[0].close()
		p.sockets = p.sockets[1:]
	}
}

// settle forgets sockets whose session is over, and waits until the server has, too.
func (b *bounded) settle() {
	b.Helper()
	open := 0
	for _, p := range b.parties {
		var alive []*socket
		for _, c := range p.sockets {
			if c.ask(protocol.ClientFrame{Ping: &protocol.Empty{}}).code == "" {
				alive = append(alive, c)
				continue
			}
			c.close()
		}
		p.sockets = alive
		open += len(alive)
	}
	for late := time.Now().Add(patience); b.s.gateway.Sockets() != open; time.Sleep(time.Millisecond) { // polled: the server notices a close when it does
		if time.Now().After(late) {
			b.Fatalf("the server has %d sockets, the clients %d", b.s.gateway.Sockets(), open)
		}
	}
}

func (b *bounded) create() {
	p := b.party()
	if p.rooms == nil {
		return
	}
	slug := []string{"maple", "northern"}[b.pick(2)]
	b.n++
	got := b.s.call("POST", "/api/rooms", p.tokens[0], map[string]any{"client_id": fmt.Sprintf("r%d", b.n), "vendor": slug})
	b.limited("room", p.rooms, got.code, p.room[slug] == "") // finding an open room costs nothing
	if got.code != "" {
		return
	}
	var made struct{ Room struct{ ID chat.RoomID } }
	b.s.decode(got, &made)
	if had := p.room[slug]; had != "" && had != made.Room.ID {
		b.Fatalf("%s has two open rooms with %s", p.id, slug)
	}
	p.room[slug] = made.Room.ID
}

func (b *bounded) close() {
	p := b.party()
	for _, slug := range slices.Sorted(maps.Keys(p.room)) {
		id := p.room[slug]
		if got := b.s.call("POST", path("/api/rooms/%s/close", id), b.staff, nil); got.code != "" {
			b.Fatalf("close: %s", got.body)
		}
		delete(p.room, slug)
	}
}

func (b *bounded) send() {
	p := b.party()
	for _, slug := range slices.Sorted(maps.Keys(p.room)) {
		id := p.room[slug]
		b.n++
		got := b.s.call("POST", path("/api/rooms/%s/messages", id), p.tokens[0], map[string]any{"cmid": fmt.Sprintf("m%d", b.n), "text": "hello"})
		b.limited("send", p.sends, got.code, true)
	}
}

// pass lets time pass, far from any session's end.
func (b *bounded) pass() {
	b.s.skip(time.Duration(1+b.pick(40)) * 700 * time.Millisecond)
}

// check: after every command nobody holds more than they may.
func (b *bounded) check() {
	b.Helper()
	b.settle()
	for _, p := range b.parties {
		if len(p.sockets) > mostSockets {
			b.Fatalf("%s has %d sockets", p.id, len(p.sockets))
		}
		if p.name == "" {
			continue
		}
		var list struct{ Sessions []struct{ ID string } }
		b.s.decode(b.s.call("GET", "/api/sessions", p.tokens[len(p.tokens)-1], nil), &list)
		if len(list.Sessions) != len(p.tokens) || len(list.Sessions) > mostSessions {
			b.Fatalf("%s has %d sessions, the model %d", p.name, len(list.Sessions), len(p.tokens))
		}
	}
}
