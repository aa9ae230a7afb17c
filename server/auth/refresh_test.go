package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

func TestLogOutBurnsTokens(t *testing.T) {
	w := newHostWorld(t)
	ec := claims{"alg": "ES256", "kid": "es"}
	opened := sign("ES256", ec, w.claims(nil))
	refreshed, unused, foreign := w.token(nil), w.token(nil), w.token(claims{"sub": "7"})
	s := must[auth.Session](t)(w.enter(opened))
	twin := must[auth.Session](t)(w.enter(opened)) // a second tab with the same page
	other := must[auth.Session](t)(w.enter(unused))
	bystander := must[auth.Session](t)(w.enter(foreign))
	must[auth.Session](t)(w.Refresh(ctx, s.Credential, refreshed))
	w.announced()

	w.ok(w.LogOut(ctx, s.Credential))
	for name, token := range map[string]string{
		"opened with":                         opened,
		"refreshed with":                      refreshed,
		"opened with, other signature of it":  malleate(opened),
		"opened with, signed once more":       resign(opened),
		"refreshed with, spelt with a space ": refreshed + " ",
	} {
		_, err := w.enter(token)
		if chat.CodeOf(err) != chat.CodeUnauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
		_, err = w.Refresh(ctx, other.Credential, token)
		if chat.CodeOf(err) != chat.CodeUnauthenticated {
			t.Errorf("%s, as a refresh: got %v", name, err)
		}
	}
	w.dead("logged out", s.Credential, chat.CodeUnauthenticated)
	w.dead("other session of the same token", twin.Credential, chat.CodeUnauthenticated)
	if c := w.announced(); !slices.Contains(c.Sessions, s.ID) || !slices.Contains(c.Sessions, twin.ID) {
		t.Errorf("announced %+v", c)
	}
	w.alive("session of another token", other.Credential)
	w.alive("bystander", bystander.Credential)
	must[auth.Session](t)(w.enter(w.token(nil)))

	// Burned until the token is no longer accepted, whatever is swept meanwhile.
	for range 12 {
		w.pass(time.Minute)
		w.ok(w.Sweep(ctx))
		_, err := w.enter(opened)
		w.code(chat.CodeUnauthenticated, err)
	}
}

// malleate gives the other valid signature of an ECDSA token.
func malleate(token string) string {
	i := strings.LastIndexByte(token, '.')
	sig, _ := b64.DecodeString(token[i+1:])
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s)
	return token[:i+1] + b64.EncodeToString(append(sig[:32:32], s.FillBytes(make([]byte, 32))...))
}

func resign(token string) string {
	i := strings.LastIndexByte(token, '.')
	sum := sha256.Sum256([]byte(token[:i]))
	r, s, _ := ecdsa.Sign(rand.Reader, keys.ec, sum[:])
	return token[:i+1] + b64.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// Before the burn every form is good: the test above is not vacuous.
func TestTokenHasSeveralForms(t *testing.T) {
	w := newHostWorld(t)
	token := sign("ES256", claims{"alg": "ES256", "kid": "es"}, w.claims(nil))
	for _, form := range []string{token, malleate(token), resign(token)} {
		must[auth.Session](t)(w.enter(form))
	}
}

func TestRefresh(t *testing.T) {
	w := newHostWorld(t)
	w.user("ann", chat.RoleUser)
	s := must[auth.Session](t)(w.enter(w.token(nil)))
	builtIn, g := w.login("ann", chat.SurfaceWidget), w.guest()

	w.pass(9 * time.Minute)
	got := must[auth.Session](t)(w.Refresh(ctx, s.Credential, w.token(nil)))
	want := auth.Session{ID: s.ID, Credential: s.Credential, Principal: s.Principal, ExpiresAt: w.clock().Add(10 * time.Minute).UnixMilli(), Host: true}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	w.pass(9 * time.Minute)
	w.alive("extended", s.Credential)

	for name, c := range map[string]struct {
		credential, token string
		code              chat.Code
	}{
		"another subject":              {s.Credential, w.token(claims{"sub": "7"}), chat.CodeAccessDenied},
		"same subject of another host": {s.Credential, sign("HS256", claims{"alg": "HS256"}, w.claims(claims{"iss": "https://single.example"})), chat.CodeAccessDenied},
		"bad token":                    {s.Credential, w.token(nil) + "x", chat.CodeUnauthenticated},
		"built-in account":             {builtIn.Credential, w.token(nil), chat.CodeInvalid},
		"guest":                        {g.Credential, w.token(nil), chat.CodeUnauthenticated},
		"nobody":                       {"", w.token(nil), chat.CodeUnauthenticated},
		"unknown":                      {"as_" + strings.Repeat("A", 43), w.token(nil), chat.CodeUnauthenticated},
	} {
		if _, err := w.Refresh(ctx, c.credential, c.token); chat.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
	if p := w.alive("after refusals", s.Credential); p != s.Principal {
		t.Errorf("became %+v", p)
	}
	// An older token does not shorten the session.
	now := w.clock().Unix()
	short := must[auth.Session](t)(w.Refresh(ctx, s.Credential, w.token(claims{"exp": now + 5})))
	if short.ExpiresAt != want.ExpiresAt {
		t.Errorf("shortened to %d, want %d", short.ExpiresAt, want.ExpiresAt)
	}
	w.pass(time.Minute)
	_, err := w.Refresh(ctx, s.Credential, w.token(nil))
	w.code(chat.CodeSessionExpired, err)
}

func TestRefreshKeepsFewTokensAndOneAbsoluteEnd(t *testing.T) {
	w := newHostWorld(t, func(c *auth.Config) { c.AccountAbsolute = 24 * time.Hour })
	s := must[auth.Session](t)(w.enter(w.token(nil)))
	start := w.clock()
	var err error
	for err == nil && w.clock().Sub(start) < 48*time.Hour {
		w.pass(9 * time.Minute)
		_, err = w.Refresh(ctx, s.Credential, w.token(nil))
		var a storage.AccountSession
		w.view(func(r storage.Reader) { a = must[storage.AccountSession](t)(r.AccountSession(s.ID)) })
		if len(a.HostTokens) > 4 {
			t.Fatalf("%d tokens are kept", len(a.HostTokens))
		}
	}
	w.code(chat.CodeSessionExpired, err)
	if got := w.clock().Sub(start); got < 24*time.Hour || got > 24*time.Hour+10*time.Minute {
		t.Errorf("ended after %v", got)
	}
}

func TestDisabledHostUser(t *testing.T) {
	w := newHostWorld(t)
	s := must[auth.Session](t)(w.enter(w.token(nil)))
	w.ok(w.SetActive(ctx, s.Principal.User, false))
	w.dead("disabled", s.Credential, chat.CodeUnauthenticated)
	_, err := w.enter(w.token(nil))
	w.code(chat.CodeUnauthenticated, err)
	w.ok(w.SetActive(ctx, s.Principal.User, true))
	again := must[auth.Session](t)(w.enter(w.token(nil)))
	if again.Principal.User != s.Principal.User {
		t.Error("a second user for one subject")
	}
}

// A session that was ended to make room for another is no log-out, but its
// user may still log out of it.
func TestEvictionBurnsNothing(t *testing.T) {
	w := newHostWorld(t, func(c *auth.Config) { c.MaxSessions = 1 })
	token := w.token(nil)
	evicted := must[auth.Session](t)(w.enter(token))
	w.pass(time.Second)
	must[auth.Session](t)(w.enter(token))
	w.dead("evicted", evicted.Credential, chat.CodeUnauthenticated)
	w.pass(time.Second)
	last := must[auth.Session](t)(w.enter(token))
	w.ok(w.LogOut(ctx, evicted.Credential))
	w.dead("session of the same token", last.Credential, chat.CodeUnauthenticated)
	_, err := w.enter(token)
	w.code(chat.CodeUnauthenticated, err)
}
