package rooms_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// op is one use case on one room.
type op struct {
	name string
	do   func(w *world, p chat.Principal, room chat.RoomID) error
}

var ops = []op{
	{"get", func(w *world, p chat.Principal, room chat.RoomID) error {
		_, err := w.Get(ctx, p, room)
		return err
	}},
	{"history", func(w *world, p chat.Principal, room chat.RoomID) error {
		_, err := w.History(ctx, p, protocol.History{Room: room})
		return err
	}},
	{"participants", func(w *world, p chat.Principal, room chat.RoomID) error {
		_, err := w.Participants(ctx, p, room)
		return err
	}},
	{"join", func(w *world, p chat.Principal, room chat.RoomID) error {
		k := &sink{}
		watch, err := w.Watch(ctx, p, k)
		if err == nil {
			defer watch.Close()
			_, err = watch.Join(ctx, protocol.Join{Room: room})
		}
		return err
	}},
	{"typing", func(w *world, p chat.Principal, room chat.RoomID) error {
		watch, err := w.Watch(ctx, p, &sink{})
		if err == nil {
			defer watch.Close()
			err = watch.Typing(ctx, protocol.Typing{Room: room, Active: true})
		}
		return err
	}},
	{"send", func(w *world, p chat.Principal, room chat.RoomID) error {
		_, err := w.Send(ctx, p, protocol.Send{Room: room, ClientID: chat.ClientID("op" + room[2:8]), Text: "hello"})
		return err
	}},
	{"read", func(w *world, p chat.Principal, room chat.RoomID) error {
		return w.Read(ctx, p, protocol.Read{Room: room, Seq: 1})
	}},
	{"close", func(w *world, p chat.Principal, room chat.RoomID) error { return w.Close(ctx, p, room) }},
	{"block guest", func(w *world, p chat.Principal, room chat.RoomID) error { return w.BlockGuest(ctx, p, room) }},
	{"add participant", func(w *world, p chat.Principal, room chat.RoomID) error {
		return w.AddParticipant(ctx, p, room, w.bo.User)
	}},
	{"remove participant", func(w *world, p chat.Principal, room chat.RoomID) error {
		return w.RemoveParticipant(ctx, p, room, w.bo.User)
	}},
	{"explain", func(w *world, p chat.Principal, room chat.RoomID) error {
		_, err := w.Explain(ctx, p, room, rooms.Subject{User: w.bo.User})
		return err
	}},
}

// expected is the rule book in this test's own words.
func expected(w *world, op string, who chat.Principal, room chat.RoomID) chat.Code {
	insiders := map[chat.RoomID][]chat.Principal{
		w.guestRoom: {w.guest, w.mia, w.rosa},
		w.adaRoom:   {w.ada, w.noor, w.rosa},
		w.between:   {w.ada, w.bo, w.rosa},
	}
	switch {
	case who.Kind == "":
		return chat.CodeUnauthenticated
	case !slices.Contains(insiders[room], who):
		return chat.CodeAccessDenied
	}
	switch op {
	case "close":
		if who.Kind == chat.KindGuest {
			return chat.CodeAccessDenied
		}
	case "block guest":
		if who.Kind == chat.KindGuest {
			return chat.CodeAccessDenied
		}
		if room != w.guestRoom {
			return chat.CodeConflict
		}
	case "add participant", "remove participant", "explain":
		if who != w.rosa {
			return chat.CodeAccessDenied
		}
	}
	return ""
}

const missingRoom = chat.RoomID("r_aaaaaaaaaaaaaaaaaaaaaaaaaa")

// Every use case × every kind of principal × own, foreign and missing rooms. A
// denied one changes nothing and tells no watch anything.
func TestRules(t *testing.T) {
	for _, op := range ops {
		t.Run(op.name, func(t *testing.T) {
			run(t, func(w *world) {
				callers := map[string]chat.Principal{
					"nobody": {}, "guest": w.guest, "stranger": w.stranger, "mia": w.mia, "noor": w.noor, "ada": w.ada, "bo": w.bo, "rosa": w.rosa,
				}
				targets := map[string]chat.RoomID{"guest's": w.guestRoom, "ada's": w.adaRoom, "between": w.between, "missing": missingRoom, "malformed": "r_x' or 1=1"}
				var onlookers []*sink
				for _, p := range []chat.Principal{w.guest, w.mia, w.ada, w.noor, w.bo, w.rosa} {
					onlookers = append(onlookers, w.watch(p))
				}
				// The denials first: they leave the world as it is.
				for _, wantDenied := range []bool{true, false} {
					for who, p := range callers {
						for where, room := range targets {
							want := expected(w, op.name, p, room)
							if (want != "") != wantDenied {
								continue
							}
							name := fmt.Sprintf("%s in %s room", who, where)
							before := w.state()
							for _, k := range onlookers {
								k.take()
							}
							err := op.do(w, p, room)
							w.settle()
							if got := chat.CodeOf(err); got != want && (where != "malformed" || got != chat.CodeInvalid) {
								w.Errorf("%s: got %q (%v), want %q", name, got, err, want)
							}
							if want == "" {
								continue
							}
							if want == chat.CodeAccessDenied && err != error(chat.AccessDenied) && where != "malformed" {
								w.Errorf("%s: error %v tells more than that access is denied", name, err)
							}
							if after := w.state(); !reflect.DeepEqual(before, after) {
								w.Errorf("%s: a denied call changed something\n%+v\n%+v", name, before, after)
							}
							for _, k := range onlookers {
								if frames := k.take(); len(frames) > 0 {
									w.Errorf("%s: a denied call was told to somebody: %v", name, kinds(frames))
								}
							}
						}
					}
				}
			})
		})
	}
}

// state is all that is stored about rooms.
func (w *world) state() map[string]any {
	w.Helper()
	out := make(map[string]any)
	w.ok(w.storage.Storage.View(ctx, func(r storage.Reader) error {
		for _, id := range []chat.RoomID{w.guestRoom, w.adaRoom, w.between, missingRoom} {
			row, _ := r.Room(id)
			events, _ := r.Events(storage.EventQuery{Room: id, Limit: 1000})
			participants, _ := r.Participants(id)
			receipts, _ := r.Receipts(id)
			notices, _ := r.Notices(id)
			out[string(id)] = []any{row, events, participants, receipts, notices}
		}
		audit, err := r.Audit(0, 1000)
		out["audit"] = audit
		return err
	}))
	return out
}

// "Not yours" and "does not exist" are one verdict: the same error by the same
// number of reads.
func TestForeignAndMissingAreAlike(t *testing.T) {
	for _, op := range ops {
		t.Run(op.name, func(t *testing.T) {
			run(t, func(w *world) {
				for who, p := range map[string]chat.Principal{"guest": w.guest, "stranger": w.stranger, "mia": w.mia, "bo": w.bo} {
					counts := make(map[string]int64)
					for where, room := range map[string]chat.RoomID{"foreign": w.adaRoom, "missing": missingRoom} {
						before := w.storage.reads.Load()
						err := op.do(w, p, room)
						counts[where] = w.storage.reads.Load() - before
						if err != error(chat.AccessDenied) {
							w.Errorf("%s, %s: %v", who, where, err)
						}
					}
					if counts["foreign"] != counts["missing"] || counts["foreign"] == 0 {
						w.Errorf("%s: reads %v", who, counts)
					}
				}
			})
		})
	}
}

// A principal whose session is over, or who lost what the principal says, can do nothing.
func TestDeadPrincipals(t *testing.T) {
	for name, tt := range map[string]struct {
		kill func(w *world) chat.Principal
		want chat.Code
	}{
		"logged out": {func(w *world) chat.Principal {
			w.ok(w.auth.LogOut(ctx, w.credentials[w.ada]))
			return w.ada
		}, chat.CodeUnauthenticated},
		"disabled": {func(w *world) chat.Principal {
			w.ok(w.auth.SetActive(ctx, w.ada.User, false))
			return w.ada
		}, chat.CodeUnauthenticated},
		"expired": {func(w *world) chat.Principal {
			w.pass(91 * 24 * hour)
			return w.ada
		}, chat.CodeSessionExpired},
		"guest who ended the chat": {func(w *world) chat.Principal {
			w.ok(w.auth.EndGuest(ctx, w.credentials[w.guest]))
			return w.guest
		}, chat.CodeUnauthenticated},
		"guest from before the link": {func(w *world) chat.Principal {
			must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
			return w.guest
		}, chat.CodeUnauthenticated},
		"session of another user": {func(w *world) chat.Principal {
			p := w.ada
			p.Session = w.bo.Session
			return p
		}, chat.CodeUnauthenticated},
		"made-up guest": {func(w *world) chat.Principal {
			return chat.Principal{Kind: chat.KindGuest, GuestSession: "g_aaaaaaaaaaaaaaaaaaaaaaaaaa"}
		}, chat.CodeUnauthenticated},
		"empty guest": {func(w *world) chat.Principal { return chat.Principal{Kind: chat.KindGuest} }, chat.CodeUnauthenticated},
		"empty user":  {func(w *world) chat.Principal { return chat.Principal{Kind: chat.KindUser} }, chat.CodeUnauthenticated},
		"admin by claim only": {func(w *world) chat.Principal {
			p := w.bo
			p.Role = chat.RoleAdmin
			return p
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := tt.kill(w)
				want := tt.want
				if want == "" {
					want = chat.CodeAccessDenied
				}
				for _, op := range ops {
					for _, room := range []chat.RoomID{w.adaRoom, w.guestRoom, missingRoom} {
						if err := op.do(w, p, room); chat.CodeOf(err) != want {
							w.Errorf("%s: %v", op.name, err)
						}
					}
				}
				_, err := w.List(ctx, p, protocol.RoomsQuery{})
				w.code(tt.want, err)
				_, err = w.Audit(ctx, p, 0, 0)
				w.code(want, err)
				_, err = w.CreateBetween(ctx, p, "x", "", []chat.UserID{w.ada.User, w.bo.User})
				w.code(want, err)
				_, err = w.Create(ctx, p, protocol.Create{ClientID: "x", Vendor: "maple-pottery"})
				w.code(tt.want, err)
			})
		})
	}
}

// The list holds exactly the rooms one may reach.
func TestListIsWhatOneMayReach(t *testing.T) {
	run(t, func(w *world) {
		second := w.create(w.guest, "northern-tea")
		for name, tt := range map[string]struct {
			p    chat.Principal
			want []chat.RoomID
		}{
			"guest":    {w.guest, []chat.RoomID{w.guestRoom, second}},
			"stranger": {w.stranger, nil},
			"mia":      {w.mia, []chat.RoomID{w.guestRoom}},
			"noor":     {w.noor, []chat.RoomID{w.adaRoom, second}},
			"ada":      {w.ada, []chat.RoomID{w.adaRoom, w.between}},
			"bo":       {w.bo, []chat.RoomID{w.between}},
			"rosa":     {w.rosa, []chat.RoomID{w.guestRoom, w.adaRoom, w.between, second}},
		} {
			var got []chat.RoomID
			after := ""
			for range 10 {
				page := must(w.List(ctx, tt.p, protocol.RoomsQuery{Limit: 1, After: after}))(w.T)
				for _, r := range page.Rooms {
					got = append(got, r.ID)
					if r.Oversight != (name == "rosa") {
						w.Errorf("%s: oversight %t", name, r.Oversight)
					}
				}
				if after = page.Next; after == "" {
					break
				}
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				w.Errorf("%s: got %v, want %v", name, got, tt.want)
			}
		}
		for _, after := range []string{"x", "MTI", "!!", strings.Repeat("a", 300)} {
			_, err := w.List(ctx, w.ada, protocol.RoomsQuery{After: after})
			w.code(chat.CodeInvalid, err)
		}
	})
}

func TestDecisionLog(t *testing.T) {
	run(t, func(w *world) {
		w.log.take()
		must(w.Get(ctx, w.mia, w.guestRoom))(w.T)
		line := w.log.take()
		for _, part := range []string{
			"level=INFO", "msg=\"access allowed\"", "action=read", "decision=allowed", "reason=participant", "caller=user",
			"user=" + string(w.mia.User), "session=" + string(w.mia.Session), "room=" + string(w.guestRoom),
			"room_guest_session=" + string(w.guest.GuestSession), "participants=[" + string(w.mia.User) + "]",
		} {
			if !strings.Contains(line, part) {
				w.Errorf("no %s in %s", part, line)
			}
		}
		w.send(w.guest, w.guestRoom, "a secret")
		if line = w.log.take(); !strings.Contains(line, "level=DEBUG") || strings.Count(line, "\n") != 1 || strings.Contains(line, "secret") {
			w.Errorf("per message: %s", line)
		}
		for range 5 {
			_, err := w.Get(ctx, w.stranger, w.guestRoom)
			w.code(chat.CodeAccessDenied, err)
		}
		line = w.log.take()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, "level=WARN") || !strings.Contains(line, "reason=other_guest_session") || !strings.Contains(line, "guest_session="+string(w.stranger.GuestSession)) {
			w.Errorf("refusals: %s", line)
		}
		w.pass(hour)
		if line = w.log.take(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "repeats=4") {
			w.Errorf("collapsed refusals: %s", line)
		}
		_, err := w.Get(ctx, w.stranger, "r_\ninjected")
		w.code(chat.CodeAccessDenied, err)
		if line = w.log.take(); strings.Contains(line, "injected") {
			w.Errorf("a caller's string got into the log: %s", line)
		}
		for _, secret := range w.credentials {
			if strings.Contains(line, secret) {
				w.Errorf("a credential got into the log")
			}
		}
	})
}
