// Package sqlite is the default storage driver: one SQLite file in WAL mode
// with synchronous=FULL, so that an Update that returned nil survives a power
// cut.
//
// One goroutine writes. It takes whatever Updates are queued, runs them in one
// transaction and commits them together: the fsync, which costs more than all
// else, is shared (BenchmarkAppend). Should one fail after it wrote something,
// the transaction is rolled back and all run again, each in a savepoint of its
// own; to begin with savepoints costs every Update what only a failure needs.
// Readers have connections of their own and never wait for the writer.
//
// SQLite is spoken to through zombiezen.com/go/sqlite, which keeps prepared
// statements and copies columns once. database/sql was measured to cost more
// per statement than SQLite itself: its locks, its conversions, a row of `any`.
// A binding of our own to the translated C, with unsafe, was no faster than
// this library end to end and is not worth its upkeep.
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
//   - rooms.head, messages, last_active, last_message and search follow from
//     events, participants and names, and change in the same transaction.
//   - One process at a time has the database open (a lock file beside it).
//   - The driver decides no access and reads no clock.
package sqlite
