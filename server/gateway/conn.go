package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
	"nhooyr.io/websocket"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// conn is one WebSocket: a reader goroutine that takes one frame at a time, and
// a queue whose flush writes. Fields without a lock belong to the reader.
type conn struct {
	queue
	g       *Gateway
	ws      *websocket.Conn
	raw     *tap
	id      string              // names the socket in logs
	address string              // key of address limits
	claimed chat.GuestSessionID // of the URL

	principal chat.Principal
	owner     string       // key of principal limits; "" before hello
	watch     *rooms.Watch // nil before hello
	greeted   bool         // the first frame was taken: hello, or the socket ends
	frames    *rate.Limiter
	touched   int64 // when the session was last said to be in use, Unix milliseconds
	strikes   int   // frames over the limit or malformed, less one for each good one
	slot      int   // in the wheel; guarded by it
	ended     bool  // its end was counted; the flush's
}

const (
	maxStrikes = 64
)

var (
	errHello      = chat.Errorf(chat.CodeInvalid, "the first frame must be hello")
	errLate       = later(chat.CodeUnavailable, time.Second, "The connection was too slow")
	errMismatch   = chat.Errorf(chat.CodeInvalid, "guest session mismatch")
	errSurface    = chat.Errorf(chat.CodeInvalid, "This session belongs to another surface")
	errFlood      = later(chat.CodeRateLimited, 10*time.Second, "Too many frames")
	errSockets    = later(chat.CodeRateLimited, 10*time.Second, "Too many connections; close another one first")
	errCredential = chat.Errorf(chat.CodeUnauthenticated, "The credential is missing")
)

// later is an error that says when to try again.
func later(code chat.Code, wait time.Duration, message string) *chat.Error {
	return &chat.Error{Code: code, Message: message, RetryAfter: wait}
}

// run is the reader's goroutine. The gateway starts it and waits for it. Its
// stack stays small: what is deep is done at a desk.
func (c *conn) run() {
	defer c.g.readers.Done()
	defer c.leave()
	defer c.survive()
	c.raw.SetReadDeadline(time.Now().Add(c.g.limits.Hello))
	for !c.over() {
		typ, r, err := c.ws.Reader(context.Background())
		if !c.serve(typ, r, err) {
			return
		}
	}
}

// survive is deferred: a poisoned frame ends its own connection, never the process.
func (c *conn) survive() {
	if v := recover(); v != nil {
		c.g.log.Error("panic in a connection", "conn", c.id, "panic", v, "stack", string(debug.Stack()))
		c.End(&chat.Error{Code: chat.CodeInternal, Message: "Internal error", RequestID: c.id})
	}
}

// serve takes one message and answers its frames; it returns false at the end.
// An idle socket holds no buffer: there is one while its message is worked on.
func (c *conn) serve(typ websocket.MessageType, r io.Reader, err error) bool {
	buffer := batches.Get().(*[]byte)
	greeted := c.greeted
	lines, ok := c.read(typ, r, err, buffer)
	if ok && len(lines) > 0 {
		c.g.desks.do(task{c, lines})
	} else if ok {
		c.flushHere() // why it could not be read
	}
	if c.greeted && !greeted {
		c.raw.SetReadDeadline(time.Time{}) // hello's
	}
	if cap(*buffer) <= protocol.MaxClientMessage {
		batches.Put(buffer)
	}
	return ok
}

// work answers the frames of a message, at a desk. The reader waits meanwhile.
func (c *conn) work(lines [][]byte) {
	defer c.survive()
	for _, line := range lines {
		if c.over() {
			break
		}
		if !c.greeted {
			c.greeted = true
			c.hello(line)
			continue
		}
		c.take(line)
		c.await()
	}
	c.flushHere()
}

// leave undoes what the socket holds, once nothing reads from it any more.
func (c *conn) leave() {
	c.g.wheel.remove(c)
	if c.watch != nil {
		c.watch.Close()
	}
	if !c.over() {
		c.abort()
	}
	c.flushHere() // the goodbye, where nothing else writes it
	c.wait()
	c.ws.CloseNow()
	c.raw.settled()
	c.g.forget(c)
}

// read reads the rest of one message into a buffer and cuts it into frames. It returns false
// where the socket is over, with the goodbye queued if there is one.
func (c *conn) read(typ websocket.MessageType, r io.Reader, err error, buffer *[]byte) ([][]byte, bool) {
	if err == nil && typ != websocket.MessageText {
		c.close(websocket.StatusUnsupportedData, "text messages only")
		return nil, false
	}
	if err == nil {
		// Most messages are whole by now; only where one is not, the clock is set.
		// Before hello its clock runs.
		c.raw.within.Store(c.greeted)
		*buffer, err = readAll(r, (*buffer)[:0])
		c.raw.within.Store(false)
	}
	if err != nil {
		c.readFailed(err)
		return nil, false
	}
	if c.raw.timed.Swap(false) {
		c.raw.SetReadDeadline(time.Time{})
	}
	message := *buffer
	if !utf8.Valid(message) {
		c.close(websocket.StatusInvalidFramePayloadData, "not valid UTF-8")
		return nil, false
	}
	lines, err := protocol.Split(message)
	if err != nil {
		c.malformed(err)
		return nil, true
	}
	return lines, true
}

// readAll is io.ReadAll into a buffer that is there.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, 512)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// readFailed says goodbye where the peer can still hear it.
func (c *conn) readFailed(err error) {
	switch {
	case c.over(), websocket.CloseStatus(err) != -1:
	case c.raw.flooded() != "":
		c.g.observe.Limited(c.raw.flooded())
		c.finish(errFlood)
	case errors.Is(err, os.ErrDeadlineExceeded):
		limit := "message-time"
		if c.watch == nil {
			limit = "hello-time"
		}
		c.g.observe.Limited(limit)
		c.finish(errLate)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isNetwork(err):
	default:
		// The peer broke the WebSocket protocol. The library has said why in most
		// cases; where it has not, this does.
		c.close(websocket.StatusProtocolError, "")
	}
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// close ends the socket with a code of the WebSocket protocol itself.
func (c *conn) close(code websocket.StatusCode, reason string) {
	c.abort()
	c.wait()
	c.ws.Close(code, reason)
}

// hello takes the first frame: it decides who is calling.
func (c *conn) hello(line []byte) {
	f, err := protocol.DecodeClientFrame(line)
	if err != nil {
		c.refuse(err, 0)
		return
	}
	if f.Hello == nil {
		c.refuse(errHello, f.ID)
		return
	}
	if err := c.greet(c.g.deadline(), f.ID, f.Hello); err != nil {
		c.refuse(err, f.ID)
	}
}

func (c *conn) greet(ctx context.Context, re int64, h *protocol.Hello) error {
	if h.Version < protocol.MinVersion || h.Version > protocol.Version {
		return chat.Errorf(chat.CodeUnsupportedVersion, "This server speaks versions %d to %d", protocol.MinVersion, protocol.Version)
	}
	if err := agree(h.Credential, c.claimed, h.GuestSession); err != nil {
		return err
	}
	if h.Credential == "" {
		return errCredential
	}
	p, err := c.g.rooms.Resolve(ctx, h.Credential)
	if err != nil {
		return err
	}
	if p.Surface != h.Surface {
		return errSurface
	}
	if err := c.g.claim(c, p); err != nil {
		return err
	}
	c.principal = p
	// Frames of the list may come as soon as the watch is there; they wait behind the welcome.
	if !c.ask(asked{greet: true}) {
		return nil
	}
	c.g.touch(ctx, p, c.id)
	c.watch, err = c.g.rooms.Watch(ctx, p, c)
	if err != nil {
		c.answer(item{}, nil)
		return err
	}
	c.reply(re, protocol.ServerFrame{Welcome: &protocol.Welcome{
		Version: h.Version, Principal: p, BeatMS: c.g.limits.Beat.Milliseconds(), Expires: c.watch.Ends(),
	}})
	c.g.wheel.add(c)
	if c.g.draining() {
		c.finish(c.g.farewell())
	}
	return nil
}

// agree refuses a request whose statements about its guest session differ.
func agree(credential string, claims ...chat.GuestSessionID) error {
	for _, claim := range claims {
		if claim != "" && claim != auth.GuestOf(credential) {
			return errMismatch
		}
	}
	return nil
}

// refuse answers the first frame with an error and ends the socket with its code.
func (c *conn) refuse(err error, re int64) {
	if e, ok := errors.AsType[*protocol.FrameError](err); ok {
		re = e.Re
	}
	e := c.g.translate(context.Background(), err, c.id)
	c.mu.Lock()
	c.add(item{re: re, bytes: encodeError(re, "", e)})
	c.stop(e, false)
	c.mu.Unlock()
}

// malformed answers a frame that could not be decoded.
func (c *conn) malformed(err error) {
	var re int64
	var room chat.RoomID
	if e, ok := errors.AsType[*protocol.FrameError](err); ok {
		re, room = e.Re, e.Room
	}
	c.strike()
	c.enqueue(item{re: re, bytes: encodeError(re, room, c.g.translate(context.Background(), err, c.id))})
}

// strike counts a frame that should not have come, and ends who sends many.
// What they have sent meanwhile is not read any more: the library would look for
// the peer's goodbye in it, frame by frame.
func (c *conn) strike() {
	if c.strikes++; c.strikes > maxStrikes {
		c.raw.tooFast(&limitFrames)
		c.finish(errFlood)
	}
}

// enqueue queues an answer that carries no room's content.
func (c *conn) enqueue(it item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending == nil && !c.dead {
		c.size += len(it.bytes)
		c.waiting = append(c.waiting, it)
	}
}

// take takes one frame after hello.
func (c *conn) take(line []byte) {
	f, err := protocol.DecodeClientFrame(line)
	if err != nil {
		c.malformed(err)
		return
	}
	now := c.g.now()
	if c.frames != nil {
		if r := c.frames.ReserveN(now, 1); !r.OK() || r.DelayFrom(now) > 0 {
			wait := r.DelayFrom(now)
			r.CancelAt(now)
			c.strike()
			c.g.observe.Limited("frames-socket")
			c.enqueue(item{re: f.ID, bytes: encodeError(f.ID, f.RoomID(), limited("frames", wait).(*chat.Error))})
			return
		}
	}
	c.strikes = max(c.strikes-1, 0)
	c.dispatch(c.g.deadline(), f)
}

// reply ends the request under way with a frame.
func (c *conn) reply(re int64, f protocol.ServerFrame) { c.replyWith(re, f, "", false) }

func (c *conn) replyWith(re int64, f protocol.ServerFrame, room chat.RoomID, list bool) {
	f.Re = re
	c.answer(item{re: re, room: room, list: list, bytes: protocol.EncodeServer(f)}, func() []byte {
		if list {
			return encodeError(re, "", errListChanged)
		}
		return encodeError(re, room, chat.AccessDenied)
	})
}

// fail ends the request under way with an error.
func (c *conn) fail(ctx context.Context, f protocol.ClientFrame, err error) {
	c.answer(item{re: f.ID, bytes: encodeError(f.ID, f.RoomID(), c.g.translate(ctx, err, c.id))}, func() []byte {
		return encodeError(f.ID, f.RoomID(), chat.AccessDenied)
	})
}

// write implements pipe.
func (c *conn) write(message []byte) (later bool, err error) {
	began, size := time.Now(), len(message)
	if err := c.ws.Write(context.Background(), websocket.MessageText, message); err != nil {
		return false, err
	}
	if c.raw.owes() {
		later, err = c.raw.then(func(took time.Duration, err error) {
			c.wrote(took, size, err)
			c.written(err)
		})
	}
	if !later {
		c.wrote(time.Since(began), size, err)
	}
	return later, err
}

func (c *conn) wrote(took time.Duration, size int, err error) {
	switch {
	case err == nil:
		c.g.observe.Wrote(took, size)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.g.observe.Limited("write-time")
		if !c.ended {
			c.g.observe.Closed(string(errSlow.Code)) // it is cut: a goodbye would wait as long
		}
	}
}

// end implements pipe.
func (c *conn) end(err *chat.Error) {
	c.ended = true
	c.g.observe.Closed(string(err.Code))
	if err == errSlow {
		c.g.observe.Limited("queue")
	}
	c.ws.Write(context.Background(), websocket.MessageText, protocol.EncodeServer(protocol.ServerFrame{Bye: wireError(err, "")}))
	c.raw.settled()
	c.ws.Close(websocket.StatusCode(chat.OutcomeOf(err.Code).Close), string(err.Code))
}

// cut implements pipe.
func (c *conn) cut() { c.ws.CloseNow() }

// beat sends the heads of the joined rooms, or says at least that the server is there.
func (c *conn) beat(heads []protocol.Head) {
	frame := beatFrame
	if len(heads) > 0 {
		frame = protocol.EncodeServer(protocol.ServerFrame{Beat: &protocol.Beat{Heads: heads}})
	}
	c.push(item{bytes: frame, signal: true, list: len(heads) > 0})
}

var beatFrame = protocol.EncodeServer(protocol.ServerFrame{Beat: &protocol.Beat{}})
