//go:build !js

package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) (string, *http.Client) {
	t.Helper()
	chat := &url.URL{Scheme: "http", Host: "localhost:8080"}
	shop := NewShop(chat, Signer{Issuer: "http://shop", Audience: "anteroom", Secret: make([]byte, 32), Now: time.Now}, time.Now)
	srv := httptest.NewServer(shop.Handler())
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return srv.URL, &http.Client{Jar: jar}
}

func get(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	r, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestEveryLinkOfTheShopLeadsSomewhere(t *testing.T) {
	base, c := open(t)
	seen := map[string]bool{}
	todo := []string{"/"}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		status, body := get(t, c, base+p)
		if status != http.StatusOK {
			t.Errorf("GET %s: %d", p, status)
		}
		for _, attr := range []string{`href="/`, `src="/`} {
			for _, part := range strings.Split(body, attr)[1:] {
				link, _, _ := strings.Cut(part, `"`)
				todo = append(todo, "/"+link)
			}
		}
	}
	for _, v := range Vendors {
		for _, p := range v.Products {
			if !seen["/products/"+p.Slug] || !seen["/images/"+p.Image] {
				t.Errorf("%s is not linked, or has no picture", p.Slug)
			}
		}
	}
}

func TestProductPagesSpeakForTheirVendor(t *testing.T) {
	base, c := open(t)
	_, body := get(t, c, base+"/products/white-peony")
	if want := `<script async src="http://localhost:8080/embed.js" data-vendor="northern-tea"></script>`; !strings.Contains(body, want) {
		t.Errorf("the page lacks %s", want)
	}
}

func TestLogInAndOut(t *testing.T) {
	base, c := open(t)
	token := func() string {
		r, err := c.Post(base+"/account/token", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var body struct{ Token string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return body.Token
	}
	if got := token(); got != "" {
		t.Errorf("a token for nobody: %s", got)
	}
	post := func(path string, form url.Values) (int, string) {
		r, err := c.PostForm(base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode, r.Request.URL.Path
	}
	if status, _ := post("/account/login", url.Values{"username": {"ada"}, "password": {"demo-bo"}}); status != http.StatusUnauthorized {
		t.Errorf("wrong password: %d", status)
	}
	if _, at := post("/account/login", url.Values{"username": {"ada"}, "password": {"demo-ada"}, "back": {"//evil.example/x"}}); at != "/account" {
		t.Errorf("after the log-in the browser is at %s", at)
	}
	if _, body := get(t, c, base+"/"); !strings.Contains(body, `data-customer="ada"`) {
		t.Error("the page does not say who is logged in")
	}
	if token() == "" {
		t.Error("no token for ada")
	}
	post("/account/logout", nil)
	if got := token(); got != "" {
		t.Errorf("a token after the log-out: %s", got)
	}
}
