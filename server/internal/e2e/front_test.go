//go:build !js

package e2e

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Front stands between the browsers and the server, as a reverse proxy would,
// and is the network that fails on command.
type Front struct {
	url string

	mu     sync.Mutex
	target *url.URL
	rules  []func(http.ResponseWriter, *http.Request, http.Handler) bool
	conns  map[*wire]bool
	cut    bool
	stall  chan struct{} // not nil while nothing passes; closed when it passes again
}

// newFront listens on a port of its own and forwards nowhere yet.
func newFront(t testing.TB) *Front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	f := &Front{url: "http://localhost:" + port, conns: map[*wire]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			f.mu.Lock()
			target := f.target
			f.mu.Unlock()
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as if nobody were there
		ErrorLog:     quiet,
	}
	server := &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		rules := f.rules
		f.mu.Unlock()
		for _, rule := range rules {
			if rule(w, r, proxy) {
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})}
	go server.Serve(&door{l, f}) // ends with Close below
	t.Cleanup(func() {
		f.heal()
		server.Close()
		f.hangUp()
	})
	return f
}

// forward sends what comes to a server's address from now on.
func (f *Front) forward(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = &url.URL{Scheme: "http", Host: addr}
}

// rule adds what happens to requests: it returns true if it has answered.
// next is the way to the server.
func (f *Front) rule(r func(w http.ResponseWriter, q *http.Request, next http.Handler) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules[:len(f.rules):len(f.rules)], r)
}

// sever cuts every connection and refuses new ones, until heal.
func (f *Front) sever() {
	f.mu.Lock()
	f.cut = true
	f.mu.Unlock()
	f.hangUp()
}

// freeze lets nothing through in either direction and closes nothing, as a
// network does that has lost its way, until heal.
func (f *Front) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stall == nil {
		f.stall = make(chan struct{})
	}
}

func (f *Front) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = false
	if f.stall != nil {
		close(f.stall)
		f.stall = nil
	}
}

func (f *Front) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Conn.Close()
	}
}

// pass waits while nothing may pass.
func (f *Front) pass() {
	f.mu.Lock()
	stall := f.stall
	f.mu.Unlock()
	if stall != nil {
		<-stall
	}
}

// door accepts connections as wires, or closes them at once while the network is cut.
type door struct {
	net.Listener
	front *Front
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		w := &wire{c, d.front}
		d.front.mu.Lock()
		cut := d.front.cut
		if !cut {
			d.front.conns[w] = true
		}
		d.front.mu.Unlock()
		if !cut {
			return w, nil
		}
		c.Close()
	}
}

// wire is a connection of a browser's.
type wire struct {
	net.Conn
	front *Front
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.front.pass()
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.front.pass()
	return w.Conn.Write(p)
}

func (w *wire) Close() error {
	w.front.mu.Lock()
	delete(w.front.conns, w)
	w.front.mu.Unlock()
	return w.Conn.Close()
}
