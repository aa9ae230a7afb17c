//go:build !js

package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"anteroom/server/auth"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// chatting is one room of the demo's history.
type chatting struct {
	customer string // username, or "" for a guest
	vendor   string
	page     string
	days     int           // how many days ago it began
	at       time.Duration // and when on that day; with days 0, how long ago
	lines    []line
	closed   bool
}

// line is one message; staff tells that the vendor wrote it.
type line struct {
	staff bool
	after time.Duration // since the line before
	text  string
}

const day = 24 * time.Hour

var history = []chatting{
	{customer: "ada", vendor: "maple-pottery", page: "/products/blue-bowl", days: 2, at: 9*time.Hour + 38*time.Minute, lines: []line{
		{false, 0, "Hello! Is the blue glaze food-safe?"},
		{false, time.Minute, "And does the large bowl fit a dishwasher?"},
		{true, 6 * time.Minute, "Good morning, Ada! Yes, the blue glaze is food-safe."},
		{true, time.Minute, "The large bowl is 31 cm across; it fits most machines standing up. I can send you a photo of it beside a plate if that helps."},
		{false, 4 * time.Minute, "That would be lovely, thank you."},
		{true, 23 * time.Hour, "It left the kiln this morning and it is a good one. You will have it on Friday."},
	}},
	{customer: "ada", vendor: "northern-tea", page: "/products/harbour-smoke", days: 9, at: 15*time.Hour + 4*time.Minute, closed: true, lines: []line{
		{false, 0, "My tin of Harbour Smoke arrived with a dent. The tea is fine!"},
		{true, 31 * time.Minute, "Oh no. I will put a new tin into your next order; keep the tea."},
		{false, 2 * time.Minute, "That is very kind of you."},
	}},
	{customer: "bo", vendor: "oak-linen", page: "/products/tea-towels", days: 1, at: 16*time.Hour + 20*time.Minute, lines: []line{
		{false, 0, "Do the tea towels shrink?"},
		{true, 12 * time.Minute, "They have been washed before they leave the mill, so: hardly. One centimetre at most."},
		{false, 3 * time.Minute, "Could you hold one set for me until Monday?"},
	}},
	{customer: "", vendor: "maple-pottery", page: "/products/tall-vase", at: 50 * time.Minute, lines: []line{
		{false, 0, "Do you ship to Norway?"},
	}},
}

// Fill puts the demo's people, vendors and conversations into st, as far as
// they are not there. It must run before anybody else uses st.
func Fill(ctx context.Context, st storage.Storage, hasher auth.Params, now func() time.Time) error {
	f := &filler{ctx: ctx, clock: now(), users: map[string]chat.UserID{}}
	past := func() time.Time { return f.clock }
	f.signer = Signer{Issuer: Issuer, Audience: Audience, Secret: make([]byte, 32), Now: past}
	key, err := auth.NewKey("HS256", "", f.signer.Secret)
	if err != nil {
		return err
	}
	// Services of our own, whose clock stands wherever the story is. Their key
	// is good for nothing afterwards.
	f.auth = auth.New(st, auth.Config{Now: past, Hasher: hasher, Hosts: []auth.Host{{Issuer: Issuer, Audience: Audience, Keys: []auth.Key{key}}}})
	f.rooms, err = rooms.New(rooms.Config{Storage: st, Auth: f.auth, Now: past})
	if err != nil {
		return err
	}
	defer f.rooms.Stop()
	f.auth.OnChange(f.rooms.Recheck)
	f.storage = st

	start := f.clock
	f.clock = start.Add(-10 * day)
	for _, step := range []func() error{f.people, f.vendors, f.history} {
		if err := step(); err != nil {
			return fmt.Errorf("fill in the demo data: %w", err)
		}
	}
	return nil
}

// Issuer and Audience are what the demo shop's identity tokens say.
const (
	Issuer   = "https://hollow-lane.example"
	Audience = "anteroom-demo"
)

// Host is the shop as the chat knows it; secret is the key they share.
func Host(secret []byte) (auth.Host, error) {
	key, err := auth.NewKey("HS256", "", secret)
	return auth.Host{Issuer: Issuer, Audience: Audience, Keys: []auth.Key{key}}, err
}

type filler struct {
	ctx     context.Context
	storage storage.Storage
	auth    *auth.Service
	rooms   *rooms.Service
	signer  Signer
	clock   time.Time
	users   map[string]chat.UserID // by username
	empty   bool                   // there was no vendor before: the history is to be made
}

func (f *filler) people() error {
	add := func(a Account, role chat.Role) error {
		u, err := f.auth.FindUser(f.ctx, a.Username)
		if chat.CodeOf(err) == chat.CodeNotFound {
			u, err = f.auth.CreateUser(f.ctx, auth.NewUser{Username: a.Username, Name: a.Name, Role: role, Password: a.Password})
		}
		f.users[a.Username] = u.ID
		return err
	}
	errs := []error{add(Admin, chat.RoleAdmin)}
	for _, v := range Vendors {
		errs = append(errs, add(v.Staff, chat.RoleUser))
	}
	return errors.Join(errs...)
}

func (f *filler) vendors() error {
	page, err := f.rooms.Vendors(f.ctx, chat.Principal{})
	if err != nil {
		return err
	}
	f.empty = len(page.Vendors) == 0
	known := map[string]chat.VendorID{}
	for _, v := range page.Vendors {
		known[v.Slug] = v.ID
	}
	for _, v := range Vendors {
		id, ok := known[v.Slug]
		if !ok {
			made, err := f.rooms.AddVendor(f.ctx, v.Slug, v.Name, v.Avatar)
			if err != nil {
				return err
			}
			id = made.ID
		}
		if err := f.rooms.SetVendorMember(f.ctx, id, f.users[v.Staff.Username], true); err != nil {
			return err
		}
	}
	return nil
}

// history plays the conversations in the order in which they happened.
func (f *filler) history() error {
	if !f.empty {
		return nil
	}
	now := f.clock.Add(10 * day)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	for i, c := range history {
		f.clock = today.AddDate(0, 0, -c.days).Add(c.at)
		if c.days == 0 {
			f.clock = now.Add(-c.at)
		}
		if err := f.play(chat.ClientID(fmt.Sprintf("demo-%d", i)), c); err != nil {
			return err
		}
	}
	f.clock = today.AddDate(0, 0, -1).Add(11 * time.Hour)
	return f.staffRoom()
}

func (f *filler) play(id chat.ClientID, c chatting) error {
	asker, leave, err := f.asker(c.customer)
	if err != nil {
		return err
	}
	room, err := f.rooms.Create(f.ctx, asker, protocol.Create{ClientID: id, Vendor: c.vendor, Page: c.page})
	if err != nil {
		return err
	}
	for i, l := range c.lines {
		f.clock = f.clock.Add(l.after)
		who, done := asker, func() error { return nil }
		if l.staff {
			// Logged in for each answer: sessions end while the story jumps by days.
			if who, done, err = f.logIn(vendorBySlug(c.vendor).Staff); err != nil {
				return err
			}
		} else if c.customer != "" {
			if who, done, err = f.asker(c.customer); err != nil {
				return err
			}
		}
		cmid := chat.ClientID(fmt.Sprintf("%s-%d", id, i))
		if _, err := f.rooms.Send(f.ctx, who, protocol.Send{Room: room.ID, ClientID: cmid, Text: l.text}); err != nil {
			return err
		}
		if err := done(); err != nil {
			return err
		}
	}
	if c.closed {
		staff, done, err := f.logIn(vendorBySlug(c.vendor).Staff)
		if err != nil {
			return err
		}
		if err := errors.Join(f.rooms.Close(f.ctx, staff, room.ID), done()); err != nil {
			return err
		}
	}
	return leave()
}

// staffRoom is a room between users: no guest can ever reach it.
func (f *filler) staffRoom() error {
	admin, leave, err := f.logIn(Admin)
	if err != nil {
		return err
	}
	users := []chat.UserID{f.users[Admin.Username]}
	for _, v := range Vendors {
		users = append(users, f.users[v.Staff.Username])
	}
	room, err := f.rooms.CreateBetween(f.ctx, admin, "demo-staff", "Spring market", users)
	if err != nil {
		return err
	}
	if _, err := f.rooms.Send(f.ctx, admin, protocol.Send{Room: room.ID, ClientID: "demo-staff-1", Text: "The spring market is on the 14th. Who brings the long table?"}); err != nil {
		return err
	}
	mia, done, err := f.logIn(Vendors[0].Staff)
	if err != nil {
		return err
	}
	f.clock = f.clock.Add(20 * time.Minute)
	if _, err := f.rooms.Send(f.ctx, mia, protocol.Send{Room: room.ID, ClientID: "demo-staff-2", Text: "I do, if somebody helps me carry it."}); err != nil {
		return err
	}
	return errors.Join(done(), leave())
}

// asker is a customer of the shop, or a new guest, and what ends their session.
func (f *filler) asker(username string) (chat.Principal, func() error, error) {
	if username == "" {
		g, err := f.auth.MintGuest(f.ctx)
		if err != nil {
			return chat.Principal{}, nil, err
		}
		p, err := f.resolve(g.Credential)
		return p, func() error { return nil }, err // the visitor may come back
	}
	a, _ := customer(username)
	token, err := f.signer.Token(a)
	if err != nil {
		return chat.Principal{}, nil, err
	}
	s, err := f.auth.LogInToken(f.ctx, token, chat.SurfaceWidget, "demo")
	return s.Principal, func() error { return f.auth.LogOut(f.ctx, s.Credential) }, err
}

func (f *filler) logIn(a Account) (chat.Principal, func() error, error) {
	s, err := f.auth.LogIn(f.ctx, a.Username, a.Password, chat.SurfaceInbox, "demo")
	return s.Principal, func() error { return f.auth.LogOut(f.ctx, s.Credential) }, err
}

func (f *filler) resolve(credential string) (p chat.Principal, err error) {
	err = f.storage.View(f.ctx, func(r storage.Reader) error {
		p, err = f.auth.Resolve(r, credential)
		return err
	})
	return p, err
}
