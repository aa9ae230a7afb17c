//go:build !js

package gateway

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/store/chat"
)

var update = flag.Bool("update", false, "write testdata/headers.txt anew")

// TestHeaders compares every header of every kind of answer with a golden file:
// each route as nobody, the answers of each status, and what is refused before
// a route is looked for. Names and times are blanked.
func TestHeaders(t *testing.T) {
	w := newWorldAt(t, Limits{GuestSessions: Rate{time.Hour, 1}}, "https://chat.example")
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := func() guestSession {
		var g guestSession
		r := w.call("POST", "/api/guest-sessions", "", nil, "Host", "chat.example")
		w.must(json.Unmarshal(r.body, &g))
		return g
	}()
	var out strings.Builder
	blank := regexp.MustCompile(`(X-Request-Id|Date|Content-Length|Retry-After): .*`)
	show := func(name string, r reply) {
		fmt.Fprintf(&out, "# %s\n%d\n", name, r.status)
		var keys []string
		for k := range r.header {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			for _, v := range r.header[k] {
				out.WriteString(blank.ReplaceAllString(k+": "+v, "$1: …") + "\n")
			}
		}
		out.WriteByte('\n')
	}
	send := func(name, method, path, credential string, body any, header ...string) {
		show(name, w.call(method, path, credential, body, append(header, "Host", "chat.example")...))
	}
	// Without a credential each route shows its own refusal, or its answer.
	for _, r := range routes() {
		path := strings.NewReplacer("{room}", newID("r_"), "{user}", newID("u_"), "{session}", newID("s_")).Replace(r.path)
		send(r.method+" "+r.path+" as nobody", r.method, path, "", nil)
	}
	send("200", "GET", "/api/me", g.Credential, nil)
	send("201", "POST", "/api/rooms", g.Credential, createRoom{ClientID: "a", Vendor: "maple"})
	send("204", "POST", "/api/revoke", "", `{"handle":"`+g.Revoke+`"}`)
	send("HEAD", "HEAD", "/api/vendors", "", nil)
	send("400", "POST", "/api/login", "", `{`)
	send("401", "GET", "/api/me", "as_x", nil)
	send("403 for the origin", "GET", "/api/vendors", "", nil, "Origin", "https://evil.example")
	send("404", "GET", "/api/nothing", "", nil)
	send("405", "PATCH", "/api/rooms", "", nil)
	send("413", "POST", "/api/login", "", `{"x":"`+strings.Repeat("x", maxBody)+`"}`)
	send("429", "POST", "/api/guest-sessions", "", nil)
	show("400 for the host", w.call("GET", "/api/vendors", "", nil, "Host", "evil.example"))
	send("/ws without an upgrade", "GET", "/ws", "", nil)
	send("/ws by another method", "POST", "/ws", "", nil)
	send("/ws with an odd version", "GET", "/ws", "", nil, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "7", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	send("an odd path", "GET", "/api//vendors", "", nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.must(w.gateway.Drain(ctx))
	show("503", w.call("GET", "/readyz", "", nil))

	const golden = "testdata/headers.txt"
	if *update {
		w.must(os.MkdirAll("testdata", 0o755))
		w.must(os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	w.must(err)
	got, all := strings.Split(out.String(), "\n# "), strings.Split(string(want), "\n# ")
	for i := range max(len(got), len(all)) {
		var a, b string
		if i < len(got) {
			a = got[i]
		}
		if i < len(all) {
			b = all[i]
		}
		if a != b {
			t.Fatalf("headers differ from %s (go test ./server/gateway -run TestHeaders -update writes it anew; read the diff aloud):\n%s\nwant:\n%s", golden, a, b)
		}
	}
}

// shared is a cache between browsers and the server, as a CDN is: it keeps
// what RFC 9111 lets it keep, or, careless, everything that is good.
type shared struct {
	proxy    *httputil.ReverseProxy
	careless bool

	mu   sync.Mutex
	kept map[string]*httptest.ResponseRecorder
	vary map[string][]string // by address
	hits int
}

func newShared(t *testing.T, origin string, careless bool) (*shared, string) {
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	s := &shared{proxy: httputil.NewSingleHostReverseProxy(u), careless: careless, kept: map[string]*httptest.ResponseRecorder{}, vary: map[string][]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// key is what a cache looks an answer up by: its address, and what it varies by.
func (s *shared) key(r *http.Request) string {
	key := r.Method + r.URL.String()
	for _, name := range s.vary[r.URL.String()] {
		key += "\n" + name + ": " + strings.Join(r.Header.Values(name), ",")
	}
	return key
}

func (s *shared) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.kept[s.key(r)]
	if ok {
		s.hits++
	} else {
		got = httptest.NewRecorder()
		s.proxy.ServeHTTP(got, r)
		control := got.Header().Get("Cache-Control")
		may := !strings.Contains(control, "no-store") && !strings.Contains(control, "private")
		if r.Header.Get("Authorization") != "" {
			may = may && strings.Contains(control, "public")
		}
		if r.Method == "GET" && got.Code == 200 && (may || s.careless) {
			for v := range strings.SplitSeq(got.Header().Get("Vary"), ",") {
				if v = strings.TrimSpace(v); v != "" {
					s.vary[r.URL.String()] = append(s.vary[r.URL.String()], v)
				}
			}
			s.kept[s.key(r)] = got
		}
	}
	for k, v := range got.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(got.Code)
	io.WriteString(w, got.Body.String())
}

// Two people behind one cache never see each other's, be it a correct one or one
// that keeps whatever it can.
func TestTwoPrincipalsThroughOneCache(t *testing.T) {
	for _, careless := range []bool{false, true} {
		t.Run(fmt.Sprintf("careless %t", careless), func(t *testing.T) {
			w := newWorld(t, Limits{})
			w.vendor("maple", w.user("mia", chat.RoleUser))
			a, b := w.guest(), w.guest()
			roomOfA := w.open(a.Credential, "maple")
			w.say(a.Credential, roomOfA, "zk-canary of a")
			w.open(b.Credential, "maple")
			host := strings.TrimPrefix(w.url, "http://")
			cache, addr := newShared(t, w.url, careless)
			direct := w.url
			for _, r := range routes() {
				if r.method != "GET" || strings.HasPrefix(r.path, "/healthz") || strings.HasPrefix(r.path, "/readyz") {
					continue
				}
				path := strings.ReplaceAll(r.path, "{room}", string(roomOfA))
				for range 2 { // also when it is warm
					for who, credential := range map[string]string{"a": a.Credential, "b": b.Credential, "nobody": "", "forged": "as_" + secret()} {
						w.url = direct
						want := w.call("GET", path, credential, nil)
						w.url = addr
						got := w.call("GET", path, credential, nil, "Host", host)
						if got.status != want.status || string(got.body) != string(want.body) {
							t.Errorf("%s as %s: %d %s\nwithout the cache: %d %s", path, who, got.status, got.body, want.status, want.body)
						}
						if who != "a" && strings.Contains(string(got.body), "zk-canary") {
							t.Errorf("%s as %s: %s", path, who, got.body)
						}
					}
				}
			}
			w.url = direct
			if careless && cache.hits == 0 {
				t.Error("the careless cache kept nothing: it proves nothing")
			}
			if !careless && cache.hits > 0 {
				t.Errorf("a correct cache kept %d answers of the API", cache.hits)
			}
		})
	}
}
