package storetest

import (
	"fmt"
	"maps"
	"slices"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// Restart drops every socket, as a deploy would.
func (s *Server) Restart() {
	for _, c := range slices.Clone(s.conns) {
		c.close(&chat.Error{Code: chat.CodeShutdown, Message: "restarting", RetryAfter: 1e9})
	}
}

// Resync ends all subscriptions to a room, as a server must that can't fill a gap.
func (s *Server) Resync(id chat.RoomID) {
	for _, c := range s.conns {
		if c.joined[id] {
			delete(c.joined, id)
			c.push(protocol.ServerFrame{Error: &protocol.Error{Code: chat.CodeResyncRequired, Message: "join again", Room: id}})
		}
	}
}

// Beat sends the heads of the joined rooms to every socket.
func (s *Server) Beat() {
	for _, c := range s.conns {
		if c.greeted {
			c.push(protocol.ServerFrame{Beat: c.beat()})
		}
	}
}

// Kill drops every socket without a word, as a killed process would. What was
// acknowledged is durable.
func (s *Server) Kill() {
	for _, c := range slices.Clone(s.conns) {
		c.close(nil)
	}
}

// Restore puts a backup in place of what is stored: the last messages of each
// room are gone, as many as back says, and the logs have a new epoch.
func (s *Server) Restore(back func(chat.RoomID) int) {
	life := map[chat.RoomID][]chat.Event{}
	for _, id := range s.Rooms() {
		r := s.rooms[id]
		life[id] = r.Events
		end := len(r.Events)
		for n := back(id); n > 0 && r.Events[end-1].Kind == chat.MessagePosted; n-- {
			end--
			s.Undone[r.Events[end].Text] = true
		}
		r.Events = slices.Clone(r.Events[:end])
		r.State = r.Start
		for _, e := range r.Events {
			r.State = chat.ApplyToRoom(r.State, e)
		}
		for who, seq := range r.marks {
			r.marks[who] = min(seq, int64(end))
		}
		maps.DeleteFunc(s.sent, func(_ sentKey, m sent) bool { return m.room == id && m.seq > int64(end) })
	}
	s.lives[s.Epoch] = life
	s.Epoch = fmt.Sprintf("e%d", len(s.lives)+1)
	s.Kill()
}

// Log returns a room's events in one epoch.
func (s *Server) Log(id chat.RoomID, epoch string) []chat.Event {
	if epoch == s.Epoch {
		return s.rooms[id].Events
	}
	return s.lives[epoch][id]
}
