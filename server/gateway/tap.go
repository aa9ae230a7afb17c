package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"anteroom/store/protocol"
)

// Sizes of a socket's buffers. The library keeps what Hijack returns for the
// socket's life; net/http's are 4 KiB each way. The tap puts a frame together
// before it is written, so the library's buffer need not hold one.
const (
	readBuffer  = 512
	writeBuffer = 64
	// sendBuffer is the kernel's, per socket; it takes twice as much. Left alone
	// it takes 4 MiB for a peer that does not read, beside the queue's bound, and
	// so long such a peer passes for a good one.
	sendBuffer = 128 << 10
)

// maxOwed is how much a tap owes the network at most. The queue hands over one
// message and waits until it is paid, and the library adds a control frame now
// and then, so it is a second lock to a door that is closed.
const maxOwed = protocol.MaxServerMessage + 64<<10

// tap is the network connection as the library sees it. It counts what is read,
// bytes and frames, because the library handles control frames and fragments by
// itself: a pong is written for every ping before anybody here hears of it. It
// writes nothing after a close frame: the library answers the peer's close with
// one also where it has sent its own, and a browser calls that an error.
//
// Write does not wait for the peer: what the system does not take at once is
// owed, and a goroutine that exists only then writes it.
type tap struct {
	net.Conn
	limits *Limits
	over   atomic.Pointer[string] // the limit that the peer has gone over

	// Guarded by the library's lock for reading.
	early   []byte        // came with the handshake, and is read first
	bytes   *rate.Limiter // one token per KiB; nil for no limit
	since   int           // bytes not yet counted
	control *rate.Limiter // nil before the first frame that it counts
	got     incoming
	within  atomic.Bool // a message has begun: what is read has a deadline
	timed   atomic.Bool // the deadline is set

	// Guarded by the library's lock for writing.
	direct syscall.RawConn // nil where a write can't be tried
	sent   outgoing
	frame  *[]byte // the beginning of a frame under way

	mu   sync.Mutex
	debt *debt // nil where nothing is owed
	err  error // of writing what was owed
}

// debt is what a tap owes.
type debt struct {
	bytes []byte
	began time.Time
	paid  chan struct{}                       // closed when it is over
	after func(took time.Duration, err error) // called once then; may be nil
}

var errOwed = errors.New("the peer does not read")

// Write implements net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	n := t.sent.upToClose(p)
	if n == 0 {
		return len(p), nil
	}
	out := p[:n]
	if t.frame != nil || !t.sent.between() {
		if t.frame == nil {
			t.frame = batches.Get().(*[]byte)
			*t.frame = (*t.frame)[:0]
		}
		*t.frame = append(*t.frame, out...)
		if !t.sent.between() {
			return len(p), nil
		}
		out = *t.frame
		defer func(b *[]byte) {
			if cap(*b) <= maxBatch {
				batches.Put(b)
			}
		}(t.frame)
		t.frame = nil
	}
	if err := t.send(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes what can be written at once and owes the rest. Its lock is held
// over a write that never waits.
func (t *tap) send(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if t.debt == nil {
		n, err := t.attempt(p)
		if err != nil || n == len(p) {
			return err
		}
		t.debt = &debt{began: time.Now(), paid: make(chan struct{})}
		p = p[n:]
		defer func() { go t.pay(t.debt) }() // owned by the conn: ends with the connection, and settled waits for it
	}
	if len(t.debt.bytes)+len(p) > maxOwed {
		return errOwed
	}
	t.debt.bytes = append(t.debt.bytes, p...)
	return nil
}

// attempt is a write that is tried. Its function is made once, not for each write.
type attempt struct {
	p   []byte
	n   int
	err error
	run func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.run = func(fd uintptr) bool {
		a.n, a.err = tryWrite(fd, a.p)
		return true // whatever came of it: do not wait
	}
	return a
}}

// attempt writes as much as the system takes without waiting.
func (t *tap) attempt(p []byte) (int, error) {
	if t.direct == nil {
		return 0, nil
	}
	a := attempts.Get().(*attempt)
	a.p, a.n, a.err = p, 0, nil
	err := t.direct.Write(a.run)
	if err == nil {
		err = a.err
	}
	n := a.n
	a.p = nil
	attempts.Put(a)
	return n, err
}

// pay writes what is owed.
func (t *tap) pay(d *debt) {
	t.mu.Lock()
	var err error
	for err == nil && len(d.bytes) > 0 {
		p := d.bytes
		d.bytes = nil
		t.mu.Unlock()
		t.Conn.SetWriteDeadline(time.Now().Add(t.limits.Write))
		_, err = t.Conn.Write(p)
		t.mu.Lock()
	}
	if err == nil {
		// Attempts have no deadline.
		err = t.Conn.SetWriteDeadline(time.Time{})
	}
	t.debt, t.err = nil, err
	after := d.after
	t.mu.Unlock()
	close(d.paid)
	if after != nil {
		after(time.Since(d.began), err)
	}
}

// owes tells whether something is owed, or was and could not be written.
func (t *tap) owes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.debt != nil || t.err != nil
}

// then has f called once nothing is owed any more, and tells whether it will be.
// Where something was owed and could not be written meanwhile, it gives the error.
func (t *tap) then(f func(time.Duration, error)) (later bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.debt == nil {
		return false, t.err
	}
	t.debt.after = f
	return true, nil
}

// settled waits until nothing is owed any more.
func (t *tap) settled() {
	t.mu.Lock()
	d := t.debt
	t.mu.Unlock()
	if d != nil {
		<-d.paid
	}
}

// outgoing follows the frames that are written, however they are cut.
type outgoing struct {
	header [10]byte // of the frame under way
	have   int      // bytes of the header so far
	rest   uint64   // bytes of the payload still to come
	closed bool     // a close frame is complete
}

// upToClose takes bytes that are to be written and tells how many may be:
// nothing follows a close frame.
func (o *outgoing) upToClose(p []byte) int {
	for i := 0; i < len(p); {
		if o.closed {
			return i
		}
		if o.rest > 0 {
			n := min(o.rest, uint64(len(p)-i))
			o.rest -= n
			i += int(n)
		} else {
			o.header[o.have] = p[i]
			o.have++
			i++
			if o.have < o.size() {
				continue
			}
			o.rest = o.length()
		}
		if o.rest == 0 {
			o.closed = o.header[0]&0xf == 8
			o.have = 0
		}
	}
	return len(p)
}

// size is how long the header will be, as far as that can be told. A server's
// frames carry no mask.
func (o *outgoing) size() int {
	switch {
	case o.have < 2 || o.header[1] < 126:
		return 2
	case o.header[1] == 126:
		return 4
	}
	return 10
}

// between tells whether no frame is under way.
func (o *outgoing) between() bool { return o.have == 0 && o.rest == 0 }

func (o *outgoing) length() uint64 {
	switch o.header[1] {
	case 126:
		return uint64(binary.BigEndian.Uint16(o.header[2:4]))
	case 127:
		return binary.BigEndian.Uint64(o.header[2:10])
	}
	return uint64(o.header[1])
}

// incoming follows the frames that are read, however they are cut.
type incoming struct {
	header [14]byte // of the frame under way
	have   int      // bytes of the header so far
	rest   uint64   // bytes of the payload still to come
}

// count takes bytes that were read and tells how many control frames and
// fragments after the first begin in them: what the library answers or waits for
// without a word to us.
func (in *incoming) count(p []byte) (n int) {
	for len(p) > 0 {
		if in.rest > 0 {
			skip := min(in.rest, uint64(len(p)))
			in.rest -= skip
			p = p[skip:]
			continue
		}
		in.header[in.have] = p[0]
		in.have++
		p = p[1:]
		if in.have < in.size() {
			continue
		}
		if op := in.header[0] & 0xf; op == 0 || op >= 8 {
			n++
		}
		switch length := in.header[1] & 0x7f; length {
		case 126:
			in.rest = uint64(binary.BigEndian.Uint16(in.header[2:4]))
		case 127:
			in.rest = binary.BigEndian.Uint64(in.header[2:10])
		default:
			in.rest = uint64(length)
		}
		in.have = 0
	}
	return n
}

// size is how long the header will be, as far as that can be told.
func (in *incoming) size() int {
	n := 2
	if in.have < 2 {
		return n
	}
	switch in.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if in.header[1]&0x80 != 0 {
		n += 4 // the mask
	}
	return n
}

var errTooFast = errors.New("the peer sends faster than it may")

// Names of the limits that end the reading.
var (
	limitFrames  = "frames-socket"
	limitKiB     = "kib-socket"
	limitControl = "control-socket"
)

// Read implements net.Conn. What goes over a limit is not handed on, and
// nothing is after it.
func (t *tap) Read(p []byte) (int, error) {
	if t.over.Load() != nil {
		return 0, errTooFast
	}
	if t.within.Load() && !t.timed.Swap(true) {
		t.SetReadDeadline(time.Now().Add(t.limits.Message))
	}
	var n int
	var err error
	if len(t.early) > 0 {
		n = copy(p, t.early)
		if t.early = t.early[n:]; len(t.early) == 0 {
			t.early = nil
		}
	} else {
		n, err = t.Conn.Read(p)
	}
	if t.bytes != nil {
		for t.since += n; t.since >= 1024; t.since -= 1024 {
			if !t.bytes.Allow() {
				return 0, t.tooFast(&limitKiB)
			}
		}
	}
	if extra := t.got.count(p[:n]); extra > 0 && t.limits.Control.Burst >= 0 {
		if t.control == nil {
			t.control = t.limits.Control.limiter()
		}
		if !t.control.AllowN(time.Now(), extra) {
			return 0, t.tooFast(&limitControl)
		}
	}
	return n, err
}

// tooFast ends the reading.
func (t *tap) tooFast(limit *string) error {
	t.over.Store(limit)
	return errTooFast
}

// flooded names the limit of those above that the peer has gone over; "" for none.
func (t *tap) flooded() string {
	if limit := t.over.Load(); limit != nil {
		return *limit
	}
	return ""
}

// hijacker hands out a tap and small buffers in place of the server's.
type hijacker struct {
	http.ResponseWriter
	limits *Limits
	tap    *tap
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, old, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := old.Flush(); err != nil {
		raw.Close()
		return nil, nil, err
	}
	h.tap = &tap{Conn: raw, limits: h.limits, direct: direct(raw), bytes: h.limits.ReadBytes.limiter()}
	r := bufio.NewReaderSize(h.tap, readBuffer)
	if n := old.Reader.Buffered(); n > 0 {
		h.tap.early = make([]byte, n)
		if _, err := io.ReadFull(old.Reader, h.tap.early); err != nil {
			raw.Close()
			return nil, nil, err
		}
	}
	w := bufio.NewWriterSize(h.tap, writeBuffer)
	setUserTimeout(raw)
	if c, ok := raw.(*net.TCPConn); ok {
		c.SetWriteBuffer(sendBuffer)
	}
	return h.tap, bufio.NewReadWriter(r, w), nil
}
