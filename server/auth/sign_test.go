package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

const (
	shop     = "https://shop.example"
	audience = "anteroom"
)

// keys of the tests; made once, because RSA keys are slow to make.
var keys = func() (k struct {
	secret []byte
	ed     ed25519.PrivateKey
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
},
) {
	k.secret = []byte("a secret of the shop that has forty-odd bytes")
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
}()

type claims map[string]any

var b64 = base64.RawURLEncoding

func segment(v any) string {
	if s, ok := v.(string); ok {
		return b64.EncodeToString([]byte(s))
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b64.EncodeToString(b)
}

// sign makes a token; header and payload are values or JSON as text.
func sign(alg string, header, payload any) string {
	input := segment(header) + "." + segment(payload)
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	switch alg {
	case "HS256":
		sig = mac(keys.secret, input)
	case "EdDSA":
		sig = ed25519.Sign(keys.ed, []byte(input))
	case "RS256":
		sig, _ = rsa.SignPKCS1v15(rand.Reader, keys.rsa, crypto.SHA256, sum[:])
	case "ES256":
		r, s, _ := ecdsa.Sign(rand.Reader, keys.ec, sum[:])
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return input + "." + b64.EncodeToString(sig)
}

func mac(secret []byte, input string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(input))
	return m.Sum(nil)
}

func key(t testing.TB, alg, kid string, k any) auth.Key {
	t.Helper()
	return must[auth.Key](t)(auth.NewKey(alg, kid, k))
}

// newHostWorld trusts a shop for every algorithm and another host by a key of its own.
func newHostWorld(t testing.TB, adjust ...func(*auth.Config)) *world {
	t.Helper()
	return newWorld(t, append(adjust, func(c *auth.Config) {
		c.Hosts = []auth.Host{
			{Issuer: shop, Audience: audience, Keys: []auth.Key{
				key(t, "HS256", "hs", keys.secret),
				key(t, "EdDSA", "ed", keys.ed.Public()),
				key(t, "RS256", "rs", &keys.rsa.PublicKey),
				key(t, "ES256", "es", &keys.ec.PublicKey),
			}},
			{Issuer: "https://other.example", Audience: audience, Keys: []auth.Key{key(t, "HS256", "", []byte("the other host's secret, also long enough"))}},
			{Issuer: "https://single.example", Audience: audience, Keys: []auth.Key{key(t, "HS256", "", keys.secret)}},
		}
	})...)
}

// claims of a good token at the world's time.
func (w *world) claims(change claims) claims {
	now := w.clock().Unix()
	c := claims{"iss": shop, "aud": audience, "sub": "42", "name": "Ada Okafor", "iat": now, "exp": now + 600, "jti": rand.Text()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token of the shop, signed with HS256, with some claims changed (nil: absent).
func (w *world) token(change claims) string {
	return sign("HS256", claims{"alg": "HS256", "typ": "JWT", "kid": "hs"}, w.claims(change))
}

func (w *world) enter(token string) (auth.Session, error) {
	return w.LogInToken(ctx, token, chat.SurfaceWidget, "")
}

func flipLast(sig string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, sig[len(sig)-1])^1])
}

func embedded(k ed25519.PrivateKey, header, payload any) string {
	input := segment(header) + "." + segment(payload)
	return input + "." + b64.EncodeToString(ed25519.Sign(k, []byte(input)))
}

// padded makes a good token of exactly n bytes: the padding is in the payload
// and, because base64 grows in steps, in the header.
func padded(w *world, n int) string {
	for h := range 4 {
		header := claims{"alg": "HS256", "kid": "hs", "p": strings.Repeat("x", h)}
		for pad := n * 3 / 4; pad > 0; pad-- {
			c := w.claims(claims{"pad": strings.Repeat("x", pad), "jti": "1"})
			if token := sign("HS256", header, c); len(token) == n {
				return token
			} else if len(token) < n-8 {
				break
			}
		}
	}
	w.Fatal("no token of that length")
	return ""
}
