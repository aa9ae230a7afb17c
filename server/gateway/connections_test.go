//go:build !js

package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// limitedConnections holds an address to so many connections at once.
func limitedConnections(t *testing.T) {
	w := newWorldAt(t, Limits{Connections: 3}, "http://chat.example")
	addr := serveWith(t, Limits{}, w.gateway.Handler(), w.gateway.Bound)
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		return c
	}
	// ask gives the status of an answer, 0 where the connection was closed over the request.
	ask := func(c net.Conn) int {
		t.Helper()
		_, _ = fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: chat.example\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0
		}
		return r.StatusCode
	}
	served := func(c net.Conn) {
		t.Helper()
		if status := ask(c); status != 200 {
			t.Errorf("answered %d", status)
		}
	}
	var held []net.Conn
	for range 3 {
		held = append(held, dial("127.0.0.1"))
	}
	for _, c := range held {
		served(c)
	}
	over := dial("127.0.0.1")
	answer, err := io.ReadAll(over) // nothing was asked
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), nil)
	if err != nil {
		t.Fatalf("%q: %v", answer, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 429 || r.Header.Get("Retry-After") != "1" || !strings.Contains(string(body), `"code":"rate_limited"`) || !strings.Contains(string(body), `"retry_after_ms":1000`) {
		t.Errorf("one more is answered %q, %v", answer, err)
	}
	served(dial("127.0.0.2")) // somebody else
	for _, c := range held {
		served(c) // those that were there stay
	}
	// One that ends, or becomes a socket, makes room.
	held[0].Close()
	w.eventually("the closed connection is forgotten", func() bool {
		c := dial("127.0.0.1")
		defer c.Close()
		return ask(c) == 200
	})
	_, _ = fmt.Fprint(held[1], "GET /ws HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if r, err := http.ReadResponse(bufio.NewReader(held[1]), nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("the upgrade is answered %v, %v", r, err)
	}
	w.eventually("there is room for two", func() bool {
		c, d := dial("127.0.0.1"), dial("127.0.0.1")
		defer c.Close()
		defer d.Close()
		return ask(c) == 200 && ask(d) == 200
	})
	held[1].Close()
	held[2].Close()
	w.eventually("nothing is counted that is not there", func() bool {
		w.gateway.connections.mu.Lock()
		defer w.gateway.connections.mu.Unlock()
		return w.gateway.connections.of["127.0.0.1"] == 0
	})
}

// A trusted proxy's connections are everybody's: they are not bounded.
func TestConnectionsOfAProxy(t *testing.T) {
	w := newWorldAt(t, Limits{Connections: 1}, "http://chat.example", "127.0.0.0/8")
	addr := serveWith(t, Limits{}, w.gateway.Handler(), w.gateway.Bound)
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, _ = fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: chat.example\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 200 {
			t.Errorf("a proxy is answered %v, %v", r, err)
		}
	}
}
