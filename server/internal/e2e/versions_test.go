//go:build !js

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"nhooyr.io/websocket"

	"anteroom/store/protocol"
)

// age makes browsers' hellos speak a version that the server does not know,
// while old is true; the refusal is the server's own.
func (s *Server) age() (old *atomic.Bool) {
	old = &atomic.Bool{}
	s.front.rule(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/ws" || r.Header.Get("Origin") == "" || !old.Load() {
			return false
		}
		s.front.mu.Lock()
		target := s.front.target.Host
		s.front.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		out, _, err := websocket.Dial(ctx, "ws://"+target+r.URL.RequestURI(), &websocket.DialOptions{Host: r.Host, HTTPHeader: http.Header{"Origin": r.Header["Origin"]}})
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer out.CloseNow()
		out.SetReadLimit(protocol.MaxServerMessage)
		in, err := websocket.Accept(&lastWord{ResponseWriter: w}, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return true
		}
		defer in.CloseNow()
		_, hello, err := in.Read(ctx)
		if err != nil {
			return true
		}
		hello = regexp.MustCompile(`"version":\d+`).ReplaceAll(hello, []byte(`"version":99`))
		if out.Write(ctx, websocket.MessageText, hello) != nil {
			return true
		}
		for {
			_, answer, err := out.Read(ctx)
			if err != nil {
				if status := websocket.CloseStatus(err); status > 0 {
					_ = in.Close(status, "") // the browser may be gone
				}
				return true
			}
			if in.Write(ctx, websocket.MessageText, answer) != nil {
				return true
			}
		}
	})
	return old
}

// The server of a later day refuses the page's protocol version: the page keeps
// the draft and reloads itself, once; where that does not help, it says so.
func TestOutdatedPage(t *testing.T) {
	s := serve(t)
	asked := s.front.watch()
	old := s.age()
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.allow(networkErrors)
	chat := tab.openChat()
	chat.say("Hello from yesterday")
	chat.delivered("Hello from yesterday")
	chat.fill("Message", "a draft of mine")
	chat.mustEval(`window.yesterday = true`, nil)

	// The deploy: every socket ends, and the next hello is refused until the page is new.
	asked.forget()
	old.Store(true)
	fresh := s.front.once(isFrame, func() { old.Store(false) })
	s.front.hangUp()
	await(t, "the page to reload itself", func() (bool, error) {
		var yesterday bool
		err := chat.eval(`!!window.yesterday`, &yesterday)
		return fresh.Load() && !yesterday, err
	})
	await(t, "go-app", chat.live)
	chat.reads("Hello from yesterday")
	chat.holds("a draft of mine")
	if n := asked.count(isFrame); n != 1 {
		t.Errorf("the page has reloaded %d times", n)
	}
	chat.mustEval(`window.yesterday = true`, nil)

	// Refused again within the minute: no second reload, and nothing lost.
	old.Store(true)
	s.front.hangUp()
	chat.sees("This page is out of date")
	var yesterday bool
	chat.mustEval(`!!window.yesterday`, &yesterday)
	if n := asked.count(isFrame); n != 1 || !yesterday {
		t.Errorf("the page goes on reloading: %d times", n)
	}
	chat.holds("a draft of mine")
	tab.shot("outdated")
}

// once calls do after the first request that pick is true for, and tells that it has.
func (f *Front) once(pick func(path string) bool, do func()) *atomic.Bool {
	done := &atomic.Bool{}
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if pick(r.URL.Path) && done.CompareAndSwap(false, true) {
			do()
		}
		return false
	})
	return done
}

// A shell from before a deploy asks for a module that is no more: the page loads
// itself anew with what was typed, and the chat comes.
func TestOldShellNewModule(t *testing.T) {
	s := serve(t)
	asked := s.front.watch()
	module := s.front.hold(t, isModule)
	deployed := false
	var mu sync.Mutex
	s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		mu.Lock()
		defer mu.Unlock()
		if !isFrame(r.URL.Path) || deployed {
			return false
		}
		deployed = true
		rewrite(w, r, next, func(h http.Header, body string) string {
			return regexp.MustCompile(`widget\.[0-9a-f]{16}\.wasm`).ReplaceAllString(body, "widget.0123456789abcdef.wasm")
		})
		return true
	})
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.allow(`status of 404 .*/assets/widget\.0123456789abcdef\.wasm`)
	chat := tab.shell()
	tab.typeText("Typed into the old shell")
	chat.holds("Typed into the old shell")
	module.open()
	await(t, "go-app", chat.live)
	chat.holds("Typed into the old shell")
	if n := asked.count(isFrame); n != 2 {
		t.Errorf("the frame was loaded %d times", n)
	}
	tab.writable()
	tab.press("Enter", false)
	chat.delivered("Typed into the old shell")
}

// The inbox's service worker (pwa_test.go) does not touch the widget's frame, also
// not on the inbox's own site, and goes when the operator says so.
func TestServiceWorkerKeepsOutOfTheWidget(t *testing.T) {
	s := serve(t, sameSite)
	v := visitor(t, "mia")
	inbox := v.inbox(s, "mia")
	inbox.tab.allow(networkErrors)
	controlled := func(d *Doc) (c string, err error) {
		err = d.eval(`navigator.serviceWorker.controller ? new URL(navigator.serviceWorker.controller.scriptURL).pathname : ''`, &c)
		return c, err
	}
	await(t, "the worker to be in control", func() (bool, error) {
		c, err := controlled(inbox)
		return c == "/inbox/sw.js", err
	})
	// The shop's page, on the same site and in the same browser.
	tab := v.open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	var free bool
	chat.mustEval(`navigator.serviceWorker.getRegistration(location.href).then((r) => !r && !navigator.serviceWorker.controller)`, &free)
	if !free {
		t.Error("a service worker is in control of the widget's frame")
	}
	tab.top().mustEval(`navigator.serviceWorker.getRegistrations().then((r) => r.length === 0)`, &free)
	if !free {
		t.Error("the page that embeds the chat got a service worker")
	}
	tab.close()

	// The kill switch.
	s.stop()
	s.args = append(s.args, "--no-service-worker")
	s.restart()
	inbox.tab.visit(s.url + "/inbox/")
	inbox.find("list", "Rooms")
	await(t, "the worker and its cache to be gone", func() (bool, error) {
		var left json.RawMessage
		err := inbox.eval(`(async () => [(await navigator.serviceWorker.getRegistrations()).filter((r) => !r.active || !r.active.scriptURL.endsWith('sw.js') || navigator.serviceWorker.controller).length, (await caches.keys()).length])()`, &left)
		if err == nil && string(left) != "[0,0]" {
			err = fmt.Errorf("registrations and caches: %s", left)
		}
		return err == nil, err
	})
}
