package storetest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/storetest"
)

func countLogs(w *storetest.World, part string) int {
	n := 0
	for _, l := range w.Logs {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// sent counts the frames and requests of a tab whose journal line holds part.
func sent(tab *storetest.Tab, part string) int {
	n := 0
	for line := range strings.Lines(string(tab.Outputs)) {
		if (strings.HasPrefix(line, "store.Send") || strings.HasPrefix(line, "store.Call") || strings.HasPrefix(line, "store.Connect")) && strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func keysWith(values map[string]string, part string) []string {
	var out []string
	for k := range values {
		if strings.Contains(k, part) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func TestUnknownRoomIsRefusedAfterOneRefresh(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "hello")
	before := sent(guest, `"rooms":{`)
	id := chat.RoomID("r_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	guest.Do(store.JoinRoom{Room: id})
	w.Run(5000)
	want(t, "lines", countLogs(w, "room not in list"), 1)
	want(t, "refreshes", sent(guest, `"rooms":{`)-before, 1)
	want(t, "error", guest.View().Room.Error.Code, chat.CodeAccessDenied)
	want(t, "joins", sent(guest, string(id)), 0)
}

func TestLostRoomLeavesTheViewOnce(t *testing.T) {
	w := storetest.NewWorld(1)
	mia := staff(w, "mia")
	guest := guestChat(w, "hello")
	guest.Do(store.LogIn{Username: "ada", Password: "pw"})
	w.Run(500)
	id := guest.View().CurrentRoom
	mia.Do(store.JoinRoom{Room: id})
	w.Run(100)
	// The denial meets the message on its way.
	w.Server.SetMember(id, w.Server.User("mia"), false)
	mia.Do(store.SendMessage{Room: id, Text: "too late"})
	w.Run(1000)
	v := mia.View()
	want(t, "room", v.CurrentRoom, "")
	want(t, "rooms", len(v.Rooms), 0)
	want(t, "notice", v.Notice.Code, chat.CodeAccessDenied)
	want(t, "stored", w.Server.CountText("too late"), 0)
	want(t, "kept", len(keysWith(mia.Values, ".outbox.")), 1)

	// A customer finds the text at the vendor, failed, and can send it again.
	w.Server.SetMember(id, w.Server.User("ada"), false)
	guest.Do(store.SendMessage{Room: id, Text: "am I out?"})
	w.Run(1000)
	guest.Do(store.StartChat{Vendor: "maple-pottery"})
	wantTexts(t, guest.View(), "am I out? (failed)")
	guest.Do(store.Retry{ClientID: guest.View().Room.Pending[0].ClientID})
	w.Run(1000)
	wantTexts(t, guest.View(), "am I out?")
	want(t, "stored", w.Server.CountText("am I out?"), 1)
}

func TestOfflineMessagesGoInOrderAlsoAfterACrash(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "one")
	guest.SetOffline(true)
	want(t, "connection", guest.View().Connection, store.Offline)
	guest.Do(store.SendMessage{Room: guest.View().CurrentRoom, Text: "two"})
	guest.Do(store.SendMessage{Room: guest.View().CurrentRoom, Text: "three"})
	guest.Do(store.SetDraft{Place: string(guest.View().CurrentRoom), Text: "fo"})
	w.Run(1000)
	wantTexts(t, guest.View(), "one", "two (waiting)", "three (waiting)")
	room := guest.View().CurrentRoom
	guest.Crash()
	again := guest.Browser.Open()
	again.Do(store.JoinRoom{Room: room})
	wantTexts(t, again.View(), "two (waiting)", "three (waiting)")
	want(t, "draft", again.View().Room.Draft, "fo")
	guest.SetOffline(false)
	w.Run(1000)
	wantTexts(t, again.View(), "one", "two", "three")
	want(t, "outbox", len(keysWith(guest.Values, ".outbox.")), 0)
}

// What the shell queued before the machine ran is handed over again if the page
// dies before the shell has forgotten it: also after it was stored.
func TestQueuedMessageHandedOverTwice(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "one")
	queued := store.SendMessage{Vendor: "maple-pottery", Text: "two", ClientID: "shell-1"}
	guest.Do(queued)
	guest.Do(queued)
	w.Run(1000)
	wantTexts(t, guest.View(), "one", "two")
	guest.Crash()
	again := guest.Browser.Open()
	w.Run(1000)
	again.Do(store.OpenWidget{})
	again.Do(store.StartChat{Vendor: "maple-pottery"})
	w.Run(1000)
	again.Do(queued)
	w.Run(1000)
	wantTexts(t, again.View(), "one", "two")
	want(t, "stored", w.Server.CountText("two"), 1)
	want(t, "outbox", len(keysWith(guest.Values, ".outbox.")), 0)
}

func TestRateLimitCountsDownAndPasses(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "one")
	w.Server.Fail = &chat.Error{Code: chat.CodeRateLimited, Message: "slower", RetryAfter: 7e9}
	guest.Do(store.SendMessage{Room: guest.View().CurrentRoom, Text: "two"})
	w.Run(100)
	w.Server.Fail = nil
	p := guest.View().Room.Pending[0]
	want(t, "state", p.State, store.Limited)
	if p.RetryAt < w.Now()+6000 || p.RetryAt > w.Now()+7000 {
		t.Errorf("retry in %d ms", p.RetryAt-w.Now())
	}
	w.Run(6000)
	wantTexts(t, guest.View(), "one", "two (limited)")
	w.Run(1500)
	wantTexts(t, guest.View(), "one", "two")
}

func TestHalfOpenSocketIsFoundIn45Seconds(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "one")
	connects := sent(guest, `"Conn"`)
	w.Faults.HalfOpen = 1
	w.Run(1)
	w.Server.Beat() // this beat kills the connection without a word
	w.Faults.HalfOpen = 0
	guest.Do(store.SendMessage{Room: guest.View().CurrentRoom, Text: "two"})
	start := w.Now()
	for sent(guest, `"Conn"`) == connects && w.Now()-start < 60_000 {
		w.Run(500)
	}
	if took := w.Now() - start; took > 45_000 {
		t.Errorf("found after %d ms", took)
	}
	w.Run(5000)
	wantTexts(t, guest.View(), "one", "two")
}

func TestReturnToThePageFindsADeadSocketSoon(t *testing.T) {
	w := storetest.NewWorld(1)
	guest := guestChat(w, "one")
	w.Run(4000)
	w.Faults.HalfOpen = 1
	w.Server.Beat()
	w.Faults.HalfOpen = 0
	guest.Return()
	w.Run(10_000)
	want(t, "connects", sent(guest, `"Conn"`), 2)
	want(t, "connection", guest.View().Connection, store.Online)
}

func TestLostHintIsHealed(t *testing.T) {
	w := storetest.NewWorld(1)
	mia, guest, id := watchedChat(w, "one")
	w.Faults.LoseHint = 1
	mia.Do(store.SendMessage{Room: id, Text: "two"})
	w.Run(100)
	w.Faults.LoseHint = 0
	wantTexts(t, guest.View(), "one")
	joins := sent(guest, `"join"`)
	mia.Do(store.SendMessage{Room: id, Text: "three"}) // its event shows the gap
	w.Run(100)
	wantTexts(t, guest.View(), "one", "two", "three")
	want(t, "rejoins", sent(guest, `"join"`)-joins, 1)
	w.Faults.LoseHint = 1
	mia.Do(store.SendMessage{Room: id, Text: "four"})
	w.Run(100)
	w.Faults.LoseHint = 0
	w.Run(25_000) // nothing follows, but the beat tells the head
	wantTexts(t, guest.View(), "one", "two", "three", "four")
}

func TestExpiryHidesAndTheSameUserFindsTheirText(t *testing.T) {
	for _, back := range []string{"ada", "bo"} {
		t.Run(back, func(t *testing.T) {
			w := storetest.NewWorld(1)
			tab := w.Browser("visitor", chat.SurfaceWidget).Open()
			tab.Do(store.LogIn{Username: "ada", Password: "pw"})
			w.Run(100)
			tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "one"})
			w.Run(100)
			w.Server.Fail = chat.Errorf(chat.CodeUnavailable, "later")
			tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "two"})
			w.Run(100)
			w.Server.ExpireSessions(w.Server.User("ada").ID)
			w.Server.Fail = nil
			w.Run(1000)
			want(t, "auth", tab.View().Auth, store.AuthExpired)
			want(t, "rooms", len(tab.View().Rooms), 0)
			want(t, "kept", len(keysWith(tab.Values, ".outbox.")), 1)
			want(t, "session kept", len(keysWith(tab.Values, ".session")), 0)
			tab.Do(store.LogIn{Username: back, Password: "pw"})
			w.Run(20_000)
			want(t, "outbox", len(keysWith(tab.Values, ".outbox.")), 0)
			stored := 1
			if back == "bo" {
				stored = 0 // another user never sends, or sees, ada's words
			}
			want(t, "stored", w.Server.CountText("two"), stored)
		})
	}
}

func TestOfflineLogOutKeepsOnlyTheHandle(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "secret text")
	tab.Do(store.LogIn{Username: "ada", Password: "pw"})
	w.Run(500)
	tab.SetOffline(true)
	tab.Do(store.SendMessage{Room: tab.View().CurrentRoom, Text: "unsent"})
	tab.Do(store.LogOut{})
	v := tab.View()
	want(t, "auth", v.Auth, store.AuthNone)
	want(t, "rooms", len(v.Rooms)+len(v.Messages), 0)
	handles := keysWith(tab.Values, ".revoke.")
	want(t, "handles", len(handles), 1)
	for k, value := range tab.Values {
		if k != store.KeyAuth(tab.Surface) && k != handles[0] {
			t.Errorf("still stored: %s = %s", k, value)
		}
	}
	w.Run(100_000)
	want(t, "tries offline", sent(tab, "/api/revoke"), 0)
	tab.SetOffline(false)
	w.Run(1000)
	want(t, "handles", len(keysWith(tab.Values, ".revoke.")), 0)
	want(t, "unsent", w.Server.CountText("unsent"), 0)
}

func TestLinkAnswerLost(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	tab.Do(store.LogIn{Username: "ada", Password: "pw"})
	for sent(tab, "/api/link") == 0 {
		w.Run(1)
	}
	w.Faults.LoseAnswer = 1
	w.Run(2)
	w.Faults.LoseAnswer = 0
	if _, kept := tab.Values[store.KeyGuestSession]; !kept {
		t.Fatal("the guest session must be kept while the link is uncertain")
	}
	w.Run(5000)
	want(t, "links", sent(tab, "/api/link"), 2)
	want(t, "auth", tab.View().Auth, store.AuthUser)
	wantTexts(t, tab.View(), "one")
	if _, kept := tab.Values[store.KeyGuestSession]; kept {
		t.Fatal("the guest session must go")
	}
}

func TestCrashBetweenLogInAndLink(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	tab.Do(store.LogIn{Username: "ada", Password: "pw"})
	for sent(tab, "/api/link") == 0 {
		w.Run(1)
	}
	tab.Crash()
	again := tab.Browser.Open()
	w.Run(1000)
	want(t, "auth", again.View().Auth, store.AuthUser)
	want(t, "rooms", len(again.View().Rooms), 1)
}

func TestRefusedLinkDropsTheGuestSession(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	copied := tab.Values[store.KeyGuestSession]
	tab.Do(store.LogIn{Username: "ada", Password: "pw"})
	w.Run(500)
	other := w.Browser("thief", chat.SurfaceWidget)
	other.Values[store.KeyGuestSession] = copied
	thief := other.Open()
	thief.Do(store.LogIn{Username: "bo", Password: "pw"})
	w.Run(2000)
	want(t, "auth", thief.View().Auth, store.AuthUser)
	want(t, "rooms", len(thief.View().Rooms), 0)
	if _, kept := other.Values[store.KeyGuestSession]; kept {
		t.Error("the refused guest session must go")
	}
}

func TestClearChatState(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	tab.SetOffline(true)
	tab.Do(store.SendMessage{Room: tab.View().CurrentRoom, Text: "two"})
	generation := tab.View().Generation
	tab.Do(store.ClearChatState{})
	v := tab.View()
	want(t, "lines", countLogs(w, "chat state cleared"), 1)
	want(t, "generation", v.Generation, generation+1)
	want(t, "left", len(v.Rooms)+len(v.Messages)+len(v.Typing)+v.Unread, 0)
	want(t, "room", v.CurrentRoom, "")
	want(t, "open", v.WidgetOpen, false)
	want(t, "outbox", len(keysWith(tab.Values, ".outbox.")), 0)
	tab.SetOffline(false)
	tab.Do(store.FetchRooms{})
	w.Run(1000)
	want(t, "rooms", len(tab.View().Rooms), 1)
}

func TestUnchangedViewKeepsItsPointer(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	before := tab.View()
	tab.Fact(store.VisibilityChanged{Visible: true})
	w.Run(20)
	if tab.View() != before {
		t.Error("nothing changed, but the view is another")
	}
	tab.Do(store.SetDraft{Place: string(before.CurrentRoom), Text: "x"})
	if tab.View() == before || tab.View().Room == before.Room {
		t.Error("the draft changed, but the view did not")
	}
	if len(before.Rooms) > 0 && &tab.View().Rooms[0] != &before.Rooms[0] {
		t.Error("the rooms did not change, but are copied")
	}
}

// TestCorruptStorage puts what a broken or hostile browser may hold under every
// key; the chat must work, and nothing of it may leave the browser.
func TestCorruptStorage(t *testing.T) {
	const canary = "CANARY"
	id := strings.Repeat("a", 26)
	good := fmt.Sprintf(`{"v":1,"id":"g_%s","credential":"gs_%s_%s","revoke":"rv_%s"}`, id, id, strings.Repeat("C", 43), strings.Repeat("C", 43))
	values := []string{
		"", canary, "{", "null", "[]", "0", `"` + canary + `"`, `{"v":1,"id":"` + canary + `"}`,
		`{"v":1,"id":"g_` + id + `","credential":"gs_` + strings.Repeat("b", 26) + "_" + strings.Repeat("C", 43) + `","revoke":""}`,
		`{"v":2` + good[6:], good + canary, `{"v":1,"text":"` + canary + `","cmid":"x","owner":"u_nobody","vendor":"maple-pottery","at":1}`,
		`{"v":1,"credential":"as_` + canary + `","user":"u_` + id + `"}`,
		`{"v":1,"credential":"as_CANARY\u0000","user":"u_` + id + `","revoke":"rv_CANARY"}`,
		strings.Repeat(canary, 1<<16), `{"nonce":"` + strings.Repeat(canary, 1000) + `","stamp":99}`,
		`{"v":1,"text":"` + canary + "\xff" + `"}`,
	}
	for _, surface := range []chat.Surface{chat.SurfaceWidget, chat.SurfaceInbox} {
		keys := []string{
			store.KeyGuestSession, store.KeySession(surface), store.KeyAuth(surface), store.KeyOutbox(surface, "x"),
			store.KeyDraft(surface, "", "vendor:maple-pottery"), store.KeyRevoke(surface, "x"), store.KeyRelay(surface),
		}
		for i, value := range values {
			w := storetest.NewWorld(1)
			b := w.Browser("visitor", surface)
			for _, k := range keys {
				b.Values[k] = value
			}
			tab := b.Open()
			tab.Do(store.LogIn{Username: "ada", Password: "pw"})
			w.Run(500)
			tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "works"})
			w.Run(2000)
			if w.Server.CountText("works") != 1 {
				t.Errorf("%s, value %d: the chat does not work", surface, i)
			}
			if sent(tab, canary) != 0 || sent(tab, "CCCC") != 0 {
				t.Errorf("%s, value %d: something of it was sent", surface, i)
			}
		}
	}
}

// TestEitherRoadReachesTheOtherTab suppresses one or both of the signals
// between tabs.
func TestEitherRoadReachesTheOtherTab(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	other := tab.Browser.Open()
	w.Run(100)
	tab.Do(store.LogIn{Token: "token:ada", Provided: true})
	w.Run(200)
	want(t, "auth", other.View().Auth, store.AuthUser)
	w.Faults.LoseSignal = 1
	tab.Do(store.LogOut{})
	w.Run(100)
	w.Faults.LoseSignal = 0
	if a := other.View().Auth; a == store.AuthUser && sent(other, "/api/logout") > 0 {
		t.Fatal("it must not know yet")
	}
	other.Return() // what storage holds is looked at when the tab is seen again
	w.Run(1000)
	want(t, "rooms", len(other.View().Rooms), 0)
	if a := other.View().Auth; a != store.AuthNone {
		t.Errorf("auth is %s", a)
	}
}

func TestTypingIsRepeatedSparinglyAndLapses(t *testing.T) {
	w := storetest.NewWorld(1)
	mia, guest, id := watchedChat(w, "one")
	for range 30 {
		mia.Do(store.SetTyping{Room: id, Active: true})
		w.Run(100)
	}
	want(t, "frames", sent(mia, `"typing"`), 1)
	want(t, "typists", len(guest.View().Room.Typing), 1)
	w.Run(store.TypingTTL + 100)
	want(t, "typists", len(guest.View().Room.Typing), 0)
	want(t, "statuses", len(guest.View().Typing), 0)
}

func TestOutdatedPageKeepsTheDraft(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	tab.Do(store.SetDraft{Place: string(tab.View().CurrentRoom), Text: "half"})
	tab.Fact(store.Disconnected{Conn: 1, Error: chat.Errorf(chat.CodeUnsupportedVersion, "too old")})
	want(t, "connection", tab.View().Connection, store.Outdated)
	want(t, "drafts", len(keysWith(tab.Values, ".draft.")), 1)
	if !slices.ContainsFunc(tab.Notes, func(n store.Notification) bool { return n.Kind == store.NotifyReload }) {
		t.Error("nobody was told to reload")
	}
	connects := sent(tab, `"Conn"`)
	w.Run(100_000)
	want(t, "connects", sent(tab, `"Conn"`), connects)
}

func TestEndChatForgets(t *testing.T) {
	w := storetest.NewWorld(1)
	tab := guestChat(w, "one")
	other := tab.Browser.Open()
	w.Run(100)
	var g struct{ Credential string }
	if err := json.Unmarshal([]byte(tab.Values[store.KeyGuestSession]), &g); err != nil {
		t.Fatal(err)
	}
	tab.Do(store.EndChat{})
	w.Run(2000)
	want(t, "auth", tab.View().Auth, store.AuthNone)
	want(t, "auth of the other tab", other.View().Auth, store.AuthNone)
	want(t, "keys", len(tab.Values), 1) // the record that it ended
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "again"})
	w.Run(1000)
	want(t, "rooms", len(tab.View().Rooms), 1)
	wantGone := sent(tab, g.Credential)
	w.Run(60_000)
	want(t, "uses of the old secret", sent(tab, g.Credential), wantGone)
}
