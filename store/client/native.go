//go:build !js

package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"nhooyr.io/websocket"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// maxAnswer bounds an API answer in bytes.
const maxAnswer = protocol.MaxServerMessage

// Native is the environment of a program that is no browser: a bot, a load
// test, a test. What it stores lives in memory.
func Native(s chat.Surface) Env { return NativeTab(NewBrowser().Tab(s)) }

// NativeTab is Native as one tab of a browser that several clients share.
func NativeTab(t *Tab) Env {
	return Env{Storage: t, Tabs: t, Dialer: Sockets{}, Caller: HTTP{}, Clock: SystemClock{}, Events: AlwaysOnline{}}
}

// AlwaysOnline is a page whose network is said to be there for ever.
type AlwaysOnline struct{}

// Online implements Events.
func (AlwaysOnline) Online() bool { return true }

// Listen implements Events.
func (AlwaysOnline) Listen(func(store.Fact)) func() { return func() {} }

// HTTP makes requests with net/http.
type HTTP struct{ Client *http.Client } // nil for http.DefaultClient

// Call implements Caller.
func (h HTTP) Call(ctx context.Context, r Request) (int, []byte, error) {
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return 0, nil, err
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Credential != "" {
		req.Header.Set("Authorization", "Bearer "+r.Credential)
	}
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, b, err
}

// Sockets dials with nhooyr.io/websocket.
type Sockets struct{ Client *http.Client } // nil for http.DefaultClient

// Dial implements Dialer.
func (s Sockets) Dial(ctx context.Context, url string) (Socket, error) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: s.Client})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(protocol.MaxServerMessage)
	return nativeSocket{c}, nil
}

type nativeSocket struct{ c *websocket.Conn }

func (s nativeSocket) Read(ctx context.Context) ([]byte, error) {
	_, b, err := s.c.Read(ctx)
	var e websocket.CloseError
	if errors.As(err, &e) {
		return nil, &CloseError{int(e.Code), e.Reason}
	}
	return b, err
}

func (s nativeSocket) Write(ctx context.Context, m []byte) error {
	return s.c.Write(ctx, websocket.MessageText, m)
}

func (s nativeSocket) Close() { s.c.CloseNow() }
