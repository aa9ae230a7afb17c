//go:build !js

package gateway

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"anteroom/store/chat"
)

// A panic ends its own request or socket, and the next one is served. The use
// cases are missing here, so every call of them panics.
func TestPanicEndsOnlyItsOwn(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	u, err := url.Parse("http://" + s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, url: u.String()}
	w.gateway = New(Config{PublicURL: u})
	s.Config.Handler = w.gateway.Handler()
	s.Start()
	defer s.Close()
	defer w.gateway.Drain(context.Background())
	for range 2 {
		r := w.call("GET", "/api/vendors", "", nil)
		if r.code() != chat.CodeInternal || r.status != 500 || !strings.Contains(string(r.body), r.header.Get("X-Request-Id")) {
			t.Errorf("%d %s", r.status, r.body)
		}
		p := w.dial("")
		p.raw(hello("as_"+secret(), chat.SurfaceInbox, ""))
		code, frames := p.end()
		if code != 4006 || len(frames) != 1 || frames[0].Bye == nil || frames[0].Bye.RequestID == "" || frames[0].Bye.Message != "Internal error" {
			t.Errorf("closed with %d after %v", code, frames)
		}
	}
}
