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
	if e := Told(err); e != nil {
		return &codedError{e, err}
	}
	return err
}

// Told is what callers are told of an error of storage that they can act on,
// nil of any other.
func Told(err error) (e *chat.Error) {
	switch {
	case errors.Is(err, storage.ErrFull):
		e = chat.Errorf(chat.CodeStorageFull, "The server can't store more at the moment")
	case errors.Is(err, storage.ErrBusy), errors.Is(err, storage.ErrReadOnly), errors.Is(err, storage.ErrFailed):
		e = chat.Errorf(chat.CodeUnavailable, "The server is busy, try again")
		e.RetryAfter = time.Second
	case errors.Is(err, storage.ErrClosed):
		e = chat.Errorf(chat.CodeShutdown, "The server is shutting down")
	}
	return e
}

// codedError is an error with a code that keeps its cause for operators.
type codedError struct {
	wire  *chat.Error
	cause error
}

func (e *codedError) Error() string   { return e.cause.Error() }
func (e *codedError) Unwrap() []error { return []error{e.wire, e.cause} }
