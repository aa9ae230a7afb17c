//go:build !js

package model

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

var (
	traces = flag.Int("traces", 0, "how many random histories to run; 300, with -race 50, with -soak 20000")
	soak   = flag.Bool("soak", false, "run long, and look for every seeded bug")
)

func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	set := func(name, value string) {
		if !given[name] {
			flag.Set(name, value)
		}
	}
	if *traces == 0 {
		switch {
		case *soak:
			*traces = 20_000
		case raceEnabled:
			*traces = 50 // make test runs 300 more without it
		default:
			*traces = 300
		}
	}
	set("rapid.steps", "40")
	set("rapid.nofailfile", "true")
	set("rapid.seed", strconv.FormatUint(rand.Uint64(), 10))
	os.Exit(m.Run())
}

// commands are what a trace is made of, with their weights.
var commands = []struct {
	weight int
	name   string
	do     func(*world)
}{
	{8, "send", (*world).cmdSend},
	{4, "resend", (*world).cmdResend},
	{4, "history", (*world).cmdHistory},
	{4, "both", (*world).cmdBoth},
	{5, "typing", (*world).cmdTyping},
	{3, "read", (*world).cmdRead},
	{4, "get", (*world).cmdGet},
	{4, "close", (*world).cmdClose},
	{7, "participant", (*world).cmdParticipant},
	{4, "create", (*world).cmdCreate},
	{2, "between", (*world).cmdBetween},
	{3, "search", (*world).cmdSearch},
	{2, "guest", (*world).cmdGuest},
	{4, "login", (*world).cmdLogin},
	{6, "link", (*world).cmdLink},
	{2, "logout", (*world).cmdLogout},
	{1, "endGuest", (*world).cmdEndGuest},
	{1, "password", (*world).cmdPassword},
	{3, "role", (*world).cmdRole},
	{2, "active", (*world).cmdActive},
	{2, "staff", (*world).cmdStaff},
	{2, "clock", (*world).cmdClock},
	{1, "restart", (*world).cmdRestart},
	{10, "connect", (*world).cmdConnect},
	{1, "disconnect", (*world).cmdDisconnect},
	{8, "join", (*world).cmdJoin},
	{1, "leave", (*world).cmdLeave},
	{4, "replay", (*world).cmdReplay},
}

// must is what a run has to have seen often enough: a test that never got there
// has shown nothing.
var must = strings.Fields(`send:ok send:access_denied send:room_closed send:conflict history:ok history:access_denied typing:ok
	typing:access_denied typing:room_closed read:ok read:access_denied get:ok get:access_denied close:ok block:ok block:conflict
	PUT:ok PUT:access_denied DELETE:ok DELETE:access_denied create:ok create:access_denied linked:ok already_linked:ok
	link:access_denied connect:ok connect:bad connect:invalid join:ok join:access_denied resume:ok gone:ok cut:ok room-frame:ok
	typing-frame:ok receipt-frame:ok notice-frame:ok replay:access_denied replay:bad log-out:ok search:ok end:not_found same:ok`)

// TestAccess runs random histories on the memory storage.
func TestAccess(t *testing.T) {
	sum := check(t, *traces, func() string { return "" })
	if t.Failed() {
		return
	}
	if sum.steps > 1000 && sum.hostile*100 < sum.steps*40 {
		t.Errorf("only %d of %d commands were hostile", sum.hostile, sum.steps)
	}
	if *traces < 300 {
		return
	}
	for _, name := range must {
		if name = strings.Replace(name, ":", " ", 1); sum.outcomes[name] == 0 {
			t.Errorf("no trace had %q", name)
		}
	}
}

// TestAccessOnSQLite runs a sample on SQLite, where a restart opens the database anew.
func TestAccessOnSQLite(t *testing.T) {
	check(t, max(*traces/25, 1), t.TempDir)
}

// withChecks runs f with that many traces.
func withChecks(n int, f func()) {
	checks := flag.Lookup("rapid.checks").Value
	defer checks.Set(checks.String())
	checks.Set(strconv.Itoa(n))
	f()
}

// check runs the histories; folder is where each one's database lies, "" for memory.
func check(t *testing.T, n int, folder func() string) *tally {
	sum := &tally{outcomes: map[string]int{}}
	t.Logf("seed %v (repeat with -rapid.seed)", flag.Lookup("rapid.seed").Value)
	withChecks(n, func() {
		rapid.Check(t, func(rt *rapid.T) { trace(rt, sum, folder()) })
	})
	if t.Failed() {
		return sum
	}
	t.Logf("%d commands, %d%% hostile; %d answers and %d unasked frames judged", sum.steps, 100*sum.hostile/max(sum.steps, 1), sum.answers, sum.frames)
	for _, name := range slices.Sorted(maps.Keys(sum.outcomes)) {
		t.Logf("%6d %s", sum.outcomes[name], name)
	}
	return sum
}

func trace(rt *rapid.T, sum *tally, folder string) {
	s := newServer(rt, folder)
	w := &world{T: rt, s: s, tally: sum, typed: map[chat.RoomID]string{}, m: newModel()}
	defer func() {
		for _, c := range w.sockets {
			c.close()
		}
		s.close()
	}()
	w.begin()
	total := 0
	for _, c := range commands {
		total += c.weight
	}
	rt.Repeat(map[string]func(*rapid.T){
		"": func(rt *rapid.T) { w.T = rt; w.check() },
		"step": func(rt *rapid.T) {
			w.T = rt
			sum.steps++
			n := w.pick(total)
			for _, c := range commands {
				if n -= c.weight; n < 0 {
					c.do(w)
					return
				}
			}
		},
	})
	w.T = rt
	w.finish()
}

// begin makes the people and their first rooms, and opens some sockets.
func (w *world) begin() {
	w.people()
	for i := range 2 {
		g := w.m.guests[i]
		w.first(caller{token: g.token, p: principal{guest: g}}, w.m.vendors[i])
	}
	ada := w.m.logins[2]
	w.first(caller{token: ada.token, p: principal{login: ada}}, w.m.vendors[0])
	for _, by := range w.live() {
		if w.chance(50) {
			w.socket(by)
		}
	}
}

// people makes staff of two vendors, two customers, an admin and two guests.
func (w *world) people() {
	for i, name := range []string{"mia", "noor", "ada", "bo", "rosa"} {
		u := &user{username: name, password: name + "-" + name + "-pw", active: true, admin: name == "rosa"}
		u.name = name + " " + w.newCanary(nil, u)
		role := chat.RoleUser
		if u.admin {
			role = chat.RoleAdmin
		}
		made, err := w.s.auth.CreateUser(context.Background(), auth.NewUser{Username: name, Name: u.name, Role: role, Password: u.password})
		w.s.must(err)
		u.id = made.ID
		w.m.users = append(w.m.users, u)
		if i < 2 {
			slug := []string{"maple", "northern"}[i]
			made, err := w.s.rooms.AddVendor(context.Background(), slug, slug+" shop", "")
			w.s.must(err)
			w.m.vendors = append(w.m.vendors, &vendor{slug: slug, name: slug + " shop", id: made.ID, staff: map[*user]bool{u: true}, blocked: map[*guest]bool{}})
			w.s.must(w.s.rooms.SetVendorMember(context.Background(), made.ID, u.id, true))
		}
		surface := chat.SurfaceWidget
		if i == 0 || u.admin {
			surface = chat.SurfaceInbox
		}
		w.login(u, surface, false)
	}
	w.cmdGuest()
	w.cmdGuest()
}

// first opens somebody's room with a vendor.
func (w *world) first(by caller, v *vendor) {
	mark := w.newCanary(nil, nil)
	cid := fmt.Sprintf("r-%d", len(w.m.rooms))
	r := &room{vendor: v, creator: by.p.identity(), cid: cid, members: map[*user]bool{}, known: map[*user]bool{}, marks: map[string]int64{}, active: w.m.now}
	for _, u := range w.m.users {
		if v.staff[u] || u == by.p.user() {
			r.join(u)
		}
	}
	r.guest = by.p.guest
	w.created(by, action{name: "create", method: "POST", path: "/api/rooms", body: map[string]any{"client_id": cid, "vendor": v.slug, "page": "/" + mark}}, "", r, true, mark)
}

// socket opens a socket and joins what its principal may read.
func (w *world) socket(by caller) {
	surface := chat.SurfaceWidget
	if by.p.login != nil {
		surface = by.p.login.surface
	}
	c, got := w.s.dial(by.token, surface, "")
	c.p, c.name = by.p, fmt.Sprintf("socket %d.%d", w.m.step, len(w.sockets))
	if got.code != "" {
		w.Fatalf("connect of %v: %s", by, got.body)
	}
	w.sockets = append(w.sockets, c)
	by.socket = c
	for _, r := range w.m.reach(by.p) {
		c.before[r] = true
	}
	for _, r := range w.m.reach(by.p) {
		w.join(by, r, nil)
	}
}

// finish is the end of a trace: every room's content, every list, and I21: what
// a socket holds of a room, a snapshot and the events since, is what a fresh
// snapshot gives.
func (w *world) finish() {
	w.Helper()
	for _, r := range w.m.rooms {
		w.content(r)
	}
	for _, by := range w.live() {
		w.lists(by)
	}
	for _, c := range w.sockets {
		if !w.m.live(c.p) {
			continue
		}
		for _, r := range w.m.rooms {
			old := c.joined[r.id]
			if old == nil || old.held.Head == 0 {
				continue
			}
			w.join(caller{c.token, c.p, c}, r, nil)
			fresh := c.joined[r.id].held
			held := old.held.Events
			held = held[max(0, len(held)-len(fresh.Events)):]
			a, b := text(w, old.held.Room, held), text(w, fresh.Room, fresh.Events[len(fresh.Events)-len(held):])
			if a != b {
				w.Fatalf("%s of %v holds room %.6s as\n%s\nbut a fresh snapshot is\n%s", c.name, c.p, r.id, a, b)
			}
			w.tally.outcome("same", "")
		}
	}
}

func text(w *world, v ...any) string {
	b, err := json.Marshal(v)
	w.s.must(err)
	return string(b)
}
