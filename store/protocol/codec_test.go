package protocol

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"anteroom/store/chat"
)

const (
	testRoom  = "r_abcdefghijklmnopqrstuvwxya"
	testGuest = "g_abcdefghijklmnopqrstuvwxya"
)

func TestRoundTripOfClientFrames(t *testing.T) {
	frames := []ClientFrame{
		{ID: 1, Hello: &Hello{Version: 1, Credential: "gs_x", Surface: chat.SurfaceWidget, GuestSession: testGuest}},
		{ID: 2, Rooms: &RoomsQuery{Filter: chat.FilterOpen, Search: "Ada", After: "x", Limit: 10}},
		{ID: 3, Vendors: &Empty{}},
		{ID: 4, Create: &Create{ClientID: "c-1", Vendor: "maple-pottery", Page: "/cups?x=<1>&y"}},
		{ID: 5, Join: &Join{Room: testRoom, Cursor: &chat.Cursor{Epoch: "e", Seq: 3}}},
		{ID: 6, Leave: &RoomRef{testRoom}},
		{ID: 7, Send: &Send{Room: testRoom, ClientID: "m_1", Text: "a <b> & \"c\"\nd \u2028 \U0001F600"}},
		{Typing: &Typing{Room: testRoom, Active: true}},
		{ID: 9, Read: &Read{Room: testRoom, Seq: 1 << 62}},
		{ID: 10, History: &History{Room: testRoom, Before: 9, Limit: 100}},
		{ID: 11, Close: &RoomRef{testRoom}},
		{ID: 12, Block: &RoomRef{testRoom}},
		{ID: 13, Ping: &Empty{}},
	}
	got, err := DecodeClient(EncodeClient(frames...))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, frames) {
		t.Fatalf("got  %s\nwant %s", EncodeClient(got...), EncodeClient(frames...))
	}
	if n := reflect.TypeFor[ClientFrame]().NumField() - 1; n != len(frames) {
		t.Fatalf("%d payloads in this test, %d in ClientFrame", len(frames), n)
	}
}

// bad says how a frame is wrong and what the answer must be.
func TestBadClientFrames(t *testing.T) {
	long := strings.Repeat("x", chat.MaxTextBytes+1)
	for name, c := range map[string]struct {
		line string
		re   int64
		code chat.Code
	}{
		"empty":                        {``, 0, chat.CodeInvalid},
		"no object":                    {`[]`, 0, chat.CodeInvalid},
		"null":                         {`null`, 0, chat.CodeInvalid},
		"no payload":                   {`{"id":3}`, 3, chat.CodeInvalid},
		"null payload":                 {`{"id":3,"ping":null}`, 3, chat.CodeInvalid},
		"two payloads":                 {`{"id":3,"ping":{},"vendors":{}}`, 3, chat.CodeInvalid},
		"unknown payload":              {`{"id":3,"dance":{}}`, 3, chat.CodeInvalid},
		"case variant payload":         {`{"id":3,"Ping":{}}`, 3, chat.CodeInvalid},
		"kelvin sign":                  {`{"id":3,"bloc` + "\u212a" + `":{"room":"` + testRoom + `"}}`, 3, chat.CodeInvalid},
		"case variant of a field":      {`{"id":3,"leave":{"Room":"` + testRoom + `"}}`, 3, chat.CodeInvalid},
		"duplicate payload":            {`{"id":3,"ping":{},"ping":{}}`, 0, chat.CodeInvalid},
		"duplicate by escape":          {`{"id":3,"leave":{"room":"` + testRoom + `","\u0072oom":"x"}}`, 0, chat.CodeInvalid},
		"negative id":                  {`{"id":-1,"ping":{}}`, 0, chat.CodeInvalid},
		"id as text":                   {`{"id":"1","ping":{}}`, 0, chat.CodeInvalid},
		"id as fraction":               {`{"id":1.5,"ping":{}}`, 0, chat.CodeInvalid},
		"id too large":                 {`{"id":9223372036854775808,"ping":{}}`, 0, chat.CodeInvalid},
		"payload of another type":      {`{"id":7,"ping":[]}`, 7, chat.CodeInvalid},
		"byte order mark":              {"\ufeff" + `{"ping":{}}`, 0, chat.CodeInvalid},
		"trailing data":                {`{"ping":{}} {"ping":{}}`, 0, chat.CodeInvalid},
		"trailing comma":               {`{"ping":{},}`, 0, chat.CodeInvalid},
		"NaN":                          {`{"id":NaN,"ping":{}}`, 0, chat.CodeInvalid},
		"leading zero":                 {`{"id":01,"ping":{}}`, 0, chat.CodeInvalid},
		"lone surrogate":               {`{"ping":{"x":"\ud800"}}`, 0, chat.CodeInvalid},
		"surrogates in wrong order":    {`{"ping":{"x":"\udc00\ud800"}}`, 0, chat.CodeInvalid},
		"raw control character":        {"{\"ping\":{\"x\":\"\t\"}}", 0, chat.CodeInvalid},
		"invalid UTF-8":                {"{\"ping\":{\"x\":\"\xff\"}}", 0, chat.CodeInvalid},
		"too deep":                     {`{"ping":{"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}}`, 0, chat.CodeInvalid},
		"long number":                  {`{"ping":{"x":` + strings.Repeat("1", 33) + `}}`, 0, chat.CodeInvalid},
		"frame too long":               {`{"ping":{"x":"` + strings.Repeat("x", MaxClientFrame) + `"}}`, 0, chat.CodeTooLarge},
		"text too long":                {`{"id":3,"send":{"room":"` + testRoom + `","cmid":"m","text":"` + long + `"}}`, 3, chat.CodeTooLarge},
		"text empty":                   {`{"id":3,"send":{"room":"` + testRoom + `","cmid":"m","text":" \n"}}`, 3, chat.CodeInvalid},
		"text with NUL":                {`{"id":3,"send":{"room":"` + testRoom + `","cmid":"m","text":"a\u0000"}}`, 3, chat.CodeInvalid},
		"no client message id":         {`{"id":3,"send":{"room":"` + testRoom + `","text":"a"}}`, 3, chat.CodeInvalid},
		"client message id odd":        {`{"id":3,"send":{"room":"` + testRoom + `","cmid":"a b","text":"a"}}`, 3, chat.CodeInvalid},
		"hello without surface":        {`{"id":3,"hello":{"version":1,"credential":"x"}}`, 3, chat.CodeInvalid},
		"hello without version":        {`{"id":3,"hello":{"surface":"widget"}}`, 3, chat.CodeInvalid},
		"hello with odd guest session": {`{"id":3,"hello":{"version":1,"surface":"widget","guest_session":"g_1"}}`, 3, chat.CodeInvalid},
		"odd filter":                   {`{"id":3,"rooms":{"filter":"all"}}`, 3, chat.CodeInvalid},
		"rooms limit":                  {`{"id":3,"rooms":{"limit":101}}`, 3, chat.CodeInvalid},
		"history limit":                {`{"id":3,"history":{"room":"` + testRoom + `","limit":101}}`, 3, chat.CodeInvalid},
		"history both ways":            {`{"id":3,"history":{"room":"` + testRoom + `","before":3,"after":1}}`, 3, chat.CodeInvalid},
		"negative read mark":           {`{"id":3,"read":{"room":"` + testRoom + `","seq":-1}}`, 3, chat.CodeInvalid},
		"cursor without epoch":         {`{"id":3,"join":{"room":"` + testRoom + `","cursor":{"seq":1}}}`, 3, chat.CodeInvalid},
		"join of nothing":              {`{"id":3,"join":{}}`, 3, chat.CodeInvalid},
		"join of room and vendor":      {`{"id":3,"join":{"room":"` + testRoom + `","vendor":"tea"}}`, 3, chat.CodeInvalid},
		"join of an odd vendor":        {`{"id":3,"join":{"vendor":"Tea"}}`, 3, chat.CodeInvalid},
		"join of a vendor with cursor": {`{"id":3,"join":{"vendor":"tea","cursor":{"epoch":"e","seq":1}}}`, 3, chat.CodeInvalid},
		"page with control character":  {`{"id":3,"create":{"client_id":"a","vendor":"tea","page":"a\nb"}}`, 3, chat.CodeInvalid},
		"odd vendor":                   {`{"id":3,"create":{"client_id":"a","vendor":"Tea"}}`, 3, chat.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeClient([]byte(c.line))
			e, ok := errors.AsType[*FrameError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if e.Re != c.re || e.Err.Code != c.code {
				t.Fatalf("got re %d, %v; want re %d, %s", e.Re, e.Err, c.re, c.code)
			}
		})
	}
}

// Room ids in every odd shape are refused and not echoed: never another room.
func TestOddRoomIDs(t *testing.T) {
	for _, id := range []string{
		`1`, `"1"`, `null`, `true`, `1e0`, `-1`, `9223372036854775808`, `["` + testRoom + `"]`, `{"$ne":""}`, `""`,
		`" ` + testRoom + `"`, `"` + testRoom + ` "`, `"R_` + testRoom[2:] + `"`, `"` + strings.ToUpper(testRoom) + `"`,
		`"` + testRoom + `\u0000"`, `"` + testRoom[:27] + `b"`, `"` + testRoom + `a"`, `"` + testRoom[:27] + `"`,
		`"g_` + testRoom[2:] + `"`, `"r_` + strings.Repeat("\u0661", 26) + `"`, `"r_` + strings.Repeat("\uff41", 26) + `"`,
	} {
		for _, payload := range []string{
			`"join":{"room":%s}`, `"leave":{"room":%s}`, `"send":{"room":%s,"cmid":"m","text":"t"}`, `"typing":{"room":%s,"active":true}`,
			`"read":{"room":%s,"seq":1}`, `"history":{"room":%s}`, `"close":{"room":%s}`, `"block":{"room":%s}`,
		} {
			line := `{"id":3,` + fmt.Sprintf(payload, id) + `}`
			_, err := DecodeClientFrame([]byte(line))
			e, ok := errors.AsType[*FrameError](err)
			if !ok || e.Err.Code != chat.CodeInvalid || e.Re != 3 || e.Room != "" {
				t.Errorf("%s: got %v", line, err)
			}
		}
	}
}

func TestUnknownKeysAreIgnored(t *testing.T) {
	line := `{"id":3,"future":1,"ID":9,"send":{"room":"` + testRoom + `","Room":"x","TEXT":"evil","cmid":"m","text":" hi\r\nyou ","` + "\u017f" + `eq":[{}]},"Ping":{}}`
	got, err := DecodeClient([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := []ClientFrame{{ID: 3, Send: &Send{Room: testRoom, ClientID: "m", Text: "hi\nyou"}}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %s", EncodeClient(got...))
	}
}

func TestSeveralFramesInOneMessage(t *testing.T) {
	message := `{"id":1,"ping":{}}` + "\n" + `{"id":2,"ping":{}}` + "\n" + `{"id":3,"ping":7}` + "\n"
	got, err := DecodeClient([]byte(message))
	e, ok := errors.AsType[*FrameError](err)
	if len(got) != 2 || !ok || e.Re != 3 {
		t.Fatalf("got %d frames, %v", len(got), err)
	}
	if _, err := DecodeClient([]byte(strings.Repeat("{\"ping\":{}}\n", MaxClientFrames))); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{
		strings.Repeat("{\"ping\":{}}\n", MaxClientFrames+1),
		strings.Repeat(" ", MaxClientMessage+1),
	} {
		if _, err := DecodeClient([]byte(m)); chat.CodeOf(err) != chat.CodeTooLarge {
			t.Fatalf("got %v", err)
		}
	}
}

func TestDecodeServer(t *testing.T) {
	frames := []ServerFrame{
		{Re: 1, Welcome: &Welcome{Version: 1, BeatMS: 25000}},
		{Event: &EventFrame{Room: testRoom, Epoch: "e", Event: chat.Event{Seq: 1, Kind: chat.MessagePosted, Text: "<a>\n&"}}},
		{Beat: &Beat{}},
	}
	message := EncodeServer(frames...)
	got, err := DecodeServer(message)
	if err != nil || !reflect.DeepEqual(got, frames) {
		t.Fatalf("got %s, %v", EncodeServer(got...), err)
	}
	got, err = DecodeServer([]byte(`{"dance":{}}` + "\n" + `{"re":4,"ok":{},"more":1}`))
	if err != nil || len(got) != 1 || got[0].Re != 4 {
		t.Fatalf("a newer server's frames: got %v, %v", got, err)
	}
	for _, bad := range []string{``, `{}`, `{"re":1}`, `{"ok":{},"beat":{}}`, `{"re":-1,"ok":{}}`, `[]`} {
		if _, err := DecodeServer([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A key is taken in one spelling only, so all keys of ours must have it.
func TestKeysAreLowerCase(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && key == "" {
				walk(f.Type)
				continue
			}
			if key == "" || strings.ToLower(key) != key {
				t.Errorf("%s.%s has key %q", typ, f.Name, key)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[ClientFrame]())
	walk(reflect.TypeFor[ServerFrame]())
	if len(seen) < 20 {
		t.Fatalf("only %d types seen", len(seen))
	}
}
