//go:build !js

package sqlite

import (
	"encoding/json"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// writer writes through the writing connection, inside a job's savepoint.
type writer struct{ reader }

func (w writer) PutUser(u storage.User) error {
	old, err := w.User(u.ID)
	if err != nil && !notFound(err) {
		return err
	}
	_, err = w.c.exec(`INSERT INTO users (id, username, username_key, name, role, active, password_hash, issuer, subject, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET username = excluded.username, username_key = excluded.username_key, name = excluded.name,
			role = excluded.role, active = excluded.active, password_hash = excluded.password_hash, issuer = excluded.issuer,
			subject = excluded.subject, created_at = excluded.created_at`,
		string(u.ID), u.Username, strings.ToLower(u.Username), u.Name, string(u.Role), u.Active, u.PasswordHash, u.Issuer, u.Subject, u.CreatedAt)
	if err != nil || old.ID == "" || old.Name == u.Name {
		return err
	}
	return w.refreshSearch("SELECT room FROM participants WHERE user = ?", string(u.ID))
}

func (w writer) PutVendor(v chat.Vendor) error {
	old, err := w.Vendor(v.ID)
	if err != nil && !notFound(err) {
		return err
	}
	_, err = w.c.exec(`INSERT INTO vendors (id, slug, name, avatar) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, avatar = excluded.avatar`,
		string(v.ID), v.Slug, v.Name, v.Avatar)
	if err != nil || old.ID == "" || old.Name == v.Name {
		return err
	}
	return w.refreshSearch("SELECT n FROM rooms WHERE vendor = ? AND vendor <> ''", string(v.ID))
}

func (w writer) SetVendorMember(vendor chat.VendorID, user chat.UserID, member bool) error {
	query := "DELETE FROM vendor_members WHERE vendor = ? AND user = ?"
	if member {
		query = "INSERT INTO vendor_members (vendor, user) VALUES (?, ?) ON CONFLICT DO NOTHING"
	}
	_, err := w.c.exec(query, string(vendor), string(user))
	return err
}

func (w writer) PutAccountSession(a storage.AccountSession) error {
	tokens := ""
	if len(a.HostTokens) > 0 {
		b, err := json.Marshal(a.HostTokens)
		if err != nil {
			return err
		}
		tokens = string(b)
	}
	_, err := w.c.exec(`INSERT INTO account_sessions (id, user, token, revoke, surface, created_at, last_seen_at, expires_at,
			idle_ms, revoked_at, host_tokens, client) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET user = excluded.user, token = excluded.token, revoke = excluded.revoke,
			surface = excluded.surface, created_at = excluded.created_at, last_seen_at = excluded.last_seen_at,
			expires_at = excluded.expires_at, idle_ms = excluded.idle_ms, revoked_at = excluded.revoked_at,
			host_tokens = excluded.host_tokens, client = excluded.client`,
		string(a.ID), string(a.User), a.Token, a.Revoke, string(a.Surface), a.CreatedAt, a.LastSeenAt, a.ExpiresAt,
		a.IdleMS, a.RevokedAt, tokens, a.Client)
	return err
}

func (w writer) BurnToken(h storage.Hash, expires int64) error {
	_, err := w.c.exec(`INSERT INTO burned_tokens (hash, expires) VALUES (?, ?)
		ON CONFLICT (hash) DO UPDATE SET expires = max(expires, excluded.expires)`, h[:], expires)
	return err
}

func (w writer) PutGuestSession(g storage.GuestSession) error {
	_, err := w.c.exec(`INSERT INTO guest_sessions (id, secret, revoke, pre_link, created_at, last_seen_at, expires_at, idle_ms,
			revoked_at, linked_user, linked_by, linked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET secret = excluded.secret, revoke = excluded.revoke, pre_link = excluded.pre_link,
			created_at = excluded.created_at, last_seen_at = excluded.last_seen_at, expires_at = excluded.expires_at,
			idle_ms = excluded.idle_ms, revoked_at = excluded.revoked_at, linked_user = excluded.linked_user,
			linked_by = excluded.linked_by, linked_at = excluded.linked_at`,
		string(g.ID), g.Secret, g.Revoke, g.PreLink, g.CreatedAt, g.LastSeenAt, g.ExpiresAt, g.IdleMS,
		g.RevokedAt, string(g.LinkedUser), string(g.LinkedBy), g.LinkedAt)
	return err
}

// idNumbered is idNumber for what may have no number yet; "" has 0.
func (w writer) idNumbered(id string) (int64, error) {
	if id == "" {
		return 0, nil
	}
	n, err := w.idNumber(id)
	if err != nil || n != 0 {
		return n, err
	}
	if _, err := w.c.exec("INSERT INTO ids (id) VALUES (?)", id); err != nil {
		return 0, err
	}
	n = w.c.db.LastInsertRowID()
	keep(w.c.ids, id, n)
	return n, nil
}

func (w writer) CreateRoom(r storage.Room) error {
	if r.Vendor != "" {
		if _, err := w.Vendor(r.Vendor); err != nil {
			return err
		}
	}
	vendor, err := w.idNumbered(string(r.Vendor))
	if err != nil {
		return err
	}
	_, err = w.c.exec(`INSERT INTO rooms (id, name, vendor, guest_session, linked_user, linked_at, creator, client_id, page, closed,
			created_at, search)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`,
		string(r.ID), r.Name, string(r.Vendor), string(r.GuestSession), string(r.LinkedUser), r.LinkedAt, string(r.Creator),
		string(r.ClientID), r.Page, r.Closed, r.CreatedAt)
	if err != nil {
		return err
	}
	if _, err := w.c.exec(`INSERT INTO heads (room, vendor, head, newest, messages, last_active, newest_message)
		SELECT n, ?, 0, 0, 0, created_at, 0 FROM rooms WHERE id = ?`, vendor, string(r.ID)); err != nil {
		return err
	}
	return w.refreshSearch("SELECT n FROM rooms WHERE id = ?", string(r.ID))
}

func (w writer) PutRoom(r storage.Room) error {
	old, err := w.Room(r.ID)
	if err != nil {
		return err
	}
	if _, err := w.c.exec("UPDATE rooms SET name = ?, closed = ?, linked_user = ?, linked_at = ? WHERE id = ?",
		r.Name, r.Closed, string(r.LinkedUser), r.LinkedAt, string(r.ID)); err != nil || old.Name == r.Name {
		return err
	}
	return w.refreshSearch("SELECT n FROM rooms WHERE id = ?", string(r.ID))
}

func (w writer) SetParticipant(room chat.RoomID, user chat.UserID, participant bool) error {
	k, err := w.key(room)
	if notFound(err) && !participant {
		return nil
	}
	if err != nil {
		return err
	}
	if !participant {
		changed, err := w.c.exec("DELETE FROM participants WHERE room = ? AND user = ?", k.n, string(user))
		if err != nil || changed == 0 {
			return err
		}
		return w.refreshSearch("SELECT n FROM rooms WHERE n = ?", k.n)
	}
	u, err := w.User(user)
	if err != nil {
		return err
	}
	changed, err := w.c.exec(`INSERT INTO participants (user, vendor, room) SELECT ?, vendor, n FROM rooms WHERE n = ?
		ON CONFLICT DO NOTHING`, string(user), k.n)
	if err != nil || changed == 0 {
		return err
	}
	// Not refreshSearch: a room that grows to 1,000 members would read half a million names.
	_, err = w.c.exec("UPDATE rooms SET search = search || ? WHERE n = ?", strings.ToLower(u.Name)+"\n", k.n)
	return err
}

// refreshSearch rebuilds what the rooms that a query numbers are found by.
func (w writer) refreshSearch(query string, arg any) error {
	numbers, err := all(w.c, scanInt, query, arg)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		room, err := one(w.c, func(s *stmt) ([3]string, error) { return [3]string{s.text(), s.text(), s.text()}, nil },
			`SELECT r.name, coalesce(v.name, ''), r.guest_session FROM rooms r LEFT JOIN vendors v ON v.id = r.vendor WHERE r.n = ?`, n)
		if err != nil {
			return err
		}
		names, err := all(w.c, scanText[string], "SELECT u.name FROM participants p JOIN users u ON u.id = p.user WHERE p.room = ?", n)
		if err != nil {
			return err
		}
		names = append(names, room[0], room[1])
		if guest := chat.GuestSessionID(room[2]); guest != "" {
			names = append(names, chat.GuestLabel(guest))
		}
		search := strings.ToLower(strings.Join(names, "\n")) + "\n"
		if _, err := w.c.exec("UPDATE rooms SET search = ? WHERE n = ?", search, n); err != nil {
			return err
		}
	}
	return nil
}

func (w writer) Append(id chat.RoomID, e chat.Event) (chat.Event, bool, error) {
	k, err := w.key(id)
	if err != nil {
		return chat.Event{}, false, err
	}
	e.Seq = k.head + 1
	var owner any // NULL
	if e.ClientID != "" {
		n, err := w.idNumbered(string(e.Sender))
		if err != nil {
			return chat.Event{}, false, err
		}
		owner = n
	}
	member := ""
	if e.Member != nil {
		m := *e.Member
		e.Member = &m
		b, err := json.Marshal(m)
		if err != nil {
			return chat.Event{}, false, err
		}
		member = string(b)
	}
	message := e.Kind == chat.MessagePosted
	if message {
		k.messages++
	}
	created, err := w.c.exec(`INSERT INTO events (room, seq, at, kind, sender, sender_name, client_id, text, member, messages, owner, prev)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, owner) WHERE owner IS NOT NULL DO NOTHING`,
		k.n, e.Seq, e.At, string(e.Kind), string(e.Sender), e.SenderName, string(e.ClientID), e.Text, member, k.messages, owner, k.newest)
	if err != nil {
		return chat.Event{}, false, err
	}
	if created == 0 {
		return w.repeat(k.n, owner, e)
	}
	k.head, k.newest = e.Seq, w.c.db.LastInsertRowID()
	if n, ok := owner.(int64); ok {
		if err := w.sentIn(n, k.n); err != nil {
			return chat.Event{}, false, err
		}
	}
	if message {
		_, err = w.c.exec("UPDATE heads SET head = ?1, newest = ?2, newest_message = ?2, messages = ?3, last_active = ?4 WHERE room = ?5",
			k.head, k.newest, k.messages, e.At, k.n)
	} else {
		_, err = w.c.exec("UPDATE heads SET head = ?, newest = ? WHERE room = ?", k.head, k.newest, k.n)
	}
	if err != nil {
		return chat.Event{}, false, err
	}
	w.c.room = k
	return e, true, nil
}

// sentIn keeps that an owner has used a client message id in a room.
func (w writer) sentIn(owner, room int64) error {
	in := [2]int64{owner, room}
	if _, known := w.c.sent[in]; known {
		return nil
	}
	if _, err := w.c.exec("INSERT INTO senders (owner, room) VALUES (?, ?) ON CONFLICT DO NOTHING", owner, room); err != nil {
		return err
	}
	keep(w.c.sent, in, struct{}{})
	return nil
}

// repeat answers an Append whose client message id its owner has used.
func (w writer) repeat(n int64, owner any, e chat.Event) (chat.Event, bool, error) {
	stored, err := one(w.c, scanEvent, selectEvent+"events e WHERE e.owner = ? AND e.client_id = ? AND e.room = ?", owner, string(e.ClientID), n)
	if notFound(err) { // in another room
		return chat.Event{}, false, storage.ErrConflict
	}
	if err != nil {
		return chat.Event{}, false, err
	}
	if stored.Text != e.Text {
		return chat.Event{}, false, storage.ErrConflict
	}
	return stored, false, nil
}

func (w writer) SetRead(room chat.RoomID, reader chat.Identity, seq int64) (storage.Mark, bool, error) {
	k, err := w.key(room)
	if err != nil {
		return storage.Mark{}, false, err
	}
	mark := storage.Mark{Seq: min(seq, k.head), Messages: k.messages}
	if mark.Seq > 0 {
		me, err := w.idNumbered(string(reader))
		if err != nil {
			return storage.Mark{}, false, err
		}
		if mark.Seq < k.head {
			row, err := w.row(k, mark.Seq)
			if err != nil {
				return storage.Mark{}, false, err
			}
			if mark.Messages, err = one(w.c, scanInt, "SELECT messages FROM events WHERE n = ?", row); err != nil {
				return storage.Mark{}, false, err
			}
		}
		moved, err := w.c.exec(`INSERT INTO marks (room, reader, seq, messages) VALUES (?, ?, ?, ?)
			ON CONFLICT (room, reader) DO UPDATE SET seq = excluded.seq, messages = excluded.messages WHERE excluded.seq > marks.seq`,
			k.n, me, mark.Seq, mark.Messages)
		if err != nil {
			return storage.Mark{}, false, err
		}
		if moved > 0 {
			return mark, true, nil
		}
	}
	mark, err = w.Read(room, reader)
	return mark, false, err
}

func (w writer) MoveIdentity(from, to chat.Identity) error {
	if from == to {
		return nil
	}
	if _, err := w.c.exec("UPDATE OR IGNORE rooms SET creator = ? WHERE creator = ?", string(to), string(from)); err != nil {
		return err
	}
	a, err := w.idNumber(string(from))
	if err != nil || a == 0 { // has neither sent nor read
		return err
	}
	b, err := w.idNumbered(string(to))
	if err != nil {
		return err
	}
	clear(w.c.sent)
	const sent = `WITH RECURSIVE sent(n) AS (SELECT h.newest FROM senders s JOIN heads h ON h.room = s.room WHERE s.owner = ?1
		UNION ALL SELECT e.prev FROM sent JOIN events e ON e.n = sent.n) `
	for _, query := range []string{
		sent + "UPDATE OR IGNORE events SET owner = ?2 WHERE n IN sent AND owner = ?1",
		sent + "UPDATE events SET owner = NULL WHERE n IN sent AND owner = ?1 AND ?2 <> 0",
		"INSERT INTO senders (owner, room) SELECT ?2, room FROM senders WHERE owner = ?1 ON CONFLICT DO NOTHING",
		"DELETE FROM senders WHERE owner = ?1 AND ?2 <> 0",
		`INSERT INTO marks (room, reader, seq, messages) SELECT room, ?2, seq, messages FROM marks WHERE reader = ?1
			ON CONFLICT (room, reader) DO UPDATE SET seq = excluded.seq, messages = excluded.messages WHERE excluded.seq > marks.seq`,
		"DELETE FROM marks WHERE reader = ?1 AND ?2 <> 0",
	} {
		if _, err := w.c.exec(query, a, b); err != nil {
			return err
		}
	}
	return nil
}

func (w writer) Block(vendor chat.VendorID, guest chat.GuestSessionID) error {
	_, err := w.c.exec("INSERT INTO blocked (vendor, guest) VALUES (?, ?) ON CONFLICT DO NOTHING", string(vendor), string(guest))
	return err
}

func (w writer) AddNotice(room chat.RoomID, admin chat.UserID, day string, notice chat.Notice) (bool, error) {
	k, err := w.key(room)
	if err != nil {
		return false, err
	}
	added, err := w.c.exec("INSERT INTO notices (room, admin, day, name, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		k.n, string(admin), day, notice.Name, notice.At)
	return added > 0, err
}

func (w writer) AddAudit(a storage.AuditEntry) error {
	_, err := w.c.exec("INSERT INTO audit (at, action, actor, subject, room, detail) VALUES (?, ?, ?, ?, ?, ?)",
		a.At, a.Action, string(a.Actor), a.Subject, string(a.Room), a.Detail)
	return err
}

func (w writer) Sweep(now int64) error {
	if _, err := w.c.exec("DELETE FROM burned_tokens WHERE expires <= ?", now); err != nil {
		return err
	}
	for _, table := range []string{"account_sessions", "guest_sessions"} {
		if _, err := w.c.exec("DELETE FROM "+table+` WHERE (revoked_at <> 0 AND revoked_at < ?1) OR expires_at < ?1
			OR (idle_ms > 0 AND last_seen_at + idle_ms < ?1)`, now-storage.KeepEnded); err != nil {
			return err
		}
	}
	return nil
}
