//go:build !js

// Package demo is the demo: a small shop of three vendors on an origin of its
// own, and the data that makes a first look at Anteroom worth while.
//
// The shop is a host page as anybody could write one. It has its own customer
// accounts, keeps their log-ins in a cookie of its own, signs identity tokens
// for them (HS256), and embeds the widget by the documented script tag under a
// strict Content-Security-Policy. Reading its pages shows how embedding works.
//
// # Invariants
//
//   - The passwords are known, so main serves it on loopback addresses only.
//   - Fill may run any number of times: it adds only what is not there.
//   - The shop shares nothing with the chat but the signing key: no cookie, no
//     storage, no code of web or gateway.
//   - Demo conversations are made by the use cases of rooms, never written
//     around them.
package demo
