//go:build !js

package sqlite

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// conn is one connection with its prepared statements. It belongs to one
// goroutine at a time.
type conn struct {
	db    *sqlite.Conn
	stmts map[string]*stmt // by their text

	// broken is the first error since begin that may have ended the
	// transaction; the transaction must be rolled back then.
	broken error
	// changed tells that a statement changed something, or may have, since it
	// was last set to false.
	changed bool
	// What the transaction has seen last of a room; every statement that may
	// change something forgets it.
	room  roomKey
	epoch string // "" until it was read; it stays while the database is open
	// Numbers of ids and of rooms that commits have made durable, or that this
	// transaction made; a rollback forgets them. They give no right: who finds a
	// room by its number sees in the row which it is.
	ids   map[string]int64
	rooms map[chat.RoomID]int64
	sent  map[[2]int64]struct{} // rows of senders, likewise
}

// maxKept bounds each map that a connection keeps, at some 100 bytes an entry.
const maxKept = 16384

func keep[K comparable, V any](m map[K]V, k K, v V) {
	if len(m) >= maxKept {
		clear(m)
	}
	m[k] = v
}

// roomKey is what is needed of a room again and again within a transaction.
type roomKey struct {
	id       chat.RoomID // "" for none
	n        int64
	head     int64 // seq of the newest event
	newest   int64 // its row
	messages int64
}

// connect opens a database file, which is made if it is missing, and runs
// pragmas. busy is how long to wait for another process's lock.
func connect(path string, busy time.Duration, pragmas ...string) (*conn, error) {
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, translate(err)
	}
	db.SetBusyTimeout(busy)
	c := &conn{db: db, stmts: make(map[string]*stmt)}
	c.ids, c.rooms, c.sent = make(map[string]int64), make(map[chat.RoomID]int64), make(map[[2]int64]struct{})
	for _, p := range pragmas {
		if err := sqlitex.ExecuteTransient(db, "PRAGMA "+p, nil); err != nil {
			db.Close()
			return nil, translate(fmt.Errorf("%s: %w", p, err))
		}
	}
	return c, nil
}

func (c *conn) close() error { return c.db.Close() }

func (c *conn) fail(err error) error {
	if err == nil {
		return nil
	}
	c.forget()
	// A violated constraint undoes its own statement only.
	constraint := sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint
	if err = translate(err); c.broken == nil && !constraint {
		c.broken = err
	}
	return err
}

// forget drops what was read.
func (c *conn) forget() { c.room = roomKey{} }

// script runs statements without arguments that nobody runs again, all or none.
func (c *conn) script(queries string) error {
	c.forget()
	return sqlitex.ExecuteScript(c.db, queries, nil)
}

// exec runs a statement and tells how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.start(query, args)
	if err != nil {
		return 0, err
	}
	c.forget()
	for more := true; more && err == nil; {
		more, err = s.s.Step()
	}
	n := int64(0)
	if err == nil {
		n = int64(c.db.Changes())
	}
	s.s.Reset()
	c.changed = c.changed || n > 0 || err != nil
	return n, c.fail(err)
}

// each calls f for every row. f must not use the connection.
func (c *conn) each(query string, args []any, f func(*stmt) error) error {
	s, err := c.start(query, args)
	if err != nil {
		return err
	}
	defer s.s.Reset()
	for {
		more, err := s.s.Step()
		if err != nil || !more {
			return c.fail(err)
		}
		s.col = 0
		if err := f(s); err != nil {
			return c.fail(err)
		}
	}
}

// all collects every row a query gives.
func all[T any](c *conn, scan func(*stmt) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := c.each(query, args, func(s *stmt) error {
		v, err := scan(s)
		out = append(out, v)
		return err
	})
	return out, err
}

// one reads the one row a query gives, storage.ErrNotFound where there is none.
func one[T any](c *conn, scan func(*stmt) (T, error), query string, args ...any) (out T, err error) {
	s, err := c.start(query, args)
	if err != nil {
		return out, err
	}
	found, err := s.s.Step()
	if found {
		s.col = 0
		out, err = scan(s)
	}
	s.s.Reset()
	if err == nil && !found {
		return out, storage.ErrNotFound
	}
	return out, c.fail(err)
}

// begin starts a transaction.
func (c *conn) begin(how string) error {
	c.broken = nil
	_, err := c.exec(how)
	return err
}

// rollback ends a transaction, also one that SQLite has ended by itself.
func (c *conn) rollback() {
	c.exec("ROLLBACK")
	c.undone()
	c.broken = nil
}

// undone forgets what may have been made by a transaction that was rolled back.
func (c *conn) undone() {
	clear(c.ids)
	clear(c.rooms)
	clear(c.sent)
}

// translate gives SQLite's errors the names of the contract.
func translate(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", storage.ErrReadOnly, err)
	}
	code := sqlite.ErrCode(err) // ResultError for what is none of SQLite's
	switch code {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey:
		return fmt.Errorf("%w: %w", storage.ErrConflict, err)
	case sqlite.ResultConstraintForeignKey:
		return fmt.Errorf("%w: %w", storage.ErrNotFound, err)
	case sqlite.ResultIOErrSHMSize: // the shared index could not grow
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	switch code.ToPrimary() {
	case sqlite.ResultFull:
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("%w: %w", storage.ErrBusy, err)
	case sqlite.ResultReadOnly:
		return fmt.Errorf("%w: %w", storage.ErrReadOnly, err)
	case sqlite.ResultIOErr:
		return fmt.Errorf("%w: %w", storage.ErrFailed, err)
	}
	return err
}
