//go:build !js

package gateway

import (
	"crypto/sha256"
	"net/url"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// The places an id can lead to, seen from one caller. Deleting does not exist
// yet: "over" is a room that is closed, or a session that has ended.
var places = []string{"own", "over", "foreign", "missing", "malformed"}

// kind is one kind of caller, and in the words of the matrix what is its own
// and what is not.
type kind struct {
	name, own, foreign string
	alive, guest       bool
	linked, admin      bool
}

var kinds = []kind{
	{name: "nobody", own: "users'", foreign: "users'"},
	{name: "guest", own: "own guest session's", foreign: "other guest session's", alive: true, guest: true},
	{name: "guest, session over", own: "own guest session's", foreign: "other guest session's", guest: true},
	{name: "guest linked to user", own: "own guest session's, linked, participant", foreign: "other guest session's, linked", alive: true, guest: true, linked: true},
	{name: "guest linked to admin", own: "users', participant", foreign: "users'", alive: true, guest: true, linked: true},
	{name: "guest linked to user, login over", own: "own guest session's, linked, participant", foreign: "users'", guest: true, linked: true},
	{name: "guest linked to disabled user", own: "own guest session's, linked, participant", foreign: "users'", guest: true, linked: true},
	{name: "user", own: "other guest session's, participant", foreign: "other guest session's", alive: true},
	{name: "user, session over", own: "other guest session's, participant", foreign: "other guest session's"},
	{name: "disabled user", own: "users', participant", foreign: "users'"},
	{name: "admin", own: "other guest session's, participant", foreign: "other guest session's", alive: true, admin: true},
	{name: "admin, session over", own: "users', participant", foreign: "users'", admin: true},
	{name: "disabled admin", own: "users', participant", foreign: "users'", admin: true},
}

// tableRow is what the table says of one route or one type of frame.
type tableRow struct {
	// id makes the thing that the request names and gives its name; nil where
	// it names nothing.
	id func(s *stage, k kind, c cast, place string) string
	// http gives path and body of the request, frame the frame. about is the caller.
	http  func(s *stage, about cast, id string) (path string, body any)
	frame func(s *stage, id string) protocol.ClientFrame
	// want is the code that comes back, "" for success.
	want func(k kind, place string) chat.Code
	// secret: "not yours" and "does not exist" are one answer, for the same work.
	secret bool
}

// anyRoom makes a room of the place's kind.
func anyRoom(s *stage, k kind, c cast, place string) string {
	switch place {
	case "malformed":
		return "r_" + strings.Repeat("A", 26)
	case "missing":
		return newID("r_")
	case "foreign":
		return string(s.rooms(c, k.foreign, 1)[0])
	case "over":
		return string(s.rooms(c, k.own+", closed", 1)[0])
	}
	return string(s.rooms(c, k.own, 1)[0])
}

const nobody, denied, invalid = chat.CodeUnauthenticated, chat.CodeAccessDenied, chat.CodeInvalid

// reaches is design §3, as far as it concerns every action on a room.
func reaches(k kind, place string) chat.Code {
	switch {
	case !k.alive:
		return nobody
	case place == "malformed":
		return invalid
	case place == "missing", place == "foreign" && !k.admin:
		return denied
	}
	return ""
}

// also adds the rule of one action.
func also(rule func(k kind, place string) chat.Code) func(k kind, place string) chat.Code {
	return func(k kind, place string) chat.Code {
		if code := reaches(k, place); code != "" {
			return code
		}
		return rule(k, place)
	}
}

var (
	writes = also(func(_ kind, place string) chat.Code {
		if place == "over" {
			return chat.CodeRoomClosed
		}
		return ""
	})
	closes = also(func(k kind, _ string) chat.Code { return only(!k.guest) })
	blocks = also(func(k kind, _ string) chat.Code { return only(!k.guest) }) // users' own rooms here are a guest's
	rules  = also(func(k kind, _ string) chat.Code { return only(k.admin) })
)

func only(yes bool) chat.Code {
	if yes {
		return ""
	}
	return denied
}

// The rules of what is not about a room.
func always(kind, string) chat.Code { return "" }

func live(k kind, _ string) chat.Code {
	if !k.alive {
		return nobody
	}
	return ""
}

func users(k kind, place string) chat.Code {
	if code := live(k, place); code != "" {
		return code
	}
	return only(!k.guest)
}

func admins(k kind, place string) chat.Code {
	if code := live(k, place); code != "" {
		return code
	}
	return only(k.admin)
}

// orNobody is what needs no credential; a bad one is an error all the same.
func orNobody(k kind, place string) chat.Code {
	if k.name == "nobody" {
		return ""
	}
	return live(k, place)
}

func room(suffix string, body func(s *stage) any) func(*stage, cast, string) (string, any) {
	return func(s *stage, _ cast, id string) (string, any) {
		path := "/api/rooms/" + url.PathEscape(id) + suffix
		if body == nil {
			return path, nil
		}
		return path, body(s)
	}
}

func at(path string) func(*stage, cast, string) (string, any) {
	return func(*stage, cast, string) (string, any) { return path, nil }
}

// routeRows has a row for every route of the table that serves the API.
var routeRows = map[string]tableRow{
	"mintGuestSession": {http: at("/api/guest-sessions"), want: orNobody},
	"endGuestSession": {http: at("/api/guest-session"), want: func(k kind, _ string) chat.Code {
		if !k.guest {
			return nobody
		}
		return "" // also where it is over: repeating it is fine
	}},
	"logOut": {http: at("/api/logout"), want: func(k kind, _ string) chat.Code {
		switch {
		case k.name == "nobody":
			return nobody
		case k.guest:
			return invalid
		}
		return "" // also where it is over: repeating it is fine
	}},
	"logOutEverywhere": {http: at("/api/logout-everywhere"), want: users},
	"me":               {http: at("/api/me"), want: live},
	"listSessions":     {http: at("/api/sessions"), want: users},
	"listRooms":        {http: at("/api/rooms"), want: live},
	"listVendors":      {http: at("/api/vendors"), want: orNobody},
	"listAudit":        {http: at("/api/audit"), want: admins},
	"openapi":          {http: at("/api/openapi.json"), want: always},
	"health":           {http: at("/healthz"), want: always},
	"ready":            {http: at("/readyz"), want: always},

	"logIn": {
		id: anyAccount, secret: true,
		http: func(_ *stage, _ cast, id string) (string, any) {
			name, password, _ := strings.Cut(id, " ")
			return "/api/login", logIn{Username: name, Password: password, Surface: chat.SurfaceInbox}
		},
		want: func(_ kind, place string) chat.Code { // whose credential comes along does not matter
			if place == "own" {
				return ""
			}
			return nobody
		},
	},
	"refreshSession": {
		http: func(*stage, cast, string) (string, any) { return "/api/refresh", tokenBody{"x.y.z"} },
		want: func(kind, string) chat.Code { return nobody }, // no host is configured; server/auth tests what hosts may
	},
	"revoke": {
		id:   anyHandle,
		http: func(_ *stage, _ cast, id string) (string, any) { return "/api/revoke", revoke{id} },
		want: always, // so that it tells nothing
	},
	"linkGuestSession": {
		id: anyGuestSecret, secret: true,
		http: func(_ *stage, _ cast, id string) (string, any) { return "/api/link", link{id} },
		want: func(k kind, place string) chat.Code {
			switch {
			case !k.alive || k.guest:
				return nobody // it takes a log-in
			case place == "own":
				return ""
			}
			return denied
		},
	},
	"changePassword": {
		http: func(*stage, cast, string) (string, any) {
			return "/api/password", password{"not the password", "another password"}
		},
		want: func(k kind, place string) chat.Code {
			if code := users(k, place); code != "" {
				return code
			}
			return invalid // the old one is wrong
		},
	},
	"endSession": {
		id: anySession, secret: true,
		http: func(_ *stage, _ cast, id string) (string, any) { return "/api/sessions/" + url.PathEscape(id), nil },
		want: func(k kind, place string) chat.Code {
			switch code := users(k, place); {
			case k.alive && place == "malformed":
				return invalid
			case code != "":
				return code
			case place != "own":
				return chat.CodeNotFound
			}
			return ""
		},
	},

	"createRoom": {
		id: anyVendor,
		http: func(s *stage, _ cast, id string) (string, any) {
			return "/api/rooms", createRoom{ClientID: s.cmid(), Vendor: id}
		},
		want: func(k kind, place string) chat.Code {
			switch {
			case !k.alive:
				return nobody
			case place == "missing":
				return chat.CodeNotFound // vendors are public
			case place == "malformed":
				return invalid
			}
			return ""
		},
	},
	"getRoom":          {id: anyRoom, http: room("", nil), want: reaches, secret: true},
	"closeRoom":        {id: anyRoom, http: room("/close", nil), want: closes, secret: true},
	"blockGuest":       {id: anyRoom, http: room("/block-guest", nil), want: blocks, secret: true},
	"listParticipants": {id: anyRoom, http: room("/participants", nil), want: reaches, secret: true},
	"addParticipant": {id: anyRoom, want: rules, secret: true, http: func(s *stage, _ cast, id string) (string, any) {
		return "/api/rooms/" + url.PathEscape(id) + "/participants/" + string(s.third), nil
	}},
	"removeParticipant": {id: anyRoom, want: rules, secret: true, http: func(s *stage, _ cast, id string) (string, any) {
		return "/api/rooms/" + url.PathEscape(id) + "/participants/" + string(s.other), nil
	}},
	"listEvents":  {id: anyRoom, http: room("/messages", nil), want: reaches, secret: true},
	"sendMessage": {id: anyRoom, http: room("/messages", func(s *stage) any { return message{s.cmid(), "hello"} }), want: writes, secret: true},
	"readRoom":    {id: anyRoom, http: room("/read", func(*stage) any { return readMark{1} }), want: reaches, secret: true},
	"explain": {id: anyRoom, want: rules, secret: true, http: func(s *stage, _ cast, id string) (string, any) {
		return "/api/rooms/" + url.PathEscape(id) + "/explain?user=" + string(s.other), nil
	}},
}

// frameRows has a row for every type of frame a client may send, hello apart.
var frameRows = map[string]tableRow{
	"rooms": {want: live, frame: func(*stage, string) protocol.ClientFrame {
		return protocol.ClientFrame{Rooms: &protocol.RoomsQuery{}}
	}},
	"vendors": {want: live, frame: func(*stage, string) protocol.ClientFrame {
		return protocol.ClientFrame{Vendors: &protocol.Empty{}}
	}},
	"ping": {want: live, frame: func(*stage, string) protocol.ClientFrame {
		return protocol.ClientFrame{Ping: &protocol.Empty{}}
	}},
	"create": {
		id: anyVendor, want: routeRows["createRoom"].want,
		frame: func(s *stage, id string) protocol.ClientFrame {
			return protocol.ClientFrame{Create: &protocol.Create{ClientID: s.cmid(), Vendor: id}}
		},
	},
	"join": {id: anyRoom, want: reaches, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Join: &protocol.Join{Room: chat.RoomID(id)}}
	}},
	"leave": {
		id: anyRoom, secret: true,
		want: func(k kind, place string) chat.Code { // of a room one has not joined it does nothing, and tells nothing
			if code := live(k, place); code != "" || place != "malformed" {
				return code
			}
			return invalid
		},
		frame: func(_ *stage, id string) protocol.ClientFrame {
			return protocol.ClientFrame{Leave: &protocol.RoomRef{Room: chat.RoomID(id)}}
		},
	},
	"send": {id: anyRoom, want: writes, secret: true, frame: func(s *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Send: &protocol.Send{Room: chat.RoomID(id), ClientID: s.cmid(), Text: "hello"}}
	}},
	"typing": {id: anyRoom, want: writes, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Typing: &protocol.Typing{Room: chat.RoomID(id), Active: true}}
	}},
	"read": {id: anyRoom, want: reaches, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Read: &protocol.Read{Room: chat.RoomID(id), Seq: 1}}
	}},
	"history": {id: anyRoom, want: reaches, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{History: &protocol.History{Room: chat.RoomID(id)}}
	}},
	"close": {id: anyRoom, want: closes, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Close: &protocol.RoomRef{Room: chat.RoomID(id)}}
	}},
	"block": {id: anyRoom, want: blocks, secret: true, frame: func(_ *stage, id string) protocol.ClientFrame {
		return protocol.ClientFrame{Block: &protocol.RoomRef{Room: chat.RoomID(id)}}
	}},
}

// anyAccount gives a username and a password that is tried for it.
func anyAccount(s *stage, _ kind, _ cast, place string) string {
	switch place {
	case "own":
		return "other other-other-pw"
	case "over":
		return "gone gone-gone-pw" // disabled
	case "foreign":
		return "other not-the-password"
	case "missing":
		return "nobody-has-this-name not-the-password"
	}
	return "née not-the-password"
}

func anyHandle(s *stage, _ kind, _ cast, place string) string {
	switch g := s.guest(); place {
	case "own", "foreign":
		return g.Revoke
	case "over":
		s.get(nil, "DELETE", "/api/guest-session", g.Credential, nil)
		return g.Revoke
	case "missing":
		return "rv_" + secret()
	}
	return "rv_x"
}

// anyGuestSecret gives a guest credential that is brought along for a link.
func anyGuestSecret(s *stage, _ kind, _ cast, place string) string {
	switch g := s.guest(); place {
	case "own":
		return g.Credential
	case "over":
		s.get(nil, "DELETE", "/api/guest-session", g.Credential, nil)
		return g.Credential
	case "foreign": // somebody else's, of whom only the id is known
		return "gs_" + string(g.ID[2:]) + "_" + secret()
	case "missing":
		return "gs_" + newID("") + "_" + secret()
	}
	return "gs_x"
}

// anySession gives the id of a session.
func anySession(s *stage, _ kind, c cast, place string) string {
	a := storage.AccountSession{
		ID: chat.AccountSessionID(newID("s_")), User: c.user, Surface: chat.SurfaceInbox, CreatedAt: s.now().UnixMilli(), LastSeenAt: s.now().UnixMilli(),
		ExpiresAt: s.now().UnixMilli() + 1e9, Token: sha256.Sum256([]byte(secret())),
	}
	switch place {
	case "missing":
		return newID("s_")
	case "malformed":
		return "s_1"
	case "over":
		a.RevokedAt = s.now().UnixMilli()
	}
	if place == "foreign" || a.User == "" {
		a.User = s.other
	}
	s.update(func(w storage.Writer) { s.must(w.PutAccountSession(a)) })
	return string(a.ID)
}

// anyVendor gives a slug; vendors are nobody's own.
func anyVendor(_ *stage, _ kind, _ cast, place string) string {
	switch place {
	case "missing":
		return "no-such-shop"
	case "malformed":
		return "Maple"
	}
	return "maple"
}
