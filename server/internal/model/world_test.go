//go:build !js

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// world is one trace: the model, the server, and who is connected.
type world struct {
	*rapid.T
	m       *model
	s       *server
	sockets []*socket
	cursors []chat.Cursor // every cursor that was ever seen, of whatever room
	asked   *asked        // the last refused action, to be repeated
	tally   *tally
	typed   map[chat.RoomID]string
}

// tally counts over all traces.
type tally struct {
	steps, hostile, frames, answers int
	outcomes                        map[string]int // "send ok"
}

func (c *tally) outcome(name string, code chat.Code) {
	first, _, _ := strings.Cut(name, " ")
	c.outcomes[first+" "+or(string(class(code)), "ok")]++
}

const (
	maxSockets = 8
	maxRooms   = 9
	maxLogins  = 16
	maxGuests  = 6
)

// uniform draws evenly: rapid's ranges of integers prefer some, which would make
// a few commands and the first user do most. It shrinks to 0.
var uniform = rapid.Custom(func(t *rapid.T) (n int) {
	for range 14 {
		n <<= 1
		if coin.Draw(t, "") {
			n++
		}
	}
	return n
})

var coin = rapid.Bool()

// pick draws a number below n.
func (w *world) pick(n int) int { return uniform.Draw(w.T, "draw") % n }

func (w *world) chance(percent int) bool { return w.pick(100) >= 100-percent }

func one[T any](w *world, list []T) T { return list[w.pick(len(list))] }

// newCanary makes a mark for a secret text of a room or a user's name.
func (w *world) newCanary(r *room, u *user) string {
	c := fmt.Sprintf("zk%016x", uint64(len(w.m.canary)+1)*0x9e3779b97f4a7c15)
	w.m.canary[c] = &canary{room: r, user: u, born: w.m.step}
	return c
}

// caller is who issues an action, and over what.
type caller struct {
	token  string
	p      principal
	socket *socket // nil: HTTP
}

func (c caller) String() string {
	over := "HTTP"
	if c.socket != nil {
		over = c.socket.name
	}
	return fmt.Sprintf("%v over %s", c.p, over)
}

// live lists every principal that may do something, with its credential.
func (w *world) live() (out []caller) {
	for _, l := range w.m.logins {
		if w.m.liveLogin(l) {
			out = append(out, caller{token: l.token, p: principal{login: l}})
		}
	}
	for _, g := range w.m.guests {
		if p := (principal{guest: g, as: g.user}); w.m.live(p) {
			out = append(out, caller{token: g.token, p: p})
		}
	}
	return out
}

// over gives the caller one of their open sockets, or leaves them with HTTP.
func (w *world) over(c caller) caller {
	var mine []*socket
	for _, k := range w.sockets {
		if k.p == c.p {
			mine = append(mine, k)
		}
	}
	if len(mine) > 0 && w.chance(60) {
		c.socket = one(w, mine)
	}
	return c
}

// dead makes a caller with a credential that is not good: an ended or rotated
// one, or one made up from what is public.
func (w *world) dead() caller {
	w.tally.hostile++
	var old []string
	for _, s := range w.m.secrets {
		if _, ok := w.m.resolve(s); !ok {
			old = append(old, s)
		}
	}
	if len(old) > 0 && w.chance(60) {
		return caller{token: one(w, old)}
	}
	const body = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	forged := []string{"as_" + body, body}
	for _, g := range w.m.guests {
		forged = append(forged, "gs_"+strings.TrimPrefix(string(g.id), "g_")+"_"+body, string(g.id))
	}
	for _, l := range w.m.logins {
		forged = append(forged, string(l.id))
	}
	forged = append(forged, w.m.handles...)
	return caller{token: one(w, forged)}
}

// target draws who acts on which room: 45 of 100 times somebody who must not.
func (w *world) target() (caller, *room, chat.RoomID) {
	live := w.live()
	missing := func() chat.RoomID {
		var b [16]byte
		b[0], b[1] = byte(w.pick(256)), byte(w.m.step)
		return chat.RoomID(chat.EncodeID("r_", b))
	}
	switch {
	case len(live) == 0 || w.chance(14):
		c, r := w.dead(), one(w, w.m.rooms)
		return c, r, r.id
	case w.chance(52):
		w.tally.hostile++
		c := w.over(one(w, live))
		var foreign []*room
		for _, r := range w.m.rooms {
			if !w.m.allow(c.p, r) {
				foreign = append(foreign, r)
			}
		}
		if len(foreign) == 0 || w.chance(10) {
			return c, nil, missing()
		}
		r := one(w, foreign)
		return c, r, r.id
	}
	c := w.over(one(w, live))
	own := w.m.reach(c.p)
	if len(own) == 0 {
		return c, nil, missing()
	}
	r := one(w, own)
	return c, r, r.id
}

// somebody draws a caller for an action without a room.
func (w *world) somebody() caller {
	live := w.live()
	if len(live) == 0 || w.chance(30) {
		return w.dead()
	}
	return w.over(one(w, live))
}

// action is one request, over either transport.
type action struct {
	name         string
	room         chat.RoomID
	method, path string
	body         any
	frame        *protocol.ClientFrame // nil: HTTP only
	missing      func(chat.RoomID) action
}

// asked is an action that was refused, and the room it was about.
type asked struct {
	by caller
	a  action
	r  *room
}

// do issues an action and judges every byte that comes back.
func (w *world) do(by caller, a action) answer {
	w.Helper()
	got := w.issue(by, a)
	w.Logf("%d: %v: %s → %s", w.m.step, by, a.name, or(string(got.code), "ok"))
	body := got.body
	if got.room != "" { // an error repeats the room that was asked for
		if got.room != a.frame.RoomID() {
			w.Fatalf("%s of %v: an error about another room: %s", a.name, by, body)
		}
		body = bytes.ReplaceAll(body, []byte(got.room), nil)
	}
	w.judge(fmt.Sprintf("the answer to %s of %v", a.name, by), by.p, nil, body)
	if got.code == chat.CodeAccessDenied && a.missing != nil {
		w.sameAsMissing(by, a, got)
	}
	return got
}

func (w *world) issue(by caller, a action) answer {
	w.Helper()
	w.tally.answers++
	var got answer
	if a.frame != nil && (by.socket != nil || a.path == "") {
		got = by.socket.ask(*a.frame)
		if a.frame.Ping == nil {
			w.m.use(by.p)
		}
		return got
	}
	got = w.s.call(a.method, a.path, by.token, a.body)
	w.m.use(by.p)
	return got
}

// sameAsMissing is I5: a refusal reads like that of a room that does not exist.
func (w *world) sameAsMissing(by caller, a action, got answer) {
	w.Helper()
	id := chat.RoomID(chat.EncodeID("r_", [16]byte{0xff, byte(w.m.step)}))
	twin := w.issue(by, a.missing(id))
	if twin.code != got.code || string(message(twin)) != string(message(got)) {
		w.Fatalf("%s of %v: refused as\n%s\nbut for a room that does not exist\n%s", a.name, by, got.body, twin.body)
	}
}

// message is an answer without the ids that its request brought along.
func message(a answer) []byte {
	var e struct {
		Re    int64          `json:"re"`
		Error map[string]any `json:"error"`
	}
	if json.Unmarshal(a.body, &e) != nil {
		return a.body
	}
	delete(e.Error, "room")
	out, err := json.Marshal(e.Error)
	if err != nil {
		panic(err)
	}
	return out
}

// The classes of what comes back: why a credential is not good does not matter here.
const bad chat.Code = "bad"

func class(c chat.Code) chat.Code {
	if c == chat.CodeUnauthenticated || c == chat.CodeSessionExpired {
		return bad
	}
	return c
}

// expect compares an answer with what the model says. It returns whether the
// action succeeded.
func (w *world) expect(by caller, a action, got answer, want chat.Code) bool {
	w.Helper()
	if !w.m.live(by.p) && by.token != "" || by.p.nobody() {
		want = bad
	}
	w.tally.outcome(a.name, got.code)
	if class(got.code) != class(want) {
		w.Fatalf("%s of %v: got %q, want %q\n%s", a.name, by, or(string(got.code), "ok"), or(string(want), "ok"), got.body)
	}
	if got.code != "" && a.path != "" && w.chance(50) {
		by.socket = nil
		w.asked = &asked{by, a, w.m.room(a.room)}
	}
	return got.code == ""
}

func or(s, empty string) string {
	if s == "" {
		return empty
	}
	return s
}

// reading is the code of an action that whoever reaches the room may do.
func (w *world) reading(p principal, r *room) chat.Code {
	if !w.m.allow(p, r) {
		return chat.CodeAccessDenied
	}
	return ""
}

// drop takes closed sockets out.
func (w *world) drop(c *socket) {
	c.close()
	w.sockets = slices.DeleteFunc(w.sockets, func(k *socket) bool { return k == c })
}
