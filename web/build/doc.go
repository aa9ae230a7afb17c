// Command build makes the two WebAssembly modules of ./app and puts them,
// compressed and under names that carry their content's hash, into web/dist,
// where package web embeds them:
//
//	go run ./web/build            from the module's root
//
// The inbox's is all of the app. The widget's is compiled with the build tag
// "widget", which leaves the inbox's screens out: every visitor pays for the
// widget's module, only staff for the inbox's. They share every package but
// main in the build cache and are compressed side by side.
//
// Environment:
//
//	SLIM=0     the plain standard library and everything else as Go makes it. What
//	           is made without this is slim: compiled against the shims in
//	           web/build/shims (its README.md says how), with inlining in
//	           the runtime only, with its data written anew (data.go) and without line tables
//	INLINE=1   a slim module with inlining: about a tenth larger, its views diff
//	           about twice as fast; NOINLINE=1 a plain module without
//	LINES=1    a slim module whose stack traces show files and lines
//	DIST=dir   put it there, not into web/dist
//	FAST=1     compress quickly instead of well (for work on the app, never for a release)
//
// Nothing is done when the inputs are unchanged.
//
// # Invariants
//
//   - wasm_exec.js comes from the very Go that compiled the modules.
//   - The same inputs give the same bytes; no path, clock or host name enters.
//   - web/dist holds one build: names of former builds are removed after the new
//     ones and the manifest are in place.
//   - No third-party module is patched: go-app and nhooyr.io/websocket are
//     compiled as published.
package main
