package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

func TestLogInRefusals(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	gone := w.user("gone", chat.RoleUser)
	w.ok(w.SetActive(t.Context(), gone.ID, false))
	var first string
	for _, c := range []struct{ name, username, password string }{
		{"unknown user", "nobody", password("ann")},
		{"wrong password", "ann", "wrong password"},
		{"disabled", "gone", password("gone")},
		{"empty password", "ann", ""},
		{"empty username", "", ""},
		{"malformed username", "ann\x00", password("ann")},
		{"long password", "ann", strings.Repeat("x", 1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.LogIn(t.Context(), c.username, c.password, chat.SurfaceInbox, "")
			if chat.CodeOf(err) != chat.CodeUnauthenticated {
				t.Fatalf("got %v", err)
			}
			if first == "" {
				first = err.Error()
			}
			if err.Error() != first {
				t.Errorf("%q differs from %q", err, first)
			}
		})
	}
	t.Run("no good surface", func(t *testing.T) {
		_, err := w.LogIn(t.Context(), "ann", password("ann"), "api", "")
		if chat.CodeOf(err) != chat.CodeInvalid {
			t.Errorf("got %v", err)
		}
	})
	for _, e := range w.audit("refused") {
		for _, secret := range []string{"wrong password", "nobody", "ann\x00", password("ann")} {
			if strings.Contains(e.Detail+e.Subject+string(e.Actor), secret) {
				t.Errorf("audit row %+v holds what was typed", e)
			}
		}
	}
	if n := len(w.audit("refused")); n != 5 {
		t.Errorf("%d audit rows, want one per name that was tried: 5", n)
	}
}

// Every refusal writes the same way: were only known names audited, the time of
// the commit would tell them from unknown ones.
func TestRefusalsAreAuditedAlikeAndBounded(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	for range 10 {
		for _, name := range []string{"ann", "bob"} {
			_, err := w.LogIn(t.Context(), name, "wrong password", chat.SurfaceInbox, "")
			w.code(chat.CodeUnauthenticated, err)
		}
	}
	if n := len(w.audit("refused")); n != 2 {
		t.Errorf("%d rows for repeats of two names, want 2", n)
	}
	for i := range 200 {
		_, err := w.LogIn(t.Context(), "user"+strings.Repeat("x", i%60), "wrong password", chat.SurfaceInbox, "")
		w.code(chat.CodeUnauthenticated, err)
		w.LogInToken(t.Context(), strings.Repeat(".", i), chat.SurfaceWidget, "")
	}
	if n := len(w.audit("refused")); n > 60 {
		t.Errorf("%d rows in one minute, want at most 60", n)
	}
	w.pass(time.Minute)
	before := len(w.audit("refused"))
	w.LogIn(t.Context(), "ann", "wrong password", chat.SurfaceInbox, "")
	if n := len(w.audit("refused")); n != before+1 {
		t.Errorf("%d rows a minute later, want one more than %d", n, before)
	}
}

// ways are all the ways a log-in of ann's ends, but by time.
var ways = map[string]func(*world, storage.User, auth.Session) error{
	"log-out":   func(w *world, _ storage.User, s auth.Session) error { return w.LogOut(ctx, s.Credential) },
	"by handle": func(w *world, _ storage.User, s auth.Session) error { return w.RevokeByHandle(ctx, s.Revoke) },
	"everywhere": func(w *world, _ storage.User, s auth.Session) error {
		return w.LogOutEverywhere(ctx, w.login("ann", "inbox").Principal)
	},
	"ended from another session": func(w *world, _ storage.User, s auth.Session) error {
		return w.EndSession(ctx, w.login("ann", "inbox").Principal, s.ID)
	},
	"password changed elsewhere": func(w *world, _ storage.User, s auth.Session) error {
		return w.ChangePassword(ctx, w.login("ann", "inbox").Principal, password("ann"), "another password")
	},
	"password set by the operator": func(w *world, u storage.User, s auth.Session) error {
		return w.SetPassword(ctx, u.ID, "another password")
	},
	"disabled": func(w *world, u storage.User, s auth.Session) error { return w.SetActive(ctx, u.ID, false) },
}

var ctx = context.Background()

func TestEndOfALogIn(t *testing.T) {
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("ann", chat.RoleUser)
			w.user("bob", chat.RoleUser)
			s, bystander := w.login("ann", chat.SurfaceWidget), w.login("bob", chat.SurfaceWidget)
			g, free := w.guest(), w.guest()
			out := must[auth.LinkOutcome](t)(w.link(s.Credential, g.Credential))
			linked := w.alive("linked guest", out.Credential)
			if linked.User != u.ID || linked.Role != "" {
				t.Fatalf("linked guest is %+v", linked)
			}
			w.announced()

			// The hook must find the rights gone already.
			seen := false
			w.OnChange(func(_ context.Context, c auth.Change) {
				if slices.Contains(c.Sessions, s.ID) && slices.Contains(c.Guests, g.ID) {
					seen = true
					w.dead("bearer inside the hook", s.Credential, chat.CodeUnauthenticated)
				}
			})
			w.ok(end(w, u, s))
			if !seen {
				t.Errorf("the hook was not told of the session and its guest session")
			}
			w.dead("bearer", s.Credential, chat.CodeUnauthenticated)
			w.dead("linked guest session", out.Credential, chat.CodeUnauthenticated)
			w.dead("old guest secret", g.Credential, chat.CodeUnauthenticated)
			w.code(chat.CodeUnauthenticated, w.recheck(s.Principal))
			w.code(chat.CodeUnauthenticated, w.recheck(linked))
			w.alive("bystander", bystander.Credential)
			w.alive("other guest", free.Credential)
			if n := len(w.audit("logout")); n == 0 {
				t.Error("no audit row")
			}

			if name == "disabled" {
				w.ok(w.SetActive(ctx, u.ID, true))
				w.dead("bearer after enabling", s.Credential, chat.CodeUnauthenticated)
				w.dead("linked guest after enabling", out.Credential, chat.CodeUnauthenticated)
				w.login("ann", chat.SurfaceWidget)
			}
			// A link is never unset: a new log-in of the same user does not revive it.
			_, err := w.link(bystander.Credential, out.Credential)
			w.code(chat.CodeAccessDenied, err)
		})
	}
}

func TestLogOutIsRepeatable(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	for range 2 {
		w.ok(w.LogOut(ctx, s.Credential))
		w.ok(w.RevokeByHandle(ctx, s.Revoke))
		w.ok(w.EndGuest(ctx, g.Credential))
		w.ok(w.RevokeByHandle(ctx, g.Revoke))
	}
	if c := w.announced(); len(c.Sessions) != 1 || len(c.Guests) != 1 {
		t.Errorf("announced %+v, want each once", c)
	}
	w.ok(w.RevokeByHandle(ctx, "rv_"+strings.Repeat("A", 43)))
	w.ok(w.RevokeByHandle(ctx, "nonsense"))
	w.code(chat.CodeUnauthenticated, w.LogOut(ctx, "as_"+strings.Repeat("A", 43)))
	w.code(chat.CodeUnauthenticated, w.LogOut(ctx, ""))
	w.code(chat.CodeInvalid, w.LogOut(ctx, g.Credential))
	w.code(chat.CodeUnauthenticated, w.EndGuest(ctx, s.Credential))
	w.code(chat.CodeUnauthenticated, w.EndGuest(ctx, string(g.ID)))
}

func TestRevokeHandleDoesNothingElse(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	w.code(chat.CodeUnauthenticated, w.LogOut(ctx, s.Revoke))
	w.code(chat.CodeUnauthenticated, w.EndGuest(ctx, g.Revoke))
	_, err := w.link(s.Credential, g.Revoke)
	w.code(chat.CodeAccessDenied, err)
	_, err = w.link(s.Revoke, g.Credential)
	w.code(chat.CodeUnauthenticated, err)
	w.ok(w.RevokeByHandle(ctx, s.Credential)) // no handle: quietly nothing
	w.ok(w.RevokeByHandle(ctx, g.Credential))
	w.alive("log-in", s.Credential)
	w.alive("guest", g.Credential)
}

func TestSessionsAreOnesOwn(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	w.user("bob", chat.RoleUser)
	first := w.login("ann", chat.SurfaceWidget)
	w.pass(time.Second)
	second, foreign, g := w.login("ann", chat.SurfaceInbox), w.login("bob", chat.SurfaceInbox), w.guest()

	want := []auth.SessionInfo{
		{ID: second.ID, Surface: "inbox", Client: "Firefox on Linux", CreatedAt: w.clock().UnixMilli(), LastSeenAt: w.clock().UnixMilli(), EndsAt: w.ends(second.Principal), Current: true},
		{ID: first.ID, Surface: "widget", Client: "Firefox on Linux", CreatedAt: w.clock().UnixMilli() - 1000, LastSeenAt: w.clock().UnixMilli() - 1000, EndsAt: w.ends(first.Principal)},
	}
	if got := must[[]auth.SessionInfo](t)(w.Sessions(ctx, second.Principal)); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	theirs := w.EndSession(ctx, first.Principal, foreign.ID)
	nobodys := w.EndSession(ctx, first.Principal, chat.AccountSessionID(chat.EncodeID("s_", [16]byte{1})))
	w.code(chat.CodeNotFound, theirs)
	if theirs.Error() != nobodys.Error() {
		t.Errorf("%q tells a foreign session from none: %q", theirs, nobodys)
	}
	w.alive("foreign session", foreign.Credential)

	guest := w.alive("guest", g.Credential)
	_, err := w.Sessions(ctx, guest)
	w.code(chat.CodeAccessDenied, err)
	w.code(chat.CodeAccessDenied, w.LogOutEverywhere(ctx, guest))
	out := must[auth.LinkOutcome](t)(w.link(first.Credential, g.Credential))
	linked := w.alive("linked", out.Credential)
	w.code(chat.CodeAccessDenied, w.LogOutEverywhere(ctx, linked))
	w.code(chat.CodeAccessDenied, w.ChangePassword(ctx, linked, password("ann"), "another password"))

	// A principal that was good when it was resolved is not good for ever.
	w.ok(w.LogOut(ctx, first.Credential))
	w.code(chat.CodeUnauthenticated, w.LogOutEverywhere(ctx, first.Principal))
	w.code(chat.CodeUnauthenticated, w.EndSession(ctx, first.Principal, second.ID))
	w.alive("second", second.Credential)
}

func TestSessionsAreBounded(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.MaxSessions = 3 })
	w.user("ann", chat.RoleUser)
	var all []auth.Session
	for range 3 {
		w.pass(time.Second)
		all = append(all, w.login("ann", chat.SurfaceWidget))
	}
	w.pass(2 * time.Minute)
	w.ok(w.Touch(ctx, all[0].Principal)) // the oldest, but in use
	w.announced()
	fresh := w.login("ann", chat.SurfaceWidget)
	w.dead("longest unused", all[1].Credential, chat.CodeUnauthenticated)
	for _, s := range []auth.Session{all[0], all[2], fresh} {
		w.alive("one of three", s.Credential)
	}
	if c := w.announced(); !slices.Equal(c.Sessions, []chat.AccountSessionID{all[1].ID}) {
		t.Errorf("announced %+v", c)
	}
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	w.user("ann", chat.RoleUser)
	here, there := w.login("ann", chat.SurfaceInbox), w.login("ann", chat.SurfaceWidget)
	w.code(chat.CodeInvalid, w.ChangePassword(ctx, here.Principal, "wrong password", "another password"))
	w.code(chat.CodeInvalid, w.ChangePassword(ctx, here.Principal, password("ann"), "short"))
	w.code(chat.CodeInvalid, w.ChangePassword(ctx, here.Principal, password("ann"), strings.Repeat("x", 1025)))
	w.alive("there, nothing changed", there.Credential)
	w.ok(w.ChangePassword(ctx, here.Principal, password("ann"), "another password"))
	w.alive("here", here.Credential)
	w.dead("there", there.Credential, chat.CodeUnauthenticated)
	_, err := w.LogIn(ctx, "ann", password("ann"), chat.SurfaceInbox, "")
	w.code(chat.CodeUnauthenticated, err)
	must[auth.Session](t)(w.LogIn(ctx, "ann", "another password", chat.SurfaceInbox, ""))
}

// The race of F02: what ends a right is acknowledged while log-ins and requests are under way.
func TestNothingOutlivesItsEnd(t *testing.T) {
	for range 50 {
		w := newWorld(t)
		u := w.user("ann", chat.RoleUser)
		s := w.login("ann", chat.SurfaceInbox)
		var wg sync.WaitGroup
		opened := make(chan string, 16)
		for range 4 {
			wg.Go(func() {
				for range 4 {
					if s, err := w.LogIn(ctx, "ann", password("ann"), chat.SurfaceInbox, ""); err == nil {
						opened <- s.Credential
					}
					w.Touch(ctx, s.Principal)
					w.resolve(s.Credential)
				}
			})
		}
		w.ok(w.SetActive(ctx, u.ID, false))
		w.dead("at the acknowledgement", s.Credential, chat.CodeUnauthenticated)
		wg.Wait()
		close(opened)
		for c := range opened {
			w.dead("opened meanwhile", c, chat.CodeUnauthenticated)
		}
		w.dead("later", s.Credential, chat.CodeUnauthenticated)
	}
}

// failing is a storage whose commit does not answer: after it happened, or without.
type failing struct {
	storage.Storage
	happen bool
	fail   bool
}

var errLost = errors.New("the answer was lost")

func (f *failing) Update(ctx context.Context, g func(storage.Writer) error) error {
	if !f.fail {
		return f.Storage.Update(ctx, g)
	}
	if f.happen {
		if err := f.Storage.Update(ctx, g); err != nil {
			return err
		}
		return errLost
	}
	f.Storage.Update(ctx, func(w storage.Writer) error { g(w); return errLost })
	return errLost
}

func TestLogOutWhoseCommitFails(t *testing.T) {
	for name, happen := range map[string]bool{"failed": false, "failed, but had happened": true} {
		t.Run(name, func(t *testing.T) {
			f := &failing{Storage: storage.NewMemory(), happen: happen}
			w := newWorld(t)
			w.storage = f.Storage
			w.Service = auth.New(f, auth.Config{Now: w.clock, Hasher: auth.CheapParams})
			w.user("ann", chat.RoleUser)
			s := w.login("ann", chat.SurfaceWidget)
			told := 0
			w.OnChange(func(context.Context, auth.Change) { told++ })
			f.fail = true
			if err := w.LogOut(ctx, s.Credential); !errors.Is(err, errLost) {
				t.Fatalf("got %v", err)
			}
			if told != 1 {
				t.Errorf("the hook ran %d times, want once: sockets are decided by what is stored", told)
			}
			f.fail = false
			w.ok(w.LogOut(ctx, s.Credential))
			w.dead("after the repeat", s.Credential, chat.CodeUnauthenticated)
		})
	}
}

func TestStorageErrorsHaveCodes(t *testing.T) {
	w := newWorld(t)
	w.ok(w.storage.Close())
	_, err := w.MintGuest(ctx)
	w.code(chat.CodeShutdown, err)
	if !errors.Is(err, storage.ErrClosed) {
		t.Errorf("%v has lost its cause", err)
	}
	_, err = w.LogIn(ctx, "ann", password("ann"), chat.SurfaceInbox, "")
	w.code(chat.CodeShutdown, err)
}
