package store

import (
	"strconv"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// The audit table: asked for when an admin looks at it, page by page, and
// forgotten with the admin. Whoever is none is told so by the server.

// auditPage is how many rows are asked for at once.
const auditPage = 50

func (m *Machine) fetchAudit(in FetchAudit) {
	if m.user == nil {
		return
	}
	next, before := AuditTable{Loading: true}, int64(0)
	if in.More {
		if m.audit == nil || m.audit.Loading || !m.audit.More {
			return
		}
		next = *m.audit
		next.Loading, next.Error = true, nil
		before = next.Rows[len(next.Rows)-1].ID
	}
	m.audit = &next
	m.touch(dirtyTop)
	of := m.user.Credential
	m.auditCall = m.request(call{kind: callAudit, of: of}, Call{
		Method: "GET", Path: "/api/audit?limit=" + strconv.Itoa(auditPage) + "&before=" + strconv.FormatInt(before, 10), Credential: of,
	})
}

func (m *Machine) auditCame(c call, f Called) {
	if !m.theirs(c) || m.audit == nil || f.Call != m.auditCall {
		return // for another user, or a later call asked anew
	}
	var page struct {
		Entries []AuditRow `json:"entries"`
		Names   []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"names"`
	}
	next, err := *m.audit, f.Error // a new value: views hold the old one
	if err == nil && protocol.Unmarshal(f.Body, &page) != nil {
		err = chat.Errorf(chat.CodeInternal, "The server gave no table.")
	}
	next.Loading, next.Error = false, err
	if err == nil {
		rows := make([]AuditRow, 0, len(next.Rows)+len(page.Entries))
		rows = append(append(rows, next.Rows...), page.Entries...)
		names := make(map[string]string, len(next.Names)+len(page.Names))
		for id, name := range next.Names {
			names[id] = name
		}
		for _, n := range page.Names {
			names[n.ID] = n.Name
		}
		next.Rows, next.Names, next.More = rows, names, len(page.Entries) >= auditPage
	}
	m.audit = &next
	m.touch(dirtyTop)
}
