package gateway

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"anteroom/store/chat"
)

// connections bounds the HTTP connections of each address, which cost memory
// before anything is asked through them. It is a server's ConnState hook: what
// was upgraded to a socket is counted as a socket, and a trusted proxy's
// connections are everybody's.
type connections struct {
	door    door
	counted *counts

	mu   sync.Mutex
	from map[net.Conn]string // what is counted, under whose address
}

// Bound makes a server close the connections of one address beyond the limit.
// Call it before the server serves.
func (g *Gateway) Bound(s *http.Server) {
	s.ConnState = (&connections{door: g.door, counted: g.connections, from: make(map[net.Conn]string)}).changed
}

func (k *connections) changed(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		at, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || k.door.trusts(at.Addr()) {
			return
		}
		address := party(at.Addr())
		if !k.counted.add(address) {
			refuse(c)
			return
		}
		k.mu.Lock()
		k.from[c] = address
		k.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		k.mu.Lock()
		address, ok := k.from[c]
		delete(k.from, c)
		k.mu.Unlock()
		if ok {
			k.counted.drop(address)
		}
	}
}

// refuse answers a connection before it was asked anything, and closes it. It
// runs where connections are accepted, so it must not wait: what a fresh
// connection does not take at once is not sent.
func refuse(c net.Conn) {
	e := chat.Errorf(chat.CodeRateLimited, "Too many connections; try again later")
	e.RetryAfter = time.Second
	body, err := json.Marshal(errorBody{*wireError(e, "")})
	if err == nil && c.SetWriteDeadline(time.Now().Add(10*time.Millisecond)) == nil {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	c.Close()
}
