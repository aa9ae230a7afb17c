//go:build !js

package gateway

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// pairs is how many refusals of each sort one round of BenchmarkRefusal times.
const pairs = 2000

// How long a refusal takes must not tell whether the room exists. 2,000 pairs
// of a foreign and a missing room, one after the other in turns, are timed at
// the client; diff-ns is the difference of the medians, foreign less missing.
// The ids are new ones every time, as a guesser's would be.
func BenchmarkRefusal(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) storage.Storage{
		"memory": func(*testing.B) storage.Storage { return storage.NewMemory() },
		"sqlite": func(b *testing.B) storage.Storage {
			st, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "anteroom.db"), sqlite.Options{Readers: 2})
			if err != nil {
				b.Fatal(err)
			}
			return st
		},
	} {
		for _, over := range []string{"http", "socket"} {
			b.Run(name+"/"+over, func(b *testing.B) {
				s := newStageOn(b, open(b))
				c := s.cast("user")
				var rooms []chat.RoomID
				for range pairs / 100 {
					rooms = append(rooms, s.rooms(c, "other guest session's", 100)...)
				}
				p := s.connect(c.credential, c.surface)
				refuse := func(room chat.RoomID) time.Duration {
					began := time.Now()
					var code chat.Code
					if over == "http" {
						code = s.call("GET", "/api/rooms/"+string(room), c.credential, nil).code()
					} else {
						code = errorOf(p.ask(protocol.ClientFrame{History: &protocol.History{Room: room}}))
					}
					took := time.Since(began)
					if code != chat.CodeAccessDenied {
						b.Fatalf("got %q", code)
					}
					return took
				}
				for range 200 { // connections and caches
					refuse(chat.RoomID(newID("r_")))
				}
				b.ResetTimer()
				for range b.N {
					var foreign, missing []time.Duration
					for i, room := range rooms {
						if over == "socket" && i%50 == 0 {
							b.StopTimer() // too many refusals close a socket
							p = s.connect(c.credential, c.surface)
							b.StartTimer()
						}
						absent := chat.RoomID(newID("r_"))
						if i%2 == 0 {
							foreign, missing = append(foreign, refuse(room)), append(missing, refuse(absent))
						} else {
							missing, foreign = append(missing, refuse(absent)), append(foreign, refuse(room))
						}
					}
					slices.Sort(foreign)
					slices.Sort(missing)
					f, m := foreign[pairs/2], missing[pairs/2]
					b.ReportMetric(float64(f-m), "diff-ns")
					b.ReportMetric(float64(m), "missing-ns")
				}
			})
		}
	}
}
