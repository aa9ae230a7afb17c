// Package storetest is a simulated world for the store: browsers with tabs and
// storage, a network, a model server that speaks the protocol in memory, virtual
// time, crashes and restarts.
//
// # What goes wrong in it
//
// The network delays, ends sockets, leaves them open and dead in both directions
// or in one, delivers twice what may come twice, and lets what one socket had on
// its way arrive after what the next one brought. Hints, requests, answers and
// signals between tabs get lost. The server's storage fails before a write or
// after it happened; the server refuses everything for a while, restarts, is
// killed, is put back to a backup (another epoch, shorter logs), and can't fill a
// gap. The browser's storage refuses values; tabs crash, also between two effects
// of one step. A World is made from a seed and does the same every time.
//
// # Properties
//
//	P1  a timeline is the fold of the server's events up to its head; receipts are true
//	P2  every accepted message is stored once, by its writer and in the order of
//	    writing, or visibly failed, or was cleared by a log-out; it is sent after it was kept
//	P3  seqs are dense in every view
//	P4  cursors never go back within an epoch
//	P5  nothing is shown to a principal who had no right to it when it was delivered;
//	    nothing written is left after a log-out; who is here changes with the generation
//	P6  after the network heals, equal rights give equal timelines
//	P7  a recorded input log replays to the same effects and the same view, byte for byte
//
// # A failing seed
//
// TestWorlds prints it. To see what happens in a smaller world that fails, and
// to make a transcript of package store of what its tabs went through:
//
//	go test ./store/storetest -run TestWorlds -seed N -seeds 1 -shorten -tell -v -transcript ../testdata
//	go test ./store -run TestTranscripts -update
//
// The second line adds what the machine says to the inputs; cut the inputs down to
// those that matter, and update again. A fault that needs the world around it
// becomes a test here, made of the steps that -tell shows.
//
// # Seeded bugs
//
// testdata/bugs holds machines that are broken on purpose. Each must fail one of
// the first 200 worlds; three are built in every run, all with -soak.
//
// # Invariants
//
//   - Everything that happens follows from the seed: no clock, no global
//     randomness, no goroutine.
//   - The model server shares no code with the real one, so that it cannot
//     inherit its mistakes; it knows the protocol and the rules of design §3.
//   - Faults end at Heal; what is then still wrong is the store's fault.
package storetest
