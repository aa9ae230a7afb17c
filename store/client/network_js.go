package client

import (
	"context"
	"errors"
	"net"
	"syscall/js"

	"nhooyr.io/websocket"

	"anteroom/store/protocol"
)

// sockets dials with nhooyr.io/websocket over the browser's WebSocket.
type sockets struct{}

func (sockets) Dial(ctx context.Context, url string) (Socket, error) {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(protocol.MaxServerMessage)
	return &jsSocket{c: c}, nil
}

type jsSocket struct {
	c     *websocket.Conn
	ended int
}

// Read gives the next message. When the socket has closed the library chooses
// at random between what was received before and the end; the end is therefore
// believed only after it was told often enough that nothing can be left
// (2^-30). The library keeps the close code to itself: the bye frame before
// it says the same.
func (s *jsSocket) Read(ctx context.Context) ([]byte, error) {
	for {
		_, b, err := s.c.Read(ctx)
		if err == nil {
			s.ended = 0
			return b, nil
		}
		if s.ended++; !errors.Is(err, net.ErrClosed) || s.ended > 30 {
			return nil, err
		}
	}
}

func (s *jsSocket) Write(ctx context.Context, m []byte) error {
	return s.c.Write(ctx, websocket.MessageText, m)
}

// Close starts the closing handshake and leaves it to the browser: on a dead
// network it may never finish, and the goroutine ends when the browser gives up.
func (s *jsSocket) Close() {
	go s.c.Close(websocket.StatusNormalClosure, "")
}

// fetcher makes requests with fetch.
type fetcher struct{}

func (fetcher) Call(ctx context.Context, r Request) (status int, body []byte, err error) {
	type result struct {
		status int
		body   string
		err    error
	}
	done := make(chan result, 1)
	headers := map[string]any{"Accept": "application/json"}
	if r.Body != nil {
		headers["Content-Type"] = "application/json"
	}
	if r.Credential != "" {
		headers["Authorization"] = "Bearer " + r.Credential
	}
	options := map[string]any{
		"method": r.Method, "headers": headers, "keepalive": r.Keepalive,
		"credentials": "omit", "cache": "no-store", "redirect": "error", "referrerPolicy": "no-referrer",
	}
	if r.Body != nil {
		options["body"] = string(r.Body)
	}
	abort := guarded(func() js.Value { return js.Global().Get("AbortController").New() })
	if abort.Truthy() {
		options["signal"] = abort.Get("signal")
	}
	code := 0
	failed := js.FuncOf(func(js.Value, []js.Value) any {
		done <- result{err: errors.New("fetch failed")}
		return nil
	})
	read := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- result{status: code, body: args[0].String()}
		return nil
	})
	answered := js.FuncOf(func(_ js.Value, args []js.Value) any {
		code = args[0].Get("status").Int()
		return args[0].Call("text")
	})
	promise := guarded(func() js.Value { return js.Global().Call("fetch", r.URL, options) })
	if !promise.Truthy() {
		return 0, nil, errors.New("fetch is refused")
	}
	promise.Call("then", answered).Call("then", read, failed)
	release := func() {
		answered.Release()
		read.Release()
		failed.Release()
	}
	select {
	case d := <-done:
		release()
		return d.status, []byte(d.body), d.err
	case <-ctx.Done():
		if abort.Truthy() {
			abort.Call("abort")
		}
		// The promise settles by the abort; its callbacks must outlive it.
		go func() {
			<-done
			release()
		}()
		return 0, nil, ctx.Err()
	}
}
