// Package metrics counts what the server does, for Prometheus to scrape.
//
// It implements the small observer interfaces of rooms and gateway without
// knowing these packages; main puts them together and serves Handler on the
// operator's listener.
//
// # Invariants
//
//   - Names begin with chat_, time is in seconds, sizes are in bytes, counters
//     end in _total.
//   - Labels are words of the program's own tables (actions, reasons, codes,
//     limits), so their number is bounded; nothing a caller sent is a label.
//   - Nothing here identifies a person, a room or an address.
//   - It has a registry of its own and no state besides.
package metrics
