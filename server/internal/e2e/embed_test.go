//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Log is what browsers asked the chat's origin for; who asks by hand goes past it.
type Log struct {
	mu    sync.Mutex
	paths []string
}

// watch notes every request from now on.
func (f *Front) watch() *Log {
	l := &Log{}
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.paths = append(l.paths, r.URL.Path)
		return false
	})
	return l
}

// all lists the paths asked for so far, oldest first.
func (l *Log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.paths)
}

// count tells how many requests pick is true for.
func (l *Log) count(pick func(path string) bool) (n int) {
	for _, p := range l.all() {
		if pick(p) {
			n++
		}
	}
	return n
}

func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paths = nil
}

func isModule(path string) bool { return strings.HasSuffix(path, ".wasm") }
func isFrame(path string) bool  { return path == "/widget" }

// idles waits until the page has drawn, has had time to spare, and has drawn again:
// what it was going to do by itself, it has begun.
func (d *Doc) idles() {
	d.tab.t.Helper()
	d.mustEval(`new Promise((done) => requestIdleCallback(() => requestAnimationFrame(() => requestAnimationFrame(() => requestIdleCallback(() => done())))))`, nil)
}

// found is what a page bears of the chat.
type found struct {
	Launchers, Frames   int
	Cookie              string
	Storage, Databases  []string
	Globals, Violations []string
	Shift               float64
	Height              float64 // of the page
}

const lookAround = `(async () => ({
	Launchers: [...document.documentElement.querySelectorAll('*')].filter((e) => e.shadowRoot && e.shadowRoot.querySelector('button')).length,
	Frames: window.length, Cookie: document.cookie,
	Storage: [...Object.keys(localStorage), ...Object.keys(sessionStorage)],
	Databases: [...(await indexedDB.databases()).map((d) => d.name), ...await caches.keys()],
	Globals: noted.globals(), Violations: noted.violations, Shift: noted.shift,
	Height: document.documentElement.scrollHeight,
}))()`

// Before anybody wants to chat, the chat is one request and a button, wherever
// its script stands and however often.
func TestNothingBeforeIntent(t *testing.T) {
	const notes = hostSays + `
noted.shift = 0;
new PerformanceObserver((list) => { for (const e of list.getEntries()) noted.shift += e.value; }).observe({type: 'layout-shift', buffered: true});
`
	const (
		own  = `<script src="/host.js"></script>`
		tag  = `<script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script>`
		body = `</head><body><h1>A page</h1><p>It has words.</p>`
	)
	pages := map[string]hostPage{
		"/host.js": {kind: "text/javascript", body: notes},
		"/without": {body: hostHead + own + body},
	}
	cases := map[string]string{
		"in the head":               own + tag + body,
		"in the head, blocking":     own + strings.Replace(tag, "async ", "", 1) + body,
		"in the head, deferred":     own + strings.Replace(tag, "async", "defer", 1) + body,
		"at the end of the body":    own + body + tag,
		"twice":                     own + tag + body + tag,
		"twice, blocking":           own + strings.ReplaceAll(tag+body+tag, "async ", ""),
		"in the body, with a label": own + body + strings.NewReplacer("async ", `data-label="Ask us" data-accent="#b4005a" `).Replace(tag+tag),
	}
	paths := map[string]string{}
	for name, html := range cases {
		paths[name] = "/" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
		pages[paths[name]] = hostPage{body: hostHead + html + "</body></html>"}
	}
	h := host(t, pages)
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	asked := s.front.watch()
	control := visitor(t, "control").open(h.url + "/without").top()
	control.idles()
	var want found
	control.mustEval(lookAround, &want)
	want.Launchers = 1
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			asked.forget()
			tab := visitor(t, "guest").open(h.url + path)
			top := tab.top()
			await(t, "the launcher", func() (bool, error) {
				return top.has("button", "Open chat") || top.has("button", "Ask us"), nil
			})
			top.idles()
			var got found
			top.mustEval(lookAround, &got)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the page bears %+v, want %+v", got, want)
			}
			if got := asked.all(); !slices.Equal(got, []string{"/embed.js"}) {
				t.Errorf("the browser asks for %q", got)
			}
			var cookies struct{ Cookies []json.RawMessage }
			if err := tab.page.call("Network.getCookies", map[string]any{"urls": []string{h.url, s.url}}, &cookies); err != nil || len(cookies.Cookies) > 0 {
				t.Errorf("the browser holds the cookies %s (%v)", cookies.Cookies, err)
			}
		})
	}
}

// Pages that are swapped in place, as Turbo and htmx do: one launcher throughout,
// and an open chat with half a sentence in it stays as it is.
func TestPageSwaps(t *testing.T) {
	const tag = `<script src="{{chat}}/embed.js" data-vendor="%s"></script>`
	h := host(t, map[string]hostPage{
		"/host.js": {kind: "text/javascript", body: hostSays + `
// As a browser does not: scripts that are swapped in run.
noted.run = (root) => { for (const old of root.querySelectorAll('script')) { const s = document.createElement('script'); for (const a of old.attributes) s.setAttribute(a.name, a.value); old.replaceWith(s); } };
noted.turbo = async (url) => { const page = new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html'); const body = document.adoptNode(page.body); noted.run(body); document.body.replaceWith(body); history.pushState(null, '', url); };
noted.htmx = async (url) => { const page = new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html'); document.body.innerHTML = page.body.innerHTML; noted.run(document.body); history.pushState(null, '', url); };
noted.bare = async (url) => { document.documentElement.innerHTML = (new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html')).documentElement.innerHTML; };
noted.harsh = async (url) => { const page = new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html'); document.documentElement.innerHTML = page.documentElement.innerHTML; noted.run(document.body); history.pushState(null, '', url); };
`},
		"/":    {body: hostHead + `<script src="/host.js"></script></head><body><h1>One</h1>` + fmt.Sprintf(tag, "maple-pottery") + `</body></html>`},
		"/two": {body: hostHead + `</head><body><h1>Two</h1>` + fmt.Sprintf(tag, "northern-tea") + `</body></html>`},
	})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	asked := s.front.watch()
	tab := visitor(t, "guest").open(h.url + "/")
	top := tab.top()
	one := func(when string) {
		t.Helper()
		top.idles()
		var got found
		top.mustEval(`noted.shift = 0, `+lookAround, &got)
		if got.Launchers != 1 || len(got.Globals) > 0 || len(got.Violations) > 0 {
			t.Errorf("%s: the page bears %+v", when, got)
		}
	}
	for _, how := range []string{"turbo", "htmx", "turbo", "harsh"} {
		top.mustEval(fmt.Sprintf(`noted.%s('/two')`, how), nil)
		top.find("heading", "Two")
		top.find("button", "Open chat")
		one("after the swap by " + how)
	}
	if n := asked.count(isFrame); n > 0 {
		t.Errorf("swaps alone ask for the frame %d times", n)
	}

	chat := tab.openChat()
	chat.sees("Northern Tea") // the page that is there now
	chat.fill("Message", "Half a sentence")
	chat.mustEval(`window.sameFrame = true`, nil)
	for _, how := range []string{"turbo", "htmx"} {
		top.mustEval(fmt.Sprintf(`noted.%s('/')`, how), nil)
		top.find("heading", "One")
		one("open, after the swap by " + how)
		var same bool
		chat.mustEval(`window.sameFrame === true`, &same)
		if v, err := chat.value("Message"); !same || err != nil || v != "Half a sentence" {
			t.Errorf("after the swap by %s: the same frame: %v, the field holds %q (%v)", how, same, v, err)
		}
	}
	// A swap that takes even the launcher away takes the frame along; the words come
	// back, also where the new page's own tag has not run yet.
	for _, how := range []string{"bare", "harsh"} {
		chat.mustEval(`window.sameFrame = true`, nil)
		top.mustEval(fmt.Sprintf(`noted.%s('/two')`, how), nil)
		await(t, "the chat to be back with its words", func() (bool, error) {
			var same bool
			if err := chat.eval(`!!window.sameFrame`, &same); same || err != nil {
				return false, err
			}
			v, err := chat.value("Message")
			return v == "Half a sentence" && top.has("button", "Close chat"), err
		})
		one("after the swap by " + how)
	}
}

// Hovering prepares the chat, unless the visitor saves data or bytes are slow; a
// click works for everybody.
func TestSaveDataIsRespected(t *testing.T) {
	s := serve(t)
	asked := s.front.watch()
	hover := func(tab *Tab) {
		t.Helper()
		top := tab.top()
		n := top.find("button", "Open chat")
		x, y, err := n.point(tab)
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.page.call("Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": x, "y": y}, nil); err != nil {
			t.Fatal(err)
		}
		await(t, "the pointer on the launcher", func() (bool, error) {
			var on bool
			err := n.on(`function() { return this.matches(':hover') }`, &on)
			return on, err
		})
	}
	const page = "/products/blue-bowl"
	t.Run("anybody", func(t *testing.T) {
		tab := visitor(t, "anybody").open(s.shop + page)
		hover(tab)
		await(t, "the module to be asked for", func() (bool, error) { return asked.count(isModule) > 0, nil })
		chat := tab.chat()
		chat.mustEval(`fetch(anteroomBoot.config.wasm).then((r) => r.arrayBuffer()).then(() => {})`, nil) // it is there, and still nothing runs
		var state struct {
			Open, Live bool
			Focus      string
		}
		chat.mustEval(`({live: document.body.classList.contains('is-live'), focus: document.activeElement.tagName})`, &state)
		tab.top().mustEval(`({open: (`+launcher+`).getAttribute('aria-expanded') === 'true'})`, &state)
		if state.Live || state.Open || state.Focus != "BODY" {
			t.Errorf("after hovering: %+v", state)
		}
	})
	for name, prepare := range map[string]func(*Tab){
		"save data": func(tab *Tab) {
			if err := tab.page.call("Emulation.setDataSaverOverride", map[string]any{"dataSaverEnabled": true}, nil); err != nil {
				t.Fatal(err)
			}
		},
		"slow": func(tab *Tab) {
			tab.before(`Object.defineProperty(navigator, 'connection', {value: {saveData: false, effectiveType: 'slow-2g'}})`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tab := visitor(t, "saver").open("about:blank")
			prepare(tab)
			tab.visit(s.shop + page)
			asked.forget()
			hover(tab)
			tab.top().idles()
			if got := asked.all(); len(got) > 0 {
				t.Errorf("hovering asks for %q", got)
			}
			chat := tab.openChat()
			chat.find("textbox", "Message")
		})
	}
}

// Who has chatted sees on the launcher what is unread, from the light shell: one
// document, one question, no WebAssembly. The page keeps a mark that says nothing
// of who it is, and a log-out takes it away.
func TestUnreadWithoutWebAssembly(t *testing.T) {
	s := serve(t)
	asked := s.front.watch()
	const page = "/products/blue-bowl"
	kept := func(tab *Tab) (keys string) {
		t.Helper()
		tab.top().mustEval(`JSON.stringify({...localStorage})`, &keys)
		return keys
	}
	light := func(want string) {
		t.Helper()
		if n := asked.count(func(p string) bool { return isModule(p) || strings.Contains(p, "wasm_exec") || p == "/ws" }); n > 0 {
			t.Errorf("%s: the light shell asks for %q", want, asked.all())
		}
	}
	badge := func(tab *Tab, want string) {
		t.Helper()
		await(t, "the badge "+want, func() (bool, error) {
			var label string
			err := tab.top().eval(`(`+launcher+`).getAttribute('aria-description') || ''`, &label)
			return label == want, err
		})
	}

	v := visitor(t, "guest")
	tab := v.open(s.shop + page)
	chat := tab.openChat()
	if got := kept(tab); got != `{}` {
		t.Errorf("before the first message the page keeps %s", got)
	}
	chat.say("Will you write to me?")
	chat.delivered("Will you write to me?")
	await(t, "the mark", func() (bool, error) { return kept(tab) == `{"anteroom.chatted":"1"}`, nil })
	guest, _ := chat.guestSession()
	tab.visit("about:blank")
	s.answer(s.staff("mia"), s.roomOf(s.staff("mia"), guest.ID), "I will.")
	asked.forget()
	tab.visit(s.shop + page)
	badge(tab, "1 unread")
	light("guest")
	tab.shot("launcher-light-unread")
	chat = tab.openChat()
	chat.reads("Will you write to me?", "I will.")
	badge(tab, "")
	// A session that the app would not take for ours is not asked with either.
	chat.mustEval(`localStorage.setItem('chatGuestSession', JSON.stringify({...JSON.parse(localStorage.getItem('chatGuestSession')), v: 2}))`, nil)
	asked.forget()
	tab.visit(s.shop + page)
	tab.openChat().find("textbox", "Message")
	if n := asked.count(func(p string) bool { return strings.HasPrefix(p, "/api/rooms") }); n > 0 {
		t.Errorf("with a session of another version the frame asks for %q", asked.all())
	}

	// A customer: the same through the shop's provider, until the log-out.
	tab = visitor(t, "ada").open(s.shop + page)
	tab.logIn(s, "ada")
	tab.visit(s.shop + page)
	chat = tab.openChat()
	chat.sees("left the kiln") // what Ada and Mia said before
	chat.say("Ada asks")
	chat.delivered("Ada asks")
	await(t, "the mark", func() (bool, error) { return kept(tab) == `{"anteroom.chatted":"1"}`, nil })
	room := s.roomWith(s.staff("mia"), "Ada asks").ID
	tab.visit("about:blank")
	s.answer(s.staff("mia"), room, "Mia answers")
	asked.forget()
	tab.visit(s.shop + page)
	badge(tab, "1 unread")
	light("ada")
	tab.logOut()
	await(t, "the mark to be erased", func() (bool, error) { return kept(tab) == `{}`, nil })
	badge(tab, "")
	tab.visit(s.shop + page)
	tab.top().find("button", "Open chat")
	asked.forget()
	tab.reload()
	tab.top().find("button", "Open chat")
	tab.top().idles()
	if n := asked.count(func(p string) bool { return p != "/embed.js" }); n > 0 {
		t.Errorf("after the log-out the page asks for %q", asked.all())
	}
}
