// Package protocol is the WebSocket protocol: frames and their codec.
// PROTOCOL.md beside it is the public specification.
//
// A WebSocket text message carries one or more frames, one JSON object per
// line. Every frame names its type by its one payload key.
//
// # Invariants
//
//   - A frame has exactly one payload; decoding refuses none or several. Only
//     a server's frame of a kind that is not known is skipped, so that an older
//     page survives a newer server.
//   - Decoding is strict about shape (UTF-8, depth, size, duplicate keys, types)
//     and lenient about growth: unknown keys are ignored. A key has one spelling:
//     encoding/json, which would take others, sees none of them.
//   - Decoding any message within the size limit costs at most 10 ms of CPU.
//   - PROTOCOL.md says what the code does: a test decodes its examples and
//     compares its tables.
//   - It knows nothing of sockets, storage or rights.
package protocol
