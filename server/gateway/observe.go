package gateway

import "time"

// Observer is told what happens, for metrics. Its methods must be quick, safe
// for concurrent use, and must not call back.
type Observer interface {
	// Refused is a request or frame answered with an error of that code.
	Refused(code string)
	// Limited is a limit that was hit, by its name (LimitNames); "queue" for either bound of what waits for a socket.
	Limited(limit string)
	// Closed is a socket ended by the server with that code.
	Closed(code string)
	// Wrote is how long it took to write one message to a socket, and its size.
	Wrote(took time.Duration, bytes int)
}

// unobserved is the Observer where none is set.
type unobserved struct{}

func (unobserved) Refused(string)           {}
func (unobserved) Limited(string)           {}
func (unobserved) Closed(string)            {}
func (unobserved) Wrote(time.Duration, int) {}
