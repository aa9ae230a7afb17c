//go:build !js

package demo

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"time"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.ParseFS(assets, "assets/page.html"))

// Shop is the demo shop. Its handler is safe for concurrent use.
type Shop struct {
	chat     string // the chat's public origin
	signer   Signer
	customer *sessions
}

// NewShop makes a shop that embeds the chat at the origin chat and signs its
// customers' identity tokens with s.
func NewShop(chat *url.URL, s Signer, now func() time.Time) *Shop {
	return &Shop{chat: chat.String(), signer: s, customer: newSessions(now)}
}

// Handler serves the shop.
func (s *Shop) Handler() http.Handler {
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	files := http.FileServerFS(static)
	mux := http.NewServeMux()
	mux.Handle("GET /shop.css", files)
	mux.Handle("GET /shop.js", files)
	mux.Handle("GET /images/", files)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s.page(w, r, http.StatusOK, "home", view{Title: "Things made well"})
	})
	mux.HandleFunc("GET /vendors/{slug}", func(w http.ResponseWriter, r *http.Request) {
		v := vendorBySlug(r.PathValue("slug"))
		if v == nil {
			s.missing(w, r)
			return
		}
		s.page(w, r, http.StatusOK, "vendor", view{Title: v.Name, Vendor: v})
	})
	mux.HandleFunc("GET /products/{slug}", func(w http.ResponseWriter, r *http.Request) {
		p := productBySlug(r.PathValue("slug"))
		if p == nil {
			s.missing(w, r)
			return
		}
		s.page(w, r, http.StatusOK, "product", view{Title: p.Name, Vendor: p.Vendor, Product: p})
	})
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("GET /account/login", s.loginPage)
	mux.HandleFunc("POST /account/login", s.logIn)
	mux.HandleFunc("POST /account/logout", s.logOut)
	mux.HandleFunc("POST /account/token", s.token)
	mux.HandleFunc("/", s.missing)
	return s.secure(mux)
}

// view is what a page shows.
type view struct {
	Title    string
	Path     string // of the page itself
	Chat     string
	Customer *Account // who is logged in at the shop
	Vendors  []*Vendor
	Vendor   *Vendor // whose page it is
	Product  *Product

	Problem, Username, Back string // of the log-in form
}

func (s *Shop) page(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Chat, v.Vendors, v.Path = s.chat, Vendors, r.URL.Path
	if c, ok := s.customer.of(r); ok {
		v.Customer = &c
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, v) // the browser that went away is the only cause
}

func (s *Shop) missing(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusNotFound, "missing", view{Title: "Nothing here"})
}

// secure sets the headers a careful host sets. The chat needs two allowances
// only: its script and its frame.
func (s *Shop) secure(next http.Handler) http.Handler {
	policy := "default-src 'none'; script-src 'self' " + s.chat + "; frame-src " + s.chat +
		"; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		next.ServeHTTP(w, r)
	})
}
