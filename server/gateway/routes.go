package gateway

import (
	"net/http"

	"anteroom/server/rooms"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// routes is the API: the server serves it and /api/openapi.json describes it.
func routes() []route {
	page := []param{
		{"after", "next of the page before", ""},
		{"limit", "entries of the page", int64(0)},
	}
	subject := []param{
		{"user", "about this user", chat.UserID("")},
		{"guest_session", "about this guest session", chat.GuestSessionID("")},
		{"session", "about this log-in", chat.AccountSessionID("")},
	}
	return []route{
		{
			http.MethodPost, "/api/guest-sessions", "mintGuestSession", "Make a guest session.", anyone, nil, nil,
			[]int{201},
			guestSession{},
			nil, (*call).mintGuest,
		},
		{
			http.MethodDelete, "/api/guest-session", "endGuestSession", "End the caller's guest session for good.", bearer, nil, nil,
			[]int{204},
			nil, nil, (*call).endGuest,
		},

		{
			http.MethodPost, "/api/login", "logIn", "Log in with a password, or on the widget with a host's identity token.", open, nil,
			logIn{},
			[]int{200},
			session{},
			codes(chat.CodeUnauthenticated), (*call).logIn,
		},
		{
			http.MethodPost, "/api/refresh", "refreshSession", "Extend a host-signed session with a fresh token of the same subject.", bearer, nil,
			tokenBody{},
			[]int{200},
			refreshed{},
			codes(chat.CodeAccessDenied), (*call).refresh,
		},
		{
			http.MethodPost, "/api/logout", "logOut", "End the caller's session. Repeating it is fine.", bearer, nil, nil,
			[]int{204},
			nil, nil, (*call).logOut,
		},
		{
			http.MethodPost, "/api/logout-everywhere", "logOutEverywhere", "End all sessions of the caller's user.", user, nil, nil,
			[]int{204},
			nil, nil, (*call).logOutEverywhere,
		},
		{
			http.MethodPost, "/api/revoke", "revoke", "End the session of a revoke-only handle. Succeeds always.", open, nil,
			revoke{},
			[]int{204},
			nil, nil, (*call).revoke,
		},
		{
			http.MethodPost, "/api/link", "linkGuestSession", "Link a guest session to the caller's user.", bearer, nil,
			link{},
			[]int{200},
			linked{},
			codes(chat.CodeAccessDenied), (*call).link,
		},
		{
			http.MethodPost, "/api/password", "changePassword", "Change the caller's password and end their other sessions.", user, nil,
			password{},
			[]int{204},
			nil, nil, (*call).password,
		},
		{
			http.MethodGet, "/api/me", "me", "Who the caller is.", principal, nil, nil,
			[]int{200},
			me{},
			nil, (*call).me,
		},
		{
			http.MethodGet, "/api/sessions", "listSessions", "The caller's live sessions, newest first.", user, nil, nil,
			[]int{200},
			sessions{},
			nil, (*call).sessions,
		},
		{
			http.MethodDelete, "/api/sessions/{session}", "endSession", "End one of the caller's sessions.", user, nil, nil,
			[]int{204},
			nil, codes(chat.CodeNotFound), (*call).endSession,
		},

		{
			http.MethodGet, "/api/vendors", "listVendors", "The vendors one can write to.", anyone, nil, nil,
			[]int{200},
			protocol.VendorsPage{},
			nil, (*call).vendors,
		},
		{
			http.MethodGet, "/api/rooms", "listRooms", "The caller's rooms, most recently active first.", principal,
			append([]param{
				{"filter", "open, unread or closed", chat.RoomFilter("")},
				{"search", "part of a room's title", ""},
			}, page...), nil,
			[]int{200},
			protocol.RoomsPage{},
			nil, (*call).listRooms,
		},
		{
			http.MethodPost, "/api/rooms", "createRoom", "Open a room with a vendor; or, for admins, make one between users.", principal, nil,
			createRoom{},
			[]int{200, 201},
			protocol.RoomFrame{},
			codes(chat.CodeNotFound, chat.CodeConflict), (*call).createRoom,
		},
		{
			http.MethodGet, "/api/rooms/{room}", "getRoom", "A room.", principal, nil, nil,
			[]int{200},
			protocol.RoomFrame{},
			nil, (*call).getRoom,
		},
		{
			http.MethodPost, "/api/rooms/{room}/close", "closeRoom", "Close a room; users only.", principal, nil, nil,
			[]int{204},
			nil, nil, (*call).closeRoom,
		},
		{
			http.MethodPost, "/api/rooms/{room}/block-guest", "blockGuest", "Close a room and refuse its guest for this vendor.", principal, nil, nil,
			[]int{204},
			nil, codes(chat.CodeConflict), (*call).blockGuest,
		},
		{
			http.MethodGet, "/api/rooms/{room}/participants", "listParticipants", "A room's participants.", principal, nil, nil,
			[]int{200},
			participants{},
			nil, (*call).listParticipants,
		},
		{
			http.MethodPut, "/api/rooms/{room}/participants/{user}", "addParticipant", "Add a participant.", admin, nil, nil,
			[]int{204},
			nil, codes(chat.CodeNotFound), (*call).addParticipant,
		},
		{
			http.MethodDelete, "/api/rooms/{room}/participants/{user}", "removeParticipant", "Remove a participant.", admin, nil, nil,
			[]int{204},
			nil, codes(chat.CodeNotFound), (*call).removeParticipant,
		},
		{
			http.MethodGet, "/api/rooms/{room}/messages", "listEvents", "A page of a room's events, before or after a seq; the newest page where neither is given.", principal,
			[]param{
				{"before", "events with a smaller seq", int64(0)},
				{"after", "events with a greater seq", int64(0)},
				{"limit", "events of the page", int64(0)},
			},
			nil,
			[]int{200},
			protocol.HistoryPage{},
			nil, (*call).history,
		},
		{
			http.MethodPost, "/api/rooms/{room}/messages", "sendMessage", "Send a message. Repeating a cmid gives the first one's answer.", principal, nil,
			message{},
			[]int{200, 201},
			protocol.Ack{},
			codes(chat.CodeRoomClosed, chat.CodeConflict, chat.CodeStorageFull), (*call).send,
		},
		{
			http.MethodPost, "/api/rooms/{room}/read", "readRoom", "Move the caller's read mark forward.", principal, nil,
			readMark{},
			[]int{204},
			nil, nil, (*call).read,
		},

		{
			http.MethodGet, "/api/rooms/{room}/explain", "explain", "Why a principal can, or can't, reach a room.", admin, subject, nil,
			[]int{200},
			rooms.Explanation{},
			nil, (*call).explain,
		},
		{
			http.MethodGet, "/api/audit", "listAudit", "The audit table, newest first.", admin,
			[]param{
				{"before", "rows with a smaller id", int64(0)},
				{"limit", "rows of the page", int64(0)},
			},
			nil,
			[]int{200},
			rooms.AuditPage{},
			nil, (*call).audit,
		},

		{
			http.MethodGet, "/api/openapi.json", "openapi", "This document.", open, nil, nil,
			[]int{200},
			map[string]any{},
			nil, (*call).openapi,
		},
		{
			http.MethodGet, "/healthz", "health", "The process lives.", open, nil, nil,
			[]int{200},
			status{},
			nil, (*call).health,
		},
		{
			http.MethodGet, "/readyz", "ready", "The server can serve: storage answers, its last write did not fail, and no drain has begun.", open, nil, nil,
			[]int{200},
			status{},
			nil, (*call).ready,
		},
	}
}

func codes(c ...chat.Code) []chat.Code { return c }

// The bodies that no other package defines. Ids in requests are checked where
// they are used; every field but those named optional must be there.
type (
	guestSession struct {
		ID         chat.GuestSessionID `json:"id"`
		Credential string              `json:"credential"`
		Revoke     string              `json:"revoke"`
		ExpiresAt  int64               `json:"expires_at"`
	}
	logIn struct {
		Username string       `json:"username,omitempty"`
		Password string       `json:"password,omitempty"`
		Token    string       `json:"token,omitempty"` // instead of username and password
		Surface  chat.Surface `json:"surface"`
	}
	session struct {
		ID         chat.AccountSessionID `json:"id"`
		Credential string                `json:"credential"`
		Revoke     string                `json:"revoke"`
		ExpiresAt  int64                 `json:"expires_at"`
		Principal  chat.Principal        `json:"principal"`
		Host       bool                  `json:"host"`
	}
	tokenBody struct {
		Token string `json:"token"`
	}
	refreshed struct {
		ExpiresAt int64 `json:"expires_at"`
	}
	revoke struct {
		Handle string `json:"handle"`
	}
	link struct {
		Guest string `json:"guest"`
	}
	linked struct {
		Status       string              `json:"status"`
		GuestSession chat.GuestSessionID `json:"guest_session"`
		Credential   string              `json:"credential,omitempty"`
	}
	password struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	me struct {
		Principal chat.Principal `json:"principal"`
	}
	sessions struct {
		Sessions []sessionInfo `json:"sessions"`
	}
	sessionInfo struct {
		ID         chat.AccountSessionID `json:"id"`
		Surface    chat.Surface          `json:"surface"`
		Client     string                `json:"client"`
		CreatedAt  int64                 `json:"created_at"`
		LastSeenAt int64                 `json:"last_seen_at"`
		EndsAt     int64                 `json:"ends_at"`
		Current    bool                  `json:"current"`
	}
	createRoom struct {
		ClientID chat.ClientID `json:"client_id"`
		Vendor   string        `json:"vendor,omitempty"` // a room with this vendor
		Page     string        `json:"page,omitempty"`
		Name     string        `json:"name,omitempty"`  // a room between users
		Users    []chat.UserID `json:"users,omitempty"` // instead of vendor; admins only
	}
	participants struct {
		Participants []chat.Member `json:"participants"`
	}
	message struct {
		ClientID chat.ClientID `json:"cmid"`
		Text     string        `json:"text"`
	}
	readMark struct {
		Seq int64 `json:"seq"`
	}
	status struct {
		Status string `json:"status"`
	}
)
