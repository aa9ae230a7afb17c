// Package storetest is a simulated world for the store: browsers with tabs and
// storage, a network that delays, cuts and half-opens, a model server that
// speaks the protocol in memory, virtual time, crashes and restarts.
//
// A World is made from a seed and does the same every time. Its properties:
//
//	P1  a timeline is the fold of the server's events up to its head
//	P2  every accepted message is stored once, or visibly failed, or was cleared by a log-out
//	P3  seqs are dense in every view
//	P4  cursors never go back within an epoch
//	P5  nothing is shown to a principal who had no right to it when it was delivered
//	P6  after the network heals, equal rights give equal timelines
//	P7  a recorded input log replays to the same effects and views
//
// # Invariants
//
//   - Everything that happens follows from the seed: no clock, no global
//     randomness, no goroutine.
//   - The model server shares no code with the real one, so that it cannot
//     inherit its mistakes; it knows the protocol and the rules of design §3.
//   - Faults end at Heal; what is then still wrong is the store's fault.
package storetest
