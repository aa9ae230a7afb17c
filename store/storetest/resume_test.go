package storetest_test

import (
	"testing"

	"anteroom/store"
	"anteroom/store/storetest"
)

// A server that can't fill a gap says so and ends the subscription: beats don't
// name the room any more, so nothing but joining anew closes the hole.
func TestResyncRequiredJoinsAnew(t *testing.T) {
	w := storetest.NewWorld(1)
	mia := staff(w, "mia")
	guest := guestChat(w, "one")
	id := guest.View().CurrentRoom
	mia.Do(store.JoinRoom{Room: id})
	w.Run(100)
	w.Faults.LoseHint = 1
	mia.Do(store.SendMessage{Room: id, Text: "two"})
	w.Run(100)
	w.Faults.LoseHint = 0
	wantTexts(t, guest.View(), "one")
	w.Server.Resync(id)
	w.Run(100)
	wantTexts(t, guest.View(), "one", "two")
	mia.Do(store.SendMessage{Room: id, Text: "three"})
	w.Run(100)
	wantTexts(t, guest.View(), "one", "two", "three")
}
