//go:build linux

package chaos

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// op is one message of the fixed script.
type op struct {
	id           string
	began, ended time.Time
	seq          int64 // 0: not acknowledged
}

// script writes one message after the other, over a socket and over HTTP, and
// notes when each began and ended. A socket that ends is opened anew.
func (w *world) script(name string, n int) []op {
	room, cred := w.rooms[0], w.creds[w.rooms[0].members[0]]
	var ops []op
	var sock *wire
	for i := range n {
		o := op{id: fmt.Sprintf("%s-%d", name, i)}
		text := room.tag + " script " + o.id
		if sock == nil {
			sock, _ = dialWire(w.s.http, cred, chat.SurfaceInbox, nil) // without one, HTTP alone does
		}
		o.began = time.Now()
		if i%2 == 0 && sock != nil {
			seq, _, err := sock.say(room.id, o.id, text)
			o.seq = seq
			if err != nil {
				sock.close()
				sock = nil
			}
		} else {
			var ack protocol.Ack
			if status, _, err := w.s.call(http.MethodPost, fmt.Sprintf("/api/rooms/%s/messages", room.id), cred, map[string]string{"cmid": o.id, "text": text}, &ack); err == nil && status < 300 {
				o.seq = ack.Seq
			}
		}
		o.ended = time.Now()
		ops = append(ops, o)
	}
	if sock != nil {
		sock.close()
	}
	return ops
}

// unsynced lists what was acknowledged without a sync that succeeded between
// the request and its ack.
func unsynced(ops []op, log []call) (out []string) {
	for _, o := range ops {
		synced := false
		for _, c := range log {
			synced = synced || !c.injected && !c.began.Before(o.began) && !c.ended.After(o.ended)
		}
		if o.seq != 0 && !synced {
			out = append(out, o.id)
		}
	}
	return out
}

// traced runs the server under strace, which logs every sync, and breaks those
// that inject says ("" for none). It returns where the log is.
func (s *server) traced(inject string) string {
	log := filepath.Join(s.t.TempDir(), "syncs")
	s.before = []string{"strace", "-D", "-f", "-qq", "-ttt", "-T", "-o", log, "-e", "trace=fsync,fdatasync"}
	if inject != "" {
		s.before = append(s.before, "-e", "inject=fsync,fdatasync:"+inject)
	}
	return log
}

// logged reads a log of traced; strace, a child of the server's, may still be writing it.
func (s *server) logged(log string) []call {
	size := int64(-1)
	await(s.t, "strace to end its log", func() bool {
		i, err := os.Stat(log)
		if err != nil {
			return false
		}
		same := i.Size() == size
		size = i.Size()
		time.Sleep(20 * time.Millisecond) // it writes at once, and ends with the server
		return same
	})
	return syncs(s.t, log)
}

// R3: the Nth sync fails, for every N. strace counts for each thread of the
// process, so one N breaks one sync of every thread that makes so many.
func TestFailedSyncIsNotAcknowledged(t *testing.T) {
	sample(t)
	traceable(t)
	ns := []int{1, 2, 3, 5, 8}
	if *soak {
		ns = nil
		for n := range 40 {
			ns = append(ns, n+1)
		}
	}
	s := newServer(t)
	s.start()
	w := furnish(t, s, 1)
	s.stop()
	broken, refused, lost := 0, 0, 0
	acked := map[string]int64{}
	tried := map[string]bool{}
	for _, n := range ns {
		for _, form := range []string{"when=%d", "when=%d+"} {
			log := s.traced("error=EIO:" + fmt.Sprintf(form, n))
			var ops []op
			if s.begin() {
				ops = w.script(fmt.Sprintf("n%d%d", n, len(form)), 12)
				s.end()
			}
			calls := s.logged(log)
			for _, c := range calls {
				if c.injected {
					broken++
				}
			}
			for _, id := range unsynced(ops, calls) {
				t.Errorf("L: %s was acknowledged although no sync of it succeeded (error at sync %d)", id, n)
			}
			for _, o := range ops {
				tried[o.id] = true
				if o.seq != 0 {
					acked[o.id] = o.seq
				} else {
					refused++
				}
			}
			s.before = nil
			check(t, s.data)
			s.start()
			at := map[string]int64{}
			for i, e := range w.history(w.rooms[0].id) {
				if e.Seq != int64(i)+1 {
					t.Fatalf("O: the history has %d where %d should be", e.Seq, i+1)
				}
				if e.ClientID == "" {
					continue
				}
				if id := string(e.ClientID); at[id] != 0 || !tried[id] {
					t.Errorf("%s is stored twice, or was never written", id)
				} else {
					at[id] = e.Seq
				}
			}
			for id, seq := range acked {
				if at[id] != seq {
					t.Errorf("L: %s was acknowledged as %d, the history has it at %d", id, seq, at[id])
				}
			}
			lost = len(tried) - len(at)
			s.stop()
			if t.Failed() {
				return
			}
		}
	}
	if broken < len(ns) || refused == 0 {
		t.Errorf("%d syncs were broken and %d messages refused: the fault did not happen", broken, refused)
	}
	t.Logf("%d runs: %d syncs broken, %d messages acknowledged, %d refused, of which %d are not stored; after every run all acknowledged ones are",
		2*len(ns), broken, len(acked), refused, lost)
}

// begin starts a server that may fail to start; it tells whether it serves.
func (s *server) begin() bool {
	lines := s.launch()
	addr := ""
	for line := range lines {
		if m := listening.FindStringSubmatch(line); m != nil {
			addr = m[1]
			break
		}
	}
	if addr == "" {
		<-s.exited
		s.cmd = nil
		return false
	}
	s.addr.Store(&addr)
	return true
}

// end asks a server to stop whose last syncs may fail.
func (s *server) end() {
	s.addr.Store(nil)
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.exited: // with an error where closing failed
	case <-time.After(patience):
		s.t.Errorf("the server does not stop:\n%s", s.stderr)
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.cmd = nil
	s.http.CloseIdleConnections()
}

// R3: every sync fails for a while, under load; then the disk is well again, or
// the process dies first.
func TestSyncsFailForAWhile(t *testing.T) {
	sample(t)
	traceable(t)
	long := 2 * time.Second
	if *soak {
		long = 30 * time.Second
	}
	w := newWorld(t, 2, 1, 1)
	w.load(100 * time.Millisecond)
	acked := map[string]int64{}
	refused := 0
	for _, dies := range []bool{false, true} {
		tr := attach(t, w.s, "-e", "inject=fsync,fdatasync:error=EIO")
		o := w.during(long, fmt.Sprintf("broken%v", dies), acked)
		o.refused(t, chat.CodeUnavailable, http.StatusServiceUnavailable)
		refused += o.codes[chat.CodeUnavailable]
		if dies {
			w.s.kill()
			check(t, w.s.data)
			tr.detach()
			w.s.start()
			w.look()
		} else {
			tr.detach()
		}
		w.recovered(acked)
	}
	acks, _ := w.judge()
	t.Logf("%d refused while syncs failed, none acknowledged; %d acknowledged in all", refused, acks)
}

// R4: every ack has a sync of its own behind it, which is what synchronous=FULL
// means. The same test finds the binary guilty that was built with NORMAL.
func TestAcknowledgedIsSynced(t *testing.T) {
	sample(t)
	traceable(t)
	n := 20
	if *soak {
		n = 500
	}
	run := func(s *server) (ops []op, calls []call) {
		s.start()
		w := furnish(t, s, 1)
		s.stop()
		log := s.traced("")
		s.start()
		ops = w.script("synced", n)
		s.stop()
		for _, o := range ops {
			if o.seq == 0 {
				t.Fatalf("%s was not acknowledged", o.id)
			}
		}
		return ops, s.logged(log)
	}
	ops, calls := run(newServer(t))
	if bad := unsynced(ops, calls); len(bad) > 0 {
		t.Errorf("L: %d of %d acks had no sync behind them: %v", len(bad), len(ops), bad)
	}
	weak := newServer(t)
	weak.binary = build(t, "server/storage/sqlite/sqlite.go", "synchronous(FULL)", "synchronous(NORMAL)")
	weakOps, weakCalls := run(weak)
	bad := unsynced(weakOps, weakCalls)
	if len(bad) == 0 {
		t.Error("the test does not bite: with synchronous=NORMAL every ack seems to be synced")
	}
	t.Logf("FULL: %d acks, %d syncs, none unsynced; NORMAL: %d of %d acks unsynced", len(ops), len(calls), len(bad), len(weakOps))
}
