package chat

import (
	"encoding/base32"
	"strings"
)

// Identifiers are a kind prefix and 26 characters of lower-case base32 (128
// random bits, RFC 4648 §6 without padding). They are public: knowing one
// gives no right. Each has exactly one spelling.
type (
	// RoomID names a room: "r_" and 26 characters.
	RoomID string
	// UserID names a user: "u_" and 26 characters.
	UserID string
	// VendorID names a vendor: "v_" and 26 characters.
	VendorID string
	// GuestSessionID names a guest session: "g_" and 26 characters. It is not a secret.
	GuestSessionID string
	// AccountSessionID names an account session (a log-in): "s_" and 26 characters. It is not a secret.
	AccountSessionID string
	// ClientID is chosen by a client to make a request repeatable (a client
	// message id, or the id of a room to create): 1 to 64 characters of
	// [0-9A-Za-z_-]. It is scoped to its sender.
	ClientID string
)

const idLength = 26

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// EncodeID gives the spelling of 16 random bytes under a prefix such as "r_".
func EncodeID(prefix string, random [16]byte) string {
	return prefix + idEncoding.EncodeToString(random[:])
}

// ParseRoomID returns s as a RoomID, or an error with code invalid.
func ParseRoomID(s string) (RoomID, error) { return parseID[RoomID]("r_", "room", s) }

// ParseUserID returns s as a UserID, or an error with code invalid.
func ParseUserID(s string) (UserID, error) { return parseID[UserID]("u_", "user", s) }

// ParseVendorID returns s as a VendorID, or an error with code invalid.
func ParseVendorID(s string) (VendorID, error) { return parseID[VendorID]("v_", "vendor", s) }

// ParseGuestSessionID returns s as a GuestSessionID, or an error with code invalid.
func ParseGuestSessionID(s string) (GuestSessionID, error) {
	return parseID[GuestSessionID]("g_", "guest session", s)
}

// ParseAccountSessionID returns s as an AccountSessionID, or an error with code invalid.
func ParseAccountSessionID(s string) (AccountSessionID, error) {
	return parseID[AccountSessionID]("s_", "session", s)
}

// ParseClientID returns s as a ClientID, or an error with code invalid.
func ParseClientID(s string) (ClientID, error) {
	if len(s) == 0 || len(s) > 64 {
		return "", Errorf(CodeInvalid, "client id must have 1 to 64 characters")
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-') {
			return "", Errorf(CodeInvalid, "client id may hold only letters, digits, _ and -")
		}
	}
	return ClientID(s), nil
}

// ParseSlug checks a vendor's slug: 1 to 64 characters of [a-z0-9-], no hyphen at either end.
func ParseSlug(s string) (string, error) {
	if len(s) == 0 || len(s) > 64 || s[0] == '-' || s[len(s)-1] == '-' {
		return "", Errorf(CodeInvalid, "vendor slug must have 1 to 64 of a-z, 0-9 and inner hyphens")
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-') {
			return "", Errorf(CodeInvalid, "vendor slug must have 1 to 64 of a-z, 0-9 and inner hyphens")
		}
	}
	return s, nil
}

func parseID[T ~string](prefix, what, s string) (T, error) {
	body, ok := strings.CutPrefix(s, prefix)
	if !ok || len(body) != idLength {
		return "", Errorf(CodeInvalid, "malformed %s id", what)
	}
	var raw [16]byte
	if n, err := idEncoding.Decode(raw[:], []byte(body)); err != nil || n != len(raw) {
		return "", Errorf(CodeInvalid, "malformed %s id", what)
	}
	// 26 characters hold 130 bits: only the spelling with two zero bits at the end is ours.
	if EncodeID(prefix, raw) != s {
		return "", Errorf(CodeInvalid, "malformed %s id", what)
	}
	return T(s), nil
}

// GuestLabel is the name people see for a guest session: "Guest 7Q2K". It is
// derived from the public id, so it needs no storage and reveals no secret.
func GuestLabel(id GuestSessionID) string {
	body := strings.TrimPrefix(string(id), "g_")
	if len(body) < 4 {
		return "Guest"
	}
	return "Guest " + strings.ToUpper(body[:4])
}
