//go:build !(js && wasm)

package main

import (
	"fmt"
	"os"
)

// main says what this command is for, so that `go build ./...` passes natively.
func main() {
	fmt.Fprintln(os.Stderr, "app runs in a browser: build it with GOOS=js GOARCH=wasm (make build does)")
	os.Exit(2)
}
