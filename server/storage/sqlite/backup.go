//go:build !js

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"anteroom/server/storage"
)

const backupSuffix = ".backup-"

// removeOldBackups removes what a crash during Backup left.
func (d *DB) removeOldBackups() {
	old, _ := filepath.Glob(d.path + backupSuffix + "*")
	for _, name := range old {
		os.Remove(name)
	}
}

// Backup implements storage.Storage. The copy is made in a file beside the
// database first: a slow w must not hold a read transaction open.
func (d *DB) Backup(ctx context.Context, w io.Writer) (err error) {
	if err := d.View(ctx, func(storage.Reader) error { return nil }); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(d.path), filepath.Base(d.path)+backupSuffix+"*") // mode 0600
	if err != nil {
		return translate(fmt.Errorf("make backup file: %w", err))
	}
	defer func() {
		f.Close()
		for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
			os.Remove(f.Name() + suffix)
		}
	}()
	if err := run(ctx, d.path, d.busy, "VACUUM INTO ?", f.Name()); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	for _, change := range []string{
		"UPDATE meta SET epoch = lower(hex(randomblob(16)))",
		"UPDATE account_sessions SET revoked_at = max(last_seen_at, 1) WHERE revoked_at = 0",
	} {
		if err := run(ctx, f.Name(), 0, change); err != nil {
			return fmt.Errorf("make the copy one of its own: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		return translate(fmt.Errorf("sync backup file: %w", err))
	}
	if _, err := io.Copy(w, contextReader{ctx, f}); err != nil {
		return translate(fmt.Errorf("write backup: %w", err))
	}
	return nil
}

// run runs one statement on a connection of its own.
func run(ctx context.Context, path string, busy time.Duration, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := connect(path, busy)
	if err != nil {
		return err
	}
	c.db.SetInterrupt(ctx.Done())
	_, err = c.exec(query, args...)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, c.close())
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
