package client

import (
	"syscall/js"
	"testing"

	"anteroom/store"
	"anteroom/store/chat"
)

// cupboard is a localStorage that takes nothing more while full is set.
type cupboard struct {
	values map[string]string
	full   bool
	object js.Value
}

func newCupboard(t *testing.T) *cupboard {
	c := &cupboard{values: map[string]string{}, object: js.Global().Get("Object").New()}
	method := func(name string, f func(args []js.Value) any) {
		fn := js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) })
		t.Cleanup(fn.Release)
		c.object.Set(name, fn)
	}
	method("getItem", func(args []js.Value) any {
		if v, ok := c.values[args[0].String()]; ok {
			return v
		}
		return nil
	})
	method("put", func(args []js.Value) any {
		if !c.full {
			c.values[args[0].String()] = args[1].String()
		}
		return c.full
	})
	// Only a function of JavaScript's own can throw.
	c.object.Set("setItem", js.Global().Get("Function").New("k", "v", "if (this.put(k, v)) throw new Error('full')"))
	method("removeItem", func(args []js.Value) any {
		delete(c.values, args[0].String())
		return nil
	})
	return c
}

func (c *cupboard) page() *page {
	return &page{surface: chat.SurfaceWidget, window: js.Global(), storage: c.object, held: map[string]string{}, was: map[string]string{}}
}

// What storage refused to take is held in memory, until another tab has written
// under the same key: from then on that is the word.
func TestRefusedValueGivesWayToAnotherTabs(t *testing.T) {
	key := store.KeyOutbox(chat.SurfaceWidget, "m-1")
	for _, was := range []string{"", "nobody's"} {
		for _, then := range []string{"", "a guest's"} {
			if was == then {
				continue
			}
			t.Run(was+" to "+then, func(t *testing.T) {
				c := newCupboard(t)
				one, two := c.page(), c.page()
				read := func(p *page, want string) {
					t.Helper()
					if got, ok := p.Get(key); got != want || ok != (want != "") {
						t.Errorf("got %q %v, want %q", got, ok, want)
					}
				}
				if was != "" {
					if err := one.Set(key, was); err != nil {
						t.Fatal(err)
					}
				}
				c.full = true
				if one.Set(key, "a user's") == nil {
					t.Fatal("the refusal was not reported")
				}
				read(one, "a user's")
				read(two, was)
				c.full = false
				if then == "" {
					two.Remove(key)
				} else if err := two.Set(key, then); err != nil {
					t.Fatal(err)
				}
				read(one, then)
				two.Remove(key)
				read(one, "")
				if was != "" {
					if err := two.Set(key, was); err != nil {
						t.Fatal(err)
					}
					read(one, was) // and not what was refused long ago
				}
			})
		}
	}
}
