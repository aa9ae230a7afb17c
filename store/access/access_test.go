package access_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"anteroom/store/access"
	"anteroom/store/chat"
)

var update = flag.Bool("update", false, "write testdata/matrix.txt anew")

const (
	me    chat.UserID         = "u_me"
	mine  chat.GuestSessionID = "g_mine"
	other chat.GuestSessionID = "g_other"
)

type namedCaller struct {
	name string
	access.Caller
}

// callers is every kind of caller: principal kind × state × role × link.
func callers() []namedCaller {
	out := []namedCaller{{name: "nobody"}}
	users := func(f func(name string, u *access.User)) {
		for _, active := range []bool{true, false} {
			for _, role := range []chat.Role{chat.RoleUser, chat.RoleAdmin} {
				name := string(role)
				if !active {
					name = "disabled " + name
				}
				f(name, &access.User{ID: me, Active: active, Role: role})
			}
		}
	}
	for _, alive := range []bool{true, false} {
		users(func(name string, u *access.User) {
			if !alive {
				name += ", session over"
			}
			out = append(out, namedCaller{name, access.Caller{User: u, SessionAlive: alive}})
		})
	}
	for _, alive := range []bool{true, false} {
		over := ""
		if !alive {
			over = ", session over"
		}
		out = append(out, namedCaller{"guest" + over, access.Caller{Guest: &access.Guest{ID: mine, Alive: alive}}})
		for _, login := range []bool{true, false} {
			users(func(name string, u *access.User) {
				name = "guest linked to " + name + over
				if !login {
					name += ", login over"
				}
				out = append(out, namedCaller{name, access.Caller{Guest: &access.Guest{ID: mine, Alive: alive, Linked: u, LoginAlive: login}}})
			})
		}
	}
	// A resolver that got this far has a mistake in it: deny.
	return append(out, namedCaller{"guest and admin at once", access.Caller{
		User: &access.User{ID: me, Active: true, Role: chat.RoleAdmin}, SessionAlive: true, Guest: &access.Guest{ID: mine, Alive: true},
	}})
}

type namedRoom struct {
	name string
	access.Room
}

// rooms is every kind of room: kind × whose guest session × membership × state.
func rooms() []namedRoom {
	out := []namedRoom{{name: "missing"}}
	for _, kind := range []namedRoom{
		{"users'", access.Room{}},
		{"own guest session's", access.Room{GuestSession: mine}},
		{"own guest session's, linked", access.Room{GuestSession: mine, GuestLinked: true}},
		{"other guest session's", access.Room{GuestSession: other}},
		{"other guest session's, linked", access.Room{GuestSession: other, GuestLinked: true}},
	} {
		for _, participant := range []bool{true, false} {
			for _, closed := range []bool{false, true} {
				r := kind
				r.Exists, r.Participant, r.Closed = true, participant, closed
				if participant {
					r.name += ", participant"
				}
				if closed {
					r.name += ", closed"
				}
				out = append(out, r)
			}
		}
	}
	return out
}

// row is the decisions about some actions, those with the same outcome together.
func row(actions []access.Action, decide func(access.Action) access.Decision) string {
	var order []string
	by := make(map[string][]string)
	for _, a := range actions {
		d := decide(a)
		key := "+" + string(d.Reason)
		switch {
		case d.Oversight:
			key += " (oversight)"
		case !d.Allowed && d.Code == chat.CodeAccessDenied:
			key = "-" + string(d.Reason)
		case !d.Allowed:
			key = "-" + string(d.Reason) + " (" + string(d.Code) + ")"
		}
		if by[key] == nil {
			order = append(order, key)
		}
		by[key] = append(by[key], string(a))
	}
	for i, key := range order {
		if len(order) == 1 {
			order[i] = key + ": all"
		} else {
			order[i] = key + ": " + strings.Join(by[key], " ")
		}
	}
	return strings.Join(order, "; ")
}

func matrix() string {
	var b strings.Builder
	b.WriteString("# Who may do what: + is allowed, - is denied, then the reason and the actions.\n")
	b.WriteString("# Written by: go test ./store/access -update. Read every changed line aloud.\n")
	b.WriteString("\n# Without a room\n")
	for _, c := range callers() {
		fmt.Fprintf(&b, "%s | %s\n", c.name, row(access.Roomless, func(a access.Action) access.Decision {
			return access.Decide(access.Query{Action: a, Caller: c.Caller})
		}))
	}
	for _, c := range callers() {
		fmt.Fprintf(&b, "\n# %s\n", c.name)
		for _, r := range rooms() {
			fmt.Fprintf(&b, "%s | %s\n", r.name, row(access.Actions, func(a access.Action) access.Decision {
				return access.Decide(access.Query{Action: a, Caller: c.Caller, Room: r.Room})
			}))
		}
	}
	return b.String()
}

func TestMatrix(t *testing.T) {
	const file = "testdata/matrix.txt"
	got := matrix()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(was), len(is)) {
		var a, b string
		if i < len(was) {
			a = was[i]
		}
		if i < len(is) {
			b = is[i]
		}
		if a != b {
			t.Errorf("line %d\n  was %s\n  is  %s", i+1, a, b)
		}
	}
}

// The rules of design §3 once more, in words of their own: a matrix that was
// updated without being read must not pass.
func TestRules(t *testing.T) {
	for _, c := range callers() {
		for _, r := range rooms() {
			for _, a := range access.Actions {
				d := access.Decide(access.Query{Action: a, Caller: c.Caller, Room: r.Room})
				name := fmt.Sprintf("%s / %s / %s: %+v", c.name, r.name, a, d)
				if d.Reason == "" {
					t.Errorf("%s: no reason", name)
				}
				if d.Allowed != (d.Code == "") || d.Allowed != (d.Err() == nil) {
					t.Errorf("%s: allowed, code and error disagree", name)
				}
				if want := mayRead(c.Caller, r.Room); d.Allowed && !want {
					t.Errorf("%s: allowed what must not be read", name)
				} else if a == access.Read && d.Allowed != want {
					t.Errorf("%s: want %t", name, want)
				} else if !want && d.Err() != error(chat.AccessDenied) {
					t.Errorf("%s: the error tells more than that access is denied", name)
				}
				if r.Closed && d.Allowed && (a == access.Post || a == access.Signal) {
					t.Errorf("%s: wrote to a closed room", name)
				}
				if d.Oversight && (c.User == nil || c.User.Role != chat.RoleAdmin || r.Participant) {
					t.Errorf("%s: oversight without the role, or by a participant", name)
				}
				if d.Allowed && c.Guest != nil && !slices.Contains([]access.Action{access.Read, access.Post, access.Signal, access.Receive}, a) {
					t.Errorf("%s: a guest session manages a room", name)
				}
				if d.Allowed && (a == access.Participants || a == access.Explain) && (c.User == nil || c.User.Role != chat.RoleAdmin) {
					t.Errorf("%s: needs the admin role", name)
				}
			}
		}
	}
}

func mayRead(c access.Caller, r access.Room) bool {
	if !r.Exists || (c.User == nil) == (c.Guest == nil) {
		return false
	}
	if u := c.User; u != nil {
		return c.SessionAlive && u.Active && (u.Role == chat.RoleAdmin || r.Participant)
	}
	g := c.Guest
	if u := g.Linked; u != nil {
		return g.Alive && u.Active && g.LoginAlive && r.Participant
	}
	return g.Alive && r.GuestSession == g.ID
}

func TestUnknownIsDenied(t *testing.T) {
	admin := access.Caller{User: &access.User{ID: me, Active: true, Role: chat.RoleAdmin}, SessionAlive: true}
	for name, q := range map[string]access.Query{
		"zero query":          {},
		"unlisted action":     {Action: "delete", Caller: admin, Room: access.Room{Exists: true, Participant: true}},
		"no action":           {Caller: admin, Room: access.Room{Exists: true, Participant: true}},
		"guest without an id": {Action: access.Read, Caller: access.Caller{Guest: &access.Guest{Alive: true}}, Room: access.Room{Exists: true}},
	} {
		if d := access.Decide(q); d.Allowed || d.Code != chat.CodeAccessDenied {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if (access.Decision{}).Err() == nil {
		t.Error("the zero decision is no denial")
	}
}

func TestEachActionHasRows(t *testing.T) {
	// Every listed action is allowed to somebody; what is allowed to nobody is not listed or forgotten.
	for _, a := range slices.Concat(access.Actions, access.Roomless) {
		if !slices.ContainsFunc(callers(), func(c namedCaller) bool {
			return slices.ContainsFunc(rooms(), func(r namedRoom) bool {
				return access.Decide(access.Query{Action: a, Caller: c.Caller, Room: r.Room}).Allowed
			})
		}) {
			t.Errorf("%s is allowed to nobody", a)
		}
	}
}
