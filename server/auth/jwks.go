package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

const maxJWKS = 32 // keys

// jwk is a key as RFC 7517 writes it. Private members are read only to be refused.
type jwk struct {
	Kty, Use, Alg, Kid, Crv string
	X, Y, N, E              string
	D, K                    string
}

// readJWKS reads the keys of a JWKS file that can verify identity tokens; a
// non-empty alg keeps only those of that algorithm.
func readJWKS(path, alg string) ([]Key, error) {
	b, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(b, &set); err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf("%s is no JWKS file", path)
	}
	if len(set.Keys) > maxJWKS {
		return nil, fmt.Errorf("%s holds more than %d keys", path, maxJWKS)
	}
	var keys []Key
	seen := map[string]bool{}
	for i, j := range set.Keys {
		at := func(err error) error { return fmt.Errorf("key %d of %s: %w", i+1, path, err) }
		if j.D != "" || j.K != "" {
			return nil, at(errors.New("it is private; only public keys belong there"))
		}
		if j.Use != "" && j.Use != "sig" {
			continue
		}
		of, public, err := j.public()
		if err != nil {
			return nil, at(err)
		}
		if of == "" || alg != "" && of != alg || j.Alg != "" && j.Alg != of {
			continue // a key for something we do not speak
		}
		if j.Kid == "" {
			return nil, at(errors.New("it has no kid"))
		}
		if seen[j.Kid] {
			return nil, at(errors.New("its kid is there twice"))
		}
		seen[j.Kid] = true
		k, err := NewKey(of, j.Kid, public)
		if err != nil {
			return nil, at(err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key for EdDSA, RS256 or ES256", path)
	}
	return keys, nil
}

// public gives the algorithm and the key; "" for a kind of key we do not know.
func (j jwk) public() (alg string, key any, err error) {
	number := func(s string) []byte {
		b, e := base64.RawURLEncoding.DecodeString(s)
		if e != nil || len(b) == 0 {
			err = errors.New("a coordinate is missing or malformed")
		}
		return b
	}
	switch {
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		return "EdDSA", ed25519.PublicKey(number(j.X)), err
	case j.Kty == "RSA":
		n, e := number(j.N), number(j.E)
		if err == nil && len(e) > 4 {
			err = errors.New("the exponent is too large")
		}
		if err != nil {
			return "", nil, err
		}
		exponent := int(new(big.Int).SetBytes(e).Int64())
		if exponent < 3 || exponent%2 == 0 {
			return "", nil, errors.New("the exponent must be odd and at least 3")
		}
		return "RS256", &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}, nil
	case j.Kty == "EC" && j.Crv == "P-256":
		x, y := number(j.X), number(j.Y)
		if err == nil && (len(x) != 32 || len(y) != 32) {
			err = errors.New("a coordinate on P-256 must have 32 bytes")
		}
		if err != nil {
			return "", nil, err
		}
		p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		return "ES256", p, err
	}
	return "", nil, nil
}
