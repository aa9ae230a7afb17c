//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// markups are texts that become more than text where a program is careless.
// CANARY is an address nobody may ask for.
var markups = []string{
	`<script>zk()</script>`,
	`"><img src=//CANARY/x onerror=zk()>`,
	`<svg/onload=zk()><a xlink:href=javascript:zk()>`,
	`<math><mtext><style><img src=x onerror=zk()>`,
	`<noscript><p title="</noscript><img onerror=zk()>">`,
	"java\tscript:zk()//http://CANARY",
	`jav&#x09;ascript&colon;zk()`,
	`data:text/html,<script>zk()</script>`,
	`[x](javascript:zk()) ![x](http://CANARY/i.png)`,
	"```html <iframe srcdoc='<script>zk()</script>'>```",
	`</title></textarea></style><img onerror=zk()>`,
	`{{constructor.constructor('zk()')()}} ${zk()}`,
	`<a href="http://CANARY/a" target=_top>click</a>`,
	`' onmouseover='zk()' style='background:url(//CANARY)`,
	`<base href=//CANARY/><link rel=stylesheet href=//CANARY>`,
	`&lt;b&gt;&amp;lt;script&amp;gt;&#60;i&#62;`,
	`=cmd|'/c calc'!A1 @SUM(1) +1 -1`,
	`%3Cscript%3Ezk()%3C/script%3E %s %d %!`,
	`:emoji<img src=//CANARY onerror=zk()>:`,
	`__proto__ constructor null undefined NaN`,
}

// Names of people, vendors and rooms, messages, drafts, the page a chat began
// on and what is searched for stay text on every screen, in titles and in
// notifications: nothing runs, nothing is asked for, nothing grows an attribute.
func TestMarkupStaysText(t *testing.T) {
	asked := make(chan string, 100)
	l, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	canary := &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.URL.String():
		default:
		}
	})}
	go canary.Serve(l) // ends with Close
	t.Cleanup(func() { canary.Close() })

	s := serve(t, with("--limit", "requests-address=unlimited,requests-principal=unlimited,rooms-guest=unlimited,rooms-address=unlimited,messages-guest=unlimited,messages-user=unlimited,rooms-user=unlimited,logins-address=unlimited"))
	var guest struct{ ID, Credential, Revoke string }
	if status, code := s.request("POST", "/api/guest-sessions", "", nil, &guest); status != 201 {
		t.Fatal(status, code)
	}
	rosa, root := s.staff("rosa"), s.userID(s.staff("rosa"))
	var texts []string
	var between []string // rooms of the admin with somebody, and that somebody's credential
	for i, m := range markups {
		m = strings.ReplaceAll(m, "CANARY", l.Addr().String())
		texts = append(texts, m)
		name := strings.Join(strings.Fields(m), " ") // a name is one line of at most 80 characters
		if utf8.RuneCountInString(name) > 80 {
			name = strings.TrimSpace(string([]rune(name)[:80]))
		}
		evil := fmt.Sprintf("evil-%d", i)
		for _, args := range [][]string{
			{"user", "add", "--name", name, "--password-stdin", evil},
			{"vendor", "add", evil, name},
			{"vendor", "member", evil, evil},
		} {
			if out, err := s.command(strings.NewReader("demo-"+evil+"\n"), args...); err != nil {
				t.Fatalf("%q: %v %s", args, err, out)
			}
		}
		staff := s.staff(evil)
		var made struct{ Room room }
		if status, code := s.request("POST", "/api/rooms", guest.Credential, map[string]string{"client_id": evil, "vendor": evil, "page": "/" + strings.ReplaceAll(m, "\t", " ")}, &made); status != 201 {
			t.Fatalf("a room that began on %q: %d %s", m, status, code)
		}
		s.answer(guest.Credential, made.Room.ID, m)
		s.answer(staff, made.Room.ID, "http://"+l.Addr().String()+"/link "+m)
		if i%5 == 0 { // a room between users has a name of its own
			if status, code := s.request("POST", "/api/rooms", rosa, map[string]any{"client_id": "between-" + evil, "name": name, "users": []string{s.userID(staff), root}}, &made); status != 201 {
				t.Fatalf("a room named %q: %d %s", name, status, code)
			}
			between = append(between, made.Room.ID, staff)
			s.answer(staff, made.Room.ID, m)
		}
	}

	const watch = `
window.ran = 0; window.zk = () => { ran++; }; window.alert = window.confirm = window.prompt = window.zk;
window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
window.shown = []; window.Notification = class { constructor(title) { shown.push(title); } static permission = 'granted'; };
`
	look := func(d *Doc, where string) {
		t.Helper()
		var is struct {
			Ran        int
			Violations []string
			Foreign    []string
			Title      string
		}
		d.mustEval(`({ran, violations, title: document.title, foreign: [...document.body.querySelectorAll('*')].filter((e) =>
			/^(IFRAME|IMG|MATH|MTEXT|BASE|LINK|OBJECT|EMBED|NOSCRIPT|B|I|STYLE|TITLE)$/i.test(e.tagName) || e.tagName === 'SCRIPT' && e.textContent.includes('zk') && e.type !== 'application/json'
			|| [...e.attributes].some((a) => /^on|^srcdoc$/i.test(a.name) || a.name === 'style' && a.value.includes('url(') || /^(href|src|action|xlink:href)$/.test(a.name) && /^\\s*(javascript|data|vbscript):/i.test(a.value)))
			.map((e) => e.outerHTML.slice(0, 200))})`, &is)
		if is.Ran > 0 || len(is.Violations) > 0 || len(is.Foreign) > 0 || strings.Contains(is.Title, "zk") {
			t.Errorf("%s: %+v", where, is)
		}
	}
	// enter shows the room whose name begins as a text does, by a click on its row.
	enter := func(d *Doc, text string) {
		t.Helper()
		begin := strings.Join(strings.Fields(text), " ")
		begin = strings.TrimSpace(begin[:min(len(begin), 20)])
		quoted, err := json.Marshal(begin)
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the room of "+text, func() (bool, error) {
			var ok bool
			err := d.eval(fmt.Sprintf(`(() => { const b = [...document.querySelectorAll('li button')].find((b) => b.textContent.startsWith(%s)); if (b) b.click(); return !!b; })()`, quoted), &ok)
			return ok, err
		})
		d.find("log", "Messages")
		d.sees(begin)
	}

	// The guest's side: the list, each room with a draft, the vendors.
	v := visitor(t, "guest")
	v.tab1.allow(`favicon\.ico`)
	v.tab1.before(watch)
	v.tab1.visit(s.url + "/robots.txt")
	v.tab1.top().mustEval(fmt.Sprintf(`localStorage.setItem('chatGuestSession', JSON.stringify({v: 1, id: %q, credential: %q, revoke: %q}))`, guest.ID, guest.Credential, guest.Revoke), nil)
	chat := v.open(s.url + "/chat").top()
	chat.find("button", "New chat")
	look(chat, "the guest's list")
	chat.tab.shot("markup-list")
	for i, m := range texts {
		if i > 1 && i%3 != 0 { // every text is in the list, which shows the last message too
			continue
		}
		enter(chat, m)
		chat.fill("Message", m)
		look(chat, "the guest's room "+m)
		if i < 2 {
			chat.tab.shot(fmt.Sprintf("markup-room-%d", i))
		}
		chat.fill("Message", "")
		chat.click("button", "Back")
		chat.find("button", "New chat")
	}
	chat.click("button", "New chat")
	chat.sees(strings.Fields(texts[0])[0])
	look(chat, "the list of vendors")

	// The admin's side: all rooms, some of them opened, a search for each text, notifications.
	admin := visitor(t, "rosa")
	admin.tab1.before(watch)
	d := admin.inbox(s, "rosa")
	look(d, "the admin's list")
	d.tab.shot("markup-inbox")
	for i, m := range texts {
		if i%2 == 1 && i%5 != 0 {
			continue
		}
		d.search(strings.Join(strings.Fields(m), " "))
		await(t, "the list to be looked through", func() (bool, error) {
			var is string
			err := d.eval(`document.querySelector('input[type=search]').value`, &is)
			return is != "", err
		})
		if i%5 == 0 {
			enter(d, m)
		}
		look(d, "a search for "+m)
	}
	d.search("")
	d.mustEval(`void (document.hasFocus = () => false)`, nil)
	for i := 0; i < len(between); i += 2 {
		s.answer(between[i+1], between[i], "Is anybody awake?")
	}
	var shown []string
	await(t, "notifications", func() (bool, error) {
		err := d.eval(`shown`, &shown)
		return len(shown) >= len(between)/2, err
	})
	if !slices.Contains(shown, "New message from "+texts[0]) {
		t.Errorf("the notifications are %q", shown)
	}
	look(d, "the admin's inbox in the background")

	select {
	case url := <-asked:
		t.Errorf("a browser asked for %s", url)
	default:
	}
	for _, line := range strings.Split(s.stderr.all(), "\n") {
		if strings.Contains(line, "zk()") || strings.Contains(line, "awake") {
			t.Errorf("a text is in the log: %s", line)
		}
	}
}

// userID is whose credential it is.
func (s *Server) userID(credential string) string {
	s.t.Helper()
	var me struct{ Principal struct{ User string } }
	if status, code := s.request("GET", "/api/me", credential, nil, &me); status != 200 || me.Principal.User == "" {
		s.t.Fatalf("who am I: %d %s", status, code)
	}
	return me.Principal.User
}
