// Package broker carries hints between the parts (and later the nodes) of a
// server: "something changed under this topic". The in-process broker is the
// default.
//
// # Invariants
//
//   - A hint may be lost, repeated or late; losing every one delays deliveries
//     and never loses or reorders an event, because storage is the truth.
//   - Publish never blocks on a subscriber.
//   - It knows nothing of rooms, rights or frames: payloads are bytes.
package broker
