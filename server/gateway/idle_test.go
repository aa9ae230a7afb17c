//go:build !js

package gateway

import (
	"bufio"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
)

// Sockets that come and go leave nothing behind.
func TestSocketsLeaveNothing(t *testing.T) {
	w := newWorld(t, Limits{Sockets: -1, AddressSockets: -1, PendingSockets: -1})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	cycle := func() {
		p := w.connect(g.Credential, chat.SurfaceWidget)
		p.join(room)
		p.ws.Close(websocket.StatusNormalClosure, "")
	}
	settled := func() int {
		w.eventually("the sockets are gone", func() bool {
			w.gateway.mu.Lock()
			defer w.gateway.mu.Unlock()
			return len(w.gateway.conns) == 0
		})
		return runtime.NumGoroutine()
	}
	cycle()
	before := settled()
	for range 100 {
		cycle()
	}
	w.eventually("goroutines are back", func() bool { return settled() <= before+10 })
}

// BenchmarkIdle reports what an idle socket costs: authenticated, in one room,
// after a collection. Both ends live in this process; the client's end is a bare
// TCP connection, whose cost is measured first and taken off.
//
//	go test ./server/gateway -run xx -bench Idle -benchtime 1x
func BenchmarkIdle(b *testing.B) {
	const n = 4000
	w := newWorld(b, Limits{Sockets: -1, AddressSockets: -1, PendingSockets: -1})
	w.vendor("maple", w.user("mia", chat.RoleUser))
	g := w.guest()
	room := w.open(g.Credential, "maple")
	inUse := func() (heap, stack float64) {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc), float64(m.StackInuse)
	}
	for b.Loop() {
		heap, stack := inUse()
		readers := make([]*bufio.Reader, 0, n)
		for range n {
			c, r := w.rawSocket(g.Credential)
			c.SetDeadline(time.Time{})
			c.Write(wsFrame(0x81, fmt.Appendf(nil, `{"id":2,"join":{"room":"%s"}}`, room)))
			if op, payload := readFrame(r); op != 1 {
				b.Fatalf("%d %s", op, payload)
			}
			r.Reset(c) // its 4 KiB are the test's
			readers = append(readers, r)
		}
		heapNow, stackNow := inUse()
		b.ReportMetric(((heapNow-heap)/n-4096-600)/1024, "heap-KiB/conn")
		b.ReportMetric((stackNow-stack)/n/1024, "stack-KiB/conn")
		runtime.KeepAlive(readers)
	}
}
