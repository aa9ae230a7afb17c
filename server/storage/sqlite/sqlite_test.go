//go:build !js

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"anteroom/server/conformance"
	"anteroom/server/storage"
	"anteroom/store/chat"
)

func TestConformance(t *testing.T) {
	conformance.Storage(t, func(t testing.TB, backup []byte) storage.Storage {
		path := filepath.Join(t.TempDir(), "data", "anteroom.db")
		if backup != nil {
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, backup, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		return open(t, path)
	})
}

func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(context.Background(), path, Options{BusyTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func put(d *DB, id string) error {
	return d.Update(context.Background(), func(w storage.Writer) error {
		return w.PutUser(storage.User{ID: chat.UserID(id)})
	})
}

func has(t *testing.T, d *DB, id string) bool {
	t.Helper()
	err := d.View(t.Context(), func(r storage.Reader) error {
		_, err := r.User(chat.UserID(id))
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestModesAndLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "a ? # %.db")
	d := open(t, path)
	if err := put(d, "u_a"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + ".lock": 0o600} {
		i, err := os.Stat(name)
		if err != nil || i.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, i, err, want)
		}
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, storage.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	defer d.Close()
	if !has(t, d, "u_a") {
		t.Error("the row is gone")
	}
}

func TestNewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path).Close()
	exec(t, path, "PRAGMA user_version = 999")
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, storage.ErrNewer) {
		t.Errorf("got %v", err)
	}
	exec(t, path, "PRAGMA user_version = 4") // the lock was freed
	open(t, path).Close()
}

func exec(t *testing.T, path, query string) {
	t.Helper()
	if err := run(t.Context(), path, 0, query); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationIsWholeOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := connect(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	good := fstest.MapFS{"migrations/0001.sql": {Data: []byte("CREATE TABLE a (x); CREATE TABLE b (x);")}}
	bad := fstest.MapFS{"migrations/0001.sql": good["migrations/0001.sql"], "migrations/0002.sql": {Data: []byte("CREATE TABLE c (x); no sql")}}
	fixed := fstest.MapFS{"migrations/0001.sql": good["migrations/0001.sql"], "migrations/0002.sql": {Data: []byte("CREATE TABLE c (x)")}}
	if err := migrate(c, bad); err == nil {
		t.Fatal("a broken script passed")
	}
	version, _ := one(c, scanInt, "PRAGMA user_version")
	tables, _ := one(c, scanInt, "SELECT count(*) FROM sqlite_schema")
	if version != 1 || tables != 2 {
		t.Fatalf("version %d with %d tables after the failure", version, tables)
	}
	if err := migrate(c, fixed); err != nil {
		t.Fatal(err)
	}
	if err := migrate(c, good); !errors.Is(err, storage.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	d := open(t, path)
	defer d.Close()
	if err := put(d, "u_before"); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) { // only the writer's connection obeys; SQLite answers as it does for ENOSPC
		t.Helper()
		if err := d.Update(t.Context(), func(w storage.Writer) error {
			return w.(writer).c.script(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // that is: as many as there are
	grow := func(w storage.Writer) error {
		for i := range 2000 {
			if err := w.PutUser(storage.User{ID: chat.UserID(fmt.Sprintf("u_%04d", i)), Name: "a name that fills pages"}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := d.Update(t.Context(), grow); !errors.Is(err, storage.ErrFull) {
		t.Fatalf("got %v, want %v", err, storage.ErrFull)
	}
	// An Update that hides the failure is none the less refused with its group.
	if err := d.Update(t.Context(), func(w storage.Writer) error { grow(w); return nil }); !errors.Is(err, storage.ErrFull) {
		t.Fatalf("hidden: got %v, want %v", err, storage.ErrFull)
	}
	if !has(t, d, "u_before") || has(t, d, "u_0000") {
		t.Fatal("reads are wrong while the disk is full")
	}
	limit(1 << 30)
	if err := d.Update(t.Context(), grow); err != nil {
		t.Fatalf("after room was made: %v", err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	d := open(t, path)
	defer d.Close()
	other, err := connect(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := other.begin("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := put(d, fmt.Sprint("u_", i)); !errors.Is(err, storage.ErrBusy) {
				t.Errorf("got %v, want %v", err, storage.ErrBusy)
			}
		})
	}
	all.Wait()
	if has(t, d, "u_0") {
		t.Error("stored although it was locked")
	}
	other.rollback()
	if err := put(d, "u_0"); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// hold keeps the writer busy until the returned function is called.
func hold(d *DB) (free func()) {
	running, done := make(chan struct{}), make(chan struct{})
	started := sync.OnceFunc(func() { close(running) }) // a group may run twice
	go d.Update(context.Background(), func(storage.Writer) error { started(); <-done; return nil })
	<-running
	return func() { close(done) }
}

func TestQueueIsBounded(t *testing.T) {
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), Options{Queue: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	free := hold(d)
	results := make(chan error, 3)
	for i := range 3 {
		go func() { results <- put(d, fmt.Sprint("u_", i)) }()
	}
	if err := <-results; !errors.Is(err, storage.ErrBusy) {
		t.Errorf("got %v, want %v", err, storage.ErrBusy)
	}
	free()
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("one of those that fit: %v", err)
		}
	}
}

func TestFailedCommitFailsItsGroup(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	free := hold(d)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := d.Update(t.Context(), func(w storage.Writer) error {
				// A constraint that COMMIT checks stands for a disk that fails then.
				c := w.(writer).c
				if err := c.script("PRAGMA defer_foreign_keys = ON"); err != nil {
					return err
				}
				if i == 7 {
					_, err := c.exec("INSERT INTO blocked (vendor, guest) VALUES ('v_none', 'g_a')")
					return err
				}
				return w.PutUser(storage.User{ID: chat.UserID(fmt.Sprint("u_", i))})
			})
			if err == nil && has(t, d, fmt.Sprint("u_", i)) != (i < 7) {
				t.Errorf("update %d was acknowledged and is not there", i)
			}
			if i == 7 && err == nil {
				t.Error("the commit did not fail")
			}
			if err != nil && has(t, d, fmt.Sprint("u_", i)) {
				t.Errorf("update %d failed and is there", i)
			}
		})
	}
	for len(d.queue) < 8 { // all in one group
		runtime.Gosched()
	}
	free()
	all.Wait()
	if err := put(d, "u_later"); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestAnUpdateThatEndsItsGoroutine(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a.db"))
	defer d.Close()
	err := d.Update(t.Context(), func(w storage.Writer) error {
		w.PutUser(storage.User{ID: "u_a"})
		(&testing.T{}).SkipNow() // runtime.Goexit
		return nil
	})
	if !errors.Is(err, errExited) || has(t, d, "u_a") {
		t.Errorf("got %v", err)
	}
	if err := put(d, "u_b"); err != nil {
		t.Errorf("the writer is gone: %v", err)
	}
}

func TestOldBackupsAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	left := path + backupSuffix + "123"
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path).Close()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

// After a crash the log may hold a commit whose sync failed: it must not stay there.
func TestTheLogOfACrashIsSettled(t *testing.T) {
	dir := t.TempDir()
	path, dead := filepath.Join(dir, "a.db"), filepath.Join(dir, "dead.db")
	d := open(t, path)
	defer d.Close()
	if err := put(d, "u_a"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} { // as a kill -9 leaves them
		b, err := os.ReadFile(path + suffix)
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %d bytes, %v", suffix, len(b), err)
		}
		if err := os.WriteFile(dead+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, dead)
	defer again.Close()
	if i, err := os.Stat(dead + "-wal"); err != nil || i.Size() != 0 {
		t.Errorf("the log holds %v, %v", i, err)
	}
	if !has(t, again, "u_a") {
		t.Error("the row is gone")
	}
}
