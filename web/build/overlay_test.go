package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShimsPassTheStandardTests runs the standard library's own tests of what
// the shims of algorithms stand for, with only that shim in place.
func TestShimsPassTheStandardTests(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles parts of the standard library anew")
	}
	for shim, tested := range map[string]string{"slices": "slices", "internal/strconv": "strconv"} {
		o := options{dir: "../..", only: shim}
		overlay, err := writeOverlay(o, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if out, err := goCommand(o.dir, []string{"GOFLAGS="}, "test", "-short", "-overlay", overlay, tested); err != nil {
			t.Errorf("%s with the shim of %s: %v\n%s", tested, shim, err, out)
		}
	}
}

func TestEveryShimHasItsPlace(t *testing.T) {
	work := t.TempDir()
	overlay, err := writeOverlay(options{dir: "../.."}, work)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(overlay)
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{
		"net/http", "net", "net/netip", "crypto/aes", "crypto/cipher", "crypto/rand", "crypto/sha1", "crypto/md5",
		"database/sql/driver", "regexp", "slices", "internal/godebug", "internal/strconv",
	} {
		if !strings.Contains(string(text), filepath.Join("src", filepath.FromSlash(pkg))) {
			t.Errorf("nothing stands for %s", pkg)
		}
	}
}

func TestAnEditThatDoesNotFitFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(file, []byte("package a\nvar x = 1\nvar y = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := apply([]byte("# why\n-var x = 1\n+const x = 2\n"), file)
	if err != nil || string(got) != "package a\nconst x = 2\nvar y = 1\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, edit := range []string{"-var z = 1\n+var z = 2\n", "+var z = 2\n"} {
		if got, err := apply([]byte(edit), file); err == nil {
			t.Errorf("%q gave %q", edit, got)
		}
	}
}
