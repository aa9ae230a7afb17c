//go:build !js

package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
)

// dispatch has a request carried out by the running server, or by this process
// if there is none, and prints what came of it.
func dispatch(ctx context.Context, data string, hasher auth.Params, q request, env Env) error {
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) && !q.fresh {
		return usagef("there is no data folder %s; --data says where it is", data)
	}
	path, err := filepath.Abs(filepath.Join(data, SocketName))
	if err != nil {
		return err
	}
	if env.Patience <= 0 {
		env.Patience = 5 * time.Second
	}
	deadline := time.NewTimer(env.Patience)
	defer deadline.Stop()
	for {
		c, err := dial(ctx, path)
		if err == nil {
			defer c.close()
			return remote(ctx, c, q, env)
		}
		if !errors.Is(err, errNoServer) {
			return err
		}
		err = local(ctx, data, hasher, q, env)
		if !errors.Is(err, errLocked) {
			return err
		}
		// Somebody has the database and does not listen: a server that is just
		// starting or ending, or another command.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline.C:
			return errors.New("another process has the database open and does not answer; try again")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errLocked = errors.New("the database is locked")

// remote has the running server carry the request out.
func remote(ctx context.Context, c *client, q request, env Env) error {
	if q.Command == "backup" {
		return writeFile(q.file, env, func(w io.Writer) error {
			body, err := c.post(ctx, "/backup", nil)
			if err != nil {
				return err
			}
			defer body.Close()
			if _, err := io.Copy(w, body); err != nil {
				return fmt.Errorf("the copy broke off: %w", err)
			}
			return nil
		})
	}
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	body, err := c.post(ctx, "/command", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer body.Close()
	var r reply
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return fmt.Errorf("the server's answer broke off: %w", err)
	}
	_, err = io.WriteString(env.Stdout, r.Output)
	return err
}

// local carries the request out in this process.
func local(ctx context.Context, data string, hasher auth.Params, q request, env Env) (err error) {
	st, err := env.Open(ctx, data)
	if err != nil {
		if errors.Is(err, storage.ErrBusy) {
			return errLocked
		}
		return err
	}
	defer func() {
		if cerr := st.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close the database: %w", cerr)
		}
	}()
	if q.Command == "backup" {
		return writeFile(q.file, env, func(w io.Writer) error { return st.Backup(ctx, w) })
	}
	a := auth.New(st, auth.Config{Hasher: hasher})
	r, err := rooms.New(rooms.Config{Storage: st, Auth: a})
	if err != nil {
		return err
	}
	defer r.Stop()
	a.OnChange(r.Recheck)
	out, err := Deps{Storage: st, Auth: a, Rooms: r}.act(ctx, q)
	if err != nil {
		return err
	}
	_, err = io.WriteString(env.Stdout, out)
	return err
}

// writeFile makes a file that appears whole under its name or not at all, and
// replaces none.
func writeFile(name string, env Env, fill func(io.Writer) error) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".anteroom-backup-") // mode 0600
	if err != nil {
		return usageError{fmt.Errorf("can't write to %s: %w", dir, err)}
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := fill(f); err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = place(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if d, err := os.Open(dir); err == nil { // so that the name survives a power cut too
		d.Sync()
		d.Close()
	}
	_, err = fmt.Fprintf(env.Stdout, "%s written, %d bytes\n", name, info.Size())
	return err
}

// place gives a file its name unless it is taken.
func place(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	// A file system without hard links.
	if _, serr := os.Lstat(to); serr == nil {
		return os.ErrExist
	}
	return os.Rename(from, to)
}
