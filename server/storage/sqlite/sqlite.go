//go:build !js

package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"anteroom/server/storage"
)

// Options tune a database; the zero value is good for a server.
type Options struct {
	Readers     int           // reading connections; default 4
	Queue       int           // Updates that may wait, more get ErrBusy; default 8192
	BusyTimeout time.Duration // how long to wait for another process's lock; default 2 s
}

// DB is an open database. Safe for concurrent use; a transaction must not
// open another one.
type DB struct {
	path    string
	busy    time.Duration
	lock    io.Closer
	readers chan *conn // idle reading connections
	count   int        // how many reading connections there are
	done    chan struct{}

	mu     sync.RWMutex // held for reading while an Update is queued
	queue  chan *job
	closed bool
}

var _ storage.Storage = (*DB)(nil)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens or makes the database at path and brings it to the newest
// version. The folder is made with mode 0700 if it is missing; the files have mode
// 0600. Errors: storage.ErrBusy if another process has it open,
// storage.ErrNewer, storage.ErrReadOnly, storage.ErrFull, or the system's.
func Open(ctx context.Context, path string, o Options) (_ *DB, err error) {
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 2 * time.Second
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, translate(fmt.Errorf("make data folder: %w", err))
	}
	d := &DB{
		path: path, busy: o.BusyTimeout, count: o.Readers,
		readers: make(chan *conn, o.Readers), queue: make(chan *job, o.Queue), done: make(chan struct{}),
	}
	if d.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, translate(err)
	}
	defer func() {
		if err != nil {
			d.release()
		}
	}()
	// SQLite gives the files beside the database the mode of the database.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, translate(fmt.Errorf("open database: %w", err))
	}
	f.Close()
	d.removeOldBackups()

	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := connect(path, d.busy, "synchronous(FULL)", "foreign_keys(1)", "journal_mode(WAL)",
		"journal_size_limit(67108864)", "wal_autocheckpoint(4000)", "cache_size(-32768)", "temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := settle(w); err != nil {
		w.close()
		return nil, err
	}
	if err := migrate(w, migrations); err != nil {
		w.close()
		return nil, err
	}
	for range o.Readers {
		r, err := connect(path, d.busy, "query_only(1)", "cache_size(-8192)", "temp_store(MEMORY)")
		if err != nil {
			w.close()
			return nil, fmt.Errorf("open database for reading: %w", err)
		}
		d.readers <- r
	}
	go d.write(w) // owned by d: Close ends it and waits
	return d, nil
}

// settle moves what a process that died left in the log into the database, and
// syncs it. A commit whose sync failed may stand in the log and be read back
// from the system's memory, which takes those pages for written since; behind
// it later commits would be lost with it at the next power cut.
func settle(c *conn) error {
	_, err := c.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil && !errors.Is(err, storage.ErrFull) { // with a full disk one can still read
		return fmt.Errorf("settle the log: %w", err)
	}
	return nil
}

// release frees what Open took; no connection may be in use.
func (d *DB) release() error {
	var errs []error
	for range len(d.readers) {
		errs = append(errs, (<-d.readers).close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// migrate runs the numbered scripts that the database has not seen, each in a
// transaction with its number: a crash leaves the version before or after.
func migrate(c *conn, scripts fs.FS) error {
	names, err := fs.Glob(scripts, "migrations/*.sql")
	if err != nil {
		return err
	}
	v, err := one(c, scanInt, "PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("read database version: %w", err)
	}
	version := int(v)
	if version > len(names) {
		return fmt.Errorf("%w: it has version %d, this program knows %d", storage.ErrNewer, version, len(names))
	}
	for i, name := range names[version:] {
		script, err := fs.ReadFile(scripts, name)
		if err != nil {
			return err
		}
		n := version + i + 1
		if err := c.begin("BEGIN IMMEDIATE"); err != nil {
			return fmt.Errorf("migrate database to version %d: %w", n, err)
		}
		err = c.script(fmt.Sprintf("%s; PRAGMA user_version = %d", script, n))
		if err == nil {
			_, err = c.exec("COMMIT")
		}
		if err != nil {
			c.rollback()
			return fmt.Errorf("migrate database to version %d: %w", n, translate(err))
		}
	}
	return nil
}

// View implements storage.Storage.
func (d *DB) View(ctx context.Context, f func(storage.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case c = <-d.readers:
	case <-d.done:
		return storage.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.readers <- c }()
	d.mu.RLock()
	closed := d.closed
	d.mu.RUnlock()
	if closed {
		return storage.ErrClosed
	}
	if err := c.begin("BEGIN"); err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer c.rollback()
	return f(reader{c})
}

// Close implements storage.Storage. Updates that are queued are still done.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return storage.ErrClosed
	}
	d.closed = true
	close(d.queue)
	d.mu.Unlock()
	<-d.done
	// Views under way give their connections back; new ones see that d is closed.
	var errs []error
	for range d.count {
		errs = append(errs, (<-d.readers).close())
	}
	errs = append(errs, d.release())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database: %w", translate(err))
	}
	return nil
}
