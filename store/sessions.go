package store

import (
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// The user's own sessions: asked for when somebody looks at them, forgotten
// with the user. They are no part of what tabs or storage hold.

func (m *Machine) fetchSessions() {
	if m.user == nil {
		return
	}
	m.sessionsError = nil
	m.touch(dirtyTop)
	of := m.user.Credential
	m.request(call{kind: callSessions, of: of}, Call{Method: "GET", Path: "/api/sessions", Credential: of})
}

// endOther ends one of the user's other sessions; the present one ends with a LogOut.
func (m *Machine) endOther(id chat.AccountSessionID) {
	other := false
	for i := range m.sessions {
		other = other || m.sessions[i].ID == id && !m.sessions[i].Current
	}
	if m.user == nil || !other {
		return
	}
	m.sessionsError = nil
	m.touch(dirtyTop)
	of := m.user.Credential
	m.request(call{kind: callEnd, key: string(id), of: of}, Call{Method: "DELETE", Path: "/api/sessions/" + string(id), Credential: of})
}

// theirs tells whether an answer is for the session that asked: what another
// user's list says never reaches this one's screen.
func (m *Machine) theirs(c call) bool { return m.user != nil && m.user.Credential == c.of }

func (m *Machine) sessionsCame(c call, f Called) {
	if !m.theirs(c) {
		return
	}
	var list struct {
		Sessions []Session `json:"sessions"`
	}
	err := f.Error
	if err == nil && protocol.Unmarshal(f.Body, &list) != nil {
		err = chat.Errorf(chat.CodeInternal, "The server gave no list.")
	}
	m.sessionsError = err
	if err == nil {
		m.sessions, m.sessionsHave = list.Sessions, true
	}
	m.touch(dirtyTop)
}

func (m *Machine) sessionEnded(c call, f Called) {
	if !m.theirs(c) {
		return
	}
	// One that is not there any more has ended, as was asked.
	if f.Error == nil || f.Error.Code == chat.CodeNotFound {
		var left []Session // a new slice: views hold the old one
		for i := range m.sessions {
			if string(m.sessions[i].ID) != c.key {
				left = append(left, m.sessions[i])
			}
		}
		m.sessions = left
	} else {
		m.sessionsError = f.Error
	}
	m.touch(dirtyTop)
}

// forgetSessions forgets what was asked for as a user who is no more, the audit table with it.
func (m *Machine) forgetSessions() {
	m.sessions, m.sessionsHave, m.sessionsError, m.audit = nil, false, nil, nil
	m.touch(dirtyTop)
}
