package storetest_test

import (
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/storetest"
)

// texts are what a room's screen shows: stored messages, then pending ones
// with their state.
func texts(v *store.View) []string {
	var out []string
	if v.Room == nil {
		return out
	}
	for _, e := range v.Room.Timeline.Events {
		if e.Kind == chat.MessagePosted {
			out = append(out, e.Text)
		}
	}
	for _, p := range v.Room.Pending {
		out = append(out, p.Text+" ("+string(p.State)+")")
	}
	return out
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func wantTexts(t testing.TB, v *store.View, want ...string) {
	t.Helper()
	got := texts(v)
	if len(got) != len(want) {
		t.Fatalf("texts: got %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("texts: got %q, want %q", got, want)
		}
	}
}

// staff opens an inbox and logs a member of staff in.
func staff(w *storetest.World, name string) *storetest.Tab {
	tab := w.Browser(name, chat.SurfaceInbox).Open()
	tab.Do(store.LogIn{Username: name, Password: "pw"})
	w.Run(100)
	return tab
}

// guestChat has a guest write to a vendor.
func guestChat(w *storetest.World, text string) *storetest.Tab {
	tab := w.Browser("visitor", chat.SurfaceWidget).Open()
	tab.Do(store.OpenWidget{})
	tab.Do(store.StartChat{Vendor: "maple-pottery"})
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: text})
	w.Run(200)
	return tab
}

func TestGuestWritesAndIsAnswered(t *testing.T) {
	w := storetest.NewWorld(1)
	mia := staff(w, "mia")
	guest := guestChat(w, "hello")
	want(t, "auth", guest.View().Auth, store.AuthGuest)
	want(t, "connection", guest.View().Connection, store.Online)
	wantTexts(t, guest.View(), "hello")
	want(t, "rooms of mia", len(mia.View().Rooms), 1)
	want(t, "unread of mia", mia.View().Unread, 1)

	room := mia.View().Rooms[0].ID
	mia.Do(store.JoinRoom{Room: room})
	w.Run(100)
	mia.Do(store.MarkRead{Room: room, Seq: 2})
	mia.Do(store.SetTyping{Room: room, Active: true})
	w.Run(100)
	want(t, "typists", len(guest.View().Room.Typing), 1)
	want(t, "unread of mia", mia.View().Unread, 0)
	mia.Do(store.SendMessage{Room: room, Text: "good day"})
	w.Run(100)
	wantTexts(t, guest.View(), "hello", "good day")
	wantTexts(t, mia.View(), "hello", "good day")
	want(t, "typists", len(guest.View().Room.Typing), 0)
	want(t, "unread of guest", guest.View().Unread, 1)
}

func TestLogInBringsTheChatAlong(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "hello")
	guest.Do(store.SetDraft{Place: string(guest.View().CurrentRoom), Text: "half a thought"})
	guest.Do(store.LogIn{Token: "token:ada", Provided: true})
	guest.Do(store.SendMessage{Room: guest.View().CurrentRoom, Text: "written meanwhile"})
	guest.Do(store.SetDraft{Place: string(guest.View().CurrentRoom), Text: "half a thought"})
	w.Run(500)
	v := guest.View()
	want(t, "auth", v.Auth, store.AuthUser)
	want(t, "open", v.WidgetOpen, true)
	wantTexts(t, v, "hello", "written meanwhile")
	want(t, "draft", v.Room.Draft, "half a thought")
	for i, e := range v.Room.Timeline.Events {
		if e.Kind == chat.MessagePosted && !v.Mine(v.Room.Timeline.Room, e) {
			t.Errorf("event %d is not mine", i)
		}
	}
	if _, there := guest.Values[store.KeyGuestSession]; there {
		t.Error("the guest session is still stored")
	}
}

func TestLogOutLeavesNothing(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "hello")
	other := tab.Open()
	w.Run(200)
	want(t, "rooms of the other tab", len(other.View().Rooms), 1)
	tab.Do(store.LogIn{Username: "ada", Password: "pw"})
	w.Run(500)
	want(t, "auth of the other tab", other.View().Auth, store.AuthUser)
	want(t, "rooms of the other tab", len(other.View().Rooms), 1)
	tab.Do(store.LogOut{})
	for _, o := range tab.Tabs {
		w.Run(2)
		v := o.View()
		want(t, "auth", v.Auth, store.AuthNone)
		want(t, "rooms", len(v.Rooms), 0)
		want(t, "messages", len(v.Messages), 0)
		want(t, "open", v.WidgetOpen, false)
	}
	w.Run(5000)
	for k, v := range tab.Values {
		if k != store.KeyAuth(tab.Surface) {
			t.Errorf("still stored: %s = %s", k, v)
		}
	}
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "somebody new"})
	w.Run(500)
	want(t, "auth", tab.View().Auth, store.AuthGuest)
	want(t, "rooms", len(tab.View().Rooms), 1)
	want(t, "guest of the other tab", other.View().GuestSession, tab.View().GuestSession)
}

// watchedChat is guestChat with a vendor's tab beside it that has joined the room.
func watchedChat(w *storetest.World, text string) (mia, guest *storetest.Tab, room chat.RoomID) {
	mia = staff(w, "mia")
	guest = guestChat(w, text)
	room = guest.View().CurrentRoom
	mia.Do(store.JoinRoom{Room: room})
	w.Run(100)
	return mia, guest, room
}
