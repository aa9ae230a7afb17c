package store

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// inputs are what a transcript may name.
var inputs = []any{
	InitializeChat{},
	FetchRooms{},
	FetchVendors{},
	JoinRoom{},
	StartChat{},
	LeaveRoom{},
	LoadHistory{},
	SendMessage{},
	Retry{},
	Discard{},
	SetDraft{},
	SetTyping{},
	MarkRead{},
	OpenWidget{},
	CloseWidget{},
	LogIn{},
	RefreshLogin{},
	LogOut{},
	EndChat{},
	ChangePassword{},
	FetchSessions{},
	EndSession{},
	FetchAudit{},
	CloseRoom{},
	BlockGuest{},
	DismissNotice{},
	ClearChatState{},
	Restored{},
	Connected{},
	Disconnected{},
	Received{},
	Woken{},
	NetworkChanged{},
	VisibilityChanged{},
	Slept{},
	Persisted{},
	Called{},
	StorageChanged{},
	AuthChanged{},
}

// parseInput reads "Name {json}"; Called's Body is written as JSON, not base64.
func parseInput(line string) (Input, error) {
	name, body, _ := strings.Cut(line, " ")
	for _, proto := range inputs {
		if reflect.TypeOf(proto).Name() != name {
			continue
		}
		p := reflect.New(reflect.TypeOf(proto))
		if body != "" {
			if name == "Called" {
				var c struct {
					Call  int64
					Body  json.RawMessage
					Error json.RawMessage
				}
				if err := json.Unmarshal([]byte(body), &c); err != nil {
					return Input{}, err
				}
				b, _ := json.Marshal(map[string]any{"Call": c.Call, "Body": []byte(c.Body), "Error": c.Error})
				body = string(b)
			}
			d := json.NewDecoder(strings.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(p.Interface()); err != nil {
				return Input{}, err
			}
		}
		switch in := p.Elem().Interface().(type) {
		case Intent:
			return Input{Intent: in}, nil
		case Fact:
			return Input{Fact: in}, nil
		}
	}
	return Input{}, fmt.Errorf("unknown input %q", name)
}

// digest is a view in one line.
func digest(v *View) string {
	s := fmt.Sprintf("%s %s", v.Auth, v.Connection)
	if len(v.Rooms) > 0 {
		s += fmt.Sprintf(" rooms=%d unread=%d", len(v.Rooms), v.Unread)
	}
	if r := v.Room; r != nil {
		s += fmt.Sprintf(" in=%s%s head=%d", v.CurrentRoom, v.CurrentVendor, r.Timeline.Head)
		for _, p := range r.Pending {
			s += fmt.Sprintf(" %q:%s", p.Text, p.State)
		}
		if r.Draft != "" {
			s += fmt.Sprintf(" draft=%q", r.Draft)
		}
		if r.Error != nil {
			s += " error=" + string(r.Error.Code)
		}
	}
	if v.Notice != nil {
		s += " notice=" + string(v.Notice.Code)
	}
	for _, x := range v.Sessions {
		s += fmt.Sprintf(" session %s:%t", x.ID, x.Current)
	}
	if v.SessionsError != nil {
		s += " sessions error=" + string(v.SessionsError.Code)
	}
	if a := v.Audit; a != nil {
		s += fmt.Sprintf(" audit=%d names=%d", len(a.Rows), len(a.Names))
		if a.More {
			s += " more"
		}
		if a.Loading {
			s += " loading"
		}
		if a.Error != nil {
			s += " error=" + string(a.Error.Code)
		}
	}
	if v.LogInError != nil {
		s += " log-in error=" + string(v.LogInError.Code)
	}
	return s
}

// TestTranscripts runs the files in testdata: lines of ">" and milliseconds
// since the line before and an input, each followed by what the machine orders
// and how the view changed.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, text) {
				a, b := strings.Split(string(text), "\n"), strings.Split(string(got), "\n")
				for i := range b {
					if i >= len(a) || a[i] != b[i] {
						t.Fatalf("line %d:\ngot  %s\nwant %s", i+1, b[i], append(a, "")[min(i, len(a))])
					}
				}
				t.Fatal("the transcript holds more than the machine gave")
			}
		})
	}
}

func replay(t *testing.T, text string) []byte {
	var out bytes.Buffer
	m := New()
	at := int64(1_700_000_000_000)
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		rest, ok := strings.CutPrefix(line, ">")
		if !ok {
			if line == "" || strings.HasPrefix(line, "#") {
				out.WriteString(line + "\n")
			}
			continue
		}
		out.WriteString(line + "\n")
		ms, input, _ := strings.Cut(strings.TrimSpace(rest), " ")
		d, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		in, err := parseInput(input)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		at += d
		in.At = at
		for _, e := range m.Step(in) {
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if w, ok := e.(Wake); ok {
				b = fmt.Appendf(nil, `{"In":%d}`, max(w.At-at, 0))
			}
			fmt.Fprintf(&out, "  %s %s\n", reflect.TypeOf(e).Name(), b)
		}
		if d := digest(m.View()); d != last {
			last = d
			fmt.Fprintf(&out, "  = %s\n", d)
		}
	}
	return out.Bytes()
}
