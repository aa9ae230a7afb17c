package protocol

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"anteroom/store/chat"
)

const (
	maxKeys   = 64 // of one object; our largest has about 20
	maxNumber = 32 // bytes of a number; an int64 needs 20
)

// Unmarshal decodes one JSON value into v under the rules of the wire: valid
// UTF-8, no byte order mark, at most MaxDepth levels, no key twice in one
// object, no lone surrogate, no number of absurd length, nothing behind the
// value. Unknown keys are ignored, and a key in another case is an unknown key
// (encoding/json alone would take it). Errors have code invalid. data is not
// modified; v does not refer to it afterwards.
func Unmarshal(data []byte, v any) error {
	clean, err := strict(data)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(clean, v); err != nil {
		return chat.Errorf(chat.CodeInvalid, "JSON does not have the expected shape")
	}
	return nil
}

// strict checks data and returns it, or a copy in which keys that
// encoding/json would match without regard to case are made unknown.
func strict(data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		return nil, errUTF8
	}
	s := scanner{data: data, out: data}
	s.space()
	s.value(1)
	s.space()
	if s.err == nil && s.i != len(s.data) {
		s.fail("data behind the JSON value")
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.out, nil
}

var errUTF8 = chat.Errorf(chat.CodeInvalid, "not valid UTF-8")

// scanner walks over one JSON value. After the first error it consumes nothing more.
type scanner struct {
	data []byte
	out  []byte // data, or a copy once something had to be changed
	i    int
	err  error
}

func (s *scanner) fail(why string) {
	if s.err == nil {
		s.err = chat.Errorf(chat.CodeInvalid, "malformed JSON: %s", why)
	}
	s.i = len(s.data)
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.data) {
		return s.data[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.data) {
		switch s.data[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth > MaxDepth {
			s.fail("nested too deep")
			return
		}
		if c == '{' {
			s.object(depth)
		} else {
			s.array(depth)
		}
	case c == '"':
		s.string()
	case c == '-' || c >= '0' && c <= '9':
		if start := s.i; !s.number() || s.i-start > maxNumber {
			s.fail("a number")
		}
	default:
		for _, word := range []string{"true", "false", "null"} {
			if bytes.HasPrefix(s.data[s.i:], []byte(word)) {
				s.i += len(word)
				return
			}
		}
		s.fail("not a value")
	}
}

// number scans a number and tells whether it was one.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return true
}

// digits scans one digit or more.
func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}

func (s *scanner) array(depth int) {
	s.i++
	s.space()
	if s.peek() == ']' {
		s.i++
		return
	}
	for s.err == nil {
		s.space()
		s.value(depth + 1)
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return
		default:
			s.fail("an array")
		}
	}
}

func (s *scanner) object(depth int) {
	var few [16][]byte
	keys := few[:0]
	s.i++
	s.space()
	if s.peek() == '}' {
		s.i++
		return
	}
	for s.err == nil {
		s.space()
		key := s.key()
		for _, k := range keys {
			if bytes.Equal(k, key) {
				s.fail("a key twice")
				return
			}
		}
		if len(keys) == maxKeys {
			s.fail("too many keys")
			return
		}
		keys = append(keys, key)
		s.space()
		if s.peek() != ':' {
			s.fail("an object")
			return
		}
		s.i++
		s.space()
		s.value(depth + 1)
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return
		default:
			s.fail("an object")
		}
	}
}

// key scans a key and returns it without escapes. A key that is not plain
// lower case is overwritten in out: all keys of ours are.
func (s *scanner) key() []byte {
	start := s.i
	if s.peek() != '"' || !s.string() {
		s.fail("an object's key")
		return nil
	}
	raw := s.data[start+1 : s.i-1]
	key := raw
	if bytes.IndexByte(raw, '\\') >= 0 {
		var text string
		if json.Unmarshal(s.data[start:s.i], &text) != nil {
			s.fail("an object's key")
			return nil
		}
		key = []byte(text)
	}
	for _, c := range key {
		if c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			if &s.out[0] == &s.data[0] {
				s.out = bytes.Clone(s.data)
			}
			for i := start + 1; i < s.i-1; i++ {
				s.out[i] = '~'
			}
			break
		}
	}
	return key
}

// string scans a string and tells whether it was one.
func (s *scanner) string() bool {
	for s.i++; s.i < len(s.data); s.i++ {
		switch c := s.data[s.i]; {
		case c == '"':
			s.i++
			return true
		case c < ' ':
			s.fail("a control character")
			return false
		case c == '\\':
			s.i++
			switch s.peek() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if !s.unicode() {
					s.fail("a unicode escape")
					return false
				}
			default:
				s.fail("an escape")
				return false
			}
		}
	}
	s.fail("a string without end")
	return false
}

// unicode checks the escape whose "u" is at s.i, and its second half where it
// is a surrogate; s.i ends on the last hex digit.
func (s *scanner) unicode() bool {
	r, ok := s.hex(s.i + 1)
	if !ok || r >= 0xdc00 && r <= 0xdfff {
		return false
	}
	s.i += 4
	if r < 0xd800 || r > 0xdbff {
		return true
	}
	if s.i+2 >= len(s.data) || s.data[s.i+1] != '\\' || s.data[s.i+2] != 'u' {
		return false
	}
	low, ok := s.hex(s.i + 3)
	s.i += 6
	return ok && low >= 0xdc00 && low <= 0xdfff
}

func (s *scanner) hex(at int) (rune, bool) {
	if at+4 > len(s.data) {
		return 0, false
	}
	var r rune
	for _, c := range s.data[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
