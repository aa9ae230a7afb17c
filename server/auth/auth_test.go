package auth_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

// world is a service on the reference storage with a clock that stands still.
type world struct {
	testing.TB
	*auth.Service
	storage storage.Storage

	mu      sync.Mutex
	now     time.Time
	changes []auth.Change
}

func newWorld(t testing.TB, adjust ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{TB: t, storage: storage.NewMemory(), now: time.UnixMilli(1_800_000_000_000)}
	c := auth.Config{Now: w.clock, Hasher: auth.CheapParams}
	for _, f := range adjust {
		f(&c)
	}
	w.Service = auth.New(w.storage, c)
	w.OnChange(func(_ context.Context, c auth.Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changes = append(w.changes, c)
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// announced returns what the hook was told since the last call, as one change.
func (w *world) announced() auth.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum auth.Change
	for _, c := range w.changes {
		sum.Users = append(sum.Users, c.Users...)
		sum.Guests = append(sum.Guests, c.Guests...)
		sum.Sessions = append(sum.Sessions, c.Sessions...)
	}
	w.changes = nil
	return sum
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) code(want chat.Code, err error) {
	w.Helper()
	if got := chat.CodeOf(err); got != want {
		w.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func password(user string) string { return "password of " + strings.ToLower(user) }

func (w *world) user(name string, role chat.Role) storage.User {
	w.Helper()
	return must[storage.User](w)(w.CreateUser(context.Background(), auth.NewUser{Username: name, Role: role, Password: password(name)}))
}

func (w *world) login(name string, surface chat.Surface) auth.Session {
	w.Helper()
	return must[auth.Session](w)(w.LogIn(context.Background(), name, password(name), surface, "Firefox on Linux"))
}

func (w *world) guest() auth.Guest {
	w.Helper()
	return must[auth.Guest](w)(w.MintGuest(context.Background()))
}

func (w *world) resolve(credential string) (p chat.Principal, err error) {
	w.Helper()
	w.view(func(r storage.Reader) { p, err = w.Resolve(r, credential) })
	return p, err
}

func (w *world) recheck(p chat.Principal) (err error) {
	w.Helper()
	w.view(func(r storage.Reader) { _, err = w.Recheck(r, p) })
	return err
}

func (w *world) ends(p chat.Principal) (at int64) {
	w.Helper()
	w.view(func(r storage.Reader) { at = must[int64](w)(w.Ends(r, p)) })
	return at
}

func (w *world) view(f func(storage.Reader)) {
	w.Helper()
	w.ok(w.storage.View(context.Background(), func(r storage.Reader) error { f(r); return nil }))
}

// dead checks that a credential is refused with a code and names nobody.
func (w *world) dead(what, credential string, want chat.Code) {
	w.Helper()
	p, err := w.resolve(credential)
	if got := chat.CodeOf(err); got != want || p != (chat.Principal{}) {
		w.Errorf("%s: got %q (%v) and %+v, want %q and nobody", what, got, err, p, want)
	}
}

func (w *world) alive(what, credential string) chat.Principal {
	w.Helper()
	p, err := w.resolve(credential)
	if err != nil {
		w.Errorf("%s: %v", what, err)
	}
	return p
}

// audit lists the audit rows of an action, oldest first.
func (w *world) audit(action string) (rows []storage.AuditEntry) {
	w.Helper()
	w.view(func(r storage.Reader) {
		rows = must[[]storage.AuditEntry](w)(r.Audit(0, 10_000))
	})
	rows = slices.DeleteFunc(rows, func(e storage.AuditEntry) bool { return e.Action != action })
	slices.Reverse(rows)
	return rows
}

func (w *world) link(account, guest string) (out auth.LinkOutcome, err error) {
	w.Helper()
	err = w.storage.Update(context.Background(), func(wr storage.Writer) (err error) {
		out, err = w.LinkGuest(wr, account, guest)
		return err
	})
	w.Announce(context.Background(), out.Change)
	return out, err
}

func TestResolve(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann", chat.RoleUser)
	root := w.user("root", chat.RoleAdmin)
	annSession, rootSession, guest := w.login("Ann", chat.SurfaceWidget), w.login("root", chat.SurfaceInbox), w.guest()
	other := w.guest()

	user := chat.Principal{Kind: chat.KindUser, User: ann.ID, Session: annSession.ID, Name: "ann", Role: chat.RoleUser, Surface: chat.SurfaceWidget}
	for name, c := range map[string]struct {
		credential string
		want       chat.Principal
		code       chat.Code
	}{
		"none is nobody":  {"", chat.Principal{}, ""},
		"account session": {annSession.Credential, user, ""},
		"admin": {rootSession.Credential, chat.Principal{
			Kind: chat.KindUser, User: root.ID, Session: rootSession.ID, Name: "root", Role: chat.RoleAdmin, Surface: chat.SurfaceInbox,
		}, ""},
		"guest": {guest.Credential, chat.Principal{
			Kind: chat.KindGuest, GuestSession: guest.ID, Name: chat.GuestLabel(guest.ID), Surface: chat.SurfaceWidget,
		}, ""},
		"revoke handle of a log-in":       {annSession.Revoke, chat.Principal{}, chat.CodeUnauthenticated},
		"revoke handle of a guest":        {guest.Revoke, chat.Principal{}, chat.CodeUnauthenticated},
		"public id of a guest":            {string(guest.ID), chat.Principal{}, chat.CodeUnauthenticated},
		"public id of a session":          {string(annSession.ID), chat.Principal{}, chat.CodeUnauthenticated},
		"id of one guest, other's secret": {guest.Credential[:30] + other.Credential[30:], chat.Principal{}, chat.CodeUnauthenticated},
		"well-formed but never minted":    {"gs_" + strings.Repeat("a", 26) + "_" + strings.Repeat("A", 43), chat.Principal{}, chat.CodeUnauthenticated},
		"account bearer nobody has":       {"as_" + strings.Repeat("A", 43), chat.Principal{}, chat.CodeUnauthenticated},
		"secret under another kind":       {"as_" + guest.Credential[30:], chat.Principal{}, chat.CodeUnauthenticated},
		"upper-case prefix":               {"AS_" + annSession.Credential[3:], chat.Principal{}, chat.CodeUnauthenticated},
		"space behind":                    {annSession.Credential + " ", chat.Principal{}, chat.CodeUnauthenticated},
		"line break inside":               {annSession.Credential[:20] + "\n" + annSession.Credential[20:], chat.Principal{}, chat.CodeUnauthenticated},
		"two at once":                     {annSession.Credential + "," + guest.Credential, chat.Principal{}, chat.CodeUnauthenticated},
		"a megabyte":                      {strings.Repeat("as_", 1<<20/3), chat.Principal{}, chat.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.resolve(c.credential)
			if chat.CodeOf(err) != c.code || got != c.want {
				t.Errorf("got %+v, %v\nwant %+v, %q", got, err, c.want, c.code)
			}
		})
	}
}

func TestLifetimes(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		open  func(*world) string
		idle  time.Duration
		until time.Duration
		code  chat.Code
	}{
		"guest": {func(w *world) string { return w.guest().Credential }, 30 * day, 180 * day, chat.CodeUnauthenticated},
		"user":  {func(w *world) string { w.user("ann", ""); return w.login("ann", "widget").Credential }, 30 * day, 90 * day, chat.CodeSessionExpired},
		"admin": {func(w *world) string { w.user("ann", "admin"); return w.login("ann", "inbox").Credential }, 8 * time.Hour, 30 * day, chat.CodeSessionExpired},
	} {
		t.Run(name+" idle", func(t *testing.T) {
			w := newWorld(t)
			cred := c.open(w)
			w.pass(c.idle - time.Millisecond)
			p := w.alive("just before", cred)
			if got, want := w.ends(p), w.clock().Add(time.Millisecond).UnixMilli(); got != want {
				t.Errorf("ends at %d, want %d", got, want)
			}
			w.pass(time.Millisecond)
			w.dead("idle", cred, c.code)
			w.code(c.code, w.recheck(p))
			w.ok(w.Touch(t.Context(), p))
			w.dead("touched after its end", cred, c.code)
		})
		t.Run(name+" absolute", func(t *testing.T) {
			w := newWorld(t)
			cred := c.open(w)
			start := w.clock()
			for w.clock().Sub(start) < c.until-c.idle/2 {
				w.pass(c.idle / 2)
				w.ok(w.Touch(t.Context(), w.alive("in use", cred)))
			}
			w.pass(c.until - w.clock().Sub(start) - time.Millisecond)
			w.ok(w.Touch(t.Context(), w.alive("just before", cred)))
			w.pass(time.Millisecond)
			w.dead("used up", cred, c.code)
		})
	}
}

func TestTouchWritesOnceAMinute(t *testing.T) {
	w := newWorld(t)
	g := w.guest()
	p := w.alive("guest", g.Credential)
	seen := func() (at int64) {
		w.view(func(r storage.Reader) { at = must[storage.GuestSession](t)(r.GuestSession(g.ID)).LastSeenAt })
		return at
	}
	start := seen()
	w.pass(59 * time.Second)
	w.ok(w.Touch(t.Context(), p))
	if got := seen(); got != start {
		t.Errorf("touched after 59 s: %d", got-start)
	}
	w.pass(61 * time.Second)
	w.ok(w.Touch(t.Context(), p))
	if got := seen(); got != start+120_000 {
		t.Errorf("last seen %d ms after the start, want 120000", got-start)
	}
	w.pass(59 * time.Second)
	w.ok(w.storage.Update(t.Context(), func(wr storage.Writer) error { return w.TouchIn(wr, p) }))
	if got := seen(); got != start+120_000 {
		t.Errorf("touched again after 59 s: %d", got-start)
	}
}
