//go:build !js

package gateway

import (
	"bytes"
	"fmt"
	"slices"
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
