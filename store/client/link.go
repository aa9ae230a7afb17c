package client

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// link is the present socket with its reader and writer.
type link struct {
	conn   int64
	cancel context.CancelFunc
	writes chan []byte // to the writer; when it is full the socket is given up
}

func socketURL(base string, guest chat.GuestSessionID) string {
	u := base + "/ws"
	if rest, ok := strings.CutPrefix(u, "https://"); ok {
		u = "wss://" + rest
	} else if rest, ok := strings.CutPrefix(u, "http://"); ok {
		u = "ws://" + rest
	}
	if guest != "" {
		u += "?guest_session=" + url.QueryEscape(string(guest))
	}
	return u
}

// openSocket starts a socket; its goroutines end with it and are owned by Run.
func (c *Client) openSocket(ctx context.Context, e store.Connect) {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{conn: e.Conn, cancel: cancel, writes: make(chan []byte, maxWrites)}
	c.socket = l
	c.helpers.Add(1)
	go func() {
		defer c.helpers.Done()
		defer cancel()
		err := c.serve(ctx, l, socketURL(c.cfg.URL, e.GuestSession))
		// By the same road as what was read before, so that a bye comes first.
		select {
		case c.reads <- arrival{conn: l.conn, end: &store.Disconnected{Conn: l.conn, Error: wireError(err)}}:
		case <-ctx.Done():
		}
	}()
}

// serve dials, and reads until the socket ends.
func (c *Client) serve(ctx context.Context, l *link, url string) error {
	socket, err := c.env.Dialer.Dial(ctx, url)
	if err != nil {
		return err
	}
	defer socket.Close()
	c.learn(store.Connected{Conn: l.conn})
	done := make(chan struct{})
	defer func() { <-done }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the writer; ends with ctx, awaited above
		defer close(done)
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-l.writes:
				wctx, stop := context.WithTimeout(ctx, writeLimit)
				err := socket.Write(wctx, m)
				stop()
				if err != nil {
					return
				}
			}
		}
	}()
	for {
		m, err := socket.Read(ctx)
		if err != nil {
			return err
		}
		frames, err := protocol.DecodeServer(m)
		if err != nil {
			return err
		}
		select {
		case c.reads <- arrival{conn: l.conn, frames: frames}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wireError reads the close code that ended a socket; nil for a lost network.
func wireError(err error) *chat.Error {
	var e *CloseError
	if errors.As(err, &e) {
		if code := chat.CodeOfClose(e.Code); code != "" {
			return chat.Errorf(code, "%s", e.Reason)
		}
	}
	return nil
}

// closeSocket gives the present socket up.
func (c *Client) closeSocket() {
	if c.socket != nil {
		c.socket.cancel()
		c.socket = nil
	}
	c.pending = nil
}

// flush hands the frames of this batch to the socket, several in one message.
func (c *Client) flush() {
	frames := c.pending
	c.pending = nil
	if c.socket == nil {
		return
	}
	for len(frames) > 0 {
		message := protocol.EncodeClient(frames[0])
		n := 1
		for ; n < len(frames); n++ {
			next := protocol.EncodeClient(frames[n])
			if len(message)+1+len(next) > maxFlush {
				break
			}
			message = append(append(message, '\n'), next...)
		}
		frames = frames[n:]
		select {
		case c.socket.writes <- message:
		default:
			c.log("the socket takes nothing, reconnecting")
			conn := c.socket.conn
			c.closeSocket()
			c.learn(store.Disconnected{Conn: conn})
			return
		}
	}
}
