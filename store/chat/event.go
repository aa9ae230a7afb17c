package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// EventKind says what happened. Unknown kinds must be kept and skipped, so
// that an older page survives a newer server.
type EventKind string

// The kinds of event.
const (
	RoomCreated        EventKind = "room_created"        // always seq 1
	MessagePosted      EventKind = "message"             // Text and ClientID are set
	ParticipantAdded   EventKind = "participant_added"   // Member is set
	ParticipantRemoved EventKind = "participant_removed" // Member is set
	GuestLinked        EventKind = "guest_linked"        // Member is the user; the room's guest session is now theirs
	RoomClosed         EventKind = "room_closed"
	GuestBlocked       EventKind = "guest_blocked" // closes the room
)

// Event is one durable entry of a room's log. Events are values: nobody
// changes one after it was stored.
type Event struct {
	Seq        int64     `json:"seq"` // 1, 2, 3, … per room, without holes
	At         int64     `json:"at"`  // Unix milliseconds, the server's clock
	Kind       EventKind `json:"kind"`
	Sender     Identity  `json:"sender,omitempty"`      // "" for what the system or an operator did
	SenderName string    `json:"sender_name,omitempty"` // the name when it was sent
	ClientID   ClientID  `json:"cmid,omitempty"`
	Text       string    `json:"text,omitempty"`
	Member     *Member   `json:"member,omitempty"`
}

// Cursor is the last event somebody holds of a room.
type Cursor struct {
	Epoch string `json:"epoch"`
	Seq   int64  `json:"seq"`
}

// Receipt tells how far somebody has read a room.
type Receipt struct {
	Reader Identity `json:"reader"`
	Seq    int64    `json:"seq"`
}

// Notice tells participants that an admin who is none of them opened the
// room: once per admin, room and day. It is no event and never unread.
type Notice struct {
	Name string `json:"name"` // the admin's name
	At   int64  `json:"at"`   // Unix milliseconds
}

// ParseText checks a message's text and returns it without surrounding white
// space. It refuses empty text, text over MaxText code points or MaxTextBytes
// bytes (too_large), invalid UTF-8 and NUL. Line breaks become "\n".
func ParseText(s string) (string, error) {
	if len(s) > MaxTextBytes {
		return "", Errorf(CodeTooLarge, "a message may have at most %d characters", MaxText)
	}
	if !utf8.ValidString(s) {
		return "", Errorf(CodeInvalid, "text is not valid UTF-8")
	}
	if strings.ContainsRune(s, 0) {
		return "", Errorf(CodeInvalid, "text holds a NUL character")
	}
	s = strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
	if s == "" {
		return "", Errorf(CodeInvalid, "text is empty")
	}
	if utf8.RuneCountInString(s) > MaxText {
		return "", Errorf(CodeTooLarge, "a message may have at most %d characters", MaxText)
	}
	return s, nil
}

// ParseName checks a name people see (user, vendor, room): 1 to MaxName code
// points, no control characters, white space folded.
func ParseName(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", Errorf(CodeInvalid, "name is not valid UTF-8")
	}
	s = strings.Join(strings.Fields(s), " ")
	if s == "" || utf8.RuneCountInString(s) > MaxName {
		return "", Errorf(CodeInvalid, "name must have 1 to %d characters", MaxName)
	}
	for _, r := range s {
		// Control and bidirectional override characters would let a name draw over its neighbours.
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return "", Errorf(CodeInvalid, "name holds a control character")
		}
	}
	return s, nil
}
