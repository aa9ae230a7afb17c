package rooms_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"anteroom/server/conformance"
	"anteroom/server/rooms"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

func TestCreate(t *testing.T) {
	run(t, func(w *world) {
		q := protocol.Create{ClientID: "mine", Vendor: "northern-tea", Page: "/tea/oolong?session=secret#x"}
		first := must(w.Create(ctx, w.guest, q))(w.T)
		if !first.Fresh || first.Page != "/tea/oolong" || first.Head != 1 || first.GuestSession != w.guest.GuestSession || first.Unread != 0 || first.Last != nil || first.Oversight {
			w.Errorf("%+v", first)
		}
		equal(w.T, first.Members, []chat.Member{{User: w.noor.User, Name: "noor", Staff: true}})
		found := rooms.Opened{Summary: first.Summary}
		equal(w.T, must(w.Create(ctx, w.guest, q))(w.T), found)
		again := q
		again.ClientID = "another"
		equal(w.T, must(w.Create(ctx, w.guest, again))(w.T), found) // the open room with the vendor
		other := q
		other.Vendor = "maple-pottery"
		_, err := w.Create(ctx, w.guest, other)
		w.code(chat.CodeConflict, err)
		if theirs := must(w.Create(ctx, w.stranger, q))(w.T); theirs.ID == first.ID {
			w.Error("a client id is scoped to its sender")
		}

		w.ok(w.Close(ctx, w.noor, first.ID))
		if same := must(w.Create(ctx, w.guest, q))(w.T); same.ID != first.ID || !same.Closed {
			w.Errorf("a late repeat makes no second room: %+v", same)
		}
		again.ClientID = "third"
		if next := must(w.Create(ctx, w.guest, again))(w.T); next.ID == first.ID || next.Closed {
			w.Errorf("after closing, a new chat is a new room: %+v", next)
		}

		for name, tt := range map[string]struct {
			q    protocol.Create
			want chat.Code
		}{
			"unknown vendor":    {protocol.Create{ClientID: "x", Vendor: "nobody"}, chat.CodeNotFound},
			"malformed vendor":  {protocol.Create{ClientID: "x", Vendor: "Maple Pottery"}, chat.CodeInvalid},
			"no client id":      {protocol.Create{Vendor: "maple-pottery"}, chat.CodeInvalid},
			"page too long":     {protocol.Create{ClientID: "x", Vendor: "maple-pottery", Page: "/" + strings.Repeat("a", chat.MaxPage)}, chat.CodeInvalid},
			"page with newline": {protocol.Create{ClientID: "x", Vendor: "maple-pottery", Page: "/a\nb"}, chat.CodeInvalid},
		} {
			_, err := w.Create(ctx, w.ada, tt.q)
			if chat.CodeOf(err) != tt.want {
				w.Errorf("%s: %v", name, err)
			}
		}
		if s := must(w.Create(ctx, w.bo, protocol.Create{ClientID: "x", Vendor: "maple-pottery", Page: "https://shop.example/x"}))(w.T); s.Page != "" {
			w.Errorf("page %q", s.Page)
		}
		// Staff write to their own vendor like anybody: not into a customer's room.
		if s := must(w.Create(ctx, w.mia, protocol.Create{ClientID: "x", Vendor: "maple-pottery"}))(w.T); s.ID == w.guestRoom || len(s.Members) != 1 {
			w.Errorf("%+v", s)
		}
	})
}

// The own room with a vendor is the one that Create would give, and nobody else's.
func TestOwn(t *testing.T) {
	run(t, func(w *world) {
		for name, tt := range map[string]struct {
			p    chat.Principal
			slug string
			want chat.RoomID // "" for not_found
		}{
			"guest":                       {w.guest, "maple-pottery", w.guestRoom},
			"guest, another vendor":       {w.guest, "northern-tea", ""},
			"guest without a room":        {w.stranger, "maple-pottery", ""},
			"customer":                    {w.ada, "northern-tea", w.adaRoom},
			"staff, of others' rooms":     {w.mia, "maple-pottery", ""},
			"admin, of others' rooms":     {w.rosa, "maple-pottery", ""},
			"no such vendor":              {w.guest, "nobody", ""},
			"a vendor that is not a slug": {w.guest, "Maple'--", ""},
		} {
			got, err := w.Own(ctx, tt.p, tt.slug)
			if tt.want == "" && chat.CodeOf(err) != chat.CodeNotFound || tt.want != "" && err != nil || got != tt.want {
				w.Errorf("%s: %q, %v", name, got, err)
			}
		}
		w.ok(w.Close(ctx, w.mia, w.guestRoom))
		_, err := w.Own(ctx, w.guest, "maple-pottery")
		w.code(chat.CodeNotFound, err)
	})
}

// Fifty creations at once, with the same client id or another, make one room.
func TestCreateAtOnce(t *testing.T) {
	run(t, func(w *world) {
		var (
			busy sync.WaitGroup
			mu   sync.Mutex
			got  = make(map[chat.RoomID]int)
		)
		for i := range 50 {
			busy.Go(func() {
				s, err := w.Create(ctx, w.stranger, protocol.Create{ClientID: chat.ClientID(fmt.Sprint("c", i%5)), Vendor: "maple-pottery"})
				if err != nil {
					w.Error(err)
				}
				mu.Lock()
				got[s.ID]++
				mu.Unlock()
			})
		}
		busy.Wait()
		if len(got) != 1 {
			w.Errorf("%d rooms", len(got))
		}
	})
}

func TestBlockGuest(t *testing.T) {
	run(t, func(w *world) {
		k := w.watch(w.guest)
		w.join(k, w.guestRoom)
		w.ok(w.BlockGuest(ctx, w.mia, w.guestRoom))
		w.ok(w.BlockGuest(ctx, w.mia, w.guestRoom)) // says nothing new
		if got := kinds(k.take()); !slices.Equal(got, []string{"guest_blocked"}) {
			w.Errorf("got %v", got)
		}
		_, err := w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "x", Text: "x"})
		w.code(chat.CodeRoomClosed, err)
		must(w.Get(ctx, w.guest, w.guestRoom))(w.T) // readable
		_, err = w.Create(ctx, w.guest, protocol.Create{ClientID: "new", Vendor: "maple-pottery"})
		w.code(chat.CodeAccessDenied, err)
		w.create(w.guest, "northern-tea")     // another vendor
		w.create(w.stranger, "maple-pottery") // another guest

		// A link is no way round the block for the guest session.
		out := must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		_, err = w.Create(ctx, must(w.Resolve(ctx, out.Credential))(w.T), protocol.Create{ClientID: "new", Vendor: "maple-pottery"})
		w.code(chat.CodeAccessDenied, err)
		w.code(chat.CodeConflict, w.BlockGuest(ctx, w.mia, w.guestRoom)) // it is a user now
	})
}

func TestClose(t *testing.T) {
	run(t, func(w *world) {
		m := protocol.Send{Room: w.guestRoom, ClientID: "before", Text: "x"}
		ack := must(w.Send(ctx, w.guest, m))(w.T)
		k := w.watch(w.guest)
		w.join(k, w.guestRoom)
		w.ok(w.Close(ctx, w.mia, w.guestRoom))
		w.ok(w.Close(ctx, w.mia, w.guestRoom))
		if got := kinds(k.take()); !slices.Equal(got, []string{"room_closed"}) {
			w.Errorf("got %v", got)
		}
		equal(w.T, must(w.Send(ctx, w.guest, m))(w.T), rooms.Posted{Ack: ack.Ack}) // its ack was lost; it is stored all the same
		m.Text = "other"
		_, err := w.Send(ctx, w.guest, m)
		w.code(chat.CodeRoomClosed, err)
		m.ClientID = "after"
		_, err = w.Send(ctx, w.guest, m)
		w.code(chat.CodeRoomClosed, err)
		w.ok(w.Read(ctx, w.guest, protocol.Read{Room: w.guestRoom, Seq: 3}))
		must(w.History(ctx, w.guest, protocol.History{Room: w.guestRoom}))(w.T)
	})
}

// A client message id is its sender's own.
func TestSendIsIdempotentPerSender(t *testing.T) {
	run(t, func(w *world) {
		m := protocol.Send{Room: w.guestRoom, ClientID: "same", Text: "x"}
		first := must(w.Send(ctx, w.guest, m))(w.T)
		equal(w.T, must(w.Send(ctx, w.guest, m))(w.T), rooms.Posted{Ack: first.Ack})
		if second := must(w.Send(ctx, w.mia, m))(w.T); !first.Fresh || !second.Fresh || second.Seq != first.Seq+1 {
			w.Errorf("mia's message: %+v", second)
		}
		m.Text = "  x\n" // the same once it has the form that is stored
		equal(w.T, must(w.Send(ctx, w.guest, m))(w.T), rooms.Posted{Ack: first.Ack})
		m.Text = "y"
		_, err := w.Send(ctx, w.guest, m)
		w.code(chat.CodeConflict, err)
		for text, want := range map[string]chat.Code{"": chat.CodeInvalid, " \n": chat.CodeInvalid, "a\x00": chat.CodeInvalid, strings.Repeat("a", 4001): chat.CodeTooLarge} {
			_, err := w.Send(ctx, w.guest, protocol.Send{Room: w.guestRoom, ClientID: "z", Text: text})
			w.code(want, err)
		}
	})
}

func TestUnread(t *testing.T) {
	run(t, func(w *world) {
		unread := func(p chat.Principal) [2]int64 {
			s := must(w.Get(ctx, p, w.guestRoom))(w.T)
			for _, l := range must(w.List(ctx, p, protocol.RoomsQuery{}))(w.T).Rooms {
				if l.ID == w.guestRoom {
					equal(w.T, l, s)
				}
			}
			return [2]int64{int64(s.Unread), s.ReadSeq}
		}
		w.send(w.guest, w.guestRoom, "1")
		w.send(w.guest, w.guestRoom, "2")
		equal(w.T, unread(w.guest), [2]int64{0, 3}) // sending implies having read
		equal(w.T, unread(w.mia), [2]int64{2, 0})
		w.ok(w.Read(ctx, w.mia, protocol.Read{Room: w.guestRoom, Seq: 2}))
		equal(w.T, unread(w.mia), [2]int64{1, 2})
		w.ok(w.Read(ctx, w.mia, protocol.Read{Room: w.guestRoom, Seq: 1}))
		equal(w.T, unread(w.mia), [2]int64{1, 2}) // never back
		w.send(w.mia, w.guestRoom, "3")
		equal(w.T, unread(w.mia), [2]int64{0, 4})
		equal(w.T, unread(w.guest), [2]int64{1, 3})
		w.ok(w.Read(ctx, w.guest, protocol.Read{Room: w.guestRoom, Seq: 1 << 40}))
		equal(w.T, unread(w.guest), [2]int64{0, 4}) // never beyond the head
		w.code(chat.CodeInvalid, w.Read(ctx, w.guest, protocol.Read{Room: w.guestRoom, Seq: -1}))
	})
}

// An admin's look is audited and told: once per admin, room and day, before
// anything is given.
func TestOversight(t *testing.T) {
	run(t, func(w *world) {
		guest, mia := w.watch(w.guest), w.watch(w.mia)
		w.join(guest, w.guestRoom)
		w.join(mia, w.guestRoom)
		w.faults.Script(errDisk, conformance.Before)
		if _, err := w.Get(ctx, w.rosa, w.guestRoom); err == nil {
			w.Error("the room was given although the notice could not be written")
		}
		s := must(w.Get(ctx, w.rosa, w.guestRoom))(w.T)
		if !s.Oversight {
			w.Errorf("%+v", s)
		}
		k := w.watch(w.rosa)
		j := w.join(k, w.guestRoom)
		must(w.History(ctx, w.rosa, protocol.History{Room: w.guestRoom}))(w.T)
		for name, k := range map[string]*sink{"guest": guest, "mia": mia} {
			if got := kinds(k.take()); !slices.Equal(got, []string{"notice rosa"}) {
				w.Errorf("%s: %v", name, got)
			}
		}
		if len(j.Notices) != 1 || j.Head != 1 {
			w.Errorf("not an event, and kept: %+v", j)
		}
		if s := must(w.Get(ctx, w.mia, w.guestRoom))(w.T); s.Unread != 0 {
			w.Errorf("a notice is unread: %+v", s)
		}
		rows := must(w.Audit(ctx, w.rosa, 0, 0))(w.T).Entries
		count := 0
		for _, r := range rows {
			if r.Action == "oversight" && r.Room == w.guestRoom && r.Actor == w.rosa.Identity() {
				count++
			}
		}
		if count != 1 {
			w.Errorf("%d audit rows", count)
		}
		w.pass(20 * hour) // the bubble's clock starts at midnight UTC
		must(w.Get(ctx, w.login("rosa"), w.guestRoom))(w.T)
		if got := guest.take(); got != nil {
			w.Errorf("again on one day: %v", kinds(got))
		}
		w.pass(5 * hour)
		must(w.Get(ctx, w.login("rosa"), w.guestRoom))(w.T)
		if got := kinds(guest.take()); !slices.Equal(got, []string{"notice rosa"}) {
			w.Errorf("on another day: %v", got)
		}
		// After a restart the day's notice is known; it is written, and told, no more.
		fresh := w.node(nil)
		rosa := w.login("rosa")
		must(fresh.Get(ctx, rosa, w.guestRoom))(w.T)
		w.faults.Script(errDisk, conformance.Before)
		must(fresh.Get(ctx, rosa, w.guestRoom))(w.T)
		w.faults.Script(nil)
		fresh.Stop()
		if got := guest.take(); got != nil {
			w.Errorf("after a restart: %v", kinds(got))
		}
		// Taking part is no oversight.
		w.rosa = w.login("rosa")
		w.ok(w.AddParticipant(ctx, w.rosa, w.adaRoom, w.rosa.User))
		ada := w.watch(w.ada)
		w.join(ada, w.adaRoom)
		must(w.Get(ctx, w.login("rosa"), w.adaRoom))(w.T)
		if got := ada.take(); got != nil {
			w.Errorf("a participant's look: %v", kinds(got))
		}
		// Listing is not opening, and asking why is not looking in.
		must(w.List(ctx, w.login("rosa"), protocol.RoomsQuery{}))(w.T)
		must(w.Explain(ctx, w.login("rosa"), w.between, rooms.Subject{User: w.mia.User}))(w.T)
		if j := w.join(ada, w.between); len(j.Notices) != 0 {
			w.Errorf("notices %v", j.Notices)
		}
	})
}

func TestParticipants(t *testing.T) {
	run(t, func(w *world) {
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		got := must(w.Participants(ctx, w.ada, w.guestRoom))(w.T)
		want := []chat.Member{{User: w.ada.User, Name: "ada"}, {User: w.mia.User, Name: "mia", Staff: true}}
		slices.SortFunc(want, func(a, b chat.Member) int { return strings.Compare(string(a.User), string(b.User)) })
		equal(w.T, got, want)
		w.code(chat.CodeNotFound, w.AddParticipant(ctx, w.rosa, w.guestRoom, "u_aaaaaaaaaaaaaaaaaaaaaaaaaa"))
		w.ok(w.auth.SetActive(ctx, w.bo.User, false))
		w.code(chat.CodeNotFound, w.AddParticipant(ctx, w.rosa, w.guestRoom, w.bo.User))
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		page := must(w.History(ctx, w.mia, protocol.History{Room: w.guestRoom}))(w.T)
		var got2 []chat.EventKind
		for _, e := range page.Events {
			got2 = append(got2, e.Kind)
		}
		equal(w.T, got2, []chat.EventKind{chat.RoomCreated, chat.ParticipantAdded, chat.ParticipantRemoved})
	})
}

func TestVendorMembers(t *testing.T) {
	run(t, func(w *world) {
		second := w.create(w.stranger, "maple-pottery")
		k := w.watch(w.bo)
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.bo.User, true))
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.bo.User, true))
		w.settle()
		if got := kinds(k.take()); len(got) != 2 {
			w.Errorf("the list of a new member: %v", got)
		}
		for _, room := range []chat.RoomID{w.guestRoom, second} {
			s := must(w.Get(ctx, w.bo, room))(w.T)
			if m, ok := s.Member(w.bo.User); !ok || !m.Staff || s.Head != 2 {
				w.Errorf("%+v", s)
			}
		}
		third := w.create(w.ada, "maple-pottery")
		must(w.Get(ctx, w.bo, third))(w.T)
		// An admin took a member out of one room: leaving and joining the vendor is what brings them back.
		w.ok(w.RemoveParticipant(ctx, w.rosa, second, w.bo.User))
		_, err := w.Get(ctx, w.bo, second)
		w.code(chat.CodeAccessDenied, err)
		w.settle()
		k.take()
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.bo.User, false))
		if got := kinds(k.take()); !slices.Equal(got, []string{"gone", "gone"}) {
			w.Errorf("the list of a former member: %v", got)
		}
		for _, room := range []chat.RoomID{w.guestRoom, second, third} {
			_, err := w.Get(ctx, w.bo, room)
			w.code(chat.CodeAccessDenied, err)
		}
		must(w.Get(ctx, w.bo, w.between))(w.T)
		w.code(chat.CodeNotFound, w.SetVendorMember(ctx, "v_aaaaaaaaaaaaaaaaaaaaaaaaaa", w.bo.User, true))
		w.code(chat.CodeNotFound, w.SetVendorMember(ctx, w.maple.ID, "u_aaaaaaaaaaaaaaaaaaaaaaaaaa", true))
		_, err = w.AddVendor(ctx, "maple-pottery", "Another", "")
		w.code(chat.CodeConflict, err)
	})
}

// A member who loses more rooms than can be told one by one starts anew.
func TestVendorOfManyRooms(t *testing.T) {
	run(t, func(w *world) {
		for range 120 {
			w.create(w.newGuest(), "maple-pottery")
		}
		k := w.watch(w.mia)
		w.ok(w.SetVendorMember(ctx, w.maple.ID, w.mia.User, false))
		if k.end() != chat.CodeResyncRequired {
			w.Errorf("ended with %q", k.end())
		}
		if page := must(w.List(ctx, w.mia, protocol.RoomsQuery{}))(w.T); len(page.Rooms) != 0 {
			w.Errorf("%d rooms left", len(page.Rooms))
		}
	})
}

func TestExplain(t *testing.T) {
	run(t, func(w *world) {
		for name, tt := range map[string]struct {
			room    chat.RoomID
			about   rooms.Subject
			allowed bool
			reason  access.Reason
		}{
			"the guest":                       {w.guestRoom, rooms.Subject{GuestSession: w.guest.GuestSession}, true, access.ReasonGuestSession},
			"another guest":                   {w.guestRoom, rooms.Subject{GuestSession: w.stranger.GuestSession}, false, access.ReasonOtherGuestSession},
			"a guest in a room between users": {w.between, rooms.Subject{GuestSession: w.guest.GuestSession}, false, access.ReasonGuestInUserRoom},
			"staff":                           {w.guestRoom, rooms.Subject{User: w.mia.User}, true, access.ReasonParticipant},
			"staff by session":                {w.guestRoom, rooms.Subject{Session: w.mia.Session}, true, access.ReasonParticipant},
			"not a participant":               {w.guestRoom, rooms.Subject{User: w.bo.User}, false, access.ReasonNotParticipant},
			"an admin":                        {w.guestRoom, rooms.Subject{User: w.rosa.User}, true, access.ReasonAdmin},
			"a session nobody has":            {w.guestRoom, rooms.Subject{Session: "s_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, false, access.ReasonNobody},
			"a guest nobody knows":            {w.guestRoom, rooms.Subject{GuestSession: "g_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, false, access.ReasonRevoked},
		} {
			e := must(w.Explain(ctx, w.rosa, tt.room, tt.about))(w.T)
			if e.Allowed != tt.allowed || e.Reason != tt.reason || len(e.Actions) != len(access.Actions) || !e.Facts.RoomExists {
				w.Errorf("%s: %+v", name, e)
			}
			equal(w.T, must(w.ExplainToOperator(ctx, tt.room, tt.about))(w.T), e)
		}
		for name, about := range map[string]rooms.Subject{
			"nobody": {}, "two at once": {User: w.ada.User, GuestSession: w.guest.GuestSession},
		} {
			if _, err := w.Explain(ctx, w.rosa, w.guestRoom, about); chat.CodeOf(err) != chat.CodeInvalid {
				w.Errorf("%s: %v", name, err)
			}
		}
		w.ok(w.auth.LogOut(ctx, w.credentials[w.mia]))
		if e := must(w.Explain(ctx, w.rosa, w.guestRoom, rooms.Subject{Session: w.mia.Session}))(w.T); e.Allowed || e.Reason != access.ReasonRevoked {
			w.Errorf("a session that was logged out: %+v", e)
		}
		must(w.Link(ctx, w.credentials[w.ada], w.credentials[w.guest]))(w.T)
		w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		e := must(w.Explain(ctx, w.rosa, w.guestRoom, rooms.Subject{GuestSession: w.guest.GuestSession}))(w.T)
		if e.Allowed || e.Reason != access.ReasonLinkedNotMember || e.Facts.User != w.ada.User || !e.Facts.LoginAlive || e.Facts.RoomLinkedUser != w.ada.User {
			w.Errorf("linked to a user who was removed: %+v", e)
		}
		e = must(w.ExplainToOperator(ctx, missingRoom, rooms.Subject{User: w.rosa.User}))(w.T)
		if e.Allowed || e.Reason != access.ReasonNoRoom {
			w.Errorf("a room that does not exist: %+v", e)
		}
	})
}

func TestAudit(t *testing.T) {
	run(t, func(w *world) {
		for range 7 {
			w.ok(w.AddParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
			w.ok(w.RemoveParticipant(ctx, w.rosa, w.guestRoom, w.ada.User))
		}
		var all []rooms.AuditEntry
		for before := int64(0); ; {
			page := must(w.Audit(ctx, w.rosa, before, 5))(w.T).Entries
			all = append(all, page...)
			if len(page) < 5 {
				break
			}
			before = page[len(page)-1].ID
		}
		whole := must(w.Audit(ctx, w.rosa, 0, rooms.MaxAuditLimit))(w.T).Entries
		equal(w.T, all, whole)
		if whole[0].Action != "participant_removed" || whole[0].Room != w.guestRoom || whole[0].Subject != string(w.ada.User) || whole[0].Actor != w.rosa.Identity() {
			w.Errorf("%+v", whole[0])
		}
		if first := whole[len(whole)-1]; !slices.ContainsFunc(whole, func(e rooms.AuditEntry) bool {
			return e.Action == "vendor_added" && e.Subject == string(w.maple.ID) && e.Detail == "maple-pottery" && e.Actor == ""
		}) {
			w.Errorf("no row about the vendor; the first is %+v", first)
		}
		for _, p := range []chat.Principal{w.mia, w.guest} {
			_, err := w.Audit(ctx, p, 0, 0)
			w.code(chat.CodeAccessDenied, err)
		}
		_, err := w.Audit(ctx, w.rosa, -1, 0)
		w.code(chat.CodeInvalid, err)
		_, err = w.Audit(ctx, w.rosa, 0, rooms.MaxAuditLimit+1)
		w.code(chat.CodeInvalid, err)
	})
}

func TestCreateBetween(t *testing.T) {
	run(t, func(w *world) {
		both := []chat.UserID{w.mia.User, w.noor.User}
		first := must(w.CreateBetween(ctx, w.rosa, "x", " Spring  market ", both))(w.T)
		equal(w.T, must(w.CreateBetween(ctx, w.rosa, "x", "Spring market", both))(w.T), rooms.Opened{Summary: first.Summary})
		if !first.Fresh || first.Name != "Spring market" || len(first.Members) != 2 || !first.Oversight || first.Vendor != nil {
			w.Errorf("%+v", first)
		}
		must(w.Get(ctx, w.noor, first.ID))(w.T)
		for name, tt := range map[string]struct {
			p     chat.Principal
			name  string
			users []chat.UserID
			want  chat.Code
		}{
			"a user":       {w.ada, "", both, chat.CodeAccessDenied},
			"a guest":      {w.guest, "", both, chat.CodeAccessDenied},
			"one user":     {w.rosa, "", []chat.UserID{w.ada.User, w.ada.User}, chat.CodeInvalid},
			"unknown user": {w.rosa, "", []chat.UserID{w.ada.User, "u_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, chat.CodeNotFound},
			"a bad name":   {w.rosa, "a\x07b", both, chat.CodeInvalid},
		} {
			if _, err := w.CreateBetween(ctx, tt.p, "y", tt.name, tt.users); chat.CodeOf(err) != tt.want {
				w.Errorf("%s: %v", name, err)
			}
		}
	})
}
