// Package model tests access against a model: random histories of users,
// vendors, admins, guests, rooms and sockets run against a whole server, and
// after every command what everybody got is compared with what design §3
// allows. There is no code here but tests.
//
// # Invariants
//
//   - The model is written from design §3 and PROTOCOL.md; it imports no code that decides access.
package model
