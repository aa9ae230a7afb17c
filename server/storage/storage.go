package storage

import (
	"context"
	"errors"
	"io"

	"anteroom/store/chat"
)

// Errors every driver returns, wrapped or plain.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")        // a unique name or id is taken, or a repeat differs
	ErrFull     = errors.New("storage is full") // the disk (or quota) is full; reads go on
	ErrBusy     = errors.New("storage is busy") // locked by another process, or the queue is full; try again
	ErrClosed   = errors.New("storage is closed")
	ErrReadOnly = errors.New("storage is read-only")
	ErrFailed   = errors.New("storage failed") // the disk refuses to write or sync; nothing of the transaction stays
	// ErrNewer means the database was written by a newer version of the program.
	ErrNewer = errors.New("database is of a newer version")
)

// Storage is a database. All methods are safe for concurrent use.
type Storage interface {
	// View runs f on one consistent state. f must not keep the Reader.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f alone: no other Update runs at the same time, and f sees the
	// effects of all before it. It returns nil once f's effects are durable. If f
	// returns an error, nothing of it stays and Update returns that error. f may
	// be run on another goroutine and must not block on anything but the Writer;
	// a driver may run f again if the first attempt did not last, so f must
	// have no effect of its own but through the Writer and values it overwrites.
	// If ctx ends before f starts, Update returns its error; afterwards the outcome is awaited.
	Update(ctx context.Context, f func(Writer) error) error
	// Backup writes a consistent copy that Open accepts, with an epoch of its
	// own, to w while the storage is in use. In the copy every account session is
	// over, as of when it was last seen: of those who log out after the copy was
	// made it can't know.
	Backup(ctx context.Context, w io.Writer) error
	// Close waits for Updates under way; later calls return ErrClosed.
	Close() error
}

// Reader reads inside a transaction. Absent rows are ErrNotFound. Returned
// values are the caller's own.
type Reader interface {
	// Epoch names this life of the logs; a restored backup has another.
	Epoch() (string, error)

	User(id chat.UserID) (User, error)
	// UserByName finds a built-in account; names compare without case.
	UserByName(username string) (User, error)
	// UserBySubject finds a host-signed account by (issuer, subject).
	UserBySubject(issuer, subject string) (User, error)
	// Users lists all users ordered by username, then id.
	Users() ([]User, error)

	Vendor(id chat.VendorID) (chat.Vendor, error)
	VendorBySlug(slug string) (chat.Vendor, error)
	// Vendors lists all vendors ordered by name, then id.
	Vendors() ([]chat.Vendor, error)
	// VendorMembers lists the ids of a vendor's staff in order.
	VendorMembers(id chat.VendorID) ([]chat.UserID, error)
	// VendorsOf lists the vendors a user is staff of, ordered by name.
	VendorsOf(id chat.UserID) ([]chat.Vendor, error)

	AccountSession(id chat.AccountSessionID) (AccountSession, error)
	AccountSessionByToken(hash Hash) (AccountSession, error)
	AccountSessionByRevoke(hash Hash) (AccountSession, error)
	// AccountSessions lists a user's sessions that are not revoked, newest first.
	AccountSessions(id chat.UserID) ([]AccountSession, error)
	// TokenBurned tells whether a host's identity token was burned by a log-out.
	TokenBurned(hash Hash) (bool, error)

	GuestSession(id chat.GuestSessionID) (GuestSession, error)
	// GuestSessionBySecret finds a session by its current secret only.
	GuestSessionBySecret(hash Hash) (GuestSession, error)
	GuestSessionByRevoke(hash Hash) (GuestSession, error)
	// GuestSessionsByLogin lists the sessions that were linked by a log-in.
	GuestSessionsByLogin(id chat.AccountSessionID) ([]GuestSession, error)

	Room(id chat.RoomID) (Room, error)
	// RoomByClientID finds the room a creator made under its client id.
	RoomByClientID(creator chat.Identity, id chat.ClientID) (chat.RoomID, error)
	// OpenRoomWith finds the caller's open room with a vendor, most recently
	// active first. A user's are those they made or were linked in and still
	// participate in: a vendor's staff participate in many that are not theirs.
	OpenRoomWith(caller chat.Identity, vendor chat.VendorID) (chat.RoomID, error)
	// RoomsOfGuest lists the rooms a guest session made, in order of id.
	RoomsOfGuest(id chat.GuestSessionID) ([]chat.RoomID, error)
	// RoomsOfUser lists the rooms a user participates in, in order of id.
	RoomsOfUser(id chat.UserID) ([]chat.RoomID, error)
	// RoomsOfVendor lists a vendor's rooms, in order of id.
	RoomsOfVendor(id chat.VendorID) ([]chat.RoomID, error)
	Participant(room chat.RoomID, user chat.UserID) (bool, error)
	// Facts reads what a decision about p and a room is made on, in one go, as
	// every command of a socket needs it. What does not exist is zero, not an error.
	Facts(p chat.Principal, room chat.RoomID) (Facts, error)
	// Participants lists a room's participants in order of id.
	Participants(room chat.RoomID) ([]chat.UserID, error)
	// Members lists a room's participants in order of id as the room shows them:
	// with their names, and whether they are staff of its vendor.
	Members(room chat.RoomID) ([]chat.Member, error)
	// List pages through a principal's rooms without scanning them all.
	List(q ListQuery) ([]ListRow, error)

	// Events returns a dense, ascending run. With After > 0 or neither set it
	// starts at After+1; with Before > 0 it ends at Before-1. At most Limit events.
	Events(q EventQuery) ([]chat.Event, error)
	// LastMessage returns a room's newest message event, ErrNotFound where there is none.
	LastMessage(room chat.RoomID) (chat.Event, error)
	// Sent finds what a sender already posted under a client message id.
	Sent(sender chat.Identity, id chat.ClientID) (Sent, error)
	// Read returns how far a reader has read a room; the zero Mark if never.
	Read(room chat.RoomID, reader chat.Identity) (Mark, error)
	// Receipts lists a room's receipts ordered by reader.
	Receipts(room chat.RoomID) ([]chat.Receipt, error)

	Blocked(vendor chat.VendorID, guest chat.GuestSessionID) (bool, error)
	// Notices lists a room's notices, oldest first.
	Notices(room chat.RoomID) ([]chat.Notice, error)
	// Audit pages through the audit table, newest first: rows with ID < before (0: from the newest).
	Audit(before int64, limit int) ([]AuditEntry, error)
}

// Writer reads and writes inside a transaction.
type Writer interface {
	Reader

	// PutUser inserts or replaces a user; ErrConflict if the username (without
	// case) or (issuer, subject) belongs to another.
	PutUser(User) error
	// PutVendor inserts or replaces; ErrConflict if the slug belongs to another.
	PutVendor(chat.Vendor) error
	SetVendorMember(vendor chat.VendorID, user chat.UserID, member bool) error

	PutAccountSession(AccountSession) error
	BurnToken(hash Hash, expires int64) error
	PutGuestSession(GuestSession) error

	// CreateRoom stores a room with no event; ErrConflict if the id or the
	// creator's client id is taken. Head, Messages and LastActive are ignored.
	CreateRoom(Room) error
	// PutRoom replaces what can change of a room: Name, Closed, LinkedUser, LinkedAt.
	PutRoom(Room) error
	SetParticipant(room chat.RoomID, user chat.UserID, participant bool) error
	// Append stores e as the room's next event, with Seq set, and moves the
	// room's head, message count and activity. It is idempotent on (e.Sender,
	// e.ClientID) if ClientID is set: a repeat with the same room and text
	// returns the stored event and created == false; with another it is
	// ErrConflict. ErrNotFound if the room does not exist.
	Append(room chat.RoomID, e chat.Event) (stored chat.Event, created bool, err error)
	// SetRead moves a reader's mark forward (never back, never beyond the
	// head) and returns it; moved tells whether it changed.
	SetRead(room chat.RoomID, reader chat.Identity, seq int64) (mark Mark, moved bool, err error)
	// MoveIdentity makes one sender, reader and creator of two at a link: client
	// message ids, read marks and rooms made by from become to's. Marks keep the
	// greater seq; where both used the same client id, to's use of it stays.
	MoveIdentity(from, to chat.Identity) error

	Block(vendor chat.VendorID, guest chat.GuestSessionID) error
	// AddNotice records that an admin opened a room; once per (room, user, day).
	AddNotice(room chat.RoomID, admin chat.UserID, day string, n chat.Notice) (added bool, err error)
	AddAudit(AuditEntry) error

	// Sweep deletes what has no further use at now (Unix milliseconds): burned
	// tokens that expired and sessions that ended more than 30 days before.
	Sweep(now int64) error
}

// Hash is SHA-256 of a secret with 256 random bits (no salt needed).
type Hash [32]byte

// User is an account: built-in (Username and PasswordHash) or host-signed (Issuer and Subject).
type User struct {
	ID           chat.UserID
	Username     string // "" for host-signed accounts
	Name         string
	Role         chat.Role
	Active       bool
	PasswordHash string // argon2id in PHC form; "" for host-signed accounts
	Issuer       string
	Subject      string
	CreatedAt    int64 // Unix milliseconds, here and below
}

// AccountSession is one log-in of a user on one surface.
type AccountSession struct {
	ID         chat.AccountSessionID
	User       chat.UserID
	Token      Hash // of the bearer
	Revoke     Hash // of the revoke-only handle
	Surface    chat.Surface
	CreatedAt  int64
	LastSeenAt int64
	ExpiresAt  int64 // absolute end; for a host-signed log-in the token's exp
	IdleMS     int64 // ends this long after LastSeenAt; 0: no idle limit
	RevokedAt  int64 // 0 while it lives
	HostTokens []BurnableToken
	Client     string // what the session list shows, e.g. "Firefox on Linux"
}

// BurnableToken is an identity token a session was opened or refreshed with.
type BurnableToken struct {
	Hash    Hash
	Expires int64
}

// Life tells how long the session lives.
func (s AccountSession) Life() Life {
	return life(s.LastSeenAt, s.IdleMS, s.ExpiresAt, s.RevokedAt)
}

// Alive tells whether the session is good at now.
func (s AccountSession) Alive(now int64) bool { return s.Life().Alive(now) }

// Ends is when the session expires if nobody uses it any more.
func (s AccountSession) Ends() int64 { return s.Life().Ends }

// GuestSession is an anonymous visitor.
type GuestSession struct {
	ID         chat.GuestSessionID
	Secret     Hash // the current one
	Revoke     Hash
	PreLink    Hash // the secret before the link; only to answer "already linked"
	CreatedAt  int64
	LastSeenAt int64
	ExpiresAt  int64
	IdleMS     int64
	RevokedAt  int64
	LinkedUser chat.UserID           // "" while not linked
	LinkedBy   chat.AccountSessionID // the log-in that made the link
	LinkedAt   int64
}

// Life tells how long the session lives (whether its link's log-in lives is another question).
func (g GuestSession) Life() Life {
	return life(g.LastSeenAt, g.IdleMS, g.ExpiresAt, g.RevokedAt)
}

// Alive tells whether the session is good at now.
func (g GuestSession) Alive(now int64) bool { return g.Life().Alive(now) }

// Ends is when the session expires if nobody uses it any more.
func (g GuestSession) Ends() int64 { return g.Life().Ends }

// Life is how long a session lives; the zero Life has never begun.
type Life struct {
	Ends      int64 // when it expires if nobody uses it any more
	RevokedAt int64 // 0 while it was not revoked
}

// Alive tells whether the session is good at now.
func (l Life) Alive(now int64) bool { return l.RevokedAt == 0 && now < l.Ends }

func life(seen, idle, expires, revoked int64) Life {
	if idle > 0 {
		expires = min(expires, seen+idle)
	}
	return Life{Ends: expires, RevokedAt: revoked}
}

// Facts is what a decision about a principal and a room is made on. "The
// session" is the principal's account session, or the one that linked their
// guest session; "the user" is the principal's, or whom their guest session is
// linked to.
type Facts struct {
	Session     Life
	SessionUser chat.UserID // whose the session is
	Guest       Life        // of the guest session
	LinkedUser  chat.UserID // of the guest session; "" while it is not linked
	User        chat.UserID // "" if there is no such user
	Name        string
	Role        chat.Role
	Active      bool
	Room        Room
	Participant bool // of the user in the room
}

// Room is a room's row.
type Room struct {
	ID           chat.RoomID
	Name         string
	Vendor       chat.VendorID       // "" for a room between users
	GuestSession chat.GuestSessionID // "" where no guest made it
	LinkedUser   chat.UserID
	LinkedAt     int64
	Creator      chat.Identity // with ClientID: makes creation repeatable
	ClientID     chat.ClientID
	Page         string
	Closed       bool
	CreatedAt    int64
	Head         int64 // kept by Append, as are the two below
	Messages     int64 // how many of the events are messages
	LastActive   int64 // At of the newest message, or CreatedAt
}

// ListQuery asks for a page of rooms, most recently active first, then by id.
type ListQuery struct {
	// Reader's own rooms: those of a guest session, or those a user participates in.
	Reader chat.Identity
	// All lists every room there is (admins); Reader then only counts unread messages.
	All    bool
	Filter chat.RoomFilter
	Search string // part of a member's, guest's, vendor's or the room's name; no case
	// The page begins after the room with this activity and id; a zero AfterID is the first page.
	AfterActive int64
	AfterID     chat.RoomID
	Limit       int
}

// ListRow is one room of a list.
type ListRow struct {
	Room   Room
	Read   Mark
	Unread int // messages after the mark; one's own posts move the mark
}

// EventQuery selects a run of a room's events.
type EventQuery struct {
	Room   chat.RoomID
	Before int64
	After  int64
	Limit  int
}

// Sent is what a client message id was used for.
type Sent struct {
	Room chat.RoomID
	Seq  int64
}

// Mark is how far somebody has read.
type Mark struct {
	Seq      int64
	Messages int64 // how many messages the room had up to Seq
}

// AuditEntry is one row of the audit table.
type AuditEntry struct {
	ID      int64 // set by AddAudit, ascending
	At      int64
	Action  string // login, logout, link, link_refused, refused, oversight, role, disable, vendor_added, vendor_member, participant_added, …
	Actor   chat.Identity
	Subject string // what it was done to: a user, guest session or vendor id
	Room    chat.RoomID
	Detail  string // a reason word or the like; never a secret or a message's text
}
