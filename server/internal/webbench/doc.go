//go:build !js

// Command webbench measures what the chat costs a page and its visitor, in
// headless Chromium over the DevTools protocol, against the real binary behind
// a front: at no throttling and at "mid" (CPU 4×, 8.1 Mbit/s down, 165 ms),
// with a cold cache and on a repeat visit. `make bench-web` builds the variants
// and runs it. It prints one table and writes every figure of every run beside it.
//
// # How it is measured
//
// Every run has a browser process and a profile of its own; runs of different
// variants take turns, so that a loud minute of the machine hits all of them.
// Host page and chat are on one site with different ports, so that they share a
// process and its main thread, as on a telephone: what CDP slows, it slows in
// both. The DevTools protocol leaves sockets alone; the front holds each of
// their bytes for half a round trip in each direction.
//
// A script put into each document before any other (probe.js) notes times and
// tells them through a binding. Keys and clicks are real ones of the browser's
// input, sent again and again until one lands, as somebody impatient would:
// what is timed is the letter, not the field.
//
// # Invariants
//
//   - It knows what is promised (roles, ids, the wire), and links none of the app.
//   - No figure fails the run: times depend on the machine. Only bytes have
//     budgets that fail, in package web.
//   - Nothing of it is part of the product.
package main
