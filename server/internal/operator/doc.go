// Package operator is the operator's commands: accounts, vendors, why somebody
// can or can't reach a room, what was audited, and backups.
//
// A command is parsed and checked where it was typed, and carried out by one
// of two: the running server, reached through a socket file in the data
// folder, so that what it changes takes effect on open sockets before the
// command returns; or, where no server runs, this process, which opens the
// database under its lock. Both run the same code (Deps.act).
//
// The socket speaks HTTP: POST /command takes a request and gives a reply in
// JSON; POST /backup streams a copy of the database, whose end is marked, so a
// copy that broke off is never taken for a whole one. Both ends are the same
// version of one binary in all but the moment of an upgrade, so there is no
// version to negotiate: unknown fields are refused.
//
// # Invariants
//
//   - Whoever can open the socket file is the operator: it has mode 0600 from
//     the moment it can be reached, and there is no other door.
//   - A password comes from a terminal without echo or from standard input,
//     never from an argument or the environment, and is never shown.
//   - A mistake of the operator's is one sentence and exit code 2; a failure is
//     one sentence and exit code 1. A command that fails has changed nothing.
//   - A backup file appears whole under its name or not at all, and never
//     replaces another file.
//   - It decides no access and keeps no state; auth and rooms do the work.
package operator
