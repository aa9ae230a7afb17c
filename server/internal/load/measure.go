//go:build linux

package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// span is how long a measurement warms up and lasts.
type span struct{ warm, run time.Duration }

// figure is one number of a result, with the unit benchstat shows.
type figure struct {
	unit  string
	value float64
}

// pairs has 256 messages under way in the rooms of two: each is posted by one
// member, and counts once the other has it and its sender has the ack. The
// next room in the line is then served, and the other member writes next time.
func pairs(p *process, d dialect, seats [][2]seat, s span) ([]figure, error) {
	type room struct {
		members [2]*client
		missing atomic.Int32
		turn    int
	}
	var (
		c     = crowd{d: d}
		rooms = make([]room, len(seats))
		line  = make(chan *room, len(seats))
		done  atomic.Int64
		sent  atomic.Int64
		over  atomic.Bool
	)
	defer c.leave()
	next := func() {
		if over.Load() {
			return
		}
		r := <-line
		r.missing.Store(2)
		r.turn = 1 - r.turn
		sent.Add(1)
		if err := r.members[r.turn].send(d.post(r.members[r.turn].seat)); err != nil {
			c.fail(err)
		}
	}
	flat := make([]seat, 0, 2*len(seats))
	for _, s := range seats {
		flat = append(flat, s[0], s[1])
	}
	err := c.enter(p.addr, flat, func(i int) func(kind) {
		r, who := &rooms[i/2], i%2
		return func(k kind) {
			// The sender's own copy of the message is none of the two that count.
			if (k == acked) != (r.turn == who) {
				return
			}
			if r.missing.Add(-1) == 0 {
				done.Add(1)
				line <- r
				next()
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range rooms {
		rooms[i].members = [2]*client{c.clients[2*i], c.clients[2*i+1]}
		line <- &rooms[i]
	}
	for range min(256, len(seats)/2) {
		next()
	}
	time.Sleep(s.warm)
	before, err := p.begin()
	if err != nil {
		return nil, err
	}
	n, began := done.Load(), time.Now()
	time.Sleep(s.run)
	n, took := done.Load()-n, time.Since(began)
	after, err := p.end()
	if err != nil {
		return nil, err
	}
	cpu := after - before
	over.Store(true)
	if err := settle(&c, func() bool { return done.Load() == sent.Load() }); err != nil {
		return nil, fmt.Errorf("%d of %d messages arrived: %w", done.Load(), sent.Load(), err)
	}
	return []figure{
		{"msg/s", float64(n) / took.Seconds()},
		{"cpu-µs/msg", micros(cpu, n)},
		{"cores", cpu.Seconds() / took.Seconds()},
	}, nil
}

// hall is everybody in the one great room.
type hall struct {
	crowd
	p               *process
	got, acks, sent atomic.Int64
	more            chan struct{} // told each time a round of deliveries is complete
}

// enterHall lets everybody into the great room, few at a time: to show a room
// of 1,000 to one of them is work.
func enterHall(p *process, d dialect, seats []seat) (*hall, error) {
	h := &hall{crowd: crowd{d: d, door: 16}, p: p, more: make(chan struct{}, 1)}
	return h, h.enter(p.addr, seats, func(int) func(kind) {
		return func(k kind) {
			if k == acked {
				h.acks.Add(1)
			} else if k == event && h.got.Add(1)%int64(len(seats)) == 0 {
				select {
				case h.more <- struct{}{}:
				default:
				}
			}
		}
	})
}

func (h *hall) post() error {
	from := h.clients[int(h.sent.Add(1))%len(h.clients)]
	return from.send(h.d.post(from.seat))
}

// quiet waits until all that was posted has arrived.
func (h *hall) quiet() error {
	err := settle(&h.crowd, func() bool {
		return h.got.Load() == h.sent.Load()*int64(len(h.clients)) && h.acks.Load() == h.sent.Load()
	})
	if err != nil {
		err = fmt.Errorf("%d deliveries and %d acks of %d messages: %w", h.got.Load(), h.acks.Load(), h.sent.Load(), err)
	}
	return err
}

// over measures what f does for a while after it has warmed up.
func (h *hall) over(s span, f func(time.Duration) error) ([]figure, error) {
	if err := f(s.warm); err != nil {
		return nil, err
	}
	before, err := h.p.begin()
	if err != nil {
		return nil, err
	}
	n, began := h.got.Load(), time.Now()
	if err := f(s.run); err != nil {
		return nil, err
	}
	n, took := h.got.Load()-n, time.Since(began)
	after, err := h.p.end()
	return []figure{
		{"cpu-µs/delivery", micros(after-before, n)},
		{"deliveries/s", float64(n) / took.Seconds()},
		{"cores", (after - before).Seconds() / took.Seconds()},
	}, err
}

// spaced posts rate messages a second.
func (h *hall) spaced(rate int, s span) ([]figure, error) {
	t := time.NewTicker(time.Second / time.Duration(rate))
	defer t.Stop()
	return h.over(s, func(d time.Duration) error {
		for end := time.Now().Add(d); time.Now().Before(end); {
			<-t.C
			if err := h.post(); err != nil {
				return err
			}
		}
		return h.quiet()
	})
}

// burst keeps four messages under way.
func (h *hall) burst(s span) ([]figure, error) {
	return h.over(s, func(d time.Duration) error {
		for end := time.Now().Add(d); time.Now().Before(end) && h.err() == nil; {
			if h.sent.Load()-h.got.Load()/int64(len(h.clients)) < 4 {
				if err := h.post(); err != nil {
					return err
				}
				continue
			}
			select {
			case <-h.more:
			case <-time.After(time.Second): // to look whether something broke
			}
		}
		return h.quiet()
	})
}

// patience is how long something may be missing.
var patience = 30 * time.Second

// settle waits until everything under way has arrived.
func settle(c *crowd, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if err := c.err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("something is missing")
		}
	}
	return c.err()
}

// storm has everybody come back at once, with the cursor they had.
func storm(p *process, d dialect, seats []seat) ([]figure, error) {
	c := crowd{d: d}
	defer c.leave()
	before, err := p.begin()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := c.enter(p.addr, seats, nil); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := p.end()
	return []figure{
		{"cpu-µs/return", micros(after-before, int64(len(seats)))},
		{"returns/s", float64(len(seats)) / took.Seconds()},
	}, err
}

// idle lets in more and more clients who say nothing, and reports what each
// costs at every level. collect asks the server to give back what it does not
// need; nil where it can't be asked.
func idle(p *process, d dialect, seats []seat, levels []int, rest time.Duration, collect func() (memory, error), report func(n int, f []figure)) error {
	// What is there once for all is no connection's: caches of the database, which
	// have a bound, fill as everybody comes by once.
	for some := range slices.Chunk(seats, 1000) {
		warm := crowd{d: d}
		err := warm.enter(p.addr, some, nil)
		warm.leave()
		if err != nil {
			return err
		}
	}
	type state struct {
		rss, after float64
		memory
	}
	look := func() (s state, err error) {
		time.Sleep(rest) // what is measured is how it stands after a while
		s.rss = p.rss()
		if collect != nil {
			s.memory, err = collect()
			s.after = p.rss()
		}
		return s, err
	}
	base, err := look()
	if err != nil {
		return err
	}
	c := crowd{d: d}
	defer c.leave()
	for _, n := range levels {
		if err := c.enter(p.addr, seats[len(c.clients):n], nil); err != nil {
			return err
		}
		s, err := look()
		if err == nil {
			err = c.err()
		}
		if err != nil {
			return err
		}
		each := func(now, then float64) float64 { return (now - then) / float64(n) / 1024 }
		f := []figure{{"rss-KiB/conn", each(s.rss, base.rss)}}
		if collect != nil {
			f = append(f,
				figure{"after-gc-KiB/conn", each(s.after, base.after)},
				figure{"heap-KiB/conn", each(float64(s.Heap), float64(base.Heap))},
				figure{"stack-KiB/conn", each(float64(s.Stack), float64(base.Stack))},
				figure{"goroutines/conn", float64(s.Goroutines-base.Goroutines) / float64(n)},
			)
		}
		report(n, f)
	}
	return nil
}

func micros(cpu time.Duration, n int64) float64 {
	return float64(cpu.Microseconds()) / float64(max(n, 1))
}
