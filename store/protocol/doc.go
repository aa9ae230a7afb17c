// Package protocol is the WebSocket protocol: frames and their codec.
// PROTOCOL.md beside it is the public specification.
//
// A WebSocket text message carries one or more frames, one JSON object per
// line. Every frame names its type by its one payload key.
//
// # Invariants
//
//   - A frame has exactly one payload; decoding refuses none or several.
//   - Decoding is strict about shape (UTF-8, depth, size, duplicate keys, types)
//     and lenient about growth: unknown keys are ignored.
//   - It knows nothing of sockets, storage or rights.
package protocol
