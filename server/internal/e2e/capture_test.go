//go:build !js

package e2e

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Capture is everything a page has sent, as the browser tells it: addresses,
// headers, bodies and frames.
type Capture struct {
	mu   sync.Mutex
	sent []string
}

// capture notes what the tab's page sends from now on. A frame in a process of
// its own has to be attached to first: use it on the chat as a page of its own.
func (tab *Tab) capture() *Capture {
	tab.t.Helper()
	c := &Capture{}
	err := chromedp.Listen(tab.ctx, func(ev any) {
		line := ""
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			b, _ := json.Marshal(e.Request)
			line = string(b)
		case *network.EventRequestWillBeSentExtraInfo:
			b, _ := json.Marshal(e.Headers)
			line = string(b)
		case *network.EventWebSocketCreated:
			line = e.URL
		case *network.EventWebSocketFrameSent:
			line = string(e.Response.PayloadData)
		default:
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent = append(c.sent, line)
	})
	if err != nil {
		tab.t.Fatal(err)
	}
	return c
}

// of lists what was sent that contains a word.
func (c *Capture) of(word string) (lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.sent {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return lines
}

// before runs a script in every document of the tab's process before the page's own.
func (tab *Tab) before(script string) {
	tab.t.Helper()
	if err := tab.page.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": script}, nil); err != nil {
		tab.t.Fatal(err)
	}
}
