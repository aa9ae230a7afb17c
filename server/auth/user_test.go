package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

func TestDemotedKeepsAndPromotedShortens(t *testing.T) {
	w := newWorld(t)
	u := w.user("ann", chat.RoleUser)
	s := w.login("ann", chat.SurfaceInbox)
	w.announced()
	w.ok(w.SetRole(ctx, u.ID, chat.RoleAdmin))
	if c := w.announced(); !slices.Equal(c.Users, []chat.UserID{u.ID}) {
		t.Errorf("announced %+v", c)
	}
	if p := w.alive("promoted", s.Credential); p.Role != chat.RoleAdmin || w.ends(p) != w.clock().Add(8*time.Hour).UnixMilli() {
		t.Errorf("%+v ends at %d", p, w.ends(p))
	}
	w.ok(w.SetRole(ctx, u.ID, chat.RoleUser))
	if p := w.alive("demoted", s.Credential); p.Role != chat.RoleUser {
		t.Errorf("%+v", p)
	}
	w.code(chat.CodeInvalid, w.SetRole(ctx, u.ID, "owner"))
	w.code(chat.CodeNotFound, w.SetRole(ctx, chat.UserID(chat.EncodeID("u_", [16]byte{})), chat.RoleAdmin))
}

func TestCreateUser(t *testing.T) {
	w := newWorld(t)
	got := must[storage.User](t)(w.CreateUser(ctx, auth.NewUser{Username: "Mia.K", Name: " Mia  Kaya ", Password: password("mia.k")}))
	if !auth.VerifyPassword(got.PasswordHash, password("mia.k")) || strings.Contains(got.PasswordHash, "password") {
		t.Errorf("hash %q", got.PasswordHash)
	}
	want := storage.User{ID: got.ID, Username: "mia.k", Name: "Mia Kaya", Role: chat.RoleUser, Active: true, PasswordHash: got.PasswordHash, CreatedAt: w.clock().UnixMilli()}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, ref := range []string{"mia.k", "MIA.K", string(got.ID)} {
		if u := must[storage.User](t)(w.FindUser(ctx, ref)); u != want {
			t.Errorf("%s finds %+v", ref, u)
		}
	}
	for _, ref := range []string{"", "mia", "\x00", strings.Repeat("x", 1000), chat.EncodeID("u_", [16]byte{1})} {
		_, err := w.FindUser(ctx, ref)
		w.code(chat.CodeNotFound, err)
	}
	for name, c := range map[string]struct {
		n    auth.NewUser
		code chat.Code
	}{
		"taken":             {auth.NewUser{Username: "mia.k", Password: "long enough"}, chat.CodeConflict},
		"taken, other case": {auth.NewUser{Username: "MIA.K", Password: "long enough"}, chat.CodeConflict},
		"no username":       {auth.NewUser{Password: "long enough"}, chat.CodeInvalid},
		"space in username": {auth.NewUser{Username: "mia k", Password: "long enough"}, chat.CodeInvalid},
		"long username":     {auth.NewUser{Username: strings.Repeat("x", 65), Password: "long enough"}, chat.CodeInvalid},
		"look-alike":        {auth.NewUser{Username: "m\u0456a", Password: "long enough"}, chat.CodeInvalid},
		"Kelvin sign":       {auth.NewUser{Username: "mia.\u212a", Password: "long enough"}, chat.CodeInvalid},
		"bad name":          {auth.NewUser{Username: "noor", Name: "No\x1bor", Password: "long enough"}, chat.CodeInvalid},
		"bad role":          {auth.NewUser{Username: "noor", Role: "vendor", Password: "long enough"}, chat.CodeInvalid},
		"short password":    {auth.NewUser{Username: "noor", Password: "1234567"}, chat.CodeInvalid},
		"password bytes":    {auth.NewUser{Username: "noor", Password: "1234567\xff"}, chat.CodeInvalid},
		"eight code points": {auth.NewUser{Username: "noor", Password: "äöüßäöüß"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateUser(ctx, c.n)
			if chat.CodeOf(err) != c.code {
				t.Errorf("got %v, want %q", err, c.code)
			}
		})
	}
	if n := len(must[[]storage.User](t)(w.Users(ctx))); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
}

func TestPasswordHash(t *testing.T) {
	hash := must[string](t)(auth.HashPassword(rand.Reader, auth.CheapParams, "correct horse"))
	again := must[string](t)(auth.HashPassword(rand.Reader, auth.CheapParams, "correct horse"))
	if hash == again || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hashes %q and %q: want a salt each, in PHC form", hash, again)
	}
	// A vector of the reference implementation (phc-winner-argon2, src/test.c).
	reference := "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	part := strings.Split(hash, "$")
	for name, c := range map[string]struct {
		hash, password string
		want           bool
	}{
		"right":                {hash, "correct horse", true},
		"wrong":                {hash, "correct hors", false},
		"empty":                {hash, "", false},
		"reference":            {reference, "password", true},
		"reference, wrong":     {reference, "Password", false},
		"no hash":              {"", "", false},
		"argon2i":              {strings.Replace(hash, "argon2id", "argon2i", 1), "correct horse", false},
		"other version":        {strings.Replace(hash, "v=19", "v=16", 1), "correct horse", false},
		"a terabyte":           {strings.Replace(hash, "m=64", "m=1073741824", 1), "correct horse", false},
		"for ever":             {strings.Replace(hash, "t=1", "t=65000", 1), "correct horse", false},
		"no passes":            {strings.Replace(hash, "t=1", "t=0", 1), "correct horse", false},
		"no lanes":             {strings.Replace(hash, "p=1", "p=0", 1), "correct horse", false},
		"empty key":            {strings.Join(part[:5], "$") + "$", "correct horse", false},
		"empty salt and key":   {strings.Join(part[:4], "$") + "$$", "correct horse", false},
		"no base64":            {hash[:len(hash)-1] + "!", "correct horse", false},
		"too few parts":        {strings.Join(part[:5], "$"), "correct horse", false},
		"a plain password":     {"correct horse", "correct horse", false},
		"settings in disorder": {strings.Replace(hash, "m=64,t=1", "t=1,m=64", 1), "correct horse", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := auth.VerifyPassword(c.hash, c.password); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLogInRehashesAtTheConfiguredCost(t *testing.T) {
	w := newWorld(t)
	u := w.user("ann", chat.RoleUser)
	w.Service = auth.New(w.storage, auth.Config{Now: w.clock, Hasher: auth.Params{Memory: 128, Time: 2, Threads: 1}})
	w.login("ann", chat.SurfaceInbox)
	got := must[storage.User](t)(w.FindUser(ctx, "ann"))
	if got.PasswordHash == u.PasswordHash || !strings.Contains(got.PasswordHash, "$m=128,t=2,p=1$") {
		t.Errorf("hash is %q", got.PasswordHash)
	}
	w.login("ann", chat.SurfaceInbox)
}

// stalled is randomness that comes when it is let.
type stalled struct{ gate chan struct{} }

func (s stalled) Read(p []byte) (int, error) {
	<-s.gate
	return rand.Read(p)
}

func TestLogInFloodIsBounded(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, func(c *auth.Config) {
		c.Hashes, c.Queue, c.Random = 1, 2, stalled{gate}
	})
	var wg sync.WaitGroup
	errs := make(chan error, 10)
	for range 10 {
		wg.Go(func() {
			// Making a user hashes in the same bounded place, and here stops inside it.
			_, err := w.CreateUser(ctx, auth.NewUser{Username: strings.ToLower(rand.Text()), Password: "long enough"})
			errs <- err
		})
	}
	for range 7 { // 1 under way and 2 waiting; all the others are told at once
		err := <-errs
		w.code(chat.CodeRateLimited, err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	_, err := w.LogIn(short, "ann", "wrong password", chat.SurfaceInbox, "")
	if err == nil || chat.CodeOf(err) == chat.CodeUnauthenticated {
		t.Errorf("a log-in that can't wait got %v", err)
	}
	close(gate)
	wg.Wait()
	close(errs)
	for err := range errs {
		w.ok(err)
	}
}

func TestLogInWorkIsComparable(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Hasher = auth.Params{Memory: 4 << 10, Time: 1, Threads: 1} })
	w.user("ann", chat.RoleUser)
	gone := w.user("gone", chat.RoleUser)
	w.ok(w.SetActive(ctx, gone.ID, false))
	// The least of many is the work itself, whatever else the machine does; they
	// take turns, and as many as it needs until none was always disturbed.
	const known, unknown, disabled = 0, 1, 2
	best := [3]time.Duration{time.Hour, time.Hour, time.Hour}
	alike := func() bool {
		return best[unknown]*3 >= best[known] && best[known]*3 >= best[unknown] && best[disabled]*3 >= best[known]
	}
	for round := 0; round < 10 || round < 200 && !alike(); round++ {
		for i, name := range []string{"ann", "nobody", "gone"} {
			start := time.Now()
			w.LogIn(ctx, name, "wrong password", chat.SurfaceInbox, "")
			best[i] = min(best[i], time.Since(start))
		}
	}
	if !alike() {
		t.Errorf("known, unknown, disabled: %v", best)
	}
}

// Nothing of what is stored, audited or put into errors is a secret.
func TestNoSecretIsStored(t *testing.T) {
	w := newHostWorld(t)
	w.user("ann", chat.RoleUser)
	token := w.token(nil)
	s, host, g := w.login("ann", chat.SurfaceWidget), must[auth.Session](t)(w.enter(token)), w.guest()
	out := must[auth.LinkOutcome](t)(w.link(s.Credential, g.Credential))
	var b bytes.Buffer
	w.ok(w.storage.Backup(ctx, &b))
	for name, secret := range map[string]string{
		"bearer": s.Credential, "revoke handle": s.Revoke, "host's bearer": host.Credential, "identity token": token,
		"guest secret": g.Credential, "guest's handle": g.Revoke, "rotated secret": out.Credential, "password": password("ann"),
	} {
		for _, part := range strings.Split(secret, ".") {
			if bytes.Contains(b.Bytes(), []byte(part)) || len(part) > 40 && bytes.Contains(b.Bytes(), []byte(part[len(part)-40:])) {
				t.Errorf("the database holds a %s", name)
			}
		}
	}
}

// A user that is inactive for whatever reason is nobody, also where no session was ended.
func TestInactiveUserIsNobody(t *testing.T) {
	w := newWorld(t)
	u := w.user("ann", chat.RoleUser)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	out := must[auth.LinkOutcome](t)(w.link(s.Credential, g.Credential))
	u.Active = false
	w.ok(w.storage.Update(ctx, func(wr storage.Writer) error { return wr.PutUser(u) }))
	w.dead("log-in", s.Credential, chat.CodeUnauthenticated)
	w.dead("linked guest session", out.Credential, chat.CodeUnauthenticated)
	w.code(chat.CodeUnauthenticated, w.recheck(s.Principal))
}

// meanwhile is a storage in which something happens just before the next Update.
type meanwhile struct {
	storage.Storage
	happens func()
}

func (m *meanwhile) Update(ctx context.Context, f func(storage.Writer) error) error {
	if h := m.happens; h != nil {
		m.happens = nil
		h()
	}
	return m.Storage.Update(ctx, f)
}

// Hashing takes long enough for an account to change under it: what was
// checked before must hold when the session is made.
func TestLogInAgainstAChangeMeanwhile(t *testing.T) {
	for name, change := range map[string]func(*world, chat.UserID) error{
		"disabled":         func(w *world, id chat.UserID) error { return w.SetActive(ctx, id, false) },
		"password changed": func(w *world, id chat.UserID) error { return w.SetPassword(ctx, id, "another password") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user("ann", chat.RoleUser)
			m := &meanwhile{Storage: w.storage}
			slow := auth.New(m, auth.Config{Now: w.clock, Hasher: auth.CheapParams})
			m.happens = func() { w.ok(change(w, u.ID)) }
			_, err := slow.LogIn(ctx, "ann", password("ann"), chat.SurfaceInbox, "")
			w.code(chat.CodeUnauthenticated, err)
			if m.happens != nil {
				t.Error("nothing happened meanwhile")
			}
		})
	}
	t.Run("two changes of one password", func(t *testing.T) {
		w := newWorld(t)
		u := w.user("ann", chat.RoleUser)
		p := w.login("ann", chat.SurfaceInbox).Principal
		m := &meanwhile{Storage: w.storage}
		slow := auth.New(m, auth.Config{Now: w.clock, Hasher: auth.CheapParams})
		first := func() error { return w.ChangePassword(ctx, p, password("ann"), "the first's password") }
		m.happens = func() { w.ok(first()) }
		w.code(chat.CodeInvalid, slow.ChangePassword(ctx, p, password("ann"), "the second's password"))
		if got := must[storage.User](t)(w.FindUser(ctx, string(u.ID))); !auth.VerifyPassword(got.PasswordHash, "the first's password") {
			t.Error("the second won")
		}
	})
}
