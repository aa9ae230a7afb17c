package store

import (
	"hash/fnv"
	"strings"

	"anteroom/store/chat"
)

// restore takes what storage held. Whatever does not have exactly the form we
// write is dropped and removed: nothing of it is ever sent.
func (m *Machine) restore(f Restored) {
	if m.restored {
		return
	}
	m.restored = true
	m.surface, m.tab, m.page, m.memory, m.network = f.Surface, f.Tab, f.Page, f.Memory, f.Online
	if len(m.page) > chat.MaxPage {
		m.page = m.page[:chat.MaxPage]
	}
	h := fnv.New64a()
	h.Write([]byte(f.Tab))
	m.random = h.Sum64()
	var session *userSession
	record := AuthSignal{}
	for _, key := range sortedKeys(f.Stored) {
		value, ok := f.Stored[key], true
		switch {
		case key == KeyGuestSession && m.surface == chat.SurfaceWidget:
			m.guest, ok = parseGuestSession(value)
		case !OwnKey(m.surface, key):
			continue // not ours to read or to remove
		case key == KeySession(m.surface):
			session, ok = parseUserSession(value)
		case key == KeyAuth(m.surface):
			ok = decodeStored(value, &record) && len(record.Nonce) <= 200
			if !ok {
				record = AuthSignal{}
			}
		default:
			ok = m.restoreItem(key, value)
		}
		if !ok {
			m.log("stored value dropped", "key", key)
			m.unpersist(key)
		}
	}
	m.stamp, m.nonce = record.Stamp, record.Nonce
	if session != nil && record.Stamp > session.Stamp && (record.Out || record.User != session.User) {
		// Storage was written half-way, or by an earlier version: the log-out, or
		// the other user's log-in, is the later word.
		m.revokeLater(session.Revoke)
		m.unpersist(KeySession(m.surface))
		session = nil
	}
	if session != nil {
		m.stamp, m.nonce = max(m.stamp, session.Stamp), session.Nonce
	}
	switch {
	case session != nil && m.guest != nil:
		m.setPrincipal(chat.Principal{Kind: chat.KindGuest, GuestSession: m.guest.ID, Name: chat.GuestLabel(m.guest.ID), Surface: m.surface})
		m.login = &login{stamp: session.Stamp, nonce: session.Nonce, session: session, retryAt: m.now}
	case session != nil:
		m.user = session
		m.setPrincipal(chat.Principal{Kind: chat.KindUser, User: session.User, Name: session.Name, Surface: m.surface})
	case m.guest != nil:
		m.becomeGuest(m.guest)
	}
	m.restoreOwners()
	m.touch(dirtyAll)
}

func (m *Machine) restoreItem(key, value string) bool {
	rest := strings.TrimPrefix(key, KeyPrefix(m.surface))
	switch {
	case strings.HasPrefix(rest, "outbox."):
		it, ok := parseItem(key, m.surface, value)
		if ok && len(m.items) < maxItems {
			m.addItem(it)
		}
		return ok
	case strings.HasPrefix(rest, "draft."):
		k, d, ok := parseDraft(m.surface, key, value)
		if ok && len(m.drafts) < maxDrafts {
			m.drafts[k] = d
		}
		return ok
	case strings.HasPrefix(rest, "revoke."):
		if !isHandle(value) {
			return false
		}
		m.revokes[key] = &revocation{handle: value}
		return true
	case m.isOpenKey(key):
		return m.openStored(key, value)
	}
	return true // the shell's own keys
}

// restoreOwners settles whose the restored outbox is: a user who is not here
// keeps it hidden; that of a guest session that no longer exists is kept for
// the visitor to decide; another user's goes at a log-in.
func (m *Machine) restoreOwners() {
	seen := map[chat.Identity]bool{"": true, m.owner(): true}
	var gone []chat.Identity
	note := func(id chat.Identity) {
		if !seen[id] {
			seen[id] = true
			if strings.HasPrefix(string(id), "g_") {
				gone = append(gone, id)
			}
		}
	}
	for _, it := range m.items {
		note(it.Owner)
	}
	for _, k := range m.draftKeys() {
		note(k.owner)
	}
	for _, id := range gone {
		m.orphan(id, 0)
	}
	if m.user != nil {
		owner := m.owner()
		m.claimItems()
		m.moveDrafts("", owner)
		m.dropItems(func(id chat.Identity) bool { return isUser(id) && id != owner })
	}
}

// storageChanged takes another tab's write, or what storage was found to hold
// when this tab came back.
func (m *Machine) storageChanged(f StorageChanged) {
	switch key := f.Key; {
	case key == KeyGuestSession:
		m.storedGuest(f.Value, f.Removed)
	case key == KeySession(m.surface):
		if s, ok := parseUserSession(f.Value); ok && !f.Removed && s.Stamp > m.stamp {
			m.authChanged(AuthSignal{
				Nonce: s.Nonce, Stamp: s.Stamp, User: s.User, Name: s.Name,
				Credential: s.Credential, Revoke: s.Revoke, Expires: s.Expires,
			})
		}
	case key == KeyAuth(m.surface):
		var sig AuthSignal
		if !f.Removed && decodeStored(f.Value, &sig) && len(sig.Nonce) <= 200 {
			// The signal itself says more and may come a moment later.
			sig.Credential, sig.Revoke = "", ""
			if m.newer(sig) && (m.record == nil || m.record.Stamp < sig.Stamp) {
				m.record, m.recordAt = &sig, m.now+guestGrace
			}
		}
	case strings.HasPrefix(key, KeyPrefix(m.surface)+"outbox."):
		m.outboxChanged(f)
	case strings.HasPrefix(key, KeyPrefix(m.surface)+"draft."):
		m.draftChanged(f)
	case m.isOpenKey(key):
		if f.Removed || !m.openStored(key, f.Value) {
			delete(m.opens, key)
		}
	case f.Removed:
		delete(m.revokes, key)
	}
}

func (m *Machine) outboxChanged(f StorageChanged) {
	id := chat.ClientID(strings.TrimPrefix(f.Key, KeyOutbox(m.surface, "")))
	held := m.findItem(id)
	if held != nil && held.claimed {
		it, ok := parseItem(f.Key, m.surface, f.Value)
		if f.Removed || !ok {
			it = nil
		}
		m.claimItem(held, it)
		return
	}
	if f.Removed {
		// Acknowledged or discarded there.
		if held != nil && !held.inFlight && held.seq == 0 {
			m.forgetItem(held)
		}
		return
	}
	it, ok := parseItem(f.Key, m.surface, f.Value)
	if !ok {
		return
	}
	if held != nil {
		if !held.inFlight && held.seq == 0 {
			held.storedItem, held.err = it.storedItem, it.err
			m.touch(dirtyRoom)
		}
		return
	}
	if len(m.items) < maxItems {
		// The tab that wrote it sends it; if it dies, this one does.
		it.retryAt = m.now + adoptDelay
		m.addItem(it)
	}
}

func (m *Machine) draftChanged(f StorageChanged) {
	k, d, ok := parseDraft(m.surface, f.Key, f.Value)
	here := k.owner == m.owner() && (k.place == string(m.current) || k.place == vendorPlace(m.vendor))
	if here || m.drafts[k] != nil && m.drafts[k].dirty {
		return // the composer on screen is this tab's own
	}
	if f.Removed {
		delete(m.drafts, k)
	} else if ok && len(m.drafts) < maxDrafts {
		m.drafts[k] = d
	}
	m.touch(dirtyRoom)
}

// newer tells whether an explicit log-in or log-out is later than what is known.
func (m *Machine) newer(sig AuthSignal) bool {
	return sig.Nonce != m.nonce && (sig.Stamp > m.stamp || sig.Stamp == m.stamp && sig.Nonce > m.nonce)
}

// authChanged takes another tab's explicit log-in or log-out. The latest wins;
// the same one by the other road, or an older one, changes nothing.
func (m *Machine) authChanged(sig AuthSignal) {
	if !m.newer(sig) {
		return
	}
	if m.record != nil && m.record.Stamp <= sig.Stamp {
		m.record, m.recordAt = nil, 0
	}
	if m.login != nil && m.login.stamp > sig.Stamp {
		m.deferred = &sig // this tab's own wish is later; if it fails the other holds
		return
	}
	if sig.Out {
		m.stamp, m.nonce = sig.Stamp, sig.Nonce
		m.loggedOutElsewhere(sig)
		return
	}
	if _, err := chat.ParseUserID(string(sig.User)); err != nil {
		return
	}
	s := &userSession{
		Version: 1, Credential: sig.Credential, Revoke: sig.Revoke, User: sig.User, Name: sig.Name,
		Expires: sig.Expires, Stamp: sig.Stamp, Nonce: sig.Nonce, host: sig.Host,
	}
	known := s.valid()
	if !known && m.user != nil && m.user.User == sig.User {
		m.stamp, m.nonce = sig.Stamp, sig.Nonce
		return
	}
	m.stamp, m.nonce = sig.Stamp, sig.Nonce
	m.giveUpLogin()
	if m.user != nil && m.user.User == sig.User {
		s.Older, s.provided = m.handles(), m.user.provided
		m.user = s // for the next connection; nothing on screen changes
		m.planToken()
		return
	}
	if m.guest != nil {
		owner := chat.GuestIdentity(m.guest.ID)
		if sig.Guest == m.guest.ID {
			m.moveItems(owner, chat.UserIdentity(sig.User))
			m.moveDrafts(owner, chat.UserIdentity(sig.User))
		} else if known {
			// The other tab did not know of this guest session: it is linked from here.
			m.login = &login{stamp: sig.Stamp, nonce: sig.Nonce, session: s, looked: true, quiet: true}
			m.advanceLogin()
			m.touch(dirtyAll)
			return
		}
	}
	if known {
		m.switchTo(s, chat.Principal{})
		return
	}
	// Signed by the host in another tab whose signals were lost: whoever was
	// here is not any more, and who comes must be asserted here too.
	m.clearMemory()
	m.user, m.guest, m.expired, m.tokenAsk = nil, nil, sig.User, 0
	m.guestDead, m.guestGone = false, 0
	m.setPrincipal(chat.Principal{})
	m.notify(Notification{Kind: NotifyToken})
}

func (m *Machine) loggedOutElsewhere(sig AuthSignal) {
	session := m.session()
	switch {
	case sig.Ended && m.linking():
		if m.guest != nil {
			owner := chat.GuestIdentity(m.guest.ID)
			m.dropItems(func(id chat.Identity) bool { return id == owner })
			m.guest = nil
			m.advanceLogin()
		}
	case sig.Ended:
		if session == nil && m.expired == "" {
			m.clearAsOf(sig.Stamp)
		}
	case sig.User == "" && session == nil:
		m.usersLeft(false)
	case sig.User == "":
		// Heard where nobody was logged in, or known by its record alone: this
		// tab's session must end too. A guest's chat in other tabs goes on.
		key := m.revokeLater(session.Revoke)
		m.dropItems(isUser)
		m.leave()
		m.endSession(key, "POST", "/api/logout", session.Credential)
	default:
		m.clearAsOf(sig.Stamp)
	}
}

// clearAsOf is clearIdentity for a log-out that happened a moment ago: what a
// fresh visitor wrote here since then is not the former principal's.
func (m *Machine) clearAsOf(stamp int64) {
	if m.guest != nil && m.guestAt > stamp && m.session() == nil {
		return // this guest's chat began after it
	}
	var fresh []*item
	for _, it := range m.items {
		if it.Owner == "" && it.At > stamp {
			fresh = append(fresh, it)
		}
	}
	m.clearIdentity()
	for _, it := range fresh {
		it.inFlight = false
		m.addItem(it)
		m.saveItem(it)
	}
}
