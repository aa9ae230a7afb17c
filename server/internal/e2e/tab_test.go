//go:build !js

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Tab is one tab of a visitor's browser.
type Tab struct {
	t    testing.TB
	name string
	ctx  context.Context
	page *session

	mu       sync.Mutex
	console  []string         // errors seen, oldest first
	allowed  []*regexp.Regexp // errors the test causes
	frames   map[target.ID]*session
	contexts map[string]int64 // frame id → default execution context, of frames in the page's own process
}

// session is a connection to one target: the page, or a frame in a process of its own.
type session struct {
	ctx    context.Context
	target *chromedp.Target
}

// call runs one command of the DevTools protocol; result may be nil.
func (s *session) call(method string, params map[string]any, result any) error {
	// A page in the Back-Forward Cache never answers: whoever waits must be able to look elsewhere.
	ctx, cancel := context.WithTimeout(s.ctx, patience/4)
	defer cancel()
	if params == nil {
		params = map[string]any{}
	}
	var raw json.RawMessage
	if err := s.target.Call(ctx, method, params, &raw); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(raw, result)
}

func newTab(v *Visitor, parent context.Context, options ...chromedp.ContextOption) *Tab {
	v.t.Helper()
	v.tabs++
	tab := &Tab{
		t: v.t, name: fmt.Sprintf("%s-%d", v.name, v.tabs),
		frames: map[target.ID]*session{}, contexts: map[string]int64{},
	}
	options = append(options, chromedp.WithListener(tab.listen))
	ctx, cancel := chromedp.NewContext(parent, options...)
	tab.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		v.t.Fatalf("open a tab: %v", err)
	}
	tab.page = &session{ctx, chromedp.FromContext(ctx).Target}
	v.t.Cleanup(func() {
		if v.t.Failed() {
			shot(v.t, "failed-"+strings.ReplaceAll(v.t.Name(), "/", "-")+"-"+tab.name, tab.png())
			v.t.Logf("tab %s shows:\n%s", tab.name, tab.describe())
		}
		for _, line := range tab.errors() {
			v.t.Errorf("tab %s: %s", tab.name, line)
		}
		cancel()
	})
	// Several tabs are on screen at once; each must believe that it is looked at.
	for _, c := range []struct {
		method string
		params map[string]any
	}{
		{"Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}},
		{"Page.setBypassCSP", map[string]any{"enabled": false}},
	} {
		if err := tab.page.call(c.method, c.params, nil); err != nil {
			v.t.Fatal(err)
		}
	}
	return tab
}

// listen collects what a target complains about. It runs inside chromedp's reader.
func (tab *Tab) listen(ev any) {
	line := ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		line = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			line += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != "error" && e.Type != "assert" {
			return
		}
		var words []string
		for _, a := range e.Args {
			switch {
			case len(a.Value) > 0:
				words = append(words, string(a.Value))
			default:
				words = append(words, a.Description)
			}
		}
		line = "console: " + strings.Join(words, " ")
	case *log.EventEntryAdded:
		if e.Entry.Level != "error" {
			return
		}
		line = fmt.Sprintf("log: %s (%s)", e.Entry.Text, e.Entry.URL)
	case *runtime.EventExecutionContextCreated:
		var aux struct {
			FrameID   string `json:"frameId"`
			IsDefault bool   `json:"isDefault"`
		}
		if json.Unmarshal(e.Context.AuxData, &aux) == nil && aux.IsDefault {
			tab.mu.Lock()
			tab.contexts[aux.FrameID] = int64(e.Context.ID)
			tab.mu.Unlock()
		}
		return
	default:
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.console = append(tab.console, line)
}

// allow says that the test causes errors of this kind, e.g. by cutting the network.
func (tab *Tab) allow(patterns ...string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, p := range patterns {
		tab.allowed = append(tab.allowed, regexp.MustCompile(p))
	}
}

// errors are the complaints that were not allowed.
func (tab *Tab) errors() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	var out []string
next:
	for _, line := range tab.console {
		for _, re := range tab.allowed {
			if re.MatchString(line) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

// The network is gone: browsers say so in the console, and no page can prevent it.
const networkErrors = `ERR_(CONNECTION_|EMPTY_RESPONSE|INTERNET_|SOCKET_|ABORTED|NETWORK_)|WebSocket (connection to|is already)|net::ERR`

// visit navigates and waits until the page has loaded.
func (tab *Tab) visit(url string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, 2*patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		tab.t.Fatalf("visit %s: %v", url, err)
	}
}

// reload reloads the page and waits until it has loaded.
func (tab *Tab) reload() {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, 2*patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		tab.t.Fatalf("reload: %v", err)
	}
}

// close closes the tab as its user would; its pages get pagehide.
func (tab *Tab) close() {
	tab.t.Helper()
	if err := tab.page.call("Page.close", nil, nil); err != nil {
		tab.t.Fatal(err)
	}
}

// top is the page itself.
func (tab *Tab) top() *Doc { return &Doc{tab: tab, where: tab.topPlace} }

func (tab *Tab) topPlace() (place, error) { return place{session: tab.page}, nil }

// chat is the chat's frame, wherever it is and however often it was replaced.
// Nothing is looked up before the Doc is used.
func (tab *Tab) chat() *Doc {
	return &Doc{tab: tab, where: func() (place, error) { return tab.framePlace("/widget") }}
}

var errNoFrame = errors.New("the chat's frame is not there")

// framePlace finds the frame whose document's path begins with path.
func (tab *Tab) framePlace(path string) (place, error) {
	isFrame := func(url string) bool {
		_, rest, ok := strings.Cut(url, "://")
		if !ok {
			return false
		}
		_, p, _ := strings.Cut(rest, "/")
		return strings.HasPrefix("/"+p, path)
	}
	// In a process of its own: a target whose parent is this page.
	infos, err := chromedp.Targets(tab.ctx)
	if err != nil {
		return place{}, err
	}
	for _, info := range infos {
		if info.Type != "iframe" || string(info.ParentFrameID) != string(tab.page.target.TargetID) || !isFrame(info.URL) {
			continue
		}
		// A page in the Back-Forward Cache keeps its frames: only one whose element is on the page counts.
		if tab.page.call("DOM.getFrameOwner", map[string]any{"frameId": string(info.TargetID)}, nil) != nil {
			continue
		}
		s, err := tab.attach(info.TargetID)
		return place{session: s, frame: string(info.TargetID), own: true}, err
	}
	// In the page's process: a frame of its tree.
	var tree struct {
		FrameTree struct {
			ChildFrames []struct {
				Frame struct{ ID, URL string }
			}
		}
	}
	if err := tab.page.call("Page.getFrameTree", nil, &tree); err != nil {
		return place{}, err
	}
	for _, c := range tree.FrameTree.ChildFrames {
		if isFrame(c.Frame.URL) {
			tab.mu.Lock()
			id := tab.contexts[c.Frame.ID]
			tab.mu.Unlock()
			if id != 0 {
				return place{session: tab.page, frame: c.Frame.ID, context: id}, nil
			}
		}
	}
	return place{}, errNoFrame
}

func (tab *Tab) attach(id target.ID) (*session, error) {
	tab.mu.Lock()
	s, ok := tab.frames[id]
	tab.mu.Unlock()
	if ok {
		return s, nil
	}
	// Attached for the life of the tab; a frame that is gone detaches by itself.
	ctx, _ := chromedp.NewContext(tab.ctx, chromedp.WithTargetID(id), chromedp.WithDetachOnCancel(), chromedp.WithListener(tab.listen))
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	s = &session{ctx, chromedp.FromContext(ctx).Target}
	tab.mu.Lock()
	tab.frames[id] = s
	tab.mu.Unlock()
	return s, nil
}

// size makes the window this large, in CSS pixels; phone adds touch.
func (tab *Tab) size(width, height int, phone bool) {
	tab.t.Helper()
	scale := 1
	if phone {
		scale = 2
	}
	err := tab.page.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}, nil)
	if err != nil {
		tab.t.Fatal(err)
	}
}

// dark asks the pages for their dark form, or the light one.
func (tab *Tab) dark(on bool) {
	tab.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	params := map[string]any{"features": []map[string]any{{"name": "prefers-color-scheme", "value": value}}}
	if err := tab.page.call("Emulation.setEmulatedMedia", params, nil); err != nil {
		tab.t.Fatal(err)
	}
	if p, err := tab.framePlace("/widget"); err == nil && p.own {
		if err := p.session.call("Emulation.setEmulatedMedia", params, nil); err != nil {
			tab.t.Fatal(err)
		}
	}
}

func (tab *Tab) png() []byte {
	var out struct{ Data string }
	if err := tab.page.call("Page.captureScreenshot", map[string]any{"format": "png"}, &out); err != nil {
		return nil
	}
	b, _ := base64.StdEncoding.DecodeString(out.Data)
	return b
}

// shot keeps a screenshot of the tab, where screenshots are kept.
func (tab *Tab) shot(name string) {
	tab.t.Helper()
	shot(tab.t, name, tab.png())
}

// describe gives the texts of page and frame for a failed test's log.
func (tab *Tab) describe() string {
	out := ""
	for name, d := range map[string]*Doc{"page": tab.top(), "chat": tab.chat()} {
		text, err := d.text()
		if err != nil {
			text = err.Error()
		}
		if len(text) > 1500 {
			text = text[:1500] + "…"
		}
		var fields, focus string
		if err := d.eval(`JSON.stringify([...document.querySelectorAll('input,textarea')].map(e => [e.id, e.value]))`, &fields); err == nil {
			_ = d.eval(`document.hasFocus() + ' ' + (document.activeElement ? document.activeElement.tagName + '#' + document.activeElement.id : '')`, &focus)
			text += "\nfields " + fields + " focus " + focus
		}
		out += "--- " + name + "\n" + text + "\n"
	}
	if infos, err := chromedp.Targets(tab.ctx); err == nil {
		for _, info := range infos {
			owner := tab.page.call("DOM.getFrameOwner", map[string]any{"frameId": string(info.TargetID)}, nil)
			out += fmt.Sprintf("--- target %s %s parent %s %s owner %v\n", info.Type, info.TargetID, info.ParentFrameID, info.URL, owner)
		}
	}
	return out
}
