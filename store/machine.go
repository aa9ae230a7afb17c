package store

import (
	"strconv"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Machine is the chat store of one tab: see the package documentation. It is
// not safe for concurrent use; one goroutine (or test) owns it.
type Machine struct {
	now     int64
	surface chat.Surface
	tab     string // random per page load; the only source of uniqueness here
	page    string
	random  uint64 // splitmix64, seeded from tab
	serial  int64  // numbers client ids and nonces of this tab

	restored  bool
	started   bool // InitializeChat was seen and nothing cleared the chat since
	memory    bool
	quotaSaid bool
	network   bool // the browser says there is a network
	visible   bool
	asleep    bool // the page is in the browser's back-forward cache, or gone

	out    []Effect // of the running Step
	dirty  dirty
	view   *View
	wakeAt int64 // what the last Wake asked for

	generation int64

	// Who the visitor is: auth.go, guest.go, tabs.go.
	guest     *guestSession
	guestAt   int64 // since when this tab is that guest
	user      *userSession
	principal chat.Principal
	expired   chat.UserID   // whose session ended by itself; "" otherwise
	login     *login        // a log-in or link under way
	minting   int64         // number of the mint's Call, 0 for none
	recalling bool          // storage was asked what guest session it holds
	fresh     *guestSession // minted, and not yet known to be the browser's one
	mintAt    int64         // when to mint again after a failure
	mintTries int
	stamp     int64  // of the latest explicit log-in or log-out known
	nonce     string // its nonce
	deferred  *AuthSignal
	record    *AuthSignal            // found in storage, its signal not yet seen
	recordAt  int64                  // when to go by the record alone
	guestGone int64                  // the guest session vanished or was refused: when to believe it
	guestDead bool                   // the server refused it
	revokes   map[string]*revocation // by storage key
	opens     map[string]openSession // by storage key
	tokenAsk  int64                  // when a fresh token is to be asked for
	logError  *chat.Error
	pwSaved   bool

	sessions      []Session // never changed in place: views hold it
	sessionsHave  bool
	sessionsError *chat.Error
	audit         *AuditTable // likewise
	auditCall     int64       // whose answer it waits for

	conn     connection
	requests map[int64]request
	frame    int64 // id of the last frame sent
	call     int64 // number of the last Call
	calls    map[int64]call

	rooms       []chat.Summary
	roomsLoaded bool
	roomsNext   string
	listing     int64 // id of the list request under way
	listAt      int64 // when to ask again after a failure
	listTries   int
	listMore    bool        // that request is for the next page
	wanted      chat.RoomID // JoinRoom waits for the refreshed list
	filter      chat.RoomFilter
	search      string
	vendors     []chat.Vendor
	vendorsHave bool
	vendorsCall int64
	vendorsWant bool
	vendorsAt   int64

	own     string      // slug of a vendor whose room was asked for with hello
	ownRoom chat.RoomID // the listed room that waits for that answer

	open     map[chat.RoomID]*room
	current  chat.RoomID
	vendor   string
	shown    bool // widget open
	notice   *chat.Error
	read     map[chat.RoomID]int64 // read marks the server does not know yet
	readSent map[chat.RoomID]int64 // on this socket
	unread   int
	chatted  bool
	markDue  bool          // whoever asked for the log-out waits to hear whether the mark stays
	told     chat.Identity // principal of the last NotifyAuth

	items   []*item // oldest first
	creates map[string]bool
	drafts  map[draftKey]*draft
	draftAt int64
}

// New returns a machine that waits for Restored and InitializeChat.
func New() *Machine {
	m := &Machine{
		network: true, visible: true,
		requests: map[int64]request{},
		calls:    map[int64]call{},
		revokes:  map[string]*revocation{},
		opens:    map[string]openSession{},
		open:     map[chat.RoomID]*room{},
		read:     map[chat.RoomID]int64{},
		readSent: map[chat.RoomID]int64{},
		creates:  map[string]bool{},
		drafts:   map[draftKey]*draft{},
	}
	m.view = &View{Connection: Idle, Auth: AuthNone}
	return m
}

// View returns the present view: the same pointer as before when nothing
// changed. It is immutable and may be read by anybody for any time.
func (m *Machine) View() *View { return m.view }

// Step takes one input and returns what is to be done about it, in order. The
// caller owns the returned slice.
func (m *Machine) Step(in Input) []Effect {
	m.out = nil
	m.now = max(m.now, in.At)
	if in.Intent != nil {
		m.intend(in.Intent)
	}
	if in.Fact != nil {
		m.learn(in.Fact)
	}
	// The input comes first, what is due second: after a freeze a frame that
	// waited in the socket proves the connection alive before it is declared dead.
	if m.restored {
		m.runDue()
		m.settle()
	}
	m.render()
	// A timer that fires too early does no harm; moving it for every frame would cost.
	if at := m.nextWake(); at != 0 && (m.wakeAt == 0 || at < m.wakeAt) {
		m.wakeAt = at
		m.emit(Wake{At: at})
	}
	out := m.out
	m.out = nil
	return out
}

// settle does what follows from the state, whatever led there.
func (m *Machine) settle() {
	m.ensureGuest()
	m.ensureConnection()
	m.pump()
	m.flushReads()
	m.flushRevokes()
	m.notifyTotals()
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) log(message string, args ...any) { m.emit(Log{Message: message, Args: args}) }

func (m *Machine) notify(n Notification) { m.emit(Notify{Notification: n}) }

func (m *Machine) persist(key, value string) { m.emit(Persist{Key: key, Value: value}) }

func (m *Machine) unpersist(key string) { m.emit(Persist{Key: key, Remove: true}) }

// unpersistOf removes the session of a credential; another tab's, which may be
// there by now, stays.
func (m *Machine) unpersistOf(key, credential string) {
	m.emit(Persist{Key: key, Value: credential, Remove: true})
}

// nextID gives an id that no other tab gives.
func (m *Machine) nextID() string {
	m.serial++
	return m.tab + "-" + strconv.FormatInt(m.serial, 36)
}

// messageID gives a client message id. It begins with the time: that is how a
// server finds those of about one time in few places, and so writes few.
func (m *Machine) messageID() chat.ClientID {
	return chat.ClientID(strconv.FormatInt(m.now, 36) + "-" + m.nextID())
}

// jitter gives a number in [0, n): the tab's own, so that clients that lost
// the server together do not come back together.
func (m *Machine) jitter(n int64) int64 {
	if n <= 0 {
		return 0
	}
	m.random += 0x9e3779b97f4a7c15
	z := m.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return int64(z % uint64(n))
}

// backoff gives full jitter below a ceiling that doubles from 1 s to 30 s.
func (m *Machine) backoff(attempt int) int64 {
	ceiling := int64(backoffMax)
	if attempt < 5 {
		ceiling = min(ceiling, backoffMin<<attempt)
	}
	return 1 + m.jitter(ceiling)
}

func (m *Machine) intend(in Intent) {
	switch in.(type) {
	case InitializeChat:
		m.initialize()
		return
	case ClearChatState:
		m.clearIntent()
		return
	}
	if !m.started && m.restored {
		// After a clear the next wish starts the chat again.
		switch in.(type) {
		case FetchRooms, JoinRoom, StartChat, SendMessage, OpenWidget, LogIn:
			m.started = true
		}
	}
	switch in := in.(type) {
	case FetchRooms:
		m.fetchRooms(in)
	case FetchVendors:
		m.vendorsWant = true
		m.fetchVendors()
	case JoinRoom:
		m.joinRoom(in.Room)
	case StartChat:
		m.startChat(in.Vendor)
	case LeaveRoom:
		m.leaveRoom()
	case LoadHistory:
		m.loadHistory(in.Room)
	case SendMessage:
		m.sendMessage(in)
	case Retry:
		m.retry(in.ClientID)
	case Discard:
		m.discard(in.ClientID)
	case SetDraft:
		m.setDraft(in.Place, in.Text)
	case SetTyping:
		m.setTyping(in.Room, in.Active)
	case MarkRead:
		m.markRead(in.Room, in.Seq)
	case OpenWidget:
		m.setShown(true)
	case CloseWidget:
		m.setShown(false)
	case LogIn:
		m.logIn(in)
	case RefreshLogin:
		m.refreshLogin(in.Token)
	case LogOut:
		m.markDue = true
		m.logOut(in.Everywhere)
	case EndChat:
		m.endChat()
	case ChangePassword:
		m.changePassword(in)
	case FetchSessions:
		m.fetchSessions()
	case EndSession:
		m.endOther(in.Session)
	case FetchAudit:
		m.fetchAudit(in)
	case CloseRoom:
		m.act(protocol.ClientFrame{Close: &protocol.RoomRef{Room: in.Room}}, in.Room)
	case BlockGuest:
		m.act(protocol.ClientFrame{Block: &protocol.RoomRef{Room: in.Room}}, in.Room)
	case DismissNotice:
		if m.notice != nil || m.logError != nil {
			m.notice, m.logError = nil, nil
			m.touch(dirtyTop)
		}
	}
}

func (m *Machine) learn(f Fact) {
	switch f := f.(type) {
	case Restored:
		m.restore(f)
	case Connected:
		m.connected(f.Conn)
	case Disconnected:
		if f.Conn == m.conn.number && m.conn.phase != down {
			m.lost(f.Error)
		}
	case Received:
		if f.Conn == m.conn.number && m.conn.phase != down {
			m.received(f.Frame)
		}
	case Woken:
		m.wakeAt = 0
	case NetworkChanged:
		m.networkChanged(f.Online)
	case VisibilityChanged:
		m.visibilityChanged(f.Visible)
	case Slept:
		m.visibilityChanged(false)
		m.asleep = true
		m.hangUp()
	case Persisted:
		if f.Error != "" && !m.quotaSaid {
			m.quotaSaid = true
			m.log("storage refused a value, going on in memory", "key", f.Key, "error", f.Error)
		}
		if f.Error != "" && f.Key == KeyGuestSession {
			m.memory = true // the visitor should know: without its guest session the chat ends with the tab
			m.touch(dirtyTop)
		}
	case Called:
		m.called(f)
	case StorageChanged:
		if m.restored {
			m.storageChanged(f)
		}
	case AuthChanged:
		if m.restored {
			m.authChanged(f.Auth)
		}
	}
}

// initialize starts clean: nothing of a former use stays in memory, and what
// storage holds is worked with.
func (m *Machine) initialize() {
	if m.started {
		m.clearMemory()
	}
	m.started = true
	m.touch(dirtyAll)
}

// clearIntent is ClearChatState as a wish: the chat is empty and idle until
// the next wish; who the visitor is stays.
func (m *Machine) clearIntent() {
	owner := m.owner()
	for _, it := range append([]*item(nil), m.items...) {
		if it.Owner == owner {
			m.removeItem(it)
		}
	}
	for _, k := range m.draftKeys() {
		if k.owner == owner {
			m.removeDraft(k)
		}
	}
	m.clearMemory()
	m.setShown(false)
	m.started = false
}

// clearMemory empties what is shown and raises the generation: whatever was
// asked for before is dropped when it arrives. The outbox and the drafts are
// kept by owner, so they stay invisible to anybody else.
func (m *Machine) clearMemory() {
	m.generation++
	m.log("chat state cleared", "generation", m.generation)
	m.hangUp()
	m.conn.was, m.conn.attempt, m.conn.retryAt, m.conn.stopped = false, 0, 0, false
	clear(m.open)
	clear(m.read)
	clear(m.creates)
	m.rooms, m.roomsLoaded, m.roomsNext = nil, false, ""
	m.filter, m.search = chat.FilterAll, ""
	m.current, m.vendor, m.wanted = "", "", ""
	m.notice, m.logError, m.pwSaved = nil, nil, false
	m.forgetSessions()
	m.touch(dirtyAll)
}

func (m *Machine) setShown(shown bool) {
	if m.shown == shown {
		return
	}
	m.shown = shown
	kind := NotifyClose
	if shown {
		kind = NotifyOpen
	}
	m.notify(Notification{Kind: kind})
	m.touch(dirtyTop)
}
