package rooms

import (
	"slices"

	"anteroom/store/chat"
)

// maxPage is about how many bytes of events or rooms one answer holds: a client
// refuses more than protocol.MaxServerMessage, and an answer holds a little
// more than these.
const maxPage = 1 << 20

// fitting is how many of the items fit into one answer, at least one of them.
func fitting[T any](items []T, size func(T) int) int {
	sum := 0
	for i, it := range items {
		if sum += size(it); sum > maxPage && i > 0 {
			return i
		}
	}
	return len(items)
}

// firstFit and lastFit give the part of a run that fits, from its begin or its end.
func firstFit(events []chat.Event) []chat.Event {
	return events[:fitting(events, eventSize)]
}

func lastFit(events []chat.Event) []chat.Event {
	slices.Reverse(events)
	events = events[:fitting(events, eventSize)]
	slices.Reverse(events)
	return events
}

// eventSize is at least how many bytes an event takes in a frame.
func eventSize(e chat.Event) int {
	n := 512 + textSize(e.Text) + textSize(e.SenderName)
	if e.Member != nil {
		n += memberSize(*e.Member)
	}
	return n
}

// summarySize is at least how many bytes a room takes in a list.
func summarySize(s chat.Summary) int {
	n := 1024 + textSize(s.Name) + textSize(s.Page)
	if s.Vendor != nil {
		n += textSize(s.Vendor.Name) + textSize(s.Vendor.Avatar)
	}
	for _, m := range s.Members {
		n += memberSize(m)
	}
	if s.Last != nil {
		n += eventSize(*s.Last)
	}
	return n
}

func memberSize(m chat.Member) int { return 96 + textSize(m.Name) }

// textSize is how long a string gets in JSON as protocol writes it.
func textSize(s string) int {
	n := len(s)
	for _, r := range s {
		switch {
		case r < 0x20:
			n += 5
		case r == '"', r == '\\':
			n++
		case r == '\u2028', r == '\u2029':
			n += 3
		}
	}
	return n
}
