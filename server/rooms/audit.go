package rooms

import (
	"context"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
)

// MaxAuditLimit is the most rows a page of the audit table has.
const MaxAuditLimit = 200

// AuditPage is a page of the audit table.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"` // newest first
	// Names tells by id what the users, vendors, rooms and log-ins of the entries
	// are called now. What is gone, or never was, has no name.
	Names map[string]string `json:"names"`
}

// AuditEntry is a row of the audit table.
type AuditEntry struct {
	ID      int64         `json:"id"`
	At      int64         `json:"at"` // Unix milliseconds
	Action  string        `json:"action"`
	Actor   chat.Identity `json:"actor,omitempty"` // "" for the operator
	Subject string        `json:"subject,omitempty"`
	Room    chat.RoomID   `json:"room,omitempty"`
	Detail  string        `json:"detail,omitempty"`
}

// Audit pages through the audit table: rows with an id below before (0: from
// the newest); admins only. Errors: unauthenticated, session_expired,
// access_denied, invalid.
func (s *Service) Audit(ctx context.Context, p chat.Principal, before int64, limit int) (page AuditPage, err error) {
	if before < 0 || limit < 0 || limit > MaxAuditLimit {
		return page, chat.Errorf(chat.CodeInvalid, "limit must be at most %d, before not negative", MaxAuditLimit)
	}
	if limit == 0 {
		limit = 50
	}
	var seen verdict
	err = s.view(ctx, func(r storage.Reader) error {
		_, v, err := s.permit(r, p, access.Audit)
		seen = v
		if err != nil {
			return err
		}
		stored, err := r.Audit(before, limit)
		if err != nil {
			return err
		}
		page = AuditPage{Entries: make([]AuditEntry, len(stored)), Names: make(map[string]string)}
		n := newNames(r)
		for i, e := range stored {
			page.Entries[i] = AuditEntry(e)
			ids := append(strings.Fields(e.Detail), string(e.Actor), e.Subject, string(e.Room))
			for _, id := range ids {
				if err := page.name(n, p, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	s.decisions.note(ctx, seen)
	return page, err
}

// name adds what an id stands for to the names, as the viewer sees it.
func (a *AuditPage) name(n *names, viewer chat.Principal, id string) error {
	if _, ok := a.Names[id]; ok {
		return nil
	}
	kind, _, _ := strings.Cut(id, "_")
	name, err := "", error(nil)
	switch kind {
	case "u":
		name, err = n.user(chat.UserID(id))
	case "v":
		var v chat.Vendor
		v, err = optional(n.r.Vendor(chat.VendorID(id)))
		name = v.Name
	case "s":
		var session storage.AccountSession
		session, err = optional(n.r.AccountSession(chat.AccountSessionID(id)))
		name = session.Client
	case "r":
		name, err = n.room(chat.RoomID(id), viewer.Identity())
	}
	if name != "" {
		a.Names[id] = name
	}
	return err
}

// room is a room's name as a viewer sees it, "" where there is no such room.
func (n *names) room(id chat.RoomID, viewer chat.Identity) (string, error) {
	row, err := optional(n.r.Room(id))
	if err != nil || row.ID == "" {
		return "", err
	}
	members, err := n.r.Members(id)
	if err != nil {
		return "", err
	}
	state, err := stateOf(row, members, n)
	return state.Title(viewer), err
}
