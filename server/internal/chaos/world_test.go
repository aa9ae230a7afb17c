//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// world is a server with rooms of users and guests in whom bots write.
type world struct {
	t      testing.TB
	s      *server
	client *http.Client      // of the bots; the server's unless a proxy stands between
	creds  map[string]string // user → credential, for the judge
	rooms  []place
	bots   []*bot
	reader map[chat.RoomID]string // whose credential reads the room

	stopWriting context.CancelFunc
	writers     sync.WaitGroup
}

// place is a room between users.
type place struct {
	id      chat.RoomID
	tag     string
	members []string
}

var users = []string{"ada", "ben", "cleo", "dan"}

func tagOf(i int) string { return fmt.Sprintf("zk%016x", 0xabc000000000+i) }

// furnish makes an admin, four users, a vendor with dan as its staff, and
// rooms in each of which one user is missing. The server must run.
func furnish(t testing.TB, s *server, rooms int) *world {
	t.Helper()
	w := &world{t: t, s: s, client: s.http, creds: map[string]string{}, reader: map[chat.RoomID]string{}}
	s.command(password, "user", "add", "--role", "admin", "--password-stdin", "rosa")
	for _, u := range users {
		s.command(password, "user", "add", "--password-stdin", u)
	}
	s.command("", "vendor", "add", vendor, "Maple Pottery")
	s.command("", "vendor", "member", vendor, "dan")
	ids := map[string]chat.UserID{}
	for _, u := range append([]string{"rosa"}, users...) {
		w.creds[u] = s.logIn(u)
		var me struct {
			Principal chat.Principal `json:"principal"`
		}
		s.must(http.MethodGet, "/api/me", w.creds[u], nil, &me)
		ids[u] = me.Principal.User
	}
	for i := range rooms {
		p := place{tag: tagOf(i)}
		var members []chat.UserID
		for j, u := range users {
			if j != i%len(users) {
				p.members = append(p.members, u)
				members = append(members, ids[u])
			}
		}
		var out protocol.RoomFrame
		s.must(http.MethodPost, "/api/rooms", w.creds["rosa"], map[string]any{
			"client_id": fmt.Sprintf("room-%d", i), "name": "Room " + p.tag, "users": members,
		}, &out)
		p.id = out.Room.ID
		w.rooms = append(w.rooms, p)
		w.reader[p.id] = p.members[0]
	}
	return w
}

// settle puts bots into every room: each member `each` times, and guests. It
// returns when all are live.
func (w *world) settle(each, guests int) {
	w.t.Helper()
	var guestTags []string
	for g := range guests {
		guestTags = append(guestTags, tagOf(1000+g))
	}
	for _, p := range w.rooms {
		for _, u := range p.members {
			var may []string
			for _, other := range w.rooms {
				for _, m := range other.members {
					if m == u {
						may = append(may, other.tag)
					}
				}
			}
			if u == "dan" {
				may = append(may, guestTags...)
			}
			for n := range each {
				b := newBot(w.t, fmt.Sprintf("%s%d-%s", u, n, p.tag[len(p.tag)-4:]), p.tag, may...)
				b.room = p.id
				b.run(chat.SurfaceInbox, w.client)
				w.bots = append(w.bots, b)
				b.client.Do(store.LogIn{Username: u, Password: password})
			}
		}
	}
	for g := range guests {
		b := newBot(w.t, fmt.Sprintf("guest%d", g), guestTags[g])
		b.vendor = vendor
		b.run(chat.SurfaceWidget, w.client)
		w.bots = append(w.bots, b)
		b.client.Do(store.StartChat{Vendor: vendor})
		b.write()
	}
	w.t.Cleanup(func() {
		w.quiet()
		for _, b := range w.bots {
			b.stop()
		}
	})
	for _, b := range w.bots {
		if b.vendor == "" {
			await(w.t, b.name+" to be logged in", func() bool {
				v := b.client.View()
				return v.Auth == store.AuthUser && v.RoomsLoaded
			})
			b.client.Do(store.JoinRoom{Room: b.room})
		}
	}
	for _, b := range w.bots {
		await(w.t, b.name+" to be live", b.settled)
		if b.vendor != "" {
			w.reader[b.client.View().CurrentRoom] = "dan"
		}
	}
}

// load lets every bot write until quiet.
func (w *world) load(every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	w.stopWriting = cancel
	for _, b := range w.bots {
		w.writers.Go(func() { b.chatter(ctx, every) })
	}
	w.writers.Go(func() { // watches the memory
		for ctx.Err() == nil {
			w.s.rss()
			time.Sleep(50 * time.Millisecond)
		}
	})
}

func (w *world) quiet() {
	if w.stopWriting != nil {
		w.stopWriting()
	}
	w.writers.Wait()
}

// look lets everybody return to their page.
func (w *world) look() {
	for _, b := range w.bots {
		b.page.look()
	}
}

// history reads a room from its first event to its last, as a member.
func (w *world) history(room chat.RoomID) []chat.Event {
	w.t.Helper()
	var out []chat.Event
	for {
		var page protocol.HistoryPage
		path := fmt.Sprintf("/api/rooms/%s/messages?limit=100", room)
		if n := len(out); n > 0 {
			path += fmt.Sprintf("&after=%d", out[n-1].Seq)
		} else {
			path += "&after=0"
		}
		w.s.must(http.MethodGet, path, w.creds[w.reader[room]], nil, &page)
		if len(out) == 0 && len(page.Events) > 0 && page.Events[0].Seq != 1 {
			// Without "after" the newest page is given: go back from there.
			for page.Events[0].Seq != 1 {
				var before protocol.HistoryPage
				w.s.must(http.MethodGet, fmt.Sprintf("/api/rooms/%s/messages?limit=100&before=%d", room, page.Events[0].Seq), w.creds[w.reader[room]], nil, &before)
				if len(before.Events) == 0 {
					w.t.Fatalf("the history of %s begins at %d", room, page.Events[0].Seq)
				}
				page.Events = append(before.Events, page.Events...)
			}
			page.More = false
		}
		out = append(out, page.Events...)
		if !page.More || len(page.Events) == 0 {
			return out
		}
	}
}

// caughtUp waits until every bot is live, has nothing waiting, and shows the
// head of its room. It returns how long that took.
func (w *world) caughtUp() time.Duration {
	w.t.Helper()
	began := time.Now()
	heads := map[chat.RoomID]int64{}
	for _, b := range w.bots {
		await(w.t, b.name+" to be live again with nothing waiting", b.settled)
	}
	for room := range w.reader {
		h := w.history(room)
		if len(h) > 0 {
			heads[room] = h[len(h)-1].Seq
		}
	}
	for _, b := range w.bots {
		await(w.t, b.name+" to show the head of its room", func() bool {
			v := b.client.View()
			return v.Room != nil && v.Room.Timeline.Head >= heads[v.CurrentRoom]
		})
	}
	return time.Since(began)
}

// judge waits until all is calm, and holds every journal against the history.
// It returns how many messages were acknowledged and how many are stored.
func (w *world) judge() (acks, stored int) {
	w.t.Helper()
	w.quiet()
	w.caughtUp()
	histories := map[chat.RoomID]map[int64]said{}
	where := map[chat.RoomID]map[chat.ClientID]int64{}
	for room := range w.reader {
		histories[room], where[room] = map[int64]said{}, map[chat.ClientID]int64{}
		for i, e := range w.history(room) {
			if e.Seq != int64(i)+1 {
				w.t.Errorf("O: the history of %s has %d where %d should be", room, e.Seq, i+1)
			}
			histories[room][e.Seq] = said{e.Sender, e.ClientID, e.Text}
			if e.ClientID == "" {
				continue
			}
			stored++
			if old, ok := where[room][e.ClientID]; ok {
				w.t.Errorf("L: %s is stored as %d and as %d", e.ClientID, old, e.Seq)
			}
			where[room][e.ClientID] = e.Seq
		}
	}
	for _, b := range w.bots {
		room, sent, acked, shown, faults := b.journal()
		for _, f := range faults {
			w.t.Error(f)
		}
		acks += len(acked)
		for id, seq := range acked {
			if got := where[room][id]; got != seq {
				w.t.Errorf("L: %s: %s was acknowledged as %d, the history has it at %d (0: not at all)", b.name, id, seq, got)
			}
		}
		for id, text := range sent {
			seq := where[room][id]
			if seq == 0 {
				w.t.Errorf("L: %s: %s was written, nothing waits, and it is not stored", b.name, id)
			} else if got := histories[room][seq].text; got != text {
				w.t.Errorf("L: %s: %s says %q, not %q", b.name, id, got, text)
			}
		}
		for seq, is := range shown {
			if was, ok := histories[room][seq]; !ok || was != is {
				w.t.Errorf("O: %s: showed %v as event %d, the history has %v", b.name, is, seq, was)
			}
		}
	}
	return acks, stored
}

// newWorld is a running server with its bots.
func newWorld(t testing.TB, rooms, each, guests int, flags ...string) *world {
	t.Helper()
	s := newServer(t, flags...)
	s.start()
	w := furnish(t, s, rooms)
	w.settle(each, guests)
	return w
}
