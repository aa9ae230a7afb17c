package main

import (
	"cmp"
	"fmt"
	"os"
)

func main() {
	o := options{
		dir:      ".",
		dist:     cmp.Or(os.Getenv("DIST"), "web/dist"),
		slim:     os.Getenv("SLIM") != "0" && slimDefault || os.Getenv("SLIM") == "1",
		noInline: on("NOINLINE"),
		lines:    on("LINES"),
		fast:     on("FAST"),
	}
	if o.slim && !on("INLINE") {
		o.noInline = true
	}
	m, fresh, err := build(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
	state := "built"
	if !fresh {
		state = "unchanged"
	}
	kind := "plain"
	if m.Slim {
		kind = "slim"
	}
	for _, a := range []asset{m.Widget, m.Inbox} {
		fmt.Printf("%s: %s %s module %s: %s bytes, gzip %s, brotli %s\n", o.dist, state, kind, a.Name,
			thousands(a.Size), thousands(a.Gzip), thousands(a.Brotli))
	}
}

func on(name string) bool { v := os.Getenv(name); return v != "" && v != "0" }

// thousands spells n with a comma after every third digit.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
