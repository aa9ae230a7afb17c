package storetest_test

import (
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/storetest"
)

// A log-in that the host signed is not persisted, and it ends what was stored
// of somebody else: the next page load must begin as nobody, with the words of
// both users where they were. (Seed 407 lost them.)
func TestHostLogInEndsTheStoredSession(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := w.Browser("visitor", chat.SurfaceWidget).Open()
	tab.Do(store.LogIn{Username: "bo", Password: "pw"})
	w.Run(100)
	want(t, "stored sessions", len(keysWith(tab.Values, ".session")), 1)
	tab.Do(store.LogIn{Token: "token:ada"})
	w.Run(100)
	want(t, "stored sessions", len(keysWith(tab.Values, ".session")), 0)
	tab.SetOffline(true)
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "of ada"})
	tab.Crash()
	again := tab.Browser.Open()
	want(t, "auth", again.View().Auth, store.AuthNone)
	want(t, "kept", len(keysWith(tab.Values, ".outbox.")), 1)
	again.SetOffline(false)
	again.Do(store.LogIn{Token: "token:ada"})
	w.Run(2000)
	want(t, "stored", w.Server.CountText("of ada"), 1)
	want(t, "outbox", len(keysWith(tab.Values, ".outbox.")), 0)
}

// The same where the page died between the two writes.
func TestStoredSessionOlderThanAnothersLogIn(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := w.Browser("visitor", chat.SurfaceWidget).Open()
	tab.Do(store.LogIn{Username: "bo", Password: "pw"})
	w.Run(100)
	stored := tab.Values[store.KeySession(tab.Surface)]
	tab.Do(store.LogIn{Token: "token:ada"})
	w.Run(100)
	tab.SetOffline(true)
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "of ada"})
	tab.Crash()
	tab.Values[store.KeySession(tab.Surface)] = stored
	again := tab.Browser.Open()
	want(t, "auth", again.View().Auth, store.AuthNone)
	want(t, "stored sessions", len(keysWith(tab.Values, ".session")), 0)
	want(t, "kept", len(keysWith(tab.Values, ".outbox.")), 1)
}
