package rooms

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// deaf is a sink that keeps nothing.
type deaf struct{}

func (deaf) Deliver(Frame)         {}
func (deaf) Revoke(...chat.RoomID) {}
func (deaf) End(*chat.Error)       {}

// A right that is lost while its holder just leaves the room, to join it again:
// when the revocation returns, nothing can be delivered through the old join.
func TestRevokeWhileLeaving(t *testing.T) {
	ctx := context.Background()
	st := storage.NewMemory()
	a := auth.New(st, auth.Config{Hasher: auth.CheapParams})
	s, err := New(Config{Storage: st, Auth: a})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if _, err := s.AddVendor(ctx, "tea", "Tea", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateUser(ctx, auth.NewUser{Username: "mia", Name: "Mia", Password: "correct horse", Role: chat.RoleUser}); err != nil {
		t.Fatal(err)
	}
	login, err := a.LogIn(ctx, "mia", "correct horse", chat.SurfaceWidget, "test")
	if err != nil {
		t.Fatal(err)
	}
	user := login.Principal.User
	room, err := s.Create(ctx, login.Principal, protocol.Create{ClientID: "room", Vendor: "tea"})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch(ctx, login.Principal, deaf{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Join(ctx, protocol.Join{Room: room.ID}); err != nil {
		t.Fatal(err)
	}
	j := w.joins[0]
	if err := st.Update(ctx, func(w storage.Writer) error { return w.SetParticipant(room.ID, user, false) }); err != nil {
		t.Fatal(err)
	}

	j.r.mu.Lock() // as a delivery under way would
	var calls sync.WaitGroup
	calls.Go(func() { w.Leave(room.ID) })
	for w.joined(room.ID) {
		runtime.Gosched()
	}
	var revoked atomic.Bool
	calls.Go(func() {
		s.revoke(ctx, user, room.ID)
		revoked.Store(true)
	})
	for range 20_000 { // far more turns than a revocation takes that does not wait
		if runtime.Gosched(); revoked.Load() {
			t.Error("the revocation returned while something could still be delivered")
			break
		}
	}
	j.r.mu.Unlock()
	calls.Wait()
	if j.state != over || len(w.joins) != 0 {
		t.Errorf("the join is in state %d, the watch has %d", j.state, len(w.joins))
	}
}
