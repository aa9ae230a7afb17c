//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/store/chat"
)

// cell is a control group that bounds a server's memory, as MemoryMax of a
// systemd unit does.
type cell struct {
	t   testing.TB
	dir string
	v2  bool
}

// confine makes the server run in a cell, from its next start on.
func (s *server) confine(limit int64) *cell {
	s.t.Helper()
	c := &cell{t: s.t, dir: "/sys/fs/cgroup/memory"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		c.dir, c.v2 = "/sys/fs/cgroup", true
	}
	c.dir = filepath.Join(c.dir, fmt.Sprintf("anteroom-chaos-%d", os.Getpid()))
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		need(s.t, "no control group of one's own here: %v", err)
	}
	s.t.Cleanup(func() {
		if s.cmd != nil {
			s.kill() // a group that is in use can't be removed
		}
		await(s.t, "the control group to be empty", func() bool { return os.Remove(c.dir) == nil })
	})
	if err := c.limit(limit); err != nil {
		need(s.t, "a control group's memory can't be limited here: %v", err)
	}
	s.before = []string{"sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(c.dir, "cgroup.procs")}
	return c
}

func (c *cell) limit(n int64) error {
	name := "memory.limit_in_bytes"
	if c.v2 {
		name = "memory.max"
		// Without this the kernel swaps instead; where there is no swap there is no such file.
		if err := os.WriteFile(filepath.Join(c.dir, "memory.swap.max"), []byte("0"), 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(filepath.Join(c.dir, name), []byte(strconv.FormatInt(n, 10)), 0o600)
}

// number reads a file that holds one, or the line of it that begins with key.
func (c *cell) number(name, key string) int64 {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) == 0 || key != "" && f[0] != key {
			continue
		}
		n, err := strconv.ParseInt(f[len(f)-1], 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		return n
	}
	return 0
}

// kills tells how often the kernel killed for want of memory.
func (c *cell) kills() int64 {
	if c.v2 {
		return c.number("memory.events", "oom_kill")
	}
	return c.number("memory.oom_control", "oom_kill")
}

// used is what the cell holds that the kernel can't take back: no page cache.
func (c *cell) used() int64 {
	if c.v2 {
		return c.number("memory.stat", "anon")
	}
	return c.number("memory.stat", "rss")
}

// from dials out of another address of this machine: another party.
func (s *server) from(ip string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			if a := s.addr.Load(); a != nil {
				return d.DialContext(ctx, network, *a)
			}
			return nil, errors.New("the server is down")
		},
	}}
}

// flood takes what one address can get, and holds on to it: sockets that are
// never read, requests whose header or body never ends.
type flood struct {
	s       *server
	ip      string
	opened  atomic.Int64 // connections
	refused atomic.Int64
	wg      sync.WaitGroup
	cancel  context.CancelFunc
}

func (s *server) flood(ip string, sockets, halves int) *flood {
	f := &flood{s: s, ip: ip}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	hc := s.from(ip)
	var guest struct {
		Credential string `json:"credential"`
	}
	s.must(http.MethodPost, "/api/guest-sessions", "", struct{}{}, &guest)
	for range sockets {
		f.wg.Go(func() { // ends with stop
			for ctx.Err() == nil {
				w, err := dialWire(hc, guest.Credential, chat.SurfaceWidget, nil)
				if err != nil {
					f.refused.Add(1)
					pause(ctx, 100*time.Millisecond)
					continue
				}
				f.opened.Add(1)
				w.pause.Lock()
				<-ctx.Done()
				w.pause.Unlock()
				w.close()
			}
		})
	}
	half := "POST /api/login HTTP/1.1\r\nHost: chat.test\r\nContent-Type: application/json\r\n"
	body := half + "Content-Length: 60000\r\n\r\n{\"username\":\"" + strings.Repeat("x", 50_000)
	for i := range halves {
		text := half
		if i%2 == 0 {
			text = body
		}
		f.wg.Go(func() { // ends with stop
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
			for ctx.Err() == nil {
				c, err := d.DialContext(ctx, "tcp", *s.addr.Load())
				if err != nil {
					f.refused.Add(1)
					pause(ctx, 100*time.Millisecond)
					continue
				}
				f.opened.Add(1)
				stop := context.AfterFunc(ctx, func() { c.Close() })
				_, _ = c.Write([]byte(text)) // the server may have hung up
				if n, err := c.Read(make([]byte, 1)); n > 0 || err != nil && ctx.Err() == nil {
					f.refused.Add(1)
				}
				stop()
				c.Close()
				pause(ctx, 100*time.Millisecond) // others want the processor too
			}
		})
	}
	return f
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (f *flood) stop() {
	f.cancel()
	f.wg.Wait()
}

// R23: memory is short. Under its limits one party cannot use it up; where it is
// too little all the same the kernel kills the server, and that loses nothing.
func TestMemoryIsShort(t *testing.T) {
	sample(t)
	t.Run("what one party can hold", func(t *testing.T) {
		sockets, halves, long := 100, 3000, 4*time.Second
		if *soak {
			sockets, halves, long = 1000, 12_000, 60*time.Second
		}
		s := newServer(t)
		for i := slices.Index(s.args, "--limit"); i >= 0; i = slices.Index(s.args, "--limit") {
			s.args = slices.Delete(s.args, i, i+2) // the defaults
		}
		c := s.confine(256 << 20)
		s.start()
		pid := s.pid.Load()
		w := furnish(t, s, 2)
		w.settle(1, 1)
		w.load(3 * time.Second) // within the rates
		calm := c.used()
		f := s.flood("127.0.0.3", sockets, halves)
		var peak int64
		acks := w.acked()
		for end := time.Now().Add(long); time.Now().Before(end) || w.acked() == acks; time.Sleep(50 * time.Millisecond) { // how long the flood is held up
			peak = max(peak, c.used())
		}
		f.stop()
		if s.pid.Load() != pid || c.kills() != 0 {
			t.Errorf("B: the server was killed %d times", c.kills())
		}
		n, _ := w.judge()
		if f.refused.Load() == 0 {
			t.Error("nothing was refused: that was no flood")
		}
		t.Logf("%d connections opened, %d refused; %d MiB of 256 used at most, %d before; %d acknowledged, %d of them in the flood",
			f.opened.Load(), f.refused.Load(), peak>>20, calm>>20, n, n-acks)
	})
	t.Run("less than is needed", func(t *testing.T) {
		lives := 2
		if *soak {
			lives = 10
		}
		s := newServer(t) // without limits, so that the flood wins
		const room = 512 << 20
		c := s.confine(room)
		s.start()
		w := furnish(t, s, 2)
		w.settle(1, 1)
		w.load(50 * time.Millisecond)
		for life := range lives {
			await(t, "acknowledgements in this life", func() bool { return w.acked() > (life+1)*10 })
			// Until the kernel has written the cache back it can't go so low.
			await(t, "the limit to be lowered", func() bool { return c.limit(c.used()+8<<20) == nil })
			f := s.flood("127.0.0.3", 20, 4000)
			select {
			case <-s.exited:
			case <-time.After(patience):
				t.Fatalf("the server lives on with %d MiB", c.used()>>20)
			}
			f.stop()
			if got := c.kills(); got != int64(life)+1 {
				t.Fatalf("the server ended, and the kernel has killed %d times in %d lives", got, life+1)
			}
			s.addr.Store(nil)
			s.cmd = nil
			check(t, s.data)
			if err := c.limit(room); err != nil {
				t.Fatal(err)
			}
			s.start()
			w.look()
		}
		n, stored := w.judge()
		t.Logf("killed by the kernel %d times: %d acknowledged, %d stored", lives, n, stored)
	})
}

// acked counts what was acknowledged to all bots.
func (w *world) acked() (n int) {
	for _, b := range w.bots {
		_, _, acked, _, _ := b.journal()
		n += len(acked)
	}
	return n
}
