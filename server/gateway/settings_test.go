//go:build !js

package gateway

import (
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestSetLimits(t *testing.T) {
	for _, tt := range []struct{ name, value, says string }{
		{"messages-user", "2/s:20", "2/s:20"},
		{"messages-user", "120/1m:20", "2/s:20"},
		{"failed-logins-account", "1/90s:10", "40/h:10"},
		{"failed-logins-account", "1/7s:1", "1/7s:1"},
		{"messages-guest", "unlimited", "unlimited"},
		{"sockets-principal", "3", "3"},
		{"sockets-principal", "unlimited", "unlimited"},
		{"write-time", "1m30s", "1m30s"},
	} {
		l := DefaultLimits
		if err := l.Set(tt.name, tt.value); err != nil {
			t.Error(err)
		}
		if got := l.Value(tt.name); got != tt.says {
			t.Errorf("%s=%s is %s", tt.name, tt.value, got)
		}
		for _, other := range LimitNames() {
			if other != tt.name && l.Value(other) != DefaultLimits.Value(other) {
				t.Errorf("%s changed %s", tt.name, other)
			}
		}
	}
	for _, bad := range [][2]string{
		{"nonsense", "1"},
		{"", ""},
		{"messages-user", ""},
		{"messages-user", "1"},
		{"messages-user", "1/s"},
		{"messages-user", "0/s:1"},
		{"messages-user", "1/s:0"},
		{"messages-user", "1/s:-1"},
		{"messages-user", "-1/s:1"},
		{"messages-user", "1/0s:1"},
		{"messages-user", "1/-1s:1"},
		{"messages-user", "4000000000/1ns:1"},
		{"sockets-principal", "0"},
		{"sockets-principal", "-1"},
		{"sockets-principal", "1/s:1"},
		{"write-time", "0s"},
		{"write-time", "-1s"},
		{"write-time", "10"},
		{"write-time", "unlimited"},
		{"write-time", "9000h"},
	} {
		l := DefaultLimits
		if err := l.Set(bad[0], bad[1]); err == nil {
			t.Errorf("%s=%s was accepted as %s", bad[0], bad[1], l.Value(bad[0]))
		}
	}
}

// Every field has a name but the drain, which has a flag of its own; and the
// default of each can be written down.
func TestEveryLimitHasAName(t *testing.T) {
	seen := map[any]string{}
	var l Limits
	for _, s := range settings {
		p := s.field(&l)
		if seen[p] != "" {
			t.Errorf("%s and %s are one", s.name, seen[p])
		}
		seen[p] = s.name
		if err := l.Set(s.name, DefaultLimits.Value(s.name)); err != nil {
			t.Error(err)
		}
	}
	l.Drain = DefaultLimits.Drain
	if !reflect.DeepEqual(l, DefaultLimits) {
		t.Errorf("got %+v\nwant %+v", l, DefaultLimits)
	}
	if got, want := len(settings), reflect.TypeFor[Limits]().NumField()-1; got != want {
		t.Errorf("%d names for %d limits", got, want)
	}
	for _, d := range []time.Duration{l.Hello, l.Message, l.Write, l.Beat, l.Request} {
		if d <= 0 {
			t.Error("a time without a default")
		}
	}
}

type limitsHit struct {
	unobserved
	names []string
}

func (h *limitsHit) Limited(name string) { h.names = append(h.names, name) }

// What metrics call a limit is what the operator sets.
func TestLimitsAreCountedByTheirNames(t *testing.T) {
	h := &limitsHit{}
	w := newWorld(t, Limits{})
	g := New(Config{Rooms: w.rooms, Auth: w.auth, PublicURL: &url.URL{Scheme: "http", Host: "chat.example"}, Observe: h})
	defer g.Drain(t.Context())
	for _, tb := range []*table{
		g.requests, g.principalRequests, g.logIns, g.failedLogIns, g.accountLogIns, g.guestSessions,
		g.guestRooms, g.userRooms, g.addressRooms, g.userSends, g.guestSends,
	} {
		tb.take(time.Now(), "x", tb.rate.Burst)
		if tb.take(time.Now(), "x", 1) == nil {
			t.Error("not limited")
		}
	}
	for _, n := range []*counts{g.byPrincipal, g.byAddress, g.pending} {
		for n.add("x") {
		}
	}
	want := LimitNames()
	sockets := slices.Index(want, "sockets-principal")
	if !slices.Equal(h.names[:11], want[:11]) || !slices.Equal(h.names[11:], want[sockets:sockets+3]) {
		t.Errorf("got %v\nwant them among %v", h.names, want)
	}
}
