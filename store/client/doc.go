// Package client drives a store.Machine: it connects, keeps time, stores what
// is to survive, and tells the other tabs. There is one API for the browser
// (js files, over syscall/js) and for bots, load tests and tests (native
// files, over net/http and memory).
//
// A Client is made with New, runs in Run, takes wishes by Do and shows a View.
//
// # Invariants
//
//   - One goroutine, Run, owns the machine; everything else posts inputs to it.
//   - Effects run in the order the machine gave. Storage is written before a
//     frame that follows it is handed to the socket.
//   - What storage refused is held in memory, and counts until another tab has
//     written under the same key.
//   - Do and View never block. Subscribers are called by Run, once per batch of
//     inputs, and must not block.
//   - Queues are bounded: a socket that is not read fast enough waits; a socket
//     that does not take what is written is closed and resumed; wishes beyond
//     the bound are dropped with one line.
//   - Nothing of a socket that was given up is reported under the next one.
//   - It decides nothing: what to do about an error is the machine's.
package client
