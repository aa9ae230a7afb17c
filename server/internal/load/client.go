//go:build linux

package main

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// client is one member: a socket that has joined its room.
type client struct {
	*wire
	seat
	got func(kind) // called by the reader for what is not other
}

// crowd is the clients of one measurement. It owns their readers.
type crowd struct {
	d       dialect
	door    int // how many come in at a time; 0 for many
	clients []*client
	readers sync.WaitGroup
	closing atomic.Bool
	broken  atomic.Pointer[error] // the first thing that went wrong
}

// enter connects and joins everybody, some at a time, and starts to read.
func (c *crowd) enter(addr string, seats []seat, got func(i int) func(kind)) error {
	first := len(c.clients)
	c.clients = append(c.clients, make([]*client, len(seats))...)
	door := c.door
	if door == 0 {
		door = 256
	}
	return each(len(seats), door, func(i int) error {
		w, err := dial(addr, c.d.path(), i)
		if err != nil {
			return err
		}
		cl := &client{wire: w, seat: seats[i]}
		if got != nil {
			cl.got = got(i)
		}
		c.clients[first+i] = cl
		w.SetDeadline(time.Now().Add(60 * time.Second))
		if err := w.send(c.d.greet(cl.seat)); err != nil {
			return err
		}
		for in := false; !in; {
			message, err := w.receive()
			if err != nil {
				return fmt.Errorf("while joining: %w", err)
			}
			for line := range bytes.SplitSeq(message, []byte("\n")) {
				switch c.d.kind(line) {
				case joined:
					in = true
				case failed:
					return fmt.Errorf("while joining: %s", line)
				}
			}
		}
		w.SetDeadline(time.Time{})
		w.in = nil
		c.readers.Go(func() { c.read(cl) }) // ends with the socket; leave waits
		return nil
	})
}

func (c *crowd) read(cl *client) {
	for {
		message, err := cl.receive()
		if err != nil {
			c.fail(err)
			return
		}
		for line := range bytes.SplitSeq(message, []byte("\n")) {
			switch k := c.d.kind(line); k {
			case other:
			case asked:
				cl.send(c.d.pong())
			case failed:
				c.fail(fmt.Errorf("the server says %s", bytes.Clone(line)))
			default:
				if cl.got != nil {
					cl.got(k)
				}
			}
		}
		if cap(cl.in) > 4096 {
			cl.in = nil
		}
	}
}

func (c *crowd) fail(err error) {
	if !c.closing.Load() {
		c.broken.CompareAndSwap(nil, &err)
	}
}

func (c *crowd) err() error {
	if err := c.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// leave closes everybody's socket.
func (c *crowd) leave() {
	c.closing.Store(true)
	for _, cl := range c.clients {
		if cl != nil {
			cl.Close()
		}
	}
	c.readers.Wait()
}
