package protocol

import "anteroom/store/chat"

// Version is the protocol this code speaks; MinVersion the oldest it still serves.
const (
	Version    = 1
	MinVersion = 1
)

// Limits of the wire.
const (
	MaxClientMessage = 64 << 10 // bytes of one WebSocket message from a client
	MaxClientFrame   = 32 << 10 // bytes of one frame from a client
	MaxServerMessage = 4 << 20  // bytes of one WebSocket message from a server
	MaxDepth         = 16       // nesting of JSON
	HistoryLimit     = 50       // events of a history page unless asked
	MaxHistoryLimit  = 100
	RoomsLimit       = 50 // rooms of a list page unless asked
	MaxRoomsLimit    = 100
)

// ClientFrame is a frame from client to server. Exactly one payload is set.
// ID is chosen by the client and repeated in the answer's Re; 0 asks for no answer
// (then only errors come back, with Re 0).
type ClientFrame struct {
	ID      int64       `json:"id,omitempty"`
	Hello   *Hello      `json:"hello,omitempty"`
	Rooms   *RoomsQuery `json:"rooms,omitempty"`
	Vendors *Empty      `json:"vendors,omitempty"`
	Create  *Create     `json:"create,omitempty"`
	Join    *Join       `json:"join,omitempty"`
	Leave   *RoomRef    `json:"leave,omitempty"`
	Send    *Send       `json:"send,omitempty"`
	Typing  *Typing     `json:"typing,omitempty"`
	Read    *Read       `json:"read,omitempty"`
	History *History    `json:"history,omitempty"`
	Close   *RoomRef    `json:"close,omitempty"`
	Block   *RoomRef    `json:"block,omitempty"`
	Ping    *Empty      `json:"ping,omitempty"`
}

// Empty is a payload without fields.
type Empty struct{}

// Hello must be the first frame of a connection, within 5 s.
type Hello struct {
	Version    int          `json:"version"`
	Credential string       `json:"credential"` // an account session's or a guest session's secret; never in a URL
	Surface    chat.Surface `json:"surface"`
	// GuestSession repeats the public id of a guest credential; it must agree
	// with the credential and with the URL's guest_session, or the answer is invalid.
	GuestSession chat.GuestSessionID `json:"guest_session,omitempty"`
}

// RoomsQuery asks for a page of the rooms the caller may reach, most recently active first.
type RoomsQuery struct {
	Filter chat.RoomFilter `json:"filter,omitempty"`
	Search string          `json:"search,omitempty"` // part of a room's title
	After  string          `json:"after,omitempty"`  // Next of the page before
	Limit  int             `json:"limit,omitempty"`
}

// Create starts a room with a vendor. Repeating a ClientID gives the same room;
// if the caller has an open room with the vendor, that one is given.
type Create struct {
	ClientID chat.ClientID `json:"client_id"`
	Vendor   string        `json:"vendor"`         // slug
	Page     string        `json:"page,omitempty"` // path of the page where the chat began
}

// Join subscribes to a room's events, typing and receipts. With a cursor of the
// room's epoch that is near enough, only the missed events come back. In place of
// Room, Vendor (a slug) means the caller's own open room with that vendor, which
// Create would give; there is no cursor then, and not_found where there is none.
type Join struct {
	Room   chat.RoomID  `json:"room,omitempty"`
	Vendor string       `json:"vendor,omitempty"`
	Cursor *chat.Cursor `json:"cursor,omitempty"`
}

// RoomRef names a room.
type RoomRef struct {
	Room chat.RoomID `json:"room"`
}

// Send posts a message. A repeat of the client message id with the same room
// and text is acknowledged with the first one's seq; with another it is a conflict.
type Send struct {
	Room     chat.RoomID   `json:"room"`
	ClientID chat.ClientID `json:"cmid"`
	Text     string        `json:"text"`
}

// Typing tells the others in a room that the caller types (or stopped). It
// lapses after TypingTTL unless repeated.
type Typing struct {
	Room   chat.RoomID `json:"room"`
	Active bool        `json:"active"`
}

// Read moves the caller's read mark forward; it never moves back.
type Read struct {
	Room chat.RoomID `json:"room"`
	Seq  int64       `json:"seq"`
}

// History asks for a page of events before or after a seq (exclusive). With
// neither it gives the newest page.
type History struct {
	Room   chat.RoomID `json:"room"`
	Before int64       `json:"before,omitempty"`
	After  int64       `json:"after,omitempty"`
	Limit  int         `json:"limit,omitempty"`
}

// ServerFrame is a frame from server to client. Exactly one payload is set.
// Re answers the client frame with that id; it is 0 for what nobody asked for.
type ServerFrame struct {
	Re      int64         `json:"re,omitempty"`
	Error   *Error        `json:"error,omitempty"`
	Welcome *Welcome      `json:"welcome,omitempty"`
	Rooms   *RoomsPage    `json:"rooms,omitempty"`
	Vendors *VendorsPage  `json:"vendors,omitempty"`
	Created *RoomFrame    `json:"created,omitempty"`
	Joined  *Joined       `json:"joined,omitempty"`
	Ack     *Ack          `json:"ack,omitempty"`
	History *HistoryPage  `json:"history,omitempty"`
	OK      *Empty        `json:"ok,omitempty"`
	Pong    *Beat         `json:"pong,omitempty"`
	Event   *EventFrame   `json:"event,omitempty"`
	Room    *RoomFrame    `json:"room,omitempty"` // a room that is new or changed in the caller's list
	Gone    *Gone         `json:"gone,omitempty"`
	Typing  *TypingFrame  `json:"typing,omitempty"`
	Receipt *ReceiptFrame `json:"receipt,omitempty"`
	Notice  *NoticeFrame  `json:"notice,omitempty"`
	Beat    *Beat         `json:"beat,omitempty"`
	Bye     *Error        `json:"bye,omitempty"` // the socket closes next; the close code says whether to come back
}

// Error is an error on the wire; HTTP bodies carry the same shape under "error".
type Error struct {
	Code         chat.Code   `json:"code"`
	Message      string      `json:"message"`
	RetryAfterMS int64       `json:"retry_after_ms,omitempty"`
	RequestID    string      `json:"request_id,omitempty"`
	Room         chat.RoomID `json:"room,omitempty"` // the room that was asked for, if any
}

// Welcome answers Hello.
type Welcome struct {
	Version   int            `json:"version"`
	Principal chat.Principal `json:"principal"`
	// BeatMS is how often a beat comes at the least, in milliseconds. A client
	// that hears nothing for 1.5 beats should treat the socket as dead.
	BeatMS int64 `json:"beat_ms"`
	// Expires is when the credential's session ends, Unix milliseconds; 0 if far off.
	Expires int64 `json:"expires,omitempty"`
}

// RoomsPage is a page of rooms; Next is "" on the last one.
type RoomsPage struct {
	Rooms []chat.Summary `json:"rooms"`
	Next  string         `json:"next,omitempty"`
}

// VendorsPage lists the vendors one can write to, by name.
type VendorsPage struct {
	Vendors []chat.Vendor `json:"vendors"`
}

// RoomFrame carries a room as the caller's list shows it.
type RoomFrame struct {
	Room chat.Summary `json:"room"`
}

// Joined answers Join. Reset tells that the cursor could not be used (or none
// was given): Snapshot is then set and replaces all that was held. Otherwise
// Events follow the cursor without a gap.
type Joined struct {
	Room     chat.RoomID    `json:"room"`
	Epoch    string         `json:"epoch"`
	Head     int64          `json:"head"`
	Reset    bool           `json:"reset,omitempty"`
	Snapshot *chat.Snapshot `json:"snapshot,omitempty"`
	Events   []chat.Event   `json:"events,omitempty"`
	Receipts []chat.Receipt `json:"receipts,omitempty"`
	Notices  []chat.Notice  `json:"notices,omitempty"`
}

// Ack answers Send: the message is durable under this seq.
type Ack struct {
	Room     chat.RoomID   `json:"room"`
	ClientID chat.ClientID `json:"cmid"`
	Seq      int64         `json:"seq"`
	At       int64         `json:"at"` // Unix milliseconds
}

// HistoryPage is a dense, ascending run of events. More tells whether there is
// more in the direction that was asked for.
type HistoryPage struct {
	Room   chat.RoomID  `json:"room"`
	Epoch  string       `json:"epoch"`
	Events []chat.Event `json:"events"`
	More   bool         `json:"more,omitempty"`
}

// EventFrame delivers the next event of a joined room.
type EventFrame struct {
	Room  chat.RoomID `json:"room"`
	Epoch string      `json:"epoch"`
	Event chat.Event  `json:"event"`
}

// Gone tells that a room is no longer in the caller's reach. It is the same for
// every cause.
type Gone struct {
	Room chat.RoomID `json:"room"`
}

// TypingFrame is a signal: somebody in a joined room types or stopped.
type TypingFrame struct {
	Room   chat.RoomID   `json:"room"`
	Who    chat.Identity `json:"who"`
	Name   string        `json:"name"`
	Active bool          `json:"active"`
}

// ReceiptFrame tells how far somebody has read a joined room.
type ReceiptFrame struct {
	Room    chat.RoomID  `json:"room"`
	Receipt chat.Receipt `json:"receipt"`
}

// NoticeFrame tells that an admin who is no participant opened a joined room.
type NoticeFrame struct {
	Room   chat.RoomID `json:"room"`
	Notice chat.Notice `json:"notice"`
}

// Beat is the heartbeat: the heads of the joined rooms, so that a lost hint
// heals within one beat.
type Beat struct {
	Heads []Head `json:"heads,omitempty"`
}

// Head is a room's newest seq.
type Head struct {
	Room  chat.RoomID `json:"room"`
	Epoch string      `json:"epoch"`
	Seq   int64       `json:"seq"`
}
