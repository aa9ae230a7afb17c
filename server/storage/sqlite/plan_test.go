//go:build !js

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// plansOf tells how SQLite goes about each query that f makes, by the query.
func plansOf(t *testing.T, d *DB, f func(storage.Reader) error) map[string]string {
	t.Helper()
	plans := make(map[string]string)
	if err := d.View(t.Context(), func(r storage.Reader) error {
		c := r.(reader).c
		for query := range c.stmts {
			delete(c.stmts, query)
		}
		if err := f(r); err != nil && !notFound(err) {
			return err
		}
		var queries []string
		for query := range c.stmts {
			queries = append(queries, query)
		}
		for _, query := range queries {
			details, err := all(c, func(s *stmt) (string, error) { s.col = 3; return s.text(), nil }, "EXPLAIN QUERY PLAN "+query)
			if err != nil {
				return err
			}
			plans[query] = strings.Join(details, "\n")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return plans
}

// A visitor's room is found among their own, however many the vendor has.
func TestOpenRoomWithLooksAtTheCallersRooms(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	for caller, want := range map[string][]string{
		"g_a": {"rooms USING INDEX rooms_guest"},
		"u_a": {"rooms USING COVERING INDEX rooms_creator", "rooms USING COVERING INDEX rooms_linked", "r USING INTEGER PRIMARY KEY"},
	} {
		plans := plansOf(t, d, func(r storage.Reader) error {
			_, err := r.OpenRoomWith(chat.Identity(caller), "v_a")
			return err
		})
		for query, plan := range plans {
			if !strings.Contains(query, "rooms") {
				continue
			}
			for _, w := range want {
				if !strings.Contains(plan, "SEARCH "+w) {
					t.Errorf("%s: no %q in the plan of %s:\n%s", caller, w, query, plan)
				}
			}
			if strings.Contains(plan, "rooms_vendor") || strings.Contains(plan, "rooms_activity") {
				t.Errorf("%s: the rooms of others are walked by %s:\n%s", caller, query, plan)
			}
		}
	}
}
