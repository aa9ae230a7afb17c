//go:build !js

package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/store/chat"
)

// spec is the OpenAPI document as it is served.
type spec struct {
	OpenAPI    string `json:"openapi"`
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]map[string]any
	}
}

type operation struct {
	ID         string `json:"operationId"`
	Parameters []struct {
		Name, In string
		Required bool
		Schema   map[string]any
	}
	RequestBody *struct {
		Content map[string]struct{ Schema map[string]any }
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema map[string]any }
	}
}

func (w *world) spec() (s spec) {
	w.Helper()
	w.get(&s, "GET", "/api/openapi.json", "", nil)
	return s
}

// fits tells how a value differs from a schema; "" where it does not.
func (s spec) fits(schema map[string]any, v any, at string) string {
	if ref, ok := schema["$ref"].(string); ok {
		target := s.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if target == nil {
			return at + ": dangling " + ref
		}
		return s.fits(target, v, at)
	}
	kind := map[string]bool{}
	switch v := v.(type) {
	case string:
		kind["string"] = true
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Sprintf("%s: %q is not %s", at, v, p)
		}
		if e, ok := schema["enum"].([]any); ok && !slices.Contains(e, any(v)) {
			return fmt.Sprintf("%s: %q is none of %v", at, v, e)
		}
	case bool:
		kind["boolean"] = true
	case float64:
		kind["integer"] = v == float64(int64(v))
	case []any:
		kind["array"] = true
		for i, e := range v {
			if why := s.fits(schema["items"].(map[string]any), e, fmt.Sprintf("%s[%d]", at, i)); why != "" {
				return why
			}
		}
	case map[string]any:
		kind["object"] = true
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Sprintf("%s: %s is missing", at, name)
			}
		}
		for name, e := range v {
			sub, ok := properties[name].(map[string]any)
			if !ok {
				sub, ok = schema["additionalProperties"].(map[string]any)
			}
			if !ok && properties == nil {
				continue // any object
			}
			if !ok {
				return fmt.Sprintf("%s: %s is not described", at, name)
			}
			if why := s.fits(sub, e, at+"."+name); why != "" {
				return why
			}
		}
	}
	if want, _ := schema["type"].(string); !kind[want] {
		return fmt.Sprintf("%s: %v is no %s", at, v, want)
	}
	return ""
}

// check tells how an answer differs from what the document says of it.
func (s spec) check(op operation, r reply) string {
	answer, ok := op.Responses[fmt.Sprint(r.status)]
	if !ok {
		return fmt.Sprintf("status %d is not described: %s", r.status, r.body)
	}
	body, ok := answer.Content["application/json"]
	if !ok {
		if len(r.body) > 0 {
			return fmt.Sprintf("a body where none is described: %s", r.body)
		}
		return ""
	}
	if got := r.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		return "Content-Type " + got
	}
	if code := r.code(); code != "" && !strings.Contains(", "+answer.Description+",", ", "+string(code)+",") {
		return fmt.Sprintf("code %s is not among %s", code, answer.Description)
	}
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		return err.Error()
	}
	return s.fits(body.Schema, v, "body")
}

// TestOpenAPI calls every operation of the document as every kind of caller
// with ids that are own, foreign, missing and malformed, and holds the answers
// to the document. Operations and routes must be the same set.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t, Limits{})
	s := w.spec()
	if s.OpenAPI != "3.1.0" {
		t.Errorf("version %q", s.OpenAPI)
	}
	mia := w.user("mia", chat.RoleUser)
	w.user("rosa", chat.RoleAdmin)
	w.vendor("maple", mia)
	g := w.guest()
	room := w.open(g.Credential, "maple")
	w.say(g.Credential, room, "hi")
	foreign := w.open(w.guest().Credential, "maple")
	ids := map[string][]string{
		"room":    {string(room), string(foreign), newID("r_"), "1", "R_" + string(room[2:])},
		"user":    {string(mia), newID("u_"), "x"},
		"session": {newID("s_"), "s_1"},
	}
	covered := map[string]map[int]bool{}
	type entry struct {
		path, method string
		operation
	}
	var all []entry
	for path, methods := range s.Paths {
		for method, op := range methods {
			all = append(all, entry{path, method, op})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { // what ends the room comes last
		ends := func(e entry) int { return slices.Index([]string{"closeRoom", "blockGuest"}, e.ID) }
		return cmp.Or(cmp.Compare(ends(a), ends(b)), cmp.Compare(a.ID, b.ID))
	})
	for _, e := range all {
		path, method, op := e.path, e.method, e.operation
		covered[op.ID] = map[int]bool{}
		paths := []string{path}
		for name, values := range ids {
			var next []string
			for _, p := range paths {
				if !strings.Contains(p, "{"+name+"}") {
					next = append(next, p)
					continue
				}
				for _, v := range values {
					next = append(next, strings.Replace(p, "{"+name+"}", v, 1))
				}
			}
			paths = next
		}
		bodies := []any{nil}
		if op.RequestBody != nil {
			bodies = examplesOf(op.ID, w, mia)
		}
		for _, p := range paths {
			if op.ID == "explain" {
				p += "?user=" + string(mia)
			}
			for _, who := range []string{"nobody", "guest", "user", "admin", "bad"} {
				for i, body := range bodies {
					credential := map[string]string{
						"nobody": "", "guest": g.Credential, "bad": "as_" + secret(),
					}[who]
					if who == "user" || who == "admin" {
						credential = w.login(map[string]string{"user": "mia", "admin": "rosa"}[who], chat.SurfaceWidget).Credential
					}
					if op.ID == "endGuestSession" && who == "guest" {
						credential = w.guest().Credential
					}
					w.skip(time.Second)
					r := w.call(strings.ToUpper(method), p, credential, body)
					covered[op.ID][r.status] = true
					if why := s.check(op, r); why != "" {
						t.Errorf("%s %s as %s, body %d: %s", method, p, who, i, why)
					}
					w.checkHeaders(r)
					if who == "bad" && !slices.Contains([]string{"logIn", "revoke", "openapi", "health", "ready"}, op.ID) && i == len(bodies)-1 && r.status != 401 {
						t.Errorf("%s %s with a bad credential: %d", method, p, r.status)
					}
				}
			}
		}
	}
	for _, r := range routes() {
		seen := covered[r.id]
		if seen == nil {
			t.Errorf("%s %s is not in the document", r.method, r.path)
			continue
		}
		for _, status := range r.status {
			if !seen[status] && r.id != "refreshSession" && r.id != "endSession" {
				t.Errorf("%s never answered %d, but %v", r.id, status, seen)
			}
		}
	}
	if len(covered) != len(routes()) {
		t.Errorf("%d operations for %d routes", len(covered), len(routes()))
	}
}

// examplesOf gives bodies of an operation, the last of which is good.
func examplesOf(id string, w *world, mia chat.UserID) []any {
	bad := []any{"", "[]", `{"`}
	good := map[string][]any{
		"logIn":            {logIn{Username: "mia", Password: "wrong-wrong-wrong", Surface: "inbox"}, logIn{Token: "x.y.z", Surface: "widget"}, logIn{Username: "mia", Password: "mia-mia-pw", Surface: "inbox"}},
		"refreshSession":   {tokenBody{"x.y.z"}},
		"revoke":           {revoke{"rv_" + secret()}},
		"linkGuestSession": {link{"gs_x"}, link{w.guest().Credential}},
		"changePassword":   {password{"wrong-wrong-wrong", "new-new-new-1"}, password{"mia-mia-pw", "mia-mia-pw"}},
		"createRoom":       {createRoom{ClientID: "a", Vendor: "nobody"}, createRoom{ClientID: w.cmid(), Users: []chat.UserID{mia, w.user("u"+strings.ToLower(string(w.cmid())), chat.RoleUser)}}, createRoom{ClientID: "first", Vendor: "maple"}, createRoom{ClientID: "first", Vendor: "maple"}},
		"sendMessage":      {message{"m", ""}, message{"m", "hello"}, message{"m", "hello"}},
		"readRoom":         {readMark{-1}, readMark{1}},
	}[id]
	if good == nil {
		w.Fatalf("operation %s has a body and no example here", id)
	}
	return append(bad, good...)
}

// checkHeaders holds an answer to the headers that every answer has.
func (w *world) checkHeaders(r reply) {
	w.Helper()
	for name, want := range map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"Vary":                         "Authorization, Origin",
		"X-Content-Type-Options":       "nosniff",
	} {
		if got := r.header.Values(name); !reflect.DeepEqual(got, []string{want}) {
			w.Errorf("header %s is %q", name, got)
		}
	}
	if len(r.header.Get("X-Request-Id")) != 16 {
		w.Errorf("request id %q", r.header.Get("X-Request-Id"))
	}
	if len(r.header.Values("Set-Cookie")) > 0 {
		w.Error("a cookie")
	}
}

func TestOddRequests(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g, h := w.guest(), w.guest()
	room := string(w.open(g.Credential, "maple"))
	good := `{"cmid":"m","text":"t"}`
	send := "/api/rooms/" + room + "/messages"
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		want               chat.Code
	}{
		"good":                       {"POST", send, good, nil, ""},
		"charset":                    {"POST", send, `{"cmid":"m1","text":"t"}`, []string{"Content-Type", "application/json; charset=UTF-8"}, ""},
		"unknown keys":               {"POST", send, `{"cmid":"m2","text":"t","Text":"evil","room":"r_x","sender":"u_x","CMID":"x"}`, nil, ""},
		"another charset":            {"POST", send, good, []string{"Content-Type", "application/json; charset=utf-16"}, chat.CodeInvalid},
		"text":                       {"POST", send, good, []string{"Content-Type", "text/plain"}, chat.CodeInvalid},
		"form":                       {"POST", send, good, []string{"Content-Type", "application/x-www-form-urlencoded"}, chat.CodeInvalid},
		"encoded":                    {"POST", send, good, []string{"Content-Encoding", "gzip"}, chat.CodeInvalid},
		"duplicate key":              {"POST", send, `{"cmid":"m","text":"t","text":"u"}`, nil, chat.CodeInvalid},
		"case variant":               {"POST", send, `{"cmid":"m","Text":"t"}`, nil, chat.CodeInvalid},
		"trailing data":              {"POST", send, good + good, nil, chat.CodeInvalid},
		"byte order mark":            {"POST", send, "\ufeff" + good, nil, chat.CodeInvalid},
		"invalid UTF-8":              {"POST", send, "{\"cmid\":\"m\",\"text\":\"\xff\"}", nil, chat.CodeInvalid},
		"deep":                       {"POST", send, strings.Repeat("[", 30000), nil, chat.CodeInvalid},
		"long number":                {"POST", send, `{"x":` + strings.Repeat("9", 30000) + `}`, nil, chat.CodeInvalid},
		"many keys":                  {"POST", send, `{"a":1` + manyKeys() + `}`, nil, chat.CodeInvalid},
		"too large":                  {"POST", send, `{"text":"` + strings.Repeat("x", maxBody) + `"}`, nil, chat.CodeTooLarge},
		"text too long":              {"POST", send, `{"cmid":"m","text":"` + strings.Repeat("x", chat.MaxText+1) + `"}`, nil, chat.CodeTooLarge},
		"array as id":                {"POST", "/api/rooms", `{"client_id":["a"],"vendor":"maple"}`, nil, chat.CodeInvalid},
		"number as id":               {"POST", "/api/rooms", `{"client_id":1,"vendor":"maple"}`, nil, chat.CodeInvalid},
		"vendor and users":           {"POST", "/api/rooms", `{"client_id":"a","vendor":"maple","users":["u_x"]}`, nil, chat.CodeInvalid},
		"limit 0":                    {"GET", "/api/rooms?limit=0", "", nil, chat.CodeInvalid},
		"limit 01":                   {"GET", "/api/rooms?limit=01", "", nil, chat.CodeInvalid},
		"limit +1":                   {"GET", "/api/rooms?limit=%2B1", "", nil, chat.CodeInvalid},
		"limit 101":                  {"GET", "/api/rooms?limit=101", "", nil, chat.CodeInvalid},
		"limit 1e1":                  {"GET", "/api/rooms?limit=1e1", "", nil, chat.CodeInvalid},
		"limit empty":                {"GET", "/api/rooms?limit=", "", nil, chat.CodeInvalid},
		"limit twice":                {"GET", "/api/rooms?limit=1&limit=2", "", nil, chat.CodeInvalid},
		"limit 100":                  {"GET", "/api/rooms?limit=100", "", nil, ""},
		"Arabic digits":              {"GET", "/api/rooms?limit=%D9%A1", "", nil, chat.CodeInvalid},
		"before and after":           {"GET", send + "?before=3&after=1", "", nil, chat.CodeInvalid},
		"negative before":            {"GET", send + "?before=-1", "", nil, chat.CodeInvalid},
		"odd filter":                 {"GET", "/api/rooms?filter=Open", "", nil, chat.CodeInvalid},
		"odd page":                   {"GET", "/api/rooms?after=x", "", nil, chat.CodeInvalid},
		"semicolon":                  {"GET", "/api/rooms?limit=1;filter=open", "", nil, chat.CodeInvalid},
		"room in capitals":           {"GET", "/api/rooms/" + strings.ToUpper(room), "", nil, chat.CodeInvalid},
		"room with a space":          {"GET", "/api/rooms/" + room + "%20", "", nil, chat.CodeInvalid},
		"room with NUL":              {"GET", "/api/rooms/" + room + "%00", "", nil, chat.CodeInvalid},
		"room with a slash":          {"GET", "/api/rooms/%2F" + room, "", nil, chat.CodeInvalid},
		"room as fullwidth":          {"GET", "/api/rooms/r_%EF%BD%81" + room[3:], "", nil, chat.CodeInvalid},
		"escaped room":               {"GET", "/api/rooms/%72_" + room[2:], "", nil, ""},
		"own guest session":          {"GET", "/api/me?guest_session=" + string(g.ID), "", nil, ""},
		"another guest session":      {"GET", "/api/me?guest_session=" + string(h.ID), "", nil, chat.CodeInvalid},
		"guest session malformed":    {"GET", "/api/me?guest_session=g_1", "", nil, chat.CodeInvalid},
		"guest session, no caller":   {"GET", "/api/vendors?guest_session=" + string(g.ID), "", []string{"no", "credential"}, chat.CodeInvalid},
		"authorization twice":        {"GET", "/api/me", "", []string{"Authorization", "Bearer x"}, chat.CodeInvalid},
		"basic authorization":        {"GET", "/api/me", "", []string{"no", "credential", "Authorization", "Basic eDp4"}, chat.CodeUnauthenticated},
		"credential in another case": {"GET", "/api/me", "", []string{"no", "credential", "Authorization", "Bearer " + strings.ToUpper(g.Credential)}, chat.CodeUnauthenticated},
		"scheme in another case":     {"GET", "/api/me", "", []string{"no", "credential", "Authorization", "bearer " + g.Credential}, ""},
		"credential in a cookie":     {"GET", "/api/me", "", []string{"no", "credential", "Cookie", "credential=" + g.Credential}, chat.CodeUnauthenticated},
		"credential in the URL":      {"GET", "/api/me?credential=" + g.Credential, "", []string{"no", "credential"}, chat.CodeUnauthenticated},
		"method override":            {"POST", "/api/me", "", []string{"X-HTTP-Method-Override", "GET"}, chat.CodeInvalid},
		"unknown path":               {"GET", "/api/nothing", "", nil, chat.CodeNotFound},
		"GET of a POST":              {"GET", "/api/logout", "", nil, chat.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			credential := g.Credential
			header := c.header
			if len(header) > 1 && header[0] == "no" {
				credential, header = "", header[2:]
			}
			var body any
			if c.body != "" {
				body = c.body
			}
			kind := []string{}
			for i := 0; i < len(header); i += 2 {
				if header[i] == "Content-Type" {
					kind = header[i : i+2]
				}
			}
			var r reply
			if len(kind) > 0 {
				r = w.typed(c.method, c.path, credential, c.body, kind[1])
			} else {
				r = w.call(c.method, c.path, credential, body, header...)
			}
			if r.code() != c.want {
				t.Errorf("%d %s, want %q", r.status, r.body, c.want)
			}
			w.checkHeaders(r)
			if c.want == chat.CodeInvalid && strings.HasPrefix(name, "another guest") && !strings.Contains(string(r.body), "guest session mismatch") {
				t.Errorf("it does not say so: %s", r.body)
			}
		})
	}
	if r := w.call("PATCH", "/api/rooms", g.Credential, nil); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET, POST" {
		t.Errorf("%d, allow %q", r.status, r.header.Get("Allow"))
	}
	if r := w.call("HEAD", "/api/vendors", "", nil); r.status != 200 || len(r.body) != 0 {
		t.Errorf("HEAD: %d %s", r.status, r.body)
	}
}

// typed is a call with another content type.
func (w *world) typed(method, path, credential, body, kind string) reply {
	w.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+credential)
	res, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	buf := make([]byte, 4096)
	n, _ := res.Body.Read(buf)
	out.body = buf[:n]
	return out
}

func manyKeys() string {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()
}

func TestRepeatsAreAnsweredAlike(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	create := createRoom{ClientID: "n", Vendor: "maple"}
	first := w.call("POST", "/api/rooms", g.Credential, create)
	second := w.call("POST", "/api/rooms", g.Credential, create)
	if first.status != 201 || second.status != 200 || string(first.body) != string(second.body) {
		t.Errorf("%d %s\n%d %s", first.status, first.body, second.status, second.body)
	}
	var f struct{ Room chat.Summary }
	w.must(json.Unmarshal(first.body, &f))
	path := "/api/rooms/" + string(f.Room.ID) + "/messages"
	first = w.call("POST", path, g.Credential, message{"m", "hello"})
	second = w.call("POST", path, g.Credential, message{"m", "hello"})
	if first.status != 201 || second.status != 200 || string(first.body) != string(second.body) {
		t.Errorf("%d %s\n%d %s", first.status, first.body, second.status, second.body)
	}
	if r := w.call("POST", path, g.Credential, message{"m", "other"}); r.code() != chat.CodeConflict {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// No credential, message text or whole URL query reaches the log.
func TestLogKeepsSecrets(t *testing.T) {
	w := newWorld(t, Limits{})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	p := w.connect(g.Credential, chat.SurfaceWidget)
	p.join(room)
	w.say(g.Credential, room, "zk-canary-text")
	w.call("GET", "/api/me?guest_session=zk-canary-query", g.Credential, nil)
	w.call("GET", "/api/rooms/zk-canary-id", g.Credential, nil)
	w.call("POST", "/api/login", "", logIn{Username: "zk-canary-user", Password: "zk-canary-password", Surface: "inbox"})
	p.raw(`{"id":5,"join":{"room":"zk-canary-frame"}}`)
	p.fence()
	for _, secret := range []string{"zk-canary", g.Credential, g.Credential[30:], g.Revoke} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, w.log.String())
		}
	}
	if !strings.Contains(w.log.String(), string(room)) {
		t.Error("the log has no decision")
	}
}

// Readiness is what main says it is; callers are not told why, the log is, once.
func TestReadiness(t *testing.T) {
	w := newWorld(t, Limits{})
	if r := w.call("GET", "/readyz", "", nil); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	w.gateway.ready = func(context.Context) error { return errors.New("the disk has a scratch") }
	r := w.call("GET", "/readyz", "", nil)
	if r.status != 503 || r.code() != chat.CodeUnavailable || strings.Contains(string(r.body), "scratch") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := strings.Count(w.log.String(), "the disk has a scratch"); n != 1 {
		t.Errorf("the log has the reason %d times", n)
	}
	if r := w.call("GET", "/healthz", "", nil); r.status != 200 {
		t.Errorf("the process lives: %d %s", r.status, r.body)
	}
}
