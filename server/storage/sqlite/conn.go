//go:build !js

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"anteroom/server/storage"
)

// conn is one connection with its prepared statements. It belongs to one
// goroutine at a time.
type conn struct {
	c     *sql.Conn
	stmts map[string]*sql.Stmt
	// broken is the first error since begin that may have ended the
	// transaction; the transaction must be rolled back then.
	broken error
}

// background is what statements run under: a statement that is cut in the
// middle would end the transaction of a whole group.
var background = context.Background()

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &conn{c: c, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.Close()
	}
	return c.c.Close()
}

func (c *conn) fail(err error) error {
	if err == nil {
		return nil
	}
	// A violated constraint undoes its own statement only.
	e, ok := errors.AsType[*sqlite.Error](err)
	constraint := ok && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
	if err = translate(err); c.broken == nil && !constraint {
		c.broken = err
	}
	return err
}

func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.PrepareContext(background, query)
	if err != nil {
		return nil, c.fail(fmt.Errorf("prepare %q: %w", query, err))
	}
	c.stmts[query] = s
	return s, nil
}

// exec runs a statement and tells how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(background, args...)
	if err != nil {
		return 0, c.fail(err)
	}
	n, err := res.RowsAffected()
	return n, c.fail(err)
}

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// row reads the one row a query gives, storage.ErrNotFound where there is none.
func (c *conn) row(query string, args []any, dest ...any) error {
	found := false
	err := c.each(query, args, func(s scanner) error {
		found = true
		return s.Scan(dest...)
	})
	if err == nil && !found {
		return storage.ErrNotFound
	}
	return err
}

// each calls f for every row. f must not use the connection.
func (c *conn) each(query string, args []any, f func(scanner) error) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(background, args...)
	if err != nil {
		return c.fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return c.fail(err)
		}
	}
	return c.fail(rows.Err())
}

// all collects every row a query gives.
func all[T any](c *conn, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := c.each(query, args, func(s scanner) error {
		v, err := scan(s)
		out = append(out, v)
		return err
	})
	return out, err
}

// one reads the one row a query gives, storage.ErrNotFound where there is none.
func one[T any](c *conn, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	var out T
	found := false
	err := c.each(query, args, func(s scanner) (err error) {
		found = true
		out, err = scan(s)
		return err
	})
	if err == nil && !found {
		err = storage.ErrNotFound
	}
	return out, err
}

// column scans a row of one value.
func column[T any](s scanner) (v T, err error) {
	err = s.Scan(&v)
	return v, err
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
	c.broken = nil
}

// translate gives SQLite's errors the names of the contract.
func translate(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrNotFound
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", storage.ErrReadOnly, err)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", storage.ErrConflict, err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", storage.ErrNotFound, err)
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the shared index could not grow
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", storage.ErrBusy, err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", storage.ErrReadOnly, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w: %w", storage.ErrFailed, err)
	}
	return err
}
