//go:build !js

package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
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
