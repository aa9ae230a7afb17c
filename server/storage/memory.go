package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"fmt"
	"io"
	"sync"

	"anteroom/store/chat"
)

// Memory is the reference driver: everything in maps, nothing durable. It is
// what tests and the simulated world run on, and what the contract means where
// its words leave a doubt. Safe for concurrent use; a transaction must not
// open another one.
type Memory struct {
	writer chan struct{} // holds one token while no Update is under way

	// mu is held for reading during a View's f, for writing during an
	// Update's: transactions are callbacks by contract.
	mu     sync.RWMutex
	s      *state
	closed bool
}

var _ Storage = (*Memory)(nil)

// NewMemory returns an empty storage with a new epoch.
func NewMemory() *Memory {
	return newMemory(newState(rand.Text()))
}

// OpenMemory returns a storage with what a Memory's Backup wrote.
func OpenMemory(backup io.Reader) (*Memory, error) {
	var d dump
	if err := gob.NewDecoder(backup).Decode(&d); err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	return newMemory(d.restore()), nil
}

func newMemory(s *state) *Memory {
	m := &Memory{writer: make(chan struct{}, 1), s: s}
	m.writer <- struct{}{}
	return m
}

// View implements Storage.
func (m *Memory) View(ctx context.Context, f func(Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return f(reader{m.s})
}

// Update implements Storage.
func (m *Memory) Update(ctx context.Context, f func(Writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-m.writer:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { m.writer <- struct{}{} }()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	w := &writer{reader: reader{m.s}}
	kept := false
	defer func() { // also when f panics
		if !kept {
			w.rollback()
		}
	}()
	if err := f(w); err != nil {
		return err
	}
	kept = true
	return nil
}

// Backup implements Storage.
func (m *Memory) Backup(ctx context.Context, to io.Writer) error {
	var b bytes.Buffer
	err := m.View(ctx, func(Reader) error {
		d := m.s.dump()
		d.Epoch = rand.Text()
		for i, a := range d.Sessions {
			if a.RevokedAt == 0 {
				d.Sessions[i].RevokedAt = max(a.LastSeenAt, 1)
			}
		}
		return gob.NewEncoder(&b).Encode(d)
	})
	if err != nil {
		return err
	}
	if _, err := to.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// Close implements Storage.
func (m *Memory) Close() error {
	<-m.writer
	defer func() { m.writer <- struct{}{} }()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed = true
	return nil
}

// state is a database. Slices in its maps are replaced, never changed in
// place (but for logs, which only grow), so that a rollback can put the old
// value back.
type state struct {
	epoch string

	users     map[chat.UserID]User
	usernames map[string]chat.UserID // lower case
	subjects  map[[2]string]chat.UserID

	vendors map[chat.VendorID]chat.Vendor
	slugs   map[string]chat.VendorID
	members map[chat.VendorID][]chat.UserID // ascending
	staffOf map[chat.UserID][]chat.VendorID // ascending

	sessions       map[chat.AccountSessionID]AccountSession
	sessionToken   map[Hash]chat.AccountSessionID
	sessionRevoke  map[Hash]chat.AccountSessionID
	sessionsOfUser map[chat.UserID][]chat.AccountSessionID // ascending
	burned         map[Hash]int64

	guests        map[chat.GuestSessionID]GuestSession
	guestSecret   map[Hash]chat.GuestSessionID
	guestRevoke   map[Hash]chat.GuestSessionID
	guestsByLogin map[chat.AccountSessionID][]chat.GuestSessionID // ascending

	rooms         map[chat.RoomID]Room
	roomClient    map[sentKey]chat.RoomID
	roomsOfGuest  map[chat.GuestSessionID][]chat.RoomID // ascending
	roomsOfUser   map[chat.UserID][]chat.RoomID         // ascending
	roomsOfVendor map[chat.VendorID][]chat.RoomID       // ascending
	participants  map[chat.RoomID][]chat.UserID         // ascending

	logs  map[chat.RoomID][]entry // seq i is at i-1
	sent  map[sentKey]Sent
	marks map[chat.RoomID]map[chat.Identity]Mark

	blocked map[blockKey]struct{}
	notices map[chat.RoomID][]notice // oldest first
	audit   []AuditEntry             // ascending
}

type sentKey struct {
	Sender chat.Identity
	ID     chat.ClientID
}

type blockKey struct {
	Vendor chat.VendorID
	Guest  chat.GuestSessionID
}

type entry struct {
	Event    chat.Event
	Messages int64 // how many messages the room had up to and with this event
}

type notice struct {
	Admin  chat.UserID
	Day    string
	Notice chat.Notice
}

func newState(epoch string) *state {
	return &state{
		epoch:     epoch,
		users:     map[chat.UserID]User{},
		usernames: map[string]chat.UserID{},
		subjects:  map[[2]string]chat.UserID{},

		vendors: map[chat.VendorID]chat.Vendor{},
		slugs:   map[string]chat.VendorID{},
		members: map[chat.VendorID][]chat.UserID{},
		staffOf: map[chat.UserID][]chat.VendorID{},

		sessions:       map[chat.AccountSessionID]AccountSession{},
		sessionToken:   map[Hash]chat.AccountSessionID{},
		sessionRevoke:  map[Hash]chat.AccountSessionID{},
		sessionsOfUser: map[chat.UserID][]chat.AccountSessionID{},
		burned:         map[Hash]int64{},

		guests:        map[chat.GuestSessionID]GuestSession{},
		guestSecret:   map[Hash]chat.GuestSessionID{},
		guestRevoke:   map[Hash]chat.GuestSessionID{},
		guestsByLogin: map[chat.AccountSessionID][]chat.GuestSessionID{},

		rooms:         map[chat.RoomID]Room{},
		roomClient:    map[sentKey]chat.RoomID{},
		roomsOfGuest:  map[chat.GuestSessionID][]chat.RoomID{},
		roomsOfUser:   map[chat.UserID][]chat.RoomID{},
		roomsOfVendor: map[chat.VendorID][]chat.RoomID{},
		participants:  map[chat.RoomID][]chat.UserID{},

		logs:    map[chat.RoomID][]entry{},
		sent:    map[sentKey]Sent{},
		marks:   map[chat.RoomID]map[chat.Identity]Mark{},
		blocked: map[blockKey]struct{}{},
		notices: map[chat.RoomID][]notice{},
	}
}
