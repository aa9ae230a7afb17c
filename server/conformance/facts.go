package conformance

import (
	"errors"
	"fmt"
	"testing"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// facts: Facts tells at once what the other reads tell one by one, whoever asks
// about whatever, in a View and in an Update, also of what was just changed.
func facts(t *testing.T, w *world) {
	session := func(id, user string, n byte) storage.AccountSession {
		return storage.AccountSession{
			ID: chat.AccountSessionID("s_" + id), User: chat.UserID("u_" + user), Token: hashOf(n), Revoke: hashOf(n + 100),
			Surface: chat.SurfaceInbox, LastSeenAt: int64(n), ExpiresAt: 1000, IdleMS: int64(n) * 10,
		}
	}
	idle, revoked := session("idle", "ada", 2), session("over", "ada", 3)
	revoked.RevokedAt = 7
	off := user("off", "Off")
	off.Active, off.Role = false, chat.RoleAdmin
	w.update(func(s storage.Writer) error {
		return first(s.PutUser(user("ada", "Ada")), s.PutUser(user("bo", "Bo")), s.PutUser(off), s.PutVendor(chat.Vendor{ID: "v_tea", Slug: "tea"}),
			s.PutAccountSession(session("ada", "ada", 1)), s.PutAccountSession(idle), s.PutAccountSession(revoked), s.PutAccountSession(session("bo", "bo", 4)),
			s.PutGuestSession(storage.GuestSession{ID: "g_free", Secret: hashOf(10), LastSeenAt: 3, ExpiresAt: 500, IdleMS: 20}),
			s.PutGuestSession(storage.GuestSession{ID: "g_linked", Secret: hashOf(11), ExpiresAt: 600, LinkedUser: "u_ada", LinkedBy: "s_ada", LinkedAt: 5}),
			s.PutGuestSession(storage.GuestSession{ID: "g_astray", Secret: hashOf(12), ExpiresAt: 600, RevokedAt: 9, LinkedUser: "u_none", LinkedBy: "s_none", LinkedAt: 5}),
			s.CreateRoom(storage.Room{ID: "r_pair", Name: "Two", Creator: "u_ada", CreatedAt: 1}),
			s.CreateRoom(storage.Room{ID: "r_guest", Vendor: "v_tea", GuestSession: "g_free", Creator: "g_free", ClientID: "c", Page: "/", CreatedAt: 2}),
			s.SetParticipant("r_pair", "u_ada", true), s.SetParticipant("r_guest", "u_bo", true), say(s, "r_guest", "g_free", "m1", 30))
	})
	var principals []chat.Principal
	for _, u := range []chat.UserID{"u_ada", "u_bo", "u_off", "u_none", ""} {
		for _, s := range []chat.AccountSessionID{"s_ada", "s_idle", "s_over", "s_bo", "s_none", ""} {
			principals = append(principals, chat.Principal{Kind: chat.KindUser, User: u, Session: s})
		}
	}
	for _, g := range []chat.GuestSessionID{"g_free", "g_linked", "g_astray", "g_none", ""} {
		for _, u := range []chat.UserID{"", "u_ada", "u_bo"} { // what a link has made of it meanwhile counts
			principals = append(principals, chat.Principal{Kind: chat.KindGuest, GuestSession: g, User: u})
		}
	}
	check := func(when string, r storage.Reader) {
		for _, p := range principals {
			for _, room := range []chat.RoomID{"r_pair", "r_none", "r_guest", ""} {
				got, err := r.Facts(p, room)
				want, werr := oneByOne(r, p, room)
				if werr != nil {
					t.Error(werr)
				}
				equal(t, fmt.Sprintf("%s, %+v in %q", when, p, room), got, err, want)
			}
		}
	}
	w.view(func(r storage.Reader) { check("at first", r) })
	w.update(func(s storage.Writer) error {
		check("in an update", s)
		r, err := s.Room("r_pair")
		if err != nil {
			return err
		}
		r.Closed = true
		ada := user("ada", "Ada B")
		ada.Role = chat.RoleAdmin
		idle.RevokedAt = 8
		if err := first(s.PutRoom(r), s.SetParticipant("r_pair", "u_ada", false), s.SetParticipant("r_guest", "u_ada", true), s.PutUser(ada),
			s.PutAccountSession(idle), say(s, "r_pair", "u_bo", "m2", 40)); err != nil {
			return err
		}
		check("after a change of the same update", s)
		return nil
	})
	w.update(func(s storage.Writer) error { check("in the next update", s); return nil })
	w.view(func(r storage.Reader) { check("afterwards", r) })
	// A room that was not to be leaves no facts, nor lends them to the next one.
	ada := chat.Principal{Kind: chat.KindUser, User: "u_ada", Session: "s_ada"}
	w.refuse(errFailed, func(s storage.Writer) error {
		err := first(s.CreateRoom(storage.Room{ID: "r_never"}), s.SetParticipant("r_never", "u_ada", true))
		f, ferr := s.Facts(ada, "r_never")
		if !f.Participant {
			t.Errorf("the facts of a room that was just made: %+v", f)
		}
		return first(err, ferr, errFailed)
	})
	w.update(func(s storage.Writer) error {
		if err := first(s.CreateRoom(storage.Room{ID: "r_next"}), s.SetParticipant("r_next", "u_ada", true)); err != nil {
			return err
		}
		f, err := s.Facts(ada, "r_never")
		if f.Room.ID != "" || f.Participant {
			t.Errorf("the facts of a room that was never made: %+v", f)
		}
		return err
	})
}

// oneByOne is what Facts has to tell.
func oneByOne(r storage.Reader, p chat.Principal, id chat.RoomID) (f storage.Facts, err error) {
	var errs []error
	note := func(err error) {
		if !errors.Is(err, storage.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	login, of := p.Session, p.User
	if p.Kind == chat.KindGuest {
		g, err := r.GuestSession(p.GuestSession)
		note(err)
		f.Guest, f.LinkedUser = g.Life(), g.LinkedUser
		login, of = g.LinkedBy, g.LinkedUser
	}
	s, err := r.AccountSession(login)
	note(err)
	f.Session, f.SessionUser = s.Life(), s.User
	u, err := r.User(of)
	note(err)
	f.User, f.Name, f.Role, f.Active = u.ID, u.Name, u.Role, u.Active
	f.Room, err = r.Room(id)
	note(err)
	f.Participant, err = r.Participant(id, of)
	note(err)
	return f, errors.Join(errs...)
}
