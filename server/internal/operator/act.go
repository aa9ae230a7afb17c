//go:build !js

package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Deps are what commands are carried out with. All but Log must be set; Log
// discards where it is nil.
type Deps struct {
	Storage storage.Storage
	Auth    *auth.Service
	Rooms   *rooms.Service
	Log     *slog.Logger
}

// act carries out a request and returns what to print.
func (d Deps) act(ctx context.Context, q request) (string, error) {
	switch q.Command {
	case "user add":
		u, err := d.Auth.CreateUser(ctx, auth.NewUser{Username: q.User, Name: q.Name, Role: q.Role, Password: q.Password})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("user %s added as %s\n", u.Username, u.ID), nil
	case "user passwd":
		return d.onUser(ctx, q, "the password of %s is changed, and all its sessions have ended\n", func(id chat.UserID) error {
			return d.Auth.SetPassword(ctx, id, q.Password)
		})
	case "user disable":
		return d.onUser(ctx, q, "user %s is disabled, and all its sessions have ended\n", func(id chat.UserID) error {
			return d.Auth.SetActive(ctx, id, false)
		})
	case "user enable":
		return d.onUser(ctx, q, "user %s is enabled\n", func(id chat.UserID) error { return d.Auth.SetActive(ctx, id, true) })
	case "user role":
		return d.onUser(ctx, q, "user %s now has the role "+string(q.Role)+"\n", func(id chat.UserID) error {
			return d.Auth.SetRole(ctx, id, q.Role)
		})
	case "user list":
		return d.listUsers(ctx)
	case "vendor add":
		v, err := d.Rooms.AddVendor(ctx, q.Slug, q.Name, q.Avatar)
		if err != nil {
			if chat.CodeOf(err) == chat.CodeConflict {
				return "", chat.Errorf(chat.CodeConflict, "there is a vendor %s already", q.Slug)
			}
			return "", err
		}
		return fmt.Sprintf("vendor %s added as %s\n", v.Slug, v.ID), nil
	case "vendor member":
		return d.setMember(ctx, q)
	case "vendor list":
		return d.listVendors(ctx)
	case "explain":
		return d.explain(ctx, q)
	case "audit":
		return d.audit(ctx, q)
	}
	return "", chat.Errorf(chat.CodeInvalid, "the server does not know the command %q", q.Command)
}

// onUser finds the user of a request, runs f and says what was done.
func (d Deps) onUser(ctx context.Context, q request, done string, f func(chat.UserID) error) (string, error) {
	u, err := d.Auth.FindUser(ctx, q.User)
	if err != nil {
		return "", err
	}
	if err := f(u.ID); err != nil {
		return "", err
	}
	return fmt.Sprintf(done, nameOf(u)), nil
}

// nameOf is how the operator calls a user: the username, or the id of a host's user.
func nameOf(u storage.User) string {
	if u.Username != "" {
		return u.Username
	}
	return string(u.ID)
}

func (d Deps) setMember(ctx context.Context, q request) (string, error) {
	var v chat.Vendor
	err := d.Storage.View(ctx, func(r storage.Reader) (err error) {
		v, err = r.VendorBySlug(q.Slug)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return "", chat.Errorf(chat.CodeNotFound, "there is no vendor %q", q.Slug)
	}
	if err != nil {
		return "", err
	}
	done := "user %s is staff of " + v.Slug + "\n"
	if q.Remove {
		done = "user %s is no longer staff of " + v.Slug + "\n"
	}
	return d.onUser(ctx, q, done, func(id chat.UserID) error { return d.Rooms.SetVendorMember(ctx, v.ID, id, !q.Remove) })
}

// table lays out rows of cells; what others chose is shown so that it can't
// break the line or the terminal.
func table(head string, rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	return b.String()
}

func (d Deps) listUsers(ctx context.Context) (string, error) {
	list, err := d.Auth.Users(ctx)
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, u := range list {
		username, state := u.Username, "active"
		if u.Issuer != "" {
			username = "(" + u.Issuer + " " + strconv.Quote(u.Subject) + ")"
		}
		if !u.Active {
			state = "disabled"
		}
		rows = append(rows, []string{string(u.ID), string(u.Role), state, username, u.Name})
	}
	return table("ID ROLE STATE USERNAME NAME", rows), nil
}

func (d Deps) listVendors(ctx context.Context) (string, error) {
	var rows [][]string
	err := d.Storage.View(ctx, func(r storage.Reader) error {
		rows = nil
		list, err := r.Vendors()
		if err != nil {
			return err
		}
		for _, v := range list {
			members, err := r.VendorMembers(v.ID)
			if err != nil {
				return err
			}
			var names []string
			for _, id := range members {
				u, err := r.User(id)
				if err != nil {
					return err
				}
				names = append(names, nameOf(u))
			}
			slices.Sort(names)
			rows = append(rows, []string{string(v.ID), v.Slug, strings.Join(names, ","), v.Name})
		}
		return nil
	})
	return table("ID SLUG STAFF NAME", rows), err
}

func (d Deps) explain(ctx context.Context, q request) (string, error) {
	room, err := chat.ParseRoomID(q.Room)
	if err != nil {
		return "", err
	}
	var about rooms.Subject
	if id, err := chat.ParseGuestSessionID(q.About); err == nil {
		about.GuestSession = id
	} else if id, err := chat.ParseAccountSessionID(q.About); err == nil {
		about.Session = id
	} else {
		u, err := d.Auth.FindUser(ctx, q.About)
		if err != nil {
			return "", err
		}
		about.User = u.ID
	}
	e, err := d.Rooms.ExplainToOperator(ctx, room, about)
	if err != nil {
		return "", err
	}
	verdict := "denied"
	if e.Allowed {
		verdict = "allowed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", verdict, e.Reason)
	f := e.Facts
	var participants []string
	for _, id := range f.Participants {
		participants = append(participants, string(id))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, fact := range [][2]string{
		{"kind", string(f.Kind)},
		{"user", string(f.User)},
		{"user active", yes(f.UserActive)},
		{"role", string(f.Role)},
		{"guest session", string(f.GuestSession)},
		{"session alive", yes(f.SessionAlive)},
		{"link's log-in alive", yes(f.LoginAlive)},
		{"room exists", yes(f.RoomExists)},
		{"room closed", yes(f.RoomClosed)},
		{"room's guest session", string(f.RoomGuest)},
		{"room's linked user", string(f.RoomLinkedUser)},
		{"participant", yes(f.Participant)},
		{"participants", strings.Join(participants, " ")},
	} {
		if fact[1] == "" {
			fact[1] = "-"
		}
		fmt.Fprintf(w, "%s\t%s\n", fact[0], fact[1])
	}
	fmt.Fprintln(w)
	for _, a := range slices.Sorted(maps.Keys(e.Actions)) {
		x := e.Actions[a]
		verdict := "denied"
		if x.Allowed {
			verdict = "allowed"
		}
		fmt.Fprintf(w, "%s\t%s: %s\n", a, verdict, x.Reason)
	}
	w.Flush()
	return b.String(), nil
}

// auditPage is how many rows of the audit table are shown at a time.
const auditPage = 50

// audit shows a page of the audit table, newest first, and how to see the next.
func (d Deps) audit(ctx context.Context, q request) (string, error) {
	if q.Before < 0 {
		return "", chat.Errorf(chat.CodeInvalid, "--before must be the number of a row")
	}
	var stored []storage.AuditEntry
	err := d.Storage.View(ctx, func(r storage.Reader) (err error) {
		stored, err = r.Audit(q.Before, auditPage)
		return err
	})
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, e := range stored {
		row := []string{strconv.FormatInt(e.ID, 10), time.UnixMilli(e.At).UTC().Format(time.RFC3339), e.Action, string(e.Actor), e.Subject, string(e.Room), e.Detail}
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			}
		}
		rows = append(rows, row)
	}
	out := table("ROW AT ACTION ACTOR SUBJECT ROOM DETAIL", rows)
	if len(stored) == auditPage {
		out += fmt.Sprintf("\nolder rows: anteroom audit --before %d\n", stored[len(stored)-1].ID)
	}
	return out, nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
