package store

// runDue does everything whose time has come.
func (m *Machine) runDue() {
	m.heartbeat()
	m.expireTyping()
	if m.draftAt != 0 && m.now >= m.draftAt {
		m.flushDrafts()
	}
	if m.login != nil && m.login.retryAt != 0 && m.now >= m.login.retryAt {
		m.login.retryAt = 0
		m.advanceLogin()
	}
	if m.recordAt != 0 && m.now >= m.recordAt {
		sig := *m.record
		m.record, m.recordAt = nil, 0
		m.authChanged(sig)
	}
	if m.guestGone != 0 && m.now >= m.guestGone {
		m.guestGone = 0
		if m.login != nil {
			m.believeGone(10 * guestGrace) // the log-in under way settles it
		} else {
			m.forgetGuest()
		}
	}
	if m.mintAt != 0 && m.now >= m.mintAt {
		m.mintAt = 0
	}
	if m.tokenAsk != 0 && m.now >= m.tokenAsk {
		m.tokenAsk = 0
		if at := m.now + tokenLead/3; m.user != nil && at < m.user.Expires {
			m.tokenAsk = at
		}
		m.notify(Notification{Kind: NotifyToken})
	}
	if m.listAt != 0 && m.now >= m.listAt {
		m.listAt = 0
		m.refreshRooms()
	}
	if m.vendorsAt != 0 && m.now >= m.vendorsAt {
		m.vendorsAt = 0
		m.fetchVendors()
	}
	for _, id := range sortedKeys(m.open) {
		if r := m.open[id]; r != nil && r.retryAt != 0 && m.now >= r.retryAt {
			r.retryAt = 0
			m.join(r)
		}
	}
	if m.outageAt() != 0 && m.now >= m.outageAt() {
		m.touch(dirtyTop)
	}
}

// outageAt is when a lost connection begins to count as offline, 0 for never.
func (m *Machine) outageAt() int64 {
	if m.conn.lostAt == 0 || m.view.Connection == Offline || m.conn.phase == up || !m.connectable() {
		return 0
	}
	return m.conn.lostAt + longOutage
}

// nextWake is the earliest time at which something is due, 0 for never.
func (m *Machine) nextWake() int64 {
	if !m.restored {
		return 0
	}
	var next int64
	at := func(t int64) {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	c := &m.conn
	switch c.phase {
	case down:
		at(c.retryAt)
	case dialing, greeting:
		at(c.deadline)
	case up:
		at(c.deadAt)
		if !c.pinged {
			at(c.heard + PingAfter)
		}
		if t := m.oldestRequest(); t != 0 {
			at(t + answerTimeout)
		}
	}
	at(m.outageAt())
	at(m.draftAt)
	at(m.mintAt)
	at(m.guestGone)
	at(m.recordAt)
	at(m.tokenAsk)
	at(m.vendorsAt)
	at(m.listAt)
	if m.login != nil {
		at(m.login.retryAt)
	}
	for _, r := range m.revokes {
		at(r.retryAt)
	}
	for _, r := range m.open {
		at(r.retryAt)
		for _, t := range r.typing {
			at(t.Until)
		}
	}
	for _, it := range m.items {
		if m.sendable(it) && it.retryAt > m.now {
			at(it.retryAt)
		}
	}
	return next
}
