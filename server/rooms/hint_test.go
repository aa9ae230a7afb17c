package rooms

import (
	"encoding/json"
	"reflect"
	"testing"
)

// Whatever way a hint is encoded, the other node reads what was said.
func TestHintsSurviveTheirWay(t *testing.T) {
	for _, want := range []hint{
		{Node: "n_a", Kind: hintEvent, Room: "r_b", Seq: 1 << 60, Members: true, Frame: json.RawMessage(`{"event":{"text":"a \"b\" ü <c>"}}`)},
		{Node: "n_a", Kind: hintEvent, Room: "r_b", Seq: 7, Frame: json.RawMessage(`{}`)},
		{Node: "n_a", Kind: hintSignal, Room: "r_b", Except: "u_c", Ephemeral: true, Frame: json.RawMessage(`{"typing":{}}`)},
		{Node: "n_a", Kind: hintRevoke, User: "u_c", Rooms: nil},
	} {
		payload, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got hint
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}
