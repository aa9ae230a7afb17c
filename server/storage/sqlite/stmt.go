//go:build !js

package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"

	"anteroom/server/storage"
)

// stmt is a prepared statement; while it stands on a row, its methods read the
// row's columns one after the other.
type stmt struct {
	s   *sqlite.Stmt
	col int // the next column
}

// start prepares a statement, or finds it prepared, and gives it all of its
// arguments. Whoever steps it resets it.
func (c *conn) start(query string, args []any) (*stmt, error) {
	s, ok := c.stmts[query]
	if !ok {
		p, err := c.db.Prepare(query)
		if err != nil {
			return nil, c.fail(err)
		}
		s = &stmt{s: p}
		c.stmts[query] = s
	}
	for i, arg := range args {
		s.bind(i+1, arg) // an error comes with the next step
	}
	return s, nil
}

// bind gives the statement its i-th argument, which must be a string, an int64,
// an int, a bool, bytes, nil or a hash; the zero hash is NULL and finds nothing.
func (s *stmt) bind(i int, arg any) {
	switch v := arg.(type) {
	case string:
		s.s.BindText(i, v)
	case int64:
		s.s.BindInt64(i, v)
	case int:
		s.s.BindInt64(i, int64(v))
	case bool:
		s.s.BindBool(i, v)
	case storage.Hash:
		if v == (storage.Hash{}) {
			s.s.BindNull(i)
		} else {
			s.s.BindBytes(i, v[:])
		}
	case nil:
		s.s.BindNull(i)
	case []byte:
		s.s.BindBytes(i, v)
	default:
		panic("sqlite: an argument of a type that can't be bound") // naming it would make every argument escape
	}
}

// next is the column to read now.
func (s *stmt) next() int {
	s.col++
	return s.col - 1
}

func (s *stmt) int() int64 { return s.s.ColumnInt64(s.next()) }

func (s *stmt) bool() bool { return s.int() != 0 }

func (s *stmt) text() string { return s.s.ColumnText(s.next()) }

// hash reads a hash; NULL is the zero hash.
func (s *stmt) hash() (h storage.Hash, err error) {
	i := s.next()
	if n := s.s.ColumnLen(i); n != 0 && n != len(h) {
		return h, fmt.Errorf("a hash has %d bytes", n)
	}
	s.s.ColumnBytes(i, h[:])
	return h, nil
}

func scanText[T ~string](s *stmt) (T, error) { return T(s.text()), nil }

func scanInt(s *stmt) (int64, error) { return s.int(), nil }

func scanBool(s *stmt) (bool, error) { return s.bool(), nil }
