package chat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"anteroom/store/chat"
)

func userID(i int) chat.UserID {
	return chat.UserID(chat.EncodeID("u_", [16]byte{byte(i)}))
}

var guest = chat.GuestSessionID(chat.EncodeID("g_", [16]byte{9}))

// anyEvents draws a plausible log: whatever a server may append to a guest's room.
func anyEvents(t *rapid.T) []chat.Event {
	kinds := []chat.EventKind{
		chat.MessagePosted, chat.ParticipantAdded, chat.ParticipantRemoved, chat.GuestLinked, chat.RoomClosed, chat.GuestBlocked, "from_the_future",
	}
	events := []chat.Event{{Seq: 1, At: 1, Kind: chat.RoomCreated, Sender: chat.GuestIdentity(guest)}}
	n := rapid.IntRange(0, 30).Draw(t, "events")
	for i := range n {
		e := chat.Event{Seq: int64(i + 2), At: int64(i + 2), Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
		who := rapid.IntRange(0, 4).Draw(t, "who")
		e.Sender = chat.UserIdentity(userID(who))
		switch e.Kind {
		case chat.MessagePosted:
			e.Text, e.ClientID = rapid.StringN(1, 20, -1).Draw(t, "text"), chat.ClientID(fmt.Sprint("c", i))
		case chat.ParticipantAdded, chat.ParticipantRemoved, chat.GuestLinked:
			e.Member = &chat.Member{User: userID(who), Name: fmt.Sprint("user ", who), Staff: rapid.Bool().Draw(t, "staff")}
		}
		events = append(events, e)
	}
	return events
}

func room() chat.Room {
	return chat.Room{ID: chat.RoomID(chat.EncodeID("r_", [16]byte{1})), GuestSession: guest, CreatedAt: 1, Members: []chat.Member{
		{User: userID(3), Name: "user 3", Staff: true},
	}}
}

// snapshotAt folds naively: the definition that Timeline is held to.
func snapshotAt(events []chat.Event, head, from int) chat.Snapshot {
	r := room()
	for _, e := range events[:head] {
		r = chat.ApplyToRoom(r, e)
	}
	return chat.Snapshot{Room: r, Epoch: "e", Events: slices.Clone(events[from:head]), Head: int64(head)}
}

// A snapshot and the events after it make the snapshot of later.
func TestSnapshotLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		head := rapid.IntRange(1, len(events)).Draw(t, "head")
		from := rapid.IntRange(0, head).Draw(t, "from")
		line, err := chat.NewTimeline(snapshotAt(events, head, from))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events[head:] {
			if line, err = line.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		want, err := chat.NewTimeline(snapshotAt(events, len(events), from))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(line, want) {
			t.Fatalf("got  %+v\nwant %+v", line, want)
		}
	})
}

// However events come, repeated, early or late, a timeline changes only by the next one.
func TestApplyTakesOnlyTheNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		line, err := chat.NewTimeline(snapshotAt(events, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rapid.SliceOf(rapid.IntRange(0, len(events)-1)).Draw(t, "order") {
			e, before := events[i], line
			line, err = line.Apply(e)
			gap, isGap := errors.AsType[*chat.GapError](err)
			switch {
			case e.Seq == before.Head+1:
				if err != nil || line.Head != e.Seq || line.Events[len(line.Events)-1].Seq != e.Seq {
					t.Fatalf("the next event was not taken: %v", err)
				}
			case e.Seq <= before.Head:
				if err != nil || !reflect.DeepEqual(line, before) {
					t.Fatalf("a repeated event changed something: %v", err)
				}
			default:
				if !isGap || gap.Head != before.Head || gap.Got != e.Seq || !reflect.DeepEqual(line, before) {
					t.Fatalf("a gap went unnoticed: %v", err)
				}
			}
		}
		if want := events[:line.Head]; !reflect.DeepEqual(line.Events, want) {
			t.Fatalf("got %v, want %v", line.Events, want)
		}
	})
}

func TestPrepend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		from := rapid.IntRange(0, len(events)).Draw(t, "from")
		older := rapid.IntRange(0, from).Draw(t, "older")
		line, err := chat.NewTimeline(snapshotAt(events, len(events), from))
		if err != nil {
			t.Fatal(err)
		}
		if line, err = line.Prepend(slices.Clone(events[older:from])); err != nil {
			t.Fatal(err)
		}
		if want := events[older:]; len(want) > 0 && !reflect.DeepEqual(line.Events, want) {
			t.Fatalf("got %v, want %v", line.Events, want)
		}
		if older > 1 {
			if _, err := line.Prepend(events[:older-1]); err == nil {
				t.Fatal("a hole went unnoticed")
			}
		}
	})
}

func TestNewTimelineRefusesHoles(t *testing.T) {
	for name, s := range map[string]chat.Snapshot{
		"hole inside":     {Head: 3, Events: []chat.Event{{Seq: 1}, {Seq: 3}}},
		"not at the head": {Head: 4, Events: []chat.Event{{Seq: 2}, {Seq: 3}}},
		"descending":      {Head: 3, Events: []chat.Event{{Seq: 3}, {Seq: 2}}},
	} {
		if _, err := chat.NewTimeline(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An older value stays readable and unchanged after a newer one was made of it.
func TestApplyLeavesTheOldValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		line, err := chat.NewTimeline(snapshotAt(events, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events[1:] {
			before, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			next, err := line.Apply(e)
			if err != nil {
				t.Fatal(err)
			}
			if after, _ := json.Marshal(line); string(after) != string(before) {
				t.Fatalf("event %d changed the value before it:\n%s\n%s", e.Seq, before, after)
			}
			line = next
		}
	})
}

func TestMembersStayOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := room()
		for _, e := range anyEvents(t) {
			r = chat.ApplyToRoom(r, e)
			if !slices.IsSortedFunc(r.Members, func(a, b chat.Member) int {
				if a.User < b.User {
					return -1
				}
				return 1
			}) {
				t.Fatalf("members out of order or twice: %v", r.Members)
			}
		}
	})
}

func TestRoomAsSeenByEachSide(t *testing.T) {
	vendor := &chat.Vendor{ID: "v_1", Slug: "tea", Name: "Northern Tea"}
	staff, ada := chat.Member{User: userID(1), Name: "Noor", Staff: true}, chat.Member{User: userID(2), Name: "Ada"}
	label := chat.GuestLabel(guest)
	for _, tt := range []struct {
		name     string
		room     chat.Room
		viewer   chat.Identity
		title    string
		customer chat.Identity
	}{
		{"guest sees the vendor", chat.Room{Vendor: vendor, GuestSession: guest, Members: []chat.Member{staff}}, chat.GuestIdentity(guest), "Northern Tea", chat.GuestIdentity(guest)},
		{"staff see the guest", chat.Room{Vendor: vendor, GuestSession: guest, Members: []chat.Member{staff}}, chat.UserIdentity(staff.User), label, chat.GuestIdentity(guest)},
		{"the linked user sees the vendor", chat.Room{Vendor: vendor, GuestSession: guest, LinkedUser: ada.User, Members: []chat.Member{staff, ada}}, chat.UserIdentity(ada.User), "Northern Tea", chat.UserIdentity(ada.User)},
		{"staff see the linked user", chat.Room{Vendor: vendor, GuestSession: guest, LinkedUser: ada.User, Members: []chat.Member{staff, ada}}, chat.UserIdentity(staff.User), "Ada", chat.UserIdentity(ada.User)},
		{"linked user who was removed", chat.Room{Vendor: vendor, GuestSession: guest, LinkedUser: ada.User, Members: []chat.Member{staff}}, chat.UserIdentity(staff.User), label, chat.GuestIdentity(guest)},
		{"a user's own room", chat.Room{Vendor: vendor, Members: []chat.Member{staff, ada}}, chat.UserIdentity(staff.User), "Ada", chat.UserIdentity(ada.User)},
		{"between users: the others", chat.Room{Members: []chat.Member{staff, ada}}, chat.UserIdentity(ada.User), "Noor", chat.UserIdentity(ada.User)},
		{"a name wins", chat.Room{Name: "Spring market", Members: []chat.Member{staff, ada}}, chat.UserIdentity(ada.User), "Spring market", chat.UserIdentity(ada.User)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.room.Title(tt.viewer); got != tt.title {
				t.Errorf("title %q, want %q", got, tt.title)
			}
			if got := tt.room.Customer().ID(); got != tt.customer {
				t.Errorf("customer %q, want %q", got, tt.customer)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	r := chat.Room{GuestSession: guest, LinkedUser: userID(2)}
	if got := r.Canonical(chat.GuestIdentity(guest)); got != chat.UserIdentity(userID(2)) {
		t.Errorf("the linked guest session is %s, not its user", got)
	}
	if got := r.Canonical(chat.GuestIdentity("g_other")); got != "g_other" {
		t.Errorf("another guest session became %s", got)
	}
	r.LinkedUser = ""
	if got := r.Canonical(chat.GuestIdentity(guest)); got != chat.GuestIdentity(guest) {
		t.Errorf("a guest session that is not linked became %s", got)
	}
}
