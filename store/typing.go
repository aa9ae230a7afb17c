package store

import (
	"slices"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// setTyping tells the others that the visitor types, at most every TypingRepeat.
func (m *Machine) setTyping(id chat.RoomID, active bool) {
	r := m.open[id]
	if r == nil || !r.joined || !m.online() {
		return
	}
	if !active {
		m.stopTyping(r)
		return
	}
	if r.typingSent != 0 && m.now-r.typingSent < TypingRepeat {
		return
	}
	r.typingSent = m.now
	m.emit(Send{Frame: protocol.ClientFrame{Typing: &protocol.Typing{Room: id, Active: true}}})
}

func (m *Machine) stopTyping(r *room) {
	if r.typingSent == 0 {
		return
	}
	r.typingSent = 0
	m.emit(Send{Frame: protocol.ClientFrame{Typing: &protocol.Typing{Room: r.id}}})
}

// typed takes the signal that somebody else types or stopped.
func (m *Machine) typed(f *protocol.TypingFrame) {
	r := m.open[f.Room]
	if r == nil || !r.joined || r.line.Room.Canonical(f.Who) == m.principal.Identity() {
		return
	}
	if !f.Active {
		m.dropTypist(r, f.Who)
		return
	}
	t := Typist{Who: f.Who, Name: f.Name, Until: m.now + TypingTTL}
	r.typing = slices.Clone(r.typing)
	if i := slices.IndexFunc(r.typing, func(o Typist) bool { return o.Who == f.Who }); i >= 0 {
		r.typing[i] = t
	} else {
		r.typing = append(r.typing, t)
	}
	m.touch(dirtyTyping | dirtyRoom)
}

func (m *Machine) dropTypist(r *room, who chat.Identity) {
	i := slices.IndexFunc(r.typing, func(t Typist) bool { return t.Who == who })
	if i < 0 {
		return
	}
	r.typing = slices.Delete(slices.Clone(r.typing), i, i+1)
	m.touch(dirtyTyping | dirtyRoom)
}

func (m *Machine) expireTyping() {
	for _, r := range m.open {
		lapsed := func(t Typist) bool { return m.now >= t.Until }
		if slices.ContainsFunc(r.typing, lapsed) {
			r.typing = slices.DeleteFunc(slices.Clone(r.typing), lapsed)
			m.touch(dirtyTyping | dirtyRoom)
		}
	}
}
