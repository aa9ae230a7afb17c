//go:build !js

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// modules are what the manifest says of what was built.
type modules struct {
	Slim          bool
	Widget, Inbox moduleUnderTest
}

type moduleUnderTest struct {
	Name               string
	Size, Gzip, Brotli int64
}

func readManifest(t testing.TB) (m modules) {
	t.Helper()
	build(t)
	text, err := os.ReadFile(filepath.Join(binary.dist, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The module that was built for a document is the one a browser gets there:
// once, as brotli, and compiled from the very response that the fetch gave, under one Trusted Types
// policy; a repeat visit asks for nothing.
func TestModuleAsLoaded(t *testing.T) {
	s := serve(t)
	built := readManifest(t)
	for path, want := range map[string]moduleUnderTest{"/chat": built.Widget, "/inbox/": built.Inbox} {
		t.Run(path, func(t *testing.T) {
			asked := s.front.watch()
			tab := visitor(t, "somebody").open("about:blank")
			tab.before(`{
	window.noted = {policies: [], compiled: []};
	const create = trustedTypes.createPolicy, compile = WebAssembly.compileStreaming;
	trustedTypes.createPolicy = function (name, ...rest) { noted.policies.push(name); return create.call(trustedTypes, name, ...rest); };
	const fetched = new WeakSet(), get = fetch;
	window.fetch = async (...a) => { const r = await get(...a); fetched.add(r); return r; };
	WebAssembly.compileStreaming = (r) => {
		noted.compiled.push({fetched: fetched.has(r), path: new URL(r.url).pathname, kind: r.headers.get('Content-Type'), cache: r.headers.get('Cache-Control')});
		return compile.call(WebAssembly, r);
	};
}`)
			tab.visit(s.url + path)
			doc := tab.top()
			await(t, "the app", doc.live)
			var got struct {
				Policies []string
				Compiled []struct {
					Fetched           bool
					Path, Kind, Cache string
				}
				Packed, Size int64
			}
			const look = `(() => { const e = performance.getEntriesByName(location.origin + anteroomBoot.config.wasm); return {...noted, packed: e[0].encodedBodySize, size: e[0].decodedBodySize}; })()`
			doc.mustEval(look, &got)
			if len(got.Policies) != 1 || got.Policies[0] != "anteroom" {
				t.Errorf("Trusted Types policies: %q", got.Policies)
			}
			if len(got.Compiled) != 1 || !got.Compiled[0].Fetched || got.Compiled[0].Path != "/assets/"+want.Name ||
				got.Compiled[0].Kind != "application/wasm" || got.Compiled[0].Cache != "public, max-age=31536000, immutable" {
				t.Errorf("compiled %+v, want a response for %s", got.Compiled, want.Name)
			}
			if got.Packed != want.Brotli || got.Size != want.Size {
				t.Errorf("the module came as %d bytes for %d, want brotli's %d for %d", got.Packed, got.Size, want.Brotli, want.Size)
			}
			if n := asked.count(isModule); n != 1 {
				t.Errorf("the module was asked for %d times", n)
			}
			asked.forget()
			tab.reload()
			await(t, "the app again", doc.live)
			if n := asked.count(isModule); n != 0 {
				t.Errorf("a repeat visit asks for the module %d times", n)
			}
		})
	}
	want := built.Widget
	r, err := http.NewRequest("GET", s.url+"/assets/"+want.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for coding, size := range map[string]int64{"gzip": want.Gzip, "br": want.Brotli, "identity": want.Size} {
		r.Header.Set("Accept-Encoding", coding)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.ContentLength != size || answer.Header.Get("Content-Type") != "application/wasm" {
			t.Errorf("for %s: %d bytes of %s, want %d", coding, answer.ContentLength, answer.Header.Get("Content-Type"), size)
		}
	}
}
