package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

const (
	accountPrefix = "as_"
	guestPrefix   = "gs_"
	revokePrefix  = "rv_"

	secretLength  = 43 // 32 bytes in base64url
	guestIDLength = 26
)

// The two answers to a credential that is not good. Callers must not modify them.
var (
	errUnauthenticated = chat.Errorf(chat.CodeUnauthenticated, "The credential is not valid")
	errSessionExpired  = chat.Errorf(chat.CodeSessionExpired, "The session has expired")
)

var secretEncoding = base64.RawURLEncoding.Strict()

// hashOf is what storage keeps of a credential.
func hashOf(credential string) storage.Hash { return sha256.Sum256([]byte(credential)) }

// secret gives prefix and 256 random bits.
func (s *Service) secret(prefix string) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(s.cfg.Random, raw[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return prefix + secretEncoding.EncodeToString(raw[:]), nil
}

// id gives a fresh identifier under prefix.
func (s *Service) id(prefix string) (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(s.cfg.Random, raw[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return chat.EncodeID(prefix, raw), nil
}

// credentialKind is what a credential's spelling says it is.
type credentialKind int

const (
	malformed credentialKind = iota
	accountCredential
	guestCredential
	revokeHandle
)

// parseCredential checks a credential's spelling. For a guest credential it
// returns the guest session's id, which proves nothing by itself.
func parseCredential(c string) (credentialKind, chat.GuestSessionID) {
	rest, ok := strings.CutPrefix(c, guestPrefix)
	if ok {
		if len(rest) != guestIDLength+1+secretLength || rest[guestIDLength] != '_' || !isSecret(rest[guestIDLength+1:]) {
			return malformed, ""
		}
		id, err := chat.ParseGuestSessionID("g_" + rest[:guestIDLength])
		if err != nil {
			return malformed, ""
		}
		return guestCredential, id
	}
	if rest, ok = strings.CutPrefix(c, accountPrefix); ok && isSecret(rest) {
		return accountCredential, ""
	}
	if rest, ok = strings.CutPrefix(c, revokePrefix); ok && isSecret(rest) {
		return revokeHandle, ""
	}
	return malformed, ""
}

// isSecret tells whether s is 32 bytes in the one spelling base64url has for them.
func isSecret(s string) bool {
	if len(s) != secretLength {
		return false
	}
	var raw [33]byte
	n, err := secretEncoding.Decode(raw[:], []byte(s)) // skips line breaks, so the count matters
	return err == nil && n == 32
}

// GuestOf returns the guest session that a guest credential names, and "" for
// any other string. It proves nothing: callers use it to notice that two
// statements of one request disagree.
func GuestOf(credential string) chat.GuestSessionID {
	_, id := parseCredential(credential)
	return id
}

// missing turns an absent row into err and keeps every other error.
func missing(got error, err *chat.Error) error {
	if errors.Is(got, storage.ErrNotFound) {
		return err
	}
	return got
}
