package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Host is a website that may say who its customers are.
type Host struct {
	Issuer   string // exact iss of its tokens; never ""
	Audience string // must be among a token's aud
	Keys     []Key
	Lifetime time.Duration // longest exp − iat; 1 hour if 0
}

func (h Host) lifetime() time.Duration {
	if h.Lifetime > 0 {
		return h.Lifetime
	}
	return time.Hour
}

// Key verifies tokens of one algorithm. Make it with NewKey, or read it with ParseHost.
type Key struct {
	id, alg string
	method  jwt.SigningMethod
	public  any
}

// The limits of keys.
const (
	minSecret  = 32 // bytes of an HS256 secret (RFC 7518 §3.2)
	minRSA     = 2048
	maxRSA     = 8192
	maxKeyFile = 1 << 20
)

// NewKey binds a key to an algorithm and to a kid ("" for none). The key is a
// []byte for HS256, an ed25519.PublicKey for EdDSA, an *rsa.PublicKey for RS256
// or an *ecdsa.PublicKey on P-256 for ES256; anything else is an error.
func NewKey(alg, kid string, key any) (Key, error) {
	k := Key{id: kid, alg: alg, public: key}
	switch alg {
	case "HS256":
		k.method = jwt.SigningMethodHS256
		secret, ok := key.([]byte)
		if !ok {
			return Key{}, errors.New("HS256 needs a secret")
		}
		if len(secret) < minSecret {
			return Key{}, fmt.Errorf("the secret for HS256 has %d bytes and needs at least %d", len(secret), minSecret)
		}
		// A public key is no secret: verifying HS256 with one is the classic confusion.
		if b, _ := pem.Decode(secret); b != nil {
			return Key{}, errors.New("the secret for HS256 is a PEM file, which is no secret")
		}
	case "EdDSA":
		k.method = jwt.SigningMethodEdDSA
		if p, ok := key.(ed25519.PublicKey); !ok || len(p) != ed25519.PublicKeySize {
			return Key{}, errors.New("EdDSA needs an Ed25519 public key")
		}
	case "RS256":
		k.method = jwt.SigningMethodRS256
		p, ok := key.(*rsa.PublicKey)
		if !ok {
			return Key{}, errors.New("RS256 needs an RSA public key")
		}
		if n := p.N.BitLen(); n < minRSA || n > maxRSA {
			return Key{}, fmt.Errorf("the RSA key has %d bits and needs %d to %d", n, minRSA, maxRSA)
		}
	case "ES256":
		k.method = jwt.SigningMethodES256
		if p, ok := key.(*ecdsa.PublicKey); !ok || p.Curve != elliptic.P256() {
			return Key{}, errors.New("ES256 needs a public key on P-256")
		}
	default:
		return Key{}, fmt.Errorf("alg must be HS256, EdDSA, RS256 or ES256, not %q", alg)
	}
	return k, nil
}

func (k Key) verify(input string, signature []byte) bool {
	return k.method != nil && k.method.Verify(input, signature, k.public) == nil
}

// ParseHost reads a host from a flag's value: name=value pairs between commas.
//
//	iss=https://shop.example,aud=anteroom,alg=HS256,secret-file=/etc/anteroom/shop.secret
//	iss=https://shop.example,aud=anteroom,alg=EdDSA,key-file=/etc/anteroom/shop.pem,kid=2026
//	iss=https://shop.example,aud=anteroom,jwks-file=/etc/anteroom/shop.jwks.json,max-lifetime=10m
//
// Files are read now; a key changed later needs a restart. With jwks-file, alg
// is optional and keeps only the keys of that algorithm. The error is one
// sentence for the operator and never holds a secret.
func ParseHost(spec string) (Host, error) {
	set := map[string]string{}
	for pair := range strings.SplitSeq(spec, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || value == "" {
			return Host{}, errors.New("identity must be name=value pairs between commas, such as iss=https://shop.example,aud=anteroom,alg=HS256,secret-file=FILE")
		}
		switch name {
		case "iss", "aud", "alg", "kid", "secret-file", "key-file", "jwks-file", "max-lifetime":
		default:
			return Host{}, fmt.Errorf("identity has no setting %q", name)
		}
		if _, twice := set[name]; twice {
			return Host{}, fmt.Errorf("identity says %s twice", name)
		}
		set[name] = value
	}
	h := Host{Issuer: set["iss"], Audience: set["aud"]}
	if h.Issuer == "" || len(h.Issuer) > maxSubject {
		return Host{}, errors.New("identity needs iss, the issuer of the host's tokens")
	}
	fault := func(err error) (Host, error) { return Host{}, fmt.Errorf("identity of %s: %w", h.Issuer, err) }
	if h.Audience == "" {
		return fault(errors.New("aud is missing"))
	}
	if v, ok := set["max-lifetime"]; ok {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > 24*time.Hour {
			return fault(errors.New("max-lifetime must be a time up to 24h, such as 10m"))
		}
		h.Lifetime = d
	}
	files := 0
	for _, name := range []string{"secret-file", "key-file", "jwks-file"} {
		if set[name] != "" {
			files++
		}
	}
	if files != 1 {
		return fault(errors.New("exactly one of secret-file, key-file and jwks-file is needed"))
	}
	var err error
	switch {
	case set["jwks-file"] != "":
		if set["kid"] != "" {
			return fault(errors.New("a JWKS file brings its own kid"))
		}
		h.Keys, err = readJWKS(set["jwks-file"], set["alg"])
	case set["secret-file"] != "":
		if set["alg"] != "HS256" {
			return fault(errors.New("secret-file goes with alg=HS256"))
		}
		h.Keys, err = readSecret(set["secret-file"], set["kid"])
	default:
		if set["alg"] == "HS256" {
			return fault(errors.New("HS256 goes with secret-file"))
		}
		h.Keys, err = readPEM(set["key-file"], set["alg"], set["kid"])
	}
	if err != nil {
		return fault(err)
	}
	return h, nil
}

// ParseHosts reads hosts from a flag that may be repeated. A value may hold
// several hosts, and one host may be spread over several values: each iss
// begins another.
func ParseHosts(specs []string) ([]Host, error) {
	var each []string
	for pair := range strings.SplitSeq(strings.Join(specs, ","), ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		if strings.HasPrefix(pair, "iss=") || len(each) == 0 {
			each = append(each, pair)
		} else {
			each[len(each)-1] += "," + pair
		}
	}
	var out []Host
	for _, spec := range each {
		h, err := ParseHost(spec)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

func readKeyFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%s is too large for a key file", path)
	}
	return b, nil
}

func readSecret(path, kid string) ([]Key, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	k, err := NewKey("HS256", kid, []byte(strings.TrimRight(string(b), "\r\n")))
	return []Key{k}, err
}

func readPEM(path, alg, kid string) ([]Key, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%s must hold one PEM block", path)
	}
	var public any
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%s must hold a PUBLIC KEY, not %s", path, strings.ToUpper(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("%s holds no public key that can be read", path)
	}
	k, err := NewKey(alg, kid, public)
	return []Key{k}, err
}
