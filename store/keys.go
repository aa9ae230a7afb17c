package store

import (
	"bytes"
	"encoding/json"
	"strings"

	"anteroom/store/chat"
)

// KeyGuestSession holds the guest session's id and secrets; it is the widget's alone.
const KeyGuestSession = "chatGuestSession"

// KeyPrefix is what all other keys of a surface begin with.
func KeyPrefix(s chat.Surface) string { return "anteroom." + string(s) + "." }

// KeySession holds the session of a built-in account.
func KeySession(s chat.Surface) string { return KeyPrefix(s) + "session" }

// KeyAuth holds the latest explicit log-in or log-out, without a secret.
func KeyAuth(s chat.Surface) string { return KeyPrefix(s) + "auth" }

// KeyRelay is set and removed at once to carry an AuthSignal to other tabs.
func KeyRelay(s chat.Surface) string { return KeyPrefix(s) + "relay" }

// KeyOutbox holds one message that is not yet stored.
func KeyOutbox(s chat.Surface, id chat.ClientID) string {
	return KeyPrefix(s) + "outbox." + string(id)
}

// KeyDraft holds what stands in a composer, by its writer.
func KeyDraft(s chat.Surface, owner chat.Identity, place string) string {
	return KeyPrefix(s) + "draft." + string(owner) + "." + place
}

// KeyRevoke holds a handle that can only end a session, until it has.
func KeyRevoke(s chat.Surface, n string) string { return KeyPrefix(s) + "revoke." + n }

// OwnKey tells whether a key belongs to a surface.
func OwnKey(s chat.Surface, key string) bool {
	return strings.HasPrefix(key, KeyPrefix(s)) || s == chat.SurfaceWidget && key == KeyGuestSession
}

type guestSession struct {
	Version    int                 `json:"v"`
	ID         chat.GuestSessionID `json:"id"`
	Credential string              `json:"credential"`
	Revoke     string              `json:"revoke"`
}

type userSession struct {
	Version    int         `json:"v"`
	Credential string      `json:"credential"`
	Revoke     string      `json:"revoke"`
	User       chat.UserID `json:"user"`
	Name       string      `json:"name"`
	Expires    int64       `json:"expires"`
	Stamp      int64       `json:"stamp"`
	Nonce      string      `json:"nonce"`
	// Older are handles of this user's earlier sessions in this browser: a
	// log-out ends them too.
	Older []string `json:"older,omitempty"`

	host     bool // signed by the host: never persisted
	provided bool // the host can give a fresh token
}

// decodeStored reads a stored value strictly: what does not fit exactly was not
// written by us, or not by this version, and is dropped.
func decodeStored(value string, into any) bool {
	if len(value) == 0 || len(value) > maxStored {
		return false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(value)))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return false
	}
	return !d.More()
}

func encodeStored(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		// Every value is a struct of strings and numbers.
		panic("store: " + err.Error())
	}
	return string(b)
}

func parseGuestSession(value string) (*guestSession, bool) {
	g := &guestSession{}
	if !decodeStored(value, g) || g.Version != 1 || !g.valid() {
		return nil, false
	}
	return g, true
}

// valid tells whether id and secrets have the shapes they must have and belong
// together, so that nothing of a foreign value is ever sent.
func (g *guestSession) valid() bool {
	if _, err := chat.ParseGuestSessionID(string(g.ID)); err != nil {
		return false
	}
	secret, ok := strings.CutPrefix(g.Credential, "gs_"+strings.TrimPrefix(string(g.ID), "g_")+"_")
	return ok && isSecret(secret) && (g.Revoke == "" || isHandle(g.Revoke))
}

func parseUserSession(value string) (*userSession, bool) {
	s := &userSession{}
	if !decodeStored(value, s) || s.Version != 1 || !s.valid() {
		return nil, false
	}
	return s, true
}

func (s *userSession) valid() bool {
	if _, err := chat.ParseUserID(string(s.User)); err != nil {
		return false
	}
	for _, h := range s.Older {
		if !isHandle(h) {
			return false
		}
	}
	secret, ok := strings.CutPrefix(s.Credential, "as_")
	return ok && isSecret(secret) && (s.Revoke == "" || isHandle(s.Revoke)) && len(s.Name) <= 4*chat.MaxName && len(s.Older) <= 20
}

func isHandle(s string) bool {
	secret, ok := strings.CutPrefix(s, "rv_")
	return ok && isSecret(secret)
}

// isSecret tells whether s looks like 256 random bits in base64url.
func isSecret(s string) bool {
	if len(s) != 43 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
