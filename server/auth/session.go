package auth

import (
	"context"
	"slices"
	"time"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// endSession revokes a and the guest sessions it linked.
func endSession(w storage.Writer, a storage.AccountSession, now int64, c *Change) error {
	if a.RevokedAt == 0 {
		a.RevokedAt = now
		if err := w.PutAccountSession(a); err != nil {
			return err
		}
		c.Sessions = append(c.Sessions, a.ID)
	}
	guests, err := w.GuestSessionsByLogin(a.ID)
	if err != nil {
		return err
	}
	for _, g := range guests {
		if err := endGuest(w, g, now, c); err != nil {
			return err
		}
	}
	return nil
}

// burnTokens makes the identity tokens of a session worthless while they would be accepted.
func burnTokens(w storage.Writer, a storage.AccountSession, now int64) error {
	for _, t := range a.HostTokens {
		if t.Expires > now {
			if err := w.BurnToken(t.Hash, t.Expires); err != nil {
				return err
			}
		}
	}
	return nil
}

// endSessions ends the given sessions of one user, burns their identity
// tokens, and does the same to those that were opened or refreshed with one of
// the tokens: a page that was open twice has two sessions of one token.
func endSessions(w storage.Writer, user chat.UserID, list []storage.AccountSession, now int64, c *Change) error {
	others, err := w.AccountSessions(user)
	if err != nil {
		return err
	}
	for i := 0; i < len(list); i++ { // grows
		if err := endSession(w, list[i], now, c); err != nil {
			return err
		}
		if err := burnTokens(w, list[i], now); err != nil {
			return err
		}
		for _, o := range others {
			shares := slices.ContainsFunc(o.HostTokens, func(t storage.BurnableToken) bool {
				return slices.ContainsFunc(list[i].HostTokens, func(b storage.BurnableToken) bool { return b.Hash == t.Hash })
			})
			known := slices.ContainsFunc(list, func(a storage.AccountSession) bool { return a.ID == o.ID })
			if shares && !known {
				list = append(list, o)
			}
		}
	}
	return nil
}

// liveSessions are the user's sessions that are good at now, newest first.
func liveSessions(r storage.Reader, user chat.UserID, now int64) ([]storage.AccountSession, error) {
	list, err := r.AccountSessions(user)
	return slices.DeleteFunc(list, func(a storage.AccountSession) bool { return !a.Alive(now) }), err
}

func auditLogOut(w storage.Writer, a storage.AccountSession, now int64, how string) error {
	return w.AddAudit(storage.AuditEntry{At: now, Action: "logout", Actor: chat.UserIdentity(a.User), Subject: string(a.ID), Detail: how})
}

// LogOut ends the session of a credential for good, with its identity tokens
// and the guest sessions it linked. Repeating it, or logging out of a session
// that expired, is fine. invalid for a guest's credential, unauthenticated for
// one that never was.
func (s *Service) LogOut(ctx context.Context, credential string) error {
	switch kind, _ := parseCredential(credential); kind {
	case accountCredential:
	case guestCredential:
		return chat.Errorf(chat.CodeInvalid, "A guest session is not logged in")
	default:
		return errUnauthenticated
	}
	return wrap("log out", s.change(ctx, func(w storage.Writer, c *Change) error {
		a, err := w.AccountSessionByToken(hashOf(credential))
		if err != nil {
			return missing(err, errUnauthenticated)
		}
		return s.logOut(w, a, c, "")
	}))
}

func (s *Service) logOut(w storage.Writer, a storage.AccountSession, c *Change, how string) error {
	now := s.now()
	// Also where it has ended already: perhaps that was only to make room for
	// another, and its user means its tokens too.
	if err := endSessions(w, a.User, []storage.AccountSession{a}, now, c); err != nil || a.RevokedAt != 0 {
		return err
	}
	return auditLogOut(w, a, now, how)
}

// RevokeByHandle ends the account or guest session that a revoke-only handle
// belongs to. It succeeds also where the handle is unknown or was used before,
// so that it tells nothing and may be repeated.
func (s *Service) RevokeByHandle(ctx context.Context, handle string) error {
	if kind, _ := parseCredential(handle); kind != revokeHandle {
		return nil
	}
	hash := hashOf(handle)
	return wrap("revoke by handle", s.change(ctx, func(w storage.Writer, c *Change) error {
		a, err := w.AccountSessionByRevoke(hash)
		if err == nil {
			return s.logOut(w, a, c, "handle")
		}
		if err := ignoreMissing(err); err != nil {
			return err
		}
		g, err := w.GuestSessionByRevoke(hash)
		if err != nil {
			return ignoreMissing(err)
		}
		return endGuest(w, g, s.now(), c)
	}))
}

// user checks that p is a user whose session is still good, inside a
// transaction. A guest, linked or not, is denied.
func (s *Service) user(r storage.Reader, p chat.Principal) (storage.User, error) {
	if p.Kind != chat.KindUser {
		return storage.User{}, chat.Errorf(chat.CodeAccessDenied, "Only a logged-in user can do this")
	}
	now, err := s.Recheck(r, p)
	if err != nil {
		return storage.User{}, err
	}
	return r.User(now.User)
}

// LogOutEverywhere ends every session of the user, on both surfaces, this one
// included. access_denied for anybody but a user.
func (s *Service) LogOutEverywhere(ctx context.Context, p chat.Principal) error {
	return wrap("log out everywhere", s.change(ctx, func(w storage.Writer, c *Change) error {
		u, err := s.user(w, p)
		if err != nil {
			return err
		}
		return s.endAll(w, u.ID, "", "everywhere", c)
	}))
}

// endAll ends all sessions of a user except one ("" for none).
func (s *Service) endAll(w storage.Writer, user chat.UserID, except chat.AccountSessionID, why string, c *Change) error {
	list, err := w.AccountSessions(user)
	if err != nil {
		return err
	}
	now := s.now()
	for _, a := range list {
		if a.ID == except {
			continue
		}
		if err := endSession(w, a, now, c); err != nil {
			return err
		}
		if err := burnTokens(w, a, now); err != nil {
			return err
		}
		if err := auditLogOut(w, a, now, why); err != nil {
			return err
		}
	}
	return nil
}

// EndSession ends one of the user's own sessions. A session of somebody else
// and one that does not exist are both not_found.
func (s *Service) EndSession(ctx context.Context, p chat.Principal, id chat.AccountSessionID) error {
	return wrap("end session", s.change(ctx, func(w storage.Writer, c *Change) error {
		u, err := s.user(w, p)
		if err != nil {
			return err
		}
		a, err := w.AccountSession(id)
		if ignoreMissing(err) != nil {
			return err
		}
		if err != nil || a.User != u.ID || !a.Alive(s.now()) {
			return chat.Errorf(chat.CodeNotFound, "There is no such session")
		}
		return s.logOut(w, a, c, "ended")
	}))
}

// SessionInfo is one entry of a user's list of sessions.
type SessionInfo struct {
	ID         chat.AccountSessionID
	Surface    chat.Surface
	Client     string
	CreatedAt  int64 // Unix milliseconds, here and below
	LastSeenAt int64
	EndsAt     int64 // if nobody uses it any more
	Current    bool
}

// Sessions lists the user's live sessions, newest first. access_denied for anybody but a user.
func (s *Service) Sessions(ctx context.Context, p chat.Principal) ([]SessionInfo, error) {
	var out []SessionInfo
	err := s.storage.View(ctx, func(r storage.Reader) error {
		out = []SessionInfo{}
		u, err := s.user(r, p)
		if err != nil {
			return err
		}
		list, err := liveSessions(r, u.ID, s.now())
		for _, a := range list {
			out = append(out, SessionInfo{
				ID: a.ID, Surface: a.Surface, Client: a.Client, CreatedAt: a.CreatedAt,
				LastSeenAt: a.LastSeenAt, EndsAt: a.Ends(), Current: a.ID == p.Session,
			})
		}
		return err
	})
	return out, wrap("list sessions", err)
}

// ChangePassword gives the user another password and ends all their other
// sessions. invalid if old is wrong, next is no good password or the account
// is a host's; access_denied for anybody but a user.
func (s *Service) ChangePassword(ctx context.Context, p chat.Principal, old, next string) error {
	if _, err := ParsePassword(next); err != nil {
		return err
	}
	var seen storage.User
	err := s.storage.View(ctx, func(r storage.Reader) (err error) {
		seen, err = s.user(r, p)
		return err
	})
	if err != nil {
		return wrap("change password", err)
	}
	if seen.Issuer != "" {
		return chat.Errorf(chat.CodeInvalid, "This account has no password here")
	}
	wrong := chat.Errorf(chat.CodeInvalid, "The current password is wrong")
	ok, err := s.hasher.verify(ctx, seen.PasswordHash, old)
	if err != nil {
		return err
	}
	if !ok {
		s.refusal(ctx, "refused", "password "+string(seen.ID), storage.AuditEntry{Actor: chat.UserIdentity(seen.ID), Detail: "change_password"})
		return wrong
	}
	hash, err := s.hasher.hash(ctx, next)
	if err != nil {
		return err
	}
	return wrap("change password", s.change(ctx, func(w storage.Writer, c *Change) error {
		u, err := s.user(w, p)
		if err != nil {
			return err
		}
		if u.PasswordHash != seen.PasswordHash {
			return wrong
		}
		u.PasswordHash = hash
		if err := w.PutUser(u); err != nil {
			return err
		}
		if err := w.AddAudit(storage.AuditEntry{At: s.now(), Action: "password", Actor: chat.UserIdentity(u.ID), Subject: string(u.ID)}); err != nil {
			return err
		}
		return s.endAll(w, u.ID, p.Session, "password", c)
	}))
}

const (
	refusalsPerMinute = 60
	refusalTime       = 5 * time.Second // of writing a row
)

// refusal writes an audit row for something refused. Repeats under the same
// key are written once a minute, and all together refusalsPerMinute times, so
// that nobody can fill the table. A failure to write changes no answer, and whoever
// hangs up before the answer is in the table all the same.
func (s *Service) refusal(ctx context.Context, action, key string, e storage.AuditEntry) {
	now := s.now()
	s.mu.Lock()
	hash := hashOf(key) // of fixed length, and what was typed may be a password
	due := hint(s.refused, action+string(hash[:]), now, touchEvery)
	if now < s.minute || now-s.minute >= 60_000 {
		s.minute, s.rows = now, 0
	}
	if due = due && s.rows < refusalsPerMinute; due {
		s.rows++
	}
	s.mu.Unlock()
	s.cfg.Log.Info("refused", "action", action, "user", e.Actor, "reason", e.Detail)
	if !due {
		return
	}
	e.At, e.Action = now, action
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTime)
	defer cancel()
	if err := s.storage.Update(ctx, func(w storage.Writer) error { return w.AddAudit(e) }); err != nil {
		s.cfg.Log.Error("audit row lost", "action", action, "err", err)
	}
}
