//go:build !js

package e2e

import (
	"strings"
	"testing"
)

// The composer: Enter sends, Shift+Enter breaks the line, the field grows and
// stops growing, line breaks and markup are kept as text, links can be clicked.
func TestComposer(t *testing.T) {
	s := serve(t)
	tab := visitor(t, "guest").open(s.shop + "/products/blue-bowl")
	chat := tab.openChat()
	height := func() (h float64) {
		chat.mustEval(`document.getElementById('message').getBoundingClientRect().height`, &h)
		return h
	}
	chat.click("textbox", "Message")
	one := height()
	tab.typeText("first line")
	tab.press("Enter", true)
	tab.typeText("second <b>line</b> & https://example.com/a?b=c.")
	await(t, "two lines in the field", func() (bool, error) {
		v, err := chat.value("Message")
		return v == "first line\nsecond <b>line</b> & https://example.com/a?b=c.", err
	})
	await(t, "the field to grow", func() (bool, error) { return height() > one+10, nil })
	tab.press("Enter", false)
	chat.delivered("first line\nsecond <b>line</b> & https://example.com/a?b=c.")
	await(t, "the field to shrink again", func() (bool, error) { return height() == one, nil })
	link := chat.find("link", "https://example.com/a?b=c")
	var where struct{ Href, Rel, Target string }
	if err := link.on(`function() { return {href: this.href, rel: this.rel, target: this.target} }`, &where); err != nil ||
		where.Href != "https://example.com/a?b=c" || !strings.Contains(where.Rel, "noopener") || where.Target != "_blank" {
		t.Errorf("the link is %+v (%v)", where, err)
	}

	// The limit is shown before it is hit, and the field stops growing.
	chat.fill("Message", strings.Repeat("many words ", 360)) // 3,960 of 4,000
	chat.sees("40 left")
	if h := height(); h < 100 || h > 200 {
		t.Errorf("the field with a long text is %v high", h)
	}
	tab.shot("composer-long")
	chat.fill("Message", strings.Repeat("x", 4001))
	tab.press("Enter", false)
	if v, err := chat.value("Message"); err != nil || len(v) != 4001 {
		t.Errorf("after a refused send the field holds %d characters (%v)", len(v), err)
	}
	chat.fill("Message", "")

	// Escape closes the panel and gives the focus back to the launcher.
	tab.press("Escape", false)
	tab.top().find("button", "Open chat")
	await(t, "the focus on the launcher", func() (bool, error) {
		var focused string
		err := tab.top().eval(`(document.activeElement.shadowRoot ? document.activeElement.shadowRoot.activeElement : document.activeElement).getAttribute('aria-label')`, &focused)
		return focused == "Open chat", err
	})
}
