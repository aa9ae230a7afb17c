// Package gateway is the HTTP API and the WebSocket: framing, limits, bounded
// queues, and the one place where an error becomes a status or a close code.
//
// # HTTP
//
// routes is the one table of the API. It says per row who may call, what comes
// in and what goes out; the handler, the checks before it and the document at
// /api/openapi.json are all made from it.
//
// # WebSocket
//
// A socket costs one goroutine, which reads and whose stack stays small; the
// handler that accepted it has returned, and its buffers are small (tap.go).
// Messages are worked on at desks, goroutines that are lent for one message
// (desk.go). What there is to write goes out on the reader's desk or by one of a
// few goroutines that write for all sockets (flusher.go), everything that waits
// in one WebSocket message, one frame a line; in a burst a little more is waited
// for. A write never waits for the peer: what the system does not take is owed,
// and only then there is a goroutine for it (tap.go). Beats come from one timer
// for all sockets (wheel.go).
//
// All data frames are written by the WebSocket library. The tap below it is the
// library's net.Conn: it joins the pieces of one frame into one write and makes none.
//
// # Invariants
//
//   - Nothing here decides access, and nothing here can read an event that
//     package rooms did not hand over: no access, storage or broker is imported.
//   - Host, Origin, address limits and the guest session of the URL are checked
//     before anything else is done for a request.
//   - A credential that is presented but not good is an error; there is no
//     fall-back to a guest or to nobody.
//   - Deliver, Revoke and End never block, and no socket's slowness holds up the
//     writing of another. What waits for one socket is bounded in frames and
//     bytes: signals are dropped first, then the socket ends as slow_consumer and
//     the client resumes from its cursor. Beside it one message at most is owed to
//     the network, for write-time at most.
//   - After Revoke or End has returned nothing of what they forbid is handed to
//     the library any more: not from the queue, and not as the answer to a
//     request that is under way. A message that was handed over before it
//     counts as sent.
//   - Everything a room delivers after a join comes behind its joined frame.
//   - A limit is checked before the work is done and answers rate_limited with
//     the time to wait. That holds also for what the WebSocket library answers by
//     itself: pings are counted where bytes come in (tap.go).
//   - One connection's or request's panic ends that one only.
//   - No credential, message text or whole address is logged.
package gateway
