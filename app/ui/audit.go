package ui

import (
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

// mayAudit tells whether the audit table is offered. The server decides.
func (m *Model) mayAudit() bool {
	return m.view.Surface == chat.SurfaceInbox && m.view.Principal.Role == chat.RoleAdmin
}

// audit is the audit table, beside the rooms or, in a narrow window, alone.
func (b *Inbox) audit() app.UI {
	m := b.M
	a := m.view.Audit
	if a == nil {
		a = &store.AuditTable{}
	}
	note := ""
	switch {
	case a.Error != nil && a.Error.Code == chat.CodeAccessDenied:
		note = b.Audit.Denied
	case a.Error != nil:
		note = m.T.Error(a.Error)
	case a.Loading:
		note = m.T.Loading
	case len(a.Rows) == 0:
		note = b.Audit.Empty
	}
	more := m.T.More
	if a.Error != nil {
		more = m.T.Retry
	}
	return app.Section().Class("region-audit").Aria("labelledby", "audit-title").Body(
		app.Header().Class("sec").Body(
			iconButton(m.T.Back, iconBack, "start", b.onAuditBack),
			app.Div().Class("grow").Body(
				app.H2().ID("audit-title").Class("t1").TabIndex(-1).Text(m.T.Audit),
				app.P().Class("t2").Text(b.Audit.About)),
			app.Button().Type("button").Class("chip-button").OnClick(b.onAuditNew).Text(b.Audit.Refresh)),
		app.Div().Class("audit-box").Body(
			app.If(len(a.Rows) > 0, func() app.UI { return &AuditList{M: m, T: b.Audit, A: a} }),
			app.P().Class("note").Role("status").Text(note),
			app.If(!a.Loading && (a.More || a.Error != nil && a.Error.Code != chat.CodeAccessDenied), func() app.UI {
				return textButton(more, b.onAuditMore).Class("more")
			})))
}

func (b *Inbox) onAuditBack(app.Context, app.Event) { b.M.auditing = false; b.M.Settle() }
func (b *Inbox) onAuditNew(app.Context, app.Event)  { b.M.Do(store.FetchAudit{}) }
func (b *Inbox) onAuditMore(app.Context, app.Event) {
	a := b.M.view.Audit
	b.M.Do(store.FetchAudit{More: a != nil && len(a.Rows) > 0})
}

// AuditList is the table itself. It is drawn again only with another value of A.
type AuditList struct {
	app.Compo
	M *Model
	T *AuditText
	A *store.AuditTable
}

// Render draws the table. The roles are spelled out because a narrow window
// lays the rows out as cards, which would take them away.
func (l *AuditList) Render() app.UI {
	t := l.T
	head := func(name string) app.UI { return app.Th().Role("columnheader").Scope("col").Text(name) }
	rows := make([]app.UI, len(l.A.Rows))
	for i := range l.A.Rows {
		rows[i] = l.row(&l.A.Rows[i])
	}
	return app.Table().Class("audit").Role("table").Aria("label", l.M.T.Audit).Body(
		app.THead().Role("rowgroup").Body(app.Tr().Role("row").Body(
			head(t.Time), head(t.What), head(t.By), head(t.Subject), head(t.Room))),
		app.TBody().Role("rowgroup").Body(rows...))
}

func (l *AuditList) row(r *store.AuditRow) app.UI {
	t := l.T
	what, detail := t.Line(r.Action, r.Detail, l.name)
	by := l.name(string(r.Actor))
	if by == "" {
		by = t.Operator
		if r.Action == "refused" {
			by = t.Unknown // whoever tried has no account
		}
	}
	cell := func(label, value string) app.UI {
		class := ""
		if value == "" {
			class = "blank"
		}
		return app.Td().Role("cell").Class(class).Body(
			app.Span().Class("label").Aria("hidden", true).Text(label),
			app.Span().Class("value").Dir("auto").Text(value))
	}
	return app.Tr().Role("row").Body(
		app.Td().Role("cell").Class("at").Text(l.M.Clock.Stamp(l.M.T, r.At)),
		app.Td().Role("cell").Class("what").Body(
			app.Span().Class("value").Text(what),
			app.Span().Class("t2").Dir("auto").Text(detail),
			app.Details().Body(
				app.Summary().Aria("label", t.IDs+", "+what).Text("…"), // its place is the row's end
				app.P().Text(auditIDs(r)))),
		cell(t.By, by),
		cell(t.Subject, l.name(r.Subject)),
		cell(t.Room, l.name(string(r.Room))))
}

// name is what an id of a row stands for; the id itself where nobody knows.
func (l *AuditList) name(id string) string {
	if name := l.A.Names[id]; name != "" {
		return name
	}
	if strings.HasPrefix(id, "g_") {
		return chat.GuestLabel(chat.GuestSessionID(id))
	}
	return id
}

// auditIDs is the row as it is stored, for whoever looks further by command.
func auditIDs(r *store.AuditRow) string {
	out := []string{"#" + itoa(int(r.ID)), time.UnixMilli(r.At).UTC().Format(time.RFC3339), r.Action}
	for _, s := range []string{string(r.Actor), r.Subject, string(r.Room), r.Detail} {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}
