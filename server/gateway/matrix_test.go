//go:build !js

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// matrixRow is one row of store/access/testdata/matrix.txt.
type matrixRow struct {
	caller, room string // room "" for the rows without a room
	want         map[string]verdict
}

// verdict is what the matrix says of one action.
type verdict struct {
	allowed bool
	reason  string
	code    chat.Code // where the matrix names one
}

var (
	roomActions = []string{"read", "post", "signal", "receipt", "close", "block_guest", "participants", "explain"}
	roomless    = []string{"list", "start", "make", "audit"}
)

func readMatrix(t *testing.T) []matrixRow {
	t.Helper()
	f, err := os.Open("../../store/access/testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []matrixRow
	caller := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if head, ok := strings.CutPrefix(line, "# "); ok {
			caller = head
			continue
		}
		left, right, ok := strings.Cut(line, " | ")
		if !ok {
			continue
		}
		row := matrixRow{caller: caller, room: left, want: map[string]verdict{}}
		all := roomActions
		if caller == "Without a room" {
			row.caller, row.room, all = left, "", roomless
		}
		for part := range strings.SplitSeq(right, "; ") {
			head, actions, _ := strings.Cut(part, ": ")
			v := verdict{allowed: head[0] == '+'}
			v.reason, _, _ = strings.Cut(head[1:], " ")
			if i := strings.Index(head, "("); i >= 0 && !v.allowed {
				v.code = chat.Code(strings.TrimSuffix(head[i+1:], ")"))
			}
			names := strings.Fields(actions)
			if actions == "all" {
				names = all
			}
			for _, a := range names {
				row.want[a] = v
			}
		}
		if len(row.want) != len(all) {
			t.Fatalf("row %q has %d actions, this test knows %d", line, len(row.want), len(all))
		}
		rows = append(rows, row)
	}
	return rows
}

// heard is what a caller hears: whose session is over learns that.
func (v verdict) heard() chat.Code {
	switch {
	case v.allowed:
		return ""
	case v.code != "":
		return v.code
	case v.reason == "nobody", v.reason == "revoked", v.reason == "inactive", v.reason == "link_over":
		return chat.CodeUnauthenticated
	}
	return chat.CodeAccessDenied
}

// stage makes callers and rooms of the matrix' kinds straight in storage.
type stage struct {
	*world
	vendor chat.VendorID
	other  chat.UserID         // somebody else
	third  chat.UserID         // and one more
	theirs chat.GuestSessionID // another guest session
}

func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return chat.EncodeID(prefix, b)
}

func secret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// cast is one caller of the matrix.
type cast struct {
	credential string
	user       chat.UserID         // whose participation counts
	guest      chat.GuestSessionID // "own" guest session
	surface    chat.Surface
}

func (s *stage) update(f func(storage.Writer)) {
	s.Helper()
	s.must(s.storage.Update(context.Background(), func(w storage.Writer) error { f(w); return nil }))
}

// cast makes the caller that a name of the matrix describes.
func (s *stage) cast(name string) cast {
	s.Helper()
	now := s.now().UnixMilli()
	c := cast{guest: chat.GuestSessionID(newID("g_")), surface: chat.SurfaceWidget}
	if name == "nobody" {
		return c
	}
	kind, rest, _ := strings.Cut(name, ", ")
	over, loginOver := strings.Contains(rest, "session over"), strings.Contains(rest, "login over")
	login := storage.AccountSession{
		ID: chat.AccountSessionID(newID("s_")), Surface: chat.SurfaceWidget, CreatedAt: now, LastSeenAt: now, ExpiresAt: now + 1e9,
	}
	who, linked := strings.CutPrefix(kind, "guest linked to ")
	s.update(func(w storage.Writer) {
		if kind != "guest" {
			u := storage.User{ID: chat.UserID(newID("u_")), Name: "Somebody", Role: chat.RoleUser, Active: !strings.HasPrefix(who, "disabled")}
			u.Username = string(u.ID)
			if strings.HasSuffix(who, "admin") {
				u.Role = chat.RoleAdmin
			}
			s.must(w.PutUser(u))
			c.user, login.User = u.ID, u.ID
		}
		if linked || kind == "guest" {
			c.credential = "gs_" + string(c.guest[2:]) + "_" + secret()
			g := storage.GuestSession{ID: c.guest, Secret: sha256.Sum256([]byte(c.credential)), CreatedAt: now, LastSeenAt: now, ExpiresAt: now + 1e9}
			if over {
				g.RevokedAt = now
			}
			if linked {
				g.LinkedUser, g.LinkedBy, g.LinkedAt = c.user, login.ID, now
			}
			s.must(w.PutGuestSession(g))
			if linked {
				login.Token = sha256.Sum256([]byte("as_" + secret()))
				if loginOver {
					login.RevokedAt = now
				}
				s.must(w.PutAccountSession(login))
			}
			return
		}
		c.credential = "as_" + secret()
		login.Token = sha256.Sum256([]byte(c.credential))
		if over {
			login.RevokedAt = now
		}
		s.must(w.PutAccountSession(login))
	})
	return c
}

// rooms makes n rooms of the kind that a name of the matrix describes.
func (s *stage) rooms(c cast, name string, n int) []chat.RoomID {
	s.Helper()
	now := s.now().UnixMilli()
	out := make([]chat.RoomID, n)
	s.update(func(w storage.Writer) {
		for i := range out {
			out[i] = chat.RoomID(newID("r_"))
			if name == "missing" {
				continue
			}
			r := storage.Room{ID: out[i], Creator: chat.UserIdentity(s.other), ClientID: chat.ClientID(out[i]), CreatedAt: now, LastActive: now, Closed: strings.HasSuffix(name, "closed")}
			if !strings.HasPrefix(name, "users'") {
				r.Vendor, r.GuestSession = s.vendor, c.guest
				if strings.HasPrefix(name, "other") {
					r.GuestSession = s.theirs
				}
				if strings.Contains(name, ", linked") {
					r.LinkedUser, r.LinkedAt = s.other, now
				}
			}
			s.must(w.CreateRoom(r))
			s.must(w.SetParticipant(r.ID, s.other, true))
			if strings.Contains(name, ", participant") && c.user != "" {
				s.must(w.SetParticipant(r.ID, c.user, true))
			}
			_, _, err := w.Append(r.ID, chat.Event{At: now, Kind: chat.RoomCreated, Sender: r.Creator})
			s.must(err)
		}
	})
	return out
}

// state is what an action that was refused must not change.
func (s *stage) state(room chat.RoomID) (r storage.Room) {
	s.Helper()
	s.storage.View(context.Background(), func(rd storage.Reader) error {
		r, _ = rd.Room(room) // a missing one is the zero Room, before and after
		return nil
	})
	return r
}

// overHTTP does an action by the API.
func (s *stage) overHTTP(c cast, action string, room chat.RoomID) (reply, bool) {
	path := "/api/rooms/" + string(room)
	switch action {
	case "read":
		for _, p := range []string{path, path + "/participants"} {
			if r := s.call("GET", p, c.credential, nil); r.status != 200 {
				return r, true
			}
		}
		return s.call("GET", path+"/messages", c.credential, nil), true
	case "post":
		return s.call("POST", path+"/messages", c.credential, message{s.cmid(), "hello"}), true
	case "receipt":
		return s.call("POST", path+"/read", c.credential, readMark{1}), true
	case "close":
		return s.call("POST", path+"/close", c.credential, nil), true
	case "block_guest":
		return s.call("POST", path+"/block-guest", c.credential, nil), true
	case "participants":
		r := s.call("PUT", path+"/participants/"+string(s.other), c.credential, nil)
		if r.status >= 300 {
			return r, true
		}
		return s.call("DELETE", path+"/participants/"+string(s.other), c.credential, nil), true
	case "explain":
		return s.call("GET", path+"/explain?user="+string(s.other), c.credential, nil), true
	case "list":
		return s.call("GET", "/api/rooms", c.credential, nil), true
	case "start":
		return s.call("POST", "/api/rooms", c.credential, createRoom{ClientID: "n-http", Vendor: "maple"}), true
	case "make":
		return s.call("POST", "/api/rooms", c.credential, createRoom{ClientID: "u-http", Users: []chat.UserID{s.other, s.third}}), true
	case "audit":
		return s.call("GET", "/api/audit", c.credential, nil), true
	}
	return reply{}, false // there is no typing by HTTP
}

// overSocket does an action by the socket.
func (s *stage) overSocket(p *peer, action string, room chat.RoomID) (protocol.ServerFrame, bool) {
	ref := &protocol.RoomRef{Room: room}
	switch action {
	case "read":
		if f := p.ask(protocol.ClientFrame{Join: &protocol.Join{Room: room}}); f.Error != nil {
			if g := p.ask(protocol.ClientFrame{History: &protocol.History{Room: room}}); errorOf(g) != errorOf(f) {
				s.Errorf("join gives %s, history %s", protocol.EncodeServer(f), protocol.EncodeServer(g))
			}
			return f, true
		}
		p.ask(protocol.ClientFrame{Leave: ref})
		return p.ask(protocol.ClientFrame{History: &protocol.History{Room: room}}), true
	case "post":
		return p.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: s.cmid(), Text: "hello"}}), true
	case "signal":
		return p.ask(protocol.ClientFrame{Typing: &protocol.Typing{Room: room, Active: true}}), true
	case "receipt":
		return p.ask(protocol.ClientFrame{Read: &protocol.Read{Room: room, Seq: 1}}), true
	case "close":
		return p.ask(protocol.ClientFrame{Close: ref}), true
	case "block_guest":
		return p.ask(protocol.ClientFrame{Block: ref}), true
	case "list":
		return p.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{}}), true
	case "start":
		return p.ask(protocol.ClientFrame{Create: &protocol.Create{ClientID: "n-ws", Vendor: "maple"}}), true
	}
	return protocol.ServerFrame{}, false
}

// TestMatrix drives each row of the golden matrix against the running server,
// over HTTP and over the WebSocket: equal verdicts, one answer for "not yours"
// and "does not exist", and no effect of what was refused.
func TestMatrix(t *testing.T) {
	rows := readMatrix(t)
	w := newWorld(t, Limits{Sockets: -1, AddressSockets: -1, PendingSockets: -1})
	other := w.user("other", chat.RoleUser)
	w.vendor("maple", other)
	s := &stage{world: w, other: other, third: w.user("third", chat.RoleUser), theirs: chat.GuestSessionID(newID("g_"))}
	s.must(w.storage.View(context.Background(), func(r storage.Reader) error {
		v, err := r.VendorBySlug("maple")
		s.vendor = v.ID
		return err
	}))
	casts, peers := map[string]cast{}, map[string]*peer{}
	driven, denial := 0, ""
	for _, row := range rows {
		if row.caller == "guest and admin at once" {
			continue // one credential is presented; it can't be both
		}
		c, ok := casts[row.caller]
		if !ok {
			c = s.cast(row.caller)
			casts[row.caller] = c
			peers[row.caller] = s.enter(row.caller, c, row)
		}
		actions := roomActions
		if row.room == "" {
			actions = roomless
		}
		rooms := s.rooms(c, row.room, 2*len(actions))
		for i, action := range actions {
			want := row.want[action]
			name := row.caller + " / " + row.room + " / " + action
			before := s.state(rooms[2*i])
			if r, ok := s.overHTTP(c, action, rooms[2*i]); ok {
				driven++
				got := r.code()
				if got == chat.CodeSessionExpired {
					got = chat.CodeUnauthenticated
				}
				if got != want.heard() {
					t.Errorf("%s over HTTP: %d %s, want %q", name, r.status, r.body, want.heard())
				}
				if got == chat.CodeAccessDenied && row.room != "" {
					if denial == "" {
						denial = string(r.body)
					}
					if denial != string(r.body) {
						t.Errorf("%s over HTTP: %s differs from another denial %s", name, r.body, denial)
					}
				}
				if after := s.state(rooms[2*i]); !want.allowed && after != before {
					t.Errorf("%s over HTTP was refused and changed the room: %+v, %+v", name, before, after)
				}
			}
			p := peers[row.caller]
			if p == nil {
				continue
			}
			before = s.state(rooms[2*i+1])
			if f, ok := s.overSocket(p, action, rooms[2*i+1]); ok {
				driven++
				if errorOf(f) != want.heard() {
					t.Errorf("%s over the socket: %s, want %q", name, protocol.EncodeServer(f), want.heard())
				}
				if errorOf(f) == chat.CodeAccessDenied && f.Error.Message != "Access denied to this room" && row.room != "" {
					t.Errorf("%s over the socket: %s", name, protocol.EncodeServer(f))
				}
				if after := s.state(rooms[2*i+1]); !want.allowed && after != before {
					t.Errorf("%s over the socket was refused and changed the room: %+v, %+v", name, before, after)
				}
			}
		}
	}
	if driven < 4500 {
		t.Errorf("only %d actions were driven", driven)
	}
}

// enter opens the caller's socket. A caller who may do nothing at all must not
// be welcomed, and gets nil.
func (s *stage) enter(name string, c cast, row matrixRow) *peer {
	s.Helper()
	if row.want["list"].allowed {
		return s.connect(c.credential, c.surface)
	}
	p := s.dial("")
	p.raw(string(protocol.EncodeClient(protocol.ClientFrame{ID: 1, Hello: &protocol.Hello{Version: 1, Credential: c.credential, Surface: c.surface}})))
	code, frames := p.end()
	if code != 4501 && code != 4502 || !bytes.Contains(protocol.EncodeServer(frames...), []byte(`"bye"`)) || len(frames) != 2 || frames[0].Error == nil || frames[0].Re != 1 {
		s.Errorf("%s: closed with %d after %s", name, code, protocol.EncodeServer(frames...))
	}
	return nil
}
