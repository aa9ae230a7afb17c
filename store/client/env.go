package client

import (
	"context"
	"time"

	"anteroom/store"
)

// Env is the world around a client. Every part may be replaced in tests.
type Env struct {
	Storage Storage
	Tabs    Tabs
	Dialer  Dialer
	Caller  Caller
	Clock   Clock
	Events  Events
}

// Storage keeps a surface's values. It is used by one goroutine, but may be
// shared between clients that stand for tabs of one browser.
type Storage interface {
	// Load returns the values under the surface's keys; memory tells that
	// nothing will survive the page.
	Load() (values map[string]string, memory bool)
	// Get returns what is stored under a key now.
	Get(key string) (value string, ok bool)
	// Set stores a value. On an error the value is kept in memory.
	Set(key, value string) error
	Remove(key string)
	// Clear removes every key of the surface for which keep is false, and
	// whatever else the surface left in the browser.
	Clear(keep func(key string) bool)
}

// Tabs reaches the surface's other tabs.
type Tabs interface {
	// Send tells the others by every road there is.
	Send(store.AuthSignal)
	// Listen posts AuthChanged and StorageChanged until stop is called.
	Listen(post func(store.Fact)) (stop func())
}

// Dialer opens sockets.
type Dialer interface {
	Dial(ctx context.Context, url string) (Socket, error)
}

// Socket carries text messages. Read and Write are used by one goroutine each.
type Socket interface {
	// Read returns the next message. Its error carries a close code where the
	// other side gave one: see CloseError.
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, message []byte) error
	// Close gives the socket up. It never blocks and may be called at any time.
	Close()
}

// CloseError is the end of a socket with the close code that came.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string { return "socket closed: " + e.Reason }

// Request is an API request.
type Request struct {
	Method     string
	URL        string
	Credential string // for Authorization: Bearer; "" for none
	Body       []byte // JSON; nil for none
	Keepalive  bool   // shall survive the page
}

// Caller makes API requests. An error means that no answer came.
type Caller interface {
	Call(ctx context.Context, r Request) (status int, body []byte, err error)
}

// Clock tells the time and wakes.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Events are what the page tells: network, visibility, and the values another
// tab may have written while this one slept.
type Events interface {
	Online() bool
	Listen(post func(store.Fact)) (stop func())
}
