//go:build !js

package main

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of the raw connection

	"anteroom/server/storage/sqlite"
)

// output is a buffer that the program writes while the test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// command runs the program to its end and returns its exit code and what it said.
func runCommand(t testing.TB, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	code = run(t.Context(), args, environment{
		lookup: func(k string) (string, bool) { v, ok := vars[k]; return v, ok },
		stdin:  strings.NewReader("correct horse battery\n"), stdout: &out, stderr: &errs,
	})
	return code, out.String(), errs.String()
}

func TestMistakesAreOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		vars map[string]string
		args []string
		want string
	}{
		"no command":          {nil, nil, "say what to do"},
		"unknown command":     {nil, []string{"server"}, `no command "server"`},
		"unknown flag":        {nil, []string{"serve", "--colour"}, "-colour"},
		"bad address":         {nil, []string{"serve", "--addr", "8080"}, "--addr"},
		"bad public url":      {nil, []string{"serve", "--public-url", "chat.example"}, "--public-url"},
		"bad origin":          {nil, []string{"serve", "--embed-origin", "https://shop.example/path"}, "--embed-origin"},
		"bad proxy":           {nil, []string{"serve", "--trusted-proxy", "somewhere"}, "--trusted-proxy"},
		"bad identity":        {nil, []string{"serve", "--identity", "iss=x"}, "identity"},
		"bad limit":           {nil, []string{"serve", "--limit", "messages-guest=fast"}, "messages-guest"},
		"bad variable":        {map[string]string{"ANTEROOM_DRAIN": "soon"}, []string{"serve"}, "ANTEROOM_DRAIN"},
		"demo for the world":  {nil, []string{"serve", "--demo", "--addr", "0.0.0.0:0"}, "loopback"},
		"host in Unicode":     {nil, []string{"serve", "--public-url", "https://chat.müller.example", "--addr", taken.Addr().String()}, "xn--"},
		"origin in Unicode":   {nil, []string{"serve", "--embed-origin", "https://müller.example", "--addr", taken.Addr().String()}, "xn--"},
		"origin of many":      {nil, []string{"serve", "--embed-origin", "https://*.shop.example", "--addr", taken.Addr().String()}, "--embed-origin"},
		"empty port":          {nil, []string{"serve", "--public-url", "https://chat.example:", "--addr", taken.Addr().String()}, "--public-url"},
		"memory beyond use":   {nil, []string{"serve", "--password-memory", "1048577", "--addr", taken.Addr().String()}, "--password-memory"},
		"command, the same":   {nil, []string{"user", "passwd", "--password-memory", "1048577", "--data", filepath.Join(dir, "b"), "ada"}, "--password-memory"},
		"port in use":         {nil, []string{"serve", "--data", filepath.Join(dir, "a"), "--addr", taken.Addr().String()}, "address already in use"},
		"data is a file":      {nil, []string{"serve", "--data", file, "--addr", "127.0.0.1:0", "--public-url", "http://localhost:1"}, "--data"},
		"command, no user":    {nil, []string{"user", "passwd", "--data", filepath.Join(dir, "b")}, "USERNAME"},
		"command, bad option": {nil, []string{"vendor", "add", "--colour", "x", "y"}, "colour"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runCommand(t, c.vars, c.args...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if last := lines[len(lines)-1]; code != 2 || !strings.Contains(last, c.want) {
				t.Errorf("exit code %d, said %q; want 2 and %q", code, stderr, c.want)
			}
			if strings.Contains(stderr, "goroutine") {
				t.Errorf("a stack trace: %s", stderr)
			}
		})
	}
}

func TestNewerDatabaseIsOneSentence(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "anteroom.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("pragma user_version = 9999"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runCommand(t, nil, "serve", "--data", dir, "--addr", "127.0.0.1:0", "--public-url", "http://localhost:1")
	if code != 2 || !strings.Contains(stderr, "newer version") || strings.Count(strings.TrimSpace(stderr), "\n") != 0 {
		t.Errorf("exit code %d, said %q; want 2 and one sentence about a newer version", code, stderr)
	}
}

// served is a server that runs in this process.
type served struct {
	testing.TB
	out, errs output
	stop      func()
	done      chan int
}

func start(t testing.TB, vars map[string]string, args ...string) *served {
	t.Helper()
	s := &served{TB: t, done: make(chan int, 1)}
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	t.Cleanup(stop)
	lookup := func(k string) (string, bool) { v, ok := vars[k]; return v, ok }
	args = append([]string{"serve", "--addr", "127.0.0.1:0", "--drain", "2s"}, args...)
	go func() { // ended by stop
		s.done <- run(ctx, args, environment{lookup: lookup, stdin: strings.NewReader(""), stdout: &s.out, stderr: &s.errs})
	}()
	return s
}

// printed waits until the server has printed something, and gives the pattern's group.
func (s *served) printed(pattern string) string {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(s.out.String()); m != nil {
			return m[1]
		}
		if time.Now().After(deadline) {
			s.Fatalf("the server did not print %s: %s", pattern, s.errs.String())
		}
		time.Sleep(5 * time.Millisecond) // polled: the program tells by what it prints
	}
}

// end asks the server to stop and waits for it.
func (s *served) end() {
	s.Helper()
	s.stop()
	select {
	case code := <-s.done:
		if code != 0 {
			s.Errorf("exit code %d after being asked to stop: %s", code, s.errs.String())
		}
	case <-time.After(20 * time.Second):
		s.Fatal("the server did not stop")
	}
}

// TestServeUntilAsked starts the server, uses its commands beside it, and stops it.
func TestServeUntilAsked(t *testing.T) {
	dir := t.TempDir()
	vars := map[string]string{"ANTEROOM_DATA": dir, "ANTEROOM_PASSWORD_MEMORY": "64"}
	s := start(t, vars)
	base := "http://" + s.printed(`listening on (\S+?)\)`)
	for _, path := range []string{"/healthz", "/readyz"} {
		req, _ := http.NewRequest("GET", base+path, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
	if code, stdout, stderr := runCommand(t, vars, "user", "add", "--password-stdin", "mia"); code != 0 {
		t.Errorf("user add beside the server: exit code %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := runCommand(t, vars, "user", "list"); code != 0 || !strings.Contains(stdout, "mia") {
		t.Errorf("user list: exit code %d, %q", code, stdout)
	}
	if code, _, stderr := runCommand(t, nil, "serve", "--data", dir, "--addr", "127.0.0.1:0"); code != 2 || !strings.Contains(stderr, "--data") {
		t.Errorf("a second server on the same data: exit code %d, %q", code, stderr)
	}
	s.end()
	if code, stdout, _ := runCommand(t, vars, "user", "list"); code != 0 || !strings.Contains(stdout, "mia") {
		t.Errorf("user list without the server: exit code %d, %q", code, stdout)
	}
}

func TestVersion(t *testing.T) {
	if code, stdout, _ := runCommand(t, nil, "--version"); code != 0 || stdout != "anteroom "+version+"\n" {
		t.Errorf("exit code %d, %q", code, stdout)
	}
}
