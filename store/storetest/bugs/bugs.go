package bugs

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

// Hunt says which test must catch which bugs.
type Hunt struct {
	Root   string         // of the module, from the test's folder
	Quick  []string       // the bugs that every run builds and looks for
	All    bool           // look for all
	Test   string         // what -run takes
	Args   []string       // further arguments of the child
	Caught *regexp.Regexp // what a child says that found the bug; a build that broke does not
	Again  *regexp.Regexp // what one says that found it and could not repeat it: goroutines took another turn; may be nil
}

// Run looks for the bugs in testdata/bugs of the package under test, one
// subtest for each, and fails for one that is not caught.
func (h Hunt) Run(t *testing.T) {
	root, err := filepath.Abs(h.Root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/bugs/*.patch")
	if err != nil || len(files) < len(h.Quick) {
		t.Fatalf("no bugs: %v", err)
	}
	for _, name := range h.Quick {
		if !slices.Contains(files, filepath.Join("testdata", "bugs", name+".patch")) {
			t.Errorf("there is no bug %s", name)
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".patch")
		t.Run(name, func(t *testing.T) {
			over := overlay(t, root, file) // also where it is not run: a patch must apply
			if !h.All && !slices.Contains(h.Quick, name) {
				t.Skip("only with -soak")
			}
			args := append([]string{"test", "-overlay", over, "-vet=off", "-count=1", "-timeout=10m", "-run", h.Test, "."}, h.Args...)
			for tries := 3; ; tries-- {
				out, err := exec.Command("go", args...).CombinedOutput()
				found := h.Caught.FindSubmatch(out)
				if err != nil && found != nil {
					t.Logf("caught in %s: %s", found[1], found[2])
					return
				}
				if tries == 1 || err == nil || h.Again == nil || !h.Again.Match(out) {
					t.Fatalf("was not caught: %v\n%s\n…\n%s", err, out[:min(2000, len(out))], out[max(0, len(out)-2000):])
				}
			}
		})
	}
}

// overlay writes the files that a patch changes, and the overlay that lays
// them over the source; it returns the overlay's name.
func overlay(t testing.TB, root, patch string) string {
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
