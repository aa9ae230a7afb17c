//go:build !js

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// plans tells how SQLite goes about each query that a connection has prepared, by the query.
func plans(t *testing.T, c *conn) map[string]string {
	t.Helper()
	var queries []string
	for query := range c.stmts {
		queries = append(queries, query)
	}
	out := make(map[string]string)
	for _, query := range queries {
		details, err := all(c, func(s *stmt) (string, error) { s.col = 3; return s.text(), nil }, "EXPLAIN QUERY PLAN "+query)
		if err != nil {
			t.Fatal(err)
		}
		out[query] = strings.Join(details, "\n")
	}
	return out
}

// plansOf is plans of the queries that f makes.
func plansOf(t *testing.T, d *DB, f func(storage.Reader) error) (out map[string]string) {
	t.Helper()
	if err := d.View(t.Context(), func(r storage.Reader) error {
		c := r.(reader).c
		clear(c.stmts)
		if err := f(r); err != nil && !notFound(err) {
			return err
		}
		out = plans(t, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// scans are the walks over a whole table that are meant: the table is small or
// is what was asked for, or the walk ends with the page.
var scans = map[string]string{
	"SCAN u":                            "all users",
	"SCAN v":                            "all vendors",
	"SCAN own":                          "a visitor's own rooms, found by index",
	"SCAN h USING INDEX heads_activity": "an admin's list, to the end of the page",
	"SCAN sent":                         "what a sender's rooms hold, at a link",
	"SCAN burned_tokens":                "sweeping",
	"SCAN account_sessions":             "sweeping",
	"SCAN guest_sessions":               "sweeping",
	"SCAN CONSTANT ROW":                 "no table",
}

// Nothing that the driver asks walks a table of rooms, events, marks or people,
// whatever the table holds.
func TestNoQueryWalksATable(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	check := func(plans map[string]string) {
		t.Helper()
		if len(plans) < 15 {
			t.Errorf("only %d queries were seen", len(plans))
		}
		for query, plan := range plans {
			for line := range strings.Lines(plan) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "SCAN ") && scans[line] == "" || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s by\n%s\n%s", line, query, plan)
				}
			}
		}
	}
	if err := d.Update(t.Context(), func(w storage.Writer) error {
		if err := fill(w); err != nil {
			return err
		}
		if err := w.Sweep(1); err != nil {
			return err
		}
		check(plans(t, w.(writer).c))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	check(plansOf(t, d, func(r storage.Reader) error { tell(r); return nil }))
}

// The first page of a list, and any other, costs what it shows: its queries walk
// an index in the order of the list, and at most sort rooms of one moment.
func TestListWalksInItsOrder(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	if err := d.Update(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, walk string
		q          storage.ListQuery
	}{
		{"of staff", "SEARCH h USING INDEX heads_vendor (vendor=?)", storage.ListQuery{Reader: "u_mia"}},
		{"of staff, a later page", "SEARCH h USING INDEX heads_vendor (vendor=? AND last_active<?)", storage.ListQuery{Reader: "u_mia", AfterActive: 300, AfterID: "r_b"}},
		{"of an admin", "SCAN h USING INDEX heads_activity", storage.ListQuery{Reader: "u_root", All: true}},
		{"of an admin, a later page", "SEARCH h USING INDEX heads_activity (last_active<?)", storage.ListQuery{Reader: "u_root", All: true, AfterActive: 300, AfterID: "r_b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Limit = 50
			found := false
			for query, plan := range plansOf(t, d, func(r storage.Reader) error {
				_, err := r.List(tt.q)
				return err
			}) {
				if !strings.Contains(query, "FROM heads h") {
					continue
				}
				found = true
				if !strings.Contains(plan, tt.walk) || strings.Contains(plan, "USE TEMP B-TREE FOR ORDER BY") || !strings.Contains(plan, "LAST TERM OF ORDER BY") {
					t.Errorf("it should %s, and sort the last term only:\n%s\n%s", tt.walk, query, plan)
				}
			}
			if !found {
				t.Error("the list was not asked for")
			}
		})
	}
}

// A visitor's room is found among their own, however many the vendor has.
func TestOpenRoomWithLooksAtTheCallersRooms(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	for caller, want := range map[string][]string{
		"g_a": {"r USING INDEX rooms_guest"},
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
