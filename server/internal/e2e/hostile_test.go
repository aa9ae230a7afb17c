//go:build !js

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sprays is what a hostile window does: it sends every message the chat knows,
// and what might be taken for one, to a window, and counts them.
const sprays = `
window.heard = [];
addEventListener('message', (e) => heard.push(e.origin + ' ' + JSON.stringify(e.data)));
window.spray = (target) => {
	let n = 0;
	const rest = {token: 'x.y.z', hasProvider: true, vendor: 'northern-tea', text: 'zk-evil', open: true, idle: true, accent: 'red;}', locale: 'zk-evil', page: 'javascript:zk', count: 99, active: false,
		room: 'r_aaaaaaaaaaaaaaaaaaaaaaaaaa', debug: {connected: true}, kind: 'user', user: 'u_aaaaaaaaaaaaaaaaaaaaaaaaaa', code: 'internal'};
	const send = (m) => { target.postMessage(m, '*'); n++; };
	for (const type of ['ping', 'init', 'open', 'close', 'login', 'token', 'logout', 'destroy', 'hello', 'ready', 'unread', 'message', 'auth', 'error', 'token-wanted', 'chatted', 'pong', 'wipe', 'reload', 'constructor', '__proto__', 'toString']) {
		send({anteroom: 1, type, ...rest});
		send({...rest, type, anteroom: '1'});
		send(JSON.stringify({anteroom: 1, type, ...rest}));
		send([{anteroom: 1, type, ...rest}]);
	}
	for (const odd of [null, 0, '', true, [], {}, {anteroom: 1}, {anteroom: 1, type: {}}, {anteroom: 1, type: ['logout']}, {anteroom: 1, type: null}, new Map([['type', 'logout']]),
		JSON.parse('{"anteroom":1,"type":"init","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
		JSON.parse('{"__proto__":{"anteroom":1,"type":"logout","polluted":1}}')]) send(odd);
	return n;
};
`

// Nobody but the page that embeds the chat, from an origin that may, is heard:
// not a frame beside it, not one without an origin, not who opened the page; and
// nothing the chat says reaches them, or says more than the bridge's words.
func TestHostileMessages(t *testing.T) {
	evil := hostAt(t, "127.0.0.2", map[string]hostPage{
		"/beside": {body: hostHead + `<script>` + sprays + `</script></head><body><h1>Evil</h1></body></html>`},
		"/null":   {body: hostHead + `<script>` + sprays + `addEventListener('message', (e) => { if (e.data === 'go') parent.postMessage({sprayed: spray(parent.frames[0])}, '*'); });</script></head><body></body></html>`},
		"/opens":  {body: hostHead + `<script>` + sprays + `window.page = null</script></head><body><button onclick="page = window.open('{{chat}}')">Open it</button></body></html>`},
	})
	page := hostHead + `<script>
window.heard = []; window.sprayed = 0;
addEventListener('message', (e) => {
	heard.push(e.origin + ' ' + JSON.stringify(e.data));
	if (e.data && e.data.sprayed) sprayed += e.data.sprayed;
	if (e.source === frames[0] && e.data.type === 'hello') frames[0].postMessage({anteroom: 1, type: 'init', vendor: 'maple-pottery', open: true}, '{{chat}}');
});
</script></head><body><h1>A page that embeds the chat by hand</h1>
<iframe title="chat" width="400" height="600" src="{{chat}}/widget#HOST"></iframe>
<iframe title="evil" width="100" height="100" src="EVIL/beside"></iframe>
<iframe title="null" width="100" height="100" sandbox="allow-scripts" src="EVIL/null"></iframe>
</body></html>`
	h := host(t, map[string]hostPage{})
	h.pages["/"] = hostPage{body: strings.NewReplacer("HOST", h.url, "EVIL", evil.url).Replace(page)}
	s := serve(t, with("--embed-origin", h.url))
	h.embeds(s)
	evil.mu.Lock()
	evil.chat = h.url + "/" // what /opens opens
	evil.mu.Unlock()

	v := visitor(t, "guest")
	tab := v.open(h.url + "/")
	chat := tab.chat()
	chat.say("Are we alone here?")
	chat.delivered("Are we alone here?")
	guest, _ := chat.guestSession()
	chat.fill("Message", "My own words")
	chat.mustEval(`window.count = 0, addEventListener('message', () => count++), true`, nil)
	whole := func(who string) {
		t.Helper()
		var is struct {
			ID, Draft, Title, Room string
			Polluted               bool
			Connected              bool
		}
		chat.mustEval(`({id: useChatStore().guestSessionId, draft: document.getElementById('message').value, title: document.title, room: document.body.innerText,
			polluted: ({}).polluted !== undefined || [].polluted !== undefined, connected: useChatStore().isConnected})`, &is)
		if is.ID != guest.ID || is.Draft != "My own words" || is.Polluted || !is.Connected || !strings.Contains(is.Room, "Are we alone here?") || strings.Contains(is.Room, "zk-evil") {
			t.Errorf("after %s: %+v", who, is)
		}
		if now, ok := chat.guestSession(); !ok || now != guest {
			t.Errorf("after %s the browser holds %+v", who, now)
		}
	}
	arrived := func(who string, n int) {
		t.Helper()
		if n < 80 {
			t.Fatalf("%s sent %d messages only", who, n)
		}
		await(t, "the messages of "+who, func() (bool, error) {
			var got int
			err := chat.eval(`count`, &got)
			return got >= n, err
		})
		chat.mustEval(`count = 0`, nil)
	}

	beside := &Doc{tab: tab, where: func() (place, error) { return tab.framePlace("/beside") }}
	var n int
	await(t, "the frame beside it", func() (bool, error) {
		var url string
		err := beside.eval(`location.origin`, &url)
		return url == evil.url, err
	})
	beside.mustEval(`spray(parent.frames[0])`, &n)
	arrived("the frame beside it", n)
	whole("the frame beside it")

	tab.top().mustEval(`frames[2].postMessage('go', '*')`, nil)
	await(t, "the frame without an origin to have sent", func() (bool, error) {
		err := tab.top().eval(`sprayed`, &n)
		return n > 0, err
	})
	arrived("the frame without an origin", n)
	whole("the frame without an origin")

	// The page itself is heard: the same messages in its mouth are no noise.
	chat.mustEval(`document.getElementById('message').value`, nil)
	tab.top().mustEval(fmt.Sprintf(`frames[0].postMessage({anteroom: 1, type: 'ping'}, %q)`, s.url), nil)
	await(t, "the page to be answered", func() (bool, error) {
		var ok bool
		err := tab.top().eval(`heard.some((l) => l.includes('"pong"'))`, &ok)
		return ok, err
	})

	// What was said: to the page by name, the bridge's words only; to the others nothing.
	var said, elsewhere []string
	tab.top().mustEval(`heard`, &said)
	beside.mustEval(`heard`, &elsewhere)
	if len(elsewhere) > 0 {
		t.Errorf("the frame beside it hears %q", elsewhere)
	}
	for _, line := range said {
		origin, data, _ := strings.Cut(line, " ")
		if origin != s.url {
			continue
		}
		for _, word := range []string{"alone", "My own words", "gs_", "as_", "rv_", guest.Credential[30:], guest.Revoke[3:], "Maple"} {
			if strings.Contains(data, word) {
				t.Errorf("the page hears %s", data)
			}
		}
	}

	// A hostile page that opens the embedding one holds its window, and the frame's.
	opener := v.open(evil.url + "/opens")
	opener.top().click("button", "Open it")
	await(t, "the chat in the window that was opened", func() (bool, error) {
		var frames int
		err := opener.top().eval(`page && page.length`, &frames)
		return frames == 3, err
	})
	opener.top().mustEval(`new Promise((done) => { const t = setInterval(() => { spray(page.frames[0]); }, 50); setTimeout(() => { clearInterval(t); done(); }, 1500); })`, nil)
	opener.top().mustEval(`spray(page)`, nil)
	opener.top().mustEval(`heard`, &elsewhere)
	if slices.ContainsFunc(elsewhere, func(l string) bool { return strings.HasPrefix(l, s.url) }) {
		t.Errorf("who opened the page hears %q", elsewhere)
	}
	whole("the page's opener")
	if status, code := s.request("GET", "/api/me", guest.Credential, nil, nil); status != 200 {
		t.Errorf("the guest's credential: %d %s", status, code)
	}
}

// Who may frame what: the widget the pages that were listed, and only if all
// pages around it are; everything else nobody.
func TestFraming(t *testing.T) {
	frames := func(urls ...string) hostPage {
		body := hostHead + `</head><body><h1>Frames</h1>`
		for i, u := range urls {
			body += fmt.Sprintf(`<iframe title="frame %d" width="300" height="300" src="%s"></iframe>`, i, u)
		}
		return hostPage{body: body + `</body></html>`}
	}
	good, evil := host(t, map[string]hostPage{}), hostAt(t, "127.0.0.2", map[string]hostPage{})
	others := []string{"{{chat}}/chat", "{{chat}}/inbox/", "{{chat}}/inbox/room", "{{chat}}/inbox/offline", "{{chat}}/api/vendors", "{{chat}}/assets/nothing", "{{chat}}/"}
	good.pages["/"] = frames("{{chat}}/widget#" + good.url)
	good.pages["/others"] = frames(others...)
	evil.pages["/"] = frames(append(others, "{{chat}}/widget#"+good.url, "{{chat}}/widget#"+evil.url)...)
	evil.pages["/nested"] = frames(good.url + "/")
	evil.pages["/sandbox"] = hostPage{body: hostHead + `</head><body><iframe sandbox="allow-scripts allow-same-origin" src="{{chat}}/widget#` + good.url + `"></iframe></body></html>`}
	s := serve(t, with("--embed-origin", good.url))
	good.embeds(s)
	evil.embeds(s)

	tab := visitor(t, "guest").open(good.url + "/")
	tab.chat().find("textbox", "Message") // it can be framed where it may

	for _, url := range []string{good.url + "/others", evil.url + "/", evil.url + "/nested", evil.url + "/sandbox"} {
		tab := visitor(t, "guest").open("about:blank")
		tab.allow(`frame-ancestors|refused to connect|ERR_BLOCKED_BY_RESPONSE|status of 404|X-Frame-Options`)
		tab.visit(url)
		blocked := tab.blocked(s.url)
		want := 1
		if url == good.url+"/others" || url == evil.url+"/" {
			want = len(others)
		}
		if blocked < want {
			t.Errorf("%s: %d frames were refused, want %d", url, blocked, want)
		}
		tab.shot("framing-" + strings.NewReplacer("/", "-", ":", "-").Replace(strings.TrimPrefix(url, "http://")))
	}
}

// blocked waits until every frame of the chat's origin below the tab, however
// deep, shows the browser's own page of refusal, and counts them.
func (tab *Tab) blocked(origin string) (n int) {
	tab.t.Helper()
	await(tab.t, "the frames to be refused", func() (bool, error) {
		infos, err := chromedp.Targets(tab.ctx)
		if err != nil {
			return false, err
		}
		n = 0
		below := map[string]bool{string(tab.page.target.TargetID): true}
		for range infos { // parents may come behind their children
			for _, info := range infos {
				if info.Type == "iframe" && below[string(info.ParentFrameID)] {
					below[string(info.TargetID)] = true
				}
			}
		}
		for _, info := range infos {
			if info.Type != "iframe" || !below[string(info.TargetID)] || !strings.HasPrefix(info.URL, origin) {
				continue
			}
			p, err := tab.attach(info.TargetID)
			if err != nil {
				return false, err
			}
			d := &Doc{tab: tab, where: func() (place, error) { return place{session: p, frame: string(info.TargetID), own: true}, nil }}
			var href string
			if err := d.eval(`location.href`, &href); err != nil {
				return false, err
			}
			if href != "chrome-error://chromewebdata/" {
				return false, fmt.Errorf("a frame shows %s (%s)", href, info.URL)
			}
			n++
		}
		return n > 0, nil
	})
	return n
}

// A browser keeps the frame's storage apart for each site that embeds it, and
// from the chat's own pages: three guests, who never meet, with cookies of third
// parties refused as well.
func TestPartitionedStorage(t *testing.T) {
	page := hostPage{body: hostHead + `<script async src="{{chat}}/embed.js" data-vendor="maple-pottery"></script></head><body><h1>A site</h1></body></html>`}
	a, b := host(t, map[string]hostPage{"/": page}), hostAt(t, "127.0.0.2", map[string]hostPage{"/": page})
	s := serve(t, with("--embed-origin", a.url+","+b.url))
	a.embeds(s)
	b.embeds(s)
	v := visitor(t, "guest")
	said := map[string]string{}
	ids := map[string]string{}
	look := func(where string) (tab *Tab, chat *Doc) {
		t.Helper()
		tab = v.open("about:blank")
		if err := tab.page.call("Network.setCookieControls", map[string]any{
			"enableThirdPartyCookieRestriction": true, "disableThirdPartyCookieMetadata": true, "disableThirdPartyCookieHeuristics": true,
		}, nil); err != nil {
			t.Fatal(err)
		}
		if where == s.url {
			tab.visit(s.url + "/chat?vendor=maple-pottery")
			return tab, tab.top()
		}
		tab.visit(where + "/")
		return tab, tab.openChat()
	}
	for i, where := range []string{a.url, b.url, s.url} {
		tab, chat := look(where)
		text := fmt.Sprintf("Said at place %d", i)
		chat.find("textbox", "Message")
		chat.say(text)
		chat.delivered(text)
		for _, other := range said {
			chat.showsNot(other)
		}
		g, _ := chat.guestSession()
		for at, id := range ids {
			if id == g.ID {
				t.Errorf("%s and %s are one guest", at, where)
			}
		}
		said[where], ids[where] = text, g.ID
		tab.close()
	}
	for where, text := range said { // each finds its own again
		tab, chat := look(where)
		chat.openRoomOf(chat.tab, "Maple Pottery")
		chat.sees(text)
		if g, _ := chat.guestSession(); g.ID != ids[where] {
			t.Errorf("at %s the guest was %s and is %s", where, ids[where], g.ID)
		}
		tab.close()
	}
	// The inbox knows none of them.
	var keys string
	v.open(s.url+"/inbox/").top().mustEval(`JSON.stringify(Object.keys(localStorage).filter((k) => k.startsWith('anteroom.inbox.')))`, &keys)
	if keys != "[]" {
		t.Errorf("the inbox holds %s", keys)
	}
}
