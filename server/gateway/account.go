package gateway

import (
	"net/http"
	"strings"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

func (c *call) mintGuest() (int, any, error) {
	now := c.g.now()
	if err := c.g.guestSessions.take(now, c.address, 1); err != nil {
		return 0, nil, err
	}
	made, err := c.g.auth.MintGuest(c.ctx)
	if err != nil {
		c.g.guestSessions.give(now, c.address, 1)
	}
	return http.StatusCreated, guestSession{made.ID, made.Credential, made.Revoke, made.ExpiresAt}, err
}

func (c *call) endGuest() (int, any, error) { return done, nil, c.g.auth.EndGuest(c.ctx, c.credential) }

// logIn limits before it works: every log-in by address, and failed ones by
// address and by account. What succeeds is given back to the latter two, so
// that an office that begins its day is no attack.
func (c *call) logIn() (int, any, error) {
	var b logIn
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	if (b.Token != "") == (b.Username != "" || b.Password != "") {
		return 0, nil, chat.Errorf(chat.CodeInvalid, "give either token or username and password")
	}
	if _, err := chat.ParseSurface(string(b.Surface)); err != nil {
		return 0, nil, err
	}
	now, account := c.g.now(), strings.ToLower(b.Username)
	if len(account) > maxUsername {
		account = account[:maxUsername] // no such account; but the table stays small
	}
	if account != "" {
		account = "login " + account // what is typed there names nothing else in the table
	}
	if err := c.g.logIns.take(now, c.address, 1); err != nil {
		return 0, nil, err
	}
	if err := c.g.failedLogIns.take(now, c.address, 1); err != nil {
		return 0, nil, err
	}
	if err := c.g.accountLogIns.take(now, account, 1); err != nil {
		c.g.failedLogIns.give(now, c.address, 1)
		return 0, nil, err
	}
	var s auth.Session
	var err error
	if b.Token != "" {
		s, err = c.g.auth.LogInToken(c.ctx, b.Token, b.Surface, client(c.UserAgent()))
	} else {
		s, err = c.g.auth.LogIn(c.ctx, b.Username, b.Password, b.Surface, client(c.UserAgent()))
	}
	if chat.CodeOf(err) != chat.CodeUnauthenticated {
		c.g.failedLogIns.give(now, c.address, 1)
		c.g.accountLogIns.give(now, account, 1)
	}
	return http.StatusOK, session{s.ID, s.Credential, s.Revoke, s.ExpiresAt, s.Principal, s.Host}, err
}

const maxUsername = 64

func (c *call) refresh() (int, any, error) {
	var b tokenBody
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	s, err := c.g.auth.Refresh(c.ctx, c.credential, b.Token)
	return http.StatusOK, refreshed{s.ExpiresAt}, err
}

func (c *call) logOut() (int, any, error) { return done, nil, c.g.auth.LogOut(c.ctx, c.credential) }

func (c *call) logOutEverywhere() (int, any, error) {
	return done, nil, c.g.auth.LogOutEverywhere(c.ctx, c.principal)
}

func (c *call) revoke() (int, any, error) {
	var b revoke
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	return done, nil, c.g.auth.RevokeByHandle(c.ctx, b.Handle)
}

func (c *call) link() (int, any, error) {
	var b link
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	l, err := c.g.rooms.Link(c.ctx, c.credential, b.Guest)
	return http.StatusOK, linked{string(l.Status), l.GuestSession, l.Credential}, err
}

// password limits wrong guesses like those of a log-in.
func (c *call) password() (int, any, error) {
	var b password
	if err := c.decode(&b); err != nil {
		return 0, nil, err
	}
	now, account := c.g.now(), "password "+string(c.principal.Identity())
	if err := c.g.accountLogIns.take(now, account, 1); err != nil {
		return 0, nil, err
	}
	err := c.g.auth.ChangePassword(c.ctx, c.principal, b.Old, b.New)
	if err == nil {
		c.g.accountLogIns.give(now, account, 1)
	}
	return done, nil, err
}

func (c *call) me() (int, any, error) { return http.StatusOK, me{c.principal}, nil }

func (c *call) sessions() (int, any, error) {
	list, err := c.g.auth.Sessions(c.ctx, c.principal)
	out := sessions{Sessions: []sessionInfo{}}
	for _, s := range list {
		out.Sessions = append(out.Sessions, sessionInfo(s))
	}
	return http.StatusOK, out, err
}

func (c *call) endSession() (int, any, error) {
	id, err := chat.ParseAccountSessionID(c.PathValue("session"))
	if err != nil {
		return 0, nil, err
	}
	return done, nil, c.g.auth.EndSession(c.ctx, c.principal, id)
}
