package storetest_test

import (
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/storetest"
)

// A server that can't fill a gap says so and ends the subscription: beats don't
// name the room any more, so nothing but joining anew closes the hole.
func TestResyncRequiredJoinsAnew(t *testing.T) {
	w := storetest.NewWorld(1)
	mia, guest, id := watchedChat(w, "one")
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

// connects gives the times of a tab's Connects while the world runs for so long.
func connects(w *storetest.World, tab *storetest.Tab, ms int64) []int64 {
	var at []int64
	n := sent(tab, `"Conn"`)
	for end := w.Now() + ms; w.Now() < end; w.Run(50) {
		if now := sent(tab, `"Conn"`); now > n {
			n = now
			at = append(at, w.Now())
		}
	}
	return at
}

func TestReconnectsWithFullJitterUpToThirtySeconds(t *testing.T) {
	var longest, shortest int64
	firsts := map[int64]bool{}
	for range 8 { // tabs, each with a jitter of its own
		w := storetest.NewWorld(1)
		for range len(firsts) {
			w.Browser("other", chat.SurfaceInbox).Open() // another tab's name gives another jitter
		}
		tab := guestChat(w, "one")
		w.Faults.Cut = 1
		w.Server.Kill()
		at := connects(w, tab, 600_000)
		if len(at) < 20 || len(at) > 120 {
			t.Fatalf("%d tries in ten minutes", len(at))
		}
		firsts[at[0]] = true
		for i := 1; i < len(at); i++ {
			wait, ceiling := at[i]-at[i-1], int64(30_000)
			if i < 5 {
				ceiling = min(ceiling, 1000<<i)
			}
			if wait > ceiling+200 {
				t.Errorf("wait %d took %d ms", i, wait)
			}
			if i > 5 {
				longest = max(longest, wait)
				if shortest == 0 || wait < shortest {
					shortest = wait
				}
			}
		}
	}
	if longest < 25_000 || shortest > 5_000 || len(firsts) < 4 {
		t.Errorf("waits from %d to %d ms, %d different first ones: this is no full jitter", shortest, longest, len(firsts))
	}
}

func TestReturnConnectsAtOnce(t *testing.T) {
	for name, back := range map[string]func(*storetest.Tab){
		"focus or visibility": func(tab *storetest.Tab) { tab.Return() },
		"online":              func(tab *storetest.Tab) { tab.SetOffline(true); tab.SetOffline(false) },
	} {
		t.Run(name, func(t *testing.T) {
			w := storetest.NewWorld(1)
			tab := guestChat(w, "one")
			w.Faults.Cut = 1
			w.Server.Kill()
			connects(w, tab, 60_000) // by now it waits for long
			want(t, "connection", tab.View().Connection, store.Offline)
			w.Heal()
			back(tab)
			w.Run(50)
			want(t, "connection", tab.View().Connection, store.Online)
		})
	}
}

// What a frozen page gets in one burst is applied in order, on the same socket:
// the frames that waited in it prove it alive before any timer says otherwise.
func TestFrozenPageTakesTheBurstInOrder(t *testing.T) {
	w := storetest.NewWorld(1)
	mia, guest, id := watchedChat(w, "one")
	n := sent(guest, `"Conn"`)
	guest.Freeze(600_000)
	w.Run(1000)
	texts := []string{"one"}
	for _, text := range []string{"two", "three", "four", "five"} {
		mia.Do(store.SendMessage{Room: id, Text: text})
		w.Run(60_000)
		texts = append(texts, text)
	}
	wantTexts(t, guest.View(), "one")
	var heads []int64
	w.Check = func(tab *storetest.Tab) {
		if v := tab.View(); tab == guest && v.Room != nil {
			heads = append(heads, v.Room.Timeline.Head)
		}
	}
	w.Run(400_000)
	wantTexts(t, guest.View(), texts...)
	want(t, "connects", sent(guest, `"Conn"`), n)
	for i := 1; i < len(heads); i++ {
		if step := heads[i] - heads[i-1]; step < 0 || step > 1 {
			t.Errorf("the head went from %d to %d", heads[i-1], heads[i])
		}
	}
	if len(heads) == 0 || heads[len(heads)-1]-heads[0] < 3 {
		t.Errorf("no burst was seen: heads %v", heads)
	}
}

// A socket that died while the page was frozen: the burst is short of what
// happened later, and the room is resumed from the cursor.
func TestFrozenPageResumesWhatTheBurstLacks(t *testing.T) {
	w := storetest.NewWorld(1)
	mia, guest, id := watchedChat(w, "one")
	guest.Freeze(600_000)
	mia.Do(store.SendMessage{Room: id, Text: "two"})
	w.Run(1000)
	w.Server.Kill()
	w.Run(10_000)
	mia.Do(store.SendMessage{Room: id, Text: "three"})
	w.Run(600_000)
	wantTexts(t, guest.View(), "one", "two", "three")
	want(t, "connection", guest.View().Connection, store.Online)
}
