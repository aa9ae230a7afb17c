package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"anteroom/store/chat"
)

func TestIDs(t *testing.T) {
	good := chat.EncodeID("r_", [16]byte{0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	if id, err := chat.ParseRoomID(good); err != nil || string(id) != good {
		t.Fatalf("%q: %v", good, err)
	}
	for name, s := range map[string]string{
		"empty":                  "",
		"prefix only":            "r_",
		"other prefix":           "u_" + good[2:],
		"no prefix":              good[2:],
		"too short":              good[:len(good)-1],
		"too long":               good + "a",
		"upper case":             strings.ToUpper(good),
		"mixed case":             good[:5] + strings.ToUpper(good[5:6]) + good[6:],
		"space":                  good + " ",
		"leading space":          " " + good,
		"newline":                good + "\n",
		"padding":                good[:len(good)-1] + "=",
		"digit outside alphabet": good[:len(good)-1] + "0",
		"unicode digit":          good[:len(good)-1] + "２",
		"second spelling":        good[:len(good)-1] + "z", // bits that are not ours
		"NUL":                    good[:len(good)-1] + "\x00",
		"path":                   "r_../../../../../../etc/passwd",
	} {
		if id, err := chat.ParseRoomID(s); err == nil || chat.CodeOf(err) != chat.CodeInvalid {
			t.Errorf("%s: %q was taken as %q (%v)", name, s, id, err)
		}
	}
}

// Whatever is taken as an id is spelled as we spell it, and by one kind only.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "r_", chat.EncodeID("r_", [16]byte{1}), chat.EncodeID("u_", [16]byte{}), "g_aaaaaaaaaaaaaaaaaaaaaaaaab", "R_AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kinds := 0
		try := func(prefix, got string, err error) {
			if err != nil {
				if got != "" || chat.CodeOf(err) != chat.CodeInvalid {
					t.Fatalf("%q: %q, %v", s, got, err)
				}
				return
			}
			kinds++
			if got != s || !strings.HasPrefix(s, prefix) || len(s) != 28 || strings.ToLower(s) != s {
				t.Fatalf("%q was taken as %q", s, got)
			}
		}
		r, err := chat.ParseRoomID(s)
		try("r_", string(r), err)
		u, err := chat.ParseUserID(s)
		try("u_", string(u), err)
		v, err := chat.ParseVendorID(s)
		try("v_", string(v), err)
		g, err := chat.ParseGuestSessionID(s)
		try("g_", string(g), err)
		a, err := chat.ParseAccountSessionID(s)
		try("s_", string(a), err)
		if kinds > 1 {
			t.Fatalf("%q is of %d kinds", s, kinds)
		}
	})
}

func FuzzParseClientID(f *testing.F) {
	for _, s := range []string{"", "a", "A-z_09", strings.Repeat("x", 64), strings.Repeat("x", 65), "a b", "é", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := chat.ParseClientID(s)
		want := len(s) >= 1 && len(s) <= 64 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
		if (err == nil) != want || err == nil && string(id) != s {
			t.Fatalf("%q: %q, %v", s, id, err)
		}
	})
}

func TestParseText(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		code           chat.Code
	}{
		{name: "kept as written", in: "Grüße, 世界 👋🏽", want: "Grüße, 世界 👋🏽"},
		{name: "surrounding space goes", in: " \n\t hello \n", want: "hello"},
		{name: "line breaks become one kind", in: "a\r\nb\rc\nd", want: "a\nb\nc\nd"},
		{name: "markup is text", in: "<b>&amp;</b>", want: "<b>&amp;</b>"},
		{name: "empty", in: "", code: chat.CodeInvalid},
		{name: "only space", in: " \r\n\u2003", code: chat.CodeInvalid},
		{name: "NUL", in: "a\x00b", code: chat.CodeInvalid},
		{name: "not UTF-8", in: "a\xff", code: chat.CodeInvalid},
		{name: "at the limit", in: strings.Repeat("é", chat.MaxText), want: strings.Repeat("é", chat.MaxText)},
		{name: "above the limit", in: strings.Repeat("é", chat.MaxText+1), code: chat.CodeTooLarge},
		{name: "4,000 characters of four bytes", in: strings.Repeat("👋", chat.MaxText), want: strings.Repeat("👋", chat.MaxText)},
		{name: "too many bytes", in: strings.Repeat(" ", chat.MaxTextBytes+1), code: chat.CodeTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chat.ParseText(tt.in)
			if chat.CodeOf(err) != tt.code || got != tt.want {
				t.Fatalf("%.40q, %v", got, err)
			}
		})
	}
}

// Accepted text is accepted again unchanged: what is stored can be sent again.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "a", "\r\n", "a\r\r\nb", "\u2028x\u0085", strings.Repeat("é", chat.MaxText+1), "\xff", "x\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := chat.ParseText(s)
		if err != nil {
			if c := chat.CodeOf(err); got != "" || c != chat.CodeInvalid && c != chat.CodeTooLarge {
				t.Fatalf("%q, %v", got, err)
			}
			return
		}
		if got == "" || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r") || utf8.RuneCountInString(got) > chat.MaxText {
			t.Fatalf("took %q", got)
		}
		if again, err := chat.ParseText(got); err != nil || again != got {
			t.Fatalf("%q became %q (%v)", got, again, err)
		}
	})
}

func TestParseName(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Okafor":             "Ada Okafor",
		"  Ada \t\n Okafor ":     "Ada Okafor",
		"<script>":               "<script>",
		"":                       "",
		"   ":                    "",
		"a\x07b":                 "",
		"abc\u202egnp.exe":       "", // draws right to left
		"a\u2066b":               "",
		"a\xff":                  "",
		strings.Repeat("é", 80):  strings.Repeat("é", 80),
		strings.Repeat("é", 81):  "",
		"Zoë \u200d family name": "Zoë \u200d family name",
	} {
		got, err := chat.ParseName(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestParseSlug(t *testing.T) {
	for in, ok := range map[string]bool{
		"maple-pottery": true, "a": true, "7": true, strings.Repeat("a", 64): true,
		"": false, "-a": false, "a-": false, "A": false, "a_b": false, "a b": false, "é": false, strings.Repeat("a", 65): false, "a/b": false,
	} {
		if _, err := chat.ParseSlug(in); (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestInitials(t *testing.T) {
	for in, want := range map[string]string{"Maple Pottery": "MP", "Oak & Linen": "OL", "tea": "T", "": "", "été de la mer": "ÉD", "(x) y": "XY", "🎈": ""} {
		if got := chat.Initials(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestGuestLabel(t *testing.T) {
	if got := chat.GuestLabel("g_7q2kaaaaaaaaaaaaaaaaaaaaaa"); got != "Guest 7Q2K" {
		t.Error(got)
	}
	if got := chat.GuestLabel(""); got != "Guest" {
		t.Error(got)
	}
}

// One code, one status, one close code; the close code says whether to come back.
func TestOutcomes(t *testing.T) {
	codes, closes := map[chat.Code]bool{}, map[int]bool{}
	for _, o := range chat.Outcomes {
		if codes[o.Code] || closes[o.Close] {
			t.Errorf("%s: code or close code %d twice", o.Code, o.Close)
		}
		codes[o.Code], closes[o.Close] = true, true
		if chat.OutcomeOf(o.Code) != o || chat.CodeOfClose(o.Close) != o.Code {
			t.Errorf("%s: the table does not find it", o.Code)
		}
		if back := o.Close < 4500; back != (&chat.Error{Code: o.Code}).Temporary() {
			t.Errorf("%s: close code %d and Temporary disagree", o.Code, o.Close)
		}
		if o.Close < 4000 || o.Close > 4999 || o.Status < 400 || o.Status > 599 || o.Client == "" {
			t.Errorf("%s: %+v", o.Code, o)
		}
	}
	if chat.OutcomeOf("new").Code != chat.CodeInternal || chat.CodeOfClose(1006) != "" {
		t.Error("unknown codes")
	}
	if chat.CodeOf(nil) != "" || chat.CodeOf(fmt.Errorf("x: %w", chat.AccessDenied)) != chat.CodeAccessDenied || chat.CodeOf(fmt.Errorf("x")) != chat.CodeInternal {
		t.Error("CodeOf")
	}
}

func TestPrincipalIdentity(t *testing.T) {
	for want, p := range map[chat.Identity]chat.Principal{
		"":    {},
		"g_1": {Kind: chat.KindGuest, GuestSession: "g_1"},
		"u_1": {Kind: chat.KindUser, User: "u_1"},
		"u_2": {Kind: chat.KindGuest, GuestSession: "g_1", User: "u_2"}, // linked: one sender with its user
	} {
		if got := p.Identity(); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
}
