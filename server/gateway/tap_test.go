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
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/store/protocol"
)

// However the library cuts its writes, what follows a close frame is not sent.
func TestNothingFollowsAClose(t *testing.T) {
	frame := func(op byte, size int) []byte {
		var b []byte
		switch {
		case size < 126:
			b = []byte{0x80 | op, byte(size)}
		case size < 1<<16:
			b = []byte{0x80 | op, 126, byte(size >> 8), byte(size)}
		default:
			b = []byte{0x80 | op, 127, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size)}
		}
		// A payload that looks like close frames.
		return append(b, bytes.Repeat([]byte{0x88}, size)...)
	}
	before := bytes.Join([][]byte{frame(1, 5), frame(1, 0), frame(1, 300), frame(10, 0), frame(1, 70000)}, nil)
	for _, closing := range [][]byte{frame(8, 2), frame(8, 0), frame(8, 20)} {
		want := append(bytes.Clone(before), closing...)
		all := append(bytes.Clone(want), append(closing, frame(10, 3)...)...)
		for _, cut := range []int{1, 2, 3, 7, 1024, len(all)} {
			t.Run(fmt.Sprintf("close of %d bytes, writes of %d", len(closing), cut), func(t *testing.T) {
				var o outgoing
				var got []byte
				for p := range slices.Chunk(all, cut) {
					got = append(got, p[:o.upToClose(p)]...)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes were written, want %d", len(got), len(want))
				}
			})
		}
	}
}

// However reads are cut, each control frame and each fragment after the first is counted once.
func TestIncomingIsCounted(t *testing.T) {
	unmasked := append([]byte{0x81, 3}, 0x89, 0x89, 0x89)
	long := wsFrame(0x82, bytes.Repeat([]byte{0x89}, 1<<16))
	all := bytes.Join([][]byte{
		wsFrame(0x81, bytes.Repeat([]byte{0x89}, 5)), // payloads that look like pings
		wsFrame(0x89, nil), wsFrame(0x89, bytes.Repeat([]byte{0x8a}, 125)), wsFrame(0x8a, nil),
		wsFrame(0x01, nil), wsFrame(0x00, bytes.Repeat([]byte{0x89}, 300)), wsFrame(0x89, nil), wsFrame(0x80, nil),
		unmasked, long, wsFrame(0x88, []byte{3, 232}),
	}, nil)
	const want = 3 + 3 + 1
	for _, cut := range []int{1, 2, 3, 5, 7, 512, len(all)} {
		var in incoming
		got := 0
		for p := range slices.Chunk(all, cut) {
			got += in.count(p)
		}
		if got != want || in.have != 0 || in.rest != 0 {
			t.Errorf("reads of %d: %d were counted, want %d (%d, %d left)", cut, got, want, in.have, in.rest)
		}
	}
}

// limitedControl is the test of control-socket: see eachLimit.
func limitedControl(t *testing.T) {
	w := newWorld(t, Limits{Control: few})
	g := w.guest()
	ping, part := wsFrame(0x89, []byte("x")), wsFrame(0x00, nil)
	begin, end := wsFrame(0x01, []byte(`{"id":2,"ping":{}}`)), wsFrame(0x80, nil)
	for name, c := range map[string]struct {
		good  []byte // three of them, and what tells that they were served
		pongs int
		more  []byte
	}{
		"pings":     {append(bytes.Repeat(ping, 3), wsFrame(0x81, []byte(`{"id":2,"ping":{}}`))...), 3, ping},
		"pongs":     {append(bytes.Repeat(wsFrame(0x8a, nil), 3), wsFrame(0x81, []byte(`{"id":2,"ping":{}}`))...), 0, wsFrame(0x8a, nil)},
		"fragments": {bytes.Join([][]byte{begin, part, part, end}, nil), 0, append(begin, part...)},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := w.rawSocket(g.Credential)
			conn.Write(c.good)
			pongs := 0
			for served := false; !served; {
				switch op, payload := readFrame(r); {
				case op == 10:
					pongs++
				case op == 1 && bytes.Contains(payload, []byte(`"re":2,"pong"`)):
					served = true
				default:
					t.Fatalf("got %d %s", op, payload)
				}
			}
			if pongs != c.pongs {
				t.Errorf("%d pongs for 3 pings", pongs)
			}
			conn.Write(c.more)
			op, payload := readFrame(r)
			if op != 1 || !bytes.Contains(payload, []byte(`"bye":{"code":"rate_limited"`)) || !bytes.Contains(payload, []byte(`"retry_after_ms":`)) {
				t.Errorf("one more was answered with %d %s", op, payload)
			}
			if code := closeCode(t, conn, r); code != 4001 {
				t.Errorf("closed with %d", code)
			}
		})
	}
	// Those that come with the handshake count as well.
	conn := w.tcp()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n%s",
		strings.TrimPrefix(w.url, "http://"), bytes.Repeat(ping, 4))
	r := bufio.NewReader(conn)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	if code := closeCode(t, conn, r); code != 4001 {
		t.Errorf("a flood with the handshake is closed with %d", code)
	}
}

// tapped is a tap on a TCP connection, and the peer's end, with system
// buffers of that size.
func tapped(t *testing.T, patience time.Duration, buffer int) (*tap, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	c.(*net.TCPConn).SetWriteBuffer(buffer)
	peer.(*net.TCPConn).SetReadBuffer(buffer)
	return &tap{Conn: c, direct: direct(c), limits: &Limits{Write: patience}}, peer
}

// textFrame is a WebSocket frame as the library writes it.
func textFrame(size int) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(size))
	return append(b, bytes.Repeat([]byte{'x'}, size)...)
}

// A write does not wait for the peer, who gets everything in order all the same.
func TestTapOwesWhatThePeerDoesNotTake(t *testing.T) {
	c, peer := tapped(t, patience, 4096)
	var want []byte
	paid := make(chan error, 1)
	for i := 0; ; i++ {
		f := textFrame(50_000 + i)
		for piece := range slices.Chunk(f, 1024) { // as the library's buffer cuts it
			if _, err := c.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, f...)
		if later, err := c.then(func(_ time.Duration, err error) { paid <- err }); err != nil {
			t.Fatal(err)
		} else if later {
			break
		}
	}
	more := textFrame(5) // a pong, say
	if _, err := c.Write(more); err != nil {
		t.Fatal(err)
	}
	want = append(want, more...)
	select {
	case err := <-paid:
		t.Fatalf("it was paid although nobody read: %v", err)
	default:
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the peer got something else: %v", err)
	}
	if err := <-paid; err != nil {
		t.Error(err)
	}
	c.settled()
	if c.owes() {
		t.Error("something is still owed")
	}
}

// The longest message is delivered to a peer that takes none of it at once.
func TestTapOwesTheLongestMessage(t *testing.T) {
	c, peer := tapped(t, patience, sendBuffer)
	want := textFrame(protocol.MaxServerMessage)
	for piece := range slices.Chunk(want, 1<<20) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if !c.owes() {
		t.Fatal("the system took all of it, so this test sees nothing")
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the peer got something else: %v", err)
	}
	c.settled()
}

// What is owed has a bound and a deadline, and afterwards the connection is broken.
func TestTapGivesUpAPeerWhoNeverReads(t *testing.T) {
	c, _ := tapped(t, 500*time.Millisecond, 4096)
	paid := make(chan error, 1)
	var err error
	for owed := 0; err == nil; {
		if _, err = c.Write(textFrame(50_000)); c.owes() {
			c.then(func(_ time.Duration, err error) { paid <- err })
			if owed += 50_000; owed > 2*maxOwed {
				t.Fatalf("%d bytes were taken", owed)
			}
		}
	}
	if err := <-paid; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("given up because of %v", err)
	}
	if _, err := c.Write(textFrame(1)); err == nil {
		t.Error("a broken connection took more")
	}
	if later, err := c.then(nil); later || err == nil {
		t.Errorf("of a broken connection one is told later (%t), %v", later, err)
	}
}
