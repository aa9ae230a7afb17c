//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// box is where an element is on screen, in CSS pixels.
type box struct{ X, Y, Width, Height float64 }

// boxOf gives the box of what an expression names; the launcher's parts are in
// its shadow tree.
func (d *Doc) boxOf(expression string) (b box) {
	d.tab.t.Helper()
	d.mustEval(`(() => { const r = (`+expression+`).getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height}; })()`, &b)
	return b
}

const (
	launcherBox = `[...document.documentElement.children].find((e) => e.shadowRoot && e.shadowRoot.querySelector('button'))`
	launcher    = `(` + launcherBox + `).shadowRoot.querySelector('button')`
	panel       = `(` + launcherBox + `).shadowRoot.querySelector('iframe')`
)

func near(got, want box) bool {
	for _, d := range []float64{got.X - want.X, got.Y - want.Y, got.Width - want.Width, got.Height - want.Height} {
		if math.Abs(d) > 1 {
			return false
		}
	}
	return true
}

// A page that styles everything in sight neither moves nor covers nor blows up
// the chat, and the chat changes nothing of the page.
func TestHostileStyles(t *testing.T) {
	const body = `</head><body><main><h1>Loud</h1><p>Everything here shouts.</p><button>A button of the page</button></main>
<div class="war"></div><script src="/host.js"></script><script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script></body></html>`
	pages := map[string]hostPage{"/host.js": {kind: "text/javascript", body: hostSays}}
	styles := map[string]string{
		"everything reset":     `* { all: initial !important } `,
		"everything unset":     `*, *::before, *::after { all: unset !important; display: block !important }`,
		"huge fonts":           `html { font-size: 90px !important; line-height: 4 !important; letter-spacing: 9px !important } * { font-size: 72px !important; text-transform: uppercase !important; font-family: serif !important }`,
		"z-index war":          `.war { position: fixed !important; inset: 0 !important; z-index: 2147483647 !important; background: rgba(255, 0, 0, .2) !important }`,
		"hidden and squeezed":  `body ~ *, html > div, div { display: none !important; visibility: hidden !important; opacity: 0 !important; pointer-events: none !important; width: 1px !important; max-height: 1px !important; transform: scale(.1) rotate(30deg) !important; filter: blur(9px) !important }`,
		"buttons and frames":   `button, iframe, svg, path, span, div { position: static !important; width: 400px !important; height: 11px !important; background: red !important; border: 9px dashed lime !important; float: left !important; margin: 50px !important; color: red !important; fill: red !important }`,
		"right to left, moved": `html { direction: rtl !important; writing-mode: vertical-rl !important; text-align: center !important } body { transform: translate(300px, 200px) scale(2) !important; perspective: 5px !important; overflow: hidden !important }`,
	}
	paths := map[string]string{}
	for name, css := range styles {
		paths[name] = "/" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
		pages[paths[name]] = hostPage{body: hostHead + "<style>" + css + "</style>" + body}
	}
	h := host(t, pages)
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	tab := visitor(t, "guest").tab1
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range styles {
			if !yield(name) {
				return
			}
		}
	}) {
		t.Run(name, func(t *testing.T) {
			tab.visit(h.url + paths[name])
			top := tab.top()
			top.find("button", "Open chat")
			page := top.boxOf(`document.querySelector('h1')`)
			var height float64
			top.mustEval(`innerHeight`, &height)
			if got, want := top.boxOf(launcher), (box{1280 - 20 - 58, height - 20 - 58, 58, 58}); !near(got, want) {
				t.Errorf("the launcher is at %+v, want %+v", got, want)
			}
			chat := tab.openChat()
			var hit bool
			top.mustEval(`(() => { const b = (`+launcher+`).getBoundingClientRect(); return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2) === (`+launcherBox+`); })()`, &hit)
			if !hit {
				t.Error("something covers the launcher")
			}
			await(t, "the panel to stand at the right place", func() (bool, error) {
				got, want := top.boxOf(panel), box{1280 - 20 - 380, height - 20 - 74 - 620, 380, 620}
				if !near(got, want) {
					return false, fmt.Errorf("it is at %+v, want %+v", got, want)
				}
				return true, nil
			})
			chat.find("textbox", "Message")
			if now := top.boxOf(`document.querySelector('h1')`); now != page {
				t.Errorf("the page's heading was at %+v and now is at %+v", page, now)
			}
			var size struct{ Font, Style string }
			chat.mustEval(`(() => { const c = getComputedStyle(document.getElementById('message')); return {font: c.fontSize, style: c.textTransform}; })()`, &size)
			if size.Font != "16px" || size.Style != "none" {
				t.Errorf("the composer is written in %+v", size)
			}
			chat.say("Can you hear me over " + name + "?")
			chat.delivered("Can you hear me over " + name + "?")
			tab.shot("hostile-" + strings.TrimPrefix(paths[name], "/"))
			chat.click("button", "Close chat")
			top.find("button", "Open chat")
		})
	}
}

// A host with a strict policy and Trusted Types of its own has to allow the
// loader and the frame, and nothing else.
func TestHostWithStrictPolicy(t *testing.T) {
	policy := "default-src 'none'; script-src 'self' {{chat}}; frame-src {{chat}}; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	h := host(t, map[string]hostPage{
		"/host.js": {kind: "text/javascript", body: hostSays},
		"/": {
			body:   hostHead + `<script src="/host.js"></script><script async src="{{chat}}/embed.js" data-vendor="maple-pottery" data-accent="#b4005a"></script></head><body><h1>Strict</h1></body></html>`,
			header: map[string]string{"Content-Security-Policy": policy, "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Referrer-Policy": "no-referrer"},
		},
	})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	tab := visitor(t, "guest").open(h.url + "/")
	chat := tab.openChat()
	chat.say("Is anybody behind this wall?")
	chat.delivered("Is anybody behind this wall?")
	s.answer(s.staff("mia"), s.roomWith(s.staff("mia"), "Is anybody behind this wall?").ID, "Yes, I am.")
	chat.reads("Is anybody behind this wall?", "Yes, I am.")
	var noted struct{ Violations, Globals []string }
	tab.top().mustEval(`({violations: noted.violations, globals: noted.globals()})`, &noted)
	if len(noted.Violations) > 0 || len(noted.Globals) > 0 {
		t.Errorf("the chat violates %q and leaves the globals %q", noted.Violations, noted.Globals)
	}
	var color string
	tab.top().mustEval(`getComputedStyle(`+launcher+`).backgroundColor`, &color)
	if color != "rgb(180, 0, 90)" {
		t.Errorf("the launcher's colour is %s", color)
	}
	var styled bool
	tab.top().mustEval(`!!document.querySelector('style,link[rel=stylesheet],html[style],head [style],body[style],body [style]') || document.cookie !== ''`, &styled)
	if styled {
		t.Error("the chat leaves styles or a cookie on the page")
	}
	tab.shot("strict-policy")
}

// A page that may not embed the chat gets a calm line and a link, and no noise.
func TestPageThatMayNotEmbed(t *testing.T) {
	const page = hostHead + `<script src="/host.js"></script><script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script></head><body><h1>Uninvited</h1></body></html>`
	h := host(t, map[string]hostPage{"/host.js": {kind: "text/javascript", body: hostSays}, "/": {body: page}})
	s := serve(t)
	h.embeds(s)
	v := visitor(t, "guest")
	tab := v.open(h.url + "/")
	tab.allow(`frame-ancestors`) // the browser's own word to the page's author; no page can prevent it
	top := tab.top()
	top.click("button", "Open chat")
	top.calm()
	tab.shot("may-not-embed")
	var events []struct {
		Name    string
		Payload map[string]any
	}
	top.mustEval(`noted.events`, &events)
	if !slices.ContainsFunc(events, func(e struct {
		Name    string
		Payload map[string]any
	},
	) bool {
		return e.Name == "error" && e.Payload["code"] == "unavailable"
	}) {
		t.Errorf("the page hears %v, not of an error", events)
	}
	var href, target string
	link := top.find("link", "Open the chat in a new tab")
	if err := link.on("function() { return this.href }", &href); err != nil {
		t.Fatal(err)
	}
	if err := link.on("function() { return this.target + ' ' + this.rel }", &target); err != nil {
		t.Fatal(err)
	}
	if href != s.url+"/chat?vendor=maple-pottery" || target != "_blank noopener" {
		t.Errorf("the link leads to %s (%s)", href, target)
	}
	top.click("button", "Close chat")
	top.find("button", "Open chat")

	// Where the link leads, the chat works.
	alone := v.open(href).top()
	alone.sees("Maple Pottery")
	alone.find("textbox", "Message")
	alone.say("Then I come to you")
	alone.delivered("Then I come to you")
	alone.tab.shot("chat-in-a-tab")
}

// calm waits until the panel says that there is no chat here, and where there is one.
func (d *Doc) calm() {
	d.tab.t.Helper()
	d.find("link", "Open the chat in a new tab")
	var line string
	d.mustEval(`(`+launcherBox+`).shadowRoot.querySelector('[role=status]').innerText`, &line)
	if !strings.Contains(line, "The chat can’t be shown on this page.") {
		d.tab.t.Errorf("the panel says %q", line)
	}
}

// The frame never answers: the same calm line, on a page that may embed.
func TestFrameThatNeverAnswers(t *testing.T) {
	s := serve(t)
	s.front.rule(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/widget" {
			return false
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Gateway</title><p>Something else entirely</p>"))
		return true
	})
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.top().click("button", "Open chat")
	tab.top().calm()
}

// What a page can ask of the chat, and what it hears.
func TestBridge(t *testing.T) {
	const early = hostSays + `
Anteroom('open', {vendor: 'northern-tea', text: 'Do you ship to Iceland?'});
Anteroom('no such call'); Anteroom('login'); Anteroom('off', 'nothing');
`
	const page = hostHead + `<script src="/host.js"></script></head><body><h1>A host</h1><input id="mine" aria-label="Mine"></body></html>`
	h := host(t, map[string]hostPage{"/host.js": {kind: "text/javascript", body: strings.Replace(early, "Anteroom('login'); ", "", 1)}, "/": {body: page}})
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	tab := visitor(t, "guest").open(h.url + "/")
	top := tab.top()
	// The loader comes late: until then, calls wait.
	top.mustEval(fmt.Sprintf(`void document.head.append(Object.assign(document.createElement('script'), {src: %q}))`, s.url+"/embed.js"), nil)
	hears := func(name string, payload map[string]any) {
		t.Helper()
		await(t, fmt.Sprintf("the event %s %v", name, payload), func() (bool, error) {
			var list []struct {
				Name    string
				Payload map[string]any
			}
			if err := top.eval(`noted.events`, &list); err != nil {
				return false, err
			}
			for _, e := range list {
				if e.Name == name && (payload == nil && len(e.Payload) == 0 || payload != nil && fmt.Sprint(e.Payload) == fmt.Sprint(payload)) {
					return true, nil
				}
			}
			return false, fmt.Errorf("heard %v", list)
		})
	}
	hears("open", nil)
	hears("ready", nil)
	chat := tab.chat()
	chat.sees("Northern Tea")
	await(t, "the proposed text in the field", func() (bool, error) {
		v, err := chat.value("Message")
		return v == "Do you ship to Iceland?", err
	})
	chat.click("button", "Send")
	chat.delivered("Do you ship to Iceland?")
	guest, _ := chat.guestSession()

	// A text is proposed to an empty field, and never put over what the visitor wrote.
	chat.fill("Message", "My own words")
	top.mustEval(`Anteroom('open', {text: 'Other words'})`, nil)
	top.mustEval(`Anteroom('close')`, nil)
	hears("close", nil)
	top.find("button", "Open chat")
	if v, err := chat.value("Message"); err != nil || v != "My own words" {
		t.Errorf("the field holds %q (%v)", v, err)
	}

	// Closed, the page hears of a message and of what is unread; not of what it says.
	noor := s.staff("noor")
	room := s.roomOf(noor, guest.ID)
	s.answer(noor, room, "To Iceland, and gladly")
	hears("message", map[string]any{"room": room})
	hears("unread", map[string]any{"count": 1.0})
	var label string
	await(t, "the badge", func() (bool, error) {
		err := top.eval(`(`+launcher+`).getAttribute('aria-description')`, &label)
		return label == "1 unread", err
	})
	tab.shot("launcher-unread")

	// What debug tells is this and no more.
	var debug map[string]any
	top.mustEval(`Anteroom('debug')`, &debug)
	if want := map[string]any{"connected": true, "guestSessionId": guest.ID, "rooms": 1.0}; fmt.Sprint(debug) != fmt.Sprint(want) {
		t.Errorf("debug tells %v, want %v", debug, want)
	}

	// Log-in with a token, and with a provider; log-out.
	token := s.shopToken("ada")
	top.mustEval(fmt.Sprintf(`Anteroom('login', {token: %q})`, token), nil)
	await(t, "the page to hear of the log-in", func() (bool, error) {
		var kind string
		err := top.eval(`(noted.events.findLast((e) => e.name === 'auth') || {payload: {}}).payload.kind`, &kind)
		return kind == "user", err
	})
	top.mustEval(`Anteroom('open')`, nil)
	chat.sees("To Iceland, and gladly")
	top.mustEval(`Anteroom('logout')`, nil)
	await(t, "the page to hear of the log-out", func() (bool, error) {
		var kind string
		err := top.eval(`(noted.events.findLast((e) => e.name === 'auth') || {payload: {}}).payload.kind`, &kind)
		return kind == "guest", err
	})
	chat.showsNot("To Iceland")
	top.mustEval(fmt.Sprintf(`window.asked = 0; Anteroom('login', {tokenProvider: () => { asked++; return Promise.resolve(%q); }})`, s.shopToken("bo")), nil)
	await(t, "the log-in by the provider", func() (bool, error) {
		var asked int
		err := top.eval(`noted.events.findLast((e) => e.name === 'auth').payload.kind === 'user' ? asked : 0`, &asked)
		return asked == 1, err
	})

	// Nothing of all that carried words or secrets.
	var all string
	top.mustEval(`JSON.stringify([noted.events, {...localStorage}, document.cookie])`, &all)
	for _, secret := range []string{"Iceland", "My own words", "gs_", "as_", "rv_", token, "Ada", "Bo Lind", "Northern"} {
		if strings.Contains(all, secret) {
			t.Errorf("the page holds %q in %s", secret, all)
		}
	}
	var globals []string
	top.mustEval(`noted.globals()`, &globals)
	if len(globals) > 0 {
		t.Errorf("the chat leaves the globals %q", globals)
	}

	// Who was taken off hears nothing more.
	top.mustEval(`Anteroom('close'), Anteroom('off', 'open', noted.handlers.open), noted.events.length = 0, Anteroom('open'), Anteroom('close')`, nil)
	var events string
	top.mustEval(`noted.events.map((e) => e.name).join()`, &events)
	if events != "close" {
		t.Errorf("after off, the page hears %q", events)
	}

	// A message from elsewhere is no message of the chat's, whatever it says.
	top.mustEval(fmt.Sprintf(`noted.events.length = 0, postMessage({anteroom: 1, type: 'unread', count: 7}, '*'), dispatchEvent(new MessageEvent('message', {data: {anteroom: 1, type: 'unread', count: 7}, origin: %q}))`, s.url), nil)
	top.mustEval(`new Promise((done) => setTimeout(done))`, nil)
	top.mustEval(`noted.events.map((e) => e.name).join()`, &events)
	if events != "" {
		t.Errorf("a forged message makes the events %q", events)
	}

	// After destroy there is nothing, and calls do nothing, quietly.
	top.mustEval(`Anteroom('destroy')`, nil)
	top.gone("button", "Open chat")
	top.mustEval(`noted.events.length = 0, Anteroom('open', {vendor: 'oak-linen', text: 'Hello?'}), Anteroom('close'), Anteroom('login', {token: 'x.y.z'}), Anteroom('logout'), Anteroom('on', 'open', noted.handlers.open), Anteroom('debug'), Anteroom('destroy'), new Promise((done) => setTimeout(done))`, nil)
	var left struct {
		Events int
		Frames int
		Box    bool
	}
	top.mustEval(`({events: noted.events.length, frames: window.length, box: !!(`+launcherBox+`)})`, &left)
	if left.Events != 0 || left.Frames != 0 || left.Box {
		t.Errorf("after destroy: %+v", left)
	}
}

// shopToken is an identity token the demo shop signs for a customer.
func (s *Server) shopToken(customer string) string {
	s.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	r, err := c.PostForm(s.shop+"/account/login", url.Values{"username": {customer}, "password": {"demo-" + customer}})
	if err != nil {
		s.t.Fatal(err)
	}
	r.Body.Close()
	r, err = c.Post(s.shop+"/account/token", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	var out struct{ Token string }
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil || out.Token == "" {
		s.t.Fatalf("the shop signs nothing for %s: %d %v", customer, r.StatusCode, err)
	}
	return out.Token
}

// Shop and chat on the same site: the frame shares the page's process and its
// cookies' site, and all is the same.
func TestSameSite(t *testing.T) {
	s := serve(t, sameSite)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("Are we neighbours?")
	chat.delivered("Are we neighbours?")
	guest, _ := chat.guestSession()
	inbox := visitor(t, "mia").inbox(s, "mia")
	inbox.enter(guest.label())
	inbox.reads("Are we neighbours?")
	inbox.click("textbox", "Message")
	inbox.tab.typeText("We")
	chat.sees("typing")
	inbox.fill("Message", "We are.")
	inbox.tab.press("Enter", false)
	chat.reads("Are we neighbours?", "We are.")
	chat.showsNot("typing")

	other := visitor(t, "other").open(s.shop + "/products/blue-bowl").openChat()
	other.say("And I?")
	other.delivered("And I?")
	second, _ := other.guestSession()
	room := s.roomWith(s.staff("mia"), "We are.").ID
	s.shutOut("the second guest", second.Credential, "widget", room, "neighbours")

	tab.reload()
	chat = tab.openChat()
	chat.reads("Are we neighbours?", "We are.")
	if again, _ := chat.guestSession(); again.ID != guest.ID {
		t.Errorf("after the reload the guest is %s, was %s", again.ID, guest.ID)
	}
}

// A page is printed without the launcher: it would cover a line of every sheet.
func TestPrintedPage(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	tab.top().find("button", "Open chat")
	for medium, want := range map[string]bool{"print": false, "screen": true} {
		if err := tab.page.call("Emulation.setEmulatedMedia", map[string]any{"media": medium}, nil); err != nil {
			t.Fatal(err)
		}
		var drawn bool
		tab.top().mustEval(`(`+launcher+`).getClientRects().length > 0`, &drawn)
		if drawn != want {
			t.Errorf("on %s: launcher drawn %v, want %v", medium, drawn, want)
		}
	}
}
