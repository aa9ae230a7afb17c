package gateway

import (
	"context"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// touchEvery is how often one socket's frames keep its session from running
// idle, in milliseconds; what it costs otherwise is more than a ping.
const touchEvery = 15_000

// dispatch carries out one frame and answers it. What may be done is decided
// in package rooms; here are only the limits of a socket.
func (c *conn) dispatch(ctx context.Context, f protocol.ClientFrame) {
	if f.Join != nil && f.Join.Vendor != "" {
		own, err := c.g.rooms.Own(ctx, c.principal, f.Join.Vendor)
		if err != nil {
			if c.ask(asked{}) {
				c.fail(ctx, f, err)
			}
			return
		}
		f.Join = &protocol.Join{Room: own}
	}
	room := f.RoomID()
	list := f.Rooms != nil || f.Create != nil || f.Ping != nil // the answer names rooms that the frame does not
	content := chat.RoomID("")                                 // of the answer
	if f.Join != nil || f.History != nil {
		content = room
	}
	if !c.ask(asked{room: content, list: list, join: f.Join != nil}) {
		return
	}
	if now := c.g.now().UnixMilli(); f.Ping == nil && (now < c.touched || now-c.touched >= touchEvery) {
		c.touched = now
		c.g.touch(ctx, c.principal, c.id)
	}
	out, err := c.carryOut(ctx, f)
	for list && err == nil && c.retry() {
		out, err = c.carryOut(ctx, f)
	}
	switch {
	case err != nil:
		c.fail(ctx, f, err)
	case f.ID == 0 && f.Join == nil:
		c.answer(item{}, func() []byte { return encodeError(0, room, chat.AccessDenied) })
	default:
		c.replyWith(f.ID, out, content, list)
	}
}

// carryOut gives the answer to a frame, or why there is none.
func (c *conn) carryOut(ctx context.Context, f protocol.ClientFrame) (out protocol.ServerFrame, err error) {
	p, ok := c.principal, protocol.ServerFrame{OK: &protocol.Empty{}}
	switch {
	case f.Ping != nil:
		return protocol.ServerFrame{Pong: &protocol.Beat{Heads: c.watch.Heads(ctx)}}, nil
	case f.Rooms != nil:
		page, err := c.g.rooms.List(ctx, p, *f.Rooms)
		return protocol.ServerFrame{Rooms: &page}, err
	case f.Vendors != nil:
		page, err := c.g.rooms.Vendors(ctx, p)
		return protocol.ServerFrame{Vendors: &page}, err
	case f.Create != nil:
		sum, _, err := c.g.create(ctx, p, c.address, *f.Create)
		return protocol.ServerFrame{Created: &protocol.RoomFrame{Room: sum}}, err
	case f.Join != nil:
		joined, err := c.watch.Join(ctx, *f.Join)
		return protocol.ServerFrame{Joined: &joined}, err
	case f.Leave != nil:
		c.watch.Leave(f.Leave.Room)
		return ok, nil
	case f.Send != nil:
		ack, _, err := c.g.send(ctx, p, *f.Send)
		return protocol.ServerFrame{Ack: &ack}, err
	case f.Typing != nil:
		return ok, c.watch.Typing(ctx, *f.Typing)
	case f.Read != nil:
		return ok, c.g.rooms.Read(ctx, p, *f.Read)
	case f.History != nil:
		page, err := c.g.rooms.History(ctx, p, *f.History)
		return protocol.ServerFrame{History: &page}, err
	case f.Close != nil:
		return ok, c.g.rooms.Close(ctx, p, f.Close.Room)
	case f.Block != nil:
		return ok, c.g.rooms.BlockGuest(ctx, p, f.Block.Room)
	case f.Hello != nil:
		return out, chat.Errorf(chat.CodeInvalid, "hello was said already")
	}
	return out, chat.Errorf(chat.CodeInvalid, "unknown frame")
}

// send posts a message under the limit of its sender; fresh tells whether this
// call stored it.
func (g *Gateway) send(ctx context.Context, p chat.Principal, m protocol.Send) (ack protocol.Ack, fresh bool, err error) {
	now, key := g.now(), string(p.Identity())
	sends := g.userSends
	if p.User == "" {
		sends = g.guestSends
	}
	if err := sends.take(now, key, 1); err != nil {
		return ack, false, err
	}
	out, err := g.rooms.Send(ctx, p, m)
	return out.Ack, err == nil && out.Fresh, err
}

// create opens a room with a vendor under the limits of its creator and the
// address; fresh tells whether this call made it. Finding a room that exists
// costs nothing.
func (g *Gateway) create(ctx context.Context, p chat.Principal, address string, q protocol.Create) (sum chat.Summary, fresh bool, err error) {
	now, key := g.now(), string(p.Identity())
	makes := g.userRooms
	if p.User == "" {
		makes = g.guestRooms
	}
	if err := makes.take(now, key, 1); err != nil {
		return sum, false, err
	}
	if err := g.addressRooms.take(now, address, 1); err != nil {
		makes.give(now, key, 1)
		return sum, false, err
	}
	out, err := g.rooms.Create(ctx, p, q)
	if fresh = err == nil && out.Fresh; !fresh {
		makes.give(now, key, 1)
		g.addressRooms.give(now, address, 1)
	}
	return out.Summary, fresh, err
}
