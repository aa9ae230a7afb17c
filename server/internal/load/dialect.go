//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// kind is what a line from a server is to the measurements.
type kind uint8

const (
	other  kind = iota
	joined      // the room is joined
	event       // a message of the room
	acked       // the answer to a message of one's own
	asked       // the server asks for a sign of life
	failed      // anything that should not come
)

// dialect is how one kind of server is spoken to. Every server is asked for the
// same: let in a known client, subscribe it to one room, pass messages on, and
// answer their sender.
type dialect interface {
	path() string
	greet(seat) []byte     // introduces and joins
	post(seat) []byte      // posts a message
	kind(line []byte) kind // what has come
	pong() []byte          // the sign of life
}

// posted counts the messages of all measurements: none repeats an id.
var posted atomic.Int64

// run makes the client message ids of this process its own: the database remembers those of others.
var run = fmt.Sprintf("%x", time.Now().UnixNano())

// text is what every message says: about 120 bytes.
var text = strings.Repeat("Do the cups survive a dishwasher? ", 4)[:120]

// ours is package protocol's dialect.
type ours struct{}

func (ours) path() string { return "/ws" }
func (ours) pong() []byte { return nil }

func (ours) greet(s seat) []byte {
	join := protocol.Join{Room: s.Room}
	if s.Cursor.Seq > 0 {
		join.Cursor = &s.Cursor
	}
	return protocol.EncodeClient(
		protocol.ClientFrame{ID: 1, Hello: &protocol.Hello{Version: protocol.Version, Credential: s.Credential, Surface: s.Surface}},
		protocol.ClientFrame{ID: 2, Join: &join},
	)
}

func (ours) post(s seat) []byte {
	return protocol.EncodeClient(protocol.ClientFrame{ID: 3, Send: &protocol.Send{
		Room: s.Room, ClientID: chat.ClientID(fmt.Sprintf("%s-%d", run, posted.Add(1))), Text: text,
	}})
}

func (ours) kind(line []byte) kind {
	switch {
	case bytes.HasPrefix(line, []byte(`{"event":`)):
		return event
	case bytes.HasPrefix(line, []byte(`{"re":3,"ack"`)):
		return acked
	case bytes.HasPrefix(line, []byte(`{"re":2,"joined"`)):
		return joined
	case bytes.HasPrefix(line, []byte(`{"error"`)), bytes.HasPrefix(line, []byte(`{"bye"`)),
		bytes.HasPrefix(line, []byte(`{"re":`)) && bytes.Contains(line[:min(len(line), 24)], []byte(`"error"`)):
		return failed
	}
	return other
}

// centrifugo is the JSON protocol of Centrifugo 6, in its insecure mode: it
// checks no token, which is work less than ours does.
type centrifugo struct{}

func (centrifugo) path() string { return "/connection/websocket" }
func (centrifugo) pong() []byte { return []byte(`{}`) }

func (centrifugo) greet(s seat) []byte {
	return fmt.Appendf(nil, `{"id":1,"connect":{}}`+"\n"+`{"id":2,"subscribe":{"channel":"%s"}}`, s.Room)
}

func (centrifugo) post(s seat) []byte {
	return fmt.Appendf(nil, `{"id":3,"publish":{"channel":"%s","data":{"cmid":"%s-%d","text":"%s"}}}`, s.Room, run, posted.Add(1), text)
}

func (centrifugo) kind(line []byte) kind {
	switch {
	case bytes.Equal(line, []byte(`{}`)):
		return asked
	case bytes.HasPrefix(line, []byte(`{"push":`)):
		if bytes.Contains(line, []byte(`"pub":`)) {
			return event
		}
	case bytes.Contains(line[:min(len(line), 20)], []byte(`"error"`)):
		return failed
	case bytes.HasPrefix(line, []byte(`{"id":2,`)):
		return joined
	case bytes.HasPrefix(line, []byte(`{"id":3,`)):
		return acked
	}
	return other
}
