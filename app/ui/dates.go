package ui

import (
	"fmt"
	"time"
)

// Clock is the time of the visitor's place. Offset may be nil for UTC.
type Clock struct {
	Now    func() int64       // Unix milliseconds
	Offset func(ms int64) int // minutes to add to UTC at that time
}

func (c Clock) local(ms int64) time.Time {
	t := time.UnixMilli(ms).UTC()
	if c.Offset != nil {
		t = t.Add(time.Duration(c.Offset(ms)) * time.Minute)
	}
	return t
}

// Time gives the hour and minute, "09:41".
func (c Clock) Time(ms int64) string {
	t := c.local(ms)
	return fmt.Sprintf("%02d:%02d", t.Hour(), t.Minute())
}

// days counts the calendar days from a to b.
func days(a, b time.Time) int {
	day := func(t time.Time) int64 {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
	}
	return int(day(b) - day(a))
}

// SameDay tells whether both are in one calendar day. A log asks for every row
// it looks at, hence without a calendar.
func (c Clock) SameDay(a, b int64) bool { return c.day(a) == c.day(b) }

// day numbers the days of the visitor's place.
func (c Clock) day(ms int64) int64 {
	if c.Offset != nil {
		ms += int64(c.Offset(ms)) * 60_000
	}
	const day = 86_400_000
	if ms < 0 {
		ms -= day - 1 // the days before 1970 count downwards
	}
	return ms / day
}

// Day names a day for a separator: "Today", "Tuesday, 3 November".
func (c Clock) Day(t *Text, ms int64) string {
	at, now := c.local(ms), c.local(c.Now())
	switch d := days(at, now); {
	case d == 0:
		return t.Today
	case d == 1:
		return t.Yesterday
	}
	year := at.Year()
	if year == now.Year() {
		year = 0
	}
	return t.LongDate(t.Weekdays[at.Weekday()], t.Months[at.Month()-1], at.Day(), year)
}

// When says briefly when something was: "09:41", "Tue", "3 Nov".
func (c Clock) When(t *Text, ms int64) string {
	at, now := c.local(ms), c.local(c.Now())
	switch d := days(at, now); {
	case d == 0:
		return c.Time(ms)
	case d > 0 && d < 7:
		return t.ShortWeekdays[at.Weekday()]
	}
	year := at.Year()
	if year == now.Year() {
		year = 0
	}
	return t.ShortDate(t.ShortMonths[at.Month()-1], at.Day(), year)
}

// DayTime gives day and time: "Today, 09:38".
func (c Clock) DayTime(t *Text, ms int64) string { return c.Day(t, ms) + ", " + c.Time(ms) }

// Stamp gives date and time for a table: "3 Nov, 09:41".
func (c Clock) Stamp(t *Text, ms int64) string {
	at, year := c.local(ms), 0
	if at.Year() != c.local(c.Now()).Year() {
		year = at.Year()
	}
	return t.ShortDate(t.ShortMonths[at.Month()-1], at.Day(), year) + ", " + c.Time(ms)
}

// Greeting fits the hour of the day.
func (c Clock) Greeting(t *Text) string {
	switch h := c.local(c.Now()).Hour(); {
	case h >= 4 && h < 12:
		return t.Morning
	case h >= 12 && h < 18:
		return t.Afternoon
	}
	return t.Evening
}
