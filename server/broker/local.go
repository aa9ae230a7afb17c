package broker

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("broker is closed")

// queueSize bounds the hints that wait for one subscriber. When it is full the
// oldest hint is dropped: storage heals what a lost hint delays.
const queueSize = 1024

// Local is the in-process broker. Each subscription has a goroutine of its own
// while hints wait for it, and none while it is idle: 10,000 quiet watches
// cost no stack.
type Local struct {
	mu     sync.RWMutex
	topics map[string]map[*subscription]struct{}
	closed bool
}

var _ Broker = (*Local)(nil)

// NewLocal returns a broker without subscribers.
func NewLocal() *Local {
	return &Local{topics: map[string]map[*subscription]struct{}{}}
}

// Publish implements Broker.
func (l *Local) Publish(_ context.Context, topic string, payload []byte) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	for s := range l.topics[topic] {
		s.offer(payload)
	}
	return nil
}

// Subscribe implements Broker.
func (l *Local) Subscribe(topic string, f func(payload []byte)) (func(), error) {
	s := &subscription{f: f}
	s.idle.L = &s.mu
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.topics[topic] == nil {
		l.topics[topic] = map[*subscription]struct{}{}
	}
	l.topics[topic][s] = struct{}{}
	return func() {
		l.mu.Lock()
		if subs := l.topics[topic]; subs != nil {
			delete(subs, s)
			if len(subs) == 0 {
				delete(l.topics, topic)
			}
		}
		l.mu.Unlock()
		s.end()
	}, nil
}

// Close implements Broker. It returns once no subscriber's function is running.
func (l *Local) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	topics := l.topics
	l.topics = nil
	l.mu.Unlock()
	for _, subs := range topics {
		for s := range subs {
			s.end()
		}
	}
	return nil
}

type subscription struct {
	f func([]byte)

	mu      sync.Mutex
	queue   [][]byte // oldest first, at most queueSize
	running bool     // a goroutine of run is at work
	ended   bool
	idle    sync.Cond // running became false
}

// offer queues a hint and never waits for f.
func (s *subscription) offer(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if len(s.queue) == queueSize {
		s.queue = s.queue[1:]
	}
	s.queue = append(s.queue, payload)
	if !s.running {
		s.running = true
		go s.run() // owned by the subscription: end waits for it
	}
}

func (s *subscription) run() {
	s.mu.Lock()
	for len(s.queue) > 0 && !s.ended {
		batch := s.queue
		s.queue = nil
		for _, payload := range batch {
			if s.ended {
				break
			}
			s.mu.Unlock()
			s.f(payload)
			s.mu.Lock()
		}
	}
	s.running = false
	s.idle.Broadcast()
	s.mu.Unlock()
}

// end stops further calls of f and waits for the one under way.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.queue = nil
	for s.running {
		s.idle.Wait()
	}
}
