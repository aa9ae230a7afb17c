package auth

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Config says what a Service is made of. The zero value of every field is a
// sound default.
type Config struct {
	Now    func() time.Time // time.Now
	Random io.Reader        // crypto/rand; read by several goroutines at once
	Log    *slog.Logger     // discards

	Hasher Params // cost of passwords; DefaultParams
	Hashes int    // passwords hashed at the same time; 2
	Queue  int    // passwords waiting for that; 64, more are answered rate_limited

	Hosts []Host        // who may sign identity tokens; nobody
	Skew  time.Duration // allowed between a host's clock and ours; 60 s, and never more

	GuestIdle, GuestAbsolute     time.Duration // 30 days, 180 days
	AccountIdle, AccountAbsolute time.Duration // 30 days, 90 days
	AdminIdle, AdminAbsolute     time.Duration // 8 hours, 30 days

	MaxSessions int // live sessions of one user; 100, the longest unused one is ended for a new one
}

const maxSkew = time.Minute

func (c Config) withDefaults() Config {
	const day = 24 * time.Hour
	or := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	or(&c.Skew, maxSkew)
	c.Skew = min(c.Skew, maxSkew)
	or(&c.GuestIdle, 30*day)
	or(&c.GuestAbsolute, 180*day)
	or(&c.AccountIdle, 30*day)
	or(&c.AccountAbsolute, 90*day)
	or(&c.AdminIdle, 8*time.Hour)
	or(&c.AdminAbsolute, 30*day)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Hasher == (Params{}) {
		c.Hasher = DefaultParams
	}
	if c.Hashes <= 0 {
		c.Hashes = 2
	}
	if c.Queue <= 0 {
		c.Queue = 64
	}
	if c.MaxSessions <= 0 {
		c.MaxSessions = 100
	}
	return c
}

// Service keeps accounts and sessions. It is safe for concurrent use.
type Service struct {
	storage storage.Storage
	cfg     Config
	hasher  *hasher
	hook    atomic.Pointer[func(context.Context, Change)]

	mu      sync.Mutex
	touched map[string]int64 // session id → when Touch last looked; a hint, emptied when full
	refused map[string]int64 // what was refused → when its audit row was written; likewise
	rows    int64            // refusals audited in the minute that begins at minute
	minute  int64
}

// New makes a service on a storage that its caller closes.
func New(s storage.Storage, c Config) *Service {
	c = c.withDefaults()
	return &Service{
		storage: s,
		cfg:     c,
		hasher:  newHasher(c.Hasher, c.Random, c.Hashes, c.Queue),
		touched: make(map[string]int64),
		refused: make(map[string]int64),
	}
}

// Change names whose rights a call ended or changed: open sockets of these are
// to be decided again.
type Change struct {
	Users    []chat.UserID // every socket of these users
	Guests   []chat.GuestSessionID
	Sessions []chat.AccountSessionID
}

// Empty tells whether the change concerns nobody.
func (c Change) Empty() bool { return len(c.Users)+len(c.Guests)+len(c.Sessions) == 0 }

// OnChange sets the hook that re-decides open sockets. It runs after the
// commit and before the call that caused it returns, with a context that is
// not cancelled by the caller's; it may read storage and must not call back
// into methods that change. It also runs where a commit failed, because that
// may be a commit whose answer was lost.
func (s *Service) OnChange(f func(context.Context, Change)) { s.hook.Store(&f) }

// Announce runs the hook for a change made in a caller's own transaction.
func (s *Service) Announce(ctx context.Context, c Change) {
	if f := s.hook.Load(); f != nil && !c.Empty() {
		(*f)(context.WithoutCancel(ctx), c)
	}
}

// change runs f in a transaction and then announces what it changed. f may run
// again, so it gets an empty Change each time.
func (s *Service) change(ctx context.Context, f func(w storage.Writer, c *Change) error) error {
	var c Change
	err := s.storage.Update(ctx, func(w storage.Writer) error {
		c = Change{}
		ferr := f(w, &c)
		if ferr != nil {
			c = Change{}
		}
		return ferr
	})
	s.Announce(ctx, c)
	return err
}

func (s *Service) now() int64 { return s.cfg.Now().UnixMilli() }

// Sweep deletes sessions and burned tokens that have no further use.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	return s.storage.Update(ctx, func(w storage.Writer) error { return w.Sweep(now) })
}
