//go:build !js

package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"anteroom/store/chat"
)

// SocketName is the socket file's name in the data folder.
const SocketName = "operator.sock"

const maxRequest = 64 << 10

// reply is the answer to a request.
type reply struct {
	Output string    `json:"output,omitempty"`
	Code   chat.Code `json:"code,omitempty"` // set if the command failed
	Error  string    `json:"error,omitempty"`
}

// Socket is a listening socket file. It is not safe for concurrent use but for
// Close, which may be called at any time.
type Socket struct {
	path string
	file fs.FileInfo // to remove only what is ours
	l    net.Listener
}

// Listen makes the socket file. The caller holds the database's lock, so a file
// that is there was left by a process that has died, and is replaced. The file
// has mode 0600 before anybody can reach it by this name.
func Listen(path string) (*Socket, error) {
	// Made in a folder of its own and then moved: a socket can't be made with a
	// mode, and between making and changing it anybody could connect.
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".sock-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make the operator's socket: %w", err)
	}
	defer os.RemoveAll(tmp)
	short, done, err := shorten(filepath.Join(tmp, "s"))
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("make the operator's socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	made := filepath.Join(tmp, "s")
	err = os.Chmod(made, 0o600)
	var file fs.FileInfo
	if err == nil {
		file, err = os.Lstat(made)
	}
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("make the operator's socket: %w", err)
	}
	return &Socket{path: path, file: file, l: l}, nil
}

// Close stops listening and removes the file, unless another process has replaced it.
func (s *Socket) Close() error {
	err := s.l.Close()
	if now, serr := os.Lstat(s.path); serr == nil && os.SameFile(now, s.file) {
		os.Remove(s.path)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Serve carries out commands until ctx ends, lets those under way finish for up
// to five seconds, and removes the socket file. It returns nil after ctx ended.
func (s *Socket) Serve(ctx context.Context, d Deps) error {
	defer s.Close()
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	server := &http.Server{
		Handler:           d.handler(),
		ReadHeaderTimeout: 5 * time.Second, // no other: a backup may take long
		ErrorLog:          slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	over, stop := context.WithCancel(ctx)
	go func() { // owned by Serve, which waits for it below
		defer close(stopped)
		<-over.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	}()
	err := server.Serve(s.l)
	stop()
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the operator's socket: %w", err)
}

// Serve listens on a socket file and carries out commands until ctx ends. The
// caller holds the database's lock and wires d.Auth's OnChange to d.Rooms, so
// that what a command ends has ended on open sockets when it returns.
func Serve(ctx context.Context, path string, d Deps) error {
	s, err := Listen(path)
	if err != nil {
		return err
	}
	return s.Serve(ctx, d)
}

func (d Deps) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /command", func(w http.ResponseWriter, r *http.Request) {
		var q request
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			answer(w, "", chat.Errorf(chat.CodeInvalid, "the server does not understand this command; is it of another version?"))
			return
		}
		out, err := d.act(r.Context(), q)
		d.Log.Info("operator's command", "action", q.Command, "code", string(chat.CodeOf(err)))
		answer(w, out, err)
	})
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		c := &counter{w: w}
		err := d.Storage.Backup(r.Context(), c)
		d.Log.Info("operator's command", "action", "backup", "code", string(chat.CodeOf(err)))
		switch {
		case err != nil && c.n == 0:
			answer(w, "", err)
		case err != nil:
			panic(http.ErrAbortHandler) // so that the other end sees a copy cut short
		}
	})
	return mux
}

// counter counts what passes.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // an empty write would send a 200 too
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func answer(w http.ResponseWriter, out string, err error) {
	r := reply{Output: out}
	if err != nil {
		r = reply{Code: chat.CodeOf(err), Error: message(err)}
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(chat.OutcomeOf(r.Code).Status)
	}
	json.NewEncoder(w).Encode(r)
}

// remoteError is a failure the server told of.
type remoteError struct{ wire *chat.Error }

func (e remoteError) Error() string { return e.wire.Message }
func (e remoteError) Unwrap() error { return e.wire }

// client reaches a running server; errNoServer if there is none.
type client struct {
	http *http.Client
}

var errNoServer = errors.New("no server is running")

func dial(ctx context.Context, path string) (*client, error) {
	connect := func(ctx context.Context) (net.Conn, error) {
		short, done, err := shorten(path)
		if err != nil {
			return nil, err
		}
		defer done()
		d := net.Dialer{Timeout: 2 * time.Second}
		return d.DialContext(ctx, "unix", short)
	}
	conn, err := connect(ctx)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("the running server is another user's: %w", os.ErrPermission)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errNoServer // no file, or one whose process has died
	}
	first := conn
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if c := first; c != nil {
			first = nil
			return c, nil
		}
		return connect(ctx)
	}, DisableKeepAlives: true}
	return &client{&http.Client{Transport: transport}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// post sends a request; the caller closes the body of a 200.
func (c *client) post(ctx context.Context, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://operator"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server did not answer: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var r reply
	if json.NewDecoder(io.LimitReader(resp.Body, maxRequest)).Decode(&r) != nil || r.Code == "" {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil, remoteError{chat.Errorf(r.Code, "%s", r.Error)}
}

// shorten gives a path that fits into a socket's address (about 100 bytes) and
// what to call when it is no longer needed.
func shorten(path string) (string, func(), error) {
	if len(path) < 100 || runtime.GOOS != "linux" {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}
