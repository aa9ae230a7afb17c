//go:build !js

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A row says what one package may import besides the standard library.
// An edge that is not in the table fails; absent says why the tempting ones are missing.
type row struct {
	pkg    string
	edges  string // packages of this module
	mods   string // packages of others, by prefix
	tests  string // what only its tests may import as well
	absent string
}

// table is the import DAG. A new edge is a change of this table, in the same commit, with its reason.
var table = []row{
	{pkg: "store/chat", absent: "the vocabulary knows nobody"},
	{pkg: "store/access", edges: "store/chat", absent: "a decision sees facts, never where they came from"},
	{pkg: "store/protocol", edges: "store/chat", absent: "frames carry what is decided elsewhere"},
	{pkg: "store", edges: "store/chat store/protocol store/access", absent: "the machine gives effects to a driver and never runs one"},
	{pkg: "store/client", edges: "store store/chat store/protocol", mods: "nhooyr.io/websocket", absent: "the driver does not decide access, and it knows no screen"},
	{pkg: "store/storetest", edges: "store store/chat store/access store/protocol store/client", tests: "store/storetest/bugs", mods: "pgregory.net/rapid", absent: "the simulated world has its own model server, so that it cannot inherit the real one's mistakes"},

	{pkg: "store/storetest/bugs", absent: "it lays a patch over any source and knows none of it"},

	{pkg: "app", edges: "app/ui store store/chat store/protocol store/client", mods: "github.com/maxence-charriere/go-app/v10", absent: "the browser holds nothing of server"},
	{pkg: "app/ui", edges: "store store/chat store/protocol", mods: "github.com/maxence-charriere/go-app/v10", absent: "components see a View and send intents: nothing of sockets or storage"},

	{pkg: "server/storage", edges: "store/chat", absent: "storage stores; it does not decide"},
	{pkg: "server/storage/sqlite", edges: "server/storage store/chat", mods: "zombiezen.com/go/sqlite", absent: "a driver knows its contract only"},
	{pkg: "server/broker", absent: "hints are opaque bytes"},
	{pkg: "server/conformance", edges: "server/storage server/broker store/chat", mods: "pgregory.net/rapid", absent: "the suite knows no driver"},
	{pkg: "server/auth", edges: "server/storage store/chat", mods: "github.com/golang-jwt/jwt/v5 golang.org/x/crypto", absent: "auth says who calls, never what they may do: no access"},
	{pkg: "server/rooms", edges: "server/auth server/storage server/broker store/access store/chat store/protocol", absent: "use cases know no transport"},
	{pkg: "server/gateway", edges: "server/auth server/rooms store/chat store/protocol", mods: "nhooyr.io/websocket golang.org/x/time", absent: "no access, storage or broker: it cannot decide, and cannot reach an event rooms did not hand to it"},
	{pkg: "server/internal/operator", edges: "server/auth server/rooms server/storage server/storage/sqlite store/chat", mods: "golang.org/x/term golang.org/x/sys", absent: "commands speak to the running server or to the database, not to the gateway"},
	{pkg: "server/internal/metrics", mods: "github.com/prometheus/client_golang", absent: "it counts words that others tell it and knows none of them"},
	{pkg: "server/internal/demo", edges: "server/auth server/rooms server/storage store/chat store/protocol", absent: "the demo is a host like any other: it shares no code with web or gateway"},
	{pkg: "server/internal/e2e", absent: "only tests live here; they drive the binary from outside"},
	{pkg: "server/internal/chaos", tests: "store store/client", absent: "only tests live here; they break the binary from outside, under the client that browsers run"},
	{pkg: "server/internal/webbench", mods: "github.com/chromedp", absent: "it measures the binary from outside, in a browser"},
	{pkg: "server/internal/load", edges: "server/auth server/broker server/gateway server/internal/metrics server/rooms server/storage server/storage/sqlite store/chat store/protocol", mods: "nhooyr.io/websocket", absent: "it wires a server of its own as main does, on the memory storage too; its ceiling is a plain server on the WebSocket library; peers are programs it starts"},
	{pkg: "server/internal/model", absent: "only tests live here; the model has rules of its own, from design §3"},
	{pkg: "server", edges: "server/auth server/rooms server/gateway server/storage server/storage/sqlite server/broker server/internal/operator server/internal/metrics server/internal/demo web store/chat", absent: "main wires; it decides nothing, so it needs no access"},

	{pkg: "web", mods: "github.com/andybalholm/brotli", absent: "assets only: the pages hold no state of the chat"},
	{pkg: "web/build", edges: "web", mods: "github.com/andybalholm/brotli", absent: "the builder runs the go command; it links none of the app"},
}

// testOnly are modules every package's tests may use; the two of SQLite for raw databases that they damage, lock or compare with.
const testOnly = "pgregory.net/rapid github.com/chromedp github.com/mailru/easyjson nhooyr.io/websocket golang.org/x/net modernc.org/sqlite zombiezen.com/go/sqlite"

// testEdges are packages every server test may use to stand something up.
const testEdges = "server/storage server/storage/sqlite server/broker server/conformance server/auth server/rooms server/gateway store/chat store/access store/protocol store/storetest store/storetest/bugs"

type file struct {
	pkg, name string
	test      bool
	ast       *ast.File
	fset      *token.FileSet
}

// sources parses every Go file of the module, whatever its build tags.
func sources(t *testing.T) []file {
	t.Helper()
	root := ".."
	var out []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "node_modules" || n == "testdata" || n == "dist" || n == "bin" || p != root && strings.HasPrefix(n, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		out = append(out, parse(t, filepath.ToSlash(rel), string(src)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parse(t testing.TB, name, src string) file {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{pkg: path.Dir(name), name: name, test: strings.HasSuffix(name, "_test.go"), ast: f, fset: fset}
}

// importFaults lists the imports of f that the table does not allow.
func importFaults(f file) []string {
	i := slices.IndexFunc(table, func(r row) bool { return r.pkg == f.pkg })
	if i < 0 {
		// A shim of a standard package for the browser's build stands for that package and imports like it.
		if strings.HasPrefix(f.pkg, "web/build/") {
			return nil
		}
		return []string{fmt.Sprintf("%s: package %s has no row in the table", f.name, f.pkg)}
	}
	r := table[i]
	edges, mods := strings.Fields(r.edges), strings.Fields(r.mods)
	if f.test {
		edges = append(edges, strings.Fields(r.tests)...)
		edges = append(edges, r.pkg)
		if strings.HasPrefix(r.pkg, "server") {
			edges = append(edges, strings.Fields(testEdges)...)
		}
		mods = append(mods, strings.Fields(testOnly)...)
	}
	var faults []string
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if inner, ok := strings.CutPrefix(p, "anteroom/"); ok {
			if !slices.Contains(edges, inner) {
				faults = append(faults, fmt.Sprintf("%s imports %s, which the table does not allow: %s", f.name, inner, r.absent))
			}
			continue
		}
		if first, _, _ := strings.Cut(p, "/"); !strings.Contains(first, ".") {
			continue // the standard library
		}
		if !slices.ContainsFunc(mods, func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") }) {
			faults = append(faults, fmt.Sprintf("%s imports %s, which the table does not allow", f.name, p))
		}
	}
	return faults
}

func TestImports(t *testing.T) {
	files := sources(t)
	for _, f := range files {
		for _, fault := range importFaults(f) {
			t.Error(fault)
		}
	}
	for _, r := range table {
		if !slices.ContainsFunc(files, func(f file) bool { return f.pkg == r.pkg }) {
			t.Errorf("the table has a row for %s, which does not exist", r.pkg)
		}
	}
}

func TestImportsBite(t *testing.T) {
	for name, c := range map[string]struct{ file, src string }{
		"gateway must not decide":      {"server/gateway/x.go", `package gateway; import _ "anteroom/store/access"`},
		"store must not know server":   {"store/x.go", `package store; import _ "anteroom/server/rooms"`},
		"ui must not know the driver":  {"app/ui/x.go", `package ui; import _ "anteroom/store/client"`},
		"go-app lives under app":       {"store/client/x.go", `package client; import _ "github.com/maxence-charriere/go-app/v10/pkg/app"`},
		"a prefix is not a package":    {"store/client/x.go", `package client; import _ "nhooyr.io/websockets"`},
		"unknown package":              {"server/util/x.go", `package util`},
		"tests of the store stay pure": {"store/x_test.go", `package store; import _ "anteroom/server/storage"`},
	} {
		t.Run(name, func(t *testing.T) {
			if len(importFaults(parse(t, c.file, c.src))) == 0 {
				t.Error("the import was allowed")
			}
		})
	}
}

// pure are the packages whose code may hold no goroutine, clock, randomness, file or socket.
var pure = []string{"store", "store/chat", "store/access", "store/protocol"}

// pureStd is what they may import of the standard library.
var pureStd = strings.Fields(`bytes cmp encoding encoding/base32 encoding/base64 encoding/binary encoding/hex encoding/json
	errors fmt hash/fnv io iter maps math math/bits net/url slices sort strconv strings time unicode unicode/utf16 unicode/utf8`)

// impure are functions of those packages that reach outside all the same.
var impure = map[string]string{
	"time": "Now Since Until Sleep After AfterFunc Tick NewTicker NewTimer Local LoadLocation",
	"fmt":  "Print Printf Println Scan Scanf Scanln",
}

// purityFaults lists what makes f impure.
func purityFaults(f file) []string {
	var faults []string
	fault := func(pos token.Pos, what string) {
		faults = append(faults, fmt.Sprintf("%s: %s", f.fset.Position(pos), what))
	}
	local := map[string]string{} // the file's name of a package → its path
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if strings.HasPrefix(p, "anteroom/") {
			if !slices.Contains(pure, strings.TrimPrefix(p, "anteroom/")) {
				fault(spec.Pos(), "imports "+p+", which is not pure")
			}
			continue
		}
		if !slices.Contains(pureStd, p) {
			fault(spec.Pos(), "imports "+p)
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			fault(spec.Pos(), "dot import hides where a name comes from")
		}
		local[name] = p
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			fault(n.Pos(), "go statement")
		case *ast.SelectStmt:
			fault(n.Pos(), "select statement")
		case *ast.ChanType:
			fault(n.Pos(), "channel")
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
				fault(n.Pos(), "writes to standard error")
			}
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok {
				if slices.Contains(strings.Fields(impure[local[id.Name]]), n.Sel.Name) {
					fault(n.Pos(), "uses "+id.Name+"."+n.Sel.Name)
				}
			}
		}
		return true
	})
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:linkname") {
				fault(c.Pos(), "linkname reaches around the imports")
			}
		}
	}
	return faults
}

func TestPurity(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		if f.test || !slices.Contains(pure, f.pkg) {
			continue
		}
		seen[f.pkg] = true
		for _, fault := range purityFaults(f) {
			t.Error(fault)
		}
	}
	for _, p := range pure {
		if !seen[p] {
			t.Errorf("no source of %s was found", p)
		}
	}
}

func TestPurityBites(t *testing.T) {
	for name, src := range map[string]string{
		"goroutine":        `package store; func f() { go f() }`,
		"clock":            `package store; import "time"; var f = time.Now`,
		"renamed clock":    `package store; import x "time"; var f = x.Since`,
		"randomness":       `package store; import _ "math/rand/v2"`,
		"file":             `package store; import _ "os"`,
		"socket":           `package store; import _ "net"`,
		"browser":          `package store; import _ "syscall/js"`,
		"standard output":  `package store; import "fmt"; func f() { fmt.Println() }`,
		"channel":          `package store; var c chan int`,
		"impure neighbour": `package store; import _ "anteroom/store/client"`,
	} {
		t.Run(name, func(t *testing.T) {
			if len(purityFaults(parse(t, "store/x.go", src))) == 0 {
				t.Error("it was allowed")
			}
		})
	}
	if faults := purityFaults(parse(t, "store/x.go", `package store; import "time"; const d = 3 * time.Second`)); faults != nil {
		t.Errorf("a duration was refused: %v", faults)
	}
}

// TestFilesAreShort keeps house style §1: no file over 500 lines, and no package without a doc.go that ends in its invariants.
func TestFilesAreShort(t *testing.T) {
	docs := map[string]bool{}
	pkgs := map[string]bool{}
	for _, f := range sources(t) {
		pkgs[f.pkg] = true
		if lines := f.fset.File(f.ast.Pos()).LineCount(); lines > 500 {
			t.Errorf("%s has %d lines", f.name, lines)
		}
		if path.Base(f.name) == "doc.go" && f.ast.Doc != nil && strings.Contains(f.ast.Doc.Text(), "# Invariants") {
			docs[f.pkg] = true
		}
	}
	for p := range pkgs {
		if !docs[p] && !strings.HasPrefix(p, "web/build/") {
			t.Errorf("%s has no doc.go with its invariants", p)
		}
	}
}
