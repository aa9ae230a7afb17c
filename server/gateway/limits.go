package gateway

import (
	"log"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"anteroom/store/chat"
)

// Rate allows Burst at once and then one per Every. A negative Burst is no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// Unlimited is the Rate without a limit.
var Unlimited = Rate{Burst: -1}

// Limits are the bounds of what one party can ask for. Zero fields have the
// defaults of DefaultLimits; a negative number or duration is no limit.
type Limits struct {
	Requests          Rate // HTTP requests of one address
	PrincipalRequests Rate // HTTP requests of one principal
	LogIns            Rate // log-ins of one address, good and bad
	FailedLogIns      Rate // failed log-ins of one address
	AccountLogIns     Rate // failed log-ins of one account, from anywhere
	GuestSessions     Rate // guest sessions made from one address
	GuestRooms        Rate // rooms created by one guest
	UserRooms         Rate // rooms created by one user
	AddressRooms      Rate // rooms created from one address
	UserSends         Rate // messages of one user
	GuestSends        Rate // messages of one guest
	Frames            Rate // frames of one socket
	ReadBytes         Rate // bytes read from one socket; Every is the time of one KiB, Burst counts KiB
	Control           Rate // pings, pongs and fragments of one socket, which are handled below our frames

	Connections    int // HTTP connections of one address, trusted proxies excepted; Bound applies it
	Sockets        int // of one principal
	AddressSockets int // of one address
	PendingSockets int // of one address, that have not said a good hello yet
	QueueFrames    int // frames waiting for one socket
	QueueBytes     int // bytes waiting for one socket

	Hello   time.Duration // from the upgrade to hello
	Message time.Duration // from a message's first byte to its last
	Write   time.Duration // of one message to a socket
	Beat    time.Duration // between two beats
	Request time.Duration // of one HTTP request or frame
	Drain   time.Duration // of Drain, and the spread of its retry hints

	// Of the HTTP server that serves Handler; Server sets them.
	Header time.Duration // from the first to the last byte of a request's header
	Body   time.Duration // from the first byte of a request to the last of its body
	Answer time.Duration // from the end of the header to the last byte of the answer
	Idle   time.Duration // of a connection between two requests
}

// DefaultLimits are the documented defaults. An office of 50 people behind one
// address is served by them (TestOfficeBehindOneAddress).
var DefaultLimits = Limits{
	Requests:          Rate{50 * time.Millisecond, 1200},
	PrincipalRequests: Rate{200 * time.Millisecond, 300},
	LogIns:            Rate{time.Second, 120},
	FailedLogIns:      Rate{15 * time.Second, 20},
	AccountLogIns:     Rate{90 * time.Second, 10},
	GuestSessions:     Rate{time.Minute, 60},
	GuestRooms:        Rate{time.Hour, 12},
	UserRooms:         Rate{10 * time.Minute, 60},
	AddressRooms:      Rate{5 * time.Minute, 150},
	UserSends:         Rate{time.Second, 10},
	GuestSends:        Rate{time.Second, 5},
	Frames:            Rate{500 * time.Millisecond, 60},
	ReadBytes:         Rate{time.Second / 32, 512},
	Control:           Rate{500 * time.Millisecond, 120},

	Connections:    1000,
	Sockets:        20,
	AddressSockets: 300,
	PendingSockets: 100,
	QueueFrames:    256,
	QueueBytes:     1 << 20,

	Hello:   5 * time.Second,
	Message: 15 * time.Second,
	Write:   10 * time.Second,
	Beat:    25 * time.Second,
	Request: 15 * time.Second,
	Drain:   10 * time.Second,

	Header: 5 * time.Second,
	Body:   20 * time.Second,
	Answer: 30 * time.Second,
	Idle:   75 * time.Second,
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	for _, p := range []struct {
		have *Rate
		want Rate
	}{
		{&l.Requests, d.Requests},
		{&l.PrincipalRequests, d.PrincipalRequests},
		{&l.LogIns, d.LogIns},
		{&l.FailedLogIns, d.FailedLogIns},
		{&l.AccountLogIns, d.AccountLogIns},
		{&l.GuestSessions, d.GuestSessions},
		{&l.GuestRooms, d.GuestRooms},
		{&l.UserRooms, d.UserRooms},
		{&l.AddressRooms, d.AddressRooms},
		{&l.UserSends, d.UserSends},
		{&l.GuestSends, d.GuestSends},
		{&l.Frames, d.Frames},
		{&l.ReadBytes, d.ReadBytes},
		{&l.Control, d.Control},
	} {
		if *p.have == (Rate{}) {
			*p.have = p.want
		}
	}
	for _, p := range []struct {
		have *int
		want int
	}{
		{&l.Connections, d.Connections},
		{&l.Sockets, d.Sockets},
		{&l.AddressSockets, d.AddressSockets},
		{&l.PendingSockets, d.PendingSockets},
		{&l.QueueFrames, d.QueueFrames},
		{&l.QueueBytes, d.QueueBytes},
	} {
		if *p.have == 0 {
			*p.have = p.want
		}
		if *p.have < 0 {
			*p.have = 1 << 40
		}
	}
	for _, p := range []struct {
		have *time.Duration
		want time.Duration
	}{
		{&l.Hello, d.Hello},
		{&l.Message, d.Message},
		{&l.Write, d.Write},
		{&l.Beat, d.Beat},
		{&l.Request, d.Request},
		{&l.Drain, d.Drain},
		{&l.Header, d.Header},
		{&l.Body, d.Body},
		{&l.Answer, d.Answer},
		{&l.Idle, d.Idle},
	} {
		if *p.have == 0 {
			*p.have = p.want
		}
		if *p.have < 0 {
			*p.have = 1000 * time.Hour
		}
	}
	return l
}

// maxHeader bounds the header of a request.
const maxHeader = 16 << 10

// Server is an HTTP server for h that nobody can keep busy with bytes that
// trickle. What clients do wrong goes to errors. After a request whose body came
// in chunks the connection is closed: a proxy may have seen its end elsewhere
// (RFC 9112 §6.1; net/http does not tell whether there was a Content-Length too).
func (l Limits) Server(h http.Handler, errors *log.Logger) *http.Server {
	l = l.withDefaults()
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.TransferEncoding) > 0 {
				w.Header().Set("Connection", "close")
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: l.Header,
		ReadTimeout:       l.Body,
		WriteTimeout:      l.Answer,
		IdleTimeout:       l.Idle,
		MaxHeaderBytes:    maxHeader - 4<<10, // net/http adds 4 KiB
		ErrorLog:          errors,
	}
}

// limiter makes the library's limiter, nil where there is no limit.
func (r Rate) limiter() *rate.Limiter {
	if r.Burst < 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(r.Every), r.Burst)
}

const maxKeys = 1 << 16 // entries of one table

// table is a rate per key (a principal, an address), bounded: where it would
// grow beyond its size, entries that are back at their full burst go first and
// after them any. Safe for concurrent use.
type table struct {
	what string // for the message: "messages"
	rate Rate
	size int
	hit  func() // for metrics; nil: nobody counts

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

func newTable(what string, r Rate) *table {
	return &table{what: what, rate: r, size: maxKeys, limiters: make(map[string]*rate.Limiter)}
}

// take uses n of key's allowance, or returns rate_limited and uses nothing.
func (t *table) take(now time.Time, key string, n int) error {
	if t.rate.Burst < 0 || key == "" {
		return nil
	}
	l := t.limiter(now, key)
	r := l.ReserveN(now, n)
	wait := t.rate.Every
	if r.OK() {
		if wait = r.DelayFrom(now); wait <= 0 {
			return nil
		}
		r.CancelAt(now)
	}
	if t.hit != nil {
		t.hit()
	}
	return limited(t.what, wait)
}

// give returns n that were taken for something that did not happen.
func (t *table) give(now time.Time, key string, n int) {
	if t.rate.Burst >= 0 && key != "" {
		// The library has no way to give back; a negative reservation is one.
		t.limiter(now, key).AllowN(now, -n)
	}
}

func (t *table) limiter(now time.Time, key string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := t.limiters[key]; ok {
		return l
	}
	if len(t.limiters) >= t.size {
		t.shrink(now)
	}
	l := t.rate.limiter()
	t.limiters[key] = l
	return l
}

// shrink frees at least a sixteenth of the table.
func (t *table) shrink(now time.Time) {
	for key, l := range t.limiters {
		if l.TokensAt(now) >= float64(t.rate.Burst) {
			delete(t.limiters, key)
		}
	}
	for key := range t.limiters {
		if len(t.limiters) <= t.size-t.size/16-1 {
			return
		}
		delete(t.limiters, key)
	}
}

func limited(what string, wait time.Duration) error {
	err := chat.Errorf(chat.CodeRateLimited, "Too many %s; try again later", what)
	// Rounded up, and one more for the limiter's floating point: who waits so long is served.
	err.RetryAfter = wait.Truncate(time.Millisecond) + 2*time.Millisecond
	return err
}

// counts bounds how much of something each key holds at one time. Safe for
// concurrent use; keys that hold nothing take no room.
type counts struct {
	most int
	hit  func() // for metrics; nil: nobody counts

	mu sync.Mutex
	of map[string]int
}

func newCounts(most int) *counts { return &counts{most: most, of: make(map[string]int)} }

// add counts one more for key, or returns false where it holds the most already.
func (c *counts) add(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key] >= c.most {
		if c.hit != nil {
			c.hit()
		}
		return false
	}
	c.of[key]++
	return true
}

// drop undoes one add.
func (c *counts) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key]--; c.of[key] <= 0 {
		delete(c.of, key)
	}
}
