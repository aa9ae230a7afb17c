package store

import (
	"strconv"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// call is what an API answer will be about.
type call struct {
	kind callKind
	key  string // storage key of a revocation, or the session to end
	of   string // the credential whose answer it is, where another's is of no use
}

type callKind string

const (
	callMint     callKind = "mint"
	callLogin    callKind = "login"
	callLink     callKind = "link"
	callRevoke   callKind = "revoke"
	callVendors  callKind = "vendors"
	callRefresh  callKind = "refresh"
	callPassword callKind = "password"
	callSessions callKind = "sessions"
	callEnd      callKind = "end"
	callAudit    callKind = "audit"
)

// Bodies of requests and answers of the HTTP API.
type (
	loginBody struct {
		Username string       `json:"username,omitempty"`
		Password string       `json:"password,omitempty"`
		Token    string       `json:"token,omitempty"`
		Surface  chat.Surface `json:"surface"`
	}
	loginAnswer struct {
		Credential string         `json:"credential"`
		Revoke     string         `json:"revoke"`
		ExpiresAt  int64          `json:"expires_at"`
		Principal  chat.Principal `json:"principal"`
		Host       bool           `json:"host"`
	}
	guestAnswer struct {
		ID         chat.GuestSessionID `json:"id"`
		Credential string              `json:"credential"`
		Revoke     string              `json:"revoke"`
	}
	linkBody struct {
		Guest string `json:"guest"`
	}
	handleBody struct {
		Handle string `json:"handle"`
	}
	tokenBody struct {
		Token string `json:"token"`
	}
	passwordBody struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	refreshAnswer struct {
		ExpiresAt int64 `json:"expires_at"`
	}
)

// request starts an API call and returns its number.
func (m *Machine) request(c call, e Call) int64 {
	m.call++
	e.Call = m.call
	m.calls[m.call] = c
	m.emit(e)
	return m.call
}

// called takes the answer to an API call.
func (m *Machine) called(f Called) {
	c, ok := m.calls[f.Call]
	if !ok {
		return
	}
	delete(m.calls, f.Call)
	switch c.kind {
	case callMint:
		m.minted(f)
	case callLogin:
		m.loggedIn(f)
	case callLink:
		m.linked(f)
	case callRevoke:
		m.revoked(c.key, f.Error)
	case callVendors:
		m.vendorsCall = 0
		var page protocol.VendorsPage
		if f.Error != nil || protocol.Unmarshal(f.Body, &page) != nil {
			m.vendorsAt = m.now + backoffMin + m.backoff(2)
			return
		}
		m.vendors, m.vendorsHave, m.vendorsWant = page.Vendors, true, false
		m.touch(dirtyTop | dirtyRoom)
	case callRefresh:
		var a refreshAnswer
		if f.Error != nil {
			m.logError = f.Error
			m.notify(Notification{Kind: NotifyError, Code: f.Error.Code})
			m.touch(dirtyTop)
		} else if m.user != nil && protocol.Unmarshal(f.Body, &a) == nil {
			m.user.Expires = a.ExpiresAt
			m.keepOpen(m.user)
			m.planToken()
		}
	case callPassword:
		m.logError, m.pwSaved = f.Error, f.Error == nil
		m.touch(dirtyTop)
	case callSessions:
		m.sessionsCame(c, f)
	case callEnd:
		m.sessionEnded(c, f)
	case callAudit:
		m.auditCame(c, f)
	}
}

func (m *Machine) fetchVendors() {
	if m.vendorsCall == 0 && m.vendorsWant {
		m.vendorsCall = m.request(call{kind: callVendors}, Call{Method: "GET", Path: "/api/vendors"})
	}
}

func (m *Machine) changePassword(in ChangePassword) {
	if m.user == nil {
		return
	}
	m.pwSaved, m.logError = false, nil
	m.touch(dirtyTop)
	m.request(call{kind: callPassword}, Call{
		Method: "POST", Path: "/api/password",
		Credential: m.user.Credential, Body: passwordBody(in),
	})
}

// revocation is a session that must still be ended on the server. Its handle
// can do nothing else.
type revocation struct {
	handle  string
	call    int64
	retryAt int64
	tries   int
}

// revokeLater keeps a handle until the server has ended its session. It is
// stored first, so that a log-out in a dying tab is not forgotten.
func (m *Machine) revokeLater(handle string) string {
	if !isHandle(handle) {
		return ""
	}
	key := KeyRevoke(m.surface, m.nextID())
	m.revokes[key] = &revocation{handle: handle}
	m.persist(key, handle)
	return key
}

// endSession ends a session on the server by its own credential, with its
// handle as what is left if that fails.
func (m *Machine) endSession(key, method, path, credential string) {
	c := call{kind: callRevoke, key: key}
	n := m.request(c, Call{Method: method, Path: path, Credential: credential, Keepalive: true})
	if r := m.revokes[key]; r != nil {
		r.call = n
	}
}

func (m *Machine) flushRevokes() {
	for _, key := range sortedKeys(m.revokes) {
		r := m.revokes[key]
		if r.call != 0 || r.retryAt > m.now {
			continue
		}
		if !m.network {
			r.retryAt = m.now + backoffMax
			continue
		}
		r.retryAt = 0
		r.call = m.request(call{kind: callRevoke, key: key}, Call{
			Method: "POST", Path: "/api/revoke",
			Body: handleBody{Handle: r.handle}, Keepalive: true,
		})
	}
}

func (m *Machine) revoked(key string, err *chat.Error) {
	r := m.revokes[key]
	if r == nil {
		return
	}
	r.call = 0
	// A credential that is already dead proves nothing about the session's
	// handle: the handle is then tried as well.
	if err != nil && (err.Temporary() || r.tries == 0) {
		r.retryAt = m.now + m.backoff(r.tries)
		r.tries++
		return
	}
	delete(m.revokes, key)
	m.unpersist(key)
}

func (m *Machine) nextNonce() string {
	return m.tab + "." + strconv.FormatInt(m.now, 36) + "." + m.nextID()
}
