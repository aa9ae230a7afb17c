package gateway

import (
	"bufio"
	"bytes"
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
)

// tap is the network connection as the library sees it. It counts what is read,
// because the library handles control frames and empty fragments by itself.
type tap struct {
	net.Conn
	bytes *rate.Limiter // one token per KiB; nil for no limit
	since int           // bytes not yet counted; guarded by the library's lock for reading
	over  atomic.Bool
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
	return h.tap, bufio.NewReadWriter(r, w), nil
}
