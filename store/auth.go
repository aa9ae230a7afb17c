package store

import (
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// login is a log-in under way: first the session, then the link of the guest
// session, if there is one.
type login struct {
	stamp     int64
	nonce     string
	wish      LogIn
	only      chat.UserID  // after an expiry: a refresh never switches user
	call      int64        // under way
	session   *userSession // the first step is done
	principal chat.Principal
	looked    bool // storage was asked for the guest session to link
	quiet     bool // another tab logged in and told everybody
	retryAt   int64
	tries     int
}

// linking tells whether the session is there and the guest session is being linked.
func (m *Machine) linking() bool { return m.login != nil && m.login.session != nil }

// owner is whom the machine writes for now: what they write is theirs alone.
func (m *Machine) owner() chat.Identity {
	switch {
	case m.user != nil:
		return chat.UserIdentity(m.user.User)
	case m.expired != "":
		if m.login != nil {
			return "" // whoever is logging in
		}
		return chat.UserIdentity(m.expired)
	case m.guest != nil:
		return chat.GuestIdentity(m.guest.ID)
	}
	return ""
}

func (m *Machine) setPrincipal(p chat.Principal) {
	if m.principal != p {
		m.principal = p
		if p.Role != chat.RoleAdmin {
			m.audit = nil // it was an admin's
		}
		m.touch(dirtyAll)
	}
}

// nextStamp is the time of an explicit log-in or log-out; it is later than any known.
func (m *Machine) nextStamp() int64 { return max(m.now, m.stamp+1) }

func (m *Machine) logIn(in LogIn) {
	m.giveUpLogin()
	m.logError, m.pwSaved = nil, false
	m.login = &login{stamp: m.nextStamp(), nonce: m.nextNonce(), wish: in}
	m.advanceLogin()
	m.touch(dirtyTop)
}

// giveUpLogin drops a log-in under way; a session that it still brings is ended.
func (m *Machine) giveUpLogin() {
	l := m.login
	if l == nil {
		return
	}
	m.login = nil
	if m.user != nil {
		m.guest = nil // it was there to be linked
	}
	if l.session != nil && !l.quiet {
		m.revokeLater(l.session.Revoke)
		if !l.session.host {
			m.unpersistOf(KeySession(m.surface), l.session.Credential)
		}
	}
	m.touch(dirtyAll)
}

// keepForExpired gives what was written during a log-in that came to nothing to
// the user whose session had ended before.
func (m *Machine) keepForExpired() {
	if m.expired != "" {
		m.moveItems("", chat.UserIdentity(m.expired))
		m.moveDrafts("", chat.UserIdentity(m.expired))
	}
}

// advanceLogin takes the next step of the log-in under way.
func (m *Machine) advanceLogin() {
	l := m.login
	if l == nil || l.call != 0 || m.recalling {
		return
	}
	if l.session == nil {
		l.call = m.request(call{kind: callLogin}, Call{Method: "POST", Path: "/api/login", Body: loginBody{
			Username: l.wish.Username, Password: l.wish.Password, Token: l.wish.Token, Surface: m.surface,
		}})
		return
	}
	if !l.looked && m.surface == chat.SurfaceWidget {
		m.recalling = true
		m.emit(Recall{Key: KeyGuestSession})
		return
	}
	if m.guest == nil {
		m.becomeUser(l.session, l.principal, "")
		return
	}
	// The guest's socket goes first: from here on nothing is sent as the guest.
	m.hangUp()
	l.call = m.request(call{kind: callLink}, Call{
		Method: "POST", Path: "/api/link",
		Credential: l.session.Credential, Body: linkBody{Guest: m.guest.Credential},
	})
}

func (m *Machine) loggedIn(f Called) {
	var a loginAnswer
	err := f.Error
	if err == nil && protocol.Unmarshal(f.Body, &a) != nil {
		err = chat.Errorf(chat.CodeInternal, "The server gave no session.")
	}
	l := m.login
	if l == nil || l.call != f.Call {
		if err == nil {
			m.revokeLater(a.Revoke)
		}
		return
	}
	l.call = 0
	s := &userSession{
		Version: 1, Credential: a.Credential, Revoke: a.Revoke, User: a.Principal.User, Name: a.Principal.Name,
		Expires: a.ExpiresAt, Stamp: l.stamp, Nonce: l.nonce, host: a.Host, provided: l.wish.Provided,
	}
	if err == nil && !s.valid() {
		err = chat.Errorf(chat.CodeInternal, "The server gave no session.")
	}
	if err == nil && l.only != "" && l.only != s.User {
		m.revokeLater(s.Revoke)
		err = chat.Errorf(chat.CodeAccessDenied, "The token is for another user.")
	}
	if err != nil {
		m.loginFailed(err)
		return
	}
	l.wish = LogIn{Provided: l.wish.Provided} // secrets are not kept longer than needed
	l.session, l.principal, l.tries = s, a.Principal, 0
	if m.user != nil && m.user.User == s.User {
		s.Older = m.handles()
		m.becomeUser(s, a.Principal, "")
		return
	}
	if m.user != nil {
		for _, h := range m.handles() {
			m.revokeLater(h)
		}
	}
	m.endOpen(s.User)
	if m.guest != nil && !s.host {
		// A crash between log-in and link leaves both in storage: the link is then made at the next start.
		m.persist(KeySession(m.surface), encodeStored(s))
	}
	m.advanceLogin()
}

// handles are those of all the present user's sessions known here.
func (m *Machine) handles() []string {
	if m.user == nil {
		return nil
	}
	all := append([]string{m.user.Revoke}, m.user.Older...)
	return all[:min(len(all), 20)]
}

func (m *Machine) loginFailed(err *chat.Error) {
	l := m.login
	m.logError = err
	m.touch(dirtyTop)
	if l.wish.Token != "" && err.Temporary() {
		// The host asserted an identity: until that is settled nobody becomes a guest.
		l.retryAt = m.now + max(err.RetryAfter.Milliseconds(), m.backoff(l.tries))
		l.tries++
		return
	}
	m.login = nil
	m.keepForExpired()
	m.notify(Notification{Kind: NotifyError, Code: err.Code})
	if sig := m.deferred; sig != nil {
		m.deferred = nil
		m.authChanged(*sig)
	}
}

func (m *Machine) linked(f Called) {
	l := m.login
	if l == nil || l.call != f.Call {
		return
	}
	l.call = 0
	if m.guest == nil {
		m.becomeUser(l.session, l.principal, "")
		return
	}
	guest, credential := m.guest.ID, m.guest.Credential
	if err := f.Error; err != nil {
		if err.Temporary() {
			m.logError = err
			l.retryAt = m.now + max(err.RetryAfter.Milliseconds(), m.backoff(l.tries))
			l.tries++
			m.touch(dirtyTop)
			return
		}
		// Refused: the guest session is another user's, or over.
		m.log("link refused", "guest_session", guest, "code", err.Code)
		var since int64
		if err.Code == chat.CodeAccessDenied {
			since = l.stamp // what was written while logging in is the visitor's, whichever tab took it for the guest
		}
		m.orphan(chat.GuestIdentity(guest), since) // nobody can say whether it is stored: the visitor decides
		m.unpersistOf(KeyGuestSession, credential)
		m.guest = nil
		m.becomeUser(l.session, l.principal, "")
		return
	}
	m.moveItems(chat.GuestIdentity(guest), chat.UserIdentity(l.session.User))
	m.moveDrafts(chat.GuestIdentity(guest), chat.UserIdentity(l.session.User))
	m.becomeUser(l.session, l.principal, guest)
	m.unpersistOf(KeyGuestSession, credential)
}

// becomeUser makes the session of the log-in under way the visitor's, and tells
// the other tabs.
func (m *Machine) becomeUser(s *userSession, p chat.Principal, guest chat.GuestSessionID) {
	l := m.login
	m.stamp, m.nonce = l.stamp, l.nonce
	m.switchTo(s, p)
	if l.quiet {
		return
	}
	if s.host {
		// The session that was stored is another's, or an older one of the same user:
		// the next page load must not begin with it.
		m.unpersist(KeySession(m.surface))
	} else {
		m.persist(KeySession(m.surface), encodeStored(s))
	}
	m.keepOpen(s)
	sig := AuthSignal{Nonce: s.Nonce, Stamp: s.Stamp, User: s.User, Name: s.Name, Host: s.host, Guest: guest}
	m.persist(KeyAuth(m.surface), encodeStored(sig))
	sig.Credential, sig.Revoke, sig.Expires = s.Credential, s.Revoke, s.Expires
	m.emit(Broadcast{Auth: sig})
}

// switchTo makes the visitor a user: what was on screen of a former principal
// goes, what a guest wrote came along before.
func (m *Machine) switchTo(s *userSession, p chat.Principal) {
	same := m.user != nil && m.user.User == s.User
	// The visitor stays where they were unless another user sat there.
	stay := m.user == nil && m.expired == "" || same
	current, vendor := m.current, m.vendor
	owner := chat.UserIdentity(s.User)
	m.login, m.deferred, m.logError = nil, nil, nil
	m.forgetMint()
	m.guestGone, m.guestDead = 0, false
	if same {
		m.forgetSessions() // another one is the current one
		m.user = s
		m.hangUp() // the socket of the older session would end with it
		m.conn.retryAt = 0
		m.planToken()
		m.touch(dirtyTop)
		return
	}
	m.claimItems()
	m.moveDrafts("", owner)
	m.clearMemory()
	m.dropItems(func(id chat.Identity) bool { return isUser(id) && id != owner })
	m.user, m.guest, m.expired = s, nil, ""
	if p.User == "" {
		p = chat.Principal{Kind: chat.KindUser, User: s.User, Name: s.Name, Surface: m.surface}
	}
	m.setPrincipal(p)
	m.started = true
	if stay {
		m.current, m.vendor, m.wanted = current, vendor, current
	} else {
		m.setShown(false)
	}
	m.planToken()
	m.touch(dirtyAll)
}

// planToken arranges that a fresh token is asked for before the session ends.
func (m *Machine) planToken() {
	m.tokenAsk = 0
	if m.user == nil || !m.user.host || !m.user.provided || m.user.Expires <= m.now {
		return
	}
	m.tokenAsk = m.user.Expires - min(tokenLead, (m.user.Expires-m.now)/3)
}

func (m *Machine) refreshLogin(token string) {
	if token == "" {
		return
	}
	if m.user != nil {
		m.request(call{kind: callRefresh}, Call{
			Method: "POST", Path: "/api/refresh",
			Credential: m.user.Credential, Body: tokenBody{Token: token},
		})
		return
	}
	if m.expired != "" && m.login == nil {
		m.logIn(LogIn{Token: token, Provided: true})
		m.login.only = m.expired
	}
}

// sessionOver takes the server's word that the credential is good for nothing.
func (m *Machine) sessionOver(err *chat.Error) {
	if m.conn.as != m.credential() {
		return // a newer one is already there
	}
	if m.user == nil {
		if m.guest != nil {
			m.guestRefused(err)
		}
		return
	}
	// Not a log-out: the outbox and the drafts wait, hidden, for the same user.
	provided := m.user.host && m.user.provided
	if !m.user.host {
		m.unpersistOf(KeySession(m.surface), m.user.Credential)
	}
	m.flushDrafts()
	m.expired, m.user, m.tokenAsk = m.user.User, nil, 0
	m.clearMemory()
	m.setPrincipal(chat.Principal{})
	m.notify(Notification{Kind: NotifyError, Code: err.Code})
	if provided {
		m.notify(Notification{Kind: NotifyToken})
	}
}

// session is that of who is logged in here, or whose log-in only lacks the link.
func (m *Machine) session() *userSession {
	if m.linking() {
		return m.login.session
	}
	return m.user
}

func (m *Machine) logOut(everywhere bool) {
	session := m.session()
	if session == nil {
		m.endOpen("")
		m.usersLeft(true)
		m.unpersist(KeySession(m.surface))
		m.tellTabs(AuthSignal{Out: true})
		return
	}
	handles := m.handles()
	if m.linking() {
		handles = append([]string{session.Revoke}, handles...)
		m.login = nil
	}
	// The handles are stored first: whatever happens next, the sessions will end.
	keys := make([]string, len(handles))
	for i, h := range handles {
		keys[i] = m.revokeLater(h)
	}
	m.endOpen("")
	user := session.User
	m.clearIdentity()
	m.forgetStorage()
	m.tellTabs(AuthSignal{Out: true, User: user})
	path := "/api/logout"
	if everywhere {
		path = "/api/logout-everywhere"
	}
	m.endSession(keys[0], "POST", path, session.Credential)
}

// clearIdentity empties memory and screen of whoever was here.
func (m *Machine) clearIdentity() {
	m.dropAll()
	m.leave()
}

// leave makes the visitor nobody; what was written stays with its writers.
func (m *Machine) leave() {
	m.giveUpLogin()
	m.forgetMint()
	m.clearMemory()
	m.user, m.guest, m.expired, m.tokenAsk = nil, nil, "", 0
	m.guestDead, m.guestGone = false, 0
	m.vendors, m.vendorsHave = nil, false
	m.setPrincipal(chat.Principal{})
	m.setShown(false)
}

// usersLeft is a log-out where nobody is logged in: the host page says that its
// user left. A guest's chat stays; what a user left hidden goes, and so does what
// was written while one was logging in here: of another tab's log-out nobody can
// say whether that came before or after.
func (m *Machine) usersLeft(here bool) {
	coming := here && m.login != nil && m.guest == nil
	hidden := coming || m.expired != ""
	m.giveUpLogin()
	m.expired = ""
	m.dropItems(func(id chat.Identity) bool { return isUser(id) || coming && id == "" })
	if hidden {
		m.clearMemory()
		m.setShown(false)
	}
}

// dropAll forgets the outbox and the drafts of everybody.
func (m *Machine) dropAll() {
	m.dropItems(func(chat.Identity) bool { return true })
	m.items, m.draftAt = nil, 0
	clear(m.drafts)
}

func (m *Machine) forgetStorage() {
	m.emit(Forget{Keep: []string{KeyRevoke(m.surface, ""), KeyAuth(m.surface)}})
}

// tellTabs makes a log-out known, now and to tabs that wake up later.
func (m *Machine) tellTabs(sig AuthSignal) {
	sig.Stamp, sig.Nonce = m.nextStamp(), m.nextNonce()
	m.stamp, m.nonce = sig.Stamp, sig.Nonce
	sig.Ended = sig.Guest != ""
	// The record names nobody: a log-out leaves nothing behind.
	m.persist(KeyAuth(m.surface), encodeStored(AuthSignal{Nonce: sig.Nonce, Stamp: sig.Stamp, Out: true, Ended: sig.Ended}))
	m.emit(Broadcast{Auth: sig})
}
