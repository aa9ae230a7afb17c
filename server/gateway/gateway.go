package gateway

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/store/chat"
)

// Config says what a Gateway is made of. Rooms, Auth and PublicURL must be set;
// the zero value of every other field is a sound default.
type Config struct {
	Rooms     *rooms.Service
	Auth      *auth.Service
	PublicURL *url.URL // the only origin that may open a socket or call the API, and the only host
	// Ready tells whether what the server stands on works: /readyz asks. Always.
	Ready func(context.Context) error
	// TrustedProxies are whose X-Forwarded-For counts; nobody's.
	TrustedProxies []netip.Prefix
	Limits         Limits           // DefaultLimits
	Log            *slog.Logger     // discards
	Now            func() time.Time // time.Now; deadlines of sockets use the real clock
	Observe        Observer         // nobody
	Version        string           // what the OpenAPI document says
}

// Gateway is the HTTP API and the WebSocket. It is safe for concurrent use.
type Gateway struct {
	rooms   *rooms.Service
	auth    *auth.Service
	ready   func(context.Context) error
	door    door
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	observe Observer
	version string
	handler http.Handler

	requests, principalRequests         *table
	logIns, failedLogIns, accountLogIns *table
	guestSessions                       *table
	guestRooms, userRooms, addressRooms *table
	userSends, guestSends               *table
	byAddress, pending, byPrincipal     *counts
	connections                         *counts

	flusher  *flusher
	desks    desks
	wheel    wheel
	headless time.Time      // until when beats carry no heads; the wheel's goroutine's
	readers  sync.WaitGroup // the sockets' readers, and the wheel
	stop     func()         // ends the wheel
	ctx      context.Context
	shared   atomic.Pointer[sharedDeadline]

	mu    sync.Mutex
	conns map[*conn]struct{}
	bye   bool // Drain has begun: no new sockets
}

// New makes a gateway. Until Drain it runs one goroutine that beats for all
// sockets, and a few that write for them.
func New(c Config) *Gateway {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = unobserved{}
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	l := c.Limits.withDefaults()
	g := &Gateway{
		rooms: c.Rooms, auth: c.Auth, ready: c.Ready, door: newDoor(c.PublicURL, c.TrustedProxies),
		limits: l, log: c.Log, now: c.Now, observe: c.Observe, version: c.Version,

		requests:          newTable("requests", l.Requests),
		principalRequests: newTable("requests", l.PrincipalRequests),
		logIns:            newTable("log-ins", l.LogIns),
		failedLogIns:      newTable("failed log-ins", l.FailedLogIns),
		accountLogIns:     newTable("failed log-ins", l.AccountLogIns),
		guestSessions:     newTable("new guests", l.GuestSessions),
		guestRooms:        newTable("new rooms", l.GuestRooms),
		userRooms:         newTable("new rooms", l.UserRooms),
		addressRooms:      newTable("new rooms", l.AddressRooms),
		userSends:         newTable("messages", l.UserSends),
		guestSends:        newTable("messages", l.GuestSends),
		connections:       newCounts(l.Connections),
		byAddress:         newCounts(l.AddressSockets),
		pending:           newCounts(l.PendingSockets),
		byPrincipal:       newCounts(l.Sockets),

		conns: make(map[*conn]struct{}),
	}
	for name, t := range map[string]*table{
		"requests-address": g.requests, "requests-principal": g.principalRequests,
		"logins-address": g.logIns, "failed-logins-address": g.failedLogIns, "failed-logins-account": g.accountLogIns,
		"guest-sessions-address": g.guestSessions,
		"rooms-guest":            g.guestRooms, "rooms-user": g.userRooms, "rooms-address": g.addressRooms,
		"messages-user": g.userSends, "messages-guest": g.guestSends,
	} {
		t.hit = func() { c.Observe.Limited(name) }
	}
	for name, n := range map[string]*counts{"connections-address": g.connections, "sockets-address": g.byAddress, "sockets-pending": g.pending, "sockets-principal": g.byPrincipal} {
		n.hit = func() { c.Observe.Limited(name) }
	}
	g.handler = g.mux()
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.flusher = newFlusher(runtime.GOMAXPROCS(0)) // Drain stops it
	g.readers.Add(1)
	go func() { // owned by g: Drain stops it and waits
		defer g.readers.Done()
		g.wheel.run(g.ctx, l.Beat, g.beat)
	}()
	return g
}

// Handler serves /api/…, /ws, /healthz and /readyz.
func (g *Gateway) Handler() http.Handler { return g.handler }

// Sockets is how many sockets are open.
func (g *Gateway) Sockets() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// deadline is the context of one frame. It does not end with the socket: what a
// peer asked for before it left is finished. Frames share one for a while, since
// each of its own costs as much as decoding the frame: the time is Limits.Request
// and up to an eighth more.
func (g *Gateway) deadline() context.Context {
	now := now()
	if s := g.shared.Load(); s != nil && now < s.until {
		return s.ctx
	}
	spread := g.limits.Request / 8
	ctx, cancel := context.WithTimeout(context.Background(), g.limits.Request+spread)
	g.shared.Store(&sharedDeadline{ctx, cancel, now + moment(spread)})
	return ctx
}

// sharedDeadline is the context of the frames that come until a moment.
type sharedDeadline struct {
	ctx    context.Context
	cancel func() // never called: ctx ends by itself
	until  moment
}

// beat beats for one socket. Where storage does not answer in time, sockets hear
// for a while that the server is there and nothing of heads: one slow answer
// must not keep the others' beats.
func (g *Gateway) beat(c *conn) {
	now := time.Now()
	if now.Before(g.headless) {
		c.beat(nil)
		return
	}
	ctx, cancel := context.WithTimeout(g.ctx, time.Second)
	defer cancel()
	heads := c.watch.Heads(ctx)
	if ctx.Err() != nil {
		g.headless = now.Add(g.limits.Beat / 4)
	}
	c.beat(heads)
}

// touch keeps a session from running idle. It may fail: a full disk must not
// keep anybody from reading.
func (g *Gateway) touch(ctx context.Context, p chat.Principal, id string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := g.auth.Touch(ctx, p); err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "touch failed", slog.String("request", id), slog.Any("err", err))
	}
}

func (g *Gateway) draining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bye
}

// farewell is the goodbye of a drain: clients come back spread over its time.
func (g *Gateway) farewell() *chat.Error {
	err := chat.Errorf(chat.CodeShutdown, "The server is restarting")
	err.RetryAfter = time.Millisecond + rand.N(g.limits.Drain)
	return err
}

// Drain ends all sockets: no new ones, requests under way are finished and
// answered, then each client hears when to come back (shutdown, close 4003). It
// returns once all are gone; when ctx ends or Limits.Drain is over, it cuts those
// that are left and returns ctx's error or nil. The API answers shutdown from then on.
func (g *Gateway) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.bye = true
	g.mu.Unlock()
	g.stop()
	for _, c := range g.open() {
		c.finish(g.farewell())
	}
	done := make(chan struct{})
	go func() { // ends with the last reader; those are cut below at the latest
		g.readers.Wait()
		close(done)
	}()
	late := time.NewTimer(g.limits.Drain)
	defer late.Stop()
	var err error
	select {
	case <-done:
		g.rest()
		return nil
	case <-late.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	for _, c := range g.open() {
		c.abort()
		c.raw.Close()
	}
	<-done
	g.rest()
	return err
}

// open lists the open sockets.
func (g *Gateway) open() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.conns))
}

// rest ends what worked for the sockets, once all are gone.
func (g *Gateway) rest() {
	g.desks.stop()
	g.flusher.stop()
}
