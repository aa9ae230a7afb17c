package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
)

var update = flag.Bool("update", false, "write testdata/headers.txt anew")

// fakeDist is a build whose modules are a few bytes.
func fakeDist(t testing.TB) fs.FS {
	t.Helper()
	dist := fstest.MapFS{}
	add := func(name, text string) {
		var br, gz bytes.Buffer
		w, z := brotli.NewWriter(&br), gzip.NewWriter(&gz)
		fmt.Fprint(w, text)
		fmt.Fprint(z, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		dist[name+".br"] = &fstest.MapFile{Data: br.Bytes()}
		dist[name+".gz"] = &fstest.MapFile{Data: gz.Bytes()}
	}
	add("widget.1.wasm", "the module")
	add("inbox.1.wasm", "all of the app")
	add("wasm_exec.1.js", "the support script")
	dist["manifest.json"] = &fstest.MapFile{Data: []byte(`{"widget":{"name":"widget.1.wasm","size":10},"inbox":{"name":"inbox.1.wasm","size":14},"exec":{"name":"wasm_exec.1.js","size":18}}`)}
	return dist
}

func testConfig(t testing.TB) Config {
	t.Helper()
	u, err := url.Parse("https://chat.example")
	if err != nil {
		t.Fatal(err)
	}
	return Config{PublicURL: u, EmbedOrigins: []string{"https://shop.example", "http://127.0.0.1:8081"}, Version: "v1", dist: fakeDist(t)}
}

func get(t testing.TB, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestHeaders compares every header of every kind of resource with a golden
// file. Hashes of what changes with the content are blanked.
func TestHeaders(t *testing.T) {
	h := Handler(testConfig(t))
	c := testConfig(t)
	c.dist = fstest.MapFS{}
	unbuilt := Handler(c)
	icon := regexp.MustCompile(`/assets/icon-192\.\w+\.png`).FindString(text(t, get(t, h, "/inbox/manifest.webmanifest")))
	var out strings.Builder
	for _, c := range []struct {
		name string
		h    http.Handler
		path string
	}{
		{"loader", h, "/embed.js"},
		{"widget", h, "/widget"},
		{"chat", h, "/chat"},
		{"inbox", h, "/inbox/"},
		{"inbox, a page of it", h, "/inbox/room"},
		{"service worker", h, "/inbox/sw.js"},
		{"manifest", h, "/inbox/manifest.webmanifest"},
		{"offline page", h, "/inbox/offline"},
		{"module", h, "/assets/widget.1.wasm"},
		{"support script", h, "/assets/wasm_exec.1.js"},
		{"icon", h, icon},
		{"module of another build", h, "/assets/widget.0.wasm"},
		{"missing file of the inbox", h, "/inbox/app.js"},
		{"robots.txt", h, "/robots.txt"},
		{"root", h, "/"},
		{"inbox without its slash", h, "/inbox"},
		{"odd path", h, "//widget"},
		{"nothing", h, "/nothing"},
		{"another method", h, "/widget"},
		{"widget, not built", unbuilt, "/widget"},
		{"inbox, not built", unbuilt, "/inbox/"},
	} {
		method := http.MethodGet
		if c.name == "another method" {
			method = http.MethodPost
		}
		req := httptest.NewRequest(method, "https://chat.example"+c.path, nil)
		req.Header.Set("Accept-Encoding", "gzip, deflate, br")
		rec := httptest.NewRecorder()
		c.h.ServeHTTP(rec, req)
		r := rec.Result()
		fmt.Fprintf(&out, "# %s\n%d\n", c.name, r.StatusCode)
		var keys []string
		for k := range r.Header {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			for _, v := range r.Header[k] {
				fmt.Fprintf(&out, "%s: %s\n", k, v)
			}
		}
		out.WriteByte('\n')
	}
	got := regexp.MustCompile(`sha256-[^']+|Etag: "[0-9a-f]+|Content-Length: \d+`).ReplaceAllStringFunc(out.String(), func(s string) string {
		return regexp.MustCompile(`^(sha256-|Etag: "|Content-Length: )`).FindString(s) + "…"
	})
	const golden = "testdata/headers.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("headers differ from %s (go test ./web -update writes it anew; read the diff aloud):\n%s", golden, got)
	}
}

// Whatever a request says, the page under an address is the same bytes with the
// same headers: a cache on the way can be given nothing to keep for others.
func TestPagesAreTheSameForAll(t *testing.T) {
	h := Handler(testConfig(t))
	for _, path := range []string{"/embed.js", "/widget", "/chat", "/inbox/", "/inbox/sw.js", "/inbox/manifest.webmanifest", "/inbox/offline", "/assets/widget.1.wasm", "/nothing", "/"} {
		plain := get(t, h, path)
		body := text(t, plain)
		for _, odd := range [][]string{
			{"X-Forwarded-Host", "evil.example"},
			{"X-Forwarded-Proto", "http"},
			{"X-Original-URL", "/chat"},
			{"X-Rewrite-URL", "/inbox/"},
			{"Forwarded", "host=evil.example"},
			{"Origin", "https://evil.example"},
			{"Referer", "https://evil.example/"},
			{"Cookie", "a=b"},
			{"Authorization", "Bearer x"},
			{"Accept-Language", "de"},
			{"User-Agent", "<script>"},
			{"Range", "bytes=0-1"},
			{"X-HTTP-Method-Override", "POST"},
			{"Sec-Fetch-Dest", "script"},
			{"Accept", "application/json"},
		} {
			r := get(t, h, path, odd...)
			if got := text(t, r); got != body || r.StatusCode != plain.StatusCode || fmt.Sprint(r.Header) != fmt.Sprint(plain.Header) {
				t.Errorf("%s with %q: %d %v", path, odd, r.StatusCode, r.Header)
			}
		}
		if r := get(t, h, path+"?vendor=x&cb=evil"); text(t, r) != body {
			t.Errorf("%s changes with its query", path)
		}
		if strings.Contains(body, "evil") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestCodings(t *testing.T) {
	h := Handler(testConfig(t))
	for _, c := range []struct{ accept, want string }{
		{"", ""},
		{"br", "br"},
		{"gzip", "gzip"},
		{"gzip, deflate, br, zstd", "br"},
		{"br;q=0, gzip;q=0.5", "gzip"},
		{"identity", ""},
		{"*", "br"},
		{"*;q=0", ""},
		{"BR", "br"},
		{"x, br;q=0.001", "br"},
		{"br;q=0, *", "gzip"},
	} {
		r := get(t, h, "/assets/widget.1.wasm", "Accept-Encoding", c.accept)
		body := io.Reader(r.Body)
		if got := r.Header.Get("Content-Encoding"); got != c.want {
			t.Errorf("Accept-Encoding %q: %q, want %q", c.accept, got, c.want)
			continue
		}
		switch c.want {
		case "br":
			body = brotli.NewReader(body)
		case "gzip":
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != "the module" {
			t.Errorf("Accept-Encoding %q: %q, %v", c.accept, got, err)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Content-Type") != "application/wasm" {
			t.Errorf("Accept-Encoding %q: %v", c.accept, r.Header)
		}
	}
}

func TestNotModified(t *testing.T) {
	h := Handler(testConfig(t))
	for _, path := range []string{"/embed.js", "/widget", "/inbox/"} {
		first := get(t, h, path, "Accept-Encoding", "br")
		tag := first.Header.Get("ETag")
		again := get(t, h, path, "Accept-Encoding", "br", "If-None-Match", `"other", W/`+tag)
		if again.StatusCode != http.StatusNotModified || text(t, again) != "" || again.Header.Get("ETag") != tag || again.Header.Get("Vary") == "" {
			t.Errorf("%s: %d %v", path, again.StatusCode, again.Header)
		}
		// Another coding is another body, so another tag.
		if r := get(t, h, path, "If-None-Match", tag); r.StatusCode != http.StatusOK {
			t.Errorf("%s plain with the tag of br: %d", path, r.StatusCode)
		}
	}
}

func TestMethods(t *testing.T) {
	h := Handler(testConfig(t))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/widget", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/widget", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
}

// TestDocumentsPassTheirOwnPolicy checks what the policy's words mean for the
// documents as served: the hashes are those of the one inlined style and
// script, and nothing needs unsafe-inline.
func TestDocumentsPassTheirOwnPolicy(t *testing.T) {
	h := Handler(testConfig(t))
	for _, path := range []string{"/widget", "/chat", "/inbox/", "/inbox/offline"} {
		r := get(t, h, path)
		doc, csp := text(t, r), r.Header.Get("Content-Security-Policy")
		styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(doc, -1)
		if len(styles) != 1 || !strings.Contains(csp, sum(styles[0][1])) {
			t.Errorf("%s: %d styles, or its hash is not in the policy", path, len(styles))
		}
		for _, s := range regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(doc, -1) {
			if !strings.Contains(csp, sum(s[1])) {
				t.Errorf("%s: a script's hash is not in the policy", path)
			}
		}
		body := doc[strings.Index(doc, "<body"):]
		if i := strings.Index(body, "<script>"); i >= 0 {
			body = body[:i]
		}
		if m := regexp.MustCompile(`\s(style|on\w+)=`).FindString(body); m != "" {
			t.Errorf("%s: attribute %q would be blocked", path, m)
		}
		if strings.Contains(csp, "unsafe-inline") || strings.Contains(csp, "'unsafe-eval'") {
			t.Errorf("%s: %s", path, csp)
		}
		if strings.Contains(doc, "{{") {
			t.Errorf("%s: a placeholder is left", path)
		}
	}
}

// Each document loads the module of its surface.
func TestModuleOfTheSurface(t *testing.T) {
	h := Handler(testConfig(t))
	for path, want := range map[string]string{"/widget": "widget.1.wasm", "/chat": "widget.1.wasm", "/inbox/": "inbox.1.wasm"} {
		doc := text(t, get(t, h, path))
		for _, name := range []string{"widget.1.wasm", "inbox.1.wasm"} {
			if strings.Contains(doc, "/assets/"+name) != (name == want) {
				t.Errorf("%s loads %s: want %s only", path, name, want)
			}
		}
	}
	if got := text(t, get(t, h, "/assets/inbox.1.wasm")); got != "all of the app" {
		t.Errorf("the inbox's module is %q", got)
	}
}

func TestConfigCannotEndItsElement(t *testing.T) {
	c := testConfig(t)
	c.Version = `</script><script>alert(1)</script>`
	doc := text(t, get(t, Handler(c), "/widget"))
	m := regexp.MustCompile(`(?s)id="anteroom-config">(.*?)</script>`).FindStringSubmatch(doc)
	if m == nil {
		t.Fatal("no config")
	}
	var got config
	if err := json.Unmarshal([]byte(m[1]), &got); err != nil || got.Version != c.Version || got.Surface != "widget" || got.Wasm != "/assets/widget.1.wasm" || !slices.Equal(got.EmbedOrigins, c.EmbedOrigins) {
		t.Errorf("config %+v, %v", got, err)
	}
}

func TestWidgetCannotBeFramedWithoutAnEmbedOrigin(t *testing.T) {
	c := testConfig(t)
	c.EmbedOrigins = nil
	r := get(t, Handler(c), "/widget")
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Error(csp)
	}
}

func TestServiceWorkerStaysInTheInbox(t *testing.T) {
	c := testConfig(t)
	h := Handler(c)
	r := get(t, h, "/inbox/sw.js")
	if r.Header.Get("Service-Worker-Allowed") != "" {
		t.Error("its scope is widened")
	}
	worker := text(t, r)
	if strings.Contains(worker, "{{") || strings.Contains(worker, "/api/") {
		t.Error(worker)
	}
	if doc := text(t, get(t, h, "/widget")); !strings.Contains(doc, "if (!widget) {") {
		t.Error("boot.js no longer asks for the surface before it registers a worker")
	}
	c.NoServiceWorker = true
	if kill := text(t, get(t, Handler(c), "/inbox/sw.js")); !strings.Contains(kill, "unregister") || strings.Contains(kill, "'fetch'") {
		t.Error(kill)
	}
}

func TestNotBuilt(t *testing.T) {
	c := testConfig(t)
	c.dist = fstest.MapFS{}
	r := get(t, Handler(c), "/widget")
	if body := text(t, r); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "make build") || strings.Contains(body, "file does not exist") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	c.dist = fstest.MapFS{"manifest.json": &fstest.MapFile{Data: []byte("{")}}
	if body := text(t, get(t, Handler(c), "/widget")); !strings.Contains(body, "manifest.json") {
		t.Error(body)
	}
	if r := get(t, Handler(c), "/embed.js"); r.StatusCode != http.StatusOK {
		t.Errorf("the loader: %d", r.StatusCode)
	}
}
