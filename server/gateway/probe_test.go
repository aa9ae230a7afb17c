//go:build !js

package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// wsFrame is a WebSocket frame as bytes, masked with zeros.
func wsFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// rawSocket shakes hands over TCP and says a good hello.
func (w *world) rawSocket(credential string) (net.Conn, *bufio.Reader) {
	w.Helper()
	c := w.tcp()
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", strings.TrimPrefix(w.url, "http://"))
	// The first frame comes in the same segment as often as not.
	c.Write(wsFrame(0x81, []byte(hello(credential, chat.SurfaceWidget, ""))))
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	w.must(err)
	if res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Extensions") != "" {
		w.Fatalf("handshake: %d %v", res.StatusCode, res.Header)
	}
	op, payload := readFrame(r)
	if op != 1 || !bytes.Contains(payload, []byte(`"welcome"`)) {
		w.Fatalf("got %d %s", op, payload)
	}
	return c, r
}

// readFrame reads a server's frame; op is -1 at the end of the stream, and -2
// where nothing came for so long that nothing will.
func readFrame(r *bufio.Reader) (op int, payload []byte) {
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			return -2, nil
		}
		return -1, nil
	}
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		io.ReadFull(r, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		io.ReadFull(r, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	payload = make([]byte, n)
	io.ReadFull(r, payload)
	return int(h[0] & 0x0f), payload
}

// closeCode reads up to a close frame and returns its code, 0 where the stream
// ends without one. Then it hangs up.
func closeCode(t testing.TB, c net.Conn, r *bufio.Reader) int {
	t.Helper()
	defer c.Close()
	for {
		op, payload := readFrame(r)
		switch {
		case op == -2:
			t.Error("the server does not end the connection")
			return 0
		case op == -1:
			return 0
		case op == 8 && len(payload) >= 2:
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

// Broken frames end their own connection with the right code, at once, and
// without memory for what a length claims.
func TestBrokenFrames(t *testing.T) {
	w := newWorld(t, Limits{Message: 300 * time.Millisecond})
	g := w.guest()
	good := []byte(`{"id":2,"ping":{}}`)
	long := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, n) }
	unmasked := append([]byte{0x81, byte(len(good))}, good...)
	var fragments []byte
	fragments = append(fragments, wsFrame(0x01, bytes.Repeat([]byte("x"), 40<<10))...)
	fragments = append(fragments, wsFrame(0x80, bytes.Repeat([]byte("x"), 40<<10))...)
	for name, c := range map[string]struct {
		send []byte
		want []int
	}{
		"length with the highest bit": {append(long(1<<63), make([]byte, 64)...), []int{1002}},
		"length of 2^63-1":            {append(long(1<<63-1), make([]byte, 100<<10)...), []int{1009}},
		"too long by one":             {wsFrame(0x81, bytes.Repeat([]byte("x"), protocol.MaxClientMessage+1)), []int{1009}},
		"fragments too long":          {fragments, []int{1009}},
		"length that never comes":     {wsFrame(0x81, make([]byte, 60<<10))[:1000], []int{4004}},
		"unmasked":                    {unmasked, []int{1002}},
		"first reserved bit":          {wsFrame(0xc1, good), []int{1002}},
		"second reserved bit":         {wsFrame(0xa1, good), []int{1002}},
		"third reserved bit":          {wsFrame(0x91, good), []int{1002}},
		"reserved opcode":             {wsFrame(0x83, good), []int{1002}},
		"reserved control opcode":     {wsFrame(0x8b, good), []int{1002}},
		"long ping":                   {wsFrame(0x89, make([]byte, 126)), []int{1002}},
		"fragmented ping":             {wsFrame(0x09, good), []int{1002}},
		"continuation of nothing":     {wsFrame(0x80, good), []int{1002}},
		"text within text":            {append(wsFrame(0x01, good), wsFrame(0x81, good)...), []int{1002}},
		"close with 1005":             {wsFrame(0x88, []byte{0x03, 0xed}), []int{1002}},
		"close with 1006":             {wsFrame(0x88, []byte{0x03, 0xee}), []int{1002}},
		"close with one byte":         {wsFrame(0x88, []byte{0x03}), []int{1002}},
		"close with 999":              {wsFrame(0x88, []byte{0x03, 0xe7}), []int{1002}},
		"binary":                      {wsFrame(0x82, good), []int{1003}},
		"invalid UTF-8":               {wsFrame(0x81, []byte("{\"id\":2,\"ping\":{\"x\":\"\xff\"}}")), []int{1007}},
		"half a rune":                 {wsFrame(0x81, []byte("{\"id\":2,\"ping\":{\"x\":\"\xe2\x82")), []int{1007}},
		"a good goodbye":              {wsFrame(0x88, []byte{0x03, 0xe8}), []int{1000}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := w.rawSocket(g.Credential)
			if _, err := conn.Write(c.send); err != nil {
				t.Log("the server closed early:", err)
			}
			if got := closeCode(t, conn, r); got != c.want[0] {
				t.Errorf("closed with %d, want %v", got, c.want)
			}
		})
	}
	// What is odd but legal is served.
	for name, send := range map[string][]byte{
		"fragments":             append(append(wsFrame(0x01, good[:5]), wsFrame(0x00, nil)...), wsFrame(0x80, good[5:])...),
		"ping between":          append(append(wsFrame(0x01, good[:5]), wsFrame(0x89, []byte("x"))...), wsFrame(0x80, good[5:])...),
		"long form of a length": append(append([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, byte(len(good))}, 0, 0, 0, 0), good...),
		"unsolicited pong":      append(wsFrame(0x8a, []byte("x")), wsFrame(0x81, good)...),
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := w.rawSocket(g.Credential)
			conn.Write(send)
			for {
				op, payload := readFrame(r)
				if op < 0 || op == 8 {
					t.Fatalf("ended: %x", payload)
				}
				if op == 1 && bytes.Contains(payload, []byte(`"re":2,"pong"`)) {
					return
				}
			}
		})
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys > 512<<20 {
		t.Errorf("the process took %d MiB", m.Sys>>20)
	}
}

// Floods end the flooder with a typed error, and cost storage nothing.
func TestFloods(t *testing.T) {
	w := newWorld(t, Limits{
		Frames:    Rate{time.Hour, 20},
		ReadBytes: Rate{time.Hour, 64},
		Message:   time.Minute,
	})
	g := w.guest()
	send := func(conn net.Conn, unit []byte) {
		for b := bytes.Repeat(unit, 1+4096/len(unit)); ; {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}
	text := func(first byte, s string) []byte { return wsFrame(first, []byte(s)) }
	for _, c := range []struct {
		name        string
		first, unit []byte
	}{
		{"pings", nil, text(0x89, "x")},
		{"empty pings", nil, text(0x89, "")},
		{"pongs", nil, text(0x8a, "x")},
		{"messages", nil, text(0x81, `{"ping":{}}`)},
		{"empty messages", nil, text(0x81, "")},
		{"broken messages", nil, text(0x81, `{`)},
		{"joins and leaves", nil, text(0x81, `{"id":1,"join":{"room":"`+newID("r_")+`"}}`+"\n"+`{"leave":{"room":"`+newID("r_")+`"}}`)},
		{"fragments of one byte", text(0x01, `{"ping":{"x":"`), text(0x00, "x")},
		{"empty fragments", text(0x01, `{"id"`), text(0x00, "")},
		{"pings within a message", text(0x01, `{"id"`), text(0x89, "x")},
	} {
		before := w.asked.Load()
		conn, r := w.rawSocket(g.Credential)
		conn.Write(c.first)
		go send(conn, c.unit) // ends when the server closes
		// The peer goes on sending, so a reset may swallow the close frame.
		if code := closeCode(t, conn, r); code != 4001 && code != 0 {
			t.Errorf("%s: closed with %d", c.name, code)
		}
		// Connecting costs a few transactions; 20 frames and what is in their
		// messages may cost some, thousands may not.
		if n := w.asked.Load() - before; n > 60 {
			t.Errorf("%s: %d transactions", c.name, n)
		}
	}
	// The others are still served.
	if r := w.call("GET", "/api/me", g.Credential, nil); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// A message that never ends is ended.
func TestMessageWithoutEnd(t *testing.T) {
	w := newWorld(t, Limits{Message: 300 * time.Millisecond})
	conn, r := w.rawSocket(w.guest().Credential)
	conn.Write(wsFrame(0x01, []byte(`{"id"`)))
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with the test
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				conn.Write(wsFrame(0x00, nil))
			}
		}
	}()
	if code := closeCode(t, conn, r); code != 4004 && code != 0 {
		t.Errorf("closed with %d", code)
	}
}
