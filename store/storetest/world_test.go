package storetest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"anteroom/store/storetest"
)

var (
	seeds = flag.Int("seeds", 200, "how many worlds to run")
	first = flag.Uint64("seed", 1, "the first seed; a failing run prints its own")
	limit = flag.Duration("for", 0, "begin no further world after so long")
	trace = flag.Bool("tell", false, "print what happens and the machines' debug lines")
	short = flag.Bool("shorten", false, "look for a smaller world that fails; for one seed")
	goOn  = flag.Bool("on", false, "go on after a seed that fails")
	write = flag.String("transcript", "", "write the journals of a failing world's tabs into this folder")
)

// TestWorlds runs the properties P1–P7 in worlds made from seeds. What to do
// with a failing seed is told in the package documentation.
func TestWorlds(t *testing.T) {
	n := *seeds
	if runtime.GOOS == "js" || testing.Short() {
		n = min(n, 20) // WebAssembly under node is slow
	}
	if raceEnabled {
		n = min(n, 40) // a world has one goroutine; make test runs all 200 without the detector
	}
	start := time.Now()
	failed, clean := 0, 0
	for seed := *first; seed < *first+uint64(n); seed++ {
		if *limit > 0 && time.Since(start) > *limit {
			break
		}
		plan := storetest.Plan{Seed: seed}
		if *trace && !*short {
			plan.Trace = t.Logf
		}
		err := storetest.Run(plan)
		if err == nil {
			clean++
			continue
		}
		t.Errorf("seed %d: %v\nshorter, and what happens: go test ./store/storetest -run TestWorlds -seed %d -seeds 1 -shorten -tell -v", seed, err, seed)
		if *short && n == 1 {
			plan.Trace = nil
			plan, err = storetest.Shorten(plan)
			if *trace {
				plan.Trace = t.Logf
				storetest.Run(plan)
			}
			t.Errorf("in short, %d actions with %+v: %v", plan.Actions, *plan.Faults, err)
		}
		if *write != "" {
			keep(t, seed, err)
		}
		if failed++; !*goOn || failed == 20 {
			break
		}
	}
	t.Logf("%d worlds were clean", clean)
}

// keep writes the journals of the tabs that a failure is about as transcripts
// of package store: its test's -update adds what the machine says to them.
func keep(t *testing.T, seed uint64, err error) {
	fault, ok := err.(*storetest.Fault)
	if !ok {
		return
	}
	for _, tab := range fault.Tabs {
		name := filepath.Join(*write, fmt.Sprintf("world-%d-%s.txt", seed, tab.ID[:7]))
		text := fmt.Appendf(nil, "# Seed %d: %v\n", seed, err)
		if err := os.WriteFile(name, append(text, tab.Transcript()...), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("wrote %s", name)
	}
}
