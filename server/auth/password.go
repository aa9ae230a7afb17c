package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"anteroom/store/chat"
)

// Params is what one argon2id hash costs.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

var (
	// DefaultParams are OWASP's first choice for argon2id: 46 MiB, one pass.
	DefaultParams = Params{Memory: 46 << 10, Time: 1, Threads: 1}
	// CheapParams are for tests and demos: they protect nothing.
	CheapParams = Params{Memory: 64, Time: 1, Threads: 1}
)

const (
	minPassword = 8    // code points
	maxPassword = 1024 // bytes; argon2 itself takes any length, a request should not
	saltLength  = 16
	keyLength   = 32

	// MaxMemory is the most that Params.Memory may be: a stored hash that asks for
	// more is refused, not computed.
	MaxMemory = 1 << 20 // KiB
)

// HashPassword gives the argon2id hash of password in PHC form.
func HashPassword(random io.Reader, p Params, password string) (string, error) {
	var salt [saltLength]byte
	if _, err := io.ReadFull(random, salt[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return phc{p, salt[:], argon2.IDKey([]byte(password), salt[:], p.Time, p.Memory, p.Threads, keyLength)}.String(), nil
}

// VerifyPassword tells whether password is the one hash was made of. A hash
// that is not argon2id in PHC form, or out of all proportion, matches nothing.
func VerifyPassword(hash, password string) bool {
	h, ok := parsePHC(hash)
	if !ok {
		return false
	}
	got := argon2.IDKey([]byte(password), h.salt, h.Time, h.Memory, h.Threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1
}

// ParsePassword checks a password that somebody wants to have: 8 code points
// to 1024 bytes of UTF-8. The error has code invalid.
func ParsePassword(s string) (string, error) {
	switch {
	case !utf8.ValidString(s):
		return "", chat.Errorf(chat.CodeInvalid, "password is not valid UTF-8")
	case utf8.RuneCountInString(s) < minPassword:
		return "", chat.Errorf(chat.CodeInvalid, "password must have at least %d characters", minPassword)
	case len(s) > maxPassword:
		return "", chat.Errorf(chat.CodeInvalid, "password may have at most %d bytes", maxPassword)
	}
	return s, nil
}

// phc is a parsed hash: $argon2id$v=19$m=…,t=…,p=…$salt$key.
type phc struct {
	Params
	salt, key []byte
}

var phcEncoding = base64.RawStdEncoding.Strict()

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.Memory, h.Time, h.Threads,
		phcEncoding.EncodeToString(h.salt), phcEncoding.EncodeToString(h.key))
}

func parsePHC(s string) (phc, bool) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, false
	}
	var h phc
	cost := strings.Split(part[3], ",")
	if len(cost) != 3 {
		return phc{}, false
	}
	number := func(s, prefix string, bits int) uint64 {
		v, ok := strings.CutPrefix(s, prefix)
		n, err := strconv.ParseUint(v, 10, bits)
		if !ok || err != nil {
			return 0
		}
		return n
	}
	h.Memory, h.Time, h.Threads = uint32(number(cost[0], "m=", 32)), uint32(number(cost[1], "t=", 16)), uint8(number(cost[2], "p=", 8))
	var err1, err2 error
	h.salt, err1 = phcEncoding.DecodeString(part[4])
	h.key, err2 = phcEncoding.DecodeString(part[5])
	ok := err1 == nil && err2 == nil && h.Memory > 0 && h.Memory <= MaxMemory && h.Time > 0 && h.Time <= 64 && h.Threads > 0 &&
		len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.key) >= 16 && len(h.key) <= 64
	return h, ok
}

// hasher bounds how many passwords are hashed at the same time and how many
// wait, so that a flood of log-ins costs a fixed amount of memory.
type hasher struct {
	params Params
	random io.Reader
	dummy  string        // verified where there is no account
	slots  chan struct{} // holds a token per hash under way
	queued atomic.Int64
	queue  int64
}

func newHasher(p Params, random io.Reader, slots, queue int) *hasher {
	h := &hasher{params: p, random: random, slots: make(chan struct{}, slots), queue: int64(queue)}
	// The dummy only has to cost the same: nothing matches a key nobody computed.
	h.dummy = phc{p, make([]byte, saltLength), make([]byte, keyLength)}.String()
	return h
}

// errBusy is the answer to a log-in that would wait behind too many others.
var errBusy = &chat.Error{Code: chat.CodeRateLimited, Message: "Too many log-ins at once; try again in a moment", RetryAfter: 2 * time.Second}

func (h *hasher) enter(ctx context.Context) error {
	if h.queued.Add(1) > h.queue+int64(cap(h.slots)) {
		h.queued.Add(-1)
		return errBusy
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		h.queued.Add(-1)
		return ctx.Err()
	}
}

func (h *hasher) leave() {
	<-h.slots
	h.queued.Add(-1)
}

// verify checks password against hash; "" costs the same and matches nothing.
func (h *hasher) verify(ctx context.Context, hash, password string) (bool, error) {
	if len(password) > maxPassword {
		password = "" // too long to be anybody's; still costs the same
		hash = ""
	}
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	return VerifyPassword(hash, password) && known, nil
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return HashPassword(h.random, h.params, password)
}

// outdated tells whether a hash was made at another cost than the configured one.
func (h *hasher) outdated(hash string) bool {
	p, ok := parsePHC(hash)
	return ok && p.Params != h.params
}
