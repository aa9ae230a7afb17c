//go:build linux

package chaos

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// lockDatabase is another process that holds the database: it locks, says so,
// and unlocks when its standard input ends.
func lockDatabase(path string) int {
	db, err := sql.Open("sqlite", path)
	if err == nil {
		db.SetMaxOpenConns(1)
		_, err = db.Exec("BEGIN EXCLUSIVE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is the sign
	if _, err := db.Exec("ROLLBACK"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// outage is what plain clients see of a storage that takes no writes: how often
// each answer came, and how long the slowest took.
type outage struct {
	acks    int
	codes   map[chat.Code]int
	status  map[int]int
	slowest time.Duration
	reads   int // good ones
	ready   int // times the server said it was ready
	fault   error
}

// probe writes over a socket and over HTTP, and reads over both, until ctx ends.
// What is acknowledged is noted in acked.
func (w *world) probe(ctx context.Context, name string, acked map[string]int64) *outage {
	o := &outage{codes: map[chat.Code]int{}, status: map[int]int{}}
	room := w.rooms[0]
	cred := w.creds[room.members[0]]
	sock, err := dialWire(w.s.http, cred, chat.SurfaceInbox, nil)
	if err != nil {
		o.fault = fmt.Errorf("a socket can't be opened: %w", err)
		return o
	}
	defer sock.close()
	timed := func(f func() error) {
		began := time.Now()
		if err := f(); err != nil && o.fault == nil {
			o.fault = err
		}
		o.slowest = max(o.slowest, time.Since(began))
	}
	for i := 0; ctx.Err() == nil && o.fault == nil; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		timed(func() error {
			seq, code, err := sock.say(room.id, id, room.tag+" probes "+id)
			if err == nil && code == "" {
				o.acks++
				acked[id] = seq
			} else {
				o.codes[code]++
			}
			return err
		})
		timed(func() error {
			f, err := sock.ask(protocol.ClientFrame{History: &protocol.History{Room: room.id, Limit: 5}})
			if err == nil && f.History == nil {
				err = fmt.Errorf("no history over the socket: %+v", f.Error)
			}
			return err
		})
		timed(func() error {
			hid := id + "h"
			var ack protocol.Ack
			status, code, err := w.s.call(http.MethodPost, fmt.Sprintf("/api/rooms/%s/messages", room.id), cred, map[string]string{"cmid": hid, "text": room.tag + " probes " + hid}, &ack)
			if err == nil && status < 300 {
				o.acks++
				acked[hid] = ack.Seq
			} else {
				o.codes[code]++
				o.status[status]++
			}
			return err
		})
		timed(func() error {
			status, code, err := w.s.call(http.MethodGet, fmt.Sprintf("/api/rooms/%s/messages?limit=5", room.id), cred, nil, nil)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("no history over HTTP: %d %s", status, code)
			}
			if err == nil {
				o.reads++
			}
			return err
		})
		timed(func() error {
			status, _, err := w.s.call(http.MethodGet, "/readyz", "", nil, nil)
			o.ready += btoi(status == http.StatusOK)
			return err
		})
	}
	return o
}

// during runs probe for a while.
func (w *world) during(d time.Duration, name string, acked map[string]int64) *outage {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return w.probe(ctx, name, acked)
}

// healthy puts load on the server and sees that all is acknowledged before
// anything breaks; it returns what was.
func (w *world) healthy() (acked map[string]int64) {
	w.t.Helper()
	w.load(100 * time.Millisecond)
	acked = map[string]int64{}
	if o := w.during(500*time.Millisecond, "before", acked); o.fault != nil || o.acks == 0 {
		w.t.Fatalf("before anything breaks: %+v", o)
	}
	return acked
}

// refused checks that nothing but one answer was given, in bounded time.
func (o *outage) refused(t testing.TB, code chat.Code, status int) {
	t.Helper()
	switch {
	case o.fault != nil:
		t.Errorf("during the outage: %v", o.fault)
	case o.acks > 0:
		t.Errorf("%d were acknowledged during the outage", o.acks)
	case o.codes[code] == 0 || len(o.codes) > 1 || o.status[status] == 0 || len(o.status) > 1:
		t.Errorf("answers were %v with status %v, want %s and %d only", o.codes, o.status, code, status)
	case o.reads == 0:
		t.Error("nothing was read during the outage")
	case o.ready > 0:
		t.Errorf("the server said %d times that it was ready", o.ready)
	}
	// The wait is bounded by request-time (15 s), which is far above the 2 s that SQLite waits.
	if o.slowest > 20*time.Second {
		t.Errorf("the slowest answer took %v", o.slowest)
	}
}

// recovered checks that writes work again without a restart, and that what was
// acknowledged to the probes is there once.
func (w *world) recovered(acked map[string]int64) {
	w.t.Helper()
	await(w.t, "a write to be acknowledged again", func() bool {
		o := w.during(time.Millisecond, fmt.Sprintf("after%d", time.Now().UnixNano()), acked)
		return o.acks == 2 && o.ready == 1
	})
	at := map[string]int64{}
	for _, e := range w.history(w.rooms[0].id) {
		at[string(e.ClientID)] = e.Seq
	}
	for id, seq := range acked {
		if at[id] != seq {
			w.t.Errorf("L: %s was acknowledged as %d, the history has it at %d", id, seq, at[id])
		}
	}
}

// R6: another process holds the database for 30 s.
func TestLockedByAnotherProcess(t *testing.T) {
	sample(t)
	long := 5 * time.Second
	if *soak {
		long = 30 * time.Second
	}
	w := newWorld(t, 2, 1, 1)
	acked := w.healthy()
	before := w.s.metric("go_goroutines")

	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "CHAOS_LOCK="+filepath.Join(w.s.data, "anteroom.db")+"?_pragma=busy_timeout(20000)")
	in, err1 := other.StdinPipe()
	out, err2 := other.StdoutPipe()
	other.Stderr = os.Stderr
	if err := errors.Join(err1, err2, other.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	o := w.during(long, "locked", acked)
	during := w.s.metric("go_goroutines")
	if err := errors.Join(in.Close(), other.Wait()); err != nil {
		t.Fatal(err)
	}
	o.refused(t, chat.CodeUnavailable, http.StatusServiceUnavailable)
	if during > before+50 {
		t.Errorf("B: %v goroutines during the lock, %v before: they pile up", during, before)
	}
	w.recovered(acked)
	acks, _ := w.judge()
	t.Logf("locked for %v: %d refused as unavailable, slowest answer %v, %d reads meanwhile; goroutines %v, before %v; %d acknowledged in all",
		long, o.codes[chat.CodeUnavailable], o.slowest.Round(time.Millisecond), o.reads, during, before, acks)
}

// Readiness sees that only writes fail, and returns by itself when they work
// again: nobody else writes meanwhile.
func TestReadinessSeesWrites(t *testing.T) {
	sample(t)
	traceable(t)
	s := newServer(t)
	s.start()
	ready := func() int {
		status, _, err := s.call(http.MethodGet, "/readyz", "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	write := func() int {
		status, _, err := s.call(http.MethodPost, "/api/guest-sessions", "", struct{}{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	for range 3 {
		tr := attach(t, s, "-P", filepath.Join(s.data, "anteroom.db-wal"), "-P", filepath.Join(s.data, "anteroom.db"),
			"-e", "inject=pwrite64,ftruncate,fallocate:error=EROFS")
		if got := write(); got != http.StatusServiceUnavailable {
			t.Fatalf("a write is answered %d", got)
		}
		for range 3 {
			if got := ready(); got != http.StatusServiceUnavailable {
				t.Errorf("while writes fail readiness is %d", got)
			}
		}
		if got, _, err := s.call(http.MethodGet, "/healthz", "", nil, nil); got != http.StatusOK {
			t.Errorf("the process lives, and health is %d, %v", got, err)
		}
		tr.detach()
		await(t, "readiness to return", func() bool { return ready() == http.StatusOK })
		if got := write(); got >= 300 {
			t.Errorf("while it is ready a write is answered %d", got)
		}
	}
}

// inside makes the server run on a small file system of its own, in a mount
// namespace that ends with it. root is where the test finds that namespace's files.
func (s *server) inside(size string) (root func() string) {
	s.t.Helper()
	mount := fmt.Sprintf("mount -t tmpfs -o size=%s none %s", size, filepath.Dir(s.data))
	unshare := []string{"unshare", "-m"}
	if os.Getuid() != 0 {
		unshare = []string{"unshare", "-rm"}
	}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "sh", "-c", mount)...).CombinedOutput(); err != nil {
		need(s.t, "no mount of one's own here: %v %s", err, out)
	}
	s.before = append(unshare, "sh", "-c", mount+` && exec "$0" "$@"`)
	return func() string { return fmt.Sprintf("/proc/%d/root", s.pid.Load()) }
}

// R5: the disk is full, then room is made.
func TestDiskFull(t *testing.T) {
	sample(t)
	long := 4 * time.Second
	if *soak {
		long = 60 * time.Second
	}
	s := newServer(t)
	root := s.inside("24m")
	s.start()
	s.data = root() + s.data // the operator's commands come from outside
	w := furnish(t, s, 2)
	w.settle(1, 1)
	acked := w.healthy()
	ballast := filepath.Join(s.data, "ballast")
	fill := func() {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for size := 1 << 20; size > 0; {
			if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
				size /= 2
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	await(t, "a write to find the disk full", func() bool {
		fill()
		o := w.during(time.Millisecond, fmt.Sprintf("filling%d", time.Now().UnixNano()), acked)
		return o.codes[chat.CodeStorageFull] == 2
	})
	o := w.during(long, "full", acked)
	o.refused(t, chat.CodeStorageFull, http.StatusInsufficientStorage)
	// Sockets opened while it is full work, too, and those from before were not closed.
	late, err := dialWire(s.http, w.creds[w.rooms[0].members[0]], chat.SurfaceInbox, nil)
	if err != nil {
		t.Errorf("no new socket on a full disk: %v", err)
	} else {
		if err := late.join(w.rooms[0].id); err != nil {
			t.Errorf("no join on a full disk: %v", err)
		}
		late.close()
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.recovered(acked)
	after := time.Since(began)
	acks, _ := w.judge()
	t.Logf("full for %v: %d refused as storage_full, slowest answer %v, %d reads meanwhile; the first ack %v after room was made; %d acknowledged in all",
		long, o.codes[chat.CodeStorageFull], o.slowest.Round(time.Millisecond), o.reads, after.Round(time.Millisecond), acks)
}

// R6: the file system is read-only. The kernel lets nobody remount one on which
// files are open for writing, so the refusal of every write is injected instead,
// as after errors=remount-ro; and a server is started on a folder that is read-only.
func TestReadOnlyFolder(t *testing.T) {
	sample(t)
	t.Run("while it runs", func(t *testing.T) {
		long := 3 * time.Second
		if *soak {
			long = 30 * time.Second
		}
		traceable(t)
		w := newWorld(t, 2, 1, 1)
		acked := w.healthy()
		before := w.s.metric("go_goroutines")
		tr := attach(t, w.s, "-P", filepath.Join(w.s.data, "anteroom.db-wal"), "-P", filepath.Join(w.s.data, "anteroom.db"),
			"-e", "inject=pwrite64,ftruncate,fallocate:error=EROFS")
		o := w.during(long, "readonly", acked)
		during := w.s.metric("go_goroutines")
		tr.detach()
		o.refused(t, chat.CodeUnavailable, http.StatusServiceUnavailable)
		if during > before+50 {
			t.Errorf("B: %v goroutines during the fault, %v before: they pile up", during, before)
		}
		w.recovered(acked)
		acks, _ := w.judge()
		t.Logf("read-only for %v: %d refused as unavailable, slowest answer %v, %d reads meanwhile; %d acknowledged in all",
			long, o.codes[chat.CodeUnavailable], o.slowest.Round(time.Millisecond), o.reads, acks)
	})
	t.Run("at the start", func(t *testing.T) {
		s := newServer(t)
		s.start()
		s.stop()
		before := []string{"unshare", "-m", "sh", "-c"}
		if os.Getuid() != 0 {
			before[1] = "-rm"
		}
		mount := fmt.Sprintf("mount --bind %[1]s %[1]s && mount -o remount,bind,ro %[1]s", s.data)
		if out, err := exec.Command(before[0], append(before[1:], mount)...).CombinedOutput(); err != nil {
			need(t, "no mount of one's own here: %v %s", err, out)
		}
		line := append(append(before[1:], mount+` && exec "$0" "$@"`, s.binary), s.args...)
		cmd := exec.Command(before[0], append(line, "--data", s.data)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !bytes.Contains(out, []byte("--data")) || strings.Count(strings.TrimSpace(string(out)), "\n") > 0 {
			t.Errorf("a read-only folder at the start: %v, said %q; want exit code 2 and a sentence about --data", err, out)
		}
		s.start() // and nothing was harmed
		s.stop()
		check(t, s.data)
	})
}
