package ui

import (
	"fmt"
	"strings"
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
)

// drawn is the log in one line per row: separator, side, text, what is below.
func drawn(m *Model) string {
	var out strings.Builder
	for _, e := range m.entries(0, len(m.view.Room.Timeline.Events)) {
		if e.Day != "" {
			fmt.Fprintf(&out, "-- %s\n", e.Day)
		}
		switch {
		case e.Sys != "":
			fmt.Fprintf(&out, "* %s\n", e.Sys)
			continue
		case e.Mine:
			out.WriteString("> ")
		default:
			out.WriteString("< ")
		}
		if !e.First {
			out.WriteString("+ ")
		}
		out.WriteString(e.Text)
		if e.State != "" {
			fmt.Fprintf(&out, " (%s)", e.State)
		}
		if e.Meta != "" {
			fmt.Fprintf(&out, " [%s]", e.Meta)
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestEntries(t *testing.T) {
	me, them := chat.GuestIdentity(guest), chat.UserIdentity(mia)
	const minute, day = 60_000, 86_400_000
	for name, c := range map[string]struct {
		change func(*store.View)
		want   string
	}{
		"groups, names, days": {func(v *store.View) {
			v.Room.Timeline.Events = []chat.Event{
				{Seq: 1, At: noon - day, Kind: chat.RoomCreated},
				message(2, noon-day, me, "", "one"),
				message(3, noon-day+minute, me, "", "two"),
				message(4, noon-20*minute, them, "Mia", "three"),
				message(5, noon-19*minute, them, "Mia", "four"),
				message(6, noon-2*minute, them, "Mia", "five"),
			}
		}, "-- Yesterday\n> one\n> + two [12:01 · Sent]\n-- Today\n< three\n< + four [Mia · 11:41]\n< five [Mia · 11:58]\n"},
		"read comes from a receipt of the other side": {func(v *store.View) {
			v.Room.Timeline.Events = []chat.Event{message(1, noon, me, "", "one"), message(2, noon+1, me, "", "two")}
			v.Room.Receipts = []chat.Receipt{{Reader: them, Seq: 1}, {Reader: me, Seq: 2}, {Reader: chat.UserIdentity(rosa), Seq: 2}}
		}, "-- Today\n> one [12:00 · Read]\n> + two [12:00 · Sent]\n"},
		"pending": {func(v *store.View) {
			v.Room.Timeline.Events = []chat.Event{message(1, noon-minute, me, "", "stored")}
			v.Room.Pending = []store.Pending{
				{ClientID: "a", Text: "a", At: noon, State: store.Sending},
				{ClientID: "b", Text: "b", At: noon, State: store.Waiting},
				{ClientID: "c", Text: "c", At: noon, State: store.Waiting},
				{ClientID: "d", Text: "d", At: noon, State: store.Limited, RetryAt: noon + 11_200},
				{ClientID: "e", Text: "e", At: noon, State: store.Failed, Error: chat.Errorf(chat.CodeRoomClosed, "x")},
			}
		}, "-- Today\n> stored [11:59 · Sent]\n> + a (sending) [Sending]\n> + b (waiting)\n> + c (waiting) [Waiting to send]\n" +
			"> + d (limited) [Sending again in 12 s]\n> + e (failed)\n"},
		"system lines": {func(v *store.View) {
			v.Principal = chat.Principal{Kind: chat.KindUser, User: ada, Name: "Ada"}
			v.Room.Timeline.Room.LinkedUser = ada
			v.Room.Timeline.Events = []chat.Event{
				message(1, noon, me, "Guest", "as a guest"),
				{Seq: 2, At: noon, Kind: chat.GuestLinked, Member: &chat.Member{User: ada, Name: "Ada"}},
				{Seq: 3, At: noon, Kind: chat.ParticipantAdded, Member: &chat.Member{User: rosa, Name: "Rosa"}},
				{Seq: 4, At: noon, Kind: chat.ParticipantRemoved, Member: &chat.Member{User: rosa, Name: "Rosa"}},
				{Seq: 5, At: noon, Kind: "of_the_future"},
				{Seq: 6, At: noon, Kind: chat.GuestBlocked},
			}
			v.Room.Notices = []chat.Notice{{Name: "Olga", At: noon - 1}, {Name: "Rosa", At: noon + 1}}
		}, "-- Today\n* Olga (admin) viewed this room\n> as a guest [12:00 · Sent]\n* You are logged in as Ada. This chat came along.\n" +
			"* Rosa joined.\n* Rosa left.\n* This room was closed.\n* Rosa (admin) viewed this room\n"},
		"the vendor's side": {func(v *store.View) {
			v.Principal = chat.Principal{Kind: chat.KindUser, User: mia, Name: "Mia"}
			v.Room.Timeline.Room.LinkedUser = ada
			v.Room.Timeline.Room.Members = []chat.Member{{User: ada, Name: "Ada"}, {User: mia, Name: "Mia", Staff: true}, {User: rosa, Name: "Rosa", Staff: true}}
			v.Room.Timeline.Events = []chat.Event{
				{Seq: 1, At: noon, Kind: chat.GuestLinked, Member: &chat.Member{User: ada, Name: "Ada"}},
				message(2, noon, them, "Mia", "mine"),
				message(3, noon+1, them, "Mia", "too"),
			}
			v.Room.Receipts = []chat.Receipt{{Reader: me, Seq: 2}, {Reader: chat.UserIdentity(rosa), Seq: 3}}
		}, "-- Today\n* Ada logged in; this chat came along.\n> mine [12:00 · Read]\n> + too [12:00 · Sent]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			v := opened()
			c.change(v)
			_, m := newPage(v)
			if got := drawn(m); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// posted are the events first to last of a room, all messages.
func posted(first, last int64) []chat.Event {
	var out []chat.Event
	for s := first; s <= last; s++ {
		out = append(out, message(s, noon+s, chat.UserIdentity(mia), "Mia", "x"))
	}
	return out
}

func TestWindow(t *testing.T) {
	for _, c := range []struct{ first, last, top, lo, hi int64 }{
		{1, 1, 0, 0, 1},
		{1, 71, 0, 0, 71},
		{1, 72, 0, 23, 72},         // begins at seq 24
		{1, 95, 0, 23, 95},         // grows by a row per message …
		{1, 96, 0, 47, 96},         // … and then drops a step at once
		{51, 90, 0, 0, 40},         // older ones are not held
		{1, 10000, 0, 9935, 10000}, // however long the room is
		{1, 10000, 5000, 4999, 5071},
		{51, 10000, 40, 0, 72},        // the top is no longer held
		{1, 10000, 9990, 9952, 10000}, // never fewer rows than a screen needs
	} {
		l := &MessageLog{top: c.top}
		lo, hi := l.window(posted(c.first, c.last))
		if int64(lo) != c.lo || int64(hi) != c.hi {
			t.Errorf("events %d to %d, top %d: window %d to %d, want %d to %d", c.first, c.last, c.top, lo, hi, c.lo, c.hi)
		}
		if hi-lo > MaxRows {
			t.Errorf("window of %d rows", hi-lo)
		}
	}
	for _, c := range []struct{ rows, top, lo, hi int }{
		{30, 0, 9935, 10000}, // a small screen has as many as others
		{60, 0, 9935, 10000}, // what is more than a step's rest takes another
		{66, 0, 9911, 10000},
		{500, 0, 9911, 10000}, // no screen gets more than there may be
		{500, 5000, 4999, 5099},
	} {
		l := &MessageLog{rows: c.rows, top: int64(c.top)}
		if lo, hi := l.window(posted(1, 10000)); lo != c.lo || hi != c.hi || hi-lo > MaxRows {
			t.Errorf("a screen of %d rows, top %d: window %d to %d, want %d to %d", c.rows, c.top, lo, hi, c.lo, c.hi)
		}
	}
}
