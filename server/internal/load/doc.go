//go:build linux

// Command load measures the running server against peers: memory of an idle
// connection, many small rooms, one great room, and a storm of returning clients.
//
//	make bench-load                     # some minutes
//	make bench-load LOAD='-size full'   # 15,000 and 19,000 clients: most of an hour
//
// Every server runs in a process of its own; this process is all of its
// clients. It speaks package protocol's frames through a small WebSocket client
// (wire.go), because 19,000 clients and a busy server share one machine. Peers
// are measured by the same clients, which then speak their protocol
// (dialect.go). Runs of ours and of the peers alternate, and results are
// ratios of medians: the machine's absolute speed is nobody's merit.
//
// Started with the argument serve it is a server itself: the gateway on the
// memory storage, which the product has no flag for, or on SQLite with a way to
// ask for a garbage collection; and the ceiling, a plain fan-out on the
// WebSocket library without access, storage or order (serve.go, ceiling.go).
//
// # Invariants
//
//   - Nothing of it is linked into the product, and no peer is linked into it:
//     Centrifugo is a program that is started.
//   - The product's limits are raised by its own --limit flag, never by default.
//   - Every message counts once: when the other members have it and its sender
//     has the ack. A run that does not get all it sent fails.
//   - Output is in the form that benchstat reads; the table at the end is
//     computed from the same numbers.
package main
