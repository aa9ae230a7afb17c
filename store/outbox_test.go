package store

import (
	"testing"

	"anteroom/store/chat"
)

// A full localStorage takes whatever may become of a message that it has taken:
// nothing makes it longer. (Seeds 27651 and 73069.)
func TestStoredItemDoesNotGrow(t *testing.T) {
	fresh := storedItem{Version: 1, ClientID: "m-1", Vendor: "maple-pottery", Text: "a \"text\" with\nescapes é", At: 1}
	claimed := fresh
	claimed.Owner = "u_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	placed := claimed
	placed.Room = "r_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	m := New()
	m.surface = chat.SurfaceWidget
	orphan := &item{storedItem: placed}
	m.orphanItem(orphan, 0)
	for name, it := range map[string]storedItem{"claimed": claimed, "placed": placed, "orphan": orphan.storedItem} {
		value := encodeItem(it)
		if len(value) != len(encodeItem(fresh)) {
			t.Errorf("%s has %d bytes, not %d", name, len(value), len(encodeItem(fresh)))
		}
		if back, ok := parseItem(KeyOutbox(m.surface, "m-1"), m.surface, value); !ok || back.storedItem != it {
			t.Errorf("%s is read as %+v", name, back)
		}
	}
}
