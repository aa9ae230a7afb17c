package store

import (
	"slices"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// ensureGuest mints a guest session when the visitor has written something and
// is nobody yet. It waits for a log-in that was asked for before.
func (m *Machine) ensureGuest() {
	if !m.started || m.surface != chat.SurfaceWidget || m.user != nil || m.guest != nil || m.expired != "" ||
		m.login != nil || m.minting != 0 || m.recalling || m.mintAt != 0 || !m.network {
		return
	}
	if !slices.ContainsFunc(m.items, func(it *item) bool { return it.Owner == "" && !it.failed() && it.retryAt <= m.now }) {
		return
	}
	// Another tab may have a guest session by now, and its signal got lost.
	m.recalling = true
	m.emit(Recall{Key: KeyGuestSession})
}

func (m *Machine) mint() {
	m.minting = m.request(call{kind: callMint}, Call{Method: "POST", Path: "/api/guest-sessions"})
}

// pendingIdentity tells whether the visitor is about to become somebody.
func (m *Machine) pendingIdentity() bool { return m.minting != 0 || m.recalling || m.login != nil }

func (m *Machine) minted(f Called) {
	if f.Call != m.minting {
		// Nobody waits for this session any more.
		var a guestAnswer
		if f.Error == nil && protocol.Unmarshal(f.Body, &a) == nil {
			m.revokeLater(a.Revoke)
		}
		return
	}
	m.minting = 0
	err := f.Error
	var a guestAnswer
	if err == nil && protocol.Unmarshal(f.Body, &a) != nil {
		err = chat.Errorf(chat.CodeInternal, "The server gave no guest session.")
	}
	g := &guestSession{Version: 1, ID: a.ID, Credential: a.Credential, Revoke: a.Revoke}
	if err == nil && !g.valid() {
		err = chat.Errorf(chat.CodeInternal, "The server gave no guest session.")
	}
	if err != nil {
		m.mintFailed(err)
		return
	}
	if m.user != nil || m.guest != nil {
		m.revokeLater(g.Revoke) // another tab was faster
		return
	}
	m.mintTries = 0
	// Two tabs may have minted at the same moment: the first to store wins.
	m.fresh, m.recalling = g, true
	m.emit(Recall{Key: KeyGuestSession})
}

// recalled goes on with what waited for a look into storage.
func (m *Machine) recalled(found *guestSession) {
	fresh := m.fresh
	m.fresh, m.recalling = nil, false
	if m.linking() {
		// What is linked is the browser's guest session, whichever tab made it.
		m.login.looked = true
		switch {
		case m.guest != nil || found == nil:
		case m.user != nil:
			m.guest, m.guestAt = found, m.now // to be linked; until then the former user is on screen
		default:
			m.becomeGuest(found)
		}
		if fresh != nil {
			m.revokeLater(fresh.Revoke)
		}
		m.advanceLogin()
		return
	}
	if m.user != nil || m.guest != nil || m.expired != "" {
		found = nil
	} else if found != nil {
		m.becomeGuest(found)
	} else if fresh != nil {
		m.persist(KeyGuestSession, encodeStored(fresh))
		m.becomeGuest(fresh)
		return
	} else if m.login == nil && m.minting == 0 {
		m.mint()
	}
	m.advanceLogin()
	if fresh != nil {
		m.revokeLater(fresh.Revoke)
	}
}

// forgetMint drops a guest session that is being made for somebody who left.
func (m *Machine) forgetMint() {
	if m.fresh != nil {
		m.revokeLater(m.fresh.Revoke)
	}
	m.minting, m.recalling, m.fresh = 0, false, nil
}

func (m *Machine) mintFailed(err *chat.Error) {
	for _, it := range m.items {
		if it.Owner != "" || it.failed() {
			continue
		}
		if !err.Temporary() {
			m.fail(it, err)
		} else if err.Code == chat.CodeRateLimited {
			it.err, it.retryAt = err, m.now+max(err.RetryAfter.Milliseconds(), backoffMin)
			m.touch(dirtyRoom)
		}
	}
	m.mintAt = m.now + max(err.RetryAfter.Milliseconds(), m.backoff(m.mintTries))
	m.mintTries++
}

// becomeGuest takes a guest session on; what was written before it is its own.
func (m *Machine) becomeGuest(g *guestSession) {
	m.guest, m.guestAt, m.guestDead, m.guestGone = g, m.now, false, 0
	m.setPrincipal(chat.Principal{Kind: chat.KindGuest, GuestSession: g.ID, Name: chat.GuestLabel(g.ID), Surface: m.surface})
	for _, it := range m.items {
		if it.Owner == "" && !it.failed() && it.err != nil {
			it.err, it.retryAt = nil, 0 // it waited for the mint
		}
	}
	m.claimItems()
	m.moveDrafts("", chat.GuestIdentity(g.ID))
	m.touch(dirtyAll)
}

// storedGuest takes what storage holds under chatGuestSession now: storage
// decides which guest session all tabs share.
func (m *Machine) storedGuest(value string, removed bool) {
	if m.recalling {
		g, ok := parseGuestSession(value)
		if !ok || removed {
			g = nil
		}
		m.recalled(g)
		return
	}
	if m.surface != chat.SurfaceWidget || m.user != nil {
		return
	}
	if removed || value == "" {
		// A link or a log-out in another tab says so by its own signal, which
		// may come a moment later.
		if m.guest != nil && !m.linking() {
			m.believeGone(guestGrace)
		}
		return
	}
	g, ok := parseGuestSession(value)
	if !ok {
		return
	}
	if m.guest != nil && m.guest.ID == g.ID {
		if !m.guestDead { // the server's word weighs more than that it is still stored
			m.guestGone = 0
		}
		return
	}
	if m.login != nil || m.expired != "" {
		return
	}
	if old := m.guest; old != nil {
		// The chat was ended elsewhere and another began.
		m.orphan(chat.GuestIdentity(old.ID), 0)
		m.guest = nil
		m.clearMemory()
	}
	m.minting = 0
	m.becomeGuest(g)
}

// guestRefused notes that the server does not know the guest session any more.
// Often the reason is a log-in in another tab whose signal is on its way.
func (m *Machine) guestRefused(err *chat.Error) {
	m.guestDead = true
	m.believeGone(10 * guestGrace)
	m.log("guest session refused", "code", err.Code)
}

// believeGone waits for a signal that explains the loss, and then acts on it.
func (m *Machine) believeGone(wait int64) {
	if at := m.now + wait; m.guestGone == 0 || at < m.guestGone {
		m.guestGone = at
	}
}

// forgetGuest ends the guest session in this tab without a signal. When the
// server refused it, what was not sent stays for the visitor to decide.
func (m *Machine) forgetGuest() {
	if m.guest == nil {
		return
	}
	owner, credential := chat.GuestIdentity(m.guest.ID), m.guest.Credential
	dead := m.guestDead
	m.guest, m.guestDead = nil, false
	m.clearMemory()
	m.setPrincipal(chat.Principal{})
	if !dead {
		m.letGo(owner)
		return
	}
	m.unpersistOf(KeyGuestSession, credential)
	m.orphan(owner, 0)
	m.notice = chat.Errorf(chat.CodeSessionExpired, "This chat has ended. You can start a new one.")
}

// orphan keeps the text of a guest session that is over: it waits, failed, in
// its vendor's chat. What has no vendor cannot be shown anywhere and goes, and
// so does what is older than since, drafts among it.
func (m *Machine) orphan(owner chat.Identity, since int64) {
	for _, it := range slices.Clone(m.items) {
		if it.Owner == owner {
			m.orphanItem(it, since)
		}
	}
	for _, k := range m.draftKeys() {
		if k.owner != owner {
			continue
		}
		text := m.drafts[k].text
		m.removeDraft(k)
		to := draftKey{"", k.place}
		if since == 0 && strings.HasPrefix(k.place, "vendor:") && m.drafts[to] == nil {
			m.drafts[to] = &draft{text: text, dirty: true}
		}
	}
	m.flushDrafts()
}

func (m *Machine) orphanItem(it *item, since int64) {
	if it.Vendor == "" || it.seq != 0 || it.At < since {
		m.removeItem(it)
		return
	}
	it.Owner, it.Room, it.inFlight = "", "", false
	it.Code, it.Message = chat.CodeSessionExpired, "This chat has ended."
	it.err = &chat.Error{Code: it.Code, Message: it.Message}
	m.saveItem(it)
}

// endChat is "End chat and forget me": nothing of the guest stays, here or on
// the server.
func (m *Machine) endChat() {
	if m.user != nil || m.linking() || m.expired != "" {
		return // a user logs out instead
	}
	g := m.guest
	m.forgetMint()
	m.dropAll()
	var key string
	if g != nil {
		key = m.revokeLater(g.Revoke)
	}
	m.guest, m.guestDead, m.guestGone = nil, false, 0
	m.clearMemory()
	m.setPrincipal(chat.Principal{})
	m.forgetStorage()
	if g != nil {
		m.tellTabs(AuthSignal{Out: true, Guest: g.ID})
		m.endSession(key, "DELETE", "/api/guest-session", g.Credential)
	}
	m.setShown(false)
}
