//go:build !js

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
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

// inTurn takes steps of an Update each, one after the other, or all in one group.
func inTurn(t *testing.T, d *DB, grouped bool, steps []func() error) {
	t.Helper()
	var all sync.WaitGroup
	free := func() {}
	if grouped {
		free = hold(d)
	}
	for i, step := range steps {
		do := func() {
			if err := step(); err != nil {
				t.Error(err)
			}
		}
		if !grouped {
			do()
			continue
		}
		all.Go(do)
		for len(d.queue) <= i {
			runtime.Gosched()
		}
	}
	free()
	all.Wait()
}

// Numbers of senders that a transaction made are forgotten with it: another
// sender may get them next.
func TestNumbersEndWithTheirTransaction(t *testing.T) {
	errRefused := errors.New("refused")
	for _, grouped := range []bool{false, true} {
		t.Run(fmt.Sprint("in one group ", grouped), func(t *testing.T) {
			d := open(t, filepath.Join(t.TempDir(), "a.db"))
			defer d.Close()
			if err := d.Update(t.Context(), func(w storage.Writer) error { return w.CreateRoom(storage.Room{ID: "r_a"}) }); err != nil {
				t.Fatal(err)
			}
			say := func(sender chat.Identity, want error) error {
				err := d.Update(t.Context(), func(w storage.Writer) error {
					e, created, err := w.Append("r_a", chat.Event{Kind: chat.MessagePosted, Sender: sender, ClientID: "same", Text: string(sender)})
					if err == nil && !created {
						err = fmt.Errorf("%s's message is taken for a repeat", sender)
					}
					if err == nil {
						_, _, err = w.SetRead("r_a", sender, e.Seq)
					}
					return errors.Join(err, want)
				})
				if errors.Is(err, want) {
					err = nil
				}
				return err
			}
			steps := []func() error{
				func() error { return say("u_before", nil) },
				func() error { return say("u_first", errRefused) },
				func() error { return say("u_second", nil) },
				func() error { return say("u_first", nil) },
			}
			inTurn(t, d, grouped, steps)
			if err := d.View(t.Context(), func(r storage.Reader) error {
				receipts, err := r.Receipts("r_a")
				want := []chat.Receipt{{Reader: "u_before", Seq: 1}, {Reader: "u_first", Seq: 3}, {Reader: "u_second", Seq: 2}}
				if !slices.Equal(receipts, want) {
					t.Errorf("receipts %v, want %v", receipts, want)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
