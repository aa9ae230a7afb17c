//go:build !js

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The binary under test, built once from the tree as it is.
var binary struct {
	once sync.Once
	dir  string
	path string
	dist string // where the modules in it come from
	err  error
}

func build(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		root := filepath.Join("..", "..", "..")
		dist := filepath.Join(root, "web", "dist")
		if other := os.Getenv("ANTEROOM_E2E_DIST"); other != "" {
			dist = filepath.Join(root, other)
		}
		binary.dist = dist
		if built, _ := filepath.Glob(filepath.Join(dist, "widget.*.wasm*")); len(built) == 0 {
			binary.err = fmt.Errorf("no WebAssembly module was built in %s: run make build first", dist)
			return
		}
		if binary.dir, binary.err = os.MkdirTemp("", "anteroom-e2e"); binary.err != nil {
			return
		}
		overlay, err := distOverlay(root, dist, binary.dir)
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(binary.dir, "anteroom")
		cmd := exec.Command("go", "build", "-overlay", overlay, "-o", binary.path, "./server")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("build the binary: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		if os.Getenv("ANTEROOM_E2E") == "" {
			t.Skip(binary.err)
		}
		t.Fatal(binary.err)
	}
	return binary.path
}

// distOverlay writes, into dir, an overlay for the go command by which web
// embeds the modules in dist, and returns its path; for web/dist itself it is
// empty.
func distOverlay(root, dist, dir string) (string, error) {
	home, err := filepath.Abs(filepath.Join(root, "web", "dist"))
	if err != nil {
		return "", err
	}
	if dist, err = filepath.Abs(dist); err != nil {
		return "", err
	}
	replace := map[string]string{}
	if dist != home {
		for _, from := range []string{home, dist} {
			entries, err := os.ReadDir(from)
			if err != nil {
				return "", err
			}
			for _, e := range entries {
				if from == dist {
					replace[filepath.Join(home, e.Name())] = filepath.Join(dist, e.Name())
				} else if e.Name() != ".gitkeep" {
					replace[filepath.Join(home, e.Name())] = "" // takes the file out
				}
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

// Server is a running binary with the demo, behind a front.
type Server struct {
	t     testing.TB
	data  string
	args  []string
	front *Front

	url  string // the chat's public origin: the front's
	addr string // where the binary listens, behind the front
	shop string // the demo shop's origin
	ops  string // where metrics are, with --ops-addr

	cmd    *exec.Cmd
	exited chan error // one value, when the process has ended
	stderr *tail
}

// option changes how the server is started.
type option func(*setup)

type setup struct {
	shopHost string
	args     []string
}

// sameSite puts shop and chat on the same site: localhost, with two ports.
func sameSite(s *setup) { s.shopHost = "localhost" }

// with adds flags.
func with(args ...string) option { return func(s *setup) { s.args = append(s.args, args...) } }

// serve starts the binary with demo data; it ends with the test.
func serve(t testing.TB, options ...option) *Server {
	t.Helper()
	chromium(t) // before the build: without it nothing here can run
	build(t)
	set := setup{shopHost: "127.0.0.1"}
	for _, o := range options {
		o(&set)
	}
	s := &Server{t: t, data: t.TempDir(), front: newFront(t)}
	s.url = s.front.url
	s.args = append([]string{
		"serve", "--demo", "--addr", "127.0.0.1:0", "--demo-addr", set.shopHost + ":0",
		"--public-url", s.url, "--data", s.data, "--password-memory", "64", "--log-level", "debug", "--drain", "2s",
	}, set.args...)
	s.start()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the server's last lines:\n%s", s.stderr)
		}
	})
	return s
}

var listening = regexp.MustCompile(`listening on ([^)]+)\)`)

func (s *Server) start() {
	s.t.Helper()
	s.cmd = exec.Command(build(s.t), s.args...)
	if s.stderr == nil {
		s.stderr = &tail{}
	}
	s.cmd.Stderr = s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan error, 1)
	lines := make(chan string, 64)
	go func() { // ends with the process, whose end stop waits for
		scan := bufio.NewScanner(stdout)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			default: // nobody reads any more
			}
		}
		s.exited <- s.cmd.Wait()
		close(lines)
	}()
	deadline := time.After(patience)
	chat := ""
	for chat == "" || s.shop == "" {
		select {
		case line, ok := <-lines:
			if !ok {
				s.t.Fatalf("the server ended at once:\n%s", s.stderr)
			}
			if m := listening.FindStringSubmatch(line); m != nil {
				chat = m[1]
			}
			if f := strings.Fields(line); len(f) == 2 && f[0] == "shop" {
				s.shop = f[1]
			} else if len(f) == 2 && f[0] == "ops" {
				s.ops = f[1]
			}
		case <-deadline:
			s.t.Fatalf("the server prints no addresses:\n%s", s.stderr)
		}
	}
	s.addr = chat
	s.front.forward(chat)
	await(s.t, "the server to be ready", func() (bool, error) {
		r, err := http.Get("http://" + chat + "/readyz")
		if err != nil {
			return false, err
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK, nil
	})
}

// stop asks the server to drain, and waits until it has.
func (s *Server) stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("the server ended with %v:\n%s", err, s.stderr)
		}
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the server does not stop:\n%s", s.stderr)
		<-s.exited
	}
	s.cmd = nil
}

// kill ends the server without a word, as a crash would.
func (s *Server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.exited
	s.cmd = nil
}

// restart starts the server again on the same data; the shop gets another
// address, unless its flags name one.
func (s *Server) restart() {
	s.t.Helper()
	// The shop keeps its address, because pages of it are open.
	for i, a := range s.args {
		if a == "--demo-addr" {
			s.args[i+1] = strings.TrimPrefix(s.shop, "http://")
		}
	}
	s.start()
}

// command runs another command of the binary and returns what it printed.
func (s *Server) command(stdin io.Reader, args ...string) (string, error) {
	cmd := exec.Command(build(s.t), args...)
	cmd.Env = append(os.Environ(), "ANTEROOM_DATA="+s.data)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// tail keeps the last lines somebody wrote.
type tail struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(p)
}

// String gives the last 6 KB.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.lines.Bytes()
	if len(b) > 6<<10 {
		b = b[len(b)-6<<10:]
	}
	return string(b)
}

// all gives everything that was written.
func (w *tail) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.String()
}
