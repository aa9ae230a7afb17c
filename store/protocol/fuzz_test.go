package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"anteroom/store/chat"
)

// FuzzDecodeClient: whatever comes in, what is taken is whole and survives a
// round trip, and what is refused has a code.
func FuzzDecodeClient(f *testing.F) {
	page := `{"id":1,"hello":{"version":1,"credential":"as_x","surface":"inbox"}}`
	f.Add([]byte(page))
	f.Add([]byte(`{"id":7,"send":{"room":"` + testRoom + `","cmid":"m","text":" a\r\nb "}}` + "\n" + `{"ping":{}}`))
	f.Add(EncodeClient(ClientFrame{ID: 12, Send: &Send{Room: testRoom, ClientID: "m-1", Text: "été \u2028 <b>"}}))
	f.Add([]byte(`{"id":12,"send":{"room":"","cmid":"","text":"\t"}}`))
	f.Add([]byte(`{"Send":{},"typing":{"room":"` + testRoom + `","ROOM":"x","active":true}}`))
	f.Add([]byte(`{"join":{"room":"` + testRoom + `","cursor":{"epoch":"e","seq":9}},"x":[[[{"y":1e9}]]]}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		frames, err := DecodeClient(message)
		if err != nil {
			if e, ok := err.(*FrameError); !ok || e.Err.Code != chat.CodeInvalid && e.Err.Code != chat.CodeTooLarge {
				t.Fatalf("error %v", err)
			}
		} else if len(frames) == 0 {
			t.Fatal("neither frames nor an error")
		}
		if !utf8.Valid(message) && err == nil {
			t.Fatal("invalid UTF-8 was taken")
		}
		if f, ok := quickSend(message); ok {
			quick, err := checked(f)
			slow, want := decodeClientFrame(message)
			if !reflect.DeepEqual(quick, slow) || !reflect.DeepEqual(err, want) {
				t.Fatalf("read by hand: %+v %v, by the rules: %+v %v", quick, err, slow, want)
			}
		}
		if len(frames) == 0 {
			return
		}
		again, err := DecodeClient(EncodeClient(frames...))
		if err != nil || !reflect.DeepEqual(frames, again) {
			t.Fatalf("round trip: %v\n%s\n%s", err, EncodeClient(frames...), EncodeClient(again...))
		}
	})
}

// FuzzUnmarshal: the scanner takes no JSON that encoding/json refuses, and
// refuses duplicates and depth.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[true,null,"\u00e9\ud83d\ude00"]}`, `{"a":{"A":1,"a":2}}`, `[1e5,-0.5,{}]`, `"\ud800"`, `01`, ` "x" `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		clean, err := strict(data)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was modified")
		}
		if err != nil {
			return
		}
		if !json.Valid(data) || !json.Valid(clean) || len(clean) != len(data) {
			t.Fatalf("taken: %q, clean: %q", data, clean)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		for depth := 0; ; {
			token, err := dec.Token()
			if err != nil {
				break
			}
			if d, ok := token.(json.Delim); ok && (d == '{' || d == '[') {
				if depth++; depth > MaxDepth {
					t.Fatal("too deep")
				}
			} else if ok {
				depth--
			}
		}
	})
}

// FuzzDecodeServer: a client survives any server.
func FuzzDecodeServer(f *testing.F) {
	f.Add([]byte(`{"re":1,"ok":{}}` + "\n" + `{"new":{}}`))
	f.Add([]byte(`{"event":{"room":"` + testRoom + `","epoch":"e","event":{"seq":1,"at":1,"kind":"message"}}}`))
	f.Add([]byte(`{"re":3,"ack":{"room":"` + testRoom + `","cmid":"m","seq":1,"at":-1}}` + "\n" + `{"ack":{"cmid":"\u0001\u2029\"é"}}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		frames, err := DecodeServer(message)
		if err != nil || len(frames) == 0 {
			return
		}
		for _, f := range frames {
			if quick, ok := appendQuick(nil, f); ok && !bytes.Equal(quick, appendJSON(nil, f)) {
				t.Fatalf("by hand %s, by the rules %s", quick, appendJSON(nil, f))
			}
		}
		again, err := DecodeServer(EncodeServer(frames...))
		if err != nil || !bytes.Equal(EncodeServer(frames...), EncodeServer(again...)) {
			t.Fatalf("round trip: %v\n%s\n%s", err, EncodeServer(frames...), EncodeServer(again...))
		}
	})
}

// bombs are messages within the size limit that are meant to cost much.
func bombs() map[string][]byte {
	fill := func(unit string) string { return strings.Repeat(unit, (MaxClientFrame-100)/len(unit)) }
	var keys, escaped strings.Builder
	for i := range 2000 {
		keys.WriteString(`,"k` + string(rune('a'+i%26)) + strings.Repeat("x", i%8) + `":1`)
		escaped.WriteString(`,"\u0061` + strings.Repeat("y", i%8) + `":1`)
	}
	return map[string][]byte{
		"deep arrays":      []byte(`{"ping":{"x":` + fill("[") + `}}`),
		"deep objects":     []byte(`{"ping":{"x":` + fill(`{"a":`) + `}}`),
		"many keys":        []byte(`{"ping":{"x":{"a":1` + keys.String() + `}}}`),
		"escaped keys":     []byte(`{"ping":{"x":{"a":1` + escaped.String() + `}}}`),
		"objects of keys":  []byte(`{"ping":{"x":[` + strings.TrimSuffix(fill(`{"a":1,"b":1,"c":1,"d":1,"\u0065":1,"F":1},`), ",") + `]}}`),
		"long number":      []byte(`{"id":` + fill("9") + `,"ping":{}}`),
		"many numbers":     []byte(`{"ping":{"x":[` + strings.TrimSuffix(fill("1e9,"), ",") + `]}}`),
		"escapes":          []byte(`{"send":{"room":"` + testRoom + `","cmid":"m","text":"` + fill(`\u00e9`) + `"}}`),
		"one long line":    bytes.Repeat([]byte("x"), MaxClientMessage),
		"many lines":       bytes.Repeat([]byte("\n"), MaxClientMessage),
		"many frames":      bytes.Repeat([]byte(`{"ping":{}}`+"\n"), MaxClientFrames),
		"many big frames":  []byte(`{"ping":{"x":"` + fill("x") + `"}}` + "\n" + `{"ping":{"x":"` + fill("x") + `"}}`),
		"white space":      []byte(`{"ping":{}}` + fill(" ")),
		"backslashes":      []byte(`{"ping":{"x":"` + fill(`\\`) + `"}}`),
		"surrogate halves": []byte(`{"ping":{"x":"` + fill(`\ud83d\ude00`) + `"}}`),
	}
}

// slowdown is what a build under test may be slower than the real one.
var slowdown = func() time.Duration {
	if raceEnabled || runtime.GOARCH == "wasm" {
		return 10
	}
	return 1
}()

// A message within the size limit costs at most 10 ms of CPU. The test takes
// the fastest of some runs, so that a busy machine does not fail it.
func TestBombsAreCheap(t *testing.T) {
	for name, message := range bombs() {
		if len(message) > MaxClientMessage {
			t.Fatalf("%s has %d bytes", name, len(message))
		}
		best := time.Hour
		for range 7 {
			start := time.Now()
			DecodeClient(message)
			best = min(best, time.Since(start))
		}
		t.Logf("%s: %v", name, best)
		if best > 10*time.Millisecond*slowdown {
			t.Errorf("%s took %v", name, best)
		}
	}
}

func BenchmarkDecodeClient(b *testing.B) {
	message := EncodeClient(ClientFrame{ID: 7, Send: &Send{Room: testRoom, ClientID: "m81c", Text: strings.Repeat("word ", 40)}})
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		DecodeClient(message)
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	f := ServerFrame{Event: &EventFrame{Room: testRoom, Epoch: "e", Event: chat.Event{
		Seq: 9, At: 1795300000000, Kind: chat.MessagePosted, Sender: testGuest, SenderName: "Guest", ClientID: "m", Text: strings.Repeat("word ", 40),
	}}}
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = AppendServer(buffer[:0], f)
	}
}
