package auth

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Session is what a log-in gives. Credential and Revoke exist here and at the
// client only.
type Session struct {
	ID         chat.AccountSessionID
	Credential string
	Revoke     string // ends the session, good for nothing else; "" from Refresh
	Principal  chat.Principal
	ExpiresAt  int64 // Unix milliseconds; the absolute end
	Host       bool  // a host-signed log-in: not to be persisted by a browser
}

// errLogIn is the one answer to a log-in that failed for whatever reason of the account's.
var errLogIn = chat.Errorf(chat.CodeUnauthenticated, "Wrong username or password")

// LogIn opens an account session for a built-in account. Unknown user, wrong
// password and disabled account are one error, unauthenticated, after the same
// work; too many log-ins at once are rate_limited. client is what the list of
// sessions shows, e.g. "Firefox on Linux".
func (s *Service) LogIn(ctx context.Context, username, password string, surface chat.Surface, client string) (Session, error) {
	if _, err := chat.ParseSurface(string(surface)); err != nil {
		return Session{}, err
	}
	var seen storage.User
	if name, err := ParseUsername(username); err == nil {
		err := s.storage.View(ctx, func(r storage.Reader) (err error) {
			seen, err = r.UserByName(name)
			return ignoreMissing(err)
		})
		if err != nil {
			return Session{}, wrap("log in", err)
		}
	}
	ok, err := s.hasher.verify(ctx, seen.PasswordHash, password)
	if err != nil {
		return Session{}, err
	}
	if !ok || !seen.Active {
		// By the name that was tried, so that known and unknown ones are told apart
		// by nothing; the row names the account, never the typed text, which may be a password.
		s.refusal(ctx, "refused", "login "+strings.ToLower(username), storage.AuditEntry{Actor: chat.UserIdentity(seen.ID), Detail: "password"})
		return Session{}, errLogIn
	}
	upgrade := ""
	if s.hasher.outdated(seen.PasswordHash) {
		if upgrade, err = s.hasher.hash(ctx, password); err != nil {
			return Session{}, err
		}
	}
	return s.open(ctx, surface, client, nil, func(w storage.Writer) (storage.User, error) {
		u, err := w.User(seen.ID)
		// What was checked must still hold: hashing takes long enough to be disabled in.
		if err != nil {
			return storage.User{}, missing(err, errLogIn)
		}
		if !u.Active || u.PasswordHash != seen.PasswordHash {
			return storage.User{}, errLogIn
		}
		if upgrade != "" {
			u.PasswordHash = upgrade
			if err := w.PutUser(u); err != nil {
				return storage.User{}, err
			}
		}
		return u, nil
	})
}

// LogInToken opens a widget session for the user a host's identity token
// names, and makes that user at the first log-in. A token that is not good, was
// burned by a log-out or names a disabled user is unauthenticated.
func (s *Service) LogInToken(ctx context.Context, token string, surface chat.Surface, client string) (Session, error) {
	if surface != chat.SurfaceWidget {
		return Session{}, chat.Errorf(chat.CodeInvalid, "Identity tokens are for the widget only")
	}
	t, err := s.verifyToken(ctx, token)
	if err != nil {
		return Session{}, err
	}
	id, err := s.id("u_")
	if err != nil {
		return Session{}, err
	}
	why := ""
	out, err := s.open(ctx, surface, client, &t, func(w storage.Writer) (storage.User, error) {
		burned, err := w.TokenBurned(t.hash)
		if err != nil {
			return storage.User{}, err
		}
		if burned {
			why = "burned"
			return storage.User{}, errToken
		}
		u, err := w.UserBySubject(t.issuer, t.subject)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			u = storage.User{
				ID: chat.UserID(id), Name: t.name, Role: chat.RoleUser, Active: true,
				Issuer: t.issuer, Subject: t.subject, CreatedAt: s.now(),
			}
			if u.Name == "" {
				u.Name = "Customer " + strings.ToUpper(id[2:6])
			}
			return u, w.PutUser(u)
		case err != nil:
			return storage.User{}, err
		case !u.Active:
			why = "disabled"
			return storage.User{}, errToken
		case t.name != "" && t.name != u.Name:
			u.Name = t.name
			return u, w.PutUser(u)
		}
		return u, nil
	})
	if err != nil && why != "" {
		s.tokenRefused(ctx, why)
	}
	return out, err
}

// open makes a session for the user that who finds inside the transaction.
func (s *Service) open(ctx context.Context, surface chat.Surface, client string, t *token, who func(storage.Writer) (storage.User, error)) (Session, error) {
	var out Session
	id, err := s.id("s_")
	if err != nil {
		return Session{}, err
	}
	if out.Credential, err = s.secret(accountPrefix); err != nil {
		return Session{}, err
	}
	if out.Revoke, err = s.secret(revokePrefix); err != nil {
		return Session{}, err
	}
	out.ID, out.Host = chat.AccountSessionID(id), t != nil
	err = s.change(ctx, func(w storage.Writer, c *Change) error {
		u, err := who(w)
		if err != nil {
			return err
		}
		now := s.now()
		a := storage.AccountSession{
			ID: out.ID, User: u.ID, Token: hashOf(out.Credential), Revoke: hashOf(out.Revoke),
			Surface: surface, CreatedAt: now, LastSeenAt: now, Client: parseClient(client),
		}
		detail := string(surface)
		if t != nil {
			detail += " token"
			a.ExpiresAt, a.IdleMS = t.ends, s.cfg.AccountIdle.Milliseconds()
			a.HostTokens = []storage.BurnableToken{{Hash: t.hash, Expires: t.burnedUntil}}
		} else {
			idle, absolute := s.lifetimes(u.Role)
			a.ExpiresAt, a.IdleMS = now+absolute, idle
		}
		if err := s.makeRoom(w, u.ID, now, c); err != nil {
			return err
		}
		if err := w.PutAccountSession(a); err != nil {
			return err
		}
		out.Principal, out.ExpiresAt = principalOf(u, a), a.ExpiresAt
		return w.AddAudit(storage.AuditEntry{At: now, Action: "login", Actor: chat.UserIdentity(u.ID), Subject: string(a.ID), Detail: detail})
	})
	if err != nil {
		return Session{}, wrap("log in", err)
	}
	return out, nil
}

// lifetimes of a built-in account's session, in milliseconds.
func (s *Service) lifetimes(role chat.Role) (idle, absolute int64) {
	if role == chat.RoleAdmin {
		return s.cfg.AdminIdle.Milliseconds(), s.cfg.AdminAbsolute.Milliseconds()
	}
	return s.cfg.AccountIdle.Milliseconds(), s.cfg.AccountAbsolute.Milliseconds()
}

// makeRoom ends the user's longest unused sessions until one more fits. Their
// identity tokens are not burned: nobody logged out.
func (s *Service) makeRoom(w storage.Writer, user chat.UserID, now int64, c *Change) error {
	live, err := liveSessions(w, user, now)
	if err != nil {
		return err
	}
	for len(live) >= s.cfg.MaxSessions {
		oldest := 0
		for i := range live {
			if live[i].LastSeenAt < live[oldest].LastSeenAt {
				oldest = i
			}
		}
		if err := endSession(w, live[oldest], now, c); err != nil {
			return err
		}
		live = append(live[:oldest], live[oldest+1:]...)
	}
	return nil
}

// Refresh extends a host-signed session with a fresh token of the same
// subject; the credential stays. A token of another subject is access_denied
// and changes nothing: a refresh never switches user. invalid for a session
// that no host signed; otherwise errors are those of Resolve and LogInToken.
func (s *Service) Refresh(ctx context.Context, credential, fresh string) (Session, error) {
	if kind, _ := parseCredential(credential); kind != accountCredential {
		return Session{}, errUnauthenticated
	}
	t, err := s.verifyToken(ctx, fresh)
	if err != nil {
		return Session{}, err
	}
	var out Session
	err = s.storage.Update(ctx, func(w storage.Writer) error {
		p, err := s.Resolve(w, credential)
		if err != nil {
			return err
		}
		a, err := w.AccountSession(p.Session)
		if err != nil {
			return err
		}
		u, err := w.User(p.User)
		if err != nil {
			return err
		}
		burned, err := w.TokenBurned(t.hash)
		switch {
		case err != nil:
			return err
		case u.Issuer == "":
			return chat.Errorf(chat.CodeInvalid, "This session is not a host's")
		case u.Issuer != t.issuer || u.Subject != t.subject:
			return chat.Errorf(chat.CodeAccessDenied, "The identity token is of another user")
		case burned:
			return errToken
		}
		now := s.now()
		var kept []storage.BurnableToken
		for _, b := range a.HostTokens {
			if b.Hash != t.hash && b.Expires > now {
				kept = append(kept, b)
			}
		}
		a.HostTokens = append(kept, storage.BurnableToken{Hash: t.hash, Expires: t.burnedUntil})
		a.LastSeenAt = now
		limit := a.CreatedAt + s.cfg.AccountAbsolute.Milliseconds()
		a.ExpiresAt = max(a.ExpiresAt, min(t.ends, limit))
		out = Session{ID: a.ID, Credential: credential, Principal: p, ExpiresAt: a.ExpiresAt, Host: true}
		return w.PutAccountSession(a)
	})
	if err != nil {
		return Session{}, wrap("refresh session", err)
	}
	return out, nil
}

// ParseUsername checks a built-in account's username and returns it in lower
// case: 1 to 64 of a-z, 0-9 and . _ - @ +. The error has code invalid.
func ParseUsername(s string) (string, error) {
	bad := chat.Errorf(chat.CodeInvalid, "username must have 1 to 64 of a-z, 0-9 and . _ - @ +")
	if len(s) == 0 || len(s) > 64 {
		return "", bad
	}
	for i := 0; i < len(s); i++ { // before the case changes: strings.ToLower makes a k of the Kelvin sign
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-@+", c) >= 0) {
			return "", bad
		}
	}
	return strings.ToLower(s), nil
}

// parseClient makes what a client says of itself fit for a list.
func parseClient(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > chat.MaxName {
		return string(r[:chat.MaxName])
	}
	return s
}
