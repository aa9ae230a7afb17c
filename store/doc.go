// Package store is the chat store's machine: inputs in, view and effects out.
//
// A Machine holds everything one tab knows of the chat: who the visitor is,
// the rooms, the messages, what is being typed, what was written and not yet
// acknowledged. Package client drives it with a socket, timers, storage and
// the other tabs; package storetest drives it with a simulated world.
//
// # Invariants
//
//   - Step is the only way state changes. It is deterministic: the same inputs
//     give the same effects and views, byte for byte.
//   - The package is pure: no goroutine, clock, randomness, file or socket.
//     Time and ids arrive in inputs.
//   - Effects run in order. What must survive a crash is persisted before it is sent.
//   - A View never changes after it was returned; unchanged parts keep their identity.
//   - Whatever carries an older generation is dropped: nothing of a former
//     principal reaches the view of the next one.
//   - What the visitor wrote leaves the outbox only when it was acknowledged,
//     discarded by the visitor, or cleared by an explicit log-out.
package store
