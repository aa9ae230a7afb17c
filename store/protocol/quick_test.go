package protocol

import (
	"reflect"
	"testing"

	"anteroom/store/chat"
)

// What is written by hand has the bytes of encoding/json, for every field there
// is and for every character that JSON writes in its own way. The fuzz tests of
// DecodeClient and DecodeServer compare it for whatever else comes.
func TestQuickFramesAreTheSame(t *testing.T) {
	texts := []string{"plain", "", "a \"b\" \\ /", "<b>&amp;</b>", "été 你好 \U0001F600", "\u2028\u2029", "\x00\x1f\x7f\b\f\n\r\t", "\xff\xed\xa0\x80"}
	for _, text := range texts {
		for _, number := range []int64{0, 1, -7, 1 << 62} {
			ack, event := Ack{}, EventFrame{}
			fill(reflect.ValueOf(&ack).Elem(), text, number)
			fill(reflect.ValueOf(&event).Elem(), text, number)
			for _, f := range []ServerFrame{{Re: number, Ack: &ack}, {Event: &event}} {
				quick, ok := appendQuick([]byte("before"), f)
				if want := appendJSON([]byte("before"), f); !ok || string(quick) != string(want) {
					t.Errorf("by hand   %v %s\nby the rules %s", ok, quick, want)
				}
			}
		}
	}
	for _, f := range []ServerFrame{
		{Re: 1, Event: &EventFrame{}}, {Ack: &Ack{}, OK: &Empty{}}, {Event: &EventFrame{Event: chat.Event{Member: &chat.Member{}}}}, {Pong: &Beat{}},
	} {
		if out, ok := appendQuick(nil, f); ok || len(out) > 0 {
			t.Errorf("written by hand: %s", out)
		}
	}
}

// A send in the form that clients write is read by hand, and says the same.
func TestQuickSend(t *testing.T) {
	line := func(id, room, cmid, text string) string {
		return `{"id":` + id + `,"send":{"room":"` + room + `","cmid":"` + cmid + `","text":"` + text + `"}}`
	}
	own := string(EncodeClient(ClientFrame{ID: 123456789, Send: &Send{Room: testRoom, ClientID: "m-1", Text: "été <b> & 你好 \U0001F600"}}))
	for text, quick := range map[string]bool{
		own:                                             true,
		line("1", testRoom, "m", " a "):                 true, // the values are checked afterwards
		line("1", testRoom, "m", ""):                    true,
		line("1", "", "", "a"):                          true,
		line("0", testRoom, "m", "a"):                   false,
		line("-1", testRoom, "m", "a"):                  false,
		line("01", testRoom, "m", "a"):                  false,
		line("1e3", testRoom, "m", "a"):                 false,
		line("", testRoom, "m", "a"):                    false,
		line("9223372036854775808", testRoom, "m", "a"): false,
		line("1", testRoom, "m", `\n`):                  false,
		line("1", testRoom, "m", "\t"):                  false,
		line("1", testRoom, "m", "\xff"):                false,
		line("1", testRoom, "m", "a") + " ":             false,
		line("1", testRoom, "m", `a","text":"b`):        false,
		line("1", testRoom, "m", "a")[:40]:              false,
	} {
		f, ok := quickSend([]byte(text))
		if ok != quick {
			t.Errorf("read by hand: %t: %s", ok, text)
		}
		if !ok {
			continue
		}
		f, err := checked(f)
		if slow, want := decodeClientFrame([]byte(text)); !reflect.DeepEqual(f, slow) || !reflect.DeepEqual(err, want) {
			t.Errorf("by hand %+v %v, by the rules %+v %v", f, err, slow, want)
		}
	}
}

// fill sets all strings and numbers of a struct and of the structs in it.
func fill(v reflect.Value, text string, number int64) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(text)
		case reflect.Int64:
			f.SetInt(number)
		case reflect.Struct:
			fill(f, text, number)
		case reflect.Pointer:
		default:
			panic("a field of another kind: " + f.Kind().String())
		}
	}
}
