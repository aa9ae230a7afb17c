// Package storage is the contract that every database driver fulfils, and the
// in-memory reference that defines it. Package conformance is its executable
// definition; drivers (storage/sqlite) pass it whole.
//
// Work happens inside transactions: View reads one consistent state, Update
// reads and writes. An Update that returns an error changes nothing. A driver
// may commit several queued Updates together; Update returns when its own
// effects are durable.
//
// Check wraps a driver for readiness: it remembers whether the last write was
// refused, and while it was, tries again when asked.
//
// # Invariants
//
//   - A room's events have seq 1, 2, 3, … without holes, assigned inside the
//     transaction that appends them.
//   - Append is idempotent on (sender, client message id).
//   - An Update that returned nil survives a crash of process and machine.
//   - Drivers are dumb: no access rule, no clock, no randomness (but the epoch).
//     Who may see what is decided by package rooms, in the same transaction.
//   - Secrets arrive hashed; no driver ever sees one.
package storage
