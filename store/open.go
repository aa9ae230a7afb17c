package store

import (
	"cmp"
	"slices"
	"strings"

	"anteroom/store/chat"
)

// Sessions that a host signed live in the memory of one page load, and a shop
// is many page loads. Their handles are kept in storage, so that one log-out
// ends them all: also those of pages that are gone, sleep in the browser's
// back-forward cache, or only ever counted unread messages (the shell's own).

// openSession is the handle of a host-signed session that may still be open.
type openSession struct {
	Version int         `json:"v"`
	Revoke  string      `json:"revoke"`
	User    chat.UserID `json:"user"`
	Expires int64       `json:"expires"`
}

// KeyOpen holds an openSession; the shell writes its own under the same prefix.
func KeyOpen(s chat.Surface, n string) string { return KeyPrefix(s) + "open." + n }

// maxOpenSessions bounds how many are kept; beyond it the one that would end first is ended.
const maxOpenSessions = 100

// openGrace is how far this browser's clock may be ahead of the server's
// before a handle is taken for one of a session that has ended by itself.
const openGrace = 3_600_000 // milliseconds

func (m *Machine) isOpenKey(key string) bool { return strings.HasPrefix(key, KeyOpen(m.surface, "")) }

// openStored takes a stored handle; it tells whether the value is one of ours.
func (m *Machine) openStored(key, value string) bool {
	var o openSession
	if !decodeStored(value, &o) || o.Version != 1 || !isHandle(o.Revoke) {
		return false
	}
	m.opens[key] = o
	return true
}

// keepOpen stores the handle of a host-signed session, or its later end.
func (m *Machine) keepOpen(s *userSession) {
	if s == nil || !s.host || !isHandle(s.Revoke) {
		return
	}
	key := ""
	for _, k := range sortedKeys(m.opens) {
		switch o := m.opens[k]; {
		case o.Revoke == s.Revoke:
			key = k
		case o.Expires+openGrace < m.now:
			delete(m.opens, k)
			m.unpersist(k)
		}
	}
	if key == "" {
		key = KeyOpen(m.surface, m.nextID())
		if len(m.opens) >= maxOpenSessions {
			first := slices.MinFunc(sortedKeys(m.opens), func(a, b string) int { return cmp.Compare(m.opens[a].Expires, m.opens[b].Expires) })
			m.revokeLater(m.opens[first].Revoke)
			delete(m.opens, first)
			m.unpersist(first)
		}
	}
	o := openSession{Version: 1, Revoke: s.Revoke, User: s.User, Expires: s.Expires}
	m.opens[key] = o
	m.persist(key, encodeStored(o))
}

// endOpen ends the sessions of everybody but keep ("" for nobody).
func (m *Machine) endOpen(keep chat.UserID) {
	for _, key := range sortedKeys(m.opens) {
		o := m.opens[key]
		if keep != "" && o.User == keep {
			continue
		}
		if !m.revoking(o.Revoke) {
			m.revokeLater(o.Revoke)
		}
		delete(m.opens, key)
		m.unpersist(key)
	}
}

// revoking tells whether a handle waits to be sent already.
func (m *Machine) revoking(handle string) bool {
	for _, r := range m.revokes {
		if r.handle == handle {
			return true
		}
	}
	return false
}
