package store

import "anteroom/store/chat"

// Connection is the state of the connection as people see it.
type Connection string

// The states of a connection.
const (
	Idle         Connection = "idle"         // nothing to connect for yet: a visitor who has not written
	Connecting   Connection = "connecting"   // the first time
	Online       Connection = "online"       // welcomed
	Reconnecting Connection = "reconnecting" // was online, trying again
	Offline      Connection = "offline"      // the browser says there is no network, or trying for long
	Outdated     Connection = "outdated"     // this page is too old for the server; it reloads itself
)

// Auth says who the visitor is.
type Auth string

// The states of identity.
const (
	AuthNone      Auth = "none"       // no guest session yet
	AuthGuest     Auth = "guest"      // has a guest session
	AuthLoggingIn Auth = "logging_in" // a log-in or link is under way
	AuthUser      Auth = "user"
	AuthExpired   Auth = "expired" // the session ended by itself: state is hidden until the same user is back
)

// View is what the machine shows. It is immutable: neither the machine nor a
// reader changes it, and parts that did not change keep their identity.
type View struct {
	Generation    int64
	Surface       chat.Surface
	Connection    Connection
	Auth          Auth
	Principal     chat.Principal // the zero value while AuthNone
	GuestSession  chat.GuestSessionID
	LogInError    *chat.Error // why the last log-in, link or change of password failed
	PasswordSaved bool        // the last ChangePassword went well

	Sessions       []Session // the user's own, newest first; empty until FetchSessions
	SessionsLoaded bool
	SessionsError  *chat.Error // why they could not be loaded, or one not be ended

	Audit *AuditTable // what was loaded of the audit table; nil until FetchAudit

	Rooms         []chat.Summary // most recently active first
	RoomsLoaded   bool           // the list for this filter has arrived
	RoomsMore     bool           // FetchRooms{More} would bring more
	Filter        chat.RoomFilter
	Search        string
	Vendors       []chat.Vendor
	VendorsLoaded bool
	Unread        int // unread messages of all rooms held

	CurrentRoom   chat.RoomID // "" on the list, or in a chat that has no room yet
	CurrentVendor string      // slug of the chat that has no room yet
	Room          *RoomView   // of CurrentRoom or CurrentVendor; nil on the list
	WidgetOpen    bool

	// Messages and Typing hold all rooms that were opened, for useChatStore().
	Messages map[chat.RoomID]chat.Timeline
	Typing   map[chat.RoomID][]Typist

	Notice *chat.Error // a calm sentence for the whole panel, e.g. after a room was lost
	Memory bool        // nothing can be stored in this browser: the chat lives in this tab only
}

// Session is one of the user's log-ins, on whatever device.
type Session struct {
	ID         chat.AccountSessionID `json:"id"`
	Surface    chat.Surface          `json:"surface"`
	Client     string                `json:"client"`       // as the server describes it: "Firefox on Linux"
	LastSeenAt int64                 `json:"last_seen_at"` // Unix milliseconds
	Current    bool                  `json:"current"`      // the one this view belongs to
}

// AuditTable is what was loaded of the audit table.
type AuditTable struct {
	Rows    []AuditRow        // newest first
	Names   map[string]string // by id, of the users, vendors, rooms and log-ins in the rows
	More    bool              // FetchAudit{More} would bring older rows
	Loading bool
	Error   *chat.Error // why the last page could not be loaded
}

// AuditRow is one row of the audit table.
type AuditRow struct {
	ID      int64         `json:"id"`
	At      int64         `json:"at"` // Unix milliseconds
	Action  string        `json:"action"`
	Actor   chat.Identity `json:"actor"`   // "" for the operator
	Subject string        `json:"subject"` // an id: what it was done to
	Room    chat.RoomID   `json:"room"`
	Detail  string        `json:"detail"` // a reason word or the like
}

// RoomView is the room on screen.
type RoomView struct {
	Summary  chat.Summary
	Timeline chat.Timeline // Events may begin anywhere; see HistoryMore
	Loaded   bool          // the snapshot has arrived
	Pending  []Pending     // written here and not yet stored, oldest first
	Typing   []Typist
	Receipts []chat.Receipt // of others and oneself
	Notices  []chat.Notice
	Draft    string
	// HistoryMore tells that there are older events; LoadingHistory that they were asked for.
	HistoryMore    bool
	LoadingHistory bool
	Error          *chat.Error // why the room could not be opened
}

// Typist is somebody who types.
type Typist struct {
	Who   chat.Identity
	Name  string
	Until int64 // Unix milliseconds: lapses then
}

// PendingState says where a message in the outbox stands.
type PendingState string

// The states of a message that is not yet stored.
const (
	Waiting PendingState = "waiting" // will be sent on return of the connection
	Sending PendingState = "sending" // sent, not yet acknowledged
	Limited PendingState = "limited" // the server asked to wait; sent at RetryAt
	Failed  PendingState = "failed"  // refused: Retry or Discard
)

// Pending is a message in the outbox.
type Pending struct {
	ClientID chat.ClientID
	Text     string
	At       int64 // Unix milliseconds when it was written
	State    PendingState
	Error    *chat.Error // for Failed and Limited
	RetryAt  int64       // for Limited
}

// Mine tells whether an event was sent by the principal of the view, also as
// the guest they were before the link.
func (v *View) Mine(room chat.Room, e chat.Event) bool {
	return e.Sender != "" && room.Canonical(e.Sender) == v.Principal.Identity()
}
