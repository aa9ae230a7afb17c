package gateway

import (
	"bytes"
	"slices"
	"sync"

	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// maxBatch is how many bytes of waiting frames go into one WebSocket message,
// unless one frame alone is longer.
const maxBatch = 256 << 10

// pipe is the far side of a queue: a WebSocket, or a test's record of one.
type pipe interface {
	// write writes one message, which is the caller's again afterwards. Where the
	// peer does not take all of it at once, later is true, and the queue's written
	// is called when the rest has gone out or never will.
	write(message []byte) (later bool, err error)
	// end says goodbye with an error's frame and close code, and closes.
	end(*chat.Error)
	// cut closes without a word.
	cut()
}

// item is one frame that waits to be written.
type item struct {
	bytes  []byte
	room   chat.RoomID // whose content it carries; "" where that is nobody's secret
	re     int64
	signal bool // dropped first
	list   bool // carries content of rooms that only its bytes name
}

// queue is what waits to be written to one socket. Deliver, Revoke and End are
// its rooms.Sink; the reader's answers go through ask, answer and push. Nothing
// but flush writes, and flush runs while there is something to write only: on
// the reader's goroutine after it answered, otherwise on one of the flusher's.
//
// The bound: most frames and maxBytes bytes wait, and at most one batch is being
// written. At half of either, signals are dropped; beyond, the socket ends as
// slow_consumer. Answers are not counted against their own asker, who waits
// for room before it reads the next frame (await).
type queue struct {
	out      pipe
	flusher  *flusher // nil: every flush has a goroutine of its own
	most     int
	maxBytes int

	mu      sync.Mutex
	moved   sync.Cond // something was written, or the queue ended
	waiting []item
	size    int // bytes in waiting and held
	held    []item
	asked   asked
	ending  *chat.Error // why the socket ends; set once
	hard    bool        // nothing but the goodbye is to be written
	dead    bool        // nothing can be written any more
	writing bool        // a flush is running, or due with the flusher
	listed  bool        // it is due with the flusher: whoever unsets this runs it
	flushed moment      // when the last message went out
}

// asked is the request the reader is working on.
type asked struct {
	busy    bool
	room    chat.RoomID // whose content the answer will carry
	list    bool
	join    bool // frames of room wait until the answer is queued
	greet   bool // all frames do
	revoked bool // the answer must not be given: access was lost meanwhile
}

func (q *queue) init(out pipe, l Limits) {
	q.out, q.most, q.maxBytes = out, l.QueueFrames, l.QueueBytes
	q.moved.L = &q.mu
}

// Deliver implements rooms.Sink.
func (q *queue) Deliver(f rooms.Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(item{bytes: f.Bytes, room: f.Room, signal: f.Ephemeral})
	q.start()
}

// Revoke implements rooms.Sink: nothing of these rooms that still waits is
// written, and the client learns that they are gone.
func (q *queue) Revoke(gone ...chat.RoomID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked.busy && (q.asked.list || slices.Contains(gone, q.asked.room)) {
		q.asked.revoked = true
	}
	q.waiting = q.without(q.waiting, gone)
	q.held = q.without(q.held, gone)
	for _, room := range gone {
		q.add(item{bytes: protocol.EncodeServer(protocol.ServerFrame{Gone: &protocol.Gone{Room: room}})})
	}
	q.start()
}

// without drops what carries content of the rooms. Answers are replaced by
// errors, because somebody waits for them.
func (q *queue) without(items []item, gone []chat.RoomID) []item {
	kept := items[:0]
	for _, it := range items {
		hit := it.room != "" && slices.Contains(gone, it.room)
		for _, room := range gone {
			hit = hit || it.list && bytes.Contains(it.bytes, []byte(room))
		}
		if hit {
			q.size -= len(it.bytes)
			if it.re == 0 {
				continue
			}
			err := chat.AccessDenied
			if it.list {
				err = errListChanged
			}
			it = item{re: it.re, bytes: encodeError(it.re, it.room, err)}
			q.size += len(it.bytes)
		}
		kept = append(kept, it)
	}
	clear(items[len(kept):])
	return kept
}

// errListChanged answers a list that lost a room while it was on its way.
var errListChanged = chat.Errorf(chat.CodeUnavailable, "The list changed, ask again")

// End implements rooms.Sink: the principal is over, so nothing that still waits
// is written.
func (q *queue) End(err *chat.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stop(err, true)
	q.start()
}

// finish ends the socket after the request under way was answered and what
// waits is written.
func (q *queue) finish(err *chat.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stop(err, false)
	q.start()
}

// stop notes why the socket ends; the first reason stays, but a hard end still
// drops what waits.
func (q *queue) stop(err *chat.Error, hard bool) {
	if q.ending == nil {
		q.ending = err
	}
	if hard {
		q.hard = true
		q.waiting, q.held, q.size = nil, nil, 0
	}
	q.moved.Broadcast()
}

// add appends an item, or drops it, or ends the socket.
func (q *queue) add(it item) {
	if q.ending != nil || q.dead {
		return
	}
	n := len(q.waiting) + len(q.held)
	if it.signal && (n >= q.most/2 || q.size+len(it.bytes) > q.maxBytes/2) {
		return
	}
	if n >= q.most || q.size+len(it.bytes) > q.maxBytes {
		q.waiting, q.held = q.dropSignals(q.waiting), q.dropSignals(q.held)
		if n = len(q.waiting) + len(q.held); n >= q.most || q.size+len(it.bytes) > q.maxBytes {
			q.stop(errSlow, true)
			return
		}
	}
	q.size += len(it.bytes)
	if q.asked.greet || q.asked.join && it.room == q.asked.room && it.room != "" {
		q.held = append(q.held, it)
		return
	}
	q.waiting = append(q.waiting, it)
}

var errSlow = chat.Errorf(chat.CodeSlowConsumer, "This connection reads too slowly")

func (q *queue) dropSignals(items []item) []item {
	return slices.DeleteFunc(items, func(it item) bool {
		if it.signal {
			q.size -= len(it.bytes)
		}
		return it.signal
	})
}

// ask begins a request of the reader's. It returns false where the socket is
// ending, and then the request must not be started.
func (q *queue) ask(a asked) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending != nil || q.dead {
		return false
	}
	q.asked = a
	q.asked.busy = true
	return true
}

// retry tells whether access to something of a list was lost since ask, and
// begins the request anew if so.
func (q *queue) retry() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	again := q.asked.revoked && q.ending == nil
	q.asked.revoked = false
	return again
}

// answer ends the request with a frame ("" asks for none), followed by what was
// held behind it. If access was lost since ask, refused is given instead.
func (q *queue) answer(it item, refused func() []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked.revoked {
		it = item{re: it.re, bytes: refused()}
	}
	q.asked = asked{}
	if q.dead || q.hard {
		return
	}
	if len(it.bytes) > 0 {
		q.size += len(it.bytes)
		q.waiting = append(q.waiting, it)
	}
	q.waiting = append(q.waiting, q.held...)
	q.held = nil
}

// push queues a frame that answers nothing of the reader's, such as a beat.
func (q *queue) push(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(it)
	q.start()
}

// await waits until less than half of the bound waits, so that whoever asks
// faster than it reads waits for itself. Where nobody writes, it does: one
// message can ask for more than its end should find waiting.
func (q *queue) await() {
	q.mu.Lock()
	full := q.full()
	q.mu.Unlock()
	if !full {
		return
	}
	q.flushHere()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.writing && q.ending == nil && !q.dead && q.full() {
		q.moved.Wait()
	}
}

// full tells whether half of the bound waits. The caller holds the lock.
func (q *queue) full() bool { return len(q.waiting) >= q.most/2 || q.size >= q.maxBytes/2 }

// abort gives up writing; it is for a socket that is broken.
func (q *queue) abort() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dead = true
	q.waiting, q.held, q.size = nil, nil, 0
	q.moved.Broadcast()
}

// wait returns once no flush is running.
func (q *queue) wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.writing {
		q.moved.Wait()
	}
}

// over tells whether the socket is ending.
func (q *queue) over() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ending != nil || q.dead
}

// due tells whether flush would have something to do.
func (q *queue) due() bool {
	return !q.dead && (len(q.waiting) > 0 || q.ending != nil && (q.hard || !q.asked.busy))
}

// start starts a flush where there is something to write and none runs.
func (q *queue) start() {
	if q.writing || !q.due() {
		return
	}
	q.writing = true
	if q.flusher != nil && q.flusher.add(q) {
		q.listed = true
		return
	}
	go q.flush(false) // owned by the conn: it ends when nothing waits, and wait waits for it
}

// flushHere is start on the caller's goroutine. It takes a flush that is due
// with the flusher upon itself.
func (q *queue) flushHere() {
	q.mu.Lock()
	if q.writing && !q.listed || !q.writing && !q.due() {
		q.mu.Unlock()
		return
	}
	q.writing, q.listed = true, false
	q.mu.Unlock()
	q.flush(false)
}

// flushListed runs the flush that add was told of, unless somebody has.
func (q *queue) flushListed() {
	q.mu.Lock()
	mine := q.listed
	q.listed = false
	q.mu.Unlock()
	if mine {
		q.flush(true)
	}
}

var batches = sync.Pool{New: func() any { return new([]byte) }}

// flush writes until nothing waits. Its caller has set writing. On a goroutine
// that is shared it does not wait for anybody: goodbyes get one of their own.
func (q *queue) flush(shared bool) {
	for {
		q.mu.Lock()
		if !q.due() {
			q.writing = false
			q.moved.Broadcast()
			q.mu.Unlock()
			return
		}
		if len(q.waiting) == 0 {
			if shared {
				q.mu.Unlock()
				go q.flush(false) // owned by the conn, see start
				return
			}
			err := q.ending
			q.dead = true
			q.mu.Unlock()
			q.out.end(err)
			continue
		}
		message, pooled := q.take()
		q.flushed = now()
		q.moved.Broadcast()
		q.mu.Unlock()
		later, err := q.out.write(message)
		if pooled != nil && cap(message) <= maxBatch {
			*pooled = message
			batches.Put(pooled)
		}
		switch {
		case err != nil && shared:
			go q.written(err) // owned by the conn, see start
			return
		case err != nil:
			q.broken()
		case later:
			return // written goes on
		}
	}
}

// written goes on with a flush whose message took its time. It may wait.
func (q *queue) written(err error) {
	if err != nil {
		q.broken()
	}
	q.flush(false)
}

func (q *queue) broken() {
	q.abort()
	q.out.cut()
}

// take removes the next batch and returns it as one message, in a buffer of the
// pool unless it is a single frame.
func (q *queue) take() (message []byte, pooled *[]byte) {
	n, size := 1, len(q.waiting[0].bytes)
	for n < len(q.waiting) && size+1+len(q.waiting[n].bytes) <= maxBatch {
		size += 1 + len(q.waiting[n].bytes)
		n++
	}
	if n == 1 {
		message = q.waiting[0].bytes
		q.size -= len(message)
	} else {
		pooled = batches.Get().(*[]byte)
		message = (*pooled)[:0]
		for i, it := range q.waiting[:n] {
			if i > 0 {
				message = append(message, '\n')
			}
			message = append(message, it.bytes...)
			q.size -= len(it.bytes)
		}
	}
	if n == len(q.waiting) {
		q.waiting = nil // an idle socket keeps no memory for it
	} else {
		q.waiting = slices.Delete(q.waiting, 0, n)
	}
	return message, pooled
}

func encodeError(re int64, room chat.RoomID, err *chat.Error) []byte {
	return protocol.EncodeServer(protocol.ServerFrame{Re: re, Error: wireError(err, room)})
}
