package chat

import (
	"cmp"
	"fmt"
	"slices"
)

// Snapshot is what a server gives of a room at its head: the room's state and
// a dense run of its newest events, which may start anywhere.
type Snapshot struct {
	Room   Room    `json:"room"`
	Epoch  string  `json:"epoch"`
	Events []Event `json:"events"` // dense, ascending, ending at Head
	Head   int64   `json:"head"`
}

// Timeline is the fold of a room's events: its state, and a dense run of
// events ending at Head. Apply returns a new value and leaves the old one
// readable; only the newest value may be applied to, because both share memory
// (copying 10,000 events for each new one would cost the browser dearly).
type Timeline struct {
	Room   Room
	Epoch  string
	Events []Event // dense, ascending; the last one has seq Head
	Head   int64
}

// GapError reports an event that does not follow the timeline's head.
type GapError struct{ Head, Got int64 }

func (e *GapError) Error() string { return fmt.Sprintf("gap: head is %d, got event %d", e.Head, e.Got) }

// NewTimeline starts from a snapshot. The timeline owns s.Events afterwards.
func NewTimeline(s Snapshot) (Timeline, error) {
	t := Timeline(s)
	for i, e := range s.Events {
		if want := s.Head - int64(len(s.Events)) + int64(i) + 1; e.Seq != want {
			return Timeline{}, &GapError{Head: want - 1, Got: e.Seq}
		}
	}
	return t, nil
}

// Apply folds the next event. An event at or below the head is already there
// and changes nothing; one beyond head+1 is a GapError and changes nothing.
func (t Timeline) Apply(e Event) (Timeline, error) {
	if e.Seq <= t.Head {
		return t, nil
	}
	if e.Seq != t.Head+1 {
		return t, &GapError{Head: t.Head, Got: e.Seq}
	}
	t.Room = ApplyToRoom(t.Room, e)
	t.Events = append(t.Events, e)
	t.Head = e.Seq
	return t, nil
}

// Prepend adds older events that end right before the first one held.
func (t Timeline) Prepend(older []Event) (Timeline, error) {
	if len(older) == 0 {
		return t, nil
	}
	first := t.Head + 1
	if len(t.Events) > 0 {
		first = t.Events[0].Seq
	}
	for i, e := range older {
		if want := first - int64(len(older)) + int64(i); e.Seq != want {
			return t, &GapError{Head: want - 1, Got: e.Seq}
		}
	}
	t.Events = append(slices.Clone(older), t.Events...)
	return t, nil
}

// ApplyToRoom is the fold of a room's state: what one more event makes of it.
// Events of a kind it does not know leave the state as it is.
func ApplyToRoom(r Room, e Event) Room {
	switch e.Kind {
	case ParticipantAdded, GuestLinked:
		if e.Member == nil {
			return r
		}
		r = r.clone()
		i, found := slices.BinarySearchFunc(r.Members, e.Member.User, func(m Member, id UserID) int {
			return cmp.Compare(m.User, id)
		})
		if found {
			r.Members[i] = *e.Member
		} else {
			r.Members = slices.Insert(r.Members, i, *e.Member)
		}
		if e.Kind == GuestLinked {
			r.LinkedUser, r.LinkedAt = e.Member.User, e.At
		}
	case ParticipantRemoved:
		if e.Member == nil {
			return r
		}
		r = r.clone()
		r.Members = slices.DeleteFunc(r.Members, func(m Member) bool { return m.User == e.Member.User })
	case RoomClosed, GuestBlocked:
		r.Closed = true
	}
	return r
}
