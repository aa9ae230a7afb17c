package rooms_test

import (
	"sync/atomic"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// counted counts the reads that package rooms makes on behalf of callers.
type counted struct {
	storage.Reader
	n *atomic.Int64
}

func (c counted) Epoch() (string, error) { c.n.Add(1); return c.Reader.Epoch() }

func (c counted) User(id chat.UserID) (storage.User, error) { c.n.Add(1); return c.Reader.User(id) }

func (c counted) Vendor(id chat.VendorID) (chat.Vendor, error) {
	c.n.Add(1)
	return c.Reader.Vendor(id)
}

func (c counted) VendorMembers(id chat.VendorID) ([]chat.UserID, error) {
	c.n.Add(1)
	return c.Reader.VendorMembers(id)
}

func (c counted) AccountSession(id chat.AccountSessionID) (storage.AccountSession, error) {
	c.n.Add(1)
	return c.Reader.AccountSession(id)
}

func (c counted) GuestSession(id chat.GuestSessionID) (storage.GuestSession, error) {
	c.n.Add(1)
	return c.Reader.GuestSession(id)
}

func (c counted) Room(id chat.RoomID) (storage.Room, error) { c.n.Add(1); return c.Reader.Room(id) }

func (c counted) Participant(room chat.RoomID, user chat.UserID) (bool, error) {
	c.n.Add(1)
	return c.Reader.Participant(room, user)
}

func (c counted) Participants(room chat.RoomID) ([]chat.UserID, error) {
	c.n.Add(1)
	return c.Reader.Participants(room)
}

func (c counted) Events(q storage.EventQuery) ([]chat.Event, error) {
	c.n.Add(1)
	return c.Reader.Events(q)
}

func (c counted) LastMessage(room chat.RoomID) (chat.Event, error) {
	c.n.Add(1)
	return c.Reader.LastMessage(room)
}

func (c counted) Sent(sender chat.Identity, id chat.ClientID) (storage.Sent, error) {
	c.n.Add(1)
	return c.Reader.Sent(sender, id)
}

func (c counted) Read(room chat.RoomID, reader chat.Identity) (storage.Mark, error) {
	c.n.Add(1)
	return c.Reader.Read(room, reader)
}

func (c counted) Receipts(room chat.RoomID) ([]chat.Receipt, error) {
	c.n.Add(1)
	return c.Reader.Receipts(room)
}

func (c counted) Notices(room chat.RoomID) ([]chat.Notice, error) {
	c.n.Add(1)
	return c.Reader.Notices(room)
}

// countedWriter writes through one and reads through the other.
type countedWriter struct {
	storage.Writer
	reads counted
}

func (c countedWriter) Epoch() (string, error) { return c.reads.Epoch() }

func (c countedWriter) User(id chat.UserID) (storage.User, error) { return c.reads.User(id) }

func (c countedWriter) AccountSession(id chat.AccountSessionID) (storage.AccountSession, error) {
	return c.reads.AccountSession(id)
}

func (c countedWriter) GuestSession(id chat.GuestSessionID) (storage.GuestSession, error) {
	return c.reads.GuestSession(id)
}

func (c countedWriter) Room(id chat.RoomID) (storage.Room, error) { return c.reads.Room(id) }

func (c countedWriter) Participant(room chat.RoomID, user chat.UserID) (bool, error) {
	return c.reads.Participant(room, user)
}

func (c countedWriter) Participants(room chat.RoomID) ([]chat.UserID, error) {
	return c.reads.Participants(room)
}
