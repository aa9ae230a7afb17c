//go:build !js

package gateway

import (
	"strings"
	"testing"
	"time"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// A message that can't be cut into frames is no hello: the first frame still has
// to be one, and in its time.
func TestNothingIsNoHello(t *testing.T) {
	w := newWorld(t, Limits{})
	many := strings.Repeat("{\"ping\":{}}\n", protocol.MaxClientFrames+1)
	p := w.dial("")
	p.raw(many)
	p.raw(`{"id":7,"vendors":{}}`)
	_, frames := p.end()
	if len(frames) != 3 || errorOf(frames[0]) != chat.CodeTooLarge || frames[1].Re != 7 || errorOf(frames[1]) != chat.CodeInvalid || frames[2].Bye == nil {
		t.Errorf("got %s", protocol.EncodeServer(frames...))
	}
	w = newWorld(t, Limits{Hello: 300 * time.Millisecond})
	greeted := w.connect(w.guest().Credential, chat.SurfaceWidget)
	began := time.Now()
	p = w.dial("")
	p.raw(many)
	p.late(t, began, 300*time.Millisecond)
	// Whoever said hello before that has no clock any more.
	greeted.fence()
}
