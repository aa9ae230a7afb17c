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
	// Names tells what the users, vendors, rooms and log-ins of the entries are
	// called now. What is gone, or never was, has no name.
	Names []Named `json:"names"`
}

// Named is what something is called.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
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
		page = AuditPage{Entries: make([]AuditEntry, len(stored)), Names: []Named{}}
		n, told := newNames(r), make(map[string]bool)
		for i, e := range stored {
			page.Entries[i] = AuditEntry(e)
			ids := append(strings.Fields(e.Detail), string(e.Actor), e.Subject, string(e.Room))
			for _, id := range ids {
				if told[id] {
					continue
				}
				told[id] = true
				name, err := n.called(id, p.Identity())
				if err != nil {
					return err
				}
				if name != "" {
					page.Names = append(page.Names, Named{id, name})
				}
			}
		}
		return nil
	})
	s.decisions.note(ctx, seen)
	return page, err
}

// called is what an id stands for, as a viewer sees it; "" for what has no name.
func (n *names) called(id string, viewer chat.Identity) (string, error) {
	kind, _, _ := strings.Cut(id, "_")
	switch kind {
	case "u":
		return n.user(chat.UserID(id))
	case "v":
		v, err := optional(n.r.Vendor(chat.VendorID(id)))
		return v.Name, err
	case "s":
		session, err := optional(n.r.AccountSession(chat.AccountSessionID(id)))
		return session.Client, err
	case "r":
		return n.room(chat.RoomID(id), viewer)
	}
	return "", nil
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
