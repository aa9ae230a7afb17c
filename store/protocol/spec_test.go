package protocol

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"anteroom/store/chat"
)

// examples returns the lines of the page's fences with that info string.
func examples(t *testing.T, page, info string) []string {
	t.Helper()
	var out []string
	for _, part := range strings.Split(page, "```"+info+"\n")[1:] {
		body, _, ok := strings.Cut(part, "\n```")
		if !ok {
			t.Fatalf("a fence without end: %.60q", part)
		}
		out = append(out, strings.Split(body, "\n")...)
	}
	return out
}

func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// payloadsOf counts which fields of frames are set, by their keys.
func payloadsOf[T any](frames []T) map[string]int {
	seen := map[string]int{}
	for field := range reflect.TypeFor[T]().Fields() {
		if field.Type.Kind() != reflect.Pointer {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		seen[key] = 0
		for _, f := range frames {
			if !reflect.ValueOf(f).FieldByIndex(field.Index).IsNil() {
				seen[key]++
			}
		}
	}
	return seen
}

func TestSpecificationShowsEveryFrame(t *testing.T) {
	page := readPage(t)
	var client []ClientFrame
	for _, line := range examples(t, page, "json client") {
		frames, err := DecodeClient([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		// Nothing in an example is a key that the code does not know.
		if got := string(EncodeClient(frames...)); got != line {
			t.Errorf("example  %s\nencodes as %s", line, got)
		}
		client = append(client, frames...)
	}
	var server []ServerFrame
	for _, line := range examples(t, page, "json server") {
		frames, err := DecodeServer([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := string(EncodeServer(frames...)); got != line {
			t.Errorf("example  %s\nencodes as %s", line, got)
		}
		server = append(server, frames...)
	}
	for key, n := range payloadsOf(client) {
		if n == 0 {
			t.Errorf("client frame %s has no example", key)
		}
	}
	for key, n := range payloadsOf(server) {
		if n == 0 {
			t.Errorf("server frame %s has no example", key)
		}
	}
	for _, line := range examples(t, page, "json http") {
		var body struct {
			Error *Error `json:"error"`
		}
		if err := Unmarshal([]byte(line), &body); err != nil || body.Error == nil {
			t.Errorf("%s: %v", line, err)
		}
		if b, _ := json.Marshal(body); string(b) != line {
			t.Errorf("example %s encodes as %s", line, b)
		}
	}
}

func TestSpecificationHasTheTableOfCodes(t *testing.T) {
	page := readPage(t)
	rows := 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	if rows != len(chat.Outcomes) {
		t.Errorf("%d rows for %d codes", rows, len(chat.Outcomes))
	}
	for _, o := range chat.Outcomes {
		row := fmt.Sprintf("| `%s` | %d | %d | %s |\n", o.Code, o.Status, o.Close, o.Client)
		if !strings.Contains(page, row) {
			t.Errorf("missing: %s", row)
		}
	}
}

func TestSpecificationSaysTheLimits(t *testing.T) {
	page := readPage(t)
	for _, row := range []string{
		fmt.Sprintf("# The Anteroom protocol, version %d\n", Version),
		fmt.Sprintf("| message from a client | %d bytes, %d frames |", MaxClientMessage, MaxClientFrames),
		fmt.Sprintf("| frame from a client | %d bytes |", MaxClientFrame),
		fmt.Sprintf("| message from a server | %d bytes |", MaxServerMessage),
		fmt.Sprintf("| text of a message | %d code points, %d bytes |", chat.MaxText, chat.MaxTextBytes),
		fmt.Sprintf("| nesting of JSON, keys of one object | %d, %d |", MaxDepth, maxKeys),
		fmt.Sprintf("`limit` is 1 to %d (%d)", MaxRoomsLimit, RoomsLimit),
		fmt.Sprintf("exclusive); the newest page with neither. `limit` is 1 to %d (%d)", MaxHistoryLimit, HistoryLimit),
	} {
		if !strings.Contains(page, row) {
			t.Errorf("missing: %s", row)
		}
	}
}
