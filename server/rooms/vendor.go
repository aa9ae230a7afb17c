package rooms

import (
	"context"
	"fmt"
	"slices"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// AddVendor makes a vendor; it is the operator's to call. Errors: invalid,
// conflict (the slug is taken).
func (s *Service) AddVendor(ctx context.Context, slug, name, avatar string) (chat.Vendor, error) {
	slug, err := chat.ParseSlug(slug)
	if err != nil {
		return chat.Vendor{}, err
	}
	if name, err = chat.ParseName(name); err != nil {
		return chat.Vendor{}, err
	}
	if avatar == "" {
		avatar = chat.Initials(name)
	}
	v := chat.Vendor{ID: chat.VendorID(s.cfg.NewID("v_")), Slug: slug, Name: name, Avatar: avatar}
	err = s.update(ctx, func(w storage.Writer) error {
		if err := w.PutVendor(v); err != nil {
			return err
		}
		return w.AddAudit(storage.AuditEntry{At: s.now(), Action: "vendor_added", Subject: string(v.ID), Detail: slug})
	})
	return v, err
}

// SetVendorMember makes a user staff of a vendor or ends that; it is the
// operator's to call. In the same transaction the user becomes a participant of
// all the vendor's rooms, or stops being one; rooms in which the user is the
// customer stay theirs. When it returns, open sockets have been decided again.
// Repeating it does nothing. Errors: not_found (the vendor or the user).
func (s *Service) SetVendorMember(ctx context.Context, vendor chat.VendorID, user chat.UserID, member bool) error {
	var (
		events []posted
		lost   []chat.RoomID
	)
	began := s.cfg.Now()
	err := s.update(ctx, func(w storage.Writer) error {
		events, lost = nil, nil
		if _, err := w.Vendor(vendor); err != nil {
			return missing(err, "vendor")
		}
		if _, err := w.User(user); err != nil {
			return missing(err, "user")
		}
		staff, err := w.VendorMembers(vendor)
		if err != nil || slices.Contains(staff, user) == member {
			return err
		}
		if err := w.SetVendorMember(vendor, user, member); err != nil {
			return err
		}
		ids, err := w.RoomsOfVendor(vendor)
		if err != nil {
			return err
		}
		n := newNames(w)
		for _, id := range ids {
			a, err := s.operated(w, id)
			if err != nil {
				return err
			}
			if member || a.customer(user) {
				// For a customer this only says whether they are staff as well.
				is, err := w.Participant(id, user)
				if err != nil {
					return err
				}
				if !member && !is {
					continue
				}
				err = a.add(chat.ParticipantAdded, user, n)
				if err != nil {
					return err
				}
			} else {
				is, err := w.Participant(id, user)
				if err != nil {
					return err
				}
				if !is {
					continue
				}
				if err := a.remove(user, n); err != nil {
					return err
				}
				lost = append(lost, id)
			}
			events = append(events, a.events...)
		}
		detail := "removed"
		if member {
			detail = "added"
		}
		return w.AddAudit(storage.AuditEntry{At: s.now(), Action: "vendor_member", Subject: string(user), Detail: detail + " " + string(vendor)})
	})
	s.revoke(ctx, user, lost...) // also where the commit's outcome is unknown
	if err != nil {
		s.inDoubt(events)
		return err
	}
	s.publish(began, events)
	return nil
}

// customer tells whether the room is a user's own with the vendor.
func (a *admitted) customer(user chat.UserID) bool {
	return a.room.LinkedUser == user || a.room.Creator == chat.UserIdentity(user)
}

func missing(err error, what string) error {
	if notFound(err) {
		return chat.Errorf(chat.CodeNotFound, "There is no such %s", what)
	}
	return fmt.Errorf("read the %s: %w", what, err)
}
