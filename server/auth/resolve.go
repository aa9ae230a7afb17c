package auth

import (
	"context"
	"errors"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// Resolve turns one credential into a principal, inside the caller's
// transaction so that identity and rights are of one state. "" is nobody, the
// zero Principal. A credential that is presented but not good is
// unauthenticated, or session_expired where a log-in's time is over; it never
// falls back to a guest.
func (s *Service) Resolve(r storage.Reader, credential string) (chat.Principal, error) {
	if credential == "" {
		return chat.Principal{}, nil
	}
	switch kind, id := parseCredential(credential); kind {
	case accountCredential:
		a, err := r.AccountSessionByToken(hashOf(credential))
		if err != nil {
			return chat.Principal{}, missing(err, errUnauthenticated)
		}
		return s.ofAccount(r, a)
	case guestCredential:
		g, err := r.GuestSessionBySecret(hashOf(credential))
		if err != nil {
			return chat.Principal{}, missing(err, errUnauthenticated)
		}
		if g.ID != id {
			return chat.Principal{}, errUnauthenticated
		}
		return s.ofGuest(r, g)
	}
	return chat.Principal{}, errUnauthenticated
}

// Recheck resolves a principal again by its ids, for sockets and requests that
// outlive the transaction that resolved them. It returns the principal as it is
// now (name and role may differ), or unauthenticated or session_expired. A
// guest principal from before its session's link is unauthenticated: the secret
// it came from is dead. It is no authentication: p must come from Resolve.
func (s *Service) Recheck(r storage.Reader, p chat.Principal) (chat.Principal, error) {
	switch p.Kind {
	case chat.KindUser:
		a, err := r.AccountSession(p.Session)
		if err != nil {
			return chat.Principal{}, missing(err, errUnauthenticated)
		}
		if a.User != p.User {
			return chat.Principal{}, errUnauthenticated
		}
		return s.ofAccount(r, a)
	case chat.KindGuest:
		g, err := r.GuestSession(p.GuestSession)
		if err != nil {
			return chat.Principal{}, missing(err, errUnauthenticated)
		}
		if g.LinkedUser != p.User {
			return chat.Principal{}, errUnauthenticated
		}
		return s.ofGuest(r, g)
	}
	return chat.Principal{}, nil
}

// Ends tells when the principal's session ends if nobody uses it any more, in
// Unix milliseconds; 0 for nobody. Use and Refresh move it, so whoever closes
// sockets by it asks again at that time. Errors are those of Recheck.
func (s *Service) Ends(r storage.Reader, p chat.Principal) (int64, error) {
	if _, err := s.Recheck(r, p); err != nil {
		return 0, err
	}
	switch p.Kind {
	case chat.KindUser:
		a, err := r.AccountSession(p.Session)
		return a.Ends(), err
	case chat.KindGuest:
		g, err := r.GuestSession(p.GuestSession)
		if err != nil || g.LinkedUser == "" {
			return g.Ends(), err
		}
		a, err := r.AccountSession(g.LinkedBy)
		return min(g.Ends(), a.Ends()), err
	}
	return 0, nil
}

// ofAccount is the principal of an account session.
func (s *Service) ofAccount(r storage.Reader, a storage.AccountSession) (chat.Principal, error) {
	now := s.now()
	switch {
	case a.RevokedAt != 0:
		return chat.Principal{}, errUnauthenticated
	case !a.Alive(now):
		return chat.Principal{}, errSessionExpired
	}
	u, err := r.User(a.User)
	if err != nil {
		return chat.Principal{}, missing(err, errUnauthenticated)
	}
	if !u.Active {
		return chat.Principal{}, errUnauthenticated
	}
	return principalOf(u, a), nil
}

func principalOf(u storage.User, a storage.AccountSession) chat.Principal {
	return chat.Principal{Kind: chat.KindUser, User: u.ID, Session: a.ID, Name: u.Name, Role: u.Role, Surface: a.Surface}
}

// ofGuest is the principal of a guest session.
func (s *Service) ofGuest(r storage.Reader, g storage.GuestSession) (chat.Principal, error) {
	if !g.Alive(s.now()) {
		return chat.Principal{}, errUnauthenticated
	}
	p := chat.Principal{Kind: chat.KindGuest, GuestSession: g.ID, Name: chat.GuestLabel(g.ID), Surface: chat.SurfaceWidget}
	if g.LinkedUser == "" {
		return p, nil
	}
	u, err := s.linkedUser(r, g)
	if err != nil {
		return chat.Principal{}, err
	}
	// No role: a linked guest session gives participation only.
	p.User, p.Name = u.ID, u.Name
	return p, nil
}

// linkedUser is the user a linked guest session stands for, while that lasts.
func (s *Service) linkedUser(r storage.Reader, g storage.GuestSession) (storage.User, error) {
	a, err := r.AccountSession(g.LinkedBy)
	if err != nil {
		return storage.User{}, missing(err, errUnauthenticated)
	}
	if a.User != g.LinkedUser || !a.Alive(s.now()) {
		return storage.User{}, errUnauthenticated
	}
	u, err := r.User(g.LinkedUser)
	if err != nil {
		return storage.User{}, missing(err, errUnauthenticated)
	}
	if !u.Active {
		return storage.User{}, errUnauthenticated
	}
	return u, nil
}

const (
	touchEvery = 60_000  // milliseconds
	maxHints   = 1 << 16 // entries of the in-memory hints
)

// Touch records that the principal's session is in use, so that its idle time
// starts again. It writes at most once a minute and session, and is cheap to
// call for every request and every frame. A session that is over stays over.
func (s *Service) Touch(ctx context.Context, p chat.Principal) error {
	if !s.dueTouch(p) {
		return nil
	}
	return wrap("touch session", s.storage.Update(ctx, func(w storage.Writer) error { return s.TouchIn(w, p) }))
}

// TouchIn is Touch inside a transaction that writes anyway.
func (s *Service) TouchIn(w storage.Writer, p chat.Principal) error {
	now := s.now()
	switch p.Kind {
	case chat.KindUser:
		a, err := w.AccountSession(p.Session)
		if err != nil || !a.Alive(now) || now-a.LastSeenAt < touchEvery {
			return ignoreMissing(err)
		}
		a.LastSeenAt = now
		return w.PutAccountSession(a)
	case chat.KindGuest:
		g, err := w.GuestSession(p.GuestSession)
		if err != nil || !g.Alive(now) || now-g.LastSeenAt < touchEvery {
			return ignoreMissing(err)
		}
		g.LastSeenAt = now
		return w.PutGuestSession(g)
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// dueTouch tells whether a minute has passed since this process last touched the session.
func (s *Service) dueTouch(p chat.Principal) bool {
	key := string(p.Session) + string(p.GuestSession)
	if key == "" {
		return false
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return hint(s.touched, key, now, touchEvery)
}

// hint tells whether key was not seen within the period, and remembers it. A
// full map is emptied: that costs a repeated write, never a wrong answer.
func hint(m map[string]int64, key string, now, period int64) bool {
	if at, ok := m[key]; ok && now >= at && now-at < period {
		return false
	}
	if len(m) >= maxHints {
		clear(m)
	}
	m[key] = now
	return true
}
