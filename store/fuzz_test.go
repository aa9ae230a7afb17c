package store

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

var credential = regexp.MustCompile(`^((as|rv)_[A-Za-z0-9_-]{43}|gs_[a-z2-7]{26}_[A-Za-z0-9_-]{43}|)$`)

// FuzzStored: whatever storage holds under our names, at the start or put there
// by another tab, the machine goes on, and what leaves it has the form of ours.
func FuzzStored(f *testing.F) {
	secret := strings.Repeat("A", 43)
	guest := `{"v":1,"id":"g_aaaaaaaaaaaaaaaaaaaaaaaaaa","credential":"gs_aaaaaaaaaaaaaaaaaaaaaaaaaa_` + secret + `","revoke":"rv_` + secret + `"}`
	user := `{"v":1,"credential":"as_` + secret + `","revoke":"rv_` + secret + `","user":"u_aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"Ada","expires":1900000000000,"stamp":5,"nonce":"n"}`
	f.Add(KeyGuestSession, guest, KeySession("widget"), user)
	f.Add(KeyGuestSession, guest, KeyAuth("widget"), `{"nonce":"x","stamp":9,"out":true}`)
	f.Add(KeyGuestSession, guest, KeyRelay("widget"), `{"nonce":"y","stamp":99,"user":"u_aaaaaaaaaaaaaaaaaaaaaaaaaa","credential":"as_`+secret+`"}`)
	f.Add(KeyOutbox("widget", "t-1"), `{"v":1,"cmid":"t-1","vendor":"maple-pottery","text":"hello","at":5}`, KeyDraft("widget", "", "vendor:maple-pottery"), `{"v":1,"text":"half"}`)
	f.Add(KeyRevoke("widget", "1"), `{"v":1,"revoke":"rv_`+secret+`"}`, KeyOpen("widget", "1"), `{"v":1,"revoke":"rv_`+secret+`","expires":5}`)
	f.Add(KeyGuestSession, strings.Replace(guest, "gs_a", "gs_b", 1), KeySession("widget"), strings.Replace(user, "as_A", "as_\\n", 1))
	f.Add(KeyGuestSession, `null`, KeySession("widget"), `[]`)
	f.Add(KeyPrefix("widget")+"queued", `[{"id":"t-2","text":"x"}]`, KeyPrefix("widget"), `{"v":1e999}`)
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		const now = 1_700_000_000_000
		start := Restored{Surface: "widget", Tab: "t", Online: true, Stored: map[string]string{key1: value1}}
		m, again := New(), New()
		inputs := []Input{
			{At: now, Fact: start},
			{At: now + 1, Intent: InitializeChat{}},
			{At: now + 2, Fact: Connected{Conn: 1}},
			{At: now + 3, Fact: StorageChanged{Key: key2, Value: value2}},
			{At: now + 4, Intent: OpenWidget{}},
			{At: now + 5, Intent: SendMessage{Vendor: "maple-pottery", Text: "hello"}},
			{At: now + 6, Fact: Woken{}},
			{At: now + 7, Fact: Connected{Conn: 2}},
			{At: now + 8, Intent: LogOut{}},
			{At: now + 60_000, Fact: Woken{}},
		}
		for i, in := range inputs {
			effects := m.Step(in)
			if !reflect.DeepEqual(effects, again.Step(in)) {
				t.Fatalf("step %d gave other effects the second time", i)
			}
			for _, e := range effects {
				switch e := e.(type) {
				case Call:
					if !credential.MatchString(e.Credential) || !strings.HasPrefix(e.Path, "/api/") || strings.ContainsAny(e.Path, " \r\n") {
						t.Fatalf("step %d calls %q with %q", i, e.Path, e.Credential)
					}
				case Connect:
					if e.GuestSession != "" {
						if _, err := chat.ParseGuestSessionID(string(e.GuestSession)); err != nil {
							t.Fatalf("step %d connects as %q", i, e.GuestSession)
						}
					}
				case Send:
					if h := e.Frame.Hello; h != nil && (h.Credential == "" || !credential.MatchString(h.Credential)) {
						t.Fatalf("step %d says hello with %q", i, h.Credential)
					}
					if _, err := protocol.DecodeClient(protocol.EncodeClient(e.Frame)); err != nil {
						t.Fatalf("step %d sends %s: %v", i, protocol.EncodeClient(e.Frame), err)
					}
				case Persist:
					if !OwnKey("widget", e.Key) || !utf8.ValidString(e.Value) {
						t.Fatalf("step %d stores %q under %q", i, e.Value, e.Key)
					}
				case Log:
					for _, a := range e.Args {
						if s, ok := a.(string); ok && a != key1 && a != key2 && len(s) > 20 && (strings.Contains(value1, s) || strings.Contains(value2, s)) {
							if _, err := chat.ParseGuestSessionID(s); err != nil {
								t.Fatalf("step %d logs %q", i, s)
							}
						}
					}
				}
			}
			for _, line := range m.View().Messages {
				for _, e := range line.Events {
					if !utf8.ValidString(e.Text) {
						t.Fatalf("step %d shows %q", i, e.Text)
					}
				}
			}
		}
		// What is taken for a session is one of ours in every part.
		if g, ok := parseGuestSession(value1); ok && !credential.MatchString(g.Credential) {
			t.Fatalf("taken: %+v", g)
		}
		if s, ok := parseUserSession(value1); ok && !credential.MatchString(s.Credential) {
			t.Fatalf("taken: %+v", s)
		}
	})
}
