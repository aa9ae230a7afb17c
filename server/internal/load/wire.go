//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is the client's end of one WebSocket: a connection, a small reader, and
// writes that are masked and sent at once. One goroutine reads; any may send.
type wire struct {
	net.Conn
	r   *bufio.Reader
	mu  sync.Mutex // guards buf and the order of writes
	buf []byte
	in  []byte // the reader's
}

// dial opens a WebSocket from one of the loopback addresses, numbered by from.
func dial(addr, path string, from int) (*wire, error) {
	d := net.Dialer{
		Timeout: 30 * time.Second,
		// 28,000 ports an address; eight addresses are plenty.
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+from%8))},
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, port); err != nil {
		c.Close()
		return nil, err
	}
	r := bufio.NewReaderSize(c, 2048)
	status, err := r.ReadString('\n')
	for line := status; err == nil && line != "\r\n"; {
		line, err = r.ReadString('\n')
	}
	if err == nil && !strings.Contains(status, " 101 ") {
		err = fmt.Errorf("the upgrade was answered %q", strings.TrimSpace(status))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return &wire{Conn: c, r: r}, nil
}

// send writes one text message.
func (w *wire) send(message []byte) error { return w.frame(1, message) }

func (w *wire) frame(op byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := append(w.buf[:0], 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	// A mask of zeros is a mask: the server's work is the same.
	b = append(b, 0, 0, 0, 0)
	b = append(b, payload...)
	_, err := w.Write(b)
	if w.buf = b; cap(b) > 4096 {
		w.buf = nil
	}
	return err
}

var errClosed = errors.New("the server closed the connection")

// receive returns the next text message, good until the next call.
func (w *wire) receive() ([]byte, error) {
	w.in = w.in[:0]
	for {
		var h [8]byte
		if _, err := io.ReadFull(w.r, h[:2]); err != nil {
			return nil, err
		}
		fin, op, n := h[0]&0x80 != 0, h[0]&0xf, uint64(h[1]&0x7f)
		switch n {
		case 126:
			if _, err := io.ReadFull(w.r, h[:2]); err != nil {
				return nil, err
			}
			n = uint64(binary.BigEndian.Uint16(h[:2]))
		case 127:
			if _, err := io.ReadFull(w.r, h[:8]); err != nil {
				return nil, err
			}
			n = binary.BigEndian.Uint64(h[:8])
		}
		at := len(w.in)
		w.in = append(w.in, make([]byte, n)...)
		if _, err := io.ReadFull(w.r, w.in[at:]); err != nil {
			return nil, err
		}
		switch op {
		case 8:
			code := uint16(0)
			if n >= 2 {
				code = binary.BigEndian.Uint16(w.in[at:])
			}
			return nil, fmt.Errorf("%w with code %d", errClosed, code)
		case 9:
			if err := w.frame(10, w.in[at:]); err != nil {
				return nil, err
			}
			w.in = w.in[:at]
			continue
		case 10:
			w.in = w.in[:at]
			continue
		}
		if fin {
			return w.in, nil
		}
	}
}
