package conformance

import (
	"sync/atomic"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// CountReads is r with every call counted in n. It embeds no Reader, so that a
// new method of the contract can't go uncounted.
func CountReads(r storage.Reader, n *atomic.Int64) storage.Reader { return countedReader{r, n} }

// CountReadsOfWriter is w with every reading call counted in n.
func CountReadsOfWriter(w storage.Writer, n *atomic.Int64) storage.Writer {
	return countedWriter{countedReader{w, n}, w}
}

type countedReader struct {
	r storage.Reader
	n *atomic.Int64
}

type countedWriter struct {
	countedReader
	w storage.Writer
}

func (c countedReader) reader() storage.Reader { c.n.Add(1); return c.r }

func (c countedReader) Epoch() (string, error) { return c.reader().Epoch() }

func (c countedReader) User(id chat.UserID) (storage.User, error) { return c.reader().User(id) }

func (c countedReader) UserByName(username string) (storage.User, error) {
	return c.reader().UserByName(username)
}

func (c countedReader) UserBySubject(issuer, subject string) (storage.User, error) {
	return c.reader().UserBySubject(issuer, subject)
}

func (c countedReader) Users() ([]storage.User, error) { return c.reader().Users() }

func (c countedReader) Vendor(id chat.VendorID) (chat.Vendor, error) { return c.reader().Vendor(id) }

func (c countedReader) VendorBySlug(slug string) (chat.Vendor, error) {
	return c.reader().VendorBySlug(slug)
}

func (c countedReader) Vendors() ([]chat.Vendor, error) { return c.reader().Vendors() }

func (c countedReader) VendorMembers(id chat.VendorID) ([]chat.UserID, error) {
	return c.reader().VendorMembers(id)
}

func (c countedReader) VendorsOf(id chat.UserID) ([]chat.Vendor, error) {
	return c.reader().VendorsOf(id)
}

func (c countedReader) AccountSession(id chat.AccountSessionID) (storage.AccountSession, error) {
	return c.reader().AccountSession(id)
}

func (c countedReader) AccountSessionByToken(hash storage.Hash) (storage.AccountSession, error) {
	return c.reader().AccountSessionByToken(hash)
}

func (c countedReader) AccountSessionByRevoke(hash storage.Hash) (storage.AccountSession, error) {
	return c.reader().AccountSessionByRevoke(hash)
}

func (c countedReader) AccountSessions(id chat.UserID) ([]storage.AccountSession, error) {
	return c.reader().AccountSessions(id)
}

func (c countedReader) TokenBurned(hash storage.Hash) (bool, error) {
	return c.reader().TokenBurned(hash)
}

func (c countedReader) GuestSession(id chat.GuestSessionID) (storage.GuestSession, error) {
	return c.reader().GuestSession(id)
}

func (c countedReader) GuestSessionBySecret(hash storage.Hash) (storage.GuestSession, error) {
	return c.reader().GuestSessionBySecret(hash)
}

func (c countedReader) GuestSessionByRevoke(hash storage.Hash) (storage.GuestSession, error) {
	return c.reader().GuestSessionByRevoke(hash)
}

func (c countedReader) GuestSessionsByLogin(id chat.AccountSessionID) ([]storage.GuestSession, error) {
	return c.reader().GuestSessionsByLogin(id)
}

func (c countedReader) Room(id chat.RoomID) (storage.Room, error) { return c.reader().Room(id) }

func (c countedReader) RoomByClientID(creator chat.Identity, id chat.ClientID) (chat.RoomID, error) {
	return c.reader().RoomByClientID(creator, id)
}

func (c countedReader) OpenRoomWith(caller chat.Identity, vendor chat.VendorID) (chat.RoomID, error) {
	return c.reader().OpenRoomWith(caller, vendor)
}

func (c countedReader) RoomsOfGuest(id chat.GuestSessionID) ([]chat.RoomID, error) {
	return c.reader().RoomsOfGuest(id)
}

func (c countedReader) RoomsOfUser(id chat.UserID) ([]chat.RoomID, error) {
	return c.reader().RoomsOfUser(id)
}

func (c countedReader) RoomsOfVendor(id chat.VendorID) ([]chat.RoomID, error) {
	return c.reader().RoomsOfVendor(id)
}

func (c countedReader) Facts(p chat.Principal, room chat.RoomID) (storage.Facts, error) {
	return c.reader().Facts(p, room)
}

func (c countedReader) Participant(room chat.RoomID, user chat.UserID) (bool, error) {
	return c.reader().Participant(room, user)
}

func (c countedReader) Participants(room chat.RoomID) ([]chat.UserID, error) {
	return c.reader().Participants(room)
}

func (c countedReader) Members(room chat.RoomID) ([]chat.Member, error) {
	return c.reader().Members(room)
}

func (c countedReader) List(q storage.ListQuery) ([]storage.ListRow, error) {
	return c.reader().List(q)
}

func (c countedReader) Events(q storage.EventQuery) ([]chat.Event, error) {
	return c.reader().Events(q)
}

func (c countedReader) LastMessage(room chat.RoomID) (chat.Event, error) {
	return c.reader().LastMessage(room)
}

func (c countedReader) Sent(sender chat.Identity, id chat.ClientID) (storage.Sent, error) {
	return c.reader().Sent(sender, id)
}

func (c countedReader) Read(room chat.RoomID, reader chat.Identity) (storage.Mark, error) {
	return c.reader().Read(room, reader)
}

func (c countedReader) Receipts(room chat.RoomID) ([]chat.Receipt, error) {
	return c.reader().Receipts(room)
}

func (c countedReader) Blocked(vendor chat.VendorID, guest chat.GuestSessionID) (bool, error) {
	return c.reader().Blocked(vendor, guest)
}

func (c countedReader) Notices(room chat.RoomID) ([]chat.Notice, error) {
	return c.reader().Notices(room)
}

func (c countedReader) Audit(before int64, limit int) ([]storage.AuditEntry, error) {
	return c.reader().Audit(before, limit)
}

func (c countedWriter) PutUser(v storage.User) error { return c.w.PutUser(v) }

func (c countedWriter) PutVendor(v chat.Vendor) error { return c.w.PutVendor(v) }

func (c countedWriter) SetVendorMember(vendor chat.VendorID, user chat.UserID, member bool) error {
	return c.w.SetVendorMember(vendor, user, member)
}

func (c countedWriter) PutAccountSession(v storage.AccountSession) error {
	return c.w.PutAccountSession(v)
}

func (c countedWriter) BurnToken(hash storage.Hash, expires int64) error {
	return c.w.BurnToken(hash, expires)
}

func (c countedWriter) PutGuestSession(v storage.GuestSession) error { return c.w.PutGuestSession(v) }

func (c countedWriter) CreateRoom(v storage.Room) error { return c.w.CreateRoom(v) }

func (c countedWriter) PutRoom(v storage.Room) error { return c.w.PutRoom(v) }

func (c countedWriter) SetParticipant(room chat.RoomID, user chat.UserID, participant bool) error {
	return c.w.SetParticipant(room, user, participant)
}

func (c countedWriter) Append(room chat.RoomID, e chat.Event) (stored chat.Event, created bool, err error) {
	return c.w.Append(room, e)
}

func (c countedWriter) SetRead(room chat.RoomID, reader chat.Identity, seq int64) (mark storage.Mark, moved bool, err error) {
	return c.w.SetRead(room, reader, seq)
}

func (c countedWriter) MoveIdentity(from, to chat.Identity) error { return c.w.MoveIdentity(from, to) }

func (c countedWriter) Block(vendor chat.VendorID, guest chat.GuestSessionID) error {
	return c.w.Block(vendor, guest)
}

func (c countedWriter) AddNotice(room chat.RoomID, admin chat.UserID, day string, n chat.Notice) (added bool, err error) {
	return c.w.AddNotice(room, admin, day, n)
}

func (c countedWriter) AddAudit(v storage.AuditEntry) error { return c.w.AddAudit(v) }

func (c countedWriter) Sweep(now int64) error { return c.w.Sweep(now) }
