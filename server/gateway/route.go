package gateway

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// who says what a route needs to know of its caller. What the caller may do is
// decided in packages rooms and auth.
type who string

const (
	open      who = "open"      // a credential is not looked at
	anyone    who = "anyone"    // none is needed, but one that is presented must be good
	bearer    who = "bearer"    // one is needed; the use case judges it
	principal who = "principal" // a good one is needed, of a guest or a user
	user      who = "user"      // a good one is needed; the use case refuses guests
	admin     who = "admin"     // a good one is needed; the use case refuses all but admins
)

// route is one row of the table that serves the API and its OpenAPI document.
type route struct {
	method, path string
	id           string // operationId
	does         string
	who          who
	query        []param
	body         any   // zero value of the request's body, nil for none
	status       []int // of success
	answer       any   // zero value of the answer's body, nil for none
	codes        []chat.Code
	handle       func(*call) (int, any, error)
}

// param is a query parameter.
type param struct {
	name, does string
	kind       any // zero value
}

// call is one request on its way through a route.
type call struct {
	*http.Request
	g          *Gateway
	ctx        context.Context
	id         string // of the request
	address    string
	credential string
	principal  chat.Principal
	query      url.Values
}

const (
	requestHeader = "X-Request-Id"
	maxBody       = 64 << 10
)

// mux builds the handler from the table.
func (g *Gateway) mux() http.Handler {
	mux := http.NewServeMux()
	byPath := make(map[string]map[string]*route)
	for _, r := range routes() {
		if byPath[r.path] == nil {
			byPath[r.path] = make(map[string]*route)
		}
		byPath[r.path][r.method] = &r
	}
	for path, methods := range byPath {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { g.route(w, r, methods) })
	}
	mux.HandleFunc("GET /ws", g.upgrade)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, chat.Errorf(chat.CodeNotFound, "There is no such address"))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID()
		h := w.Header()
		h.Set(requestHeader, id)
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Vary", "Authorization, Origin") // for a cache that keeps in spite of no-store
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				g.log.Error("panic in a request", "request", id, "panic", v, "stack", string(debug.Stack()))
				writeError(w, &chat.Error{Code: chat.CodeInternal, Message: "Internal error", RequestID: id})
			}
		}()
		if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" { // probes call by address
			err := g.door.check(r)
			if err == nil {
				err = g.requests.take(g.now(), g.door.address(r), 1)
			}
			if err != nil {
				writeError(w, g.translate(r.Context(), err, id))
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// route serves one path.
func (g *Gateway) route(w http.ResponseWriter, r *http.Request, methods map[string]*route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	row := methods[method]
	if row == nil {
		var allowed []string
		for m := range methods {
			allowed = append(allowed, m)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeJSON(w, http.StatusMethodNotAllowed, errorBody{protocol.Error{Code: chat.CodeInvalid, Message: "This method is not allowed here"}})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.limits.Request)
	defer cancel()
	c := &call{Request: r, g: g, ctx: ctx, id: w.Header().Get(requestHeader), address: g.door.address(r)}
	status, body, err := c.serve(row)
	if err != nil {
		e := g.translate(ctx, err, c.id)
		g.log.LogAttrs(ctx, slog.LevelDebug, "request refused", slog.String("request", c.id), slog.String("operation", row.id), slog.String("code", string(e.Code)))
		writeError(w, e)
		return
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	writeJSON(w, status, body)
}

// serve finds out who calls and runs the use case.
func (c *call) serve(row *route) (int, any, error) {
	if row.who != open && c.g.draining() {
		return 0, nil, c.g.farewell()
	}
	var err error
	if c.query, err = url.ParseQuery(c.URL.RawQuery); err != nil {
		return 0, nil, chat.Errorf(chat.CodeInvalid, "malformed query")
	}
	if row.who != open {
		if err := c.identify(row); err != nil {
			return 0, nil, err
		}
	}
	return row.handle(c)
}

// identify reads the credential and, where the route wants it, resolves it.
func (c *call) identify(row *route) error {
	w := row.who
	header := c.Header.Values("Authorization")
	if len(header) > 1 {
		return chat.Errorf(chat.CodeInvalid, "Authorization is given twice")
	}
	if len(header) == 1 {
		scheme, credential, ok := strings.Cut(header[0], " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") || credential == "" {
			return chat.Errorf(chat.CodeUnauthenticated, "Authorization must be Bearer and a credential")
		}
		c.credential = credential
	}
	// Where a route asks about a guest session, the parameter is no statement of the caller's.
	var err error
	if !slices.ContainsFunc(row.query, func(p param) bool { return p.name == "guest_session" }) {
		claimed, err := claim(c.Request)
		if err != nil {
			return err
		}
		if err := agree(c.credential, claimed); err != nil {
			return err
		}
	}
	switch {
	case c.credential == "" && w == anyone:
		return nil
	case c.credential == "":
		return errCredential
	case w == bearer:
		return nil
	}
	if c.principal, err = c.g.rooms.Resolve(c.ctx, c.credential); err != nil {
		return err
	}
	if err := c.g.principalRequests.take(c.g.now(), string(c.principal.Identity()), 1); err != nil {
		return err
	}
	c.g.touch(c.ctx, c.principal, c.id)
	return nil
}

// decode reads the JSON body.
func (c *call) decode(v any) error {
	kind, params, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return chat.Errorf(chat.CodeInvalid, "Content-Type must be application/json")
	}
	if c.Header.Get("Content-Encoding") != "" {
		return chat.Errorf(chat.CodeInvalid, "Content-Encoding is not supported")
	}
	body, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return chat.Errorf(chat.CodeInvalid, "the body could not be read")
	}
	if len(body) > maxBody {
		return chat.Errorf(chat.CodeTooLarge, "a body may have at most %d bytes", maxBody)
	}
	return protocol.Unmarshal(body, v)
}

// text returns a query parameter, "" where it is absent.
func (c *call) text(name string) (string, error) {
	switch values := c.query[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", chat.Errorf(chat.CodeInvalid, "%s is given twice", name)
}

// number returns a query parameter in its one spelling, 0 where it is absent.
func (c *call) number(name string) (int64, error) {
	s, err := c.text(name)
	if err != nil || s == "" && len(c.query[name]) == 0 {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0, chat.Errorf(chat.CodeInvalid, "%s must be a whole number", name)
	}
	return n, nil
}

func (c *call) room() (chat.RoomID, error) { return chat.ParseRoomID(c.PathValue("room")) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("gateway: " + err.Error()) // a programming error: no input can cause it
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
