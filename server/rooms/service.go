package rooms

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"anteroom/server/auth"
	"anteroom/server/broker"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Config says what a Service is made of. Storage and Auth must be set; the zero
// value of every other field is a sound default.
type Config struct {
	Storage storage.Storage
	Broker  broker.Broker // carries hints to other nodes; nil for a single node
	Auth    *auth.Service
	Now     func() time.Time           // time.Now
	Log     *slog.Logger               // discards
	NewID   func(prefix string) string // 128 random bits under a prefix such as "r_"

	Observe Observer // nobody

	// SweepEvery is how often watches whose session's time is over are looked
	// for; 5 s. What their time forbids is not delivered in between either.
	SweepEvery time.Duration
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	cfg       Config
	storage   storage.Storage
	auth      *auth.Service
	log       *slog.Logger
	decisions decisionLog
	refused   refusals
	hub       *hub
	noticed   noticed

	stop func()         // ends the sweeper
	done sync.WaitGroup // the sweeper
}

// New makes a service on a storage and a broker that its caller closes after
// Stop. It runs one goroutine, the sweeper, until Stop. The caller wires
// auth.OnChange to Recheck.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.NewID == nil {
		c.NewID = randomID
	}
	if c.Observe == nil {
		c.Observe = unobserved{}
	}
	if c.SweepEvery <= 0 {
		c.SweepEvery = 5 * time.Second
	}
	s := &Service{cfg: c, storage: c.Storage, auth: c.Auth, log: c.Log}
	s.decisions.log = c.Log
	s.hub = newHub(s, c.NewID("n_"))
	if err := s.hub.subscribe(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.done.Add(1)
	go s.sweeper(ctx) // owned by s: Stop ends it and waits
	return s, nil
}

// Stop ends the sweeper and the hub's worker and stops listening to the
// broker. Watches stay open; their owners close them.
func (s *Service) Stop() {
	s.stop()
	s.done.Wait()
	s.hub.close()
	s.decisions.flush(s.now(), true)
	s.auditRefusals(context.Background())
}

func (s *Service) sweeper(ctx context.Context) {
	defer s.done.Done()
	t := time.NewTicker(s.cfg.SweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.Sweep(ctx)
		}
	}
}

// Sweep decides again about watches whose session's time seems to be over, and
// writes out collapsed log lines and the audit rows of refusals, and tries again
// what lists were not told of. The sweeper calls it; tests may too.
func (s *Service) Sweep(ctx context.Context) {
	now := s.now()
	for _, w := range s.hub.expired(now) {
		s.recheck(ctx, w)
	}
	s.decisions.flush(now, false)
	s.auditRefusals(ctx)
	s.hub.worker.again()
}

// Resolve turns a credential into a principal, for those who have no
// transaction of their own. "" is nobody. Errors: unauthenticated, session_expired.
func (s *Service) Resolve(ctx context.Context, credential string) (p chat.Principal, err error) {
	err = s.view(ctx, func(r storage.Reader) (err error) {
		p, err = s.auth.Resolve(r, credential)
		return err
	})
	return p, err
}

func (s *Service) now() int64 { return s.cfg.Now().UnixMilli() }

// view and update run a transaction and give its errors codes.
func (s *Service) view(ctx context.Context, f func(storage.Reader) error) error {
	return coded(s.storage.View(ctx, f))
}

func (s *Service) update(ctx context.Context, f func(storage.Writer) error) error {
	return coded(s.storage.Update(ctx, f))
}

// coded gives storage's errors the codes callers can act on. Everything else
// stays as it is; the gateway calls it internal and logs it.
func coded(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*chat.Error](err); ok {
		return err
	}
	e := auth.Told(err)
	if e == nil && errors.Is(err, storage.ErrConflict) {
		e = chat.Errorf(chat.CodeConflict, "This was already done differently")
	}
	if e == nil {
		return err
	}
	return &codedError{e, err}
}

// codedError is an error with a code that keeps its cause for operators.
type codedError struct {
	told  *chat.Error
	cause error
}

func (e *codedError) Error() string   { return e.told.Error() + ": " + e.cause.Error() }
func (e *codedError) Unwrap() []error { return []error{e.told, e.cause} }

func randomID(prefix string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return chat.EncodeID(prefix, b)
}
