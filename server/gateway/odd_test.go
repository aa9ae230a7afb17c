//go:build !js

package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// oddSpellings are strings that somebody might take for an id: one's own room,
// another's, or neither.
func oddSpellings(own, foreign string) []string {
	last := own[len(own)-1:]
	// 26 characters hold 130 bits: the last one has spellings that mean the same 128.
	twin := own[:len(own)-1] + map[bool]string{true: "b", false: "7"}[last != "b"]
	wide := own[:2] + string(rune(own[2])-'!'+'！') + own[3:]
	out := []string{
		"", "1", "01", "1 ", "-1", "1e0", "null", "true", "9223372036854775808", "٣", "[" + own + "]", `["` + own + `"]`, `{"$ne":""}`, "*", "%",
		own + " ", " " + own, "\t" + own, own + "\x00", own + "\n", own + "\u200b", strings.ToUpper(own), "R" + own[1:], strings.Replace(own, "_", "-", 1),
		own[:2] + strings.ToUpper(own[2:3]) + own[3:], own[2:], own + own[2:], own[:len(own)-1], twin, wide, own[:2] + "é" + own[3:],
		"u" + own[1:], "g" + own[1:], own + "," + foreign, own + "&room=" + foreign, own + "'--", own + "/../" + foreign, "../" + own, "./" + own, own + "#", own + "?", own + ";", own + "%00",
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == own || s == foreign }) // a digit has no capital
}

// oddValues are JSON values in the place of an id.
func oddValues(own, foreign string) (out []string) {
	for _, s := range oddSpellings(own, foreign) {
		b, _ := json.Marshal(s)
		out = append(out, string(b))
	}
	o, _ := json.Marshal(own)
	f, _ := json.Marshal(foreign)
	return append(out, "1", "01", "-1", "1e0", "1.0", "9223372036854775808", "null", "true", "[]", "{}", "["+string(o)+"]", "["+string(f)+","+string(o)+"]",
		`{"$ne":""}`, `{"room":`+string(f)+`}`, `"\u0000"`, `"`+strings.Replace(own, "r_", `r\u005f`, 1)+`"`, `"`+strings.Replace(foreign, "r_", `r\u005f`, 1)+`"`)
}

// oddly is a server with one's own room, another's with a canary, and an admin
// who may do everything in both.
type oddly struct {
	*stage
	own, foreign chat.RoomID
	callers      map[string]cast
}

const oddCanary = "zk-another-room"

func newOddly(t *testing.T) *oddly {
	t.Helper()
	s := newStage(t)
	o := &oddly{stage: s, callers: map[string]cast{"guest": s.cast("guest"), "admin": s.cast("admin")}}
	o.own = s.rooms(o.callers["guest"], "own guest session's", 1)[0]
	o.foreign = s.rooms(o.callers["guest"], "other guest session's", 1)[0]
	s.say(o.callers["admin"].credential, o.foreign, oddCanary)
	return o
}

// judge: an odd id is invalid, or gives what the canonical one gives; it never
// leads to another room.
func (o *oddly) judge(what string, got chat.Code, body []byte, before any) {
	o.Helper()
	switch got {
	case "", invalid, denied, chat.CodeNotFound, chat.CodeTooLarge:
	default:
		o.Errorf("%s: %s", what, body)
	}
	if bytes.Contains(body, []byte(oddCanary)) {
		o.Errorf("%s led into another room: %s", what, body)
	}
	if after := o.state(o.foreign); after != before {
		o.Errorf("%s changed another room: %+v, %+v", what, before, after)
	}
}

func TestOddIDsInPaths(t *testing.T) {
	o := newOddly(t)
	asked := 0
	for _, r := range routes() {
		for name, c := range o.callers {
			for part, own := range map[string]string{"room": string(o.own), "user": string(o.third), "session": newID("s_")} {
				if !strings.Contains(r.path, "{"+part+"}") {
					continue
				}
				for _, odd := range oddSpellings(own, string(o.foreign)) {
					path := strings.Replace(r.path, "{"+part+"}", url.PathEscape(odd), 1)
					path = strings.NewReplacer("{room}", string(o.own), "{user}", string(o.third)).Replace(path)
					var body any
					if row := routeRows[r.id]; r.body != nil {
						_, body = row.http(o.stage, c, string(o.own))
					}
					if r.id == "explain" {
						path += "?user=" + string(o.other)
					}
					before := o.state(o.foreign)
					got := o.call(r.method, path, c.credential, body)
					asked++
					what := fmt.Sprintf("%s of %q as %s", r.id, path, name)
					if got.status >= 300 && got.status < 400 { // a path that is not clean; nobody is led on
						if strings.Contains(got.header.Get("Location"), oddCanary) {
							t.Errorf("%s: %v", what, got.header)
						}
						continue
					}
					o.judge(what, got.code(), got.body, before)
					if got.code() == "" {
						t.Errorf("%s: %d %s", what, got.status, got.body)
					}
				}
			}
		}
	}
	for _, query := range []string{"user", "guest_session", "session"} {
		queries := []string{string(o.other) + "&" + query + "=" + string(o.third), string(o.other) + ";" + query + "=" + string(o.third)}
		for _, odd := range oddSpellings(string(o.other), string(o.third)) {
			if _, err := chat.ParseGuestSessionID(odd); err == nil && query == "guest_session" {
				continue // a user's id with another prefix is a good question about a guest session nobody has
			}
			queries = append(queries, url.QueryEscape(odd))
		}
		for _, q := range queries {
			q = "?" + query + "=" + q
			before := o.state(o.foreign)
			got := o.call("GET", "/api/rooms/"+string(o.own)+"/explain"+q, o.callers["admin"].credential, nil)
			asked++
			if got.code() != invalid {
				t.Errorf("explain%s: %d %s", q, got.status, got.body)
			}
			o.judge("explain"+q, got.code(), got.body, before)
		}
	}
	if asked < 1000 {
		t.Errorf("only %d requests", asked)
	}
}

func TestOddIDsInFrames(t *testing.T) {
	o := newOddly(t)
	asked := 0
	for name, c := range o.callers {
		var p *peer
		for _, frame := range frameTypes() {
			row := frameRows[frame]
			if frame == "hello" || row.id == nil || frame == "create" {
				continue
			}
			good := row.frame(o.stage, string(o.own))
			payload := bytes.TrimSuffix(bytes.TrimPrefix(protocol.EncodeClient(good), []byte(`{"`+frame+`":`)), []byte("}"))
			canonical, _ := json.Marshal(o.own)
			if bytes.Count(payload, canonical) != 1 {
				t.Fatalf("the frame %s does not name the room once: %s", frame, payload)
			}
			ask := func(payload string) protocol.ServerFrame {
				if p == nil || asked%50 == 0 {
					p = o.connect(c.credential, c.surface) // too many refusals close a socket
				}
				p.id++
				p.raw(fmt.Sprintf(`{"id":%d,"%s":%s}`, p.id, frame, payload))
				id := p.id
				asked++
				// A frame that can't be read can't be answered by its number.
				return p.until(func(f protocol.ServerFrame) bool { return f.Re == id || f.Re == 0 && f.Error != nil })
			}
			with := func(values ...string) string {
				out := string(payload)
				for i, v := range values {
					if i == 0 {
						out = strings.Replace(out, string(canonical), v, 1)
						continue
					}
					out = strings.TrimSuffix(out, "}") + `,"room":` + v + "}"
				}
				return out
			}
			f, _ := json.Marshal(o.foreign)
			shapes := map[string]string{
				"own, then another":       with(string(canonical), string(f)),
				"another, then own":       with(string(f), string(canonical)),
				"own twice":               with(string(canonical), string(canonical)),
				"another in another case": strings.TrimSuffix(string(payload), "}") + `,"Room":` + string(f) + "}",
				"only in another case":    strings.Replace(string(payload), `"room"`, `"ROOM"`, 1),
				"escaped key":             strings.TrimSuffix(string(payload), "}") + `,"\u0072oom":` + string(f) + "}",
				"a list of payloads":      "[" + string(payload) + "]",
			}
			for _, v := range oddValues(string(o.own), string(o.foreign)) {
				shapes[v] = with(v)
			}
			for shape, payload := range shapes {
				if name == "admin" && strings.Contains(shape, `r\u005f`+string(o.foreign[2:])) {
					continue // an admin's way of spelling a room they may reach
				}
				before := o.state(o.foreign)
				got := ask(payload)
				what := fmt.Sprintf("%s with %s as %s", frame, shape, name)
				same := shape == "another in another case" || strings.Contains(shape, `r\u005f`)
				if same && errorOf(got) == chat.CodeRoomClosed {
					continue // it named the own room, as it should, and a frame before has closed that
				}
				o.judge(what, errorOf(got), protocol.EncodeServer(got), before)
				if errorOf(got) == "" && !same {
					t.Errorf("%s: %s", what, protocol.EncodeServer(got))
				}
			}
		}
	}
	if asked < 800 {
		t.Errorf("only %d frames", asked)
	}
}

// Bodies of requests: every field that names or counts something takes its one
// spelling only.
func TestOddIDsInBodies(t *testing.T) {
	o := newOddly(t)
	c := o.callers["admin"].credential
	g := o.guest()
	room := "/api/rooms/" + string(o.own)
	for name, b := range map[string]struct{ path, before, after, good string }{
		"cmid":      {room + "/messages", `{"text":"x","cmid":`, `}`, `"odd1"`},
		"client id": {"/api/rooms", `{"vendor":"maple","client_id":`, `}`, `"odd2"`},
		"vendor":    {"/api/rooms", `{"client_id":"odd3","vendor":`, `}`, `"maple"`},
		"user":      {"/api/rooms", `{"client_id":"odd4","users":["` + string(o.third) + `",`, `]}`, `"` + string(o.other) + `"`},
		"seq":       {room + "/read", `{"seq":`, `}`, `0`},
		"guest":     {"/api/link", `{"guest":`, `}`, `"` + g.Credential + `"`},
		"surface":   {"/api/login", `{"username":"other","password":"other-other-pw","surface":`, `}`, `"inbox"`},
		"username":  {"/api/login", `{"surface":"inbox","password":"other-other-pw","username":`, `}`, `"other"`},
	} {
		values := []string{
			`"1"`, `1`, `01`, `1e0`, `1.0`, `-1`, `9223372036854775808`, `[1]`, `{"$ne":""}`, `{"$gt":0}`, `null`, `true`, `"\u0000"`, `"٣"`, `""`, `" "`,
			"[" + b.good + "]", b.good + `,"x":` + b.good + `,"x":1`, strings.Replace(b.good, `"`, `" `, 1), strings.TrimSuffix(b.good, `"`) + ` "`,
		}
		for _, v := range values {
			if v == b.good || name == "seq" && (v == "1" || v == "null") || (name == "cmid" || name == "client id") && v == `"1"` {
				continue // these are good ones
			}
			before := o.state(o.foreign)
			r := o.call("POST", b.path, c, b.before+v+b.after)
			what := fmt.Sprintf("%s %s as %s", b.path, v, name)
			switch code := r.code(); {
			case code == invalid:
			case (name == "guest" || name == "username") && (code == denied || code == nobody):
			case name == "vendor" && code == chat.CodeNotFound: // a slug, and no such shop
			default:
				t.Errorf("%s: %d %s", what, r.status, r.body)
			}
			if after := o.state(o.foreign); after != before {
				t.Errorf("%s changed another room", what)
			}
		}
		for _, key := range []string{"cmid", "client_id", "vendor", "seq", "guest", "surface", "username"} {
			if twice := strings.Replace(b.before, `"`+key+`":`, `"`+key+`":`+b.good+`,"`+key+`":`, 1); twice != b.before && strings.HasSuffix(b.before, `"`+key+`":`) {
				if r := o.call("POST", b.path, c, twice+b.good+b.after); r.code() != invalid {
					t.Errorf("%s twice: %d %s", key, r.status, r.body)
				}
			}
		}
		if r := o.call("POST", b.path, c, b.before+b.good+b.after); r.status >= 300 {
			t.Errorf("%s with a good %s: %d %s", b.path, name, r.status, r.body)
		}
	}
}
