package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener with one connection.
type oneConn struct {
	net.Listener
	conns chan net.Conn
}

func (l oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l oneConn) Close() error {
	close(l.conns)
	return nil
}

// A module comes over a slow line, for longer than the server gives other
// answers, but nobody keeps it for ever.
func TestModuleOverASlowLine(t *testing.T) {
	const size = 800 << 10
	for name, tt := range map[string]struct {
		speed int // bytes a second
		whole bool
	}{"slow": {5 << 10, true}, "hardly any": {1 << 10, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				module := &resource{kind: "application/wasm", size: size, br: make([]byte, size), gz: make([]byte, size)}
				s := &http.Server{Handler: module, WriteTimeout: 30 * time.Second}
				near, far := net.Pipe()
				l := oneConn{conns: make(chan net.Conn, 1)}
				l.conns <- far
				go s.Serve(l) // ends with s.Close
				defer s.Close()
				defer near.Close()
				go io.WriteString(near, "GET / HTTP/1.1\r\nHost: chat\r\nAccept-Encoding: br\r\n\r\n")
				res, err := http.ReadResponse(bufio.NewReaderSize(near, 16), nil)
				if err != nil {
					t.Fatal(err)
				}
				got, second := 0, make([]byte, tt.speed)
				for err == nil {
					time.Sleep(time.Second)
					var n int
					n, err = io.ReadFull(res.Body, second)
					got += n
				}
				if whole := got == size; whole != tt.whole {
					t.Errorf("%d of %d bytes came: %v", got, size, err)
				}
			})
		})
	}
}
