//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/client"
	"anteroom/store/protocol"
)

const (
	password = "correct horse battery"
	vendor   = "maple-pottery"
)

// bot is one visitor or member of staff: the store as the browser runs it, on a
// real socket, with a journal.
type bot struct {
	t      testing.TB
	name   string
	vendor string // of a guest
	tag    string // canary of what it writes
	may    map[string]bool

	dialed func() // told of every try to connect; may be nil
	client *client.Client
	page   page
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex // guards what follows
	room     chat.RoomID
	sent     map[chat.ClientID]string // accepted by the client → text
	acked    map[chat.ClientID]int64
	shown    map[int64]said // everything a view ever showed
	byID     map[chat.ClientID]int64
	lastHead int64
	lastLen  int
	faults   []string

	written atomic.Int64
	welcome atomic.Int64 // Unix nanoseconds of the last welcome
}

// said is what matters of an event.
type said struct {
	sender chat.Identity
	cmid   chat.ClientID
	text   string
}

func (b *bot) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blame(format, args...)
}

func (b *bot) blame(format string, args ...any) {
	if len(b.faults) < 20 {
		b.faults = append(b.faults, b.name+": "+fmt.Sprintf(format, args...))
	}
}

// page is the page around a bot: somebody looks at it now and then.
type page struct {
	mu   sync.Mutex
	post func(store.Fact)
}

func (p *page) Online() bool { return true }

func (p *page) Listen(post func(store.Fact)) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.post = post
	return func() {}
}

// look is the visitor who returns to the page: the client tries again at once.
func (p *page) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.post != nil {
		p.post(store.VisibilityChanged{Visible: true})
	}
}

// tap dials sockets whose frames go into a bot's journal.
type tap struct {
	client.Dialer
	b *bot
}

func (d tap) Dial(ctx context.Context, url string) (client.Socket, error) {
	if d.b.dialed != nil {
		d.b.dialed()
	}
	s, err := d.Dialer.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	return tapped{s, d.b}, nil
}

type tapped struct {
	client.Socket
	b *bot
}

func (s tapped) Read(ctx context.Context) ([]byte, error) {
	m, err := s.Socket.Read(ctx)
	if err == nil {
		s.b.received(m)
	}
	return m, err
}

var canary = regexp.MustCompile(`zk[0-9a-f]{16}`)

// received notes what came from the server: acks, and canaries of rooms that
// are none of the bot's.
func (b *bot) received(m []byte) {
	for _, c := range canary.FindAll(m, -1) {
		if !b.may[string(c)] {
			b.fault("X: got %s of a room it may not read", c)
		}
	}
	frames, err := protocol.DecodeServer(m)
	if err != nil {
		b.fault("malformed message: %v", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range frames {
		if f.Welcome != nil {
			b.welcome.Store(time.Now().UnixNano())
		}
		if a := f.Ack; a != nil {
			if old, ok := b.acked[a.ClientID]; ok && old != a.Seq {
				b.blame("L: %s was acknowledged as %d, then as %d", a.ClientID, old, a.Seq)
			}
			b.acked[a.ClientID] = a.Seq
		}
	}
}

// look checks a view: what it shows is dense, rising, never changes, and holds
// nothing twice.
func (b *bot) look(v *store.View) {
	r := v.Room
	if r == nil || !r.Loaded {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.room == "" {
		b.room = v.CurrentRoom
	}
	if v.CurrentRoom != b.room {
		b.blame("shows room %s, not %s", v.CurrentRoom, b.room)
		return
	}
	events := r.Timeline.Events
	if head := r.Timeline.Head; head < b.lastHead {
		b.blame("O: the view went back from %d to %d", b.lastHead, head)
	} else if head != b.lastHead || len(events) != b.lastLen {
		b.lastHead, b.lastLen = head, len(events)
		for i, e := range events {
			if want := head - int64(len(events)-1-i); e.Seq != want {
				b.blame("O: seq %d stands where %d should", e.Seq, want)
			}
			is := said{e.Sender, e.ClientID, e.Text}
			if was, ok := b.shown[e.Seq]; ok {
				if was != is {
					b.blame("O: event %d was %v and is %v", e.Seq, was, is)
				}
				continue
			}
			b.shown[e.Seq] = is
			if e.ClientID != "" {
				if old, ok := b.byID[e.ClientID]; ok {
					b.blame("D: %s is shown as %d and as %d", e.ClientID, old, e.Seq)
				}
				b.byID[e.ClientID] = e.Seq
			}
		}
	}
	for _, p := range r.Pending {
		if seq, ok := b.byID[p.ClientID]; ok && len(events) > 0 && seq >= events[0].Seq && seq <= r.Timeline.Head {
			b.blame("D: %s is shown as %d and as pending", p.ClientID, seq)
		}
		if p.State == store.Failed {
			b.blame("L: %s failed for good: %v", p.ClientID, p.Error)
		}
	}
}

// newBot makes a bot that is not running.
func newBot(t testing.TB, name, tag string, may ...string) *bot {
	b := &bot{
		t: t, name: name, tag: tag, may: map[string]bool{tag: true}, done: make(chan struct{}),
		sent: map[chat.ClientID]string{}, acked: map[chat.ClientID]int64{}, shown: map[int64]said{}, byID: map[chat.ClientID]int64{},
	}
	for _, m := range may {
		b.may[m] = true
	}
	return b
}

// run starts the bot's client on a surface; stop ends it.
func (b *bot) run(s chat.Surface, hc *http.Client) {
	env := client.Native(s)
	env.Dialer = tap{client.Sockets{Client: hc}, b}
	env.Caller = client.HTTP{Client: hc}
	env.Events = &b.page
	b.client = client.New(client.Config{URL: publicURL, Surface: s, Page: "/"}, env)
	b.client.Subscribe(b.look)
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() { // ends with stop
		defer close(b.done)
		_ = b.client.Run(ctx)
	}()
}

func (b *bot) stop() {
	b.cancel()
	<-b.done
}

// write asks the client to send one message.
func (b *bot) write() {
	n := b.written.Add(1)
	id := chat.ClientID(fmt.Sprintf("%s-%d", b.name, n))
	text := fmt.Sprintf("%s %s wrote %d", b.tag, b.name, n)
	b.mu.Lock()
	b.sent[id] = text
	room := b.room
	b.mu.Unlock()
	in := store.SendMessage{Room: room, Text: text, ClientID: id}
	if room == "" {
		in.Vendor = b.vendor
	}
	b.client.Do(in)
}

// chatter writes at random moments until ctx ends; nothing is written while
// much waits.
func (b *bot) chatter(ctx context.Context, every time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every/2 + rand.N(every)):
		}
		if v := b.client.View(); v.Room != nil && len(v.Room.Pending) < 20 {
			b.write()
		}
	}
}

// journal returns copies of what the bot noted.
func (b *bot) journal() (room chat.RoomID, sent map[chat.ClientID]string, acked map[chat.ClientID]int64, shown map[int64]said, faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.room, clone(b.sent), clone(b.acked), clone(b.shown), append([]string(nil), b.faults...)
}

func clone[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// settled tells whether nothing of the bot's waits any more.
func (b *bot) settled() bool {
	v := b.client.View()
	return v.Connection == store.Online && v.Room != nil && v.Room.Loaded && len(v.Room.Pending) == 0
}
