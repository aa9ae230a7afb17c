//go:build !js

package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
	"anteroom/store/chat"
)

// desk is where an operator types: a data folder and its database.
type desk struct {
	testing.TB
	data string
	open func(context.Context, string) (storage.Storage, error)
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{TB: t, data: filepath.Join(t.TempDir(), "data")}
	d.open = func(ctx context.Context, data string) (storage.Storage, error) {
		return sqlite.Open(ctx, filepath.Join(data, "anteroom.db"), sqlite.Options{Readers: 1})
	}
	return d
}

// typed is what came of a command.
type typed struct {
	code     int
	out, err string
}

func (d *desk) run(stdin string, args ...string) typed {
	return d.runIn(context.Background(), strings.NewReader(stdin), args...)
}

func (d *desk) runIn(ctx context.Context, stdin io.Reader, args ...string) typed {
	var out, errs bytes.Buffer
	env := map[string]string{"ANTEROOM_DATA": d.data, "ANTEROOM_PASSWORD_MEMORY": "64"}
	code := Run(ctx, args, Env{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Stdin:  stdin, Stdout: &out, Stderr: &errs,
		Open: d.open, Patience: 200 * time.Millisecond,
	})
	return typed{code, out.String(), errs.String()}
}

// good runs a command that must succeed and returns what it printed.
func (d *desk) good(stdin string, args ...string) string {
	d.Helper()
	got := d.run(stdin, args...)
	if got.code != 0 || got.err != "" {
		d.Fatalf("%v: exit code %d, %s", args, got.code, got.err)
	}
	return got.out
}

// bad runs a command that must fail with one sentence.
func (d *desk) bad(code int, part string, stdin string, args ...string) {
	d.Helper()
	got := d.run(stdin, args...)
	if got.code != code || !strings.Contains(got.err, part) || strings.Count(got.err, "\n") != 1 || !strings.HasPrefix(got.err, "anteroom: ") || got.out != "" {
		d.Errorf("%v: exit code %d, printed %q and %q; want %d and one sentence with %q", args, got.code, got.out, got.err, code, part)
	}
}

// server is a running server as the operator's commands see it.
type server struct {
	Deps
	stop func()
}

// serve starts a server on the desk's data; it ends with the test.
func (d *desk) serve() *server {
	d.Helper()
	st, err := d.open(context.Background(), d.data)
	if err != nil {
		d.Fatal(err)
	}
	a := auth.New(st, auth.Config{Hasher: auth.CheapParams})
	r, err := rooms.New(rooms.Config{Storage: st, Auth: a})
	if err != nil {
		d.Fatal(err)
	}
	a.OnChange(r.Recheck)
	socket, err := Listen(filepath.Join(d.data, SocketName))
	if err != nil {
		d.Fatal(err)
	}
	s := &server{Deps: Deps{Storage: st, Auth: a, Rooms: r}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := socket.Serve(ctx, s.Deps); err != nil {
			d.Error(err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		r.Stop()
		if err := st.Close(); err != nil {
			d.Error(err)
		}
	})
	d.Cleanup(s.stop)
	return s
}

// Every command does the same with a server and without one.
func TestCommands(t *testing.T) {
	for name, running := range map[string]bool{"with a server": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if running {
				d.serve()
			}
			out := d.good("secret of mia\n", "user", "add", "Mia", "--name", "Mia Kaya", "--password-stdin")
			if !strings.HasPrefix(out, "user mia added as u_") {
				t.Errorf("printed %q", out)
			}
			d.good("secret of rosa", "user", "add", "--role=admin", "--password-stdin", "rosa")
			d.bad(1, "there is a user mia already", "another secret\n", "user", "add", "MIA", "--password-stdin")
			d.bad(1, `there is no user "nobody"`, "", "user", "disable", "nobody")
			d.bad(1, `there is no vendor "nothing"`, "", "vendor", "member", "nothing", "mia")

			if out := d.good("", "vendor", "add", "maple-pottery", "Maple Pottery"); !strings.HasPrefix(out, "vendor maple-pottery added as v_") {
				t.Errorf("printed %q", out)
			}
			d.bad(1, "there is a vendor maple-pottery already", "", "vendor", "add", "maple-pottery", "Other")
			d.good("", "vendor", "member", "maple-pottery", "mia")
			d.good("", "vendor", "member", "maple-pottery", "rosa")
			d.good("", "vendor", "member", "--remove", "maple-pottery", "rosa")
			vendors := lines(d.good("", "vendor", "list"))
			if len(vendors) != 2 || vendors[0] != "ID SLUG STAFF NAME" || !strings.HasSuffix(vendors[1], " maple-pottery mia Maple Pottery") {
				t.Errorf("vendors are %q", vendors)
			}

			d.good("", "user", "disable", "mia")
			d.good("", "user", "role", "rosa", "user")
			d.good("", "user", "role", "mia", "admin")
			d.good("a new secret\n", "user", "passwd", "--password-stdin", "rosa")
			users := lines(d.good("", "user", "list"))
			if len(users) != 3 || !strings.HasSuffix(users[1], " admin disabled mia Mia Kaya") || !strings.HasSuffix(users[2], " user active rosa rosa") {
				t.Errorf("users are %q", users)
			}
			d.good("", "user", "enable", "mia")
			if users := lines(d.good("", "user", "list")); !strings.Contains(users[1], " active mia ") {
				t.Errorf("users are %q", users)
			}

			out = d.good("", "explain", chat.EncodeID("r_", [16]byte{1}), "rosa")
			if !strings.HasPrefix(out, "denied: no_room\n") || !strings.Contains(out, "room exists") {
				t.Errorf("explained %q", out)
			}
			d.bad(1, "there is no user", "", "explain", chat.EncodeID("r_", [16]byte{1}), "nobody")
			if out := d.good("", "explain", chat.EncodeID("r_", [16]byte{1}), chat.EncodeID("g_", [16]byte{1})); !strings.HasPrefix(out, "denied: ") {
				t.Errorf("explained %q", out)
			}
		})
	}
}

// lines are the lines of a table with its columns one space apart.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

func TestMistakes(t *testing.T) {
	d := newDesk(t)
	room := chat.EncodeID("r_", [16]byte{})
	if err := os.Mkdir(d.data, 0o700); err != nil {
		t.Fatal(err)
	}
	d.open = func(context.Context, string) (storage.Storage, error) {
		t.Error("the database was opened")
		return nil, errors.New("opened")
	}
	for name, c := range map[string]struct {
		args, stdin, part string
	}{
		"unknown command":            {"room list", "", "no command"},
		"half a command":             {"user", "", "add|passwd|role|disable|enable|list"},
		"unknown second word":        {"user delete mia", "", "say which"},
		"unknown flag":               {"user list --all", "", "-all"},
		"flag of another command":    {"user passwd mia --role admin", "", "-role"},
		"too few":                    {"user role mia", "", "needs USERNAME user|admin"},
		"too many":                   {"user disable mia noor", "", "needs USERNAME"},
		"list of something":          {"user list mia", "", "takes nothing more"},
		"bad username":               {"user add mi\x00a --password-stdin", "long enough", "username must"},
		"bad name":                   {"user add mia --name \x1b --password-stdin", "long enough", "name holds"},
		"bad role":                   {"user add mia --role owner --password-stdin", "long enough", "user or admin"},
		"bad role to change":         {"user role mia root", "", "user or admin"},
		"short password":             {"user add mia --password-stdin", "short\n", "at least 8"},
		"only the first line counts": {"user add mia --password-stdin", "short\nand more\n", "at least 8"},
		"no password":                {"user add mia --password-stdin", "", "at least 8"},
		"password as an argument":    {"user add mia secret-of-mia --password-stdin", "long enough", "needs USERNAME"},
		"no terminal":                {"user add mia", "long enough\n", "--password-stdin"},
		"bad slug":                   {"vendor add Maple Maple", "", "slug must"},
		"bad vendor name":            {"vendor add maple \u202e", "", "name holds"},
		"long avatar":                {"vendor add maple Maple --avatar ABC", "", "avatar"},
		"bad room":                   {"explain r_1 mia", "", "malformed room id"},
		"file is there":              {"backup .", "", "there already"},
		"no data folder":             {"user list --data " + filepath.Join(d.data, "absent"), "", "there is no data folder"},
		"empty data folder name":     {"user list --data=", "", "must name a folder"},
		"nowhere to write":           {"explain " + room, "", "needs ROOM"},
	} {
		t.Run(name, func(t *testing.T) {
			d.TB = t
			d.bad(2, c.part, c.stdin, strings.Split(c.args, " ")...)
		})
	}
	for _, args := range [][]string{{"user", "--help"}, {"help"}, {"user", "add", "-h"}, nil} {
		if got := d.run("", args...); got.code != 0 || !strings.Contains(got.out, "anteroom user add") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestEndsOfTheDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		part string
	}{
		"newer":     {storage.ErrNewer, 2, "newer version"},
		"read-only": {storage.ErrReadOnly, 2, "read-only"},
		"full":      {storage.ErrFull, 1, "full"},
		"locked":    {storage.ErrBusy, 1, "another process has the database open"},
		"forbidden": {os.ErrPermission, 2, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.open = func(context.Context, string) (storage.Storage, error) { return nil, c.err }
			d.bad(c.code, c.part, "long enough", "user", "add", "mia", "--password-stdin")
		})
	}
}

// sink remembers how its connection ended.
type sink struct {
	mu  sync.Mutex
	end *chat.Error
}

func (s *sink) Deliver(rooms.Frame)    {}
func (s *sink) Revoke(...chat.RoomID)  {}
func (s *sink) End(err *chat.Error)    { s.mu.Lock(); defer s.mu.Unlock(); s.end = err }
func (s *sink) ended() (e *chat.Error) { s.mu.Lock(); defer s.mu.Unlock(); return s.end }

// What a command ends has ended on open sockets when the command returns.
func TestCommandsReachOpenSockets(t *testing.T) {
	for name, args := range map[string]string{
		"disable": "user disable mia",
		"passwd":  "user passwd mia --password-stdin",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			s := d.serve()
			d.good("secret of mia", "user", "add", "mia", "--password-stdin")
			d.good("secret of noor", "user", "add", "noor", "--password-stdin")
			watch := func(user string) *sink {
				session, err := s.Auth.LogIn(t.Context(), user, "secret of "+user, chat.SurfaceInbox, "")
				if err != nil {
					t.Fatal(err)
				}
				k := &sink{}
				w, err := s.Rooms.Watch(t.Context(), session.Principal, k)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(w.Close)
				return k
			}
			mia, noor := watch("mia"), watch("noor")
			d.good("another secret", strings.Fields(args)...)
			if mia.ended() == nil {
				t.Error("the socket lives on")
			}
			if noor.ended() != nil {
				t.Errorf("another user's socket ended: %v", noor.ended())
			}
			_, err := s.Auth.LogIn(t.Context(), "mia", "secret of mia", chat.SurfaceInbox, "")
			if chat.CodeOf(err) != chat.CodeUnauthenticated {
				t.Errorf("the old way in: %v", err)
			}
		})
	}
}

// The audit table is shown page by page, newest first, one row a line whatever
// is in it.
func TestAuditCommand(t *testing.T) {
	d := newDesk(t)
	for i := range 30 {
		d.good("a long password", "user", "add", "--password-stdin", fmt.Sprint("u", i))
		d.good("", "user", "role", fmt.Sprint("u", i), "admin")
	}
	first := d.good("", "audit")
	lines := strings.Split(strings.TrimSpace(first), "\n")
	if len(lines) != 1+auditPage+2 || !strings.HasPrefix(lines[0], "ROW") || !strings.Contains(lines[1], " role ") || !strings.Contains(lines[2], " user_added ") {
		t.Fatalf("the first page is\n%s", first)
	}
	next := strings.Fields(lines[len(lines)-1])
	second := d.good("", next[len(next)-3:]...)
	if rest := strings.Split(strings.TrimSpace(second), "\n"); len(rest) != 1+10 || strings.Contains(second, "older rows") {
		t.Errorf("the second page is\n%s", second)
	}
	d.bad(2, "before", "", "audit", "--before", "x")
	d.bad(2, "row", "", "audit", "--before", "-1")
	d.bad(2, "nothing more", "", "audit", "1")
}
