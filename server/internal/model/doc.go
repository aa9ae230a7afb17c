// Package model tests access against a model: random histories of users, staff,
// admins, guests, rooms and sockets run against a whole server (gateway, rooms,
// auth and storage) through HTTP and WebSocket, and after every command what
// everybody got is compared with what design §3 allows. There is no code here
// but tests; they know of the product its wire, and what an operator can do.
//
// # How a command is judged
//
// Every answer is compared with the model's verdict, and every byte that anybody
// receives is searched for canaries: marks in messages, names of users, names and
// pages of rooms, and the ids of rooms, users, guests and sessions, also within
// base64. What is found must be within the reach of its receiver. After every
// command there is a fence, not a sleep: where somebody lost a room, somebody who
// still has it says a canary there; then every socket does an echo round trip,
// and what came before the echo is judged under the rights after the command (what
// is older than the command also under those before it). Two echoes alternate: a
// ping asks storage and heals what was missed; a leave does not. Then lists are
// compared for some principals, and a room's whole content now and then.
//
// About 45 of 100 commands are hostile: dead, rotated and made-up credentials,
// ids of others, foreign cursors and client message ids, payloads that claim
// another author, refused requests again.
//
// # What is covered
//
// I1 (bytes), I2 (complete, in order), I3 (lists and counts, paged and searched,
// over both transports), I4 (same verdict), I5 (a refusal changes nothing and reads
// like that of a missing room), I6 (revocation, also across a restart), I7 (link
// once, the reach grows by one user), I9 (old secrets), I10 (ids give no right),
// I11 (roles), I12 (author and room), I13 (scope of client message ids), I14
// (resume), I15 (removal is not undone), I16 (closed rooms), I17 (vendors), I18
// (TestNonInterference), I19 (TestBounded: sessions, sockets, rooms and messages
// of one party, with small limits and traces of their own), I20 (logs), I21
// (snapshot and events are a fresh snapshot), I22 (refusals are stable).
//
// Not here: I8 is the browser's (server/internal/e2e, store/storetest). In
// TestAccess limits are switched off, so that a trace is not throttled; of I19
// the bytes of a queue and the rooms joined on a socket are server/gateway's.
// Of I16, nothing can be edited or deleted yet. There is one node, so Δ is 0.
// Metrics (I20) have no canary to show: their labels are bounded by type. Host-signed
// identity is server/auth's; here every user has a password.
//
// # Seeded bugs
//
// testdata/bugs holds those of the 23 bugs of the reading that can be made here,
// and one that was real, as patches that are laid over the source for one build
// (go test -overlay). Every patch must apply in every run; three are built and
// must be caught in every run, all with -soak. Of the 23 there is no place for:
// file by id, push after log-out, presence (there are none), node B never hears
// revoke (one node), sweep event to all (no sweep makes events).
//
// # Running it
//
//	go test ./server/internal/model                            300 traces (with -race 50), 12 on SQLite, three bugs
//	go test ./server/internal/model -traces 1000               more of them
//	go test ./server/internal/model -soak -timeout 3h          20,000 traces, 800 on SQLite, every bug
//	go test ./server/internal/model -rapid.seed=N              the traces of a run again
//
// # Invariants
//
//   - The model is written from design §3 and PROTOCOL.md. It imports no code
//     that decides access, and takes ids as opaque.
//   - Nothing waits for a time: everything waits for a frame, with a deadline. The
//     server's clock moves only by a command.
//   - "Exists, but refused" and "does not exist" are one verdict.
//   - A run in which an outcome that matters never came up fails.
//   - The product has no hook for the seeded bugs.
package model
