//go:build !js

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// One group of Updates: some are refused before they write, some after, one panics.
func TestAFailureUndoesItselfOnly(t *testing.T) {
	errRefused := errors.New("refused")
	for _, tt := range []struct {
		name  string
		fails func(w storage.Writer) error // every third of them
		runs  int32                        // how often each function runs
	}{
		{"before it writes", func(storage.Writer) error { return errRefused }, 1},
		{"having changed nothing", func(w storage.Writer) error {
			return errors.Join(w.SetVendorMember("v_none", "u_none", false), errRefused)
		}, 1},
		{"after it wrote", func(w storage.Writer) error {
			return errors.Join(w.PutUser(storage.User{ID: "u_no"}), errRefused)
		}, 2},
		{"after a part was refused", func(w storage.Writer) error {
			return errors.Join(w.Block("v_none", "g_a"), errRefused)
		}, 2},
		{"by a panic", func(w storage.Writer) error {
			w.PutUser(storage.User{ID: "u_no"})
			panic(errRefused)
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, filepath.Join(t.TempDir(), "a.db"))
			defer d.Close()
			free := hold(d)
			const updates = 9
			var (
				all sync.WaitGroup
				ran [updates]atomic.Int32
			)
			for i := range updates {
				id := fmt.Sprint("u_", i)
				all.Go(func() {
					var err error
					func() {
						defer func() {
							if p := recover(); p != nil {
								err = p.(error)
							}
						}()
						err = d.Update(t.Context(), func(w storage.Writer) error {
							ran[i].Add(1)
							if i%3 == 1 {
								return tt.fails(w)
							}
							return w.PutUser(storage.User{ID: chat.UserID(id)})
						})
					}()
					if i%3 == 1 && !errors.Is(err, errRefused) {
						t.Errorf("update %d failed with %v", i, err)
					}
					if i%3 != 1 && (err != nil || !has(t, d, id)) {
						t.Errorf("update %d: %v", i, err)
					}
				})
			}
			for len(d.queue) < updates { // all in one group
				runtime.Gosched()
			}
			free()
			all.Wait()
			if has(t, d, "u_no") {
				t.Error("something of a failed update stayed")
			}
			for i := range ran {
				if n := ran[i].Load(); n > tt.runs {
					t.Errorf("update %d ran %d times, want at most %d", i, n, tt.runs)
				}
			}
		})
	}
}
