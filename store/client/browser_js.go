package client

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall/js"

	"anteroom/store"
	"anteroom/store/chat"
)

// Page is the environment of the page this program runs in: its localStorage,
// its other tabs, fetch and WebSocket. Where the browser keeps something from
// the page (a sandboxed frame, private mode), memory takes its place.
func Page(s chat.Surface) Env {
	p := &page{surface: s, window: js.Global(), held: map[string]string{}, was: map[string]string{}}
	p.storage = property(p.window, "localStorage")
	p.session = property(p.window, "sessionStorage")
	return Env{Storage: p, Tabs: p, Dialer: sockets{}, Caller: fetcher{}, Clock: SystemClock{}, Events: p}
}

// page is Storage, Tabs and Events of the browser. JavaScript runs on one
// thread, so nothing here needs a lock.
type page struct {
	surface chat.Surface
	window  js.Value
	storage js.Value // undefined where the browser refuses it
	session js.Value // likewise
	// What storage refused to take, and what it held instead, "" for nothing. Once
	// another tab has written there, that is the later word: a tab that went by its
	// own would send what another has taken, or miss a log-out.
	held, was map[string]string
	channel   js.Value // set while listening
}

// property gives a property, or undefined where its getter throws, as that of
// localStorage does in some browsers. js.Value.Get would let the exception pass
// through the program and end it; only calls catch one.
func property(of js.Value, name string) js.Value {
	return guarded(func() js.Value { return js.Global().Get("Reflect").Call("get", of, name) })
}

// guarded gives the value of f, or undefined where a call in it throws.
func guarded(f func() js.Value) (v js.Value) {
	defer func() {
		if recover() != nil {
			v = js.Undefined()
		}
	}()
	return f()
}

func (p *page) Load() (map[string]string, bool) {
	out := map[string]string{}
	if !p.storage.Truthy() {
		return out, true
	}
	for _, k := range keysOf(p.storage) {
		if store.OwnKey(p.surface, k) {
			if v, ok := p.Get(k); ok {
				out[k] = v
			}
		}
	}
	return out, false
}

func keysOf(storage js.Value) []string {
	var keys []string
	guarded(func() js.Value {
		n := storage.Get("length").Int()
		for i := range n {
			if k := storage.Call("key", i); k.Type() == js.TypeString {
				keys = append(keys, k.String())
			}
		}
		return js.Null()
	})
	return keys
}

func (p *page) Get(key string) (string, bool) {
	v := p.read(key)
	if p.was[key] != v {
		delete(p.held, key)
	}
	if h, ok := p.held[key]; ok {
		return h, true
	}
	return v, v != ""
}

// read gives what storage holds, "" for nothing: no value is empty.
func (p *page) read(key string) string {
	if p.storage.Truthy() {
		if v := guarded(func() js.Value { return p.storage.Call("getItem", key) }); v.Type() == js.TypeString {
			return v.String()
		}
	}
	return ""
}

func (p *page) Set(key, value string) error {
	if !p.storage.Truthy() {
		p.held[key] = value
		return nil // said once, by Load
	}
	ok := guarded(func() js.Value {
		p.storage.Call("setItem", key, value)
		return js.Null()
	})
	if ok.IsUndefined() {
		p.held[key], p.was[key] = value, p.read(key)
		return errors.New("localStorage takes no more")
	}
	delete(p.held, key)
	return nil
}

func (p *page) Remove(key string) {
	delete(p.held, key)
	if p.storage.Truthy() {
		guarded(func() js.Value { return p.storage.Call("removeItem", key) })
	}
}

func (p *page) Clear(keep func(string) bool) {
	clear(p.held)
	if p.storage.Truthy() {
		for _, k := range keysOf(p.storage) {
			if store.OwnKey(p.surface, k) && !keep(k) {
				p.Remove(k)
			}
		}
	}
	if p.session.Truthy() {
		for _, k := range keysOf(p.session) {
			if store.OwnKey(p.surface, k) {
				guarded(func() js.Value { return p.session.Call("removeItem", k) })
			}
		}
	}
}

// Send tells the other tabs by both roads: either may fail.
func (p *page) Send(sig store.AuthSignal) {
	b, err := json.Marshal(sig)
	if err != nil {
		return
	}
	if p.channel.Truthy() {
		guarded(func() js.Value { return p.channel.Call("postMessage", string(b)) })
	}
	if p.storage.Truthy() {
		key := store.KeyRelay(p.surface)
		guarded(func() js.Value {
			p.storage.Call("setItem", key, string(b))
			return js.Null()
		})
		guarded(func() js.Value { return p.storage.Call("removeItem", key) })
	}
}

func (p *page) signal(v js.Value, post func(store.Fact)) {
	if v.Type() != js.TypeString {
		return
	}
	text := v.String() // a string has no Length: that panics
	var sig store.AuthSignal
	if len(text) <= 1<<14 && json.Unmarshal([]byte(text), &sig) == nil && sig.Nonce != "" {
		post(store.AuthChanged{Auth: sig})
	}
}

// Listen implements Tabs and Events at once: the page has one set of listeners
// for both, installed at the first call.
func (p *page) Listen(post func(store.Fact)) (stop func()) {
	if p.channel.Truthy() || p.channel.IsNull() {
		return func() {}
	}
	p.channel = guarded(func() js.Value {
		return p.window.Get("BroadcastChannel").New(strings.TrimSuffix(store.KeyPrefix(p.surface), "."))
	})
	var stops []func()
	on := func(target js.Value, event string, f func(js.Value)) {
		if !target.Truthy() {
			return
		}
		fn := js.FuncOf(func(_ js.Value, args []js.Value) any {
			if len(args) > 0 {
				f(args[0])
			}
			return nil
		})
		target.Call("addEventListener", event, fn)
		stops = append(stops, func() {
			target.Call("removeEventListener", event, fn)
			fn.Release()
		})
	}
	if p.channel.Truthy() {
		on(p.channel, "message", func(e js.Value) { p.signal(e.Get("data"), post) })
		channel := p.channel
		stops = append(stops, func() { channel.Call("close") })
	} else {
		p.channel = js.Null()
	}
	on(p.window, "storage", func(e js.Value) {
		key := e.Get("key")
		if key.Type() != js.TypeString {
			p.recheck(post) // storage was cleared as a whole
			return
		}
		switch k := key.String(); {
		case k == store.KeyRelay(p.surface):
			p.signal(e.Get("newValue"), post)
		case store.OwnKey(p.surface, k):
			post(p.stored(k))
		}
	})
	document := p.window.Get("document")
	back := func(js.Value) {
		p.recheck(post)
		post(store.VisibilityChanged{Visible: true})
	}
	on(p.window, "online", func(js.Value) {
		p.recheck(post)
		post(store.NetworkChanged{Online: true})
	})
	on(p.window, "offline", func(js.Value) { post(store.NetworkChanged{Online: false}) })
	on(p.window, "focus", back)
	on(p.window, "pageshow", back)
	on(p.window, "pagehide", func(js.Value) { post(store.Slept{}) })
	on(document, "resume", back)
	on(document, "freeze", func(js.Value) { post(store.VisibilityChanged{Visible: false}) })
	on(document, "visibilitychange", func(e js.Value) {
		if document.Get("visibilityState").String() == "visible" {
			back(e)
		} else {
			post(store.VisibilityChanged{Visible: false})
		}
	})
	return func() {
		for _, s := range stops {
			s()
		}
		p.channel = js.Undefined()
	}
}

// stored says what storage holds under a key now; an event may be late.
func (p *page) stored(key string) store.Fact {
	v, ok := p.Get(key)
	return store.StorageChanged{Key: key, Value: v, Removed: !ok}
}

// recheck looks at who is logged in according to storage: the signals of
// another tab may have been lost while this one slept.
func (p *page) recheck(post func(store.Fact)) {
	post(p.stored(store.KeySession(p.surface)))
	post(p.stored(store.KeyAuth(p.surface)))
	if p.surface == chat.SurfaceWidget {
		post(p.stored(store.KeyGuestSession))
	}
}

func (p *page) Online() bool {
	v := guarded(func() js.Value { return p.window.Get("navigator").Get("onLine") })
	return v.Type() != js.TypeBoolean || v.Bool()
}
