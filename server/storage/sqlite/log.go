//go:build !js

package sqlite

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// The events of a room are a chain from the newest one back. One of them is
// found from the next indexed one after it (or the newest), a run of them by
// following the chain, some hops per statement: a statement for each event
// would cost as much as the event.
const (
	indexed = 32 // every so many events of a room have an entry in events_room, as 0004_chain.sql says
	maxHops = 16 // of a statement; a power of two, as are all numbers of hops
)

const eventColumns = "e.seq, e.at, e.kind, e.sender, e.sender_name, e.client_id, e.text, e.member"

// runs and skips are statements from row ?1 on, by their number of hops: that
// many events, newest first, each with the row of the one before; and the row
// behind so many events.
var runs, skips = chained(func(columns, _ string) string { return columns }), chained(func(_, last string) string { return last })

func chained(columns func(all, last string) string) map[int64]string {
	out := make(map[int64]string)
	for hops := int64(1); hops <= maxHops; hops *= 2 {
		var all []string
		from, last := "", ""
		for i := range hops {
			e := fmt.Sprint("e", i)
			if i == 0 {
				from = "events e0"
			} else {
				from += fmt.Sprintf(" CROSS JOIN events %s ON %s.n = %s", e, e, last)
			}
			last = e + ".prev"
			all = append(all, strings.ReplaceAll(eventColumns, "e.", e+"."), last)
		}
		out[hops] = "SELECT " + columns(strings.Join(all, ", "), last) + " FROM " + from + " WHERE e0.n = ?1"
	}
	return out
}

// hops is how many of n events, at least one, the next statement is for.
func hops(n int64) int64 { return min(maxHops, int64(1)<<(bits.Len64(uint64(n))-1)) }

// row finds the row of an event that is there.
func (r reader) row(k roomKey, seq int64) (row int64, err error) {
	at, row := k.head, k.newest
	if next := (seq + indexed - 1) / indexed * indexed; next < k.head {
		at = next
		row, err = one(r.c, scanInt, "SELECT n FROM events WHERE room = ? AND seq = ? AND seq % 32 = 0", k.n, next)
	}
	for err == nil && at > seq {
		n := hops(at - seq)
		row, err = one(r.c, scanInt, skips[n], row)
		at -= n
	}
	if notFound(err) {
		return 0, errChain(k, at)
	}
	return row, err
}

func errChain(k roomKey, seq int64) error {
	return fmt.Errorf("the log of room %s is broken at event %d", k.id, seq)
}

func (r reader) Events(q storage.EventQuery) ([]chat.Event, error) {
	k, err := r.key(q.Room)
	if notFound(err) || err == nil && q.After >= k.head {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from, to, limit := max(q.After, 0)+1, k.head, int64(max(q.Limit, 0)) // from <= seq <= to
	if q.Before > 0 {
		to = min(to, q.Before-1)
	}
	if to-from >= limit {
		if q.Before > 0 && q.After <= 0 {
			from = to - limit + 1
		} else {
			to = from + limit - 1
		}
	}
	if from > to {
		return nil, nil
	}
	row, err := r.row(k, to)
	if err != nil {
		return nil, err
	}
	out := make([]chat.Event, 0, to-from+1)
	for at := to; at >= from; {
		n := hops(at - from + 1)
		row, err = one(r.c, func(s *stmt) (prev int64, err error) {
			for range n {
				e, err := scanEvent(s)
				if err != nil {
					return 0, err
				}
				out, prev = append(out, e), s.int()
			}
			return prev, nil
		}, runs[n], row)
		if err == nil && out[to-at].Seq != at || notFound(err) {
			return nil, errChain(k, at)
		}
		if err != nil {
			return nil, err
		}
		at -= n
	}
	slices.Reverse(out)
	return out, nil
}

const selectEvent = "SELECT " + eventColumns + " FROM "

func scanEvent(s *stmt) (e chat.Event, err error) {
	e.Seq, e.At, e.Kind = s.int(), s.int(), chat.EventKind(s.text())
	e.Sender, e.SenderName, e.ClientID, e.Text = chat.Identity(s.text()), s.text(), chat.ClientID(s.text()), s.text()
	if member := s.text(); member != "" {
		e.Member, err = memberOf(member)
	}
	return e, err
}

func memberOf(text string) (m *chat.Member, err error) {
	err = json.Unmarshal([]byte(text), &m)
	return m, err
}

func (r reader) LastMessage(room chat.RoomID) (chat.Event, error) {
	return one(r.c, scanEvent, selectEvent+"rooms r JOIN heads h ON h.room = r.n JOIN events e ON e.n = h.newest_message WHERE r.id = ?", string(room))
}
