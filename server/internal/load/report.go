//go:build linux

package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
)

// report keeps what was measured.
type report struct {
	out     io.Writer
	figures map[string][]float64 // by measurement, server and unit
	header  bool
}

// add notes one measurement and prints it as benchstat reads it.
func (r *report) add(name, server string, figures []figure) {
	if !r.header {
		fmt.Fprintf(r.out, "goos: %s\ngoarch: %s\npkg: anteroom/server/internal/load\n", runtime.GOOS, runtime.GOARCH)
		r.header, r.figures = true, make(map[string][]float64)
	}
	fmt.Fprintf(r.out, "Benchmark%s/%s 1", name, server)
	for _, f := range figures {
		key := name + "/" + server + "/" + f.unit
		r.figures[key] = append(r.figures[key], f.value)
		fmt.Fprintf(r.out, " %.4g %s", f.value, f.unit)
	}
	fmt.Fprintln(r.out)
}

// median is the middle of what was measured, and whether anything was.
func (r *report) median(name, server, unit string) (float64, bool) {
	all := slices.Sorted(slices.Values(r.figures[name+"/"+server+"/"+unit]))
	if len(all) == 0 {
		return 0, false
	}
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2, true
}

// goal is one line of the table: a figure of ours, and how it must compare.
type goal struct {
	what, name, unit string
	server, peer     string  // peer "" for an absolute bound
	atLeast          bool    // at most otherwise
	bound            float64 // of the ratio, or of the figure itself
}

// goals are what is promised. Ratios to the ceiling are shown, not promised.
var goals = []goal{
	{"idle connection after GC, 1,000", "Idle1000", "after-gc-KiB/conn", "anteroom-sqlite", "", false, 16},
	{"idle connection after GC, 10,000", "Idle10000", "after-gc-KiB/conn", "anteroom-sqlite", "", false, 16},
	{"idle connection after GC, 19,000", "Idle19000", "after-gc-KiB/conn", "anteroom-sqlite", "", false, 16},
	{"idle connection as it stands, 1,000", "Idle1000", "rss-KiB/conn", "anteroom-sqlite", "centrifugo", false, 1},
	{"idle connection as it stands, 10,000", "Idle10000", "rss-KiB/conn", "anteroom-sqlite", "centrifugo", false, 1},
	{"5,000 rooms of 2, durable", "Pairs", "msg/s", "anteroom-sqlite", "centrifugo", true, 0.8},
	{"5,000 rooms of 2, memory storage", "Pairs", "msg/s", "anteroom-memory", "centrifugo", true, 1.1},
	{"room of 1,000, spaced: CPU per delivery", "HallSpaced", "cpu-µs/delivery", "anteroom-sqlite", "centrifugo", false, 1},
	{"room of 1,000, bursts: CPU per delivery", "HallBurst", "cpu-µs/delivery", "anteroom-sqlite", "centrifugo", false, 1},
	{"5,000 rooms of 2, durable", "Pairs", "msg/s", "anteroom-sqlite", "ceiling", true, 0},
	{"room of 1,000, spaced: CPU per delivery", "HallSpaced", "cpu-µs/delivery", "anteroom-sqlite", "ceiling", false, 0},
	{"storm of returning clients: CPU per return", "Storm", "cpu-µs/return", "anteroom-sqlite", "centrifugo", false, 0},
	{"storm of returning clients: CPU per return", "Storm", "cpu-µs/return", "anteroom-sqlite", "ceiling", false, 0},
}

// table prints the goals and what they have come to.
func (r *report) table() {
	fmt.Fprint(r.out, "\n| work | ours | peer | ratio | goal | |\n|---|---|---|---|---|---|\n")
	for _, g := range goals {
		have, ok := r.median(g.name, g.server, g.unit)
		if !ok {
			continue
		}
		measured, peer, ratio := have, "–", "–"
		if g.peer != "" {
			other, ok := r.median(g.name, g.peer, g.unit)
			if !ok {
				continue
			}
			measured = have / other
			peer, ratio = fmt.Sprintf("%.4g (%s)", other, g.peer), fmt.Sprintf("%.2f", measured)
		}
		want, verdict := "–", ""
		if g.bound > 0 {
			sign := "≤"
			met := measured <= g.bound
			if g.atLeast {
				sign, met = "≥", measured >= g.bound
			}
			want, verdict = fmt.Sprintf("%s %g", sign, g.bound), "met"
			if !met {
				verdict = "**missed**"
			}
		}
		fmt.Fprintf(r.out, "| %s (%s) | %.4g %s | %s | %s | %s | %s |\n", g.what, strings.TrimPrefix(g.server, "anteroom-"), have, g.unit, peer, ratio, want, verdict)
	}
}
