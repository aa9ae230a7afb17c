package web

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

// The budgets, in bytes of brotli: those of issue 3, and one for the inbox's
// module, which staff load once and keep.
const (
	loaderBudget   = 4096
	documentBudget = 14 << 10 // one round trip of a fresh connection
	moduleBudget   = 880_000
	inboxBudget    = 920_000
)

func packed(t testing.TB, path string) int {
	t.Helper()
	b, err := io.ReadAll(get(t, Handler(testConfig(t)), path, "Accept-Encoding", "br").Body)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

func TestLoaderBudget(t *testing.T) {
	if n := packed(t, "/embed.js"); n > loaderBudget {
		t.Errorf("embed.js: %d bytes of brotli, at most %d", n, loaderBudget)
	} else {
		t.Logf("embed.js: %d of %d bytes", n, loaderBudget)
	}
}

func TestDocumentBudget(t *testing.T) {
	for _, path := range []string{"/widget", "/inbox/"} {
		if n := packed(t, path); n > documentBudget {
			t.Errorf("%s: %d bytes of brotli, at most %d", path, n, documentBudget)
		} else {
			t.Logf("%s: %d of %d bytes", path, n, documentBudget)
		}
	}
}

// TestModuleBudget holds for slim modules compressed well, which is what a
// release has; other builds in dist are only reported.
func TestModuleBudget(t *testing.T) {
	text, err := files.ReadFile("dist/manifest.json")
	if err != nil {
		t.Skip("no modules were built: make build")
	}
	var m struct {
		Slim, Fast    bool
		Widget, Inbox struct{ Brotli int }
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		size, budget int
	}{{"widget", m.Widget.Brotli, moduleBudget}, {"inbox", m.Inbox.Brotli, inboxBudget}} {
		if m.Slim && !m.Fast && c.size > c.budget {
			t.Errorf("the %s's module: %d bytes of brotli, at most %d", c.name, c.size, c.budget)
		}
		t.Logf("%s, slim %v, fast %v: %d of %d bytes", c.name, m.Slim, m.Fast, c.size, c.budget)
	}
}

// TestWidgetHasNoInbox holds the widget's module to be the smaller one: words
// that only the inbox's screens use are in the inbox's module alone.
func TestWidgetHasNoInbox(t *testing.T) {
	b, err := readBuilt(must(fs.Sub(files, "dist")))
	if err != nil || b.Widget.Name == "" {
		t.Skip("no modules were built, or one for both surfaces as there once was: make build")
	}
	for _, c := range []struct {
		module builtAsset
		inbox  bool
	}{{b.Widget, false}, {b.Inbox, true}} {
		packed, err := files.ReadFile("dist/" + c.module.Name + ".br")
		if err != nil {
			t.Fatal(err)
		}
		module, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(module, []byte("Only admins can read the audit table.")) != c.inbox {
			t.Errorf("the inbox's screens in %s: want %v", c.module.Name, c.inbox)
		}
	}
}

// TestScriptsUseNoHTMLSinks keeps our scripts working under Trusted Types, the
// host page's and our own.
func TestScriptsUseNoHTMLSinks(t *testing.T) {
	sinks := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|\beval\(|new Function|setTimeout\(['"]|javascript:`)
	for _, name := range []string{"embed.js", "early.js", "focus.js", "boot.js", "sw.js", "sw-kill.js"} {
		if s := sinks.FindString(script(name)); s != "" {
			t.Errorf("%s uses %s", name, s)
		}
	}
	if strings.Contains(script("embed.js"), "document.cookie") {
		t.Error("embed.js touches cookies")
	}
}

// TestStrippingIsHarmless holds the scripts to what strip relies on: no line
// of code begins with // and no template literal spans lines.
func TestStrippingIsHarmless(t *testing.T) {
	for _, name := range []string{"embed.js", "early.js", "focus.js", "boot.js", "sw.js", "sw-kill.js"} {
		for i, line := range strings.Split(script(name), "\n") {
			if strings.Count(line, "`")%2 != 0 {
				t.Errorf("%s, line %d of the stripped script: a template literal over several lines", name, i+1)
			}
		}
	}
}
