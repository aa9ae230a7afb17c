//go:build !js

package model

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// socket is a client's end of a WebSocket.
type socket struct {
	s      *server
	p      principal
	token  string
	name   string
	ws     *websocket.Conn
	lines  chan []byte // frames as they came, closed with the socket
	end    error       // why; set before lines is closed
	id     int64
	got    [][]byte // frames that nobody has judged yet
	closed bool     // lines was drained to its end

	joined map[chat.RoomID]*joined
	admin  bool           // it was an admin's before the command under way
	before map[*room]bool // what the principal could reach before the command under way
}

// joined is a subscription as the client sees it.
type joined struct {
	last int64 // seq of the newest event
	held chat.Timeline
}

// dial opens a socket and says hello. The answer's code is "" if it was welcomed.
func (s *server) dial(token string, surface chat.Surface, claim chat.GuestSessionID) (*socket, answer) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to := s.http.URL + "/ws"
	if claim != "" {
		to += "?guest_session=" + url.QueryEscape(string(claim))
	}
	ws, _, err := websocket.Dial(ctx, to, nil)
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	ws.SetReadLimit(protocol.MaxServerMessage)
	c := &socket{s: s, token: token, ws: ws, lines: make(chan []byte, 4096), joined: map[chat.RoomID]*joined{}, before: map[*room]bool{}}
	go func() { // ends with the socket
		defer close(c.lines)
		for {
			_, message, err := ws.Read(context.Background())
			if err != nil {
				c.end = err
				return
			}
			for line := range bytes.SplitSeq(bytes.TrimSuffix(message, []byte("\n")), []byte("\n")) {
				c.lines <- line
			}
		}
	}()
	return c, c.ask(protocol.ClientFrame{Hello: &protocol.Hello{Version: 1, Credential: token, Surface: surface}})
}

// post sends a frame and returns its id; false if the socket is closed.
func (c *socket) post(f protocol.ClientFrame) (int64, bool) {
	c.id++
	f.ID = c.id
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f.ID, c.ws.Write(ctx, websocket.MessageText, protocol.EncodeClient(f)) == nil
}

// next waits for a frame; nil once the socket is closed and everything was read.
func (c *socket) next() []byte {
	c.s.t.Helper()
	if c.closed {
		return nil
	}
	select {
	case line, ok := <-c.lines:
		if !ok {
			c.closed = true
		}
		return line
	case <-time.After(patience):
		c.s.t.Fatalf("%s: nothing came", c.name)
		return nil
	}
}

// until reads up to the answer to a frame and returns it; everything that came
// before it waits to be judged. It returns false if the socket closed instead.
func (c *socket) until(id int64) (protocol.ServerFrame, []byte, bool) {
	c.s.t.Helper()
	for {
		line := c.next()
		if line == nil {
			return protocol.ServerFrame{}, nil, false
		}
		f := c.s.frame(line)
		if f.Re == id {
			return f, line, true
		}
		c.got = append(c.got, line)
	}
}

func (s *server) frame(line []byte) protocol.ServerFrame {
	s.t.Helper()
	frames, err := protocol.DecodeServer(line)
	if err != nil || len(frames) != 1 {
		s.t.Fatalf("the server sent %q: %v", line, err)
	}
	return frames[0]
}

// closing is the code of an answer where the socket closed instead of answering.
const closing chat.Code = "(closed)"

// ask sends a frame and waits for its answer.
func (c *socket) ask(f protocol.ClientFrame) answer {
	c.s.t.Helper()
	id, _ := c.post(f)
	frame, line, ok := c.until(id)
	switch {
	case !ok:
		code := chat.CodeOfClose(int(websocket.CloseStatus(c.end)))
		if code == chat.CodeUnauthenticated || code == chat.CodeSessionExpired {
			return answer{code: code}
		}
		return answer{code: closing, body: fmt.Append(nil, c.end)}
	case frame.Error != nil:
		return answer{code: frame.Error.Code, body: line, room: frame.Error.Room}
	}
	return answer{body: line}
}

func (c *socket) close() {
	c.ws.CloseNow()
	for range c.lines {
	}
	c.closed = true
}
