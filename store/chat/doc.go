// Package chat is Anteroom's vocabulary: identifiers, rooms, events, the
// timeline fold, principals and error codes. Browser and server share it.
//
// # Words
//
// One word per idea; code, documents, metrics and screens all use these.
//
//	room            a conversation's home: an append-only log of events
//	participant     a user who belongs to a room
//	principal       who is calling: a guest or a user; a linked guest session stands for its user
//	guest session   an anonymous visitor's identity: public id and secret
//	link            the tie, made at log-in, of a guest session to a user
//	vendor          a shop's record {slug, name, avatar, members}; its members are users (staff)
//	admin           a user whose role may reach every room
//	event           durable and sequenced: part of a room's log
//	signal          ephemeral: typing; never stored
//	receipt         how far a principal has read a room; stored, not an event
//	seq             an event's place in its room: 1, 2, 3, … without holes
//	epoch           names one life of the logs; a restored backup starts another
//	cursor          (epoch, seq): the last event somebody holds of a room
//	client message id  the sender's own id of a message; makes every resend safe
//	snapshot        a room's state at its head with its newest events
//	generation      counts the principals a browser tab has had
//	surface         widget or inbox
//
// # Invariants
//
//   - The package is pure: no goroutine, clock, randomness, file or socket.
//   - Applying events 1..n to a snapshot at k ≤ n gives the snapshot at n
//     (TestSnapshotLaw).
//   - Identifiers have exactly one spelling; Parse functions refuse every other.
//   - It knows nothing of who may see what: that is package access.
package chat
