//go:build linux

package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// visitor is a guest session with rooms, about to be linked to a user.
type visitor struct {
	id         chat.GuestSessionID
	credential string
	rooms      []chat.RoomID
	user       string // who links it
	link       linkAnswer
	answered   bool
	err        error
}

type linkAnswer struct {
	Status     string `json:"status"`
	Credential string `json:"credential"`
}

// tie is a server on which guests are linked by users.
type tie struct {
	t     testing.TB
	s     *server
	admin string
	ids   map[string]chat.UserID
	login map[string]string // user → credential of the widget
}

var vendors = []string{vendor, "northern-tea"}

func newTie(t testing.TB) *tie {
	t.Helper()
	l := &tie{t: t, s: newServer(t), ids: map[string]chat.UserID{}, login: map[string]string{}}
	l.s.start()
	l.s.command(password, "user", "add", "--role", "admin", "--password-stdin", "rosa")
	for _, v := range vendors {
		l.s.command("", "vendor", "add", v, v)
	}
	l.admin = l.s.logIn("rosa")
	for _, u := range []string{"ada", "ben"} {
		l.s.command(password, "user", "add", "--password-stdin", u)
		var in struct {
			Credential string         `json:"credential"`
			Principal  chat.Principal `json:"principal"`
		}
		l.s.must(http.MethodPost, "/api/login", "", map[string]string{"username": u, "password": password, "surface": "widget"}, &in)
		l.login[u], l.ids[u] = in.Credential, in.Principal.User
	}
	return l
}

func message(g *visitor, room int) map[string]string {
	return map[string]string{"cmid": fmt.Sprintf("%s-%d", g.id, room), "text": "before the link"}
}

// visitors makes n guests with two rooms each and a message in each room.
func (l *tie) visitors(n int) []*visitor {
	l.t.Helper()
	out := make([]*visitor, n)
	for i := range out {
		var made struct {
			ID         chat.GuestSessionID `json:"id"`
			Credential string              `json:"credential"`
		}
		l.s.must(http.MethodPost, "/api/guest-sessions", "", struct{}{}, &made)
		g := &visitor{id: made.ID, credential: made.Credential, user: []string{"ada", "ben"}[i%2]}
		for r, v := range vendors {
			var room protocol.RoomFrame
			l.s.must(http.MethodPost, "/api/rooms", g.credential, map[string]any{"client_id": fmt.Sprintf("r%d", r), "vendor": v}, &room)
			l.s.must(http.MethodPost, "/api/rooms/"+string(room.Room.ID)+"/messages", g.credential, message(g, r), nil)
			g.rooms = append(g.rooms, room.Room.ID)
		}
		out[i] = g
	}
	return out
}

// tieUp asks for a guest's link; the answer may get lost with the server.
func (l *tie) tieUp(g *visitor) (linkAnswer, error) {
	var a linkAnswer
	status, code, err := l.s.call(http.MethodPost, "/api/link", l.login[g.user], map[string]string{"guest": g.credential}, &a)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, code)
		l.t.Errorf("a link is refused: %v", err)
	}
	return a, err
}

// happened tells whether a guest's link is there, and holds everything it
// consists of to that: whole, or not at all.
func (l *tie) happened(g *visitor) bool {
	l.t.Helper()
	status, _, err := l.s.call(http.MethodGet, "/api/me", g.credential, nil, nil)
	if err != nil || status != http.StatusOK && status != http.StatusUnauthorized {
		l.t.Fatalf("the old secret of %s is answered %d, %v", g.id, status, err)
	}
	linked := status == http.StatusUnauthorized // the secret was rotated
	want := 0
	if linked {
		want = 1
	}
	check := func(what string, got int) {
		l.t.Helper()
		if got != want {
			l.t.Errorf("%s: linked %v by its secret, %d %s", g.id, linked, got, what)
		}
	}
	for i, room := range g.rooms {
		status, _, err := l.s.call(http.MethodGet, "/api/rooms/"+string(room), l.login[g.user], nil, nil)
		if err != nil || status != http.StatusOK && status != http.StatusForbidden {
			l.t.Fatalf("room %s is answered %d, %v", room, status, err)
		}
		check("rooms the user reaches", btoi(status == http.StatusOK))
		// What the guest had sent is the user's: sent again, it is there once.
		status, _, err = l.s.call(http.MethodPost, "/api/rooms/"+string(room)+"/messages", l.login[g.user], message(g, i), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		check("messages the user may repeat", btoi(status < 300))
		var page protocol.HistoryPage
		l.s.must(http.MethodGet, "/api/rooms/"+string(room)+"/messages?limit=100", l.admin, nil, &page)
		links, joins, messages := 0, 0, 0
		for i, e := range page.Events {
			if e.Seq != int64(i)+1 {
				l.t.Errorf("room %s has event %d where %d should be", room, e.Seq, i+1)
			}
			messages += btoi(e.Kind == chat.MessagePosted)
			if e.Member == nil || e.Member.User != l.ids[g.user] {
				continue
			}
			links += btoi(e.Kind == chat.GuestLinked)
			joins += btoi(e.Kind == chat.ParticipantAdded)
		}
		if messages != 1 {
			l.t.Errorf("room %s has %d messages of one", room, messages)
		}
		check("events of the link", links)
		if joins > want {
			check("events of the user joining", joins)
		}
		var state protocol.RoomFrame
		l.s.must(http.MethodGet, "/api/rooms/"+string(room), l.admin, nil, &state)
		_, member := state.Room.Member(l.ids[g.user])
		check("participants", btoi(member))
		check("rooms that name the user", btoi(state.Room.LinkedUser == l.ids[g.user]))
	}
	var rows struct {
		Entries []struct {
			ID              int64
			Action, Subject string
		}
	}
	found := 0
	for before := int64(0); ; before = rows.Entries[len(rows.Entries)-1].ID {
		rows.Entries = nil
		l.s.must(http.MethodGet, fmt.Sprintf("/api/audit?limit=200&before=%d", before), l.admin, nil, &rows)
		for _, e := range rows.Entries {
			found += btoi(e.Action == "link" && e.Subject == string(g.id))
		}
		if len(rows.Entries) < 200 {
			break
		}
	}
	check("rows of the audit table", found)
	return linked
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// F16: kill -9 in the middle of links. Afterwards each has happened whole or
// not at all, those that were answered have, and the same request repeated
// succeeds, with effect once.
func TestKilledWhileLinking(t *testing.T) {
	sample(t)
	kills, each := 5, 8
	if *soak {
		kills = 200
	}
	random := moments(t)
	l := newTie(t)
	var whole, none, answered, killed int
	// A machine that is quick may have answered all of them before each kill: then a
	// few more are needed.
	missed := func() bool { return whole == answered && none == 0 }
	for ; killed < kills || missed() && killed < 10*kills; killed++ {
		guests := l.visitors(each)
		var links sync.WaitGroup
		first := make(chan struct{}, each)
		for _, g := range guests {
			links.Go(func() { // ends with its request, at the latest when the server dies
				g.link, g.err = l.tieUp(g)
				g.answered = g.err == nil
				first <- struct{}{}
			})
		}
		// Some way into the links, or just after one of them was answered.
		if random.IntN(2) == 0 {
			<-first
		}
		time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // the random moment
		l.s.kill()
		links.Wait()
		check(t, l.s.data)
		l.s.start()
		for _, g := range guests {
			is := l.happened(g)
			again, err := l.tieUp(g)
			if err != nil {
				t.Fatalf("the same link again: %v", err)
			}
			switch {
			case g.answered && !is:
				t.Errorf("%s: the link was answered and has not happened", g.id)
			case is && (again.Status != "already_linked" || again.Credential != ""):
				t.Errorf("%s: it had happened, and the same link again is answered %+v", g.id, again)
			case !is && (again.Status != "linked" || again.Credential == ""):
				t.Errorf("%s: it had not happened, and the same link again is answered %+v", g.id, again)
			}
			if !l.happened(g) {
				t.Errorf("%s: the link was repeated and has not happened", g.id)
			}
			fresh := again.Credential
			if g.answered {
				fresh, answered = g.link.Credential, answered+1
			}
			if fresh != "" {
				l.s.must(http.MethodGet, "/api/rooms/"+string(g.rooms[0]), fresh, nil, nil)
			}
			whole, none = whole+btoi(is), none+btoi(!is)
		}
		if t.Failed() {
			return
		}
	}
	if missed() {
		t.Error("no kill met a link on its way")
	}
	if *soak && (none == 0 || whole == answered) {
		t.Errorf("of %d links %d had happened, %d had been answered: the kills met one side only", killed*each, whole, answered)
	}
	t.Logf("%d kills in %d links: %d answered, %d more had happened, %d had not", killed, killed*each, answered, whole-answered, none)
}
