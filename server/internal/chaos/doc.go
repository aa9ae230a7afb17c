// Package chaos runs the real binary in processes of its own, puts many
// clients on it, and breaks things: kill -9, failing fsyncs, a full disk, a
// locked database, too little memory, cut connections, drains, a storm of
// returning clients.
//
// The clients are our own (store/client over a real socket), or speak the plain
// protocol where one frame has to be seen. Each keeps a journal: what it was
// asked to send, what was acknowledged under which seq, what it was given, and
// whatever its view showed. One judge reads all journals against the history
// that the server serves in the end:
//
//   - L: what was acknowledged is in the history once, under the seq of its ack;
//     what was written is there once, when its client says that nothing waits.
//   - D: no view ever shows a message twice.
//   - O: every view is dense and rising, and equals the history.
//   - X: no client ever got a byte of a room it may not read; each message
//     carries a canary of its room, and every byte read is searched.
//   - B: where clients crash, flap, stall or come and go, the process stays under
//     a cap or its growth does; goroutines return to what they were where clients
//     flap or come and go, memory too where they come and go. A storm's memory is
//     told, not judged.
//   - T: all clients are live and caught up in time. Times that the machine's
//     other load could break are judged in the long form only.
//
// # Running it
//
//	go test ./server/internal/chaos                      a sample of every fault: about a minute
//	go test ./server/internal/chaos -soak -timeout 3h    the full counts, one after the other: about half an hour
//
// What needs strace, a mount or a control group says so where it can't have it, and is skipped;
// with CHAOS_ALL=1 it fails instead.
//
// # Invariants
//
//   - The binary is the one that is shipped: it has no hook for these tests. Its
//     limits are opened by flags.
//   - The client under test is the one the browser runs, but for its socket.
//   - Nothing waits for a time that stands for an event: it waits for the event.
//   - A fault that did not happen fails its test.
package chaos
