package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDroppedLinesLeaveAProgramThatWorks builds a program that grows its
// stack, collects garbage, recovers a panic and prints its own trace, and runs
// it with and without line tables.
func TestDroppedLinesLeaveAProgramThatWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	dir := t.TempDir()
	source := `package main

import (
	"fmt"
	"runtime"
)

func deep(n int) (s []int) {
	var room [64]int
	if n == 0 {
		runtime.GC()
		return append(s, len(room))
	}
	return append(deep(n-1), n)
}

func main() {
	defer func() {
		fmt.Println("recovered", recover())
		pc, file, line, ok := runtime.Caller(0)
		fmt.Println(runtime.FuncForPC(pc).Name(), file != "?", line != 0, ok)
	}()
	fmt.Println(len(deep(5000)))
	var m map[string]int
	m["x"] = 1
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, "main.wasm")
	if _, err := goCommand(dir, []string{"GOOS=js", "GOARCH=wasm", "GOFLAGS=", "GO111MODULE=off"}, "build", "-ldflags=-s -w", "-o", module, "main.go"); err != nil {
		t.Fatal(err)
	}
	goroot, err := goCommand(dir, nil, "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	run := func() string {
		t.Helper()
		cmd := exec.Command(node, filepath.Join(goroot, "lib", "wasm", "wasm_exec_node.js"), module)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	const want = "5001\nrecovered assignment to entry in nil map\nmain.main.func1 %s\n"
	if got := run(); got != strings.Replace(want, "%s", "true true true", 1) {
		t.Errorf("with lines: %s", got)
	}
	whole, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	written := func(lines bool) []byte {
		t.Helper()
		out, err := slimData(bytes.Clone(whole), lines)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(module, out, 0o644); err != nil {
			t.Fatal(err)
		}
		return out
	}
	merged := written(true)
	if got := run(); got != strings.Replace(want, "%s", "true true true", 1) {
		t.Errorf("merged, with lines: %s", got)
	}
	less := written(false)
	if got := run(); got != strings.Replace(want, "%s", "false false true", 1) {
		t.Errorf("without lines: %s", got)
	}
	if before, after := bytes.Count(merged, []byte{0}), bytes.Count(less, []byte{0}); after < before+50_000 {
		t.Errorf("only %d bytes were blanked", after-before)
	}
	_, old, err := dataSection(whole)
	if err != nil {
		t.Fatal(err)
	}
	_, segments, err := dataSection(merged)
	if err != nil || len(segments) >= 20 || len(old) < 1000 {
		t.Errorf("%d segments of %d are left (%v)", len(segments), len(old), err)
	}
	// Merging alone changes no byte of the memory.
	from, to := image{old}, image{segments}
	for _, s := range segments {
		for at := s.at; at < s.at+uint64(len(s.bytes)); at++ {
			if from.u8(at) != to.u8(at) {
				t.Fatalf("merging changes the byte at %d from %d to %d", at, from.u8(at), to.u8(at))
			}
		}
	}
	for _, s := range old {
		if len(s.bytes) > 0 && (to.byteAt(s.at) == nil || to.byteAt(s.at+uint64(len(s.bytes))-1) == nil) {
			t.Fatalf("merging loses the %d bytes at %d", len(s.bytes), s.at)
		}
	}
	for _, module := range []string{"", "\x00asm\x01\x00\x00\x00", "\x00asm\x01\x00\x00\x00\x0b\x01\x00"} {
		if _, err := slimData([]byte(module), false); err == nil {
			t.Errorf("%q is taken for a module of Go's", module)
		}
	}
}

func TestSignedNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, 63, 64, -1, -64, -65, 127, 128, 1 << 30, -1 << 31, 1<<31 - 1} {
		b := appendSigned(nil, v)
		if got, n := signed(append(b, 0xff)); got != v || n != len(b) {
			t.Errorf("%d is read back from % x as %d, %d bytes", v, b, got, n)
		}
	}
}
