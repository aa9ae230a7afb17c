//go:build !js

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// The server dies under an open chat, and later stops in order, while both
// sides write: nothing is lost, nothing is doubled, and both see the same order.
func TestServerRestarts(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.allow(networkErrors)
	chat := tab.openChat()
	chat.say("Before the crash")
	chat.delivered("Before the crash")
	guest, _ := chat.guestSession()
	inbox := visitor(t, "mia").inbox(s, "mia")
	inbox.tab.allow(networkErrors)
	inbox.enter(guest.label())
	inbox.reads("Before the crash")

	texts := []string{"Before the crash"}
	for _, c := range []struct {
		how string
		end func()
	}{{"killed", s.kill}, {"stopped", s.stop}} {
		c.end()
		for i := range 3 {
			chat.say(fmt.Sprintf("Guest %s %d", c.how, i))
			chat.sees(fmt.Sprintf("Guest %s %d", c.how, i))
		}
		inbox.say("Mia " + c.how)
		chat.sees("econnecting") // it says so, and shows what waits
		chat.sees("Waiting to send")
		s.restart()
		chat.delivered("Guest " + c.how + " 2")
		inbox.delivered("Mia " + c.how)
		texts = append(texts, "Guest "+c.how+" 0", "Guest "+c.how+" 1", "Guest "+c.how+" 2", "Mia "+c.how)
	}
	mia := s.staff("mia")
	stored := s.texts(mia, s.roomOf(mia, guest.ID))
	if sorted := slices.Sorted(slices.Values(stored)); !slices.Equal(sorted, slices.Sorted(slices.Values(texts))) {
		t.Fatalf("the server holds %q, written were %q", stored, texts)
	}
	chat.reads(stored...)
	inbox.reads(stored...)
	chat.reads("Before the crash", "Guest killed 0", "Guest killed 1", "Guest killed 2", "Guest stopped 0", "Guest stopped 1", "Guest stopped 2")

	// And it lives: what is written now arrives at once.
	inbox.say("Here I am again")
	chat.reads(append(stored, "Here I am again")...)
	if text, err := chat.text(); err != nil || strings.Contains(text, "econnecting") {
		t.Errorf("after the restart the chat says %q (%v)", text, err)
	}
}

// The network goes away while a message is on its way.
func TestNetworkGoesAwayWhileSending(t *testing.T) {
	s := serve(t)
	deaf := s.front.deafen()
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.allow(networkErrors)
	chat := tab.openChat()
	chat.say("All is well")
	chat.delivered("All is well")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")
	room := s.roomOf(mia, guest.ID)
	want := []string{"All is well"}

	// It fails, but had happened: the server has stored it, and its word for that is lost.
	deaf.Store(true)
	chat.say("Stored, and never heard of")
	s.roomWith(mia, "Stored, and never heard of")
	chat.sees("Sending") // the screen may be a frame behind the server
	s.front.sever()
	deaf.Store(false)
	s.front.heal()
	chat.delivered("Stored, and never heard of")
	want = append(want, "Stored, and never heard of")

	// It fails: nothing passes, then everything is cut. What hung in between may still arrive, late.
	s.front.freeze()
	chat.say("Lost on the way")
	chat.sees("Sending")
	s.front.sever()
	chat.say("Written without a network")
	chat.sees("Waiting to send")
	s.front.heal()
	chat.delivered("Written without a network")
	want = append(want, "Lost on the way", "Written without a network")
	chat.reads(want...)
	if got := s.texts(mia, room); !slices.Equal(got, want) {
		t.Errorf("the server holds %q, want %q", got, want)
	}

	// The browser itself is offline, and says so; what was typed and what was sent survive a reload.
	tab.offline(true)
	s.front.sever()
	chat.say("Sent from a tunnel")
	chat.fill("Message", "Half a sen")
	chat.sees("Offline. Your messages will be sent when you are back.")
	chat.sees("Waiting to send")
	tab.shot("widget-offline")
	tab.offline(false)
	s.front.heal()
	tab.reload()
	chat = tab.openChat()
	want = append(want, "Sent from a tunnel")
	chat.delivered("Sent from a tunnel")
	chat.reads(want...)
	await(t, "the half sentence to be back", func() (bool, error) {
		v, err := chat.value("Message")
		return v == "Half a sen", err
	})
	if got := s.texts(mia, room); !slices.Equal(got, want) {
		t.Errorf("the server holds %q, want %q", got, want)
	}
}

// roomOf is the id of the room a guest session began.
func (s *Server) roomOf(credential, guest string) string {
	s.t.Helper()
	for _, r := range s.rooms(credential) {
		if r.GuestSession == guest {
			return r.ID
		}
	}
	s.t.Fatalf("there is no room of guest session %s", guest)
	return ""
}

// offline tells the browser that it has no network, or has one again.
func (tab *Tab) offline(on bool) {
	tab.t.Helper()
	params := map[string]any{"offline": on, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
	if err := tab.page.call("Network.emulateNetworkConditions", params, nil); err != nil {
		tab.t.Fatal(err)
	}
	if p, err := tab.framePlace("/widget"); err == nil && p.own {
		if err := p.session.call("Network.emulateNetworkConditions", params, nil); err != nil {
			tab.t.Fatal(err)
		}
	}
}

// deafen lets browsers' sockets hear nothing while the value is true; what they
// say is heard.
func (f *Front) deafen() *atomic.Bool {
	deaf := &atomic.Bool{}
	f.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.URL.Path != "/ws" {
			return false
		}
		next.ServeHTTP(deafWriter{w, deaf}, r)
		return true
	})
	return deaf
}

type deafWriter struct {
	http.ResponseWriter
	deaf *atomic.Bool
}

func (w deafWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	return deafConn{c, w.deaf}, rw, err
}

type deafConn struct {
	net.Conn
	deaf *atomic.Bool
}

func (c deafConn) Write(p []byte) (int, error) {
	if c.deaf.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}
