//go:build !js

package main

import (
	"fmt"
	"slices"
	"strings"
)

// results are all runs' figures: variant, speed, name.
type results map[string]map[string]map[string][]float64

const (
	atMid  = "mid"
	atFull = "unthrottled"
)

func speed(mid bool) string {
	if mid {
		return atMid
	}
	return atFull
}

func (r results) add(variant, speed string, f figures) {
	if r[variant] == nil {
		r[variant] = map[string]map[string][]float64{}
	}
	at := r[variant][speed]
	if at == nil {
		at = map[string][]float64{}
		r[variant][speed] = at
	}
	for name, v := range f {
		at[name] = append(at[name], v)
	}
}

// line is one row of the table: a figure and what issue 3 expects of it, 0 for nothing.
type line struct {
	what, speed, name, unit string
	most                    float64
}

var lines = []line{
	{"requests before intent", atMid, "requests before intent", "", 1},
	{"bytes before intent: embed.js in brotli", atMid, "loader bytes", "B", 4 << 10},
	{"the same on the wire, with the headers of HTTP/1.1", atMid, "bytes before intent", "B", 0},
	{"main-thread time of the loader, its longest task × 4", atFull, "loader, longest", "ms", 5},
	{"layout shift", atMid, "layout shift", "", 0.0001},
	{"host page's blocking before first use", atMid, "blocking before use", "ms", 30},
	{"Lighthouse performance of the demo shop without the embed", atMid, "lighthouse without", "", 0},
	{"Lighthouse performance of the demo shop with the embed", atMid, "lighthouse with", "", 0},
	{"Lighthouse performance: points lost, of the medians", atMid, "lighthouse lost", "", 0.5},
	{"Lighthouse: total blocking time with the embed", atMid, "lighthouse blocking with", "ms", 0},
	{"navigation → launcher, cold", atMid, "cold launcher", "ms", 700},
	{"navigation → launcher, repeat", atMid, "repeat launcher", "ms", 400},
	{"navigation → launcher, cold", atFull, "cold launcher", "ms", 0},
	{"navigation → launcher, repeat", atFull, "repeat launcher", "ms", 0},
	{"navigation → first letter, clicking at once, cold", atMid, "cold navigation to letter", "ms", 1100},
	{"navigation → first letter, clicking at once, repeat", atMid, "repeat navigation to letter", "ms", 800},
	{"navigation → first letter, clicking at once, cold", atFull, "cold navigation to letter", "ms", 0},
	{"navigation → first letter, clicking at once, repeat", atFull, "repeat navigation to letter", "ms", 0},
	{"click on a settled page → first letter, 0.4 s of hover", atMid, "settled click to letter", "ms", 150},
	{"click on a settled page → first letter, no hover", atMid, "settled click to letter, no hover", "ms", 0},
	{"click on a settled page → first letter, 0.4 s of hover", atFull, "settled click to letter", "ms", 0},
	{"longest task within 1 s of a key press, cold", atMid, "cold longest task near a key", "ms", 200},
	{"longest task within 1 s of a key press, repeat", atMid, "repeat longest task near a key", "ms", 200},
	{"key press → heard, the latest, cold", atMid, "cold latest key", "ms", 0},
	{"key press → heard, the latest, repeat", atMid, "repeat latest key", "ms", 0},
	{"click → first message of history, cold", atMid, "cold click to history", "ms", 0},
	{"click → first message of history, repeat", atMid, "repeat click to history", "ms", 0},
	{"click → live, cold", atMid, "cold click to live", "ms", 2200},
	{"click → live, repeat", atMid, "repeat click to live", "ms", 1000},
	{"click → live, cold", atFull, "cold click to live", "ms", 0},
	{"click → live, repeat", atFull, "repeat click to live", "ms", 350},
	{"message arrives → drawn, 100 messages, CPU 4×", atMid, "append 100", "ms", 0},
	{"message arrives → drawn, 1,000 messages, CPU 4×", atMid, "append 1000", "ms", 0},
	{"message arrives → drawn, 10,000 messages, CPU 4×", atMid, "append 10000", "ms", 60},
	{"keystroke, time in Go, 100 messages, CPU 4×", atMid, "keystroke 100", "ms", 0},
	{"keystroke, time in Go, 1,000 messages, CPU 4×", atMid, "keystroke 1000", "ms", 0},
	{"keystroke, time in Go, 10,000 messages, CPU 4×", atMid, "keystroke 10000", "ms", 10},
	{"rows in the document, of 10,000 messages", atMid, "rows", "", 100},
	{"WebAssembly memory after 10,000 messages received", atMid, "memory", "MiB", 24},
}

// comparison is a row of ratios between two variants of one run.
type comparison struct {
	what, speed, name string
}

var comparisons = []comparison{
	{"click → live, cold", atMid, "cold click to live"},
	{"click → live, repeat", atMid, "repeat click to live"},
	{"click → live, cold", atFull, "cold click to live"},
	{"click → live, repeat", atFull, "repeat click to live"},
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func (r results) table(p plan) string {
	var out strings.Builder
	if mid := r[p.names[0]][atMid]; len(mid["lighthouse with"]) > 0 {
		mid["lighthouse lost"] = []float64{median(mid["lighthouse without"]) - median(mid["lighthouse with"])}
	}
	fmt.Fprintf(&out, "| %s | at | expected | measured, median of %d (min–max) | |\n|---|---|---:|---:|---|\n", p.title, p.runs)
	for _, l := range lines {
		got := r[p.names[0]][l.speed][l.name]
		if len(got) == 0 {
			continue
		}
		m, expected, mark := median(got), "–", ""
		if l.most > 0 {
			expected, mark = "≤ "+number(l.most, l.unit), "met"
			if l.most < 1 {
				expected = "0"
			}
			if m > l.most {
				mark = "**not met**"
			}
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s (%s–%s) | %s |\n", l.what, l.speed, expected,
			number(m, l.unit), number(slices.Min(got), ""), number(slices.Max(got), ""), mark)
	}
	for _, other := range p.names[1:] {
		for _, c := range comparisons {
			a, b := r[other][c.speed][c.name], r[p.names[0]][c.speed][c.name]
			if len(a) > 0 && len(b) > 0 {
				fmt.Fprintf(&out, "| %s: %s ÷ %s | %s | – | %.2f (%s ÷ %s) | |\n", c.what, other, p.names[0], c.speed,
					median(a)/median(b), number(median(a), "ms"), number(median(b), "ms"))
			}
		}
	}
	for _, at := range []string{atMid, atFull} {
		f := r[p.names[0]][at]
		a, b := f["settled click to letter, no hover"], f["settled click to letter"]
		if len(a) > 0 && len(b) > 0 {
			fmt.Fprintf(&out, "| settled click → letter: without ÷ with preload | %s | – | %.2f (%s ÷ %s) | |\n", at,
				median(a)/median(b), number(median(a), "ms"), number(median(b), "ms"))
		}
	}
	return out.String()
}

func number(v float64, unit string) string {
	text := fmt.Sprintf("%.0f", v)
	if v != 0 && v < 10 && v != float64(int(v)) {
		text = fmt.Sprintf("%.1f", v)
	}
	if len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}
