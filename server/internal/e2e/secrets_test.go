//go:build !js

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A visitor who writes too fast sees a calm countdown, and loses nothing: what
// was written goes by itself when it may, and what is being written stays.
func TestLimitedVisitor(t *testing.T) {
	s := serve(t, with("--limit", "messages-guest=1/12s:2"))
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	for i := range 3 {
		chat.say(fmt.Sprintf("Question %d", i+1))
	}
	chat.reads("Question 1", "Question 2", "Question 3")
	chat.fill("Message", "And one more thing")
	seconds := func() (n int) {
		t.Helper()
		await(t, "the countdown", func() (bool, error) {
			log, err := chat.log()
			if err != nil {
				return false, err
			}
			_, rest, ok := strings.Cut(log, "Sending again in ")
			if !ok {
				return false, fmt.Errorf("the log says %q", log)
			}
			_, err = fmt.Sscanf(rest, "%d s", &n)
			return err == nil, err
		})
		return n
	}
	first := seconds()
	if first < 2 || first > 13 {
		t.Errorf("the countdown begins at %d", first)
	}
	tab.shot("limited-visitor")
	await(t, "the countdown to go down", func() (bool, error) { return seconds() < first, nil })
	if v, err := chat.value("Message"); err != nil || v != "And one more thing" {
		t.Errorf("the field holds %q (%v)", v, err)
	}
	if text, err := chat.text(); err != nil || strings.Contains(text, "rate_limited") || strings.Contains(text, "429") {
		t.Errorf("the words of the machine are on screen: %q %v", text, err)
	}
	chat.delivered("Question 3") // by itself, and once
	chat.showsNot("Sending again")
	mia := s.staff("mia")
	room := s.roomWith(mia, "Question 3")
	if got := fmt.Sprint(s.texts(mia, room.ID)); got != "[Question 1 Question 2 Question 3]" {
		t.Errorf("the room holds %s", got)
	}
	if v, err := chat.value("Message"); err != nil || v != "And one more thing" {
		t.Errorf("the field holds %q (%v)", v, err)
	}
}

// Access is what a reverse proxy in front of the chat would log: addresses and
// headers, but for the one that carries the credential.
type Access struct {
	mu    sync.Mutex
	lines []string
}

func (f *Front) access() *Access {
	a := &Access{}
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		line := r.Method + " " + r.URL.String()
		for k, v := range r.Header {
			if k != "Authorization" {
				line += fmt.Sprintf(" %s=%q", k, v)
			}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lines = append(a.lines, line)
		return false
	})
	return a
}

// Secrets stay where they belong: a guest and a customer chat, staff logs in, a
// visitor is refused; then everything that was written anywhere is searched for
// their credentials, their tokens and passwords, and for what was said.
func TestSecretsStayInside(t *testing.T) {
	s := serve(t, with("--ops-addr", "127.0.0.1:0"))
	access := s.front.access()
	v := visitor(t, "guest")
	sent := v.tab1.capture()
	tab := v.open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	chat.say("zk-canary-question")
	chat.delivered("zk-canary-question")
	guest, _ := chat.guestSession()
	mia := s.staff("mia")
	room := s.roomWith(mia, "zk-canary-question").ID
	s.answer(mia, room, "zk-canary-answer")
	chat.reads("zk-canary-answer")
	token := s.shopToken("ada")
	tab.top().mustEval(fmt.Sprintf(`Anteroom('login', {token: %q})`, token), nil)
	await(t, "the guest session to be linked", func() (bool, error) {
		_, ok := chat.guestSession()
		return !ok, nil
	})
	chat.sees("zk-canary-answer")
	// Odd and refused requests, each with something that must not be kept.
	var fresh guestSession
	s.request("POST", "/api/guest-sessions", "", nil, &fresh)
	s.request("GET", "/api/rooms/"+room, fresh.Credential, nil, nil)
	s.request("GET", "/api/me?credential=zk-canary-query", fresh.Credential, nil, nil)
	s.request("POST", "/api/login", "", map[string]string{"username": "mia", "password": "zk-canary-password", "surface": "inbox"}, nil)
	s.request("POST", "/api/login", "", map[string]string{"username": "zk-canary-user", "password": "zk-canary-password", "surface": "inbox"}, nil)
	s.request("POST", "/api/login", "", map[string]string{"token": token + "x", "surface": "widget"}, nil)
	s.request("POST", "/api/link", mia, map[string]string{"guest": fresh.Credential}, nil)
	s.request("GET", "/api/me", "as_zk-canary-credential", nil, nil)
	k, _ := s.socket(fresh.Credential, "widget", "")
	k.ask(5, map[string]any{"join": map[string]any{"room": room}})
	k.ask(6, map[string]any{"send": map[string]any{"room": room, "cmid": "zk-canary-cmid", "text": "zk-canary-refused"}})

	inbox := visitor(t, "mia").inbox(s, "mia")
	inbox.enter("Ada Okafor")
	var kept string
	inbox.mustEval(`localStorage.getItem('anteroom.inbox.session')`, &kept)
	i := strings.Index(kept, "as_")
	if i < 0 {
		t.Fatalf("the inbox keeps %q", kept)
	}
	account := kept[i : i+46]

	// What was written, by place.
	places := map[string]string{}
	access.mu.Lock()
	places["what a proxy logs"] = strings.Join(access.lines, "\n")
	access.mu.Unlock()
	for name, d := range map[string]*Doc{"the host page": tab.top(), "the frame": chat, "the inbox": inbox} {
		var titles string
		d.mustEval(`JSON.stringify([document.title, location.href, document.referrer, document.cookie, history.state, performance.getEntriesByType('resource').map((e) => e.name)])`, &titles)
		places["title and addresses of "+name] = titles
	}
	var host string
	tab.top().mustEval(`JSON.stringify([{...localStorage}, {...sessionStorage}])`, &host)
	places["the host page's storage"] = host
	for _, path := range []string{"/api/audit?limit=200", "/api/rooms/" + room + "/explain?guest_session=" + fresh.ID} {
		places[path] = s.body(path, s.staff("rosa"))
	}
	explained, err := s.command(nil, "explain", room, fresh.ID)
	if err != nil {
		t.Fatal(err, explained)
	}
	places["anteroom explain"] = explained
	places["metrics"] = s.metrics()
	if len(sent.of("zk-canary")) > 0 {
		t.Error("the host page itself sends what was said")
	}
	// A crash writes what all goroutines do.
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	s.cmd = nil
	written := s.stderr.all()
	if !strings.Contains(written, "goroutine ") || !strings.Contains(written, room) {
		t.Fatal("the log or the crash is missing: this would prove nothing")
	}
	places["the log and the crash"] = written

	secrets := map[string]string{
		"the guest's credential": guest.Credential, "the guest's secret": guest.Credential[30:], "the guest's handle": guest.Revoke,
		"another guest's credential": fresh.Credential, "the token": token, "its signature": token[strings.LastIndexByte(token, '.')+1:],
		"staff's credential": mia, "the inbox's credential": account, "a password": "demo-mia", "what was said": "zk-canary",
	}
	for place, text := range places {
		if text == "" {
			t.Errorf("%s: nothing was written there: this would prove nothing", place)
		}
		for what, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s: %s: …%.120s…", place, what, text[max(0, i-40):])
			}
		}
	}
	// In the data folder there are texts, but no secret in a form that opens anything.
	delete(secrets, "what was said")
	err = filepath.WalkDir(s.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for what, secret := range secrets {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %s", filepath.Base(path), what)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// body gets a good answer's bytes.
func (s *Server) body(path, credential string) string {
	s.t.Helper()
	r, err := http.NewRequest("GET", "http://"+s.addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = strings.TrimPrefix(s.url, "http://")
	r.Header.Set("Authorization", "Bearer "+credential)
	return s.read(r)
}

func (s *Server) metrics() string {
	s.t.Helper()
	r, err := http.NewRequest("GET", s.ops, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.read(r)
}

func (s *Server) read(r *http.Request) string {
	s.t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		s.t.Fatalf("%s: %d %v", r.URL, answer.StatusCode, err)
	}
	return string(b)
}
