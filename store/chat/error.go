package chat

import (
	"errors"
	"fmt"
	"time"
)

// Code is an error's stable name on the wire and in metrics. Codes are append-only.
type Code string

// The codes; see Outcomes for status, close code and what a client does.
const (
	CodeInvalid            Code = "invalid"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeSessionExpired     Code = "session_expired"
	CodeAccessDenied       Code = "access_denied"
	CodeNotFound           Code = "not_found" // never for rooms
	CodeConflict           Code = "conflict"
	CodeRoomClosed         Code = "room_closed"
	CodeResyncRequired     Code = "resync_required"
	CodeTooLarge           Code = "too_large"
	CodeUnsupportedVersion Code = "unsupported_version"
	CodeRateLimited        Code = "rate_limited"
	CodeSlowConsumer       Code = "slow_consumer"
	CodeShutdown           Code = "shutdown"
	CodeUnavailable        Code = "unavailable"
	CodeStorageFull        Code = "storage_full"
	CodeInternal           Code = "internal"
)

// Outcome says what a code means outside the server.
type Outcome struct {
	Code   Code
	Status int // HTTP status
	// Close is the WebSocket close code when the error ends the socket:
	// 4000–4499 means reconnect, 4500–4999 means do not.
	Close int
	// Client is what a client does about it.
	Client string
}

// Outcomes is the one table from code to status, close code and client action.
var Outcomes = []Outcome{
	{CodeInvalid, 400, 4500, "show the message; do not repeat the request unchanged"},
	{CodeUnauthenticated, 401, 4501, "drop the credential; never fall back silently"},
	{CodeSessionExpired, 401, 4502, "hide the state of that user and ask to log in again"},
	{CodeAccessDenied, 403, 4503, "remove the room from the view and refresh the rooms once"},
	{CodeNotFound, 404, 4504, "show the message"},
	{CodeConflict, 409, 4505, "show the message; the stored state wins"},
	{CodeRoomClosed, 409, 4506, "show the room as closed and keep the text"},
	{CodeResyncRequired, 409, 4000, "drop the cursor and fetch a snapshot"},
	{CodeTooLarge, 413, 4507, "keep the text and say what the limit is"},
	{CodeUnsupportedVersion, 426, 4508, "keep the draft and reload the page"},
	{CodeRateLimited, 429, 4001, "wait for retry_after_ms, then repeat"},
	{CodeSlowConsumer, 503, 4002, "reconnect and resume from the cursor"},
	{CodeShutdown, 503, 4003, "reconnect after retry_after_ms and resume"},
	{CodeUnavailable, 503, 4004, "repeat with backoff"},
	{CodeStorageFull, 507, 4005, "keep the message and repeat with backoff"},
	{CodeInternal, 500, 4006, "repeat with backoff; quote the request id"},
}

// OutcomeOf returns the row of a code; an unknown code has the row of internal.
func OutcomeOf(c Code) Outcome {
	for _, o := range Outcomes {
		if o.Code == c {
			return o
		}
	}
	return Outcomes[len(Outcomes)-1]
}

// CodeOfClose returns the code behind a WebSocket close code, or "" for one that is not ours.
func CodeOfClose(status int) Code {
	for _, o := range Outcomes {
		if o.Close == status {
			return o.Code
		}
	}
	return ""
}

// Error is an error that may cross the wire. Message is for people, never
// holds a secret or a message's text, and is the same for a room one may not
// reach and a room that does not exist.
type Error struct {
	Code       Code
	Message    string
	RetryAfter time.Duration // when a repeat may succeed; 0 where that is unknown
	RequestID  string        // set for internal only; operators find the cause by it
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Temporary tells whether repeating the same request later may succeed.
func (e *Error) Temporary() bool {
	switch e.Code {
	case CodeRateLimited, CodeSlowConsumer, CodeShutdown, CodeUnavailable, CodeStorageFull, CodeInternal, CodeResyncRequired:
		return true
	}
	return false
}

// Errorf makes an Error; the message follows fmt.Sprintf.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// AccessDenied is the one answer for a room the caller may not reach and for
// a room that does not exist. Callers must not modify it.
var AccessDenied = &Error{Code: CodeAccessDenied, Message: "Access denied to this room"}

// CodeOf returns the code in err's chain, internal for any other error, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
