package rooms

import "time"

// Observer is told what happens, for metrics. Its methods are called where
// messages pass: they must be quick, safe for concurrent use, and must not call
// back.
type Observer interface {
	// Decided is told each decision about access, words of package access.
	Decided(action, reason string, allowed bool)
	// Appended is how long a transaction took that appended events, until it was durable.
	Appended(took time.Duration)
	// Delivered is how long it took from there until all here who joined had the events in their queues.
	Delivered(took time.Duration)
	// Resynced is a client whose cursor could not be used: it was given all anew.
	Resynced()
}

// unobserved is the Observer where none is set.
type unobserved struct{}

func (unobserved) Decided(string, string, bool) {}
func (unobserved) Appended(time.Duration)       {}
func (unobserved) Delivered(time.Duration)      {}
func (unobserved) Resynced()                    {}
