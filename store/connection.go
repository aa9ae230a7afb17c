package store

import (
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// phase says how far a socket has come.
type phase string

const (
	down     phase = ""
	dialing  phase = "dialing"  // Connect was ordered
	greeting phase = "greeting" // hello was sent
	up       phase = "up"       // welcomed
)

type connection struct {
	number   int64  // of the newest Connect; reports about others are dropped
	as       string // the credential it was opened with
	phase    phase
	attempt  int
	retryAt  int64 // while down: when to try again; 0 for not scheduled
	deadline int64 // while dialing or greeting
	heard    int64 // when the last frame came
	pinged   bool
	deadAt   int64 // while up
	upAt     int64
	lostAt   int64 // since when it is down, for showing "offline"
	was      bool  // was up in this generation
	stopped  bool  // the server said not to come back; a wish or the network may
	outdated bool
}

// request is what an answer will be about.
type request struct {
	kind requestKind
	at   int64
	room chat.RoomID
	seq  int64 // of a read mark
	item chat.ClientID
	key  string // vendor slug of a create
}

type requestKind string

const (
	askHello   requestKind = "hello"
	askRooms   requestKind = "rooms"
	askJoin    requestKind = "join"
	askOwn     requestKind = "own" // a join by vendor
	askHistory requestKind = "history"
	askSend    requestKind = "send"
	askCreate  requestKind = "create"
	askAct     requestKind = "act" // close and block
	askPing    requestKind = "ping"
	askLeave   requestKind = "leave"
	askRead    requestKind = "read"
)

// connectable tells whether there is somebody to connect as, and leave to.
func (m *Machine) connectable() bool {
	return m.started && !m.asleep && !m.conn.outdated && !m.linking() && (m.user != nil || m.guest != nil && !m.guestDead)
}

// ensureConnection opens a socket where there should be one, and closes one
// where there should be none.
func (m *Machine) ensureConnection() {
	if !m.connectable() {
		if m.conn.phase != down {
			m.hangUp()
		}
		m.conn.retryAt = 0
		return
	}
	if m.conn.phase == down && m.conn.retryAt == 0 && !m.conn.stopped {
		m.dial()
	}
}

func (m *Machine) dial() {
	m.conn.number++
	m.conn.phase, m.conn.retryAt, m.conn.deadline = dialing, 0, m.now+dialTimeout
	if m.conn.lostAt == 0 {
		m.conn.lostAt = m.now
	}
	m.conn.as = m.credential()
	c := Connect{Conn: m.conn.number}
	if m.user == nil {
		c.GuestSession = m.guest.ID
	}
	m.emit(c)
	m.touch(dirtyTop)
}

// credential is the secret of who the visitor is now, "" for nobody.
func (m *Machine) credential() string {
	switch {
	case m.user != nil:
		return m.user.Credential
	case m.guest != nil:
		return m.guest.Credential
	}
	return ""
}

func (m *Machine) connected(number int64) {
	if number != m.conn.number || m.conn.phase != dialing {
		return
	}
	hello := &protocol.Hello{Version: protocol.Version, Credential: m.conn.as, Surface: m.surface}
	if m.user == nil && m.guest != nil {
		hello.GuestSession = m.guest.ID
	}
	m.conn.phase, m.conn.heard = greeting, m.now
	m.ask(protocol.ClientFrame{Hello: hello}, request{kind: askHello})
	// The list is asked for in the same breath: frames are carried out in order,
	// and waiting for the welcome would cost a round trip before the first room
	// shows. Where the answer is no, the socket ends and both requests with it.
	m.refreshRooms()
	m.joinOwn()
}

// ask sends a frame whose answer matters.
func (m *Machine) ask(f protocol.ClientFrame, r request) int64 {
	m.frame++
	f.ID, r.at = m.frame, m.now
	m.requests[f.ID] = r
	m.emit(Send{Frame: f})
	return f.ID
}

func (m *Machine) online() bool { return m.conn.phase == up }

func (m *Machine) welcomed(w *protocol.Welcome) {
	m.conn.phase, m.conn.was, m.conn.upAt, m.conn.deadline, m.conn.lostAt = up, true, m.now, 0, 0
	m.conn.pinged, m.conn.deadAt = false, m.now+DeadAfter
	m.setPrincipal(w.Principal)
	if m.user != nil && w.Expires != 0 {
		m.user.Expires = w.Expires
		m.planToken()
	}
	if r := m.open[m.current]; r != nil {
		m.join(r)
	} else if m.current != "" && m.wanted == "" && m.inList(m.current) {
		m.openRoom(m.current)
	}
	m.touch(dirtyTop)
}

// received takes a frame of the present socket.
func (m *Machine) received(f protocol.ServerFrame) {
	m.conn.heard, m.conn.pinged = m.now, false
	if m.conn.phase == up {
		m.conn.deadAt = m.now + DeadAfter
	}
	if f.Bye != nil {
		m.lost(toError(f.Bye))
		return
	}
	if m.conn.phase != up {
		r, ok := m.requests[f.Re]
		delete(m.requests, f.Re)
		switch {
		case !ok || r.kind != askHello:
		case f.Error != nil:
			m.lost(toError(f.Error))
		case f.Welcome != nil:
			m.welcomed(f.Welcome)
		}
		return
	}
	if f.Re != 0 {
		r, ok := m.requests[f.Re]
		if !ok {
			return
		}
		delete(m.requests, f.Re)
		m.answered(f.Re, r, f)
		return
	}
	m.unasked(f)
}

// unasked takes a frame that nobody asked for.
func (m *Machine) unasked(f protocol.ServerFrame) {
	switch {
	case f.Event != nil:
		m.event(f.Event)
	case f.Room != nil:
		m.roomChanged(f.Room.Room, true)
	case f.Gone != nil:
		m.roomGone(f.Gone.Room)
	case f.Typing != nil:
		m.typed(f.Typing)
	case f.Receipt != nil:
		m.receipt(f.Receipt)
	case f.Notice != nil:
		m.oversight(f.Notice)
	case f.Beat != nil:
		m.heads(f.Beat)
	case f.Error != nil:
		if e := toError(f.Error); e.Code == chat.CodeUnauthenticated || e.Code == chat.CodeSessionExpired {
			m.lost(e)
		} else if e.Code == chat.CodeAccessDenied && f.Error.Room != "" {
			m.denied(f.Error.Room, e)
		} else if r := m.open[f.Error.Room]; e.Code == chat.CodeResyncRequired && r != nil && r.joined {
			m.rejoin(r, false) // the server could not fill a gap, and has ended the subscription
		}
	}
}

// answered takes the answer to a request.
func (m *Machine) answered(id int64, r request, f protocol.ServerFrame) {
	var err *chat.Error
	if f.Error != nil {
		err = toError(f.Error)
		if err.Code == chat.CodeUnauthenticated || err.Code == chat.CodeSessionExpired {
			m.lost(err)
			return
		}
	}
	switch r.kind {
	case askRooms:
		m.listed(id, f.Rooms, err)
	case askJoin:
		m.joined(r.room, f.Joined, err)
	case askOwn:
		m.ownJoined(f.Joined)
	case askHistory:
		m.history(r.room, f.History, err)
	case askSend:
		m.acked(r.item, f.Ack, err)
	case askCreate:
		m.created(r, f.Created, err)
	case askPing:
		if f.Pong != nil {
			m.heads(f.Pong)
		}
	case askAct:
		if err != nil {
			if err.Code == chat.CodeAccessDenied {
				m.denied(r.room, err)
				return
			}
			m.notice = err
			m.touch(dirtyTop)
		}
	case askRead:
		m.readDone(r.room, r.seq, err)
	}
}

// hangUp closes the socket without planning another.
func (m *Machine) hangUp() {
	if m.conn.phase != down {
		m.emit(Disconnect{})
	}
	m.fall()
}

// fall puts what depended on the socket back to where it can start again.
func (m *Machine) fall() {
	if m.conn.phase == up {
		if m.now-m.conn.upAt >= stableAfter {
			m.conn.attempt = 0
		}
		m.conn.lostAt = m.now
	}
	m.conn.phase, m.conn.deadline, m.conn.deadAt, m.conn.pinged = down, 0, 0, false
	clear(m.requests)
	clear(m.creates)
	clear(m.readSent)
	m.listing, m.listAt = 0, 0
	m.own, m.ownRoom = "", ""
	for _, r := range m.open {
		r.joined, r.joining, r.loadingHistory, r.typingSent = false, false, false, 0
		if len(r.typing) > 0 {
			r.typing = nil
			m.touch(dirtyTyping)
		}
	}
	for _, it := range m.items {
		if it.inFlight {
			it.inFlight = false
			m.touch(dirtyRoom)
		}
	}
	m.touch(dirtyTop | dirtyRoom)
}

// lost reports that the socket is gone or must go, and plans what comes next.
func (m *Machine) lost(err *chat.Error) {
	m.hangUp()
	if err == nil {
		m.retryConnection()
		return
	}
	switch err.Code {
	case chat.CodeUnsupportedVersion:
		m.conn.outdated = true
		m.flushDrafts()
		m.notify(Notification{Kind: NotifyReload})
	case chat.CodeUnauthenticated, chat.CodeSessionExpired:
		m.sessionOver(err)
	case chat.CodeShutdown, chat.CodeRateLimited:
		wait := err.RetryAfter.Milliseconds()
		if wait <= 0 {
			m.retryConnection()
			return
		}
		m.conn.retryAt = m.now + wait + m.jitter(backoffMin)
	default:
		if chat.OutcomeOf(err.Code).Close >= 4500 {
			m.conn.stopped = true
			m.notice = err
			m.log("the server refused the connection", "code", err.Code)
			m.touch(dirtyTop)
			return
		}
		m.retryConnection()
	}
}

func (m *Machine) retryConnection() {
	if !m.network {
		// The browser may be wrong about the network, so it is tried all the same.
		m.conn.retryAt = m.now + backoffMax/2 + m.jitter(backoffMax/2)
		return
	}
	m.conn.retryAt = m.now + m.backoff(m.conn.attempt)
	m.conn.attempt++
}

func (m *Machine) networkChanged(online bool) {
	if m.network == online {
		if online {
			m.probe()
		}
		return
	}
	m.network = online
	m.touch(dirtyTop)
	if !online {
		if m.conn.phase != down {
			m.lost(nil)
		}
		return
	}
	m.hurry()
	m.probe()
}

func (m *Machine) visibilityChanged(visible bool) {
	m.visible = visible
	if visible && m.asleep {
		m.asleep = false
		m.conn.lostAt = 0 // nobody tried while the page slept: this is no long loss
	}
	if !visible {
		m.flushDrafts()
		return
	}
	m.hurry()
	m.probe()
}

// hurry brings forward whatever waits for a better network.
func (m *Machine) hurry() {
	if m.conn.phase == down {
		m.conn.retryAt, m.conn.stopped = 0, false
		m.conn.attempt = 0
	}
	m.mintAt, m.mintTries = 0, 0
	if m.login != nil && m.login.retryAt != 0 {
		m.login.retryAt = m.now
	}
	for _, r := range m.revokes {
		r.retryAt = 0
	}
	if m.vendorsAt != 0 {
		m.vendorsAt = m.now
	}
}

// probe asks a socket that has been silent whether it still lives: after sleep
// a half-open one looks like any other.
func (m *Machine) probe() {
	if m.conn.phase == up && m.now-m.conn.heard > 2_000 {
		m.ping()
		m.conn.deadAt = min(m.conn.deadAt, m.now+probeTimeout)
	}
}

func (m *Machine) ping() {
	m.conn.pinged = true
	m.ask(protocol.ClientFrame{Ping: &protocol.Empty{}}, request{kind: askPing})
}

// heartbeat runs what is due about the connection.
func (m *Machine) heartbeat() {
	c := &m.conn
	switch c.phase {
	case down:
		if c.retryAt != 0 && m.now >= c.retryAt && m.connectable() {
			m.dial()
		}
	case dialing, greeting:
		if m.now >= c.deadline {
			m.lost(nil)
		}
	case up:
		if m.now >= c.deadAt || m.overdue() {
			m.lost(nil)
		} else if !c.pinged && m.now >= c.heard+PingAfter {
			m.ping()
		}
	}
}

// overdue tells whether a request waits too long on a socket that is alive otherwise.
func (m *Machine) overdue() bool {
	at := m.oldestRequest()
	return at != 0 && m.now >= at+answerTimeout
}

func (m *Machine) oldestRequest() int64 {
	var at int64
	for _, r := range m.requests {
		if at == 0 || r.at < at {
			at = r.at
		}
	}
	return at
}

// state is the connection as people see it.
func (m *Machine) state() Connection {
	switch {
	case m.conn.outdated:
		return Outdated
	case !m.restored || !m.started || m.user == nil && m.guest == nil:
		if !m.network && m.restored && len(m.items) > 0 {
			return Offline
		}
		return Idle
	case m.conn.phase == up:
		return Online
	case !m.network || m.conn.stopped || m.conn.lostAt != 0 && m.now-m.conn.lostAt >= longOutage:
		return Offline
	case m.conn.was:
		return Reconnecting
	}
	return Connecting
}
