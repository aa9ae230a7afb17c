package rooms

import (
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// FuzzPage: a page mark has one spelling, and nothing else is taken for one.
func FuzzPage(f *testing.F) {
	for _, active := range []int64{0, 1, 1_700_000_000_000, 1<<63 - 1} {
		f.Add(nextPage(storage.Room{ID: chat.RoomID(chat.EncodeID("r_", [16]byte{byte(active)})), LastActive: active}))
	}
	for _, s := range []string{"", ".", "MS5y", "LTEucl9h", "MDEuInJfIg", "\xff", "MS5yX2FhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==", "MS5yX2FhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		active, room, err := parsePage(s)
		if err != nil {
			if chat.CodeOf(err) != chat.CodeInvalid || active != 0 || room != "" {
				t.Fatalf("%q: %d, %q, %v", s, active, room, err)
			}
			return
		}
		if s == "" {
			return
		}
		if _, err := chat.ParseRoomID(string(room)); err != nil || active < 0 {
			t.Fatalf("%q was taken as %d, %q", s, active, room)
		}
		if again := nextPage(storage.Room{ID: room, LastActive: active}); again != s {
			t.Fatalf("%q is also spelt %q", s, again)
		}
	})
}
