//go:build !js

package demo

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	cookieName  = "shop_session"
	maxSessions = 1000 // logged-in browsers; the demo forgets all of them beyond that
	tokenLife   = 10 * time.Minute
)

// Signer signs identity tokens as a host's server does: HS256 with a secret
// that the host and the chat share.
type Signer struct {
	Issuer, Audience string
	Secret           []byte // at least 32 bytes
	Now              func() time.Time
}

// Token says that its bearer is this customer, for ten minutes.
func (s Signer) Token(a Account) (string, error) {
	now := s.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": s.Issuer, "aud": s.Audience, "sub": a.Username, "name": a.Name,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "jti": rand.Text(),
	})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(claims)
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil)), nil
}

// sessions are the shop's own log-ins: a random cookie per browser, in memory.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	live map[string]session
}

type session struct {
	username string
	ends     time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, live: map[string]session{}}
}

// of returns the customer whose cookie the request carries.
func (s *sessions) of(r *http.Request) (Account, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Account{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.live[c.Value]
	if !ok || s.now().After(found.ends) {
		return Account{}, false
	}
	return customer(found.username)
}

func (s *sessions) open(w http.ResponseWriter, username string) {
	id := rand.Text()
	s.mu.Lock()
	if len(s.live) >= maxSessions {
		clear(s.live)
	}
	s.live[id] = session{username, s.now().Add(24 * time.Hour)}
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		s.mu.Lock()
		delete(s.live, c.Value)
		s.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *Shop) account(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.customer.of(r); !ok {
		http.Redirect(w, r, "/account/login", http.StatusSeeOther)
		return
	}
	s.page(w, r, http.StatusOK, "account", view{Title: "Your account"})
}

func (s *Shop) loginPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusOK, "login", view{Title: "Log in", Back: localPath(r.FormValue("back"))})
}

func (s *Shop) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	name, back := r.PostFormValue("username"), localPath(r.PostFormValue("back"))
	c, ok := customer(strings.ToLower(strings.TrimSpace(name)))
	if !ok || subtle.ConstantTimeCompare([]byte(r.PostFormValue("password")), []byte(c.Password)) != 1 {
		s.page(w, r, http.StatusUnauthorized, "login", view{Title: "Log in", Username: name, Back: back, Problem: "That is not the right username or password."})
		return
	}
	s.customer.end(w, r)
	s.customer.open(w, c.Username)
	http.Redirect(w, r, back, http.StatusSeeOther)
}

func (s *Shop) logOut(w http.ResponseWriter, r *http.Request) {
	s.customer.end(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// token answers the page's tokenProvider. The cookie is SameSite and the
// answer is readable on this origin only.
func (s *Shop) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	token := "" // for nobody: an error would stand in the visitor's console, and it is none
	if c, ok := s.customer.of(r); ok {
		var err error
		if token, err = s.signer.Token(c); err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

// localPath keeps a path of this shop and nothing else, so that nobody can be sent elsewhere.
func localPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n") {
		return "/account"
	}
	return s
}
