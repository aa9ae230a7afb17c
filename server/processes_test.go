//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// house is the built program on one data folder: a server process and the
// operator's commands, each a process of its own.
type house struct {
	testing.TB
	binary, data, base string
	out, errs          *output // of the server
	server             *exec.Cmd
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{TB: t, binary: filepath.Join(t.TempDir(), "anteroom"), data: filepath.Join(t.TempDir(), "data")}
	if out, err := exec.Command("go", "build", "-o", h.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	t.Cleanup(h.kill)
	return h
}

func (h *house) process(args ...string) *exec.Cmd {
	cmd := exec.Command(h.binary, args...)
	cmd.Env = append(os.Environ(), "ANTEROOM_DATA="+h.data, "ANTEROOM_PASSWORD_MEMORY=64")
	return cmd
}

// types runs one of the operator's commands to its end.
func (h *house) types(line string) {
	h.Helper()
	cmd := h.process(strings.Fields(line)...)
	cmd.Stdin = strings.NewReader("correct horse battery\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("anteroom %s: %v\n%s", line, err, out)
	}
}

func (h *house) serve() {
	h.Helper()
	h.out, h.errs = new(output), new(output)
	h.server = h.process("serve", "--addr", "127.0.0.1:0", "--limit", "messages-guest=unlimited")
	h.server.Stdout, h.server.Stderr = h.out, h.errs
	if err := h.server.Start(); err != nil {
		h.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(h.out.String(), "listening on"); time.Sleep(5 * time.Millisecond) { // polled: the program tells by what it prints
		if time.Now().After(deadline) {
			h.Fatalf("the server does not listen: %s", h.errs.String())
		}
	}
	_, rest, _ := strings.Cut(h.out.String(), "listening on ")
	port := rest[strings.Index(rest, ":")+1 : strings.IndexAny(rest, ")\n")]
	h.base = "http://localhost:" + port
}

// kill ends the server as a power cut would.
func (h *house) kill() {
	if h.server != nil {
		h.server.Process.Kill()
		h.server.Wait()
		h.server = nil
	}
}

// ask makes an API request and returns its error code, "" for a good one.
func (h *house) ask(method, path, credential string, in, out any) chat.Code {
	h.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			h.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, h.base+path, body)
	if err != nil {
		h.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.Fatal(err)
	}
	var failed struct{ Error struct{ Code chat.Code } }
	if res.StatusCode >= 300 {
		if json.Unmarshal(b, &failed) != nil || failed.Error.Code == "" {
			h.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
		}
		return failed.Error.Code
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			h.Fatalf("%s %s: %s", method, path, b)
		}
	}
	return ""
}

func (h *house) logIn(name string) string {
	h.Helper()
	var s struct{ Credential string }
	if code := h.ask("POST", "/api/login", "", map[string]string{"username": name, "password": "correct horse battery", "surface": "inbox"}, &s); code != "" {
		h.Fatalf("log-in of %s: %s", name, code)
	}
	return s.Credential
}

// line is a socket to the server process.
type line struct {
	h  *house
	ws *websocket.Conn
	id int64
}

// open opens a socket; the answer to its hello may be an error.
func (h *house) open(credential string, surface chat.Surface) (*line, protocol.ServerFrame) {
	h.Helper()
	ws, _, err := websocket.Dial(h.Context(), strings.Replace(h.base, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		h.Fatal(err)
	}
	ws.SetReadLimit(protocol.MaxServerMessage)
	l := &line{h: h, ws: ws}
	h.Cleanup(func() { ws.CloseNow() })
	frames, err := l.until(protocol.ClientFrame{Hello: &protocol.Hello{Version: protocol.Version, Credential: credential, Surface: surface}})
	if err != nil {
		h.Fatal(err)
	}
	return l, frames[len(frames)-1]
}

// until sends a frame and reads to its answer, which comes last.
func (l *line) until(f protocol.ClientFrame) (all []protocol.ServerFrame, err error) {
	l.id++
	f.ID = l.id
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := l.ws.Write(ctx, websocket.MessageText, protocol.EncodeClient(f)); err != nil {
		return nil, err
	}
	for {
		_, message, err := l.ws.Read(ctx)
		if err != nil {
			return all, err
		}
		frames, err := protocol.DecodeServer(message)
		if err != nil {
			return all, err
		}
		for i, f := range frames {
			if f.Re == l.id {
				return append(all, frames[:i+1]...), nil
			}
		}
		all = append(all, frames...)
	}
}

// What the operator's command line takes away in a process of its own is gone
// from the server's open sockets when the command has ended, for ever, also
// after the server was killed and started again.
func TestCommandsOfAnotherProcess(t *testing.T) {
	h := newHouse(t)
	for _, line := range []string{
		"vendor add maple Maple", "user add --password-stdin mia", "user add --password-stdin noor", "user add --password-stdin ada",
		"user add --role admin --password-stdin rosa", "vendor member maple mia", "vendor member maple noor", "vendor member maple ada",
	} {
		h.types(line) // without a server
	}
	h.serve()
	var guest struct{ Credential string }
	var made struct{ Room struct{ ID chat.RoomID } }
	h.ask("POST", "/api/guest-sessions", "", nil, &guest)
	if code := h.ask("POST", "/api/rooms", guest.Credential, map[string]string{"client_id": "r", "vendor": "maple"}, &made); code != "" {
		t.Fatal(code)
	}
	room := made.Room.ID
	said := 0
	say := func() (text string) {
		said++
		text = fmt.Sprintf("canary %d", said)
		if code := h.ask("POST", "/api/rooms/"+string(room)+"/messages", guest.Credential, map[string]string{"cmid": fmt.Sprintf("m%d", said), "text": text}, nil); code != "" {
			t.Fatal(code)
		}
		return text
	}
	losses := []struct {
		who, line string
		code      chat.Code // what they get from then on
		cut       bool      // the socket ends
	}{
		{"mia", "vendor member --remove maple mia", chat.CodeAccessDenied, false},
		{"noor", "user disable noor", chat.CodeUnauthenticated, true},
		{"ada", "user passwd --password-stdin ada", chat.CodeUnauthenticated, true},
		{"rosa", "user role rosa user", chat.CodeAccessDenied, true},
	}
	credentials, epoch := map[string]string{}, ""
	join := protocol.ClientFrame{Join: &protocol.Join{Room: room}}
	for _, l := range losses {
		credential := h.logIn(l.who)
		credentials[l.who] = credential
		socket, _ := h.open(credential, chat.SurfaceInbox)
		got, err := socket.until(join)
		if err != nil || got[len(got)-1].Joined == nil {
			t.Fatalf("%s joins: %v %v", l.who, got, err)
		}
		epoch = got[len(got)-1].Joined.Epoch
		before := say()
		h.types(l.line)
		after := say()
		frames, err := socket.until(protocol.ClientFrame{Ping: &protocol.Empty{}})
		if l.cut != (err != nil) {
			t.Errorf("%s: the socket's end: %v", l.line, err)
		}
		var closed websocket.CloseError
		if l.cut && !errors.As(err, &closed) {
			t.Errorf("%s: the socket ended with %v", l.line, err)
		}
		text := string(protocol.EncodeServer(frames...))
		if strings.Contains(text, after) {
			t.Errorf("%s: heard afterwards: %s", l.line, text)
		}
		if !l.cut && (!strings.Contains(text, before) || !strings.Contains(text, `"gone"`)) {
			t.Errorf("%s: got %s", l.line, text)
		}
		if got := h.ask("GET", "/api/rooms/"+string(room), credential, nil, nil); got != l.code {
			t.Errorf("%s: HTTP gives %q, want %q", l.line, got, l.code)
		}
	}
	h.kill()
	h.serve()
	for _, l := range losses {
		credential := credentials[l.who]
		for _, path := range []string{"", "/messages", "/participants"} {
			if got := h.ask("GET", "/api/rooms/"+string(room)+path, credential, nil, nil); got != l.code {
				t.Errorf("%s, after a restart: HTTP gives %q, want %q", l.line, got, l.code)
			}
		}
		socket, first := h.open(credential, chat.SurfaceInbox)
		if (first.Welcome == nil) != (l.code == chat.CodeUnauthenticated) {
			t.Errorf("%s, after a restart: the socket says %s", l.line, protocol.EncodeServer(first))
		}
		if first.Welcome == nil {
			continue
		}
		resume := join
		resume.Join = &protocol.Join{Room: room, Cursor: &chat.Cursor{Epoch: epoch, Seq: 1}}
		if got, err := socket.until(resume); err != nil || got[len(got)-1].Error == nil || got[len(got)-1].Error.Code != l.code {
			t.Errorf("%s, after a restart: resuming gives %s, %v", l.line, protocol.EncodeServer(got...), err)
		}
	}
	var page protocol.HistoryPage
	h.ask("GET", "/api/rooms/"+string(room)+"/messages", guest.Credential, nil, &page)
	n := 0
	for _, e := range page.Events {
		if e.Kind == chat.MessagePosted {
			n++
		}
	}
	if n != said {
		t.Errorf("the guest sees %d messages of %d", n, said)
	}
}
