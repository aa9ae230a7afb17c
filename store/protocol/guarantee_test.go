package protocol

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestGuaranteesAreProven checks that each guarantee of the page names tests,
// and that those exist.
func TestGuaranteesAreProven(t *testing.T) {
	_, section, ok := strings.Cut(readPage(t), "\n## 8. Guarantees\n")
	if !ok {
		t.Fatal("the page has no guarantees")
	}
	named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")
	parts := strings.Split(section, "\n**G")
	if len(parts) != 9 {
		t.Fatalf("%d guarantees, not 8", len(parts)-1)
	}
	for i, part := range parts[1:] {
		if !strings.HasPrefix(part, strconv.Itoa(i+1)+"** ") {
			t.Errorf("guarantee %d is not where it belongs: %.20q", i+1, part)
		}
		tests := named.FindAllStringSubmatch(part, -1)
		if len(tests) == 0 {
			t.Errorf("nothing proves G%d", i+1)
		}
		for _, m := range tests {
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("G%d: %s has no %s", i+1, m[1], m[2])
			}
		}
	}
	if hasTest(t, "store/protocol", "TestThatIsNot"+"There") {
		t.Error("a test was found that does not exist")
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no tests: %v", pkg, err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
