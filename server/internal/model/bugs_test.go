//go:build !js

package model

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// quick are the seeded bugs that every run looks for; -soak looks for all.
var quick = []string{"check-only-at-join", "link-by-guest-id", "refusal-tells-missing"}

// caught is what a child says that found the bug; a build that broke does not.
var caught = regexp.MustCompile(`\[rapid\] (?:failed|panic) after (\d+) tests: (.*)`)

// TestBugs shows that the model test bites: with each seeded bug built in, it
// must fail within 300 traces. The bugs are patches that are laid over the
// source for one build; the product has no hook for them.
func TestBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the server several times")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/bugs/*.patch")
	if err != nil || len(files) < len(quick) {
		t.Fatalf("no bugs: %v", err)
	}
	for _, name := range quick {
		if !slices.Contains(files, filepath.Join("testdata", "bugs", name+".patch")) {
			t.Errorf("there is no bug %s", name)
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".patch")
		t.Run(name, func(t *testing.T) {
			overlay := overlayOf(t, root, file) // also where it is not run: a patch must apply
			if !*soak && !slices.Contains(quick, name) {
				t.Skip("only with -soak")
			}
			cmd := exec.Command("go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=5m", "-run", "^TestAccess$", ".",
				"-traces=300", "-rapid.shrinktime=1ms")
			out, err := cmd.CombinedOutput()
			found := caught.FindSubmatch(out)
			if err == nil || found == nil {
				t.Fatalf("was not caught: %v\n%s", err, out[max(0, len(out)-2000):])
			}
			t.Logf("caught in trace %s: %s", found[1], found[2])
		})
	}
}

// overlayOf writes the files that a patch changes, and the overlay that lays
// them over the source; it returns the overlay's name.
func overlayOf(t *testing.T, root, patch string) string {
	t.Helper()
	b, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	folder, replace := t.TempDir(), map[string]string{}
	for i, part := range strings.Split("\n"+string(b), "\n--- a/")[1:] {
		name, hunks, _ := strings.Cut(part, "\n")
		name = filepath.FromSlash(strings.TrimSpace(name))
		src, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		changed, err := apply(string(src), hunks)
		if err != nil {
			t.Fatalf("%s does not apply to %s: %v", patch, name, err)
		}
		to := filepath.Join(folder, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(to, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, name)] = to
	}
	b, err = json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// apply applies the hunks of a unified diff of one file. Line numbers do not
// count: the lines a hunk is about must be there exactly once.
func apply(src, hunks string) (string, error) {
	for i, hunk := range strings.Split("\n"+hunks, "\n@@ ")[1:] {
		_, lines, _ := strings.Cut(strings.TrimSuffix(hunk, "\n")+"\n", "\n")
		var before, after strings.Builder
		for line := range strings.Lines(lines) {
			switch line[0] {
			case ' ':
				before.WriteString(line[1:])
				after.WriteString(line[1:])
			case '-':
				before.WriteString(line[1:])
			case '+':
				after.WriteString(line[1:])
			case '\n': // an empty line of context whose space was trimmed
				before.WriteString(line)
				after.WriteString(line)
			}
		}
		if n := strings.Count(src, before.String()); n != 1 || before.Len() == 0 {
			return "", fmt.Errorf("hunk %d fits %d times", i+1, n)
		}
		src = strings.Replace(src, before.String(), after.String(), 1)
	}
	return src, nil
}

func TestApply(t *testing.T) {
	const src = "a\nb\nc\nd\n"
	for name, c := range map[string]struct{ hunks, want string }{
		"changes a line":             {"+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", "a\nB\nc\nd\n"},
		"does not mind line numbers": {"+++ b/x\n@@ -91,2 +91,3 @@\n c\n+x\n d\n", "a\nb\nc\nx\nd\n"},
		"applies two hunks":          {"+++ b/x\n@@ -1 +1 @@\n-a\n+A\n@@ -4 +4 @@\n-d\n+D\n", "A\nb\nc\nD\n"},
		"refuses what is not there":  {"+++ b/x\n@@ -1,2 +1,2 @@\n a\n-x\n+B\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := apply(src, c.hunks)
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
