// Package rooms is the use cases of the chat: what a principal can do with
// rooms, and how what happened reaches the others. It owns transactions, it is
// the only caller of access.Decide on the server, and it publishes after the
// commit.
//
// # From principal to data
//
// A method takes a principal that package auth resolved. Inside one transaction
// it reads the facts again (the session lives, the user is active, the role, the
// participation, the link and its log-in), asks access.Decide, and gets an
// admitted value only if the answer is yes. An admitted value's methods are the
// only road to a room's events and the only way to append one (admit.go).
//
// # From commit to sockets
//
// After the commit the event's frame is encoded once, if anybody can take it, and handed to the hub.
// Sockets of this process get it inline; other nodes get it from the broker as a
// hint. Each joined watch knows the seq it has: a frame that does not follow is
// not delivered, the watch reads storage from its cursor instead, and that read
// is decided again. So neither a lost hint nor two commits that overtake each
// other on their way make a hole, and an event after one's removal is never
// delivered, because the removal is an event before it.
//
// Lists are kept live by room frames, which a worker computes per watch in a
// transaction of its own; many changes of one room come together in one frame.
// A watch that has joined a room gets its events instead of room frames.
// A line that could not be read is tried again by Sweep; and where a commit's
// outcome is unknown, all whom it concerns are shown what storage has.
//
// # Revocation
//
// Whoever ends or weakens a right calls Recheck after the commit and before it
// answers. Fan-out enqueues under the room's lock, and Recheck takes the watch
// out of the room under the same lock; frames of lists are enqueued under the
// watch's lock, and only if no Recheck came after the snapshot they were decided
// on. So once Recheck has returned, nothing about a room can be enqueued to a
// watch that may not read it, and Sink.Revoke has dropped what was queued.
// Where a commit's outcome is unknown, Recheck runs too: it only asks storage.
//
// # Invariants
//
//   - No right outlives the transaction that read its facts; the hub caches who
//     might care about a room, never who may.
//   - A room that does not exist and a room one may not reach take the same code
//     path with the same number of storage reads, and give the same error.
//   - A change is acknowledged after its commit is durable and, where it takes
//     rights away, after every open watch concerned was decided again.
//   - Per watch and room events are delivered in order, without a hole, once.
//   - Sinks never block; everything that waits here is bounded: parked frames per
//     room, rooms per watch, one queued list frame per room and watch.
//   - An admin's first look of a day into a room he is no participant of is
//     audited, and its participants are told, before he gets anything of it. Who
//     becomes that while the room is joined has to join it anew.
//   - No log line holds a message's text, a name, a credential or a page.
//   - It knows nothing of HTTP, WebSockets or how a credential is checked.
package rooms
