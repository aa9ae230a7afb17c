//go:build linux

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The servers of the measurements are this program, started again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every measurement runs to its end in the smallest size, on both storages and
// on the ceiling, and loses no message.
func TestMeasurements(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tiny := sizes["tiny"]
	var out strings.Builder
	b := bench{
		self: self, only: []string{"idle", "pairs", "hall", "storm"}, dir: t.TempDir(),
		size: tiny.plan, levels: tiny.levels, storms: tiny.storms, rounds: tiny.rounds,
		span: span{tiny.time / 4, tiny.time}, rest: 10 * time.Millisecond, report: report{out: &out},
	}
	if err := b.all(); err != nil {
		t.Fatal(err)
	}
	b.report.table()
	for _, want := range []string{
		"Idle20/anteroom-sqlite/goroutines/conn", "Idle60/anteroom-sqlite/after-gc-KiB/conn", "Idle60/ceiling/heap-KiB/conn",
		"Pairs/anteroom-sqlite/msg/s", "Pairs/anteroom-memory/msg/s", "Pairs/ceiling/msg/s",
		"HallSpaced/anteroom-sqlite/cpu-µs/delivery", "HallBurst/anteroom-sqlite/deliveries/s", "HallSpaced/ceiling/cpu-µs/delivery",
		"Storm/anteroom-sqlite/returns/s", "Storm/ceiling/returns/s",
	} {
		if f := b.report.figures[want]; len(f) != 1 || f[0] < 0 {
			t.Errorf("%s: %v", want, f)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// deaf is a dialect that hears no event, as if all were lost.
type deaf struct{ ours }

func (d deaf) kind(line []byte) kind {
	if k := d.ours.kind(line); k != event {
		return k
	}
	return other
}

// A run that does not get all it sent is no result.
func TestLostMessagesAreNoResult(t *testing.T) {
	defer func(was time.Duration) { patience = was }(patience)
	patience = 200 * time.Millisecond
	server := httptest.NewServer(newCeiling())
	defer server.Close()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p := &process{addr: strings.TrimPrefix(server.URL, "http://"), cmd: &exec.Cmd{Process: self}}
	h := plan{Pairs: 8}.empty()
	if f, err := pairs(p, ours{}, h.Pairs[:4], span{0, 50 * time.Millisecond}); err != nil || len(f) == 0 {
		t.Errorf("nothing was lost: %v %v", f, err)
	}
	_, err = pairs(p, deaf{}, h.Pairs[4:], span{0, 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "messages arrived") {
		t.Errorf("a message was lost, and the result is %v", err)
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	r := report{out: &out}
	for _, v := range []float64{300, 100, 200} {
		r.add("Pairs", "anteroom-sqlite", []figure{{"msg/s", v}})
		r.add("Pairs", "centrifugo", []figure{{"msg/s", v + 50}})
	}
	r.add("HallSpaced", "anteroom-sqlite", []figure{{"cpu-µs/delivery", 3}})
	r.add("HallSpaced", "centrifugo", []figure{{"cpu-µs/delivery", 2}})
	r.add("Idle1000", "anteroom-sqlite", []figure{{"after-gc-KiB/conn", 12}})
	r.table()
	for _, want := range []string{
		"BenchmarkPairs/anteroom-sqlite 1 300 msg/s\n",
		"| 5,000 rooms of 2, durable (sqlite) | 200 msg/s | 250 (centrifugo) | 0.80 | ≥ 0.8 | met |\n",
		"| room of 1,000, spaced: CPU per delivery (sqlite) | 3 cpu-µs/delivery | 2 (centrifugo) | 1.50 | ≤ 1 | **missed** |\n",
		"| idle connection after GC, 1,000 (sqlite) | 12 after-gc-KiB/conn | – | – | ≤ 16 | met |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
