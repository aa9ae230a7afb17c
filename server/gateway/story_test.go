//go:build !js

package gateway

import (
	"testing"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func TestGuestAndVendorTalk(t *testing.T) {
	w := newWorld(t, Limits{})
	mia := w.user("mia", chat.RoleUser)
	w.vendor("maple-pottery", mia)
	staff := w.connect(w.login("mia", chat.SurfaceInbox).Credential, chat.SurfaceInbox)
	g := w.guest()
	guest := w.connect(g.Credential, chat.SurfaceWidget)
	f := guest.ask(protocol.ClientFrame{Create: &protocol.Create{ClientID: "n1", Vendor: "maple-pottery", Page: "/cups"}})
	if f.Created == nil {
		t.Fatalf("not created: %s", protocol.EncodeServer(f))
	}
	room := f.Created.Room.ID
	staff.until(func(f protocol.ServerFrame) bool { return f.Room != nil && f.Room.Room.ID == room })
	if f := staff.join(room); f.Joined == nil || f.Joined.Head != 1 {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	guest.join(room)
	f = guest.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: "m1", Text: "Do the cups survive a dishwasher?"}})
	if f.Ack == nil || f.Ack.Seq != 2 {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	e := staff.until(func(f protocol.ServerFrame) bool { return f.Event != nil })
	if e.Event.Event.Text != "Do the cups survive a dishwasher?" || e.Event.Event.Seq != 2 {
		t.Fatalf("got %s", protocol.EncodeServer(e))
	}
	staff.ask(protocol.ClientFrame{Typing: &protocol.Typing{Room: room, Active: true}})
	guest.until(func(f protocol.ServerFrame) bool { return f.Typing != nil && f.Typing.Who == chat.UserIdentity(mia) })

	// A second guest sees nothing of it, and is still served.
	other := w.connect(w.guest().Credential, chat.SurfaceWidget)
	if f := other.join(room); errorOf(f) != chat.CodeAccessDenied || f.Error.Message != "Access denied to this room" {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	if f := other.ask(protocol.ClientFrame{Rooms: &protocol.RoomsQuery{}}); f.Rooms == nil || len(f.Rooms.Rooms) != 0 {
		t.Fatalf("got %s", protocol.EncodeServer(f))
	}
	w.say(g.Credential, room, "hello?")
	if got := other.fence(); len(got) != 0 {
		t.Fatalf("a stranger got %s", protocol.EncodeServer(got...))
	}
}
