package auth

import (
	"errors"
	"fmt"
	"time"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// wrap says what was being done and gives storage's errors the codes that
// callers can act on. Errors that cross the wire already stay as they are.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*chat.Error](err); ok {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	var e *chat.Error
	switch {
	case errors.Is(err, storage.ErrFull):
		e = chat.Errorf(chat.CodeStorageFull, "The server can't store more at the moment")
	case errors.Is(err, storage.ErrBusy), errors.Is(err, storage.ErrReadOnly), errors.Is(err, storage.ErrFailed):
		e = chat.Errorf(chat.CodeUnavailable, "The server is busy, try again")
		e.RetryAfter = time.Second
	case errors.Is(err, storage.ErrClosed):
		e = chat.Errorf(chat.CodeShutdown, "The server is shutting down")
	default:
		return err
	}
	return &codedError{e, err}
}

// codedError is an error with a code that keeps its cause for operators.
type codedError struct {
	wire  *chat.Error
	cause error
}

func (e *codedError) Error() string   { return e.cause.Error() }
func (e *codedError) Unwrap() []error { return []error{e.wire, e.cause} }
