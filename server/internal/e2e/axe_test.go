//go:build !js

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// axe gives axe-core, which the Makefile brings by npm; nothing of it is shipped.
func axe(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		const hint = "axe-core is not installed: run make test-browser, or npm ci in web"
		if os.Getenv("ANTEROOM_E2E") == "" {
			t.Skip(hint)
		}
		t.Fatal(hint)
	}
	return string(b)
}

// accessible lets axe-core judge a screen: what it calls serious or critical fails the test.
func (d *Doc) accessible(t testing.TB, axe, screen string) {
	t.Helper()
	p, err := d.where()
	if err != nil {
		t.Fatal(err)
	}
	// Evaluated by the debugger, which no policy of the page's concerns.
	if _, _, err := p.evaluate(axe+";0", true); err != nil {
		t.Fatalf("%s: axe does not load: %v", screen, err)
	}
	var faults []struct {
		ID, Impact, Help string
		Nodes            []struct {
			HTML, FailureSummary string
			Target               []any
		}
	}
	err = d.eval(`axe.run(document, {iframes: false, resultTypes: ['violations']}).then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical'))`, &faults)
	if err != nil {
		t.Fatalf("%s: %v", screen, err)
	}
	for _, f := range faults {
		var b strings.Builder
		for _, n := range f.Nodes {
			fmt.Fprintf(&b, "\n    %v %s\n      %s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
		}
		t.Errorf("%s: %s (%s): %s%s", screen, f.ID, f.Impact, f.Help, &b)
	}
	d.tab.shot("axe-" + strings.NewReplacer(" ", "-", "/", "-").Replace(screen))
}

// TestAccessible shows every screen to axe-core, in light and dark.
func TestAccessible(t *testing.T) {
	core := axe(t)
	s := serve(t)

	t.Run("shop", func(t *testing.T) {
		tab := visitor(t, "axe").open(s.shop)
		for _, path := range []string{"/", "/vendors/oak-linen", "/products/blue-bowl", "/account/login", "/nothing"} {
			tab.allow("404")
			tab.visit(s.shop + path)
			tab.top().accessible(t, core, "shop "+strings.Trim(path, "/"))
		}
	})
	for _, scheme := range []string{"light", "dark"} {
		t.Run("widget "+scheme, func(t *testing.T) { widgetScreens(t, s, core, scheme) })
		t.Run("inbox "+scheme, func(t *testing.T) { inboxScreens(t, s, core, scheme) })
	}
}

func widgetScreens(t *testing.T, s *Server, core, scheme string) {
	tab := visitor(t, "axe-"+scheme).open(s.shop)
	chat := tab.openChat()
	tab.dark(scheme == "dark")
	judge := func(screen string) { chat.accessible(t, core, "widget "+scheme+" "+screen) }
	judge("first")
	if chat.has("button", "New chat") {
		chat.click("button", "New chat")
	}
	chat.find("list", "Vendors")
	judge("vendors")
	chat.click("button", "Maple Pottery")
	chat.find("textbox", "Message")
	judge("new room")
	chat.say("A first line with a link: https://example.com/page")
	chat.delivered("A first line")
	mia := s.staff("mia")
	s.answer(mia, s.roomWith(mia, "A first line with a link: https://example.com/page").ID, "An answer")
	chat.reads("A first line", "An answer")
	judge("room")
	chat.fill("Message", strings.Repeat("long ", 790))
	judge("near the limit")
	chat.fill("Message", "short")
	chat.click("button", "Back")
	chat.find("list", "Rooms")
	judge("rooms")
	chat.click("button", "Log in")
	chat.find("textbox", "Username")
	judge("log in")
	chat.fill("Username", "nobody")
	chat.fill("Password", "wrong-password")
	tab.allow("401") // the browser's own line about a refused log-in
	tab.press("Enter", false)
	chat.sees("Username or password is wrong")
	judge("log in refused")
}

func inboxScreens(t *testing.T, s *Server, core, scheme string) {
	v := visitor(t, "axe-inbox-"+scheme)
	tab := v.open(s.url + "/inbox/")
	tab.dark(scheme == "dark")
	d := tab.top()
	judge := func(screen string) { d.accessible(t, core, "inbox "+scheme+" "+screen) }
	d.find("textbox", "Username")
	judge("log in")
	d.fill("Username", "mia")
	d.fill("Password", "demo-mia")
	d.click("button", "Log in")
	d.find("list", "Rooms")
	judge("rooms")
	d.enter("Ada Okafor")
	d.sees("It left the kiln")
	judge("room")
	tab.size(390, 844, true)
	judge("phone")
	tab.size(1280, 900, false)
	tab.visit(s.url + "/inbox/offline")
	judge("offline")
	tab.visit(s.url + "/chat")
	await(t, "the chat's own page to be live", func() (bool, error) {
		var live bool
		err := d.eval(`document.body.classList.contains('is-live')`, &live)
		return live, err
	})
	judge("chat in a tab")
}
