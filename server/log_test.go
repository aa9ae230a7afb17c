//go:build !js

package main

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logMethods are those of slog.Logger that write a line, with the place of the message.
var logMethods = map[string]int{
	"Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
	"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2, "LogAttrs": 2,
}

// attrs are slog's makers of attributes, whose first argument is the key.
var attrs = strings.Fields("Any Bool Duration Float64 Group Int Int64 String Time Uint64")

// logFaults lists what is wrong with f's log lines: a message that is not
// constant and lower-case, or a key that is not on the list.
func logFaults(f file, keys []string) (faults []string, lines int) {
	fault := func(n ast.Node, what string) {
		faults = append(faults, f.fset.Position(n.Pos()).String()+": "+what)
	}
	text := func(e ast.Expr) (string, bool) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(lit.Value)
		return s, err == nil
	}
	checkKey := func(n ast.Node, key string) {
		if !slices.Contains(keys, key) {
			fault(n, "log key "+strconv.Quote(key)+" is not on the list in server/doc.go")
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on := ""
		switch x := sel.X.(type) {
		case *ast.Ident:
			on = x.Name
		case *ast.SelectorExpr:
			on = x.Sel.Name
		}
		if on == "slog" && slices.Contains(attrs, sel.Sel.Name) && len(call.Args) > 0 {
			if key, ok := text(call.Args[0]); ok {
				checkKey(call, key)
			}
			return true
		}
		at, isLog := logMethods[sel.Sel.Name]
		if !isLog || on != "log" && on != "Log" && on != "slog" || len(call.Args) <= at {
			return true
		}
		message, ok := text(call.Args[at])
		if !ok {
			return true // a message that was passed on is judged where it was written
		}
		lines++
		if message == "" || message[0] >= 'A' && message[0] <= 'Z' || strings.HasSuffix(message, ".") {
			fault(call, "log message "+strconv.Quote(message)+" is not lower-case without a full stop")
		}
		for i := at + 1; i < len(call.Args); i++ {
			if key, ok := text(call.Args[i]); ok {
				checkKey(call.Args[i], key)
				i++ // its value
			}
		}
		return true
	})
	return faults, lines
}

// logKeys reads the list in doc.go.
func logKeys(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(b), "# Log keys")
	list, _, _ = strings.Cut(list, "# Invariants")
	var keys []string
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_]+) {2,}\S`).FindAllStringSubmatch(list, -1) {
		keys = append(keys, m[1])
	}
	if !ok || len(keys) < 10 {
		t.Fatalf("doc.go lists the log keys %q", keys)
	}
	return keys
}

func TestLogLines(t *testing.T) {
	keys := logKeys(t)
	lines := 0
	for _, f := range sources(t) {
		if f.test || !strings.HasPrefix(f.pkg, "server") {
			continue
		}
		faults, n := logFaults(f, keys)
		lines += n
		for _, fault := range faults {
			t.Error(fault)
		}
	}
	if lines < 10 {
		t.Errorf("only %d log lines were found: the search is broken", lines)
	}
}

func TestLogLinesBite(t *testing.T) {
	for name, src := range map[string]string{
		"unknown key":      `package x; func f() { log.Info("it happened", "colour", 1) }`,
		"unknown attr":     `package x; func f() { log.Info("it happened", slog.String("colour", "red")) }`,
		"sentence":         `package x; func f() { s.log.Error("It happened.") }`,
		"key after a pair": `package x; func f() { s.log.Warn("it happened", "room", r, "colour", 1) }`,
	} {
		t.Run(name, func(t *testing.T) {
			if faults, _ := logFaults(parse(t, "server/x/x.go", src), logKeys(t)); len(faults) == 0 {
				t.Error("it was allowed")
			}
		})
	}
}
