package storetest_test

import (
	"flag"
	"runtime"
	"testing"

	"anteroom/store/storetest"
)

var (
	seeds = flag.Int("seeds", 200, "how many worlds to run")
	trace = flag.Bool("tell", false, "print what happens and the machines' debug lines")
	first = flag.Uint64("seed", 1, "the first seed; a failing run prints its own")
)

// TestWorlds runs the properties P1–P7 in worlds made from seeds. A failing
// seed is run again alone by -seed N -seeds 1.
func TestWorlds(t *testing.T) {
	n := *seeds
	if runtime.GOOS == "js" || testing.Short() {
		n = min(n, 20) // WebAssembly under node is slow
	}
	for seed := *first; seed < *first+uint64(n); seed++ {
		plan := storetest.Plan{Seed: seed}
		if *trace {
			plan.Trace = t.Logf
		}
		if err := storetest.Run(plan); err != nil {
			t.Fatalf("seed %d: %v\nrun again: go test ./store/storetest -run TestWorlds -seed %d -seeds 1 -tell -v", seed, err, seed)
		}
	}
}
