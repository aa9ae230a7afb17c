//go:build !js

package gateway

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// newStage starts a server with a vendor and people beside the callers.
func newStage(t testing.TB) *stage {
	t.Helper()
	return newStageOn(t, storage.NewMemory())
}

func newStageOn(t testing.TB, st storage.Storage) *stage {
	t.Helper()
	w := newWorldOn(t, st, Limits{Sockets: -1, AddressSockets: -1, PendingSockets: -1}, "")
	other := w.user("other", chat.RoleUser)
	w.vendor("maple", other)
	gone := w.user("gone", chat.RoleUser)
	w.must(w.auth.SetActive(context.Background(), gone, false))
	s := &stage{world: w, other: other, third: w.user("third", chat.RoleUser), theirs: chat.GuestSessionID(newID("g_"))}
	s.must(w.storage.View(context.Background(), func(r storage.Reader) error {
		v, err := r.VendorBySlug("maple")
		s.vendor = v.ID
		return err
	}))
	return s
}

// outcome is what came of one request.
type outcome struct {
	code  chat.Code
	body  string // without what the request itself named
	reads int64
}

func (s *stage) throughHTTP(method string, row tableRow, c cast, id string) outcome {
	s.Helper()
	path, body := row.http(s, c, id)
	before := s.reads.Load()
	r := s.call(method, path, c.credential, body)
	out := outcome{code: r.code(), body: fmt.Sprintf("%d %s", r.status, r.body), reads: s.reads.Load() - before}
	if out.code == chat.CodeSessionExpired {
		out.code = nobody
	}
	return out
}

func (s *stage) throughSocket(p *peer, row tableRow, id string) outcome {
	s.Helper()
	before := s.reads.Load()
	f := p.ask(row.frame(s, id))
	out := outcome{code: errorOf(f), reads: s.reads.Load() - before}
	f.Re = 0
	out.body = strings.ReplaceAll(string(protocol.EncodeServer(f)), id, "…")
	return out
}

// frameTypes lists the types of frames a client may send, from the protocol itself.
func frameTypes() (names []string) {
	t := reflect.TypeFor[protocol.ClientFrame]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "id" {
			names = append(names, name)
		}
	}
	return names
}

// TestCrawlIsWhole: a route or a type of frame without a row, or a row without
// either, fails.
func TestCrawlIsWhole(t *testing.T) {
	served := map[string]bool{}
	for _, r := range routes() {
		served[r.id] = true
		if row, ok := routeRows[r.id]; !ok || row.http == nil || row.want == nil {
			t.Errorf("%s %s (%s) has no row in the table", r.method, r.path, r.id)
		}
		if row := routeRows[r.id]; strings.Contains(r.path, "{") && (row.id == nil || !row.secret) {
			t.Errorf("%s %s names something, and its row has no ids", r.method, r.path)
		}
	}
	for id := range routeRows {
		if !served[id] {
			t.Errorf("the row %s is of no route", id)
		}
	}
	types := frameTypes()
	for _, name := range types {
		if _, ok := frameRows[name]; !ok && name != "hello" {
			t.Errorf("the frame %s has no row in the table", name)
		}
	}
	for name := range frameRows {
		if !slices.Contains(types, name) {
			t.Errorf("the row %s is of no frame", name)
		}
	}
}

// placesOf are the places that a row has ids for.
func placesOf(row tableRow) []string {
	if row.id == nil {
		return []string{""}
	}
	return places
}

// TestCrawl drives every route and every type of frame as every kind of caller
// with ids of every place. What is refused changes nothing; "not yours" and
// "does not exist" are the same status and body, for the same reads of storage.
func TestCrawl(t *testing.T) {
	s := newStage(t)
	driven := 0
	for _, k := range kinds {
		for _, r := range routes() {
			row := routeRows[r.id]
			c := s.cast(k.name)
			s.crawl(k, c, row, r.id, func(id string) outcome {
				if r.id == "endGuestSession" || strings.HasPrefix(r.id, "logOut") {
					return s.throughHTTP(r.method, row, s.cast(k.name), id) // whom it ends asks no more
				}
				driven++
				return s.throughHTTP(r.method, row, c, id)
			})
		}
		if !k.alive {
			s.atTheDoor(k, s.cast(k.name))
			continue
		}
		c := s.cast(k.name)
		p := s.connect(c.credential, c.surface)
		for _, name := range frameTypes() {
			if name == "hello" {
				s.hellos(k, c)
				continue
			}
			row := frameRows[name]
			s.crawl(k, c, row, "frame "+name, func(id string) outcome {
				driven++
				return s.throughSocket(p, row, id)
			})
		}
	}
	if driven < 1300 {
		t.Errorf("only %d requests were made", driven)
	}
}

// crawl asks one row's request for ids of every place.
func (s *stage) crawl(k kind, c cast, row tableRow, name string, ask func(id string) outcome) {
	s.Helper()
	answers := map[string]outcome{}
	for _, place := range placesOf(row) {
		id := ""
		if row.id != nil {
			id = row.id(s, k, c, place)
		}
		before := s.state(chat.RoomID(id))
		got, want := ask(id), row.want(k, place)
		if got.code != want {
			s.Errorf("%s as %s, %s: %q (%s), want %q", name, k.name, place, got.code, got.body, want)
		}
		if after := s.state(chat.RoomID(id)); want != "" && after != before {
			s.Errorf("%s as %s, %s: was refused and changed the room", name, k.name, place)
		}
		answers[place] = got
	}
	foreign, missing := answers["foreign"], answers["missing"]
	if !row.secret || foreign.code != missing.code {
		return
	}
	if foreign.body != missing.body {
		s.Errorf("%s as %s: not theirs gives %s, missing gives %s", name, k.name, foreign.body, missing.body)
	}
	// The sweeper and the lists of open sockets read too, now and then; what
	// differs every time is the request's.
	for try := 0; foreign.reads != missing.reads; try++ {
		if try == 4 {
			s.Errorf("%s as %s: not theirs takes %d reads, missing %d", name, k.name, foreign.reads, missing.reads)
			break
		}
		foreign, missing = ask(row.id(s, k, c, "foreign")), ask(row.id(s, k, c, "missing"))
	}
	if k.alive && foreign.code == denied && foreign.reads == 0 {
		s.Errorf("%s as %s: refused without looking", name, k.name)
	}
}

// atTheDoor: whose credential is not good gets no socket, and no frame but
// hello does anything before it.
func (s *stage) atTheDoor(k kind, c cast) {
	s.Helper()
	for _, name := range frameTypes() {
		p := s.dial("")
		f, want := protocol.ClientFrame{ID: 1, Hello: &protocol.Hello{Version: 1, Credential: c.credential, Surface: c.surface}}, nobody
		if row, ok := frameRows[name]; ok {
			id := ""
			if row.id != nil {
				id = row.id(s, k, c, "own")
			}
			f, want = row.frame(s, id), invalid
			f.ID = 1
		}
		p.raw(string(protocol.EncodeClient(f)))
		_, frames := p.end()
		if len(frames) != 2 || errorOf(frames[0]) != want || frames[1].Bye == nil {
			s.Errorf("frame %s first, as %s: %s", name, k.name, protocol.EncodeServer(frames...))
		}
	}
}

// hellos claims guest sessions of every place beside one's own credential.
func (s *stage) hellos(k kind, c cast) {
	s.Helper()
	for _, place := range places {
		claimed := map[string]string{"own": string(c.guest), "over": string(s.theirs), "foreign": string(s.theirs), "missing": newID("g_"), "malformed": "g_1"}[place]
		p := s.dial("")
		p.raw(string(protocol.EncodeClient(protocol.ClientFrame{ID: 1, Hello: &protocol.Hello{
			Version: 1, Credential: c.credential, Surface: c.surface, GuestSession: chat.GuestSessionID(claimed),
		}})))
		if k.guest && place == "own" {
			if f := p.until(func(f protocol.ServerFrame) bool { return f.Re == 1 }); f.Welcome == nil {
				s.Errorf("hello as %s with their own id: %s", k.name, protocol.EncodeServer(f))
			}
			continue
		}
		_, frames := p.end()
		if len(frames) != 2 || errorOf(frames[0]) != invalid || frames[1].Bye == nil || bytes.Contains(protocol.EncodeServer(frames...), []byte("welcome")) {
			s.Errorf("hello as %s with the guest session of another (%s): %s", k.name, place, protocol.EncodeServer(frames...))
		}
	}
}
