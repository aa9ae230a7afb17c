package auth_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

func TestLink(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann", chat.RoleAdmin)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	before := w.alive("guest", g.Credential)

	out := must[auth.LinkOutcome](t)(w.link(s.Credential, g.Credential))
	want := auth.LinkOutcome{Status: auth.Linked, Principal: s.Principal, Guest: g.ID, Credential: out.Credential, Change: auth.Change{Guests: []chat.GuestSessionID{g.ID}}}
	if out.Credential == g.Credential || auth.GuestOf(out.Credential) != g.ID || out.Status != want.Status || out.Principal != want.Principal || out.Guest != want.Guest {
		t.Fatalf("got  %+v\nwant %+v with a new credential", out, want)
	}
	if c := w.announced(); !slices.Equal(c.Guests, want.Change.Guests) {
		t.Errorf("announced %+v", c)
	}
	w.dead("planted copy of the old secret", g.Credential, chat.CodeUnauthenticated)
	w.code(chat.CodeUnauthenticated, w.recheck(before)) // a socket opened with it
	w.ok(w.RevokeByHandle(ctx, g.Revoke))               // as planted as the secret
	p := w.alive("rotated secret", out.Credential)
	if p != (chat.Principal{Kind: chat.KindGuest, GuestSession: g.ID, User: ann.ID, Name: "ann", Surface: chat.SurfaceWidget}) {
		t.Errorf("linked guest is %+v: it has its user's name and no role", p)
	}
	if rows := w.audit("link"); len(rows) != 1 || rows[0].Actor != chat.UserIdentity(ann.ID) || rows[0].Subject != string(g.ID) {
		t.Errorf("audit rows %+v", rows)
	}

	// The answer was lost; the same user asks again, from the same or another log-in.
	again := w.login("ann", chat.SurfaceWidget)
	for name, c := range map[string][2]string{
		"pre-link secret":                  {s.Credential, g.Credential},
		"pre-link secret, another log-in":  {again.Credential, g.Credential},
		"current secret":                   {s.Credential, out.Credential},
		"current secret, another log-in":   {again.Credential, out.Credential},
		"pre-link secret, asked once more": {s.Credential, g.Credential},
	} {
		got, err := w.link(c[0], c[1])
		if err != nil || got.Status != auth.AlreadyLinked || got.Guest != g.ID || got.Credential != "" || !got.Change.Empty() {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	w.alive("rotated secret is still the current one", out.Credential)
	w.dead("pre-link secret is good for nothing else", g.Credential, chat.CodeUnauthenticated)
	w.code(chat.CodeUnauthenticated, w.EndGuest(ctx, g.Credential))

	w.ok(w.EndGuest(ctx, out.Credential))
	w.dead("ended", out.Credential, chat.CodeUnauthenticated)
	w.alive("its user's log-in lives on", s.Credential)
	_, err := w.link(s.Credential, g.Credential)
	w.code(chat.CodeAccessDenied, err)
}

func TestLinkRefusals(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.AccountAbsolute = time.Hour })
	w.user("ann", chat.RoleUser)
	bob := w.user("bob", chat.RoleUser)
	annSession, bobSession := w.login("ann", chat.SurfaceWidget), w.login("bob", chat.SurfaceWidget)
	loggedOut := w.login("ann", chat.SurfaceWidget)
	w.ok(w.LogOut(ctx, loggedOut.Credential))
	inbox := w.login("ann", chat.SurfaceInbox)
	free, taken, ended := w.guest(), w.guest(), w.guest()
	takenOut := must[auth.LinkOutcome](t)(w.link(annSession.Credential, taken.Credential))
	w.ok(w.EndGuest(ctx, ended.Credential))
	w.announced()
	forged := free.Credential[:30] + strings.Repeat("A", 43)

	var denied string
	for _, c := range []struct {
		name, account, guest string
		code                 chat.Code
	}{
		{"stolen id only", bobSession.Credential, string(free.ID), chat.CodeAccessDenied},
		{"id with a guessed secret", bobSession.Credential, forged, chat.CodeAccessDenied},
		{"linked to another, old secret", bobSession.Credential, taken.Credential, chat.CodeAccessDenied},
		{"linked to another, current secret", bobSession.Credential, takenOut.Credential, chat.CodeAccessDenied},
		{"linked to oneself, guessed secret", annSession.Credential, taken.Credential[:30] + strings.Repeat("A", 43), chat.CodeAccessDenied},
		{"ended guest session", bobSession.Credential, ended.Credential, chat.CodeAccessDenied},
		{"never minted", bobSession.Credential, "gs_" + strings.Repeat("b", 25) + "a_" + strings.Repeat("A", 43), chat.CodeAccessDenied},
		{"no guest credential", bobSession.Credential, "", chat.CodeAccessDenied},
		{"an account as guest", bobSession.Credential, annSession.Credential, chat.CodeAccessDenied},
		{"from the inbox", inbox.Credential, free.Credential, chat.CodeAccessDenied},
		{"nobody", "", free.Credential, chat.CodeUnauthenticated},
		{"a guest as account", free.Credential, free.Credential, chat.CodeUnauthenticated},
		{"logged out", loggedOut.Credential, free.Credential, chat.CodeUnauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.link(c.account, c.guest)
			if chat.CodeOf(err) != c.code {
				t.Fatalf("got %v, want %q", err, c.code)
			}
			if c.code == chat.CodeAccessDenied {
				if denied == "" {
					denied = err.Error()
				}
				if err.Error() != denied {
					t.Errorf("%q differs from %q", err, denied)
				}
			}
		})
	}
	if c := w.announced(); !c.Empty() {
		t.Errorf("refusals announced %+v", c)
	}
	if p := w.alive("free guest", free.Credential); p.User != "" {
		t.Errorf("free guest became %+v", p)
	}
	w.alive("taken guest", takenOut.Credential)

	w.LinkRefused(ctx, bobSession.Credential, taken.Credential)
	rows := w.audit("link_refused")
	if len(rows) != 1 || rows[0].Actor != chat.UserIdentity(bob.ID) || rows[0].Subject != string(taken.ID) {
		t.Errorf("audit rows %+v", rows)
	}

	w.pass(time.Hour)
	_, err := w.link(annSession.Credential, free.Credential)
	w.code(chat.CodeSessionExpired, err)
	// Expiry ends the link too, and a later log-in does not revive it.
	w.dead("link's log-in expired", takenOut.Credential, chat.CodeUnauthenticated)
	_, err = w.link(w.login("ann", chat.SurfaceWidget).Credential, takenOut.Credential)
	w.code(chat.CodeAccessDenied, err)
	w.dead("for good", takenOut.Credential, chat.CodeUnauthenticated)
}

func TestLinkEndsWithItsLogIn(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.AccountIdle = time.Hour })
	w.user("ann", chat.RoleUser)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	out := must[auth.LinkOutcome](t)(w.link(s.Credential, g.Credential))
	p := w.alive("linked", out.Credential)
	if got, want := w.ends(p), w.ends(s.Principal); got != want {
		t.Errorf("the linked guest session ends at %d, its log-in at %d", got, want)
	}
	w.pass(time.Hour)
	w.dead("log-in", s.Credential, chat.CodeSessionExpired)
	w.dead("linked", out.Credential, chat.CodeUnauthenticated)
}

// F16: two users link one guest session at the same moment.
func TestConcurrentLinks(t *testing.T) {
	for range 100 {
		w := newWorld(t)
		w.user("ann", chat.RoleUser)
		w.user("bob", chat.RoleUser)
		sessions := []auth.Session{w.login("ann", chat.SurfaceWidget), w.login("bob", chat.SurfaceWidget)}
		g := w.guest()
		outs := make([]auth.LinkOutcome, 2)
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range sessions {
			wg.Go(func() { outs[i], errs[i] = w.link(sessions[i].Credential, g.Credential) })
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		if winner < 0 || chat.CodeOf(errs[1-winner]) != chat.CodeAccessDenied || outs[winner].Status != auth.Linked {
			t.Fatalf("outcomes %+v, errors %v", outs, errs)
		}
		p := w.alive("winner's", outs[winner].Credential)
		if p.User != sessions[winner].Principal.User {
			t.Fatalf("linked to %s, but %s was told so", p.User, sessions[winner].Principal.User)
		}
	}
}

// Who hangs up before the answer is audited all the same, and covers nobody
// who does the same a moment later.
func TestRefusalsOfThoseWhoHangUp(t *testing.T) {
	var hangUp func()
	w := newWorld(t, func(c *auth.Config) {
		now := c.Now
		c.Now = func() time.Time {
			if hangUp != nil {
				hangUp()
			}
			return now()
		}
	})
	w.user("ada", chat.RoleUser)
	g, s := w.guest(), w.login("ada", chat.SurfaceWidget)
	for name, try := range map[string]func(ctx context.Context){
		"refused": func(ctx context.Context) {
			_, err := w.LogIn(ctx, "ada", "not it at all", chat.SurfaceInbox, "")
			w.code(chat.CodeUnauthenticated, err)
		},
		"link_refused": func(ctx context.Context) { w.LinkRefused(ctx, s.Credential, g.Credential) },
	} {
		before := len(w.audit(name))
		ctx, cancel := context.WithCancel(context.Background())
		hangUp = cancel
		try(ctx)
		hangUp = nil
		try(context.Background())
		if got := len(w.audit(name)) - before; got != 1 {
			t.Errorf("%s: %d rows", name, got)
		}
	}
}
