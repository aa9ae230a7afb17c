//go:build !js

package operator

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"anteroom/server/storage"
	"anteroom/server/storage/sqlite"
)

func TestSocketFile(t *testing.T) {
	for name, sub := range map[string]string{
		"usual path": "data",
		"long path":  strings.Repeat("a-folder-with-a-long-name/", 8) + "data",
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), sub)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, SocketName)
			// Left by a process that died: it is replaced.
			dead, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			dead.l.Close()
			if _, err := dial(t.Context(), path); !errors.Is(err, errNoServer) {
				t.Errorf("a dead socket gives %v", err)
			}
			s, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v; want a socket with 0600", info.Mode(), err)
			}
			c, err := dial(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			c.close()
			if names := names(t, dir); !slices.Equal(names, []string{SocketName}) {
				t.Errorf("the folder holds %v", names)
			}
			// Closing the old one must not take the new one's name away.
			dead.Close()
			if _, err := os.Lstat(path); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if names := names(t, dir); len(names) != 0 {
				t.Errorf("after Close the folder holds %v", names)
			}
			if _, err := dial(t.Context(), path); !errors.Is(err, errNoServer) {
				t.Errorf("no socket gives %v", err)
			}
		})
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "absent", SocketName)); err == nil {
		t.Error("a socket in a folder that does not exist")
	}
}

func names(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// The other end of the socket may be of another version, or not be ours.
func TestSocketRefusesWhatItDoesNotKnow(t *testing.T) {
	d := newDesk(t)
	s := d.serve()
	for name, c := range map[string]struct{ request, want string }{
		"unknown command": {`{"command":"user delete"}`, "does not know the command"},
		"unknown field":   {`{"command":"user list","filter":"x"}`, "another version"},
		"no JSON":         {`user list`, "another version"},
		"nothing":         {``, "another version"},
		"too much":        {`{"command":"` + strings.Repeat("x", maxRequest) + `"}`, "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			c2, err := dial(t.Context(), filepath.Join(d.data, SocketName))
			if err != nil {
				t.Fatal(err)
			}
			defer c2.close()
			_, err = c2.post(t.Context(), "/command", strings.NewReader(c.request))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	s.stop()
	if _, err := os.Lstat(filepath.Join(d.data, SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end the socket file: %v", err)
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	d := newDesk(t)
	if err := os.Mkdir(d.data, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(filepath.Join(d.data, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the one connection of this test
		c, err := s.l.Accept()
		if err == nil {
			io.ReadFull(c, make([]byte, 1))
			cancel()
			c.Close()
		}
	}()
	if got := d.runIn(ctx, strings.NewReader(""), "user", "list"); got.code != 1 || strings.Count(got.err, "\n") != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestBackup(t *testing.T) {
	for name, running := range map[string]bool{"with a server": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if running {
				d.serve()
			}
			d.good("secret of mia", "user", "add", "mia", "--password-stdin")
			dir := t.TempDir()
			file := filepath.Join(dir, "backup.db")
			if out := d.good("", "backup", file); !strings.Contains(out, "backup.db written, ") {
				t.Errorf("printed %q", out)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			d.bad(2, "there already", "", "backup", file)
			if names := names(t, dir); !slices.Equal(names, []string{"backup.db"}) {
				t.Errorf("the folder holds %v", names)
			}
			st, err := sqlite.Open(t.Context(), file, sqlite.Options{Readers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			err = st.View(t.Context(), func(r storage.Reader) error { _, err := r.UserByName("mia"); return err })
			if err != nil {
				t.Error(err)
			}
			d.bad(2, "can't write", "", "backup", filepath.Join(dir, "absent", "backup.db"))
		})
	}
}

// torn is a storage whose backup breaks off after some bytes.
type torn struct {
	storage.Storage
	bytes int
}

var errTorn = errors.New("the disk is on fire")

func (s torn) Backup(_ context.Context, w io.Writer) error {
	if _, err := w.Write(make([]byte, s.bytes)); err != nil {
		return err
	}
	return errTorn
}

func TestBackupThatBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		bytes   int
		running bool
	}{
		"at once, with a server":   {0, true},
		"midway, with a server":    {1 << 20, true},
		"early, with a server":     {100, true},
		"midway, without a server": {1 << 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			open := d.open
			d.open = func(ctx context.Context, data string) (storage.Storage, error) {
				st, err := open(ctx, data)
				return torn{st, c.bytes}, err
			}
			if c.running {
				d.serve()
			} else if err := os.Mkdir(d.data, 0o700); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			d.bad(1, "", "", "backup", filepath.Join(dir, "backup.db"))
			if names := names(t, dir); len(names) != 0 {
				t.Errorf("the folder holds %v", names)
			}
		})
	}
}

func TestPlaceReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for path, text := range map[string]string{from: "new", to: "old"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := place(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(to); string(b) != "old" {
		t.Errorf("the file holds %q", b)
	}
}
