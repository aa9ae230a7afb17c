//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// wire speaks the plain protocol on one socket.
type wire struct {
	c      *websocket.Conn
	cancel context.CancelFunc
	done   chan struct{}
	event  func(chat.Event, time.Time) // from the reader's goroutine; may be nil
	joined *protocol.Joined            // the answer to join
	pause  sync.Mutex                  // while it is held nothing is read

	mu    sync.Mutex // guards what follows
	next  int64
	wait  map[int64]chan protocol.ServerFrame
	ended error
}

var errTimeout = errors.New("no answer came")

// dialWire opens a socket and says hello.
func dialWire(hc *http.Client, credential string, surface chat.Surface, event func(chat.Event, time.Time)) (*wire, error) {
	ctx, cancel := context.WithCancel(context.Background())
	dctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	c, _, err := websocket.Dial(dctx, strings.Replace(publicURL, "http", "ws", 1)+"/ws", &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		cancel()
		return nil, err
	}
	c.SetReadLimit(protocol.MaxServerMessage)
	w := &wire{c: c, cancel: cancel, done: make(chan struct{}), event: event, wait: map[int64]chan protocol.ServerFrame{}}
	go w.read(ctx) // ends with close
	f, err := w.ask(protocol.ClientFrame{Hello: &protocol.Hello{Version: protocol.Version, Credential: credential, Surface: surface}})
	if err == nil && f.Welcome == nil {
		err = fmt.Errorf("no welcome: %+v", f.Error)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *wire) read(ctx context.Context) {
	defer close(w.done)
	for {
		w.pause.Lock()
		//lint:ignore SA2001 whoever holds it keeps this from reading
		w.pause.Unlock()
		_, m, err := w.c.Read(ctx)
		at := time.Now()
		var frames []protocol.ServerFrame
		if err == nil {
			frames, err = protocol.DecodeServer(m)
		}
		if err != nil {
			w.mu.Lock()
			w.ended = err
			for id, ch := range w.wait {
				close(ch)
				delete(w.wait, id)
			}
			w.mu.Unlock()
			return
		}
		for _, f := range frames {
			if f.Event != nil && w.event != nil {
				w.event(f.Event.Event, at)
			}
			if f.Re == 0 {
				continue
			}
			w.mu.Lock()
			ch := w.wait[f.Re]
			delete(w.wait, f.Re)
			w.mu.Unlock()
			if ch != nil {
				ch <- f
			}
		}
	}
}

// post sends a frame; the channel gives the answer, or is closed when the socket ends.
func (w *wire) post(f protocol.ClientFrame) (<-chan protocol.ServerFrame, error) {
	w.mu.Lock()
	if w.ended != nil {
		w.mu.Unlock()
		return nil, w.ended
	}
	w.next++
	f.ID = w.next
	ch := make(chan protocol.ServerFrame, 1)
	w.wait[f.ID] = ch
	w.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	return ch, w.c.Write(ctx, websocket.MessageText, protocol.EncodeClient(f))
}

// ask sends a frame and waits for its answer.
func (w *wire) ask(f protocol.ClientFrame) (protocol.ServerFrame, error) {
	ch, err := w.post(f)
	if err != nil {
		return protocol.ServerFrame{}, err
	}
	select {
	case f, ok := <-ch:
		if !ok {
			w.mu.Lock()
			defer w.mu.Unlock()
			return f, w.ended
		}
		return f, nil
	case <-time.After(patience):
		return protocol.ServerFrame{}, errTimeout
	}
}

// say posts a message and returns the ack's seq, or the code of the refusal.
func (w *wire) say(room chat.RoomID, id, text string) (seq int64, code chat.Code, err error) {
	f, err := w.ask(protocol.ClientFrame{Send: &protocol.Send{Room: room, ClientID: chat.ClientID(id), Text: text}})
	switch {
	case err != nil:
		return 0, "", err
	case f.Error != nil:
		return 0, f.Error.Code, nil
	case f.Ack == nil:
		return 0, "", fmt.Errorf("neither ack nor error: %+v", f)
	}
	return f.Ack.Seq, "", nil
}

func (w *wire) join(room chat.RoomID) error {
	f, err := w.ask(protocol.ClientFrame{Join: &protocol.Join{Room: room}})
	if err == nil && f.Joined == nil {
		err = fmt.Errorf("not joined: %+v", f.Error)
	}
	w.joined = f.Joined
	return err
}

// over tells whether the socket has ended.
func (w *wire) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended != nil
}

func (w *wire) close() {
	w.cancel()
	w.c.CloseNow()
	<-w.done
}
