// Package conformance is the executable definition of the storage and broker
// contracts: every driver's tests call Storage or Broker with a way to open
// an empty instance. Faulty, a storage that fails on demand, and CountReads
// serve tests of what stands above.
//
// # Invariants
//
//   - A new method or promise of a contract arrives with its cases here.
//   - The suite knows no driver: what it needs to open one is handed in.
//   - What a case leaves open (nil or empty slice, which wrapped error) drivers may choose.
package conformance
