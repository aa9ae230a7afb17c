package ui

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	at := func(s string) int64 {
		p, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return p.UnixMilli()
	}
	c := Clock{
		Now:    func() int64 { return at("2026-11-23 12:00") },
		Offset: func(int64) int { return 60 }, // an hour ahead of UTC
	}
	for _, x := range []struct{ at, day, when string }{
		{"2026-11-23 09:41", "Today", "10:41"},
		{"2026-11-22 23:30", "Today", "00:30"}, // already today there
		{"2026-11-22 22:30", "Yesterday", "Sun"},
		{"2026-11-17 10:00", "Tuesday, 17 November", "Tue"},
		{"2026-11-16 10:00", "Monday, 16 November", "16 Nov"},
		{"2025-12-31 23:30", "Thursday, 1 January", "1 Jan"},
		{"2025-12-31 22:30", "31 December 2025", "31 Dec 2025"},
	} {
		if got := c.Day(&English, at(x.at)); got != x.day {
			t.Errorf("day of %s is %q, want %q", x.at, got, x.day)
		}
		if got := c.When(&English, at(x.at)); got != x.when {
			t.Errorf("when of %s is %q, want %q", x.at, got, x.when)
		}
	}
	for hour, want := range map[string]string{"03": "Good morning.", "11": "Good afternoon.", "17": "Good evening.", "02": "Good evening."} {
		c.Now = func() int64 { return at("2026-11-23 " + hour + ":30") }
		if got := c.Greeting(&English); got != want {
			t.Errorf("greeting at %s:30 UTC is %q, want %q", hour, got, want)
		}
	}
}

// SameDay counts without a calendar and agrees with it, also across a change of
// the clocks and before 1970.
func TestSameDay(t *testing.T) {
	change := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).UnixMilli()
	c := Clock{Offset: func(ms int64) int {
		if ms < change {
			return -330
		}
		return 840
	}}
	for _, from := range []int64{change - 3*86_400_000, -2 * 86_400_000, noon} {
		for i := range int64(5 * 24) {
			for _, step := range []int64{1, 3_600_000, 40 * 3_600_000} {
				a := from + i*3_599_999
				if got, want := c.SameDay(a, a+step), days(c.local(a), c.local(a+step)) == 0; got != want {
					t.Fatalf("%v and %v: the same day: %v", c.local(a), c.local(a+step), got)
				}
			}
		}
	}
}
