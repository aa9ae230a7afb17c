package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// translate is the one place where an error gets its code. Errors that are none
// of the wire's become internal with the request's id, and are logged here.
func (g *Gateway) translate(ctx context.Context, err error, request string) *chat.Error {
	e := g.coded(ctx, err, request)
	g.observe.Refused(string(e.Code))
	return e
}

func (g *Gateway) coded(ctx context.Context, err error, request string) *chat.Error {
	if e, ok := errors.AsType[*chat.Error](err); ok {
		if e.Code == chat.CodeStorageFull || e.Code == chat.CodeUnavailable || e.Code == chat.CodeInternal {
			g.log.LogAttrs(ctx, slog.LevelWarn, "request failed", slog.String("request", request), slog.Any("err", err))
		}
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e := chat.Errorf(chat.CodeUnavailable, "The server is busy, try again")
		e.RetryAfter = time.Second
		return e
	}
	g.log.LogAttrs(ctx, slog.LevelError, "internal error", slog.String("request", request), slog.Any("err", err))
	return &chat.Error{Code: chat.CodeInternal, Message: "Internal error", RequestID: request}
}

// wireError is an error as frames and bodies carry it.
func wireError(e *chat.Error, room chat.RoomID) *protocol.Error {
	ms := e.RetryAfter.Milliseconds()
	if e.RetryAfter > 0 && ms == 0 {
		ms = 1
	}
	return &protocol.Error{Code: e.Code, Message: e.Message, RetryAfterMS: ms, RequestID: e.RequestID, Room: room}
}

// errorBody is the body of every answer that is an error. Only internal errors
// name their request in it, so that "not yours" and "does not exist" are the
// same bytes; the header X-Request-Id is always there.
type errorBody struct {
	Error protocol.Error `json:"error"`
}

func writeError(w http.ResponseWriter, e *chat.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	writeJSON(w, chat.OutcomeOf(e.Code).Status, errorBody{*wireError(e, "")})
}

// requestID is a fresh name for one request or socket; it is no secret.
func requestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
