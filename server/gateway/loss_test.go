//go:build !js

package gateway

import (
	"context"
	"sync/atomic"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// afterwards does something once an Update is durable and before its caller knows.
type afterwards struct {
	storage.Storage
	then atomic.Pointer[func()]
}

func (s *afterwards) Update(ctx context.Context, f func(storage.Writer) error) error {
	err := s.Storage.Update(ctx, f)
	if then := s.then.Swap(nil); then != nil {
		(*then)()
	}
	return err
}

// Answers that name rooms which their requests do not are as bound by a loss as
// any other: one that waits, and one that is being made.
func TestAnswersOfALostRoom(t *testing.T) {
	st := &afterwards{Storage: storage.NewMemory()}
	w := newWorldOn(t, st, Limits{}, "")
	mia, ada := w.user("mia", chat.RoleUser), w.user("ada", chat.RoleUser)
	w.user("rosa", chat.RoleAdmin)
	w.vendor("maple", mia)
	admin := w.login("rosa", chat.SurfaceInbox).Credential
	customer := w.login("ada", chat.SurfaceWidget).Credential
	room := w.open(customer, "maple")
	w.say(w.login("mia", chat.SurfaceInbox).Credential, room, "secret")
	p := w.connect(customer, chat.SurfaceWidget)
	p.join(room)
	then := func() {
		w.get(nil, "DELETE", "/api/rooms/"+string(room)+"/participants/"+string(ada), admin, nil)
	}
	st.then.Store(&then)
	p.raw(string(protocol.EncodeClient(
		protocol.ClientFrame{ID: 100, Ping: &protocol.Empty{}},
		protocol.ClientFrame{ID: 101, Create: &protocol.Create{ClientID: w.cmid(), Vendor: "maple"}})))
	pong := p.until(func(f protocol.ServerFrame) bool { return f.Re == 100 })
	if pong.Pong != nil {
		t.Errorf("the pong that waited is %s", protocol.EncodeServer(pong))
	}
	created := p.until(func(f protocol.ServerFrame) bool { return f.Re == 101 })
	if created.Created == nil || created.Created.Room.ID == room {
		t.Errorf("the room that was asked for is %s", protocol.EncodeServer(created))
	}
}
