package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// slimDefault says which build is made when SLIM is not set.
const slimDefault = true

// inlined are the packages of a slim module that keep their inlining. The runtime
// is hundreds of tiny functions, called before anything else is: a browser compiles
// each at its first call, on the page's thread. Without them the module starts a
// quarter sooner on a repeat visit, for 14 KB of brotli.
var inlined = []string{"runtime"}

// options of one build. Paths are relative to the module's root dir.
type options struct {
	dir, dist            string
	slim, noInline, fast bool
	lines                bool   // keep the line tables of a slim module
	only                 string // the one package to shim, "" for all; for tests
}

// manifest is web/dist/manifest.json; package web reads the same shape.
type manifest struct {
	Inputs string `json:"inputs"` // hash of everything the build depends on
	Go     string `json:"go"`
	Slim   bool   `json:"slim"`
	Fast   bool   `json:"fast"`
	Widget asset  `json:"widget"` // the module without the inbox's screens
	Inbox  asset  `json:"inbox"`  // the whole module
	Exec   asset  `json:"exec"`
}

// asset is a file stored as Name.br and Name.gz only: whoever takes neither
// gets it unpacked on the way.
type asset struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Gzip   int64  `json:"gzip"`
	Brotli int64  `json:"brotli"`
}

// sources are the folders and files whose content decides the modules.
var sources = []string{"app", "store", "web/build", "go.mod", "go.sum"}

// build brings dist up to date. fresh is false if there was nothing to do.
func build(o options) (m manifest, fresh bool, err error) {
	goVersion, err := goCommand(o.dir, nil, "env", "GOVERSION")
	if err != nil {
		return m, false, err
	}
	inputs, err := hashInputs(o, goVersion)
	if err != nil {
		return m, false, err
	}
	if old, ok := current(o, inputs); ok {
		return old, false, nil
	}

	work, err := os.MkdirTemp("", "anteroom-build-")
	if err != nil {
		return m, false, err
	}
	defer os.RemoveAll(work)
	widget, err := compile(o, work, "widget")
	if err != nil {
		return m, false, err
	}
	inbox, err := compile(o, work, "")
	if err != nil {
		return m, false, err
	}
	goroot, err := goCommand(o.dir, nil, "env", "GOROOT")
	if err != nil {
		return m, false, err
	}
	support, err := os.ReadFile(filepath.Join(goroot, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return m, false, err
	}

	dist := filepath.Join(o.dir, o.dist)
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return m, false, err
	}
	m = manifest{Inputs: inputs, Go: goVersion, Slim: o.slim, Fast: o.fast}
	var widgetErr, inboxErr error
	var both sync.WaitGroup
	both.Go(func() { m.Widget, widgetErr = o.put(dist, "widget", ".wasm", widget) }) // build waits for both below
	both.Go(func() { m.Inbox, inboxErr = o.put(dist, "inbox", ".wasm", inbox) })
	both.Wait()
	if err := errors.Join(widgetErr, inboxErr); err != nil {
		return m, false, err
	}
	if m.Exec, err = o.put(dist, "wasm_exec", ".js", support); err != nil {
		return m, false, err
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return m, false, err
	}
	if err := writeFile(filepath.Join(dist, "manifest.json"), append(text, '\n')); err != nil {
		return m, false, err
	}
	return m, true, sweep(dist, m)
}

// compile returns the bytes of the module under the given build tags.
func compile(o options, work, tags string) ([]byte, error) {
	out := filepath.Join(work, "app.wasm")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=" + tags, "-o", out}
	env := []string{"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}
	if o.noInline {
		args = append(args, "-gcflags=all=-l")
		if o.slim {
			for _, p := range inlined {
				args = append(args, "-gcflags="+p+"=")
			}
		}
	}
	if o.slim {
		// The older collector is 8 KB of brotli smaller, and a browser's one thread
		// gains nothing from the newer. Drop this when Go no longer knows it.
		env = append(env, "GOEXPERIMENT=nogreenteagc")
		overlay, err := writeOverlay(o, work)
		if err != nil {
			return nil, err
		}
		args = append(args, "-overlay", overlay)
	}
	if _, err := goCommand(o.dir, env, append(args, "./app")...); err != nil {
		return nil, fmt.Errorf("compile ./app: %w", err)
	}
	module, err := os.ReadFile(out)
	if err != nil || !o.slim {
		return module, err
	}
	return slimData(module, o.lines)
}

// put stores data in dist as stem.<hash>ext.br and .gz.
func (o options) put(dist, stem, ext string, data []byte) (asset, error) {
	sum := sha256.Sum256(data)
	a := asset{Name: stem + "." + hex.EncodeToString(sum[:8]) + ext, Size: int64(len(data))}
	var br, gz []byte
	var brErr, gzErr error
	var both sync.WaitGroup
	both.Go(func() { br, brErr = o.brotli(data) }) // build waits for both below
	both.Go(func() { gz, gzErr = o.gzip(data) })
	both.Wait()
	if err := errors.Join(brErr, gzErr); err != nil {
		return a, err
	}
	a.Brotli, a.Gzip = int64(len(br)), int64(len(gz))
	return a, errors.Join(
		writeFile(filepath.Join(dist, a.Name+".br"), br),
		writeFile(filepath.Join(dist, a.Name+".gz"), gz))
}

func (o options) brotli(data []byte) ([]byte, error) {
	quality := brotli.BestCompression
	if o.fast {
		quality = 4
	}
	var b bytes.Buffer
	w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: quality, LGWin: 24})
	_, err := w.Write(data)
	err = errors.Join(err, w.Close()) // before b is read: Close writes the rest
	return b.Bytes(), err
}

func (o options) gzip(data []byte) ([]byte, error) {
	level := gzip.BestCompression
	if o.fast {
		level = gzip.BestSpeed
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close()) // before b is read: Close writes the rest
	return b.Bytes(), err
}

// hashInputs names everything the module's bytes depend on.
func hashInputs(o options, goVersion string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, goVersion, os.Getenv("GOEXPERIMENT"), o.slim, o.noInline, o.fast, o.lines)
	var files []string
	for _, s := range sources {
		err := filepath.WalkDir(filepath.Join(o.dir, s), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == filepath.Join(o.dir, s) {
				return nil // go.sum of a module without dependencies
			}
			if err != nil {
				return err
			}
			if d.Type().IsRegular() && !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".md") {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	sort.Strings(files)
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(o.dir, path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", filepath.ToSlash(rel), sha256.Sum256(data))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// current returns the manifest of dist if it is of these inputs and complete.
func current(o options, inputs string) (manifest, bool) {
	var m manifest
	dist := filepath.Join(o.dir, o.dist)
	text, err := os.ReadFile(filepath.Join(dist, "manifest.json"))
	if err != nil || json.Unmarshal(text, &m) != nil || m.Inputs != inputs {
		return m, false
	}
	for name := range m.files() {
		if name == ".gitkeep" {
			continue // only web/dist has it
		}
		if _, err := os.Stat(filepath.Join(dist, name)); err != nil {
			return m, false
		}
	}
	return m, true
}

// files are the names in dist that belong to the build.
func (m manifest) files() map[string]bool {
	return map[string]bool{
		".gitkeep": true, "manifest.json": true,
		m.Widget.Name + ".br": true, m.Widget.Name + ".gz": true,
		m.Inbox.Name + ".br": true, m.Inbox.Name + ".gz": true,
		m.Exec.Name + ".br": true, m.Exec.Name + ".gz": true,
	}
}

// sweep removes what former builds left.
func sweep(dist string, m manifest) error {
	entries, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	keep := m.files()
	for _, e := range entries {
		if keep[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dist, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces a file in one step, so that nobody reads half of it.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, bytes.NewReader(data))
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// goCommand runs the go command in dir and returns what it printed.
func goCommand(dir string, env []string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
