//go:build !js

package model

import (
	"regexp"
	"testing"

	"anteroom/store/storetest/bugs"
)

// TestBugs shows that the model test bites: with each seeded bug built in, it
// must fail within 300 traces.
func TestBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the server several times")
	}
	bugs.Hunt{
		Root: "../../..", All: *soak, Test: "^TestAccess$",
		Quick:  []string{"check-only-at-join", "link-by-guest-id", "refusal-tells-missing"},
		Args:   []string{"-traces=300", "-rapid.shrinktime=1ms"},
		Caught: regexp.MustCompile(`\[rapid\] (?:failed|panic) after (\d+) tests: (.*)`),
		Again:  regexp.MustCompile(`\[rapid\] flaky test`),
	}.Run(t)
}
