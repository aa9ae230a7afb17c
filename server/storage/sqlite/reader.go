//go:build !js

package sqlite

import (
	"cmp"
	"encoding/json"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// reader reads through a connection that is inside a transaction.
type reader struct{ c *conn }

// idNumber is what other tables call a user, guest session or vendor; 0 if none of them does.
func (r reader) idNumber(id string) (int64, error) {
	if n, ok := r.c.ids[id]; ok {
		return n, nil
	}
	n, err := one(r.c, scanInt, "SELECT n FROM ids WHERE id = ?", id)
	if notFound(err) {
		return 0, nil
	}
	if err == nil {
		keep(r.c.ids, id, n)
	}
	return n, err
}

func (r reader) Epoch() (string, error) {
	if r.c.epoch != "" {
		return r.c.epoch, nil
	}
	epoch, err := one(r.c, scanText[string], "SELECT epoch FROM meta")
	r.c.epoch = epoch
	return epoch, err
}

const selectUser = "SELECT u.id, u.username, u.name, u.role, u.active, u.password_hash, u.issuer, u.subject, u.created_at FROM users u "

func scanUser(s *stmt) (storage.User, error) {
	return storage.User{
		ID: chat.UserID(s.text()), Username: s.text(), Name: s.text(), Role: chat.Role(s.text()), Active: s.bool(),
		PasswordHash: s.text(), Issuer: s.text(), Subject: s.text(), CreatedAt: s.int(),
	}, nil
}

func (r reader) User(id chat.UserID) (storage.User, error) {
	return one(r.c, scanUser, selectUser+"WHERE u.id = ?", string(id))
}

func (r reader) UserByName(username string) (storage.User, error) {
	return one(r.c, scanUser, selectUser+"WHERE username_key = ? AND username_key <> ''", strings.ToLower(username))
}

func (r reader) UserBySubject(issuer, subject string) (storage.User, error) {
	return one(r.c, scanUser, selectUser+"WHERE issuer = ? AND subject = ? AND (issuer <> '' OR subject <> '')", issuer, subject)
}

func (r reader) Users() ([]storage.User, error) {
	return all(r.c, scanUser, selectUser+"ORDER BY username_key, id")
}

const selectVendor = "SELECT v.id, v.slug, v.name, v.avatar FROM vendors v "

func scanVendor(s *stmt) (chat.Vendor, error) {
	return chat.Vendor{ID: chat.VendorID(s.text()), Slug: s.text(), Name: s.text(), Avatar: s.text()}, nil
}

func (r reader) Vendor(id chat.VendorID) (chat.Vendor, error) {
	return one(r.c, scanVendor, selectVendor+"WHERE v.id = ?", string(id))
}

func (r reader) VendorBySlug(slug string) (chat.Vendor, error) {
	return one(r.c, scanVendor, selectVendor+"WHERE v.slug = ? AND v.slug <> ''", slug)
}

func (r reader) Vendors() ([]chat.Vendor, error) {
	return all(r.c, scanVendor, selectVendor+"ORDER BY v.name, v.id")
}

func (r reader) VendorMembers(id chat.VendorID) ([]chat.UserID, error) {
	return all(r.c, scanText[chat.UserID], "SELECT user FROM vendor_members WHERE vendor = ? ORDER BY user", string(id))
}

func (r reader) VendorsOf(id chat.UserID) ([]chat.Vendor, error) {
	return all(r.c, scanVendor, selectVendor+"JOIN vendor_members m ON m.vendor = v.id WHERE m.user = ? ORDER BY v.name, v.id", string(id))
}

const selectSession = `SELECT id, user, token, revoke, surface, created_at, last_seen_at, expires_at, idle_ms, revoked_at,
	host_tokens, client FROM account_sessions `

func scanSession(s *stmt) (a storage.AccountSession, err error) {
	a.ID, a.User = chat.AccountSessionID(s.text()), chat.UserID(s.text())
	var err1, err2, err3 error
	a.Token, err1 = s.hash()
	a.Revoke, err2 = s.hash()
	a.Surface, a.CreatedAt, a.LastSeenAt = chat.Surface(s.text()), s.int(), s.int()
	a.ExpiresAt, a.IdleMS, a.RevokedAt = s.int(), s.int(), s.int()
	if tokens := s.text(); tokens != "" {
		a.HostTokens, err3 = burnable(tokens)
	}
	a.Client = s.text()
	return a, cmp.Or(err1, err2, err3)
}

func burnable(tokens string) (out []storage.BurnableToken, err error) {
	err = json.Unmarshal([]byte(tokens), &out)
	return out, err
}

func (r reader) AccountSession(id chat.AccountSessionID) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE id = ?", string(id))
}

func (r reader) AccountSessionByToken(h storage.Hash) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE token = ?", h)
}

func (r reader) AccountSessionByRevoke(h storage.Hash) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE revoke = ?", h)
}

func (r reader) AccountSessions(id chat.UserID) ([]storage.AccountSession, error) {
	return all(r.c, scanSession, selectSession+"WHERE user = ? AND revoked_at = 0 ORDER BY created_at DESC, id", string(id))
}

func (r reader) TokenBurned(h storage.Hash) (bool, error) {
	return one(r.c, scanBool, "SELECT EXISTS (SELECT 1 FROM burned_tokens WHERE hash = ?)", h[:])
}

const selectGuest = `SELECT id, secret, revoke, pre_link, created_at, last_seen_at, expires_at, idle_ms, revoked_at,
	linked_user, linked_by, linked_at FROM guest_sessions `

func scanGuest(s *stmt) (g storage.GuestSession, err error) {
	g.ID = chat.GuestSessionID(s.text())
	var err1, err2, err3 error
	g.Secret, err1 = s.hash()
	g.Revoke, err2 = s.hash()
	g.PreLink, err3 = s.hash()
	g.CreatedAt, g.LastSeenAt, g.ExpiresAt, g.IdleMS, g.RevokedAt = s.int(), s.int(), s.int(), s.int(), s.int()
	g.LinkedUser, g.LinkedBy, g.LinkedAt = chat.UserID(s.text()), chat.AccountSessionID(s.text()), s.int()
	return g, cmp.Or(err1, err2, err3)
}

func (r reader) GuestSession(id chat.GuestSessionID) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE id = ?", string(id))
}

func (r reader) GuestSessionBySecret(h storage.Hash) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE secret = ?", h)
}

func (r reader) GuestSessionByRevoke(h storage.Hash) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE revoke = ?", h)
}

func (r reader) GuestSessionsByLogin(id chat.AccountSessionID) ([]storage.GuestSession, error) {
	return all(r.c, scanGuest, selectGuest+"WHERE linked_by = ? AND linked_by <> '' ORDER BY id", string(id))
}

func (r reader) Sent(sender chat.Identity, id chat.ClientID) (storage.Sent, error) {
	return one(r.c, func(s *stmt) (storage.Sent, error) {
		return storage.Sent{Room: chat.RoomID(s.text()), Seq: s.int()}, nil
	}, `SELECT r.id, e.seq FROM ids i JOIN events e ON e.owner = i.n JOIN rooms r ON r.n = e.room
		WHERE i.id = ? AND e.client_id = ?`, string(sender), string(id))
}

func scanMark(s *stmt) (storage.Mark, error) {
	return storage.Mark{Seq: s.int(), Messages: s.int()}, nil
}

func (r reader) Read(room chat.RoomID, reader chat.Identity) (storage.Mark, error) {
	m, err := one(r.c, scanMark, "SELECT m.seq, m.messages FROM rooms r JOIN ids i JOIN marks m ON m.room = r.n AND m.reader = i.n WHERE r.id = ? AND i.id = ?", string(room), string(reader))
	if notFound(err) {
		err = nil
	}
	return m, err
}

func (r reader) Receipts(room chat.RoomID) ([]chat.Receipt, error) {
	return all(r.c, func(s *stmt) (chat.Receipt, error) {
		return chat.Receipt{Reader: chat.Identity(s.text()), Seq: s.int()}, nil
	}, "SELECT i.id, m.seq FROM rooms r JOIN marks m ON m.room = r.n JOIN ids i ON i.n = m.reader WHERE r.id = ? ORDER BY i.id", string(room))
}

func (r reader) Blocked(vendor chat.VendorID, guest chat.GuestSessionID) (bool, error) {
	return one(r.c, scanBool, "SELECT EXISTS (SELECT 1 FROM blocked WHERE vendor = ? AND guest = ?)", string(vendor), string(guest))
}

func (r reader) Notices(room chat.RoomID) ([]chat.Notice, error) {
	return all(r.c, func(s *stmt) (chat.Notice, error) {
		return chat.Notice{Name: s.text(), At: s.int()}, nil
	}, "SELECT n.name, n.at FROM rooms r JOIN notices n ON n.room = r.n WHERE r.id = ? ORDER BY n.id", string(room))
}

func (r reader) Audit(before int64, limit int) ([]storage.AuditEntry, error) {
	if before <= 0 {
		before = 1 << 62
	}
	return all(r.c, func(s *stmt) (storage.AuditEntry, error) {
		return storage.AuditEntry{
			ID: s.int(), At: s.int(), Action: s.text(), Actor: chat.Identity(s.text()), Subject: s.text(),
			Room: chat.RoomID(s.text()), Detail: s.text(),
		}, nil
	}, "SELECT id, at, action, actor, subject, room, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?", before, max(limit, 0))
}
