package rooms

import (
	"context"

	"anteroom/server/storage"
	"anteroom/store/access"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// History gives a page of a room's events. Errors: unauthenticated,
// session_expired, access_denied, invalid.
func (s *Service) History(ctx context.Context, p chat.Principal, q protocol.History) (protocol.HistoryPage, error) {
	if err := q.Check(); err != nil {
		return protocol.HistoryPage{}, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = protocol.HistoryLimit
	}
	var page protocol.HistoryPage
	err := s.read(ctx, p, q.Room, access.Read, func(a *admitted) (err error) {
		page = protocol.HistoryPage{Room: a.room.ID, Epoch: a.epoch}
		if q.After > 0 {
			page.Events, err = a.run(q.After, limit)
			page.More = len(page.Events) > 0 && page.Events[len(page.Events)-1].Seq < a.room.Head
		} else {
			before := a.room.Head + 1
			if q.Before > 0 {
				before = min(before, q.Before)
			}
			page.Events, err = a.runBefore(before, limit)
			page.More = len(page.Events) > 0 && page.Events[0].Seq > 1
		}
		if page.Events == nil {
			page.Events = []chat.Event{}
		}
		return err
	})
	return page, err
}

// Posted is what Send did: Fresh tells that this call stored the message.
type Posted struct {
	protocol.Ack
	Fresh bool
}

// Send posts a message and moves the sender's own read mark: sending implies
// having read. The ack means that the message is durable. Repeating a client
// message id with the same room and text gives the first one's ack, also after
// the room was closed. Errors: unauthenticated, session_expired, access_denied,
// room_closed, conflict, invalid, too_large, storage_full, unavailable.
func (s *Service) Send(ctx context.Context, p chat.Principal, m protocol.Send) (Posted, error) {
	if err := m.Check(); err != nil {
		return Posted{}, err
	}
	var out Posted
	_, err := s.write(ctx, p, m.Room, access.Post, func(a *admitted) error {
		e, created, err := a.append(chat.Event{Kind: chat.MessagePosted, ClientID: m.ClientID, Text: m.Text})
		if err != nil {
			return err
		}
		out = Posted{protocol.Ack{Room: m.Room, ClientID: m.ClientID, Seq: e.Seq, At: e.At}, created}
		if !created {
			return nil
		}
		_, _, err = a.mark(e.Seq)
		return err
	})
	if chat.CodeOf(err) == chat.CodeRoomClosed {
		if before, ok := s.sent(ctx, p, m); ok {
			return Posted{Ack: before}, nil
		}
	}
	if err != nil {
		return Posted{}, err
	}
	return out, nil
}

// sent finds what the caller had posted before the room was closed.
func (s *Service) sent(ctx context.Context, p chat.Principal, m protocol.Send) (ack protocol.Ack, ok bool) {
	err := s.read(ctx, p, m.Room, access.Read, func(a *admitted) error {
		e, err := a.sent(m.ClientID)
		ok = err == nil && e.Text == m.Text
		ack = protocol.Ack{Room: m.Room, ClientID: m.ClientID, Seq: e.Seq, At: e.At}
		return err
	})
	return ack, ok && err == nil
}

// Read moves p's read mark of a room forward; it never moves back. Errors:
// unauthenticated, session_expired, access_denied, invalid.
func (s *Service) Read(ctx context.Context, p chat.Principal, q protocol.Read) error {
	if q.Seq < 0 {
		return chat.Errorf(chat.CodeInvalid, "seq must not be negative")
	}
	var (
		mark   storage.Mark
		moved  bool
		public bool
		reader chat.Identity
	)
	_, err := s.write(ctx, p, q.Room, access.Receive, func(a *admitted) (err error) {
		mark, moved, err = a.mark(q.Seq)
		reader, public = a.caller.identity, !a.decision.Oversight
		return err
	})
	if err != nil || !moved {
		return err
	}
	if public {
		s.hub.signal(q.Room, protocol.ServerFrame{Receipt: &protocol.ReceiptFrame{
			Room: q.Room, Receipt: chat.Receipt{Reader: reader, Seq: mark.Seq},
		}}, "", true)
	}
	s.hub.changedFor(q.Room, reader)
	return nil
}
