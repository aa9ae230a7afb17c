package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestPutStoresBothCodingsWhole(t *testing.T) {
	data := make([]byte, 100_000) // longer than any window of a lost flush
	r := rand.New(rand.NewSource(1))
	for i := range data {
		data[i] = byte(r.Intn(7))
	}
	for _, o := range []options{{}, {fast: true}} {
		dist := t.TempDir()
		a, err := o.put(dist, "x", ".bin", data)
		if err != nil {
			t.Fatal(err)
		}
		br, err := os.ReadFile(filepath.Join(dist, a.Name+".br"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(br))); err != nil || !bytes.Equal(got, data) {
			t.Errorf("brotli (fast %v): %d bytes, %v; want %d", o.fast, len(got), err, len(data))
		}
		gz, err := os.Open(filepath.Join(dist, a.Name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer gz.Close()
		z, err := gzip.NewReader(gz)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
			t.Errorf("gzip (fast %v): %d bytes, %v; want %d", o.fast, len(got), err, len(data))
		}
		if a.Size != int64(len(data)) || a.Brotli != int64(len(br)) {
			t.Errorf("sizes %+v", a)
		}
	}
}

func TestInputsDecideWhetherToBuild(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"app/main.go", "store/store.go", "web/build/build.go", "go.mod", "go.sum"} {
		write(s, s)
	}
	hash := func(o options) string {
		t.Helper()
		o.dir = dir
		h, err := hashInputs(o, "go1.26")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := hash(options{})
	write("app/main_test.go", "a test")
	write("store/README.md", "words")
	if got := hash(options{}); got != first {
		t.Error("tests and documents count as inputs")
	}
	if hash(options{slim: true}) == first || hash(options{noInline: true}) == first || hash(options{fast: true}) == first {
		t.Error("an option does not count as input")
	}
	write("store/store.go", "changed")
	if hash(options{}) == first {
		t.Error("a changed source does not count as input")
	}
}

func TestOldBuildsAreSweptAway(t *testing.T) {
	dist := t.TempDir()
	m := manifest{Widget: asset{Name: "widget.1.wasm"}, Inbox: asset{Name: "inbox.1.wasm"}, Exec: asset{Name: "wasm_exec.1.js"}}
	for _, name := range []string{".gitkeep", "manifest.json", "app.0.wasm.br", "inbox.0.wasm.gz", "widget.1.wasm.br", "widget.1.wasm.gz", "inbox.1.wasm.br", "inbox.1.wasm.gz", "wasm_exec.1.js.br", "wasm_exec.1.js.gz", ".part-1"} {
		if err := os.WriteFile(filepath.Join(dist, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweep(dist, m); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if !m.files()[e.Name()] {
			t.Errorf("%s is left", e.Name())
		}
	}
	if len(left) != 8 {
		t.Errorf("%d files are left, want 8", len(left))
	}
}

// TestSupportScriptIsOfTheSameGo builds a small app and looks at what came out:
// the modules name the Go that made them, the script is that Go's, and what is
// not the widget's is in the inbox's module only.
func TestSupportScriptIsOfTheSameGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app/main.go":  "package main\n\nfunc main() { println(\"of both\") }\n",
		"app/inbox.go": "//go:build !widget\n\npackage main\n\nfunc init() { println(\"of the inbox\") }\n",
		"go.mod":       "module anteroom\n\ngo 1.26.0\n", "go.sum": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, fresh, err := build(options{dir: dir, dist: "dist", fast: true})
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	read := func(a asset) []byte {
		t.Helper()
		packed, err := os.ReadFile(filepath.Join(dir, "dist", a.Name+".br"))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		module asset
		inbox  bool
	}{{m.Widget, false}, {m.Inbox, true}} {
		module := read(c.module)
		if m.Go == "" || !bytes.Contains(module, []byte("Go cmd/compile")) || !bytes.Contains(module, []byte(m.Go)) {
			t.Errorf("%s does not say that %s made it", c.module.Name, m.Go)
		}
		if !bytes.Contains(module, []byte("of both")) || bytes.Contains(module, []byte("of the inbox")) != c.inbox {
			t.Errorf("%s: inbox in it is not %v", c.module.Name, c.inbox)
		}
	}
	goroot, err := goCommand(dir, nil, "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(goroot, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(m.Exec), want) {
		t.Error("the support script is of another Go")
	}
	if _, fresh, err := build(options{dir: dir, dist: "dist", fast: true}); fresh || err != nil {
		t.Errorf("unchanged inputs are built again (%v)", err)
	}
}
