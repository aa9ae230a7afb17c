//go:build linux

package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"anteroom/store/chat"
)

var (
	soak = flag.Bool("soak", false, "run the full counts, and judge times")
	seed = flag.Uint64("chaos.seed", 0, "seed of random moments; 0 draws one")
)

// patience is how long the tests wait for what must come, on a machine with other work.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if path := os.Getenv("CHAOS_LOCK"); path != "" {
		os.Exit(lockDatabase(path))
	}
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	code := m.Run()
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

// sample lets tests share the machine where none of them judges times.
func sample(t *testing.T) {
	if !*soak {
		t.Parallel()
	}
}

// moments is a source of random moments that prints its seed.
func moments(t testing.TB) *rand.Rand {
	t.Logf("-chaos.seed=%d", *seed)
	return rand.New(rand.NewPCG(*seed, 1))
}

// need skips a test that lacks something, or fails it where all must run.
func need(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CHAOS_ALL") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// The binaries under test, built once from the tree as it is.
var binaries struct {
	mu   sync.Mutex
	dir  string
	path map[string]string
}

// build builds the server. With a replacement the source is changed for this
// one build: old becomes new in file, where it must stand once.
func build(t testing.TB, replacement ...string) string {
	t.Helper()
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	key := strings.Join(replacement, "\x00")
	if p := binaries.path[key]; p != "" {
		return p
	}
	var err error
	if binaries.dir == "" {
		if binaries.dir, err = os.MkdirTemp("", "anteroom-chaos"); err != nil {
			t.Fatal(err)
		}
		binaries.path = map[string]string{}
	}
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(binaries.dir, fmt.Sprintf("anteroom-%d", len(binaries.path)))
	args := []string{"build", "-o", path}
	if len(replacement) == 3 {
		file := filepath.Join(root, replacement[0])
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(src, []byte(replacement[1])) != 1 {
			t.Fatalf("%q does not stand once in %s", replacement[1], replacement[0])
		}
		changed := path + ".go"
		overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
		if err := errors.Join(err,
			os.WriteFile(changed, bytes.Replace(src, []byte(replacement[1]), []byte(replacement[2]), 1), 0o600),
			os.WriteFile(path+".json", overlay, 0o600)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-overlay", path+".json")
	}
	cmd := exec.Command("go", append(args, "./server")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, out)
	}
	binaries.path[key] = path
	return path
}

// server is a running binary. Clients reach it under one name whatever port it
// has at the moment.
type server struct {
	t      testing.TB
	binary string
	data   string
	args   []string
	before []string // a command that runs the binary, such as strace
	env    []string

	addr atomic.Pointer[string] // where the chat listens now
	ops  string
	http *http.Client

	cmd    *exec.Cmd
	exited chan error
	stderr *tail
	pid    atomic.Int64
	peak   atomic.Int64 // largest RSS seen, bytes
}

const publicURL = "http://chat.test"

// free opens every limit that a flood of tests would meet.
var free = []string{
	"requests-address", "requests-principal", "logins-address", "guest-sessions-address", "rooms-guest", "rooms-user",
	"rooms-address", "messages-user", "messages-guest", "frames-socket", "kib-socket", "control-socket", "sockets-principal",
	"sockets-address", "sockets-pending", "connections-address",
}

// newServer describes a server on a fresh folder; start starts it. It ends with the test.
func newServer(t testing.TB, flags ...string) *server {
	t.Helper()
	s := &server{t: t, binary: build(t), data: filepath.Join(t.TempDir(), "data"), stderr: &tail{}}
	s.args = []string{"serve", "--addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--public-url", publicURL, "--password-memory", "64", "--log-level", "warn"}
	for _, name := range free {
		s.args = append(s.args, "--limit", name+"=unlimited")
	}
	s.args = append(s.args, flags...)
	dial := (&net.Dialer{}).DialContext
	s.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			if a := s.addr.Load(); a != nil {
				return dial(ctx, network, *a)
			}
			return nil, errors.New("the server is down")
		},
		MaxIdleConnsPerHost: 64,
	}}
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		if s.cmd != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("the server's last lines:\n%s", s.stderr)
		}
	})
	return s
}

var listening = regexp.MustCompile(`listening on ([^)]+)\)`)

// launch starts the process without waiting for it to serve.
func (s *server) launch() <-chan string {
	s.t.Helper()
	line := append(append(append([]string{}, s.before...), s.binary), s.args...)
	line = append(line, "--data", s.data)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stderr = s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.pid.Store(int64(s.cmd.Process.Pid))
	s.exited = make(chan error, 1)
	lines := make(chan string, 64)
	cmd, exited := s.cmd, s.exited
	go func() { // ends with the process
		scan := bufio.NewScanner(stdout)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			default: // nobody reads any more
			}
		}
		close(lines)
		exited <- cmd.Wait()
	}()
	return lines
}

// start starts the process and waits until it is ready; it returns how long that took.
func (s *server) start() time.Duration {
	s.t.Helper()
	began := time.Now()
	lines := s.launch()
	deadline := time.After(patience)
	addr := ""
	s.ops = ""
	for addr == "" || s.ops == "" {
		select {
		case line, ok := <-lines:
			if !ok {
				s.t.Fatalf("the server ended at once:\n%s", s.stderr)
			}
			if m := listening.FindStringSubmatch(line); m != nil {
				addr = m[1]
			}
			if f := strings.Fields(line); len(f) == 2 && f[0] == "ops" {
				s.ops = f[1]
			}
		case <-deadline:
			s.t.Fatalf("the server prints no addresses:\n%s", s.stderr)
		}
	}
	s.addr.Store(&addr)
	await(s.t, "the server to be ready", func() bool {
		r, err := s.http.Get(publicURL + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return time.Since(began)
}

// kill ends the server without a word.
func (s *server) kill() {
	s.t.Helper()
	s.addr.Store(nil)
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.exited
	s.cmd = nil
	s.http.CloseIdleConnections()
}

// stop asks the server to drain and returns how long that took.
func (s *server) stop() time.Duration {
	s.t.Helper()
	began := time.Now()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("the server ended with %v:\n%s", err, s.stderr)
		}
	case <-time.After(patience):
		s.t.Errorf("the server does not stop:\n%s", s.stderr)
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.addr.Store(nil)
	s.cmd = nil
	s.http.CloseIdleConnections()
	return time.Since(began)
}

// command runs an operator's command against the server.
func (s *server) command(stdin string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(s.binary, args...)
	cmd.Env = append(os.Environ(), "ANTEROOM_DATA="+s.data, "ANTEROOM_PASSWORD_MEMORY=64")
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("anteroom %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// call makes an API request and decodes a good answer into out. It returns
// the status, and the code of an error's body.
func (s *server) call(method, path, credential string, body, out any) (int, chat.Code, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		in = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, publicURL+path, in)
	if err != nil {
		return 0, "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err
	}
	if res.StatusCode >= 400 {
		var e struct {
			Error struct {
				Code chat.Code `json:"code"`
			} `json:"error"`
		}
		_ = json.Unmarshal(raw, &e) // no code is one the caller does not expect
		return res.StatusCode, e.Error.Code, nil
	}
	if out != nil {
		err = json.Unmarshal(raw, out)
	}
	return res.StatusCode, "", err
}

// must is call for what has to work.
func (s *server) must(method, path, credential string, body, out any) {
	s.t.Helper()
	status, code, err := s.call(method, path, credential, body, out)
	if err != nil || status >= 400 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, status, code, err)
	}
}

// logIn gives a user's credential.
func (s *server) logIn(name string) string {
	s.t.Helper()
	var out struct {
		Credential string `json:"credential"`
	}
	s.must(http.MethodPost, "/api/login", "", map[string]string{"username": name, "password": password, "surface": "inbox"}, &out)
	return out.Credential
}

// metric reads the sum of a metric's series that hold what is given.
func (s *server) metric(name string, having ...string) float64 {
	s.t.Helper()
	r, err := http.Get(s.ops)
	if err != nil {
		s.t.Fatalf("read metrics: %v", err)
	}
	defer r.Body.Close()
	sum := 0.0
	scan := bufio.NewScanner(r.Body)
next:
	for scan.Scan() {
		rest, ok := strings.CutPrefix(scan.Text(), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		for _, h := range having {
			if !strings.Contains(rest, h) {
				continue next
			}
		}
		v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			s.t.Fatalf("metric %q: %v", scan.Text(), err)
		}
		sum += v
	}
	return sum
}

// rss reads how much memory the process has resident, in bytes, and notes the most.
func (s *server) rss() int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid.Load()))
	if err != nil {
		return 0 // it has just ended
	}
	var n int64
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			n = kib << 10
		}
	}
	if n > s.peak.Load() {
		s.peak.Store(n)
	}
	return n
}

// tail keeps the last of what somebody wrote.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	if len(w.b) > 64<<10 {
		w.b = append([]byte(nil), w.b[len(w.b)-32<<10:]...)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b[max(0, len(w.b)-6<<10):])
}

// await waits for a condition.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}
