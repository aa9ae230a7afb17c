//go:build !js

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The security pages name tests: each exists, every failure has a row with a
// test or a reason, and every promise of the README has its test.
func TestSecurityPagesTellTheTruth(t *testing.T) {
	declared := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || e.Name() == ".git" || e.Name() == "dist") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllStringSubmatch(string(b), -1) {
			declared[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("SECURITY-TESTS.md")
	if err != nil {
		t.Fatal(err)
	}
	attacks, page := string(b), readme(t)
	for name, text := range map[string]string{"SECURITY-TESTS.md": attacks, "README.md": page} {
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
			if !declared[m[1]] {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	for i := range 46 {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| F%02d \| [^|]+ \| ([^|]+) \|$`, i+1)).FindStringSubmatch(attacks)
		if row == nil || len(row[1]) < 10 {
			t.Errorf("SECURITY-TESTS.md has no row F%02d", i+1)
		}
	}
	_, table, ok := strings.Cut(page, "| promise | tests |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[1:]
	if !ok || len(rows) < 10 {
		t.Fatalf("README has no table of promises: %q", table)
	}
	for _, row := range rows {
		if !regexp.MustCompile("`(Test|Fuzz)").MatchString(row) {
			t.Errorf("a promise without a test: %s", row)
		}
	}
}
