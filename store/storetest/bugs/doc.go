// Package bugs shows that a test bites: it lays a seeded bug over the source
// for one build, and expects the test to fail.
//
// A bug is a patch in a testdata folder, whose first line says what is wrong
// with it. Tests that look for bugs call Hunt.
//
// # Invariants
//
//   - The product has no hook for a bug: a patch exists in the build of one
//     child only (go test -overlay), never in the tree.
//   - Every patch must apply in every run, also where it is not built: source
//     that changes takes its bugs along.
//   - A build that breaks does not count as caught.
package bugs
