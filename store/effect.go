package store

import (
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Effect is an order to the driver. Effects run in the order given.
type Effect interface{ effect() }

// The effects.
type (
	// Connect opens socket number Conn, after closing any other. The first frame
	// (hello) follows as a Send once Connected arrived.
	Connect struct {
		Conn         int64
		GuestSession chat.GuestSessionID // for the URL; public
	}
	// Disconnect closes the socket; nothing of it may be reported afterwards.
	Disconnect struct{}
	// Send writes a frame to the open socket; without one it is dropped.
	Send struct{ Frame protocol.ClientFrame }
	// Persist stores Value under Key, or removes the key; with a Value only while
	// what it holds contains that: another tab may have stored the next session
	// there. Keys belong to the surface (see Key…). It is done before later effects run.
	Persist struct {
		Key    string
		Value  string
		Remove bool
	}
	// Recall asks what is stored under Key now; StorageChanged answers, also for
	// a key that holds nothing. Other tabs write there too.
	Recall struct{ Key string }
	// Forget removes every key of the surface in storage, session storage, the
	// caches and the channels, but those named in Keep (a name that ends in a
	// dot keeps all that begin with it).
	Forget struct{ Keep []string }
	// Wake asks for Woken at that time (Unix milliseconds); a later Wake replaces it, 0 cancels.
	Wake struct{ At int64 }
	// Call makes an API request and reports Called with the same number.
	// Keepalive asks that it survives the page (log-out in a dying tab).
	Call struct {
		Call       int64
		Method     string
		Path       string // below the public URL, e.g. "/api/guest-sessions"
		Credential string // goes into Authorization: Bearer; "" for none
		Body       any    // encoded as JSON; nil for none
		Keepalive  bool
	}
	// Broadcast tells the surface's other tabs, by both roads.
	Broadcast struct{ Auth AuthSignal }
	// Notify tells the surroundings: the host page's events, or a desktop
	// notification in the inbox. No message text leaves by it.
	Notify struct{ Notification Notification }
	// Log writes one debug line.
	Log struct {
		Message string
		Args    []any // alternating keys and values, as in slog
	}
)

// NotificationKind says what happened that the surroundings may want to know.
type NotificationKind string

// The kinds of notification.
const (
	NotifyUnread  NotificationKind = "unread"  // Unread: total of unread messages
	NotifyMessage NotificationKind = "message" // Room, Name of the sender: a message of somebody else arrived
	NotifyAuth    NotificationKind = "auth"    // Kind is "guest" or "user"
	NotifyError   NotificationKind = "error"   // Code
	NotifyOpen    NotificationKind = "open"
	NotifyClose   NotificationKind = "close"
	NotifyChatted NotificationKind = "chatted" // the visitor has (Active) or no longer has a chat worth an unread badge
	NotifyToken   NotificationKind = "token"   // a fresh token is wanted from the host's tokenProvider
	NotifyReload  NotificationKind = "reload"  // the page is outdated; drafts are kept
)

// Notification is what Notify carries.
type Notification struct {
	Kind   NotificationKind
	Unread int
	Room   chat.RoomID
	Name   string
	Code   chat.Code
	User   chat.UserID
	As     chat.PrincipalKind
	Active bool
}

func (Connect) effect()    {}
func (Disconnect) effect() {}
func (Send) effect()       {}
func (Persist) effect()    {}
func (Recall) effect()     {}
func (Forget) effect()     {}
func (Wake) effect()       {}
func (Call) effect()       {}
func (Broadcast) effect()  {}
func (Notify) effect()     {}
func (Log) effect()        {}
