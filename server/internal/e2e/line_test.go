//go:build !js

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nhooyr.io/websocket"

	"anteroom/store/protocol"
)

// Line is what the browsers' WebSockets pass through, frame by frame: frames can
// be read, lost, or held up without anybody noticing. Sockets opened by hand
// have no Origin and go around it.
type Line struct {
	t     testing.TB
	front *Front

	mu    sync.Mutex
	said  []spoken
	lose  func(spoken) bool
	still chan struct{} // not nil while sockets are stalled; closed when they go on
	drops int
}

// spoken is one frame on a line.
type spoken struct {
	credential string // what the socket's hello carried
	down       bool   // from the server
	frame      string
}

// tap puts a line between all browsers and the server.
func (s *Server) tap() *Line {
	l := &Line{t: s.t, front: s.front}
	s.front.rule(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/ws" || r.Header.Get("Origin") == "" {
			return false
		}
		l.carry(w, r)
		return true
	})
	return l
}

// losing says which frames get lost from now on; nil for none.
func (l *Line) losing(which func(spoken) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = which
}

// stall holds all frames of all sockets up in both directions, and closes none; the
// API still answers. The returned function lets them go on.
func (l *Line) stall() (resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	still := make(chan struct{})
	l.still = still
	var once sync.Once
	resume = func() {
		once.Do(func() {
			l.mu.Lock()
			l.still = nil
			l.mu.Unlock()
			close(still)
		})
	}
	l.t.Cleanup(resume)
	return resume
}

// heard are the frames so far that pick is true for.
func (l *Line) heard(pick func(spoken) bool) (out []spoken) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.said {
		if pick(s) {
			out = append(out, s)
		}
	}
	return out
}

// carry relays one socket until either side ends it.
func (l *Line) carry(w http.ResponseWriter, r *http.Request) {
	l.front.mu.Lock()
	target := l.front.target.Host
	l.front.mu.Unlock()
	out, _, err := websocket.Dial(r.Context(), "ws://"+target+r.URL.RequestURI(), &websocket.DialOptions{
		Host: r.Host, HTTPHeader: http.Header{"Origin": r.Header["Origin"]},
	})
	if err != nil {
		panic(http.ErrAbortHandler) // as if nobody were there
	}
	defer out.CloseNow()
	last := &lastWord{ResponseWriter: w}
	in, err := websocket.Accept(last, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer in.CloseNow()
	ctx, cancel := context.WithCancel(context.Background()) // a hijacked request's own ends too early
	defer cancel()
	credential := ""
	var mu sync.Mutex // guards credential
	pump := func(from, to *websocket.Conn, down bool) {
		defer cancel()
		from.SetReadLimit(protocol.MaxServerMessage)
		for {
			_, message, err := from.Read(ctx)
			if err != nil {
				if status := websocket.CloseStatus(err); status > 0 && status != websocket.StatusNoStatusRcvd {
					l.pass()
					last.said.Store(last.said.Load() || down)
					_ = to.Close(status, "") // the other side may be gone
				}
				return
			}
			var keep [][]byte
			for frame := range bytes.SplitSeq(message, []byte("\n")) {
				mu.Lock()
				if credential == "" && !down {
					var f protocol.ClientFrame
					if json.Unmarshal(frame, &f) == nil && f.Hello != nil {
						credential = f.Hello.Credential
					}
				}
				s := spoken{credential, down, string(frame)}
				mu.Unlock()
				if l.note(s) {
					keep = append(keep, frame)
				}
			}
			l.pass()
			if len(keep) > 0 && to.Write(ctx, websocket.MessageText, bytes.Join(keep, []byte("\n"))) != nil {
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { pump(in, out, false) })
	both.Go(func() { pump(out, in, true) })
	both.Wait()
}

// lastWord hands out connections that say goodbye once: the library would
// answer the browser's close though it has sent its own, and browsers complain.
type lastWord struct {
	http.ResponseWriter
	net.Conn
	said atomic.Bool
	once bool
}

func (l *lastWord) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	l.Conn = c
	rw.Writer.Reset(l)
	return l, rw, nil
}

// Write lets one close frame through after the goodbye has begun; no message is
// under way then.
func (l *lastWord) Write(p []byte) (int, error) {
	if l.said.Load() && len(p) > 0 && p[0] == 0x88 {
		if l.once {
			return len(p), nil
		}
		l.once = true
	}
	return l.Conn.Write(p)
}

// note keeps a frame and tells whether it arrives.
func (l *Line) note(s spoken) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, s)
	if l.lose != nil && l.lose(s) {
		l.drops++
		return false
	}
	return true
}

// pass waits while sockets are stalled.
func (l *Line) pass() {
	l.mu.Lock()
	still := l.still
	l.mu.Unlock()
	if still != nil {
		<-still
	}
}

// byGuest tells whether a frame is on a guest's socket.
func (s spoken) byGuest() bool { return strings.HasPrefix(s.credential, "gs_") }
