package gateway

import (
	"net/http"
	"strings"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// upgrade serves /ws. Host, Origin, the guest session of the URL and the
// address's limits are checked before the library's Accept; who is calling is
// decided by the first frame. The handler returns as soon as the socket is
// open, which frees the server's buffers and stack; the reader lives on.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request) {
	if g.draining() {
		writeError(w, g.farewell())
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		writeError(w, chat.Errorf(chat.CodeInvalid, "This address is for WebSockets"))
		return
	}
	claimed, err := claim(r)
	if err != nil {
		writeError(w, g.translate(r.Context(), err, w.Header().Get(requestHeader)))
		return
	}
	c := &conn{g: g, id: w.Header().Get(requestHeader), address: g.door.address(r), claimed: claimed}
	if !g.pending.add(c.address) {
		writeError(w, errSockets)
		return
	}
	if !g.byAddress.add(c.address) {
		g.pending.drop(c.address)
		writeError(w, errSockets)
		return
	}
	// From here on a drain waits for this socket, so that it ends with a bye like the others.
	if !g.admit() {
		g.pending.drop(c.address)
		g.byAddress.drop(c.address)
		writeError(w, g.farewell())
		return
	}
	h := &hijacker{ResponseWriter: w, limits: &g.limits}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // door.check has compared the origin exactly
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		g.pending.drop(c.address)
		g.byAddress.drop(c.address)
		g.readers.Done()
		return // Accept has answered
	}
	ws.SetReadLimit(protocol.MaxClientMessage)
	c.ws, c.raw, c.frames = ws, h.tap, g.limits.Frames.limiter()
	c.queue.init(c, g.limits)
	c.queue.flusher = g.flusher
	g.mu.Lock()
	g.conns[c] = struct{}{}
	late := g.bye
	g.mu.Unlock()
	if late { // the drain did not find it among the open ones
		c.finish(g.farewell())
	}
	go c.run() // owned by g: Drain ends it and waits
}

// admit counts a socket that is about to open, unless a drain has begun.
func (g *Gateway) admit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bye {
		return false
	}
	g.readers.Add(1)
	return true
}

// claim reads the guest session of the URL.
func claim(r *http.Request) (chat.GuestSessionID, error) {
	values, ok := r.URL.Query()["guest_session"]
	if !ok {
		return "", nil
	}
	if len(values) != 1 {
		return "", chat.Errorf(chat.CodeInvalid, "guest_session is given twice")
	}
	return chat.ParseGuestSessionID(values[0])
}

// claim counts a socket for its principal once that is known.
func (g *Gateway) claim(c *conn, p chat.Principal) error {
	owner := string(p.Identity())
	if !g.byPrincipal.add(owner) {
		return errSockets
	}
	c.owner = owner
	g.pending.drop(c.address)
	return nil
}

// forget frees what a socket held.
func (g *Gateway) forget(c *conn) {
	if c.owner != "" {
		g.byPrincipal.drop(c.owner)
	} else {
		g.pending.drop(c.address)
	}
	g.byAddress.drop(c.address)
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}
