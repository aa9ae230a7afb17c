//go:build js && wasm

package main

import (
	"context"
	"syscall/js"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/app/ui"
	"anteroom/store"
	"anteroom/store/chat"
	"anteroom/store/client"
)

func main() {
	breathe() // the program has started: one task
	s := newShell()
	surface := s.surface()
	c := client.New(client.Config{
		URL:     js.Global().Get("location").Get("origin").String(),
		Surface: surface,
		Page:    s.hostString("page"),
		Log:     debug,
		Notify:  s.later,
	}, client.Page(surface))
	guardStorage()
	s.do = c.Do
	exposeStore(c.Do, c.View)
	s.tellHost(c.View)

	first := make(chan struct{})
	started := false
	c.Subscribe(func(*store.View) {
		if !started {
			started = true
			close(first)
		}
		if s.dispatch != nil {
			s.dispatch(s.m.Update)
		}
	})
	if vendor := s.hostString("vendor"); vendor != "" && surface == chat.SurfaceWidget {
		c.Do(store.StartChat{Vendor: vendor}) // before hello, so that one answer brings the chat
	}
	go c.Run(context.Background()) // owned by the page: it ends with the document
	<-first
	breathe() // the store runs: another

	app.Route(js.Global().Get("location").Get("pathname").String(), func() app.Composer {
		if withInbox && surface == chat.SurfaceInbox {
			return &ui.Inbox{M: s.m, Audit: &ui.EnglishAudit, Ready: s.ready}
		}
		return &ui.Widget{M: s.m, Ready: s.ready}
	})
	breathe() // what the screen is made of stands; go-app draws it in a third, with what has come by then
	s.m = ui.NewModel(c, s, &ui.English, ui.Clock{Now: now, Offset: offset})
	s.device()
	app.RunWhenOnBrowser()
}

// breathe gives the thread back to the page before the next step of the start,
// so that what waits there, a key press before all, is not kept waiting for all
// of it: the start is several shorter tasks instead of a long one.
func breathe() {
	next := make(chan struct{})
	f := js.FuncOf(func(js.Value, []js.Value) any { close(next); return nil })
	js.Global().Call("setTimeout", f, 0)
	<-next
	f.Release()
}

// ready runs on the UI goroutine when the first screen stands.
func (s *shell) ready(dispatch func(func())) {
	s.dispatch = dispatch
	s.m.Update()
	if !s.embedded() {
		s.do(store.OpenWidget{}) // a page of its own is always open
	}
	s.adopt()
	s.watchKeys()
	s.watchDevice()
	s.tell()
	s.boot.Call("live")
	s.boot.Call("onHost", js.FuncOf(func(_ js.Value, args []js.Value) any {
		s.run(func() { s.fromHost(args[0]) })
		return nil
	}))
}

// later takes the store's notifications; those that come before the screen
// stands wait for it. The others wait until the store has gone back to sleep and the
// UI goroutine knows of the new view: telling crosses to the host page, several
// times for a message, and would hold up what the visitor waits for.
func (s *shell) later(n store.Notification) {
	s.news = append(s.news, n)
	if s.dispatch != nil && !s.telling {
		s.telling = true
		go s.tell() // owned by the page; ends when all is told, and nothing in it blocks
	}
}

// tell tells the surroundings what they have not been told yet.
func (s *shell) tell() {
	s.telling = false
	news := s.news
	s.news = nil
	for _, n := range news {
		s.notify(n)
	}
}

// debug writes one debug line: the store has nothing louder to say.
func debug(message string, args ...any) {
	line := []any{"anteroom: " + message}
	for _, a := range args {
		switch a := a.(type) {
		case string:
			line = append(line, a)
		case int:
			line = append(line, a)
		case int64:
			line = append(line, a)
		case chat.RoomID:
			line = append(line, string(a))
		case chat.Code:
			line = append(line, string(a))
		}
	}
	js.Global().Get("console").Call("debug", line...)
}

func now() int64 { return int64(js.Global().Get("Date").Call("now").Float()) }

// offsets remembers the offset of each hour that was asked for: a log asks for
// that of every row, and each question crosses to JavaScript.
var offsets = map[int64]int{}

// offset is the browser's, which knows summer from winter; Go's own has one for all times.
func offset(ms int64) int {
	hour := ms / 3_600_000
	o, ok := offsets[hour]
	if !ok {
		if len(offsets) > 10_000 {
			clear(offsets)
		}
		o = -js.Global().Get("Date").New(float64(ms)).Call("getTimezoneOffset").Int()
		offsets[hour] = o
	}
	return o
}
