//go:build linux

package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// traceable skips where strace is missing or may not trace.
func traceable(t testing.TB) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		need(t, "strace is missing: apt-get install strace")
	}
	if out, err := exec.Command(path, "-f", "-e", "inject=fsync:error=EIO", "true").CombinedOutput(); err != nil {
		need(t, "strace may not trace here: %v %s", err, out)
	}
}

// attached is a strace on a running server.
type attached struct {
	t   testing.TB
	cmd *exec.Cmd
}

// attach puts strace on every thread of a server; it returns once it is there.
func attach(t testing.TB, s *server, args ...string) *attached {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command("strace", append([]string{"-f", "-o", log, "-e", "trace=pwrite64,ftruncate,fallocate,fsync,fdatasync"}, append(args, "-p", strconv.Itoa(int(s.pid.Load())))...)...)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	a := &attached{t, cmd}
	there := make(chan bool, 1)
	go func() { // ends with strace
		scan := bufio.NewScanner(said)
		for scan.Scan() {
			if strings.Contains(scan.Text(), "attached") {
				select {
				case there <- true:
				default:
				}
			}
		}
	}()
	select {
	case <-there:
	case <-time.After(patience):
		a.detach()
		t.Fatal("strace does not attach")
	}
	t.Cleanup(a.detach)
	return a
}

func (a *attached) detach() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Signal(syscall.SIGINT) // it lets go of the threads and ends
	_ = a.cmd.Wait()
	a.cmd = nil
}

// call is one call of fsync or fdatasync.
type call struct {
	began, ended time.Time
	injected     bool
}

// syncs reads a log that strace -ttt -T wrote.
func syncs(t testing.TB, log string) []call {
	t.Helper()
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var out []call
	begun := map[string]time.Time{}
	for line := range bytes.Lines(raw) {
		f := strings.Fields(string(line))
		if len(f) < 3 {
			continue
		}
		at, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			continue
		}
		when := time.UnixMicro(int64(at * 1e6))
		switch text := string(line); {
		case !strings.Contains(text, "sync"):
		case strings.Contains(text, "<unfinished"):
			begun[f[0]] = when
		case strings.Contains(text, "resumed>"):
			out = append(out, call{begun[f[0]], when, strings.Contains(text, "(INJECTED)")})
		case strings.Contains(text, "(INJECTED)"):
			out = append(out, call{when, when, true})
		default:
			var took float64
			if i := strings.LastIndexByte(text, '<'); i > 0 {
				fmt.Sscanf(text[i:], "<%f>", &took)
			}
			out = append(out, call{when, when.Add(time.Duration(took * float64(time.Second))), false})
		}
	}
	return out
}
