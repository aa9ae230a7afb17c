package auth_test

import (
	"strings"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

// FuzzCredential: no text but one that was minted is anybody, and a text that
// names a guest session has exactly one spelling.
func FuzzCredential(f *testing.F) {
	for _, s := range []string{
		"", "as_", "gs_", "rv_", "gs__", "as_" + strings.Repeat("A", 43), "as_" + strings.Repeat("A", 42) + "B",
		"gs_" + strings.Repeat("a", 26) + "_" + strings.Repeat("A", 43), "gs_" + strings.Repeat("7", 26) + "_" + strings.Repeat("A", 43),
		"as_" + strings.Repeat("A", 20) + "\n" + strings.Repeat("A", 23), "as_\xff", "Bearer as_x",
	} {
		f.Add(s)
	}
	w := newWorld(f)
	w.user("ann", chat.RoleUser)
	s, g := w.login("ann", chat.SurfaceWidget), w.guest()
	f.Add(s.Credential)
	f.Add(g.Credential)
	f.Fuzz(func(t *testing.T, credential string) {
		w.TB = t
		p, err := w.resolve(credential)
		switch credential {
		case "":
			if err != nil || p != (chat.Principal{}) {
				t.Errorf("nothing is %+v, %v", p, err)
			}
		case s.Credential, g.Credential:
			if err != nil {
				t.Error(err)
			}
		default:
			if chat.CodeOf(err) != chat.CodeUnauthenticated || p != (chat.Principal{}) {
				t.Errorf("%q is %+v, %v", credential, p, err)
			}
		}
		if id := auth.GuestOf(credential); id != "" {
			if _, err := chat.ParseGuestSessionID(string(id)); err != nil || credential[:29] != "gs_"+string(id)[2:] || len(credential) != 73 {
				t.Errorf("%q names %q", credential, id)
			}
		}
	})
}

// FuzzToken: no text but one the host signed is anybody, and checking is quick.
func FuzzToken(f *testing.F) {
	w := newHostWorld(f)
	good := w.token(claims{"jti": "1"})
	for _, s := range []string{
		"", "..", "...", good, good + ".", strings.ToLower(good), good[:len(good)-1], "e30.e30.", "e30.e30.AA",
		sign("HS256", `{"alg":"none"}`, `{}`), sign("ES256", `{"alg":"ES256","kid":"es"}`, `{"iss":"`+shop+`","aud":["x"],"exp":1e999}`),
		sign("HS256", `{"alg":"HS256","kid":"hs","alg":"none"}`, `[]`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		w.TB = t
		start := time.Now()
		s, err := w.enter(token)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if token == good {
			if err != nil {
				t.Error(err)
			}
			return
		}
		// The seeds above are signed by the test; none of them is a good token.
		if chat.CodeOf(err) != chat.CodeUnauthenticated || s != (auth.Session{}) {
			t.Errorf("%q is %+v, %v", token, s, err)
		}
	})
}

// FuzzClaims: whatever a host signs, a user comes out whole or not at all.
func FuzzClaims(f *testing.F) {
	w := newHostWorld(f)
	header := `{"alg":"HS256","kid":"hs"}`
	f.Add(header, `{"iss":"`+shop+`","aud":"anteroom","sub":"42","name":"Ada","iat":1800000000,"exp":1800000600}`)
	f.Add(header, `{"iss":"`+shop+`","aud":["anteroom"],"sub":"\ud83d\ude00","name":"\u202e","iat":1800000000.5,"exp":1.8000006e9}`)
	f.Add(`{"alg":"HS256","kid":"hs","typ":"JWT","jwk":{}}`, `{"iss":"`+shop+`","aud":{},"sub":null,"iat":-1,"exp":1e400}`)
	f.Add(`{"alg":"HS256"}{"alg":"none"}`, `{"sub":"a","sub":"b"}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		w.TB = t
		s, err := w.enter(sign("HS256", header, payload))
		if err != nil {
			if chat.CodeOf(err) != chat.CodeUnauthenticated {
				t.Error(err)
			}
			return
		}
		if name, err := chat.ParseName(s.Principal.Name); err != nil || name != s.Principal.Name || s.Principal.Role != chat.RoleUser || !s.Host {
			t.Errorf("%+v, %v", s, err)
		}
		if now := w.clock().UnixMilli(); s.ExpiresAt <= now || s.ExpiresAt > now+3_660_000 {
			t.Errorf("ends %d ms from now", s.ExpiresAt-now)
		}
	})
}
