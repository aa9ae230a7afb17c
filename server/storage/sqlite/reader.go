//go:build !js

package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// reader reads through a connection that is inside a transaction.
type reader struct{ c *conn }

// hash scans a hash column: NULL is the zero hash, which finds nothing.
type hash storage.Hash

func (h *hash) Scan(v any) error {
	b, _ := v.([]byte)
	if v != nil && len(b) != len(h) {
		return fmt.Errorf("a hash has %d bytes", len(b))
	}
	clear(h[:])
	copy(h[:], b)
	return nil
}

func hashArg(h storage.Hash) any {
	if h == (storage.Hash{}) {
		return nil
	}
	return h[:]
}

func (r reader) Epoch() (string, error) {
	return one(r.c, column[string], "SELECT epoch FROM meta")
}

const selectUser = "SELECT id, username, name, role, active, password_hash, issuer, subject, created_at FROM users "

func scanUser(s scanner) (u storage.User, err error) {
	err = s.Scan(&u.ID, &u.Username, &u.Name, &u.Role, &u.Active, &u.PasswordHash, &u.Issuer, &u.Subject, &u.CreatedAt)
	return u, err
}

func (r reader) User(id chat.UserID) (storage.User, error) {
	return one(r.c, scanUser, selectUser+"WHERE id = ?", string(id))
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

func scanVendor(s scanner) (v chat.Vendor, err error) {
	err = s.Scan(&v.ID, &v.Slug, &v.Name, &v.Avatar)
	return v, err
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
	return all(r.c, column[chat.UserID], "SELECT user FROM vendor_members WHERE vendor = ? ORDER BY user", string(id))
}

func (r reader) VendorsOf(id chat.UserID) ([]chat.Vendor, error) {
	return all(r.c, scanVendor, selectVendor+"JOIN vendor_members m ON m.vendor = v.id WHERE m.user = ? ORDER BY v.name, v.id", string(id))
}

const selectSession = `SELECT id, user, token, revoke, surface, created_at, last_seen_at, expires_at, idle_ms,
	revoked_at, host_tokens, client FROM account_sessions `

func scanSession(s scanner) (a storage.AccountSession, err error) {
	var tokens string
	err = s.Scan(&a.ID, &a.User, (*hash)(&a.Token), (*hash)(&a.Revoke), &a.Surface, &a.CreatedAt, &a.LastSeenAt,
		&a.ExpiresAt, &a.IdleMS, &a.RevokedAt, &tokens, &a.Client)
	if err == nil && tokens != "" {
		err = json.Unmarshal([]byte(tokens), &a.HostTokens)
	}
	return a, err
}

func (r reader) AccountSession(id chat.AccountSessionID) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE id = ?", string(id))
}

func (r reader) AccountSessionByToken(h storage.Hash) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE token = ?", hashArg(h))
}

func (r reader) AccountSessionByRevoke(h storage.Hash) (storage.AccountSession, error) {
	return one(r.c, scanSession, selectSession+"WHERE revoke = ?", hashArg(h))
}

func (r reader) AccountSessions(id chat.UserID) ([]storage.AccountSession, error) {
	return all(r.c, scanSession, selectSession+"WHERE user = ? AND revoked_at = 0 ORDER BY created_at DESC, id", string(id))
}

func (r reader) TokenBurned(h storage.Hash) (bool, error) {
	return one(r.c, column[bool], "SELECT EXISTS (SELECT 1 FROM burned_tokens WHERE hash = ?)", h[:])
}

const selectGuest = `SELECT id, secret, revoke, pre_link, created_at, last_seen_at, expires_at, idle_ms, revoked_at,
	linked_user, linked_by, linked_at FROM guest_sessions `

func scanGuest(s scanner) (g storage.GuestSession, err error) {
	err = s.Scan(&g.ID, (*hash)(&g.Secret), (*hash)(&g.Revoke), (*hash)(&g.PreLink), &g.CreatedAt, &g.LastSeenAt,
		&g.ExpiresAt, &g.IdleMS, &g.RevokedAt, &g.LinkedUser, &g.LinkedBy, &g.LinkedAt)
	return g, err
}

func (r reader) GuestSession(id chat.GuestSessionID) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE id = ?", string(id))
}

func (r reader) GuestSessionBySecret(h storage.Hash) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE secret = ?", hashArg(h))
}

func (r reader) GuestSessionByRevoke(h storage.Hash) (storage.GuestSession, error) {
	return one(r.c, scanGuest, selectGuest+"WHERE revoke = ?", hashArg(h))
}

func (r reader) GuestSessionsByLogin(id chat.AccountSessionID) ([]storage.GuestSession, error) {
	return all(r.c, scanGuest, selectGuest+"WHERE linked_by = ? AND linked_by <> '' ORDER BY id", string(id))
}

const selectEvent = "SELECT e.seq, e.at, e.kind, e.sender, e.sender_name, e.client_id, e.text, e.member FROM "

func scanEvent(s scanner) (e chat.Event, err error) {
	var member string
	// Plain strings: Scan takes a slow road for named types, and history pages are hot.
	err = s.Scan(&e.Seq, &e.At, (*string)(&e.Kind), (*string)(&e.Sender), &e.SenderName, (*string)(&e.ClientID), &e.Text, &member)
	if err == nil && member != "" {
		err = json.Unmarshal([]byte(member), &e.Member)
	}
	return e, err
}

func (r reader) Events(q storage.EventQuery) ([]chat.Event, error) {
	n, err := r.number(q.Room)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from, to, limit := max(q.After, 0), int64(1<<62), int64(max(q.Limit, 0)) // from < seq < to
	if q.Before > 0 {
		to = q.Before
	}
	if q.Before > 0 && q.After <= 0 {
		head, err := one(r.c, column[int64], "SELECT head FROM rooms WHERE n = ?", n)
		if err != nil {
			return nil, err
		}
		to = min(to, head+1)
		from = max(from, to-1-limit)
	}
	return all(r.c, scanEvent, selectEvent+"events e WHERE e.room = ? AND e.seq > ? AND e.seq < ? ORDER BY e.seq LIMIT ?", n, from, to, limit)
}

func (r reader) LastMessage(room chat.RoomID) (chat.Event, error) {
	return one(r.c, scanEvent, selectEvent+"rooms r JOIN events e ON e.room = r.n AND e.seq = r.last_message WHERE r.id = ?", string(room))
}

func (r reader) Sent(sender chat.Identity, id chat.ClientID) (storage.Sent, error) {
	return one(r.c, func(s scanner) (v storage.Sent, err error) {
		err = s.Scan(&v.Room, &v.Seq)
		return v, err
	}, "SELECT r.id, s.seq FROM sent s JOIN rooms r ON r.n = s.room WHERE s.sender = ? AND s.client_id = ?", string(sender), string(id))
}

func scanMark(s scanner) (m storage.Mark, err error) {
	err = s.Scan(&m.Seq, &m.Messages)
	return m, err
}

func (r reader) Read(room chat.RoomID, reader chat.Identity) (storage.Mark, error) {
	m, err := one(r.c, scanMark, "SELECT m.seq, m.messages FROM rooms r JOIN marks m ON m.room = r.n WHERE r.id = ? AND m.reader = ?", string(room), string(reader))
	if notFound(err) {
		err = nil
	}
	return m, err
}

func (r reader) Receipts(room chat.RoomID) ([]chat.Receipt, error) {
	return all(r.c, func(s scanner) (v chat.Receipt, err error) {
		err = s.Scan(&v.Reader, &v.Seq)
		return v, err
	}, "SELECT m.reader, m.seq FROM rooms r JOIN marks m ON m.room = r.n WHERE r.id = ? ORDER BY m.reader", string(room))
}

func (r reader) Blocked(vendor chat.VendorID, guest chat.GuestSessionID) (bool, error) {
	return one(r.c, column[bool], "SELECT EXISTS (SELECT 1 FROM blocked WHERE vendor = ? AND guest = ?)", string(vendor), string(guest))
}

func (r reader) Notices(room chat.RoomID) ([]chat.Notice, error) {
	return all(r.c, func(s scanner) (v chat.Notice, err error) {
		err = s.Scan(&v.Name, &v.At)
		return v, err
	}, "SELECT n.name, n.at FROM rooms r JOIN notices n ON n.room = r.n WHERE r.id = ? ORDER BY n.id", string(room))
}

func (r reader) Audit(before int64, limit int) ([]storage.AuditEntry, error) {
	if before <= 0 {
		before = 1 << 62
	}
	return all(r.c, func(s scanner) (a storage.AuditEntry, err error) {
		err = s.Scan(&a.ID, &a.At, &a.Action, &a.Actor, &a.Subject, &a.Room, &a.Detail)
		return a, err
	}, "SELECT id, at, action, actor, subject, room, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?", before, max(limit, 0))
}
