//go:build !js

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// gate holds up what pick is true for until it is opened.
type gate struct {
	once sync.Once
	way  chan struct{}
}

// hold puts a gate into the front; it opens with the test's end at the latest.
func (f *Front) hold(t testing.TB, pick func(path string) bool) *gate {
	g := &gate{way: make(chan struct{})}
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !pick(r.URL.Path) {
			return false
		}
		select {
		case <-g.way:
			return false
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // whoever asked has gone
		}
	})
	t.Cleanup(g.open)
	return g
}

func (g *gate) open() { g.once.Do(func() { close(g.way) }) }

// shell opens the panel and waits until its composer has the focus, live or not.
func (tab *Tab) shell() *Doc {
	tab.t.Helper()
	tab.top().click("button", "Open chat")
	tab.writable()
	return tab.chat()
}

// writable waits until what is typed lands in the chat's composer.
func (tab *Tab) writable() {
	tab.t.Helper()
	await(tab.t, "the focus in the composer", func() (bool, error) {
		var frame, field bool
		if err := tab.top().eval(`!!document.activeElement.shadowRoot && document.activeElement.shadowRoot.activeElement.tagName === 'IFRAME'`, &frame); err != nil || !frame {
			return false, err
		}
		err := tab.chat().eval(`document.hasFocus() && document.activeElement.id === 'message'`, &field)
		return field, err
	})
}

func (d *Doc) live() (bool, error) {
	var live bool
	err := d.eval(`document.body.classList.contains('is-live')`, &live)
	return live, err
}

// holds waits until the composer holds text.
func (d *Doc) holds(text string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("the composer to hold %q", text), func() (bool, error) {
		v, err := d.value("Message")
		if err == nil && v != text {
			err = fmt.Errorf("it holds %q", v)
		}
		return err == nil, err
	})
}

// hasty makes the shell's clock run ten times as fast, so that go-app starts
// under the fingers of somebody who never pauses without a test of 15 seconds.
const hasty = `{ const now = Date.now, zero = now(); Date.now = () => zero + (now() - zero) * 10; }`

// What is typed at full speed from the first moment, before, while and after
// go-app takes the composer over, arrives letter for letter.
func TestTypingThroughTheTakeover(t *testing.T) {
	s := serve(t, sameSite) // the frame is in the page's process: what slows the page slows the frame from its first byte
	for _, c := range []struct {
		name              string
		mid, enter, again bool
	}{
		{name: "unthrottled", enter: true},
		{name: "unthrottled, never pausing"},
		{name: "unthrottled, repeat visit", enter: true, again: true},
		{name: "mid", mid: true, enter: true},
		{name: "mid, never pausing, repeat visit", mid: true, again: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := visitor(t, "typist")
			tab := v.open(s.shop + "/products/blue-bowl")
			if c.again {
				tab.shell()
				await(t, "the first visit's chat", tab.chat().live)
			}
			if !c.enter {
				tab.before(hasty)
			}
			if c.mid {
				tab.mid()
			}
			tab.reload()
			if c.again { // and the panel is not open after the reload
				await(t, "the launcher", func() (bool, error) { return tab.top().has("button", "Open chat"), nil })
			}
			chat := tab.shell()
			var typed strings.Builder
			word := func(i int) {
				w := fmt.Sprintf("w%d ", i)
				typed.WriteString(w)
				tab.typeText(w)
			}
			early, err := chat.live()
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			if c.enter {
				tab.typeText("A first word")
				tab.press("Enter", false)
			}
			for ; i < 600; i++ {
				word(i)
				if live, err := chat.live(); err == nil && live {
					break
				}
			}
			for end := i + 15; i < end; {
				i++
				word(i)
			}
			if live, err := chat.live(); err != nil || !live {
				t.Fatalf("after %d words go-app is not there (%v)", i, err)
			}
			t.Logf("live before the first letter: %v; %d words", early, i)
			chat.holds(typed.String())
			var caret struct {
				At    int
				Focus bool
			}
			chat.mustEval(`({at: document.getElementById('message').selectionStart, focus: document.activeElement.id === 'message'})`, &caret)
			if caret.At != typed.Len() || !caret.Focus {
				t.Errorf("the caret: %+v, the text has %d letters", caret, typed.Len())
			}
			if c.enter {
				chat.delivered("A first word")
			}
		})
	}
}

// mid makes the tab's process and its network those of a cheap telephone: CPU 4×, Fast 4G.
func (tab *Tab) mid() {
	tab.t.Helper()
	for method, params := range map[string]map[string]any{
		"Emulation.setCPUThrottlingRate":   {"rate": 4},
		"Network.enable":                   {},
		"Network.emulateNetworkConditions": {"offline": false, "latency": 165, "downloadThroughput": 8.1e6 / 8, "uploadThroughput": 1.35e6 / 8},
	} {
		if err := tab.page.call(method, params, nil); err != nil {
			tab.t.Fatal(err)
		}
	}
}

// What is written and sent before WebAssembly runs survives a reload and is
// sent once; half a sentence stays half a sentence.
func TestSentBeforeWebAssembly(t *testing.T) {
	s := serve(t)
	module := s.front.hold(t, isModule)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.shell()
	tab.typeText("Sent in haste")
	tab.press("Enter", false)
	chat.sees("Waiting to send")
	tab.typeText("and half a sen")
	chat.holds("and half a sen")
	tab.shot("shell-before-wasm")
	tab.reload()
	chat = tab.shell()
	chat.sees("Sent in haste")
	chat.sees("Waiting to send")
	chat.holds("and half a sen")
	if live, err := chat.live(); live || err != nil {
		t.Fatalf("the module is held up, and go-app is there: %v (%v)", live, err)
	}
	module.open()
	await(t, "go-app", chat.live)
	chat.delivered("Sent in haste")
	chat.holds("and half a sen")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")
	tab.reload()
	chat = tab.openChat()
	chat.delivered("Sent in haste")
	chat.holds("and half a sen")
	if got := s.texts(mia, s.roomOf(mia, guest.ID)); len(got) != 1 || got[0] != "Sent in haste" {
		t.Errorf("the server holds %q", got)
	}
}

// split holds up the rest of the widget's document, from the shell's script on,
// which is where a parser gives way to the page on a slow machine.
func (f *Front) split(t testing.TB) *gate {
	g := &gate{way: make(chan struct{})}
	t.Cleanup(g.open)
	f.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.URL.Path != "/widget" {
			return false
		}
		r.Header.Del("Accept-Encoding")
		r.Header.Del("If-None-Match")
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		doc := whole.Body.String()
		at := strings.LastIndex(doc, "<script>")
		for k, v := range whole.Header() {
			w.Header()[k] = v
		}
		w.Header().Del("Content-Length")
		io.WriteString(w, doc[:at])
		w.(http.Flusher).Flush()
		select {
		case <-g.way:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, doc[at:])
		return true
	})
	return g
}

// Who has opened the panel can type as soon as the field is parsed, before the
// shell's script runs: it goes behind what was kept, Enter sends, and what comes
// after that is the next message.
func TestTypingBeforeTheShell(t *testing.T) {
	s := serve(t)
	module := s.front.hold(t, isModule)
	tab := visitor(t, "typist").open(s.shop + "/products/blue-bowl")
	chat := tab.shell()
	tab.typeText("Kept, ")
	chat.holds("Kept, ")
	rest := s.front.split(t)
	if err := tab.page.call("Network.clearBrowserCache", nil, nil); err != nil {
		t.Fatal(err)
	}
	tab.reload()
	chat = tab.shell()
	tab.typeText("then typed")
	tab.press("Enter", false)
	tab.typeText("and more")
	chat.holds("then typedand more") // nothing of the shell runs yet
	rest.open()
	chat.sees("Kept, then typed")
	chat.sees("Waiting to send")
	chat.holds("and more")
	tab.typeText(" letters")
	chat.holds("and more letters")
	module.open()
	await(t, "go-app", chat.live)
	chat.delivered("Kept, then typed")
	chat.holds("and more letters")
}

// A log-out takes along what was written before WebAssembly ran, though nothing
// but the shell was ever there.
func TestLogOutBeforeWebAssembly(t *testing.T) {
	s := serve(t)
	s.front.hold(t, isModule)
	tab := visitor(t, "ada").open(s.shop + "/products/blue-bowl")
	tab.logIn(s, "ada")
	tab.visit(s.shop + "/products/blue-bowl")
	chat := tab.shell()
	tab.typeText("A secret of Ada's")
	tab.press("Enter", false)
	chat.sees("Waiting to send")
	tab.typeText("another secret")
	chat.holds("another secret")
	tab.logOut()
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.shell()
	chat.holds("")
	chat.forgot("A secret", "another secret")

	// Also where the page of the log-out is another one, on which nobody opens the chat.
	tab.logIn(s, "bo")
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.shell()
	tab.typeText("A secret of Bo's")
	tab.press("Enter", false)
	chat.sees("Waiting to send")
	tab.visit(s.shop + "/")
	tab.logOut()
	tab.visit(s.shop + "/products/blue-bowl")
	chat = tab.shell()
	chat.forgot("A secret")
}

// However the module fails to come, the visitor reads a calm line with Retry, keeps
// every word, and the page around notices nothing.
func TestModuleThatDoesNotCome(t *testing.T) {
	s := serve(t, sameSite)
	var mu sync.Mutex
	var fault func(http.ResponseWriter, *http.Request, http.Handler) bool
	set := func(f func(http.ResponseWriter, *http.Request, http.Handler) bool) {
		mu.Lock()
		defer mu.Unlock()
		fault = f
	}
	s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		mu.Lock()
		f := fault
		mu.Unlock()
		return f != nil && f(w, r, next)
	})
	module := func(answer func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request, http.Handler) bool {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if !isModule(r.URL.Path) {
				return false
			}
			answer(w, r)
			return true
		}
	}
	for _, c := range []struct {
		name, says string
		fault      func(http.ResponseWriter, *http.Request, http.Handler) bool
		noise      string // what browsers say about it by themselves
	}{
		{"404", "could not load", module(http.NotFound), `status of 404 .*\.wasm`},
		{"another kind", "could not load", module(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<!doctype html><title>Hotel Wi-Fi</title>Please log in")
		}), ``},
		{"cut off", "could not load", module(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/wasm")
			w.Write([]byte("\x00asm\x01\x00\x00\x00\x01"))
		}), ``},
		{"no WebAssembly by policy", "could not load", func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
			if !isFrame(r.URL.Path) {
				return false
			}
			rewrite(w, r, next, func(h http.Header, body string) string {
				h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), " 'wasm-unsafe-eval'", "", 1))
				h.Set("Cache-Control", "no-store")
				return body
			})
			return true
		}, `unsafe-eval`},
		{"stall", "takes long to load", module(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}), `ERR_ABORTED|ERR_EMPTY`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := visitor(t, "guest").open("about:blank")
			// Half a minute passes in half a second.
			tab.before(`{ const real = setTimeout; setTimeout = (f, ms, ...more) => real(f, ms === 30000 ? 500 : ms, ...more);
				window.noise = []; addEventListener('error', (e) => noise.push(e.message)); addEventListener('unhandledrejection', (e) => noise.push(String(e.reason))); }`)
			if c.noise != "" {
				tab.allow(c.noise)
			}
			set(c.fault)
			tab.visit(s.shop + "/products/blue-bowl")
			chat := tab.shell()
			tab.typeText("My words")
			chat.find("button", "Retry")
			chat.sees(c.says)
			chat.sees("What you wrote is kept")
			chat.holds("My words")
			tab.shot("module-" + strings.ReplaceAll(c.name, " ", "-"))
			var noise []string
			tab.top().mustEval(`window.noise`, &noise)
			if len(noise) > 0 {
				t.Errorf("the page hears %q", noise)
			}
			set(nil)
			if c.name == "no WebAssembly by policy" {
				tab.reload() // a policy stays with its document
				tab.shell()
			} else {
				chat.click("button", "Retry")
			}
			await(t, "go-app", chat.live)
			chat.holds("My words")
			if chat.has("button", "Retry") {
				t.Error("all is well, and there still is Retry")
			}
			tab.writable()
			tab.press("Enter", false)
			chat.delivered("My words")
		})
	}
}

// rewrite passes a request on and changes the answer's headers and text.
func rewrite(w http.ResponseWriter, r *http.Request, next http.Handler, change func(http.Header, string) string) {
	r = r.Clone(r.Context())
	for _, k := range []string{"Accept-Encoding", "If-None-Match"} {
		r.Header.Del(k)
	}
	r.Header.Set("Accept-Encoding", "identity")
	k := &keeper{header: http.Header{}}
	next.ServeHTTP(k, r)
	body := change(k.header, k.body.String())
	for name, v := range k.header {
		if name != "Content-Length" && name != "Etag" {
			w.Header()[name] = v
		}
	}
	w.WriteHeader(k.status)
	io.WriteString(w, body)
}

// keeper is an answer that is not sent yet.
type keeper struct {
	header http.Header
	status int
	body   strings.Builder
}

func (k *keeper) Header() http.Header         { return k.header }
func (k *keeper) WriteHeader(status int)      { k.status = status }
func (k *keeper) Write(p []byte) (int, error) { return k.body.Write(p) }

// A module of a strange type that is one all the same is good enough.
func TestModuleOfWrongType(t *testing.T) {
	s := serve(t)
	s.front.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if !isModule(r.URL.Path) {
			return false
		}
		rewrite(w, r, next, func(h http.Header, body string) string {
			h.Set("Content-Type", "application/octet-stream")
			return body
		})
		return true
	})
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("It runs")
	chat.delivered("It runs")
}

// A click before the frame has loaded is remembered, and so is what the page
// wanted to say with it.
func TestClickBeforeTheFrame(t *testing.T) {
	s := serve(t)
	document := s.front.hold(t, isFrame)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	top := tab.top()
	top.click("button", "Open chat")
	top.find("button", "Close chat")
	top.mustEval(`Anteroom('open', {vendor: 'northern-tea', text: 'May I ask?'})`, nil)
	document.open()
	chat := tab.chat()
	await(t, "go-app", chat.live)
	chat.sees("Northern Tea")
	chat.holds("May I ask?")
	tab.writable()
	tab.typeText(" Now")
	chat.holds("May I ask? Now")
}
