package rooms_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// quiet is a sink that counts.
type quiet struct{ n *atomic.Int64 }

func (q quiet) Deliver(rooms.Frame)   { q.n.Add(1) }
func (q quiet) Revoke(...chat.RoomID) {}
func (q quiet) End(*chat.Error)       {}

// hall is a service on the memory storage with one user and many guests.
type hall struct {
	*rooms.Service
	auth      *auth.Service
	staff     chat.Principal
	delivered atomic.Int64
}

func newHall(b *testing.B) *hall {
	b.Helper()
	st := storage.NewMemory()
	h := &hall{auth: auth.New(st, auth.Config{Hasher: auth.CheapParams})}
	h.Service = must(rooms.New(rooms.Config{Storage: st, Auth: h.auth}))(b)
	b.Cleanup(h.Stop)
	user := must(h.auth.CreateUser(ctx, auth.NewUser{Username: "mia", Password: "correct horse"}))(b)
	h.staff = must(h.auth.LogIn(ctx, "mia", "correct horse", chat.SurfaceInbox, ""))(b).Principal
	v := must(h.AddVendor(ctx, "tea", "Tea", ""))(b)
	if err := h.SetVendorMember(ctx, v.ID, user.ID, true); err != nil {
		b.Fatal(err)
	}
	return h
}

func (h *hall) guest(b *testing.B) (chat.Principal, chat.RoomID) {
	b.Helper()
	p := must(h.Resolve(ctx, must(h.auth.MintGuest(ctx))(b).Credential))(b)
	return p, must(h.Create(ctx, p, protocol.Create{ClientID: "x", Vendor: "tea"}))(b).ID
}

func (h *hall) join(b *testing.B, p chat.Principal, room chat.RoomID) {
	b.Helper()
	w := must(h.Watch(ctx, p, quiet{&h.delivered}))(b)
	must(w.Join(ctx, protocol.Join{Room: room}))(b)
	b.Cleanup(w.Close)
}

// A message to the other and an ack, in one of 1,000 rooms of two.
func BenchmarkSendPairs(b *testing.B) {
	h := newHall(b)
	type pair struct {
		p    chat.Principal
		room chat.RoomID
	}
	user := func(name string, role chat.Role) chat.Principal {
		must(h.auth.CreateUser(ctx, auth.NewUser{Username: name, Password: "correct horse", Role: role}))(b)
		return must(h.auth.LogIn(ctx, name, "correct horse", chat.SurfaceInbox, ""))(b).Principal
	}
	admin := user("admin", chat.RoleAdmin)
	pairs := make([]pair, 1000)
	for i := range pairs {
		one, two := user(fmt.Sprint("one", i), chat.RoleUser), user(fmt.Sprint("two", i), chat.RoleUser)
		room := must(h.CreateBetween(ctx, admin, chat.ClientID(fmt.Sprint("r", i)), "", []chat.UserID{one.User, two.User}))(b).ID
		pairs[i] = pair{one, room}
		h.join(b, one, room)
		h.join(b, two, room)
	}
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			at := pairs[i%int64(len(pairs))]
			if _, err := h.Send(ctx, at.p, protocol.Send{Room: at.room, ClientID: chat.ClientID(fmt.Sprint("c", i)), Text: "hello there, how are you today?"}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(h.delivered.Load())/float64(b.N), "deliveries/op")
}

// One message to a room in which 1,000 watches are.
func BenchmarkFanOut1000(b *testing.B) {
	h := newHall(b)
	p, room := h.guest(b)
	for range 1000 {
		h.join(b, h.staff, room)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := h.Send(ctx, p, protocol.Send{Room: room, ClientID: chat.ClientID(fmt.Sprint("c", i)), Text: "hello"}); err != nil {
			b.Fatal(err)
		}
	}
}

// What an idle watch in one room of its own holds.
func BenchmarkIdleWatch(b *testing.B) {
	h := newHall(b)
	const watches = 2000
	type guest struct {
		p    chat.Principal
		room chat.RoomID
	}
	guests := make([]guest, watches)
	for i := range guests {
		guests[i].p, guests[i].room = h.guest(b)
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, g := range guests {
			h.join(b, g.p, g.room)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/watches, "B/watch")
	}
}
