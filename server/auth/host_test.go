package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anteroom/server/auth"
	"anteroom/store/chat"
)

// keyFiles writes every kind of key file there is to a folder.
func keyFiles(t *testing.T) func(name string) string {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	public := func(name string, key any) {
		der := must[[]byte](t)(x509.MarshalPKIXPublicKey(key))
		write(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	write("secret", append(keys.secret, '\n'))
	write("short", []byte("too short\n"))
	public("ed.pem", keys.ed.Public())
	public("rsa.pem", &keys.rsa.PublicKey)
	public("ec.pem", &keys.ec.PublicKey)
	p384 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	public("p384.pem", &p384.PublicKey)
	public("rsa1024.pem", &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537})
	write("rsa1.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&keys.rsa.PublicKey)}))
	write("private.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(x509.MarshalPKCS8PrivateKey(keys.ed))}))
	write("garbage.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}))

	ec := must[[]byte](t)(keys.ec.PublicKey.Bytes())
	jwks := func(name string, keys ...claims) {
		write(name, must[[]byte](t)(json.Marshal(claims{"keys": keys})))
	}
	ed := claims{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64.EncodeToString(keys.ed.Public().(ed25519.PublicKey))}
	rs := claims{"kty": "RSA", "kid": "rs", "alg": "RS256", "use": "sig", "n": b64.EncodeToString(keys.rsa.N.Bytes()), "e": "AQAB"}
	es := claims{"kty": "EC", "crv": "P-256", "kid": "es", "x": b64.EncodeToString(ec[1:33]), "y": b64.EncodeToString(ec[33:])}
	change := func(k claims, name string, v any) claims {
		out := claims{}
		for n, x := range k {
			out[n] = x
		}
		out[name] = v
		return out
	}
	jwks("all.json", ed, rs, es,
		claims{"kty": "EC", "crv": "P-521", "kid": "p521"}, change(rs, "use", "enc"), change(change(rs, "alg", "PS256"), "kid", "ps"))
	jwks("none.json", claims{"kty": "EC", "crv": "P-521", "kid": "p521"})
	jwks("empty.json")
	jwks("oct.json", ed, claims{"kty": "oct", "kid": "o", "k": b64.EncodeToString(keys.secret)})
	jwks("private.json", change(ed, "d", "AAAA"))
	jwks("twice.json", ed, change(es, "kid", "ed"))
	jwks("nokid.json", change(ed, "kid", ""))
	jwks("badx.json", change(ed, "x", "AAAA"))
	jwks("offcurve.json", change(es, "x", es["y"]))
	jwks("even.json", change(rs, "e", "AQAC"))
	write("text.json", []byte("no JSON"))
	return func(name string) string { return filepath.Join(dir, name) }
}

func TestParseHost(t *testing.T) {
	file := keyFiles(t)
	base := "iss=" + shop + ",aud=" + audience
	for name, c := range map[string]struct {
		spec  string
		fault string // part of the sentence; "" is none
	}{
		"HS256":            {base + ",alg=HS256,kid=hs,secret-file=" + file("secret"), ""},
		"EdDSA":            {base + ",alg=EdDSA,kid=ed,key-file=" + file("ed.pem"), ""},
		"RS256":            {base + ",alg=RS256,kid=rs,key-file=" + file("rsa.pem"), ""},
		"RS256 in PKCS#1":  {base + ",alg=RS256,kid=rs,key-file=" + file("rsa1.pem"), ""},
		"ES256":            {base + ", alg=ES256, kid=es, key-file=" + file("ec.pem"), ""},
		"JWKS":             {base + ",jwks-file=" + file("all.json"), ""},
		"JWKS of one alg":  {base + ",alg=EdDSA,jwks-file=" + file("all.json"), ""},
		"lifetime":         {base + ",max-lifetime=5m,jwks-file=" + file("all.json"), ""},
		"nothing":          {"", "name=value"},
		"no pair":          {"https://shop.example", "name=value"},
		"unknown setting":  {base + ",url=https://shop.example/jwks", `no setting "url"`},
		"twice":            {base + ",aud=x", "aud twice"},
		"no iss":           {"aud=anteroom,alg=HS256,secret-file=" + file("secret"), "needs iss"},
		"no aud":           {"iss=x,alg=HS256,secret-file=" + file("secret"), "aud is missing"},
		"no key":           {base + ",alg=HS256", "exactly one"},
		"two keys":         {base + ",secret-file=a,key-file=b", "exactly one"},
		"no alg":           {base + ",key-file=" + file("ed.pem"), "alg must be"},
		"alg none":         {base + ",alg=none,key-file=" + file("ed.pem"), "alg must be"},
		"wrong alg":        {base + ",alg=RS256,key-file=" + file("ed.pem"), "RSA public key"},
		"public as secret": {base + ",alg=HS256,secret-file=" + file("rsa.pem"), "no secret"},
		"HS256 with PEM":   {base + ",alg=HS256,key-file=" + file("rsa.pem"), "secret-file"},
		"secret for EdDSA": {base + ",alg=EdDSA,secret-file=" + file("secret"), "HS256"},
		"short secret":     {base + ",alg=HS256,secret-file=" + file("short"), "at least 32"},
		"P-384":            {base + ",alg=ES256,key-file=" + file("p384.pem"), "P-256"},
		"RSA 1024":         {base + ",alg=RS256,key-file=" + file("rsa1024.pem"), "1024 bits"},
		"private key":      {base + ",alg=EdDSA,key-file=" + file("private.pem"), "not PRIVATE KEY"},
		"garbage":          {base + ",alg=EdDSA,key-file=" + file("garbage.pem"), "can be read"},
		"no PEM":           {base + ",alg=EdDSA,key-file=" + file("secret"), "one PEM block"},
		"no file":          {base + ",alg=EdDSA,key-file=" + file("absent"), "no such file"},
		"kid with JWKS":    {base + ",kid=x,jwks-file=" + file("all.json"), "its own kid"},
		"JWKS of nothing":  {base + ",jwks-file=" + file("none.json"), "no key for"},
		"empty JWKS":       {base + ",jwks-file=" + file("empty.json"), "no JWKS"},
		"no JWKS":          {base + ",jwks-file=" + file("text.json"), "no JWKS"},
		"JWKS with secret": {base + ",jwks-file=" + file("oct.json"), "private"},
		"private JWKS":     {base + ",jwks-file=" + file("private.json"), "private"},
		"kid twice":        {base + ",jwks-file=" + file("twice.json"), "twice"},
		"JWKS without kid": {base + ",jwks-file=" + file("nokid.json"), "no kid"},
		"short Ed25519":    {base + ",jwks-file=" + file("badx.json"), "Ed25519"},
		"not on the curve": {base + ",jwks-file=" + file("offcurve.json"), "key 1"},
		"even exponent":    {base + ",jwks-file=" + file("even.json"), "odd"},
		"lifetime of days": {base + ",max-lifetime=48h,jwks-file=" + file("all.json"), "max-lifetime"},
		"lifetime of 0":    {base + ",max-lifetime=0s,jwks-file=" + file("all.json"), "max-lifetime"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := auth.ParseHost(c.spec)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want one sentence with %q", err, c.fault)
				}
				if err != nil && strings.Contains(err.Error(), string(keys.secret)) {
					t.Error("the error holds the secret")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// What was read verifies what its private half signs, and nothing else.
			w := newWorld(t, func(c *auth.Config) { c.Hosts = []auth.Host{h} })
			accepted := 0
			for alg, kid := range map[string]string{"HS256": "hs", "EdDSA": "ed", "RS256": "rs", "ES256": "es"} {
				s, err := w.enter(sign(alg, claims{"alg": alg, "kid": kid}, w.claims(claims{"exp": w.clock().Unix() + 300})))
				if err == nil && s.Principal.Name == "Ada Okafor" {
					accepted++
				}
			}
			want := 1
			if name == "JWKS" || name == "lifetime" {
				want = 3
			}
			if accepted != want {
				t.Errorf("%d algorithms were accepted, want %d", accepted, want)
			}
			_, err = w.enter(sign("EdDSA", claims{"alg": "EdDSA", "kid": "ed"}, w.claims(claims{"exp": w.clock().Unix() + 301})))
			if name == "lifetime" && chat.CodeOf(err) != chat.CodeUnauthenticated {
				t.Errorf("a token that lives longer got %v", err)
			}
		})
	}
}

// Flags that may be repeated are often split at commas before they get here.
func TestParseHosts(t *testing.T) {
	file := keyFiles(t)
	one := "iss=https://one.example,aud=anteroom,alg=HS256,secret-file=" + file("secret")
	two := "iss=https://two.example,aud=anteroom,jwks-file=" + file("all.json")
	for name, specs := range map[string][]string{
		"one value each": {one, two},
		"one value":      {one + "," + two},
		"split":          append(strings.Split(one, ","), strings.Split(two, ",")...),
	} {
		t.Run(name, func(t *testing.T) {
			hosts, err := auth.ParseHosts(specs)
			if err != nil || len(hosts) != 2 || hosts[0].Issuer != "https://one.example" || hosts[1].Issuer != "https://two.example" || len(hosts[1].Keys) != 3 {
				t.Errorf("got %+v, %v", hosts, err)
			}
		})
	}
	if hosts, err := auth.ParseHosts(nil); err != nil || hosts != nil {
		t.Errorf("nothing gives %v, %v", hosts, err)
	}
	if _, err := auth.ParseHosts([]string{"aud=anteroom", one}); err == nil {
		t.Error("a host without iss was taken")
	}
}
