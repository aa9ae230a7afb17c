//go:build !js

package demo

import (
	"slices"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Filling in the demo a second time changes nothing, and nothing happens in the future.
func TestFillIsRepeatable(t *testing.T) {
	now := time.Now()
	st := storage.NewMemory()
	t.Cleanup(func() { st.Close() })
	count := func() (users, vendors, rooms, events int) {
		err := st.View(t.Context(), func(r storage.Reader) error {
			u, err := r.Users()
			if err != nil {
				return err
			}
			v, err := r.Vendors()
			if err != nil {
				return err
			}
			rows, err := r.List(storage.ListQuery{All: true, Limit: 100})
			if err != nil {
				return err
			}
			for _, row := range rows {
				list, err := r.Events(storage.EventQuery{Room: row.Room.ID, Limit: 100})
				if err != nil {
					return err
				}
				events += len(list)
				if !slices.IsSortedFunc(list, func(a, b chat.Event) int { return int(a.At - b.At) }) {
					t.Errorf("the events of room %s go back in time", row.Room.ID)
				}
				if last := list[len(list)-1].At; last > now.UnixMilli() {
					t.Errorf("room %s ends in the future", row.Room.ID)
				}
			}
			users, vendors, rooms = len(u), len(v), len(rows)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return users, vendors, rooms, events
	}
	var seen [4]int
	for i := range 2 {
		if err := Fill(t.Context(), st, auth.CheapParams, func() time.Time { return now }); err != nil {
			t.Fatal(err)
		}
		var got [4]int
		got[0], got[1], got[2], got[3] = count()
		if i > 0 && got != seen {
			t.Errorf("users, vendors, rooms, events were %v and are %v", seen, got)
		}
		seen = got
	}
	if want := 1 + len(Vendors) + len(Customers); seen[0] != want {
		t.Errorf("there are %d users, want %d", seen[0], want)
	}
	if seen[1] != len(Vendors) || seen[2] != len(history)+1 {
		t.Errorf("there are %d vendors and %d rooms", seen[1], seen[2])
	}
}
