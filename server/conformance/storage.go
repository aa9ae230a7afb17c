package conformance

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Open gives a storage: an empty one, or one from what Backup wrote where
// backup is not nil. The suite closes it.
type Open func(t testing.TB, backup []byte) storage.Storage

// Storage runs the storage contract's cases.
func Storage(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"users: names and subjects are unique", users},
		{"vendors: slugs are unique, members are kept both ways", vendors},
		{"account sessions: found by id, token and revoke handle", accountSessions},
		{"guest sessions: found by the current secret only", guestSessions},
		{"rooms: ids and client ids are unique, some fields change", rooms},
		{"rooms: a caller's open room with a vendor", openRoomWith},
		{"participants are kept both ways", participants},
		{"facts: everything a decision needs at once", facts},
		{"append: dense, repeatable, conflicting", appends},
		{"events: pages both ways", eventPages},
		{"events: a long log gives every page and mark", longLog},
		{"read marks move forward only", readMarks},
		{"move identity: ids and marks change hands", moveIdentity},
		{"list: order, filters, unread, search", lists},
		{"list: paging is stable while messages arrive", listPaging},
		{"list: a vendor's staff see all kinds of their rooms", listOfStaff},
		{"blocks, notices, audit", records},
		{"sweep deletes what is long over", sweep},
		{"an update that fails leaves nothing", rollback},
		{"a refused statement leaves the rest of its update", refusedPart},
		{"a panic leaves nothing and comes back", panics},
		{"updates see each other in turn; seq is dense under concurrency", concurrency},
		{"a view does not change while it runs", viewConsistency},
		{"an update with an ended context does not run", endedContext},
		{"returned values are the caller's own", ownership},
		{"a backup opens with everything and another epoch", func(t *testing.T, w *world) { backup(t, w, open) }},
		{"after close everything says so", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, nil)
			t.Cleanup(func() {
				if err := s.Close(); err != nil && !errors.Is(err, storage.ErrClosed) {
					t.Errorf("close: %v", err)
				}
			})
			c.run(t, &world{t, s})
		})
	}
}

// world is a storage under test.
type world struct {
	t testing.TB
	s storage.Storage
}

func (w *world) update(f func(storage.Writer) error) {
	w.t.Helper()
	if err := w.s.Update(w.t.Context(), f); err != nil {
		w.t.Fatalf("update: %v", err)
	}
}

func (w *world) view(f func(storage.Reader)) {
	w.t.Helper()
	if err := w.s.View(w.t.Context(), func(r storage.Reader) error { f(r); return nil }); err != nil {
		w.t.Fatalf("view: %v", err)
	}
}

// refuse runs one call in an Update and checks its error.
func (w *world) refuse(want error, f func(storage.Writer) error) {
	w.t.Helper()
	if err := w.s.Update(w.t.Context(), f); !errors.Is(err, want) {
		w.t.Errorf("got error %v, want %v", err, want)
	}
}

// equal compares what a call gave with what was wanted; an empty slice equals nil.
func equal[T any](t testing.TB, what string, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	g, w := reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem()
	if g.Kind() == reflect.Slice && g.Len() == 0 && w.Len() == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func absent[T any](t testing.TB, what string, _ T, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("%s: got error %v, want %v", what, err, storage.ErrNotFound)
	}
}

func hashOf(n byte) (h storage.Hash) {
	for i := range h {
		h[i] = n
	}
	return h
}

func user(id, name string) storage.User {
	return storage.User{ID: chat.UserID("u_" + id), Username: id, Name: name, Role: chat.RoleUser, Active: true, PasswordHash: "phc", CreatedAt: 5}
}

func message(sender chat.Identity, id chat.ClientID, text string, at int64) chat.Event {
	return chat.Event{Kind: chat.MessagePosted, Sender: sender, SenderName: "Name", ClientID: id, Text: text, At: at}
}

// say appends a message that must be new.
func say(w storage.Writer, room chat.RoomID, sender chat.Identity, id chat.ClientID, at int64) error {
	_, created, err := w.Append(room, message(sender, id, "text of "+string(id), at))
	if err == nil && !created {
		err = fmt.Errorf("message %s was there already", id)
	}
	return err
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// shop makes the vendor v_tea with staff mia, the users ada and bo, and the
// rooms r_a (guest g_a), r_b (ada's with the vendor), r_c (between ada and bo).
func (w *world) shop() {
	w.t.Helper()
	w.update(func(s storage.Writer) error {
		return first(
			s.PutUser(user("mia", "Mia Staff")), s.PutUser(user("ada", "Ada Okafor")), s.PutUser(user("bo", "Bo Lind")),
			s.PutVendor(chat.Vendor{ID: "v_tea", Slug: "tea", Name: "Northern Tea"}),
			s.SetVendorMember("v_tea", "u_mia", true),
			s.PutGuestSession(storage.GuestSession{ID: "g_abcd", Secret: hashOf(1), Revoke: hashOf(2), ExpiresAt: 1 << 50}),
			s.CreateRoom(storage.Room{ID: "r_a", Vendor: "v_tea", GuestSession: "g_abcd", Creator: "g_abcd", ClientID: "room", CreatedAt: 10}),
			s.CreateRoom(storage.Room{ID: "r_b", Vendor: "v_tea", Creator: "u_ada", ClientID: "room", CreatedAt: 20}),
			s.CreateRoom(storage.Room{ID: "r_c", Name: "100%_Planning", Creator: "u_root", CreatedAt: 30}),
			s.SetParticipant("r_a", "u_mia", true), s.SetParticipant("r_b", "u_mia", true),
			s.SetParticipant("r_b", "u_ada", true), s.SetParticipant("r_c", "u_ada", true), s.SetParticipant("r_c", "u_bo", true),
		)
	})
}
