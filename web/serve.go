package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
)

// resource is one thing to serve, packed beforehand.
type resource struct {
	kind   string      // Content-Type
	header http.Header // beyond what serve sets itself
	status int         // 0 means 200
	tag    string      // hash of the content
	size   int64       // of the plain bytes
	plain  []byte      // nil: unpacked from gzip on the way
	br, gz []byte      // nil: not worth packing
}

// pack compresses data as well as it goes; it is called once per resource and start.
func pack(kind string, data []byte, header http.Header) *resource {
	r := &resource{kind: kind, header: header, tag: hash(data), size: int64(len(data)), plain: data}
	if strings.HasPrefix(kind, "image/png") {
		return r
	}
	var br, gz bytes.Buffer
	w := brotli.NewWriterLevel(&br, brotli.BestCompression)
	z, _ := gzip.NewWriterLevel(&gz, gzip.BestCompression) // the level is valid
	// A bytes.Buffer never fails.
	_, _ = w.Write(data)
	_, _ = z.Write(data)
	_, _ = w.Close(), z.Close()
	r.br, r.gz = br.Bytes(), gz.Bytes()
	return r
}

// hash is the part of a content's SHA-256 that its name and ETag carry.
func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// ServeHTTP sends the form the browser takes, or 304 if it has it.
func (s *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for k, v := range s.header {
		h[k] = v
	}
	h.Set("Content-Type", s.kind)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		h.Set("Cache-Control", "no-store")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, size, coding := s.plain, s.size, ""
	if s.br != nil {
		h.Set("Vary", "Accept-Encoding")
		switch accepted := r.Header.Get("Accept-Encoding"); {
		case accepts(accepted, "br"):
			body, size, coding = s.br, int64(len(s.br)), "br"
		case accepts(accepted, "gzip"):
			body, size, coding = s.gz, int64(len(s.gz)), "gzip"
		}
	}
	tag := `"` + s.tag + `"`
	if coding != "" {
		h.Set("Content-Encoding", coding)
		tag = `"` + s.tag + "-" + coding + `"`
	}
	if s.status == 0 {
		h.Set("ETag", tag)
		if matches(r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Type")
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	if r.Method == http.MethodHead {
		return
	}
	patient(w, size)
	if body == nil {
		unpacked, err := gzip.NewReader(bytes.NewReader(s.gz))
		if err != nil {
			panic(fmt.Errorf("web: embedded asset: %w", err)) // a broken build, not an input
		}
		_, _ = io.Copy(w, unpacked) // a browser that went away is nobody's error
		return
	}
	_, _ = w.Write(body)
}

// slowest is the line, in bytes a second, on which a module still comes. The
// server's time for an answer is made for small ones.
const slowest = 4 << 10

// patient gives a large answer the time that the slowest line needs for it.
func patient(w http.ResponseWriter, size int64) {
	if size < 64<<10 {
		return
	}
	// Where w knows no deadlines, there is none to lengthen.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Duration(size/slowest) * time.Second))
}

// accepts tells whether an Accept-Encoding header takes coding (RFC 9110 §12.5.3).
func accepts(header, coding string) bool {
	star := false
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != coding && name != "*" {
			continue
		}
		q := 1.0
		if k, v, ok := strings.Cut(strings.TrimSpace(params), "="); ok && strings.EqualFold(strings.TrimSpace(k), "q") {
			if n, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
				q = n
			}
		}
		if name == coding {
			return q > 0
		}
		star = q > 0
	}
	return star
}

// matches tells whether an If-None-Match header names tag.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == tag || part == "*" {
			return true
		}
	}
	return false
}
