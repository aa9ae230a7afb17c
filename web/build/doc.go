// Command build makes the WebAssembly module of ./app and puts it, compressed
// and under a name that carries its content's hash, into web/dist, where
// package web embeds it:
//
//	go run ./web/build            from the module's root
//
// Environment: SLIM=1 compiles against the shims in web/build/shims (see
// shims/README.md), SLIM=0 against the plain standard library; NOINLINE=1 adds
// -gcflags=all=-l; FAST=1 compresses quickly instead of well (for work on the
// app, never for a release). Nothing is done when the inputs are unchanged.
//
// # Invariants
//
//   - wasm_exec.js comes from the very Go that compiled the module.
//   - The same inputs give the same bytes; no path, clock or host name enters.
//   - web/dist holds one build: names of former builds are removed after the new
//     ones and the manifest are in place.
//   - No third-party module is patched: go-app and nhooyr.io/websocket are
//     compiled as published.
package main
