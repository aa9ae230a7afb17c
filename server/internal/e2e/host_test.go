//go:build !js

package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Host is a website that embeds the chat, other than the demo shop: with
// whatever pages a test needs.
type Host struct {
	url string

	mu    sync.Mutex
	chat  string // the chat's origin
	pages map[string]hostPage
}

// hostPage is a page of a host: {{chat}} stands for the chat's origin.
type hostPage struct {
	body   string
	kind   string // content type, text/html unless given
	header map[string]string
}

// host starts a website.
func host(t testing.TB, pages map[string]hostPage) *Host { return hostAt(t, "127.0.0.1", pages) }

// hostAt starts a website at a loopback address; each address is a site of its own.
func hostAt(t testing.TB, address string, pages map[string]hostPage) *Host {
	t.Helper()
	h := &Host{pages: pages}
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		page, ok := h.pages[r.URL.Path]
		chat := h.chat
		h.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if page.kind != "" {
			w.Header().Set("Content-Type", page.kind)
		}
		for k, v := range page.header {
			w.Header().Set(k, strings.ReplaceAll(v, "{{chat}}", chat))
		}
		w.Write([]byte(strings.ReplaceAll(page.body, "{{chat}}", chat)))
	}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// embeds tells the host's pages where the chat is.
func (h *Host) embeds(s *Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.chat = s.url
}

// hostHead begins a page: no icon, so that no browser asks for one.
const hostHead = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A host</title><link rel="icon" href="data:,">`

// hostSays is a host's own script. It loads first and notes what the chat does
// to the page: events it gives, policies it violates, globals it leaves.
const hostSays = `
window.noted = {events: [], violations: [], before: Object.getOwnPropertyNames(window)};
noted.before.push('noted', 'Anteroom', 'asked');
addEventListener('securitypolicyviolation', (e) => noted.violations.push(e.violatedDirective + ' ' + e.blockedURI));
noted.globals = () => Object.getOwnPropertyNames(window).filter((n) => !noted.before.includes(n) && !/^\d+$/.test(n));
window.Anteroom = window.Anteroom || function () { (Anteroom.q = Anteroom.q || []).push(arguments); };
noted.handlers = {};
for (const name of ['ready', 'open', 'close', 'unread', 'message', 'auth', 'error'])
	Anteroom('on', name, noted.handlers[name] = (payload) => noted.events.push({name, payload: payload === undefined ? null : payload}));
`
