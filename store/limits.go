package store

// Times in milliseconds, and bounds. The server's limits are in package
// protocol; these are the store's own.
const (
	// TypingRepeat is how often a client repeats that somebody types.
	TypingRepeat = 3_000
	// TypingTTL is when somebody who types lapses unless repeated.
	TypingTTL = 6_000
	// PingAfter is how long a client hears nothing before it asks; DeadAfter is
	// when it gives a silent socket up: a half-open one is found in 45 s.
	PingAfter = 25_000
	DeadAfter = 40_000

	backoffMin    = 1_000
	backoffMax    = 30_000
	dialTimeout   = 15_000 // from Connect to Welcome
	probeTimeout  = 8_000  // a ping sent on return to the page must be answered so soon
	answerTimeout = 30_000 // of any request on a socket that is otherwise alive
	stableAfter   = 10_000 // a connection that lived so long resets the backoff
	longOutage    = 20_000 // then "reconnecting" becomes "offline"
	draftDelay    = 300    // from the last key to storage
	adoptDelay    = 3_000  // another live tab's message is left to that tab so long
	guestGrace    = 500    // from the vanishing of the stored guest session to believing it
	tokenLead     = 60_000 // a fresh token is asked for so long before the session ends

	maxItems  = 500       // messages in the outbox
	maxStored = 128 << 10 // bytes of one stored value
	maxDrafts = 200
	maxOpen   = 20 // rooms whose events are held
)
