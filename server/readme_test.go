//go:build !js

package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"anteroom/server/gateway"
)

func readme(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// README names every flag, and every limit with its default.
func TestReadmeTellsTheConfiguration(t *testing.T) {
	page := readme(t)
	var out bytes.Buffer
	run(t.Context(), []string{"serve", "-h"}, environment{lookup: func(string) (string, bool) { return "", false }, stdout: &out, stderr: &out})
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(out.String(), -1)
	if len(flags) < 10 {
		t.Fatalf("flags not found in %s", out.String())
	}
	for _, f := range flags {
		if !strings.Contains(page, "`--"+f[1]+"`") {
			t.Errorf("README does not name --%s", f[1])
		}
	}
	names := gateway.LimitNames()
	for _, name := range names {
		if row := fmt.Sprintf("| `%s` | `%s` |", name, gateway.DefaultLimits.Value(name)); !strings.Contains(page, row) {
			t.Errorf("README lacks the row %s", row)
		}
	}
	_, table, _ := strings.Cut(page, "## Limits\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if got := len(regexp.MustCompile("(?m)^\\| `[a-z-]+` \\|").FindAllString(table, -1)); got != len(names) {
		t.Errorf("README lists %d limits, there are %d", got, len(names))
	}
}

func TestLimitFlag(t *testing.T) {
	vars := map[string]string{"ANTEROOM_LIMIT": "sockets-principal=7,rooms-guest=unlimited"}
	parse := func(args ...string) (gateway.Limits, error) {
		c, err := parseServe(args, environment{lookup: func(k string) (string, bool) { v, ok := vars[k]; return v, ok }})
		return c.limits, err
	}
	l, err := parse()
	if err != nil || l.Sockets != 7 || l.GuestRooms != gateway.Unlimited || l.UserRooms != gateway.DefaultLimits.UserRooms {
		t.Errorf("from the environment: %+v, %v", l, err)
	}
	l, err = parse("--limit", "messages-guest=2/s:10", "--limit", "write-time=3s,sockets-address=9", "--drain", "3s")
	if err != nil || l.Value("messages-guest") != "2/s:10" || l.Value("write-time") != "3s" || l.AddressSockets != 9 || l.Sockets != gateway.DefaultLimits.Sockets || l.Drain.Seconds() != 3 {
		t.Errorf("from flags: %+v, %v", l, err)
	}
	for _, bad := range []string{"", "messages-guest", "messages-guest=fast", "colour=1"} {
		if _, err := parse("--limit", bad); err == nil {
			t.Errorf("--limit %q was accepted", bad)
		}
	}
}
