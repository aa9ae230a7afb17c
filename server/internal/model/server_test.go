//go:build !js

package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"anteroom/server/auth"
	"anteroom/server/broker"
	"anteroom/server/gateway"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
)

// patience is how long the test waits for what must come.
const patience = 20 * time.Second

// tester is what *rapid.T, *rapid.TB and *testing.T have in common here.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// server is the adapter's system under test: a whole server in this process,
// reached through HTTP and WebSocket. What the operator does has methods of its own.
type server struct {
	t       tester
	open    func() (storage.Storage, error)
	tune    func(*auth.Config, *gateway.Limits) // nil: nothing is limited
	durable bool                                // a restart opens the storage anew
	storage storage.Storage
	broker  *broker.Local
	auth    *auth.Service
	rooms   *rooms.Service
	http    *httptest.Server
	client  *http.Client
	log     logBuffer

	mu      sync.Mutex // guards the two below: requests read them, restarts and the clock write
	gateway *gateway.Gateway
	at      time.Time
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take gives what was logged since the last call.
func (l *logBuffer) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := bytes.Clone(l.b.Bytes())
	l.b.Reset()
	return out
}

var epoch = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// newServer starts a server on memory, or on SQLite in a folder.
func newServer(t tester, folder string) *server { return newServerWith(t, folder, nil) }

// newServerWith is newServer with other limits.
func newServerWith(t tester, folder string, tune func(*auth.Config, *gateway.Limits)) *server {
	s := &server{t: t, at: epoch, tune: tune}
	if folder == "" {
		m := storage.NewMemory()
		s.open = func() (storage.Storage, error) { return m, nil }
	} else {
		s.durable = true
		s.open = func() (storage.Storage, error) {
			return sqlite.Open(context.Background(), filepath.Join(folder, "anteroom.db"), sqlite.Options{Readers: 2})
		}
	}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		g := s.gateway
		s.mu.Unlock()
		g.Handler().ServeHTTP(w, r)
	}))
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	s.start()
	return s
}

func (s *server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *server) skip(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

func (s *server) start() {
	var err error
	if s.storage, err = s.open(); err != nil {
		s.t.Fatalf("open storage: %v", err)
	}
	log := slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	free := gateway.Unlimited
	conf, limits := auth.Config{
		Now: s.now, Log: log, Hasher: auth.Params{Memory: 64, Time: 1, Threads: 1},
		GuestIdle: guestIdle, GuestAbsolute: guestAbsolute, AccountIdle: userIdle, AccountAbsolute: userAbsolute,
		AdminIdle: adminIdle, AdminAbsolute: adminAbsolute,
	}, gateway.Limits{
		Requests: free, PrincipalRequests: free, LogIns: free, FailedLogIns: free, AccountLogIns: free, GuestSessions: free,
		GuestRooms: free, UserRooms: free, AddressRooms: free, UserSends: free, GuestSends: free, Frames: free, ReadBytes: free,
		Beat: time.Hour, // the test asks
	}
	if s.tune != nil {
		s.tune(&conf, &limits)
	}
	s.auth = auth.New(s.storage, conf)
	s.broker = broker.NewLocal()
	s.rooms, err = rooms.New(rooms.Config{
		Storage: s.storage, Broker: s.broker, Auth: s.auth, Now: s.now, Log: log, SweepEvery: time.Hour, // the test sweeps
	})
	if err != nil {
		s.t.Fatalf("start rooms: %v", err)
	}
	s.auth.OnChange(s.rooms.Recheck)
	u, err := url.Parse(s.http.URL)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	g := gateway.New(gateway.Config{Rooms: s.rooms, Auth: s.auth, PublicURL: u, Log: log, Now: s.now, Version: "model", Limits: limits})
	s.mu.Lock()
	s.gateway = g
	s.mu.Unlock()
}

// stop ends everything but the listener.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.gateway.Drain(ctx); err != nil {
		s.t.Fatalf("drain: %v", err)
	}
	s.rooms.Stop()
	s.broker.Close()
	if s.durable {
		if err := s.storage.Close(); err != nil {
			s.t.Fatalf("close storage: %v", err)
		}
	}
}

func (s *server) close() {
	s.stop()
	s.client.CloseIdleConnections()
	s.http.Close()
	if !s.durable {
		s.storage.Close()
	}
}

// answer is what came back for one action over whatever transport.
type answer struct {
	code chat.Code // "" for a good one
	body []byte    // every byte that came back
	room chat.RoomID
}

// errorBody is the error of an HTTP answer.
type errorBody struct {
	Error struct {
		Code    chat.Code `json:"code"`
		Message string    `json:"message"`
	} `json:"error"`
}

// call makes an HTTP request.
func (s *server) call(method, path, credential string, body any) answer {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.http.URL+path, in)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	var a answer
	if a.body, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	if res.StatusCode < 400 {
		return a
	}
	var e errorBody
	if json.Unmarshal(a.body, &e) != nil || e.Error.Code == "" {
		s.t.Fatalf("%s %s: %d with a malformed error: %s", method, path, res.StatusCode, a.body)
	}
	if want := chat.OutcomeOf(e.Error.Code).Status; want != res.StatusCode {
		s.t.Fatalf("%s %s: %s with status %d", method, path, e.Error.Code, res.StatusCode)
	}
	a.code = e.Error.Code
	return a
}

// decode reads a good answer.
func (s *server) decode(a answer, v any) {
	s.t.Helper()
	if a.code != "" {
		s.t.Fatalf("refused: %s", a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		s.t.Fatalf("malformed answer %s: %v", a.body, err)
	}
}

// must fails the test where the operator failed.
func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("the operator failed: %v", err)
	}
}

func path(format string, args ...any) string {
	for i, a := range args {
		args[i] = url.PathEscape(fmt.Sprint(a))
	}
	return fmt.Sprintf(format, args...)
}
