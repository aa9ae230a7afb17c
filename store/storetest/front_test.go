//go:build !js

package storetest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/client"
	"anteroom/store/protocol"
	"anteroom/store/storetest"
)

// front puts the model server behind real HTTP and WebSockets.
type front struct {
	*httptest.Server
	mu    sync.Mutex // guards model
	model *storetest.Server
}

func newFront(t *testing.T) *front {
	f := &front{model: storetest.NewServer()}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ws" {
		f.socket(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if len(body) == 0 {
		body = []byte("null")
	}
	credential := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.mu.Lock()
	answer, err := f.model.Call(r.Method, r.URL.Path, credential, json.RawMessage(body))
	f.mu.Unlock()
	if err != nil {
		w.WriteHeader(chat.OutcomeOf(err.Code).Status)
		json.NewEncoder(w).Encode(map[string]any{"error": protocol.Error{Code: err.Code, Message: err.Message}})
		return
	}
	w.Write(answer)
}

func (f *front) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	out := make(chan protocol.ServerFrame, 1000)
	end := make(chan *chat.Error, 1)
	f.mu.Lock()
	conn := f.model.Open(func(s protocol.ServerFrame) { out <- s }, func(err *chat.Error) { end <- err })
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		conn.Close()
		f.mu.Unlock()
	}()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // ends with the socket
		defer cancel()
		for {
			select {
			case s := <-out:
				if c.Write(ctx, websocket.MessageText, protocol.EncodeServer(s)) != nil {
					return
				}
			case err := <-end:
				c.Close(websocket.StatusCode(chat.OutcomeOf(err.Code).Close), err.Message)
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		_, m, err := c.Read(ctx)
		if err != nil {
			return
		}
		frames, err := protocol.DecodeClient(m)
		if err != nil {
			return
		}
		f.mu.Lock()
		for _, frame := range frames {
			conn.Receive(frame)
		}
		f.mu.Unlock()
	}
}

// start runs a client until the test ends.
func start(t *testing.T, f *front, env client.Env, s chat.Surface) *client.Client {
	c := client.New(client.Config{URL: f.URL, Surface: s, Page: "/"}, env)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

// await waits until a view is as wanted.
func await(t *testing.T, c *client.Client, what string, ok func(*store.View) bool) *store.View {
	t.Helper()
	views := make(chan struct{}, 1)
	defer c.Subscribe(func(*store.View) {
		select {
		case views <- struct{}{}:
		default:
		}
	})()
	deadline := time.After(10 * time.Second)
	for {
		if v := c.View(); ok(v) {
			return v
		}
		select {
		case <-views:
		case <-deadline:
			t.Fatalf("%s: the view never came; auth %s, connection %s, texts %q", what, c.View().Auth, c.View().Connection, texts(c.View()))
		}
	}
}

func shows(want ...string) func(*store.View) bool {
	return func(v *store.View) bool { return strings.Join(texts(v), "|") == strings.Join(want, "|") }
}

func TestClientOverRealSockets(t *testing.T) {
	f := newFront(t)
	mia := start(t, f, client.Native(chat.SurfaceInbox), chat.SurfaceInbox)
	mia.Do(store.LogIn{Username: "mia", Password: "pw"})
	await(t, mia, "mia logs in", func(v *store.View) bool { return v.Connection == store.Online && v.RoomsLoaded })

	browser := client.NewBrowser()
	tab := start(t, f, client.NativeTab(browser.Tab(chat.SurfaceWidget)), chat.SurfaceWidget)
	tab.Do(store.StartChat{Vendor: "maple-pottery"})
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "hello"})
	await(t, tab, "the guest writes", shows("hello"))
	v := await(t, mia, "mia sees the room", func(v *store.View) bool { return len(v.Rooms) == 1 && v.Unread == 1 })
	room := v.Rooms[0].ID
	mia.Do(store.JoinRoom{Room: room})
	await(t, mia, "mia reads", shows("hello"))
	mia.Do(store.SendMessage{Room: room, Text: "good day"})
	await(t, tab, "the guest is answered", shows("hello", "good day"))

	other := start(t, f, client.NativeTab(browser.Tab(chat.SurfaceWidget)), chat.SurfaceWidget)
	await(t, other, "another tab of the guest", func(v *store.View) bool { return len(v.Rooms) == 1 })
	tab.Do(store.LogIn{Token: "token:ada"})
	await(t, tab, "the guest logs in", func(v *store.View) bool { return v.Auth == store.AuthUser && shows("hello", "good day")(v) })
	await(t, other, "the other tab follows", func(v *store.View) bool { return v.Auth == store.AuthUser && len(v.Rooms) == 1 })
	if _, kept := browser.Values()[store.KeyGuestSession]; kept {
		t.Error("the guest session is still stored")
	}
	other.Do(store.LogOut{})
	for _, c := range []*client.Client{tab, other} {
		await(t, c, "both tabs are logged out", func(v *store.View) bool {
			return v.Auth == store.AuthNone && len(v.Rooms)+len(v.Messages) == 0 && v.Room == nil
		})
	}
}

func TestClientComesBackAfterARestart(t *testing.T) {
	f := newFront(t)
	tab := start(t, f, client.Native(chat.SurfaceWidget), chat.SurfaceWidget)
	tab.Do(store.StartChat{Vendor: "maple-pottery"})
	tab.Do(store.SendMessage{Vendor: "maple-pottery", Text: "one"})
	v := await(t, tab, "the first message", shows("one"))
	f.mu.Lock()
	f.model.Restart()
	f.mu.Unlock()
	tab.Do(store.SendMessage{Room: v.CurrentRoom, Text: "two"})
	await(t, tab, "the second message", shows("one", "two"))
	f.mu.Lock()
	defer f.mu.Unlock()
	want(t, "stored", f.model.CountText("two"), 1)
}
