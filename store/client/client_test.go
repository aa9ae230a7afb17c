package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/store"
	"anteroom/store/chat"
)

// nowhere is a world without a network.
type nowhere struct{ dials, calls int }

func (n *nowhere) Dial(context.Context, string) (Socket, error) {
	n.dials++
	return nil, errors.New("no network")
}

func (n *nowhere) Call(context.Context, Request) (int, []byte, error) {
	n.calls++
	return 0, nil, errors.New("no network")
}

func (n *nowhere) Online() bool                          { return true }
func (n *nowhere) Listen(func(store.Fact)) (stop func()) { return func() {} }

func alone(n *nowhere, tab *Tab) Env {
	return Env{Storage: tab, Tabs: tab, Dialer: n, Caller: n, Clock: SystemClock{}, Events: n}
}

func TestTimeGoesOnWhenTheClockIsSetBack(t *testing.T) {
	wall := time.Unix(1000, 0)
	s := steady{now: func() time.Time { return wall }}
	first := s.millis()
	wall = wall.Add(5 * time.Second)
	if got := s.millis() - first; got != 5000 {
		t.Errorf("5 s took %d ms", got)
	}
	wall = wall.Add(-time.Hour)
	back := s.millis()
	if back < first+5000 {
		t.Errorf("time went back to %d", back-first)
	}
	wall = wall.Add(time.Second)
	if got := s.millis() - back; got != 1000 {
		t.Errorf("1 s took %d ms", got)
	}
}

func TestWhatWasWrittenWithoutANetworkIsInStorageAndRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, browser := &nowhere{}, NewBrowser()
		c := New(Config{URL: "http://chat.invalid", Surface: chat.SurfaceWidget}, alone(n, browser.Tab(chat.SurfaceWidget)))
		ctx, cancel := context.WithCancel(t.Context())
		go c.Run(ctx)
		c.Do(store.StartChat{Vendor: "maple-pottery"})
		c.Do(store.SendMessage{Vendor: "maple-pottery", Text: "hello"})
		synctest.Wait()
		v := c.View()
		if v.Room == nil || len(v.Room.Pending) != 1 || v.Room.Pending[0].State != store.Waiting {
			t.Fatalf("room is %+v", v.Room)
		}
		if len(browser.Values()) != 1 {
			t.Errorf("stored: %v", browser.Values())
		}
		time.Sleep(10 * time.Minute) // virtual: the bubble's clock
		synctest.Wait()
		if n.calls < 20 || n.calls > 400 {
			t.Errorf("%d tries in ten minutes", n.calls)
		}
		cancel()
		synctest.Wait()
	})
}

func TestAnswersOfStrangers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   chat.Code
	}{
		{200, `{"a":1}`, ""},
		{204, "", ""},
		{403, `{"error":{"code":"access_denied","message":"no"}}`, chat.CodeAccessDenied},
		{502, "<html>bad gateway", chat.CodeUnavailable},
		{403, "<html>a portal", chat.CodeUnavailable},
		{401, "", chat.CodeUnavailable},
		{429, "", chat.CodeRateLimited},
		{302, "", chat.CodeUnavailable},
	} {
		got := answer(1, c.status, []byte(c.body), nil)
		if code := codeOf(got.Error); code != c.want {
			t.Errorf("%d %s: got %q, want %q", c.status, c.body, code, c.want)
		}
	}
}

func codeOf(e *chat.Error) chat.Code {
	if e == nil {
		return ""
	}
	return e.Code
}

func TestSocketURL(t *testing.T) {
	for base, want := range map[string]string{
		"http://localhost:8080":  "ws://localhost:8080/ws?guest_session=g_x",
		"https://chat.example":   "wss://chat.example/ws?guest_session=g_x",
		"https://a.example/chat": "wss://a.example/chat/ws?guest_session=g_x",
	} {
		if got := socketURL(base, "g_x"); got != want {
			t.Errorf("%s: got %s", base, got)
		}
	}
}

func TestSubscribersSeeEachBatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nowhere{}
		c := New(Config{URL: "http://chat.invalid", Surface: chat.SurfaceWidget}, alone(n, NewBrowser().Tab(chat.SurfaceWidget)))
		views := 0
		stop := c.Subscribe(func(v *store.View) {
			if v != c.View() {
				t.Error("a view that is not the present one")
			}
			views++
		})
		ctx, cancel := context.WithCancel(t.Context())
		for range 100 {
			c.Do(store.OpenWidget{})
			c.Do(store.CloseWidget{})
		}
		go c.Run(ctx)
		synctest.Wait()
		if views == 0 || views > 3 {
			t.Errorf("%d views for one batch", views)
		}
		stop()
		before := views
		c.Do(store.OpenWidget{})
		synctest.Wait()
		if views != before {
			t.Error("called after cancel")
		}
		cancel()
		synctest.Wait()
	})
}

// A value is removed by what it holds where the machine names that.
func TestRemovalNamesWhatItRemoves(t *testing.T) {
	tab := NewBrowser().Tab(chat.SurfaceWidget)
	c := New(Config{URL: "http://chat.invalid", Surface: chat.SurfaceWidget}, alone(&nowhere{}, tab))
	for _, step := range []struct {
		remove string // a part of the value; "" for any
		want   bool   // it is still there
	}{{"another's", true}, {"mine", false}, {"mine", false}, {"", false}} {
		c.perform(t.Context(), store.Persist{Key: store.KeyGuestSession, Value: step.remove, Remove: true})
		if _, ok := tab.Get(store.KeyGuestSession); ok {
			t.Errorf("%q: removed what was not there to remove", step.remove)
		}
		c.perform(t.Context(), store.Persist{Key: store.KeyGuestSession, Value: `{"credential":"mine"}`})
		c.perform(t.Context(), store.Persist{Key: store.KeyGuestSession, Value: step.remove, Remove: true})
		if _, ok := tab.Get(store.KeyGuestSession); ok != step.want {
			t.Errorf("removing %q: there %t, want %t", step.remove, ok, step.want)
		}
		c.perform(t.Context(), store.Persist{Key: store.KeyGuestSession, Remove: true})
	}
}
