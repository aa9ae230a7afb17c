package storage

import (
	"slices"

	"anteroom/store/chat"
)

// dump is a state's rows without its indexes: what a backup holds.
type dump struct {
	Epoch        string
	Users        []User
	Vendors      []chat.Vendor
	Members      map[chat.VendorID][]chat.UserID
	Sessions     []AccountSession
	Burned       map[Hash]int64
	Guests       []GuestSession
	Rooms        []Room
	Participants map[chat.RoomID][]chat.UserID
	Logs         map[chat.RoomID][]entry
	Sent         map[sentKey]Sent
	Marks        map[chat.RoomID]map[chat.Identity]Mark
	Blocked      []blockKey
	Notices      map[chat.RoomID][]notice
	Audit        []AuditEntry
}

// dump shares memory with the state; it is good while the state is locked.
func (s *state) dump() dump {
	d := dump{
		Epoch: s.epoch, Members: s.members, Burned: s.burned, Participants: s.participants,
		Logs: s.logs, Sent: s.sent, Marks: s.marks, Notices: s.notices, Audit: s.audit,
	}
	for _, u := range s.users {
		d.Users = append(d.Users, u)
	}
	for _, v := range s.vendors {
		d.Vendors = append(d.Vendors, v)
	}
	for _, a := range s.sessions {
		d.Sessions = append(d.Sessions, a)
	}
	for _, g := range s.guests {
		d.Guests = append(d.Guests, g)
	}
	for _, r := range s.rooms {
		d.Rooms = append(d.Rooms, r)
	}
	for k := range s.blocked {
		d.Blocked = append(d.Blocked, k)
	}
	return d
}

// restore builds the state anew through the writer's own methods where they
// keep indexes. Rows of a dump were accepted once, so none can be refused.
func (d dump) restore() *state {
	s := newState(d.Epoch)
	w := &writer{reader: reader{s}}
	for _, u := range d.Users {
		w.PutUser(u)
	}
	for _, v := range d.Vendors {
		w.PutVendor(v)
	}
	for v, users := range d.Members {
		for _, u := range users {
			w.SetVendorMember(v, u, true)
		}
	}
	for _, a := range d.Sessions {
		w.PutAccountSession(a)
	}
	for h, at := range d.Burned {
		w.BurnToken(h, at)
	}
	for _, g := range d.Guests {
		w.PutGuestSession(g)
	}
	for _, r := range d.Rooms {
		w.CreateRoom(r)
		s.rooms[r.ID] = r
	}
	for r, users := range d.Participants {
		for _, u := range users {
			w.SetParticipant(r, u, true)
		}
	}
	for r, log := range d.Logs {
		s.logs[r] = slices.Clone(log)
	}
	for k, v := range d.Sent {
		s.sent[k] = v
	}
	for r, marks := range d.Marks {
		for id, m := range marks {
			setMark(w, r, id, m)
		}
	}
	for _, k := range d.Blocked {
		s.blocked[k] = struct{}{}
	}
	for r, n := range d.Notices {
		s.notices[r] = n
	}
	s.audit = d.Audit
	return s
}
