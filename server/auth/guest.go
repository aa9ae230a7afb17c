package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Guest is a freshly minted guest session. Credential and Revoke exist here
// and at the visitor only.
type Guest struct {
	ID         chat.GuestSessionID
	Credential string
	Revoke     string
	ExpiresAt  int64 // Unix milliseconds; the absolute end
}

// MintGuest makes a guest session. There is no other way to one: a value that
// a client brings along is never accepted as a new session.
func (s *Service) MintGuest(ctx context.Context) (Guest, error) {
	id, err := s.id("g_")
	if err != nil {
		return Guest{}, err
	}
	g := Guest{ID: chat.GuestSessionID(id)}
	if g.Credential, err = s.guestSecret(g.ID); err != nil {
		return Guest{}, err
	}
	if g.Revoke, err = s.secret(revokePrefix); err != nil {
		return Guest{}, err
	}
	now := s.now()
	g.ExpiresAt = now + s.cfg.GuestAbsolute.Milliseconds()
	row := storage.GuestSession{
		ID:         g.ID,
		Secret:     hashOf(g.Credential),
		Revoke:     hashOf(g.Revoke),
		CreatedAt:  now,
		LastSeenAt: now,
		ExpiresAt:  g.ExpiresAt,
		IdleMS:     s.cfg.GuestIdle.Milliseconds(),
	}
	if err := s.storage.Update(ctx, func(w storage.Writer) error { return w.PutGuestSession(row) }); err != nil {
		return Guest{}, wrap("mint guest session", err)
	}
	return g, nil
}

func (s *Service) guestSecret(id chat.GuestSessionID) (string, error) {
	return s.secret(guestPrefix + strings.TrimPrefix(string(id), "g_") + "_")
}

// EndGuest revokes the guest session of a credential ("End chat and forget
// me"). A session that is over already is fine; a credential that is none of a
// guest session, or of one that never was, is unauthenticated.
func (s *Service) EndGuest(ctx context.Context, credential string) error {
	kind, id := parseCredential(credential)
	if kind != guestCredential {
		return errUnauthenticated
	}
	now := s.now()
	return wrap("end guest session", s.change(ctx, func(w storage.Writer, c *Change) error {
		g, err := w.GuestSessionBySecret(hashOf(credential))
		if err != nil {
			return missing(err, errUnauthenticated)
		}
		if g.ID != id {
			return errUnauthenticated
		}
		return endGuest(w, g, now, c)
	}))
}

// endGuest revokes g if it lives.
func endGuest(w storage.Writer, g storage.GuestSession, now int64, c *Change) error {
	if g.RevokedAt != 0 {
		return nil
	}
	g.RevokedAt = now
	c.Guests = append(c.Guests, g.ID)
	return w.PutGuestSession(g)
}

// LinkStatus says what a link request came to.
type LinkStatus string

// The outcomes of a link that was not refused.
const (
	Linked        LinkStatus = "linked"
	AlreadyLinked LinkStatus = "already_linked" // to the same user, by a request whose answer was lost
)

// LinkOutcome is what LinkGuest did.
type LinkOutcome struct {
	Status     LinkStatus
	Principal  chat.Principal      // of the account credential
	Guest      chat.GuestSessionID // whose rooms are to move if Status is Linked
	Credential string              // the rotated one; "" if already linked
	Change     Change              // for Announce after the commit
}

// errLinkRefused is the one answer to every guest credential that can't be
// linked. It is not unauthenticated: that would make the client drop the log-in.
var errLinkRefused = chat.Errorf(chat.CodeAccessDenied, "This guest session can't be linked")

// LinkGuest links a guest session to the user of an account session inside the
// caller's transaction and rotates its secret: a copy of the old one is dead
// once the transaction commits. It needs the current secret of a live guest
// session and a live log-in on the widget.
//
// The secret from before the link, with the same live user while the link
// lives, is answered AlreadyLinked and changes nothing. Errors are
// unauthenticated and session_expired for the account credential, access_denied
// for everything about the guest's, and then the caller rolls back and calls
// LinkRefused.
func (s *Service) LinkGuest(w storage.Writer, account, guest string) (LinkOutcome, error) {
	if kind, _ := parseCredential(account); kind != accountCredential {
		return LinkOutcome{}, errUnauthenticated
	}
	p, err := s.Resolve(w, account)
	if err != nil {
		return LinkOutcome{}, err
	}
	if p.Surface != chat.SurfaceWidget {
		return LinkOutcome{}, errLinkRefused
	}
	kind, id := parseCredential(guest)
	if kind != guestCredential {
		return LinkOutcome{}, errLinkRefused
	}
	g, err := w.GuestSession(id)
	if err != nil {
		return LinkOutcome{}, missing(err, errLinkRefused)
	}
	now, hash := s.now(), hashOf(guest)
	if !g.Alive(now) {
		return LinkOutcome{}, errLinkRefused
	}
	current := subtle.ConstantTimeCompare(g.Secret[:], hash[:]) == 1
	former := subtle.ConstantTimeCompare(g.PreLink[:], hash[:]) == 1 && g.PreLink != (storage.Hash{})
	if g.LinkedUser != "" {
		if !current && !former || g.LinkedUser != p.User {
			return LinkOutcome{}, errLinkRefused
		}
		if _, err := s.linkedUser(w, g); err != nil {
			if _, ok := errors.AsType[*chat.Error](err); ok {
				return LinkOutcome{}, errLinkRefused
			}
			return LinkOutcome{}, err
		}
		return LinkOutcome{Status: AlreadyLinked, Principal: p, Guest: g.ID}, nil
	}
	if !current {
		return LinkOutcome{}, errLinkRefused
	}
	fresh, err := s.guestSecret(g.ID)
	if err != nil {
		return LinkOutcome{}, err
	}
	// Whoever had a copy of the old value had the revoke handle too; nobody gets
	// the new one, because the session ends with its log-in.
	handle, err := s.secret(revokePrefix)
	if err != nil {
		return LinkOutcome{}, err
	}
	g.PreLink, g.Secret, g.Revoke = g.Secret, hashOf(fresh), hashOf(handle)
	g.LinkedUser, g.LinkedBy, g.LinkedAt = p.User, p.Session, now
	g.LastSeenAt = now
	if err := w.PutGuestSession(g); err != nil {
		return LinkOutcome{}, fmt.Errorf("link guest session %s: %w", g.ID, err)
	}
	err = w.AddAudit(storage.AuditEntry{At: now, Action: "link", Actor: chat.UserIdentity(p.User), Subject: string(g.ID)})
	if err != nil {
		return LinkOutcome{}, err
	}
	return LinkOutcome{
		Status: Linked, Principal: p, Guest: g.ID, Credential: fresh,
		Change: Change{Guests: []chat.GuestSessionID{g.ID}},
	}, nil
}

// LinkRefused puts a refused link into the audit table.
func (s *Service) LinkRefused(ctx context.Context, account, guest string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTime)
	defer cancel()
	var actor chat.Identity
	err := s.storage.View(ctx, func(r storage.Reader) error {
		p, err := s.Resolve(r, account)
		actor = p.Identity()
		return err
	})
	if err != nil {
		return // nobody who could be named asked
	}
	s.refusal(ctx, "link_refused", string(actor), storage.AuditEntry{Actor: actor, Subject: string(GuestOf(guest))})
}
