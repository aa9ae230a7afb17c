//go:build !js

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/server/gateway"
	"anteroom/server/internal/metrics"
	"anteroom/server/rooms"
)

var (
	_ rooms.Observer   = (*metrics.Metrics)(nil)
	_ gateway.Observer = (*metrics.Metrics)(nil)
)

// ask makes a request, wants a status, and gives the answer.
func ask(t testing.TB, want int, method, url, credential, body string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s %v", method, url, res.StatusCode, want, raw, err)
	}
	return raw
}

// What happens is counted, on a listener of its own, and names nobody.
func TestMetrics(t *testing.T) {
	vars := map[string]string{"ANTEROOM_DATA": t.TempDir(), "ANTEROOM_OPS_ADDR": "127.0.0.1:0"}
	s := start(t, vars, "--limit", "guest-sessions-address=1/h:1")
	ops := s.printed(`ops    (\S+)`)
	base := strings.TrimSuffix(s.printed(`chat   (\S+)`), "/chat")
	if code, _, stderr := runCommand(t, vars, "vendor", "add", "tea", "Tea"); code != 0 {
		t.Fatal(stderr)
	}
	ask(t, 404, "GET", base+"/metrics", "", "")
	ask(t, 404, "GET", strings.TrimSuffix(ops, "/metrics")+"/healthz", "", "")

	var guest struct{ ID, Credential string }
	if err := json.Unmarshal(ask(t, 201, "POST", base+"/api/guest-sessions", "", ""), &guest); err != nil {
		t.Fatal(err)
	}
	ask(t, 429, "POST", base+"/api/guest-sessions", "", "")
	var made struct{ Room struct{ ID string } }
	if err := json.Unmarshal(ask(t, 201, "POST", base+"/api/rooms", guest.Credential, `{"client_id":"one","vendor":"tea"}`), &made); err != nil {
		t.Fatal(err)
	}
	ask(t, 201, "POST", base+"/api/rooms/"+made.Room.ID+"/messages", guest.Credential, `{"cmid":"one","text":"a secret"}`)
	ask(t, 403, "GET", base+"/api/rooms/r_aaaaaaaaaaaaaaaaaaaaaaaaaa", guest.Credential, "")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"id":1,"hello":{"version":1,"credential":"`+guest.Credential+`","surface":"widget"}}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.Read(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"id":2,"join":{"room":"`+made.Room.ID+`","cursor":{"epoch":"another","seq":1}}}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.Read(ctx); err != nil {
		t.Fatal(err)
	}

	page := string(ask(t, 200, "GET", ops, "", ""))
	for _, line := range []string{
		`chat_connections 1`,
		`chat_decisions_total{action="start",decision="allowed",reason="guest_session"} 1`,
		`chat_decisions_total{action="post",decision="allowed",reason="guest_session"} 1`,
		`chat_decisions_total{action="read",decision="denied",reason="no_room"} 1`,
		`chat_refusals_total{code="access_denied"} 1`,
		`chat_refusals_total{code="rate_limited"} 1`,
		`chat_limits_hit_total{limit="guest-sessions-address"} 1`,
		`chat_resyncs_total 1`,
		`chat_append_seconds_count 2`,
		`chat_delivery_seconds_count 2`,
		`chat_build_info{version="dev"} 1`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if !regexp.MustCompile(`(?m)^chat_write_seconds_count [1-9]`).MatchString(page) {
		t.Error("writes are not counted")
	}
	for _, secret := range []string{guest.ID, guest.Credential, made.Room.ID, "a secret", "127.0.0.1"} {
		if strings.Contains(page, secret) {
			t.Errorf("the metrics name %s", secret)
		}
	}
	readme := readme(t)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (chat_\S+)`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(readme, "`"+m[1]) {
			t.Errorf("README does not name %s", m[1])
		}
	}
	s.end()
	if t.Failed() {
		t.Log(page)
	}
}
