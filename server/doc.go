//go:build !js

// Command anteroom is the chat server, and the commands its operator uses.
//
// This package is main: it reads flags and environment, wires the parts
// together, runs them and drains them. It is the only package that sees all of
// them, and it decides nothing.
//
// # Log keys
//
// Logs are slog records: constant lower-case messages, and these keys.
//
//	addr            where a listener listens
//	code            an error's code (store/chat/error.go)
//	decision        allowed or denied
//	reason          why a decision was taken (store/access)
//	room            room id
//	guest_session   public id of a guest session: the caller's
//	room_guest_session  public id of the guest session that made the room
//	participants    user ids of a room's participants
//	caller          kind of the caller: guest, user or nobody
//	user            user id
//	session         public id of an account session
//	vendor          vendor id or slug
//	action          what was asked for, as in store/access
//	repeats         how often a collapsed line happened
//	request         request id, as the caller was told
//	operation       what the API was asked for, as in its OpenAPI document
//	conn            number of a socket, of this process
//	rows            how many audit rows were not written
//	panic           what a programming error said; stack says where
//	stack           only beside panic
//	err             an error's text, once, where it is handled
//	version         of this program
//
// No line holds a message's text, a credential, a token, a full address of a
// visitor, or a page's query.
//
// # Invariants
//
//   - What the operator did wrong is one sentence on standard error and exit
//     code 2; what went wrong while running is exit code 1; neither shows a stack.
//   - The demo serves on loopback addresses only.
//   - A drain ends within its deadline: accept stops first, open sockets are told
//     to come back, commits under way finish, storage closes last.
//   - Main takes no decision about access and holds no state of its own.
package main
