package ui

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestSegments(t *testing.T) {
	link := func(s string) Segment { return Segment{Text: s, URL: s} }
	text := func(s string) Segment { return Segment{Text: s} }
	for name, c := range map[string]struct {
		in   string
		want []Segment
	}{
		"empty":                         {"", nil},
		"plain":                         {"no link here", []Segment{text("no link here")}},
		"only a link":                   {"https://a.example", []Segment{link("https://a.example")}},
		"final full stop":               {"See http://a.example/x.", []Segment{text("See "), link("http://a.example/x"), text(".")}},
		"in brackets":                   {"(https://a.example/x)", []Segment{text("("), link("https://a.example/x"), text(")")}},
		"its own brackets":              {"https://a.example/x_(y)", []Segment{link("https://a.example/x_(y)")}},
		"query and fragment":            {"https://a.example/?q=1&r=2#f ok", []Segment{link("https://a.example/?q=1&r=2#f"), text(" ok")}},
		"two":                           {"http://a.example http://b.example", []Segment{link("http://a.example"), text(" "), link("http://b.example")}},
		"upper case scheme":             {"HTTPS://A.example", []Segment{link("HTTPS://A.example")}},
		"inside a word":                 {"xhttp://a.example", []Segment{text("xhttp://a.example")}},
		"no host":                       {"http:// https://... http:///x", []Segment{text("http:// https://... http:///x")}},
		"user part hides the host":      {"https://bank.example@evil.example", []Segment{text("https://bank.example@evil.example")}},
		"javascript":                    {"javascript:alert(1)", []Segment{text("javascript:alert(1)")}},
		"data":                          {"data:text/html,<b>x</b>", []Segment{text("data:text/html,<b>x</b>")}},
		"markup stays text":             {`<a href="https://a.example">`, []Segment{text(`<a href="`), link("https://a.example"), text(`">`)}},
		"bidirectional override":        {"https://a.example/\u202egpj", []Segment{link("https://a.example/"), text("\u202egpj")}},
		"line break":                    {"https://a.example\nnext", []Segment{link("https://a.example"), text("\nnext")}},
		"other languages":               {"пиши на https://пример.рф/чай!", []Segment{text("пиши на "), link("https://пример.рф/чай"), text("!")}},
		"invalid UTF-8 is not a link's": {"http://a.example/\xff", []Segment{link("http://a.example/"), text("\xff")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Segments(c.in); !reflect.DeepEqual(got, c.want) {
				t.Errorf("Segments(%q)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzSegments(f *testing.F) {
	for _, s := range []string{"a https://x.example/(y).", "http://", "HTTP://A@b", "https://a.example\u202e", "\xff", "((http://a.b))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var all strings.Builder
		for i, s := range Segments(in) {
			all.WriteString(s.Text)
			if s.Text == "" {
				t.Fatalf("segment %d of %q is empty", i, in)
			}
			if s.URL == "" {
				continue
			}
			if s.URL != s.Text {
				t.Fatalf("link %q shows %q", s.URL, s.Text)
			}
			low := strings.ToLower(s.URL)
			if !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") {
				t.Fatalf("link with another scheme: %q", s.URL)
			}
			if strings.ContainsAny(s.URL, " \n\t\"<>`") {
				t.Fatalf("link holds a character that ends links: %q", s.URL)
			}
			if u, err := url.Parse(s.URL); err == nil && u.User != nil {
				t.Fatalf("link with a user part: %q", s.URL)
			}
		}
		if all.String() != in {
			t.Fatalf("texts together are %q, want %q", all.String(), in)
		}
	})
}
