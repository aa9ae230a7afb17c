//go:build !js

package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
)

func prefixes(t testing.TB, list ...string) (out []netip.Prefix) {
	t.Helper()
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestOrigin(t *testing.T) {
	w := newWorldAt(t, Limits{}, "https://chat.example")
	for _, c := range []struct {
		origin string
		ok     bool
	}{
		{"https://chat.example", true},
		{"null", false},
		{"", false}, // there, and empty
		{"https://evil.example", false},
		{"https://chat.example.evil.example", false},
		{"https://evilchat.example", false},
		{"https://app.chat.example", false},
		{"https://CHAT.example", false},
		{"HTTPS://chat.example", false},
		{"https://chat.example.", false},
		{"https://chat.example/", false},
		{"https://chat.example:443", false},
		{"https://chat.example:8443", false},
		{"http://chat.example", false},
		{"https://ch\u0430t.example", false}, // a Cyrillic a
		{"https://xn--cht-5cd.example", false},
		{"https://user@chat.example", false},
		{" https://chat.example", true}, // white space around a header's value is none of it
		{"https://chat.example https://evil.example", false},
		{"chrome-extension://abcdef", false},
		{"file://", false},
	} {
		want := chat.CodeAccessDenied
		if c.ok {
			want = ""
		}
		for _, path := range []string{"/api/vendors", "/api/openapi.json"} {
			r := w.call("GET", path, "", nil, "Host", "chat.example", "Origin", c.origin)
			if r.code() != want {
				t.Errorf("%s from %q: %d %s", path, c.origin, r.status, r.body)
			}
			for name := range r.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %q: header %s", path, c.origin, name)
				}
			}
		}
		if r := w.call("POST", "/api/guest-sessions", "", nil, "Host", "chat.example", "Origin", c.origin); r.code() != want {
			t.Errorf("a guest session from %q: %d %s", c.origin, r.status, r.body)
		}
		status := w.upgradeStatus("chat.example", c.origin)
		if c.ok != (status == 101) || !c.ok && status != 403 {
			t.Errorf("a socket from %q: %d", c.origin, status)
		}
	}
	if r := w.call("GET", "/api/vendors", "", nil, "Host", "chat.example", "Origin", "https://chat.example", "Origin", "https://evil.example"); r.code() != chat.CodeAccessDenied {
		t.Errorf("two origins: %d %s", r.status, r.body)
	}
	// No Origin at all: no page of another origin asks.
	if r := w.call("GET", "/api/vendors", "", nil, "Host", "chat.example"); r.status != 200 {
		t.Errorf("no origin: %d %s", r.status, r.body)
	}
	if status := w.upgradeStatus("chat.example"); status != 101 {
		t.Errorf("no origin: %d", status)
	}
	// Requests that a page of another origin can make without asking first.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""} {
		r := w.call("POST", "/api/revoke", "", `{"handle":"rv_x"}`, "Host", "chat.example", "Origin", "https://evil.example", "Content-Type", kind)
		if r.status != 403 {
			t.Errorf("%s: %d", kind, r.status)
		}
	}
}

// upgradeStatus tries a handshake and returns its status.
func (w *world) upgradeStatus(host string, origin ...string) int {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	header := http.Header{}
	for _, o := range origin {
		header.Add("Origin", o)
	}
	ws, res, err := websocket.Dial(ctx, w.url+"/ws", &websocket.DialOptions{Host: host, HTTPHeader: header})
	if err == nil {
		ws.CloseNow()
	}
	if res == nil {
		w.Fatal(err)
	}
	return res.StatusCode
}

func TestHost(t *testing.T) {
	for public, hosts := range map[string]map[string]bool{
		"https://chat.example": {
			"chat.example": true, "CHAT.example": true, "chat.example:443": true, "chat.example:80": false, "chat.example:8080": false,
			"evil.example": false, "127.0.0.1": false, "localhost": false, "chat.example.evil.example": false, "chat.example.": false, "evil.example:443": false,
		},
		"http://localhost:8080": {
			"localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "localhost": false, "localhost:80": false,
			"127.0.0.1:8081": false, "127.0.0.2:8080": false, "0.0.0.0:8080": false, "evil.example:8080": false, "localhost.evil.example:8080": false,
		},
		"http://127.0.0.1": {"localhost": true, "127.0.0.1": true, "127.0.0.1:80": true, "[::1]": true, "192.0.2.1": false},
	} {
		w := newWorldAt(t, Limits{}, public)
		for host, ok := range hosts {
			want := chat.CodeInvalid
			if ok {
				want = ""
			}
			if r := w.call("GET", "/api/vendors", "", nil, "Host", host); r.code() != want {
				t.Errorf("%s asked as %s: %d %s", public, host, r.status, r.body)
			}
			if status := w.upgradeStatus(host); ok != (status == 101) || !ok && status != 400 {
				t.Errorf("%s: a socket as %s: %d", public, host, status)
			}
		}
		if r := w.call("GET", "/healthz", "", nil, "Host", "10.0.0.7"); r.status != 200 {
			t.Errorf("a probe: %d", r.status)
		}
	}
}

func TestAddressBehindProxies(t *testing.T) {
	u, err := url.Parse("https://chat.example")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(u, prefixes(t, "10.0.0.0/8", "fd00::/8"))
	for name, c := range map[string]struct {
		remote, want string
		forwarded    []string
	}{
		"no proxy":             {"192.0.2.1:5", "192.0.2.1", nil},
		"forged":               {"192.0.2.1:5", "192.0.2.1", []string{"198.51.100.9"}},
		"proxy":                {"10.0.0.1:5", "198.51.100.9", []string{"198.51.100.9"}},
		"forged before proxy":  {"10.0.0.1:5", "198.51.100.9", []string{"203.0.113.1, 198.51.100.9"}},
		"two proxies":          {"10.0.0.1:5", "198.51.100.9", []string{"203.0.113.1, 198.51.100.9, 10.0.0.2"}},
		"two headers":          {"10.0.0.1:5", "198.51.100.9", []string{"203.0.113.1", "198.51.100.9, 10.0.0.2"}},
		"all proxies":          {"10.0.0.1:5", "10.0.0.3", []string{"10.0.0.3, 10.0.0.2"}},
		"rubbish":              {"10.0.0.1:5", "10.0.0.1", []string{"198.51.100.9, x"}},
		"rubbish behind":       {"10.0.0.1:5", "198.51.100.9", []string{"x, 198.51.100.9"}},
		"none":                 {"10.0.0.1:5", "10.0.0.1", nil},
		"IPv6 by /64":          {"[2001:db8:1:2:3:4:5:6]:5", "2001:db8:1:2::/64", nil},
		"IPv6 with zone":       {"[fe80::1%eth0]:5", "fe80::/64", nil},
		"IPv4 in IPv6":         {"[::ffff:192.0.2.1]:5", "192.0.2.1", nil},
		"proxy as IPv4 in v6":  {"[::ffff:10.0.0.1]:5", "198.51.100.9", []string{"::ffff:198.51.100.9"}},
		"no address":           {"pipe", "", nil},
		"forwarded with space": {"10.0.0.1:5", "198.51.100.9", []string{"  198.51.100.9  "}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := d.address(r); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
