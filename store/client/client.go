package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Bounds of a client's queues.
const (
	maxInputs   = 4096             // posted and not yet taken
	maxReads    = 64               // messages read and not yet taken
	maxWrites   = 256              // messages to a socket and not yet written
	maxFlush    = 32 << 10         // bytes of frames joined into one message
	callTimeout = 20 * time.Second // of an API request
	writeLimit  = 10 * time.Second // of one message to the socket
)

// Config says which chat a client is for.
type Config struct {
	URL     string // the public URL, e.g. "https://chat.example"
	Surface chat.Surface
	Page    string // path of the page where a new chat begins
	Tab     string // unique per page load; "" draws one
	// Log takes the machine's debug lines, Notify what the surroundings may want
	// to know. Both are called by Run, must not block, and may be nil.
	Log    func(message string, args ...any)
	Notify func(store.Notification)
}

// Client is a running chat store. Its methods are safe for concurrent use.
type Client struct {
	cfg Config
	env Env

	machine *store.Machine // owned by Run
	view    atomic.Pointer[store.View]

	mu      sync.Mutex // guards what follows
	inputs  []store.Input
	full    bool // the bound was reached and said
	subs    map[int]func(*store.View)
	nextSub int

	signal chan struct{} // inputs are there
	reads  chan arrival  // from the reader of the present socket

	// Owned by Run:
	socket   *link
	pending  []protocol.ClientFrame // of this batch, not yet handed to the socket
	stopWake func()
	clock    steady
	helpers  sync.WaitGroup
}

// arrival is a message of a socket, or its end.
type arrival struct {
	conn   int64
	frames []protocol.ServerFrame
	end    *store.Disconnected
}

// New returns a client that does nothing before Run.
func New(cfg Config, env Env) *Client {
	if cfg.Tab == "" {
		cfg.Tab = strings.ToLower(rand.Text())[:20]
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	c := &Client{
		cfg: cfg, env: env,
		machine: store.New(),
		subs:    map[int]func(*store.View){},
		signal:  make(chan struct{}, 1),
		reads:   make(chan arrival, maxReads),
	}
	c.view.Store(c.machine.View())
	return c
}

// Do asks for something. It never blocks; what it led to shows in the view.
func (c *Client) Do(in store.Intent) { c.post(store.Input{Intent: in}) }

// View returns the present view.
func (c *Client) View() *store.View { return c.view.Load() }

// Subscribe calls fn with every new view, from Run's goroutine, until cancel.
func (c *Client) Subscribe(fn func(*store.View)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextSub
	c.nextSub++
	c.subs[id] = fn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subs, id)
	}
}

func (c *Client) learn(f store.Fact) { c.post(store.Input{Fact: f}) }

func (c *Client) post(in store.Input) {
	c.mu.Lock()
	if len(c.inputs) >= maxInputs {
		said := c.full
		c.full = true
		c.mu.Unlock()
		if !said {
			c.log("too many inputs, some are dropped")
		}
		return
	}
	c.inputs = append(c.inputs, in)
	c.mu.Unlock()
	select {
	case c.signal <- struct{}{}:
	default:
	}
}

// Run drives the machine until ctx ends, and starts the chat with what storage
// holds. It returns after everything it started has ended, and may be called once.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer c.helpers.Wait()
	defer cancel()
	c.clock = steady{now: c.env.Clock.Now}
	stored, memory := c.env.Storage.Load()
	c.step(ctx, store.Input{Fact: store.Restored{
		Surface: c.cfg.Surface, Tab: c.cfg.Tab, Page: c.cfg.Page,
		Stored: stored, Memory: memory, Online: c.env.Events.Online(),
	}})
	defer c.env.Tabs.Listen(c.learn)()
	defer c.env.Events.Listen(c.learn)()
	c.step(ctx, store.Input{Intent: store.InitializeChat{}})
	defer func() {
		c.closeSocket()
		if c.stopWake != nil {
			c.stopWake()
		}
	}()
	for {
		c.drain(ctx)
		c.flush()
		c.publish()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.signal:
		case a := <-c.reads:
			c.take(ctx, a)
		}
	}
}

// drain takes everything that is waiting, so that one batch makes one view.
func (c *Client) drain(ctx context.Context) {
	for {
		c.mu.Lock()
		batch := c.inputs
		c.inputs, c.full = nil, false
		c.mu.Unlock()
		for _, in := range batch {
			c.step(ctx, in)
		}
		select {
		case a := <-c.reads:
			c.take(ctx, a)
			continue
		default:
		}
		if len(batch) == 0 {
			return
		}
	}
}

func (c *Client) take(ctx context.Context, a arrival) {
	for _, f := range a.frames {
		c.step(ctx, store.Input{Fact: store.Received{Conn: a.conn, Frame: f}})
	}
	if a.end != nil {
		c.step(ctx, store.Input{Fact: *a.end})
	}
}

func (c *Client) step(ctx context.Context, in store.Input) {
	in.At = c.clock.millis()
	for _, e := range c.machine.Step(in) {
		c.perform(ctx, e)
	}
}

func (c *Client) publish() {
	v := c.machine.View()
	if c.view.Swap(v) == v {
		return
	}
	c.mu.Lock()
	subs := make([]func(*store.View), 0, len(c.subs))
	for id := 0; id < c.nextSub; id++ {
		if fn := c.subs[id]; fn != nil {
			subs = append(subs, fn)
		}
	}
	c.mu.Unlock()
	for _, fn := range subs {
		fn(v)
	}
}

func (c *Client) log(message string, args ...any) {
	if c.cfg.Log != nil {
		c.cfg.Log(message, args...)
	}
}

func (c *Client) perform(ctx context.Context, e store.Effect) {
	switch e := e.(type) {
	case store.Connect:
		c.flush()
		c.closeSocket()
		c.openSocket(ctx, e)
	case store.Disconnect:
		c.flush()
		c.closeSocket()
	case store.Send:
		c.pending = append(c.pending, e.Frame)
	case store.Persist:
		if e.Remove {
			if e.Value != "" {
				if v, _ := c.env.Storage.Get(e.Key); !strings.Contains(v, e.Value) {
					return // another tab's by now
				}
			}
			c.env.Storage.Remove(e.Key)
		} else if err := c.env.Storage.Set(e.Key, e.Value); err != nil {
			c.learn(store.Persisted{Key: e.Key, Error: err.Error()})
		}
	case store.Recall:
		v, ok := c.env.Storage.Get(e.Key)
		c.learn(store.StorageChanged{Key: e.Key, Value: v, Removed: !ok})
	case store.Forget:
		c.env.Storage.Clear(func(key string) bool {
			for _, k := range e.Keep {
				if k == key || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k) {
					return true
				}
			}
			return false
		})
	case store.Wake:
		if c.stopWake != nil {
			c.stopWake()
			c.stopWake = nil
		}
		if e.At != 0 {
			d := time.Duration(e.At-c.clock.millis()) * time.Millisecond
			c.stopWake = c.env.Clock.AfterFunc(max(d, 0), func() { c.learn(store.Woken{}) })
		}
	case store.Call:
		c.call(ctx, e)
	case store.Broadcast:
		c.env.Tabs.Send(e.Auth)
	case store.Notify:
		if c.cfg.Notify != nil {
			c.cfg.Notify(e.Notification)
		}
	case store.Log:
		c.log(e.Message, e.Args...)
	}
}

// call makes an API request; the goroutine ends with its answer and is owned by Run.
func (c *Client) call(ctx context.Context, e store.Call) {
	r := Request{Method: e.Method, URL: c.cfg.URL + e.Path, Credential: e.Credential, Keepalive: e.Keepalive}
	if e.Body != nil {
		b, err := json.Marshal(e.Body)
		if err != nil {
			c.learn(store.Called{Call: e.Call, Error: chat.Errorf(chat.CodeInternal, "%v", err)})
			return
		}
		r.Body = b
	}
	c.helpers.Add(1)
	go func() {
		defer c.helpers.Done()
		if r.Keepalive {
			// A log-out is sent even when the client is being closed.
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		status, body, err := c.env.Caller.Call(ctx, r)
		c.learn(answer(e.Call, status, body, err))
	}()
}

// answer makes a fact of what came back.
func answer(call int64, status int, body []byte, err error) store.Called {
	if err != nil {
		return store.Called{Call: call, Error: chat.Errorf(chat.CodeUnavailable, "The chat can't be reached right now.")}
	}
	if status >= 200 && status < 300 {
		return store.Called{Call: call, Body: body}
	}
	var b struct {
		Error *protocol.Error `json:"error"`
	}
	if protocol.Unmarshal(body, &b) == nil && b.Error != nil && b.Error.Code != "" {
		return store.Called{Call: call, Error: &chat.Error{
			Code: b.Error.Code, Message: b.Error.Message,
			RetryAfter: time.Duration(b.Error.RetryAfterMS) * time.Millisecond, RequestID: b.Error.RequestID,
		}}
	}
	// Not our server's answer: a proxy's page, or a portal's.
	code := chat.CodeUnavailable
	for _, o := range chat.Outcomes {
		if o.Status == status && status < 500 && status != 401 && status != 403 {
			code = o.Code
			break
		}
	}
	return store.Called{Call: call, Error: chat.Errorf(code, "The chat can't be reached right now.")}
}

// steady makes Unix milliseconds that never go back: when the wall clock is
// set back, time goes on from where it was.
type steady struct {
	now    func() time.Time
	last   time.Time
	at     int64
	offset int64
}

func (s *steady) millis() int64 {
	t := s.now()
	at := t.UnixMilli() + s.offset
	if !s.last.IsZero() {
		// Sub uses the monotonic clock where there is one.
		if passed := t.Sub(s.last).Milliseconds(); at < s.at+passed-1000 || at < s.at {
			s.offset += s.at + max(passed, 0) - at
			at = s.at + max(passed, 0)
		}
	}
	s.last, s.at = t, at
	return at
}
