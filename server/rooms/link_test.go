package rooms_test

import (
	"flag"
	"slices"
	"sync"
	"testing"

	"anteroom/server/auth"
	"anteroom/server/conformance"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Story 3: the guest's rooms come along, once and in order, and the vendor sees it live.
func TestLink(t *testing.T) {
	run(t, func(w *world) {
		second, third := w.create(w.guest, "northern-tea"), chat.RoomID("")
		w.ok(w.Close(ctx, w.noor, second))
		third = w.create(w.guest, "northern-tea")
		m := protocol.Send{Room: w.guestRoom, ClientID: "unacknowledged", Text: "is it there?"}
		first := must(w.Send(ctx, w.guest, m))(w.T)
		w.send(w.mia, w.guestRoom, "yes")
		w.ok(w.Read(ctx, w.guest, protocol.Read{Room: w.guestRoom, Seq: 3}))

		old, mia, ada := w.watch(w.guest), w.watch(w.mia), w.watch(w.ada)
		w.join(old, w.guestRoom)
		j := w.join(mia, w.guestRoom)
		out := must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		if out.Status != auth.Linked || out.GuestSession != w.guest.GuestSession || out.Credential == "" || out.Credential == w.credentials[w.guest] {
			w.Errorf("%+v", out)
		}
		if old.end() != chat.CodeUnauthenticated || old.take() != nil {
			w.Errorf("socket of the old secret: %q", old.end())
		}
		_, err := w.Resolve(ctx, w.credentials[w.guest])
		w.code(chat.CodeUnauthenticated, err) // a planted copy is dead

		w.settle()
		frames := mia.take()
		if !slices.Equal(kinds(frames), []string{"guest_linked"}) {
			w.Fatalf("the vendor's open view: %v", kinds(frames))
		}
		r := replica{}
		r.line, r.err = chat.NewTimeline(*j.Snapshot)
		r.apply(frames, w.guestRoom)
		fresh := must(mia.Join(ctx, protocol.Join{Room: w.guestRoom}))(w.T).Snapshot
		equal(w.T, r.line.Room, fresh.Room)
		if fresh.Room.LinkedUser != w.ada.User || fresh.Room.LinkedAt == 0 || fresh.Room.Title(w.mia.Identity()) != "ada" || fresh.Room.Title(w.ada.Identity()) != "Maple Pottery" {
			w.Errorf("%+v", fresh.Room)
		}
		if got := kinds(ada.take()); len(got) != 3 {
			w.Errorf("ada's list: %v", got)
		}
		var got []chat.RoomID
		for _, s := range must(w.List(ctx, w.ada, protocol.RoomsQuery{}))(w.T).Rooms {
			got = append(got, s.ID)
			if s.ID == w.guestRoom && (s.ReadSeq != 3 || s.Unread != 0) {
				w.Errorf("read marks do not come along: %+v", s)
			}
		}
		want := []chat.RoomID{w.guestRoom, second, third, w.adaRoom, w.between}
		slices.Sort(got)
		slices.Sort(want)
		equal(w.T, got, want)

		// The outbox moves with the same client message ids: one sender, one message.
		equal(w.T, must(w.Send(ctx, w.ada, m))(w.T), rooms.Posted{Ack: first.Ack})
		linked := must(w.Resolve(ctx, out.Credential))(w.T)
		equal(w.T, must(w.Send(ctx, linked, m))(w.T), rooms.Posted{Ack: first.Ack})
		_, err = w.Send(ctx, w.ada, protocol.Send{Room: w.guestRoom, ClientID: m.ClientID, Text: "other"})
		w.code(chat.CodeConflict, err)
		_, err = w.Send(ctx, w.ada, protocol.Send{Room: third, ClientID: m.ClientID, Text: m.Text})
		w.code(chat.CodeConflict, err)
		// A new chat with the vendor is the open one.
		if room := w.create(w.ada, "maple-pottery"); room != w.guestRoom {
			w.Errorf("a second room with the vendor: %s", room)
		}

		// The answer was lost: the old secret says so and is good for nothing else.
		before := w.state()
		again := must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		equal(w.T, again, rooms.Linked{Status: auth.AlreadyLinked, GuestSession: w.guest.GuestSession})
		equal(w.T, w.state(), before)
	})
}

func TestLinkRefused(t *testing.T) {
	run(t, func(w *world) {
		guest, ada := w.credentials[w.guest], w.credentials[w.ada]
		must(w.Link(ctx, ada, guest))(w.T)
		before := w.state()
		delete(before, "audit")
		for name, tt := range map[string]struct {
			account, guest string
			want           chat.Code
		}{
			"to another user":                {w.credentials[w.bo], guest, chat.CodeAccessDenied},
			"by id":                          {ada, string(w.stranger.GuestSession), chat.CodeAccessDenied},
			"id with another secret":         {ada, "gs_" + string(w.stranger.GuestSession)[2:] + guest[29:], chat.CodeAccessDenied},
			"without a log-in":               {"", w.credentials[w.stranger], chat.CodeUnauthenticated},
			"two guests":                     {guest, w.credentials[w.stranger], chat.CodeUnauthenticated},
			"two accounts":                   {ada, w.credentials[w.bo], chat.CodeAccessDenied},
			"nothing":                        {ada, "", chat.CodeAccessDenied},
			"a value that was never minted":  {ada, "gs_aaaaaaaaaaaaaaaaaaaaaaaaaa_" + guest[30:], chat.CodeAccessDenied},
			"a secret cut short by one byte": {ada, w.credentials[w.stranger][:72], chat.CodeAccessDenied},
		} {
			out, err := w.Link(ctx, tt.account, tt.guest)
			if chat.CodeOf(err) != tt.want || out != (rooms.Linked{}) {
				w.Errorf("%s: %+v, %v", name, out, err)
			}
		}
		after := w.state()
		delete(after, "audit")
		equal(w.T, after, before)
		for _, s := range must(w.List(ctx, w.bo, protocol.RoomsQuery{}))(w.T).Rooms {
			if s.ID == w.guestRoom {
				w.Error("bo sees the guest's room")
			}
		}
	})
}

// Removal is not undone by logging in, linking again or starting a chat.
func TestLinkAgainReAddsNobody(t *testing.T) {
	run(t, func(w *world) {
		must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		again := w.login("ada")
		for _, account := range []chat.Principal{w.ada, again} {
			out := must(w.Link(ctx, w.credentials[account], w.credentials[w.guest]))(w.T)
			if out.Status != auth.AlreadyLinked {
				w.Errorf("%+v", out)
			}
			_, err := w.Get(ctx, account, w.guestRoom)
			w.code(chat.CodeAccessDenied, err)
		}
		if room := w.create(w.ada, "maple-pottery"); room == w.guestRoom {
			w.Error("a new chat led back into the room ada was removed from")
		}
		// Another guest session of the same browser brings only its own rooms.
		fresh := w.newGuest()
		room := w.create(fresh, "maple-pottery")
		must(w.Link(ctx, w.credentials[again], w.credentials[fresh]))(w.T)
		must(w.Get(ctx, w.ada, room))(w.T)
		_, err := w.Get(ctx, w.ada, w.guestRoom)
		w.code(chat.CodeAccessDenied, err)
	})
}

// A vendor's staff member logs in where they were a guest.
func TestLinkStaff(t *testing.T) {
	run(t, func(w *world) {
		out := must(w.Link(ctx, w.credentials[w.mia], w.credentials[w.guest]))(w.T)
		s := must(w.Get(ctx, w.mia, w.guestRoom))(w.T)
		equal(w.T, s.Members, []chat.Member{{User: w.mia.User, Name: "mia", Staff: true}})
		if out.Status != auth.Linked || s.LinkedUser != w.mia.User || s.Title(w.mia.Identity()) != "Maple Pottery" {
			w.Errorf("%+v", s)
		}
		// The end of the membership leaves them their own room, as its customer.
		other := w.create(w.stranger, "maple-pottery")
		k := w.watch(w.mia)
		j := w.join(k, w.guestRoom)
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.mia.User, false))
		w.settle()
		r := replica{}
		r.line, r.err = chat.NewTimeline(*j.Snapshot)
		frames := k.take()
		r.apply(frames, w.guestRoom)
		s = must(w.Get(ctx, w.mia, w.guestRoom))(w.T)
		equal(w.T, s.Members, []chat.Member{{User: w.mia.User, Name: "mia"}})
		equal(w.T, r.line.Room, s.Room)
		if !slices.Contains(kinds(frames), "gone") {
			w.Errorf("the other room is not gone: %v", kinds(frames))
		}
		_, err := w.Get(ctx, w.mia, other)
		w.code(chat.CodeAccessDenied, err)
	})
}

var links = flag.Int("links", 100, "rounds of TestLinkRace")

// First link wins, and whoever loses sees nothing; no half state after a fault.
func TestLinkRace(t *testing.T) {
	for round := range *links {
		run(t, func(w *world) {
			if round%4 == 1 {
				w.faults.Script(errDisk, conformance.Before)
			}
			if round%4 == 2 {
				w.faults.Script(errDisk, conformance.After)
			}
			users := []chat.Principal{w.ada, w.bo}
			var busy sync.WaitGroup
			errs := make([]error, 2)
			for i, p := range users {
				busy.Go(func() { _, errs[i] = w.Link(ctx, w.credentials[p], w.credentials[w.guest]) })
			}
			busy.Go(func() {
				w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "meanwhile", Text: "x"})
			})
			busy.Wait()
			var owner chat.UserID
			w.ok(w.storage.Storage.View(ctx, func(r storage.Reader) error {
				g, err := r.GuestSession(w.guest.GuestSession)
				owner = g.LinkedUser
				return err
			}))
			for i, p := range users {
				_, err := w.Get(ctx, p, w.guestRoom)
				if (err == nil) != (p.User == owner) {
					w.Errorf("owner %s, %s: %v", owner, p.User, err)
				}
				if errs[i] == nil && p.User != owner {
					w.Errorf("%s was told it won", p.User)
				}
			}
			if _, err := w.Resolve(ctx, w.credentials[w.guest]); owner != "" && err == nil {
				w.Error("the old secret lives")
			}
			if owner == "" && round%4 == 0 {
				w.Errorf("nobody won: %v", errs)
			}
		})
	}
}

// A guest's principal that was resolved before the link is as dead as its secret.
func TestLinkCutsRequestsInFlight(t *testing.T) {
	run(t, func(w *world) {
		stale := w.guest
		must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		for _, op := range ops {
			w.code(chat.CodeUnauthenticated, op.do(w, stale, w.guestRoom))
		}
		_, err := w.Watch(ctx, stale, &sink{})
		w.code(chat.CodeUnauthenticated, err)
		if _, err := w.Create(ctx, stale, protocol.Create{ClientID: "x", Vendor: "maple-pottery"}); chat.CodeOf(err) != chat.CodeUnauthenticated {
			w.Error(err)
		}
	})
}
