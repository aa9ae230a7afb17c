package store

import (
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Input is one thing that happened: somebody's intent or a fact from outside.
// Exactly one of Intent and Fact is set.
type Input struct {
	At     int64 // Unix milliseconds when it happened; never decreases by much and may jump ahead
	Intent Intent
	Fact   Fact
}

// Intent is a wish of the visitor, the page around the widget, or the operator of the inbox.
type Intent interface{ intent() }

// Fact is what the world reports back.
type Fact interface{ fact() }

// The intents.
type (
	// InitializeChat starts clean for a surface: it drops what a former use of
	// the machine left in memory and works with what Restored brought.
	InitializeChat struct{}
	// FetchRooms loads the first page of rooms under a filter, or with More the next one.
	FetchRooms struct {
		Filter chat.RoomFilter
		Search string
		More   bool
	}
	// FetchVendors loads the vendors one can write to.
	FetchVendors struct{}
	// JoinRoom opens a room of the rooms list. A room that is not in the list
	// makes the list refresh once, then gives access_denied; never a loop.
	JoinRoom struct{ Room chat.RoomID }
	// StartChat opens the visitor's open room with a vendor or, where there is
	// none, an empty one that the first message will create.
	StartChat struct{ Vendor string }
	// LeaveRoom goes back to the rooms list.
	LeaveRoom struct{}
	// LoadHistory loads the page before the oldest event held of the current room.
	LoadHistory struct{ Room chat.RoomID }
	// SendMessage writes to a room, or with Room "" to Vendor (slug), whose room
	// is then created. The text is kept in the outbox until it is stored. ClientID
	// is set for what the shell queued before the machine ran, so that it has
	// effect once however often it is handed over; otherwise the machine makes one.
	SendMessage struct {
		Room     chat.RoomID
		Vendor   string
		Text     string
		ClientID chat.ClientID
	}
	// Retry sends a failed message again; Discard forgets it.
	Retry   struct{ ClientID chat.ClientID }
	Discard struct{ ClientID chat.ClientID }
	// SetDraft keeps what stands in the composer. Place is a room id or, for a
	// chat that has no room yet, "vendor:" and the slug.
	SetDraft struct{ Place, Text string }
	// SetTyping tells others that one types; it is sent at most every TypingRepeat.
	SetTyping struct {
		Room   chat.RoomID
		Active bool
	}
	// MarkRead says that everything up to Seq has been on screen.
	MarkRead struct {
		Room chat.RoomID
		Seq  int64
	}
	// OpenWidget and CloseWidget show and hide the panel.
	OpenWidget  struct{}
	CloseWidget struct{}
	// LogIn logs in with a built-in account (Username, Password) or a token
	// signed by the host page. Provided tells that the host can give a fresh
	// token (tokenProvider) when the session is about to end.
	LogIn struct {
		Username, Password string
		Token              string
		Provided           bool
	}
	// RefreshLogin carries the fresh token the host gave; it never switches user.
	RefreshLogin struct{ Token string }
	// LogOut clears everything at once, revokes the session, and starts as a
	// fresh guest. Everywhere ends all of the user's sessions.
	LogOut struct{ Everywhere bool }
	// EndChat is a guest's "End chat and forget me": it revokes the guest session.
	EndChat struct{}
	// ChangePassword changes the built-in account's password (inbox).
	ChangePassword struct{ Old, New string }
	// FetchSessions loads the user's own sessions; EndSession ends one of them.
	FetchSessions struct{}
	EndSession    struct{ Session chat.AccountSessionID }
	// FetchAudit loads the newest page of the audit table (admins, inbox), or
	// with More the next older one.
	FetchAudit struct{ More bool }
	// CloseRoom and BlockGuest end a room (inbox).
	CloseRoom  struct{ Room chat.RoomID }
	BlockGuest struct{ Room chat.RoomID }
	// DismissNotice takes the calm sentence off the screen.
	DismissNotice struct{}
	// ClearChatState empties rooms, messages, typing statuses, current room,
	// widget-open, outbox and journal, and raises the generation.
	ClearChatState struct{}
)

// The facts.
type (
	// Restored is the first fact: what storage held under this surface's keys,
	// read as opaque bytes. Tab is random per page load and makes client ids unique.
	Restored struct {
		Surface chat.Surface
		Tab     string
		Page    string // path of the page where a new chat begins
		Stored  map[string]string
		Memory  bool // there is no storage: the chat lives in memory only
		Online  bool
	}
	// Connected, Disconnected and Received are about socket number Conn; those
	// of another number than the machine's newest Connect are dropped.
	Connected    struct{ Conn int64 }
	Disconnected struct {
		Conn  int64
		Error *chat.Error // from the close code or bye; nil for a lost network
	}
	Received struct {
		Conn  int64
		Frame protocol.ServerFrame
	}
	// Woken is the timer that the last Wake asked for.
	Woken struct{}
	// NetworkChanged and VisibilityChanged come from the browser.
	NetworkChanged    struct{ Online bool }
	VisibilityChanged struct{ Visible bool }
	// Slept says that the page goes away, perhaps into the browser's
	// back-forward cache; VisibilityChanged{Visible: true} wakes it. A socket
	// that is open then is cut by the browser with an error in the console.
	Slept struct{}
	// Persisted reports that a Persist failed (quota, blocked): the machine goes
	// on in memory and says so in one debug line.
	Persisted struct {
		Key   string
		Error string
	}
	// Called answers the Call with that number. Body is the JSON answer; Error
	// is set for a failed one (unavailable if the network failed before an answer came).
	Called struct {
		Call  int64
		Body  []byte
		Error *chat.Error
	}
	// StorageChanged says what is stored under one of the surface's keys now:
	// after another tab wrote there (storage event), when the page was returned
	// to, or to answer Recall. Value "" and Removed where there is nothing.
	StorageChanged struct {
		Key     string
		Value   string
		Removed bool
	}
	// AuthChanged is another tab's log-in or log-out, by whichever road it came first.
	AuthChanged struct{ Auth AuthSignal }
)

// AuthSignal tells the other tabs of a surface who is logged in now. It
// travels by BroadcastChannel and by storage event; Nonce makes the second
// arrival harmless. Later Stamp wins.
type AuthSignal struct {
	Nonce      string              `json:"nonce"`
	Stamp      int64               `json:"stamp"` // Unix milliseconds of the explicit log-in or log-out
	Out        bool                `json:"out,omitempty"`
	User       chat.UserID         `json:"user,omitempty"`
	Name       string              `json:"name,omitempty"`
	Credential string              `json:"credential,omitempty"` // of the new session; never persisted by this road
	Revoke     string              `json:"revoke,omitempty"`
	Expires    int64               `json:"expires,omitempty"`
	Host       bool                `json:"host,omitempty"`  // signed by the host: not persisted
	Guest      chat.GuestSessionID `json:"guest,omitempty"` // the guest session that was linked or forgotten
	Ended      bool                `json:"ended,omitempty"` // Out of a guest: the chat was ended
}

func (InitializeChat) intent() {}
func (FetchRooms) intent()     {}
func (FetchVendors) intent()   {}
func (JoinRoom) intent()       {}
func (StartChat) intent()      {}
func (LeaveRoom) intent()      {}
func (LoadHistory) intent()    {}
func (SendMessage) intent()    {}
func (Retry) intent()          {}
func (Discard) intent()        {}
func (SetDraft) intent()       {}
func (SetTyping) intent()      {}
func (MarkRead) intent()       {}
func (OpenWidget) intent()     {}
func (CloseWidget) intent()    {}
func (LogIn) intent()          {}
func (RefreshLogin) intent()   {}
func (LogOut) intent()         {}
func (EndChat) intent()        {}
func (ChangePassword) intent() {}
func (FetchSessions) intent()  {}
func (EndSession) intent()     {}
func (FetchAudit) intent()     {}
func (CloseRoom) intent()      {}
func (BlockGuest) intent()     {}
func (DismissNotice) intent()  {}
func (ClearChatState) intent() {}

func (Restored) fact()          {}
func (Connected) fact()         {}
func (Disconnected) fact()      {}
func (Received) fact()          {}
func (Woken) fact()             {}
func (NetworkChanged) fact()    {}
func (VisibilityChanged) fact() {}
func (Slept) fact()             {}
func (Persisted) fact()         {}
func (Called) fact()            {}
func (StorageChanged) fact()    {}
func (AuthChanged) fact()       {}
