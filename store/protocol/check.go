package protocol

import (
	"unicode/utf8"

	"anteroom/store/chat"
)

// Sizes of fields, in bytes unless said otherwise.
const (
	maxCredential = 256
	maxSearch     = chat.MaxName // code points
	maxAfter      = 256
	maxEpoch      = 64
)

// RoomID is the room a frame names, "" where it names none.
func (f ClientFrame) RoomID() chat.RoomID {
	switch {
	case f.Join != nil:
		return f.Join.Room
	case f.Leave != nil:
		return f.Leave.Room
	case f.Send != nil:
		return f.Send.Room
	case f.Typing != nil:
		return f.Typing.Room
	case f.Read != nil:
		return f.Read.Room
	case f.History != nil:
		return f.History.Room
	case f.Close != nil:
		return f.Close.Room
	case f.Block != nil:
		return f.Block.Room
	}
	return ""
}

func (f ClientFrame) payloads() int {
	return count(f.Hello != nil, f.Rooms != nil, f.Vendors != nil, f.Create != nil, f.Join != nil,
		f.Leave != nil, f.Send != nil, f.Typing != nil, f.Read != nil, f.History != nil,
		f.Close != nil, f.Block != nil, f.Ping != nil)
}

func (f ServerFrame) payloads() int {
	return count(f.Error != nil, f.Welcome != nil, f.Rooms != nil, f.Vendors != nil, f.Created != nil,
		f.Joined != nil, f.Ack != nil, f.History != nil, f.OK != nil, f.Pong != nil, f.Event != nil,
		f.Room != nil, f.Gone != nil, f.Typing != nil, f.Receipt != nil, f.Notice != nil, f.Beat != nil, f.Bye != nil)
}

func count(set ...bool) (n int) {
	for _, b := range set {
		if b {
			n++
		}
	}
	return n
}

// check checks a frame's one payload.
func (f *ClientFrame) check() error {
	if f.payloads() != 1 {
		return chat.Errorf(chat.CodeInvalid, "a frame must have exactly one payload")
	}
	switch {
	case f.Hello != nil:
		return f.Hello.Check()
	case f.Rooms != nil:
		return f.Rooms.Check()
	case f.Create != nil:
		return f.Create.Check()
	case f.Send != nil:
		return f.Send.Check()
	case f.History != nil:
		return f.History.Check()
	case f.Join != nil:
		return f.Join.Check()
	case f.Vendors != nil || f.Ping != nil:
		return nil
	}
	if _, err := chat.ParseRoomID(string(f.RoomID())); err != nil {
		return err
	}
	if f.Read != nil && f.Read.Seq < 0 {
		return chat.Errorf(chat.CodeInvalid, "seq must not be negative")
	}
	return nil
}

// Check checks a join.
func (j *Join) Check() error {
	if j.Room == "" && j.Vendor != "" {
		if j.Cursor != nil {
			return chat.Errorf(chat.CodeInvalid, "a cursor belongs to a room that is named")
		}
		_, err := chat.ParseSlug(j.Vendor)
		return err
	}
	if j.Vendor != "" {
		return chat.Errorf(chat.CodeInvalid, "name the room or the vendor")
	}
	if _, err := chat.ParseRoomID(string(j.Room)); err != nil {
		return err
	}
	if c := j.Cursor; c != nil && (len(c.Epoch) == 0 || len(c.Epoch) > maxEpoch || c.Seq < 0) {
		return chat.Errorf(chat.CodeInvalid, "malformed cursor")
	}
	return nil
}

// Check checks the shape of a hello; whether its version is served and its
// credential good are other questions.
func (h *Hello) Check() error {
	if h.Version < 1 {
		return chat.Errorf(chat.CodeInvalid, "version must be 1 or more")
	}
	if len(h.Credential) > maxCredential {
		return chat.Errorf(chat.CodeInvalid, "malformed credential")
	}
	if _, err := chat.ParseSurface(string(h.Surface)); err != nil {
		return err
	}
	if h.GuestSession != "" {
		if _, err := chat.ParseGuestSessionID(string(h.GuestSession)); err != nil {
			return err
		}
	}
	return nil
}

// Check checks a query of rooms. The HTTP API uses it too.
func (q *RoomsQuery) Check() error {
	if _, err := chat.ParseRoomFilter(string(q.Filter)); err != nil {
		return err
	}
	if utf8.RuneCountInString(q.Search) > maxSearch {
		return chat.Errorf(chat.CodeInvalid, "search may have at most %d characters", maxSearch)
	}
	if len(q.After) > maxAfter {
		return chat.Errorf(chat.CodeInvalid, "malformed page mark")
	}
	return checkLimit(q.Limit, MaxRoomsLimit)
}

// Check checks the creation of a room with a vendor.
func (c *Create) Check() error {
	if _, err := chat.ParseClientID(string(c.ClientID)); err != nil {
		return err
	}
	if _, err := chat.ParseSlug(c.Vendor); err != nil {
		return err
	}
	if len(c.Page) > chat.MaxPage {
		return chat.Errorf(chat.CodeInvalid, "page may have at most %d bytes", chat.MaxPage)
	}
	for _, r := range c.Page {
		if r < ' ' || r == 0x7f {
			return chat.Errorf(chat.CodeInvalid, "page holds a control character")
		}
	}
	return nil
}

// Check checks a message and puts its text into the form that is stored.
func (s *Send) Check() error {
	if _, err := chat.ParseRoomID(string(s.Room)); err != nil {
		return err
	}
	if _, err := chat.ParseClientID(string(s.ClientID)); err != nil {
		return err
	}
	text, err := chat.ParseText(s.Text)
	if err != nil {
		return err
	}
	s.Text = text
	return nil
}

// Check checks a query of history.
func (h *History) Check() error {
	if _, err := chat.ParseRoomID(string(h.Room)); err != nil {
		return err
	}
	if h.Before < 0 || h.After < 0 || h.Before > 0 && h.After > 0 {
		return chat.Errorf(chat.CodeInvalid, "give before or after, as a positive seq")
	}
	return checkLimit(h.Limit, MaxHistoryLimit)
}

func checkLimit(limit, most int) error {
	if limit < 0 || limit > most {
		return chat.Errorf(chat.CodeInvalid, "limit must be between 1 and %d", most)
	}
	return nil
}
