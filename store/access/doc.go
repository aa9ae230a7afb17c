// Package access holds the one decision about who may do what in a room.
//
// Decide is a pure function of facts that package rooms reads from storage
// inside the transaction that acts on them. The rules are design §3:
//
//	user                  active and a participant of the room
//	admin                 an active user with the admin role: always
//	guest                 the room's guest session is this one, alive and not linked
//	linked guest session  its user is active and a participant, while the log-in that made the link lives
//	anyone else           never
//
// # Invariants
//
//   - Deny is the default: the zero Query is denied, and so is every action
//     that is not listed.
//   - A room that does not exist and a room one may not reach differ in the
//     reason (for operators) and in nothing a caller can see.
//   - A linked guest session gives participation, never its user's admin role.
//   - Every rule change is a diff of testdata/matrix.txt.
//   - It knows nothing of storage, credentials or transport.
package access
