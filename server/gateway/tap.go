package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Sizes of a socket's buffers. The library keeps what Hijack returns for the
// socket's life; net/http's are 4 KiB each way.
const (
	readBuffer  = 512
	writeBuffer = 1024
	// sendBuffer is the kernel's, per socket; it takes twice as much. Left alone
	// it takes 4 MiB for a peer that does not read, beside the queue's bound, and
	// so long such a peer passes for a good one.
	sendBuffer = 128 << 10
)

// tap is the network connection as the library sees it. It counts what is read,
// because the library handles control frames and empty fragments by itself. It
// writes nothing after a close frame: the library answers the peer's close with
// one also where it has sent its own, and a browser calls that an error.
type tap struct {
	net.Conn
	bytes *rate.Limiter // one token per KiB; nil for no limit
	since int           // bytes not yet counted; guarded by the library's lock for reading
	over  atomic.Bool
	sent  outgoing // guarded by the library's lock for writing
}

// Write implements net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	n := t.sent.upToClose(p)
	if n == 0 {
		return len(p), nil
	}
	if m, err := t.Conn.Write(p[:n]); err != nil {
		return m, err
	}
	return len(p), nil
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

func (o *outgoing) length() uint64 {
	switch o.header[1] {
	case 126:
		return uint64(binary.BigEndian.Uint16(o.header[2:4]))
	case 127:
		return binary.BigEndian.Uint64(o.header[2:10])
	}
	return uint64(o.header[1])
}

var errTooFast = errors.New("the peer sends faster than it may")

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if t.bytes == nil {
		return n, err
	}
	for t.since += n; t.since >= 1024; t.since -= 1024 {
		if !t.bytes.Allow() {
			t.over.Store(true)
			return 0, errTooFast
		}
	}
	return n, err
}

// flooded tells whether the peer sent faster than it may.
func (t *tap) flooded() bool { return t.over.Load() }

// hijacker hands out a tap and small buffers in place of the server's.
type hijacker struct {
	http.ResponseWriter
	limit Rate
	tap   *tap
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
	h.tap = &tap{Conn: raw, bytes: h.limit.limiter()}
	r := bufio.NewReaderSize(h.tap, readBuffer)
	if n := old.Reader.Buffered(); n > 0 {
		// Frames that came with the handshake. The library moves what is buffered
		// out of the reader it gets, so they must be in its buffer.
		early := make([]byte, n)
		if _, err := io.ReadFull(old.Reader, early); err != nil {
			raw.Close()
			return nil, nil, err
		}
		r = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), h.tap), max(readBuffer, n))
		r.Peek(n)
	}
	w := bufio.NewWriterSize(h.tap, writeBuffer)
	setUserTimeout(raw)
	if c, ok := raw.(*net.TCPConn); ok {
		c.SetWriteBuffer(sendBuffer)
	}
	return h.tap, bufio.NewReadWriter(r, w), nil
}
