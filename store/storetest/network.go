package storetest

import (
	"encoding/json"
	"fmt"
	"slices"

	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// lingers is how long a server takes to notice that a socket is dead.
const lingers = 60_000

// wire is a socket's two ends with a network between. Frames of one direction
// keep their order, and what was on its way arrives; those of two sockets may
// overtake each other, since a server may hear of an end long after the tab.
type wire struct {
	number     int64
	conn       *Conn
	over       bool  // the tab gave it up, or heard of its end
	mute, deaf bool  // nothing more enters on the way up, on the way down
	up, down   int64 // when the last frame of each direction arrives
}

// SetOffline pulls or plugs the browser's network cable. Sockets stay open and
// dead, as in a real browser.
func (b *Browser) SetOffline(off bool) {
	b.Offline = off
	for _, t := range slices.Clone(b.Tabs) {
		if off && t.link != nil {
			t.link.mute, t.link.deaf = true, true
		}
		t.Fact(store.NetworkChanged{Online: !off})
	}
}

// hangUp is the tab's closing of its socket: the server hears of it after what
// was sent before, or finds out by itself where the network is dead.
func (t *Tab) hangUp() {
	if l := t.link; l != nil {
		t.link = nil
		t.World.close(l)
	}
}

// Freeze stops the tab for so long, as a browser does with a page in the
// background: what arrives comes in one burst at the end, and timers run after it.
func (t *Tab) Freeze(ms int64) {
	t.frozen = t.World.Now() + ms
	if t.link != nil {
		t.link.down = max(t.link.down, t.frozen-1)
	}
	t.Fact(store.VisibilityChanged{Visible: false})
	t.Fact(store.Woken{}) // so that the timer is asked for anew
}

func (w *World) close(l *wire) {
	l.over = true
	if l.conn == nil {
		return
	}
	l.up = max(l.up, w.Now()+w.delay())
	if l.mute {
		l.up = w.Now() + lingers
	}
	l.mute = true
	w.After(l.up-w.Now(), l.conn.Close)
}

func (t *Tab) connect(e store.Connect) {
	w := t.World
	l := &wire{number: e.Conn}
	t.link = l
	w.After(w.delay(), func() {
		if l.over {
			return
		}
		if t.Offline || w.chance(w.Faults.Cut) {
			t.ended(l, nil)
			return
		}
		l.conn = w.Server.Open(func(f protocol.ServerFrame) { t.deliver(l, f) }, func(err *chat.Error) {
			l.mute = true
			l.down = max(l.down, w.Now()+w.delay())
			w.After(l.down-w.Now(), func() {
				if !l.deaf {
					t.ended(l, err)
				}
			})
		})
		l.conn.Drop = func() bool { return w.chance(w.Faults.LoseHint) }
		t.Fact(store.Connected{Conn: l.number})
	})
}

// ended reports the end of a socket, unless the tab gave it up.
func (t *Tab) ended(l *wire, err *chat.Error) {
	if l.over || t.link != l {
		return
	}
	t.link = nil
	t.World.close(l)
	t.World.say(t, "socket %d ends: %v", l.number, err)
	t.Fact(store.Disconnected{Conn: l.number, Error: err})
}

// trouble is what the network does to a connection when a frame travels.
func (t *Tab) trouble(l *wire, dead *bool) bool {
	w := t.World
	switch {
	case w.chance(w.Faults.Cut):
		l.mute, l.deaf = true, true
		w.After(w.delay(), func() { t.ended(l, nil) })
		return true
	case w.chance(w.Faults.HalfOpen):
		l.mute, l.deaf = true, true
		return true
	case w.chance(w.Faults.OneWay):
		*dead = true
		return true
	}
	return false
}

func (t *Tab) deliver(l *wire, f protocol.ServerFrame) {
	w := t.World
	times := 1
	if f.Event != nil || f.Receipt != nil || f.Room != nil {
		times = w.times()
	}
	f = clone(f)
	for range times {
		if l.deaf || t.trouble(l, &l.deaf) {
			return
		}
		l.down = max(l.down, w.Now()+w.delay())
		w.After(l.down-w.Now(), func() {
			if !l.over {
				t.Fact(store.Received{Conn: l.number, Frame: f})
			}
		})
	}
}

func (t *Tab) send(f protocol.ClientFrame) {
	w := t.World
	if f.Send != nil {
		// What must survive a crash is stored before it is sent.
		if k := store.KeyOutbox(t.Surface, f.Send.ClientID); !w.Kept[k] && !w.Refused[k] && w.fault == nil {
			w.fault = &Fault{Property: "P2", Tabs: []*Tab{t}, Text: fmt.Sprintf("%q is sent and was never stored", f.Send.Text)}
		}
	}
	l := t.link
	if l == nil || l.mute || t.trouble(l, &l.mute) {
		return
	}
	f = clone(f)
	l.up = max(l.up, w.Now()+w.delay())
	w.After(l.up-w.Now(), func() {
		if f.Send != nil || f.Create != nil || f.Join != nil {
			b, _ := json.Marshal(f)
			w.say(t, "is heard: %s", b)
		}
		l.conn.Receive(f)
	})
}

// clone sends a frame through JSON, as a wire would.
func clone[F any](f F) F {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	var out F
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func (w *World) say(t *Tab, format string, args ...any) {
	if w.Trace != nil {
		w.Trace("%s %s "+format, append([]any{t.Name, t.ID[:7]}, args...)...)
	}
}

func (t *Tab) call(e store.Call) {
	w := t.World
	w.say(t, "calls %s %s", e.Method, e.Path)
	lost := store.Called{Call: e.Call, Error: chat.Errorf(chat.CodeUnavailable, "network")}
	back := func(c store.Called) { w.After(w.delay(), func() { t.Fact(c) }) }
	body, _ := json.Marshal(e.Body)
	w.After(w.delay(), func() {
		if t.Offline || w.chance(w.Faults.LoseCall) || t.Gone && !e.Keepalive {
			back(lost)
			return
		}
		answer, err := w.Server.Call(e.Method, e.Path, e.Credential, json.RawMessage(body))
		if w.chance(w.Faults.LoseAnswer) {
			back(lost)
			return
		}
		w.say(t, "is answered %s: %v", e.Path, err)
		back(store.Called{Call: e.Call, Body: answer, Error: err})
	})
}
