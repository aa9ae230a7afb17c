//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// seat is one client-to-be: who it is, and the room it joins.
type seat struct {
	Credential string
	Surface    chat.Surface
	Room       chat.RoomID
	Cursor     chat.Cursor // with it the client returns; none for a first visit
}

// plan is how many of each are needed.
type plan struct{ Solo, Pairs, Hall int }

// house is who lives in a filled storage.
type house struct {
	Solo  []seat    // guests, each in a room of their own
	Pairs [][2]seat // two users in a room
	Hall  []seat    // users who share one room
}

// empty is a house for servers that store nothing: the rooms have names.
func (p plan) empty() house {
	h := house{Solo: make([]seat, p.Solo), Pairs: make([][2]seat, p.Pairs), Hall: make([]seat, p.Hall)}
	n := uint64(0)
	name := func() seat {
		n++
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], n)
		return seat{Credential: "-", Surface: chat.SurfaceWidget, Room: chat.RoomID(chat.EncodeID("r_", id))}
	}
	for i := range h.Solo {
		h.Solo[i] = name()
	}
	for i := range h.Pairs {
		h.Pairs[i][0] = name()
		h.Pairs[i][1] = h.Pairs[i][0]
	}
	hall := name()
	for i := range h.Hall {
		h.Hall[i] = hall
	}
	return h
}

// fill makes the house through auth and rooms, as requests would.
func fill(ctx context.Context, st storage.Storage, p plan) (h house, err error) {
	a := auth.New(st, auth.Config{Hasher: auth.CheapParams})
	s, err := rooms.New(rooms.Config{Storage: st, Auth: a})
	if err != nil {
		return h, err
	}
	defer s.Stop()
	h = p.empty()
	user := func(name string, role chat.Role) (auth.Session, error) {
		const password = "correct horse"
		if _, err := a.CreateUser(ctx, auth.NewUser{Username: name, Password: password, Role: role}); err != nil {
			return auth.Session{}, err
		}
		return a.LogIn(ctx, name, password, chat.SurfaceInbox, "")
	}
	admin, err := user("admin", chat.RoleAdmin)
	if err != nil {
		return h, err
	}
	vendor, err := s.AddVendor(ctx, "tea", "Tea", "")
	if err != nil {
		return h, err
	}
	staff, err := user("staff", chat.RoleUser)
	if err != nil {
		return h, err
	}
	if err := s.SetVendorMember(ctx, vendor.ID, staff.Principal.User, true); err != nil {
		return h, err
	}
	epoch := ""
	if err := st.View(ctx, func(r storage.Reader) (err error) { epoch, err = r.Epoch(); return err }); err != nil {
		return h, err
	}
	err = each(p.Solo, 64, func(i int) error {
		g, err := a.MintGuest(ctx)
		if err != nil {
			return err
		}
		who, err := s.Resolve(ctx, g.Credential)
		if err != nil {
			return err
		}
		room, err := s.Create(ctx, who, protocol.Create{ClientID: "r", Vendor: "tea"})
		h.Solo[i] = seat{g.Credential, chat.SurfaceWidget, room.ID, chat.Cursor{Epoch: epoch, Seq: room.Head}}
		return err
	})
	if err != nil {
		return h, err
	}
	err = each(p.Pairs, 64, func(i int) error {
		var ids []chat.UserID
		for j := range h.Pairs[i] {
			u, err := user(fmt.Sprintf("pair-%d-%d", i, j), chat.RoleUser)
			if err != nil {
				return err
			}
			ids = append(ids, u.Principal.User)
			h.Pairs[i][j] = seat{Credential: u.Credential, Surface: chat.SurfaceInbox}
		}
		room, err := s.CreateBetween(ctx, admin.Principal, chat.ClientID(fmt.Sprintf("pair-%d", i)), "", ids)
		h.Pairs[i][0].Room, h.Pairs[i][1].Room = room.ID, room.ID
		return err
	})
	if err != nil || p.Hall == 0 {
		return h, err
	}
	ids := make([]chat.UserID, p.Hall)
	err = each(p.Hall, 64, func(i int) error {
		u, err := user(fmt.Sprintf("hall-%d", i), chat.RoleUser)
		ids[i], h.Hall[i] = u.Principal.User, seat{Credential: u.Credential, Surface: chat.SurfaceInbox}
		return err
	})
	if err != nil {
		return h, err
	}
	room, err := s.CreateBetween(ctx, admin.Principal, "hall", "Hall", ids)
	for i := range h.Hall {
		h.Hall[i].Room = room.ID
	}
	return h, err
}

// each calls f for 0 to n-1 from some goroutines and returns the first error.
func each(n, goroutines int, f func(i int) error) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first error
	)
	for range min(n, goroutines) {
		wg.Go(func() { // awaited below
			for {
				mu.Lock()
				i, over := next, first != nil
				next++
				mu.Unlock()
				if over || i >= n {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
