package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

const (
	maxToken   = 8 << 10 // bytes; checked before anything is parsed
	maxSubject = 255     // bytes
)

// errToken is the one answer to an identity token that is not good; the reason goes to the log.
var errToken = chat.Errorf(chat.CodeUnauthenticated, "The identity token is not valid")

// token is a verified identity token.
type token struct {
	issuer, subject string
	name            string       // "" where the claim is absent or no name
	hash            storage.Hash // of what the signature covers
	ends            int64        // Unix milliseconds, when a session opened with it ends
	burnedUntil     int64        // how long a burn must be remembered
}

// verifyToken checks an identity token; whatever is wrong with it is
// unauthenticated and one word in the log.
func (s *Service) verifyToken(ctx context.Context, raw string) (token, error) {
	t, why := checkToken(s.cfg.Hosts, raw, s.now(), s.cfg.Skew.Milliseconds())
	if why != "" {
		s.tokenRefused(ctx, why)
		return token{}, errToken
	}
	return t, nil
}

func (s *Service) tokenRefused(ctx context.Context, why string) {
	s.refusal(ctx, "refused", "token "+why, storage.AuditEntry{Detail: "token_" + why})
}

// checkToken returns a verified token, or why there is none. The signature is
// checked before any claim is believed, so an expired forgery is a forgery.
func checkToken(hosts []Host, raw string, now, skew int64) (t token, why string) {
	if len(raw) > maxToken {
		return token{}, "size"
	}
	part := strings.Split(raw, ".")
	if len(part) != 3 {
		return token{}, "form"
	}
	header, ok1 := decodeObject(part[0])
	claims, ok2 := decodeObject(part[1])
	signature, err := secretEncoding.DecodeString(part[2])
	if !ok1 || !ok2 || err != nil || len(part[2]) != secretEncoding.EncodedLen(len(signature)) {
		return token{}, "form"
	}

	// What chooses or brings a key, or changes how the token is read, is refused
	// rather than ignored: no honest host has a use for it here.
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"} {
		if _, ok := header[name]; ok {
			return token{}, "header"
		}
	}
	if _, ok := header["typ"]; ok {
		if typ, _ := header.text("typ"); !strings.EqualFold(typ, "JWT") {
			return token{}, "typ"
		}
	}
	alg, _ := header.text("alg")
	kid, isText := header.text("kid")
	if _, ok := header["kid"]; ok && !isText {
		return token{}, "kid"
	}

	issuer, _ := claims.text("iss")
	var host Host
	verified := false
	why = "iss"
	for _, h := range hosts {
		if h.Issuer == "" || h.Issuer != issuer {
			continue
		}
		if why == "iss" {
			why = "key"
		}
		for _, k := range h.Keys {
			// A key is bound to its algorithm and to its kid; one without a kid
			// verifies only tokens without one.
			if k.alg != alg || k.id != kid && !(kid == "" && len(h.Keys) == 1) {
				continue
			}
			if k.verify(part[0]+"."+part[1], signature) {
				host, verified = h, true
				break
			}
			why = "signature"
		}
		if verified && slices.Contains(claims.audience(), h.Audience) {
			break // another host entry of the same issuer may have another audience
		}
	}
	if !verified {
		return token{}, why
	}

	if !slices.Contains(claims.audience(), host.Audience) {
		return token{}, "aud"
	}
	iat, ok1 := claims.time("iat")
	exp, ok2 := claims.time("exp")
	if !ok1 || !ok2 {
		return token{}, "time"
	}
	if _, ok := claims["nbf"]; ok {
		if nbf, ok := claims.time("nbf"); !ok || nbf > now+skew {
			return token{}, "nbf"
		}
	}
	switch {
	case iat > now+skew:
		return token{}, "iat"
	case exp <= iat || exp-iat > host.lifetime().Milliseconds():
		return token{}, "lifetime"
	case now >= exp+skew:
		return token{}, "exp"
	}
	subject, ok := claims.text("sub")
	if !ok || subject == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) // U+FFFD may stand for anything: two subjects must not become one
	}) {
		return token{}, "sub"
	}
	t = token{issuer: issuer, subject: subject, hash: sha256.Sum256([]byte(part[0] + "." + part[1])), ends: exp, burnedUntil: exp + skew + 1000}
	if exp <= now {
		t.ends = exp + skew // accepted by the allowed skew, so good for what is left of it
	}
	if name, ok := claims.text("name"); ok && !strings.ContainsRune(name, utf8.RuneError) {
		t.name, _ = chat.ParseName(name)
	}
	return t, ""
}

// object is a JSON object whose keys are all different. encoding/json alone
// would let a later key win and take "ISS" for iss.
type object map[string]json.RawMessage

// decodeObject reads a part of a token: base64url in its one spelling, UTF-8, one JSON object.
func decodeObject(part string) (object, bool) {
	raw, err := secretEncoding.DecodeString(part)
	if err != nil || len(part) != secretEncoding.EncodedLen(len(raw)) || !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	o := object{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		name, ok := key.(string)
		if _, twice := o[name]; !ok || twice {
			return nil, false
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, false
		}
		o[name] = v
	}
	return o, true
}

func (o object) text(name string) (string, bool) {
	v, ok := o[name]
	if !ok || len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(v, &s) == nil
}

// time reads a NumericDate as Unix milliseconds; it must be a number of this age.
func (o object) time(name string) (int64, bool) {
	v := o[name]
	if len(v) == 0 || v[0] < '0' || v[0] > '9' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 1 || f > 1<<36 {
		return 0, false
	}
	return int64(f * 1000), true
}

// audience is the aud claim: a string, or a list of nothing but strings.
func (o object) audience() []string {
	if s, ok := o.text("aud"); ok {
		return []string{s}
	}
	v := o["aud"]
	if len(v) == 0 || v[0] != '[' {
		return nil
	}
	var list []*string
	if json.Unmarshal(v, &list) != nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, p := range list {
		if p == nil {
			return nil
		}
		out = append(out, *p)
	}
	return out
}
