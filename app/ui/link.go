package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Segment is a stretch of a message's text. URL is set for one that is a link;
// it then begins with http:// or https:// and is exactly what Text shows.
type Segment struct{ Text, URL string }

// Segments cuts a message into plain text and links. The texts of the segments
// together are the message, unchanged; only http and https with a host become
// links, and neither a closing bracket without its opening one nor final
// punctuation belongs to a link.
func Segments(text string) []Segment {
	var out []Segment
	plain := 0 // where the plain text not yet emitted begins
	for i := 0; i < len(text); {
		n := schemeAt(text, i)
		if n == 0 {
			_, w := utf8.DecodeRuneInString(text[i:])
			i += w
			continue
		}
		end := linkEnd(text, i+n)
		if end == i+n {
			i += n
			continue
		}
		if plain < i {
			out = append(out, Segment{Text: text[plain:i]})
		}
		out = append(out, Segment{Text: text[i:end], URL: text[i:end]})
		i, plain = end, end
	}
	if plain < len(text) {
		out = append(out, Segment{Text: text[plain:]})
	}
	return out
}

// schemeAt returns the length of "http://" or "https://" at i, 0 where there
// is none or where it stands inside a word.
func schemeAt(s string, i int) int {
	if c := s[i]; c != 'h' && c != 'H' {
		return 0
	}
	n := 0
	for _, scheme := range []string{"https://", "http://"} {
		if len(s)-i >= len(scheme) && strings.EqualFold(s[i:i+len(scheme)], scheme) {
			n = len(scheme)
			break
		}
	}
	if n == 0 {
		return 0
	}
	if r, _ := utf8.DecodeLastRuneInString(s[:i]); i > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_') {
		return 0
	}
	return n
}

// linkEnd returns the end of the link whose host begins at i, or i where there
// is no host.
func linkEnd(s string, i int) int {
	end := i
	for end < len(s) {
		r, w := utf8.DecodeRuneInString(s[end:])
		if !linkRune(r, w) {
			break
		}
		end += w
	}
	// Punctuation that ends a sentence, and brackets the sentence opened, are not the link's.
	for end > i {
		r, w := utf8.DecodeLastRuneInString(s[i:end])
		if strings.ContainsRune(".,;:!?'*_~…", r) || unbalanced(s[i:end], r) {
			end -= w
			continue
		}
		break
	}
	host := s[i:end]
	if j := strings.IndexAny(host, "/?#"); j >= 0 {
		host = host[:j]
	}
	// A user part ("https://bank.example@evil.example") shows another host than it opens.
	if strings.Contains(host, "@") || !strings.ContainsFunc(host, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return i
	}
	return end
}

func linkRune(r rune, w int) bool {
	if r == utf8.RuneError && w <= 1 {
		return false
	}
	// Formatting characters (bidirectional overrides, zero-width) could make a link look like another.
	if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf) {
		return false
	}
	return !strings.ContainsRune("<>\"`{}|\\^", r)
}

func unbalanced(s string, last rune) bool {
	switch last {
	case ')':
		return strings.Count(s, ")") > strings.Count(s, "(")
	case ']':
		return strings.Count(s, "]") > strings.Count(s, "[")
	case '(', '[':
		return true
	}
	return false
}
