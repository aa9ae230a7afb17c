// Package sqlite is the default storage driver: one SQLite file in WAL mode
// with synchronous=FULL, so that an Update that returned nil survives a power
// cut.
//
// One goroutine writes. It takes whatever Updates are queued, runs them in one
// transaction and commits them together: the fsync, which costs more than all
// else, is shared (BenchmarkAppend). Should one fail after it wrote something,
// the transaction is rolled back and all run again, each in a savepoint of its
// own; to begin with savepoints costs every Update what only a failure needs.
// Before it commits it lets others run once: those whom the commit before has
// freed are about to be back, and every second group would be of a few.
// Readers have connections of their own and never wait for the writer.
//
// SQLite is spoken to through zombiezen.com/go/sqlite, which keeps prepared
// statements and copies columns once. database/sql was measured to cost more
// per statement than SQLite itself: its locks, its conversions, a row of `any`.
// A binding of our own to the translated C, with unsafe, was no faster than
// this library end to end and is not worth its upkeep.
//
// A commit writes each page that changed, whole: with 64 or 1,000 senders that
// cost more than the statements did. So events go to the end of one table in the
// order they came, and each knows the row of the one before it in its room; what
// else changes with a message (head, newest row, counts, activity, read marks) is
// in small rows of its own, and people are numbers there. Every 32nd event of a
// room is indexed, so that a page of history far back is at most 31 hops away; an
// entry for each was measured to cost more than the rest of the append, the more
// the larger the database (at 600,000 messages 26 of 34 µs), to make a page of 50
// a quarter cheaper. A log clustered by room was rejected: every message would
// change a page of its own. It would read old history from fewer places, which
// matters for what is not in memory only.
// For the same reason client message ids are indexed by the id and not by whose
// it is: our clients begin an id with the time, and so do others who want to be
// cheap (PROTOCOL.md). Pages of 1, 2 and 8 KiB were no faster.
//
// What a decision needs is one statement, and the writer finds rooms by a number
// it remembers: that is half the time of four statements that search by text. To
// read it on another connection while the writer is busy, and prove it current by
// a version that triggers raise, was tried and rejected: it cost more than it took
// from the writer, with no more messages at 1,000 senders and fewer at 64. To
// write heads and marks at the end of a group, each room once, was as fast where
// every message is in a room of its own.
//
// Lists are read from indexes on a room's activity, one entry per room and one
// per (vendor, room). An entry per (participant, room) was rejected: a message
// into a room of 1,000 members would rewrite 1,000 index entries inside the
// writer. A user's list is the walk over the vendors they are staff of, which
// is where the many rooms are, merged with their few other rooms.
//
// # Invariants
//
//   - Only the writer's goroutine uses the writing connection.
//   - An Update is acknowledged after the COMMIT that holds it returned; if the
//     COMMIT fails, every Update of its group fails.
//   - After an error that may have ended the transaction (disk full, I/O) the
//     whole group is rolled back: nothing runs outside a transaction.
//   - What a process that died left in the log is moved into the database, and
//     synced, before the first commit of the next one.
//   - Events are never deleted, nor is a room: a row that another names is there.
//   - What heads, events.prev, senders and rooms.search hold follows from events,
//     participants and names, and changes in the same transaction.
//   - Between two transactions a connection keeps prepared statements, the epoch,
//     the numbers of ids and rooms and who has sent where: nothing that a right is
//     decided on. A row that is found by a remembered number says whose it is.
//   - One process at a time has the database open (a lock file beside it).
//   - The driver decides no access and reads no clock.
package sqlite
