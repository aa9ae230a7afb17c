//go:build linux

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// proxy stands between clients and the server, and breaks TCP.
type proxy struct {
	s     *server
	l     net.Listener
	hide  atomic.Pointer[string] // from where the server says this behind its welcome, nothing is passed on
	cuts  atomic.Int64
	done  sync.WaitGroup
	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, s *server) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{s: s, l: l, conns: map[net.Conn]bool{}}
	p.done.Go(func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.carry(c) }) // ends when either side does
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut(nil)
		p.done.Wait()
	})
	return p
}

// client dials through the proxy.
func (p *proxy) client() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, p.l.Addr().String())
		},
		MaxIdleConnsPerHost: 4,
	}}
}

func (p *proxy) carry(in net.Conn) {
	defer in.Close()
	addr := p.s.addr.Load()
	if addr == nil {
		return
	}
	out, err := net.Dial("tcp", *addr)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns[in] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, in)
		p.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(out, in)
		out.Close()
		in.Close()
	})
	both.Go(func() {
		b := make([]byte, 16<<10)
		mute := false
		for {
			n, err := out.Read(b)
			// The list that comes with a welcome shows the last message, and is no ack of it:
			// a client that never heard its welcome would have no reason to send again.
			if word := p.hide.Load(); word != nil && bytes.Contains(b[:n], []byte(*word)) && !bytes.Contains(b[:n], []byte(`"welcome":`)) {
				mute = true
			}
			if n > 0 && !mute {
				if _, werr := in.Write(b[:n]); werr != nil {
					err = werr
				}
			}
			if err != nil {
				break
			}
		}
		out.Close()
		in.Close()
	})
	both.Wait()
}

// cut ends the connections that choose picks, with a reset; nil picks all.
func (p *proxy) cut(choose func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if choose == nil || choose() {
			if t, ok := c.(*net.TCPConn); ok {
				t.SetLinger(0)
			}
			c.Close()
			p.cuts.Add(1)
		}
	}
}

// R7: the ack is lost after the commit, five times, once with the server killed
// in between. Then it is repeated over HTTP five times.
func TestAckLost(t *testing.T) {
	sample(t)
	s := newServer(t)
	s.start()
	w := furnish(t, s, 1)
	p := newProxy(t, s)
	w.client = p.client()
	w.settle(1, 0)
	b := w.bots[0]
	cred := w.creds[w.rooms[0].members[0]]
	messages := 2
	if *soak {
		messages = 20
	}
	for m := range messages {
		id := chat.ClientID(fmt.Sprintf("%s-%d", b.name, b.written.Load()+1))
		word := string(id) + `"`
		p.hide.Store(&word)
		decided := func() float64 { return s.metric("chat_decisions_total", `action="post"`) }
		before := decided()
		b.write()
		stored := func() (seq int64, n int) {
			for _, e := range w.history(b.room) {
				if e.ClientID == id {
					seq = e.Seq
					n++
				}
			}
			return seq, n
		}
		await(t, "the message to be committed", func() bool { _, n := stored(); return n > 0 })
		seq, _ := stored()
		for try := range 5 {
			await(t, "the server to have decided about it", func() bool {
				b.page.look() // the visitor waits for no backoff
				return decided() > before
			})
			if got, n := stored(); n != 1 || got != seq {
				t.Fatalf("stored %d times, as %d, first as %d", n, got, seq)
			}
			if v := b.client.View(); len(v.Room.Pending) != 1 {
				t.Fatalf("after %d lost acks %d messages wait: %+v", try+1, len(v.Room.Pending), v.Room.Pending)
			}
			if try == 2 {
				s.kill()
				s.start()
			}
			before = decided()
			if try == 4 {
				p.hide.Store(nil)
			}
			p.cut(nil) // the client sends it again on the next socket
		}
		await(t, "the ack to get through", func() bool {
			b.page.look()
			return b.settled()
		})
		for range 5 {
			var ack protocol.Ack
			s.must(http.MethodPost, fmt.Sprintf("/api/rooms/%s/messages", b.room), cred, map[string]string{"cmid": string(id), "text": b.sent[id]}, &ack)
			if ack.Seq != seq {
				t.Errorf("a repeat over HTTP was acknowledged as %d, first as %d", ack.Seq, seq)
			}
		}
		if status, code, err := s.call(http.MethodPost, fmt.Sprintf("/api/rooms/%s/messages", b.room), cred, map[string]string{"cmid": string(id), "text": "something else"}, nil); err != nil || code != chat.CodeConflict {
			t.Errorf("the same id with another text: %d %s %v", status, code, err)
		}
		if got, n := stored(); n != 1 || got != seq {
			t.Errorf("message %d is stored %d times, as %d, first as %d", m, n, got, seq)
		}
	}
	acks, n := w.judge()
	t.Logf("%d messages, each with its ack lost up to five times and a kill -9 between, then repeated five times over HTTP: %d acknowledged, %d stored", messages, acks, n)
}

// R10: every client is cut every 0.2 to 3 s.
func TestFlappingClients(t *testing.T) {
	sample(t)
	long := 6 * time.Second
	if *soak {
		long = 5 * time.Minute
	}
	s := newServer(t)
	s.start()
	w := furnish(t, s, 3)
	p := newProxy(t, s)
	w.client = p.client()
	w.settle(1, 3)
	w.load(80 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	var cutter sync.WaitGroup
	cutter.Go(func() {
		for ctx.Err() == nil {
			// Each of n connections is picked once in 1.6 s on average, between 0.2 and 3 s.
			p.cut(func() bool { return rand.IntN(8) == 0 })
			time.Sleep(200 * time.Millisecond)
		}
	})
	if *soak {
		time.Sleep(2 * time.Second)
	}
	base := s.metric("go_goroutines")
	for ctx.Err() == nil {
		w.look()
		time.Sleep(100 * time.Millisecond)
	}
	cutter.Wait()
	w.quiet()
	w.look()
	took := w.caughtUp()
	acks, stored := w.judge()
	if n := p.cuts.Load(); n < int64(long/time.Second) {
		t.Errorf("%d cuts: the fault did not happen", n)
	}
	if *soak {
		w.memoryReturns(base)
	}
	t.Logf("%v, %d cuts: %d acknowledged, %d stored, all caught up after %v; goroutines %v at the start, %v at the end; peak %d MiB",
		long, p.cuts.Load(), acks, stored, took.Round(time.Millisecond), base, s.metric("go_goroutines"), s.peak.Load()>>20)
}

// memoryReturns checks that goroutines and memory come back to a base.
func (w *world) memoryReturns(goroutines float64) {
	w.t.Helper()
	await(w.t, "goroutines to end", func() bool { return w.s.metric("go_goroutines") <= goroutines*1.1+10 })
	if peak := w.s.peak.Load(); peak > memoryCap {
		w.t.Errorf("B: %d MiB resident", peak>>20)
	}
}

// R12: a deploy. The server is asked to stop under load, and a new process started.
func TestDeployDrains(t *testing.T) {
	sample(t)
	times, drain := 2, 2*time.Second
	if *soak {
		times, drain = 50, 10*time.Second
	}
	random := moments(t)
	w := newWorld(t, 3, 1, 3, "--drain", drain.String())
	w.load(80 * time.Millisecond)
	var slowest, back time.Duration
	for range times {
		for _, b := range w.bots {
			await(t, b.name+" to be online", func() bool { return b.client.View().Connection == store.Online })
		}
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond) // the random moment
		began := time.Now()
		slowest = max(slowest, w.s.stop())
		w.s.start()
		for _, b := range w.bots {
			await(t, b.name+" to be back", func() bool { return b.welcome.Load() > began.UnixNano() })
		}
		back = max(back, time.Since(began))
		if t.Failed() {
			return
		}
	}
	acks, stored := w.judge() // a message that failed for good is a fault of its view
	if *soak && slowest > drain+500*time.Millisecond {
		t.Errorf("T: a drain took %v", slowest)
	}
	t.Logf("%d deploys with --drain %v: %d acknowledged, %d stored, none failed; slowest drain %v, all %d clients back within %v of SIGTERM",
		times, drain, acks, stored, slowest.Round(time.Millisecond), len(w.bots), back.Round(time.Millisecond))
}
