package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

func TestTokenLogIn(t *testing.T) {
	for alg, kid := range map[string]string{"HS256": "hs", "EdDSA": "ed", "RS256": "rs", "ES256": "es"} {
		t.Run(alg, func(t *testing.T) {
			w := newHostWorld(t)
			s := must[auth.Session](t)(w.enter(sign(alg, claims{"alg": alg, "typ": "JWT", "kid": kid}, w.claims(claims{"role": "admin", "admin": true}))))
			want := chat.Principal{Kind: chat.KindUser, User: s.Principal.User, Session: s.ID, Name: "Ada Okafor", Role: chat.RoleUser, Surface: chat.SurfaceWidget}
			if s.Principal != want || !s.Host || s.ExpiresAt != w.clock().Add(10*time.Minute).UnixMilli() {
				t.Errorf("got %+v, want %+v", s, want)
			}
			if got := w.alive("bearer", s.Credential); got != want {
				t.Errorf("resolved %+v", got)
			}
			again := must[auth.Session](t)(w.enter(w.token(claims{"name": "Ada O."})))
			if again.Principal.User != s.Principal.User || again.Principal.Name != "Ada O." {
				t.Errorf("second log-in is %+v", again.Principal)
			}
			w.pass(10 * time.Minute)
			w.dead("with its token", s.Credential, chat.CodeSessionExpired)
		})
	}
}

// F30: only exactly the configured algorithm, key, audience and issuer pass.
func TestTokenAbuse(t *testing.T) {
	w := newHostWorld(t)
	now := w.clock().Unix()
	good := w.claims(nil)
	der, _ := x509.MarshalPKIXPublicKey(&keys.rsa.PublicKey)
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	hs := claims{"alg": "HS256", "typ": "JWT", "kid": "hs"}
	header := func(change claims) claims {
		h := maps.Clone(hs)
		maps.Copy(h, change)
		maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
		return h
	}
	with := func(secret []byte, header any) string {
		input := segment(header) + "." + segment(good)
		return input + "." + b64.EncodeToString(mac(secret, input))
	}
	parts := strings.Split(w.token(nil), ".")
	raw := func(change string) string { // claims as text
		return fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"42","iat":%d,"exp":%d%s}`, shop, audience, now, now+600, change)
	}

	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":                     {w.token(nil), true},
		"no typ":                   {sign("HS256", header(claims{"typ": nil}), good), true},
		"unknown header parameter": {sign("HS256", header(claims{"x5t": "abc"}), good), true},

		"alg none":                       {segment(header(claims{"alg": "none"})) + "." + segment(good) + ".", false},
		"alg none with a signature":      {sign("HS256", header(claims{"alg": "none"}), good), false},
		"alg None":                       {segment(header(claims{"alg": "None"})) + "." + segment(good) + ".", false},
		"alg in lower case":              {sign("HS256", header(claims{"alg": "hs256"}), good), false},
		"alg absent":                     {sign("HS256", header(claims{"alg": nil}), good), false},
		"alg not text":                   {sign("HS256", header(claims{"alg": 1}), good), false},
		"alg of another key":             {sign("HS256", header(claims{"alg": "HS256", "kid": "rs"}), good), false},
		"alg HS384":                      {sign("HS256", header(claims{"alg": "HS384"}), good), false},
		"HS256 with the RSA key as PEM":  {with(rsaPEM, header(claims{"kid": "rs"})), false},
		"HS256 with the RSA key as DER":  {with(der, header(claims{"kid": "rs"})), false},
		"HS256 with the RSA key, no kid": {with(rsaPEM, header(claims{"kid": nil})), false},
		"HS256 with the Ed25519 key":     {with(keys.ed.Public().(ed25519.PublicKey), header(claims{"kid": "ed"})), false},
		"empty secret":                   {with(nil, hs), false},
		"wrong secret":                   {with([]byte("another secret that also has enough bytes"), hs), false},
		"signature of another token":     {parts[0] + "." + segment(w.claims(claims{"sub": "1"})) + "." + parts[2], false},
		"no signature":                   {parts[0] + "." + parts[1] + ".", false},
		"signature cut short":            {parts[0] + "." + parts[1] + "." + parts[2][:40], false},
		"signature spelt another way":    {parts[0] + "." + parts[1] + "." + parts[2] + "=", false},
		"trailing bits in the signature": {parts[0] + "." + parts[1] + "." + parts[2][:42] + flipLast(parts[2]), false},
		"line break in the signature":    {parts[0] + "." + parts[1] + "." + parts[2][:20] + "\n" + parts[2][20:], false},
		"line break in the payload":      {strings.Replace(w.token(nil), ".", ".\n", 1), false},

		"kid absent where there are several keys": {sign("HS256", header(claims{"kid": nil}), good), false},
		"kid unknown":                       {sign("HS256", header(claims{"kid": "no"}), good), false},
		"kid is a path":                     {with(nil, header(claims{"kid": "../../../../dev/null"})), false},
		"kid is SQL":                        {with([]byte("x"), header(claims{"kid": "' UNION SELECT 'x' --"})), false},
		"kid is a URL":                      {sign("HS256", header(claims{"kid": "https://evil.example/key"}), good), false},
		"kid not text":                      {sign("HS256", header(claims{"kid": []string{"hs"}}), good), false},
		"kid null":                          {sign("HS256", `{"alg":"HS256","kid":null}`, good), false},
		"kid empty":                         {sign("HS256", header(claims{"kid": ""}), good), false},
		"kid of one key, signed by another": {sign("ES256", header(claims{"alg": "ES256", "kid": "ed"}), good), false},
		"kid where the only key has none":   {sign("HS256", header(claims{"kid": "x"}), w.claims(claims{"iss": "https://single.example"})), false},
		"no kid where there is one key":     {sign("HS256", header(claims{"kid": nil}), w.claims(claims{"iss": "https://single.example"})), true},

		"embedded jwk": {embedded(stranger, claims{"alg": "EdDSA", "kid": "ed", "jwk": claims{
			"kty": "OKP", "crv": "Ed25519", "x": b64.EncodeToString(stranger.Public().(ed25519.PublicKey)),
		}}, good), false},
		"jwk though signed well":  {sign("HS256", header(claims{"jwk": claims{}}), good), false},
		"jku":                     {sign("HS256", header(claims{"jku": "https://evil.example/jwks"}), good), false},
		"x5u":                     {sign("HS256", header(claims{"x5u": "https://evil.example/cert"}), good), false},
		"x5c":                     {sign("HS256", header(claims{"x5c": []string{"MII"}}), good), false},
		"crit":                    {sign("HS256", header(claims{"crit": []string{"exp"}}), good), false},
		"b64 false":               {sign("HS256", header(claims{"b64": false}), good), false},
		"cty":                     {sign("HS256", header(claims{"cty": "JWT"}), good), false},
		"typ of an access token":  {sign("HS256", header(claims{"typ": "at+jwt"}), good), false},
		"typ of a refresh token":  {sign("HS256", header(claims{"typ": "refresh"}), good), false},
		"typ null":                {sign("HS256", `{"alg":"HS256","kid":"hs","typ":null}`, good), false},
		"alg twice in the header": {sign("HS256", `{"alg":"none","alg":"HS256","kid":"hs"}`, good), false},
		"header is no object":     {sign("HS256", `["HS256"]`, good), false},
		"header with a tail":      {sign("HS256", `{"alg":"HS256","kid":"hs"}{}`, good), false},

		"aud absent":               {w.token(claims{"aud": nil}), false},
		"aud null":                 {sign("HS256", hs, raw(`,"aud":null`)), false},
		"aud empty":                {w.token(claims{"aud": ""}), false},
		"aud empty list":           {w.token(claims{"aud": []string{}}), false},
		"aud foreign":              {w.token(claims{"aud": "billing"}), false},
		"aud list of foreign ones": {w.token(claims{"aud": []string{"billing", "anteroom2"}}), false},
		"aud list with ours":       {w.token(claims{"aud": []string{"billing", audience}}), true},
		"aud list with a number":   {w.token(claims{"aud": []any{audience, 1}}), false},
		"aud list with null":       {w.token(claims{"aud": []any{audience, nil}}), false},
		"aud an object":            {w.token(claims{"aud": claims{audience: audience}}), false},
		"aud prefix":               {w.token(claims{"aud": audience + ".evil"}), false},
		"aud in other case":        {w.token(claims{"aud": strings.ToUpper(audience)}), false},
		"aud claimed twice":        {sign("HS256", hs, raw(`,"aud":"billing"`)), false},

		"iss absent":                  {w.token(claims{"iss": nil}), false},
		"iss empty":                   {w.token(claims{"iss": ""}), false},
		"iss unknown":                 {w.token(claims{"iss": "https://evil.example"}), false},
		"iss with a slash":            {w.token(claims{"iss": shop + "/"}), false},
		"iss of another host":         {w.token(claims{"iss": "https://other.example"}), false},
		"iss in other case of key":    {sign("HS256", hs, strings.Replace(raw(""), `"iss"`, `"ISS"`, 1)), false},
		"iss a list":                  {w.token(claims{"iss": []string{shop}}), false},
		"exp absent":                  {w.token(claims{"exp": nil}), false},
		"exp text":                    {w.token(claims{"exp": fmt.Sprint(now + 600)}), false},
		"exp negative":                {w.token(claims{"exp": -1}), false},
		"exp huge":                    {sign("HS256", hs, strings.Replace(raw(""), fmt.Sprint(now+600), "1e300", 1)), false},
		"exp and iat huge":            {sign("HS256", hs, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"42","iat":1e18,"exp":1.0000001e18}`, shop, audience)), false},
		"exp in the other key's case": {sign("HS256", hs, strings.Replace(raw(`,"Exp":1`), `"exp"`, `"EXP"`, 1)), false},
		"exp 59 s ago":                {w.token(claims{"exp": now - 59, "iat": now - 600}), true},
		"exp 61 s ago":                {w.token(claims{"exp": now - 61, "iat": now - 600}), false},
		"iat absent":                  {w.token(claims{"iat": nil}), false},
		"iat 59 s ahead":              {w.token(claims{"iat": now + 59}), true},
		"iat 61 s ahead":              {w.token(claims{"iat": now + 61}), false},
		"nbf 59 s ahead":              {w.token(claims{"nbf": now + 59}), true},
		"nbf 61 s ahead":              {w.token(claims{"nbf": now + 61}), false},
		"nbf text":                    {w.token(claims{"nbf": "now"}), false},
		"lives an hour":               {w.token(claims{"exp": now + 3600}), true},
		"lives longer than an hour":   {w.token(claims{"exp": now + 3601}), false},
		"issued long ago, lives long": {w.token(claims{"iat": now - 3600, "exp": now + 600}), false},
		"exp before iat":              {w.token(claims{"iat": now + 30, "exp": now + 20}), false},

		"sub absent":             {w.token(claims{"sub": nil}), false},
		"sub empty":              {w.token(claims{"sub": ""}), false},
		"sub a number":           {w.token(claims{"sub": 42}), false},
		"sub long":               {w.token(claims{"sub": strings.Repeat("x", 256)}), false},
		"sub as long as allowed": {w.token(claims{"sub": strings.Repeat("x", 255)}), true},
		"sub with NUL":           {w.token(claims{"sub": "42\x00"}), false},
		"sub with a surrogate":   {sign("HS256", hs, strings.Replace(raw(""), `"42"`, `"\ud800"`, 1)), false},
		"sub not UTF-8":          {sign("HS256", hs, strings.Replace(raw(""), `"42"`, "\"\xff\"", 1)), false},
		"payload with a tail":    {sign("HS256", hs, raw("")+"{}"), false},
		"payload is no object":   {sign("HS256", hs, `"text"`), false},
		"payload deeply nested":  {sign("HS256", hs, raw(`,"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000))), true},
		"empty":                  {"", false},
		"two parts":              {parts[0] + "." + parts[1], false},
		"four parts":             {w.token(nil) + ".x", false},
		"JSON instead":           {`{"payload":"x"}`, false},
		"a megabyte of dots":     {strings.Repeat(".", 1<<20), false},
		"8 KiB":                  {padded(w, 8<<10), true},
		"8 KiB and one":          {padded(w, 8<<10) + "A", false},
		"more than 8 KiB":        {w.token(claims{"pad": strings.Repeat("x", 8<<10)}), false},
		"a session's bearer":     {must[auth.Session](t)(w.enter(w.token(nil))).Credential, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := w.enter(c.token)
			if c.ok != (err == nil) {
				t.Fatalf("got %v, want ok %v", err, c.ok)
			}
			if !c.ok && (chat.CodeOf(err) != chat.CodeUnauthenticated || s != (auth.Session{}) || err.Error() != "unauthenticated: The identity token is not valid") {
				t.Errorf("refused as %v with %+v", err, s)
			}
			if c.ok {
				w.alive("bearer", s.Credential)
			}
		})
	}
}

func TestHostsDoNotReachBuiltInAccounts(t *testing.T) {
	w := newHostWorld(t)
	root := w.user("root", chat.RoleAdmin)
	for _, sub := range []string{"root", string(root.ID), "42"} {
		s := must[auth.Session](t)(w.enter(w.token(claims{"sub": sub, "name": "root", "preferred_username": "root", "role": "admin"})))
		if s.Principal.User == root.ID || s.Principal.Role != chat.RoleUser {
			t.Errorf("subject %s became %+v", sub, s.Principal)
		}
		w.code(chat.CodeInvalid, w.SetRole(ctx, s.Principal.User, chat.RoleAdmin))
		w.code(chat.CodeInvalid, w.SetPassword(ctx, s.Principal.User, "a password for a host's user"))
		w.code(chat.CodeInvalid, w.ChangePassword(ctx, s.Principal, "", "a password for a host's user"))
	}
	// The same subject of another host is another user.
	secret := []byte("the other host's secret, also long enough")
	input := segment(claims{"alg": "HS256"}) + "." + segment(w.claims(claims{"iss": "https://other.example"}))
	other := must[auth.Session](t)(w.enter(input + "." + b64.EncodeToString(mac(secret, input))))
	if mine := must[auth.Session](t)(w.enter(w.token(nil))); mine.Principal.User == other.Principal.User {
		t.Error("one user for two issuers")
	}
	_, err := w.LogInToken(ctx, w.token(nil), chat.SurfaceInbox, "")
	w.code(chat.CodeInvalid, err)
}

func TestTokenNames(t *testing.T) {
	w := newHostWorld(t)
	for name, c := range map[string]struct{ claim, want any }{
		"folded":               {"  Ada \t Okafor ", "Ada Okafor"},
		"absent":               {nil, nil},
		"empty":                {" ", nil},
		"control character":    {"Ada\x1b[31m", nil},
		"overriding direction": {"Ada\u202eadA", nil},
		"too long":             {strings.Repeat("x", 81), nil},
		"not text":             {7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := must[auth.Session](t)(w.enter(w.token(claims{"sub": name, "name": c.claim})))
			want, ok := c.want.(string)
			if !ok {
				want = "Customer " + strings.ToUpper(string(s.Principal.User)[2:6])
			}
			if s.Principal.Name != want {
				t.Errorf("named %q, want %q", s.Principal.Name, want)
			}
		})
	}
	// A later token without a name leaves the one that is known.
	must[auth.Session](t)(w.enter(w.token(nil)))
	if s := must[auth.Session](t)(w.enter(w.token(claims{"name": nil}))); s.Principal.Name != "Ada Okafor" {
		t.Errorf("renamed to %q", s.Principal.Name)
	}
}
