//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// slowly dials with small buffers, so that a reader who stops is noticed soon.
func slowly(s *server) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, *s.addr.Load())
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return c, err
	}}}
}

// latencies collects how long deliveries took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// take returns the median and the 99th percentile since the last call.
func (l *latencies) take() (p50, p99 time.Duration, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	slices.Sort(all)
	if len(all) == 0 {
		return 0, 0, 0
	}
	return all[len(all)/2], all[len(all)*99/100], len(all)
}

// R11: one of 500 members of a room stops reading, in every second part of the run.
func TestSlowConsumer(t *testing.T) {
	sample(t)
	members, rounds, calm, limit, filler := 30, 1, time.Second, 2*time.Second, strings.Repeat("🍁", 3800)
	if *soak {
		members, rounds, calm, limit, filler = 500, 3, 10*time.Second, 10*time.Second, strings.Repeat("é", 3800)
	}
	s := newServer(t, "--limit", "write-time="+limit.String())
	s.start()
	w := furnish(t, s, 1)
	room := w.rooms[0]
	var took latencies
	var at sync.Map // cmid → when it was sent
	socks := make([]*wire, members-1)
	for i := range socks {
		cred := w.creds[room.members[i%len(room.members)]]
		sock, err := dialWire(s.http, cred, chat.SurfaceInbox, func(e chat.Event, when time.Time) {
			if sent, ok := at.Load(e.ClientID); ok {
				took.add(when.Sub(sent.(time.Time)))
			}
		})
		if err == nil {
			err = sock.join(room.id)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer sock.close()
		socks[i] = sock
	}
	sender, err := dialWire(s.http, w.creds[room.members[0]], chat.SurfaceInbox, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.close()
	n := 0
	say := func(pause time.Duration) {
		n++
		id := fmt.Sprintf("slow-%d", n)
		at.Store(chat.ClientID(id), time.Now())
		if _, code, err := sender.say(room.id, id, room.tag+" "+filler); err != nil || code != "" {
			t.Fatalf("a message among %d was refused: %s %v", members, code, err)
		}
		time.Sleep(pause) // the offered load
	}
	const spaced = 100 * time.Millisecond
	hurried := spaced
	if !*soak {
		hurried = 0 // the system takes megabytes for a reader who does not read
	}
	for end := time.Now().Add(calm / 2); time.Now().Before(end); { // warm up
		say(spaced)
	}
	base, resets := s.rss(), 0
	var calm99, slow99, closes []time.Duration
	for range rounds {
		took.take()
		for end := time.Now().Add(calm); time.Now().Before(end); {
			say(spaced)
		}
		_, p99, _ := took.take()
		calm99 = append(calm99, p99)

		var seen []int64 // of the slow one; its reader's own until it has ended
		slow, err := dialWire(slowly(s), w.creds[room.members[1]], chat.SurfaceInbox, func(e chat.Event, _ time.Time) { seen = append(seen, e.Seq) })
		if err == nil {
			err = slow.join(room.id)
		}
		if err != nil {
			t.Fatal(err)
		}
		from := slow.joined.Head
		before := s.metric("chat_connections")
		slow.pause.Lock() // it reads no more
		took.take()
		began := time.Now()
		for s.metric("chat_connections") >= before {
			say(hurried)
			s.rss()
			if time.Since(began) > 3*patience {
				t.Fatal("who stopped reading is not closed")
			}
		}
		closes = append(closes, time.Since(began))
		_, p99, _ = took.take()
		slow99 = append(slow99, p99)
		slow.pause.Unlock()
		<-slow.done // it reads what was on its way, and then the end
		last := from
		for _, seq := range seen {
			if seq != last+1 {
				t.Errorf("O: the slow one got %d after %d", seq, last)
			}
			last = seq
		}
		slow.close()
		again, err := dialWire(s.http, w.creds[room.members[1]], chat.SurfaceInbox, nil)
		if err != nil {
			t.Fatal(err)
		}
		f, err := again.ask(protocol.ClientFrame{Join: &protocol.Join{Room: room.id, Cursor: &chat.Cursor{Epoch: slow.joined.Epoch, Seq: last}}})
		again.close()
		if err != nil || f.Joined == nil {
			t.Fatalf("the slow one does not resume: %+v %v", f, err)
		}
		if f.Joined.Reset { // it missed more than is filled in
			resets++
			last = f.Joined.Snapshot.Events[0].Seq - 1
			f.Joined.Events = f.Joined.Snapshot.Events
		}
		for _, e := range f.Joined.Events {
			if e.Seq != last+1 {
				t.Errorf("O: resuming, the slow one got %d after %d", e.Seq, last)
			}
			last = e.Seq
		}
		if last != f.Joined.Head {
			t.Errorf("L: the slow one resumed up to %d of %d", last, f.Joined.Head)
		}
	}
	for i, sock := range socks {
		if sock.over() {
			t.Errorf("member %d was cut, too", i)
		}
	}
	if got := s.metric("chat_connections_closed_total", `code="slow_consumer"`); int(got) != rounds {
		t.Errorf("%v sockets are counted as slow_consumer, %d were; hits of write-time %v, of queue %v, closed in all %v", got, rounds,
			s.metric("chat_limits_hit_total", `limit="write-time"`), s.metric("chat_limits_hit_total", `limit="queue"`), s.metric("chat_connections_closed_total"))
	}
	slices.Sort(calm99)
	slices.Sort(slow99)
	slices.Sort(closes)
	mid := rounds / 2
	if *soak && slow99[mid] >= 2*calm99[mid] {
		t.Errorf("B: p99 of the others is %v, undisturbed %v", slow99[mid], calm99[mid])
	}
	// The queue's bound is 1 MiB; the rest is the noise of a process that works.
	if grown := s.peak.Load() - base; grown > 64<<20 {
		t.Errorf("B: the process grew by %d MiB", grown>>20)
	}
	t.Logf("%d members, %d times: closed after at most %v without reading (write-time %v), resumed whole (%d by a snapshot); p99 of the others %v, undisturbed %v; %d messages; peak %d MiB, at first %d",
		members, rounds, closes[len(closes)-1].Round(time.Millisecond), limit, resets, slow99[mid].Round(time.Millisecond), calm99[mid].Round(time.Millisecond), n, s.peak.Load()>>20, base>>20)
}

// R13: everybody returns at once after a restart, after a crash and after a drain.
func TestStormOfReturningClients(t *testing.T) {
	sample(t)
	n, drain := 200, 2*time.Second
	if *soak {
		n, drain = 15_000, 10*time.Second
	}
	s := newServer(t, "--drain", drain.String())
	s.start()
	w := furnish(t, s, 0)
	var dials sync.Map // bot → first dial since the server went
	defer func() {
		var all sync.WaitGroup
		for _, b := range w.bots {
			all.Go(b.stop)
		}
		all.Wait()
	}()
	for i := range n {
		b := newBot(t, fmt.Sprintf("guest%d", i), tagOf(i))
		b.vendor = vendor
		b.dialed = func() { dials.LoadOrStore(b, time.Now()) }
		b.run(chat.SurfaceWidget, w.client)
		w.bots = append(w.bots, b)
		b.client.Do(store.StartChat{Vendor: vendor})
		b.write()
		if i >= 64 { // at most so many begin at the same time
			await(t, "guests to be live", w.bots[i-64].settled)
		}
	}
	for _, b := range w.bots {
		await(t, b.name+" to be live", b.settled)
	}
	for _, how := range []string{"kill -9", "SIGTERM"} {
		dials.Clear()
		gone := time.Now()
		if how == "SIGTERM" {
			s.stop()
		} else {
			s.kill()
		}
		s.start()
		up := time.Now()
		for _, b := range w.bots {
			await(t, b.name+" to be back", func() bool { return b.welcome.Load() > gone.UnixNano() && b.settled() })
		}
		back := time.Since(up)
		// What one return costs the server in decisions, each of which is a bounded number of reads.
		decisions := s.metric("chat_decisions_total") / float64(n)
		var firsts []time.Duration
		dials.Range(func(_, at any) bool {
			firsts = append(firsts, at.(time.Time).Sub(gone))
			return true
		})
		slices.Sort(firsts)
		spread := firsts[len(firsts)*9/10] - firsts[len(firsts)/10]
		crowded := 0 // most first dials within 100 ms
		for i := range firsts {
			j, _ := slices.BinarySearch(firsts, firsts[i]+100*time.Millisecond)
			crowded = max(crowded, j-i)
		}
		if crowded > n*4/10 {
			t.Errorf("%s: %d of %d came back within the same 100 ms", how, crowded, n)
		}
		if decisions > 8 {
			t.Errorf("%s: %.1f decisions for each returning client", how, decisions)
		}
		if *soak && back > 30*time.Second {
			t.Errorf("T: %s: all were back after %v", how, back)
		}
		for _, b := range w.bots {
			_, sent, _, shown, faults := b.journal()
			for _, f := range faults {
				t.Error(f)
			}
			if len(shown) < len(sent) {
				t.Errorf("L: %s shows %d events and wrote %d", b.name, len(shown), len(sent))
			}
		}
		t.Logf("%s: %d clients back %v after the server was (first tries %v to %v, 80%% of them within %v; at most %.0f%% in 100 ms); %.1f decisions each; %.1f CPU-seconds of the server; %d MiB",
			how, n, back.Round(time.Millisecond), firsts[0].Round(time.Millisecond), firsts[len(firsts)-1].Round(time.Millisecond),
			spread.Round(time.Millisecond), 100*float64(crowded)/float64(n), decisions, s.metric("process_cpu_seconds_total"), s.rss()>>20)
	}
}

// R26: sockets that come and go leave nothing behind.
func TestConnectAndClose(t *testing.T) {
	sample(t)
	cycles, warm := 600, 200
	if *soak {
		cycles, warm = 100_000, 5_000
	}
	s := newServer(t)
	s.start()
	w := furnish(t, s, 1)
	room := w.rooms[0]
	turn := func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					sock, err := dialWire(s.http, w.creds[room.members[0]], chat.SurfaceInbox, nil)
					if err != nil {
						t.Errorf("a socket among many: %v", err)
						return
					}
					if rand.IntN(2) == 0 {
						_ = sock.join(room.id) // half of them leave a room behind
					}
					sock.close()
				}
			})
		}
		all.Wait()
		await(t, "the sockets to be gone", func() bool { return s.metric("chat_connections") == 0 })
	}
	turn(warm)
	goroutines, base := s.metric("go_goroutines"), s.rss()
	began := time.Now()
	turn(cycles)
	rate := float64(cycles) / time.Since(began).Seconds()
	// The gateway keeps its desks (gateway/desk.go), here at most one for each of the
	// 32 who come and go; how many of them the warming up made is chance.
	await(t, "goroutines to end", func() bool { return s.metric("go_goroutines") <= goroutines*1.1+5+32 })
	after := s.rss()
	if *soak && after > base*110/100+(8<<20) {
		t.Errorf("B: %d MiB after %d sockets, %d before", after>>20, cycles, base>>20)
	}
	t.Logf("%d sockets opened and closed, %.0f/s: goroutines %v, before %v; %d MiB, before %d", cycles, rate, s.metric("go_goroutines"), goroutines, after>>20, base>>20)
}
