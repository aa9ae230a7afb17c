//go:build !js

package storetest_test

import (
	"flag"
	"regexp"
	"testing"

	"anteroom/store/storetest/bugs"
)

var soak = flag.Bool("soak", false, "look for every seeded bug")

// TestBugs shows that the worlds bite: with each seeded bug built into the
// store, one of the first 200 must fail.
func TestBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the store several times")
	}
	bugs.Hunt{
		Root: "../..", All: *soak, Test: "^TestWorlds$",
		Quick:  []string{"sent-before-stored", "resend-under-a-new-id", "gap-ignored"},
		Args:   []string{"-seeds=200"},
		Caught: regexp.MustCompile(`(seed \d+): (P\d .*)`),
	}.Run(t)
}
