//go:build !js

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"anteroom/store/protocol"
)

var quiet = log.New(io.Discard, "", 0)

// request makes one API call by hand and decodes the answer into out, which may be nil.
func (s *Server) request(method, path, credential string, body, out any) (status int, code string) {
	s.t.Helper()
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		payload = bytes.NewReader(b)
	}
	// Past the front: the network of whoever tries by hand is their own.
	r, err := http.NewRequest(method, "http://"+s.addr+path, payload)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = strings.TrimPrefix(s.url, "http://")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if answer.StatusCode >= 400 {
		var e struct{ Error struct{ Code string } }
		if json.Unmarshal(b, &e) != nil || e.Error.Code == "" {
			s.t.Errorf("%s %s: %d with a body that is no error: %s", method, path, answer.StatusCode, b)
		}
		return answer.StatusCode, e.Error.Code
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return answer.StatusCode, ""
}

// staff logs a member of staff or the admin in by hand and returns the credential.
func (s *Server) staff(username string) string {
	s.t.Helper()
	var out struct{ Credential string }
	if status, code := s.request("POST", "/api/login", "", map[string]string{"username": username, "password": "demo-" + username, "surface": "inbox"}, &out); status != 200 {
		s.t.Fatalf("log %s in: %d %s", username, status, code)
	}
	return out.Credential
}

// room is a room as a list gives it.
type room struct {
	ID           string
	Name         string
	GuestSession string `json:"guest_session"`
	LinkedUser   string `json:"linked_user"`
	Vendor       *struct{ Slug string }
	Members      []member
	Last         *struct{ Text string }
	Closed       bool
}

type member struct{ User, Name string }

// rooms lists all rooms a credential reaches.
func (s *Server) rooms(credential string) []room {
	s.t.Helper()
	var out struct{ Rooms []room }
	if status, code := s.request("GET", "/api/rooms?limit=100", credential, nil, &out); status != 200 {
		s.t.Fatalf("list rooms: %d %s", status, code)
	}
	return out.Rooms
}

// roomWith finds the room whose last message is text.
func (s *Server) roomWith(credential, text string) room {
	s.t.Helper()
	var found room
	err := awaitEvery(250*time.Millisecond, patience, fmt.Sprintf("a room whose last message is %q", text), func() (bool, error) {
		for _, r := range s.rooms(credential) {
			if r.Last != nil && r.Last.Text == text {
				found = r
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// texts are the messages of a room, oldest first.
func (s *Server) texts(credential, room string) []string {
	s.t.Helper()
	var out struct {
		Events []struct{ Kind, Text string }
	}
	if status, code := s.request("GET", "/api/rooms/"+room+"/messages?limit=100", credential, nil, &out); status != 200 {
		s.t.Fatalf("read room %s: %d %s", room, status, code)
	}
	var list []string
	for _, e := range out.Events {
		if e.Kind == "message" {
			list = append(list, e.Text)
		}
	}
	return list
}

// answer sends a message by hand.
func (s *Server) answer(credential, room, text string) {
	s.t.Helper()
	body := map[string]string{"cmid": fmt.Sprintf("hand-%d", time.Now().UnixNano()), "text": text}
	if status, code := s.request("POST", "/api/rooms/"+room+"/messages", credential, body, nil); status >= 300 {
		s.t.Fatalf("answer: %d %s", status, code)
	}
}

// Socket is a WebSocket opened by hand.
type Socket struct {
	t    testing.TB
	conn *websocket.Conn
	rest [][]byte // frames of the last message not looked at yet
}

// socket opens a WebSocket with a hello; extra is added to the URL. The
// greeting is what the server answered: welcome, or an error.
func (s *Server) socket(credential, surface, extra string) (*Socket, protocol.ServerFrame) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/ws"+extra, &websocket.DialOptions{Host: strings.TrimPrefix(s.url, "http://")})
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	c.SetReadLimit(protocol.MaxServerMessage)
	s.t.Cleanup(func() { c.CloseNow() })
	k := &Socket{t: s.t, conn: c}
	k.send(map[string]any{"id": 1, "hello": map[string]any{"version": 1, "credential": credential, "surface": surface}})
	f, err := k.next()
	if err != nil {
		s.t.Fatalf("no answer to hello: %v", err)
	}
	return k, f
}

func (k *Socket) send(frame any) {
	k.t.Helper()
	b, err := json.Marshal(frame)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.conn.Write(ctx, websocket.MessageText, b); err != nil {
		k.t.Fatalf("write a frame: %v", err)
	}
}

func (k *Socket) next() (protocol.ServerFrame, error) {
	for len(k.rest) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, b, err := k.conn.Read(ctx)
		cancel()
		if err != nil {
			return protocol.ServerFrame{}, err
		}
		for line := range bytes.SplitSeq(b, []byte("\n")) {
			if len(line) > 0 {
				k.rest = append(k.rest, line)
			}
		}
	}
	var f protocol.ServerFrame
	err := json.Unmarshal(k.rest[0], &f)
	k.rest = k.rest[1:]
	return f, err
}

// ask sends a frame with an id and returns its answer.
func (k *Socket) ask(id int64, frame map[string]any) protocol.ServerFrame {
	k.t.Helper()
	frame["id"] = id
	k.send(frame)
	for {
		f, err := k.next()
		if err != nil {
			k.t.Fatalf("no answer to %v: %v", frame, err)
		}
		if f.Re == id {
			return f
		}
	}
}

// code is the code of an answer: "" where it is no error.
func code(f protocol.ServerFrame) string {
	switch {
	case f.Error != nil:
		return string(f.Error.Code)
	case f.Bye != nil:
		return string(f.Bye.Code)
	}
	return ""
}
