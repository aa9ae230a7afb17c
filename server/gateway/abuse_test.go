//go:build !js

package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"anteroom/store/chat"
)

// A request that two readers could cut in two ways is refused, or read in one
// way only: what hides in a body is never answered as a request of its own.
func TestSmuggling(t *testing.T) {
	w := newWorldAt(t, Limits{}, "http://chat.example")
	addr := serveWith(t, Limits{}, w.gateway.Handler())
	r := w.call("POST", "/api/guest-sessions", "", nil, "Host", "chat.example")
	var minted guestSession
	w.must(json.Unmarshal(r.body, &minted))
	g := minted.Credential
	w.call("GET", "/api/me", g, nil, "Host", "chat.example") // its first use is written down
	const hidden = "POST /api/guest-sessions HTTP/1.1\r\nHost: chat.example\r\nX-Hidden: 1\r\nContent-Length: 0\r\n\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	head := "POST /api/revoke HTTP/1.1\r\nHost: chat.example\r\nContent-Type: application/json\r\n"
	cases := map[string]string{
		"length and chunked":              head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked and length":              head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
		"chunked in capitals":             head + "Transfer-Encoding: CHUNKED\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":                     head + "Content-Length: 0\r\nContent-Length: 200\r\n\r\n" + hidden,
		"lengths in a list":               head + "Content-Length: 0, 200\r\n\r\n" + hidden,
		"negative length":                 head + "Content-Length: -1\r\n\r\n" + hidden,
		"signed length":                   head + "Content-Length: +0\r\n\r\n" + hidden,
		"length in hex":                   head + "Content-Length: 0x0\r\n\r\n" + hidden,
		"huge length":                     head + "Content-Length: 99999999999999999999\r\n\r\n" + hidden,
		"chunked twice":                   head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked, identity":               head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
		"unknown coding":                  head + "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"vertical tab":                    head + "Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"space before the colon":          head + "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"NUL in a header":                 head + "X: \x00\r\nContent-Length: 0\r\n\r\n" + hidden,
		"bare CR in a header":             head + "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"bare LF behind a chunk's length": head + "Transfer-Encoding: chunked\r\n\r\n3;x\nabc\r\n0\r\n\r\n" + hidden,
		"signed chunk":                    head + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + hidden,
		"chunk of 2^64":                   head + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + hidden,
		"chunk longer than its length":    head + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" + hidden,
		"two hosts":                       "POST /api/revoke HTTP/1.1\r\nHost: chat.example\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n" + hidden,
		"no host":                         "POST /api/revoke HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + hidden,
		"another host in the address":     "POST http://evil.example/api/revoke HTTP/1.1\r\nHost: chat.example\r\nContent-Length: 0\r\n\r\n",
		"space in the address":            "POST /api/revoke x HTTP/1.1\r\nHost: chat.example\r\nContent-Length: 0\r\n\r\n" + hidden,
		"HTTP/1.2":                        "POST /api/revoke HTTP/1.2x\r\nHost: chat.example\r\nContent-Length: 0\r\n\r\n" + hidden,
	}
	// Whole bodies: one request each, whatever is in them.
	whole := map[string]string{
		"in a body with a length": head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(hidden), hidden),
		"in chunks":               head + "Transfer-Encoding: chunked\r\n\r\n" + chunk,
		"GET with a body":         fmt.Sprintf("GET /api/me HTTP/1.1\r\nHost: chat.example\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", g, len(hidden), hidden),
		"refused upgrade":         fmt.Sprintf("GET /ws HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAA\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden),
		"trailer":                 head + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer " + g + "\r\n\r\n",
	}
	try := func(name, bytes string, refused bool) {
		t.Run(name, func(t *testing.T) {
			before := w.wrote.Load()
			c := w.tcpAt(addr)
			fmt.Fprint(c, bytes)
			r := bufio.NewReader(c)
			for i := 0; ; i++ {
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					break
				}
				io.Copy(io.Discard, res.Body)
				if res.StatusCode == 201 || i > 0 && res.StatusCode < 400 {
					t.Errorf("answer %d is %d", i+1, res.StatusCode)
				}
				if refused && i == 0 && res.StatusCode < 400 {
					t.Errorf("taken: %d", res.StatusCode)
				}
				if res.Close {
					break
				}
				if i == 0 {
					// The connection may go on: the next request is answered as itself.
					fmt.Fprint(c, "GET /api/nothing HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n\r\n")
				}
			}
			if after := w.wrote.Load(); after != before {
				t.Errorf("the hidden request was carried out: %d writes", after-before)
			}
		})
	}
	for name, c := range cases {
		try(name, c, true)
	}
	for name, c := range whole {
		try(name, c, false)
	}
	// The probe itself works: the same bytes as a request of their own are one.
	before := w.wrote.Load()
	c := w.tcpAt(addr)
	fmt.Fprint(c, hidden)
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 201 || w.wrote.Load() != before+1 {
		t.Errorf("the request on its own: %v %v", res, err)
	}
}

// Nothing but the Authorization header carries authority: cookies, the address
// and the page a request comes from give no right, and whatever a page of
// another origin can make a browser send changes nothing.
func TestNoAmbientAuthority(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	mia := w.login("mia", chat.SurfaceInbox)
	state := func() string {
		var b bytes.Buffer
		for _, path := range []string{"/api/rooms/" + string(room), "/api/rooms/" + string(room) + "/participants", "/api/sessions", "/api/me"} {
			b.Write(w.call("GET", path, mia.Credential, nil).body)
		}
		return b.String()
	}
	before := state()
	cookie := fmt.Sprintf("credential=%[1]s; session=%[1]s; Authorization=Bearer %[1]s; chatGuestSession=%[2]s", mia.Credential, g.Credential)
	tried := 0
	for _, r := range routes() {
		if r.method == http.MethodGet {
			continue
		}
		path := strings.NewReplacer("{room}", string(room), "{user}", string(mia.Principal.User), "{session}", string(mia.Principal.Session)).Replace(r.path)
		if strings.Contains(path, "{") {
			t.Fatalf("the path %s has a part this test does not know", r.path)
		}
		wrote := w.wrote.Load()
		for _, from := range []string{"https://evil.example", "null", "https://" + strings.TrimPrefix(w.url, "http://"), w.url + ".evil.example"} {
			for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", ""} {
				for _, credential := range []string{"", mia.Credential} { // a page could know one; its origin is refused all the same
					tried++
					got := w.call(r.method, path, credential, `{"text":"x","cmid":"x","username":"mia","password":"mia-mia-pw","surface":"inbox"}`,
						"Origin", from, "Content-Type", kind, "Cookie", cookie, "Referer", w.url+"/inbox/", "Sec-Fetch-Site", "cross-site", "X-HTTP-Method-Override", "GET", "X-Forwarded-Host", "localhost")
					if got.status != http.StatusForbidden || got.code() != chat.CodeAccessDenied {
						t.Fatalf("%s %s as %q from %s: %d %s", r.method, path, kind, from, got.status, got.body)
					}
				}
			}
		}
		if n := w.wrote.Load(); n != wrote {
			t.Fatalf("%s %s: %d writes for pages of other origins", r.method, path, n-wrote)
		}
		// Without an Origin, cookies are nothing: whoever needs to be somebody is nobody.
		got := w.call(r.method, path, "", `{}`, "Cookie", cookie, "Referer", w.url+"/inbox/")
		if r.who != open && r.who != anyone && got.code() != chat.CodeUnauthenticated {
			t.Errorf("%s %s with cookies alone: %d %s", r.method, path, got.status, got.body)
		}
	}
	if tried < 100 {
		t.Fatalf("only %d requests were tried", tried)
	}
	if after := state(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// Monsters are refused without being read to their end, and what is read costs
// no more than the limit's size.
func TestJSONMonsters(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	var keys strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&keys, `,"k%d":1`, i)
	}
	for name, body := range map[string]string{
		"depth of 10^5":      strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"objects in objects": strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"10^6 keys":          `{"a":1` + keys.String() + `}`,
		"number of 10 MB":    `{"cmid":` + strings.Repeat("9", 10<<20) + `}`,
		"text of 10 MB":      `{"cmid":"m","text":"` + strings.Repeat("x", 10<<20) + `"}`,
		"10 MB of space":     strings.Repeat(" ", 10<<20) + `{"cmid":"m","text":"x"}`,
	} {
		r := w.monster("/api/rooms/"+string(room)+"/messages", g.Credential, body)
		if r.code() != chat.CodeTooLarge || r.status != 413 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for name, body := range map[string]string{
		"NaN":                    `{"cmid":"m","text":"t","x":NaN}`,
		"Infinity":               `{"cmid":"m","text":"t","x":-Infinity}`,
		"hex":                    `{"cmid":"m","text":"t","x":0x10}`,
		"lone surrogate":         `{"cmid":"m","text":"\ud800"}`,
		"lone second surrogate":  `{"cmid":"m","text":"\udc00x"}`,
		"surrogates exchanged":   `{"cmid":"m","text":"\udc00\ud800"}`,
		"single quotes":          `{'cmid':'m','text':'t'}`,
		"comment":                `{"cmid":"m",/*x*/"text":"t"}`,
		"trailing comma":         `{"cmid":"m","text":"t",}`,
		"duplicate in escapes":   `{"cmid":"m","text":"t","te\u0078t":"u"}`,
		"NUL behind":             "{\"cmid\":\"m\",\"text\":\"t\"}\x00",
		"second value":           `{"cmid":"m","text":"t"} {}`,
		"array of the object":    `[{"cmid":"m","text":"t"}]`,
		"prototype as the shape": `"__proto__"`,
		"half a string":          `{"cmid":"m","text":"t`,
		"control character":      "{\"cmid\":\"m\",\"text\":\"\x01\"}",
		"overlong UTF-8":         "{\"cmid\":\"m\",\"text\":\"\xc0\xaf\"}",
		"UTF-16 with its mark":   "\xff\xfe{\x00}\x00",
		"surrogate in UTF-8":     "{\"cmid\":\"m\",\"text\":\"\xed\xa0\x80\"}",
	} {
		if r := w.call("POST", "/api/rooms/"+string(room)+"/messages", g.Credential, body); r.code() != chat.CodeInvalid || r.status != 400 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	var h struct{ Head int64 }
	w.get(&h, "GET", "/api/rooms/"+string(room)+"/messages", g.Credential, nil)
	if h.Head > 1 {
		t.Errorf("something of it was stored: the head is %d", h.Head)
	}
}

// monster posts a body that the server need not read to its end.
func (w *world) monster(path, credential, body string) (out reply) {
	w.Helper()
	c := w.tcp()
	go func() { // ends with the connection
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
			path, strings.TrimPrefix(w.url, "http://"), credential, len(body))
		io.WriteString(c, body)
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	w.must(err)
	out.status, out.header = res.StatusCode, res.Header
	out.body, err = io.ReadAll(res.Body)
	w.must(err)
	c.Close()
	return out
}
