//go:build !unix && !js

package sqlite

import (
	"io"
	"os"
)

// lockFile only makes the file: without flock, SQLite's own locks keep the
// data whole, and two servers would merely not see each other's hints.
func lockFile(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
