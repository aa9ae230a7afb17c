//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// forgeries are texts that try to be a line of the log, to colour a terminal or
// to fill the disk.
var forgeries = []string{
	"zk\r\nlevel=ERROR msg=\"zk forged\"",
	"zk\ntime=2026-01-01T00:00:00Z level=INFO msg=\"zk forged\"",
	"zk\x1b[31mred\x1b]0;title\x07",
	"zk\u2028forged\u2029\u0085",
	"zk\u202egnp.exe",
	`zk{"level":"ERROR","msg":"zk forged"}`,
	`zk" level=ERROR msg="zk forged`,
	"zk\x00\x01\x7f\u009b31m",
	"zk" + strings.Repeat("long", 200_000),
}

// One event is one line of the log, whatever callers put into what they send;
// and nothing they write is in it but the ids of rooms and principals.
func TestLogLinesCannotBeForged(t *testing.T) {
	vars := map[string]string{"ANTEROOM_DATA": t.TempDir(), "ANTEROOM_PASSWORD_MEMORY": "64"}
	s := start(t, vars, "--log-level", "debug", "--trusted-proxy", "127.0.0.1",
		"--limit", "requests-address=unlimited,failed-logins-address=unlimited,guest-sessions-address=unlimited")
	base := strings.TrimSuffix(s.printed(`chat   (\S+)`), "/chat")
	addr := s.printed(`listening on (\S+?)\)`)
	if code, _, stderr := runCommand(t, vars, "vendor", "add", "tea", "Tea"); code != 0 {
		t.Fatal(stderr)
	}
	var guest struct{ ID, Credential string }
	if err := json.Unmarshal(ask(t, 201, "POST", base+"/api/guest-sessions", "", ""), &guest); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(base, "http://")
	raw := func(request string) {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go fmt.Fprint(c, request) // the server may not read all of it
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			res.Body.Close()
		}
	}
	for _, evil := range forgeries {
		text, err := json.Marshal(evil)
		if err != nil {
			t.Fatal(err)
		}
		escaped := strings.NewReplacer("\r", "%0D", "\n", "%0A", " ", "%20", "\x00", "%00", "\x1b", "%1B", "\"", "%22", "\x07", "%07").Replace(evil)
		if len(escaped) > 8000 {
			escaped = escaped[:8000]
		}
		auth := "Authorization: Bearer " + guest.Credential + "\r\n"
		for _, header := range []string{"User-Agent", "X-Forwarded-For", "Origin", "Referer", "Authorization", "X-Request-Id", "Cookie", "Accept-Language", "Upgrade"} {
			raw(fmt.Sprintf("GET /api/me HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nConnection: close\r\n\r\n", host, header, evil))
		}
		raw(fmt.Sprintf("GET /api/me HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", evil))
		raw(fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", escaped, host))
		raw(fmt.Sprintf("%s /api/me HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", escaped, host))
		for _, path := range []string{"/api/rooms/%s", "/api/rooms/%s/messages", "/api/rooms?search=%s", "/api/rooms?filter=%s", "/api/me?guest_session=%s", "/ws?guest_session=%s", "/api/rooms/r_aaaaaaaaaaaaaaaaaaaaaaaaaa/explain?user=%s"} {
			raw(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", fmt.Sprintf(path, escaped), host, auth))
		}
		for path, body := range map[string]string{
			"/api/login":  `{"username":%[1]s,"password":%[1]s,"surface":"inbox"}`,
			"/api/rooms":  `{"client_id":"c%[2]d","vendor":%[1]s}`,
			"/api/revoke": `{"handle":%[1]s}`,
			"/api/link":   `{"guest":%[1]s}`,
			"/api/rooms/r_aaaaaaaaaaaaaaaaaaaaaaaaaa/messages": `{"cmid":%[1]s,"text":%[1]s}`,
		} {
			body = fmt.Sprintf(strings.ReplaceAll(body, "%[2]d", "1"), text)
			raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, host, auth, len(body), body))
		}
		if !strings.Contains(evil, "\x00") { // no argument of a command can hold it
			runCommand(t, vars, "user", "add", "--name", evil, "--password-stdin", evil)
			runCommand(t, vars, "vendor", "add", evil, evil)
			runCommand(t, vars, "explain", evil, evil)
		}
	}
	ask(t, 200, "GET", base+"/api/me", guest.Credential, "") // it is still there
	s.end()
	line := regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=("[a-z][^"\\]*"|[a-z]\S*)( [a-z_]+=("([^"\\]|\\.)*"|[^"\s]*))*$`)
	lines := strings.Split(strings.TrimSuffix(s.errs.String(), "\n"), "\n")
	if len(lines) < 50 {
		t.Errorf("only %d lines: the test proves nothing", len(lines))
	}
	for _, l := range lines {
		switch {
		case !line.MatchString(l):
			t.Errorf("a line of another form: %.300q", l)
		case strings.Contains(l, "forged"), strings.Contains(l, "longlong"):
			t.Errorf("what a caller wrote is in the log: %.300q", l)
		case len(l) > 2<<10:
			t.Errorf("a line of %d bytes: %.300q", len(l), l)
		}
	}
}
