package rooms

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

// topic is the one topic of the broker that all nodes listen to.
const topic = "rooms"

// hint is what one node tells the others. Losing one delays a delivery until the
// next event of the room or the next beat; a revocation that is lost is found at
// the next beat, because every beat decides again.
type hint struct {
	Node      string          `json:"n"`
	Kind      string          `json:"k"`
	Room      chat.RoomID     `json:"r,omitempty"`
	Seq       int64           `json:"s,omitempty"`
	Members   bool            `json:"m,omitempty"`
	Except    chat.Identity   `json:"x,omitempty"`
	Only      chat.Identity   `json:"o,omitempty"`
	Reader    chat.Identity   `json:"d,omitempty"`
	Ephemeral bool            `json:"e,omitempty"`
	Frame     json.RawMessage `json:"f,omitempty"`
	Change    *auth.Change    `json:"c,omitempty"`
	User      chat.UserID     `json:"u,omitempty"`
	Rooms     []chat.RoomID   `json:"rs,omitempty"`
}

const (
	hintEvent   = "event"
	hintSignal  = "signal"
	hintChanged = "changed" // in the lists of one identity
	hintRecheck = "recheck"
	hintRevoke  = "revoke"
)

func (h *hub) subscribe() error {
	if h.s.cfg.Broker == nil {
		return nil
	}
	own := fmt.Appendf(nil, `{"n":%q`, h.node)
	cancel, err := h.s.cfg.Broker.Subscribe(topic, func(payload []byte) {
		if !bytes.HasPrefix(payload, own) {
			h.hear(payload)
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to hints: %w", err)
	}
	h.cancel = cancel
	return nil
}

// tell offers a hint to the other nodes.
func (h *hub) tell(m hint) {
	if h.s.cfg.Broker == nil {
		return
	}
	m.Node = h.node
	payload, err := m.encode()
	if err == nil {
		err = h.s.cfg.Broker.Publish(context.Background(), topic, payload)
	}
	if err != nil {
		h.s.log.Warn("hint not published", slog.Any("err", err))
	}
}

// encode gives a hint as JSON. Events are by far the most, and their frames are
// JSON already: to have them looked through again costs as much as to encode them did.
func (m hint) encode() ([]byte, error) {
	if m.Kind != hintEvent {
		return json.Marshal(m)
	}
	out := make([]byte, 0, len(m.Frame)+128)
	out = fmt.Appendf(out, `{"n":%q,"k":%q,"r":%q,"s":%d,"m":%t,"f":`, m.Node, m.Kind, m.Room, m.Seq, m.Members)
	return append(append(out, m.Frame...), '}'), nil
}

// hear takes a hint from another node.
func (h *hub) hear(payload []byte) {
	var m hint
	if err := json.Unmarshal(payload, &m); err != nil {
		h.s.log.Warn("hint not understood", slog.Any("err", err))
		return
	}
	switch m.Kind {
	case hintEvent:
		r := h.hold(m.Room)
		h.fan(r, frame{seq: m.Seq, members: m.Members, bytes: m.Frame})
		h.changed(r, m.Room, "")
		h.release(r)
	case hintSignal:
		h.fanSignal(signal{room: m.Room, except: m.Except, reader: m.Reader, ephemeral: m.Ephemeral, bytes: m.Frame})
	case hintChanged:
		r := h.hold(m.Room)
		h.changed(r, m.Room, m.Only)
		h.release(r)
	case hintRecheck:
		if m.Change != nil {
			h.worker.recheck(h.watches(ids(*m.Change)...))
		}
	case hintRevoke:
		h.worker.recheck(h.watches(string(m.User)), m.Rooms...)
	}
}

// ids are the index keys of a change.
func ids(c auth.Change) []string {
	var out []string
	for _, id := range c.Users {
		out = append(out, string(id))
	}
	for _, id := range c.Guests {
		out = append(out, string(id))
	}
	for _, id := range c.Sessions {
		out = append(out, string(id))
	}
	return out
}
