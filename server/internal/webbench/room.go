//go:build !js

package main

import (
	"fmt"
	"sync"
	"time"
)

// sizes are the lengths of a room at which its cost is measured.
var sizes = []int{100, 1_000, 10_000}

const (
	appends    = 7
	keystrokes = 9
	batch      = 200 // below what a socket may have waiting
)

// longRoom keeps a chat open while message after message comes in, and measures
// at each size what one more costs, and what a keystroke costs.
func longRoom(s *server, f figures) error {
	g, err := s.chatted(1)
	if err != nil {
		return err
	}
	b, err := launch()
	if err != nil {
		return err
	}
	defer b.stop()
	s.front.delay.Store(0)
	if err := b.remember(s, g); err != nil {
		return err
	}
	_, launcher, err := b.launcher(s)
	if err != nil {
		return err
	}
	if err := b.click(launcher); err != nil {
		return err
	}
	row, err := b.await("row")
	if err != nil {
		return err
	}
	if _, err := b.await("socket"); err != nil {
		return err
	}
	frame := row.Context
	have := 1
	for _, size := range sizes {
		for have < size {
			n := min(batch, size-have)
			if err := s.burst(g, have, n); err != nil {
				return err
			}
			have += n
			last := fmt.Sprintf("The last %d.", have)
			if err := s.say(g.room, g.staff, last); err != nil {
				return err
			}
			have++
			if err := b.eval(frame, fmt.Sprintf("benchProbe.shown(%q)", last), nil); err != nil {
				return fmt.Errorf("at %d messages: %w", have, err)
			}
		}
		if err := b.throttle(true); err != nil {
			return err
		}
		if err := b.cost(s, g, frame, size, f); err != nil {
			return err
		}
		if err := b.throttle(false); err != nil {
			return err
		}
	}
	var bytes float64
	if err := b.eval(frame, "benchProbe.memory.buffer.byteLength", &bytes); err != nil {
		return err
	}
	f["memory"] = bytes / (1 << 20)
	return nil
}

// cost measures appends and keystrokes as the room is.
func (b *browser) cost(s *server, g *guest, frame int64, size int, f figures) error {
	var changed, painted, busy []float64
	rows := 0.0
	for i := range appends {
		text := fmt.Sprintf("One more, %d of %d.", i, size)
		failed := make(chan error, 1)
		go func() { // awaited below
			time.Sleep(100 * time.Millisecond) // the page waits for it by then
			failed <- s.say(g.room, g.staff, text)
		}()
		var at struct{ Changed, Painted, Rows float64 }
		err := b.eval(frame, fmt.Sprintf("benchProbe.shown(%q)", text), &at)
		if sent := <-failed; sent != nil {
			return sent
		}
		if err != nil {
			return err
		}
		changed, painted, rows = append(changed, at.Changed), append(painted, at.Painted), max(rows, at.Rows)
	}
	for range keystrokes {
		if err := b.eval(frame, "benchProbe.busy = 0", nil); err != nil {
			return err
		}
		if err := b.key("k"); err != nil {
			return err
		}
		var took float64
		if err := b.eval(frame, "new Promise((done) => setTimeout(() => done(benchProbe.busy), 250))", &took); err != nil {
			return err
		}
		busy = append(busy, took)
	}
	f[fmt.Sprintf("append %d", size)] = median(painted)
	f[fmt.Sprintf("append to change %d", size)] = median(changed)
	f[fmt.Sprintf("keystroke %d", size)] = median(busy)
	f["rows"] = max(f["rows"], rows)
	return nil
}

// burst posts n messages, several at once: the database commits them in groups.
func (s *server) burst(g *guest, from, n int) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := make(chan int, n)
	for i := range n {
		next <- from + i
	}
	close(next)
	for range 16 {
		wg.Go(func() { // awaited below
			for i := range next {
				if err := s.say(g.room, g.staff, fmt.Sprintf("Message %d of a long day's chat about bowls and glazes.", i)); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
