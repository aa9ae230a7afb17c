//go:build !js

package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// front is what browsers connect to: it passes requests to a server, and holds
// the bytes of sockets, which the DevTools protocol does not slow.
type front struct {
	*httptest.Server
	to    atomic.Pointer[url.URL]
	delay atomic.Int64 // of one direction, in nanoseconds
	strip atomic.Bool  // take the embed off the pages
}

func newFront() *front {
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(f.to.Load())
			r.Out.Host = r.In.Host
		},
		ModifyResponse: f.modify,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			f.socket(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	f.URL = strings.Replace(f.URL, "127.0.0.1", "localhost", 1)
	return f
}

var tag = regexp.MustCompile(`<script[^>]*/embed\.js[^>]*></script>`)

func (f *front) modify(r *http.Response) error {
	if !f.strip.Load() || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body.Close()
	text := tag.ReplaceAllString(string(b), "")
	r.Body = io.NopCloser(strings.NewReader(text))
	r.ContentLength = int64(len(text))
	r.Header.Del("Content-Length")
	return nil
}

// socket passes a WebSocket on, byte for byte and late.
func (f *front) socket(w http.ResponseWriter, r *http.Request) {
	back, err := net.Dial("tcp", f.to.Load().Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer back.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	f.hold() // the request's way
	if err := r.Write(back); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	go f.pipe(back, buffered, done) // both end when either connection does
	go f.pipe(client, back, done)
	<-done
}

func (f *front) hold() { time.Sleep(time.Duration(f.delay.Load())) }

// pipe gives on what it reads, each piece after the delay; pieces overtake nothing.
func (f *front) pipe(to io.Writer, from io.Reader, done chan<- struct{}) {
	type piece struct {
		b   []byte
		due time.Time
	}
	queue := make(chan piece, 1024)
	go func() { // ends when the reader below closes the queue
		failed := false
		for p := range queue {
			time.Sleep(time.Until(p.due))
			if !failed {
				_, err := to.Write(p.b)
				failed = err != nil
			}
		}
		done <- struct{}{}
	}()
	defer close(queue)
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			queue <- piece{b[:n], time.Now().Add(time.Duration(f.delay.Load()))}
		}
		if err != nil {
			return
		}
	}
}

// hostPage is the peers' host page: static, fourteen sections of text, no script but the embed.
func hostPage(chat string) http.Handler {
	text := strings.Repeat("<section><h2>A heading</h2>"+strings.Repeat("<p>Some words about something that one may want to buy, and how it was made, and by whom, and when it comes.</p>", 3)+"</section>", 14)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		embed := `<script async src="` + chat + `/embed.js" data-vendor="maple-pottery"></script>`
		if r.URL.Path == "/without" {
			embed = ""
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A host</title><link rel="icon" href="data:,">`+embed+`</head><body><h1>A host</h1>`+text+`</body></html>`)
	})
}
