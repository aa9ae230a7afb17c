package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Config says where the chat lives and who may embed it.
type Config struct {
	PublicURL    *url.URL // the only origin of API and socket
	EmbedOrigins []string // pages that may frame the widget, as origins: "https://shop.example"
	Version      string   // of the server, shown to the app
	// NoServiceWorker is the kill switch: installed inboxes get a service
	// worker that removes its caches and itself.
	NoServiceWorker bool

	dist fs.FS // nil means the embedded one; tests give their own
}

// What the headers of several resources share.
const (
	immutable  = "public, max-age=31536000, immutable"
	scriptKind = "text/javascript; charset=utf-8"
	short      = "public, max-age=300, stale-while-revalidate=86400"
	document   = "public, max-age=60, stale-while-revalidate=600"
	denied     = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()"
)

// Handler serves everything a browser loads but the API: the loader
// (/embed.js), the widget's frame (/widget) and page (/chat), the inbox below
// /inbox/, and the assets below /assets/, whose names carry their content's
// hash. "/" leads to the inbox. Everything is packed when Handler is called;
// the result is safe for concurrent use and reads no request but its path and
// its Accept-Encoding and If-None-Match headers. Where no module was built, or
// half of one, its documents say so.
func Handler(c Config) http.Handler {
	s := &site{Config: c, assets: map[string]*resource{}, names: map[string]string{}}
	if s.dist == nil {
		s.dist = must(fs.Sub(files, "dist"))
	}
	s.addIcons()
	mux := http.NewServeMux()
	mux.Handle("/embed.js", pack(scriptKind, []byte(script("embed.js")), http.Header{
		"Cache-Control":                {short},
		"Access-Control-Allow-Origin":  {"*"}, // so that a page may give it an integrity hash
		"Cross-Origin-Resource-Policy": {"cross-origin"},
	}))
	if b, err := s.addBuilt(); err == nil {
		mux.Handle("/widget", s.widget(b))
		mux.Handle("/chat", s.chat(b))
		mux.Handle("/inbox/", onlyPages(s.inbox(b)))
	} else {
		calm := s.notBuilt(err)
		mux.Handle("/widget", calm)
		mux.Handle("/chat", calm)
		mux.Handle("/inbox/", onlyPages(calm))
	}
	mux.Handle("/inbox/sw.js", s.worker())
	mux.Handle("/inbox/manifest.webmanifest", pack("application/manifest+json", []byte(s.fill("manifest.webmanifest", nil)), http.Header{"Cache-Control": {short}}))
	mux.Handle("/inbox/offline", s.offline())
	mux.HandleFunc("/assets/", s.asset)
	mux.Handle("/{$}", http.RedirectHandler("/inbox/", http.StatusFound))
	mux.Handle("/robots.txt", pack("text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /\n"), http.Header{"Cache-Control": {short}}))
	mux.HandleFunc("/", notFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What every answer has unless it says otherwise, redirects included.
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// site is what the documents are filled with.
type site struct {
	Config
	assets map[string]*resource // by the name below /assets/
	names  map[string]string    // template key → path
}

func (s *site) addIcons() {
	for _, e := range must(fs.ReadDir(files, "icons")) {
		data := must(files.ReadFile("icons/" + e.Name()))
		kind := "image/png"
		if path.Ext(e.Name()) == ".svg" {
			kind = "image/svg+xml"
		}
		stem, ext, _ := strings.Cut(e.Name(), ".")
		name := stem + "." + hash(data) + "." + ext
		s.assets[name] = pack(kind, data, assetHeader())
		s.names["{{"+e.Name()+"}}"] = "/assets/" + name
	}
}

// addBuilt adds the built modules and their support script to the assets.
func (s *site) addBuilt() (built, error) {
	b, err := readBuilt(s.dist)
	if err != nil {
		return b, err
	}
	for _, a := range []struct {
		builtAsset
		kind string
	}{{b.Widget, "application/wasm"}, {b.Inbox, "application/wasm"}, {b.Exec, scriptKind}} {
		br, err := fs.ReadFile(s.dist, a.Name+".br")
		if err != nil {
			return b, err
		}
		gz, err := fs.ReadFile(s.dist, a.Name+".gz")
		if err != nil {
			return b, err
		}
		s.assets[a.Name] = &resource{kind: a.kind, header: assetHeader(), tag: hash(gz), size: a.Size, br: br, gz: gz}
	}
	return b, nil
}

// must unwraps what only a broken build of this package can refuse.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func assetHeader() http.Header {
	return http.Header{
		"Cache-Control": {immutable},
		// Opened on its own (an SVG), an asset may do nothing.
		"Content-Security-Policy": {"default-src 'none'; sandbox"},
	}
}

func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[strings.TrimPrefix(r.URL.Path, "/assets/")]
	if !ok {
		// Of another build: the page that asks reloads itself (boot.js).
		notFound(w, r)
		return
	}
	a.ServeHTTP(w, r)
}

// fill puts names and values in the place of a file's {{keys}}.
func (s *site) fill(name string, values map[string]string) string {
	text := must(files.ReadFile(name))
	var pairs []string
	for k, v := range s.names {
		pairs = append(pairs, k, v)
	}
	for k, v := range values {
		pairs = append(pairs, k, v)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// config is what a document tells boot.js and the app; the same for everybody.
type config struct {
	Surface      string   `json:"surface"`
	Page         bool     `json:"page"`
	PublicURL    string   `json:"public_url"`
	Version      string   `json:"version"`
	EmbedOrigins []string `json:"embed_origins"`
	Wasm         string   `json:"wasm"`
	WasmSize     int64    `json:"wasm_size"`
	Exec         string   `json:"exec"`
}

// render fills a surface's document and gives it its headers.
func (s *site) render(name string, b built, c config, ancestors string, more http.Header) *resource {
	c.PublicURL, c.Version = s.PublicURL.String(), s.Version
	module := b.Widget
	if c.Surface == "inbox" {
		module = b.Inbox
	}
	c.Wasm, c.WasmSize, c.Exec = "/assets/"+module.Name, module.Size, "/assets/"+b.Exec.Name
	if c.EmbedOrigins == nil {
		c.EmbedOrigins = []string{}
	}
	text := must(json.Marshal(c)) // escapes <, > and &: it cannot end its element
	css, early, focus, boot := style("shell.css")+style("ui.css"), script("early.js"), script("focus.js"), script("boot.js")
	scripts := []string{early, boot}
	if c.Surface == "widget" {
		scripts = []string{early, focus, boot}
	}
	body := ""
	if c.Page {
		body = " is-page"
	}
	composer := must(files.ReadFile("composer.html"))
	doc := s.fill(name, map[string]string{
		"{{css}}": css, "{{early}}": early, "{{focus}}": focus, "{{boot}}": boot, "{{config}}": string(text), "{{body}}": body, "{{composer}}": string(composer),
	})
	h := documentHeader(policy(css, scripts, s.PublicURL, ancestors))
	for k, v := range more {
		h[k] = v
	}
	return pack("text/html; charset=utf-8", []byte(doc), h)
}

func (s *site) widget(b built) *resource {
	ancestors := "'none'"
	if len(s.EmbedOrigins) > 0 {
		ancestors = strings.Join(s.EmbedOrigins, " ")
	}
	return s.render("widget.html", b, config{Surface: "widget", EmbedOrigins: s.EmbedOrigins}, ancestors, http.Header{
		// So that pages with an embedder policy of their own can frame it.
		"Cross-Origin-Embedder-Policy": {"require-corp"}, "Cross-Origin-Resource-Policy": {"cross-origin"},
	})
}

func (s *site) chat(b built) *resource {
	return s.render("widget.html", b, config{Surface: "widget", Page: true}, "'self'", alone())
}

func (s *site) inbox(b built) *resource {
	return s.render("inbox.html", b, config{Surface: "inbox", Page: true}, "'none'", alone())
}

// alone are the headers of a document nobody frames.
func alone() http.Header {
	return http.Header{"Cross-Origin-Opener-Policy": {"same-origin"}}
}

func documentHeader(csp string) http.Header {
	return http.Header{
		"Cache-Control": {document}, "Content-Security-Policy": {csp}, "Permissions-Policy": {denied}, "Referrer-Policy": {"no-referrer"},
	}
}

// policy is the Content-Security-Policy of a surface's document: our inlined
// style and scripts by their hash, the module, our own API and socket, and
// one Trusted Types policy. 'self' does not cover ws: in every browser.
func policy(css string, scripts []string, public *url.URL, ancestors string) string {
	allowed := ""
	for _, s := range scripts {
		allowed += " '" + sum(s) + "'"
	}
	socket := "ws://" + public.Host
	if public.Scheme == "https" {
		socket = "wss://" + public.Host
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'wasm-unsafe-eval'" + allowed,
		"style-src '" + sum(css) + "'",
		"connect-src 'self' " + socket,
		"img-src 'self' data:",
		"manifest-src 'self'",
		"worker-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors " + ancestors,
		"require-trusted-types-for 'script'",
		"trusted-types anteroom",
	}, "; ")
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(s[:])
}

// page is a calm page of words, without any script.
func (s *site) page(title, text string, header http.Header) *resource {
	css := style("page.css")
	doc := s.fill("page.html", map[string]string{"{{css}}": css, "{{title}}": html.EscapeString(title), "{{text}}": text})
	h := documentHeader("default-src 'none'; style-src '" + sum(css) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	for k, v := range header {
		h[k] = v
	}
	return pack("text/html; charset=utf-8", []byte(doc), h)
}

func (s *site) notBuilt(err error) *resource {
	text := "<p>The chat’s WebAssembly module is missing. Run <code>make build</code> and start the server again.</p>\n"
	if !errors.Is(err, fs.ErrNotExist) {
		text += "<p>" + html.EscapeString(err.Error()) + "</p>\n"
	}
	r := s.page("Not built yet", text, http.Header{"Cache-Control": {"no-store"}})
	r.status = http.StatusServiceUnavailable
	return r
}

func (s *site) offline() *resource {
	return s.page("You are offline", "<p>The inbox opens again once you are back online. What you wrote is kept on this device.</p>\n<p><a href=\"/inbox/\">Try again</a></p>\n",
		http.Header{"Cache-Control": {"no-cache"}})
}

// worker is the inbox's service worker. Its scope is where it lies, /inbox/:
// no Service-Worker-Allowed header ever widens it.
func (s *site) worker() *resource {
	text := script("sw.js")
	if s.NoServiceWorker {
		text = script("sw-kill.js")
	}
	text = strings.ReplaceAll(text, "{{version}}", hash([]byte(text+s.fill("page.html", nil)+style("page.css"))))
	return pack(scriptKind, []byte(text), http.Header{
		"Cache-Control":           {"no-cache"},
		"Content-Security-Policy": {"default-src 'none'; connect-src 'self'"},
	})
}

// onlyPages keeps a document from answering for a missing file below /inbox/.
func onlyPages(doc http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(path.Base(r.URL.Path), ".") {
			notFound(w, r)
			return
		}
		doc.ServeHTTP(w, r)
	})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "Not found", http.StatusNotFound)
}
