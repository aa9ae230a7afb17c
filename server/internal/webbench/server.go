//go:build !js

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
)

// server is one binary with the demo, a front before it and a host page that embeds it.
type server struct {
	name  string
	front *front
	host  *httptest.Server
	page  string // the host page's address
	shop  *front
	dir   string
	cmd   *exec.Cmd
	calls atomic.Int64
}

var listening = regexp.MustCompile(`listening on ([^)]+)\)`)

func start(name, binary string) (*server, error) {
	s := &server{name: name, front: newFront(), shop: newFront()}
	s.host = httptest.NewServer(hostPage(s.front.URL))
	s.page = strings.Replace(s.host.URL, "127.0.0.1", "localhost", 1)
	dir, err := os.MkdirTemp("", "anteroom-bench")
	if err != nil {
		return nil, err
	}
	s.dir = dir
	args := []string{
		"serve", "--demo", "--addr", "127.0.0.1:0", "--demo-addr", "localhost:0", "--public-url", s.front.URL,
		"--embed-origin", s.page, "--embed-origin", s.shop.URL, "--data", dir, "--password-memory", "64", "--log-level", "warn", "--drain", "1s",
	}
	for _, l := range []string{
		"requests-address", "requests-principal", "logins-address", "guest-sessions-address", "rooms-guest", "rooms-address",
		"messages-user", "messages-guest", "frames-socket", "kib-socket", "control-socket", "sockets-address", "sockets-principal", "connections-address",
	} {
		args = append(args, "--limit", l+"=unlimited")
	}
	s.cmd = exec.Command(binary, args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		line := scan.Text()
		if m := listening.FindStringSubmatch(line); m != nil {
			s.front.to.Store(&url.URL{Scheme: "http", Host: m[1]})
		}
		if f := strings.Fields(line); len(f) == 2 && f[0] == "shop" {
			u, err := url.Parse(f[1])
			if err != nil {
				return nil, err
			}
			s.shop.to.Store(u)
			break
		}
	}
	if s.shop.to.Load() == nil {
		return nil, fmt.Errorf("%s printed no addresses", binary)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.host.Close()
	s.front.CloseClientConnections()
	s.front.Close()
	s.shop.Close()
	os.RemoveAll(s.dir)
}

// call makes one API call past the front.
func (s *server) call(method, path, credential string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, s.front.to.Load().String()+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Host = strings.TrimPrefix(s.front.URL, "http://")
	r.Header.Set("Content-Type", "application/json")
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// guest is somebody who has chatted before.
type guest struct {
	stored string // what their browser keeps under chatGuestSession
	room   string
	staff  string // a credential of the vendor's side
}

// chatted makes a guest with a room of n messages, written by both sides.
func (s *server) chatted(n int) (*guest, error) {
	var made map[string]any
	if err := s.call("POST", "/api/guest-sessions", "", struct{}{}, &made); err != nil {
		return nil, err
	}
	stored, err := json.Marshal(map[string]any{"v": 1, "id": made["id"], "credential": made["credential"], "revoke": made["revoke"]})
	if err != nil {
		return nil, err
	}
	g := &guest{stored: string(stored)}
	credential, _ := made["credential"].(string)
	var created struct{ Room struct{ ID string } }
	if err := s.call("POST", "/api/rooms", credential, map[string]string{"client_id": "bench", "vendor": "maple-pottery"}, &created); err != nil {
		return nil, err
	}
	g.room = created.Room.ID
	var login struct{ Credential string }
	if err := s.call("POST", "/api/login", "", map[string]string{"username": "mia", "password": "demo-mia", "surface": "inbox"}, &login); err != nil {
		return nil, err
	}
	g.staff = login.Credential
	for i := range n {
		who := credential
		if i%3 == 0 {
			who = g.staff
		}
		if err := s.say(g.room, who, fmt.Sprintf("Message %d of a chat about bowls, glazes and what survives a dishwasher.", i)); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (s *server) say(room, credential, text string) error {
	n := s.calls.Add(1)
	return s.call("POST", "/api/rooms/"+room+"/messages", credential, map[string]string{"cmid": fmt.Sprintf("b%d", n), "text": text}, nil)
}
