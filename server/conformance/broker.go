package conformance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"anteroom/server/broker"
)

// patience is how long a case waits for something that must come.
const patience = 10 * time.Second

// Broker runs the broker contract's cases; open gives a new broker each time.
func Broker(t *testing.T, open func(t testing.TB) broker.Broker) {
	subscribe := func(t *testing.T, b broker.Broker, topic string) (<-chan string, func()) {
		t.Helper()
		got := make(chan string, 100)
		cancel, err := b.Subscribe(topic, func(p []byte) { got <- string(p) })
		if err != nil {
			t.Fatal(err)
		}
		return got, cancel
	}
	publish := func(t *testing.T, b broker.Broker, topic, payload string) {
		t.Helper()
		if err := b.Publish(t.Context(), topic, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(t *testing.T, got <-chan string, want string) {
		t.Helper()
		select {
		case s := <-got:
			if s != want {
				t.Fatalf("got hint %q, want %q", s, want)
			}
		case <-time.After(patience):
			t.Fatalf("hint %q did not come", want)
		}
	}
	t.Run("a hint reaches every subscriber of its topic and no other", func(t *testing.T) {
		b := open(t)
		defer b.Close()
		a1, c1 := subscribe(t, b, "a")
		a2, c2 := subscribe(t, b, "a")
		other, c3 := subscribe(t, b, "b")
		publish(t, b, "a", "for a")
		wait(t, a1, "for a")
		wait(t, a2, "for a")
		publish(t, b, "b", "for b")
		wait(t, other, "for b")
		c1()
		c2()
		c3()
		if len(a1)+len(a2)+len(other) != 0 {
			t.Fatal("a hint came twice or to another topic")
		}
	})
	t.Run("calls of one subscriber do not overlap", func(t *testing.T) {
		b := open(t)
		defer b.Close()
		const hints = 200
		var mu sync.Mutex
		var calls sync.WaitGroup
		calls.Add(hints)
		cancel, err := b.Subscribe("a", func([]byte) {
			if !mu.TryLock() {
				t.Error("two calls at once")
			} else {
				mu.Unlock()
			}
			calls.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
		var publishers sync.WaitGroup
		for range 4 {
			publishers.Go(func() {
				for range hints / 4 {
					b.Publish(t.Context(), "a", []byte("x"))
				}
			})
		}
		publishers.Wait()
		calls.Wait()
		cancel()
	})
	t.Run("publish does not wait for a subscriber that is stuck", func(t *testing.T) {
		b := open(t)
		defer b.Close()
		stuck, free := make(chan struct{}), make(chan struct{})
		var once sync.Once
		cancel, err := b.Subscribe("a", func([]byte) {
			once.Do(func() { close(stuck) })
			<-free
		})
		if err != nil {
			t.Fatal(err)
		}
		quick, cancelQuick := subscribe(t, b, "b")
		publish(t, b, "a", "x")
		<-stuck
		for i := range 5000 { // more than any queue should hold
			publish(t, b, "a", fmt.Sprint(i))
		}
		publish(t, b, "b", "still here")
		wait(t, quick, "still here")
		cancelQuick()
		close(free)
		cancel()
	})
	t.Run("cancel waits for the call under way and nothing comes after it", func(t *testing.T) {
		b := open(t)
		defer b.Close()
		entered, free := make(chan struct{}, 1), make(chan struct{})
		finished, calls := false, 0
		cancel, err := b.Subscribe("a", func([]byte) {
			calls++ // read after cancel returned: the race detector judges
			entered <- struct{}{}
			<-free
			finished = true
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, b, "a", "1")
		<-entered
		publish(t, b, "a", "2")
		time.AfterFunc(time.Millisecond, func() { close(free) })
		cancel()
		if !finished {
			t.Fatal("cancel returned while the function was running")
		}
		before := calls
		publish(t, b, "a", "3")
		cancel() // again does nothing
		if calls != before {
			t.Fatal("called after cancel")
		}
	})
	t.Run("after close everything says so", func(t *testing.T) {
		b := open(t)
		got, cancel := subscribe(t, b, "a")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Publish(t.Context(), "a", []byte("x")); err == nil {
			t.Fatal("published into a closed broker")
		}
		if _, err := b.Subscribe("a", func([]byte) {}); err == nil {
			t.Fatal("subscribed to a closed broker")
		}
		cancel()
		if len(got) != 0 {
			t.Fatal("a hint came after close")
		}
	})
}
