//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// ceiling is the WebSocket library's chat example with our frames: a reader and
// a writer goroutine for each socket, a channel of 64 messages between rooms
// and writers. It lets everybody in, stores nothing and keeps no order across
// senders: what a server built on the library the plain way costs.
type ceiling struct {
	mu    sync.Mutex
	rooms map[chat.RoomID]*ceilingRoom
}

type ceilingRoom struct {
	mu      sync.Mutex
	seq     int64
	members map[chan []byte]struct{}
}

func newCeiling() *ceiling { return &ceiling{rooms: make(map[chat.RoomID]*ceilingRoom)} }

func (c *ceiling) room(id chat.RoomID) *ceilingRoom {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[id]
	if r == nil {
		r = &ceilingRoom{members: make(map[chan []byte]struct{})}
		c.rooms[id] = r
	}
	return r
}

func (c *ceiling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := make(chan []byte, 64)
	var mine *ceilingRoom
	defer func() {
		if mine != nil {
			mine.mu.Lock()
			delete(mine.members, out)
			mine.mu.Unlock()
		}
	}()
	go func() { // ends with ctx
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-out:
				if ws.Write(ctx, websocket.MessageText, m) != nil {
					cancel()
					return
				}
			}
		}
	}()
	for {
		_, message, err := ws.Read(ctx)
		if err != nil {
			return
		}
		frames, err := protocol.DecodeClient(message)
		if err != nil {
			return
		}
		for _, f := range frames {
			switch {
			case f.Join != nil:
				mine = c.room(f.Join.Room)
				mine.mu.Lock()
				mine.members[out] = struct{}{}
				mine.mu.Unlock()
				out <- fmt.Appendf(nil, `{"re":%d,"joined":{}}`, f.ID)
			case f.Send != nil && mine != nil:
				mine.mu.Lock()
				mine.seq++
				m := protocol.EncodeServer(protocol.ServerFrame{Event: &protocol.EventFrame{Room: f.Send.Room, Event: chat.Event{
					Seq: mine.seq, Kind: chat.MessagePosted, ClientID: f.Send.ClientID, Text: f.Send.Text,
				}}})
				for other := range mine.members {
					select {
					case other <- m:
					default: // the example drops who is slow; so does this
					}
				}
				mine.mu.Unlock()
				out <- protocol.EncodeServer(protocol.ServerFrame{Re: f.ID, Ack: &protocol.Ack{Room: f.Send.Room, ClientID: f.Send.ClientID, Seq: mine.seq}})
			}
		}
	}
}
